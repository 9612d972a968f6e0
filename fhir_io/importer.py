"""The import: from a source of FHIR records to pseudonymised states in the store.

One pass reads, selects and maps; what stays in memory of a resource is a few numbers and the names
under which its patient may be known. Then subjects are resolved, duplicates and old versions leave,
patients are enrolled, and closed states are built from the allow-listed facts. The store is written
once, at the end: an error before leaves it as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

from fhir_io.assemble import build_state
from fhir_io.errors import FhirImportError
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.events import Absence, Happening, medication_concepts, read_event
from fhir_io.mapping.observations import LESION, Reading, lost_lesion, read_observation
from fhir_io.mapping.patients import PatientFacts, read_patient
from fhir_io.mapping.times import check_zone, version_rank
from fhir_io.read import Json, Record, open_source, read_records
from fhir_io.reasons import Note, Reason
from fhir_io.references import Directory, contained, reference_names
from fhir_io.report import ImportReport, Ledger
from fhir_io.select import CLINICAL_TYPES, NEEDED_TYPES, public_type, status_reason
from fhir_io.validate import Level, Validator, refuse_r5
from privacy import Identity
from vht.state import PatientState
from vht.store import Store


class EnrolmentLike(Protocol):
    """What enrolling a patient gives back."""

    @property
    def pseudonym(self) -> str: ...
    @property
    def study_number(self) -> int: ...
    @property
    def day_zero(self) -> date: ...


class PseudonymiserLike(Protocol):
    """Stands between identities and pseudonyms; the first enrolment of a patient fixes day 0."""

    def enrol(self, identity: Identity, day_zero: date) -> EnrolmentLike: ...

    def commit(self) -> None:
        """Make the enrolments durable."""
        ...


@dataclass(eq=False, slots=True)
class Patient:
    """A patient of the source while the import runs: facts and what was found about them."""

    facts: PatientFacts
    numbers: list[int] = field(default_factory=list)
    readings: list[tuple[int, Reading]] = field(default_factory=list)
    events: list[tuple[int, Happening]] = field(default_factory=list)
    seen: set[Any] = field(default_factory=set)


@dataclass(slots=True)
class _Draft:
    """A usable resource that waits for its patient to be known."""

    number: int
    file: int
    subject: list[str]
    content: Reading | Happening


class _Import:
    def __init__(self, validation: Level, tables: Tables, assume_zone: str | None):
        self.tables = tables
        self.assume_zone = assume_zone
        self.validator = Validator(validation)
        self.ledger = Ledger()
        self.patients = Directory[Patient]("Patient")
        self.medications = Directory[tuple[int, tuple[str, ...] | Reason]]("Medication")
        self.by_identity: dict[Identity, Patient] = {}
        self.drafts: list[_Draft] = []
        self.versions: dict[tuple[int, str, str], tuple[tuple[float, int], int]] = {}
        self.outdated: set[int] = set()

    # -- the pass over the source

    def take(self, record: Record) -> None:
        resource = record.resource
        if resource is None:
            self.ledger.refuse(self.ledger.open("other", record.place), Reason.NOT_A_RESOURCE)
            return
        kind = resource["resourceType"]
        number = self.ledger.open(public_type(kind), record.place)
        refuse_r5(resource, record.place)
        if kind not in NEEDED_TYPES:
            self.ledger.refuse(number, Reason.TYPE_NOT_NEEDED)
        elif not self.validator.accepts(resource):
            self.ledger.refuse(number, Reason.INVALID)
        else:
            self._register_version(resource, record.place.file, number)
            reason = status_reason(resource)
            if (
                reason is Reason.NOT_FINAL
                and (lost := lost_lesion(resource, reason, self.tables, self.assume_zone)) is not None
            ):
                self._draft(resource, record, number, lost)
            elif reason is not None:
                self.ledger.refuse(number, reason)
            elif kind == "Patient":
                self._take_patient(resource, record, number)
            elif kind == "Medication":
                code = medication_concepts(resource.get("code"), self.tables)
                self.medications.add(resource, record.full_url, record.place.file, (number, code))
            else:
                self._take_clinical(resource, record, number)

    def _lost_lesion(self, resource: Json, reason: Reason) -> Reading | None:
        return lost_lesion(resource, reason, self.tables, self.assume_zone)

    def _register_version(self, resource: Json, file: int, number: int) -> None:
        """Note which resource is a newer version of another one in the same file."""
        own = resource.get("id")
        if not isinstance(own, str) or resource["resourceType"] not in CLINICAL_TYPES:
            return
        key, rank = (file, resource["resourceType"], own), version_rank(resource)
        held = self.versions.get(key)
        if held is None or rank > held[0]:
            if held is not None:
                self.outdated.add(held[1])
            self.versions[key] = (rank, number)
        elif rank < held[0]:
            self.outdated.add(number)

    def _take_patient(self, resource: Json, record: Record, number: int) -> None:
        facts = read_patient(resource, record.full_url)
        if facts is None:
            self.ledger.refuse(number, Reason.NO_IDENTITY)
            return
        known = self.by_identity.get(facts.identity)
        if known is None:
            known = self.by_identity[facts.identity] = Patient(facts)
        elif not known.facts.agrees_with(facts):
            self.ledger.refuse(number, Reason.CONFLICTING_PATIENT)
            self.patients.add(resource, record.full_url, record.place.file, Patient(facts))
            return
        known.numbers.append(number)
        self.patients.add(resource, record.full_url, record.place.file, known)

    def _take_clinical(self, resource: Json, record: Record, number: int) -> None:
        content: Reading | Happening | Absence | Reason
        if resource["resourceType"] == "Observation":
            content = read_observation(resource, self.tables, self.assume_zone)
            if not content.values and content.lesion_lost_on is None:
                content = content.reason
        else:
            content = read_event(resource, self.tables, self.assume_zone)
            if isinstance(content, Happening) and content.concept is None:
                content = self._inline_medication(resource, content)
        if isinstance(content, Absence):
            content = Reason.NOT_CONFIRMED
        if isinstance(content, Reason):
            self.ledger.refuse(number, content)
            return
        self._draft(resource, record, number, content)

    def _draft(self, resource: Json, record: Record, number: int, content: Reading | Happening) -> None:
        names = reference_names(resource.get("subject"), "Patient", resource)
        if not names:
            self.ledger.refuse(number, Reason.NO_SUBJECT)
            return
        self.drafts.append(_Draft(number, record.place.file, names, content))

    def _inline_medication(self, resource: Json, event: Happening) -> Happening | Reason:
        """Replace a reference to a contained Medication by its concept."""
        reference = event.medication or ""
        if not reference.startswith("#"):
            return event
        inner = contained(resource, reference[1:], "Medication")
        if inner is None:
            return Reason.UNRESOLVED_MEDICATION
        code = medication_concepts(inner.get("code"), self.tables)
        if isinstance(code, Reason):
            return code
        return replace(event, concept=code[0], also=code[1:], medication=None)

    # -- after the pass

    def settle(self) -> None:
        """Give each draft to its patient, or refuse it."""
        used_medications: set[int] = set()
        occurrences: Counter[Any] = Counter()
        for draft in self.drafts:
            if draft.number in self.outdated:
                self.ledger.refuse(draft.number, Reason.SUPERSEDED)
                continue
            content = draft.content
            if isinstance(content, Happening) and content.concept is None:
                found = self._look_up_medication(content, draft.file)
                if isinstance(found, Reason):
                    self.ledger.refuse(draft.number, found)
                    continue
                medication, content = found
            else:
                medication = None
            patient = self._subject(draft)
            if patient is None:
                self.ledger.refuse(draft.number, Reason.UNRESOLVED_SUBJECT)
                continue
            key = _content_key(content)
            occurrences[id(patient), draft.file, key] += 1
            again = occurrences[id(patient), draft.file, key] if _may_recur(content) else 1
            if (key, again) in patient.seen:
                self.ledger.refuse(draft.number, Reason.DUPLICATE)
                continue
            patient.seen.add((key, again))
            if medication is not None:
                used_medications.add(medication)
            if isinstance(content, Reading):
                patient.readings.append((draft.number, content))
            else:
                patient.events.append((draft.number, content))
        self._settle_medications(used_medications)

    def _subject(self, draft: _Draft) -> Patient | None:
        for name in draft.subject:
            found = self.patients.find(name, draft.file)
            if found is not None:
                return found if self.by_identity.get(found.facts.identity) is found else None
        return None

    def _look_up_medication(self, event: Happening, file: int) -> tuple[int, Happening] | Reason:
        reference = {"reference": event.medication}
        for name in reference_names(reference, "Medication", {}):
            found = self.medications.find(name, file)
            if found is not None:
                number, code = found
                if isinstance(code, Reason):
                    return code
                return number, replace(event, concept=code[0], also=code[1:], medication=None)
        return Reason.UNRESOLVED_MEDICATION

    def _settle_medications(self, used: set[int]) -> None:
        for number, code in self.medications.all():
            if number in used:
                self.ledger.use(number)
            else:
                self.ledger.refuse(number, code if isinstance(code, Reason) else Reason.TYPE_NOT_NEEDED)


def import_records(
    source: Path,
    *,
    pseudonymiser: PseudonymiserLike,
    store: Store,
    progress: Callable[[int, int], None] | None = None,
    validation: Literal["full", "shape", "none"] = "shape",
    fhir_version: str = "R4",
    tables: Tables | None = None,
    assume_zone: str | None = None,
) -> ImportReport:
    """Import FHIR R4 records as pseudonymised patient states.

    Args:
        source: a folder of Bundles, single resources or NDJSON (also gzipped), a bulk-export folder,
            or one such file.
        pseudonymiser: turns identities into pseudonyms and keeps day 0.
        store: receives the states, in one append at the end.
        progress: called with (bytes read, bytes in all).
        validation: ``full`` validates every needed resource under ``fhir.resources.R4B``, ``shape``
            the first few of each structural shape, ``none`` none; values that are used are checked
            one by one at every level.
        fhir_version: ``R4`` or ``R4B``; both are read with the R4B classes.
        tables: the code tables; ours if None.
        assume_zone: the time zone of times that name none; None: they are not used.

    Returns:
        The report: read = used + not used, with a reason for each resource that was not used.

    Raises:
        FhirImportError: no FHIR records here, a truncated or foreign file, FHIR R5, or an unknown
            zone. Nothing was written then.
    """
    if fhir_version not in ("R4", "R4B"):
        raise FhirImportError(f"FHIR version '{fhir_version}' is not read; this version reads R4 and R4B")
    files = open_source(Path(source))
    check_zone(assume_zone)
    work = _Import(validation, tables or Tables.load(), assume_zone)
    for record in read_records(files, progress):
        work.take(record)
    work.settle()
    states = _states(work, pseudonymiser)
    if files.export_errors:
        work.ledger.notes[Note.EXPORT_ERRORS] += files.export_errors
    pseudonymiser.commit()  # before the states: an enrolment without states does no harm
    return work.ledger.report(
        **_totals(states),
        patients=len(states),
        rows_added=store.append(states) if states else 0,
        files=len(files.files),
        files_ignored=files.ignored,
    )


def _states(work: _Import, pseudonymiser: PseudonymiserLike) -> list[PatientState]:
    states = []
    for identity, patient in work.by_identity.items():
        moments = [reading.at for _, reading in patient.readings if reading.at and reading.values]
        moments += [event.start for _, event in patient.events if event.start]
        if not moments:
            _refuse_undated(work.ledger, patient)
            continue
        latest = max(moment.calendar_date for moment in moments)
        enrolment = pseudonymiser.enrol(identity, latest)
        state = build_state(
            patient.facts,
            [reading for _, reading in patient.readings],
            [event for _, event in patient.events],
            pseudonym=enrolment.pseudonym,
            study_number=enrolment.study_number,
            day_zero=enrolment.day_zero,
            notes=work.ledger.notes,
        )
        states.append(state)
        _settle_used(work.ledger, patient)
    return states


def _refuse_undated(ledger: Ledger, patient: Patient) -> None:
    for number, reading in patient.readings:
        ledger.refuse(number, reading.reason)
    for number, _ in patient.events:
        ledger.refuse(number, Reason.NO_DATE)
    for number in patient.numbers:
        ledger.refuse(number, Reason.NO_EVENTS)


def _settle_used(ledger: Ledger, patient: Patient) -> None:
    first, *others = patient.numbers
    ledger.use(first)
    for number in others:
        ledger.refuse(number, Reason.DUPLICATE)
    for number, reading in patient.readings:
        if reading.values:
            ledger.use(number)
            ledger.parts.update(reading.reasons)
        else:
            ledger.refuse(number, reading.reason)
    for number, event in patient.events:
        ledger.use(number)
        if event.note is not None:
            ledger.notes[event.note] += 1


def _content_key(content: Reading | Happening) -> Any:
    """What makes two resources the same for the state, whatever ids servers gave them."""
    if isinstance(content, Happening):
        return content.table, content.concept, content.start, content.end
    values = tuple((v.quantity, v.value) for v in content.values)
    return content.at, values, content.site, content.lesion_lost_on


def _may_recur(content: Reading | Happening) -> bool:
    """Two lesions of one size on one day are two; only a second file's copy of them is a duplicate."""
    return isinstance(content, Reading) and any(v.quantity == LESION for v in content.values)


def _totals(states: list[PatientState]) -> dict[str, dict[str, int]]:
    kept: Counter[str] = Counter()
    derived: Counter[str] = Counter()
    for state in states:
        for observation in state.observations:
            (derived if observation.origin == "derived" else kept)[observation.quantity] += 1
    tables = ("conditions", "medications", "procedures")
    events = {table: sum(len(getattr(state, table)) for state in states) for table in tables}
    return {"values": dict(sorted(kept.items())), "derived": dict(sorted(derived.items())), "events": events}
