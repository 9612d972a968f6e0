"""The course of the slow models of virtual patients over days.

Slow models (exposure, tumour, drug effects) run on a daily grid: doses are amounts of a day, a model
with a closed form uses it, the others take fixed Runge–Kutta steps. A reading on day ``k`` is taken before
that day's dose.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.model import OrganModel, fields, values
from organ_models.solvers import in_blocks, rk4_step
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals

STEPS_A_DAY = 4
"""Runge–Kutta steps a day of slow models without a closed form; time constants are days to months."""


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
            np.reshape(
                [np.broadcast_to(np.asarray(v, float), (len(people),)) for v in record.values()],
                (len(record), len(people)),
            )
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


# ---------------------------------------------------------------------------------------------------


def _schedule(dose: Any, last_day: int, port: str) -> np.ndarray:
    amounts = np.asarray(dose, dtype=float)
    if not np.all(np.isfinite(amounts)) or np.any(amounts < 0):
        raise ValueError(f"{port}: a dose must be a finite number, not negative")
    if amounts.ndim == 0:
        return np.full(last_day, float(amounts))
    if amounts.size < last_day:
        raise ValueError(f"{port}: doses for {amounts.size} days, but the simulation lasts {last_day}")
    return amounts[:last_day]


def _given(model: OrganModel, dosed: tuple[str, ...], dose: Any) -> dict[str, Any]:
    """Doses at the ports of one model, and zero at ports without a default, which a coupling feeds."""
    blank = {name: 0.0 for name, f in fields(model.Inputs).items() if f.default is None}
    split = (port.partition(".") for port in dosed)
    return blank | {port: dose[i] for i, (name, _, port) in enumerate(split) if name == model.name}


@functools.cache
def _slow_block(patient: VirtualPatient, dosed: tuple[str, ...]) -> Callable[..., Any]:
    """The compiled daily loop of one block: ``(parameters, schedule) -> traces``."""
    models = patient.slow
    closed = _closed_form(patient)

    def feed(parameters: Any, states: Any, time: Any, dose: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs and outputs of all models, in the order in which outputs can be read."""
        known = {m.name: values(m.Inputs(**_given(m, dosed, dose))) for m in models}
        read: dict[str, dict[str, Any]] = {m.name: {} for m in models}

        def inputs(model: OrganModel) -> Any:
            for wire in patient.inputs_of(model.name):
                found = read.get(wire.source[0], {}).get(wire.source[1])
                if found is not None:
                    known[model.name][wire.target[1]] = wire.convert.factor * found + wire.convert.offset
            return model.Inputs(**known[model.name])

        for generation in patient.generations:
            fresh = {}
            for name, ports in generation.items():
                if name in read:
                    model = patient.models[name]
                    seen = model.observe(time, states[name], parameters[name], inputs(model))
                    fresh[name] = {port: getattr(seen, port) for port in ports}
            for name, found in fresh.items():
                read[name] |= found
        return {m.name: inputs(m) for m in models}, {m.name: m.Outputs(**read[m.name]) for m in models}

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
