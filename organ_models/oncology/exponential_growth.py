"""Exponential growth: V' = a V, V(t) = V(0) exp(a t)."""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, parameter, variables
from organ_models.oncology.growth import Inputs, growth_law
from organ_models.references import BENZEKRY_2014, MOUSE_GROWTH_FITS


@variables
class Parameters:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e6)
    )
    growth_rate: Array = parameter(
        0.37503,
        "/d",
        "a; median of 10 mice with Lewis lung carcinoma",
        source=MOUSE_GROWTH_FITS,
        bounds=(0, 10),
        certainty="derived",
    )


def rate(log_volume: Array, p: Parameters, u: Inputs) -> Array:
    return p.growth_rate - u.kill_rate + jnp.zeros_like(log_volume)


EXPONENTIAL_GROWTH = growth_law(
    name="exponential_growth",
    title="Exponential growth of a mouse tumour",
    Parameters=Parameters,
    rate=rate,
    settling=lambda p, u: jnp.zeros_like(p.growth_rate),
    bend=lambda p: jnp.zeros_like(p.growth_rate),
    references=(BENZEKRY_2014, MOUSE_GROWTH_FITS),
    notes="Mouse tumours, not patients. Of the laws compared it describes Lewis lung carcinoma worst. No "
    "spread between animals is declared: none was published in a form that was read.",
)
