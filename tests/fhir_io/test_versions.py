"""R4 and R5 are told apart by their elements, and R5 is read under the names of R4."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from fhir_io import FhirImportError
from fhir_io.read import Place, open_source, read_records
from fhir_io.select import status_reason
from fhir_io.versions import ADHERENCE, Versions, is_valid, to_r4

Json = dict[str, Any]

HERE = Place(1, 1, "", 0)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
AMLODIPINE = {"coding": [{"system": RXNORM, "code": "197361"}]}
ABLATION = {"coding": [{"system": "http://snomed.info/sct", "code": "18286008"}]}
SUBJECT = {"reference": "Patient/p"}
WHY = [{"concept": {"text": "x"}}, {"reference": {"reference": "Condition/c"}}]

REQUEST: Json = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    "medication": {"concept": AMLODIPINE},
    "subject": SUBJECT,
    "authoredOn": "2024-04-01",
    "reason": WHY,
    "reported": True,
}
STATEMENT: Json = {
    "resourceType": "MedicationStatement",
    "status": "recorded",
    "medication": {"concept": AMLODIPINE},
    "subject": SUBJECT,
    "effectivePeriod": {"start": "2024-01-01"},
    "encounter": {"reference": "Encounter/e"},
}
ADMINISTRATION: Json = {
    "resourceType": "MedicationAdministration",
    "status": "completed",
    "medication": {"reference": {"reference": "Medication/m"}},
    "subject": SUBJECT,
    "occurenceDateTime": "2024-05-01T08:00:00Z",
    "reason": WHY,
}
PROCEDURE: Json = {
    "resourceType": "Procedure",
    "status": "completed",
    "subject": SUBJECT,
    "code": ABLATION,
    "occurrencePeriod": {"start": "2024-05-01", "end": "2024-05-02"},
    "reason": WHY,
}
CONDITION: Json = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
    "code": {"text": "x"},
    "subject": SUBJECT,
    "participant": [
        {"function": {"coding": [{"code": "informant"}]}, "actor": {"reference": "Practitioner/i"}},
        {"function": {"coding": [{"code": "author"}]}, "actor": {"reference": "Practitioner/a"}},
    ],
    "evidence": [{"concept": {"text": "x"}}, {"reference": {"reference": "Observation/o"}}],
}
MEDICATION: Json = {
    "resourceType": "Medication",
    "code": AMLODIPINE,
    "doseForm": {"text": "tablet"},
    "ingredient": [
        {
            "item": {"concept": {"text": "amlodipine"}},
            "strengthRatio": {"numerator": {"value": 5, "unit": "mg"}, "denominator": {"value": 1}},
        }
    ],
}
R5 = [REQUEST, STATEMENT, ADMINISTRATION, PROCEDURE, CONDITION, MEDICATION]
R4 = [
    {key: item for key, item in REQUEST.items() if key not in ("medication", "reason", "reported")}
    | {"medicationCodeableConcept": AMLODIPINE},
    {key: item for key, item in PROCEDURE.items() if key not in ("occurrencePeriod", "reason")}
    | {"performedDateTime": "2024-05-01"},
]


def name(resource: Json) -> str:
    return str(resource["resourceType"])


@pytest.mark.parametrize("resource", R5, ids=name)
def test_r5_is_detected_and_valid_under_r4_names(resource: Json):
    """Both classes of fhir.resources are the judges: R5 accepts what was read, R4B what it becomes."""
    before = copy.deepcopy(resource)
    assert is_valid(resource, "R5")
    assert not is_valid(resource, "R4")
    assert Versions().of(resource, HERE) == "R5"
    assert is_valid(to_r4(resource), "R4")
    assert resource == before


@pytest.mark.parametrize("resource", R4, ids=name)
def test_r4_is_detected(resource: Json):
    assert is_valid(resource, "R4")
    assert Versions().of(resource, HERE) == "R4"


def test_the_only_mark_may_lie_in_a_member():
    bare = {key: item for key, item in CONDITION.items() if key != "participant"}
    assert Versions().of(bare, HERE) == "R5"
    bare = {key: item for key, item in MEDICATION.items() if key != "doseForm"}
    assert Versions().of(bare, HERE) == "R5"


def test_what_was_read_keeps_its_meaning():
    request, given, done = to_r4(REQUEST), to_r4(ADMINISTRATION), to_r4(PROCEDURE)
    assert request["medicationCodeableConcept"] == AMLODIPINE
    assert request["reasonCode"] == [{"text": "x"}]
    assert request["reasonReference"] == [{"reference": "Condition/c"}]
    assert request["reportedBoolean"] is True
    assert given["medicationReference"] == {"reference": "Medication/m"}
    assert given["effectiveDateTime"] == "2024-05-01T08:00:00Z"
    assert done["performedPeriod"] == {"start": "2024-05-01", "end": "2024-05-02"}
    condition = to_r4(CONDITION)
    assert condition["asserter"] == {"reference": "Practitioner/i"}
    assert condition["recorder"] == {"reference": "Practitioner/a"}
    assert condition["evidence"] == [{"code": [{"text": "x"}]}, {"detail": [{"reference": "Observation/o"}]}]
    assert to_r4(MEDICATION)["ingredient"][0]["itemCodeableConcept"] == {"text": "amlodipine"}


def test_r5_becomes_what_r4_would_have_said():
    request, done = to_r4(REQUEST), to_r4(PROCEDURE | {"occurrenceDateTime": "2024-05-01"})
    assert request.items() >= R4[0].items()
    assert done.items() >= R4[1].items()
    assert status_reason(request) is status_reason(done) is status_reason(to_r4(STATEMENT)) is None


@pytest.mark.parametrize(
    ("adherence", "status"),
    [
        (None, "active"),
        ("taking", "active"),
        ("taking-as-directed", "active"),
        ("taking-not-as-directed", "active"),
        ("not-taking", "not-taken"),
        ("on-hold-as-directed", "on-hold"),
        ("stopped", "stopped"),
        ("stopped-not-as-directed", "stopped"),
        ("unknown", "unknown"),
        ("made-up", "unknown"),
    ],
)
def test_a_statement_that_was_recorded_says_by_adherence_whether_it_is_taken(
    adherence: str | None, status: str
):
    """Codes of https://hl7.org/fhir/R5/codesystem-medication-statement-adherence.html"""
    said = {"code": {"coding": [{"system": ADHERENCE, "code": adherence}]}}
    resource = STATEMENT if adherence is None else STATEMENT | {"adherence": said}
    made = to_r4(resource)
    assert made["status"] == status
    assert is_valid(made, "R4")


def test_other_words_for_a_status():
    assert to_r4(STATEMENT | {"status": "entered-in-error"})["status"] == "entered-in-error"
    assert to_r4(STATEMENT | {"status": "draft"})["status"] == "intended"
    assert to_r4(REQUEST | {"status": "ended"})["status"] == "stopped"


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"event": ["2024-05-01"]}, {"performedDateTime": "2024-05-01"}),
        (
            {"event": ["2024-05-03", "2024-05-01"]},
            {"performedPeriod": {"start": "2024-05-01", "end": "2024-05-03"}},
        ),
        (
            {"repeat": {"boundsPeriod": {"start": "2024-05-01"}}},
            {"performedPeriod": {"start": "2024-05-01"}},
        ),
        ({"code": {"text": "daily"}}, {}),
    ],
)
def test_a_timing_becomes_a_date_or_a_period(timing: Json, expected: Json):
    resource = {key: item for key, item in PROCEDURE.items() if key != "occurrencePeriod"}
    made = to_r4(resource | {"occurrenceTiming": timing})
    assert {key: item for key, item in made.items() if key.startswith("performed")} == expected


def test_the_period_of_taking_is_where_r4_has_it():
    period = {"start": "2024-05-01", "end": "2024-06-01"}
    made = to_r4(REQUEST | {"effectiveDosePeriod": period, "dosageInstruction": [{"text": "daily"}]})
    assert made["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"] == period
    assert made["dosageInstruction"][1] == {"text": "daily"}
    assert is_valid(made, "R4")


def test_a_procedure_on_somebody_else_is_left_alone():
    """R5 focus: the one it was done to, who is not the subject of the record."""
    made = to_r4(PROCEDURE | {"focus": {"reference": "Patient/donor"}})
    reason = status_reason(made)
    assert reason is not None
    assert reason.code == "modified_meaning"


# -- declared versions


@pytest.mark.parametrize("declared", ["R4", "R4B"])
def test_r5_in_a_source_declared_as_r4_is_an_error(declared: Any):
    place = Place(2, 7, "entry", 3)
    with pytest.raises(FhirImportError, match="file 2 of 7, entry 3: this resource is FHIR R5, and the") as e:
        Versions(declared).of(REQUEST, place)
    assert "import it as R5, or without naming a version" in str(e.value)


def test_r4_in_a_source_declared_as_r5_is_an_error():
    with pytest.raises(FhirImportError, match="is FHIR R4, and the source was said to be R5"):
        Versions("R5").of(R4[0], HERE)


def test_what_means_the_same_in_both_is_what_was_declared():
    same = {"resourceType": "Patient", "id": "p"}
    assert [Versions(v).of(same, HERE) for v in (None, "R4", "R4B", "R5")] == ["R4", "R4", "R4", "R5"]


def test_an_unknown_version_is_refused():
    with pytest.raises(FhirImportError, match="give R4, R4B or R5"):
        Versions("R6")  # type: ignore[arg-type]


def test_a_mistake_in_r4_does_not_make_it_r5():
    broken = R4[0] | {"reason": "because"}
    assert Versions().of(broken, HERE) == "R4"
    assert Versions("R4").of(broken, HERE) == "R4"
    wrong = {"resourceType": "Procedure", "recorded": [], "subject": 3}
    assert Versions().of(wrong, HERE) == "R4"


def test_versions_are_reported_by_file_also_from_workers():
    one, two = Versions(), Versions()
    one.of(R4[0], Place(1, 3, "line", 1))
    one.of(REQUEST, Place(2, 3, "line", 1))
    two.of(R4[1], Place(2, 3, "line", 2))
    two.of(PROCEDURE, Place(3, 3, "", 0))
    one.merge(two)
    assert one.files() == {"R4": 1, "R4 and R5": 1, "R5": 1}


@pytest.mark.parametrize(
    "folder", ["hl7_r4_examples", "hl7_r4b_examples", "us_core_6.1.0", "mcode_4.0.0", "ips_1.1.0"]
)
def test_no_published_r4_example_is_taken_for_r5(shared_data: Path, folder: str):
    versions = Versions("R4")
    for record in read_records(open_source(shared_data / "fhir" / folder)):
        if record.resource is not None:
            versions.of(record.resource, record.place)
    assert set(versions.files()) == {"R4"}


def test_published_r5_examples_are_read_as_r5(shared_data: Path):
    versions = Versions("R5")
    read = 0
    for record in read_records(open_source(shared_data / "fhir" / "hl7_r5_examples")):
        assert record.resource is not None
        read += versions.of(record.resource, record.place) == "R5"
    assert read == 7  # files of the folder, by its README
