"""What a value element may be, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.observations import Finding, Interval, Reading, Value, read_observation
from fhir_io.mapping.sampled import MOST_POINTS, samples
from fhir_io.mapping.times import Moment
from fhir_io.reasons import Reason

TABLES = Tables.load()
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"


def code(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": value} for system, value in pairs]}


def read(loinc: str = "8480-6", **holder: Any) -> Reading:
    resource = {"code": code((LOINC, loinc)), "effectiveDateTime": "2024-05-01T08:00:00Z", **holder}
    return read_observation({k: v for k, v in resource.items() if v is not None}, TABLES)


def amount(value: Any, unit: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}


# -- bounds and ranges


@pytest.mark.parametrize(
    ("comparator", "low", "high"),
    [("<", None, 5.0), ("<=", None, 5.0), (">", 5.0, None), (">=", 5.0, None)],
)
def test_a_bound_is_an_interval_and_never_a_number(comparator: str, low: Any, high: Any):
    found = read("1988-5", valueQuantity=amount(5, "mg/L", comparator=comparator))
    assert found.values == []
    assert found.intervals == [Interval("c_reactive_protein", low, high)]


def test_a_bound_is_converted_like_a_value():
    found = read("2160-0", valueQuantity=amount(113.12, "umol/L", comparator="<"))
    assert found.intervals[0].high == pytest.approx(1.2796, rel=1e-4)  # 113.12 umol/L x 113.12 g/mol


def test_a_comparator_that_is_no_bound_is_a_reason():
    found = read("1988-5", valueQuantity=amount(5, "mg/L", comparator="ad"))
    assert found.reasons == [Reason.COMPARATOR]


def test_a_bound_outside_everything_plausible_is_implausible():
    assert read(valueQuantity=amount(10, "mm[Hg]", comparator="<")).reasons == [Reason.IMPLAUSIBLE]
    assert read(valueQuantity=amount(10, "mm[Hg]", comparator=">")).intervals != []


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"low": amount(1, "g/L"), "high": amount(5, "g/L")}, (0.1, 0.5)),
        ({"low": amount(10, "g/L")}, (1.0, None)),
        ({"high": amount(50, "g/L")}, (None, 5.0)),
        ({"low": {"value": 10}, "high": amount(50, "g/L")}, (1.0, 5.0)),
        ({"low": amount(50, "g/L"), "high": amount(10, "g/L")}, Reason.MALFORMED_RANGE),
        ({"low": amount(1, "g/dL"), "high": amount(50, "g/L")}, Reason.MALFORMED_RANGE),
        ({}, Reason.VALUE_ABSENT),
        ({"low": {"value": "1"}, "high": amount(5, "g/L")}, Reason.NOT_A_NUMBER),
    ],
)
def test_a_range_is_an_interval_in_one_unit(element: Any, expected: Any):
    found = read("1751-7", valueRange=element)  # albumin, kept in g/dL: 10 g/L are 1 g/dL
    assert found.values == []
    if isinstance(expected, Reason):
        assert found.reasons == [expected]
    else:
        ((_, low, high),) = [(i.quantity, i.low, i.high) for i in found.intervals]
        assert (low, high) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


# -- text


@pytest.mark.parametrize(
    ("loinc", "text", "expected"),
    [
        ("44261-6", "12", Value("phq_9", 12.0)),
        ("44261-6", " 12 ", Value("phq_9", 12.0)),
        ("8480-6", "120 mmHg", Value("systolic_blood_pressure", 120.0, True)),
        ("8480-6", "120mm[Hg]", Value("systolic_blood_pressure", 120.0, True)),
        ("777-3", "250 10*3/uL", Value("platelets", 250.0, True)),
        ("777-3", "2.5e2 x10^9/L", Value("platelets", 250.0, True)),
        ("1988-5", "<5 mg/L", Interval("c_reactive_protein", None, 5.0, True)),
        ("33914-3", ">= 90 mL/min/1.73 m2", Interval("estimated_gfr", 90.0, None, True)),
        ("44261-6", "3/9", Reason.NOT_A_NUMBER),
        ("44261-6", "12 of 27", Reason.NOT_A_NUMBER),
        ("44261-6", "twelve", Reason.NOT_A_NUMBER),
        ("44261-6", "", Reason.NOT_A_NUMBER),
        ("44261-6", "1,2", Reason.NOT_A_NUMBER),
        ("44261-6", "12.", Reason.NOT_A_NUMBER),
        ("8480-6", "120/80", Reason.NOT_A_NUMBER),
        ("8480-6", "120", Reason.NO_UNIT),
        ("8480-6", "120 mmHg sitting", Reason.NOT_A_NUMBER),
        ("8480-6", "120-130 mmHg", Reason.NOT_A_NUMBER),
        ("44261-6", "1e400", Reason.NOT_A_NUMBER),
        ("44261-6", "NaN", Reason.NOT_A_NUMBER),
        ("44261-6", "١٢", Reason.NOT_A_NUMBER),  # digits of another script: \d would take them
    ],
)
def test_text_is_a_number_with_a_known_unit_or_nothing(loinc: str, text: str, expected: Any):
    found = read(loinc, valueString=text)
    assert [*found.values, *found.intervals, *found.reasons] == [expected]


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_values(text: str):
    found = read(valueString=text)
    assert len(found.values) + len(found.intervals) + len(found.reasons) == 1


# -- answers


@pytest.mark.parametrize(
    ("answer", "current", "former"),
    [
        ((SNOMED, "449868002"), True, False),
        ((SNOMED, "8517006"), False, True),
        ((SNOMED, "266919005"), False, False),
        ((LOINC, "LA15920-4"), False, True),
    ],
)
def test_smoking_is_what_was_answered(answer: tuple[str, str], current: bool, former: bool):
    found = read("72166-2", valueCodeableConcept=code(answer))
    assert set(found.findings) == {Finding("current_smoker", current), Finding("former_smoker", former)}
    assert isinstance(found.at, Moment)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(SNOMED, "266927001")], Reason.VALUE_ABSENT),  # unknown if ever smoked
        ([(SNOMED, "1")], Reason.UNKNOWN_ANSWER),
        ([(SNOMED, "8517006"), (SNOMED, "266919005")], Reason.AMBIGUOUS_CODE),
        ([], Reason.UNKNOWN_ANSWER),
    ],
)
def test_an_answer_that_says_nothing_denies_nothing(answers: Any, reason: Reason):
    found = read("72166-2", valueCodeableConcept=code(*answers))
    assert (found.findings, found.reasons) == ([], [reason])


def test_codings_of_one_answer_agree():
    both = code((SNOMED, "422512005"), (LOINC, "LA9623-5"))
    assert read("89247-1", valueCodeableConcept=both).values == [Value("ecog_performance_status", 1.0)]
    assert read("89247-1", valueInteger=2).values == [Value("ecog_performance_status", 2.0)]


def test_a_stage_denies_the_others():
    found = read("21908-9", valueCodeableConcept=code(("http://cancerstaging.org", "3C")))
    present = {f.concept for f in found.findings if f.present}
    assert present == {"cancer_stage_3"}
    assert len(found.findings) == 4


def test_a_boolean_counts_where_a_row_says_so(tmp_path: Any):
    assert read("72166-2", valueBoolean=True).reasons == [Reason.UNKNOWN_ANSWER]
    site = tmp_path / "site.yaml"
    site.write_text(
        'schema: vht-codes/1\nversion: "1"\nanswers:\n'
        "  - question: smoking_status\n    asked_by: [{system: 'urn:lab', code: S, source: ours}]\n"
        "    answers: [{boolean: true, present: [current_smoker], source: ours}]\n"
    )
    resource = {"code": code(("urn:lab", "S")), "effectiveDateTime": "2024-05-01", "valueBoolean": True}
    found = read_observation(resource, Tables.load(site))
    assert found.findings == [Finding("current_smoker", True)]


# -- series


def series(data: str | None, **changes: Any) -> dict[str, Any]:
    made = {"origin": amount(60, "/min"), "period": 86_400_000, "dimensions": 1, "data": data}
    return {k: v for k, v in {**made, **changes}.items() if v is not None}


def test_a_series_has_values_at_its_steps():
    """60 + 2 x datum, one point a day."""
    found = read("8867-4", valueSampledData=series("0 5 -5", factor=2))
    assert [(v.value, v.after) for v in found.values] == [(60, 0), (70, 1), (50, 2)]
    assert isinstance(found.at, Moment)


def test_points_that_were_not_measured_are_counted_and_points_off_the_scale_are_bounded():
    found = read("8867-4", valueSampledData=series("0 E L U", lowerLimit=30, upperLimit=200))
    assert [v.value for v in found.values] == [60]
    assert found.intervals == [
        Interval("heart_rate", None, 30.0, False, 2.0),
        Interval("heart_rate", 200.0, None, False, 3.0),
    ]
    assert found.reasons == [Reason.SAMPLE_NOT_MEASURED]


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (series("1 2", dimensions=2), Reason.SEVERAL_DIMENSIONS),
        (series("1 two"), Reason.MALFORMED_SAMPLES),
        (series("L"), Reason.MALFORMED_SAMPLES),  # below which limit?
        (series("1", period=0), Reason.MALFORMED_SAMPLES),
        (series("1", origin={"code": "/min"}), Reason.MALFORMED_SAMPLES),
        (series(None), Reason.VALUE_ABSENT),
        (series("1 " * (MOST_POINTS + 1)), Reason.TOO_MANY_SAMPLES),
        (series("1", origin=amount(60, "kg")), Reason.UNIT_NOT_CONVERTIBLE),
        ("text", Reason.MALFORMED_SAMPLES),
    ],
)
def test_a_series_that_cannot_be_read_has_a_reason(element: Any, reason: Reason):
    assert read("8867-4", valueSampledData=element).reasons == [reason]


@given(st.text(alphabet="0123456789 ELU.-e", max_size=40))
def test_no_data_break_the_reading_of_series(data: str):
    found = samples(series(data, lowerLimit=1, upperLimit=2))
    assert isinstance(found, Reason) or len(found.points) == len(data.split())


# -- what has no value


def test_a_group_has_no_value_of_its_own():
    members = [{"reference": "Observation/1"}]
    assert read("85353-1", hasMember=members).reasons == [Reason.GROUP]
    assert read("8480-6", hasMember=members, valueQuantity=amount(120, "mm[Hg]")).values != []


def test_a_reason_for_absence_beside_a_value_is_believed():
    absent = code(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error"))
    found = read(valueQuantity=amount(120, "mm[Hg]"), dataAbsentReason=absent)
    assert (found.values, found.reasons) == ([], [Reason.VALUE_ABSENT])


def test_a_component_whose_meaning_is_modified_is_not_read():
    part = {"code": code((LOINC, "8480-6")), "valueQuantity": amount(120, "mm[Hg]")}
    modified = {**part, "modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}
    found = read("85354-9", component=[modified, {**part, "code": code((LOINC, "8462-4"))}])
    assert [v.quantity for v in found.values] == ["diastolic_blood_pressure"]
    assert found.reasons == [Reason.MODIFIED_MEANING]


def test_two_values_at_once_are_none():
    found = read(valueQuantity=amount(120, "mm[Hg]"), valueInteger=130)
    assert found.reasons == [Reason.INVALID]


@pytest.mark.parametrize("number", [True, "120", float("nan"), float("inf"), 10**400, [120], {}])
def test_what_is_no_finite_number_is_none(number: Any):
    assert read(valueQuantity=amount(number, "mm[Hg]")).reasons == [Reason.NOT_A_NUMBER]


def test_a_situation_is_no_observation_of_this_patient():
    history = {"code": code((SNOMED, "1287652008")), "valueBoolean": True}
    assert read_observation(history, TABLES).reasons == [Reason.SITUATION]


def test_values_without_a_day_are_lost_with_the_reason():
    found = read("1988-5", valueQuantity=amount(5, "mg/L", comparator="<"), effectiveDateTime="2024")
    assert (found.intervals, found.reason) == ([], Reason.PARTIAL_DATE)
