"""What the store holds of the patients of an import: newest versions, and what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_io.corrections import Rank
from vht.store import Store
from vht.tables import FACTS, TABLES

_AGE = {
    name: TABLES[name].names.index("age_years") - 1 for name in FACTS if "age_years" in TABLES[name].names
}


@dataclass(slots=True)
class Held:
    """What the store holds of one person: newest versions, their content, and the person's own row."""

    ranks: dict[bytes, Rank] = field(default_factory=dict)
    contents: dict[bytes | None, Counter[Any]] = field(default_factory=dict)
    patient: tuple[Any, ...] | None = None


def held_of(store: Store, persons: Sequence[str]) -> dict[str, Held]:
    """What the store holds of some persons; who is not in it has no entry."""
    held: dict[str, Held] = {}
    if not store.exists():
        return held
    for row in store.rows_of("patients", persons).sort_by("shard").to_pylist():
        row.pop("shard")
        held.setdefault(row["pseudonym"], Held()).patient = tuple(row.values())
    best: dict[bytes, tuple[float, int, int]] = {}
    tables = {name: store.rows_of(name, persons) for name in FACTS}
    for table in tables.values():
        columns = (table.column(c).to_pylist() for c in ("record", "updated", "version", "shard"))
        for record, *rank in zip(*columns, strict=True):
            if record is not None:
                best[record] = max(best.get(record, (0.0, 0, 0)), tuple(rank))
    for name, table in tables.items():
        width = len(TABLES[name].names)
        for values in zip(*(table.column(c).to_pylist() for c in table.column_names), strict=True):
            record, *rank = values[width:]
            if record is not None and tuple(rank) != best[record]:
                continue
            mine = held.setdefault(values[0], Held())
            mine.contents.setdefault(record, Counter())[content_of_row((name, values[1:width]))] += 1
            if record is not None:
                mine.ranks[record] = best[record][:2]
    return held


def content_of_row(row: tuple[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    """What makes two rows say the same; the age follows from the day."""
    name, values = row
    place = _AGE.get(name)
    return name, *(values if place is None else values[:place] + values[place + 1 :])


def contains(held: Counter[Any] | None, content: Sequence[Any]) -> bool:
    """Whether every row of a resource is among those that are held."""
    return held is not None and all(held[row] > 0 for row in content)
