"""The march of one composition on the clock of seconds: one cyclic model, its controllers, their delays.

Rows are stacked, patients along the last axis. All takes the same fixed Runge–Kutta steps, the phase of the
beat being a state. Outputs of controllers that some port shows later are kept in ring buffers on the grid of
steps and read linearly in between.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from organ_models.feedthrough import feedthrough
from organ_models.model import OrganModel, fields, values
from organ_models.solvers import rk4_step
from vht.controls import control_outputs
from vht.equilibrium import regulated
from vht.patient import VirtualPatient

_NEVER = 2.0  # share of a step after which the beat ends, where it does not


class Carry(NamedTuple):
    """What goes from step to step.

    Attributes:
        states: the cyclic model's states, the phase of its beat, the controllers' states, ``(rows, n)``.
        watch: what has been seen of this beat, and what the last completed one showed, ``(rows, n)``.
        past: ring buffers of delayed ports, one after the other, ``(delays * length, n)``.
    """

    states: Any
    watch: Any
    past: Any


class Given(NamedTuple):
    """What stays as it is.

    Attributes:
        fixed: parameters of the fast models, then inputs that are held (:attr:`March.held`), ``(rows, n)``.
        columns: values of time courses at their knots, each ``(k, n)``.
        times: the knots, s, by port.
    """

    fixed: Any
    columns: Any
    times: Any


class March:
    """The compiled march.

    Args:
        patient: a composition with one cyclic model.
        length: entries of a ring buffer, one a step.
        step: s.

    Attributes:
        models: the cyclic model, then the controllers.
        held: inputs that slow models feed or that were solved for, by port.
        delays: delayed ports: controller, port and declaration.
        begin: ``begin(given, states, outputs, history, time) -> (watch, past)``; ``outputs`` are those of the
            beat before, ``history`` (rows as ``delays``) the past of delayed outputs, NaN for what they are
            now.
        march: ``march(given, carry, first, reports, steps) -> (*carry, seen)`` from step number ``first`` on,
            reading after every ``steps`` steps; ``seen`` is ``(reports, rows, n)``.
        record: ``record(given, carry, first, count, thin) -> (signals,)``, every ``thin`` steps.
    """

    def __init__(self, patient: VirtualPatient, length: int, step: float):
        self.patient, self.length, self.dt = patient, length, step
        self.model = patient.cyclic[0]
        assert self.model.cycle is not None
        self.cycle = self.model.cycle
        self.controllers = patient.controllers
        self.models: list[OrganModel] = [self.model, *self.controllers]
        self.delays = [(c, port, d) for c in self.controllers for port, d in c.delays.items()]
        self.held = [".".join(w.target) for w in held_wires(patient)] + solved_ports(patient)
        self.regulated = regulated(patient, self.model)
        # every output that shows signals at once may take one more turn; the composition has no circle
        split = [s.partition(".") for s in self.regulated.values()]
        self.turns = 1 + sum(bool(feedthrough(patient.models[name])[port]) for name, _, port in split)
        self.begin = jax.jit(self._begin)
        self.march = jax.jit(self._march, static_argnums=(3, 4))
        self.record = jax.jit(self._record, static_argnums=(3, 4))

    # -- rows to records ------------------------------------------------------------------------------

    def _constants(self, fixed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Working parameters by model, and held inputs by port."""
        rows, parameters = list(fixed), {}
        for m in self.models:
            width = len(fields(m.Parameters))
            parameters[m.name] = m.working(m.Parameters(*rows[:width]))
            rows = rows[width:]
        return parameters, dict(zip(self.held, rows, strict=True))

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

    # -- one instant ------------------------------------------------------------------------------------

    def _look(
        self,
        p: Any,
        held: Mapping[str, Any],
        states: Any,
        course: Mapping[str, Any],
        past: Mapping[str, Any] | None,
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
            # a stage of a step that ends a beat lies in the next one
            since = (phase - jnp.floor(phase)) * self.cycle.period(p[mine], u)
            drive = self.cycle.drive(since, p[mine], u)
            shown = self.model.observe(drive, x, p[mine], u)
            signals = {f"{mine}.{s}": v for s, v in values(shown).items()}
        if self.controllers:
            inputs, seen = control_outputs(self.patient, p, controls, signals, theirs, past)
        return drive, u, shown, inputs, seen

    def _course(self, given: Given, now: Any) -> dict[str, Any]:
        out = {}
        for (port, knots), column in zip(given.times.items(), given.columns, strict=True):
            after = jnp.clip(jnp.searchsorted(knots, now, side="right"), 1, len(knots) - 1)
            width = knots[after] - knots[after - 1]
            share = jnp.clip((now - knots[after - 1]) / width, 0.0, 1.0)
            out[port] = column[after - 1] * (1 - share) + column[after] * share
        return out

    def _delayed(self, p: Any, past: Any, newest: Any, ahead: Any) -> dict[str, Any]:
        """Values of delayed ports, ``ahead`` steps after the entry of step number ``newest``."""
        out = {}
        for k, (c, port, d) in enumerate(self.delays):
            buffer = past[k * self.length : (k + 1) * self.length]
            back = getattr(p[c.name], d.by) / self.dt - ahead
            whole = jnp.floor(back)
            share = back - whole
            newer = jnp.clip(whole, 0, self.length - 1).astype(jnp.int64)
            older = jnp.clip(whole + 1, 0, self.length - 1).astype(jnp.int64)
            lanes = buffer.shape[1:]

            def entry(age: Any, buffer: Any = buffer, lanes: Any = lanes) -> Any:
                place = jnp.broadcast_to(jnp.mod(newest - age, self.length), lanes)
                return jnp.take_along_axis(buffer, place[None], axis=0)[0]

            out[f"{c.name}.{port}"] = (1 - share) * entry(newer) + share * entry(older)
        return out

    # -- the march --------------------------------------------------------------------------------------

    def _begin(self, given: Given, states: Any, outputs: Any, history: Any, time: Any) -> Any:
        p, held = self._constants(given.fixed)
        _, _, shown, _, seen = self._look(p, held, states, self._course(given, time), None)
        signals = _stack(values(shown).values(), states)
        one = jnp.ones((1, *states.shape[1:]))
        watch = [signals, signals, 0 * signals, signals, signals, 0 * one, 0 * one, _NEVER * one, outputs]
        rows = [
            jnp.where(jnp.isfinite(mean), mean, jnp.broadcast_to(seen[c.name][d.of], states.shape[1:]))
            for (c, _, d), mean in zip(self.delays, history, strict=True)
        ]
        past = [jnp.broadcast_to(r, (self.length, *r.shape)) for r in rows]
        return jnp.concatenate(watch), jnp.concatenate([jnp.zeros((0, *states.shape[1:])), *past])

    def _advance(self, given: Given, p: Any, held: Any, carry: Carry, number: Any) -> Carry:
        """Step ``number``."""
        mine, dt, past = self.model.name, self.dt, carry.past
        now = number * dt
        # what is delayed now comes from entries before this one
        late = self._delayed(p, past, number - 1, 1.0)
        _, u, shown, _, seen = self._look(p, held, carry.states, self._course(given, now), late)
        for k, (c, _, d) in enumerate(self.delays):
            row = jnp.broadcast_to(seen[c.name][d.of], carry.states.shape[1:])
            place = k * self.length + jnp.mod(number, self.length)
            past = lax.dynamic_update_index_in_dim(past, row, place, axis=0)
        watch = self._watched(carry.watch, _stack(values(shown).values(), carry.states), p[mine], u)

        def rate(time: Any, y: Any) -> Any:
            late = self._delayed(p, past, number, (time - now) / dt)
            drive, v, _, inputs, _ = self._look(p, held, y, self._course(given, time), late)
            x, _, controls = self._split(y)
            rates = list(values(self.model.derivative(drive, x, p[mine], v)).values())
            rates.append(1.0 / self.cycle.period(p[mine], v))
            for c in self.controllers:
                change = c.derivative(time, controls[c.name], p[c.name], inputs[c.name])
                rates += values(change).values()
            return _stack(rates, y)

        after = rk4_step(rate, now, carry.states, dt)
        x, phase, controls = self._split(after)
        late = self._delayed(p, past, number, 1.0)
        _, v, _, inputs, _ = self._look(p, held, after, self._course(given, now + dt), late)
        if self.model.project is not None:
            x = self.model.project(x, p[mine], v)
        x = self.cycle.restore(x, p[mine], v)
        for c in self.controllers:
            if c.project is not None:
                controls[c.name] = c.project(controls[c.name], p[c.name], inputs[c.name])
        begun = self._split(carry.states)[1]
        ended = phase >= 1.0
        share = jnp.where(ended, (1.0 - begun) / (phase - begun), _NEVER)
        rows = [*values(x).values(), jnp.where(ended, phase - 1.0, phase)]
        rows += [w for c in self.controllers for w in values(controls[c.name]).values()]
        outputs = len(fields(self.model.Outputs))
        width = jnp.full_like(share, dt)
        watch = jnp.concatenate([watch[: -outputs - 2], width[None], share[None], watch[-outputs:]])
        return Carry(_stack(rows, carry.states), watch, past)

    def _watched(self, watch: Any, now: Any, p: Any, u: Any) -> Any:
        """The beat so far with the step that has just passed; its outputs, if it ended within that step.

        Rows: extremes, time integral, signals as the beat began and as the step did, time since the beat
        began, the step's width and the share of it that still was of the beat, outputs of the last beat. The
        end of a beat lies between steps; signals are linear there.
        """
        s, outputs = len(fields(self.model.Signals)), len(fields(self.model.Outputs))
        high, low, total, first, before = (watch[k * s : (k + 1) * s] for k in range(5))
        since, width, share = watch[5 * s], watch[5 * s + 1], watch[5 * s + 2]
        last = watch[-outputs:]
        ended = share <= 1.0
        part = jnp.where(ended, share, 1.0)
        edge = before + part * (now - before)
        total = total + 0.5 * part * width * (before + edge)
        since = since + part * width
        # no time has passed before the first step
        mean = total / jnp.where(since > 0.0, since, 1.0)
        top, bottom, middle, onset = (self.model.Signals(*rows) for rows in (high, low, mean, first))
        done = _stack(values(self.cycle.summarise(top, bottom, middle, onset, p, u)).values(), watch)
        last = jnp.where(ended, done, last)
        high = jnp.maximum(jnp.where(ended, edge, high), now)
        low = jnp.minimum(jnp.where(ended, edge, low), now)
        rest = (1.0 - part) * width
        total = jnp.where(ended, 0.5 * rest * (edge + now), total)
        since = jnp.where(ended, rest, since)
        first = jnp.where(ended, edge, first)
        return jnp.concatenate([high, low, total, first, now, since[None], width[None], share[None], last])

    def _march(self, given: Given, carry: Carry, first: Any, reports: int, steps: int) -> Any:
        p, held = self._constants(given.fixed)
        outputs = len(fields(self.model.Outputs))

        def report(carry: Carry, number: Any) -> Any:
            begin = first + number * steps
            end = begin + steps
            carry = lax.fori_loop(begin, end, lambda k, c: self._advance(given, p, held, c, k), carry)
            late = self._delayed(p, carry.past, end - 1, 1.0)
            course = self._course(given, end * self.dt)
            _, u, shown, _, seen = self._look(p, held, carry.states, course, late)
            # a beat that ended in the last step has been completed
            signals = _stack(values(shown).values(), carry.states)
            watch = self._watched(carry.watch, signals, p[self.model.name], u)
            rows = [v for c in self.controllers for v in (seen[c.name][o] for o in fields(c.Outputs))]
            return carry, jnp.concatenate([watch[-outputs:], _stack(rows, carry.states)])

        carry, seen = lax.scan(report, carry, jnp.arange(reports))
        return *carry, seen

    def _record(self, given: Given, carry: Carry, first: Any, count: int, thin: int) -> Any:
        p, held = self._constants(given.fixed)

        def look(carry: Carry, number: Any) -> Any:
            begin = first + number * thin
            late = self._delayed(p, carry.past, begin - 1, 1.0)
            course = self._course(given, begin * self.dt)
            _, _, shown, _, _ = self._look(p, held, carry.states, course, late)
            ahead = lax.fori_loop(
                begin, begin + thin, lambda k, c: self._advance(given, p, held, c, k), carry
            )
            return ahead, _stack(values(shown).values(), carry.states)

        _, seen = lax.scan(look, carry, jnp.arange(count))
        return (seen,)


@functools.lru_cache(maxsize=16)
def march(patient: VirtualPatient, length: int, step: float) -> March:
    """The march of a composition, compiled once for ring buffers of ``length`` and steps of ``step`` s."""
    return March(patient, length, step)


def solved_ports(patient: VirtualPatient) -> list[str]:
    """Inputs of the cyclic model that are solved for at the start, and held."""
    return [p for w in patient.solving for p in (w.coupling.solve, w.coupling.follow) if p]


def held_wires(patient: VirtualPatient) -> list[Any]:
    """Couplings from slow models into the cyclic model and its controllers."""
    fast = {m.name for m in (*patient.cyclic, *patient.controllers)}
    return [w for w in patient.wires if w.target[0] in fast and patient.models[w.source[0]].clock == "d"]


def _stack(rows: Any, like: Any) -> Any:
    found = [jnp.broadcast_to(jnp.asarray(r, dtype=float), like.shape[1:]) for r in rows]
    return jnp.stack(found) if found else jnp.zeros((0, *like.shape[1:]))
