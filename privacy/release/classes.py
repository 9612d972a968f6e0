"""Rows that cannot be told apart, as integers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np


def class_of_rows(columns: Sequence[np.ndarray], rows: int) -> tuple[np.ndarray, int]:
    """Number the combinations of values.

    Args:
        columns: codes, each of shape (rows,), integers from -1 on; -1 (missing) is a value as any other.
        rows: number of rows, also where there is no column.

    Returns:
        The class of every row, shape (rows,), and the number of classes, in the order of the codes.
    """
    combined, count = np.zeros(rows, np.int64), 1 if rows else 0
    for codes in columns:
        width = int(codes.max(initial=-1)) + 2
        combined, count = _dense(combined * width + (codes + 1), max(count, 1) * width)
    return combined, count


def _dense(codes: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    if most <= 4 * len(codes) + 1024:  # counting is faster than sorting while the codes are few
        used = np.bincount(codes, minlength=most) > 0
        return (np.cumsum(used) - 1)[codes], int(used.sum())
    distinct, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64).reshape(-1), len(distinct)


def sizes(classes: np.ndarray, count: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Rows of each class, shape (classes,)."""
    if weights is None:
        return np.bincount(classes, minlength=count)
    return np.bincount(classes, weights, minlength=count).astype(np.int64)


def sizes_with_wildcards(columns: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """Rows that each row could be taken for if a missing value may stand for any value, shape (rows,).

    Two rows agree if they agree in every column that neither lacks. Patterns of missing values are compared
    pairwise, so that the work grows with the rows and the square of the number of patterns.
    """
    classes, count = class_of_rows(columns, rows)
    first = np.full(count, rows)
    np.minimum.at(first, classes, np.arange(rows))
    weight = sizes(classes, count)
    table = np.array([codes[first] for codes in columns], np.int64).reshape(len(columns), count)
    pattern, patterns = class_of_rows(list((table < 0).astype(np.int64)), count)
    found = np.zeros(count, np.int64)
    for one, other in combinations_with_replacement(range(patterns), 2):
        members = np.flatnonzero((pattern == one) | (pattern == other))
        shared = [codes[members] for codes in table if not (codes[members] < 0).any()]
        joint, joints = class_of_rows(shared, len(members))
        of_one, of_other = pattern[members] == one, pattern[members] == other
        totals = [sizes(joint[of], joints, weight[members[of]]) for of in (of_one, of_other)]
        found[members[of_one]] += totals[1][joint[of_one]]
        if one != other:
            found[members[of_other]] += totals[0][joint[of_other]]
    return found[classes]
