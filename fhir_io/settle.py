"""From drafts to rows: person by person, newest versions only, nothing twice.

Persons come in the order of their pseudonyms, and a person's drafts in the order of reading; so what is
stored does not depend on how the reading was divided. What the store holds of the same persons is looked
up for some persons at a time.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from fhir_io.assemble import NO_DATE, Clock, rows_of
from fhir_io.corrections import Rank, Versions, scoped
from fhir_io.held import Held, contains, content_of_row, held_of
from fhir_io.identities import EnrolmentLike
from fhir_io.mapping.times import is_relative
from fhir_io.people import NOBODY
from fhir_io.reasons import Note, Reason
from fhir_io.spool import Spool, content_of, split_names
from vht.state import SITE_RULE
from vht.store import ShardWriter, Store
from vht.tables import STORED
from vht.visible import LESION, sums_of_lesions

DRAFTS_AT_ONCE = 10_000
"""Drafts of so many resources are in memory together, and more only if one patient has more."""


@dataclass(slots=True)
class Draft:
    """One resource of one person that may be used."""

    number: int
    place: tuple[int, str, int, int]
    kind: str
    last: int | None
    medication: bytes | None
    content: list[Any]
    record: bytes | None
    rank: Rank


@dataclass
class Tally:
    """Counts for the report."""

    patients: int = 0
    used: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    notes: Counter[Note] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    intervals: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)


class Settlement:
    """Settles every draft and every person of a spool.

    Args:
        spool: after all subjects were resolved.
        versions: of the same spool.
        store, writer: where rows are held and where they go.
        enrol: (person, day zero if new, born) to the enrolment.
        enrolled: the enrolment of a person of earlier imports, or None.
        absent_unless_recorded: conditions that a site takes as absent where they are not recorded.
        refused_persons: why all of a person is not used, where that is so.
        name_length: of hashed names in bytes.
    """

    def __init__(
        self,
        spool: Spool,
        versions: Versions,
        store: Store,
        writer: ShardWriter,
        *,
        enrol: Callable[[str, date, tuple[int, int] | None], EnrolmentLike],
        enrolled: Callable[[str], EnrolmentLike | None],
        refused_persons: Mapping[str, Reason],
        absent_unless_recorded: Sequence[str],
        name_length: int,
    ):
        self._spool, self._versions, self._store, self._writer = spool, versions, store, writer
        self._enrol, self._enrolled, self._refused_persons = enrol, enrolled, refused_persons
        self._length, self._taken_as_absent = name_length, absent_unless_recorded
        self._medications = spool.count("medication") > 0
        if self._medications:
            spool.execute("CREATE INDEX medication_index ON medication_name (hash, file)")
        self._refused: list[tuple[Any, ...]] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._used_medications: set[int] = set()
        spool.execute("CREATE TABLE enrolled (person TEXT PRIMARY KEY)")
        self.tally = Tally()

    def run(self) -> None:
        """Settle everything."""
        for batch in self._batches():
            held = held_of(self._store, [person for person, _, _ in batch])
            for person, facts, drafts in batch:
                self._person(person, facts, drafts, held.get(person, Held()))
            self._write()
        self._settle_medications()
        self._spool.refuse(self._refused)
        self._refused.clear()

    # -- persons in order, each with its drafts

    def _batches(self) -> Iterator[list[tuple[str, tuple[Any, ...] | None, list[Draft]]]]:
        batch, drafts = [], 0
        for item in self._persons():
            batch.append(item)
            drafts += 1 + len(item[2])
            if drafts >= DRAFTS_AT_ONCE:
                yield batch
                batch, drafts = [], 0
        if batch:
            yield batch

    def _persons(self) -> Iterator[tuple[str, tuple[Any, ...] | None, list[Draft]]]:
        """(person, facts or None, drafts), both sorted and merged by person."""
        query = (
            "SELECT subject.person, draft.number, draft.file, unit, place, inner, kind, last, medication,"
            " content, record, updated, version FROM draft JOIN subject ON subject.id = draft.subject"
            " ORDER BY 1, 2"
        )
        groups = itertools.groupby(self._spool.rows(query), key=lambda row: row[0])
        facts = self._spool.rows("SELECT * FROM person ORDER BY id")
        known = next(facts, None)
        for person, rows in groups:
            while known is not None and known[0] < person:
                yield known[0], known, []
                known = next(facts, None)
            mine = known if known is not None and known[0] == person else None
            if mine is not None:
                known = next(facts, None)
            yield person, mine, [_draft(row) for row in rows]
        while known is not None:
            yield known[0], known, []
            known = next(facts, None)

    def _person(self, person: str, facts: tuple[Any, ...] | None, drafts: list[Draft], held: Held) -> None:
        stop = Reason.UNRESOLVED_SUBJECT if person == NOBODY else self._refused_persons.get(person)
        if stop is not None:
            for draft in drafts:
                self._refuse(draft, stop)
            if facts is not None:
                self._refuse_patient(facts, stop)
            return
        before = self._enrolled(person)
        current = [draft for draft in drafts if self._counts(draft, person, drafts)]
        current, relative = self._on_one_axis(current, before, exported=facts is not None and bool(facts[12]))
        latest = max((d.last for d in current if d.last is not None), default=None)
        if latest is None and before is None:
            for draft in current:
                self._refuse(draft, _why_undated(draft))
            if facts is not None:
                self._refuse_patient(facts, Reason.NO_EVENTS)
            return
        born = (facts[7], facts[8]) if facts is not None and facts[7] is not None and not relative else None
        if before is not None:
            zero = before.day_zero
        else:
            zero = NO_DATE if relative else date.fromordinal(latest or 1)
        enrolment = self._enrol(person, zero, born)
        self._spool.execute("INSERT INTO enrolled VALUES (?)", (person,))
        clock = Clock(enrolment.day_zero.toordinal(), born or enrolment.born)
        self.tally.patients += 1
        if facts is not None:
            self.tally.used["Patient"] += 1
            self._patient_row(person, facts, enrolment, clock, held)
        self._facts(person, current, clock, held)

    def _on_one_axis(
        self, drafts: list[Draft], before: EnrolmentLike | None, *, exported: bool
    ) -> tuple[list[Draft], bool]:
        """Drafts of the kind of time that the person's axis has, and whether that is relative days.

        A record that was exported gives days from a day 0 that nobody here knows; a calendar date cannot be
        placed beside them, nor they beside dates. The others are refused.
        """
        if before is not None:
            relative = before.day_zero == NO_DATE
        else:
            relative = exported or any(is_relative(o) for draft in drafts for o in _ordinals(draft))
        kept = []
        for draft in drafts:
            if all(is_relative(ordinal) == relative for ordinal in _ordinals(draft)):
                kept.append(draft)
            else:
                self._refuse(draft, Reason.MIXED_TIME)
        return kept, relative

    def _counts(self, draft: Draft, person: str, drafts: Sequence[Draft]) -> bool:
        """Whether a draft is the newest word of its resource; refuses it otherwise."""
        if draft.record is None:
            return True
        reason = self._versions.verdict(draft.record, draft.rank)
        if reason is None and self._versions.is_shared(draft.record):
            newest = max(d.rank for d in drafts if d.record == draft.record)
            reason = Reason.SUPERSEDED if draft.rank < newest else None
        if reason is not None:
            self._refuse(draft, reason)
        return reason is None

    # -- one person's facts

    def _facts(self, person: str, drafts: list[Draft], clock: Clock, held: Held) -> None:
        reread = {draft.record for draft in drafts if draft.record is not None}
        elsewhere = Counter[Any]()
        for resource, said in held.contents.items():
            if resource not in reread:
                elsewhere.update(said)
        seen: set[Any] = set()
        occurrences = Counter[Any]()
        lesions: list[tuple[float, float]] = []
        lost: set[int] = set()
        for draft in drafts:
            if draft.medication is not None and not self._look_up_medication(draft):
                continue
            rows = rows_of(draft.kind, draft.content, clock)
            content = tuple(content_of_row(row) for row in rows)
            recurs = draft.kind == "Observation" and any(value[0] == LESION for value in draft.content[1])
            if recurs:
                site = (draft.place[0], content, str(draft.content[4]))
                occurrences[site] += 1
                key: Any = content, str(draft.content[4]), occurrences[site]
            else:
                key = content
            record = draft.record
            if record is not None and self._versions.is_shared(record):
                record = scoped(record, person)
            known = record in held.ranks and held.ranks[record] == draft.rank
            unchanged = (known or record is None) and contains(held.contents.get(record), content)
            if record is not None and held.ranks.get(record, (0.0, 0)) > draft.rank:
                self._refuse(draft, Reason.SUPERSEDED)
                continue
            if key in seen or (not unchanged and contains(elsewhere, content)):
                if recurs and key not in seen:
                    elsewhere.subtract(content)
                self._refuse(draft, Reason.DUPLICATE)
                continue
            seen.add(key)
            self._use(draft)
            for name, row in rows:
                if not unchanged:
                    self._rows.setdefault(name, []).append((person, *row, record, *draft.rank))
                if row[0] == LESION:
                    if name == "observations":
                        lesions.append((row[2], row[1]))
                    elif name == "intervals":
                        lost.add(int(row[3] // 1))
        self._count_sums(lesions, lost)
        self._apply_site_rules(person, held)

    def _apply_site_rules(self, person: str, held: Held) -> None:
        """Absences by rule; readers see them only where nothing is recorded, now or later."""
        for concept in self._taken_as_absent:
            row = concept, None, SITE_RULE
            if not contains(held.contents.get(None), [("absences", *row)]):
                self._rows.setdefault("absences", []).append((person, *row, None, 0.0, 0))
            self.tally.notes[Note.TAKEN_AS_ABSENT] += 1

    def _use(self, draft: Draft) -> None:
        """Count what a used resource gives; one that gives no value keeps its reason."""
        tally, content = self.tally, draft.content
        if draft.kind != "Observation":
            tally.used[draft.kind] += 1
            tally.events[content[0]] += len(content[1])
            if content[4]:
                tally.notes[Note[content[4].upper()]] += 1
            return
        _, values, intervals, findings, _, reasons, useful, notes = content
        if not useful:
            self._refuse(draft, _telling(reasons))
            return
        tally.used[draft.kind] += 1
        for name, _, from_text, _ in values:
            tally.values[name] += 1
            if from_text:
                tally.notes[Note.UNIT_FROM_TEXT] += 1
        if reasons or intervals or findings or notes:
            tally.parts.update(reasons)
            tally.intervals.update(interval[0] for interval in intervals)
            tally.events.update("conditions" if present else "absences" for _, present in findings)
            tally.notes.update(Note[note.upper()] for note in notes)

    def _count_sums(self, lesions: list[tuple[float, float]], lost: set[int]) -> None:
        sums = sums_of_lesions(lesions, lost)
        if sums:
            self.tally.derived["sum_of_longest_diameters"] += len(sums)
        if lost:
            self.tally.notes[Note.SUM_NOT_DERIVED] += len(lost)

    def _patient_row(
        self, person: str, facts: tuple[Any, ...], enrolment: EnrolmentLike, clock: Clock, held: Held
    ) -> None:
        age, uncertainty = clock.age_at_zero()
        if age is None:
            self.tally.notes[Note.NO_BIRTH_DATE] += 1
        elif uncertainty:
            self.tally.notes[Note.PARTIAL_BIRTH_DATE] += 1
        vital, ordinal, fraction = facts[9:12]
        dated = ordinal is not None and is_relative(ordinal) == (enrolment.day_zero == NO_DATE)
        died = clock.day((ordinal, fraction)) if dated else None
        if vital == "unknown" and held.patient is not None:
            vital, died = held.patient[
                5:7
            ]  # a Patient that does not say whether somebody lives corrects nothing
        row = person, enrolment.study_number, facts[6], age, uncertainty, vital, died
        if row != held.patient:
            self._rows.setdefault("patients", []).append(row)

    def _look_up_medication(self, draft: Draft) -> bool:
        """Put the concept of the Medication that a draft refers to into its content; refuse it if none is."""
        for name in split_names(draft.medication or b"", self._length):
            for where, values in (
                ("hash = ? AND medication_name.file = ?", (name, draft.place[0])),
                ("hash = ?", (name,)),
            ):
                found = (
                    list(
                        self._spool.rows(
                            "SELECT DISTINCT number, concept, reason FROM medication_name JOIN medication"
                            f" USING (number) WHERE {where} LIMIT 2",
                            values,
                        )
                    )
                    if self._medications
                    else []
                )
                if len(found) == 1:
                    number, concept, reason = found[0]
                    if concept is None:
                        self._refuse(draft, Reason[reason.upper()])
                        return False
                    self._used_medications.add(number)
                    draft.content[1] = concept.split()
                    return True
                if found:
                    break
        self._refuse(draft, Reason.UNRESOLVED_MEDICATION)
        return False

    def _settle_medications(self) -> None:
        for *at, concept, reason in self._spool.rows("SELECT * FROM medication ORDER BY number"):
            if at[0] in self._used_medications:
                self.tally.used["Medication"] += 1
            else:
                why = Reason.TYPE_NOT_NEEDED.code if concept is not None else reason
                self._refused.append((*at, "Medication", why))

    # -- rows

    def _write(self) -> None:
        for name, rows in self._rows.items():
            schema = STORED[name]
            columns = [
                pa.array(values, kind.type)
                for values, kind in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            self._writer.write(name, pa.table(columns, schema=schema))
        self._rows.clear()
        self._spool.refuse(self._refused)
        self._refused.clear()

    def _refuse(self, draft: Draft, reason: Reason) -> None:
        self._refused.append((draft.number, *draft.place, draft.kind, reason.code))

    def _refuse_patient(self, facts: tuple[Any, ...], reason: Reason) -> None:
        self._refused.append((*facts[1:6], "Patient", reason.code))


# ---------------------------------------------------------------------------------------------------


def _draft(row: tuple[Any, ...]) -> Draft:
    _, number, file, unit, place, inner, kind, last, medication, content, record, updated, version = row
    return Draft(
        number,
        (file, unit, place, inner),
        kind,
        last,
        medication,
        content_of(content),
        record,
        (updated, version),
    )


def _ordinals(draft: Draft) -> list[int]:
    """Ordinals of the moments of a draft."""
    moments = [draft.content[0]] if draft.kind == "Observation" else draft.content[2:4]
    return [moment[0] for moment in moments if moment is not None]


def _telling(reasons: Sequence[str]) -> Reason:
    """The reason that stands for a whole Observation of which nothing was used."""
    found = [r for r in reasons if r != Reason.UNKNOWN_CODE.code]
    return Reason[(found or list(reasons) or [Reason.UNKNOWN_CODE.code])[0].upper()]


def _why_undated(draft: Draft) -> Reason:
    return _telling(draft.content[5]) if draft.kind == "Observation" else Reason.NO_DATE
