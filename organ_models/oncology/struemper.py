"""Tumour size in lung cancer under immunotherapy, chemotherapy, and both (Struemper et al. 2025).

    y = TSb [exp(kg t) + exp(-ks t) - 1]
    TSb [1 + 0.288 (number of target lesions - 3)],    kg (LDH / 225.5)^0.474,    ks exp(0.00902 PD-L1 %)

with the typical kg and ks of 12 arms of seven trials (the variants; the default is pembrolizumab). PD-L1
acts in arms with an antibody to PD-1 only. In all trials but that of pembrolizumab the random effect eta of
kg is transformed (Box-Cox): (exp(s eta) - 1) / s with s = -0.3744.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.biexponential import (
    NO_PLATEAU,
    SteinFojoState,
    TreatmentInputs,
    stein_fojo,
    stein_fojo_after,
    stein_fojo_rates,
    stein_fojo_start,
    stein_fojo_time_to_growth,
)
from organ_models.oncology.growth import relative_exponential
from organ_models.references import STRUEMPER_2025
from organ_models.validation.struemper import ARMS, SIZE_CHECKS, SIZE_SCENARIOS
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_sum_of_diameters: Array = parameter(
        86.07,
        "mm",
        "TSb, sum of longest diameters at the start, with three target lesions",
        source=STRUEMPER_2025,
        bounds=(1, 5000),
        omega2=0.2645,
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(
        0.00651, "/wk", "kg, typical", source=STRUEMPER_2025, bounds=(1e-12, 5), working_unit="/d"
    )
    growth_effect: Array = parameter(
        0.0,
        "1",
        "eta of kg, the patient's deviation before its transformation",
        source=STRUEMPER_2025,
        bounds=(-20, 20),
        omega2=0.8715,
        effect="normal",
    )
    growth_effect_shape: Array = parameter(
        0.0, "1", "s of the transformation of eta; 0: none", source=STRUEMPER_2025, bounds=(-1, 1)
    )
    shrinkage_rate: Array = parameter(
        0.01700,
        "/wk",
        "ks, before the effect of PD-L1",
        source=STRUEMPER_2025,
        bounds=(0, 50),
        working_unit="/d",
        omega2=0.9174,
    )
    target_lesions: Array = parameter(
        3.0,
        "1",
        "number of target lesions; leave it at 3 where the baseline is the patient's own",
        source=STRUEMPER_2025,
        bounds=(0, 20),
    )
    lesion_effect: Array = parameter(
        0.288, "1", "baseline per target lesion beyond 3", source=STRUEMPER_2025, bounds=(0, 0.33)
    )
    lactate_dehydrogenase: Array = parameter(
        225.5, "U/L", "baseline LDH; median", source=STRUEMPER_2025, bounds=(10, 20000)
    )
    dehydrogenase_exponent: Array = parameter(
        0.474, "1", "exponent of LDH over 225.5 U/L on kg", source=STRUEMPER_2025, bounds=(-5, 5)
    )
    pd_l1: Array = parameter(
        70.0,
        "%",
        "share of tumour cells with PD-L1; 70 % was imputed for all patients of this arm",
        source=STRUEMPER_2025,
        bounds=(0, 100),
    )
    pd_l1_effect: Array = parameter(
        0.00902,
        "/%",
        "slope of PD-L1 on the logarithm of ks; 0 in arms without an antibody to PD-1",
        source=STRUEMPER_2025,
        bounds=(-1, 1),
    )


@variables
class Outputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    growth_rate: Array = variable("/d", "kg with covariates and the patient's deviation")
    shrinkage_rate: Array = variable("/d", "ks with the effect of PD-L1")
    time_to_growth: Array = variable("d", "TTG, when the treated tumour is smallest")


_MEDIAN_DEHYDROGENASE = 225.5


def _baseline(p: Parameters) -> Array:
    return p.baseline_sum_of_diameters * (1.0 + p.lesion_effect * (p.target_lesions - 3.0))


def _growth(p: Parameters) -> Array:
    deviation = p.growth_effect * relative_exponential(p.growth_effect_shape * p.growth_effect)
    burden = jnp.log(p.lactate_dehydrogenase / _MEDIAN_DEHYDROGENASE)
    return p.growth_rate * jnp.exp(deviation + p.dehydrogenase_exponent * burden)


def _shrinkage(p: Parameters) -> Array:
    return p.shrinkage_rate * jnp.exp(p.pd_l1_effect * p.pd_l1)


def initial(p: Parameters) -> SteinFojoState:
    return stein_fojo_start(p.baseline_sum_of_diameters)


def derivative(time: Array, x: SteinFojoState, p: Parameters, u: TreatmentInputs) -> SteinFojoState:
    """Rates per day."""
    return stein_fojo_rates(x, _growth(p), _shrinkage(p) * u.treatment)


def solution(elapsed: Array, x: SteinFojoState, p: Parameters, u: TreatmentInputs) -> SteinFojoState:
    return stein_fojo_after(x, elapsed, _growth(p), _shrinkage(p) * u.treatment)


def observe(time: Array, x: SteinFojoState, p: Parameters, u: TreatmentInputs) -> Outputs:
    return Outputs(
        sum_of_diameters=_baseline(p) * stein_fojo(x),
        growth_rate=_growth(p),
        shrinkage_rate=_shrinkage(p),
        time_to_growth=stein_fojo_time_to_growth(_growth(p), _shrinkage(p)),
    )


STRUEMPER_LUNG_CANCER = OrganModel(
    name="struemper_lung_cancer",
    title="Non-small-cell lung cancer under pembrolizumab and in 11 other arms",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=SteinFojoState,
    Inputs=TreatmentInputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    solution=solution,
    observe=observe,
    covariances={
        ("baseline_sum_of_diameters", "growth_effect"): 0.01911,
        ("baseline_sum_of_diameters", "shrinkage_rate"): -0.06367,
        ("growth_effect", "shrinkage_rate"): 0.1504,
    },
    residuals=(Residual("sum_of_diameters", STRUEMPER_2025, additive=6.324**0.5, proportional=0.01276**0.5),),
    references=(STRUEMPER_2025,),
    notes=NO_PLATEAU + " Arms were not randomised against each other.",
    variants=ARMS,
    scenarios=SIZE_SCENARIOS,
    checks=SIZE_CHECKS,
)
