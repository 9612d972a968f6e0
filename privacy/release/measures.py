"""How well rows hide: k-anonymity, l-diversity, t-closeness and delta-presence, class by class.

Sources: Sweeney 2002 (k-anonymity), Machanavajjhala et al. 2006 (l-diversity), Li, Li and
Venkatasubramanian 2007 (t-closeness), Nergiz, Atzori and Clifton 2007 (delta-presence).
All functions take integers (``privacy.release.classes``) and are vectorised over rows.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-12
"""Rounding of sums of shares; a limit that is met exactly is met."""


def _pairs(
    classes: np.ndarray, values: np.ndarray, value_count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, value and number of rows of each combination that occurs, sorted by both."""
    keys, counts = np.unique(classes * max(value_count, 1) + values, return_counts=True)
    return keys // max(value_count, 1), keys % max(value_count, 1), counts


def distinct_diversity(classes: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    """Distinct values of each class, shape (classes,). A missing value (-1) is no value."""
    known = values >= 0
    of, _, _ = _pairs(classes[known], values[known], int(values.max(initial=0)) + 1)
    return np.bincount(of, minlength=count)


def entropy_diversity(classes: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    """Effective values of each class, exp of Shannon's entropy, shape (classes,).

    Missing values are counted both ways, as a value and not at all; the smaller figure is given. A class
    without a known value has 0.
    """
    known = values >= 0
    without = _effective(classes[known], count, values[known])
    return np.minimum(without, _effective(classes, count, values + 1))


def _effective(classes: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    of, _, rows = _pairs(classes, values, int(values.max(initial=0)) + 1)
    total = np.bincount(classes, minlength=count)
    share = rows / total[of]
    entropy = np.bincount(of, -share * np.log(share), minlength=count)
    return np.where(total > 0, np.exp(entropy), 0.0)


def equal_distance(classes: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    """Distance of each class from all rows where all values are equally far apart, shape (classes,).

    Half the sum of the differences of shares, between 0 and 1. A missing value is a value.
    """
    values = values + 1
    size = int(values.max(initial=0)) + 1
    of, value, rows = _pairs(classes, values, size)
    overall = np.bincount(values, minlength=size) / max(len(values), 1)
    above = np.maximum(rows / np.bincount(classes, minlength=count)[of] - overall[value], 0.0)
    return np.bincount(of, above, minlength=count)


def ordered_distance(
    classes: np.ndarray, count: int, values: np.ndarray, points: np.ndarray | None = None
) -> np.ndarray:
    """Earth mover's distance of each class from all rows, for values with an order, shape (classes,).

    Args:
        classes: shape (rows,).
        count: number of classes.
        values: shape (rows,), index into the sorted distinct values, -1 for missing.
        points: shape (distinct values,), where the values lie; the distance of two is then their difference
            over the range. None: their difference in rank over the greatest one.

    Missing values have no place in the order: the distance is that of the known values, or the difference in
    the share of missing values if that is larger.
    """
    known = values >= 0
    total = np.bincount(classes, minlength=count)
    missing = 1.0 - np.bincount(classes[known], minlength=count) / np.maximum(total, 1)
    overall_missing = 1.0 - known.mean() if len(known) else 0.0
    of_missing = np.where(total > 0, np.abs(missing - overall_missing), 0.0)
    used, ranks = np.unique(values[known], return_inverse=True)
    if len(used) < 2:
        return of_missing
    places = np.arange(len(used), dtype=float) if points is None else np.asarray(points, float)[used]
    steps = np.diff(places) / (places[-1] - places[0])
    found = _moved_earth(classes[known], count, ranks.reshape(-1), steps)
    return np.maximum(found, of_missing)


def _moved_earth(classes: np.ndarray, count: int, ranks: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Sum over the steps of the difference of the two cumulative distributions.

    That of a class is constant between its own values, and that of all rows rises, so that their difference
    changes sign once in between: each stretch is two differences of prefix sums, and no matrix of classes by
    values is needed.
    """
    overall = np.cumsum(np.bincount(ranks))[:-1] / len(ranks)
    weight = np.append(0.0, np.cumsum(steps))
    earth = np.append(0.0, np.cumsum(steps * overall))
    of, value, rows = _pairs(classes, ranks, len(steps) + 1)
    totals = np.bincount(classes, minlength=count)
    first = np.append(True, of[1:] != of[:-1])
    running = np.cumsum(rows)
    before = np.maximum.accumulate(np.where(first, running - rows, 0))
    level = (running - before) / totals[of]
    end = np.where(np.append(of[1:] != of[:-1], True), len(steps), np.append(value[1:], 0))
    stretches = [
        (of, level, value, end),
        (of[first], np.zeros(int(first.sum())), 0 * value[first], value[first]),
    ]
    found = np.zeros(count)
    for which, height, start, stop in stretches:
        turn = np.clip(np.searchsorted(overall, height), start, stop)
        below = height * (weight[turn] - weight[start]) - (earth[turn] - earth[start])
        above = (earth[stop] - earth[turn]) - height * (weight[stop] - weight[turn])
        found += np.bincount(which, np.maximum(below + above, 0.0), minlength=count)
    return np.minimum(found, 1.0)


def presence(sizes: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Share of the people of each class of the population who are in the table, shape (classes,).

    Args:
        sizes: rows of the table by class.
        population: people of the population by class. A class of the table without people has infinity:
            the population that was named is not that of the table.
    """
    found = np.full(len(sizes), np.inf)
    np.divide(sizes, population, out=found, where=population > 0)
    return np.where((population == 0) & (sizes == 0), 0.0, found)


def at_most(values: np.ndarray, limit: float) -> np.ndarray:
    """Whether values keep an upper limit, rounding aside."""
    return values <= limit + _TOLERANCE


def at_least(values: np.ndarray, limit: float) -> np.ndarray:
    """Whether values keep a lower limit, rounding aside."""
    return values >= limit - _TOLERANCE
