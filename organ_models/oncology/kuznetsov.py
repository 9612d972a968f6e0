"""Tumour cells and cytotoxic lymphocytes (Kuznetsov et al. 1994). A hypothesis, not for prediction.

    x' = s + r x y / (e + y) - m x y - d x        (effector cells)
    y' = a y (1 - b y) - x y                      (tumour cells)

in units of 1e6 cells and of 9.9 days. A tumour may be held dormant or escape, depending on where it starts.
"""

from __future__ import annotations

from organ_models.model import Array, NoFields, OrganModel, parameter, variable, variables
from organ_models.references import KUZNETSOV_1994
from organ_models.validation.kuznetsov import EQUILIBRIUM_CHECKS, EQUILIBRIUM_SCENARIOS


@variables
class Parameters:
    initial_effectors: Array = parameter(
        5.0, "1", "x(0)", source=KUZNETSOV_1994, bounds=(0, 1e6), certainty="assumption"
    )
    initial_tumour: Array = parameter(
        50.0, "1", "y(0)", source=KUZNETSOV_1994, bounds=(0, 1e6), certainty="assumption"
    )
    time_unit: Array = parameter(
        9.9, "d", "unit of time of the rates", source=KUZNETSOV_1994, bounds=(1e-3, 1e3)
    )
    influx: Array = parameter(
        0.1181, "1", "s, effector cells that arrive", source=KUZNETSOV_1994, bounds=(0, 100)
    )
    recruitment: Array = parameter(
        1.131, "1", "r, effector cells that the tumour calls up", source=KUZNETSOV_1994, bounds=(0, 1000)
    )
    half_recruitment: Array = parameter(
        20.19, "1", "e, tumour that calls up half", source=KUZNETSOV_1994, bounds=(1e-6, 1e6)
    )
    inactivation: Array = parameter(
        0.00311, "1", "m, effector cells that the tumour inactivates", source=KUZNETSOV_1994, bounds=(0, 100)
    )
    effector_loss: Array = parameter(
        0.3743, "1", "d, death of effector cells", source=KUZNETSOV_1994, bounds=(0, 100)
    )
    tumour_growth: Array = parameter(
        1.636, "1", "a, growth of a small tumour", source=KUZNETSOV_1994, bounds=(0, 100)
    )
    crowding: Array = parameter(
        0.002, "1", "b, one over the tumour's capacity", source=KUZNETSOV_1994, bounds=(0, 100)
    )


@variables
class State:
    effectors: Array = variable("1", "effector cells, 1e6")
    tumour: Array = variable("1", "tumour cells, 1e6")


@variables
class Outputs:
    effectors: Array = variable("1", "effector cells, 1e6")
    tumour: Array = variable("1", "tumour cells, 1e6")


def initial(p: Parameters) -> State:
    return State(effectors=p.initial_effectors, tumour=p.initial_tumour)


def derivative(time: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Rates per day."""
    called = p.recruitment * x.effectors * x.tumour / (p.half_recruitment + x.tumour)
    lost = (p.inactivation * x.tumour + p.effector_loss) * x.effectors
    grown = p.tumour_growth * x.tumour * (1.0 - p.crowding * x.tumour)
    return State(
        effectors=(p.influx + called - lost) / p.time_unit,
        tumour=(grown - x.effectors * x.tumour) / p.time_unit,
    )


def observe(time: Array, x: State, p: Parameters, u: NoFields) -> Outputs:
    return Outputs(effectors=x.effectors, tumour=x.tumour)


KUZNETSOV_IMMUNITY = OrganModel(
    name="kuznetsov_immunity",
    title="Tumour cells and cytotoxic lymphocytes",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    hypothesis=True,
    references=(KUZNETSOV_1994,),
    notes="Qualitative: it shows dormancy and escape in principle and predicts no tumour of a patient.",
    scenarios=EQUILIBRIUM_SCENARIOS,
    checks=EQUILIBRIUM_CHECKS,
)
