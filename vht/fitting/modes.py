"""The modes of likelihoods and posteriors, many patients side by side, each on their own.

Fisher scoring: the expected second derivative in place of the true one, damped as by Levenberg and
Marquardt, within bounds. A patient whose mode is found stands still; sums run over readings in order and
systems are solved patient by patient, so that a neighbour changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vht.fitting.courses import Group
from vht.fitting.errors import Likelihood

_ROUNDS = 200
_SETTLED = 1e-11
"""A step that would gain less than this of the negative log-likelihood (relative to it, or to 1) is the
last."""
_ROUNDING = 1e-8
"""The same where no step gains anything: what is left then is the rounding of the sum."""
_LEAST_DAMPING, _MOST_DAMPING = 1e-12, 1e14
_LARGEST_STEP = 2.0
"""On a logarithmic or logit scale: further than this a linearised course says nothing."""
_FLAT = 1e-8
"""Least curvature of the negative log-likelihood along a direction: an SD of 10^4 on the effects' scales."""


@dataclass(frozen=True)
class Mode:
    """The modes of a group's patients.

    Attributes:
        deviations: ``(p, n)``.
        covariance: Laplace's, ``(p, p, n)``, NaN without a mode.
        misfit: negative log-likelihood of the measurements there, ``(n,)``.
        values, slopes: of the output there, ``(readings, n)`` and ``(readings, p, n)``.
        converged: whether it is a mode, ``(n,)``.
    """

    deviations: np.ndarray
    covariance: np.ndarray
    misfit: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    converged: np.ndarray


def find_modes(
    group: Group, measure: Likelihood, precision: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Mode:
    """The mode of everybody in a group, from deviations of zero.

    Args:
        group: whom.
        measure: their likelihood.
        precision: of the prior, ``(p, p)``.
        low, high: bounds of the deviations, ``(p, n)``.
    """
    p, n = low.shape
    who, unit = np.arange(n), np.eye(p)

    def at(deviations: np.ndarray) -> tuple[np.ndarray, ...]:
        values, slopes = group.slopes(deviations, who)
        with np.errstate(all="ignore"):  # what leaves the finite numbers is not accepted
            misfit = measure.misfit(values)
            white = misfit.whiten(slopes)
            gradient = np.zeros((p, n))
            curvature = np.zeros((p, p, n)) + precision[:, :, None]
            for row in range(values.shape[0]):
                gradient = gradient + misfit.score[row] * slopes[row]
                curvature = curvature + white[row][:, None] * white[row][None]
        for i in range(p):
            gradient = gradient + precision[:, [i]] * deviations[i]
        total = misfit.value + half_quadratic(precision, deviations)
        return total, gradient, curvature, misfit.value, values, slopes

    here = np.zeros((p, n))
    now = at(here)
    damping = np.full(n, 1e-3)
    running = np.isfinite(now[0]) & np.isfinite(now[2]).all(axis=(0, 1))
    converged = np.zeros(n, dtype=bool)
    for _ in range(_ROUNDS):
        if not running.any():
            break
        # a parameter that its bound holds stands still
        held = ((here <= low) & (now[1] > 0)) | ((here >= high) & (now[1] < 0))
        step, gain, promised = _step(now[1], now[2], held, damping, unit)
        ahead = np.clip(here + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP), low, high)
        done = running & (gain <= _SETTLED * (1.0 + np.abs(now[0])))
        converged |= done
        running &= ~done
        tried = at(ahead)
        sound = np.isfinite(tried[0]) & np.isfinite(tried[2]).all(axis=(0, 1))
        better = running & sound & (tried[0] <= now[0])
        before, here = now[0], np.where(better, ahead, here)
        now = tuple(np.where(better, a, b) for a, b in zip(tried, now, strict=True))
        # Nielsen's rule: the damping follows how much of the promised gain came
        with np.errstate(all="ignore"):
            ratio = (before - tried[0]) / np.maximum(promised, 1e-300)
        eased = np.clip(1.0 - (2.0 * np.clip(ratio, 0.0, 1.0) - 1.0) ** 3, 0.1, 2.0)
        damping = np.clip(damping * np.where(better, eased, 4.0), _LEAST_DAMPING, _MOST_DAMPING)
        stuck = running & ~better & (damping >= _MOST_DAMPING)
        converged |= stuck & (gain <= _ROUNDING * (1.0 + np.abs(now[0])))
        running &= ~stuck
    held = ((here <= low) & (now[1] > 0)) | ((here >= high) & (now[1] < 0))
    covariance = np.full((p, p, n), np.nan)
    for lane in np.flatnonzero(converged):
        loose = np.flatnonzero(~held[:, lane])
        covariance[:, :, lane] = 0.0
        block = now[2][np.ix_(loose, loose, [lane])][..., 0]
        covariance[np.ix_(loose, loose, [lane])] = _inverse(block)[..., None]
    return Mode(here, covariance, now[3], now[4], now[5], converged)


def squares(rows: np.ndarray) -> np.ndarray:
    total = np.zeros(rows.shape[1:])
    for row in rows:
        total = total + row**2
    return total


def half_quadratic(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Half the quadratic form, patient by patient."""
    total = np.zeros(rows.shape[1:])
    for i, line in enumerate(matrix):
        for j, weight in enumerate(line):
            total = total + 0.5 * weight * rows[i] * rows[j]
    return total


# ---------------------------------------------------------------------------------------------------


def _step(
    gradient: np.ndarray, curvature: np.ndarray, held: np.ndarray, damping: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The damped step of everybody, what an undamped one would gain at most, and what this one promises."""
    pull = np.where(held, 0.0, gradient)
    tied = held[:, None] | held[None]
    matrix = np.where(tied, unit[:, :, None], curvature)
    size = np.einsum("iin->in", matrix)
    extra = damping * np.where(size > 0, size, 1.0)
    step = _solved(matrix + unit[:, :, None] * extra[None], -pull)
    along, braked = np.zeros_like(damping), np.zeros_like(damping)
    for i in range(len(step)):
        along = along - pull[i] * step[i]
        braked = braked + extra[i] * step[i] ** 2
    return step, 0.5 * along * (1.0 + damping), 0.5 * (along + braked)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Patient by patient; a patient whose numbers are not finite stands still."""
    sound = np.isfinite(matrix).all(axis=(0, 1)) & np.isfinite(right).all(axis=0)
    safe = np.where(sound, matrix, np.eye(matrix.shape[0])[:, :, None])
    found = np.linalg.solve(safe.transpose(2, 0, 1), np.where(sound, right, 0.0).T[..., None])
    return np.asarray(found[..., 0].T)


def _inverse(block: np.ndarray) -> np.ndarray:
    """Inverse of a curvature; directions that nothing settles are as wide as the scale allows."""
    size, directions = np.linalg.eigh(block)
    return np.asarray((directions / np.maximum(size, _FLAT)) @ directions.T)
