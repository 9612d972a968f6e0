"""From Conditions, medication resources and Procedures to events of registered concepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from fhir_io.mapping.code_rows import EVERY_CONDITION, ConceptRow
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.codes import certainty, concept_row
from fhir_io.mapping.times import Moment, Span, first_moment, moment, period, when
from fhir_io.read import Json
from fhir_io.reasons import Note, Reason
from fhir_io.select import CLINICAL_SYSTEM, OVER, VERIFICATION_SYSTEM, code_in
from vht.concepts import Kind

Table = Literal["conditions", "medications", "procedures"]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a patient.

    Attributes:
        table: where it belongs.
        concept: what happened; None as long as the medication that ``medication`` refers to is not
            looked up.
        start, end: when, as far as a day is known.
        note: something worth counting about it.
        medication: reference to a Medication.
        also: further concepts that the same code means, of the same table.
        start_span: the days on which it may have begun, where only a year or a month is recorded.
    """

    table: Table
    concept: str | None
    start: Moment | None
    end: Moment | None
    note: Note | None = None
    medication: str | None = None
    also: tuple[str, ...] = ()
    start_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """An explicit negative: conditions that the record says the patient does not have.

    Attributes:
        concepts: the conditions.
        at: the day that it was recorded for, if any.
        basis: ``refuted`` (a verificationStatus, or the German mark A) or ``stated`` (a code that says so).
    """

    concepts: tuple[str, ...]
    at: Moment | None
    basis: Literal["refuted", "stated"]


def read_event(
    resource: Json, tables: Tables, assume_zone: str | None = None
) -> Happening | Absence | Reason:
    """The event that a resource, whose status allows use, stands for.

    A Condition that is refuted, or whose code denies, is an :class:`Absence`.

    Args:
        resource: the resource, with the field names of R4.
        tables: the code tables in use.
        assume_zone: the zone of times that name none; None: they are not used.
    """
    kind = resource["resourceType"]
    if kind == "Condition":
        return _condition(resource, tables, assume_zone)
    if kind == "Procedure":
        return _procedure(resource, tables, assume_zone)
    return _medication(resource, tables, assume_zone)


def medication_concepts(code: Any, tables: Tables) -> tuple[str, ...] | Reason:
    """The ingredients, or the class, that the code of a Medication stands for."""
    row = _row(code, "medication", tables)
    return row if isinstance(row, Reason) else row.concepts


def _row(code: Any, kind: Kind, tables: Tables) -> ConceptRow | Reason:
    """The row of a code that stands for concepts; else why it does not."""
    row = concept_row(code, kind, tables)
    if isinstance(row, Reason) or row.concepts or (row.absent and kind == "condition"):
        return row
    return Reason.SITUATION if row.situation else Reason.VALUE_ABSENT


def _condition(resource: Json, tables: Tables, zone: str | None) -> Happening | Absence | Reason:
    row = _row(resource.get("code"), "condition", tables)
    if isinstance(row, Reason):
        return row
    mark = certainty(resource.get("code"))
    refuted = code_in(resource.get("verificationStatus"), VERIFICATION_SYSTEM) == "refuted" or mark == "A"
    if row.absent is not None or refuted:
        if row.absent is not None and refuted:
            return Reason.NOT_CONFIRMED  # a denial that is denied says nothing
        return _absence(resource, row, tables, zone)
    if mark in ("V", "Z"):
        return Reason.SITUATION
    onset, abated = period(resource.get("onsetPeriod"))
    start = _or_none(first_moment(resource.get("onsetDateTime"), onset, assume_zone=zone))
    span = when(resource.get("onsetDateTime") or onset, zone) if start is None else None
    ending = first_moment(
        resource.get("abatementDateTime"),
        period(resource.get("abatementPeriod"))[1],
        abated,
        assume_zone=zone,
    )
    over = code_in(resource.get("clinicalStatus"), CLINICAL_SYSTEM) in OVER or any(
        key.startswith("abatement") and item is not False for key, item in resource.items()
    )
    return _event(
        Happening(
            "conditions",
            row.concepts[0],
            start,
            _or_none(ending),
            also=row.concepts[1:],
            start_span=span if isinstance(span, Span) else None,
        ),
        over,
        Note.CONDITION_OVER_WITHOUT_END,
    )


def _absence(resource: Json, row: ConceptRow, tables: Tables, zone: str | None) -> Absence:
    onset = period(resource.get("onsetPeriod"))[0]
    at = first_moment(resource.get("recordedDate"), resource.get("onsetDateTime"), onset, assume_zone=zone)
    if row.absent is None:
        return Absence(row.concepts, _or_none(at), "refuted")
    denied = tables.deniable if row.absent == EVERY_CONDITION else (row.absent,)
    return Absence(denied, _or_none(at), "stated")


def _medication(resource: Json, tables: Tables, zone: str | None) -> Happening | Reason:
    concepts: tuple[str, ...] = ()
    reference: str | None = None
    if "medicationCodeableConcept" in resource:
        found = medication_concepts(resource["medicationCodeableConcept"], tables)
        if isinstance(found, Reason):
            return found
        concepts = found
    else:
        reference = medication_reference(resource)
        if reference is None:
            return Reason.UNRESOLVED_MEDICATION
    start_text, end_text = _course(resource)
    started = first_moment(*start_text, assume_zone=zone)
    if isinstance(started, Reason):
        return started
    over = resource.get("status") in ("completed", "stopped")
    instant = resource["resourceType"] == "MedicationAdministration" and not any(end_text)
    end = started if instant else _or_none(first_moment(*end_text, assume_zone=zone))
    concept = concepts[0] if concepts else None
    event = Happening("medications", concept, started, end, medication=reference, also=concepts[1:])
    return _event(event, over, Note.ORDER_OVER_WITHOUT_END)


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


def _procedure(resource: Json, tables: Tables, zone: str | None) -> Happening | Reason:
    row = _row(resource.get("code"), "procedure", tables)
    if isinstance(row, Reason):
        return row
    start_text, end_text = period(resource.get("performedPeriod"))
    at = first_moment(resource.get("performedDateTime"), start_text, end_text, assume_zone=zone)
    if isinstance(at, Reason):
        return at
    end = at if end_text is None else _or_none(moment(end_text, zone)) or at
    return Happening("procedures", row.concepts[0], at, end, also=row.concepts[1:])


def _event(event: Happening, over: bool, note: Note) -> Happening | Reason:
    """An event; one that is over without a recorded end must not pass for one that goes on.

    It is kept with its start as its end, the earliest end that the record allows.
    """
    if not over or event.end is not None:
        if event.start is not None:
            return event
        return replace(event, note=Note.PARTIAL_ONSET if event.start_span else Note.UNDATED_CONDITION)
    if event.start is None:
        return Reason.ENDED_WITHOUT_DATE
    return replace(event, end=event.start, note=note)


def _or_none(found: Moment | Reason) -> Moment | None:
    return found if isinstance(found, Moment) else None
