"""Doxorubicin and doxorubicinol in plasma of adults (Perez-Blanco et al. 2016) and children (Kunarajah 2017).

Doxorubicin has three compartments. A part of its clearance makes doxorubicinol, which has two compartments
in adults and one in children. In children every clearance and volume goes with the body surface, and the
clearance of doxorubicin is multiplied by ``1 + (age / 8.4 a)^0.736``: a sum, not a ratio; it doubles the
clearance at 8.4 years.
"""

from __future__ import annotations

import math
from typing import Any

from organ_models.model import Array, OrganModel, parameter, values, variable, variables
from organ_models.pharmacology.linear_chain import Matrix, flows, propagate, rates
from organ_models.pharmacology.ports import HOURS, Bolus, Infusion
from organ_models.references import KUNARAJAH_2017, PEREZ_BLANCO_2016
from organ_models.validation.doxorubicin import CHECKS, SCENARIOS
from organ_models.variability import Residual


@variables
class Outputs:
    concentration: Array = variable("ug/L", "doxorubicin in plasma", meaning="doxorubicin in plasma")
    metabolite_concentration: Array = variable(
        "ug/L", "doxorubicinol in plasma", meaning="doxorubicinol in plasma"
    )
    total_concentration: Array = variable(
        "ug/L", "doxorubicin and doxorubicinol in plasma", meaning="doxorubicin and doxorubicinol in plasma"
    )
    cumulative_exposure: Array = variable(
        "mg.h/L",
        "area under the curve of doxorubicin so far",
        meaning="area under doxorubicin in plasma so far",
    )
    cumulative_metabolite_exposure: Array = variable(
        "mg.h/L",
        "area under the curve of doxorubicinol so far",
        meaning="area under doxorubicinol in plasma so far",
    )


def _readings(x: Any, volumes: tuple[Array, Array], clearances: tuple[Array, Array]) -> Outputs:
    """Concentrations and exposures of both from a state, volumes (L) and clearances (L/d)."""
    parent, metabolite = 1000.0 * x.central / volumes[0], 1000.0 * x.metabolite / volumes[1]
    return Outputs(
        concentration=parent,
        metabolite_concentration=metabolite,
        total_concentration=parent + metabolite,
        cumulative_exposure=HOURS * x.eliminated / clearances[0],
        cumulative_metabolite_exposure=HOURS * x.metabolite_eliminated / clearances[1],
    )


# -- adults ----------------------------------------------------------------------------------------

_ADULTS = PEREZ_BLANCO_2016


@variables
class AdultParameters:
    clearance: Array = parameter(
        62.4,
        "L/h",
        "CL of doxorubicin, the part that makes doxorubicinol included",
        source=_ADULTS,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=math.log1p(0.229**2),
    )
    central_volume: Array = parameter(17.7, "L", "V1", source=_ADULTS, bounds=(0.1, 1e4))
    deep_exchange: Array = parameter(
        50.7,
        "L/h",
        "Q2, to and from V2",
        source=_ADULTS,
        bounds=(0, 1e4),
        working_unit="L/d",
        omega2=math.log1p(0.641**2),
    )
    deep_volume: Array = parameter(1830.0, "L", "V2", source=_ADULTS, bounds=(0.1, 1e6))
    shallow_exchange: Array = parameter(
        28.4,
        "L/h",
        "Q3, to and from V3",
        source=_ADULTS,
        bounds=(0, 1e4),
        working_unit="L/d",
        omega2=math.log1p(0.282**2),
    )
    shallow_volume: Array = parameter(71.0, "L", "V3", source=_ADULTS, bounds=(0.1, 1e6))
    metabolised_fraction: Array = parameter(
        0.22,
        "1",
        "Fm, share of the clearance that makes doxorubicinol",
        source=_ADULTS,
        bounds=(0, 1),
        omega2=math.log1p(0.417**2),
    )
    metabolite_clearance: Array = parameter(
        26.8,
        "L/h",
        "CLm of doxorubicinol",
        source=_ADULTS,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=math.log1p(0.472**2),
    )
    metabolite_volume: Array = parameter(79.8, "L", "V4", source=_ADULTS, bounds=(0.1, 1e5))
    metabolite_exchange: Array = parameter(
        424.0,
        "L/h",
        "Q5, to and from V5",
        source=_ADULTS,
        bounds=(0, 1e5),
        working_unit="L/d",
        omega2=math.log1p(0.589**2),
    )
    metabolite_peripheral_volume: Array = parameter(653.0, "L", "V5", source=_ADULTS, bounds=(0.1, 1e6))


@variables
class AdultState:
    central: Array = variable("mg", "doxorubicin in the central compartment")
    deep: Array = variable("mg", "doxorubicin in the deep compartment")
    shallow: Array = variable("mg", "doxorubicin in the shallow compartment")
    metabolite: Array = variable("mg", "doxorubicinol in its central compartment")
    metabolite_peripheral: Array = variable("mg", "doxorubicinol in its peripheral compartment")
    eliminated: Array = variable("mg", "doxorubicin that was cleared")
    metabolite_eliminated: Array = variable("mg", "doxorubicinol that was cleared")


def _adult_matrix(p: AdultParameters) -> Matrix:
    cleared = p.clearance / p.central_volume
    transfers = {
        (0, 1): p.deep_exchange / p.central_volume,
        (1, 0): p.deep_exchange / p.deep_volume,
        (0, 2): p.shallow_exchange / p.central_volume,
        (2, 0): p.shallow_exchange / p.shallow_volume,
        (0, 3): p.metabolised_fraction * cleared,
        (3, 4): p.metabolite_exchange / p.metabolite_volume,
        (4, 3): p.metabolite_exchange / p.metabolite_peripheral_volume,
    }
    losses = {
        0: (1.0 - p.metabolised_fraction) * cleared,
        3: p.metabolite_clearance / p.metabolite_volume,
    }
    return flows(5, transfers, losses)


def initial_adult(p: AdultParameters) -> AdultState:
    return AdultState(*[0.0 * p.clearance] * 7)


def derivative_adult(time: Array, x: AdultState, p: AdultParameters, u: Infusion) -> AdultState:
    """Rates per day."""
    *amounts, _, _ = values(x).values()
    moved = rates(_adult_matrix(p), amounts, [HOURS * u.infusion_rate, *[None] * 4])
    cleared = p.clearance * x.central / p.central_volume
    return AdultState(*[*moved, cleared, p.metabolite_clearance * x.metabolite / p.metabolite_volume])


def solution_adult(elapsed: Array, x: AdultState, p: AdultParameters, u: Infusion) -> AdultState:
    """Amounts exactly; what is missing from the two balances was cleared."""
    *amounts, eliminated, metabolite_eliminated = values(x).values()
    inflow = HOURS * u.infusion_rate
    after: list[Any] = propagate(_adult_matrix(p), amounts, [inflow, *[None] * 4], elapsed)
    cleared = sum(amounts[:3]) - sum(after[:3]) + inflow * elapsed
    gone = p.metabolised_fraction * cleared + sum(amounts[3:]) - sum(after[3:])
    return AdultState(*[*after, eliminated + cleared, metabolite_eliminated + gone])


def jump_adult(x: AdultState, e: Bolus, p: AdultParameters) -> AdultState:
    return AdultState(**{**values(x), "central": x.central + e.dose})


def observe_adult(time: Array, x: AdultState, p: AdultParameters, u: Infusion) -> Outputs:
    volumes, clearances = (p.central_volume, p.metabolite_volume), (p.clearance, p.metabolite_clearance)
    return _readings(x, volumes, clearances)


# -- children --------------------------------------------------------------------------------------

_CHILDREN = KUNARAJAH_2017


@variables
class ChildParameters:
    clearance: Array = parameter(
        58.7,
        "L/h",
        "CL of doxorubicin at a surface of 1.8 m2, before the factor of age",
        source=_CHILDREN,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=0.0344,
    )
    central_volume: Array = parameter(32.2, "L", "V1 at 1.8 m2", source=_CHILDREN, bounds=(0.1, 1e4))
    deep_exchange: Array = parameter(
        35.8, "L/h", "Q2 at 1.8 m2, to and from V2", source=_CHILDREN, bounds=(0, 1e4), working_unit="L/d"
    )
    deep_volume: Array = parameter(3810.0, "L", "V2 at 1.8 m2", source=_CHILDREN, bounds=(0.1, 1e6))
    shallow_exchange: Array = parameter(
        65.1,
        "L/h",
        "Q3 at 1.8 m2, to and from V3",
        source=_CHILDREN,
        bounds=(0, 1e4),
        working_unit="L/d",
        omega2=0.0497,
    )
    shallow_volume: Array = parameter(
        705.0, "L", "V3 at 1.8 m2", source=_CHILDREN, bounds=(0.1, 1e6), omega2=0.0241
    )
    formation_clearance: Array = parameter(
        32.1,
        "L/h",
        "Qm at 1.8 m2, the part of CL that makes doxorubicinol",
        source=_CHILDREN,
        bounds=(0, 1e4),
        working_unit="L/d",
        omega2=0.11,
    )
    metabolite_clearance: Array = parameter(
        19.9,
        "L/h",
        "CLm of doxorubicinol at 1.8 m2",
        source=_CHILDREN,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=0.116,
    )
    metabolite_volume: Array = parameter(508.0, "L", "V4 at 1.8 m2", source=_CHILDREN, bounds=(0.1, 1e6))
    body_surface: Array = parameter(
        1.8, "m2", "at which clearances and volumes are given", source=_CHILDREN, bounds=(0.3, 3)
    )
    age: Array = parameter(
        8.4,
        "a",
        "at which the clearance is twice that at birth; patients were 3.4 to 14.7",
        source=_CHILDREN,
        bounds=(0, 18),
    )
    surface_effect: Array = parameter(
        0.465, "/m2", "relative change per square metre", source=_CHILDREN, bounds=(0, 0.55)
    )
    age_exponent: Array = parameter(0.736, "1", "of age over 8.4 years", source=_CHILDREN, bounds=(0, 3))


@variables
class ChildState:
    central: Array = variable("mg", "doxorubicin in the central compartment")
    deep: Array = variable("mg", "doxorubicin in the deep compartment")
    shallow: Array = variable("mg", "doxorubicin in the shallow compartment")
    metabolite: Array = variable("mg", "doxorubicinol")
    eliminated: Array = variable("mg", "doxorubicin that was cleared")
    metabolite_eliminated: Array = variable("mg", "doxorubicinol that was cleared")


def _child_sizes(p: ChildParameters) -> tuple[Array, Array]:
    """Factor of the body surface, and the clearance of doxorubicin (L/d)."""
    surface = 1.0 + p.surface_effect * (p.body_surface - 1.8)
    return surface, p.clearance * surface * (1.0 + (p.age / 8.4) ** p.age_exponent)


def _child_matrix(p: ChildParameters) -> Matrix:
    # the factor of the surface is on clearances and volumes alike: rates do not know it
    surface, clearance = _child_sizes(p)
    formed = p.formation_clearance / p.central_volume
    transfers = {
        (0, 1): p.deep_exchange / p.central_volume,
        (1, 0): p.deep_exchange / p.deep_volume,
        (0, 2): p.shallow_exchange / p.central_volume,
        (2, 0): p.shallow_exchange / p.shallow_volume,
        (0, 3): formed,
    }
    losses = {
        0: clearance / (surface * p.central_volume) - formed,
        3: p.metabolite_clearance / p.metabolite_volume,
    }
    return flows(4, transfers, losses)


def initial_child(p: ChildParameters) -> ChildState:
    return ChildState(*[0.0 * p.clearance] * 6)


def derivative_child(time: Array, x: ChildState, p: ChildParameters, u: Infusion) -> ChildState:
    """Rates per day."""
    surface, clearance = _child_sizes(p)
    *amounts, _, _ = values(x).values()
    moved = rates(_child_matrix(p), amounts, [HOURS * u.infusion_rate, None, None, None])
    cleared = clearance * x.central / (surface * p.central_volume)
    return ChildState(*[*moved, cleared, p.metabolite_clearance * x.metabolite / p.metabolite_volume])


def solution_child(elapsed: Array, x: ChildState, p: ChildParameters, u: Infusion) -> ChildState:
    """Amounts exactly; what is missing from the two balances was cleared."""
    surface, clearance = _child_sizes(p)
    *amounts, eliminated, metabolite_eliminated = values(x).values()
    inflow = HOURS * u.infusion_rate
    after: list[Any] = propagate(_child_matrix(p), amounts, [inflow, None, None, None], elapsed)
    cleared = sum(amounts[:3]) - sum(after[:3]) + inflow * elapsed
    made = p.formation_clearance * surface / clearance * cleared
    gone = made + amounts[3] - after[3]
    return ChildState(*[*after, eliminated + cleared, metabolite_eliminated + gone])


def jump_child(x: ChildState, e: Bolus, p: ChildParameters) -> ChildState:
    return ChildState(**{**values(x), "central": x.central + e.dose})


def observe_child(time: Array, x: ChildState, p: ChildParameters, u: Infusion) -> Outputs:
    surface, clearance = _child_sizes(p)
    volumes = (p.central_volume * surface, p.metabolite_volume * surface)
    return _readings(x, volumes, (clearance, p.metabolite_clearance * surface))


DOXORUBICIN = OrganModel(
    name="doxorubicin",
    title="Doxorubicin and doxorubicinol in plasma of adults",
    version="1.0",
    clock="d",
    Parameters=AdultParameters,
    State=AdultState,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=initial_adult,
    derivative=derivative_adult,
    solution=solution_adult,
    jump=jump_adult,
    observe=observe_adult,
    residuals=(
        Residual("concentration", PEREZ_BLANCO_2016, proportional=0.371),
        Residual("metabolite_concentration", PEREZ_BLANCO_2016, proportional=0.321),
    ),
    references=(PEREZ_BLANCO_2016,),
    notes=(
        "45 patients with non-Hodgkin lymphoma, sampled for three hours after the infusion: later "
        "concentrations rest on volumes of another study."
    ),
    scenarios=SCENARIOS,
    checks=CHECKS,
)

DOXORUBICIN_CHILDREN = OrganModel(
    name="doxorubicin_children",
    title="Doxorubicin and doxorubicinol in plasma of children",
    version="1.0",
    clock="d",
    Parameters=ChildParameters,
    State=ChildState,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=initial_child,
    derivative=derivative_child,
    solution=solution_child,
    jump=jump_child,
    observe=observe_child,
    covariances={("clearance", "metabolite_clearance"): 0.0523},
    residuals=(
        Residual("concentration", KUNARAJAH_2017, proportional=0.203, additive=0.24),
        Residual("metabolite_concentration", KUNARAJAH_2017, proportional=0.229, additive=0.95),
    ),
    references=(KUNARAJAH_2017,),
    notes=(
        "17 children of 3.4 to 14.7 years. The default is the reference of the published equations, 1.8 "
        "m2 and 8.4 years, not a typical child."
    ),
)
