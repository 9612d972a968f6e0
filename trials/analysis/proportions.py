"""Proportions and their differences, with score-based intervals that hold for small numbers.

Sources:
    Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc
    1927;22:209-212.
    Newcombe RG. Interval estimation for the difference between independent proportions: comparison of eleven
    methods. Stat Med 1998;17:873-890 (method 10).
    Newcombe RG. Improved confidence intervals for the difference between binomial proportions based on paired
    data. Stat Med 1998;17:2635-2650 (method 10).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from trials.analysis.estimate import NAN, Estimate, critical_value


def proportion(successes: int, n: int, level: float = 0.95) -> Estimate:
    """A proportion with Wilson's score interval, without continuity correction.

    Raises:
        ValueError: ``successes`` is not between 0 and ``n``.
    """
    if not 0 <= successes <= n:
        raise ValueError("the number of successes lies between 0 and the number of patients")
    z = critical_value(level)
    if n == 0:
        return Estimate(NAN)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # at 0 and n the limit is exactly 0 or 1; the sum above misses it by rounding
    lower = 0.0 if successes == 0 else centre - half
    upper = 1.0 if successes == n else centre + half
    return Estimate(share, lower, upper, n)


def risk_difference(
    treated_successes: int, treated_n: int, control_successes: int, control_n: int, level: float = 0.95
) -> Estimate:
    """Difference of two independent proportions (treated less control), Newcombe's interval."""
    first = proportion(treated_successes, treated_n, level)
    second = proportion(control_successes, control_n, level)
    return _square_and_add(first, second, 0.0, treated_n + control_n)


def paired_risk_difference(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> Estimate:
    """Difference of two proportions in the same patients (treated less control), Newcombe's interval.

    Args:
        treated, control: 1 or True for success, 0 or False for none, NaN for not known, in the same order of
            patients, shape (patients,); a pair of which one is NaN is left out.
        level: confidence level.
    """
    first, second = np.asarray(treated, float), np.asarray(control, float)
    if first.shape != second.shape:
        raise ValueError("pairs need two samples of the same length")
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known] == 1, second[known] == 1
    both, neither = int(np.sum(first & second)), int(np.sum(~first & ~second))
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    n = both + neither + only_first + only_second
    return _square_and_add(
        proportion(both + only_first, n, level),
        proportion(both + only_second, n, level),
        _correlation(both, only_first, only_second, neither),
        n,
    )


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Newcombe's corrected phi: the numerator is drawn towards 0 by n / 2 when it is positive."""
    n = both + only_first + only_second + neither
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    covariance = both * neither - only_first * only_second
    if covariance > 0:
        return max(covariance - n / 2, 0.0) / math.sqrt(margins)
    return covariance / math.sqrt(margins)


def _square_and_add(first: Estimate, second: Estimate, correlation: float, n: int) -> Estimate:
    difference = first.value - second.value
    below_first, above_first = first.value - first.lower, first.upper - first.value
    below_second, above_second = second.value - second.lower, second.upper - second.value
    down = below_first**2 - 2 * correlation * below_first * above_second + above_second**2
    up = above_first**2 - 2 * correlation * above_first * below_second + below_second**2
    if math.isnan(difference):
        return Estimate(NAN, n=n)
    return Estimate(
        difference, difference - math.sqrt(max(down, 0.0)), difference + math.sqrt(max(up, 0.0)), n
    )
