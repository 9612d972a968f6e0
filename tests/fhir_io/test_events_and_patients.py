"""Conditions, medication, procedures, and the patient they belong to."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fhir_io import Note, Reason
from vht.state import Absence


def only(events: Any) -> tuple[str, float | None, float | None]:
    (event,) = events
    return event.concept, event.start_day, event.end_day


@pytest.mark.parametrize(
    ("verification", "reason"),
    [
        ("provisional", Reason.NOT_CONFIRMED),
        ("differential", Reason.NOT_CONFIRMED),
        ("entered-in-error", Reason.ENTERED_IN_ERROR),
        ("perhaps", Reason.UNKNOWN_STATUS),
    ],
)
def test_conditions_that_are_not_confirmed_are_not_used(
    import_resources: Any, records: Any, verification: str, reason: Reason
):
    status = records.concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", verification)
    done = import_resources(records.observation(), records.condition(verificationStatus=status))
    assert done.reasons("Condition") == {reason: 1}
    assert done.state.conditions == ()


def test_a_history_of_a_disease_is_not_the_disease(import_resources: Any, records: Any):
    history = records.condition("399211009")  # history of myocardial infarction (situation)
    done = import_resources(records.observation(), history)
    assert done.reasons("Condition") == {Reason.SITUATION: 1}


@pytest.mark.parametrize("code", ["38341003", "59621000"])
def test_hypertension_is_known_under_both_codes(import_resources: Any, records: Any, code: str):
    done = import_resources(records.observation(), records.condition(code))
    assert done.state.has("hypertension")


def test_a_condition_that_is_over_without_a_date_is_not_active(import_resources: Any, records: Any):
    over = records.concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")
    done = import_resources(records.observation(), records.condition(clinicalStatus=over))
    assert not done.state.has("hypertension")
    assert done.state.conditions[0].concept == "hypertension"
    assert done.report.notes == {Note.CONDITION_OVER_WITHOUT_END: 1}


def test_a_condition_over_at_an_unknown_time_is_refused(import_resources: Any, records: Any):
    over = records.condition(onsetDateTime="2019", abatementString="last winter")
    done = import_resources(records.observation(), over)
    assert done.reasons("Condition") == {Reason.ENDED_WITHOUT_DATE: 1}


@pytest.mark.parametrize(
    ("onset", "middle", "half"),
    [("2019", date(2019, 7, 2), 182.5), ("2020-02", date(2020, 2, 15), 14.5)],
)
def test_a_partial_onset_is_never_the_first_of_january(
    import_resources: Any, records: Any, onset: str, middle: date, half: float
):
    """2019 has 365 days and is halved at noon of 2 July; February 2020 has 29."""
    done = import_resources(records.observation(), records.condition(onsetDateTime=onset))
    (event,) = done.state.conditions
    assert event.start_day == (middle - date(2024, 5, 1)).days + 0.5
    assert event.start_uncertainty_days == half
    assert event.age_years is None
    assert done.report.notes == {Note.PARTIAL_ONSET: 1}


def test_a_refuted_condition_is_an_absence(import_resources: Any, records: Any):
    status = records.concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted")
    refuted = records.condition(verificationStatus=status, onsetDateTime=None, recordedDate="2024-04-21")
    done = import_resources(records.observation(), {k: v for k, v in refuted.items() if v is not None})
    assert done.state.conditions == ()
    assert done.state.absences == (Absence(concept="hypertension", day=-10.0),)
    assert done.report.used_by_type["Condition"] == 1


def test_an_abatement_ends_a_condition(import_resources: Any, records: Any):
    done = import_resources(records.observation(), records.condition(abatementDateTime="2024-04-30"))
    assert done.state.conditions[0].end_day == -1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"intent": "plan"}, Reason.NOT_AN_ORDER),
        ({"intent": "proposal"}, Reason.NOT_AN_ORDER),
        ({"doNotPerform": True}, Reason.NOT_AN_ORDER),
        ({"status": "cancelled"}, Reason.NOT_DONE),
        ({"status": "entered-in-error"}, Reason.ENTERED_IN_ERROR),
        ({"status": "sometimes"}, Reason.UNKNOWN_STATUS),
        ({"authoredOn": None}, Reason.NO_DATE),
    ],
)
def test_only_orders_count_as_medication(import_resources: Any, records: Any, changes: Any, reason: Reason):
    done = import_resources(records.observation(), records.medication(**changes))
    assert done.reasons("MedicationRequest") == {reason: 1}


def test_an_active_order_has_no_end_and_a_stopped_one_does_not_go_on(import_resources: Any, records: Any):
    active = import_resources(records.observation(), records.medication())
    assert only(active.state.medications) == ("amlodipine", -30.0, None)
    stopped = import_resources(records.observation(), records.medication(status="stopped"))
    assert only(stopped.state.medications) == ("amlodipine", -30.0, -30.0)
    assert stopped.report.notes == {Note.ORDER_OVER_WITHOUT_END: 1}


def test_a_medication_is_found_by_reference_and_when_contained(import_resources: Any, records: Any):
    code = records.concept("http://www.nlm.nih.gov/research/umls/rxnorm", "314076")
    drug = {"resourceType": "Medication", "id": "m", "code": code}
    by_reference = records.medication(
        medicationCodeableConcept=None, medicationReference={"reference": "Medication/m"}
    )
    done = import_resources(records.observation(), by_reference, drug)
    assert done.state.medications[0].concept == "lisinopril"
    assert done.report.used_by_type["Medication"] == 1
    inside = records.medication(
        medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=[drug]
    )
    assert import_resources(records.observation(), inside).state.medications[0].concept == "lisinopril"
    missing = import_resources(records.observation(), by_reference)
    assert missing.reasons("MedicationRequest") == {Reason.UNRESOLVED_MEDICATION: 1}


@pytest.mark.parametrize(
    ("status", "used"), [("completed", True), ("not-done", False), ("preparation", False)]
)
def test_only_procedures_that_happened_count(import_resources: Any, records: Any, status: str, used: bool):
    procedure = {
        "resourceType": "Procedure",
        "status": status,
        "code": records.concept("http://snomed.info/sct", "232717009"),
        "subject": {"reference": "Patient/p"},
        "performedPeriod": {"start": "2024-04-01T08:00:00Z", "end": "2024-04-01T14:00:00Z"},
    }
    done = import_resources(records.observation(), procedure)
    assert [e.concept for e in done.state.procedures] == (["coronary_artery_bypass"] if used else [])


# -- references


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/p"},
        {"reference": "urn:uuid:p"},
        {"reference": "https://fhir.example.org/r4/Patient/p"},
        {"reference": "https://fhir.example.org/r4/Patient/p/_history/2"},
        {"reference": "Patient?identifier=urn:test:mrn|12345678"},
        {"identifier": {"system": "urn:test:mrn", "value": "12345678"}},
    ],
)
def test_every_way_to_name_the_patient_is_understood(import_resources: Any, records: Any, subject: Any):
    done = import_resources(records.observation(subject=subject))
    assert done.values("systolic_blood_pressure") == [120]


def test_a_contained_patient_is_found_by_its_identifier(import_resources: Any, records: Any):
    inner = records.patient(id="inner")
    done = import_resources(records.observation(subject={"reference": "#inner"}, contained=[inner]))
    assert done.values("systolic_blood_pressure") == [120]


def test_an_id_that_two_files_use_for_two_patients_stays_in_its_file(
    import_from: Any, records: Any, tmp_path: Path
):
    for name, number, value in (("a", "1", 111), ("b", "2", 122)):
        other = records.patient(identifier=[{"system": "urn:test:mrn", "value": number}])
        (tmp_path / f"{name}.json").write_text(
            json.dumps(records.bundle(other, records.observation(value=value)))
        )
    (tmp_path / "c.ndjson").write_text(json.dumps(records.observation(value=133)))
    done = import_from(tmp_path)
    assert sorted(done.cohort.observations["value"]) == [111, 122]
    assert done.reasons() == {Reason.UNRESOLVED_SUBJECT: 1}


def test_two_people_under_one_record_number_are_not_mixed(import_resources: Any, records: Any):
    other = records.patient(id="q", birthDate="1990-01-01")
    strange = records.observation(value=180, subject={"reference": "Patient/q"})
    done = import_resources(records.patient(), other, records.observation(), strange)
    assert done.values("systolic_blood_pressure") == [120]
    assert done.reasons("Patient") == {Reason.CONFLICTING_PATIENT: 1}


@pytest.mark.parametrize(("born", "patients"), [("1960-06-15", 2), (None, 1)])
def test_a_bare_id_does_not_merge_strangers(
    import_from: Any, records: Any, tmp_path: Path, born: Any, patients: int
):
    """Two servers number their patients alike; without identifiers only a known birth date tells."""
    for name, value in (("a", 111), ("b", 122)):
        person = records.patient(birthDate=born, identifier=[])
        del person["identifier"]
        if born is None:
            del person["birthDate"]
        (tmp_path / f"{name}.json").write_text(
            json.dumps(records.bundle(person, records.observation(value=value)))
        )
    done = import_from(tmp_path)
    assert len(done.state.observations) == patients
    assert (Reason.CONFLICTING_PATIENT in done.reasons("Patient")) == (born is None)


def test_one_patient_in_two_files_is_one_state(import_from: Any, records: Any, tmp_path: Path):
    for number, value in enumerate((111, 122)):
        person = records.patient(id=f"p{number}")
        reading = records.observation(value=value, subject={"reference": f"Patient/p{number}"})
        (tmp_path / f"{number}.json").write_text(json.dumps(records.bundle(person, reading)))
    done = import_from(tmp_path)
    assert len(done.cohort) == 1
    assert sorted(done.values("systolic_blood_pressure")) == [111, 122]
    assert done.reasons("Patient") == {Reason.DUPLICATE: 1}


# -- identity, age, day 0


def test_the_medical_record_number_is_the_identity(import_resources: Any, records: Any):
    kind = records.concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR")
    many = [
        {"system": "urn:portal", "value": "x"},
        {"system": "urn:test:mrn", "value": "12345678", "type": kind},
    ]
    plain = import_resources(records.observation())
    typed = import_resources(records.patient(identifier=many), records.observation())
    assert plain.state.pseudonym == typed.state.pseudonym


def test_without_identifiers_the_id_is_the_identity(import_resources: Any, records: Any):
    done = import_resources(
        records.patient(identifier=[]) | {"identifier": [{"value": "  "}]}, records.observation()
    )
    assert done.report.patients == 1


@pytest.mark.parametrize(
    ("born", "age", "uncertainty"),
    [
        ("1960-06-15", 63, 0.0),
        ("1960", 63, 0.5),
        ("1900-01-01", 90, 0.0),
        ("1934-05-01", 90, 0.0),
        (None, None, 0.0),
    ],
)
def test_age_is_taken_at_day_zero(
    import_resources: Any, records: Any, born: Any, age: Any, uncertainty: float
):
    person = records.patient(birthDate=born)
    if born is None:
        del person["birthDate"]
    done = import_resources(person, records.observation())
    assert done.state.age_years == age
    assert done.state.age_uncertainty_years == pytest.approx(uncertainty, abs=0.002)


def test_day_zero_is_the_latest_event_and_stays_there(import_resources: Any, records: Any):
    first = import_resources(records.observation())
    assert first.state.observations[0].day == pytest.approx(8 / 24)
    later = records.observation("8867-4", 70, "/min", effectiveDateTime="2024-05-11")
    second = import_resources(
        records.observation(), later, store=first.store, pseudonymiser=first.pseudonymiser
    )
    assert sorted(o.day for o in second.state.observations) == [pytest.approx(8 / 24), 10.0]
    assert second.report.rows_added == 1


def test_a_patient_without_dated_records_is_not_enrolled(import_resources: Any, records: Any):
    done = import_resources(records.patient(), records.condition(onsetDateTime="2019"))
    assert done.report.patients == 0
    assert done.pseudonymiser.enrolments == {}
    assert done.reasons("Patient") == {Reason.NO_EVENTS: 1}
    assert done.reasons("Condition") == {Reason.NO_DATE: 1}


@pytest.mark.parametrize(
    ("changes", "vital", "day"),
    [
        ({"deceasedBoolean": True}, "deceased", None),
        ({"deceasedDateTime": "2024-06-01"}, "deceased", 31.0),
        ({"deceasedDateTime": "2024"}, "deceased", None),
        ({"deceasedBoolean": False}, "alive", None),
        ({}, "unknown", None),
    ],
)
def test_deceased_false_is_alive(
    import_resources: Any, records: Any, changes: Any, vital: str, day: float | None
):
    """Day 0 is 1 May, of the only observation."""
    state = import_resources(records.patient(**changes), records.observation()).state
    assert (state.vital_status, state.death_day) == (vital, day)


def test_enrolments_are_durable_before_states_are_written(import_resources: Any, records: Any):
    assert import_resources(records.observation()).pseudonymiser.commits == 1


# -- shapes of input


def test_bundles_resources_and_lines_give_the_same_state(import_from: Any, records: Any, tmp_path: Path):
    resources = [records.patient(), records.observation(), records.condition()]
    lines = "\n".join(json.dumps(r) for r in resources) + "\n"
    nested = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": records.bundle(*resources)}],
    }
    files = {
        "bundle": {"all.json": json.dumps(records.bundle(*resources)).encode()},
        "single": {f"{n}.json": json.dumps(r).encode() for n, r in enumerate(resources)},
        "lines": {"all.ndjson": lines.encode()},
        "zipped": {"all.ndjson.gz": gzip.compress(lines.encode())},
        "line of bundle": {"all.ndjson": json.dumps(records.bundle(*resources)).encode()},
        "nested": {"all.json": json.dumps(nested).encode()},
        "with a byte order mark": {
            "all.json": b"\xef\xbb\xbf" + json.dumps(records.bundle(*resources)).encode()
        },
        "beside other files": {
            "all.json": json.dumps(records.bundle(*resources)).encode(),
            "log.ndjson": b'{"exportId": 1}',
            "MANIFEST.json": b"[]",
            "notes.txt": b"see Mrs Example",
        },
    }
    digests = set()
    for name, content in files.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, data in content.items():
            (folder / file).write_bytes(data)
        done = import_from(folder)
        assert done.report.read == 3
        digests.add(done.cohort.digest)
        if len(content) == 1:
            assert import_from(folder / file).cohort.digest in digests
    assert len(digests) == 1
    assert done.report.files_ignored == 3
