"""Solvers: fixed-step Runge–Kutta, and the periodic steady state of a cyclic model.

A cyclic model runs on one of two back ends (:mod:`organ_models.engines`). This module holds the portable
one; :mod:`organ_models.native` is the other. One problem is one *lane*: every lane sees the same instructions
whatever stands beside it, a lane that has converged or failed is frozen, and a short block is padded; so a
result never depends on chunk size, order, neighbours or workers, bit for bit.
"""

from __future__ import annotations

import enum
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models import anderson
from organ_models.engines import Engine, choose, native
from organ_models.model import Array, OrganModel, fields, values
from organ_models.precision import require_float64

BLOCK = 256
"""Lanes of a block of the portable back end; the fastest on CPUs (measured: 128 to 2048), and one compiled
shape for all sizes."""

_NODES = np.array([0.0, 0.5, 0.5, 1.0])
_NEXT = np.array([0.5, 0.5, 1.0, 0.0])
_WEIGHTS = np.array([1.0, 2.0, 2.0, 1.0]) / 6.0


class Failure(enum.Enum):
    """Why a virtual patient has no solution; the value is a sentence for people."""

    DIVERGED = "the solution left the finite numbers"
    NOT_PERIODIC = "no periodic steady state within the allowed beats"
    TARGET_NOT_REACHED = "no parameters within bounds reach the target"
    MISSING_INPUT = "the record lacks a quantity that the model needs"
    INVALID_PARAMETER = "a parameter is outside its declared bounds or not a number"


@dataclass(frozen=True)
class Orbits:
    """Periodic steady states, one a lane.

    Attributes:
        state: states at the start of the beat, shape ``(n_state, n)``, in the model's state order.
        outputs: the model's ``Outputs`` as numpy arrays of shape ``(n,)``, by name.
        residual: largest weighted change of a state over one beat (see ``Cycle.weights``), shape ``(n,)``.
        beats: beats that were simulated, shape ``(n,)``.
        converged: whether the residual reached the tolerance, shape ``(n,)``.
    """

    state: np.ndarray
    outputs: dict[str, np.ndarray]
    residual: np.ndarray
    beats: np.ndarray
    converged: np.ndarray

    def take(self, lanes: np.ndarray) -> Orbits:
        """The orbits of some lanes, in the order given."""
        outputs = {name: column[lanes] for name, column in self.outputs.items()}
        return Orbits(
            self.state[:, lanes], outputs, self.residual[lanes], self.beats[lanes], self.converged[lanes]
        )


def periodic_orbits(
    model: OrganModel,
    parameters: Any,
    inputs: Any,
    *,
    start: np.ndarray | None = None,
    tolerance: float = 1e-7,
    max_beats: int = 80,
    steps: int | None = None,
    watched_steps: int | None = None,
    refine: int = 1,
    engine: Engine = "auto",
) -> Orbits:
    """The periodic steady state of a cyclic model, found by Anderson acceleration of the beat map.

    Args:
        model: a model with a ``cycle``.
        parameters, inputs: the model's records; each field a scalar or an array of shape ``(n,)``.
        start: initial states ``(n_state, n)``; the model's cold start if absent. They are filled to the
            conserved volume first.
        tolerance: largest weighted change over a beat that counts as periodic.
        max_beats: beats after which a lane gives up.
        steps: Runge–Kutta steps of a beat while the orbit is sought; the model's own if absent.
        watched_steps: steps of the last beat, which the outputs are read from, a whole multiple of ``steps``;
            the model's own if absent.
        refine: every step is divided by this.
        engine: the back end; ``"auto"`` takes the native one where it can run this model.

    Returns:
        :class:`Orbits`. Lanes that failed at the given step are tried once more from the cold start with
        half the step; what then fails has ``converged`` false. No lane affects another.
    """
    require_float64()
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    steps = refine * (model.cycle.steps if steps is None else steps)
    watched = refine * (model.cycle.watched_steps if watched_steps is None else watched_steps)
    if watched % steps:
        raise ValueError(
            f"{model.name}: the beat that is read takes {watched} steps, not a whole multiple of the {steps} "
            "of the other beats; choose watched_steps so"
        )
    n = _lanes(parameters, inputs)
    stacked_parameters = rows_of(parameters, n)
    stacked_inputs = rows_of(inputs, n)

    solve = _native_orbits if choose(model, engine) == "native" else _portable_orbits
    limits = max_beats, tolerance
    first = None if start is None else np.asarray(start)
    results = solve(model, stacked_parameters, stacked_inputs, first, (steps, watched), *limits)
    failed = np.flatnonzero(~results[4])
    if failed.size:
        p = stacked_parameters[:, failed]
        again = solve(model, p, stacked_inputs[:, failed], None, (2 * steps, 2 * watched), *limits)
        results = tuple(np.array(r) for r in results)
        for whole, part in zip(results, again, strict=True):
            whole[..., failed] = part
    state, outputs, residual, beats, converged = results
    names = list(fields(model.Outputs))
    return Orbits(state, dict(zip(names, outputs, strict=True)), residual, beats, converged)


def _portable_orbits(
    model: OrganModel,
    p: np.ndarray,
    u: np.ndarray,
    start: np.ndarray | None,
    steps: tuple[int, int],
    max_beats: int,
    tolerance: float,
) -> tuple[np.ndarray, ...]:
    if start is None:
        start = in_blocks(lambda block: (_cold_block(model)(block),), (p,))[0]
    solver = _orbit_block(model, steps, max_beats)
    return in_blocks(lambda *a: solver(*a, tolerance), (p, u, start))


def _native_orbits(
    model: OrganModel,
    p: np.ndarray,
    u: np.ndarray,
    start: np.ndarray | None,
    steps: tuple[int, int],
    max_beats: int,
    tolerance: float,
) -> tuple[np.ndarray, ...]:
    return native().orbits(model, p, u, start, steps=steps, max_beats=max_beats, tolerance=tolerance)


def waveforms(
    model: OrganModel,
    parameters: Any,
    inputs: Any,
    state: np.ndarray,
    *,
    steps: int | None = None,
    engine: Engine = "auto",
) -> dict[str, np.ndarray]:
    """Signals over one beat from given states, in the steps of a watched beat unless told otherwise.

    Returns:
        ``time`` (s) and every signal of the model, each of shape ``(steps + 1, n)``.
    """
    require_float64()
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    steps = model.cycle.watched_steps if steps is None else steps
    n = _lanes(parameters, inputs)
    p, u = rows_of(parameters, n), rows_of(inputs, n)
    if choose(model, engine) == "native":
        signals = native().waveforms(model, p, u, np.asarray(state), steps=steps)
    else:
        record = _waveform_block(model, steps)
        signals = np.stack(in_blocks(lambda *a: record(*a), (p, u, np.asarray(state))))
    period = np.asarray(model.cycle.period(model.working(model.Parameters(*p)), model.Inputs(*u)))
    time = np.arange(steps + 1)[:, None] * (period / steps)
    return dict(zip(["time", *fields(model.Signals)], [time, *signals], strict=True))


def rk4_step(rate: Callable[[Array, Any], Any], time: Array, state: Any, step: Array | float) -> Any:
    """One classical Runge–Kutta step of ``state' = rate(time, state)`` on a pytree."""
    total = state
    stage = state
    for node, ahead, weight in zip(_NODES, _NEXT, _WEIGHTS, strict=True):
        slope = rate(time + node * step, stage)
        total = jax.tree.map(lambda y, k, w=weight: y + step * w * k, total, slope)
        stage = jax.tree.map(lambda y, k, a=ahead: y + step * a * k, state, slope)
    return total


# ---------------------------------------------------------------------------------------------------
# blocks


def in_blocks(
    function: Callable[..., Any], arrays: tuple[np.ndarray, ...], *, block: int | None = None
) -> tuple[np.ndarray, ...]:
    """Apply a compiled block function to arrays with lanes along the last axis, on all cores.

    ``function`` takes arrays whose last axis is ``block`` (:data:`BLOCK` if absent) and returns a tuple of
    such arrays.
    """
    n, size = arrays[0].shape[-1], BLOCK if block is None else block
    starts = range(0, max(n, 1), size)

    def run(begin: int) -> tuple[np.ndarray, ...]:
        width = min(size, n - begin)
        # a short block repeats its last lane: every block has the same shape and runs the same code
        lanes = np.minimum(np.arange(begin, begin + size), n - 1)
        filled = (a[..., lanes] if n else np.zeros((*a.shape[:-1], size)) for a in arrays)
        out = function(*filled)
        return tuple(np.asarray(o)[..., :width] for o in out)

    first = run(0)  # compiles once, before threads
    if len(starts) == 1:
        return first
    with ThreadPoolExecutor(max_workers=_workers()) as pool:
        rest = list(pool.map(run, starts[1:]))
    return tuple(np.concatenate(parts, axis=-1) for parts in zip(first, *rest, strict=True))


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lanes(*records: Any) -> int:
    sizes = {np.shape(v)[-1] for r in records for v in values(r).values() if np.ndim(v)}
    if len(sizes) > 1:
        raise ValueError(f"parameters and inputs disagree on the number of patients: {sorted(sizes)}")
    return sizes.pop() if sizes else 1


def rows_of(record: Any, n: int) -> np.ndarray:
    """Fields of a record as rows, shape ``(fields, n)``."""
    rows = [np.broadcast_to(np.asarray(v, dtype=np.float64), (n,)) for v in values(record).values()]
    return np.stack(rows) if rows else np.zeros((0, n))


def stack(record: Any) -> Array:
    """Fields of a record as rows of a JAX array."""
    return jnp.stack(list(values(record).values()))


@functools.cache
def _cold_block(model: OrganModel) -> Callable[..., Any]:
    return jax.jit(lambda parameters: stack(model.initial(model.working(model.Parameters(*parameters)))))


# ---------------------------------------------------------------------------------------------------
# the beat


def tabulated(
    model: OrganModel, steps: int, p: Any, u: Any, *, first: Array | int = 0, number: int | None = None
) -> Any:
    """The drive at every half step of ``number`` steps from step ``first`` on (of a whole beat if absent).

    Leaves have the shape ``(2 * number + 1, *lanes)``; a beat has ``steps`` steps.
    """
    cycle = model.cycle
    assert cycle is not None
    period = cycle.period(p, u)
    half_steps = (2 * first + jnp.arange(2 * (steps if number is None else number) + 1)) * (0.5 / steps)
    return jax.vmap(lambda phase: cycle.drive(phase * period, p, u))(half_steps)


def stages_of(table: Any, steps: int) -> Any:
    """The drive at the stages of ``steps`` steps, leaves ``(steps, 4, *lanes)``, from a table that is as fine
    or finer by a whole factor."""

    def chosen(a: Array) -> Array:
        half = a[:: (len(a) - 1) // (2 * steps)]
        return jnp.stack([half[0:-1:2], half[1::2], half[1::2], half[2::2]], axis=1)

    return jax.tree.map(chosen, table)


def beat_functions(
    model: OrganModel, steps: int, p: Any, u: Any, *, table: Any = None
) -> tuple[Callable[..., Any], Any, Array]:
    """The beat map of one block, its tabulated drive and its step in seconds.

    ``table`` is the drive of a beat in a whole multiple of these steps, where that is known already.
    """
    cycle = model.cycle
    assert cycle is not None
    step = cycle.period(p, u) / steps
    known = tabulated(model, steps, p, u) if table is None else table
    return step_function(model, step, p, u), stages_of(known, steps), step


def step_function(model: OrganModel, step: Array, p: Any, u: Any) -> Callable[[Array, Any], Array]:
    """``f(states, drives) -> states``, one step of ``step`` seconds; ``drives`` are those of its stages."""
    ahead, weight = jnp.asarray(_NEXT), jnp.asarray(_WEIGHTS)

    def advance(y: Array, drives: Any) -> Array:
        # stages are a scan, not unrolled: the right-hand side is compiled once and runs 2.5 times faster
        def stage(carry: tuple[Array, Array], xs: Any) -> tuple[tuple[Array, Array], None]:
            w, total = carry
            drive, a, b = xs
            slope = step * stack(model.derivative(drive, model.State(*w), p, u))
            return (y + a * slope, total + b * slope), None

        (_, end), _ = lax.scan(stage, (y, y), (drives, ahead, weight))
        return end if model.project is None else stack(model.project(model.State(*end), p, u))

    return advance


@functools.cache
def _orbit_block(model: OrganModel, steps: tuple[int, int], max_beats: int) -> Callable[..., Any]:
    cycle = model.cycle
    assert cycle is not None

    def solve(parameters: Array, inputs: Array, start: Array, tolerance: Array) -> tuple[Array, ...]:
        published = model.Parameters(*parameters)
        p, u = model.working(published), model.Inputs(*inputs)
        table = tabulated(model, steps[1], p, u)
        seeking, stages, _ = beat_functions(model, steps[0], p, u, table=table)
        weights = stack(cycle.weights(p))

        def fill(y: Array) -> Array:
            return stack(cycle.restore(model.State(*y), p, u))

        def beat(y: Array) -> Array:
            end, _ = lax.scan(lambda s, d: (seeking(s, d), None), y, stages)
            return fill(end)

        def going(now: anderson.Progress) -> Array:
            return (now.beats_done < max_beats) & jnp.any(now.active)

        found = lax.while_loop(
            going,
            lambda now: anderson.advance(now, beat(now.state), weights, tolerance),
            anderson.begin(fill(start)),
        )
        state, residual, beats = found.state, found.residual, found.beats

        advance, fine, _ = beat_functions(model, steps[1], p, u, table=table)

        def watch(y: Array) -> tuple[Array, Array, Array, Array]:
            def look(s: Array, drive: Any) -> Array:
                return stack(model.observe(drive, model.State(*s), p, u))

            def forward(carry: Any, drives: Any) -> tuple[Any, None]:
                s, high, low, total = carry
                seen = look(s, jax.tree.map(lambda a: a[0], drives))
                return (
                    advance(s, drives),
                    jnp.maximum(high, seen),
                    jnp.minimum(low, seen),
                    total + seen,
                ), None

            begin = look(y, jax.tree.map(lambda a: a[0, 0], fine))
            carry = (y, begin, begin, jnp.zeros_like(begin))
            (_, high, low, total), _ = lax.scan(forward, carry, fine)
            return high, low, total / steps[1], begin

        high, low, mean, begin = (model.Signals(*part) for part in watch(state))
        outputs = stack(cycle.summarise(high, low, mean, begin, p, u))
        finite = jnp.all(jnp.isfinite(outputs), axis=0)
        return state, outputs, residual, beats, (residual <= tolerance) & finite

    return jax.jit(solve)


@functools.cache
def _waveform_block(model: OrganModel, steps: int) -> Callable[..., Any]:
    def record(parameters: Array, inputs: Array, start: Array) -> tuple[Array, ...]:
        p, u = model.working(model.Parameters(*parameters)), model.Inputs(*inputs)
        advance, stages, _ = beat_functions(model, steps, p, u)
        first = jax.tree.map(lambda a: a[:, 0], stages)
        last = jax.tree.map(lambda a: a[-1, -1], stages)

        def forward(y: Array, xs: Any) -> tuple[Array, Array]:
            drives, drive = xs
            return advance(y, drives), stack(model.observe(drive, model.State(*y), p, u))

        end, seen = lax.scan(forward, start, (stages, first))
        final = stack(model.observe(last, model.State(*end), p, u))
        everything = jnp.concatenate([seen, final[None]])
        return tuple(jnp.moveaxis(everything, 1, 0))

    return jax.jit(record)
