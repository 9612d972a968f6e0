"""Controllers (reflexes) at one instant, and at rest along a beat."""

from __future__ import annotations

import functools
import graphlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from organ_models.feedthrough import delayed_feedthrough, feedthrough
from organ_models.model import OrganModel, fields, values
from vht.patient import CompositionError, VirtualPatient

PHASES = 200
"""Samples of a beat that the controllers' rates are averaged over."""

_NEWTON = 25
_SETTLED = 1e-11  # last Newton correction, relative, after which there is nothing left to correct
_AT_REST = 1e-6  # last Newton correction of a state, relative to its size, that counts as rest
_NOTHING = 1e-9  # a correction below this counts as rest whatever the size of the state


def control_ports(patient: VirtualPatient) -> list[str]:
    """Outputs of all controllers."""
    return [f"{c.name}.{o}" for c in patient.controllers for o in fields(c.Outputs)]


def control_parameters(patient: VirtualPatient, parameters: Mapping[str, Any], n: int) -> np.ndarray:
    """Parameters of all controllers as rows, ``(rows, n)``."""
    rows = [v for c in patient.controllers for v in values(parameters[c.name]).values()]
    return np.reshape([np.broadcast_to(np.asarray(v, float), (n,)) for v in rows], (-1, n))


def by_controller(patient: VirtualPatient, rows: np.ndarray) -> dict[str, np.ndarray]:
    """States of all controllers, by controller, from rows."""
    out, at = {}, 0
    for m in patient.controllers:
        width = len(fields(m.State))
        out[m.name] = rows[at : at + width].copy()
        at += width
    return out


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
        fed: inputs that are known, by port; those that nothing feeds are at their defaults.
        delayed: values of all delayed ports, by port; if absent, they show the outputs of this instant.

    Raises:
        CompositionError: without ``delayed``, a circle of outputs that show delayed ports at once.
    """
    known = {m.name: {k: f.default or 0.0 for k, f in fields(m.Inputs).items()} for m in patient.controllers}
    seen: dict[str, dict[str, Any]] = {m.name: {} for m in patient.controllers}
    for port, value in {**fed, **(delayed or {})}.items():
        name, _, key = port.partition(".")
        known[name][key] = value

    def inputs(m: OrganModel) -> Any:
        for wire in patient.inputs_of(m.name):
            source = ".".join(wire.source)
            value = signals.get(source, seen.get(wire.source[0], {}).get(wire.source[1]))
            if value is not None:
                known[m.name][wire.target[1]] = wire.convert.factor * value + wire.convert.offset
        if delayed is None:
            for port, delay in m.delays.items():
                if delay.of in seen[m.name]:
                    known[m.name][port] = seen[m.name][delay.of]
        return m.Inputs(**known[m.name])

    for _ in range(1 if delayed is not None else _turns(patient)):
        for generation in patient.generations:
            for name, ports in generation.items():
                if name in seen:
                    m = patient.models[name]
                    read = m.observe(0.0, states[name], parameters[name], inputs(m))
                    seen[name] |= {port: getattr(read, port) for port in ports}
    return {m.name: inputs(m) for m in patient.controllers}, seen


@functools.cache
def _turns(patient: VirtualPatient) -> int:
    """How often outputs must be read until those that show delayed ports show what these are at rest."""
    names = {m.name for m in patient.controllers}
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    ports = set()
    for m in patient.controllers:
        wires = {w.target[1]: w.source for w in patient.inputs_of(m.name) if w.source[0] in names}
        at_once, late = feedthrough(m), delayed_feedthrough(m)
        for output in fields(m.Outputs):
            before = [".".join(wires[p]) for p in at_once[output] if p in wires]
            before += [f"{m.name}.{m.delays[p].of}" for p in late[output]]
            sorter.add(f"{m.name}.{output}", *before)
            ports |= {f"{m.name}.{p}" for p in late[output]}
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise CompositionError(
            f"no state of rest: {' -> '.join(error.args[1])} show each other's past at once; "
            "let a state stand in between"
        ) from None
    return 1 + len(ports)


@functools.cache
def resting(
    patient: VirtualPatient, model: OrganModel | None, fed: tuple[str, ...]
) -> Callable[..., tuple[Any, Any]]:
    """The compiled rest of controllers along a beat: ``(parameters, fed, beat, guess) -> (outputs, states)``.

    Args:
        patient: the composition.
        model: the cyclic model that they read.
        fed: inputs of controllers that are given, by port.

    The function takes rows with patients along the last axis: parameters of all controllers, values of
    ``fed``, signals ``(signal, phase, n)``, and states to start from (no rows: the controllers' own). It
    gives outputs, mean over the beat, NaN where there is no rest, and the states.
    """
    controllers = patient.controllers
    shown = [] if model is None else [f"{model.name}.{s}" for s in fields(model.Signals)]

    def unpack(rows: Any, kind: str) -> dict[str, Any]:
        out, at = {}, 0
        for m in controllers:
            record = getattr(m, kind)
            width = len(fields(record))
            out[m.name] = record(*rows[at : at + width])
            at += width
        return out

    def column(rows: list[Any]) -> Any:
        return jnp.stack([jnp.asarray(v, float) for v in rows]) if rows else jnp.zeros(0)

    def one(p_rows: Any, given: Any, beat: Any, guess: Any) -> Any:
        published = unpack(p_rows, "Parameters")
        p = {m.name: m.working(published[m.name]) for m in controllers}
        feeds = dict(zip(fed, given, strict=True))

        def at(states_row: Any, phase: Any) -> tuple[Any, Any]:
            states = unpack(states_row, "State")
            signals = dict(zip(shown, phase, strict=True))
            inputs, seen = control_outputs(patient, p, states, signals, feeds)
            rates = [
                v
                for m in controllers
                for v in values(m.derivative(0.0, states[m.name], p[m.name], inputs[m.name])).values()
            ]
            return column(rates), column([v for m in controllers for v in _in_order(m, seen[m.name])])

        def mean(states_row: Any) -> tuple[Any, Any]:
            rates, out = jax.vmap(at, in_axes=(None, 1))(states_row, beat)
            return rates.mean(axis=0), out.mean(axis=0)

        def improve(carry: Any) -> Any:
            x, _, count = carry
            rates, _ = mean(x)
            slope = jax.jacfwd(lambda y: mean(y)[0])(x)
            step = jnp.linalg.solve(slope, rates)
            return x - step, step, count + 1

        own = column([v for m in controllers for v in values(m.initial(p[m.name])).values()])
        start = guess if len(guess) else own
        if not len(own):
            return mean(own)[1], own

        def moves(carry: Any) -> Any:
            x, step, count = carry
            near = _SETTLED * (jnp.maximum(jnp.abs(x), jnp.abs(own)) + _NOTHING)
            return (count < _NEWTON) & ~jnp.all(jnp.abs(step) <= near)

        rest, step, _ = jax.lax.while_loop(moves, improve, (start, start + jnp.inf, 0))
        still = jnp.abs(step) <= _AT_REST * jnp.maximum(jnp.abs(rest), jnp.abs(own)) + _NOTHING
        return jnp.where(jnp.all(still), mean(rest)[1], jnp.nan), rest

    return jax.jit(jax.vmap(one, in_axes=-1, out_axes=-1))


def at_rest(
    model: OrganModel, parameters: Mapping[str, float], inputs: Mapping[str, float]
) -> dict[str, float]:
    """Outputs of one controller whose inputs have long been what they are; NaN if it never comes to rest.

    Args:
        model: a controller.
        parameters: by name, as published.
        inputs: by port; the others at their defaults. Delayed ports show the present.
    """
    patient = _alone(model)
    p = control_parameters(patient, {model.name: model.Parameters(**parameters)}, 1)
    fed = tuple(f"{model.name}.{port}" for port in inputs)
    given = np.reshape(list(inputs.values()), (-1, 1)).astype(float)
    found, _ = resting(patient, None, fed)(p, given, np.zeros((0, 1, 1)), np.zeros((0, 1)))
    return {name: float(value[0]) for name, value in zip(fields(model.Outputs), found, strict=True)}


@functools.cache
def _alone(model: OrganModel) -> VirtualPatient:
    return VirtualPatient([model])


def _in_order(model: OrganModel, seen: Mapping[str, Any]) -> list[Any]:
    return [seen[name] for name in fields(model.Outputs)]
