"""Cardiac troponin after anthracyclines.

``anthracycline_troponin_t`` (de Vries Schultink et al. 2018, women with breast cancer): each dose adds to
an amount that fades by 0.85 % a day, and troponin T rises in proportion to it, ``TnT = TnT0 (1 + S A)``.
Its maximum over the course sets how sensitive the heart is to trastuzumab
(``trastuzumab_ejection_fraction``).

``doxorubicin_troponin_i`` (Kunarajah et al. 2017, children): doxorubicin and doxorubicinol raise the
production of troponin I, which turns over within hours.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import (
    Array,
    NoFields,
    OrganModel,
    Stride,
    parameter,
    variable,
    variables,
)
from organ_models.references import DE_VRIES_SCHULTINK_2018, KUNARAJAH_2017
from organ_models.validation.cardiotoxicity import TROPONIN_T_CHECKS, TROPONIN_T_SCENARIOS
from organ_models.variability import Residual

# -- troponin T, adults ----------------------------------------------------------------------------


@variables
class AdultParameters:
    baseline_troponin: Array = parameter(
        4.72, "ng/L", "TnT0", source=DE_VRIES_SCHULTINK_2018, bounds=(0.1, 1e3), omega2=0.142567
    )
    dose_slope: Array = parameter(
        0.00884,
        "/mg",
        "S, relative rise per amount of doxorubicin",
        source=DE_VRIES_SCHULTINK_2018,
        bounds=(0, 1),
        omega2=0.298017,
    )
    fading_rate: Array = parameter(
        0.00849, "/d", "of the amount", source=DE_VRIES_SCHULTINK_2018, bounds=(1e-5, 10)
    )
    epirubicin: Array = parameter(
        0.0,
        "1",
        "1 for epirubicin in place of doxorubicin",
        source=DE_VRIES_SCHULTINK_2018,
        bounds=(0, 1),
        certainty="assumption",
    )
    epirubicin_factor: Array = parameter(
        0.524, "1", "on the slope, for epirubicin", source=DE_VRIES_SCHULTINK_2018, bounds=(0, 10)
    )


@variables
class AdultState:
    amount: Array = variable("mg", "anthracycline whose effect has not faded")
    largest_amount: Array = variable("mg", "the largest so far")
    given: Array = variable("mg", "anthracycline given so far")


@variables
class Dose:
    dose: Array = variable("mg", "anthracycline, absolute dose", default=0.0)


@variables
class AdultOutputs:
    troponin_t: Array = variable("ng/L", "high-sensitivity cardiac troponin T")
    largest_troponin_t: Array = variable("ng/L", "the largest so far")
    cumulative_dose: Array = variable("mg", "anthracycline given so far")


def initial_adult(p: AdultParameters) -> AdultState:
    return AdultState(*[0.0 * p.baseline_troponin] * 3)


def derivative_adult(time: Array, x: AdultState, p: AdultParameters, u: NoFields) -> AdultState:
    """Rates per day."""
    return AdultState(-p.fading_rate * x.amount, 0.0 * x.amount, 0.0 * x.amount)


def solution_adult(elapsed: Array, x: AdultState, p: AdultParameters, u: NoFields) -> AdultState:
    return AdultState(x.amount * jnp.exp(-p.fading_rate * elapsed), x.largest_amount, x.given)


def jump_adult(x: AdultState, e: Dose, p: AdultParameters) -> AdultState:
    """Between doses the amount falls: the largest one is right after a dose."""
    amount = x.amount + e.dose
    return AdultState(amount, jnp.maximum(x.largest_amount, amount), x.given + e.dose)


def observe_adult(time: Array, x: AdultState, p: AdultParameters, u: NoFields) -> AdultOutputs:
    slope = p.dose_slope * (1.0 + (p.epirubicin_factor - 1.0) * p.epirubicin)
    return AdultOutputs(
        troponin_t=p.baseline_troponin * (1.0 + slope * x.amount),
        largest_troponin_t=p.baseline_troponin * (1.0 + slope * x.largest_amount),
        cumulative_dose=x.given,
    )


# -- troponin I, children --------------------------------------------------------------------------


@variables
class ChildParameters:
    baseline_troponin: Array = parameter(
        0.021,
        "ug/L",
        "after 90 mg/m2 of anthracycline before",
        source=KUNARAJAH_2017,
        bounds=(1e-5, 100),
        omega2=0.0607,
    )
    turnover_rate: Array = parameter(
        0.6, "/h", "loss of troponin I", source=KUNARAJAH_2017, bounds=(1e-3, 5), working_unit="/d"
    )
    maximal_rise: Array = parameter(
        0.15, "1", "Emax, relative rise of production", source=KUNARAJAH_2017, bounds=(0, 100)
    )
    half_maximal_concentration: Array = parameter(
        11.8, "ug/L", "EC50, of doxorubicin and doxorubicinol", source=KUNARAJAH_2017, bounds=(1e-3, 1e5)
    )
    prior_dose: Array = parameter(
        90.0,
        "mg/m2",
        "anthracycline before the first dose of the run",
        source=KUNARAJAH_2017,
        bounds=(0, 1e3),
    )
    prior_dose_effect: Array = parameter(
        0.00308, "m2/mg", "relative rise of the baseline", source=KUNARAJAH_2017, bounds=(0, 0.01)
    )


@variables
class ChildState:
    troponin: Array = variable("ug/L", "cardiac troponin I")


@variables
class ChildInputs:
    concentration: Array = variable(
        "ug/L",
        "doxorubicin and doxorubicinol in plasma",
        default=0.0,
        meaning="doxorubicin and doxorubicinol in plasma",
    )


@variables
class ChildOutputs:
    troponin_i: Array = variable("ug/L", "cardiac troponin I")


def _baseline(p: ChildParameters) -> Array:
    return p.baseline_troponin * (1.0 + p.prior_dose_effect * (p.prior_dose - 90.0))


def initial_child(p: ChildParameters) -> ChildState:
    return ChildState(troponin=_baseline(p))


def derivative_child(time: Array, x: ChildState, p: ChildParameters, u: ChildInputs) -> ChildState:
    """Rates per day."""
    rise = p.maximal_rise * u.concentration / (p.half_maximal_concentration + u.concentration)
    return ChildState(troponin=p.turnover_rate * (_baseline(p) * (1.0 + rise) - x.troponin))


def observe_child(time: Array, x: ChildState, p: ChildParameters, u: ChildInputs) -> ChildOutputs:
    return ChildOutputs(troponin_i=x.troponin)


ANTHRACYCLINE_TROPONIN_T = OrganModel(
    name="anthracycline_troponin_t",
    title="Cardiac troponin T after anthracyclines",
    version="1.0",
    clock="d",
    Parameters=AdultParameters,
    State=AdultState,
    Outputs=AdultOutputs,
    Events=Dose,
    initial=initial_adult,
    derivative=derivative_adult,
    solution=solution_adult,
    jump=jump_adult,
    observe=observe_adult,
    residuals=(Residual("troponin_t", DE_VRIES_SCHULTINK_2018, proportional=0.301),),
    references=(DE_VRIES_SCHULTINK_2018,),
    notes=(
        "190 women with early breast cancer. Troponin is a marker; heart failure by cumulative dose is not "
        "modelled."
    ),
    scenarios=TROPONIN_T_SCENARIOS,
    checks=TROPONIN_T_CHECKS,
)

DOXORUBICIN_TROPONIN_I = OrganModel(
    name="doxorubicin_troponin_i",
    title="Cardiac troponin I of children under doxorubicin",
    version="1.0",
    clock="d",
    Parameters=ChildParameters,
    State=ChildState,
    Inputs=ChildInputs,
    Outputs=ChildOutputs,
    initial=initial_child,
    derivative=derivative_child,
    observe=observe_child,
    stride=Stride(longest=0.1, first=1.0 / 1440.0, growth=1.3),
    residuals=(Residual("troponin_i", KUNARAJAH_2017, proportional=0.582),),
    references=(KUNARAJAH_2017,),
    notes="17 children.",
)
