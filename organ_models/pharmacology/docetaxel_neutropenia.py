"""Neutropenia under docetaxel: three published parameter sets of the chain of Friberg et al.

Their drug effects are not interchangeable: Kloft's slope and Friberg's half-maximal concentration are for
umol/L, Ozawa's slope is for mg/L. Each model takes the concentration in its own unit.
"""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.ctcae import neutropenia_grade
from organ_models.pharmacology.friberg import STRIDE, Chain, balanced, chain_rates
from organ_models.references import CTCAE_5, FRIBERG_2002, KLOFT_2006, OZAWA_2007
from organ_models.validation.docetaxel import (
    FRIBERG_NEUTROPENIA_CHECKS,
    KLOFT_NEUTROPENIA_CHECKS,
    OZAWA_NEUTROPENIA_CHECKS,
    infused_into,
)
from organ_models.variability import Residual


@variables
class MolarInputs:
    concentration: Array = variable(
        "umol/L", "docetaxel in plasma", default=0.0, meaning="docetaxel in plasma"
    )


@variables
class MassInputs:
    concentration: Array = variable("mg/L", "docetaxel in plasma", default=0.0, meaning="docetaxel in plasma")


@variables
class Outputs:
    neutrophils: Array = variable("10*9/L", "circulating neutrophils", quantity="neutrophils")
    neutropenia_grade: Array = variable(
        "1", "CTCAE 5.0 grade from 2 on; grade 1 needs the laboratory's limit and counts as 0"
    )


def _outputs(x: Chain) -> Outputs:
    return Outputs(neutrophils=x.circulating, neutropenia_grade=neutropenia_grade(x.circulating))


# -- Kloft et al. 2006 -----------------------------------------------------------------------------

_REFERENCE_GLYCOPROTEIN = 1.34
"""g/L, median of Kloft's patients."""


@variables
class KloftParameters:
    baseline_neutrophils: Array = parameter(
        5.21965, "10*9/L", "BA, before treatment", source=KLOFT_2006, bounds=(0.1, 100), omega2=0.0639703
    )
    mean_transit_time: Array = parameter(
        84.1791, "h", "MTT", source=KLOFT_2006, bounds=(1, 1e4), working_unit="d", omega2=0.0191785
    )
    drug_slope: Array = parameter(
        15.5711,
        "L/umol",
        "effect per concentration in micromoles per litre (19.27 per mg/L)",
        source=KLOFT_2006,
        bounds=(0, 1e4),
        omega2=0.128412,
    )
    feedback: Array = parameter(0.144543, "1", "gamma", source=KLOFT_2006, bounds=(0, 5))
    alpha1_acid_glycoprotein: Array = parameter(
        _REFERENCE_GLYCOPROTEIN,
        "g/L",
        "AAG, which binds docetaxel; median of the patients",
        source=KLOFT_2006,
        bounds=(0.1, 4),
    )
    female: Array = parameter(
        0.0, "1", "1 for a woman", source=KLOFT_2006, bounds=(0, 1), certainty="assumption"
    )
    performance_impaired: Array = parameter(
        0.0,
        "1",
        "1 for an ECOG performance status of 1 or more",
        source=KLOFT_2006,
        bounds=(0, 1),
        certainty="assumption",
    )
    previously_treated: Array = parameter(
        0.0,
        "1",
        "1 after an earlier anticancer therapy",
        source=KLOFT_2006,
        bounds=(0, 1),
        certainty="assumption",
    )
    female_effect: Array = parameter(-0.121451, "1", "on the baseline", source=KLOFT_2006, bounds=(-1, 1))
    performance_effect: Array = parameter(0.130406, "1", "on the baseline", source=KLOFT_2006, bounds=(-1, 1))
    treatment_effect: Array = parameter(-0.146837, "1", "on the baseline", source=KLOFT_2006, bounds=(-1, 1))
    glycoprotein_effect_below: Array = parameter(
        0.174677, "L/g", "on the baseline, below the median", source=KLOFT_2006, bounds=(-1, 1)
    )
    glycoprotein_effect_above: Array = parameter(
        0.494618, "L/g", "on the baseline, above the median", source=KLOFT_2006, bounds=(-1, 1)
    )
    glycoprotein_slope_effect: Array = parameter(
        -0.350693, "L/g", "on the drug slope", source=KLOFT_2006, bounds=(-0.37, 0.37)
    )


def _kloft_baseline(p: KloftParameters) -> Array:
    beyond = p.alpha1_acid_glycoprotein - _REFERENCE_GLYCOPROTEIN
    bound = jnp.where(beyond < 0, p.glycoprotein_effect_below, p.glycoprotein_effect_above) * beyond
    return (
        p.baseline_neutrophils
        * (1.0 + p.female_effect * p.female)
        * (1.0 + p.performance_effect * p.performance_impaired)
        * (1.0 + p.treatment_effect * p.previously_treated)
        * (1.0 + bound)
    )


def initial_kloft(p: KloftParameters) -> Chain:
    return balanced(_kloft_baseline(p), p.mean_transit_time)


def derivative_kloft(time: Array, x: Chain, p: KloftParameters, u: MolarInputs) -> Chain:
    """Rates per day."""
    beyond = p.alpha1_acid_glycoprotein - _REFERENCE_GLYCOPROTEIN
    effect = p.drug_slope * (1.0 + p.glycoprotein_slope_effect * beyond) * u.concentration
    return chain_rates(x, _kloft_baseline(p), p.mean_transit_time, p.feedback, effect)


def observe_kloft(time: Array, x: Chain, p: KloftParameters, u: MolarInputs) -> Outputs:
    return _outputs(x)


# -- Ozawa et al. 2007 -----------------------------------------------------------------------------


@variables
class OzawaParameters:
    baseline_neutrophils: Array = parameter(
        5.0,
        "10*9/L",
        "observed before treatment; the model estimates none, and this one is for want of an observation",
        source=OZAWA_2007,
        bounds=(0.1, 100),
        certainty="assumption",
        quantity="neutrophils",
    )
    mean_transit_time: Array = parameter(
        113.0, "h", "MTT", source=OZAWA_2007, bounds=(1, 1e4), working_unit="d", omega2=math.log1p(0.111**2)
    )
    drug_slope: Array = parameter(
        17.9,
        "L/mg",
        "effect per concentration in milligrams per litre",
        source=OZAWA_2007,
        bounds=(0, 1e4),
        omega2=math.log1p(0.682**2),
    )
    feedback: Array = parameter(0.196, "1", "gamma", source=OZAWA_2007, bounds=(0, 5))
    alpha1_acid_glycoprotein: Array = parameter(
        0.94, "g/L", "AAG, which binds docetaxel", source=OZAWA_2007, bounds=(0.1, 4)
    )
    glycoprotein_exponent: Array = parameter(
        -1.38, "1", "of AAG over 0.94 g/L, on the drug slope", source=OZAWA_2007, bounds=(-5, 5)
    )
    dexamethasone: Array = parameter(
        1.0,
        "1",
        "1 for dexamethasone before the first infusion, as all patients had it; 0 without",
        source=OZAWA_2007,
        bounds=(0, 1),
    )
    steroid_release: Array = parameter(
        5.19,
        "10*9/L",
        "IP0, neutrophils that dexamethasone brings into the blood",
        source=OZAWA_2007,
        bounds=(0, 1e3),
        omega2=math.log1p(1.10**2),
    )
    release_time: Array = parameter(
        35.5, "h", "MIT, mean time of that release", source=OZAWA_2007, bounds=(0.1, 1e4), working_unit="d"
    )


@variables
class OzawaState:
    log_proliferating: Array = variable("1", "ln(proliferating cells / 10⁹/L)")
    transit_1: Array = variable("10*9/L", "maturing cells, first step")
    transit_2: Array = variable("10*9/L", "maturing cells, second step")
    transit_3: Array = variable("10*9/L", "maturing cells, third step")
    circulating: Array = variable("10*9/L", "circulating cells")
    releasable: Array = variable("10*9/L", "cells that dexamethasone is about to release")


def initial_ozawa(p: OzawaParameters) -> OzawaState:
    chain = balanced(p.baseline_neutrophils, p.mean_transit_time)
    return OzawaState(**vars(chain), releasable=p.dexamethasone * p.steroid_release)


def derivative_ozawa(time: Array, x: OzawaState, p: OzawaParameters, u: MassInputs) -> OzawaState:
    """Rates per day."""
    slope = p.drug_slope * (p.alpha1_acid_glycoprotein / 0.94) ** p.glycoprotein_exponent
    released = x.releasable / p.release_time
    chain = Chain(x.log_proliferating, x.transit_1, x.transit_2, x.transit_3, x.circulating)
    moved = chain_rates(
        chain,
        p.baseline_neutrophils,
        p.mean_transit_time,
        p.feedback,
        slope * u.concentration,
        released=released,
    )
    return OzawaState(**vars(moved), releasable=-released)


def observe_ozawa(time: Array, x: OzawaState, p: OzawaParameters, u: MassInputs) -> Outputs:
    return Outputs(neutrophils=x.circulating, neutropenia_grade=neutropenia_grade(x.circulating))


# -- Friberg et al. 2002 ---------------------------------------------------------------------------


@variables
class FribergParameters:
    baseline_neutrophils: Array = parameter(
        5.05,
        "10*9/L",
        "Circ0, before treatment",
        source=FRIBERG_2002,
        bounds=(0.1, 100),
        omega2=math.log1p(0.42**2),
    )
    mean_transit_time: Array = parameter(
        89.3, "h", "MTT", source=FRIBERG_2002, bounds=(1, 1e4), working_unit="d", omega2=math.log1p(0.16**2)
    )
    maximal_effect: Array = parameter(
        83.9, "1", "Emax", source=FRIBERG_2002, bounds=(0, 1e4), omega2=math.log1p(0.33**2)
    )
    half_maximal_concentration: Array = parameter(
        7.17, "umol/L", "EC50", source=FRIBERG_2002, bounds=(1e-3, 1e4), omega2=math.log1p(0.50**2)
    )
    feedback: Array = parameter(
        0.163, "1", "gamma", source=FRIBERG_2002, bounds=(0, 5), omega2=math.log1p(0.039**2)
    )


def initial_friberg(p: FribergParameters) -> Chain:
    return balanced(p.baseline_neutrophils, p.mean_transit_time)


def derivative_friberg(time: Array, x: Chain, p: FribergParameters, u: MolarInputs) -> Chain:
    """Rates per day."""
    effect = p.maximal_effect * u.concentration / (p.half_maximal_concentration + u.concentration)
    return chain_rates(x, p.baseline_neutrophils, p.mean_transit_time, p.feedback, effect)


def observe_friberg(time: Array, x: Chain, p: FribergParameters, u: MolarInputs) -> Outputs:
    return _outputs(x)


DOCETAXEL_NEUTROPENIA_KLOFT = OrganModel(
    name="docetaxel_neutropenia_kloft",
    title="Neutropenia under docetaxel, with patient factors",
    version="1.0",
    clock="d",
    Parameters=KloftParameters,
    State=Chain,
    Inputs=MolarInputs,
    Outputs=Outputs,
    initial=initial_kloft,
    derivative=derivative_kloft,
    observe=observe_kloft,
    stride=STRIDE,
    residuals=(Residual("neutrophils", KLOFT_2006, logarithmic=0.424),),
    references=(KLOFT_2006, CTCAE_5),
    notes="No growth factor (G-CSF), no infection.",
    scenarios=infused_into("docetaxel_ozawa", 180.0, "concentration", "molar_concentration", KLOFT_2006),
    checks=KLOFT_NEUTROPENIA_CHECKS,
)

DOCETAXEL_NEUTROPENIA_OZAWA = OrganModel(
    name="docetaxel_neutropenia_ozawa",
    title="Neutropenia under docetaxel, with dexamethasone",
    version="1.0",
    clock="d",
    Parameters=OzawaParameters,
    State=OzawaState,
    Inputs=MassInputs,
    Outputs=Outputs,
    initial=initial_ozawa,
    derivative=derivative_ozawa,
    observe=observe_ozawa,
    stride=STRIDE,
    residuals=(Residual("neutrophils", OZAWA_2007, logarithmic=0.291),),
    references=(OZAWA_2007, CTCAE_5),
    notes="The release by dexamethasone is that of the first cycle. No growth factor (G-CSF), no infection.",
    scenarios=tuple(
        dataclasses.replace(s, title=f"{s.title}, no dexamethasone", parameters={"dexamethasone": 0.0})
        for s in infused_into("docetaxel_ozawa", 108.0, "concentration", "concentration", OZAWA_2007)
    ),
    checks=OZAWA_NEUTROPENIA_CHECKS,
)

DOCETAXEL_NEUTROPENIA_FRIBERG = OrganModel(
    name="docetaxel_neutropenia_friberg",
    title="Neutropenia under docetaxel, saturable effect",
    version="1.0",
    clock="d",
    Parameters=FribergParameters,
    State=Chain,
    Inputs=MolarInputs,
    Outputs=Outputs,
    initial=initial_friberg,
    derivative=derivative_friberg,
    observe=observe_friberg,
    stride=STRIDE,
    references=(FRIBERG_2002, CTCAE_5),
    notes="No growth factor (G-CSF), no infection. No residual error was reported.",
    scenarios=infused_into("docetaxel_onoue", 180.0, "concentration", "molar_concentration", FRIBERG_2002),
    checks=FRIBERG_NEUTROPENIA_CHECKS,
)
