"""Growth as a power of the volume, without and with loss (von Bertalanffy).

    V' = a V^g        and        V' = a V^g - b V        (classic: g = 2/3)

The volume is in mm3, so that a is the relative growth rate at 1 mm3. As g -> 1 they are exponential, with the
rates a and a - b.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, parameter, variables
from organ_models.oncology.growth import Inputs, growth_law
from organ_models.references import BENZEKRY_2014, MOUSE_GROWTH_FITS
from organ_models.validation.growth_laws import (
    BERTALANFFY_CHECKS,
    BERTALANFFY_SCENARIOS,
    POWER_LAW_CHECKS,
    POWER_LAW_SCENARIOS,
)


@variables
class PowerLaw:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e6)
    )
    growth_rate: Array = parameter(
        1.00179,
        "/d",
        "a, relative growth rate at 1 mm3; median of 10 mice with Lewis lung carcinoma",
        source=MOUSE_GROWTH_FITS,
        bounds=(0, 100),
        certainty="derived",
    )
    exponent: Array = parameter(
        0.80271,
        "1",
        "g; median of 10 mice with Lewis lung carcinoma",
        source=MOUSE_GROWTH_FITS,
        bounds=(0, 1),
        certainty="derived",
    )


@variables
class Bertalanffy:
    initial_volume: Array = parameter(
        1.0, "mm3", "V(0), about a million injected cells", source=BENZEKRY_2014, bounds=(1e-6, 1e6)
    )
    growth_rate: Array = parameter(
        1.96564,
        "/d",
        "a, relative growth rate at 1 mm3; median of 10 mice with Lewis lung carcinoma, given g",
        source=MOUSE_GROWTH_FITS,
        bounds=(0, 1000),
        certainty="derived",
    )
    loss_rate: Array = parameter(
        1.14697,
        "/d",
        "b; median of 10 mice with Lewis lung carcinoma, given g",
        source=MOUSE_GROWTH_FITS,
        bounds=(0, 1000),
        certainty="derived",
    )
    exponent: Array = parameter(0.947, "1", "g; median", source=BENZEKRY_2014, bounds=(0, 1))


def power_rate(log_volume: Array, p: PowerLaw, u: Inputs) -> Array:
    return p.growth_rate * jnp.exp(-(1.0 - p.exponent) * log_volume) - u.kill_rate


def bertalanffy_rate(log_volume: Array, p: Bertalanffy, u: Inputs) -> Array:
    return p.growth_rate * jnp.exp(-(1.0 - p.exponent) * log_volume) - p.loss_rate - u.kill_rate


POWER_LAW_GROWTH = growth_law(
    name="power_law_growth",
    title="Growth of a mouse tumour as a power of its volume",
    Parameters=PowerLaw,
    rate=power_rate,
    settling=lambda p, u: (1.0 - p.exponent) * u.kill_rate,
    bend=lambda p: 1.0 - p.exponent,
    references=(BENZEKRY_2014, MOUSE_GROWTH_FITS),
    notes="Lewis lung carcinoma in mice: not a model of a patient. The published medians were not "
    "confirmed; the parameters are fits to half of the published animals, without a spread between them.",
    scenarios=POWER_LAW_SCENARIOS,
    checks=POWER_LAW_CHECKS,
)
VON_BERTALANFFY_GROWTH = growth_law(
    name="von_bertalanffy_growth",
    title="Von Bertalanffy growth of a mouse tumour",
    Parameters=Bertalanffy,
    rate=bertalanffy_rate,
    settling=lambda p, u: (1.0 - p.exponent) * (p.loss_rate + u.kill_rate),
    bend=lambda p: 1.0 - p.exponent,
    references=(BENZEKRY_2014, MOUSE_GROWTH_FITS),
    notes="Lewis lung carcinoma in mice: not a model of a patient. The published median loss (6.75/d) has "
    "a very large spread and does not go with the other medians; a and b are fits to half of the published "
    "animals, given the published g. No spread between animals is declared.",
    scenarios=BERTALANFFY_SCENARIOS,
    checks=BERTALANFFY_CHECKS,
)
