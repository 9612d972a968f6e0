"""From Conditions, medication resources and Procedures to events of registered concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fhir_io.mapping.codes import concept_of
from fhir_io.mapping.times import Moment, first_moment, moment, period
from fhir_io.read import Json
from fhir_io.reasons import Note, Reason
from fhir_io.select import CLINICAL_SYSTEM, OVER, code_in

Table = Literal["conditions", "medications", "procedures"]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a patient.

    ``concept`` is None as long as the medication that ``medication`` refers to is not looked up.
    """

    table: Table
    concept: str | None
    start: Moment | None
    end: Moment | None
    note: Note | None = None
    medication: str | None = None


def read_event(resource: Json) -> Happening | Reason:
    """The event that a resource, whose status allows use, stands for."""
    kind = resource["resourceType"]
    if kind == "Condition":
        return _condition(resource)
    if kind == "Procedure":
        return _procedure(resource)
    return _medication(resource)


def _condition(resource: Json) -> Happening | Reason:
    concept = concept_of(resource.get("code"), "condition")
    if isinstance(concept, Reason):
        return concept
    onset, abated = period(resource.get("onsetPeriod"))
    start = _or_none(first_moment(resource.get("onsetDateTime"), onset))
    ending = first_moment(
        resource.get("abatementDateTime"), period(resource.get("abatementPeriod"))[1], abated
    )
    end = _or_none(ending)
    over = code_in(resource.get("clinicalStatus"), CLINICAL_SYSTEM) in OVER or any(
        key.startswith("abatement") for key in resource
    )
    return _event("conditions", concept.name, start, end, over, Note.CONDITION_OVER_WITHOUT_END)


def _medication(resource: Json) -> Happening | Reason:
    concept: Any = None
    reference: str | None = None
    if "medicationCodeableConcept" in resource:
        found = concept_of(resource["medicationCodeableConcept"], "medication")
        if isinstance(found, Reason):
            return found
        concept = found.name
    else:
        reference = medication_reference(resource)
        if reference is None:
            return Reason.UNRESOLVED_MEDICATION
    start_text, end_text = _course(resource)
    started = first_moment(*start_text)
    if isinstance(started, Reason):
        return started
    over = resource.get("status") in ("completed", "stopped")
    instant = resource["resourceType"] == "MedicationAdministration" and not any(end_text)
    end = started if instant else _or_none(first_moment(*end_text))
    return _event("medications", concept, started, end, over, Note.ORDER_OVER_WITHOUT_END, reference)


def medication_reference(resource: Json) -> str | None:
    """The reference to a Medication; one that is contained has its code read by the caller."""
    element = resource.get("medicationReference")
    reference = element.get("reference") if isinstance(element, dict) else None
    return reference if isinstance(reference, str) else None


def _course(resource: Json) -> tuple[list[Any], list[Any]]:
    """Texts that may say when a medication began and ended, best first."""
    effective = period(resource.get("effectivePeriod"))
    starts: list[Any] = [resource.get("effectiveDateTime"), effective[0]]
    ends: list[Any] = [effective[1]]
    dosages = resource.get("dosageInstruction")
    for dosage in dosages if isinstance(dosages, list) else ():
        timing = dosage.get("timing") if isinstance(dosage, dict) else None
        repeat = timing.get("repeat") if isinstance(timing, dict) else None
        bounds = period(repeat.get("boundsPeriod")) if isinstance(repeat, dict) else (None, None)
        starts.append(bounds[0])
        ends.append(bounds[1])
    starts.append(resource.get("authoredOn"))
    return starts, ends


def _procedure(resource: Json) -> Happening | Reason:
    concept = concept_of(resource.get("code"), "procedure")
    if isinstance(concept, Reason):
        return concept
    start_text, end_text = period(resource.get("performedPeriod"))
    at = first_moment(resource.get("performedDateTime"), start_text, end_text)
    if isinstance(at, Reason):
        return at
    end = at if end_text is None else _or_none(moment(end_text)) or at
    return Happening("procedures", concept.name, at, end)


def _event(
    table: Table,
    concept: str | None,
    start: Moment | None,
    end: Moment | None,
    over: bool,
    note: Note,
    medication: str | None = None,
) -> Happening | Reason:
    """An event; one that is over without a recorded end must not pass for one that goes on.

    It is kept with its start as its end, the earliest end that the record allows.
    """
    if not over or end is not None:
        undated = Note.UNDATED_CONDITION if start is None else None
        return Happening(table, concept, start, end, undated, medication)
    if start is None:
        return Reason.ENDED_WITHOUT_DATE
    return Happening(table, concept, start, start, note, medication)


def _or_none(found: Moment | Reason) -> Moment | None:
    return found if isinstance(found, Moment) else None
