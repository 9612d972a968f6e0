"""Neutrophils under sunitinib, through the fall of sVEGFR-3 (Hansson et al. 2013, adverse effects).

The chain of Friberg et al. with a loss from the blood of its own (half-life 7 h), and an effect that
saturates in the relative fall of sVEGFR-3, ``E = Emax r / (E50 + r)``.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.ctcae import neutropenia_grade
from organ_models.pharmacology.friberg import Chain, balanced, chain_rates
from organ_models.references import CTCAE_5, HANSSON_2013_ADVERSE
from organ_models.validation.sunitinib import NEUTROPHIL_CHECKS, NEUTROPHIL_SCENARIOS


@variables
class Parameters:
    baseline_neutrophils: Array = parameter(
        4.94, "10*9/L", "before treatment", source=HANSSON_2013_ADVERSE, bounds=(0.1, 100), omega2=0.172
    )
    mean_transit_time: Array = parameter(
        248.0, "h", "MTT", source=HANSSON_2013_ADVERSE, bounds=(1, 1e4), working_unit="d", omega2=0.0155
    )
    feedback: Array = parameter(0.362, "1", "gamma", source=HANSSON_2013_ADVERSE, bounds=(0, 5))
    half_life: Array = parameter(
        7.0,
        "h",
        "of circulating neutrophils",
        source=HANSSON_2013_ADVERSE,
        bounds=(0.1, 1e3),
        working_unit="d",
    )
    maximal_effect: Array = parameter(
        0.520, "1", "Emax", source=HANSSON_2013_ADVERSE, bounds=(0, 10), omega2=0.0279
    )
    half_maximal_fall: Array = parameter(
        0.552,
        "1",
        "E50, relative fall of sVEGFR-3 with half the effect",
        source=HANSSON_2013_ADVERSE,
        bounds=(1e-3, 100),
        omega2=0.209,
    )


@variables
class Inputs:
    vegfr3_relative_change: Array = variable("1", "relative change of sVEGFR-3 from baseline", default=0.0)


@variables
class Outputs:
    neutrophils: Array = variable("10*9/L", "circulating neutrophils", quantity="neutrophils")
    neutropenia_grade: Array = variable(
        "1", "CTCAE 5.0 grade from 2 on; grade 1 needs the laboratory's limit and counts as 0"
    )


def initial(p: Parameters) -> Chain:
    return balanced(p.baseline_neutrophils, p.mean_transit_time, math.log(2.0) / p.half_life)


def derivative(time: Array, x: Chain, p: Parameters, u: Inputs) -> Chain:
    """Rates per day."""
    fall = jnp.maximum(-u.vegfr3_relative_change, 0.0)
    effect = p.maximal_effect * fall / (p.half_maximal_fall + fall)
    loss = math.log(2.0) / p.half_life
    return chain_rates(x, p.baseline_neutrophils, p.mean_transit_time, p.feedback, effect, loss=loss)


def observe(time: Array, x: Chain, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(neutrophils=x.circulating, neutropenia_grade=neutropenia_grade(x.circulating))


SUNITINIB_NEUTROPENIA = OrganModel(
    name="sunitinib_neutropenia",
    title="Neutropenia under sunitinib",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=Chain,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    covariances={("baseline_neutrophils", "mean_transit_time"): 0.0477},
    references=(HANSSON_2013_ADVERSE, CTCAE_5),
    notes="Driven by the sVEGFR-3 of hansson_gist. A rise of sVEGFR-3 above its baseline has no effect.",
    scenarios=NEUTROPHIL_SCENARIOS,
    checks=NEUTROPHIL_CHECKS,
)
