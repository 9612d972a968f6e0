"""Organs that agree on who somebody is: what a drug model starts from is what the person's own heart shows.

A drug's model has a baseline of its own (diastolic pressure off drug, ejection fraction before treatment).
Here it becomes that of the person's untreated circulation, and what the papers found to go with it (the slope
of the pressure, the sensitivity of the heart) is drawn given it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from organ_models.model import fields, values
from organ_models.units import conversion
from vht.cycles import Baseline, untreated
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals, individuals
from vht.quantities import quantity

OWN: Mapping[str, str] = MappingProxyType(
    {
        "trastuzumab_ejection_fraction.baseline_ejection_fraction": "left_ventricular_ejection_fraction",
    }
)
"""Parameters that are a clinical quantity although no record sets them, by ``model.parameter``."""


def agree(
    patient: VirtualPatient,
    people: Individuals,
    *,
    seed: int | None = None,
    baselines: Mapping[str, Baseline] | None = None,
) -> Individuals:
    """The same people, whose slow models start from what their circulation shows.

    Args:
        patient: a composition with one cyclic model.
        people: who; the parameters of their circulation and its controllers stay as they are.
        seed: draws the other parameters of the slow models from their published distributions, given those
            baselines. If absent they stay as they are.
        baselines: untreated cycles by cyclic model, if known.

    Raises:
        CompositionError: no cyclic model, or more than one.

    Example:
        >>> import vht
        >>> patient = vht.sunitinib_gist()
        >>> people = vht.agree(patient, vht.typical(patient, 2), seed=1)
    """
    if len(patient.cyclic) != 1:
        raise CompositionError("organs agree with the circulation; the composition needs exactly one")
    heart = patient.cyclic[0]
    base = (baselines or {}).get(heart.name) or untreated(patient, heart, people)
    shown = {
        f.quantity: conversion(f.unit, quantity(f.quantity).unit).factor * base.orbits.outputs[port]
        for port, f in fields(heart.Outputs).items()
        if f.quantity
    }
    known: dict[str, np.ndarray] = {}
    for model in patient.slow:
        for name, declared in fields(model.Parameters).items():
            own = declared.quantity or OWN.get(f"{model.name}.{name}")
            if own in shown:
                factor = conversion(quantity(own).unit, declared.unit).factor
                known[f"{model.name}.{name}"] = factor * shown[own]
    if seed is not None:
        table = pd.DataFrame({"study_number": people.study_numbers})
        drawn = individuals(patient, table, seed=seed, known=known)
        slow = {m.name: drawn.parameters[m.name] for m in patient.slow}
        return dataclasses.replace(people, parameters={**people.parameters, **slow})
    changed = dict(people.parameters)
    for port, column in known.items():
        name, _, parameter = port.partition(".")
        model = patient.models[name]
        changed[name] = model.Parameters(**{**values(changed[name]), parameter: column})
    return dataclasses.replace(people, parameters=changed)
