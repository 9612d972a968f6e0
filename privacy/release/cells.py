"""Tables of counts with their margins, one after the other, from the same people or from others.

A cell is what it says of a person: ``(("arm", "a"), ("sex", "female"))``; the total is ``()``. The same
cell in two tables is one cell, so that it is suppressed in both or in none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from privacy.release.bounds import MOST_UNKNOWN, Interval, Key, Relation, bounds, protect, relation
from privacy.release.errors import ReleaseError
from privacy.release.policy import Policy, canonical

SCHEMA = "vht-counts/1"
MISSING = "(missing)"
Cell = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CountTable:
    """Counts of people by one or more axes, with all margins.

    Attributes:
        name: of the table.
        axes: by name, the values of an axis.
        cells: every cell and margin.
        people: digest of who was counted; tables of the same people can be set against each other exactly.
    """

    name: str
    axes: Mapping[str, tuple[str, ...]]
    cells: Mapping[Cell, int]
    people: str


@dataclass(frozen=True)
class ReleasedCounts:
    """A table of counts, None where a cell is suppressed.

    ``people`` and ``total`` stay with the ledger; :meth:`public` is what leaves.
    """

    name: str
    axes: Mapping[str, tuple[str, ...]]
    cells: Mapping[Cell, int | None]
    people: str
    total: int

    def public(self) -> dict[str, Any]:
        """JSON-ready: every cell with what it counts; small ones and those that guard them are null."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "axes": {axis: list(values) for axis, values in self.axes.items()},
            "cells": [{"of": dict(cell), "count": count} for cell, count in self.cells.items()],
        }

    def content(self) -> dict[str, Any]:
        """What the ledger keeps of it: also who was counted, and how many, which may be suppressed."""
        return {**self.public(), "people": self.people, "total": self.total}


def count_table(name: str, people: pd.DataFrame, axes: Sequence[str], identity: str) -> CountTable:
    """Count people.

    Args:
        name: of the table.
        people: one row a person.
        axes: columns to count by; a missing value is counted as ``(missing)``.
        identity: column that tells who the people are; only a digest of all of them is kept.

    Raises:
        ReleaseError: a column is missing, or a person stands in two rows.
    """
    absent = [column for column in (*axes, identity) if column not in people]
    if absent:
        raise ReleaseError(f"table '{name}': there are no columns {', '.join(absent)}")
    if people[identity].duplicated().any() or people[identity].isna().any():
        raise ReleaseError(f"table '{name}': column '{identity}' must name each person once")
    words = {axis: people[axis].map(str).where(people[axis].notna(), MISSING) for axis in axes}
    values = {axis: tuple(sorted(set(words[axis]))) for axis in axes}
    if np.prod([float(len(v)) for v in values.values()]) > MOST_UNKNOWN:
        raise ReleaseError(f"table '{name}' has more than {MOST_UNKNOWN} cells; count by fewer axes")
    cells: dict[Cell, int] = {}
    frame = pd.DataFrame(words, index=people.index)
    for width in range(len(axes) + 1):
        for chosen in combinations(sorted(axes), width):
            counted = frame.groupby(list(chosen)).size().to_dict() if chosen else {}
            for combination in product(*(values[axis] for axis in chosen)):
                key = combination if len(combination) != 1 else combination[0]
                found = counted.get(key, counted.get(combination, 0)) if chosen else len(people)
                cells[tuple(zip(chosen, combination, strict=True))] = int(found)
    listed = canonical(sorted(str(each) for each in people[identity]))
    return CountTable(name, values, cells, hashlib.sha256(listed).hexdigest())


def release_counts(
    tables: Iterable[CountTable], policy: Policy, earlier: Iterable[ReleasedCounts] = ()
) -> list[ReleasedCounts]:
    """Release tables of counts together, beside what was released before.

    Small cells are suppressed; others go with them until no suppressed cell has bounds closer than the
    policy's protection interval, all margins, tables and earlier releases of the same people taken
    together. A cell that an earlier release of other people shows, and which differs from it by a small
    number, is suppressed too: the difference is a count of those who joined or left.

    Raises:
        ReleaseError: a table of nearly the same people was released before (fewer than the smallest cell
            joined or left), or earlier releases tell a cell that must be kept back.
    """
    tables, before = list(tables), list(earlier)
    if policy.label == "simulated":
        return [ReleasedCounts(t.name, t.axes, t.cells, t.people, t.cells[()]) for t in tables]
    done: list[ReleasedCounts] = []
    for people in dict.fromkeys(table.people for table in tables):
        group = [table for table in tables if table.people == people]
        counts = {cell: count for table in group for cell, count in table.cells.items()}
        others = [r for r in (*before, *done) if r.people != people]
        _refuse_small_change(counts, group, others, policy)
        same = [r for r in before if r.people == people]
        fixed: dict[Key, int | None] = {}
        for released in same:
            for cell, count in released.cells.items():
                fixed[cell] = count if fixed.get(cell) is None else fixed[cell]
        shown = protect(
            counts,
            margins([*group, *same]),
            policy,
            fixed=fixed,
            rank=lambda cell: -len(cell),  # margins and the total are what a reader needs most
            also=_small_differences(counts, others, policy) - set(fixed),
        )
        for table in group:
            done.append(
                ReleasedCounts(
                    table.name,
                    table.axes,
                    {c: shown[c] for c in table.cells},
                    table.people,
                    table.cells[()],
                )
            )
    order = {id_: i for i, id_ in enumerate((t.people, t.name) for t in tables)}
    return sorted(done, key=lambda r: order[r.people, r.name])


def _refuse_small_change(
    counts: Mapping[Cell, int], group: Sequence[CountTable], others: Sequence[ReleasedCounts], policy: Policy
) -> None:
    for released in others:
        shared = any(set(table.axes) & set(released.axes) for table in group)
        if shared and abs(counts[()] - released.total) < policy.smallest_cell:
            raise ReleaseError(
                f"table '{group[0].name}' counts nearly the people of '{released.name}', released before: "
                f"fewer than {policy.smallest_cell} more or less would be told by the difference. "
                "Release it when more have joined, or refer to the earlier table"
            )


def _small_differences(
    counts: Mapping[Cell, int], others: Sequence[ReleasedCounts], policy: Policy
) -> set[Cell]:
    found = set()
    for released in others:
        for cell, count in released.cells.items():
            if count is not None and cell in counts and 0 < abs(counts[cell] - count) < policy.smallest_cell:
                found.add(cell)
    return found


def margins(tables: Iterable[CountTable | ReleasedCounts]) -> list[Relation]:
    """Every cell as the sum of the finest cells, over the axes of all tables that hang together."""
    tables = list(tables)
    groups: list[dict[str, tuple[str, ...]]] = []
    for table in tables:
        merged = {axis: tuple(values) for axis, values in table.axes.items()}
        apart = []
        for group in groups:
            if set(group) & set(merged):
                for axis, values in group.items():
                    merged[axis] = tuple(sorted(set(merged.get(axis, ())) | set(values)))
            else:
                apart.append(group)
        groups = [*apart, merged]
    relations = []
    for axes in groups:
        names = sorted(axes)
        if np.prod([float(len(axes[name])) for name in names]) > MOST_UNKNOWN:
            raise ReleaseError(
                f"tables that share axes span more than {MOST_UNKNOWN} cells; release fewer axes together"
            )
        finest = [tuple(zip(names, each, strict=True)) for each in product(*(axes[name] for name in names))]
        wanted = dict.fromkeys(
            cell for table in tables if set(table.axes) <= set(names) for cell in table.cells
        )
        for cell in wanted:
            parts = [fine for fine in finest if set(cell) <= set(fine)]
            if parts != [cell]:
                relations.append(relation(cell, parts))
    return relations


def attack(releases: Iterable[ReleasedCounts]) -> dict[str, dict[Cell, Interval]]:
    """What whoever has all releases knows of every suppressed cell, by the people counted."""
    releases = list(releases)
    found = {}
    for people in dict.fromkeys(r.people for r in releases):
        group = [r for r in releases if r.people == people]
        published: dict[Key, int | None] = {}
        for released in group:
            for cell, count in released.cells.items():
                published[cell] = count if published.get(cell) is None else published[cell]
        found[people] = bounds(published, margins(group))
    return found  # type: ignore[return-value]
