"""What an import read, what it used and why the rest was not used.

Every resource that is read has one outcome; the report counts them. So what was read is what was used
plus what was not used.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fhir_io.read import Place
from fhir_io.reasons import Note, Reason

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Unused:
    """A resource that was not used: its type, its place and why."""

    kind: str
    place: Place
    reason: Reason


def place_of(file: int, files: int, unit: str, number: int, inner: int) -> Place:
    """A place from what is kept of it."""
    return Place(file, files, unit, number, inner)


@dataclass(frozen=True)
class ImportReport:
    """The account of one import. It holds counts and places; no value, identifier or file name.

    Attributes:
        read: resources read.
        used_by_type, not_used_by_type: counts by resource type, the latter by (type, reason).
        unused: resources not used, save those of types that are not needed; at most the first 10,000,
            the store's quarantine has them all.
        parts_not_used: components of used Observations that were not used, by reason.
        notes: what is worth knowing about resources that were used.
        values: values kept, by quantity; intervals: bounds and ranges kept, by quantity; derived: values
            derived, by quantity.
        events: events and recorded absences kept, by table.
        patients: patients whose states were made; rows_added: rows new to the store.
        retracted: resources of which the store held, or may yet get, values that are not shown any more.
        deletions: resources that the source says were deleted.
        files: files read; files_ignored: files beside them that hold no FHIR records.
        versions: files by FHIR version; R4 stands for R4B too.
        tables: digest of the tables of codes in use.
    """

    read: int
    used_by_type: dict[str, int]
    not_used_by_type: dict[tuple[str, Reason], int]
    unused: list[Unused] = field(repr=False)
    parts_not_used: dict[Reason, int]
    notes: dict[Note, int]
    values: dict[str, int]
    intervals: dict[str, int]
    derived: dict[str, int]
    events: dict[str, int]
    patients: int
    rows_added: int
    retracted: int
    deletions: int
    files: int
    files_ignored: int
    versions: dict[str, int]
    tables: str

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

    def table(self) -> pd.DataFrame:
        """The account as a table that adds up: what was read is the sum of the rows below it.

        Returns:
            Numbers of resources. Rows: ``read``, ``used``, and every reason for which some were not used,
            the most frequent first. Columns: resource types, the most frequent first, and ``all``.
            ``fhir_io.Reason[row.upper()].value`` is a reason's sentence.
        """
        import pandas as pd

        reasons = self.by_reason()
        kinds = Counter(self.used_by_type)
        for (kind, _), count in self.not_used_by_type.items():
            kinds[kind] += count
        columns = [kind for kind, _ in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))]
        rows = {"used": [self.used_by_type.get(kind, 0) for kind in columns]}
        for reason in reasons:
            rows[reason.code] = [self.not_used_by_type.get((kind, reason), 0) for kind in columns]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype="int64")
        table.loc["read"] = table.sum()
        table = table.loc[["read", *rows]]
        table["all"] = table.sum(axis=1)
        table.index.name, table.columns.name = "resources", "type"
        return table

    def plot(self) -> Figure:
        """The account as a picture: what was used of each type, and why the rest was not.

        Raises:
            ValueError: nothing was read.
        """
        from fhir_io.plots import plot_report

        return plot_report(self)

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
            "retracted": self.retracted,
            "deletions": self.deletions,
            "versions": self.versions,
            "code_tables": self.tables,
            "used_by_type": self.used_by_type,
            "not_used_by_type": not_used,
            "parts_not_used": {r.code: n for r, n in sorted(self.parts_not_used.items(), key=_name)},
            "notes": {n.code: c for n, c in sorted(self.notes.items(), key=_name)},
            "values": self.values,
            "intervals": self.intervals,
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
            "files by FHIR version: " + ", ".join(f"{v} {n}" for v, n in self.versions.items()),
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
        lines += _section("bounds and ranges kept", self.intervals)
        lines += _section("values derived", self.derived)
        lines += _section("events kept", self.events)
        lines += _section("parts of used resources, not used", _named(self.parts_not_used))
        lines += _section("notes", {n.value: c for n, c in self.notes.items()})
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = (
            f"<p>{self.patients:,} patients from {self.files:,} files. Read {self.read:,} resources = "
            f"used {self.used:,} + not used {self.not_used:,}.</p>"
        )
        return head + str(self.table().to_html())

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
