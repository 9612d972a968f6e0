"""The slow models of a composition as one stepped problem.

All functions here are pure and elementwise over patients; :mod:`organ_models.stepping` runs them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from organ_models.engines import Precision
from organ_models.grids import finest
from organ_models.model import Array, OrganModel, Stride, fields, values
from organ_models.solvers import rk4_step
from organ_models.stepping import Stepped
from vht import stiff
from vht.patient import VirtualPatient

States = dict[str, Any]

_PEOPLE = ""
"""Key of the row that only tells how many patients there are, beside the models' names."""


class SlowModels:
    """What the slow models of a patient are, and how they go from one instant to the next.

    Args:
        patient: the composition.
        dosed: input ports whose values are given day by day.
        events: event ports that receive amounts.
    """

    def __init__(self, patient: VirtualPatient, dosed: tuple[str, ...], events: tuple[str, ...]):
        self.patient, self.dosed, self.events = patient, dosed, events
        self.models = patient.slow
        self.held = held_ports(patient)
        self.closed = closed_form(patient)
        self.outputs = [f"{m.name}.{o}" for m in self.models for o in fields(m.Outputs)]
        self.stepping = [m for m in self.models if m.name not in self.closed and fields(m.State)]
        self.feeding = self._upstream({m.name for m in self.stepping}) & self.closed
        self.stride = finest(m.stride for m in self.stepping)
        if any(m.stiff for m in self.stepping):
            self.stride = Stride(longest=float("inf"))

    def problem(self, precision: Precision = "double") -> Stepped:
        """The problem for the engine; in ``"single"`` precision the rates of stepped models are."""
        parameters = sum(len(fields(m.Parameters)) for m in self.models)
        states = sum(len(fields(m.State)) for m in self.models)
        stiffness = [m.name for m in self.stepping if m.stiff]
        reason = f"{', '.join(stiffness)} needs an implicit solver" if stiffness else None
        return Stepped(
            name=" and ".join(m.name for m in self.models),
            states=states,
            outputs=len(self.outputs),
            rows=(parameters + 1, len(self.dosed), len(self.events), len(self.held)),
            prepare=self.prepare,
            initial=lambda p: self._stack(self._initial(p), p[_PEOPLE].shape),
            step=functools.partial(self.step, precision=precision),
            jump=self.jump if self.events else None,
            read=self.read,
            portable_only=reason,
            precision=precision,
        )

    # -- the problem's functions ----------------------------------------------------------------------

    def prepare(self, stacked: Array) -> States:
        """Parameters of every model in the units of its equations; a last row stands for the patients."""
        rows = _rows(stacked)
        out = {}
        for model in self.models:
            width = len(fields(model.Parameters))
            out[model.name] = model.working(model.Parameters(*rows[:width]))
            rows = rows[width:]
        (out[_PEOPLE],) = rows
        return out

    def step(
        self,
        p: States,
        x: Array,
        time: Array,
        width: Array,
        doses: Array,
        held: Array,
        precision: Precision = "double",
    ) -> Array:
        """One step: closed forms exactly, the others by Runge–Kutta or implicitly, then what stops them."""
        if any(m.stiff for m in self.stepping):  # the implicit solver takes one patient at a time
            each = jax.vmap(self._step, in_axes=(0, 1, None, None, 1, 1), out_axes=1)
            return each(p, x, time, width, doses, held)
        return self._step(p, x, time, width, doses, held, single=precision == "single")

    def _step(
        self,
        p: States,
        x: Array,
        time: Array,
        width: Array,
        doses: Array,
        held: Array,
        single: bool = False,
    ) -> Array:
        states = self._unstack(x)
        inputs, _ = self.feed(p, states, time, doses, held)
        frozen = {n: states[n] for n in self.closed}
        moving = {m.name: states[m.name] for m in self.stepping}

        def later(names: Iterable[str], since: States, elapsed: Array) -> States:
            """States of models with a closed form, from those at an earlier time."""
            found = {}
            for n in names:
                solution = self.patient.models[n].solution
                assert solution is not None
                found[n] = solution(elapsed, since[n], p[n], inputs[n])
            return found

        # who feeds a stage goes there in two halves: what is dear hangs on the width alone, and both share it
        halfway = later(self.feeding, frozen, 0.5 * width)
        ends = later(self.closed - self.feeding, frozen, width) | later(self.feeding, halfway, 0.5 * width)
        stages = iter((frozen, frozen | halfway, frozen | halfway, frozen | ends))

        def rates(now: Array, known: States, moved: States, q: States, given: Array, kept: Array) -> States:
            fed, _ = self.feed(q, known | moved, now, given, kept)
            return {n: self.patient.models[n].derivative(now, y, q[n], fed[n]) for n, y in moved.items()}

        def rate(now: Array, moved: States) -> States:
            return rates(now, states | next(stages), moved, p, doses, held)

        def rate_at(now: Array, moved: States) -> States:
            known = states | later(self.feeding, frozen, now - time)
            return rates(now, known, moved, p, doses, held)

        if any(m.stiff for m in self.stepping):
            moved = stiff.advance(rate_at, time, width, moving)
        elif single:
            q, given, kept = _single((p, doses, held))

            def single_rate(now: Array, moved: States) -> States:
                return _single(rates(now, _single(states | next(stages)), moved, q, given, kept))

            moved = rk4_step_in_single(single_rate, time, moving, width)
        else:
            moved = rk4_step(rate, time, moving, width)
        after = states | ends | moved
        if any(m.project for m in self.models):
            fed, _ = self.feed(p, after, time + width, doses, held)
            for m in self.models:
                if m.project is not None:
                    after[m.name] = m.project(after[m.name], p[m.name], fed[m.name])
        return self._stack(after, x.shape[1:])

    def jump(self, p: States, x: Array, amounts: Array) -> Array:
        """What arrives at an instant."""
        states = self._unstack(x)
        arriving = dict(zip(self.events, _rows(amounts), strict=True))
        for model in self.models:
            given = {port.partition(".")[2]: v for port, v in arriving.items() if _model(port) == model.name}
            if given:
                assert model.jump is not None
                none = dict.fromkeys(fields(model.Events), 0.0)
                states[model.name] = model.jump(
                    states[model.name], model.Events(**{**none, **given}), p[model.name]
                )
        return self._stack(states, x.shape[1:])

    def read(self, p: States, x: Array, time: Array, doses: Array, held: Array) -> Array:
        """All outputs, in the order of :attr:`outputs`."""
        _, seen = self.feed(p, self._unstack(x), time, doses, held)
        rows = [v for m in self.models for v in values(seen[m.name]).values()]
        return _stack_rows(rows, p[_PEOPLE].shape)

    def feed(
        self, p: States, states: States, time: Array, doses: Array, held: Array
    ) -> tuple[States, States]:
        """Inputs and outputs of all models, in the order in which outputs can be read."""
        known: dict[str, dict[str, Any]] = {}
        for model in self.models:
            # a port without a default is fed by a coupling; it is filled in its turn
            known[model.name] = {k: f.default or 0.0 for k, f in fields(model.Inputs).items()}
        given = zip((*self.dosed, *self.held), (*_rows(doses), *_rows(held)), strict=True)
        for port, value in given:
            known[_model(port)][port.partition(".")[2]] = value
        read: dict[str, dict[str, Any]] = {m.name: {} for m in self.models}

        def inputs(model: OrganModel) -> Any:
            for wire in self.patient.inputs_of(model.name):
                found = read.get(wire.source[0], {}).get(wire.source[1])
                if found is not None:
                    known[model.name][wire.target[1]] = wire.convert.factor * found + wire.convert.offset
            return model.Inputs(**known[model.name])

        for generation in self.patient.generations:
            fresh = {}
            for name, ports in generation.items():
                if name in read:
                    model = self.patient.models[name]
                    seen = model.observe(time, states[name], p[name], inputs(model))
                    fresh[name] = {port: getattr(seen, port) for port in ports}
            for name, found in fresh.items():
                read[name] |= found
        return {m.name: inputs(m) for m in self.models}, {
            m.name: m.Outputs(**read[m.name]) for m in self.models
        }

    # -- rows -----------------------------------------------------------------------------------------

    def _upstream(self, names: set[str]) -> set[str]:
        """All models whose outputs reach these, by however many couplings."""
        sources = {w.source[0] for name in names for w in self.patient.inputs_of(name)}
        return sources if sources <= names else self._upstream(names | sources)

    def _initial(self, p: States) -> States:
        return {m.name: m.initial(p[m.name]) for m in self.models}

    def _unstack(self, x: Array) -> States:
        rows, out = _rows(x), {}
        for model in self.models:
            width = len(fields(model.State))
            out[model.name] = model.State(*rows[:width])
            rows = rows[width:]
        return out

    def _stack(self, states: States, shape: tuple[int, ...]) -> Array:
        return _stack_rows([v for m in self.models for v in values(states[m.name]).values()], shape)


@functools.cache
def slow_models(patient: VirtualPatient, dosed: tuple[str, ...], events: tuple[str, ...]) -> SlowModels:
    """Kept, so that code is made once for a composition."""
    return SlowModels(patient, dosed, events)


def stepped(models: SlowModels, precision: Precision = "double") -> Stepped:
    """The problem of slow models, kept for the same reason."""
    return _problem(models, precision)


@functools.cache
def _problem(models: SlowModels, precision: Precision) -> Stepped:
    return models.problem(precision)


def rk4_step_in_single(
    rate: Callable[[Array, States], States], time: Array, states: States, width: Array
) -> States:
    """One classical Runge–Kutta step in single precision, of states in double precision.

    Only what the step adds is single: its rounding is relative to the change and not to the state, so that a
    year of small steps does not drift.

    Args:
        rate: ``rate(time, states) -> rates``, states and rates in single precision.
        time, width: d, in double precision.
        states: in double precision.
    """
    begin, h = _single(states), _single(width)

    def ahead(share: float, slope: States) -> States:
        return jax.tree.map(lambda y, k: y + share * h * k, begin, slope)

    one = rate(time, begin)
    two = rate(time + 0.5 * width, ahead(0.5, one))
    three = rate(time + 0.5 * width, ahead(0.5, two))
    four = rate(time + width, ahead(1.0, three))
    sixth = (1.0 / 6.0) * h
    added = jax.tree.map(lambda a, b, c, d: sixth * (a + 2.0 * (b + c) + d), one, two, three, four)
    return jax.tree.map(lambda y, change: y + change.astype(y.dtype), states, added)


def _single(tree: Any) -> Any:
    """All numbers of a tree in single precision."""
    return jax.tree.map(lambda v: jnp.asarray(v, dtype=jnp.float32), tree)


def method(patient: VirtualPatient) -> str:
    """How the slow models are solved, in words for a report."""
    models = slow_models(patient, (), ())
    if not models.stepping:
        return "closed forms" if models.closed else "none with a state"
    if any(m.stiff for m in models.stepping):
        return f"an implicit method of order 5 with a relative tolerance of {stiff.RELATIVE:g}"
    return f"steps of at most {models.stride.longest:g} d"


def held_ports(patient: VirtualPatient) -> tuple[str, ...]:
    """Inputs of slow models that the cycle feeds."""
    return tuple(
        ".".join(w.target)
        for w in patient.wires
        if patient.models[w.source[0]].cycle is not None and patient.models[w.target[0]].clock == "d"
    )


def closed_form(patient: VirtualPatient) -> set[str]:
    """Models whose closed form holds between events: everything upstream is constant then."""
    constant: set[str] = {m.name for m in patient.cyclic}
    closed: set[str] = set()
    for model in patient.slow:
        steady = all(w.source[0] in constant for w in patient.inputs_of(model.name))
        if steady and not fields(model.State):
            constant.add(model.name)
        elif steady and model.solution is not None:
            closed.add(model.name)
    return closed


def _model(port: str) -> str:
    return port.partition(".")[0]


def _rows(stacked: Array) -> list[Array]:
    return [jax.lax.index_in_dim(stacked, i, keepdims=False) for i in range(len(stacked))]


def _stack_rows(rows: list[Any], shape: tuple[int, ...]) -> Array:
    if not rows:
        return jnp.zeros((0, *shape))
    return jnp.stack([jnp.broadcast_to(jnp.asarray(v, dtype=float), shape) for v in rows])
