"""What an import read, what it used and why the rest was not used.

The ledger gives each resource that is read one slot, and a slot holds one outcome; the report counts
the slots. So what was read is what was used plus what was not used.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fhir_io.read import Place
from fhir_io.reasons import Note, Reason


@dataclass(slots=True)
class _Slot:
    kind: str
    place: Place
    reason: Reason | None = None
    settled: bool = False


class Ledger:
    """One slot for each resource read; settled once, as used or with a reason."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self.parts: Counter[Reason] = Counter()
        self.notes: Counter[Note] = Counter()

    def open(self, kind: str, place: Place) -> int:
        """Enter a resource that was read; its number."""
        self._slots.append(_Slot(kind, place))
        return len(self._slots) - 1

    def use(self, number: int) -> None:
        """At least one value of the resource entered a state."""
        self._settle(number, None)

    def refuse(self, number: int, reason: Reason) -> None:
        """Nothing of the resource entered a state."""
        self._settle(number, reason)

    def is_open(self, number: int) -> bool:
        return not self._slots[number].settled

    def _settle(self, number: int, reason: Reason | None) -> None:
        slot = self._slots[number]
        if slot.settled:
            raise RuntimeError(f"{slot.place}: this {slot.kind} was settled twice")
        slot.reason, slot.settled = reason, True

    def report(self, **facts: Any) -> ImportReport:
        """The report; every slot must be settled."""
        for slot in self._slots:
            if not slot.settled:
                raise RuntimeError(f"{slot.place}: this {slot.kind} was neither used nor refused")
        used = Counter(s.kind for s in self._slots if s.reason is None)
        not_used = Counter((s.kind, s.reason) for s in self._slots if s.reason is not None)
        unused = [Unused(s.kind, s.place, s.reason) for s in self._slots if s.reason is not None]
        return ImportReport(
            read=len(self._slots),
            used_by_type=dict(sorted(used.items())),
            not_used_by_type=dict(sorted(not_used.items(), key=lambda item: (item[0][0], item[0][1].name))),
            unused=[u for u in unused if u.reason is not Reason.TYPE_NOT_NEEDED],
            parts_not_used=dict(self.parts),
            notes=dict(self.notes),
            **facts,
        )


@dataclass(frozen=True, slots=True)
class Unused:
    """A resource that was not used: its type, its place and why."""

    kind: str
    place: Place
    reason: Reason


@dataclass(frozen=True)
class ImportReport:
    """The account of one import. It holds counts and places; no value, identifier or file name.

    Attributes:
        read: resources read.
        used_by_type, not_used_by_type: counts by resource type, the latter by (type, reason).
        unused: each resource not used, save those of types that are not needed.
        parts_not_used: components of used Observations that were not used, by reason.
        notes: what is worth knowing about resources that were used.
        values: values kept, by quantity; derived: values derived, by quantity.
        events: events kept, by table.
        patients: patients whose states were made; rows_added: rows new to the store.
        files: files read; files_ignored: files beside them that hold no FHIR records.
    """

    read: int
    used_by_type: dict[str, int]
    not_used_by_type: dict[tuple[str, Reason], int]
    unused: list[Unused] = field(repr=False)
    parts_not_used: dict[Reason, int]
    notes: dict[Note, int]
    values: dict[str, int]
    derived: dict[str, int]
    events: dict[str, int]
    patients: int
    rows_added: int
    files: int
    files_ignored: int

    @property
    def used(self) -> int:
        """Resources of which at least one value entered a state."""
        return sum(self.used_by_type.values())

    @property
    def not_used(self) -> int:
        """Resources of which nothing entered a state."""
        return sum(self.not_used_by_type.values())

    def by_reason(self) -> dict[Reason, int]:
        """Resources not used, by reason, most frequent first."""
        counts: Counter[Reason] = Counter()
        for (_, reason), count in self.not_used_by_type.items():
            counts[reason] += count
        return dict(counts.most_common())

    def to_json(self) -> str:
        """The whole report as JSON."""
        not_used: dict[str, dict[str, int]] = {}
        for (kind, reason), count in self.not_used_by_type.items():
            not_used.setdefault(kind, {})[reason.code] = count
        document = {
            "read": self.read,
            "used": self.used,
            "not_used": self.not_used,
            "files": self.files,
            "files_ignored": self.files_ignored,
            "patients": self.patients,
            "rows_added": self.rows_added,
            "used_by_type": self.used_by_type,
            "not_used_by_type": not_used,
            "parts_not_used": {r.code: n for r, n in sorted(self.parts_not_used.items(), key=_name)},
            "notes": {n.code: c for n, c in sorted(self.notes.items(), key=_name)},
            "values": self.values,
            "derived": self.derived,
            "events": self.events,
            "reasons": {r.code: r.value for r in sorted(self._reasons(), key=lambda r: r.name)},
            "unused": [{"type": u.kind, "place": str(u.place), "reason": u.reason.code} for u in self.unused],
        }
        return json.dumps(document, indent=1)

    def summary(self) -> str:
        """The report as a table for people."""
        lines = [
            f"{self.patients} patients from {self.files} files"
            + (f" ({self.files_ignored} other files ignored)" if self.files_ignored else ""),
            f"read {self.read:,} resources = used {self.used:,} + not used {self.not_used:,}",
            "",
            f"{'used':<58}{'resources':>10}",
            *(f"  {kind:<56}{count:>10,}" for kind, count in self.used_by_type.items()),
            "",
            f"{'not used':<58}{'resources':>10}",
        ]
        for reason, total in self.by_reason().items():
            lines.append(f"  {reason.code:<56}{total:>10,}")
            lines.append(f"    {reason.value}")
        lines += _section("values kept", self.values)
        lines += _section("values derived", self.derived)
        lines += _section("events kept", self.events)
        lines += _section("parts of used resources, not used", _named(self.parts_not_used))
        lines += _section("notes", {n.value: c for n, c in self.notes.items()})
        return "\n".join(lines)

    def _reasons(self) -> set[Reason]:
        return {reason for _, reason in self.not_used_by_type} | set(self.parts_not_used)

    def __str__(self) -> str:
        return self.summary()


def _name(item: tuple[Reason | Note, int]) -> str:
    return item[0].name


def _named(counts: dict[Reason, int]) -> dict[str, int]:
    return {reason.code: count for reason, count in counts.items()}


def _section(title: str, counts: dict[str, int]) -> list[str]:
    if not counts:
        return []
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ["", f"{title:<58}{'count':>10}", *(f"  {name:<56}{count:>10,}" for name, count in rows)]
