"""Regimens in trials: doses by each patient's own size, under policies, in arms with variants of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from organ_models.schedules import Schedule
from tests.vht.people import pseudonym, weighed_patient
from trials.compose import compose
from trials.conduct import UNSIZED, Conduct, conduct
from trials.dosing import Bodies, doses_of, sizes_needed
from trials.endpoints import endpoint_table
from trials.outcomes import COMPLETED, FAILED
from trials.protocol import Protocol, load_protocol
from trials.report import build_report
from trials.results import analyse
from trials.run import run_trial
from trials.verify import verify_run
from vht import Cohort, Store

EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"
TABLES = ("baseline", "disposition", "measurements", "peaks")
INFUSED, TUMOUR = "docetaxel_ozawa.infusion_rate", "bruno_breast_cancer.docetaxel_dose"
HOUR = 1.0 / 24.0


def changed(folder: Path, *pairs: tuple[str, str], name: str = "docetaxel_breast") -> Protocol:
    """An example with some of its text replaced."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "changed.yaml").write_text(text)
    return load_protocol(folder / "changed.yaml")


def cohort(n: int) -> Cohort:
    return Cohort.from_states(weighed_patient(i) for i in range(n))


def given(protocol: Protocol, arm: str, weight: list[float], height: list[float]) -> dict[str, Schedule]:
    """What an arm plans for patients of these sizes, kg and cm."""
    table = pd.DataFrame({"body_weight": weight, "body_height": height})
    plan = doses_of(
        protocol, compose(protocol), protocol.arm(arm), Bodies.of(table), np.arange(len(weight)) + 11
    )
    assert all(isinstance(each, Schedule) for each in plan.values())
    return plan  # type: ignore[return-value]


def words(report: Any) -> str:
    """All that a report says."""
    return json.dumps(report, ensure_ascii=False).replace("\xa0", " ")


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(EXAMPLES / "docetaxel_breast.yaml")


@pytest.fixture(scope="module")
def done(protocol: Protocol) -> Conduct:
    return conduct(protocol, cohort(24))


def disposition(done: Conduct, arm: str) -> pd.DataFrame:
    rows = done.outcomes.disposition
    return rows[rows["arm"] == arm].set_index("pseudonym")


# --- doses by size ----------------------------------------------------------------------------------


def test_the_dose_goes_by_each_patients_own_surface_and_runs_in_within_the_hour(protocol: Protocol) -> None:
    """Mosteller by hand: 80 kg and 180 cm are sqrt(80 x 180 / 3600) = 2 m2, so that 75 mg/m2 are 150 mg;
    45 kg and 180 cm are 1.5 m2 and 112.5 mg."""
    plan = given(protocol, "docetaxel_75", [80.0, 45.0], [180.0, 180.0])
    infused = plan[INFUSED]
    assert infused.times[:3] == pytest.approx([0, HOUR, 21], abs=1e-9)
    assert infused.times.size == 12  # six start, six stop
    hours = 24.0 * (infused.times[1] - infused.times[0])
    assert infused.amounts[0] * hours == pytest.approx([150.0, 112.5])
    assert (infused.amounts[1] == 0).all()
    at_once = plan[TUMOUR]
    assert at_once.times.tolist() == [0, 21, 42, 63, 84, 105]
    assert at_once.amounts == pytest.approx(np.tile([150.0, 112.5], (6, 1)))


def test_a_cap_on_the_surface_caps_the_dose(tmp_path: Path) -> None:
    capped = changed(tmp_path, ("every: 3 wk\n", "every: 3 wk\n        surface_cap: 1.8 m2\n"))
    plan = given(capped, "docetaxel_100", [80.0, 45.0], [180.0, 180.0])
    assert plan[TUMOUR].amounts[0] == pytest.approx([180.0, 150.0])


def test_every_field_of_a_regimen_is_in_the_schedule(tmp_path: Path) -> None:
    """In mg/kg, with a loading dose, a late start, cycles and a missed administration."""
    text = ("amount: 75 mg/m2", "amount: 0.002 g/kg\n        loading: 4 mg/kg\n        start: 3 d")
    more = (
        "every: 3 wk\n        cycles: 6",
        "every: 12 h\n        on: 2 d\n        off: 5 d\n        missed: [2]\n        cycles: 2",
    )
    both = changed(tmp_path, text, more)
    assert sizes_needed(both) == ["body_weight", "body_height"]  # the other arms go by surface
    plan = given(both, "docetaxel_75", [50.0], [160.0])[TUMOUR]
    assert plan.times.tolist() == [3, 3.5, 4, 4.5, 10, 10.5, 11, 11.5]
    assert plan.amounts[:, 0] == pytest.approx([200, 0, 100, 100, 100, 100, 100, 100])


def test_who_takes_an_administration_is_the_same_at_every_port_and_in_every_arm(tmp_path: Path) -> None:
    """One chance of 80 % for each of 6 x 500 administrations: 3 standard errors are 0.022."""
    some = changed(tmp_path, ("every: 3 wk\n", "every: 3 wk\n        taken: 80 %\n"))
    sizes = [70.0] * 500, [170.0] * 500
    low, high = (given(some, arm, *sizes) for arm in ("docetaxel_75", "docetaxel_100"))
    taken = low[TUMOUR].amounts > 0
    assert taken.mean() == pytest.approx(0.8, abs=0.022)
    assert (taken == (high[TUMOUR].amounts > 0)).all()
    assert (taken == (low[INFUSED].amounts[::2] > 0)).all()
    assert 0.0 < taken.all(axis=0).mean() < 1.0
    few = given(some, "docetaxel_75", sizes[0][:7], sizes[1][:7])
    assert (few[TUMOUR].amounts > 0).tolist() == taken[:, :7].tolist()  # nobody hangs on a neighbour


def test_a_patient_without_a_recorded_size_fails_with_that_cause_and_changes_nobody(
    tmp_path: Path, protocol: Protocol, done: Conduct
) -> None:
    text = "quantities: [body_weight, body_height, sum_of_longest_diameters]"
    anyone = changed(tmp_path, (text, "quantities: [sum_of_longest_diameters]"))
    people = [weighed_patient(i) for i in range(24)]
    people[5] = weighed_patient(5, body_height=None)
    people[9] = weighed_patient(9, body_weight=None)
    found = conduct(anyone, Cohort.from_states(people))
    for arm in protocol.arms:
        rows = disposition(found, arm.name)
        assert rows.loc[[pseudonym(5), pseudonym(9)], "status"].tolist() == [FAILED, FAILED]
        assert rows.loc[[pseudonym(5), pseudonym(9)], "reason"].tolist() == [UNSIZED, UNSIZED]
        assert (rows["status"] == FAILED).sum() == 2
    left = found.outcomes.measurements
    whole = done.outcomes.measurements
    whole = whole[~whole["pseudonym"].isin([pseudonym(5), pseudonym(9)])].reset_index(drop=True)
    pd.testing.assert_frame_equal(left, whole, check_exact=True)
    told = analyse(anyone, found.outcomes)["disposition"]["docetaxel_75"]["reasons"][FAILED]
    assert told == {UNSIZED: 2}


def test_an_arm_with_absolute_doses_needs_no_size(tmp_path: Path) -> None:
    text = "quantities: [body_weight, body_height, sum_of_longest_diameters]"
    flat = changed(
        tmp_path,
        (text, "quantities: [sum_of_longest_diameters]"),
        ("amount: 75 mg/m2", "amount: 130 mg"),
    )
    small = Cohort.from_states([weighed_patient(0, body_weight=None), weighed_patient(1)])
    found = conduct(flat, small)
    assert disposition(found, "docetaxel_75")["status"].tolist() == [COMPLETED, COMPLETED]
    assert disposition(found, "docetaxel_100").loc[pseudonym(0), "reason"] == UNSIZED


# --- under policies ---------------------------------------------------------------------------------


def test_a_trial_with_regimens_does_not_depend_on_chunks(protocol: Protocol, done: Conduct) -> None:
    again = conduct(protocol, cohort(24), chunk=7)
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(again.outcomes, name), getattr(done.outcomes, name), check_exact=True, obj=name
        )
    assert again.numerics == done.numerics


def test_doses_are_reduced_and_ended_by_the_counts_that_visits_showed(done: Conduct) -> None:
    """The rule once more, from the measurements: 100, 75 and 60 % of what is due on days 0, 21, ... 105."""
    m = done.outcomes.measurements
    counts = m[(m.arm == "docetaxel_100") & (m.quantity == "neutrophils") & m.is_visit]
    shares = {}
    for who, rows in counts.groupby("pseudonym"):
        seen = rows.set_index("day")["observed"]
        steps, falling, total, late = 0, False, 0.0, 0
        for day in np.arange(0.0, 126.0, 7.0):
            recovered = seen[day] >= 1.5
            falling &= not recovered
            fell = seen[day] < 0.5 and not falling
            falling |= fell
            steps += fell
            if day == 21 * (total_due := round(day / 21)) and total_due == day / 21:
                late += seen[day] < 1.5
                total += [1.0, 0.75, 0.6, 0.0][min(steps, 3)]
        shares[who] = (total / 6, late)
    arm = disposition(done, "docetaxel_100")
    on_time = [who for who, (_, late) in shares.items() if not late]
    assert len(on_time) > 12
    assert arm.loc[on_time, "dose_share"].to_numpy() == pytest.approx([shares[w][0] for w in on_time])
    assert arm["dose_share"].nunique() > 3
    assert (disposition(done, "docetaxel_100_as_planned")["dose_share"] == 1.0).all()


def test_fewer_fall_to_grade_4_at_the_lower_dose_and_tumours_shrink_more_at_the_higher(
    protocol: Protocol, done: Conduct
) -> None:
    table = endpoint_table(protocol, done.outcomes).pivot_table(
        index="endpoint", columns="arm", values="true"
    )
    grade = table.loc["neutropenia_grade_4"]
    assert grade["docetaxel_75"] < grade["docetaxel_100_as_planned"]
    assert (table.loc["neutropenia_grade_3"] >= grade).all()
    change = table.loc["change_in_tumour_size"]
    assert change["docetaxel_100_as_planned"] < change["docetaxel_100"] < change["docetaxel_75"]


def test_falling_below_is_read_off_every_visit_after_baseline(protocol: Protocol, done: Conduct) -> None:
    table = endpoint_table(protocol, done.outcomes).set_index(["endpoint", "arm", "pseudonym"])
    m = done.outcomes.measurements
    low = m[(m.quantity == "neutrophils") & (m.day > 0)].groupby(["arm", "pseudonym"])[["true", "observed"]]
    expected = (low.min() < 0.5).astype(float)
    rows = table.loc["neutropenia_grade_4", ["true", "observed"]].astype(float)
    pd.testing.assert_frame_equal(rows.sort_index(), expected.sort_index(), check_exact=True)
    assert 0 < expected["true"].mean() < 1


# --- report, run and verification -------------------------------------------------------------------


def test_the_report_tells_how_doses_were_derived(
    protocol: Protocol, done: Conduct, provenance: dict[str, object]
) -> None:
    text = words(build_report(protocol, analyse(protocol, done.outcomes), provenance))
    assert "docetaxel 75 mg/m², infusion over 1 hour, every 3 weeks, 6 administrations" in text
    assert "Mosteller" in text
    assert "Neutrophils < 500 per µL" in text
    assert "it is the next administration that waits" in text


def verified(protocol: Path, states: Path, out: Path) -> None:
    """A run in a folder of its own is executed again to the bit."""
    Store(states).append(weighed_patient(i) for i in range(4))
    run_trial(protocol, states, out)
    found = verify_run(out)
    assert found.verified, found.differences
    assert found.identical == found.numbers


def test_a_run_with_regimens_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    verified(EXAMPLES / "docetaxel_breast.yaml", tmp_path / "states", tmp_path / "run")


def test_the_json_schema_knows_regimens_variants_and_relative_couplings() -> None:
    parts = Protocol.json_schema()["$defs"]
    assert {"amount", "every", "infused_over", "surface_cap", "taken", "source"} <= set(
        parts["RegimenDose"]["properties"]
    )
    assert parts["RegimenDose"]["additionalProperties"] is False
    doses = next(iter(parts["Arm"]["properties"]["doses"]["patternProperties"].values()))
    assert {each["$ref"].rpartition("/")[2] for each in doses["oneOf"]} == {"Dose", "RegimenDose"}
    assert "variants" in parts["Arm"]["properties"]
    assert "variants" in parts["VirtualPatientSection"]["properties"]
    assert "relative" in parts["Coupling"]["properties"]
