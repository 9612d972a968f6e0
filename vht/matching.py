"""Solving on the cycle: which input makes a beating model show a target.

A fixed multiplier on resistance misses a pressure target by several mmHg, because flow and venous
pressure move too; so the input is solved for, patient by patient, on the converged cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from organ_models.model import OrganModel, values
from organ_models.solvers import Orbits

_REACHED = 2e-4  # relative error of the target that counts as reached: below 0.02 mmHg
_ROUNDS = 20
_LARGEST_STEP = 0.7  # in the logarithm of the input: half or double a round
# Step of the sensitivities. Valves open between time steps, which ripples the diastolic pressure by up to
# 1e-4 of itself: a smaller step would measure the ripple.
_DIFFERENCE = 2e-2


Beat = Callable[[Any, Any, np.ndarray, np.ndarray], Orbits]
"""``beat(parameters, inputs, start, lanes) -> Orbits``: the periodic cycle of some of the patients;
``lanes`` says which."""


@dataclass(frozen=True)
class Match:
    """What was solved: the inputs, the orbits at them, and which lanes reached their target."""

    inputs: Any
    orbits: Orbits
    reached: np.ndarray


@dataclass(frozen=True)
class Target:
    """Find input ``solve`` (and ``follow``, by the model's law) so that ``output`` is met."""

    output: str
    solve: str
    follow: str | None = None


@dataclass(frozen=True)
class Matching:
    """The problem: several targets of one model are met together, since each input moves all outputs."""

    model: OrganModel
    targets: tuple[Target, ...]

    @property
    def unknowns(self) -> list[str]:
        """Input ports that are moved, as many as there are residuals, target by target."""
        return [port for t in self.targets for port in (t.solve, t.follow) if port is not None]


def sensitivity(matching: Matching, parameters: Any, baseline: Orbits, beat: Beat) -> np.ndarray:
    """Derivatives of the matching's residuals at baseline, shape ``(n, unknowns, unknowns)``.

    Args:
        matching: what will be solved.
        parameters: the model's parameters, fields of shape ``(n,)``.
        baseline: periodic orbits at neutral inputs.
        beat: solves the cycle.
    """
    model, names = matching.model, matching.unknowns
    n = baseline.residual.size
    par = _arrays(parameters, n)
    wanted = np.log(np.stack([baseline.outputs[t.output] for t in matching.targets]))
    ports = _arrays(model.Inputs(), n)
    here = _residuals(matching, par, ports, baseline.outputs, baseline.outputs, wanted)
    width = len(names)
    moved = {k: np.tile(v, width) for k, v in ports.items()}
    for column, name in enumerate(names):
        moved[name][column * n : (column + 1) * n] *= np.exp(_DIFFERENCE)
    tiled = {k: np.tile(v, width) for k, v in par.items()}
    beside = beat(
        model.Parameters(**tiled),
        model.Inputs(**moved),
        np.tile(baseline.state, width),
        np.tile(np.arange(n), width),
    )
    at_rest = {k: np.tile(v, width) for k, v in baseline.outputs.items()}
    there = _residuals(matching, tiled, moved, at_rest, beside.outputs, np.tile(wanted, (1, width)))
    change = (there.reshape(width, width, n) - here[:, None, :]) / _DIFFERENCE  # (residual, unknown, n)
    return np.moveaxis(change, -1, 0)


def match_output(
    matching: Matching,
    parameters: Any,
    baseline: dict[str, np.ndarray],
    target: np.ndarray,
    *,
    beat: Beat,
    jacobian: np.ndarray,
    start: np.ndarray,
    fed: dict[str, np.ndarray] | None = None,
) -> Match:
    """Solve until the outputs of the periodic cycle equal their targets, lane by lane.

    A quasi-Newton iteration in logarithms from the baseline's sensitivities, improved by Broyden's
    update after every large step. A lane that has reached its target is left alone, so lanes do not
    affect each other.

    Args:
        matching: the problem.
        parameters: the model's parameters, fields of shape ``(n,)``.
        baseline: the model's outputs of each lane at neutral inputs, arrays of shape ``(n,)``.
        target: wanted values, in the outputs' units, shape ``(targets, n)``.
        beat: solves the cycle.
        jacobian: from :func:`sensitivity`, shape ``(n, unknowns, unknowns)``.
        start: states to start from, ``(n_state, n)``.
        fed: values of the other input ports, where they are not at their defaults, shape ``(n,)``.

    Returns:
        :class:`Match`; lanes that did not reach their target have ``reached`` false.
    """
    model, names = matching.model, matching.unknowns
    n = target.shape[1]
    par, ports = _arrays(parameters, n), _arrays(model.Inputs(), n) | (fed or {})
    wanted = np.log(np.where(target > 0, target, np.nan))
    x = np.zeros((len(names), n))
    outputs = {k: v.copy() for k, v in baseline.items()}
    state = np.array(start)
    residual, beats = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    converged = np.zeros(n, dtype=bool)
    jacobian = np.array(jacobian)
    error = _residuals(matching, par, ports, baseline, outputs, wanted)
    working = np.all(np.isfinite(error), axis=0) & np.all(np.isfinite(jacobian), axis=(1, 2))
    reached = np.zeros(n, dtype=bool)

    for _ in range(_ROUNDS):
        lanes = np.flatnonzero(working & ~reached)
        if lanes.size == 0:
            break
        with np.errstate(all="ignore"):
            step = _solve(jacobian[lanes], -error[:, lanes])
        step = np.clip(np.where(np.isfinite(step), step, 0.0), -_LARGEST_STEP, _LARGEST_STEP)
        x[:, lanes] += step
        for row, name in enumerate(names):
            ports[name][lanes] = np.exp(x[row, lanes])
        part = beat(
            model.Parameters(**{k: v[lanes] for k, v in par.items()}),
            model.Inputs(**{k: v[lanes] for k, v in ports.items()}),
            state[:, lanes],
            lanes,
        )
        state[:, lanes] = part.state
        for name, column in part.outputs.items():
            outputs[name][lanes] = column
        residual[lanes], converged[lanes] = part.residual, part.converged
        beats[lanes] += part.beats
        before = error[:, lanes]
        error[:, lanes] = _residuals(
            matching,
            {k: v[lanes] for k, v in par.items()},
            {k: v[lanes] for k, v in ports.items()},
            {k: v[lanes] for k, v in baseline.items()},
            part.outputs,
            wanted[:, lanes],
        )
        jacobian[lanes] = _broyden(jacobian[lanes], step, error[:, lanes] - before)
        working[lanes] = part.converged & np.all(np.isfinite(error[:, lanes]), axis=0)
        reached[lanes] = working[lanes] & (np.abs(error[:, lanes]).max(axis=0) <= _REACHED)

    solved = Orbits(state, outputs, residual, beats, converged)
    return Match(model.Inputs(**ports), solved, reached)


def _residuals(
    matching: Matching,
    parameters: dict[str, np.ndarray],
    ports: dict[str, np.ndarray],
    baseline: dict[str, np.ndarray],
    outputs: dict[str, np.ndarray],
    wanted: np.ndarray,
) -> np.ndarray:
    """Logarithmic errors of each target and its law, shape ``(unknowns, n)``; ``wanted`` is a logarithm."""
    model = matching.model
    rows = []
    for target, goal in zip(matching.targets, wanted, strict=True):
        rows.append(np.log(outputs[target.output]) - goal)
        if target.follow is None:
            continue
        assert model.cycle is not None
        law = model.cycle.laws[target.follow](
            model.Outputs(**baseline), model.Outputs(**outputs), model.working(model.Parameters(**parameters))
        )
        rows.append(np.log(ports[target.follow]) - np.log(np.asarray(law)))
    return np.stack(rows)


def _solve(jacobian: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve the small systems of all lanes, each alone; ``right`` and the result are ``(unknowns, n)``."""
    if jacobian.shape[1] == 1:
        return right / jacobian[:, 0, 0]
    if jacobian.shape[1] > 2:
        return np.stack([_solve_one(matrix, right[:, k]) for k, matrix in enumerate(jacobian)], axis=1)
    (a, b), (c, d) = np.moveaxis(jacobian, 0, -1)
    determinant = a * d - b * c
    return np.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / determinant


def _solve_one(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One system; NaN where the inputs do not move the outputs independently."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.nan)


def _broyden(jacobian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Broyden's rank-one update, where the step is large enough to outweigh the ripple of valve events."""
    s, y = step.T, change.T
    length = (s**2).sum(axis=1)
    large = (np.abs(s).max(axis=1) > _DIFFERENCE) & np.all(np.isfinite(y), axis=1)
    miss = y - np.einsum("nij,nj->ni", jacobian, s)
    update = miss[:, :, None] * s[:, None, :] / np.where(large, length, 1.0)[:, None, None]
    return np.where(large[:, None, None], jacobian + update, jacobian)


def _arrays(record: Any, n: int) -> dict[str, np.ndarray]:
    return {k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in values(record).items()}
