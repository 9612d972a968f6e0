"""Problems that are stepped through time on a grid: slow models between events.

A :class:`Stepped` problem is a few pure functions of stacked rows (states, parameters, doses), patients along
the last axis. It runs on the portable back end or, patient vector by patient vector, on the native one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.engines import Engine, Precision, choose, native
from organ_models.grids import Grid
from organ_models.model import Array
from organ_models.precision import require_float64
from organ_models.solvers import in_blocks


@dataclass(frozen=True, eq=False)
class Stepped:
    """A problem on the clock of days; every function is elementwise over patients.

    Attributes:
        name: for messages.
        states, outputs: numbers of rows.
        rows: rows of parameters, doses, events and held inputs.
        prepare: ``prepare(parameters) -> Any``, once a run.
        initial: ``initial(prepared) -> states``.
        step: ``step(prepared, states, time, width, doses, held) -> states``.
        jump: ``jump(prepared, states, events) -> states``, or absent.
        read: ``read(prepared, states, time, doses, held) -> outputs``.
        portable_only: why only the portable back end can run it, if so.
        precision: ``"single"`` where ``step`` computes in single precision in part, which only the native
            back end runs.
    """

    name: str
    states: int
    outputs: int
    rows: tuple[int, int, int, int]
    prepare: Callable[[Array], Any]
    initial: Callable[[Any], Array]
    step: Callable[[Any, Array, Array, Array, Array, Array], Array]
    jump: Callable[[Any, Array, Array], Array] | None
    read: Callable[[Any, Array, Array, Array, Array], Array]
    portable_only: str | None = None
    precision: Precision = "double"


def run(
    problem: Stepped,
    parameters: np.ndarray,
    grid: Grid,
    doses: np.ndarray,
    events: np.ndarray,
    held: np.ndarray,
    *,
    start: np.ndarray | None = None,
    engine: Engine = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Step a problem through a grid.

    Args:
        problem: what to solve.
        parameters: shape ``(n_parameter, n)``.
        grid: the steps and readings.
        doses: inputs that hold from one column to the next (mostly days), shape ``(n_dose, columns, n)``;
            ``(n_dose, columns, 1)`` if all get the same.
        events: amounts that arrive as a column begins, shaped like ``doses``; zero is nothing.
        held: inputs that hold for the whole run, shape ``(n_held, n)``.
        start: states before the first step, ``(n_state, n)``; the problem's own if absent.
        engine: the back end.

    Returns:
        Outputs at every reading, shape ``(k, n_output, n)``, and the states at the last, ``(n_state, n)``. A
        reading is taken before what begins at its instant, with the doses that stood until then.
    """
    require_float64()
    n = parameters.shape[-1]
    if start is None:
        begin = (
            in_blocks(lambda p: (_initial(problem)(p),), (parameters,))[0]
            if n
            else np.zeros((problem.states, 0))
        )
    else:
        begin = np.asarray(start, dtype=float)
    if choose(problem, engine) == "native":
        return native().stepped(problem, parameters, begin, grid, doses, events, held)
    return _portable(problem, parameters, begin, grid, doses, events, held)


def portable_function(problem: Stepped) -> Callable[..., tuple[Array, Array]]:
    """``f(tables, parameters, start, doses, events, held) -> (outputs, states)`` in JAX, for transformations;
    ``tables`` are a grid's :func:`grid_tables`."""

    def function(
        tables: Any, parameters: Array, start: Array, doses: Array, events: Array, held: Array
    ) -> tuple[Array, Array]:
        return _march(problem, parameters, start, doses, events, held, *tables)

    return function


def grid_tables(grid: Grid) -> tuple[np.ndarray, ...]:
    """A grid as arrays that a compiled function takes: steps padded to a power of two, with room for steps of
    half the width, so that one compiled shape serves both."""
    n = grid.time.size
    room = 1 << max(2 * n - 1, 1).bit_length()

    def padded(column: np.ndarray) -> np.ndarray:
        return np.concatenate([column, np.zeros(room - n, column.dtype)])

    before = np.concatenate([[0], grid.first[:-1]]).astype(np.int64)
    return (
        padded(grid.time),
        padded(grid.width),
        padded(grid.column),
        padded(grid.begins),
        grid.readings,
        grid.standing,
        before,
        grid.first,
    )


# ---------------------------------------------------------------------------------------------------


@functools.cache
def _initial(problem: Stepped) -> Callable[[Any], Array]:
    return jax.jit(lambda p: problem.initial(problem.prepare(p)))


def _march(
    problem: Stepped,
    parameters: Array,
    start: Array,
    doses: Array,
    events: Array,
    held: Array,
    time: Array,
    width: Array,
    column: Array,
    begins: Array,
    readings: Array,
    standing: Array,
    before: Array,
    first: Array,
) -> tuple[Array, Array]:
    prepared = problem.prepare(parameters)
    lanes = parameters.shape[-1]

    def one(k: Array, states: Array) -> Array:
        if problem.jump is not None:
            arrives = jnp.broadcast_to(events[:, column[k]], (events.shape[0], lanes))
            arrives = jnp.where(begins[k], arrives, 0.0)
            jumped = problem.jump(prepared, states, arrives)
            states = jnp.where(jnp.any(arrives != 0.0, axis=0), jumped, states)
        given = jnp.broadcast_to(doses[:, column[k]], (doses.shape[0], lanes))
        return problem.step(prepared, states, time[k], width[k], given, held)

    def to_reading(states: Array, xs: Any) -> tuple[Array, Array]:
        begin, end, when, stood = xs
        states = lax.fori_loop(begin, end, one, states)
        given = jnp.broadcast_to(doses[:, jnp.maximum(stood, 0)], (doses.shape[0], lanes))
        given = jnp.where(stood >= 0, given, 0.0)
        return states, problem.read(prepared, states, when, given, held)

    end, seen = lax.scan(to_reading, start, (before, first, readings, standing))
    return seen, end


@functools.cache
def _block(problem: Stepped) -> Callable[..., Any]:
    def marched(
        tables: Any, parameters: Array, start: Array, doses: Array, events: Array, held: Array
    ) -> Any:
        seen, end = _march(problem, parameters, start, doses, events, held, *tables)
        return jnp.moveaxis(seen, 0, 1), end

    return jax.jit(marched)


def _portable(
    problem: Stepped,
    parameters: np.ndarray,
    start: np.ndarray,
    grid: Grid,
    doses: np.ndarray,
    events: np.ndarray,
    held: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    tables = grid_tables(grid)
    function = _block(problem)
    shared = [a if a.shape[-1] == 1 else None for a in (doses, events)]
    varying = tuple(a for a, s in zip((doses, events), shared, strict=True) if s is None)

    def block(p: np.ndarray, x: np.ndarray, h: np.ndarray, *rest: np.ndarray) -> Any:
        own = iter(rest)
        given = [next(own) if s is None else s for s in shared]
        return function(tables, p, x, *given, h)

    seen, end = in_blocks(block, (parameters, start, held, *varying))
    return np.moveaxis(seen, 1, 0), end
