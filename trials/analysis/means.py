"""Means, their differences, and the spread of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from trials.analysis.estimate import NAN, Estimate, critical_value


@dataclass(frozen=True)
class Spread:
    """Location and spread of a sample: number, mean, standard deviation (n - 1), quartiles."""

    n: int
    mean: float
    standard_deviation: float
    lower_quartile: float
    median: float
    upper_quartile: float


def spread(values: ArrayLike) -> Spread:
    """Number, mean, standard deviation and quartiles of the values that are not NaN."""
    known = _known(values)
    if not len(known):
        return Spread(0, NAN, NAN, NAN, NAN, NAN)
    low, middle, high = (float(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else NAN
    return Spread(len(known), float(np.mean(known)), deviation, low, middle, high)


def mean(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of the values that are not NaN, with Student's t interval.

    Args:
        values: shape (patients,), any unit.
        level: confidence level, between 0 and 1.
    """
    known = _known(values)
    if len(known) < 2:
        return Estimate(float(known[0]) if len(known) else NAN, n=len(known))
    error = float(np.std(known, ddof=1) / np.sqrt(len(known)))
    return _student(float(np.mean(known)), error, len(known) - 1, level, len(known))


def difference_of_means(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of ``treated`` less mean of ``control``, two independent samples, Welch's interval.

    Unequal variances; degrees of freedom after Welch and Satterthwaite. NaN values are left out.
    """
    first, second = _known(treated), _known(control)
    n = len(first) + len(second)
    if not len(first) or not len(second):
        return Estimate(NAN, n=n)
    difference = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return Estimate(difference, n=n)
    parts = np.array([np.var(first, ddof=1) / len(first), np.var(second, ddof=1) / len(second)])
    error = float(np.sqrt(parts.sum()))
    if error == 0.0:
        return Estimate(difference, difference, difference, n, 0.0)
    freedom = float(parts.sum() ** 2 / (parts**2 / [len(first) - 1, len(second) - 1]).sum())
    return _student(difference, error, freedom, level, n)


def paired_difference(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of the differences within pairs, with Student's t interval.

    Args:
        treated, control: values of the same patients in the same order, shape (patients,); a pair of which
            one is NaN is left out.
        level: confidence level.
    """
    first, second = np.asarray(treated, float), np.asarray(control, float)
    if first.shape != second.shape:
        raise ValueError("pairs need two samples of the same length")
    return mean(first - second, level)


def _known(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    return array[~np.isnan(array)]


def _student(value: float, error: float, freedom: float, level: float, n: int) -> Estimate:
    critical_value(level)  # refuses a level outside (0, 1)
    half = float(stats.t.ppf(0.5 + level / 2.0, freedom)) * error
    return Estimate(value, value - half, value + half, n, error)
