"""Low-grade glioma under chemotherapy: proliferative, quiescent and damaged tissue.

Ribba et al. 2012 (PCV) and Mazzocco et al. 2015 (temozolomide). With P* = P + Q + Qp, the mean tumour
diameter, and a virtual drug C that gets one unit a cycle:

    C'  = -KDE C
    P'  = lP P (1 - P*/K) + kQpP Qp - kPQ P - g C KDE P r
    Q'  = kPQ P - g C KDE Q
    Qp' = g C KDE Q - kQpP Qp - dQp Qp

r = 1 (Ribba), or exp(-res t) with t from the first dose, for the proliferative tissue alone (Mazzocco).
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.references import MAZZOCCO_2015, RIBBA_2012
from organ_models.validation.low_grade_glioma import (
    MAZZOCCO_CHECKS,
    MAZZOCCO_SCENARIOS,
    RIBBA_CHECKS,
    RIBBA_SCENARIOS,
)
from organ_models.variability import Residual, variance_of_cv


@variables
class Ribba:
    proliferative_diameter: Array = parameter(
        7.13, "mm", "P0", source=RIBBA_2012, bounds=(1e-6, 1000), omega2=variance_of_cv(0.94)
    )
    quiescent_diameter: Array = parameter(
        41.2, "mm", "Q0", source=RIBBA_2012, bounds=(1e-6, 1000), omega2=variance_of_cv(0.54)
    )
    growth_rate: Array = parameter(
        0.121, "/mo", "lP", source=RIBBA_2012, bounds=(0, 50), working_unit="/d", omega2=variance_of_cv(0.72)
    )
    carrying_capacity: Array = parameter(
        100.0, "mm", "K, largest mean diameter; fixed", source=RIBBA_2012, bounds=(1, 1e4)
    )
    quiescence_rate: Array = parameter(
        0.0295,
        "/mo",
        "kPQ",
        source=RIBBA_2012,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.76),
    )
    repair_rate: Array = parameter(
        0.0031,
        "/mo",
        "kQpP",
        source=RIBBA_2012,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.97),
    )
    death_rate: Array = parameter(
        0.00867,
        "/mo",
        "dQp",
        source=RIBBA_2012,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(1.15),
    )
    potency: Array = parameter(0.729, "1", "g, damage per unit of drug", source=RIBBA_2012, bounds=(0, 1000))
    elimination_rate: Array = parameter(
        0.24,
        "/mo",
        "KDE",
        source=RIBBA_2012,
        bounds=(1e-6, 500),
        working_unit="/d",
        omega2=variance_of_cv(0.70),
    )


@variables
class Mazzocco:
    proliferative_diameter: Array = parameter(
        1.72, "mm", "P0", source=MAZZOCCO_2015, bounds=(1e-6, 1000), omega2=variance_of_cv(1.43)
    )
    quiescent_diameter: Array = parameter(
        32.1, "mm", "Q0", source=MAZZOCCO_2015, bounds=(1e-6, 1000), omega2=variance_of_cv(0.558)
    )
    growth_rate: Array = parameter(
        0.143,
        "/mo",
        "lP",
        source=MAZZOCCO_2015,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.631),
    )
    carrying_capacity: Array = parameter(
        100.0, "mm", "K, largest mean diameter; fixed", source=RIBBA_2012, bounds=(1, 1e4)
    )
    quiescence_rate: Array = parameter(
        0.0429,
        "/mo",
        "kPQ",
        source=MAZZOCCO_2015,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.81),
    )
    repair_rate: Array = parameter(
        0.00947,
        "/mo",
        "kQpP without 1p/19q codeletion",
        source=MAZZOCCO_2015,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(1.62),
    )
    codeleted: Array = parameter(
        0.0, "1", "1 with 1p/19q codeletion", source=MAZZOCCO_2015, bounds=(0, 1), certainty="assumption"
    )
    codeletion_effect: Array = parameter(
        math.log(0.00807 / 0.00947),
        "1",
        "logarithm of the factor of kQpP by codeletion, ln(0.00807 / 0.00947)",
        source=MAZZOCCO_2015,
        bounds=(-20, 20),
    )
    death_rate: Array = parameter(
        0.0188,
        "/mo",
        "dQp",
        source=MAZZOCCO_2015,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.862),
    )
    potency: Array = parameter(
        0.254,
        "1",
        "g, damage per unit of drug, with wild-type p53",
        source=MAZZOCCO_2015,
        bounds=(0, 1000),
        omega2=variance_of_cv(0.686),
    )
    p53_mutated: Array = parameter(
        0.0, "1", "1 with mutated p53", source=MAZZOCCO_2015, bounds=(0, 1), certainty="assumption"
    )
    p53_effect: Array = parameter(
        math.log(0.143 / 0.254),
        "1",
        "logarithm of the factor of g by mutated p53, ln(0.143 / 0.254)",
        source=MAZZOCCO_2015,
        bounds=(-20, 20),
    )
    elimination_rate: Array = parameter(
        8.3,
        "/mo",
        "KDE; fixed, as is its spread",
        source=MAZZOCCO_2015,
        bounds=(1e-6, 500),
        working_unit="/d",
        omega2=variance_of_cv(0.50),
    )
    resistance_rate: Array = parameter(
        0.1,
        "/mo",
        "res, loss of effect on proliferative tissue",
        source=MAZZOCCO_2015,
        bounds=(0, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.805),
    )


@variables
class State:
    drug: Array = variable("1", "C, virtual drug, units of one cycle")
    proliferative: Array = variable("mm", "P")
    quiescent: Array = variable("mm", "Q")
    damaged: Array = variable("mm", "Qp")


@variables
class ResistantState:
    drug: Array = variable("1", "C, virtual drug, units of one cycle")
    proliferative: Array = variable("mm", "P")
    quiescent: Array = variable("mm", "Q")
    damaged: Array = variable("mm", "Qp")
    since_first_dose: Array = variable("d", "time from the first dose")
    started: Array = variable("1", "1 from the first dose on")


@variables
class Events:
    cycle: Array = variable("1", "cycles of chemotherapy that begin (1 a cycle)", default=0.0)


@variables
class Inputs:
    """Chemotherapy comes as events."""


@variables
class Outputs:
    mean_diameter: Array = variable("mm", "P*, mean tumour diameter, (2 V)^(1/3)")
    proliferative: Array = variable("mm", "P")
    quiescent: Array = variable("mm", "Q")
    damaged: Array = variable("mm", "Qp")


def _tissue(
    x: State | ResistantState, p: Ribba | Mazzocco, potency: Array, repair: Array, left: Array | float
) -> tuple[Array, Array, Array, Array]:
    """Rates of drug, P, Q and Qp; ``left`` is the effect on P that resistance has left."""
    whole = x.proliferative + x.quiescent + x.damaged
    damage = potency * p.elimination_rate * x.drug
    quieted, hurt, repaired = p.quiescence_rate * x.proliferative, damage * x.quiescent, repair * x.damaged
    growth = p.growth_rate * x.proliferative * (1.0 - whole / p.carrying_capacity)
    return (
        -p.elimination_rate * x.drug,
        growth + repaired - quieted - damage * left * x.proliferative,
        quieted - hurt,
        hurt - repaired - p.death_rate * x.damaged,
    )


def ribba_initial(p: Ribba) -> State:
    none = jnp.zeros_like(p.proliferative_diameter)
    return State(none, p.proliferative_diameter, p.quiescent_diameter, none)


def ribba_jump(x: State, event: Events, p: Ribba) -> State:
    return State(x.drug + event.cycle, x.proliferative, x.quiescent, x.damaged)


def ribba_derivative(time: Array, x: State, p: Ribba, u: Inputs) -> State:
    """Rates per day."""
    return State(*_tissue(x, p, p.potency, p.repair_rate, 1.0))


def mazzocco_initial(p: Mazzocco) -> ResistantState:
    none = jnp.zeros_like(p.proliferative_diameter)
    return ResistantState(none, p.proliferative_diameter, p.quiescent_diameter, none, none, none)


def mazzocco_jump(x: ResistantState, event: Events, p: Mazzocco) -> ResistantState:
    started = jnp.where(event.cycle > 0.0, 1.0, x.started)
    return ResistantState(
        x.drug + event.cycle, x.proliferative, x.quiescent, x.damaged, x.since_first_dose, started
    )


def mazzocco_derivative(time: Array, x: ResistantState, p: Mazzocco, u: Inputs) -> ResistantState:
    """Rates per day."""
    potency = p.potency * jnp.exp(p.p53_effect * p.p53_mutated)
    repair = p.repair_rate * jnp.exp(p.codeletion_effect * p.codeleted)
    left = jnp.exp(-p.resistance_rate * x.since_first_dose)
    return ResistantState(*_tissue(x, p, potency, repair, left), x.started, jnp.zeros_like(x.started))


def observe(time: Array, x: State | ResistantState, p: Ribba | Mazzocco, u: Inputs) -> Outputs:
    return Outputs(
        mean_diameter=x.proliferative + x.quiescent + x.damaged,
        proliferative=x.proliferative,
        quiescent=x.quiescent,
        damaged=x.damaged,
    )


RIBBA_GLIOMA = OrganModel(
    name="ribba_glioma",
    title="Low-grade glioma under procarbazine, lomustine and vincristine",
    version="1.0",
    clock="d",
    Parameters=Ribba,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=ribba_initial,
    derivative=ribba_derivative,
    observe=observe,
    Events=Events,
    jump=ribba_jump,
    references=(RIBBA_2012,),
    notes="A cycle is one unit, whatever its dose. No residual error and no spread of g were published in "
    "a form that was read.",
    scenarios=RIBBA_SCENARIOS,
    checks=RIBBA_CHECKS,
)
MAZZOCCO_GLIOMA = OrganModel(
    name="mazzocco_glioma",
    title="Low-grade glioma under temozolomide",
    version="1.0",
    clock="d",
    Parameters=Mazzocco,
    State=ResistantState,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=mazzocco_initial,
    derivative=mazzocco_derivative,
    observe=observe,
    Events=Events,
    jump=mazzocco_jump,
    residuals=(Residual("mean_diameter", MAZZOCCO_2015, additive=1.73),),
    references=(MAZZOCCO_2015, RIBBA_2012),
    notes="A cycle (200 mg/m2 on days 1 to 5 of 28) is one unit, whatever its dose. In the cohort "
    "codeletion and mutated p53 exclude each other.",
    scenarios=MAZZOCCO_SCENARIOS,
    checks=MAZZOCCO_CHECKS,
)
