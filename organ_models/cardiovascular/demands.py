"""What body and drugs ask of the circulation beside its nerves.

Exercise, posture, vessels that widen, a left ventricle that weakens.

A reflex acts by the ports of the lean circulation. Everything else acts here, so that both can act at once:
ratios multiply, volumes add.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from organ_models.cardiovascular import closed_loop_variables
from organ_models.model import Array, parameter, variable, variables
from organ_models.references import EXERCISE_ASSUMPTIONS, FOX_1971, POSTURE_ASSUMPTIONS, SYSTOLE_1981

_COLUMN = 1.06 * 9.80665 * 10.0 / 133.322
"""Pressure of a column of blood, mm[Hg]/cm: density 1.06 g/cm3 (1 cm of it is 0.78 mm[Hg])."""


@variables
class Inputs(closed_loop_variables.Inputs):
    local_resistance_ratio: Array = variable(
        "1", "multiplies systemic arterial resistance, beside what nerves do", default=1.0, bounds=(0.01, 100)
    )
    stressed_volume_ratio: Array = variable("1", "multiplies stressed volume", default=1.0, bounds=(0.01, 10))
    left_ventricular_elastance_ratio: Array = variable(
        "1", "multiplies active elastance of the left ventricle, beside what nerves do", default=1.0
    )
    exercise_intensity: Array = variable(
        "1",
        "share of the way from the heart rate at rest to the maximal one",
        default=0.0,
        bounds=(0, 1),
    )
    uprightness: Array = variable(
        "1", "sine of the tilt of the body: 0 lying, 1 upright", default=0.0, bounds=(0, 1)
    )


def _assumed(value: float, unit: str, doc: str, bounds: tuple[float, float], source: Any) -> Any:
    return parameter(value, unit, doc, source=source, bounds=bounds, certainty="assumption")


@variables
class Parameters(closed_loop_variables.Parameters):
    """Those of the lean circulation, and of the answer to exercise and posture."""

    maximal_heart_rate: Array = _assumed(
        180.0, "/min", "at full exercise; 220 less age in years, here 40 years", (60, 240), FOX_1971
    )
    exercise_resistance_fall: Array = _assumed(
        0.6, "1", "by which systemic resistance falls at full exercise", (0, 0.9), EXERCISE_ASSUMPTIONS
    )
    exercise_contractility_rise: Array = _assumed(
        1.0, "1", "by which active elastance rises at full exercise", (0, 3), EXERCISE_ASSUMPTIONS
    )
    exercise_recruitment: Array = _assumed(
        0.10, "1", "of the stressed volume, recruited at full exercise", (0, 1), EXERCISE_ASSUMPTIONS
    )
    exercise_systole_shortening: Array = _assumed(
        0.35,
        "1",
        # the regression at 167/min over this model's systole at that rate, relative to the same at 73/min
        "by which systole is shorter at full exercise than its rule by heart rate says",
        (0, 0.8),
        SYSTOLE_1981,
    )
    exercise_resetting: Array = _assumed(
        15.0, "mm[Hg]", "by which full exercise resets the baroreceptors", (0, 60), EXERCISE_ASSUMPTIONS
    )
    upright_pooling: Array = _assumed(
        550.0, "mL", "blood that pools below the heart when upright", (0, 2000), POSTURE_ASSUMPTIONS
    )
    carotid_height: Array = _assumed(
        25.0, "cm", "of the carotid sinus above the heart when upright", (0, 60), POSTURE_ASSUMPTIONS
    )


def weakened(p: Any, u: Any) -> Any:
    """Parameters whose left ventricle contracts as ``left_ventricular_elastance_ratio`` says."""
    strength = p.left_ventricular_active_elastance * u.left_ventricular_elastance_ratio
    return dataclasses.replace(p, left_ventricular_active_elastance=strength)


def demanded(p: Any, u: Any) -> closed_loop_variables.Inputs:
    """Inputs of the lean circulation under all that acts on it.

    The nearer the heart rate is to its maximum, the less room nerves have; muscles that work press out the
    blood that pools in the legs.
    """
    exercise = u.exercise_intensity
    nerves = 1.0 + (u.heart_rate_ratio - 1.0) * (1.0 - exercise)
    recruited = p.exercise_recruitment * exercise + u.stressed_volume_ratio - 1.0
    return closed_loop_variables.Inputs(
        systemic_resistance_ratio=u.systemic_resistance_ratio
        * u.local_resistance_ratio
        * (1.0 - p.exercise_resistance_fall * exercise),
        arterial_compliance_ratio=u.arterial_compliance_ratio,
        heart_rate_ratio=nerves * (1.0 + exercise * (p.maximal_heart_rate / p.heart_rate - 1.0)),
        contractility_ratio=u.contractility_ratio * (1.0 + p.exercise_contractility_rise * exercise),
        recruited_volume=u.recruited_volume + p.stressed_volume * recruited,
        blood_volume_change=u.blood_volume_change - p.upright_pooling * u.uprightness * (1.0 - exercise),
    )


def heard(pressure: Array, p: Any, u: Any) -> Array:
    """Pressure by which the baroreceptors judge, mm[Hg]: of the neck, less what exercise resets them by."""
    return pressure - _COLUMN * p.carotid_height * u.uprightness - p.exercise_resetting * u.exercise_intensity
