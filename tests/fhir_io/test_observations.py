"""What an Observation must be to enter a state, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_io import Reason


@pytest.mark.parametrize("panel", ["85354-9", "55284-4", "35094-2", "99999-9"])
def test_blood_pressure_is_read_by_its_components_whatever_the_panel(
    import_resources: Any, records: Any, panel: str
):
    low, high = records.quantity(80), records.quantity(121)
    done = import_resources(records.panel(panel, {"valueQuantity": high}, {"valueQuantity": low}))
    assert done.values("systolic_blood_pressure") == [121]
    assert done.values("diastolic_blood_pressure") == [80]


def test_lone_pressures_count_as_well(import_resources: Any, records: Any):
    done = import_resources(records.observation("8480-6", 131), records.observation("8462-4", 83))
    assert done.values("systolic_blood_pressure") == [131]
    assert done.values("diastolic_blood_pressure") == [83]


def test_a_component_without_value_does_not_take_the_other_one_along(import_resources: Any, records: Any):
    absent = {
        "dataAbsentReason": records.concept(
            "http://terminology.hl7.org/CodeSystem/data-absent-reason", "error"
        )
    }
    done = import_resources(records.panel("85354-9", {"valueQuantity": records.quantity(121)}, absent))
    assert done.values("systolic_blood_pressure") == [121]
    assert done.values("diastolic_blood_pressure") == []
    assert done.report.parts_not_used == {Reason.VALUE_ABSENT: 1}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("entered-in-error", Reason.ENTERED_IN_ERROR),
        ("preliminary", Reason.NOT_FINAL),
        ("cancelled", Reason.NOT_FINAL),
        ("unknown", Reason.NOT_FINAL),
        ("banana", Reason.UNKNOWN_STATUS),
    ],
)
def test_readings_that_are_not_final_are_not_used(
    import_resources: Any, records: Any, status: str, reason: Reason
):
    done = import_resources(records.observation(value=290, status=status), records.observation(value=120))
    assert done.values("systolic_blood_pressure") == [120]
    assert done.reasons() == {reason: 1}


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_final_amended_and_corrected_readings_are_used(import_resources: Any, records: Any, status: str):
    done = import_resources(records.observation(value=120, status=status))
    assert done.values("systolic_blood_pressure") == [120]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"valueQuantity": {"value": 120, "comparator": "ad", "code": "mm[Hg]"}}, Reason.COMPARATOR),
        ({"valueQuantity": {"value": 120}}, Reason.NO_UNIT),
        ({"valueQuantity": {"code": "mm[Hg]", "unit": "mm[Hg]"}}, Reason.VALUE_ABSENT),
        ({"valueQuantity": None, "valueString": "120"}, Reason.NO_UNIT),
        ({"valueQuantity": None, "valueString": "120/80 mmHg"}, Reason.NOT_A_NUMBER),
        ({"valueQuantity": None, "valueString": "about 120 mmHg"}, Reason.NOT_A_NUMBER),
        ({"valueQuantity": None}, Reason.VALUE_ABSENT),
        ({"valueQuantity": {"value": 120, "code": "kg"}}, Reason.UNIT_NOT_CONVERTIBLE),
        ({"valueQuantity": {"value": 1200, "code": "mm[Hg]"}}, Reason.IMPLAUSIBLE),
        ({"code": {"coding": [{"system": "http://snomed.info/sct", "code": "8480-6"}]}}, Reason.UNKNOWN_CODE),
        ({"code": {"coding": [{"code": "8480-6"}]}}, Reason.UNKNOWN_CODE),
        ({"code": {"text": "systolic"}}, Reason.UNKNOWN_CODE),
        ({"effectiveDateTime": None}, Reason.NO_DATE),
        ({"effectiveDateTime": "2024"}, Reason.PARTIAL_DATE),
        ({"effectiveDateTime": "2024-05"}, Reason.PARTIAL_DATE),
        ({"effectiveDateTime": None, "issued": "2024-05-01T08:00:00Z"}, Reason.NO_DATE),
        ({"subject": None}, Reason.NO_SUBJECT),
        ({"subject": {"reference": "Patient/elsewhere"}}, Reason.UNRESOLVED_SUBJECT),
        ({"implicitRules": "urn:local:rules"}, Reason.MODIFIED_MEANING),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, Reason.MODIFIED_MEANING),
        ({"component": "not a list"}, Reason.INVALID),
    ],
)
def test_each_fault_has_its_reason(import_resources: Any, records: Any, changes: Any, reason: Reason):
    done = import_resources(records.observation(**changes), records.observation("8867-4", 70, "/min"))
    assert done.reasons() == {reason: 1}
    assert [o.quantity for o in done.state.observations] == ["heart_rate"]


def test_a_bound_is_kept_as_one_and_never_as_its_number(import_resources: Any, records: Any):
    """Less than 5 pg/mL of NT-proBNP, and a range of heart rates."""
    below = records.observation("33762-6", valueQuantity=records.quantity(5, "pg/mL", comparator="<"))
    between = records.observation(
        "8867-4",
        valueQuantity=None,
        valueRange={"low": records.quantity(60, "/min"), "high": records.quantity(80, "/min")},
    )
    done = import_resources(below, between)
    assert done.state.observations == ()
    assert [(i.quantity, i.low, i.high) for i in done.state.intervals] == [
        ("heart_rate", 60.0, 80.0),
        ("nt_probnp", None, 5.0),
    ]
    assert done.report.intervals == {"heart_rate": 1, "nt_probnp": 1}
    assert done.state.latest("nt_probnp") is None


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("2024-05-01T08:00:00", Reason.NO_ZONE),
        ("2024-02-30", Reason.MALFORMED_DATE),
        ("1 May", Reason.MALFORMED_DATE),
    ],
)
def test_faulty_dates_are_told_apart_where_validation_is_off(
    import_resources: Any, records: Any, when: str, reason: Reason
):
    faulty = records.observation(effectiveDateTime=when)
    done = import_resources(faulty, records.observation("8867-4", 70, "/min"), validation="none")
    assert done.reasons() == {reason: 1}


def test_two_codes_for_two_quantities_are_ambiguous(import_resources: Any, records: Any):
    both = {"coding": [{"system": "http://loinc.org", "code": code} for code in ("8480-6", "8462-4")]}
    done = import_resources(records.observation(code=both), records.observation("8867-4", 70, "/min"))
    assert done.reasons() == {Reason.AMBIGUOUS_CODE: 1}


def test_two_codes_for_one_quantity_are_one_value(import_resources: Any, records: Any):
    both = {"coding": [{"system": "http://loinc.org", "code": code} for code in ("59408-5", "2708-6")]}
    done = import_resources(records.observation(value=97, unit="%", code=both))
    assert done.values("oxygen_saturation") == [97]


def test_the_same_reading_twice_counts_once(import_resources: Any, records: Any):
    done = import_resources(records.observation(id="a"), records.observation(id="b"))
    assert done.values("systolic_blood_pressure") == [120]
    assert done.reasons() == {Reason.DUPLICATE: 1}


def test_a_newer_version_of_a_reading_replaces_the_older_one(import_resources: Any, records: Any):
    old = records.observation(value=180, id="a", meta={"versionId": "1"})
    new = records.observation(value=130, id="a", meta={"versionId": "2"}, status="amended")
    for order in ((old, new), (new, old)):
        done = import_resources(*order)
        assert done.values("systolic_blood_pressure") == [130]
        assert done.reasons() == {Reason.SUPERSEDED: 1}


def test_a_later_withdrawal_takes_the_earlier_reading_back(import_resources: Any, records: Any):
    old = records.observation(value=180, id="a", meta={"versionId": "1"})
    withdrawn = records.observation(value=180, id="a", meta={"versionId": "2"}, status="entered-in-error")
    done = import_resources(old, withdrawn, records.observation("8867-4", 70, "/min"))
    assert done.values("systolic_blood_pressure") == []


def test_performance_status_is_read_from_an_integer(import_resources: Any, records: Any):
    done = import_resources(records.observation("89247-1", valueQuantity=None, valueInteger=1))
    assert done.values("ecog_performance_status") == [1]


# -- tumour size


def test_lesions_in_centimetres_and_millimetres_sum_on_their_date(import_resources: Any, records: Any):
    done = import_resources(
        records.lesion(42), records.lesion(3.5, "cm"), records.lesion(20, effectiveDateTime="2024-02-01")
    )
    assert sorted(done.values("target_lesion_diameter")) == [20, 35, 42]
    sums = {
        o.day: (o.value, o.origin)
        for o in done.state.observations
        if o.quantity == "sum_of_longest_diameters"
    }
    assert sums == {0.0: (77.0, "derived"), -90.0: (20.0, "derived")}  # 1 February to 1 May 2024 is 90 days


def test_two_equal_lesions_in_one_record_are_two(import_resources: Any, records: Any):
    done = import_resources(records.lesion(30, id="a"), records.lesion(30, id="b"))
    assert done.values("sum_of_longest_diameters") == [60]


@pytest.mark.parametrize(
    "lost",
    [
        {"status": "preliminary"},
        {"component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "33728-7"}]}}]},
    ],
)
def test_a_lesion_that_cannot_be_used_leaves_its_date_without_a_sum(
    import_resources: Any, records: Any, lost: Any
):
    done = import_resources(records.lesion(30), records.lesion(40, **lost))
    assert done.values("target_lesion_diameter") == [30]
    assert done.values("sum_of_longest_diameters") == []
    assert {note.code for note in done.report.notes} == {"sum_not_derived"}


def test_a_withdrawn_lesion_is_no_part_of_the_sum(import_resources: Any, records: Any):
    done = import_resources(records.lesion(30), records.lesion(40, status="entered-in-error"))
    assert done.values("sum_of_longest_diameters") == [30]
