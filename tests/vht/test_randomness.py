"""Randomness hangs on seed, patient, purpose and time, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from vht.randomness import normal, uniform

NUMBERS = np.arange(4000, dtype=np.int64) * 104_729 + 2**50


def test_numbers_are_uniform_and_normal() -> None:
    assert kstest(uniform(1, NUMBERS, "a"), "uniform").pvalue > 1e-3
    assert kstest(normal(1, NUMBERS, "a"), "norm").pvalue > 1e-3
    assert 0 < uniform(1, NUMBERS, "a").min() < uniform(1, NUMBERS, "a").max() < 1


def test_seed_purpose_and_time_give_independent_streams() -> None:
    first = normal(1, NUMBERS, "a", 0.0)
    for other in (
        normal(2, NUMBERS, "a"),
        normal(1, NUMBERS, "b"),
        normal(1, NUMBERS, "a", 7.0),
        normal(1, NUMBERS + 1, "a"),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.06


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=8, unique=True), st.randoms())
def test_order_and_company_change_nothing(numbers: list[int], shuffler) -> None:  # type: ignore[no-untyped-def]
    alone = {k: uniform(3, np.array([k]), "visit", 28.0)[0] for k in numbers}
    mixed = list(numbers)
    shuffler.shuffle(mixed)
    together = uniform(3, np.array(mixed), "visit", 28.0)
    assert dict(zip(mixed, together, strict=True)) == alone


def test_numbers_are_the_same_on_every_machine() -> None:
    """Fixed forever: a change here changes the luck of every patient in every study."""
    np.testing.assert_array_equal(uniform(20261124, np.array([1, 2**62 + 5]), "measurement", 28.0), FIXED)


FIXED = np.array([0.1442923987285782, 0.958325274767514])
