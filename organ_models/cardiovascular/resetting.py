"""Resetting of the baroreflex: within days its set point follows the pressure that it has been made to bear.

A reflex that is never reset would defend the pressure of the first day for ever: heart rate under every drug
that lowers pressure would stay high for years. Its receptors and its centres move instead, in animals within
hours to days and, after experiments that looked closely, rarely all the way.
"""

from __future__ import annotations

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.references import KOUGIAS_2010


@variables
class Parameters:
    own_pressure: Array = parameter(
        93.5,
        "mm[Hg]",
        "mean pressure to which the reflex is set without treatment",
        source=KOUGIAS_2010,
        bounds=(20, 250),
        certainty="assumption",
        quantity="mean_blood_pressure",
    )
    share: Array = parameter(
        1.0,
        "1",
        "of a lasting change of pressure, by which the set point follows in the end",
        source=KOUGIAS_2010,
        bounds=(0, 1),
        certainty="assumption",
    )
    time_constant: Array = parameter(
        2.0,
        "d",
        "of the set point",
        source=KOUGIAS_2010,
        bounds=(0.1, 100),
        certainty="assumption",
    )


@variables
class State:
    shift: Array = variable("mm[Hg]", "by which the set point has moved")


@variables
class Inputs:
    mean_pressure: Array = variable("mm[Hg]", "mean arterial pressure", default=93.5)


@variables
class Outputs:
    set_point_shift: Array = variable("mm[Hg]", "added to the set point of the reflex")


def initial(p: Parameters) -> State:
    return State(shift=0.0 * p.own_pressure)


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """The set point follows, per day."""
    return State((p.share * (u.mean_pressure - p.own_pressure) - x.shift) / p.time_constant)


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(set_point_shift=x.shift)


BAROREFLEX_RESETTING = OrganModel(
    name="baroreflex_resetting",
    title="Resetting of the baroreflex over days",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    references=(KOUGIAS_2010,),
    notes="Share and time constant are assumptions: resetting is established, its extent is not.",
)
