"""A reflex that is adapted to the patient whom it regulates.

A reflex from the literature defends the pressure of the circulation that it was published with. People live
at pressures of their own, and their receptors are reset to them. :func:`adapt` moves the set point to the
patient's own pressure and takes the state of the effectors there as neutral, so that the reflex resists what
changes from then on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from organ_models import OrganModel
from organ_models import model as catalogue_model
from organ_models.model import fields, values
from organ_models.solvers import Orbits, periodic_orbits
from vht.cycles import Baseline
from vht.equilibrium import resting_controls
from vht.patient import CompositionError, Coupling, VirtualPatient
from vht.population import Individuals

ARTERIAL = "systemic_arterial_pressure"
SET_POINT = "set_point"
OFFSET = -8.3
"""Set point less mean pressure, mm[Hg]: 92 against 100.3 at rest in Ursino 1998."""

_ROUNDS = 2
"""The set point first, then the neutral state, which depends on it and enters linearly."""


def regulated(circulation: str | OrganModel = "cardiovascular", reflex: str = "baroreflex") -> list[Coupling]:
    """The couplings by which a baroreflex hears and regulates a circulation.

    It hears what the circulation says that baroreceptors do (at the neck, reset by exercise), or the arterial
    pressure where it does not say.
    """
    name = circulation if isinstance(circulation, str) else circulation.name
    ports = ("heart_rate_ratio", "contractility_ratio", "systemic_resistance_ratio", "recruited_volume")
    model = catalogue_model(circulation) if isinstance(circulation, str) else circulation
    heard = "baroreceptor_pressure" if "baroreceptor_pressure" in fields(model.Signals) else ARTERIAL
    return [
        Coupling(f"{name}.{heard}", f"{reflex}.pressure"),
        *(Coupling(f"{reflex}.{port}", f"{name}.{port}") for port in ports),
    ]


def adapt(
    patient: VirtualPatient, people: Individuals, baselines: Mapping[str, Baseline] | None = None
) -> Individuals:
    """Adapt controllers to the untreated circulation of every patient.

    Args:
        patient: a composition with one cyclic model and its controllers.
        people: who.
        baselines: untreated cycles *without* controllers, by cyclic model, if known.

    Returns:
        The same people, whose controllers are in balance where the circulation shows what it shows without
        them.

    Raises:
        CompositionError: no single cyclic model, or no controller with a neutral state.
    """
    adaptable = [c for c in patient.controllers if c.neutral]
    if len(patient.cyclic) != 1 or not adaptable:
        raise CompositionError(
            "nothing to adapt: a circulation and a controller with a neutral state are needed"
        )
    model, n = patient.cyclic[0], len(people)
    everyone = dict(people.parameters)
    base = (baselines or {}).get(model.name)
    orbits = None if base is None else base.orbits
    for number in range(_ROUNDS):
        rest = resting_controls(patient, model, everyone, n, orbits)
        for c in adaptable:
            record = everyone[c.name]
            moved = {k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in values(record).items()}
            if number == 0 and SET_POINT in moved:
                moved[SET_POINT] = rest.heard[c.name] + OFFSET
            else:
                for output, parameter in c.neutral.items():
                    seen = rest.outputs[f"{c.name}.{output}"]
                    wanted = _neutral_value(patient, c, output)
                    if fields(c.Outputs)[output].unit == "1":
                        moved[parameter] = moved[parameter] * seen / wanted
                    else:
                        moved[parameter] = moved[parameter] + (wanted - seen)
            everyone[c.name] = c.Parameters(**moved)
    return dataclasses.replace(people, parameters=everyone | _own_values(patient, model, everyone, orbits))


def _own_values(
    patient: VirtualPatient, model: OrganModel, everyone: Mapping[str, Any], orbits: Orbits | None
) -> dict[str, Any]:
    """Parameters of slow models that read the cycle, where they are what the untreated cycle shows.

    A parameter is, if it is the same clinical quantity as an output that the model reads.
    """
    changed: dict[str, Any] = {}
    for slow in patient.slow:
        shown = {
            fields(model.Outputs)[w.source[1]].quantity: w
            for w in patient.inputs_of(slow.name)
            if w.source[0] == model.name
        }
        own = {
            k: shown[f.quantity]
            for k, f in fields(slow.Parameters).items()
            if f.quantity and f.quantity in shown
        }
        if own:
            found = periodic_orbits(model, everyone[model.name], model.Inputs()) if orbits is None else orbits
            read = {
                k: w.convert.factor * found.outputs[w.source[1]] + w.convert.offset for k, w in own.items()
            }
            changed[slow.name] = slow.Parameters(**{**values(everyone[slow.name]), **read})
    return changed


def _neutral_value(patient: VirtualPatient, controller: OrganModel, output: str) -> float:
    """What the port that an output feeds holds when nothing feeds it."""
    for wire in patient.wires:
        if wire.source == (controller.name, output):
            default = fields(patient.models[wire.target[0]].Inputs)[wire.target[1]].default or 0.0
            return (default - wire.convert.offset) / wire.convert.factor
    return 1.0 if fields(controller.Outputs)[output].unit == "1" else 0.0
