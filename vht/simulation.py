"""Simulation of virtual patients over days, with the heart's cycle evaluated where someone looks.

Slow models (exposure, tumour, drug effects) run on a daily grid: doses are amounts of a day, a model
with a closed form uses it, the others take fixed Runge–Kutta steps. Cyclic models are an algebraic block
on that clock: slow outputs in, the converged cycle's clinical outputs out. A reading on day ``k`` is
taken before that day's dose.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.model import OrganModel, fields, take, values
from organ_models.solvers import Failure, Orbits, in_blocks, periodic_orbits, rk4_step, waveforms
from vht.matching import Matching, match_output, sensitivity
from vht.patient import CompositionError, VirtualPatient, Wire
from vht.population import Individuals, typical

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS_A_DAY = 4
"""Runge–Kutta steps a day of slow models without a closed form; time constants are days to months."""


@dataclass(frozen=True)
class Baseline:
    """A cyclic model's untreated cycle for every patient, and how its outputs answer to its inputs."""

    parameters: Any
    orbits: Orbits
    jacobians: dict[int, np.ndarray] = field(default_factory=dict)

    def take(self, lanes: np.ndarray) -> Baseline:
        """The baseline of some patients, in the order given; a patient may stand more than once."""
        parameters = take(self.parameters, lanes, self.orbits.residual.size)
        jacobians = {index: matrix[lanes] for index, matrix in self.jacobians.items()}
        return Baseline(parameters, self.orbits.take(lanes), jacobians)


@dataclass(frozen=True)
class Cycles:
    """Clinical outputs of the cyclic models on chosen days.

    Attributes:
        outputs: by port, shape ``(k, n)``.
        inputs: by port, what was fed or solved for, shape ``(k, n)``.
        failure: per day and patient, None or a :class:`Failure`, shape ``(k, n)``.
        states: by model, states at the start of the beat, shape ``(k, n_state, n)``.
        residual: largest residual of the cycle per patient, shape ``(n,)``.
    """

    outputs: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    failure: np.ndarray
    states: dict[str, np.ndarray]
    residual: np.ndarray


@dataclass(frozen=True)
class Simulation:
    """What :func:`simulate` returns.

    Attributes:
        patient: the composition.
        days: reporting days, shape ``(k,)``.
        outputs: by port ``model.output``, shape ``(k, n)``, in the port's unit; NaN for failed patients.
        failure: per patient, None or a :class:`Failure`, shape ``(n,)``.
        residual: largest residual of the cycle per patient, shape ``(n,)``.
    """

    patient: VirtualPatient
    days: np.ndarray
    outputs: dict[str, np.ndarray]
    failure: np.ndarray
    residual: np.ndarray
    cycles: Cycles
    individuals: Individuals

    def __repr__(self) -> str:
        failed = sum(f is not None for f in self.failure)
        return (
            f"Simulation({self.failure.size} virtual patients, days {self.days[0]:g} to {self.days[-1]:g}, "
            f"{failed} failed, {len(self.outputs)} outputs)"
        )

    def waveform(self, day: float, individual: int = 0) -> dict[str, np.ndarray]:
        """Signals of the cyclic model over one beat of one patient: ``time`` (s) and each signal."""
        if not self.patient.cyclic:
            raise ValueError("this virtual patient has no cyclic model")
        row = int(np.flatnonzero(self.days == day)[0]) if day in self.days else None
        if row is None:
            raise ValueError(f"day {day:g} is not a reporting day of this simulation")
        model = self.patient.cyclic[0]
        parameters = take(self.individuals.parameters[model.name], [individual], len(self.individuals))
        ports = {p: self.cycles.inputs[f"{model.name}.{p}"][row, [individual]] for p in fields(model.Inputs)}
        state = self.cycles.states[model.name][row][:, [individual]]
        traces = waveforms(model, parameters, model.Inputs(**ports), state)
        return {name: trace[:, 0] for name, trace in traces.items()}

    def plot(self, individual: int = 0) -> Figure:
        """Pressure–volume loop on the first and last day, and the course of the slow outputs."""
        from vht.plots import plot_simulation

        return plot_simulation(self, individual)


def simulate(
    patient: VirtualPatient,
    individuals: Individuals | None = None,
    *,
    doses: Mapping[str, float | Sequence[float] | np.ndarray] | None = None,
    days: Sequence[float] | int = 168,
    baselines: Mapping[str, Baseline] | None = None,
) -> Simulation:
    """Simulate virtual patients.

    Args:
        patient: the composition.
        individuals: who; one typical patient if absent.
        doses: by open input port, its value on every day (a number is given every day), in the port's
            unit.
        days: reporting days, whole numbers from 0; an integer means every seventh day up to it.
        baselines: from :func:`untreated`, where personalisation was done already.

    Returns:
        :class:`Simulation`.

    Raises:
        CompositionError: a dose at a port that is not an open input.

    Example:
        >>> import vht
        >>> vht.simulate(vht.sunitinib_gist(), doses={"sunitinib_exposure.daily_dose": 37.5}, days=14)
        Simulation(1 virtual patients, days 0 to 14, 0 failed, 28 outputs)
    """
    people = typical(patient) if individuals is None else individuals
    grid = np.arange(0, days + 1, 7) if isinstance(days, int) else np.asarray(days)
    report = np.unique(grid).astype(int)
    if report.size == 0 or report[0] < 0 or not np.array_equal(report, np.unique(grid)):
        raise ValueError("days must be whole numbers from 0 on")
    course = slow_course(patient, people, doses or {}, int(report[-1]))
    known = dict(baselines or {})
    for model in patient.cyclic:
        if model.name not in known:
            known[model.name] = untreated(patient, model, people.parameters[model.name], len(people))
    chosen = np.broadcast_to(report[:, None], (report.size, len(people)))
    cycles = cycles_on(patient, known, course, chosen)
    failure = first_failure(people, course, report, cycles)
    outputs = {port: trace[report] for port, trace in course.items()} | cycles.outputs
    for trace in outputs.values():
        trace[:, failure != None] = np.nan  # noqa: E711
    return Simulation(patient, report, outputs, failure, cycles.residual, cycles, people)


def slow_course(
    patient: VirtualPatient, people: Individuals, doses: Mapping[str, Any], last_day: int
) -> dict[str, np.ndarray]:
    """Outputs of all slow models at the end of every day.

    Returns:
        By port, shape ``(last_day + 1, n)``; row ``k`` is read before the dose of day ``k``.
    """
    allowed = dose_ports(patient)
    for port in doses:
        if port not in allowed:
            patient.port(port)
            raise CompositionError(f"{port}: doses cannot be given here; they can at {', '.join(allowed)}")
    names = tuple(sorted(doses))
    if not patient.slow:
        return {}
    schedule = (
        np.stack([_schedule(doses[p], last_day, p) for p in names]) if names else np.zeros((0, last_day))
    )
    stacked = np.concatenate(
        [
            np.stack([np.broadcast_to(np.asarray(v, float), (len(people),)) for v in record.values()])
            for record in (values(people.parameters[m.name]) for m in patient.slow)
        ]
    )
    run = _slow_block(patient, names)
    traces = in_blocks(lambda p: run(p, schedule), (stacked,))
    ports = [f"{m.name}.{o}" for m in patient.slow for o in fields(m.Outputs)]
    return dict(zip(ports, traces, strict=True))


def dose_ports(patient: VirtualPatient) -> list[str]:
    """Where doses can be given: inputs of slow models that no coupling feeds."""
    slow = {m.name for m in patient.slow}
    return [port for port in patient.open_inputs() if port.partition(".")[0] in slow]


def untreated(patient: VirtualPatient, model: OrganModel, parameters: Any, n: int) -> Baseline:
    """The untreated cycle of a cyclic model for ``n`` patients."""
    everyone = model.Parameters(
        **{k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in values(parameters).items()}
    )
    return baseline_of(patient, model, everyone, periodic_orbits(model, everyone, model.Inputs()))


def baseline_of(patient: VirtualPatient, model: OrganModel, parameters: Any, orbits: Orbits) -> Baseline:
    """A baseline from orbits that are known already, with the sensitivities that couplings need."""
    jacobians = {
        index: sensitivity(_matching(patient, wire), parameters, orbits)
        for index, wire in enumerate(patient.solving)
        if wire.target[0] == model.name
    }
    return Baseline(parameters, orbits, jacobians)


def cycles_on(
    patient: VirtualPatient,
    baselines: Mapping[str, Baseline],
    course: Mapping[str, np.ndarray],
    days: np.ndarray,
) -> Cycles:
    """Evaluate the cyclic models on chosen days.

    Args:
        patient: the composition.
        baselines: untreated cycles by model name.
        course: from :func:`slow_course`.
        days: which days, per patient, integers of shape ``(k, n)``.

    Every (day, patient) is a problem of its own, started from the patient's untreated cycle.
    """
    k, n = days.shape
    outputs: dict[str, np.ndarray] = {}
    inputs: dict[str, np.ndarray] = {}
    states: dict[str, np.ndarray] = {}
    failure = np.full((k, n), None, dtype=object)
    residual = np.zeros(n)
    person = np.tile(np.arange(n), k)
    flat = days.ravel()

    for model in patient.cyclic:
        base = baselines[model.name].take(person)
        parameters, start = base.parameters, base.orbits.state
        fed = {
            w.target[1]: w.convert.factor * course[_name(w.source)][flat, person] + w.convert.offset
            for w in patient.inputs_of(model.name)
        }
        solving = [(i, w) for i, w in enumerate(patient.solving) if w.target[0] == model.name]
        fine = base.orbits.converged
        if solving:
            index, wire = solving[0]
            target = wire.convert.factor * course[_name(wire.source)][flat, person] + wire.convert.offset
            match = match_output(
                _matching(patient, wire),
                parameters,
                base.orbits.outputs,
                target,
                jacobian=base.jacobians[index],
                start=start,
                fed=fed,
            )
            ports, orbits, reached = values(match.inputs), match.orbits, match.reached
        else:
            ports = {**values(model.Inputs()), **fed}
            orbits = periodic_orbits(model, parameters, model.Inputs(**ports), start=start)
            reached = orbits.converged
        reason = np.full(k * n, None, dtype=object)
        reason[~reached] = Failure.TARGET_NOT_REACHED if solving else Failure.NOT_PERIODIC
        reason[~fine] = Failure.NOT_PERIODIC
        fresh = (failure.ravel() == None) & (reason != None)  # noqa: E711
        failure.ravel()[fresh] = reason[fresh]
        for name, column in orbits.outputs.items():
            outputs[f"{model.name}.{name}"] = np.where(reached & fine, column, np.nan).reshape(k, n)
        for name, column in ports.items():
            inputs[f"{model.name}.{name}"] = np.broadcast_to(np.asarray(column, float), (k * n,)).reshape(
                k, n
            )
        states[model.name] = np.moveaxis(orbits.state.reshape(len(orbits.state), k, n), 0, 1)
        residual = np.maximum(residual, np.nan_to_num(orbits.residual, nan=np.inf).reshape(k, n).max(axis=0))
    return Cycles(outputs, inputs, failure, states, residual)


def first_failure(
    people: Individuals, course: Mapping[str, np.ndarray], report: np.ndarray, cycles: Cycles
) -> np.ndarray:
    """Why each patient failed, None for those who did not, shape ``(n,)``."""
    failure = np.full(len(people), None, dtype=object)
    for row in cycles.failure[::-1]:
        failure = np.where(row != None, row, failure)  # noqa: E711
    for trace in course.values():
        failure[~np.all(np.isfinite(trace[: report[-1] + 1]), axis=0)] = Failure.DIVERGED
    failure[~people.valid()] = Failure.INVALID_PARAMETER
    return failure


# ---------------------------------------------------------------------------------------------------


def _schedule(dose: Any, last_day: int, port: str) -> np.ndarray:
    amounts = np.asarray(dose, dtype=float)
    if amounts.ndim == 0:
        return np.full(last_day, float(amounts))
    if amounts.size < last_day:
        raise ValueError(f"{port}: doses for {amounts.size} days, but the simulation lasts {last_day}")
    return amounts[:last_day]


def _matching(patient: VirtualPatient, wire: Wire) -> Matching:
    coupling = wire.coupling
    assert coupling.solve is not None
    follow = coupling.follow.partition(".")[2] if coupling.follow else None
    return Matching(patient.models[wire.target[0]], wire.target[1], coupling.solve.partition(".")[2], follow)


def _name(port: tuple[str, str]) -> str:
    return ".".join(port)


@functools.cache
def _slow_block(patient: VirtualPatient, dosed: tuple[str, ...]) -> Callable[..., Any]:
    """The compiled daily loop of one block: ``(parameters, schedule) -> traces``."""
    models = patient.slow
    closed = _closed_form(patient)

    def feed(parameters: Any, states: Any, time: Any, dose: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        inputs: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        for model in models:
            like = parameters[model.name]
            given = {
                f.partition(".")[2]: dose[i] for i, f in enumerate(dosed) if f.partition(".")[0] == model.name
            }
            wired = {
                w.target[1]: w.convert.factor * getattr(outputs[w.source[0]], w.source[1]) + w.convert.offset
                for w in patient.inputs_of(model.name)
            }
            inputs[model.name] = model.Inputs(**(given | wired))
            outputs[model.name] = model.observe(time, states[model.name], like, inputs[model.name])
        return inputs, outputs

    def day(parameters: Any, states: Any, number: Any, dose: Any) -> Any:
        inputs, _ = feed(parameters, states, number, dose)
        frozen = {n: states[n] for n in closed}
        loose = {n: s for n, s in states.items() if n not in closed}

        def at(time: Any) -> dict[str, Any]:
            return {
                n: patient.models[n].solution(time - number, x, parameters[n], inputs[n])  # type: ignore[misc]
                for n, x in frozen.items()
            }

        def rate(time: Any, moving: Any) -> Any:
            fed, _ = feed(parameters, moving | at(time), time, dose)
            return {
                n: patient.models[n].derivative(time, x, parameters[n], fed[n]) for n, x in moving.items()
            }

        width = 1.0 / STEPS_A_DAY
        for sub in range(STEPS_A_DAY):
            loose = rk4_step(rate, number + sub * width, loose, width)
        return loose | at(number + 1.0)

    def run(stacked: Any, schedule: Any) -> tuple[Any, ...]:
        parameters, begin = {}, 0
        for model in models:
            width = len(fields(model.Parameters))
            published = model.Parameters(*stacked[begin : begin + width])
            parameters[model.name] = model.working(published)
            begin += width
        states = {m.name: m.initial(parameters[m.name]) for m in models}
        shape = stacked.shape[-1:]

        def read(time: Any, current: Any, dose: Any) -> Any:
            _, seen = feed(parameters, current, time, dose)
            return jnp.stack(
                [jnp.broadcast_to(v, shape) for m in models for v in values(seen[m.name]).values()]
            )

        def forward(current: Any, xs: Any) -> tuple[Any, Any]:
            number, dose = xs
            after = day(parameters, current, number, dose)
            return after, read(number + 1.0, after, dose)

        first = read(0.0, states, jnp.zeros(len(dosed)))
        numbers = jnp.arange(schedule.shape[1], dtype=jnp.float64)
        _, later = lax.scan(forward, states, (numbers, schedule.T))
        everything = jnp.concatenate([first[None], later])
        return tuple(jnp.moveaxis(everything, 1, 0))

    return jax.jit(run)


def _closed_form(patient: VirtualPatient) -> set[str]:
    """Models whose closed form holds over a day: everything upstream is constant between doses."""
    constant: set[str] = set()
    closed: set[str] = set()
    for model in patient.slow:
        steady = all(w.source[0] in constant for w in patient.inputs_of(model.name))
        if steady and not fields(model.State):
            constant.add(model.name)
        elif steady and model.solution is not None:
            closed.add(model.name)
    return closed
