"""Derivatives of a beat and of the periodic orbit.

At the orbit ``y = restore(beat(y, theta))``. Differentiating this gives ``dy/dtheta = (I - J)^-1 d``, where
``J`` and ``d`` are tangents of one restored beat; no tangent is carried through the beats that seek the
orbit. A beat conserves blood volume, so its own ``I - J`` is singular; ``restore``, which puts the declared
volume back, is part of the map and makes it regular.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.model import Array, Cycle, OrganModel, fields
from organ_models.precision import require_float64
from organ_models.solvers import (
    Orbits,
    beat_functions,
    in_blocks,
    rows_of,
    stack,
    stages_of,
    step_function,
    tabulated,
)

LARGEST_CONDITION = 1e10
"""Condition number of ``I - J`` beyond which an orbit has no trustworthy derivatives."""

_BLOCK = 32  # lanes: every one carries dozens of tangents; wider blocks are no faster, and one patient waits


@dataclass(frozen=True)
class OrbitSensitivities:
    """Derivatives of periodic orbits.

    Attributes:
        names: parameters and inputs, in the order of the second axis below.
        state: of the state at the start of the beat, shape ``(n_state, len(names), n)``.
        outputs: by output, shape ``(len(names), n)``; parameters in their published units.
        regular: whether ``I - J`` can be inverted, shape ``(n,)``.
    """

    names: tuple[str, ...]
    state: np.ndarray
    outputs: dict[str, np.ndarray]
    regular: np.ndarray


def beat(model: OrganModel, steps: int | None = None) -> Callable[[Array, Any, Any], Array]:
    """One beat as a pure function for JAX's transformations, in reverse mode too.

    Args:
        model: a cyclic model.
        steps: Runge–Kutta steps; the model's own if absent.

    Returns:
        ``f(state, parameters, inputs) -> state``: states ``(n_state, n)``, the model's records with fields of
        shape ``(n,)``, parameters as published. In reverse mode steps and their drives are computed again,
        group by group, so that memory grows with the square root of their number.

    Raises:
        ValueError: the model has no cycle.
    """
    cycle = _cycle(model)
    number = cycle.steps if steps is None else steps
    group = _divisor(number)

    def function(state: Array, parameters: Any, inputs: Any) -> Array:
        p = model.working(parameters)

        @jax.checkpoint
        def several(y: Array, first: Array) -> tuple[Array, None]:
            advance = step_function(model, cycle.period(p, inputs) / number, p, inputs)
            drives = stages_of(tabulated(model, number, p, inputs, first=first, number=group), group)
            return lax.scan(lambda s, d: (advance(s, d), None), y, drives)[0], None

        return lax.scan(several, state, jnp.arange(0, number, group))[0]

    return function


def orbit_sensitivities(
    model: OrganModel,
    parameters: Any,
    inputs: Any,
    orbits: Orbits,
    wrt: Sequence[str],
    *,
    steps: int | None = None,
    watched_steps: int | None = None,
) -> OrbitSensitivities:
    """Derivatives of periodic states and clinical outputs.

    Args:
        model: a cyclic model.
        parameters, inputs: its records, fields of shape ``(n,)`` or scalars.
        orbits: the periodic orbits there; the derivatives are as exact as these are periodic.
        wrt: names of parameters and input ports.
        steps, watched_steps: as for :func:`organ_models.solvers.periodic_orbits`.

    Returns:
        :class:`OrbitSensitivities`. An extreme's derivative is that of the signal at the sample where it
        lies. A lane that is not regular has NaN.

    Raises:
        ValueError: the model has no cycle, or no such parameter or input.
    """
    require_float64()
    cycle = _cycle(model)
    n = orbits.residual.size
    seek = cycle.steps if steps is None else steps
    watch = cycle.watched_steps if watched_steps is None else watched_steps
    names = tuple(wrt)
    p, u = rows_of(parameters, n), rows_of(inputs, n)
    tangents = _tangents_block(model, names, seek)
    states = len(fields(model.State))
    (flat,) = in_blocks(lambda *a: (tangents(*a),), (p, u, orbits.state), block=_BLOCK)
    flat = flat.reshape(states + len(names), states, n)
    jacobian, direct = np.moveaxis(flat[:states], -1, 0), np.moveaxis(flat[states:], -1, 0)
    system = np.eye(states) - np.swapaxes(jacobian, 1, 2)  # (n, row, column)
    with np.errstate(all="ignore"):
        good = np.all(np.isfinite(system), axis=(1, 2)) & np.all(np.isfinite(direct), axis=(1, 2))
        safe = np.where(good[:, None, None], system, np.eye(states))
        good &= np.linalg.cond(safe) < LARGEST_CONDITION
        safe = np.where(good[:, None, None], system, np.eye(states))
        moved = np.linalg.solve(safe, np.swapaxes(direct, 1, 2))  # (n, state, name)
    state = np.where(good, np.moveaxis(moved, 0, -1), np.nan)
    read = _outputs_block(model, names, watch)
    stacked = np.ascontiguousarray(np.swapaxes(state, 0, 1)).reshape(len(names) * states, n)
    (seen,) = in_blocks(lambda *a: (read(*a),), (p, u, orbits.state, stacked), block=_BLOCK)
    seen = seen.reshape(len(names), len(fields(model.Outputs)), n)
    outputs = {name: seen[:, row] for row, name in enumerate(fields(model.Outputs))}
    return OrbitSensitivities(names, state, outputs, good)


# ---------------------------------------------------------------------------------------------------


def _cycle(model: OrganModel) -> Cycle:
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    return model.cycle


def _divisor(number: int) -> int:
    """The divisor nearest to the square root."""
    return min((d for d in range(1, number + 1) if number % d == 0), key=lambda d: abs(d * d - number))


def _unit(model: OrganModel, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which row of the parameters and of the inputs each name is, one-hot: ``(names, rows)``."""
    own, ports = list(fields(model.Parameters)), list(fields(model.Inputs))
    for name in names:
        if name not in own and name not in ports:
            raise ValueError(f"{model.name} has no parameter or input '{name}'")
    return (
        np.array([[1.0 if name == k else 0.0 for k in own] for name in names]).reshape(len(names), len(own)),
        np.array([[1.0 if name == k and name not in own else 0.0 for k in ports] for name in names]).reshape(
            len(names), len(ports)
        ),
    )


@functools.lru_cache(maxsize=32)
def _tangents_block(model: OrganModel, names: tuple[str, ...], steps: int) -> Callable[..., Any]:
    cycle = _cycle(model)
    unit_p, unit_u = _unit(model, names)
    states = len(fields(model.State))

    def restored(y: Array, p_rows: Array, u_rows: Array) -> Array:
        p, u = model.working(model.Parameters(*p_rows)), model.Inputs(*u_rows)
        advance, stages, _ = beat_functions(model, steps, p, u)
        end, _ = lax.scan(lambda s, d: (advance(s, d), None), y, stages)
        return stack(cycle.restore(model.State(*end), p, u))

    def tangents(p: Array, u: Array, y: Array) -> Array:
        def along(dy: Array, dp: Array, du: Array) -> Array:
            shapes = [jnp.broadcast_to(d[:, None], x.shape) for d, x in ((dy, y), (dp, p), (du, u))]
            return jax.jvp(restored, (y, p, u), tuple(shapes))[1]

        first = jnp.concatenate([jnp.eye(states), jnp.zeros((len(names), states))])
        rest = [jnp.concatenate([jnp.zeros((states, len(unit[0]))), unit]) for unit in (unit_p, unit_u)]
        made = jax.vmap(along)(first, *rest)
        return made.reshape(-1, y.shape[-1])

    return jax.jit(tangents)


@functools.lru_cache(maxsize=32)
def _outputs_block(model: OrganModel, names: tuple[str, ...], steps: int) -> Callable[..., Any]:
    cycle = _cycle(model)
    unit_p, unit_u = _unit(model, names)
    states = len(fields(model.State))

    def read(y: Array, p_rows: Array, u_rows: Array) -> Array:
        p, u = model.working(model.Parameters(*p_rows)), model.Inputs(*u_rows)
        advance, stages, _ = beat_functions(model, steps, p, u)

        def look(s: Array, drive: Any) -> Array:
            return stack(model.observe(drive, model.State(*s), p, u))

        def forward(carry: Any, drives: Any) -> tuple[Any, None]:
            s, high, low, total = carry
            seen = look(s, jax.tree.map(lambda a: a[0], drives))
            after = advance(s, drives), jnp.maximum(high, seen), jnp.minimum(low, seen), total + seen
            return after, None

        begin = look(y, jax.tree.map(lambda a: a[0, 0], stages))
        far = jnp.full_like(begin, jnp.inf)  # so that no extreme ties with the beginning
        (_, high, low, total), _ = lax.scan(forward, (y, -far, far, jnp.zeros_like(begin)), stages)
        top, bottom, mean, onset = (model.Signals(*part) for part in (high, low, total / steps, begin))
        return stack(cycle.summarise(top, bottom, mean, onset, p, u))

    def tangents(p: Array, u: Array, y: Array, moved: Array) -> Array:
        def along(dy: Array, dp: Array, du: Array) -> Array:
            shapes = [jnp.broadcast_to(d[:, None], x.shape) for d, x in ((dp, p), (du, u))]
            return jax.jvp(read, (y, p, u), (dy, *shapes))[1]

        made = jax.vmap(along)(
            moved.reshape(len(names), states, -1), jnp.asarray(unit_p), jnp.asarray(unit_u)
        )
        return made.reshape(-1, y.shape[-1])

    return jax.jit(tangents)
