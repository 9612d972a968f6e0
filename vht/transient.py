"""The clock of seconds: beat by beat, with controllers and their exact delays.

The phase of the beat is a state, so that the heart rate may change within a beat. Everything takes the same
fixed Runge–Kutta steps; a delayed port reads its own past from a ring buffer, linearly between steps. After
every step the circulation is filled to its declared volume, which is how bleeding, venous tone and a changed
compliance come in. Slow models are held where they stand. The march itself is :mod:`vht.seconds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from organ_models.model import OrganModel, fields, values
from organ_models.precision import require_float64
from organ_models.solvers import Failure, in_blocks
from vht.course import course
from vht.cycles import Baseline, Cycles, cycles_on, first_failure, untreated
from vht.feeds import Feed, feeds
from vht.interleaved import interleaved_course, reads_cycle
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals
from vht.seconds import Carry, Given, March, held_wires, march, solved_ports

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 1e-3
"""Longest default step, s: extremes of a beat are sampled this finely."""

SIGNALS_EVERY = 0.01
"""Distance of recorded signals, s."""

BLOCK = 64
"""Patients that march together: one patient costs a third of what a block of 256 would."""


@dataclass(frozen=True)
class Transient:
    """What a simulation on the clock of seconds shows.

    Attributes:
        patient: the composition.
        times: reporting times, s, shape ``(k,)``.
        outputs: by port, shape ``(k, n)``: of a cyclic model what the last completed beat shows, of a
            controller its output at that time; NaN for failed patients.
        failure: per patient, None or a :class:`Failure`, shape ``(n,)``.
        signals: of the patients that were asked for, by signal of the cyclic model, shape ``(m, chosen)``,
            at ``signal_times`` (s).
        state: all states at the end, to go on from.
    """

    patient: VirtualPatient
    times: np.ndarray
    outputs: dict[str, np.ndarray]
    failure: np.ndarray
    signal_times: np.ndarray
    signals: dict[str, np.ndarray]
    state: TransientState

    def __repr__(self) -> str:
        failed = sum(f is not None for f in self.failure)
        return (
            f"Transient({self.failure.size} virtual patients, {self.times[0]:g} to {self.times[-1]:g} s, "
            f"{failed} failed, {len(self.outputs)} outputs)"
        )

    def plot(self, individual: int = 0) -> Figure:
        """Pressure, heart rate and output of one patient against time."""
        from vht.plots import plot_transient

        return plot_transient(self, individual)


@dataclass(frozen=True)
class TransientState:
    """Where virtual patients stand at an instant.

    Attributes:
        step: s.
        number: steps since the start.
        states: the cyclic model's states, the phase of its beat, the controllers' states, ``(rows, n)``.
        watch: what has been seen of the beat so far, and of the last one, ``(rows, n)``.
        past: ring buffers of delayed ports, ``(delays * length, n)``.
        held: inputs that slow models feed or that were solved for, by port, shape ``(n,)``.
        failure: per patient, None or a :class:`Failure`, shape ``(n,)``.
    """

    step: float
    number: int
    states: np.ndarray
    watch: np.ndarray
    past: np.ndarray
    held: dict[str, np.ndarray]
    failure: np.ndarray

    @property
    def time(self) -> float:
        """Time since the start, s."""
        return self.number * self.step


@dataclass(frozen=True)
class Standing:
    """Where the slow models of virtual patients stand.

    Attributes:
        outputs: of the slow models, by port, shape ``(n,)``.
        baselines: untreated cycles, by cyclic model.
        failure: per patient, None or a :class:`Failure`, shape ``(n,)``.
    """

    outputs: dict[str, np.ndarray]
    baselines: Mapping[str, Baseline]
    failure: np.ndarray


def simulate_transient(
    patient: VirtualPatient,
    people: Individuals,
    *,
    duration: float,
    every: float = 1.0,
    step: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Baseline] | None = None,
    start: TransientState | Standing | None = None,
    signals_of: Sequence[int] = (),
) -> Transient:
    """Simulate virtual patients beat by beat.

    Args:
        patient: a composition with one cyclic model.
        people: who.
        duration: how long, s; it ends at the last reporting time within.
        every: distance of reporting times, s; a whole number of steps.
        step: Runge–Kutta step, s. If absent, 1 ms over the least whole number that makes it no longer than
            the step in which the model's own orbit is sought: some valves are stiff.
        inputs: by open port of the cyclic model or a controller, a number, or ``(times, values)``: linear
            between times (s), constant beyond; values ``(k,)`` or ``(k, n)``.
        baselines: untreated cycles, if known.
        start: where an earlier transient ended, which this one continues; or where the slow models stand, day
            0 if absent. Without an earlier transient, the start is the periodic state, in balance with the
            controllers, under the inputs of time 0: what is constant changes nothing.
        signals_of: patients whose signals are recorded.

    Returns:
        :class:`Transient`.

    Raises:
        CompositionError: no single cyclic model, or an input at a port that is not open.
        ValueError: times that do not fit, a delay shorter than a step, or a start that belongs elsewhere.
    """
    require_float64()
    if len(patient.cyclic) != 1:
        raise CompositionError("a transient needs exactly one cyclic model")
    step = default_step(patient) if step is None else step
    steps, reports = _grid(duration, every, step)
    n = len(people)
    chosen = _chosen(signals_of, n)
    length = _ring_length(patient, people, step)
    given = feeds(patient, inputs or {}, n)
    problem = march(patient, length, step)
    if isinstance(start, TransientState):
        begin = start
        _check(problem, begin, n)
    else:
        begin = _opening(problem, people, given, baselines or {}, start)
    fixed = _fixed_rows(problem, people, begin.held)
    carry = (begin.states, begin.watch, begin.past)

    def block(f: Any, x: Any, w: Any, b: Any, *v: Any) -> Any:
        return problem.march(Given(f, v, given.times), Carry(x, w, b), begin.number, reports, steps)

    end, watch, past, seen = in_blocks(block, (fixed, *carry, *given.columns), block=BLOCK)
    table = dict(zip(_ports(problem), np.moveaxis(seen, 1, 0).copy(), strict=True))
    failure = begin.failure.copy()
    failure[(failure == None) & ~np.all(np.isfinite(end), axis=0)] = Failure.DIVERGED  # noqa: E711
    for trace in table.values():
        trace[:, failure != None] = np.nan  # noqa: E711
    number = begin.number + reports * steps
    state = TransientState(step, number, end, watch, past, begin.held, failure)
    times = (begin.number + steps * np.arange(1, reports + 1)) * step
    signal_times, signals = _signals(problem, fixed, begin, given, chosen, reports * steps)
    return Transient(patient, times, table, failure, signal_times, signals, state)


# ---------------------------------------------------------------------------------------------------


def default_step(patient: VirtualPatient) -> float:
    """Runge–Kutta step (s) that the cyclic model of a composition bears; not a matter of who is simulated."""
    (model,) = patient.cyclic
    assert model.cycle is not None
    typical = model.working(model.Parameters())
    period = float(model.cycle.period(typical, model.Inputs()))
    return STEP / math.ceil(STEP * model.cycle.steps / period - 1e-9)


def _grid(duration: float, every: float, step: float) -> tuple[int, int]:
    """Steps from one reporting time to the next, and reporting times."""
    for name, value in (("duration", duration), ("every", every), ("step", step)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"'{name}' must be a positive number of seconds")
    steps = round(every / step)
    if steps < 1 or abs(steps * step - every) > 1e-9:
        raise ValueError("'every' must be a whole number of steps")
    reports = math.floor(duration / every + 1e-9)
    if reports < 1:
        raise ValueError("'duration' must be at least 'every'")
    return steps, reports


def _chosen(signals_of: Sequence[int], n: int) -> np.ndarray:
    chosen = np.asarray(signals_of, dtype=int)
    if chosen.size and (chosen.min() < 0 or chosen.max() >= n):
        raise ValueError(f"signals_of: there are patients 0 to {n - 1}")
    return chosen


def _ring_length(patient: VirtualPatient, people: Individuals, step: float) -> int:
    """Entries that a ring buffer must have. Patients with invalid parameters fail, and do not count."""
    longest, valid = 0.0, people.valid()
    for c in patient.controllers:
        for port, delay in c.delays.items():
            held = getattr(c.working(people.parameters[c.name]), delay.by)
            held = np.broadcast_to(np.asarray(held, dtype=float), (len(people),))[valid]
            if held.size and held.min() < step:
                raise ValueError(
                    f"{c.name}.{port}: the delay {delay.by} is shorter than a step of {step:g} s; "
                    "take shorter steps"
                )
            longest = max(longest, float(held.max(initial=0.0)))
    return math.ceil(longest / step) + 2


def _opening(
    problem: March,
    people: Individuals,
    given: Feed,
    baselines: Mapping[str, Baseline],
    standing: Standing | None,
) -> TransientState:
    """The periodic state in balance, before the first step."""
    patient, model, n = problem.patient, problem.model, len(people)
    known = {**({} if standing is None else standing.baselines), **baselines}
    if model.name not in known:
        known[model.name] = untreated(patient, model, people)
    slow = _first_day(patient, people, known) if standing is None else standing.outputs
    course_then = {port: column[None] for port, column in slow.items()}
    cycles = cycles_on(patient, known, course_then, np.zeros((1, n), dtype=int), given=given.at(0.0))
    failure = first_failure(people, course_then, cycles)
    if standing is not None:
        failure = np.where(standing.failure != None, standing.failure, failure)  # noqa: E711
    held = {
        ".".join(w.target): w.convert.factor * slow[".".join(w.source)] + w.convert.offset
        for w in held_wires(patient)
    } | {p: cycles.inputs[p][0] for p in solved_ports(patient)}
    at_rest = [_at_rest(c, people, cycles) for c in problem.controllers]
    states = np.concatenate([cycles.states[model.name][0], np.zeros((1, n)), *at_rest])
    outputs = np.stack([cycles.outputs[f"{model.name}.{o}"][0] for o in fields(model.Outputs)])
    # in balance the past is as periodic as the beat: its mean stands for it
    means = [
        cycles.outputs[port][0] if port in cycles.outputs else np.full(n, np.nan)
        for port in (f"{c.name}.{d.of}" for c, _, d in problem.delays)
    ]

    def opening(f: Any, x: Any, o: Any, m: Any, *v: Any) -> Any:
        return problem.begin(Given(f, v, given.times), x, o, m, 0.0)

    fixed, history = _fixed_rows(problem, people, held), np.reshape(means, (len(means), n))
    watch, past = in_blocks(opening, (fixed, states, outputs, history, *given.columns), block=BLOCK)
    return TransientState(problem.dt, 0, states, watch, past, held, failure)


def _first_day(
    patient: VirtualPatient, people: Individuals, baselines: Mapping[str, Baseline]
) -> dict[str, np.ndarray]:
    """Outputs of the slow models on day 0."""
    day = np.zeros(1, dtype=np.int64)
    if reads_cycle(patient):
        found = interleaved_course(patient, people, {}, day, baselines)
    else:
        found = course(patient, people, {}, day)
    return {port: trace[0] for port, trace in found.outputs.items()}


def _at_rest(controller: OrganModel, people: Individuals, cycles: Cycles) -> np.ndarray:
    """States of a controller in balance; as declared if it regulates nothing."""
    found = cycles.states.get(controller.name)
    if found is not None:
        return found[0]
    n = len(people)
    initial = controller.initial(controller.working(people.parameters[controller.name]))
    return np.reshape(
        [np.broadcast_to(np.asarray(v, float), (n,)) for v in values(initial).values()], (-1, n)
    )


def _fixed_rows(problem: March, people: Individuals, held: Mapping[str, np.ndarray]) -> np.ndarray:
    """Parameters of the fast models, then what is held of slow models and solved inputs."""
    rows = [v for m in problem.models for v in values(people.parameters[m.name]).values()]
    rows += [held[port] for port in problem.held]
    return np.stack([np.broadcast_to(np.asarray(v, float), (len(people),)) for v in rows])


def _check(problem: March, start: TransientState, n: int) -> None:
    """Refuse to go on from where something else stopped."""
    states = sum(len(fields(m.State)) for m in problem.models) + 1
    watched = 5 * len(fields(problem.model.Signals)) + 3 + len(fields(problem.model.Outputs))
    kept = len(problem.delays) * problem.length
    for name, found, wanted in (
        ("virtual patients", start.failure.size, n),
        ("step", start.step, problem.dt),
        ("states", start.states.shape, (states, n)),
        ("signals and outputs", start.watch.shape, (watched, n)),
        ("delays", start.past.shape, (kept, n)),
        ("held inputs", sorted(start.held), sorted(problem.held)),
    ):
        if found != wanted:
            raise ValueError(
                f"start: its {name} are {found}, those of this run {wanted}; a transient goes on with the "
                "same composition, patients and step"
            )


def _ports(problem: March) -> list[str]:
    """What is reported, in order."""
    ports = [f"{problem.model.name}.{o}" for o in fields(problem.model.Outputs)]
    return ports + [f"{c.name}.{o}" for c in problem.controllers for o in fields(c.Outputs)]


def _signals(
    problem: March, fixed: np.ndarray, begin: TransientState, given: Feed, chosen: np.ndarray, steps: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Signals of some patients and when, from the beginning of the run on; they march once more."""
    if not chosen.size:
        return np.zeros(0), {}
    thin = max(round(SIGNALS_EVERY / problem.dt), 1)
    count = steps // thin

    def record(f: Any, x: Any, w: Any, b: Any, *v: Any) -> Any:
        return problem.record(Given(f, v, given.times), Carry(x, w, b), begin.number, count, thin)

    everything = (fixed, begin.states, begin.watch, begin.past, *given.columns)
    (rows,) = in_blocks(record, tuple(a[..., chosen] for a in everything), block=BLOCK)
    times = (begin.number + thin * np.arange(count)) * problem.dt
    return times, dict(zip(fields(problem.model.Signals), np.moveaxis(rows, 1, 0), strict=True))
