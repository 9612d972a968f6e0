"""Logistic growth, plain and generalised.

    V' = a V (1 - V/K)        and        V' = a V [1 - (V/K)^n]

The generalised law is declared by b = a n, the rate at which the size settles near K, so that n -> 0 is a
law too: Gompertz's, V' = b V ln(K/V). At n = 1 it is the logistic law.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, parameter, variables
from organ_models.oncology.growth import Inputs, growth_law, relative_exponential
from organ_models.references import BENZEKRY_2014
from organ_models.validation.growth_laws import LOGISTIC_CHECKS


@variables
class Logistic:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e6)
    )
    growth_rate: Array = parameter(0.502, "/d", "a; median", source=BENZEKRY_2014, bounds=(0, 10))
    carrying_capacity: Array = parameter(
        1297.0, "mm3", "K, the volume at which growth ends; median", source=BENZEKRY_2014, bounds=(1e-3, 1e9)
    )


@variables
class Generalised:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e6)
    )
    settling_rate: Array = parameter(
        0.502,
        "/d",
        "b = a n, the rate at which the size settles near K; the median a of the logistic law, whose n is 1",
        source=BENZEKRY_2014,
        bounds=(0, 10),
        certainty="derived",
    )
    carrying_capacity: Array = parameter(
        1297.0,
        "mm3",
        "K, the volume at which growth ends; median of the logistic law",
        source=BENZEKRY_2014,
        bounds=(1e-3, 1e9),
        certainty="derived",
    )
    exponent: Array = parameter(
        1.0,
        "1",
        "n; 1 is the logistic law, 0 is Gompertz's",
        source=BENZEKRY_2014,
        bounds=(0, 10),
        certainty="derived",
    )


def logistic_rate(log_volume: Array, p: Logistic, u: Inputs) -> Array:
    return p.growth_rate * (1.0 - jnp.exp(log_volume - jnp.log(p.carrying_capacity))) - u.kill_rate


def generalised_rate(log_volume: Array, p: Generalised, u: Inputs) -> Array:
    short_of = log_volume - jnp.log(p.carrying_capacity)
    return -p.settling_rate * short_of * relative_exponential(p.exponent * short_of) - u.kill_rate


_NOTES = (
    "Lewis lung carcinoma in mice: not a model of a patient. No spread between animals is declared: none was "
    "published in a form that was read."
)


def _ones(p: Any) -> Array:
    return jnp.ones_like(p.carrying_capacity)


LOGISTIC_GROWTH = growth_law(
    name="logistic_growth",
    title="Logistic growth of a mouse tumour",
    Parameters=Logistic,
    rate=logistic_rate,
    settling=lambda p, u: p.growth_rate - u.kill_rate,
    bend=lambda p: -_ones(p),
    references=(BENZEKRY_2014,),
    notes=_NOTES,
    checks=LOGISTIC_CHECKS,
)
GENERALISED_LOGISTIC_GROWTH = growth_law(
    name="generalised_logistic_growth",
    title="Generalised logistic growth of a mouse tumour",
    Parameters=Generalised,
    rate=generalised_rate,
    settling=lambda p, u: p.settling_rate - p.exponent * u.kill_rate,
    bend=lambda p: -p.exponent,
    references=(BENZEKRY_2014,),
    notes=_NOTES + " With its default exponent it is the logistic law.",
    checks=LOGISTIC_CHECKS,
)
