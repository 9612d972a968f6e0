"""The native CPU back end: the cycle of a model as SIMD machine code, made by LLVM without a compiler.

The model's own functions are traced by JAX and translated (:mod:`~organ_models.native.translate`) to
vectors of lanes (:mod:`~organ_models.native.lanes`) inside a kernel that holds the whole search for the
periodic orbit (:mod:`~organ_models.native.kernel`). :mod:`organ_models.solvers` is the entry.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from organ_models.grids import Grid
from organ_models.model import OrganModel, fields
from organ_models.native.kernel import CycleKernel
from organ_models.native.machine import Compiled, Unavailable, width
from organ_models.native.paced import places
from organ_models.native.stepping import POINTERS, SteppedKernel
from organ_models.native.translate import UnsupportedPrimitive
from organ_models.stepping import Stepped

__all__ = ["Unavailable", "UnsupportedPrimitive", "orbits", "prepare", "stepped", "waveforms", "width"]

_GROUPS_A_WORKER = 8  # vectors of lanes that are worth a thread
_ALIGNMENT = 64
_POINTER, _INTEGER, _DOUBLE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def prepare(problem: OrganModel | Stepped) -> None:
    """Make the code of a cyclic model or a stepped problem, once in a process.

    Raises:
        Unavailable: no code can be made on this machine.
        UnsupportedPrimitive: an operation is needed that this back end does not know.
    """
    if isinstance(problem, Stepped):
        _march(problem)
    else:
        _code(problem, "orbit")


def orbits(
    model: OrganModel,
    parameters: np.ndarray,
    inputs: np.ndarray,
    start: np.ndarray | None,
    *,
    steps: tuple[int, int],
    max_beats: int,
    tolerance: float,
) -> tuple[np.ndarray, ...]:
    """Periodic states: see :func:`organ_models.solvers.periodic_orbits`, without its second try.

    Args:
        model: a cyclic model.
        parameters, inputs: published values and ports, shapes ``(n_parameter, n)`` and ``(n_input, n)``.
        start: states ``(n_state, n)``; the model's cold start if absent.
        steps: steps of a beat while the orbit is sought, and of the beat that is read: a whole multiple.
        max_beats, tolerance: as there.

    Returns:
        States, outputs, residual, beats, converged, with lanes along the last axis.
    """
    run = _code(model, "orbit")
    n_state, n_output = len(fields(model.State)), len(fields(model.Outputs))

    def solve(p: int, u: int, y: int, table: int, out: int) -> None:
        run(p, u, y or None, table, out, *steps, max_beats, tolerance)

    rows = n_state + n_output + 3
    found = _on_vectors(solve, (parameters, inputs, start), rows, _drives(model) * (2 * steps[1] + 1))
    state, outputs = found[:n_state], found[n_state : n_state + n_output]
    return state, outputs, found[-3], found[-2].astype(np.int64), found[-1] != 0.0


def waveforms(
    model: OrganModel, parameters: np.ndarray, inputs: np.ndarray, state: np.ndarray, *, steps: int
) -> np.ndarray:
    """Signals over one beat, shape ``(n_signal, steps + 1, n)``; arguments as for :func:`orbits`."""
    run = _code(model, "waveform")
    n_signal = len(fields(model.Signals))

    def solve(p: int, u: int, y: int, table: int, out: int) -> None:
        run(p, u, y, table, out, steps)

    rows = n_signal * (steps + 1)
    found = _on_vectors(solve, (parameters, inputs, state), rows, _drives(model) * (2 * steps + 1))
    return np.moveaxis(found.reshape(steps + 1, n_signal, found.shape[-1]), 1, 0)


def stepped(
    problem: Stepped,
    parameters: np.ndarray,
    start: np.ndarray,
    grid: Grid,
    doses: np.ndarray,
    events: np.ndarray,
    held: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Step a problem through a grid: see :func:`organ_models.stepping.run`."""
    run, kept = _march(problem)
    place = places(grid.width)
    readings, columns = grid.readings.size, max(doses.shape[1], events.shape[1])
    tables = [
        np.ascontiguousarray(t)
        for t in (
            grid.time,
            grid.width,
            grid.column,
            grid.begins.astype(np.int64),
            grid.readings,
            grid.standing,
            grid.first,
            place,
        )
    ]

    addresses = [t.ctypes.data for t in tables]

    def solve(p: int, x: int, given: int, arriving: int, held: int, table: int, out: int) -> None:
        run(p, x, given, arriving, held, out, table, *addresses, readings, columns)

    flat = [a.reshape(a.shape[0] * a.shape[1], a.shape[2]) for a in (doses, events)]
    rows = readings * problem.outputs + problem.states
    widths = int(np.where(place < 0, -1 - place, place).max(initial=0)) + 1
    table = widths * max(kept, 1)
    found = _on_vectors(solve, (parameters, start, *flat, held), rows, table, _lanes(problem))
    seen = found[: readings * problem.outputs].reshape(readings, problem.outputs, found.shape[-1])
    return seen, found[readings * problem.outputs :]


# -------------------------------------------------------------------------------------------------


def _lanes(problem: Stepped) -> int:
    """Lanes of a vector: in single precision twice as many, so that single numbers fill one."""
    return width() * (2 if problem.precision == "single" else 1)


@functools.cache
def _march(problem: Stepped) -> tuple[Callable[..., None], int]:
    """The code of a stepped problem, and how many rows of the table a width takes."""
    kernel = SteppedKernel(problem, _lanes(problem))
    rows = kernel.march()
    compiled = Compiled(kernel.module)
    call = compiled.function("march", *[_POINTER] * POINTERS, _INTEGER, _INTEGER)

    def run(*values: object) -> None:
        assert compiled  # the code lives as long as this function
        call(*values)

    return run, rows


@functools.cache
def _code(model: OrganModel, function: str) -> Callable[..., None]:
    kernel = CycleKernel(model, width())
    arguments: list[Any] = [_POINTER] * 5 + [_INTEGER]
    if function == "orbit":
        kernel.orbit()
        arguments += [_INTEGER, _INTEGER, _DOUBLE]
    else:
        kernel.waveform()
    compiled = Compiled(kernel.module)
    call = compiled.function(function, *arguments)

    def run(*values: object) -> None:
        assert compiled  # the code lives as long as this function
        call(*values)

    return run


@functools.cache
def _drives(model: OrganModel) -> int:
    return CycleKernel(model, width()).drives


def _on_vectors(
    solve: Callable[..., None],
    arrays: tuple[np.ndarray | None, ...],
    rows_out: int,
    rows_table: int,
    lanes: int | None = None,
) -> np.ndarray:
    """Run a function on every vector of lanes, on all cores.

    Lanes are the last axis of all arrays; an array beside the first whose last axis is 1 holds for all.
    """
    lanes = lanes or width()
    n = next(a.shape[-1] for a in arrays if a is not None)
    groups = -(-n // lanes)
    tiled = [None if a is None else _tiled(a, groups if a.shape[-1] == n else 1, lanes) for a in arrays]
    out = _aligned(groups, rows_out, lanes)

    def work(some: Iterable[int]) -> None:
        table = _aligned(rows_table, lanes)
        for group in some:
            given = [0 if t is None else t[group if len(t) > 1 else 0].ctypes.data for t in tiled]
            solve(*given, table.ctypes.data, out[group].ctypes.data)

    workers = min(_cores(), -(-groups // _GROUPS_A_WORKER))
    if workers > 1:
        left = iter(range(groups))  # shared: every worker takes the next vector, so that all end together
        with ThreadPoolExecutor(max_workers=workers) as pool:
            list(pool.map(work, [left] * workers))
    else:
        work(range(groups))
    return np.moveaxis(out, 0, 1).reshape(rows_out, groups * lanes)[:, :n]


def _tiled(array: np.ndarray, groups: int, lanes: int) -> np.ndarray:
    """Rows of ``lanes`` numbers for every group; a short group repeats the last lane."""
    n = array.shape[-1]
    whole = array[:, np.minimum(np.arange(groups * lanes), n - 1)]
    out = _aligned(groups, array.shape[0], lanes)
    out[...] = whole.reshape(array.shape[0], groups, lanes).swapaxes(0, 1)
    return out


def _aligned(*shape: int) -> np.ndarray:
    """An array that begins on a cache line, so that no vector of lanes lies across two."""
    size = math.prod(shape)
    raw = np.empty(size + _ALIGNMENT // 8)
    begin = (-raw.ctypes.data % _ALIGNMENT) // 8
    return raw[begin : begin + size].reshape(shape)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
