"""Capecitabine by mouth and what becomes of it: 5'-DFCR, 5'-DFUR and 5-fluorouracil (Urien et al. 2005).

Capecitabine is absorbed after a lag. A small part is turned into 5'-DFCR, that into 5'-DFUR, that into
5-FU. The volumes of the metabolites cannot be known from plasma and are 1 L: their amounts are their
concentrations. Amounts are in micromoles, as published; doses are in milligrams.

A dose waits for its lag in a state of its own, with the time that is left: each patient has a lag of its
own, and the steps are shared. Doses closer together than the lag are absorbed with the later one.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, NoFields, OrganModel, parameter, values, variable, variables
from organ_models.pharmacology.linear_chain import Matrix, exponential, flows, propagate, rates
from organ_models.pharmacology.ports import HOURS, Tablet
from organ_models.references import ATOMIC_WEIGHTS, URIEN_2005
from organ_models.variability import Residual

_REFERENCE_BILIRUBIN = 8.8
"""umol/L, median of the patients."""


@variables
class Parameters:
    absorption_rate: Array = parameter(
        2.07, "/h", "ka", source=URIEN_2005, bounds=(0.01, 100), working_unit="/d"
    )
    lag: Array = parameter(
        0.28,
        "h",
        "time before absorption begins",
        source=URIEN_2005,
        bounds=(0, 12),
        working_unit="d",
        omega2=math.log1p(1.10**2),
    )
    volume: Array = parameter(
        338.0, "L", "V1/F", source=URIEN_2005, bounds=(1, 1e5), omega2=math.log1p(1.36**2)
    )
    other_clearance: Array = parameter(
        218.0,
        "L/h",
        "CL10/F, clearance of capecitabine by other ways",
        source=URIEN_2005,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=math.log1p(0.18**2),
    )
    dfcr_clearance: Array = parameter(
        12.9,
        "L/h",
        "CL12/F, clearance of capecitabine to 5'-DFCR",
        source=URIEN_2005,
        bounds=(0.01, 1e4),
        working_unit="L/d",
    )
    dfur_rate: Array = parameter(
        10.7,
        "/h",
        "K23, 5'-DFCR to 5'-DFUR",
        source=URIEN_2005,
        bounds=(0.01, 1e3),
        working_unit="/d",
        omega2=math.log1p(0.50**2),
    )
    fluorouracil_rate: Array = parameter(
        5.30,
        "/h",
        "K34, 5'-DFUR to 5-FU",
        source=URIEN_2005,
        bounds=(0.01, 1e3),
        working_unit="/d",
        omega2=math.log1p(0.25**2),
    )
    elimination_rate: Array = parameter(
        66.0,
        "/h",
        "K40, of 5-FU",
        source=URIEN_2005,
        bounds=(0.1, 1e3),
        working_unit="/d",
        omega2=math.log1p(0.34**2),
    )
    bilirubin: Array = parameter(
        _REFERENCE_BILIRUBIN,
        "umol/L",
        "total bilirubin, median of the patients",
        source=URIEN_2005,
        bounds=(0.5, 500),
    )
    bilirubin_on_clearance: Array = parameter(
        0.32, "1", "exponent on CL10", source=URIEN_2005, bounds=(-3, 3)
    )
    bilirubin_on_fluorouracil: Array = parameter(
        -0.36, "1", "exponent on K34", source=URIEN_2005, bounds=(-3, 3)
    )
    molar_mass: Array = parameter(
        359.35,
        "g/mol",
        "capecitabine, C15H22FN3O6",
        source=ATOMIC_WEIGHTS,
        bounds=(359, 360),
        certainty="derived",
    )


@variables
class State:
    waiting: Array = variable("umol", "capecitabine whose lag is running")
    lag_left: Array = variable("d", "time until it is absorbed")
    gut: Array = variable("umol", "capecitabine that is being absorbed")
    capecitabine: Array = variable("umol", "capecitabine in the body")
    dfcr: Array = variable("umol", "5'-DFCR")
    dfur: Array = variable("umol", "5'-DFUR")
    fluorouracil: Array = variable("umol", "5-FU")
    eliminated: Array = variable("umol", "5-FU that was eliminated")


@variables
class Outputs:
    concentration: Array = variable("umol/L", "capecitabine in plasma", meaning="capecitabine in plasma")
    dfcr_concentration: Array = variable("umol/L", "5'-DFCR in plasma", meaning="5'-DFCR in plasma")
    dfur_concentration: Array = variable("umol/L", "5'-DFUR in plasma", meaning="5'-DFUR in plasma")
    fluorouracil_concentration: Array = variable("umol/L", "5-FU in plasma", meaning="5-FU in plasma")
    cumulative_fluorouracil_exposure: Array = variable(
        "umol.h/L", "area under the curve of 5-FU so far", meaning="area under 5-FU in plasma so far"
    )


def _matrix(p: Parameters) -> Matrix:
    bilirubin = p.bilirubin / _REFERENCE_BILIRUBIN
    transfers = {
        (0, 1): p.absorption_rate,
        (1, 2): p.dfcr_clearance / p.volume,
        (2, 3): p.dfur_rate,
        (3, 4): p.fluorouracil_rate * bilirubin**p.bilirubin_on_fluorouracil,
    }
    other = p.other_clearance * bilirubin**p.bilirubin_on_clearance
    return flows(5, transfers, {1: other / p.volume, 4: p.elimination_rate})


def initial(p: Parameters) -> State:
    return State(*[0.0 * p.volume] * 8)


def _amounts(x: State) -> list[Any]:
    return [x.gut, x.capecitabine, x.dfcr, x.dfur, x.fluorouracil]


def derivative(time: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Rates per day; the end of a lag is the business of :func:`project`."""
    moved = rates(_matrix(p), _amounts(x), [None] * 5)
    running = jnp.where(x.lag_left > 0.0, -1.0, 0.0)
    return State(*[0.0 * x.waiting, running, *moved, p.elimination_rate * x.fluorouracil])


def solution(elapsed: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Amounts exactly, the end of the lag included."""
    matrix = _matrix(p)
    over = (elapsed >= x.lag_left) & (x.waiting > 0.0)
    absorbed = jnp.where(over, x.waiting, 0.0)
    since = jnp.maximum(elapsed - x.lag_left, 0.0)
    earlier = propagate(matrix, _amounts(x), [None] * 5, elapsed)
    fresh = [line[0] * absorbed for line in exponential(matrix, since)]
    after = [a + b for a, b in zip(earlier, fresh, strict=True)]
    # 5-FU gets what 5'-DFCR made of capecitabine: the share of the dose that goes this way is fixed
    share = p.dfcr_clearance / (p.volume * -matrix[1][1])
    coming = share * (x.gut + absorbed + x.capecitabine) + x.dfcr + x.dfur + x.fluorouracil
    still = share * (after[0] + after[1]) + after[2] + after[3] + after[4]
    waiting, lag_left = jnp.where(over, 0.0, x.waiting), jnp.maximum(x.lag_left - elapsed, 0.0)
    return State(*[waiting, lag_left, *after, x.eliminated + (coming - still)])


def project(x: State, p: Parameters, u: NoFields) -> State:
    """What has waited for its lag goes on to be absorbed."""
    over = x.lag_left <= 0.0
    return State(
        **{
            **values(x),
            "waiting": jnp.where(over, 0.0, x.waiting),
            "lag_left": jnp.maximum(x.lag_left, 0.0),
            "gut": x.gut + jnp.where(over, x.waiting, 0.0),
        }
    )


def jump(x: State, e: Tablet, p: Parameters) -> State:
    taken = x.waiting + 1000.0 * e.dose / p.molar_mass
    return State(**{**values(x), "waiting": taken, "lag_left": p.lag * jnp.ones_like(x.waiting)})


def observe(time: Array, x: State, p: Parameters, u: NoFields) -> Outputs:
    return Outputs(
        concentration=x.capecitabine / p.volume,
        dfcr_concentration=x.dfcr,
        dfur_concentration=x.dfur,
        fluorouracil_concentration=x.fluorouracil,
        cumulative_fluorouracil_exposure=HOURS * x.eliminated / p.elimination_rate,
    )


CAPECITABINE = OrganModel(
    name="capecitabine",
    title="Capecitabine and its metabolites up to 5-fluorouracil in plasma",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Outputs=Outputs,
    Events=Tablet,
    initial=initial,
    derivative=derivative,
    solution=solution,
    project=project,
    jump=jump,
    observe=observe,
    residuals=(
        Residual("concentration", URIEN_2005, additive=3.83),
        Residual("dfcr_concentration", URIEN_2005, additive=3.72),
        Residual("dfur_concentration", URIEN_2005, additive=5.81),
        Residual("fluorouracil_concentration", URIEN_2005, additive=0.64),
    ),
    references=(URIEN_2005, ATOMIC_WEIGHTS),
    notes="The absorption rate varied between occasions by 167 %, which is not represented.",
)
