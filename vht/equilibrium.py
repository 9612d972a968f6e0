"""The cycle of a cyclic model in balance with its controllers (a reflex).

In equilibrium the circulation is periodic and the controllers' rates vanish on average over the beat. The
controllers' outputs are held over the beat, and the rates are averaged along the beat's own waveform, so that
a receptor which saturates sees the pulse and not its mean. A delay shifts a periodic signal and drops out of
the average. What is neglected is the ripple of the controllers' outputs within a beat, which is small where
their time constants are seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from organ_models import anderson
from organ_models.model import OrganModel, fields, take, values
from organ_models.solvers import Orbits, in_blocks, periodic_orbits, waveforms
from vht.patient import VirtualPatient

TOLERANCE = 1e-7
"""Largest change of a controller's output, relative to its size, that counts as balance."""

_ROUNDS = 60
_DAMPING = 0.2  # plain steps are this part of the way: stable up to a loop gain of 9
_PHASES = 200  # samples of a beat that the controllers' rates are averaged over
_NEWTON = 25
_SIGNALS_AT_ONCE = 512  # lanes whose waveforms are held in memory together


@dataclass(frozen=True)
class Balanced(Orbits):
    """Periodic states in balance with controllers.

    Attributes:
        control_outputs: outputs of the controllers, mean over the beat, by port, shape ``(n,)``.
        control_states: states of the controllers, by model, shape ``(n_state, n)``.
    """

    control_outputs: dict[str, np.ndarray] = field(default_factory=dict)
    control_states: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, lanes: np.ndarray) -> Balanced:
        """The orbits of some lanes, in the order given."""
        part = super().take(lanes)
        return Balanced(
            **vars(part),
            control_outputs={k: v[lanes] for k, v in self.control_outputs.items()},
            control_states={k: v[:, lanes] for k, v in self.control_states.items()},
        )


@dataclass(frozen=True)
class Heart:
    """How the cycle of a patient's cyclic model is solved: alone, or in balance with its controllers.

    Attributes:
        patient: the composition.
        model: its cyclic model.
        controls: parameters of the controllers, by model, fields of shape ``(n,)``.
        fed: inputs of the controllers that slow models feed, by port, shape ``(n,)``.
        refine: every step is divided by this.
    """

    patient: VirtualPatient
    model: OrganModel
    controls: Mapping[str, Any] = field(default_factory=dict)
    fed: Mapping[str, np.ndarray] = field(default_factory=dict)
    refine: int = 1

    def __call__(self, parameters: Any, inputs: Any, start: np.ndarray | None, lanes: np.ndarray) -> Orbits:
        """Solve the cycle of some patients.

        Args:
            parameters, inputs: of the cyclic model, fields of shape ``(m,)``; inputs that controllers feed
                are ignored.
            start: states to start from, ``(n_state, m)``.
            lanes: which of the ``n`` patients these are, shape ``(m,)``.
        """
        if not regulated(self.patient, self.model):
            return periodic_orbits(self.model, parameters, inputs, start=start, refine=self.refine)
        n = max((np.size(v) for c in self.controls.values() for v in values(c).values()), default=lanes.size)
        chosen = {name: take(record, lanes, n) for name, record in self.controls.items()}
        fed = {port: np.asarray(column)[lanes] for port, column in self.fed.items()}
        return _balance(self, parameters, inputs, start, chosen, fed, lanes.size)


def regulated(patient: VirtualPatient, model: OrganModel) -> dict[str, str]:
    """Inputs of a cyclic model that controllers feed, by input, and the ports that feed them."""
    names = {m.name for m in patient.controllers}
    return {w.target[1]: ".".join(w.source) for w in patient.inputs_of(model.name) if w.source[0] in names}


@dataclass(frozen=True)
class Resting:
    """What controllers would do beside a circulation that does not listen to them.

    Attributes:
        outputs: mean outputs, by port, shape ``(n,)``.
        heard: mean of what each controller reads first of the circulation, by controller, shape ``(n,)``.
    """

    outputs: dict[str, np.ndarray]
    heard: dict[str, np.ndarray]


def resting_controls(
    patient: VirtualPatient,
    model: OrganModel,
    parameters: Mapping[str, Any],
    n: int,
    orbits: Orbits | None = None,
) -> Resting:
    """Controllers at rest beside the untreated, unregulated circulation.

    Args:
        patient: the composition.
        model: its cyclic model.
        parameters: of all models, by name, fields of shape ``(n,)``.
        n: number of patients.
        orbits: periodic states of the cyclic model at neutral inputs, if known.
    """
    own = model.Parameters(
        **{k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in values(parameters[model.name]).items()}
    )
    found = periodic_orbits(model, own, model.Inputs()) if orbits is None else orbits
    stacked = np.concatenate(
        [
            np.reshape([np.broadcast_to(np.asarray(v, float), (n,)) for v in record.values()], (-1, n))
            for record in (values(parameters[c.name]) for c in patient.controllers)
        ]
    )
    sources = control_ports(patient)
    feeds = [_default(patient, port) for port in _fed_ports(patient)]
    rows, heard = np.empty((len(sources), n)), {c.name: np.empty(n) for c in patient.controllers}
    for at in range(0, n, _SIGNALS_AT_ONCE):
        lanes = np.arange(at, min(at + _SIGNALS_AT_ONCE, n))
        beat = waveforms(model, take(own, lanes, n), model.Inputs(), found.state[:, lanes])
        every = max((beat["time"].shape[0] - 1) // _PHASES, 1)
        seen = np.stack([beat[s][:-1:every] for s in fields(model.Signals)])
        fed = np.reshape([np.full(lanes.size, v) for v in feeds], (-1, lanes.size))
        none = np.zeros((0, lanes.size))
        rows[:, lanes], _ = in_blocks(_settled(patient, model), (stacked[:, lanes], fed, seen, none))
        for c in patient.controllers:
            wire = next(w for w in patient.inputs_of(c.name) if w.source[0] == model.name)
            heard[c.name][lanes] = wire.convert.factor * beat[wire.source[1]][:-1].mean(axis=0)
    return Resting(dict(zip(sources, rows, strict=True)), heard)


def _default(patient: VirtualPatient, port: str) -> float:
    name, _, field = port.partition(".")
    return fields(patient.models[name].Inputs)[field].default or 0.0


def _balance(
    heart: Heart,
    parameters: Any,
    inputs: Any,
    start: np.ndarray | None,
    controls: dict[str, Any],
    fed: dict[str, np.ndarray],
    n: int,
) -> Balanced:
    model, patient = heart.model, heart.patient
    ports = regulated(patient, model)
    par = {k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in values(parameters).items()}
    given = {k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in values(inputs).items()}
    convert = {w.target[1]: w.convert for w in patient.inputs_of(model.name)}
    stacked = np.concatenate(
        [
            np.reshape([np.broadcast_to(np.asarray(v, float), (n,)) for v in values(c).values()], (-1, n))
            for c in controls.values()
        ]
    )
    feeds = np.reshape([fed[p] for p in _fed_ports(patient)], (-1, n))
    settle, every_port = _settled(patient, model), control_ports(patient)
    feeding = [every_port.index(source) for source in ports.values()]

    def respond(e: np.ndarray, lanes: np.ndarray, begin: np.ndarray | None, rest: np.ndarray | None) -> Any:
        """The cycle under held controller outputs, and the outputs that the controllers then have."""
        for row, port in enumerate(ports):
            given[port][lanes] = convert[port].factor * e[row] + convert[port].offset
        p = model.Parameters(**{k: v[lanes] for k, v in par.items()})
        u = model.Inputs(**{k: v[lanes] for k, v in given.items()})
        orbit = periodic_orbits(model, p, u, start=begin, refine=heart.refine)
        found = np.empty((len(every_port), lanes.size))
        states = np.empty((_control_rows(patient), lanes.size))
        for at in range(0, lanes.size, _SIGNALS_AT_ONCE):
            part = slice(at, at + _SIGNALS_AT_ONCE)
            beat = waveforms(
                model,
                model.Parameters(**{k: v[lanes[part]] for k, v in par.items()}),
                model.Inputs(**{k: v[lanes[part]] for k, v in given.items()}),
                orbit.state[:, part],
            )
            every = max((beat["time"].shape[0] - 1) // _PHASES, 1)
            seen = np.stack([beat[s][:-1:every] for s in fields(model.Signals)])
            known = np.zeros((0, len(beat["time"][0]))) if rest is None else rest[:, part]
            found[:, part], states[:, part] = in_blocks(
                settle, (stacked[:, lanes[part]], feeds[:, lanes[part]], seen, known)
            )
        return orbit, found, states

    everyone = np.arange(n)
    first = _initial_outputs(patient, model, controls, n)
    rest: np.ndarray | None = None
    state = np.empty((len(fields(model.State)), n))
    orbit, shown, rest = respond(first, everyone, start, None)
    image = shown[feeding]
    state[...] = orbit.state
    outputs = {k: v.copy() for k, v in orbit.outputs.items()}
    residual, beats, converged = orbit.residual.copy(), orbit.beats.copy(), orbit.converged.copy()
    size = np.maximum(np.maximum(np.abs(first), np.abs(image)), 1e-3)
    now = anderson.begin(jnp.asarray(first))
    done, broken = np.zeros(n, bool), ~converged
    last = image
    for _ in range(_ROUNDS):
        damped = now.state + _DAMPING * (jnp.asarray(last) - now.state)
        now = anderson.advance(now, damped, jnp.asarray(1.0 / (_DAMPING * size)), jnp.asarray(TOLERANCE))
        active = np.asarray(now.active) & ~broken
        done = ~np.asarray(now.active) & (np.asarray(now.residual) <= TOLERANCE)
        lanes = np.flatnonzero(active)
        if lanes.size == 0:
            break
        part, found, at_rest = respond(
            np.asarray(now.state)[:, lanes], lanes, state[:, lanes], rest[:, lanes]
        )
        last = np.array(last)
        last[:, lanes], shown[:, lanes] = found[feeding], found
        rest[:, lanes], state[:, lanes] = at_rest, part.state
        for name, column in part.outputs.items():
            outputs[name][lanes] = column
        residual[lanes], converged[lanes] = part.residual, part.converged
        beats[lanes] += part.beats
        broken[lanes] = ~part.converged | ~np.all(np.isfinite(found), axis=0)
    imbalance = np.asarray(now.residual)
    return Balanced(
        state=state,
        outputs=outputs,
        residual=np.maximum(residual, np.where(done, imbalance, np.inf)),
        beats=beats,
        converged=converged & done & ~broken,
        control_outputs=dict(zip(every_port, shown, strict=True)),
        control_states=_by_model(patient, rest),
    )


def at_rest(
    model: OrganModel, parameters: Mapping[str, float], inputs: Mapping[str, float]
) -> dict[str, float]:
    """Outputs of one controller whose inputs have long been what they are.

    Args:
        model: a controller.
        parameters: by name, as published.
        inputs: by port; the others at their defaults. Delayed ports show the present.
    """
    patient = VirtualPatient([model])
    p = {model.name: model.working(model.Parameters(**parameters))}
    fed = {f"{model.name}.{port}": value for port, value in inputs.items()}
    kind = model.State

    def look(rows: Any) -> tuple[Any, Any]:
        states = {model.name: kind(*rows)}
        given, seen = control_outputs(patient, p, states, {}, fed)
        rates = model.derivative(0.0, states[model.name], p[model.name], given[model.name])
        return jnp.stack([jnp.asarray(v, float) for v in values(rates).values()]), seen[model.name]

    rest = jnp.stack([jnp.asarray(v, float) for v in values(model.initial(p[model.name])).values()])
    for _ in range(_NEWTON):
        slope = jax.jacfwd(lambda x: look(x)[0])(rest)
        rest = rest - jnp.linalg.solve(slope, look(rest)[0])
    return {name: float(value) for name, value in look(rest)[1].items()}


# ---------------------------------------------------------------------------------------------------


def control_ports(patient: VirtualPatient) -> list[str]:
    """Outputs of all controllers."""
    return [f"{c.name}.{o}" for c in patient.controllers for o in fields(c.Outputs)]


def _control_rows(patient: VirtualPatient) -> int:
    return sum(len(fields(m.State)) for m in patient.controllers)


def _by_model(patient: VirtualPatient, rows: np.ndarray) -> dict[str, np.ndarray]:
    out, at = {}, 0
    for m in patient.controllers:
        width = len(fields(m.State))
        out[m.name] = rows[at : at + width].copy()
        at += width
    return out


def _fed_ports(patient: VirtualPatient) -> list[str]:
    """Inputs of controllers that slow models feed."""
    return [
        ".".join(w.target)
        for m in patient.controllers
        for w in patient.inputs_of(m.name)
        if patient.models[w.source[0]].clock == "d"
    ]


def control_outputs(
    patient: VirtualPatient,
    parameters: Any,
    states: Any,
    signals: Mapping[str, Any],
    fed: Mapping[str, Any],
    delayed: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs of all controllers at one instant.

    Args:
        patient: the composition.
        parameters: working parameters, by model.
        states: by model.
        signals: of cyclic models, by port ``model.signal``.
        fed: inputs from slow models, by port.
        delayed: values of delayed ports, by port; a port that is left out shows the output of this instant.
    """
    past = delayed or {}
    known = {m.name: {k: f.default or 0.0 for k, f in fields(m.Inputs).items()} for m in patient.controllers}
    seen: dict[str, dict[str, Any]] = {m.name: {} for m in patient.controllers}
    for port, value in {**fed, **past}.items():
        name, _, key = port.partition(".")
        known[name][key] = value

    def inputs(m: OrganModel) -> Any:
        for wire in patient.inputs_of(m.name):
            source = ".".join(wire.source)
            value = signals.get(source, seen.get(wire.source[0], {}).get(wire.source[1]))
            if value is not None:
                known[m.name][wire.target[1]] = wire.convert.factor * value + wire.convert.offset
        for port, delay in m.delays.items():
            if f"{m.name}.{port}" not in past and delay.of in seen[m.name]:
                known[m.name][port] = seen[m.name][delay.of]
        return m.Inputs(**known[m.name])

    for generation in patient.generations:
        for name, ports in generation.items():
            if name in seen:
                m = patient.models[name]
                read = m.observe(0.0, states[name], parameters[name], inputs(m))
                seen[name] |= {port: getattr(read, port) for port in ports}
    return {m.name: inputs(m) for m in patient.controllers}, seen


@functools.cache
def _settled(patient: VirtualPatient, model: OrganModel) -> Callable[..., Any]:
    """The compiled resting state of controllers along a beat: ``(mean outputs, states)``."""
    controllers = patient.controllers
    sources = control_ports(patient)
    shown = [f"{model.name}.{s}" for s in fields(model.Signals)]

    def unpack(rows: Any, kind: str) -> dict[str, Any]:
        out, at = {}, 0
        for m in controllers:
            record = getattr(m, kind)
            width = len(fields(record))
            out[m.name] = record(*rows[at : at + width])
            at += width
        return out

    def one(p_rows: Any, fed: Any, beat: Any, guess: Any) -> Any:
        published = unpack(p_rows, "Parameters")
        p = {m.name: m.working(published[m.name]) for m in controllers}
        feeds = dict(zip(_fed_ports(patient), fed, strict=True))

        def at(states_row: Any, phase: Any) -> tuple[Any, Any]:
            states = unpack(states_row, "State")
            signals = dict(zip(shown, phase, strict=True))
            inputs, seen = control_outputs(patient, p, states, signals, feeds)
            rates = [
                v
                for m in controllers
                for v in values(m.derivative(0.0, states[m.name], p[m.name], inputs[m.name])).values()
            ]
            split = (s.partition(".") for s in sources)
            out = jnp.stack([jnp.asarray(seen[name][port]) for name, _, port in split])
            return jnp.stack([jnp.asarray(r) for r in rates]), out

        def mean(states_row: Any) -> tuple[Any, Any]:
            rates, out = jax.vmap(at, in_axes=(None, 1))(states_row, beat)
            return rates.mean(axis=0), out.mean(axis=0)

        def improve(_: Any, x: Any) -> Any:
            rates, _ = mean(x)
            slope = jax.jacfwd(lambda y: mean(y)[0])(x)
            return x - jnp.linalg.solve(slope, rates)

        start = (
            guess
            if len(guess)
            else jnp.stack(
                [jnp.asarray(v, float) for m in controllers for v in values(m.initial(p[m.name])).values()]
            )
        )
        rest = jax.lax.fori_loop(0, _NEWTON, improve, start)
        rates, out = mean(rest)
        balanced = jnp.all(jnp.isfinite(rest)) & jnp.all(jnp.isfinite(rates))
        return jnp.where(balanced, out, jnp.nan), rest

    return jax.jit(jax.vmap(one, in_axes=-1, out_axes=-1))


def _initial_outputs(
    patient: VirtualPatient, model: OrganModel, controls: Mapping[str, Any], n: int
) -> np.ndarray:
    """Controller outputs before anything is known: the neutral values of the inputs that they feed."""
    rows = []
    for port in regulated(patient, model):
        wire = next(w for w in patient.inputs_of(model.name) if w.target[1] == port)
        default = fields(model.Inputs)[port].default or 0.0
        rows.append(np.full(n, (default - wire.convert.offset) / wire.convert.factor))
    return np.stack(rows)
