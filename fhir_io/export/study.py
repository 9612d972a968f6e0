"""An in-silico trial as FHIR R4: the study, its arms, who may take part, and who did."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_io.export.elements import simulated
from fhir_io.export.names import Json, Names
from fhir_io.export.schema import Arm, Enrolment, Trial

# Words of https://hl7.org/fhir/R4/valueset-research-subject-status.html
_STATUS = {"completed": "off-study", "withdrawn": "withdrawn", "failed": "off-study"}
_EXCLUDED = "excluded "
ALL_STATES = "All patients of the state store"
PROVISO = "In-silico trial: every patient in it is a virtual patient; nobody was treated."


def study_id(trial: Trial, names: Names) -> str:
    """The id of the ResearchStudy."""
    return names.fixed("ResearchStudy", trial.name)


def study(trial: Trial, names: Names) -> Iterator[Json]:
    """ResearchStudy, a Group for each arm, an EvidenceVariable for eligibility, a ResearchSubject a twin."""
    yield {
        "resourceType": "ResearchStudy",
        "id": study_id(trial, names),
        "meta": simulated(),
        "title": trial.title,
        "status": "completed",
        "description": PROVISO,
        "enrollment": [names.reference("Group", group_id(trial, arm.name, names)) for arm in trial.arms],
        "arm": [{"name": arm.name, "description": arm.label} for arm in trial.arms],
    }
    yield from (_group(trial, arm, names) for arm in trial.arms)
    yield {
        "resourceType": "EvidenceVariable",
        "id": eligibility_id(trial, names),
        "meta": simulated(),
        "status": "active",
        "title": f"Who may take part: {trial.title}",
        "characteristic": [
            {
                "definitionCodeableConcept": {"text": line.removeprefix(_EXCLUDED)},
                "exclude": line.startswith(_EXCLUDED),
            }
            for line in trial.eligibility or (ALL_STATES,)
        ],
    }
    ordered = sorted(trial.enrolments, key=lambda e: names.patient(e.subject, e.arm))
    yield from (_subject(trial, enrolment, names) for enrolment in ordered)


def group_id(trial: Trial, arm: str, names: Names) -> str:
    """The id of an arm's Group."""
    return names.fixed("Group", trial.name, arm)


def eligibility_id(trial: Trial, names: Names) -> str:
    """The id of the EvidenceVariable that says who may take part."""
    return names.fixed("EvidenceVariable", trial.name)


def _group(trial: Trial, arm: Arm, names: Names) -> Json:
    role = " (reference arm)" if arm.name == trial.reference_arm else ""
    return {
        "resourceType": "Group",
        "id": group_id(trial, arm.name, names),
        "meta": simulated(),
        "type": "person",
        "actual": False,
        "code": {"text": f"Arm of an in-silico trial{role}"},
        "name": arm.label,
        "quantity": arm.patients,
    }


def _subject(trial: Trial, enrolment: Enrolment, names: Names) -> Json:
    twin = names.patient_id(enrolment.subject, enrolment.arm)
    return {
        "resourceType": "ResearchSubject",
        "id": names.fixed("ResearchSubject", trial.name, names.patient(enrolment.subject, enrolment.arm)),
        "meta": simulated(),
        "status": _STATUS[enrolment.status],
        "study": names.reference("ResearchStudy", study_id(trial, names)),
        "individual": names.reference("Patient", twin),
        "assignedArm": enrolment.arm,
        "actualArm": enrolment.arm,
    }
