"""Temozolomide by mouth, in plasma and cerebrospinal fluid (Ostermann et al. 2004).

The volume of the fluid compartment is not in the abstract that the values are from; it follows from the
published ratio of exposures, 0.20, and the two rates: 30.3 L × 7.2e-4 /h / (0.76 /h × 0.20) = 0.1435 L.
"""

from __future__ import annotations

from typing import Any

from organ_models.model import Array, NoFields, OrganModel, parameter, values, variable, variables
from organ_models.pharmacology.linear_chain import Matrix, flows, propagate, rates
from organ_models.pharmacology.ports import HOURS, Tablet
from organ_models.references import OSTERMANN_2004


@variables
class Parameters:
    absorption_rate: Array = parameter(
        5.8, "/h", "ka", source=OSTERMANN_2004, bounds=(0.01, 100), working_unit="/d"
    )
    clearance: Array = parameter(
        10.0, "L/h", "CL/F", source=OSTERMANN_2004, bounds=(0.1, 500), working_unit="L/d"
    )
    volume: Array = parameter(30.3, "L", "V/F", source=OSTERMANN_2004, bounds=(0.1, 1e3))
    to_fluid: Array = parameter(
        7.2e-4,
        "/h",
        "from plasma into cerebrospinal fluid",
        source=OSTERMANN_2004,
        bounds=(0, 10),
        working_unit="/d",
    )
    from_fluid: Array = parameter(
        0.76,
        "/h",
        "from cerebrospinal fluid back into plasma",
        source=OSTERMANN_2004,
        bounds=(1e-3, 100),
        working_unit="/d",
    )
    fluid_volume: Array = parameter(
        0.1435,
        "L",
        "of the cerebrospinal-fluid compartment, from the ratio of exposures 0.20",
        source=OSTERMANN_2004,
        bounds=(1e-3, 10),
        certainty="derived",
    )


@variables
class State:
    gut: Array = variable("mg", "drug that is not absorbed yet")
    plasma: Array = variable("mg", "drug in the body but for cerebrospinal fluid")
    fluid: Array = variable("mg", "drug in cerebrospinal fluid")
    eliminated: Array = variable("mg", "drug that has left the body")


@variables
class Outputs:
    concentration: Array = variable("mg/L", "temozolomide in plasma", meaning="temozolomide in plasma")
    fluid_concentration: Array = variable(
        "mg/L", "temozolomide in cerebrospinal fluid", meaning="temozolomide in cerebrospinal fluid"
    )
    cumulative_exposure: Array = variable(
        "mg.h/L",
        "area under the plasma concentration curve so far",
        meaning="area under temozolomide in plasma so far",
    )


def _matrix(p: Parameters) -> Matrix:
    transfers = {(0, 1): p.absorption_rate, (1, 2): p.to_fluid, (2, 1): p.from_fluid}
    return flows(3, transfers, {1: p.clearance / p.volume})


def initial(p: Parameters) -> State:
    none = 0.0 * p.clearance
    return State(gut=none, plasma=none, fluid=none, eliminated=none)


def derivative(time: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Rates per day."""
    *amounts, _ = values(x).values()
    return State(*[*rates(_matrix(p), amounts, [None] * 3), p.clearance * x.plasma / p.volume])


def solution(elapsed: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Amounts exactly; what is missing from the balance was eliminated."""
    *amounts, eliminated = values(x).values()
    after: list[Any] = propagate(_matrix(p), amounts, [None] * 3, elapsed)
    return State(*[*after, eliminated + (sum(amounts) - sum(after))])


def jump(x: State, e: Tablet, p: Parameters) -> State:
    return State(**{**values(x), "gut": x.gut + e.dose})


def observe(time: Array, x: State, p: Parameters, u: NoFields) -> Outputs:
    return Outputs(
        concentration=x.plasma / p.volume,
        fluid_concentration=x.fluid / p.fluid_volume,
        cumulative_exposure=HOURS * x.eliminated / p.clearance,
    )


TEMOZOLOMIDE = OrganModel(
    name="temozolomide",
    title="Temozolomide in plasma and cerebrospinal fluid",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Outputs=Outputs,
    Events=Tablet,
    initial=initial,
    derivative=derivative,
    solution=solution,
    jump=jump,
    observe=observe,
    references=(OSTERMANN_2004,),
    notes="The variability between patients is not available: all patients are the typical one.",
)
