"""What fits compute with: outputs of slow models on every patient's own days, and their derivatives.

Patients are measured on days of their own. Each gets a time grid of their own, laid out from their days
alone, so that nobody's steps are cut by a neighbour's visits. Grids of about one size are padded to one
shape and run side by side; which shape that is hangs on the patient alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from organ_models.model import Array, Field, fields
from organ_models.schedules import Schedule
from organ_models.solvers import BLOCK, in_blocks, rows_of
from organ_models.stepping import Stepped, grid_tables, portable_function
from organ_models.variability import Effect
from vht.course import Doses, Prepared, check_doses, prepared_course
from vht.interleaved import reads_cycle
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals
from vht.slow_models import SlowModels, stepped

_SMALLEST = 16
_STEP = 4
_MANY_STEPS, _FEW_LANES = 256, 16


def moved(effect: Effect, centre: Array, deviation: Array) -> Array:
    """A parameter moved by a deviation on its effect's scale, as
    :func:`organ_models.variability.individual_value` does, in JAX."""
    if effect == "log-normal":
        return centre * jnp.exp(deviation)
    if effect == "logit-normal":
        return 1.0 / (1.0 + (1.0 - centre) / centre * jnp.exp(-deviation))
    return centre + deviation


@dataclass(frozen=True)
class Free:
    """A parameter that a fit moves.

    Attributes:
        model, name: which one.
        row: its place among the parameters of the slow models.
        declared: what is declared about it.
    """

    model: str
    name: str
    row: int
    declared: Field

    @property
    def label(self) -> str:
        """``model.parameter``."""
        return f"{self.model}.{self.name}"


def free_parameters(patient: VirtualPatient, names: Sequence[str]) -> tuple[Free, ...]:
    """The parameters that a fit moves, from ``model.parameter``, or ``parameter`` where one model is slow.

    Raises:
        CompositionError: no such parameter, or one of a model that is not slow.
        ValueError: none, or one twice.
    """
    if not names:
        raise ValueError("free: name at least one parameter")
    if len(set(names)) < len(names):
        raise ValueError("free: a parameter is named twice")
    offset, rows = 0, {}
    for model in patient.slow:
        for name, declared in fields(model.Parameters).items():
            rows[f"{model.name}.{name}"] = Free(model.name, name, offset, declared)
            offset += 1
    out = []
    for name in names:
        label = name if "." in name or len(patient.slow) != 1 else f"{patient.slow[0].name}.{name}"
        if label not in rows:
            patient.port(label, "Parameters")  # says what is near
            raise CompositionError(f"{label} belongs to no slow model; only those can be fitted here")
        out.append(rows[label])
    return tuple(out)


@dataclass(frozen=True, eq=False)
class Group:
    """Patients whose grids have one shape.

    Attributes:
        lanes: their places among all, ``(n,)``.
        days: their days, padded by the last, ``(readings, n)``.
        observed: their measurements, NaN where there is none, ``(readings, n)``.
        tables: grids, doses and parameters, patients along the last axis.
        value, slope: compiled.
    """

    lanes: np.ndarray
    days: np.ndarray
    observed: np.ndarray
    tables: tuple[np.ndarray, ...]
    value: Callable[..., Any]
    slope: Callable[..., Any]

    def values(self, deviations: np.ndarray, who: np.ndarray) -> np.ndarray:
        """The output, ``(readings, m)``, for deviations ``(p, m)`` of the patients ``who``, places in the
        group."""
        (seen,) = in_blocks(self.value, (deviations, *(t[..., who] for t in self.tables)), block=self._block)
        return seen

    def slopes(self, deviations: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The output, and its derivatives by the deviations, ``(readings, p, m)``."""
        seen, slope = in_blocks(
            self.slope, (deviations, *(t[..., who] for t in self.tables)), block=self._block
        )
        return seen, slope

    @property
    def _block(self) -> int:
        """A short block is filled up with lanes that cost as much: where steps are many, few lanes."""
        return BLOCK if self.tables[1].shape[0] <= _MANY_STEPS else _FEW_LANES


def groups(
    patient: VirtualPatient,
    people: Individuals,
    doses: Doses,
    output: str,
    free: tuple[Free, ...],
    days: np.ndarray,
    observed: np.ndarray,
) -> list[Group]:
    """Patients by the size of their grids.

    Args:
        patient, people, doses: as for :func:`vht.course.course`; the parameters of the people are the
            centres that deviations are from.
        output: the port that is read.
        free: the parameters that deviate.
        days: everybody's days in increasing order, NaN after the last, ``(k, n)``.
        observed: what was measured on them, ``(k, n)``.

    Raises:
        CompositionError: an output of no slow model, a composition whose slow models read the cycle, or a
            dose where none can be given.
        ValueError: days that do not increase or lie before day 0.
    """
    if reads_cycle(patient):
        raise CompositionError("fits do not go through a slow model that reads the cycle")
    check_doses(patient, doses)
    patient.port(output, "Outputs")
    if output.partition(".")[0] not in {m.name for m in patient.slow}:
        raise CompositionError(f"{output} is no output of a slow model; only those can be fitted here")
    count = np.isfinite(days).sum(axis=0)
    _check(days, count)
    rows = np.concatenate([rows_of(people.parameters[m.name], len(people)) for m in patient.slow])
    rows = np.concatenate([rows, np.ones((1, len(people)))])
    found: dict[tuple[int, ...], list[tuple[int, tuple[np.ndarray, ...]]]] = {}
    kept: dict[bytes, tuple[Prepared, tuple[np.ndarray, ...]]] = {}
    models: SlowModels | None = None
    everybody = all(np.ndim(d.amounts if isinstance(d, Schedule) else d) < 2 for d in doses.values())
    for lane in range(len(people)):
        if not count[lane]:
            continue
        own = days[: count[lane], lane]
        key = own.tobytes() if everybody else None
        if key is None or key not in kept:
            ready = prepared_course(patient, people.take(np.array([lane])), _own(doses, lane), own)
            made = (ready, _padded(ready))
            if key is not None:
                kept[key] = made
        else:
            made = kept[key]
        ready, tables = made
        models = ready.models
        found.setdefault(tuple(s for t in tables for s in t.shape), []).append((lane, tables))
    if models is None:
        return []
    problem, port = stepped(models), models.outputs.index(output)
    value, slope = _compiled(problem, port, tuple((f.row, f.declared.effect) for f in free))
    out = []
    for members in found.values():
        lanes = np.array([lane for lane, _ in members])
        stacked = tuple(np.stack(parts, axis=-1) for parts in zip(*(t for _, t in members), strict=True))
        k = members[0][1][4].size  # padded number of readings
        padded = np.full((k, lanes.size), np.nan)
        seen = padded.copy()
        upto = min(k, days.shape[0])
        padded[:upto], seen[:upto] = days[:upto, lanes], observed[:upto, lanes]
        last = days[count[lanes] - 1, lanes]
        padded = np.where(np.isfinite(padded), padded, last)
        out.append(Group(lanes, padded, seen, (rows[:, lanes], *stacked), value, slope))
    return out


# ---------------------------------------------------------------------------------------------------


def _check(days: np.ndarray, count: np.ndarray) -> None:
    """Days of a patient stand first and increase."""
    ordered = np.arange(days.shape[0])[:, None] < count
    if not np.array_equal(np.isfinite(days), ordered):
        raise ValueError("days: a missing day may stand only after a patient's last one")
    if np.any(days[ordered] < 0):
        raise ValueError("days: no measurement may lie before day 0; count days from the first one")
    if np.any(np.diff(days, axis=0) < 0):
        raise ValueError("days: they must be in increasing order for every patient")


def _own(doses: Doses, lane: int) -> dict[str, Any]:
    """What one patient gets."""
    out: dict[str, Any] = {}
    for port, dose in doses.items():
        if isinstance(dose, Schedule):
            wide = dose.amounts.ndim == 2 and dose.amounts.shape[1] > 1
            out[port] = Schedule(dose.times, dose.amounts[:, [lane]]) if wide else dose
        else:
            table = np.asarray(dose, float)
            out[port] = table[:, lane] if table.ndim == 2 and table.shape[1] > 1 else dose
    return out


def _room(size: int) -> int:
    room = _SMALLEST
    while room < size:
        room *= _STEP
    return room


def _padded(ready: Prepared) -> tuple[np.ndarray, ...]:
    """A patient's grid and doses, with sizes rounded up. Padded readings repeat the last one without a
    step."""
    tables = list(grid_tables(ready.steps))
    steps, k = _room(tables[0].size), ready.steps.readings.size
    for place in range(4):
        tables[place] = np.pad(tables[place], (0, steps - tables[place].size))
    end = tables[7][-1]
    for place in (4, 5, 7):
        tables[place] = np.pad(tables[place], (0, _room(k) - k), mode="edge")
    tables[6] = np.pad(tables[6], (0, _room(k) - k), constant_values=end)
    columns = _room(ready.amounts.shape[1])
    doses = [np.pad(a[..., 0], ((0, 0), (0, columns - a.shape[1]))) for a in (ready.amounts, ready.parcels)]
    return (*tables, *doses)


@functools.cache
def _compiled(
    problem: Stepped, port: int, free: tuple[tuple[int, Effect], ...]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Functions of a block of patients, kept so that code is made once for a problem and a shape."""
    march = portable_function(problem)

    def one(deviations: Array, rows: Array, *tables: Any) -> Array:
        for place, (row, effect) in enumerate(free):
            rows = rows.at[row].set(moved(effect, rows[row], deviations[place]))
        *steps, amounts, parcels = tables
        stacked = rows[:, None]
        start = problem.initial(problem.prepare(stacked))
        held = jnp.zeros((0, 1))
        seen, _ = march(tuple(steps), stacked, start, amounts[..., None], parcels[..., None], held)
        return seen[:, port, 0]

    def with_slopes(deviations: Array, *rest: Any) -> tuple[Array, Array]:
        def twice(d: Array) -> tuple[Array, Array]:
            seen = one(d, *rest)
            return seen, seen

        slope, seen = jax.jacfwd(twice, has_aux=True)(deviations)
        return seen, slope

    value = jax.jit(lambda *a: (jax.vmap(one, in_axes=-1, out_axes=-1)(*a),))
    slope = jax.jit(jax.vmap(with_slopes, in_axes=-1, out_axes=-1))
    return value, slope
