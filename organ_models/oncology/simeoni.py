"""Tumour growth inhibition of xenografts under an anticancer drug (Simeoni et al. 2004).

Cycling cells x1 grow exponentially, then linearly; a drug damages them at the rate k2 c, and damaged cells
pass three stages of decay (x2, x3, x4) at the rate k1 before they are gone:

    x1' = l0 x1 / [1 + (l0 w / l1)^20]^(1/20) - k2 c x1,    x2' = k2 c x1 - k1 x2,    x3' = k1 (x2 - x3), ...

The weight w is the sum of all. At the concentration l0 / k2 a small tumour neither grows nor shrinks in the
long run.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, Stride, parameter, variable, variables
from organ_models.oncology.exponential_linear import switching_rate
from organ_models.references import SIMEONI_2004, STROEMBERG_HOOKER
from organ_models.validation.simeoni import COMPOUNDS, TREATED_CHECKS, TREATED_SCENARIOS


@variables
class Parameters:
    initial_weight: Array = parameter(
        0.033, "g", "w0, weight at the start", source=STROEMBERG_HOOKER, bounds=(1e-6, 1e3)
    )
    exponential_rate: Array = parameter(
        0.311, "/d", "l0, growth rate of a small tumour", source=STROEMBERG_HOOKER, bounds=(1e-6, 10)
    )
    linear_rate: Array = parameter(
        0.656, "g/d", "l1, growth of a large tumour", source=STROEMBERG_HOOKER, bounds=(1e-6, 1e3)
    )
    decay_rate: Array = parameter(
        0.968, "/d", "k1, passage of damaged cells", source=STROEMBERG_HOOKER, bounds=(1e-6, 100)
    )
    potency: Array = parameter(
        6.29e-4, "mL/(ng.d)", "k2, damage per concentration", source=STROEMBERG_HOOKER, bounds=(1e-12, 1e3)
    )


@variables
class State:
    log_cycling: Array = variable("1", "ln(weight of cycling cells / g)")
    damaged: Array = variable("g", "damaged cells, first stage")
    damaged_further: Array = variable("g", "damaged cells, second stage")
    dying: Array = variable("g", "damaged cells, last stage")


@variables
class Inputs:
    concentration: Array = variable("ng/mL", "plasma concentration of the drug", default=0.0)


@variables
class Outputs:
    weight: Array = variable("g", "tumour weight")
    threshold_concentration: Array = variable("ng/mL", "concentration that ends the growth of a small tumour")


def _weight(x: State) -> Array:
    return jnp.exp(x.log_cycling) + x.damaged + x.damaged_further + x.dying


def initial(p: Parameters) -> State:
    none = jnp.zeros_like(p.initial_weight)
    return State(log_cycling=jnp.log(p.initial_weight), damaged=none, damaged_further=none, dying=none)


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    damage = p.potency * u.concentration
    growth = switching_rate(jnp.log(_weight(x)), p.exponential_rate, p.linear_rate)
    return State(
        log_cycling=growth - damage,
        damaged=damage * jnp.exp(x.log_cycling) - p.decay_rate * x.damaged,
        damaged_further=p.decay_rate * (x.damaged - x.damaged_further),
        dying=p.decay_rate * (x.damaged_further - x.dying),
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(weight=_weight(x), threshold_concentration=p.exponential_rate / p.potency)


SIMEONI = OrganModel(
    name="simeoni_xenograft",
    title="Xenograft under an anticancer drug",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    stride=Stride(longest=0.125),
    references=(SIMEONI_2004, STROEMBERG_HOOKER),
    notes="Human tumours in mice (default: A2780 ovarian carcinoma under paclitaxel): not a model of a "
    "patient. The parameters describe a mean growth curve; no spread between animals was published.",
    variants=COMPOUNDS,
    scenarios=TREATED_SCENARIOS,
    checks=TREATED_CHECKS,
)
