"""Gompertz growth in its two published forms.

    V' = a exp(-b t) V        or        V' = b V ln(K/V),        K = V(0) exp(a/b)

Both are solved in the second form, which does not know the time: where a drug has killed cells, the growth
that follows is that of the volume which is left.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from organ_models.model import Array, parameter, variables
from organ_models.oncology.growth import Inputs, growth_law
from organ_models.references import BENZEKRY_2014, VAGHI_2020
from organ_models.scenarios import Variant
from organ_models.validation.growth_laws import GOMPERTZ_CHECKS

_BREAST_RATE, _BREAST_CAPACITY = 0.58, 2600.0
_BREAST_DECAY = _BREAST_RATE / math.log(_BREAST_CAPACITY)


@variables
class ByRate:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e7)
    )
    initial_growth_rate: Array = parameter(
        0.743, "/d", "a, growth rate at V(0); median", source=BENZEKRY_2014, bounds=(0, 10)
    )
    growth_rate_decay: Array = parameter(
        0.0792, "/d", "b, decay of the growth rate; median", source=BENZEKRY_2014, bounds=(1e-4, 10)
    )


@variables
class ByCapacity:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e7)
    )
    carrying_capacity: Array = parameter(
        math.exp(0.743 / 0.0792),
        "mm3",
        "K = V(0) exp(a/b) of the median a and b",
        source=BENZEKRY_2014,
        bounds=(1e-3, 1e12),
        certainty="derived",
    )
    growth_rate_decay: Array = parameter(
        0.0792, "/d", "b, decay of the growth rate; median", source=BENZEKRY_2014, bounds=(1e-4, 10)
    )


def rate_by_rate(log_volume: Array, p: ByRate, u: Inputs) -> Array:
    grown = log_volume - jnp.log(p.initial_volume)
    return p.initial_growth_rate - p.growth_rate_decay * grown - u.kill_rate


def rate_by_capacity(log_volume: Array, p: ByCapacity, u: Inputs) -> Array:
    return p.growth_rate_decay * (jnp.log(p.carrying_capacity) - log_volume) - u.kill_rate


_NOTES = (
    "Mouse tumours (Lewis lung carcinoma; variant: breast carcinoma), not patients. No spread between "
    "animals is declared: none was published in a form that was read."
)
_BREAST = "LM2-4LUC+ breast carcinoma: a 0.58/d, K 2600 mm3"

GOMPERTZ = growth_law(
    name="gompertz",
    title="Gompertz growth of a mouse tumour, by its initial rate",
    Parameters=ByRate,
    rate=rate_by_rate,
    settling=lambda p, u: p.growth_rate_decay,
    bend=lambda p: jnp.zeros_like(p.growth_rate_decay),
    references=(BENZEKRY_2014,),
    notes=_NOTES,
    variants=(
        Variant(
            "breast",
            _BREAST,
            {"initial_growth_rate": _BREAST_RATE, "growth_rate_decay": _BREAST_DECAY},
            VAGHI_2020,
        ),
    ),
    checks=GOMPERTZ_CHECKS,
)
GOMPERTZ_CAPACITY = growth_law(
    name="gompertz_capacity",
    title="Gompertz growth of a mouse tumour, by its carrying capacity",
    Parameters=ByCapacity,
    rate=rate_by_capacity,
    settling=lambda p, u: p.growth_rate_decay,
    bend=lambda p: jnp.zeros_like(p.growth_rate_decay),
    references=(BENZEKRY_2014,),
    notes=_NOTES,
    variants=(
        Variant(
            "breast",
            _BREAST,
            {"carrying_capacity": _BREAST_CAPACITY, "growth_rate_decay": _BREAST_DECAY},
            VAGHI_2020,
        ),
    ),
    checks=GOMPERTZ_CHECKS,
)
