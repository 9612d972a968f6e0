"""Fixed points of an expensive map of a few unknowns, every lane on its own.

A quasi-Newton iteration: the derivatives at the start by differences, afterwards Broyden's updates. A step
that does not shrink the gap is not taken, but what it showed is used for a shorter one; where that fails too,
the derivatives are taken anew. Plain iteration would diverge where the map falls steeply (a strong reflex).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Map = Callable[[np.ndarray, np.ndarray, bool], np.ndarray]
"""``map(points, lanes, kept) -> images``: both of shape ``(m, k)`` for ``lanes`` of shape ``(k,)``. Where
``kept`` is false the points are only beside an iterate, and a lane may stand more than once."""

_DIFFERENCE = 1e-2  # of the size of an unknown: valve events between time steps ripple the map below that
_LARGEST = 1.0  # of the size of an unknown, a round
_REFUSALS = 4  # steps in a row that did not help, until derivatives are taken anew


@dataclass(frozen=True)
class FixedPoints:
    """What was found.

    Attributes:
        points: shape ``(m, n)``.
        residual: largest gap between a point and its image, relative to the size of the unknown, ``(n,)``.
        converged: whether it is within the tolerance, ``(n,)``.
    """

    points: np.ndarray
    residual: np.ndarray
    converged: np.ndarray


def fixed_points(
    function: Map, first: np.ndarray, scale: np.ndarray, *, tolerance: float, rounds: int = 60
) -> FixedPoints:
    """Solve ``function(x) = x`` lane by lane.

    Args:
        function: the map; an image that is not finite means that the point lies where there is none.
        first: where to start, ``(m, n)``.
        scale: size that every unknown has at least, ``(m, n)``; it grows with the unknowns and their images.
        tolerance: largest gap relative to the size.
        rounds: evaluations after which a lane gives up, those for derivatives not counted.

    The last kept evaluation of a converged lane is the one at its fixed point.
    """
    m, n = first.shape
    x = first.astype(float)
    image = function(x, np.arange(n), True)
    gap = image - x
    with np.errstate(invalid="ignore"):
        size = np.fmax(np.fmax(scale, np.abs(x)), np.abs(image))
    norm = _norm(gap, size)
    alive = np.isfinite(norm) & (norm > tolerance)
    slope = np.zeros((n, m, m))
    known, fresh = np.zeros(n, bool), np.zeros(n, bool)
    radius, refusals = np.full(n, _LARGEST), np.zeros(n, dtype=int)

    for _ in range(rounds):
        unknown = np.flatnonzero(alive & ~known)
        if unknown.size:
            slope[unknown] = _differences(function, x, gap, size, unknown)
            alive[unknown] = np.all(np.isfinite(slope[unknown]), axis=(1, 2))
            known[unknown], fresh[unknown], refusals[unknown] = True, True, 0
        lanes = np.flatnonzero(alive)
        if lanes.size == 0:
            break
        step = -_solve(slope[lanes], gap[:, lanes], size[:, lanes])
        length = np.max(np.abs(step) / size[:, lanes], axis=0)
        shorter = np.minimum(1.0, radius[lanes] / np.maximum(length, np.finfo(float).tiny))
        step, length = step * shorter, length * shorter
        trial = x[:, lanes] + step
        image = function(trial, lanes, True)
        ahead = image - trial
        reached = _norm(ahead, size[:, lanes])
        slope[lanes] = _broyden(slope[lanes], step, ahead - gap[:, lanes], size[:, lanes])

        better = reached < norm[lanes]
        taken, left = lanes[better], lanes[~better]
        x[:, taken], gap[:, taken] = trial[:, better], ahead[:, better]
        size[:, taken] = np.maximum(
            size[:, taken], np.maximum(np.abs(trial[:, better]), np.abs(image[:, better]))
        )
        norm[taken] = _norm(gap[:, taken], size[:, taken])
        alive[taken], fresh[taken], refusals[taken] = norm[taken] > tolerance, False, 0
        radius[taken] = np.minimum(np.maximum(radius[taken], 2.0 * length[better]), _LARGEST)
        radius[left], refusals[left] = 0.5 * length[~better], refusals[left] + 1
        stuck = left[refusals[left] >= _REFUSALS]
        alive[stuck], known[stuck] = ~fresh[stuck], False
    return FixedPoints(x, norm, norm <= tolerance)


def _norm(gap: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Largest relative gap, infinite where it is not a number."""
    with np.errstate(invalid="ignore"):
        found = np.max(np.abs(gap) / size, axis=0)
    return np.where(np.isfinite(found), found, np.inf)


def _differences(
    function: Map, x: np.ndarray, gap: np.ndarray, size: np.ndarray, lanes: np.ndarray
) -> np.ndarray:
    """Derivatives of the gap, ``(lanes, gap, unknown)``."""
    m, k = len(x), lanes.size
    beside = np.tile(x[:, lanes], m)
    width = _DIFFERENCE * size[:, lanes]
    for column in range(m):
        beside[column, column * k : (column + 1) * k] += width[column]
    moved = function(beside, np.tile(lanes, m), False) - beside
    change = (moved.reshape(m, m, k) - gap[:, None, lanes]) / width[None]
    return np.moveaxis(change, -1, 0)


def _solve(slope: np.ndarray, gap: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Solve every lane's system; a singular one gives the shortest step relative to the sizes."""
    unit = size.T[..., None]
    relative = slope * np.swapaxes(unit, 1, 2) / unit
    return (unit * (np.linalg.pinv(relative) @ (gap.T[..., None] / unit)))[..., 0].T


def _broyden(slope: np.ndarray, step: np.ndarray, change: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Rank-one updates, in steps relative to the sizes; none where the map has no value."""
    s, y = step.T[..., None], change.T[..., None]
    against = np.swapaxes(s / size.T[..., None] ** 2, 1, 2)
    length = against @ s
    good = np.all(np.isfinite(y), axis=(1, 2), keepdims=True) & (length > 0)
    with np.errstate(invalid="ignore"):
        update = (y - slope @ s) @ against / np.where(good, length, 1.0)
    return np.where(good, slope + update, slope)
