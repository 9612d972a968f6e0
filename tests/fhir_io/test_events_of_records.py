"""From one Condition, medication or Procedure to an event or an explicit negative."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.events import Absence, Happening, read_event
from fhir_io.mapping.times import Moment
from fhir_io.reasons import Note, Reason

TABLES = Tables.load()
GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
MARK = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def event(resource: Any, zone: str | None = None) -> Happening:
    found = read_event(resource, TABLES, zone)
    assert isinstance(found, Happening)
    return found


def test_a_partial_onset_is_a_span_of_days(records: Any):
    found = event(records.condition(onsetDateTime="2019-02"))
    assert (found.start, found.note) == (None, Note.PARTIAL_ONSET)
    assert found.start_span is not None
    assert found.start_span.days_after(date(2019, 2, 1)) == (0.0, 28.0)
    assert event(records.condition(onsetDateTime="2019-02-03")).start_span is None


def test_one_code_may_mean_two_conditions_or_two_drugs(records: Any):
    both = records.condition(code=None, onsetDateTime="2020-01-01")
    both["code"] = records.concept("http://hl7.org/fhir/sid/icd-10", "I11.0")
    assert (event(both).concept, event(both).also) == ("hypertension", ("heart_failure",))
    drug = records.medication(medicationCodeableConcept=records.concept(TABLES.uris["rxnorm"], "1599803"))
    assert (event(drug).concept, event(drug).also) == ("donepezil", ("memantine",))


def test_both_ingredients_reach_the_state(import_resources: Any, records: Any):
    drug = records.medication(medicationCodeableConcept=records.concept(TABLES.uris["rxnorm"], "1599803"))
    done = import_resources(records.observation(), drug)
    assert sorted(e.concept for e in done.state.medications) == ["donepezil", "memantine"]


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("G", "heart_failure"), ("V", Reason.SITUATION), ("Z", Reason.SITUATION), ("A", Absence)],
)
def test_german_diagnoses_say_how_certain_they_are(records: Any, mark: str, expected: Any):
    coding = {"system": GM, "code": "I50.13", "extension": [{"url": MARK, "valueCoding": {"code": mark}}]}
    found = read_event({**records.condition(), "code": {"coding": [coding]}}, TABLES)
    if expected is Absence:
        assert found == Absence(("heart_failure",), Moment(date(2020, 1, 1).toordinal(), 0.0), "refuted")
    else:
        assert (found.concept if isinstance(found, Happening) else found) == expected


def test_a_refuted_condition_is_an_explicit_negative(records: Any):
    refuted = records.condition(
        verificationStatus=records.concept(VERIFICATION, "refuted"), recordedDate="2024-04-30"
    )
    at = Moment(date(2024, 4, 30).toordinal(), 0.0)
    assert read_event(refuted, TABLES) == Absence(("hypertension",), at, "refuted")


def test_no_known_problems_denies_the_conditions_of_the_table_and_no_findings(records: Any):
    none = records.condition()
    none["code"] = records.concept(TABLES.uris["ips-absent"], "no-known-problems")
    found = read_event(none, TABLES)
    assert isinstance(found, Absence)
    assert found.basis == "stated"
    assert {"hypertension", "breast_cancer"} <= set(found.concepts)
    assert "current_smoker" not in found.concepts
    nothing = {**none, "code": records.concept(TABLES.uris["ips-absent"], "no-problem-info")}
    assert read_event(nothing, TABLES) is Reason.VALUE_ABSENT
    denied = {**none, "verificationStatus": records.concept(VERIFICATION, "refuted")}
    assert read_event(denied, TABLES) is Reason.NOT_CONFIRMED


def test_abatement_false_is_not_over(records: Any):
    assert event(records.condition(abatementBoolean=False)).end is None
    assert event(records.condition(abatementBoolean=True)).note is Note.CONDITION_OVER_WITHOUT_END


def test_a_zone_may_be_assumed_for_every_kind_of_event(records: Any):
    local = "2024-04-01T06:00:00"
    procedure = {
        "resourceType": "Procedure",
        "code": records.concept("http://snomed.info/sct", "73761001"),
        "performedDateTime": local,
    }
    for resource in (records.condition(onsetDateTime=local), records.medication(authoredOn=local), procedure):
        start = event(resource, "Europe/Berlin").start
        assert start is not None
        assert (start.fraction, start.zone_assumed) == (0.25, True)
    assert read_event(procedure, TABLES) is Reason.NO_ZONE


def test_no_information_about_medication_is_no_medication(records: Any):
    unknown = records.concept(TABLES.uris["ips-absent"], "no-medication-info")
    found = read_event(records.medication(medicationCodeableConcept=unknown), TABLES)
    assert found is Reason.VALUE_ABSENT
