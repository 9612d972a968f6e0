"""Metastatic breast cancer under capecitabine and docetaxel (Bruno et al. 2012).

A dose enters a virtual compartment that empties at the rate KP; what leaves it kills, less and less from the
first dose on:

    A' = -KP A (doses in mg),        IR = KP A
    y' = y [KL - KD_doc IR_doc exp(-l_doc t) - KD_cap IR_cap exp(-l_cap t)]

with IR of capecitabine in g/wk and t from the first dose of either. There are no pharmacokinetics.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.claret import worn_off
from organ_models.references import BRUNO_2012
from organ_models.validation.bruno import REGIMENS, SIZE_CHECKS
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_sum_of_diameters: Array = parameter(
        75.0,
        "mm",
        "y(0), sum of longest diameters at the start; that of the published simulations",
        source=BRUNO_2012,
        bounds=(1, 5000),
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(
        0.00437, "/wk", "KL", source=BRUNO_2012, bounds=(0, 5), working_unit="/d", omega2=1.60
    )
    docetaxel_kill: Array = parameter(
        0.00128,
        "/mg",
        "KD of docetaxel, per mg that leaves its compartment",
        source=BRUNO_2012,
        bounds=(0, 10),
        omega2=1.31,
    )
    capecitabine_kill: Array = parameter(
        0.00470,
        "/g",
        "KD of capecitabine, per g that leaves its compartment",
        source=BRUNO_2012,
        bounds=(0, 100),
        working_unit="/mg",
        omega2=1.30,
    )
    docetaxel_resistance: Array = parameter(
        0.0450,
        "/wk",
        "l_doc, loss of effect of docetaxel",
        source=BRUNO_2012,
        bounds=(0, 50),
        working_unit="/d",
    )
    capecitabine_resistance: Array = parameter(
        0.240,
        "/wk",
        "l_cap, loss of effect of capecitabine",
        source=BRUNO_2012,
        bounds=(0, 50),
        working_unit="/d",
    )
    docetaxel_elimination: Array = parameter(
        0.1, "/wk", "KP of docetaxel; fixed", source=BRUNO_2012, bounds=(1e-6, 100), working_unit="/d"
    )
    capecitabine_elimination: Array = parameter(
        3.0, "/wk", "KP of capecitabine; fixed", source=BRUNO_2012, bounds=(1e-6, 100), working_unit="/d"
    )


@variables
class State:
    log_size: Array = variable("1", "ln(sum of longest diameters / mm)")
    docetaxel: Array = variable("mg", "docetaxel in its virtual compartment")
    capecitabine: Array = variable("mg", "capecitabine in its virtual compartment")
    since_first_dose: Array = variable("d", "time from the first dose of either")
    started: Array = variable("1", "1 from the first dose of either on")


@variables
class Events:
    docetaxel_dose: Array = variable("mg", "dose of docetaxel", default=0.0)
    capecitabine_dose: Array = variable("mg", "dose of capecitabine", default=0.0)


@variables
class Inputs:
    """The doses are events."""


@variables
class Outputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    relative_change: Array = variable("1", "relative change of the sum from the start")


def initial(p: Parameters) -> State:
    none = jnp.zeros_like(p.baseline_sum_of_diameters)
    return State(
        log_size=jnp.log(p.baseline_sum_of_diameters),
        docetaxel=none,
        capecitabine=none,
        since_first_dose=none,
        started=none,
    )


def jump(x: State, event: Events, p: Parameters) -> State:
    given = event.docetaxel_dose + event.capecitabine_dose
    return State(
        log_size=x.log_size,
        docetaxel=x.docetaxel + event.docetaxel_dose,
        capecitabine=x.capecitabine + event.capecitabine_dose,
        since_first_dose=x.since_first_dose,
        started=jnp.where(given > 0.0, 1.0, x.started),
    )


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    leaving_docetaxel = p.docetaxel_elimination * x.docetaxel
    leaving_capecitabine = p.capecitabine_elimination * x.capecitabine
    killed = p.docetaxel_kill * leaving_docetaxel * jnp.exp(-p.docetaxel_resistance * x.since_first_dose)
    killed = killed + p.capecitabine_kill * leaving_capecitabine * jnp.exp(
        -p.capecitabine_resistance * x.since_first_dose
    )
    return State(
        log_size=p.growth_rate - killed,
        docetaxel=-leaving_docetaxel,
        capecitabine=-leaving_capecitabine,
        since_first_dose=x.started,
        started=jnp.zeros_like(x.started),
    )


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    def killed(amount: Array, kill: Array, elimination: Array, resistance: Array) -> Array:
        # before the first dose there is no amount, so that resistance may count as if it had begun
        left = jnp.exp(-resistance * x.since_first_dose)
        return kill * elimination * amount * left * worn_off(elapsed, elimination + resistance)

    gone = killed(x.docetaxel, p.docetaxel_kill, p.docetaxel_elimination, p.docetaxel_resistance)
    gone = gone + killed(
        x.capecitabine, p.capecitabine_kill, p.capecitabine_elimination, p.capecitabine_resistance
    )
    return State(
        log_size=x.log_size + p.growth_rate * elapsed - gone,
        docetaxel=x.docetaxel * jnp.exp(-p.docetaxel_elimination * elapsed),
        capecitabine=x.capecitabine * jnp.exp(-p.capecitabine_elimination * elapsed),
        since_first_dose=x.since_first_dose + x.started * elapsed,
        started=x.started,
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(
        sum_of_diameters=jnp.exp(x.log_size),
        relative_change=jnp.expm1(x.log_size - jnp.log(p.baseline_sum_of_diameters)),
    )


BRUNO_BREAST_CANCER = OrganModel(
    name="bruno_breast_cancer",
    title="Metastatic breast cancer under capecitabine and docetaxel",
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
    residuals=(
        Residual("sum_of_diameters", BRUNO_2012, additive=112.0**0.5, study="NO16853 (RECIST)"),
        Residual("sum_of_diameters", BRUNO_2012, additive=332.0**0.5, study="SO14999 (WHO criteria)"),
    ),
    references=(BRUNO_2012,),
    notes="Doses are in mg: a dose per body surface has to be multiplied by it. The two drugs act "
    "independently. Target lesions only: no new lesions, so progression is underestimated.",
    scenarios=REGIMENS,
    checks=SIZE_CHECKS,
)
