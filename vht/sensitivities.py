"""Derivatives of what a virtual patient shows with respect to the parameters of its organs.

Through everything: slow models by forward tangents of their course, the cycle by the implicit function
theorem at the periodic orbit, couplings by the chain rule, and an input that is solved for by the implicit
function theorem on the equations that it solves.

The derivatives are for a fixed sequence of doses. They do not go through decisions: where a policy would have
changed a dose, they do not see it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from organ_models.model import OrganModel, fields, values
from organ_models.precision import require_float64
from organ_models.sensitivities import OrbitSensitivities, orbit_sensitivities
from organ_models.solvers import Orbits, in_blocks
from organ_models.stepping import grid_tables, portable_function
from vht.course import Doses, prepared_course
from vht.cycles import Baseline, Cycles
from vht.interleaved import reads_cycle
from vht.patient import CompositionError, VirtualPatient, Wire
from vht.population import Individuals, typical
from vht.simulation import simulate
from vht.slow_models import SlowModels, stepped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLOCK = 32  # patients of a block of slow models: each carries one tangent for every parameter


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of outputs with respect to parameters.

    Attributes:
        outputs, parameters: ports and ``model.parameter`` names, in the order of the axes below.
        days: reporting days, shape ``(k,)``.
        values: shape ``(k, len(outputs), len(parameters), n)``: output unit over published parameter unit, or
            per cent per per cent where ``relative``. NaN for patients without a solution or derivatives.
        base: the outputs themselves, shape ``(k, len(outputs), n)``.
        relative: whether values are elasticities ``d ln output / d ln parameter``.
    """

    outputs: tuple[str, ...]
    parameters: tuple[str, ...]
    days: np.ndarray
    values: np.ndarray
    base: np.ndarray
    relative: bool

    def __repr__(self) -> str:
        kind = "elasticities" if self.relative else "derivatives"
        return (
            f"Sensitivity({kind} of {len(self.outputs)} outputs to {len(self.parameters)} parameters, "
            f"{self.days.size} days, {self.values.shape[-1]} virtual patients)"
        )

    def to_frame(self, day: float | None = None, individual: int = 0) -> pd.DataFrame:
        """One patient on one day (the last if absent): parameters down, outputs across."""
        return pd.DataFrame(
            self.values[self._row(day), :, :, individual].T,
            index=pd.Index(self.parameters, name="parameter"),
            columns=pd.Index(self.outputs, name="output"),
        )

    def plot(self, output: str | None = None, day: float | None = None, individual: int = 0) -> Figure:
        """The largest derivatives of one output (the first if absent), as bars."""
        from vht.plots import plot_sensitivity

        shown = self.outputs[0] if output is None else output
        if shown not in self.outputs:
            raise ValueError(f"no derivatives of '{shown}' were taken, only of {', '.join(self.outputs)}")
        return plot_sensitivity(self, shown, day, individual)

    def _row(self, day: float | None) -> int:
        if day is None:
            return self.days.size - 1
        if day not in self.days:
            raise ValueError(f"day {day:g} is not a reporting day of these derivatives")
        return int(np.flatnonzero(self.days == day)[0])


def sensitivity(
    patient: VirtualPatient,
    outputs: Sequence[str],
    parameters: Sequence[str],
    individuals: Individuals | None = None,
    *,
    doses: Doses | None = None,
    days: Sequence[float] | int = 168,
    relative: bool = False,
) -> Sensitivity:
    """Derivatives of outputs on reporting days with respect to parameters, patient by patient.

    Args:
        patient: the composition.
        outputs: ports ``model.output``.
        parameters: ``model.parameter`` names.
        individuals: who; one typical patient if absent.
        doses, days: as for :func:`vht.simulate`. Doses stay as they are: no decision is differentiated.
        relative: elasticities instead of derivatives.

    Returns:
        :class:`Sensitivity`. The derivative of an extreme (a systolic pressure) is that of the signal where
        the extreme lies.

    Raises:
        CompositionError: no such output or parameter; a slow model that reads the cycle; controllers; two
            targets of one cyclic model, or a relative one.
        ValueError: no outputs or no parameters are named.
        PrecisionError: JAX computes in 32 bit.

    Example:
        >>> import vht
        >>> vht.sensitivity(
        ...     vht.VirtualPatient(["closed_loop_circulation"]),
        ...     ["closed_loop_circulation.systolic_pressure"],
        ...     ["closed_loop_circulation.stressed_volume"],
        ...     days=[0],
        ...     relative=True,
        ... )
        Sensitivity(elasticities of 1 outputs to 1 parameters, 1 days, 1 virtual patients)
    """
    require_float64()
    if reads_cycle(patient) or patient.controllers:
        what = "controllers" if patient.controllers else "a slow model that reads the cycle"
        raise CompositionError(
            f"derivatives do not go through {what}; simulate with changed parameters instead"
        )
    if len(patient.solving) > len({w.target[0] for w in patient.solving}):
        raise CompositionError(
            "derivatives do not go through two targets of one cyclic model; simulate with changed parameters "
            "instead"
        )
    if any(w.coupling.relative for w in patient.solving):
        raise CompositionError(
            "derivatives do not go through a target relative to the untreated cycle; simulate with changed "
            "parameters instead"
        )
    if not outputs or not parameters:
        missing = "outputs" if not outputs else "parameters"
        raise ValueError(f"{missing}: name at least one, such as 'model.name'")
    for port in outputs:
        patient.port(port, "Outputs")
    for name in parameters:
        patient.port(name, "Parameters")
    people = typical(patient) if individuals is None else individuals
    run = simulate(patient, people, doses=doses, days=days)
    wanted = tuple(parameters)
    slow = _slow_tangents(patient, people, doses or {}, run.days, wanted)
    tangents = dict(slow)
    for model in patient.cyclic:
        base = run.baselines[model.name]
        tangents |= _cyclic_tangents(patient, model, people, base, run.cycles, slow, wanted, run.days.size)
    base_values = np.stack([run.outputs[port] for port in outputs], axis=1)
    found = np.stack([tangents[port] for port in outputs], axis=1)
    found[..., run.failure != None] = np.nan  # noqa: E711
    if relative:
        theta = np.stack([_parameter(people, name) for name in wanted])
        with np.errstate(all="ignore"):
            found = found * theta / base_values[:, :, None, :]
    return Sensitivity(tuple(outputs), wanted, run.days, found, base_values, relative)


# ---------------------------------------------------------------------------------------------------


def _parameter(people: Individuals, name: str) -> np.ndarray:
    model, _, field = name.partition(".")
    return np.broadcast_to(np.asarray(getattr(people.parameters[model], field), float), (len(people),))


def _slow_tangents(
    patient: VirtualPatient, people: Individuals, doses: Doses, days: np.ndarray, wanted: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Derivatives of every slow output, by port, shape ``(k, len(wanted), n)``."""
    n = len(people)
    if not patient.slow:
        return {}
    ready = prepared_course(patient, people, doses, days)
    models = ready.models
    ports = [f"{m.name}.{p}" for m in models.models for p in fields(m.Parameters)]
    unit = np.array([[float(name == port) for port in (*ports, "")] for name in wanted])
    along = _course_block(models)
    amounts = [np.broadcast_to(a, (*a.shape[:2], n)) for a in (ready.amounts, ready.parcels)]
    tables = grid_tables(ready.steps)

    def block(p: Any, given: Any, arriving: Any) -> Any:
        made = along(tables, p, given, arriving, unit)
        return (made.reshape(-1, p.shape[-1]),)

    (flat,) = in_blocks(block, (ready.parameters, *amounts), block=_BLOCK)
    found = flat.reshape(len(wanted), days.size, len(models.outputs), n)
    return {port: np.swapaxes(found[:, :, row], 0, 1).copy() for row, port in enumerate(models.outputs)}


@functools.lru_cache(maxsize=32)
def _course_block(models: SlowModels) -> Callable[..., Any]:
    """The compiled tangents of a course along directions of its parameters."""
    problem = stepped(models)
    march = portable_function(problem)

    def along(tables: Any, p: Any, amounts: Any, parcels: Any, unit: Any) -> Any:
        held = jnp.zeros((0, p.shape[-1]))

        def course(rows: Any) -> Any:
            return march(tables, rows, problem.initial(problem.prepare(rows)), amounts, parcels, held)[0]

        def one(direction: Any) -> Any:
            return jax.jvp(course, (p,), (jnp.broadcast_to(direction[:, None], p.shape),))[1]

        return jax.vmap(one)(unit)

    return jax.jit(along)


def _cyclic_tangents(
    patient: VirtualPatient,
    model: OrganModel,
    people: Individuals,
    base: Baseline,
    cycles: Cycles,
    slow: Mapping[str, np.ndarray],
    wanted: tuple[str, ...],
    k: int,
) -> dict[str, np.ndarray]:
    """Derivatives of every output of a cyclic model, by port, shape ``(k, len(wanted), n)``."""
    n, name = len(people), model.name
    person = np.tile(np.arange(n), k)
    flat = k * n
    par = {key: np.asarray(v)[person] for key, v in values(base.take(np.arange(n)).parameters).items()}
    inputs = {port: cycles.inputs[f"{name}.{port}"].reshape(flat) for port in fields(model.Inputs)}
    own = [w.partition(".")[2] for w in wanted if w.partition(".")[0] == name]
    wires = patient.inputs_of(name)
    solving = next((w for w in patient.solving if w.target[0] == name), None)
    moved = [w.target[1] for w in wires]
    if solving is not None:
        moved += [p.partition(".")[2] for p in (solving.coupling.solve, solving.coupling.follow) if p]
    orbits, total = cycles.orbits[name], len(wanted)
    if not own and not moved:
        return {f"{name}.{o}": np.zeros((k, total, n)) for o in fields(model.Outputs)}
    found = orbit_sensitivities(
        model, model.Parameters(**par), model.Inputs(**inputs), orbits, tuple(dict.fromkeys((*own, *moved)))
    )
    at = {key: row for row, key in enumerate(found.names)}

    def through(wire: Wire) -> np.ndarray:
        """How an input or a target moves with the slow output behind it, ``(total, k n)``."""
        trace = slow[".".join(wire.source)] * wire.convert.factor
        return np.swapaxes(trace, 0, 1).reshape(total, flat)

    change = {w.target[1]: through(w) for w in wires}  # of inputs

    def direct(output: str) -> np.ndarray:
        """What parameters of this model and inputs that are fed do to an output, ``(total, k n)``."""
        rows = np.zeros((total, flat))
        for j, parameter in enumerate(wanted):
            if parameter.partition(".")[0] == name:
                rows[j] = found.outputs[output][at[parameter.partition(".")[2]]]
        for port, moves in change.items():
            rows = rows + found.outputs[output][at[port]] * moves
        return rows

    straight = {output: direct(output) for output in fields(model.Outputs)}
    if solving is not None:
        at_match = _Match(
            model, solving, par, orbits, base, person, wanted, found, straight, through(solving)
        )
        change_solved = _solved_changes(at_match)
        for output in straight:
            for port, moves in change_solved.items():
                straight[output] = straight[output] + found.outputs[output][at[port]] * moves
    return {f"{name}.{o}": np.swapaxes(rows.reshape(total, k, n), 0, 1) for o, rows in straight.items()}


@dataclass(frozen=True)
class _Match:
    """A solving coupling, and what is known around its solution."""

    model: OrganModel
    wire: Wire
    par: Mapping[str, np.ndarray]
    orbits: Orbits
    base: Baseline
    person: np.ndarray
    wanted: tuple[str, ...]
    found: OrbitSensitivities
    straight: Mapping[str, np.ndarray]
    target: np.ndarray


def _solved_changes(match: _Match) -> dict[str, np.ndarray]:
    """How inputs that are solved for move, by port, ``(len(wanted), k n)``.

    ``output(p, a, b) = target`` and, where an input ``b`` follows a law, ``b = law(baseline, now, p)``: both
    are differentiated and solved for the changes of ``a`` and ``b``.
    """
    model, wire, par, orbits, base = match.model, match.wire, match.par, match.orbits, match.base
    person, wanted, found, straight = match.person, match.wanted, match.found, match.straight
    target, at = match.target, {key: row for row, key in enumerate(match.found.names)}
    assert model.cycle is not None
    name = model.name
    out = wire.target[1]
    assert wire.coupling.solve is not None
    a = wire.coupling.solve.partition(".")[2]
    gap = target - straight[out]
    if wire.coupling.follow is None:
        return {a: gap / found.outputs[out][at[a]]}
    b = wire.coupling.follow.partition(".")[2]
    law = model.cycle.laws[b]

    def evaluate(rest: Any, now: Any, p: Any) -> Any:
        return law(model.Outputs(**rest), model.Outputs(**now), model.working(model.Parameters(**p)))

    rest = {o: np.asarray(v)[person] for o, v in base.orbits.outputs.items()}
    point = rest, dict(orbits.outputs), dict(par)
    own = [w.partition(".")[2] for w in wanted if w.partition(".")[0] == name]
    names = tuple(dict.fromkeys(own))
    at_rest = orbit_sensitivities(model, base.parameters, model.Inputs(), base.orbits, names) if own else None
    none = {key: np.zeros_like(v) for key, v in par.items()}
    still = {o: np.zeros_like(v) for o, v in rest.items()}

    def slope(d_rest: Any, d_now: Any, d_p: Any) -> np.ndarray:
        return np.asarray(
            jax.jvp(evaluate, point, ({**still, **d_rest}, {**still, **d_now}, {**none, **d_p}))[1]
        )

    moved_a, moved_b = (slope({}, {o: found.outputs[o][at[port]] for o in rest}, {}) for port in (a, b))
    changes_a, changes_b = np.empty_like(target), np.empty_like(target)
    for j, parameter in enumerate(wanted):
        key = parameter.partition(".")[2]
        mine = parameter.partition(".")[0] == name
        d_rest = {}
        if mine and at_rest is not None:
            d_rest = {o: at_rest.outputs[o][names.index(key)][person] for o in rest}
        free = slope(d_rest, {o: straight[o][j] for o in rest}, {key: np.ones_like(par[key])} if mine else {})
        # output_a da + output_b db = gap;  db - law_a da - law_b db = free
        matrix = found.outputs[out][at[a]], found.outputs[out][at[b]], -moved_a, 1.0 - moved_b
        determinant = matrix[0] * matrix[3] - matrix[1] * matrix[2]
        changes_a[j] = (gap[j] * matrix[3] - matrix[1] * free) / determinant
        changes_b[j] = (matrix[0] * free - matrix[2] * gap[j]) / determinant
    return {a: changes_a, b: changes_b}
