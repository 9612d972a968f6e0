"""A protocol file either reads as what it says, or every mistake in it is named with its line."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from organ_models.units import UnitError
from trials.protocol import Amount, Dose, EverAtOrAbove, Protocol, ProtocolError, load_protocol
from trials.report.dosing import given as _doses
from trials.report.words import NO_BREAK

VALID = """\
schema: vht-protocol/1
name: small_trial
title: A small trial
question_of_interest: Does pressure fall?
context_of_use: Tests only.
population:
  eligibility:
    age: {minimum: 18 a, maximum: 90 a}
    conditions: [hypertension]
    quantities: [systolic_blood_pressure]
virtual_patient:
  models: [drug, circulation]
  couplings:
    - {from: drug.effect, to: circulation.resistance}
arms:
  - name: off
    label: Nothing
  - name: on
    label: Drug
    doses:
      drug.dose: {amount: 50 mg/d, on: 28 d, off: 14 d}
reference_arm: off
design: paired_counterfactual
duration: 24 wk
reporting_interval: 1 wk
visits:
  systolic_blood_pressure: {every: 6 wk, days: [28 d, 70 d]}
measurement_error:
  systolic_blood_pressure: {additive: "7 mm[Hg]", proportional: 2 %, source: A paper.}
dropout: {hazard: 0.007 /wk, source: A paper.}
endpoints:
  - {name: fall, kind: change_from_baseline, quantity: systolic_blood_pressure, scale: absolute, day: 168 d}
  - {name: high, kind: ever_at_or_above, thresholds: {systolic_blood_pressure: "14 cm[H2O]"}}
seed: 7
confidence_level: 90 %
"""

Reader = Callable[[str], Protocol]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def reader(text: str) -> Protocol:
        path = tmp_path / "trial.yaml"
        path.write_text(text)
        return load_protocol(path)

    return reader


def changed(old: str, new: str) -> str:
    assert VALID.count(old) >= 1, old
    return VALID.replace(old, new, 1)


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def problems(read: Reader, text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ProtocolError) as caught:
        read(text)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_a_protocol_reads_as_written(read: Reader) -> None:
    protocol = read(VALID)
    assert [arm.name for arm in protocol.arms] == ["off", "on"]  # words, not YAML 1.1 truth values
    assert protocol.arm("on").doses["drug.dose"].on == Amount(28.0, "d")
    assert protocol.duration_days == 168.0
    assert protocol.confidence == pytest.approx(0.9)
    assert protocol.dropout is not None
    assert protocol.dropout.per_day == pytest.approx(0.001)  # 0.007 a week
    assert protocol.endpoints[0].label == "Fall"


def test_visits_are_the_baseline_the_interval_and_the_listed_days(read: Reader) -> None:
    protocol = read(VALID)
    assert protocol.visit_days("systolic_blood_pressure") == (0, 28, 42, 70, 84, 126, 168)
    assert protocol.report_days() == tuple(range(0, 169, 7))


def test_the_grid_holds_visits_that_the_reporting_interval_misses(read: Reader) -> None:
    protocol = read(changed("reporting_interval: 1 wk", "reporting_interval: 5 wk"))
    assert protocol.report_days() == (0, 35, 70, 105, 140, 168)
    assert set(protocol.visit_days("systolic_blood_pressure")) <= set(protocol.grid_days())


def test_four_weeks_on_two_weeks_off_gives_28_doses_in_each_42_days(read: Reader) -> None:
    dose = read(VALID).arm("on").doses["drug.dose"]
    daily = dose.daily(np.arange(84))
    assert daily[[0, 27, 28, 41, 42, 69, 70]].tolist() == [50, 50, 0, 0, 50, 50, 0]
    assert (daily > 0).sum() == 56
    assert dose.daily(np.array([-1])).tolist() == [0.0]


def test_a_dose_every_three_weeks_ends_after_its_cycles_and_leaves_out_the_missed_one(read: Reader) -> None:
    protocol = read(changed("on: 28 d, off: 14 d", "on: 1 d, off: 20 d, cycles: 4, missed: [2]"))
    daily = protocol.arm("on").doses["drug.dose"].daily(np.arange(168))
    assert np.flatnonzero(daily).tolist() == [0, 42, 63]
    told = _doses(protocol.arm("on")).replace(NO_BREAK, " ")
    assert told == "Dose: 50 mg/day, 1 day on, 20 days off, 4 cycles, without cycle 2"


def test_a_dose_without_a_cycle_is_given_every_day() -> None:
    assert Dose(amount=Amount(37.5, "mg/d")).daily(np.arange(3)).tolist() == [37.5] * 3


def test_a_regimen_is_not_defined_between_days() -> None:
    with pytest.raises(ValueError, match="whole days"):
        Dose(amount=Amount(1, "mg/d")).daily(np.array([0.5]))


def test_additive_and_proportional_error_add_as_variances(read: Reader) -> None:
    error = read(VALID).measurement_error["systolic_blood_pressure"]
    # sqrt(7^2 + (2 % of 120)^2), by hand
    assert error.standard_deviation([120.0], "systolic_blood_pressure") == pytest.approx([7.4], abs=5e-4)


def test_thresholds_are_given_in_the_unit_of_the_quantity(read: Reader) -> None:
    # 1 cm[H2O] = 98.0665 Pa, 1 mm[Hg] = 133.322387415 Pa (UCUM)
    expected = 14 * 98.0665 / 133.322387415
    endpoint = read(VALID).endpoints[1]
    assert isinstance(endpoint, EverAtOrAbove)
    assert endpoint.canonical()["systolic_blood_pressure"] == pytest.approx(expected, rel=1e-4)


# --- one mistake each: the line, and words that help -----------------------------------------------

MISTAKES = [
    ("title: A small trial", "titel: A small trial", "titel", "did you mean 'title'?"),
    ("seed: 7", "seed: 7\nsede: 8", "sede", "did you mean 'seed'?"),
    ("{hazard: 0.007 /wk", "{hazrd: 0.007 /wk", "dropout", "did you mean 'hazard'?"),
    ("minimum: 18 a", "minimun: 18 a", "minimun", "did you mean 'minimum'?"),
    ("[hypertension]", "[hypertention]", "hypertention", "did you mean 'hypertension'?"),
    (
        "quantities: [systolic_blood_pressure]",
        "quantities: [systolic_pressure]",
        "quantities:",
        "did you mean",
    ),
    ("kind: ever_at_or_above", "kind: ever_above", "ever_above", "did you mean 'ever_at_or_above'?"),
    ("scale: absolute", "scale: relative", "relative", "'percent' or 'absolute'"),
    ("amount: 50 mg/d", "amount: 50", "amount: 50,", "has no unit"),
    ("amount: 50 mg/d", "amount: fifty mg/d", "fifty", "is not an amount"),
    ("amount: 50 mg/d", "amount: 50 mgg/d", "mgg", "'mgg/d' is not a UCUM unit"),
    ("amount: 50 mg/d", "amount: -50 mg/d", "-50", "cannot be negative"),
    ("duration: 24 wk", "duration: 24 mm", "24 mm", "'mm' cannot be converted to 'd'"),
    ("duration: 24 wk", "duration: 1.5 d", "1.5 d", "whole number of days"),
    ("duration: 24 wk", "duration: 0 wk", "0 wk", "must be more than 0 d"),
    ("hazard: 0.007 /wk", "hazard: 0.007 wk", "hazard", "cannot be converted to '/d'"),
    ('additive: "7 mm[Hg]"', "additive: 7 kg", "7 kg", "'kg' cannot be converted to 'mm[Hg]'"),
    ('"14 cm[H2O]"', "14 mg", "14 mg", "'mg' cannot be converted to 'mm[Hg]'"),
    ("confidence_level: 90 %", "confidence_level: 100 %", "100 %", "less than 100%"),
    ("reference_arm: off", "reference_arm: of", "reference_arm", "did you mean 'off'?"),
    ("name: on", "name: off", "  - name: off\n    label: Drug", "two arms are called 'off'"),
    ("on: 28 d, off: 14 d", "on: 28 d", "drug.dose", "'on' and 'off' go together"),
    ("drug.dose:", "drgu.dose:", "drgu", "did you mean 'drug'?"),
    ("drug.dose:", "circulation.resistance:", "      circulation.resistance", "driven by a coupling"),
    ("drug.dose:", "dose:", "      dose:", "write it as 'model.port'"),
    ("to: circulation.resistance", "to: circulaton.resistance", "circulaton", "did you mean 'circulation'?"),
    ("day: 168 d", "day: 160 d", "160 d", "not a visit"),
    ("70 d]", "700 d]", "700 d", "after the end of the trial"),
    ("every: 6 wk", "every: 60 wk", "60 wk", "longer than the trial"),
    ("reporting_interval: 1 wk", "reporting_interval: 30 wk", "30 wk", "longer than the trial"),
    ("{every: 6 wk, days: [28 d, 70 d]}", "{}", "systolic_blood_pressure: {}", "'every' or 'days'"),
    ("name: high", "name: fall", "fall, kind: ever", "two endpoints are called 'fall'"),
    ("name: fall", "name: Fall", "Fall", "is not a name"),
    ("maximum: 90 a", "maximum: 9 a", "age", "is above the maximum"),
    ("seed: 7", "seed: seven", "seven", "valid integer"),
    ("seed: 7", "seed: .nan", ".nan", "not a finite number"),
    ("seed: 7", "seed: .inf", ".inf", "not a finite number"),
    ("seed: 7", "seed: 1e999", "1e999", "too large"),
    ("seed: 7", "seed: 7\nname: other", "name: other", "stands twice; the first is on line 2"),
    ("title: A small trial", "title:", "title:", "has no value"),
    ("schema: vht-protocol/1", "schema: vht-protocol/9", "vht-protocol/9", "'vht-protocol/1'"),
    ("{from: drug.effect,", "{source: drug.effect,", "source: drug", "unknown field 'source'"),
    ("on: 28 d, off: 14 d", "cycles: 4", "cycles", "give 'on' and 'off'"),
    ("on: 28 d, off: 14 d", "on: 28 d, off: 14 d, cycles: 0", "cycles", "greater than or equal to 1"),
    ("on: 28 d, off: 14 d", "on: 28 d, off: 14 d, cycles: 4, missed: [5]", "missed", "no cycle 5 among 4"),
]


@pytest.mark.parametrize(("old", "new", "where", "words"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_a_mistake_is_named_with_its_line_and_a_remedy(
    read: Reader, old: str, new: str, where: str, words: str
) -> None:
    text = changed(old, new)
    found = problems(read, text)
    assert any(line == line_of(text, where) and words in message for line, message in found), found


def test_measuring_the_error_of_what_has_no_visits_is_refused(read: Reader) -> None:
    extra = "  heart_rate: {additive: 3 /min, source: A paper.}\ndropout:"
    text = changed("dropout:", extra)
    assert [line for line, message in problems(read, text) if "never measured" in message] == [
        line_of(text, "heart_rate")
    ]


def test_recist_needs_a_size_in_millimetres(read: Reader) -> None:
    text = changed(
        "seed: 7", "  - {name: best, kind: recist_best_response, quantity: systolic_blood_pressure}\nseed: 7"
    )
    assert any("RECIST" in message for _, message in problems(read, text))


def test_an_endpoint_of_a_quantity_without_visits_is_refused(read: Reader) -> None:
    text = changed("seed: 7", "  - {name: peak, kind: peak_change, quantity: heart_rate}\nseed: 7")
    assert any("'heart_rate' has no visits" in message for _, message in problems(read, text))


def test_a_port_is_driven_once(read: Reader) -> None:
    line = "    - {from: drug.effect, to: circulation.resistance}\n"
    text = changed(line, line * 2)
    assert problems(read, text)[0][0] == line_of(text, line) + 1


def test_what_is_solved_for_belongs_to_the_model_whose_output_is_the_target(read: Reader) -> None:
    text = changed("to: circulation.resistance}", "to: circulation.pressure, solve: drug.dose_rate}")
    assert any("must be an input of 'circulation'" in message for _, message in problems(read, text))


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines(read: Reader) -> None:
    text = VALID
    for old, new, *_ in (MISTAKES[0], MISTAKES[4], MISTAKES[12], MISTAKES[19], MISTAKES[32]):
        text = text.replace(old, new, 1)
    lines = [line for line, _ in problems(read, text)]
    assert len(lines) >= 6  # each of the five, and the missing title
    assert lines == sorted(lines, key=lambda line: line or 0)


def test_doses_for_one_port_are_in_units_that_convert(read: Reader) -> None:
    text = changed(
        "    label: Nothing\n", "    label: Nothing\n    doses:\n      drug.dose: {amount: 3 mm}\n"
    )
    assert any("another arm" in message for _, message in problems(read, text))


# --- files that are no protocols at all -------------------------------------------------------------


def test_a_file_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="cannot be read: No such file"):
        load_protocol(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold fields"),
        (b"- a\n- b\n", "must hold fields"),
        (b"a: [1, 2\nb: 3\n", "is not YAML"),
        (b"a: 1\nb: {c: 200 mm[Hg]}\n", 'needs quotes: "200 mm[Hg]"'),
        (b"a: 1\n\tb: 2\n", "not with tabs"),
        (b"a: b: c\n", "needs quotes"),
        (b"a: 1\n---\nb: 2\n", "is not YAML"),
        (b"a: \xff\xfe\n", "is not UTF-8"),
        (b"a: \x07\n", "control character"),
        (b"a: *nobody\n", "is not YAML"),
        (b"x" * 1_000_001, "is larger than"),
        (b"a: " + b"[" * 3000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_protocol_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "trial.yaml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match=re.escape(words)):
        load_protocol(path)


def test_tags_that_build_objects_are_refused(read: Reader) -> None:
    found = problems(read, changed("seed: 7", "seed: !!python/object/apply:os.system ['true']"))
    assert any("tag" in message and "not allowed" in message for _, message in found)


def test_an_alias_of_itself_is_refused(read: Reader) -> None:
    found = problems(read, changed("seed: 7", "seed: &a [*a]"))
    assert any("inside the value" in message for _, message in found)


def test_aliases_cannot_fill_the_memory(read: Reader) -> None:
    layers = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    layers += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert any("after following aliases" in m for _, m in problems(read, "\n".join(layers) + "\n"))


def test_a_group_can_be_named_once_and_used_again(read: Reader) -> None:
    text = changed("{every: 6 wk, days: [28 d, 70 d]}", "&plan {every: 6 wk, days: [28 d, 70 d]}")
    text = text.replace("measurement_error:", "  heart_rate: *plan\nmeasurement_error:", 1)
    text = text.replace(
        "  heart_rate: *plan", "  heart_rate: *plan\n  body_weight: {<<: *plan, every: 12 wk}"
    )
    protocol = read(text)
    assert protocol.visit_days("heart_rate") == protocol.visit_days("systolic_blood_pressure")
    assert protocol.visit_days("body_weight") == (0, 28, 70, 84, 168)


def test_dates_octals_and_base_60_stay_what_was_written(read: Reader) -> None:
    assert read(changed("title: A small trial", "title: 2026-11-24")).title == "2026-11-24"
    assert read(changed("seed: 7", "seed: 010")).seed == 10


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_file_raises_anything_but_a_protocol_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(VALID) - 1))
    stop = data.draw(st.integers(start, min(len(VALID), start + 30)))
    words = st.sampled_from(
        ["", "[", "{}", "null", ": ", "- ", "&a ", "*a", "<<: ", "1e400", "'", "\n", "~", "[]"]
    )
    insert = data.draw(words | st.text(max_size=8))
    path = tmp_path / "trial.yaml"
    path.write_text(VALID[:start] + insert + VALID[stop:], encoding="utf-8", errors="surrogateescape")
    with contextlib.suppress(ProtocolError):
        load_protocol(path)


# --- identity ----------------------------------------------------------------------------------------


def test_comments_and_formatting_do_not_change_the_digest(read: Reader) -> None:
    head, tail = VALID.split("arms:\n", 1)
    other = (
        "# a remark\n" + head + "\n\narms:\n" + tail.replace("duration: 24 wk", "duration:   '24.0 wk' # x")
    )
    assert read(other).digest == read(VALID).digest


def test_the_order_of_fields_does_not_change_the_digest(read: Reader) -> None:
    lines = VALID.splitlines(keepends=True)
    assert read("".join([*lines[1:], lines[0]])).digest == read(VALID).digest


@pytest.mark.parametrize(("old", "new"), [("seed: 7", "seed: 8"), ("50 mg/d", "51 mg/d"), ("6 wk", "12 wk")])
def test_any_change_of_content_changes_the_digest(read: Reader, old: str, new: str) -> None:
    assert read(changed(old, new)).digest != read(VALID).digest


def test_json_holds_the_whole_protocol(read: Reader) -> None:
    protocol = read(VALID)
    again = Protocol.model_validate_json(protocol.to_json())
    assert again.to_json() == protocol.to_json()
    assert again.digest == protocol.digest
    assert again.visit_days("systolic_blood_pressure") == protocol.visit_days("systolic_blood_pressure")


def test_the_json_schema_names_the_fields_as_the_file_does() -> None:
    schema = Protocol.json_schema()
    assert {"schema", "arms", "visits", "endpoints"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert "from" in schema["$defs"]["Coupling"]["properties"]
    json.dumps(schema)


def test_later_checks_can_point_at_a_line(read: Reader, tmp_path: Path) -> None:
    protocol = read(VALID)
    position = ("virtual_patient", "couplings", 0, "to")
    line = line_of(VALID, "to: circulation.resistance")
    assert protocol.locate(position) == f"{tmp_path / 'trial.yaml'}:{line}"
    error = protocol.error_at(position, "no such input")
    assert str(error).endswith(f":{line}: virtual_patient.couplings[0].to: no such input")


def test_a_position_that_a_default_fills_points_at_what_is_around_it(read: Reader) -> None:
    line = line_of(VALID, "  - name: off")
    assert read(VALID).locate(("arms", 0, "doses", "drug.dose")).endswith(f":{line}")


def test_a_protocol_made_in_python_is_checked_as_well(read: Reader) -> None:
    content = json.loads(read(VALID).to_json())
    content["reference_arm"] = "nobody"
    with pytest.raises(ValueError, match="no arm is called 'nobody'"):
        Protocol.model_validate(content)


def test_a_protocol_cannot_be_changed_after_reading(read: Reader) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(VALID).seed = 3


# --- amounts -----------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["mg/d", "%", "1", "mm[Hg]", "/wk"]))
def test_an_amount_survives_being_written(value: float, unit: str) -> None:
    assert Amount.parse(str(Amount(value, unit))) == Amount(value, unit)


def test_amounts_convert_between_units_of_one_dimension_only() -> None:
    assert Amount.parse("24 wk").to("d") == pytest.approx(168.0)
    assert Amount.parse("12.5 %").to("1") == pytest.approx(0.125)
    with pytest.raises(UnitError, match="cannot be converted"):
        Amount.parse("1 mm").to("mg/d")
