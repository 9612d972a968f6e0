"""Counts and means with differential privacy, by OpenDP's discrete Laplace mechanism.

Neighbouring tables differ by one person who is or is not there. Everything is added up as integers: noise on
floating-point sums can be undone from their last bits. OpenDP proves its mechanisms and draws from the
operating system's randomness; there is no seed. OpenDP is an extra: ``virtual-human-twin[privacy]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from privacy.release.errors import ReleaseError

LARGEST = 2**53
"""Sums stay below it, so that the answer is exact as a number of JSON."""


@dataclass(frozen=True)
class Answer:
    """What was told.

    Attributes:
        value: by name, integers (counts) or numbers (means); None where too few people are left by the noise.
        epsilon: what the question cost.
    """

    value: Mapping[str, float | int | None]
    epsilon: float


Draw = Callable[[Sequence[int]], list[int]]


def laplace(sensitivity: int, epsilon: float) -> tuple[Draw, float]:
    """A mechanism that adds discrete Laplace noise to integers, and its cost.

    Args:
        sensitivity: largest sum of changes, over all integers, that one person can make.
        epsilon: the cost that is asked for.

    Returns:
        The mechanism, and the cost that OpenDP proves of it, rounded up.

    Raises:
        ReleaseError: OpenDP is not installed, or the numbers are not positive.
    """
    if not (sensitivity >= 1 and 0 < epsilon < math.inf):
        raise ReleaseError("sensitivity and epsilon must be positive")
    try:
        import opendp.prelude as dp
    except ImportError:
        raise ReleaseError(
            "differential privacy needs OpenDP; install it with: pip install 'virtual-human-twin[privacy]'"
        ) from None
    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    mechanism = dp.m.make_laplace(domain, dp.l1_distance(T="i64"), scale=sensitivity / epsilon)
    return (lambda values: list(mechanism([int(v) for v in values]))), float(mechanism.map(sensitivity))


def noisy_counts(counts: Mapping[str, int], epsilon: float) -> Answer:
    """Counts of people by categories that exclude each other.

    Args:
        counts: by category, also those with nobody: which categories occur must not depend on the people.
        epsilon: cost.
    """
    draw, cost = laplace(1, epsilon)
    drawn = draw(list(counts.values()))
    return Answer(dict(zip(counts, drawn, strict=True)), cost)


def noisy_mean(values: Sequence[float], lower: float, upper: float, step: float, epsilon: float) -> Answer:
    """Mean of a number, one value a person; missing values are left out.

    Values are brought into the bounds, counted in steps from the middle, and added up. Half of the cost goes
    to the sum and half to the number of people.

    Args:
        values: shape (people,).
        lower: least value, chosen without looking at the values.
        upper: greatest value, likewise.
        step: resolution, such as 0.1; the mean is as fine as it likes.
        epsilon: cost.

    Returns:
        ``mean`` and ``people``; no mean where fewer than one person is left by the noise.

    Raises:
        ReleaseError: bounds or step make no sense.
    """
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper and 0 < step <= upper - lower):
        raise ReleaseError("a mean needs lower < upper and a step that is not longer than their distance")
    known = np.asarray(values, float)
    known = np.clip(known[~np.isnan(known)], lower, upper)
    middle = (lower + upper) / 2
    steps = np.rint((known - middle) / step).astype(np.int64)
    furthest = math.ceil((upper - lower) / 2 / step)
    if furthest * max(len(steps), 1) >= LARGEST:
        raise ReleaseError("the step is too fine for so many people")
    draw_sum, cost_sum = laplace(furthest, epsilon / 2)
    draw_people, cost_people = laplace(1, epsilon / 2)
    total, people = draw_sum([int(steps.sum())])[0], draw_people([len(steps)])[0]
    mean = min(max(middle + step * total / people, lower), upper) if people >= 1 else None
    return Answer({"mean": mean, "people": people}, cost_sum + cost_people)


def audit_epsilon(draw: Draw, one: int, other: int, runs: int, confidence: float = 0.999) -> float:
    """Least epsilon that draws on two neighbouring counts are compatible with.

    For every threshold, how often answers lie beyond it on either count gives a lower bound of epsilon by
    Clopper-Pearson intervals; thresholds are chosen on one half of the draws and judged on the other.

    Args:
        draw: the mechanism.
        one: a count.
        other: the count with one person more or less.
        runs: draws on each.
        confidence: that a correct mechanism is not accused.
    """
    from scipy.stats import beta

    draws = [np.array(draw([count] * runs)) for count in (one, other)]
    half, tail = runs // 2, (1 - confidence) / 2
    reach = range(min(one, other) - 60, max(one, other) + 61)
    tests = [(side, threshold) for side in (1, -1) for threshold in reach]
    hits = np.array([[[(s * d >= s * t) for s, t in tests]] for d in draws])[:, 0]
    found = []
    for part, left in ((hits[:, :, :half], half), (hits[:, :, half:], runs - half)):
        count = part.sum(axis=2).astype(float)
        low = np.where(count > 0, beta.ppf(tail, np.maximum(count, 1), left - count + 1), 0.0)
        high = np.where(count < left, beta.ppf(1 - tail, count + 1, np.maximum(left - count, 1)), 1.0)
        with np.errstate(divide="ignore"):
            found.append(np.log(low) - np.log(high[::-1]))
    best = np.unravel_index(int(np.argmax(found[0])), found[0].shape)
    return max(float(found[1][best]), 0.0)
