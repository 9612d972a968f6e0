"""Healthy adults by age, sex and body size: who they are, and that they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from organ_models.cardiovascular.ageing import (
    BODY_SURFACE_AREA,
    COMPLIANCE_CV,
    HEART_RATE_SD,
    YOUNG_COMPLIANCE,
    Wanted,
    parameters_of,
    resting_men,
)
from organ_models.model import fields
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals, typical
from vht.randomness import normal

_FARTHEST = 2.5
"""Standard deviations beyond which nobody is drawn: regressions of the healthy say nothing there."""

_NEEDED = ("systemic_arterial_resistance", "systemic_arterial_compliance", "stressed_volume", "heart_rate")


def adults(
    patient: VirtualPatient,
    ages: Any,
    sexes: str | Sequence[str] = "male",
    *,
    body_surface_area: Any = None,
    seed: int | None = None,
) -> Individuals:
    """Healthy adults whose circulations are at rest as regressions by age say.

    Men follow the regressions; women and other sizes are scaled from the man of the same age by body surface
    area, which is a derived rule (:mod:`organ_models.cardiovascular.ageing`).

    Args:
        patient: a composition with a circulation of the closed-loop family.
        ages: years, shape ``(n,)`` or one number.
        sexes: ``"female"`` or ``"male"``, for all or for each.
        body_surface_area: m2, for all or for each; the mean of the sex if absent.
        seed: of the differences between people in heart rate, stroke volume, mean pressure and compliance
            (published standard deviations, drawn independently); everybody is the mean of age and sex if
            absent.

    Returns:
        The people; other models of the composition have their typical parameters.

    Raises:
        ValueError: an age that the regressions do not cover, another sex, a surface that is no surface, or
            a person whom the circulation cannot show.
        CompositionError: no such circulation.
    """
    if len(patient.cyclic) != 1 or not set(_NEEDED) <= set(fields(patient.cyclic[0].Parameters)):
        raise CompositionError("adults need one circulation of the closed-loop family")
    model = patient.cyclic[0]
    a = np.atleast_1d(np.asarray(ages, dtype=float))
    sex = np.broadcast_to(np.asarray(sexes), a.shape)
    unknown = sorted(set(sex.tolist()) - set(BODY_SURFACE_AREA))
    if unknown:
        raise ValueError(f"sexes must be {' or '.join(sorted(BODY_SURFACE_AREA))}, not {', '.join(unknown)}")
    usual = np.array([BODY_SURFACE_AREA[s] for s in sex.tolist()])
    surface = np.broadcast_to(usual if body_surface_area is None else body_surface_area, a.shape).astype(
        float
    )
    if not np.all((surface > 0.5) & (surface < 4.0)):
        raise ValueError("body_surface_area must lie between 0.5 and 4 m2")
    who = resting_men(a)

    def luck(purpose: str) -> np.ndarray:
        if seed is None:
            return np.zeros(a.size)
        drawn = normal(seed, np.arange(a.size), f"adults {purpose}")
        return np.clip(drawn, -_FARTHEST, _FARTHEST)

    wanted = Wanted(
        heart_rate=who.heart_rate + HEART_RATE_SD * luck("heart rate"),
        stroke_volume=who.stroke_volume + who.stroke_volume_sd * luck("stroke volume"),
        mean_pressure=who.mean_pressure + who.mean_pressure_sd * luck("mean pressure"),
        compliance=YOUNG_COMPLIANCE
        * who.compliance_ratio
        * np.exp(np.sqrt(np.log1p(COMPLIANCE_CV**2)) * luck("compliance")),
        ventricular_ratio=who.ventricular_ratio,
        size=surface / BODY_SURFACE_AREA["male"],
    )
    parameters, reached = parameters_of(model, wanted)
    if not reached.all():
        raise ValueError(f"the circulation cannot show {np.count_nonzero(~reached)} of these people")
    if "maximal_heart_rate" in fields(model.Parameters):
        parameters = dataclasses.replace(parameters, maximal_heart_rate=220.0 - a)
    everyone = typical(patient, a.size)
    return dataclasses.replace(everyone, parameters={**everyone.parameters, model.name: parameters})
