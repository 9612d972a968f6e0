"""Fixed points of steep maps, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest

from organ_models.fixed_points import fixed_points


def steep(gains: np.ndarray, offsets: np.ndarray):  # type: ignore[no-untyped-def]
    """x -> offset - tanh(gain (x + y)), y -> x / 2."""

    def function(points: np.ndarray, lanes: np.ndarray, kept: bool) -> np.ndarray:
        x, y = points
        return np.stack([offsets[lanes] - np.tanh(gains[lanes] * (x + y)), 0.5 * x])

    return function


def test_a_steep_saturating_map_is_solved_where_plain_iteration_diverges() -> None:
    gains = np.array([0.1, 5.0, 30.0, 500.0])
    offsets = np.array([0.5, 0.3, -0.7, 0.3])
    function, lanes = steep(gains, offsets), np.arange(4)
    found = fixed_points(function, np.full((2, 4), 3.0), np.ones((2, 4)), tolerance=1e-10)
    assert found.converged.all()
    np.testing.assert_allclose(function(found.points, lanes, True), found.points, atol=1e-9)
    plain = np.full((2, 4), 3.0)
    for _ in range(500):
        plain = function(plain, lanes, True)
    assert (np.abs(function(plain, lanes, True) - plain).max(axis=0)[1:] > 0.1).all()


def test_the_last_kept_evaluation_of_a_lane_is_the_one_at_its_fixed_point() -> None:
    gains, offsets = np.array([0.5, 40.0]), np.array([1.0, -0.2])
    last = np.empty((2, 2))
    function = steep(gains, offsets)

    def remembered(points: np.ndarray, lanes: np.ndarray, kept: bool) -> np.ndarray:
        if kept:
            last[:, lanes] = points
        return function(points, lanes, kept)

    found = fixed_points(remembered, np.zeros((2, 2)), np.ones((2, 2)), tolerance=1e-9)
    np.testing.assert_array_equal(last, found.points)


def test_a_lane_is_bit_identical_whatever_stands_beside_it_and_fails_alone() -> None:
    rng = np.random.default_rng(3)
    gains, offsets = rng.uniform(0.1, 50, 40), rng.normal(size=40)
    offsets[7] = np.nan
    first, scale = np.zeros((2, 40)), np.ones((2, 40))
    together = fixed_points(steep(gains, offsets), first, scale, tolerance=1e-9)
    assert np.flatnonzero(~together.converged).tolist() == [7]
    some = np.array([31, 2, 18])
    apart = fixed_points(steep(gains[some], offsets[some]), first[:, some], scale[:, some], tolerance=1e-9)
    np.testing.assert_array_equal(apart.points, together.points[:, some])


def test_a_map_without_a_fixed_point_says_so() -> None:
    found = fixed_points(lambda x, lanes, kept: x + 1.0, np.zeros((1, 2)), np.ones((1, 2)), tolerance=1e-9)
    assert not found.converged.any()
    assert (found.residual > 0.01).all()


def test_an_unknown_that_starts_at_nothing_may_become_large() -> None:
    """An added volume begins at 0 mL and ends at hundreds; its size is not known beforehand."""
    found = fixed_points(
        lambda x, lanes, kept: 900.0 - 2.0 * x, np.zeros((1, 1)), np.ones((1, 1)), tolerance=1e-9
    )
    assert found.points[0, 0] == pytest.approx(300.0, rel=1e-8)
