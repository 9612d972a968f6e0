"""Values made coarser, level by level.

Level 0 is the value; the last level is ``*`` for everything. Levels are nested: two values that share a group
share all later groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from privacy.release.errors import ReleaseError
from privacy.release.policy import Bands, Column, Prefixes, Values, levels

ANYTHING = "*"
MISSING = -1
"""Code of a missing value; at the last level it is ``*`` as all others."""


@dataclass(frozen=True)
class Coded:
    """A column as integers.

    Attributes:
        codes: shape (rows,), index into the distinct values; -1 for a missing value.
        leaves: the distinct values, sorted.
        groups: by level, shape (distinct values,), the group of each value.
        labels: by level, the words of the groups.
        loss: by level, shape (distinct values,), share of the other distinct values that a value can no
            longer be told from: 0 for the value itself, 1 for ``*``.
    """

    codes: np.ndarray
    leaves: tuple[Any, ...]
    groups: tuple[np.ndarray, ...]
    labels: tuple[tuple[Any, ...], ...]
    loss: tuple[np.ndarray, ...]

    def at(self, level: int) -> np.ndarray:
        """Group of every row, shape (rows,); -1 where the value is missing, save at the last level."""
        if level == len(self.groups) - 1:
            return np.zeros(len(self.codes), np.int64)
        return np.append(self.groups[level], MISSING)[self.codes]

    def loss_at(self, level: int) -> np.ndarray:
        """Loss of every row, shape (rows,). A missing value loses nothing before the last level."""
        last = 1.0 if level == len(self.groups) - 1 else 0.0
        return np.append(self.loss[level], last)[self.codes]

    def words_at(self, level: int) -> pd.Series:
        """What leaves, shape (rows,)."""
        if level == len(self.groups) - 1:
            return pd.Series([ANYTHING] * len(self.codes), dtype=object)
        words = np.empty(len(self.labels[level]) + 1, dtype=object)
        words[:-1], words[-1] = self.labels[level], None
        return pd.Series(words[self.at(level)], dtype=object)


def code_column(values: pd.Series, column: Column, name: str) -> Coded:
    """Code a column and all levels of its hierarchy.

    Args:
        values: shape (rows,).
        column: what the policy says of it.
        name: for messages.

    Raises:
        ReleaseError: a value has no place in the hierarchy; names the row, never the value.
    """
    codes, found = pd.factorize(_plain(values), sort=True, use_na_sentinel=True)
    leaves = tuple(found)
    first_rows = _first_rows(codes, len(leaves))
    groups, labels = [np.arange(len(leaves))], [leaves]
    current: list[Any] = list(leaves)
    for level in range(1, levels(column.hierarchy)):
        current = [
            _group(leaf, now, column.hierarchy, level, name, row)
            for leaf, now, row in zip(leaves, current, first_rows, strict=True)
        ]
        group, words = pd.factorize(np.array(current, dtype=object))
        groups.append(group.astype(np.int64))
        labels.append(tuple(words))
    groups.append(np.zeros(len(leaves), np.int64))
    labels.append((ANYTHING,))
    loss = []
    for group in groups:
        size = np.bincount(group)[group] if len(leaves) else np.zeros(0)
        loss.append((size - 1) / max(len(leaves) - 1, 1))
    # with one distinct value nothing is lost by telling it, and all by not telling it
    loss[-1] = np.ones(len(leaves))
    return Coded(codes.astype(np.int64), leaves, tuple(groups), tuple(labels), tuple(loss))


def _plain(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if values.dtype == object:
        kinds = {type(value) for value in values.dropna()}
        if len(kinds) > 1:
            return values.where(values.isna(), values.astype(str))
    return values


def _first_rows(codes: np.ndarray, count: int) -> np.ndarray:
    rows = np.zeros(count, np.int64)
    known = np.flatnonzero(codes >= 0)[::-1]
    rows[codes[known]] = known
    return rows


def _group(leaf: Any, now: Any, hierarchy: Any, level: int, name: str, row: int) -> Any:
    place = f"column '{name}', row {row + 1}"
    match hierarchy:
        case Bands():
            try:
                number = float(leaf)
            except (TypeError, ValueError):
                number = np.nan
            if not np.isfinite(number):
                raise ReleaseError(f"{place}: bands need numbers; declare the column otherwise") from None
            return band(number, hierarchy.bands[level - 1])
        case Prefixes():
            return str(leaf)[: hierarchy.prefixes[level - 1]] + ANYTHING
        case Values():
            if str(now) not in hierarchy.values[level - 1]:
                raise ReleaseError(f"{place}: the value has no group at level {level}; add it to the policy")
            return hierarchy.values[level - 1][str(now)]
    raise AssertionError("a column without hierarchy has no level between the value and '*'")


def band(value: float, edges: tuple[float, ...]) -> str:
    """The band of a number: ``below 18``, ``18 to below 40``, ``90 and above``."""
    index = int(np.searchsorted(edges, value, side="right"))
    if index == 0:
        return f"below {edges[0]:g}"
    if index == len(edges):
        return f"{edges[-1]:g} and above"
    return f"{edges[index - 1]:g} to below {edges[index]:g}"
