"""What a unit of work says: everything that its resources give, before it is known whose it is.

One pass reads, validates and maps. What is left of a resource is a few numbers, registered names,
and the names under which its patient may be known; the importer hashes these names before anything
goes to the disk. An extract is plain data, so that it can come from another process.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fhir_io.consents import read_consent
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.elements import fault_of_dates, is_misread
from fhir_io.mapping.events import Absence, Happening, medication_concepts, read_event
from fhir_io.mapping.observations import LESION, lost_lesion, read_observation
from fhir_io.mapping.patients import read_patient
from fhir_io.mapping.times import Moment, Span, moment, version_rank
from fhir_io.read import Json, Place, Record
from fhir_io.reading.json_text import parse
from fhir_io.reading.skipping import elements
from fhir_io.reasons import Note, Reason
from fhir_io.references import contained, names_of, reference_names
from fhir_io.select import CLINICAL_TYPES, NEEDED_TYPES, public_type, status_reason
from fhir_io.validate import Level, Validator
from fhir_io.versions import Declared, Versions, to_r4
from fhir_io.vocabulary import is_computed

LOOKED_AT = 3
"""Of resources of a type that is not needed, so many in each unit are looked at for their version."""

When = tuple[int, float, float]
"""A moment as data: proleptic Gregorian ordinal, fraction of the day, half-width in days."""


@dataclass(frozen=True)
class Codes:
    """What codes, clocks and marks mean."""

    tables: Tables
    assume_zone: str | None
    accept_predictions: bool


At = tuple[str, int, int]
Valid = Callable[[], bool]


@dataclass(frozen=True)
class Options:
    """How resources are read; plain data, so that it can be handed to another process.

    Attributes:
        validation: which resources ``fhir.resources`` validates.
        fhir_version: of the source; None to tell by the resources.
        consents: whether Consents are read.
        codes: tables of codes of the user, over ours.
        assume_zone: the zone of times that name none; None: they are not used.
        accept_predictions: take what is marked as computed for measured.
    """

    validation: Level = "shape"
    fhir_version: Declared | None = None
    consents: bool = False
    codes: tuple[Path, ...] = ()
    assume_zone: str | None = None
    accept_predictions: bool = False


@dataclass(slots=True)
class Extract:
    """What was read in one unit, in order; each resource is in exactly one of the lists or counts.

    Every row begins with a place within the file, (unit, number, inner number): ``("entry", 3, 0)`` or
    ``("line", 17, 2)``. A version is (resource as ``Type/id`` or None, time of update in seconds, version
    number).

    Attributes:
        file: ordinal of the file.
        read: resources read.
        not_needed: resources of types that nothing is taken from, by type.
        refused: (place, type, reason, *version).
        patients: (place, names, system, value, sex, born, vital status, died, links, *version);
            born is (earliest, latest ordinal) or None, a link is (type, names of the other patient).
        medications: (place, names, concept or None, reason or None).
        drafts: (place, type, ordinal of a subject in ``subjects``, latest ordinal of a date that
            counts for day zero or None, names of a Medication that it refers to, content as JSON, *version).
        subjects: names under which a subject may be known, best first.
        consents: (place, names of the patient, the statement as JSON).
        deleted: resources that the source says were deleted, as ``Type/id``.
        notes: what is worth counting about patients.
        versions: FHIR versions that were seen.
    """

    file: int
    read: int = 0
    versions: list[str] = field(default_factory=list)
    not_needed: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Any, ...]] = field(default_factory=list)
    patients: list[tuple[Any, ...]] = field(default_factory=list)
    medications: list[tuple[Any, ...]] = field(default_factory=list)
    drafts: list[tuple[Any, ...]] = field(default_factory=list)
    subjects: list[list[str]] = field(default_factory=list)
    consents: list[tuple[Any, ...]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)


class Extractor:
    """Reads units with one validator, which remembers the shapes that it has seen."""

    def __init__(self, options: Options):
        self._codes = Codes(Tables.load(options.codes), options.assume_zone, options.accept_predictions)
        self._validator = Validator(options.validation)
        self._versions = Versions(options.fhir_version)
        self._types = NEEDED_TYPES | {"Consent"} if options.consents else NEEDED_TYPES

    def extract(self, records: Iterable[Record], file: int) -> Extract:
        """The extract of the records of one unit, all of one file."""
        out = Extract(file)
        known: dict[tuple[str, ...], int] = {}
        for record in records:
            if record.deleted is not None:
                out.deleted.append("/".join(record.deleted))
                continue
            out.read += 1
            if record.skipped is not None:
                self._pass(record, record.skipped, out)
            else:
                self._take(record, out, known)
        out.versions = sorted(self._versions.seen.pop(file, ()))
        return out

    @property
    def needed(self) -> frozenset[str]:
        """Types that something is taken from."""
        return self._types

    def _pass(self, record: Record, skipped: tuple[str, bytes], out: Extract) -> None:
        """Count a resource of a type that is not needed; the first ones of a type tell their version."""
        kind, text = skipped
        name = public_type(kind)
        out.not_needed[name] += 1
        if out.not_needed[name] > LOOKED_AT:
            return
        if not self._versions.plain(kind, elements(text), record.place.file):
            self._versions.of(parse(text, record.place), record.place)

    def _take(self, record: Record, out: Extract, known: dict[tuple[str, ...], int]) -> None:
        resource, place = record.resource, record.place
        if resource is None:
            out.refused.append((_at(place), "other", Reason.NOT_A_RESOURCE.code, None, 0.0, 0))
            return
        kind = resource["resourceType"]
        version = self._versions.of(resource, place)
        if kind not in self._types:
            out.not_needed[public_type(kind)] += 1
            return
        valid = functools.partial(self._validator.accepts, resource, version, record.skeleton)
        named = to_r4(resource) if version == "R5" else resource
        if kind == "Patient":
            _take_patient(out, named, record, valid, self._codes)
        elif kind == "Medication":
            _take_medication(out, named, record, valid, self._codes)
        elif kind == "Consent":
            _take_consent(out, resource, place, valid)
        else:
            _take_clinical(out, named, place, valid, known, self._codes)


# ---------------------------------------------------------------------------------------------------


def _take_patient(out: Extract, resource: Json, record: Record, valid: Valid, codes: Codes) -> None:
    reason = status_reason(resource, accept_predictions=codes.accept_predictions)
    facts = None if reason else read_patient(resource, record.full_url)
    if facts is None:
        _refuse(out, resource, record.place, reason or Reason.NO_IDENTITY)
        return
    if not valid():
        _refuse(out, resource, record.place, Reason.INVALID)
        return
    if is_misread(resource, codes.assume_zone):
        out.notes[Note.MISREAD_PATIENT.code] += 1
    born = None if facts.born is None else (facts.born.earliest.toordinal(), facts.born.latest.toordinal())
    vital, died = _vital_status(resource, codes)
    out.patients.append(
        (
            _at(record.place),
            names_of(resource, record.full_url, "Patient"),
            facts.identity.system,
            facts.identity.value,
            facts.sex,
            born,
            vital,
            died,
            _links(resource),
            *_version(resource),
        )
    )


def _take_medication(out: Extract, resource: Json, record: Record, valid: Valid, codes: Codes) -> None:
    reason = status_reason(resource, accept_predictions=codes.accept_predictions)
    code = reason or medication_concepts(resource.get("code"), codes.tables)
    if not isinstance(code, Reason) and not valid():
        code = Reason.INVALID
    names = names_of(resource, record.full_url, "Medication")
    concept, why = (None, code.code) if isinstance(code, Reason) else (" ".join(code), None)
    out.medications.append((_at(record.place), names, concept, why))


def _take_clinical(
    out: Extract,
    resource: Json,
    place: Place,
    valid: Valid,
    known: dict[tuple[str, ...], int],
    codes: Codes,
) -> None:
    kind = resource["resourceType"]
    reason = status_reason(resource, accept_predictions=codes.accept_predictions)
    content: list[Any] | Reason
    last: int | None = None
    medication: list[str] = []
    if kind == "Observation":
        content, last = _observation(resource, reason, codes)
    elif reason is not None:
        content = reason
    else:
        content, last, medication = _event(resource, codes)
    if not isinstance(content, Reason):
        content = fault_of_dates(resource, codes.assume_zone) or content
    if isinstance(content, Reason):
        _refuse(out, resource, place, content)
        return
    names = tuple(reference_names(resource.get("subject"), "Patient", resource))
    if not names:
        _refuse(out, resource, place, Reason.NO_SUBJECT)
        return
    if not valid():
        _refuse(out, resource, place, Reason.INVALID)
        return
    subject = known.get(names)
    if subject is None:
        subject = known[names] = len(out.subjects)
        out.subjects.append(list(names))
    out.drafts.append(
        (_at(place), kind, subject, last, medication, orjson.dumps(content), *_version(resource))
    )


def _take_consent(out: Extract, resource: Json, place: Place, valid: Valid) -> None:
    statement = read_consent(resource)
    if not statement.subject:
        _refuse(out, resource, place, Reason.NO_SUBJECT)
    elif not valid():
        _refuse(out, resource, place, Reason.INVALID)
    else:
        content = orjson.dumps(dataclasses.replace(statement, subject=()), default=sorted)
        out.consents.append((_at(place), list(statement.subject), content))


def _at(place: Place) -> At:
    return place.unit, place.number, place.inner


def _version(resource: Json) -> tuple[str | None, float, int]:
    own, kind = resource.get("id"), resource["resourceType"]
    if not isinstance(own, str) or not own:
        return None, 0.0, 0
    return f"{kind}/{own}", *version_rank(resource)


def _refuse(out: Extract, resource: Json, place: Place, reason: Reason) -> None:
    kind = resource["resourceType"]
    version = _version(resource) if kind in CLINICAL_TYPES else (None, 0.0, 0)
    out.refused.append((_at(place), kind, reason.code, *version))


def _vital_status(resource: Json, codes: Codes) -> tuple[str, When | None]:
    """deceasedBoolean false is alive; a date of death that cannot be read is still a death."""
    if "deceasedDateTime" in resource:
        return "deceased", _when(moment(resource["deceasedDateTime"], codes.assume_zone))
    told = resource.get("deceasedBoolean")
    return ("deceased" if told else "alive") if isinstance(told, bool) else "unknown", None


def _links(resource: Json) -> list[tuple[str, list[str]]]:
    found = resource.get("link")
    links = []
    for link in found if isinstance(found, list) else ():
        if isinstance(link, dict) and isinstance(link.get("type"), str):
            names = reference_names(link.get("other"), "Patient", resource)
            if names:
                links.append((link["type"], names))
    return links


def _observation(
    resource: Json, reason: Reason | None, codes: Codes
) -> tuple[list[Any] | Reason, int | None]:
    """The content of an Observation; one that may not be used still says that a lesion was there."""
    reading = None
    if reason is None:
        reading = read_observation(resource, codes.tables, codes.assume_zone)
    elif reason is Reason.NOT_FINAL:
        reading = lost_lesion(resource, reason, codes.tables, codes.assume_zone)
    if reading is None:
        return reason or Reason.NOT_A_NUMBER, None
    if reading.at is None or (reading.empty and reading.lesion_lost_on is None):
        return reading.reason, None
    values = [(v.quantity, v.value, v.from_text, v.after) for v in reading.values]
    intervals = [(i.quantity, i.low, i.high, i.after) for i in reading.intervals]
    if reading.lesion_lost_on is not None and not any(i[0] == LESION for i in intervals):
        intervals.append((LESION, None, None, 0.0))
    findings = [(f.concept, f.present) for f in reading.findings]
    reasons = [r.code for r in reading.reasons]
    useful = not reading.empty
    notes = [Note.UNIT_FROM_TEXT.code for i in reading.intervals if i.from_text]
    notes += [Note.ZONE_ASSUMED.code] if reading.at.zone_assumed else []
    notes += [Note.PREDICTION_ACCEPTED.code] if codes.accept_predictions and is_computed(resource) else []
    content = [_when(reading.at), values, intervals, findings, reading.site, reasons, useful, notes]
    return content, reading.at.ordinal if useful else None


def _event(resource: Json, codes: Codes) -> tuple[list[Any] | Reason, int | None, list[str]]:
    """(table, concepts, start, end, note) of an event or absence, with the Medication that it refers to."""
    event = read_event(resource, codes.tables, codes.assume_zone)
    if isinstance(event, Happening) and event.concept is None:
        event = _with_contained_medication(resource, event, codes)
    if isinstance(event, Reason):
        return event, None, []
    if isinstance(event, Absence):
        last = event.at.ordinal if event.at else None
        return ["absences", event.concepts, _when(event.at), None, None], last, []
    medication = (
        reference_names({"reference": event.medication}, "Medication", {}) if event.medication else []
    )
    note = event.note.code if event.note else None
    start = _when(event.start) or _middle(event.start_span)
    concepts = [event.concept, *event.also] if event.concept else []
    content = [event.table, concepts, start, _when(event.end), note]
    return content, event.start.ordinal if event.start else None, medication


def _with_contained_medication(resource: Json, event: Happening, codes: Codes) -> Happening | Reason:
    """Replace a reference to a contained Medication by its concepts."""
    reference = event.medication or ""
    if not reference.startswith("#"):
        return event
    inner = contained(resource, reference[1:], "Medication")
    if inner is None:
        return Reason.UNRESOLVED_MEDICATION
    code = medication_concepts(inner.get("code"), codes.tables)
    if isinstance(code, Reason):
        return code
    return dataclasses.replace(event, concept=code[0], also=code[1:], medication=None)


def _middle(span: Span | None) -> When | None:
    """The middle of a span of days, with its half-width."""
    if span is None:
        return None
    half = (span.latest + 1 - span.earliest) / 2
    whole, fraction = divmod(span.earliest + half, 1)
    return int(whole), fraction, half


def _when(at: Moment | Reason | None) -> When | None:
    return (at.ordinal, at.fraction, 0.0) if isinstance(at, Moment) else None
