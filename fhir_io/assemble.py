"""Rows of a patient state, built from allow-listed facts on the relative-day axis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from fhir_io.mapping.times import RELATIVE_ZERO, BirthDate, is_relative
from vht.state import OLDEST_AGE

Row = tuple[str, tuple[Any, ...]]
"""A table's name and the row's values, without the pseudonym and without the version."""


NO_DATE = date.min
"""What the vault keeps as day 0 of a patient whose records give days only: no record has that date."""


class Clock:
    """A patient's own time: relative days, and completed years at each of them.

    Args:
        zero: proleptic Gregorian ordinal of day 0.
        born: first and last ordinal on which the patient may have been born, or None.
    """

    def __init__(self, zero: int, born: tuple[int, int] | None):
        self.zero = zero
        self._born = BirthDate(*(date.fromordinal(o) for o in born)) if born else None
        self._ages: dict[int, int | None] = {}

    def day(self, at: Sequence[Any]) -> float:
        """Days from midnight of day 0 to a moment (ordinal, fraction, half-width)."""
        start = RELATIVE_ZERO if is_relative(at[0]) else self.zero
        return float(at[0] - start + at[1])

    def age(self, ordinal: int) -> int | None:
        """Completed years on a date, 90 for 90 and older; None if unknown or before birth."""
        if ordinal not in self._ages:
            self._ages[ordinal] = self._age(ordinal)[0]
        return self._ages[ordinal]

    def age_at_zero(self) -> tuple[int | None, float]:
        """Completed years at day 0, and the half-width that a partial date of birth leaves."""
        return self._age(self.zero)

    def _age(self, ordinal: int) -> tuple[int | None, float]:
        if self._born is None or is_relative(ordinal) or self._born.latest.toordinal() > ordinal:
            return None, 0.0
        years, uncertainty = self._born.age(date.fromordinal(ordinal))
        return min(max(years, 0), OLDEST_AGE), uncertainty


def rows_of(kind: str, content: Sequence[Any], clock: Clock) -> list[Row]:
    """The rows that one resource gives.

    Args:
        kind: resource type.
        content: as :mod:`fhir_io.extract` writes it.
        clock: of the patient.
    """
    return _observed(content, clock) if kind == "Observation" else _happened(content, clock)


def _observed(content: Sequence[Any], clock: Clock) -> list[Row]:
    at, values, intervals, findings, *_ = content
    day, age = clock.day(at), clock.age(at[0])
    rows: list[Row] = [
        ("observations", (quantity, value, day + after, "recorded", age))
        for quantity, value, _, after in values
    ]
    rows += [
        ("intervals", (quantity, low, high, day + after, age)) for quantity, low, high, after in intervals
    ]
    for concept, present in findings:
        if present:
            rows.append(("conditions", (concept, day, None, 0.0, age)))
        else:
            rows.append(("absences", (concept, day, "recorded")))
    return rows


def _happened(content: Sequence[Any], clock: Clock) -> list[Row]:
    table, concepts, start, end, _ = content
    first = clock.day(start) if start else None
    if table == "absences":
        return [(table, (concept, first, "recorded")) for concept in concepts]
    last = clock.day(end) if end else None
    uncertainty = float(start[2]) if start else 0.0
    age = clock.age(start[0]) if start and not uncertainty else None
    return [(table, (concept, first, last, uncertainty, age)) for concept in concepts]
