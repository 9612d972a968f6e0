"""Left-ventricular ejection fraction under trastuzumab after anthracyclines (de Vries Schultink et al. 2018).

    Ce' = C - (ln 2 / 67.9 d) Ce,    LVEF = LVEF0 [1 - Ce / (Ce + EC50 (TnTmax / 18)^-1.16)]

The effect compartment sums up concentration, which is why its unit is mg.d/L (the paper labels the
half-maximal value mg/L). The higher troponin T rose under the anthracycline, the more sensitive the heart.

A decline below 0.45, or by more than 0.15, is largely the noise of the measurement (7.8 %): it is not read
off these outputs, but off measurements with that error, against the measured baseline.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.ctcae import ejection_fraction_grade
from organ_models.references import CTCAE_5, DE_VRIES_SCHULTINK_2018
from organ_models.validation.cardiotoxicity import EJECTION_FRACTION_CHECKS, EJECTION_FRACTION_SCENARIOS
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_ejection_fraction: Array = parameter(
        0.599,
        "1",
        "LVEF0, before trastuzumab",
        source=DE_VRIES_SCHULTINK_2018,
        bounds=(0.05, 0.95),
        omega2=0.0049745,
    )
    half_maximal_effect: Array = parameter(
        2.18e5,
        "mg.d/L",
        "EC50 at a largest troponin T of 18 ng/L",
        source=DE_VRIES_SCHULTINK_2018,
        bounds=(1, 1e9),
        omega2=0.5091924,
    )
    recovery_half_life: Array = parameter(
        67.9, "d", "of the effect", source=DE_VRIES_SCHULTINK_2018, bounds=(1, 1e4)
    )
    troponin_exponent: Array = parameter(
        -1.16,
        "1",
        "of the largest troponin T over 18 ng/L, on EC50",
        source=DE_VRIES_SCHULTINK_2018,
        bounds=(-5, 5),
    )


@variables
class State:
    effect: Array = variable("mg.d/L", "Ce, concentration summed up and fading")


@variables
class Inputs:
    concentration: Array = variable(
        "mg/L", "trastuzumab in serum", default=0.0, meaning="trastuzumab in serum"
    )
    largest_troponin_t: Array = variable(
        "ng/L", "largest high-sensitivity troponin T over the anthracycline course; median 18", default=18.0
    )


@variables
class Outputs:
    ejection_fraction: Array = variable("1", "left-ventricular ejection fraction that the model asks for")
    ejection_fraction_ratio: Array = variable("1", "ejection fraction over its value before trastuzumab")
    effect: Array = variable(
        "mg.d/L",
        "Ce, concentration summed up and fading",
        meaning="trastuzumab in serum, summed up and fading",
    )
    ejection_fraction_grade: Array = variable(
        "1", "CTCAE 5.0 grade by the fraction and its drop from before trastuzumab, without noise"
    )


def initial(p: Parameters) -> State:
    return State(effect=0.0 * p.half_maximal_effect)


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    return State(effect=u.concentration - math.log(2.0) / p.recovery_half_life * x.effect)


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Exponential approach while the concentration is constant."""
    rate = math.log(2.0) / p.recovery_half_life
    return State(
        effect=u.concentration / rate + (x.effect - u.concentration / rate) * jnp.exp(-rate * elapsed)
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    half = p.half_maximal_effect * (u.largest_troponin_t / 18.0) ** p.troponin_exponent
    ratio = 1.0 / (
        1.0 + x.effect / half
    )  # no effect without troponin, where the half-maximal one is infinite
    fraction = p.baseline_ejection_fraction * ratio
    return Outputs(
        ejection_fraction=fraction,
        ejection_fraction_ratio=ratio,
        effect=x.effect,
        ejection_fraction_grade=ejection_fraction_grade(fraction, p.baseline_ejection_fraction),
    )


TRASTUZUMAB_EJECTION_FRACTION = OrganModel(
    name="trastuzumab_ejection_fraction",
    title="Left-ventricular ejection fraction under trastuzumab",
    version="1.1",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    solution=solution,
    observe=observe,
    covariances={("baseline_ejection_fraction", "half_maximal_effect"): 0.029439},
    residuals=(Residual("ejection_fraction", DE_VRIES_SCHULTINK_2018, proportional=0.078),),
    references=(DE_VRIES_SCHULTINK_2018, CTCAE_5),
    notes=(
        "206 women with early breast cancer. Declines are largely the noise of the measurement, 7.8 %: "
        "simulate it before counting them."
    ),
    scenarios=EJECTION_FRACTION_SCENARIOS,
    checks=EJECTION_FRACTION_CHECKS,
)
