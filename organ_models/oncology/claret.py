"""Tumour growth inhibition whose effect wears off (Claret et al.), in lung cancer of MONET1.

    y' = KL y - KDE exp(-lambda t) y,        y = y0 exp{KL t - (KDE / lambda) [1 - exp(-lambda t)]}

with t from the start of treatment (Claret et al. 2014, motesanib or placebo with carboplatin and
paclitaxel). The
printed table of that paper exchanges the values of KDE and lambda: as printed, a typical tumour would start
to grow after 281 days, where the medians of the two arms are 93 and 125; as used here, after 117.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.growth import relative_exponential
from organ_models.references import CLARET_2014
from organ_models.validation.claret import SIZE_CHECKS
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_sum_of_diameters: Array = parameter(
        90.0,
        "mm",
        "BASE, sum of longest diameters at the start",
        source=CLARET_2014,
        bounds=(1, 5000),
        omega2=0.683**2,
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(0.00107, "/d", "KL", source=CLARET_2014, bounds=(1e-12, 5), omega2=1.18**2)
    kill_rate: Array = parameter(
        0.0103,
        "/d",
        "KDE, shrinkage at the start of treatment; the printed table exchanges it with lambda",
        source=CLARET_2014,
        bounds=(1e-12, 5),
        omega2=0.679**2,
    )
    resistance_rate: Array = parameter(
        0.0193,
        "/d",
        "lambda, loss of effect; the printed table exchanges it with KDE",
        source=CLARET_2014,
        bounds=(0, 5),
        omega2=0.797**2,
    )


@variables
class State:
    log_size: Array = variable("1", "ln(sum of longest diameters / mm)")
    log_effect: Array = variable("1", "ln of the effect that resistance has left")


@variables
class Inputs:
    treatment: Array = variable("1", "1 on the treatment that was studied; 0 off it", default=1.0)


@variables
class Outputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    time_to_growth: Array = variable(
        "d", "TTG of uninterrupted treatment; negative for a tumour that never shrinks"
    )
    smallest_sum_of_diameters: Array = variable("mm", "sum of longest diameters at TTG")


def time_to_growth(growth: Array, kill: Array, resistance: Array) -> Array:
    """When the size is smallest, ln(KDE / KL) / lambda, under constant treatment from day 0."""
    return (jnp.log(kill) - jnp.log(growth)) / resistance


def worn_off(elapsed: Array, rate: Array) -> Array:
    """Integral of ``exp(-rate t)`` over some time, smooth where the rate is zero."""
    return elapsed * relative_exponential(-rate * elapsed)


def initial(p: Parameters) -> State:
    return State(
        log_size=jnp.log(p.baseline_sum_of_diameters),
        log_effect=jnp.zeros_like(p.baseline_sum_of_diameters),
    )


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    return State(
        log_size=p.growth_rate - p.kill_rate * u.treatment * jnp.exp(x.log_effect),
        log_effect=-p.resistance_rate + jnp.zeros_like(x.log_effect),
    )


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    killed = p.kill_rate * u.treatment * jnp.exp(x.log_effect) * worn_off(elapsed, p.resistance_rate)
    return State(
        log_size=x.log_size + p.growth_rate * elapsed - killed,
        log_effect=x.log_effect - p.resistance_rate * elapsed,
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    until = time_to_growth(p.growth_rate, p.kill_rate, p.resistance_rate)
    killed = p.kill_rate * worn_off(until, p.resistance_rate)
    return Outputs(
        sum_of_diameters=jnp.exp(x.log_size),
        time_to_growth=until,
        smallest_sum_of_diameters=p.baseline_sum_of_diameters * jnp.exp(p.growth_rate * until - killed),
    )


CLARET_MONET1 = OrganModel(
    name="claret_monet1",
    title="Non-small-cell lung cancer under first-line chemotherapy with or without motesanib",
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
    residuals=(Residual("sum_of_diameters", CLARET_2014, additive=7.849),),
    references=(CLARET_2014,),
    notes="One effect for both arms: the model does not tell motesanib from placebo. Resistance counts "
    "from day 0 whether treated or not. Target lesions only: no new lesions, so progression is "
    "underestimated.",
    checks=SIZE_CHECKS,
)
