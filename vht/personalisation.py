"""Personalisation: organ parameters from a patient's record.

The circulation starts from its healthy baseline. Heart rate sets the period; systemic resistance,
arterial compliance and stressed volume are the maximum a posteriori under log-normal priors, given that
the pressures *read from the converged waveform* equal the recorded ones. Two pressures cannot identify
three parameters: the posterior keeps the prior's width along the direction that they leave open, and is
reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from organ_models.model import OrganModel, fields, values
from organ_models.solvers import Orbits, periodic_orbits

_REACHED = 1e-4  # relative error of a pressure that counts as matched: about 0.01 mmHg
_STILL = 1e-3  # change of a log-parameter that counts as settled
_ROUNDS = 25
# Step in a log-parameter for sensitivities. Valves open between time steps, which ripples the diastolic
# pressure by up to 1e-4 of itself: a smaller step would measure the ripple.
_DIFFERENCE = 2e-2
_LARGEST_STEP = 0.35


@dataclass(frozen=True)
class Personalisation:
    """A calibrated cyclic model for ``n`` patients.

    Attributes:
        parameters: the model's parameters at the posterior mode, fields of shape ``(n,)``.
        orbits: the periodic states there.
        residuals: by target output, read minus recorded, in the output's unit.
        log_ratio: by calibrated parameter, ln(mode / baseline).
        posterior_log_sd: by calibrated parameter, Laplace SD of its logarithm.
        prior_distance: Mahalanobis distance of the mode from the prior's centre.
        solved: whether the pressures are matched and the cycle is periodic.
    """

    parameters: Any
    orbits: Orbits
    residuals: dict[str, np.ndarray]
    log_ratio: dict[str, np.ndarray]
    posterior_log_sd: dict[str, np.ndarray]
    prior_distance: np.ndarray
    solved: np.ndarray


def personalise(model: OrganModel, parameters: Any, targets: dict[str, np.ndarray]) -> Personalisation:
    """Calibrate a cyclic model to recorded values by constrained maximum a posteriori.

    Minimises ``sum((theta / sd)^2)`` over the logarithms ``theta`` of the model's calibrated parameters
    (relative to ``parameters``) subject to the targets, by Gauss–Newton on the steady beat. Each patient
    is solved on its own.

    Args:
        model: a cyclic model that declares ``calibrated`` and ``targets``.
        parameters: baseline with what the record sets directly (heart rate), fields of shape ``(n,)``.
        targets: recorded value of every target output, in its unit, shape ``(n,)``; NaN if missing.

    Returns:
        :class:`Personalisation`; patients whose pressures cannot be matched have ``solved`` false.
    """
    assert model.cycle is not None
    names, outputs_wanted = list(model.cycle.calibrated), list(model.cycle.targets)
    spread = np.array([model.cycle.calibrated[k] for k in names])
    wanted = np.log(np.stack([np.where(targets[t] > 0, targets[t], np.nan) for t in outputs_wanted]))
    n = wanted.shape[1]
    centre = {k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in values(parameters).items()}
    bounds = fields(model.Parameters)
    theta = np.zeros((len(names), n))
    variance = spread**2

    def solve(theta: np.ndarray, lanes: np.ndarray, start: np.ndarray | None) -> Orbits:
        moved = {k: v[lanes] for k, v in centre.items()}
        for row, name in enumerate(names):
            moved[name] = moved[name] * np.exp(theta[row])
        return periodic_orbits(model, model.Parameters(**moved), model.Inputs(), start=start)

    everyone = np.arange(n)
    orbit = solve(theta, everyone, None)
    state, columns = orbit.state.copy(), {k: v.copy() for k, v in orbit.outputs.items()}
    residual, beats, converged = orbit.residual.copy(), orbit.beats.copy(), orbit.converged.copy()
    working = converged & np.all(np.isfinite(wanted), axis=0)
    solved = np.zeros(n, dtype=bool)
    jacobian = np.full((n, len(outputs_wanted), len(names)), np.nan)

    def read(source: dict[str, np.ndarray]) -> np.ndarray:
        return np.log(np.stack([source[t] for t in outputs_wanted]))

    for _ in range(_ROUNDS):
        lanes = np.flatnonzero(working & ~solved)
        if lanes.size == 0:
            break
        here = read({t: columns[t][lanes] for t in outputs_wanted})
        width = len(names)
        nudged = np.tile(theta[:, lanes], width)
        for column in range(width):
            nudged[column, column * lanes.size : (column + 1) * lanes.size] += _DIFFERENCE
        beside = solve(nudged, np.tile(lanes, width), np.tile(state[:, lanes], width))
        change = read(beside.outputs).reshape(len(outputs_wanted), width, lanes.size) - here[:, None, :]
        jacobian[lanes] = np.moveaxis(change, -1, 0) / _DIFFERENCE
        j = jacobian[lanes]
        gap = (wanted[:, lanes] - here).T[..., None]  # (lane, target, 1)
        weighted = variance[None, :, None] * np.swapaxes(j, 1, 2)  # S J^T
        innovation = gap + j @ theta[:, lanes].T[..., None]
        with np.errstate(all="ignore"):
            usable = np.all(np.isfinite(j), axis=(1, 2))
            system = np.where(usable[:, None, None], j @ weighted, np.eye(len(outputs_wanted)))
            mode = (weighted @ np.linalg.solve(system, innovation))[..., 0].T
        step = np.clip(mode - theta[:, lanes], -_LARGEST_STEP, _LARGEST_STEP)
        settled = (np.abs(gap[..., 0]).max(axis=1) <= _REACHED) & (np.abs(step).max(axis=0) <= _STILL)
        solved[lanes[settled & usable]] = True
        working[lanes[~usable]] = False
        on = usable & ~settled & np.all(np.isfinite(step), axis=0)
        working[lanes[usable & ~settled & ~on]] = False
        lanes, step = lanes[on], step[:, on]
        if lanes.size == 0:
            continue
        theta[:, lanes] += step
        part = solve(theta[:, lanes], lanes, state[:, lanes])
        beats[lanes] += part.beats
        working[lanes] = part.converged
        # a chase that leads out of what can beat ends at the last cycle that did
        kept = np.flatnonzero(part.converged)
        lanes, part = lanes[kept], part.take(kept)
        state[:, lanes] = part.state
        for key, column_values in part.outputs.items():
            columns[key][lanes] = column_values
        residual[lanes], converged[lanes] = part.residual, part.converged

    final = {k: v.copy() for k, v in centre.items()}
    inside = np.ones(n, dtype=bool)
    for row, name in enumerate(names):
        final[name] = final[name] * np.exp(theta[row])
        low, high = bounds[name].bounds
        inside &= (final[name] >= low) & (final[name] <= high)
    return Personalisation(
        parameters=model.Parameters(**final),
        orbits=Orbits(state, columns, residual, beats, converged),
        residuals={t: columns[t] - targets[t] for t in outputs_wanted},
        log_ratio={name: theta[row] for row, name in enumerate(names)},
        posterior_log_sd=_posterior(jacobian, variance, names, list(model.cycle.targets.values())),
        prior_distance=np.sqrt(((theta / spread[:, None]) ** 2).sum(axis=0)),
        solved=solved & inside,
    )


def _posterior(
    jacobian: np.ndarray, variance: np.ndarray, names: list[str], errors: list[float]
) -> dict[str, np.ndarray]:
    """Laplace posterior SD of log-parameters, given the coefficients of variation of the targets."""
    noise = np.diag([cv**2 for cv in errors])
    known = np.where(np.isfinite(jacobian), jacobian, 0.0)
    gain = variance[None, :, None] * np.swapaxes(known, 1, 2)
    inner = np.linalg.solve(known @ gain + noise, known * variance[None, None, :])
    covariance = np.diag(variance)[None] - gain @ inner
    return {name: np.sqrt(covariance[:, row, row]) for row, name in enumerate(names)}
