"""Solvers: fixed-step Runge–Kutta, and the periodic steady state of a cyclic model.

The unit of compiled work is a *block* of :data:`BLOCK` lanes, one problem a lane. Every lane sees the
same instructions whatever else is in the block, a lane that has converged or failed is frozen, and a
short block is padded; so a result never depends on chunk size, order, neighbours or workers, bit for bit.
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

from organ_models.model import Array, OrganModel, fields, values

BLOCK = 256
"""Lanes of a block; the fastest on CPUs (measured: 128 to 2048), and one compiled shape for all sizes."""

_NODES = np.array([0.0, 0.5, 0.5, 1.0])
_NEXT = np.array([0.5, 0.5, 1.0, 0.0])
_WEIGHTS = np.array([1.0, 2.0, 2.0, 1.0]) / 6.0
_MEMORY = 4  # differences that Anderson acceleration remembers
_WARM_BEATS = 2  # plain beats before acceleration starts


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
) -> Orbits:
    """The periodic steady state of a cyclic model, found by Anderson acceleration of the beat map.

    Args:
        model: a model with a ``cycle``.
        parameters, inputs: the model's records; each field a scalar or an array of shape ``(n,)``.
        start: initial states ``(n_state, n)``; the model's cold start if absent. They are filled to the
            conserved volume first.
        tolerance: largest weighted change over a beat that counts as periodic.
        max_beats: beats after which a lane gives up.
        steps: Runge–Kutta steps a beat; the model's own if absent.

    Returns:
        :class:`Orbits`. Lanes that failed at the given step are tried once more from the cold start with
        half the step; what then fails has ``converged`` false. No lane affects another.
    """
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    steps = model.cycle.steps if steps is None else steps
    n = _lanes(parameters, inputs)
    stacked_parameters = _stack_numpy(parameters, n)
    stacked_inputs = _stack_numpy(inputs, n)

    def cold(p: np.ndarray) -> np.ndarray:
        return in_blocks(lambda block: (_cold_block(model)(block),), (p,))[0]

    def solve(p: np.ndarray, u: np.ndarray, y: np.ndarray, steps: int) -> tuple[np.ndarray, ...]:
        solver = _orbit_block(model, steps, max_beats)
        return in_blocks(lambda *a: solver(*a, tolerance), (p, u, y))

    first = cold(stacked_parameters) if start is None else np.asarray(start)
    results = solve(stacked_parameters, stacked_inputs, first, steps)
    failed = np.flatnonzero(~results[4])
    if failed.size:
        p = stacked_parameters[:, failed]
        again = solve(p, stacked_inputs[:, failed], cold(p), 2 * steps)
        results = tuple(np.array(r) for r in results)
        for whole, part in zip(results, again, strict=True):
            whole[..., failed] = part
    state, outputs, residual, beats, converged = results
    names = list(fields(model.Outputs))
    return Orbits(state, dict(zip(names, outputs, strict=True)), residual, beats, converged)


def waveforms(
    model: OrganModel, parameters: Any, inputs: Any, state: np.ndarray, *, steps: int | None = None
) -> dict[str, np.ndarray]:
    """Signals over one beat from given states.

    Returns:
        ``time`` (s) and every signal of the model, each of shape ``(steps + 1, n)``.
    """
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    steps = model.cycle.steps if steps is None else steps
    n = _lanes(parameters, inputs)
    record = _waveform_block(model, steps)
    out = in_blocks(
        lambda p, u, y: record(p, u, y), (_stack_numpy(parameters, n), _stack_numpy(inputs, n), state)
    )
    names = ["time", *fields(model.Signals)]
    return dict(zip(names, out, strict=True))


def rk4_step(rate: Callable[[Array, Any], Any], time: Array, state: Any, step: float) -> Any:
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


def in_blocks(function: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Apply a compiled block function to arrays with lanes along the last axis, on all cores.

    ``function`` takes arrays whose last axis is :data:`BLOCK` and returns a tuple of such arrays.
    """
    n = arrays[0].shape[-1]
    starts = range(0, max(n, 1), BLOCK)

    def run(begin: int) -> tuple[np.ndarray, ...]:
        width = min(BLOCK, n - begin)
        # a short block repeats its last lane: every block has the same shape and runs the same code
        lanes = np.minimum(np.arange(begin, begin + BLOCK), n - 1)
        filled = (a[..., lanes] if n else np.zeros((*a.shape[:-1], BLOCK)) for a in arrays)
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


def _stack_numpy(record: Any, n: int) -> np.ndarray:
    rows = [np.broadcast_to(np.asarray(v, dtype=np.float64), (n,)) for v in values(record).values()]
    return np.stack(rows) if rows else np.zeros((0, n))


def _stack(record: Any) -> Array:
    return jnp.stack(list(values(record).values()))


@functools.cache
def _cold_block(model: OrganModel) -> Callable[..., Any]:
    return jax.jit(lambda parameters: _stack(model.initial(model.working(model.Parameters(*parameters)))))


# ---------------------------------------------------------------------------------------------------
# the beat


def _beat_functions(model: OrganModel, steps: int, p: Any, u: Any) -> tuple[Callable[..., Any], Any, Array]:
    """The beat map of one block, its tabulated drive and its step in seconds."""
    cycle = model.cycle
    assert cycle is not None
    period = cycle.period(p)
    step = period / steps
    half_steps = jnp.arange(2 * steps + 1) * (0.5 / steps)
    table = jax.vmap(lambda phase: cycle.drive(phase * period, p))(half_steps)
    stages = jax.tree.map(lambda a: jnp.stack([a[0:-1:2], a[1::2], a[1::2], a[2::2]], axis=1), table)
    ahead, weight = jnp.asarray(_NEXT), jnp.asarray(_WEIGHTS)

    def advance(y: Array, drives: Any) -> Array:
        # stages are a scan, not unrolled: the right-hand side is compiled once and runs 2.5 times faster
        def stage(carry: tuple[Array, Array], xs: Any) -> tuple[tuple[Array, Array], None]:
            w, total = carry
            drive, a, b = xs
            slope = step * _stack(model.derivative(drive, model.State(*w), p, u))
            return (y + a * slope, total + b * slope), None

        (_, end), _ = lax.scan(stage, (y, y), (drives, ahead, weight))
        return end

    return advance, stages, step


@functools.cache
def _orbit_block(model: OrganModel, steps: int, max_beats: int) -> Callable[..., Any]:
    cycle = model.cycle
    assert cycle is not None

    def solve(parameters: Array, inputs: Array, start: Array, tolerance: Array) -> tuple[Array, ...]:
        published = model.Parameters(*parameters)
        p, u = model.working(published), model.Inputs(*inputs)
        advance, stages, _ = _beat_functions(model, steps, p, u)
        weights = _stack(cycle.weights(p))

        def fill(y: Array) -> Array:
            return _stack(cycle.project(model.State(*y), p, u))

        def beat(y: Array) -> Array:
            end, _ = lax.scan(lambda s, d: (advance(s, d), None), y, stages)
            return fill(end)

        state, residual, beats, converged = _anderson(beat, fill(start), weights, tolerance, max_beats)

        def watch(y: Array) -> tuple[Array, Array, Array, Array]:
            def look(s: Array, drive: Any) -> Array:
                return _stack(model.observe(drive, model.State(*s), p, u))

            def forward(carry: Any, drives: Any) -> tuple[Any, None]:
                s, high, low, total = carry
                seen = look(s, jax.tree.map(lambda a: a[0], drives))
                return (
                    advance(s, drives),
                    jnp.maximum(high, seen),
                    jnp.minimum(low, seen),
                    total + seen,
                ), None

            begin = look(y, jax.tree.map(lambda a: a[0, 0], stages))
            carry = (y, begin, begin, jnp.zeros_like(begin))
            (_, high, low, total), _ = lax.scan(forward, carry, stages)
            return high, low, total / steps, begin

        high, low, mean, begin = (model.Signals(*part) for part in watch(state))
        outputs = _stack(cycle.summarise(high, low, mean, begin, p, u))
        finite = jnp.all(jnp.isfinite(outputs), axis=0)
        return state, outputs, residual, beats, converged & finite

    return jax.jit(solve)


@functools.cache
def _waveform_block(model: OrganModel, steps: int) -> Callable[..., Any]:
    def record(parameters: Array, inputs: Array, start: Array) -> tuple[Array, ...]:
        p, u = model.working(model.Parameters(*parameters)), model.Inputs(*inputs)
        advance, stages, step = _beat_functions(model, steps, p, u)
        first = jax.tree.map(lambda a: a[:, 0], stages)
        last = jax.tree.map(lambda a: a[-1, -1], stages)

        def forward(y: Array, xs: Any) -> tuple[Array, Array]:
            drives, drive = xs
            return advance(y, drives), _stack(model.observe(drive, model.State(*y), p, u))

        end, seen = lax.scan(forward, start, (stages, first))
        final = _stack(model.observe(last, model.State(*end), p, u))
        everything = jnp.concatenate([seen, final[None]])
        times = jnp.arange(steps + 1)[:, None] * step
        return (times, *jnp.moveaxis(everything, 1, 0))

    return jax.jit(record)


def _anderson(
    beat: Callable[[Array], Array],
    y0: Array,
    weights: Array,
    tolerance: Array,
    max_beats: int,
) -> tuple[Array, Array, Array, Array]:
    """Fixed point of the beat map by Anderson acceleration, each lane on its own.

    Every iterate is an affine combination of beats with the same volume, so volume is conserved.
    """
    n_state, n = y0.shape

    def body(carry: Any) -> Any:
        k, y, y_last, f_last, d_g, d_f, residual, beats, active = carry
        g = beat(y)
        f = weights * (g - y)
        change = jnp.max(jnp.abs(f), axis=0)
        residual = jnp.where(active, change, residual)
        beats = jnp.where(active, k + 1, beats)
        finite = jnp.isfinite(change)
        slot = jnp.arange(_MEMORY)[:, None, None] == jnp.mod(k, _MEMORY)
        enough = k >= 1
        d_g = jnp.where(slot & enough, (g - y_last)[None], d_g)
        d_f = jnp.where(slot & enough, (f - f_last)[None], d_f)
        step = _least_squares(d_f, f, d_g)
        accelerated = g - step
        use = (k >= _WARM_BEATS) & jnp.all(jnp.isfinite(accelerated), axis=0)
        y_next = jnp.where(use, accelerated, g)
        still = active & finite & (change > tolerance)
        # a lane that just converged takes the end of its last beat; a lane at rest keeps its state
        y_new = jnp.where(still, y_next, jnp.where(active & finite, g, y))
        return k + 1, y_new, g, f, d_g, d_f, residual, beats, still

    def going(carry: Any) -> Array:
        return (carry[0] < max_beats) & jnp.any(carry[-1])

    zeros = jnp.zeros((_MEMORY, n_state, n))
    start = (
        0,
        y0,
        y0,
        y0,
        zeros,
        zeros,
        jnp.full((n,), jnp.inf),
        jnp.zeros((n,), dtype=jnp.int64),
        jnp.all(jnp.isfinite(y0), axis=0),
    )
    out = lax.while_loop(going, body, start)
    state, residual, beats = out[1], out[6], out[7]
    return state, residual, beats, residual <= tolerance


def _least_squares(d_f: Array, f: Array, d_g: Array) -> Array:
    """``d_g @ argmin |f - d_f @ c|`` lane by lane, by ridged normal equations, elementwise."""
    m = d_f.shape[0]
    gram = [[jnp.sum(d_f[i] * d_f[j], axis=0) for j in range(m)] for i in range(m)]
    right = [jnp.sum(d_f[i] * f, axis=0) for i in range(m)]
    ridge = 1e-10 * sum(gram[i][i] for i in range(m)) + jnp.finfo(jnp.float64).tiny
    for i in range(m):
        gram[i][i] = gram[i][i] + ridge
    for i in range(m):  # symmetric positive definite: elimination needs no pivoting
        for j in range(i + 1, m):
            factor = gram[j][i] / gram[i][i]
            gram[j] = [gram[j][k] - factor * gram[i][k] if k >= i else gram[j][k] for k in range(m)]
            right[j] = right[j] - factor * right[i]
    solution: list[Array] = [right[0]] * m
    for i in reversed(range(m)):
        known = sum((gram[i][k] * solution[k] for k in range(i + 1, m)), start=jnp.zeros_like(f[0]))
        solution[i] = (right[i] - known) / gram[i][i]
    return sum((d_g[i] * solution[i] for i in range(m)), start=jnp.zeros_like(f))
