"""What was exported is imported again to the same values, and predictions only where that is asked for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_io import Note, Reason, import_records
from fhir_io import vocabulary as v
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.codes import own_row
from fhir_io.mapping.times import is_relative, moment
from fhir_io.mapping.units import to_canonical
from fhir_io.vocabulary import RELATIVE_DAY
from tests.fhir_io.conftest import FakePseudonymiser, Imported, Records
from tests.fhir_io.export_fixtures import EXAMPLE, FIRST, example, export
from vht.quantities import QUANTITIES
from vht.state import PatientState
from vht.store import Store

Json = dict[str, Any]
ImportFrom = Callable[..., Imported]
Row = tuple[str, float, float]

# Units that records use, all UCUM; the lesion is left out, for its sums are derived
UNITS = {
    "glucose": ("mg/dL", "mmol/L"),
    "creatinine": ("mg/dL", "umol/L"),
    "body_weight": ("kg", "[lb_av]", "g"),
    "body_height": ("cm", "m"),
    "body_temperature": ("Cel", "[degF]"),
    "haemoglobin": ("g/dL", "g/L"),
}
TABLES = Tables.load()
NAMES = sorted(set(QUANTITIES) - {"target_lesion_diameter"})


def rows(state: PatientState) -> list[Row]:
    return sorted((o.quantity, o.value, o.day) for o in state.observations)


def imported(path: Path, states: Path, **options: Any) -> tuple[list[list[Row]], Any]:
    """Values of every patient, and the report."""
    report = import_records(path, pseudonymiser=FakePseudonymiser(), store=Store(states), **options)
    cohort = Store(states).cohort()
    return sorted(rows(state) for state in cohort.states()), report


def canonical(number: float, unit: str, name: str) -> float:
    """A number of a UCUM unit in the unit of a quantity."""
    row = own_row(name)
    assert row is not None
    found = to_canonical(number, {"code": unit}, row, TABLES)
    assert not isinstance(found, Reason)
    return found.value


@st.composite
def measurements(draw: st.DrawFn) -> Json:
    name = draw(st.sampled_from(NAMES))
    low, high = QUANTITIES[name].plausible
    places = draw(st.integers(0, 6))
    value = draw(st.decimals(Decimal(str(low)), Decimal(str(high)), places=places))
    unit = draw(st.sampled_from(UNITS.get(name, (QUANTITIES[name].unit,))))
    if unit != QUANTITIES[name].unit:  # the same amount, in the other unit
        zero, one = (canonical(number, unit, name) for number in (0.0, 1.0))
        middle = (low + high) / 2
        value = Decimal(repr(round((middle - zero) / (one - zero), places)))
    day = draw(
        st.one_of(
            st.integers(-40_000, 40_000).map(Decimal),
            st.decimals(-1000, 1000, places=draw(st.integers(1, 6))),
        )
    )
    return {"subject": FIRST, "quantity": name, "value": value, "unit": unit, "day": day}


@given(st.lists(measurements(), min_size=1, max_size=6))
@settings(max_examples=60)
def test_any_measurement_comes_back_with_its_value_unit_and_day(drawn: list[Json]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        content = example(predictions=[], waveforms=[], risks=[], trial=None, measurements=[])
        text = json.dumps(content)
        written = ", ".join(_as_written(m) for m in drawn)
        (root / "in.json").write_text(text.replace('"measurements": []', f'"measurements": [{written}]'))
        resources = export(root / "in.json", root / "out.json")
        found = [r for r in resources if r["resourceType"] == "Observation"]
        for given_row, made in zip(drawn, found, strict=True):  # one patient: the order is kept
            assert str(made["valueQuantity"]["value"]) == str(given_row["value"])
            assert made["valueQuantity"]["code"] == given_row["unit"]
            (day,) = [e["valueDecimal"] for e in made["extension"] if e["url"] == RELATIVE_DAY]
            assert str(day) == str(given_row["day"])
        expected = sorted({_expected(m) for m in drawn})
        (back,), report = imported(root / "out.json", root / "states")
        assert sorted(set(back)) == expected
        duplicates = report.by_reason().get(Reason.DUPLICATE, 0)
        assert len(back) + duplicates == len(drawn)


@given(st.lists(measurements(), min_size=1, max_size=4))
@settings(max_examples=25)
def test_any_prediction_comes_back_where_that_is_asked_for_and_only_there(drawn: list[Json]) -> None:
    """Of one that is about the patient, and of one that is about a twin in an arm."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        content = example(predictions=[], waveforms=[], risks=[], measurements=[])
        arms = [{}, {"arm": "less_salt"}]
        written = ", ".join(_as_written(m | arm) for m in drawn for arm in arms)
        text = json.dumps(content).replace('"predictions": []', f'"predictions": [{written}]')
        (root / "in.json").write_text(text)
        export(root / "in.json", root / "out.json")
        back, _ = imported(root / "out.json", root / "states", accept_predictions=True)
        expected = sorted({_expected(m) for m in drawn})
        assert [sorted(set(person)) for person in back] == [expected, expected]
        report = import_records(
            root / "out.json", pseudonymiser=FakePseudonymiser(), store=Store(root / "none")
        )
        assert report.patients == 0
        assert report.by_reason()[Reason.SIMULATED] == 2 * len(drawn) + 3  # and three twins


def _as_written(measurement: Json) -> str:
    """JSON with the decimals as they were drawn, which json.dumps would not keep."""
    text = json.dumps(measurement | {"value": "@v", "day": "@d"})
    return text.replace('"@v"', str(measurement["value"])).replace('"@d"', str(measurement["day"]))


def _expected(measurement: Json) -> Row:
    known = QUANTITIES[measurement["quantity"]]
    value = canonical(float(measurement["value"]), measurement["unit"], known.name)
    return known.name, value, float(measurement["day"])


def test_predictions_are_no_measurements_unless_they_are_accepted(tmp_path: Path) -> None:
    export(EXAMPLE, tmp_path / "out.json")
    (back,), report = imported(tmp_path / "out.json", tmp_path / "measured")
    assert back == [
        ("glucose", pytest.approx(6.30 * 18.0156), 0.0),  # 180.156 g/mol
        ("systolic_blood_pressure", 148.0, -2.25),
    ]
    # 3 predictions, a waveform, a derived and an imputed value, two twins
    assert report.by_reason()[Reason.SIMULATED] == 8
    everyone, report = imported(tmp_path / "out.json", tmp_path / "all", accept_predictions=True)
    assert sorted((q, value, day) for person in everyone for q, value, day in person if q != "glucose") == [
        ("sum_of_longest_diameters", 64.2, 42.0),
        ("sum_of_longest_diameters", 81.0, -7.0),
        ("sum_of_longest_diameters", 90.1, 42.0),
        ("systolic_blood_pressure", 131.5, 28.0),
        ("systolic_blood_pressure", 148.0, -2.25),
    ]
    # three predictions and a derived value; the imputed one has no day, the waveform no code that is known
    assert report.notes[Note.PREDICTION_ACCEPTED] == 4
    assert len(everyone) == 4  # the two arms are people of their own: their tumours are not averaged


def test_a_label_of_hl7_is_enough_to_be_no_measurement(import_resources: Any, records: Records) -> None:
    """AIAST, on a final Observation that carries nothing of ours."""
    system, code = v.ASSERTED_BY_ALGORITHM
    marked = records.observation(meta={"security": [{"system": system, "code": code}]})
    done = import_resources(marked, records.observation(value=130))
    assert done.reasons() == {Reason.SIMULATED: 1}
    assert done.values("systolic_blood_pressure") == [130.0]
    assert import_resources(marked, accept_predictions=True).values("systolic_blood_pressure") == [120.0]


def test_a_label_of_another_system_is_none(import_resources: Any, records: Records) -> None:
    other = records.observation(meta={"security": [{"system": "urn:other", "code": "AIAST"}]})
    assert import_resources(other).values("systolic_blood_pressure") == [120.0]


def test_a_preliminary_value_that_is_no_prediction_stays_out(import_resources: Any, records: Records) -> None:
    done = import_resources(
        records.observation(status="preliminary"), records.observation(value=130), accept_predictions=True
    )
    assert done.reasons() == {Reason.NOT_FINAL: 1}


def test_a_calendar_date_beside_relative_days_is_not_placed(import_resources: Any, records: Records) -> None:
    """Nobody knows which date day 0 is: the two cannot be put on one axis."""
    day = {"url": RELATIVE_DAY, "valueDecimal": 3.5}
    relative = records.observation(effectiveDateTime=None, extension=[day])
    done = import_resources(relative, records.observation(value=150), records.condition())
    assert done.report.by_reason() == {Reason.MIXED_TIME: 2}
    assert [(o.value, o.day) for o in done.state.observations] == [(120.0, 3.5)]


def test_no_date_of_the_calendar_is_taken_for_a_relative_day() -> None:
    for text in (
        "0001-01-01",
        "2024-05-01",
        "9999-12-31",
    ):  # the last one often means 'no end'
        at = moment(text)
        assert not isinstance(at, Reason)
        assert not is_relative(at.ordinal)


def test_a_birth_date_gives_no_age_where_day_0_has_no_date(import_resources: Any, records: Records) -> None:
    relative = records.observation(
        effectiveDateTime=None, extension=[{"url": RELATIVE_DAY, "valueDecimal": 0}]
    )
    assert import_resources(relative).state.age_years is None
    assert import_resources(records.observation()).state.age_years == 63  # born 1960-06-15, read 2024-05-01


def test_a_calendar_date_of_an_exported_patient_is_not_placed(
    import_resources: Any, records: Records
) -> None:
    """Also where it comes alone: what was imported before counts from a day 0 that has no date."""
    person = records.patient(identifier=[{"system": v.PSEUDONYM, "value": "r1-x"}])
    done = import_resources(person, records.observation())
    assert done.report.by_reason() == {Reason.MIXED_TIME: 1, Reason.NO_EVENTS: 1}


@pytest.mark.parametrize("day", ["3", True, 1e9, None, {"x": 1}])
def test_a_relative_day_that_is_none_is_refused(import_resources: Any, records: Records, day: Any) -> None:
    extension = [{"url": RELATIVE_DAY, "valueDecimal": day}]
    if day is None:
        extension[0]["valueString"] = "3"
        del extension[0]["valueDecimal"]
    bad = records.observation(effectiveDateTime=None, extension=extension)
    done = import_resources(bad, records.observation(value=130), validation="none")
    assert done.reasons() == {Reason.NO_DATE if day is None else Reason.MALFORMED_DATE: 1}


def test_states_are_exported_and_come_back(tmp_path: Path, import_resources: Any, records: Records) -> None:
    first = import_resources(
        records.observation(value=131, effectiveDateTime="2024-04-01T06:00:00Z"),
        records.lesion(12.5),
        records.lesion(20),
        records.observation("8867-4", 71.3, "/min"),
    )
    folder = first.store.folder
    export(folder, tmp_path / "out.json", authorised="Test")
    (back,), report = imported(tmp_path / "out.json", tmp_path / "again")
    assert back == rows(first.state)
    assert report.by_reason()[Reason.SIMULATED] == 1  # the derived sum; it is derived again from its lesions
