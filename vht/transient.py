"""The clock of seconds: beat by beat, with controllers and their exact delays.

The phase of the beat is a state, so that the heart rate may change within a beat. Everything takes the same
fixed Runge–Kutta steps; a delayed port reads its own past from a ring buffer, linearly between steps. After
every step the circulation is filled to its declared volume, which is how bleeding, venous tone and a changed
compliance come in. Slow models are held where they stand.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.feedthrough import feedthrough
from organ_models.model import OrganModel, fields, values
from organ_models.precision import require_float64
from organ_models.solvers import Failure, in_blocks, rk4_step
from vht.controls import control_outputs
from vht.course import course
from vht.cycles import Baseline, Cycles, cycles_on, first_failure, untreated
from vht.equilibrium import regulated
from vht.feeds import feeds
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 1e-3
"""Default step, s: extremes of a beat are sampled this finely."""

SIGNALS_EVERY = 0.01
"""Distance of recorded signals, s."""


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
        time: s.
        states: the cyclic model's states, the phase of its beat, the controllers' states, ``(rows, n)``.
        watch: what has been seen of the beat so far, and of the last one, ``(rows, n)``.
        past: ring buffers of delayed ports, ``(delays * length, n)``.
        ring: where the buffers begin.
    """

    time: float
    states: np.ndarray
    watch: np.ndarray
    past: np.ndarray
    ring: int


def simulate_transient(
    patient: VirtualPatient,
    people: Individuals,
    *,
    duration: float,
    every: float = 1.0,
    step: float = STEP,
    inputs: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Baseline] | None = None,
    start: TransientState | None = None,
    signals_of: Sequence[int] = (),
) -> Transient:
    """Simulate virtual patients beat by beat.

    Args:
        patient: a composition with one cyclic model.
        people: who.
        duration: how long, s.
        every: distance of reporting times, s; a whole number of steps.
        step: Runge–Kutta step, s.
        inputs: by open port of the cyclic model or a controller, a number, or ``(times, values)``: linear
            between times (s), constant beyond; values ``(k,)`` or ``(k, n)``.
        baselines: untreated cycles, if known.
        start: where an earlier transient ended; the balanced periodic state if absent.
        signals_of: patients whose signals are recorded.

    Returns:
        :class:`Transient`.

    Raises:
        CompositionError: no single cyclic model, or an input at a port that is not open.
        ValueError: times that do not fit, or a delay shorter than a step.
    """
    require_float64()
    if len(patient.cyclic) != 1:
        raise CompositionError("a transient needs exactly one cyclic model")
    model, n = patient.cyclic[0], len(people)
    per_report = round(every / step)
    if per_report < 1 or abs(per_report * step - every) > 1e-9:
        raise ValueError("'every' must be a whole number of steps")
    reports = round(duration / every)
    if reports < 1:
        raise ValueError("'duration' must be at least 'every'")
    longest = _longest_delay(patient, people, step)
    given = feeds(patient, inputs or {}, n)
    problem = _problem(patient, longest, step)
    slow = course(patient, people, {}, [0])
    held = {port: trace[0] for port, trace in slow.outputs.items()}
    failure = np.full(n, None, dtype=object)
    if start is None:
        known = dict(baselines or {})
        known.setdefault(model.name, untreated(patient, model, people))
        cycles = cycles_on(patient, known, slow.outputs, np.zeros((1, n), dtype=int))
        failure = first_failure(people, slow.outputs, cycles)
        states = np.concatenate(
            [
                cycles.states[model.name][0],
                np.zeros((1, n)),
                *(_at_rest(c, people, cycles) for c in patient.controllers),
            ]
        )
        solved = {p: cycles.inputs[p][0] for p in _solved(patient)}
        outputs = np.stack([cycles.outputs[f"{model.name}.{o}"][0] for o in fields(model.Outputs)])
    else:
        states, solved, outputs = start.states, {}, np.zeros((0, n))
        if patient.solving:
            raise CompositionError("a composition that solves for an input cannot go on from a state")
    fixed = _fixed_rows(problem, people, held, solved)
    begin = 0.0 if start is None else start.time
    if start is None:
        # in balance the past is as periodic as the beat: its mean stands for it
        means = [
            cycles.outputs[port][0] if port in cycles.outputs else np.full(n, np.nan)
            for port in (f"{c.name}.{d.of}" for c, _, d in problem.delays)
        ]

        def opening(f: Any, x: Any, o: Any, m: Any, *v: Any) -> Any:
            return problem.begin(f, x, o, m, v, given.times, begin)

        history = np.reshape(means, (len(means), n))
        watch, past = in_blocks(opening, (fixed, states, outputs, history, *given.columns))
        ring = 0
    else:
        watch, past, ring = start.watch, start.past, start.ring

    def block(f: Any, x: Any, w: Any, b: Any, *v: Any) -> Any:
        return problem.march(f, (x, w, b), v, given.times, begin, ring, reports, per_report)

    end, watched, buffers, seen = in_blocks(block, (fixed, states, watch, past, *given.columns))
    times = begin + every * np.arange(1, reports + 1)
    ports = [f"{model.name}.{o}" for o in fields(model.Outputs)]
    ports += [f"{c.name}.{o}" for c in patient.controllers for o in fields(c.Outputs)]
    table = dict(zip(ports, np.moveaxis(seen, 1, 0).copy(), strict=True))
    broken = ~np.all(np.isfinite(end), axis=0)
    failure[(failure == None) & broken] = Failure.DIVERGED  # noqa: E711
    for trace in table.values():
        trace[:, failure != None] = np.nan  # noqa: E711
    state = TransientState(float(times[-1]), end, watched, buffers, (ring + reports * per_report) % longest)
    chosen = np.asarray(signals_of, dtype=int)
    signal_times: np.ndarray = np.zeros(0)
    signals: dict[str, np.ndarray] = {}
    if chosen.size:
        thin = max(round(SIGNALS_EVERY / step), 1)
        count = reports * per_report // thin

        def record(f: Any, x: Any, w: Any, b: Any, *v: Any) -> Any:
            return problem.record(f, (x, w, b), v, given.times, begin, ring, count, thin)

        columns = [c if c.shape[-1] == 1 else c[..., chosen] for c in given.columns]
        parts = (fixed[:, chosen], states[:, chosen], watch[:, chosen], past[:, chosen], *columns)
        (rows,) = in_blocks(record, parts)
        signal_times = begin + thin * step * np.arange(count)
        signals = dict(zip(fields(model.Signals), np.moveaxis(rows, 1, 0), strict=True))
    return Transient(patient, times, table, failure, signal_times, signals, state)


# ---------------------------------------------------------------------------------------------------


def _longest_delay(patient: VirtualPatient, people: Individuals, step: float) -> int:
    """Steps that a ring buffer must hold."""
    longest = 0.0
    for c in patient.controllers:
        for port, delay in c.delays.items():
            held = np.asarray(getattr(c.working(people.parameters[c.name]), delay.by), dtype=float)
            if held.size and held.min() < step:
                raise ValueError(
                    f"{c.name}.{port}: the delay {delay.by} is shorter than a step of {step:g} s; "
                    "take shorter steps"
                )
            longest = max(longest, float(held.max(initial=0.0)))
    return math.ceil(longest / step) + 2


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


def _solved(patient: VirtualPatient) -> list[str]:
    """Inputs of the cyclic model that are solved for at the start, and held."""
    return [p for w in patient.solving for p in (w.coupling.solve, w.coupling.follow) if p]


def _held_wires(patient: VirtualPatient) -> list[Any]:
    """Couplings from slow models into the cyclic model and its controllers."""
    fast = {m.name for m in (*patient.cyclic, *patient.controllers)}
    return [w for w in patient.wires if w.target[0] in fast and patient.models[w.source[0]].clock == "d"]


def _fixed_rows(
    problem: _Problem, people: Individuals, held: Mapping[str, np.ndarray], solved: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Parameters of the fast models, then what is held of slow models, then solved inputs."""
    n = len(people)
    rows = [
        np.broadcast_to(np.asarray(v, float), (n,))
        for m in problem.models
        for v in values(people.parameters[m.name]).values()
    ]
    for w in _held_wires(problem.patient):
        rows.append(w.convert.factor * held[".".join(w.source)] + w.convert.offset)
    rows += [np.broadcast_to(solved[p], (n,)) for p in _solved(problem.patient)]
    return np.stack(rows)


class _Given(NamedTuple):
    """What stays: working parameters, held inputs, and the knots of time courses."""

    parameters: dict[str, Any]
    held: dict[str, Any]
    columns: Any
    times: dict[str, Any]


class _Problem:
    """The compiled march of one composition.

    Args:
        patient: the composition.
        length: steps that a ring buffer holds.
        step: s.
    """

    def __init__(self, patient: VirtualPatient, length: int, step: float):
        self.patient, self.length, self.dt = patient, length, step
        self.model = patient.cyclic[0]
        assert self.model.cycle is not None
        self.cycle = self.model.cycle
        self.controllers = patient.controllers
        self.models: list[OrganModel] = [self.model, *self.controllers]
        self.delays = [(c, port, d) for c in self.controllers for port, d in c.delays.items()]
        self.regulated = regulated(patient, self.model)
        # outputs that show signals at once need more turns; the composition has no algebraic loop
        self.turns = 1 + 2 * any(
            feedthrough(patient.models[s.partition(".")[0]])[s.partition(".")[2]]
            for s in self.regulated.values()
        )
        self.begin = jax.jit(self._begin)
        self.march = jax.jit(self._march, static_argnums=(6, 7))
        self.record = jax.jit(self._record, static_argnums=(6, 7))

    # -- rows to records ------------------------------------------------------------------------------

    def _constants(self, fixed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Working parameters by model, and held inputs by port."""
        rows, parameters = list(fixed), {}
        for m in self.models:
            width = len(fields(m.Parameters))
            parameters[m.name] = m.working(m.Parameters(*rows[:width]))
            rows = rows[width:]
        ports = [".".join(w.target) for w in _held_wires(self.patient)] + _solved(self.patient)
        return parameters, dict(zip(ports, rows, strict=True))

    def _split(self, states: Any) -> tuple[Any, Any, dict[str, Any]]:
        rows = list(states)
        width = len(fields(self.model.State))
        x, phase, rest = self.model.State(*rows[:width]), rows[width], rows[width + 1 :]
        controls = {}
        for c in self.controllers:
            count = len(fields(c.State))
            controls[c.name] = c.State(*rest[:count])
            rest = rest[count:]
        return x, phase, controls

    def _look(
        self, p: Any, held: Any, states: Any, course: Mapping[str, Any], past: Mapping[str, Any]
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Drive, inputs and signals of the cycle; inputs and outputs of the controllers."""
        x, phase, controls = self._split(states)
        mine = self.model.name
        given = {**held, **course}
        own = {k.partition(".")[2]: v for k, v in given.items() if k.partition(".")[0] == mine}
        theirs = {k: v for k, v in given.items() if k.partition(".")[0] != mine}
        convert = {w.target[1]: w.convert for w in self.patient.inputs_of(mine)}
        signals: dict[str, Any] = {f"{mine}.{s}": 0.0 * phase for s in fields(self.model.Signals)}
        for _ in range(self.turns):
            inputs, seen = control_outputs(self.patient, p, controls, signals, theirs, past)
            regulated_now = {}
            for port, source in self.regulated.items():
                name, _, output = source.partition(".")
                regulated_now[port] = convert[port].factor * seen[name][output] + convert[port].offset
            u = self.model.Inputs(**{**own, **regulated_now})
            drive = self.cycle.drive(phase * self.cycle.period(p[mine], u), p[mine], u)
            shown = self.model.observe(drive, x, p[mine], u)
            signals = {f"{mine}.{s}": v for s, v in values(shown).items()}
        if self.controllers:
            inputs, seen = control_outputs(self.patient, p, controls, signals, theirs, past)
        return drive, u, shown, inputs, seen

    # -- the march --------------------------------------------------------------------------------------

    def _begin(
        self, fixed: Any, states: Any, outputs: Any, means: Any, columns: Any, times: Any, time: Any
    ) -> Any:
        p, held = self._constants(fixed)
        course = self._course(_Given(p, held, columns, times), time)
        _, _, shown, _, seen = self._look(p, held, states, course, {})
        signals = _stack(values(shown).values(), states)
        watch = jnp.concatenate([signals, signals, 0 * signals, signals, 0 * signals[:1], outputs])
        rows = [
            jnp.where(jnp.isfinite(mean), mean, jnp.broadcast_to(seen[c.name][d.of], states.shape[1:]))
            for (c, _, d), mean in zip(self.delays, means, strict=True)
        ]
        past = [jnp.broadcast_to(r, (self.length, *r.shape)) for r in rows]
        none = jnp.zeros((0, *states.shape[1:]))
        return watch, jnp.concatenate([none, *past])

    def _course(self, g: _Given, now: Any) -> dict[str, Any]:
        out = {}
        for (port, knots), column in zip(g.times.items(), g.columns, strict=True):
            after = jnp.clip(jnp.searchsorted(knots, now, side="right"), 1, len(knots) - 1)
            width = knots[after] - knots[after - 1]
            share = jnp.clip((now - knots[after - 1]) / width, 0.0, 1.0)
            out[port] = column[after - 1] * (1 - share) + column[after] * share
        return out

    def _delayed(self, p: Any, buffers: Any, ring: Any, ahead: float) -> dict[str, Any]:
        """Values of delayed ports at ``ahead`` steps after the newest entry, at place ``ring``."""
        out = {}
        for k, (c, port, d) in enumerate(self.delays):
            buffer = buffers[k * self.length : (k + 1) * self.length]
            back = getattr(p[c.name], d.by) / self.dt - ahead
            whole = jnp.floor(back)
            share = back - whole
            newer = jnp.clip(whole, 0, self.length - 1).astype(jnp.int64)
            older = jnp.clip(whole + 1, 0, self.length - 1).astype(jnp.int64)
            lanes = buffer.shape[1:]

            def entry(age: Any, buffer: Any = buffer, lanes: Any = lanes) -> Any:
                place = jnp.broadcast_to(jnp.mod(ring - age, self.length), lanes)
                return jnp.take_along_axis(buffer, place[None], axis=0)[0]

            out[f"{c.name}.{port}"] = (1 - share) * entry(newer) + share * entry(older)
        return out

    def _advance(self, g: _Given, carry: Any, now: Any, ring: Any) -> Any:
        """One step, from ``now`` on; ``ring`` is the place where this instant's outputs are kept."""
        mine, dt = self.model.name, self.dt
        states, watch, buffers = carry
        p, held = g.parameters, g.held
        course = self._course(g, now)
        # what is delayed now comes from entries before this one
        _, u, shown, _, seen = self._look(p, held, states, course, self._delayed(p, buffers, ring - 1, 1.0))
        for k, (c, _, d) in enumerate(self.delays):
            row = jnp.broadcast_to(seen[c.name][d.of], states.shape[1:])
            buffers = lax.dynamic_update_index_in_dim(buffers, row, k * self.length + ring, axis=0)

        def rate(time: Any, y: Any) -> Any:
            ahead = (time - now) / dt
            then = self._course(g, time)
            past = self._delayed(p, buffers, ring, ahead)
            drive, v, _, inputs, _ = self._look(p, held, y, then, past)
            x, _, controls = self._split(y)
            rates = list(values(self.model.derivative(drive, x, p[mine], v)).values())
            rates.append(1.0 / self.cycle.period(p[mine], v))
            for c in self.controllers:
                change = c.derivative(time, controls[c.name], p[c.name], inputs[c.name])
                rates += values(change).values()
            return _stack(rates, y)

        after = rk4_step(rate, now, states, dt)
        x, phase, controls = self._split(after)
        later = self._course(g, now + dt)
        past = self._delayed(p, buffers, ring, 1.0)
        _, v, _, inputs, _ = self._look(p, held, after, later, past)
        if self.model.project is not None:
            x = self.model.project(x, p[mine], v)
        x = self.cycle.restore(x, p[mine], v)
        for c in self.controllers:
            if c.project is not None:
                controls[c.name] = c.project(controls[c.name], p[c.name], inputs[c.name])
        ended = phase >= 1.0
        rows = [*values(x).values(), jnp.where(ended, phase - 1.0, phase)]
        rows += [w for c in self.controllers for w in values(controls[c.name]).values()]
        watch = self._watched(watch, _stack(values(shown).values(), states), ended, p[mine], u)
        return _stack(rows, states), watch, buffers

    def _watched(self, watch: Any, seen: Any, ended: Any, p: Any, u: Any) -> Any:
        """Extremes, sums and start of the beat so far; its outputs once it has ended."""
        s = len(fields(self.model.Signals))
        high, low, total, first, count, outputs = jnp.split(watch, [s, 2 * s, 3 * s, 4 * s, 4 * s + 1])
        fresh = count[0] == 0.0
        high = jnp.where(fresh, seen, jnp.maximum(high, seen))
        low = jnp.where(fresh, seen, jnp.minimum(low, seen))
        total = jnp.where(fresh, seen, total + seen)
        first = jnp.where(fresh, seen, first)
        count = count + 1.0
        top, bottom, mean, onset = (self.model.Signals(*part) for part in (high, low, total / count, first))
        done = _stack(values(self.cycle.summarise(top, bottom, mean, onset, p, u)).values(), seen)
        outputs = jnp.where(ended, done, outputs)
        return jnp.concatenate([high, low, total, first, jnp.where(ended, 0.0, count), outputs])

    def _march(
        self,
        fixed: Any,
        carry: Any,
        columns: Any,
        times: Any,
        begin: Any,
        ring: Any,
        reports: int,
        steps: int,
    ) -> Any:
        g = _Given(*self._constants(fixed), columns, times)
        outputs = len(fields(self.model.Outputs))

        def one(k: Any, carry: Any) -> Any:
            now = begin + k * self.dt
            return self._advance(g, carry, now, jnp.mod(ring + k, self.length))

        def report(carry: Any, number: Any) -> Any:
            first = number * steps
            carry = lax.fori_loop(first, first + steps, one, carry)
            now = begin + (first + steps) * self.dt
            place = jnp.mod(ring + first + steps - 1, self.length)
            past = self._delayed(g.parameters, carry[2], place, 1.0)
            *_, seen = self._look(g.parameters, g.held, carry[0], self._course(g, now), past)
            rows = [v for c in self.controllers for v in (seen[c.name][o] for o in fields(c.Outputs))]
            return carry, jnp.concatenate([carry[1][-outputs:], _stack(rows, carry[0])])

        (states, watch, buffers), seen = lax.scan(report, carry, jnp.arange(reports))
        return states, watch, buffers, seen

    def _record(
        self, fixed: Any, carry: Any, columns: Any, times: Any, begin: Any, ring: Any, count: int, thin: int
    ) -> Any:
        g = _Given(*self._constants(fixed), columns, times)

        def one(k: Any, carry: Any) -> Any:
            now = begin + k * self.dt
            return self._advance(g, carry, now, jnp.mod(ring + k, self.length))

        def look(carry: Any, number: Any) -> Any:
            first = number * thin
            now = begin + first * self.dt
            past = self._delayed(g.parameters, carry[2], jnp.mod(ring + first - 1, self.length), 1.0)
            _, _, shown, _, _ = self._look(g.parameters, g.held, carry[0], self._course(g, now), past)
            return lax.fori_loop(first, first + thin, one, carry), _stack(values(shown).values(), carry[0])

        _, seen = lax.scan(look, carry, jnp.arange(count))
        return (seen,)


@functools.lru_cache(maxsize=16)
def _problem(patient: VirtualPatient, length: int, step: float) -> _Problem:
    return _Problem(patient, length, step)


def _stack(rows: Any, like: Any) -> Any:
    found = [jnp.broadcast_to(jnp.asarray(r, dtype=float), like.shape[1:]) for r in rows]
    return jnp.stack(found) if found else jnp.zeros((0, *like.shape[1:]))
