"""Growth that is exponential while the tumour is small and linear when it is large, untreated.

Simeoni et al. 2004 switch from one to the other, Koch et al. 2009 pass smoothly:

    w' = l0 w / [1 + (l0 w / l1)^20]^(1/20)        and        w' = 2 l0 l1 w / (l1 + 2 l0 w)

Koch's exponential rate is 2 l0. The sizes are weights in g; neither law has an explicit closed form.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, Stride, parameter, variable, variables
from organ_models.references import KOCH_2009, SIMEONI_2004, STROEMBERG_HOOKER
from organ_models.validation.simeoni import GROWTH_CHECKS

SWITCH = 20.0
"""psi: how sharply the growth turns from exponential to linear (Simeoni 2004)."""


@variables
class Simeoni:
    initial_weight: Array = parameter(
        0.033, "g", "w0, weight at the start", source=STROEMBERG_HOOKER, bounds=(1e-6, 1e3)
    )
    exponential_rate: Array = parameter(
        0.311, "/d", "l0, growth rate of a small tumour", source=STROEMBERG_HOOKER, bounds=(1e-6, 10)
    )
    linear_rate: Array = parameter(
        0.656, "g/d", "l1, growth of a large tumour", source=STROEMBERG_HOOKER, bounds=(1e-6, 1e3)
    )


@variables
class Koch:
    initial_weight: Array = parameter(
        0.033,
        "g",
        "w0, weight at the start",
        source=STROEMBERG_HOOKER,
        bounds=(1e-6, 1e3),
        certainty="derived",
    )
    half_exponential_rate: Array = parameter(
        0.311 / 2,
        "/d",
        "l0, half the growth rate of a small tumour; from Simeoni's exponential rate",
        source=STROEMBERG_HOOKER,
        bounds=(1e-6, 10),
        certainty="derived",
    )
    linear_rate: Array = parameter(
        0.656,
        "g/d",
        "l1, growth of a large tumour; Simeoni's linear rate",
        source=STROEMBERG_HOOKER,
        bounds=(1e-6, 1e3),
        certainty="derived",
    )


@variables
class State:
    log_weight: Array = variable("1", "ln(weight / g)")


@variables
class Inputs:
    kill_rate: Array = variable("/d", "rate at which a drug kills cells", default=0.0)


@variables
class Outputs:
    weight: Array = variable("g", "tumour weight")


def switching_rate(log_weight: Array, exponential_rate: Array, linear_rate: Array) -> Array:
    """Relative growth rate of Simeoni's law, /d, in logarithms: the power of 20 alone would overflow."""
    beyond = SWITCH * (log_weight + jnp.log(exponential_rate) - jnp.log(linear_rate))
    softened = jnp.maximum(beyond, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(beyond)))
    return exponential_rate * jnp.exp(-softened / SWITCH)


def smooth_rate(log_weight: Array, half_exponential_rate: Array, linear_rate: Array) -> Array:
    """Relative growth rate of Koch's law, /d."""
    doubled = 2.0 * half_exponential_rate
    return doubled / (1.0 + jnp.exp(log_weight + jnp.log(doubled) - jnp.log(linear_rate)))


def initial(p: Simeoni | Koch) -> State:
    return State(log_weight=jnp.log(p.initial_weight))


def observe(time: Array, x: State, p: Simeoni | Koch, u: Inputs) -> Outputs:
    return Outputs(weight=jnp.exp(x.log_weight))


def simeoni(time: Array, x: State, p: Simeoni, u: Inputs) -> State:
    """Rates per day."""
    return State(log_weight=switching_rate(x.log_weight, p.exponential_rate, p.linear_rate) - u.kill_rate)


def koch(time: Array, x: State, p: Koch, u: Inputs) -> State:
    """Rates per day."""
    return State(log_weight=smooth_rate(x.log_weight, p.half_exponential_rate, p.linear_rate) - u.kill_rate)


EXPONENTIAL_LINEAR_GROWTH = OrganModel(
    name="exponential_linear_growth",
    title="Exponential, then linear growth of a xenograft",
    version="1.0",
    clock="d",
    Parameters=Simeoni,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=simeoni,
    observe=observe,
    stride=Stride(longest=0.125),
    references=(SIMEONI_2004, STROEMBERG_HOOKER),
    notes="Human ovarian carcinoma (A2780) in mice: not a model of a patient. No spread between animals "
    "was published.",
    checks=GROWTH_CHECKS,
)
KOCH_GROWTH = OrganModel(
    name="koch_growth",
    title="Exponential growth of a xenograft that turns linear smoothly",
    version="1.0",
    clock="d",
    Parameters=Koch,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=koch,
    observe=observe,
    references=(KOCH_2009, STROEMBERG_HOOKER),
    notes="Human ovarian carcinoma (A2780) in mice, with the rates of another law that has the same "
    "limits: not fitted to data, and not a model of a patient.",
)
