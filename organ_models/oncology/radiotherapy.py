"""Radiotherapy of a tumour that grows logistically (Prokopiou et al. 2015).

Between fractions V' = l V (1 - V/K). A fraction of dose d kills a share of the cells that are not held up by
crowding:

    V+ = V - c V (1 - V/K),        c = 1 - exp(-alpha d - beta d^2)        (linear-quadratic)

The proliferation saturation index is V(0)/K: a tumour that fills its place responds less.
``crowding_protects`` = 0 takes the factor (1 - V/K) of the kill away.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.growth import advanced
from organ_models.references import PROKOPIOU_2015
from organ_models.validation.radiotherapy import COURSE_CHECKS, COURSE_SCENARIOS

_KILLED_BY_2_GY = 0.25


@variables
class Parameters:
    initial_volume: Array = parameter(
        1.0,
        "mm3",
        "V(0); 1: volumes are relative to it",
        source=PROKOPIOU_2015,
        bounds=(1e-9, 1e6),
        certainty="assumption",
    )
    saturation_index: Array = parameter(
        0.7, "1", "proliferation saturation index, V(0)/K", source=PROKOPIOU_2015, bounds=(1e-9, 1)
    )
    growth_rate: Array = parameter(
        0.1, "/d", "l; of the published demonstration", source=PROKOPIOU_2015, bounds=(0, 10)
    )
    linear_sensitivity: Array = parameter(
        -math.log(1.0 - _KILLED_BY_2_GY) / 2.0,
        "/Gy",
        "alpha, such that 2 Gy kill a quarter: the demonstration gives this alone, beta is left at 0",
        source=PROKOPIOU_2015,
        bounds=(0, 10),
        certainty="derived",
    )
    quadratic_sensitivity: Array = parameter(
        0.0,
        "/Gy2",
        "beta; the demonstration does not tell alpha and beta apart",
        source=PROKOPIOU_2015,
        bounds=(0, 10),
        certainty="derived",
    )
    crowding_protects: Array = parameter(
        1.0,
        "1",
        "1: cells held up by crowding are spared; 0: they are not",
        source=PROKOPIOU_2015,
        bounds=(0, 1),
    )


@variables
class State:
    log_volume: Array = variable("1", "ln(volume / mm3)")


@variables
class Events:
    fraction: Array = variable("Gy", "dose of a fraction", default=0.0)


@variables
class Inputs:
    """Fractions are events."""


@variables
class Outputs:
    volume: Array = variable("mm3", "tumour volume", quantity="tumour_volume")
    relative_volume: Array = variable("1", "V / V(0)")


def biologically_effective_dose(fractions: Array, dose: Array, ratio: Array) -> Array:
    """BED of equal fractions, Gy: n d (1 + d / (alpha/beta))."""
    return fractions * dose * (1.0 + dose / ratio)


def _crowding(x: State, p: Parameters) -> Array:
    """V/K."""
    return p.saturation_index * jnp.exp(x.log_volume - jnp.log(p.initial_volume))


def initial(p: Parameters) -> State:
    return State(log_volume=jnp.log(p.initial_volume))


def jump(x: State, event: Events, p: Parameters) -> State:
    dose = event.fraction
    killed = -jnp.expm1(-p.linear_sensitivity * dose - p.quadratic_sensitivity * dose**2)
    return State(log_volume=x.log_volume + jnp.log1p(-killed * (1.0 - p.crowding_protects * _crowding(x, p))))


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    return State(log_volume=p.growth_rate * (1.0 - _crowding(x, p)))


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    rate = p.growth_rate * (1.0 - _crowding(x, p))
    bend = -jnp.ones_like(p.growth_rate)
    return State(log_volume=advanced(x.log_volume, elapsed, rate, p.growth_rate, bend))


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(
        volume=jnp.exp(x.log_volume), relative_volume=jnp.exp(x.log_volume - jnp.log(p.initial_volume))
    )


RADIOTHERAPY = OrganModel(
    name="radiotherapy",
    title="Radiotherapy of a tumour with a proliferation saturation index",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    solution=solution,
    observe=observe,
    Events=Events,
    jump=jump,
    references=(PROKOPIOU_2015,),
    notes="The parameters are those of a published demonstration, not of patients; no spread between "
    "patients is declared. A cell dies at once.",
    scenarios=COURSE_SCENARIOS,
    checks=COURSE_CHECKS,
)
