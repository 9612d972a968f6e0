"""Tumour size in lung cancer under pembrolizumab (Chatterjee et al. 2016, KEYNOTE-001).

A fraction f of the tumour is sensitive and shrinks from the first dose on, the rest grows:

    y = B [(1 - f) exp(kg t) + f exp(-kd max(0, t - delay))]

kd depends on PD-L1 and, weakly, on exposure, f on the status of EGFR. ``t`` counts from the baseline scan.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.biexponential import NO_PLATEAU, gsf_time_to_growth
from organ_models.references import CHATTERJEE_2016
from organ_models.validation.chatterjee import GROUPS, SIZE_CHECKS
from organ_models.variability import Residual

TYPICAL_EXPOSURE = 7079.0
"""Area under the curve of six weeks at steady state to which kd is related, mg.d/L."""


@variables
class Parameters:
    baseline_sum_of_diameters: Array = parameter(
        91.7,
        "mm",
        "B, sum of longest diameters at the baseline scan; median",
        source=CHATTERJEE_2016,
        bounds=(1, 5000),
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(
        0.00114, "/d", "kg of the resistant part", source=CHATTERJEE_2016, bounds=(1e-12, 5), omega2=1.21
    )
    kill_rate: Array = parameter(
        0.00265,
        "/d",
        "kd of the sensitive part, at PD-L1 of 1 to 49 % and the typical exposure",
        source=CHATTERJEE_2016,
        bounds=(1e-12, 5),
        omega2=1.26,
    )
    sensitive_fraction: Array = parameter(
        0.574,
        "1",
        "f, sensitive part of a tumour with wild-type EGFR",
        source=CHATTERJEE_2016,
        bounds=(0, 1),
        omega2=2.79,
        effect="logit-normal",
    )
    delay: Array = parameter(
        0.0,
        "d",
        "from the baseline scan to the first dose; the patient's own",
        source=CHATTERJEE_2016,
        bounds=(0, 365),
        certainty="assumption",
    )
    pd_l1: Array = parameter(
        25.0,
        "%",
        "share of tumour cells with PD-L1; all of 1 to 49 % is the reference",
        source=CHATTERJEE_2016,
        bounds=(0, 100),
        certainty="assumption",
    )
    pd_l1_known: Array = parameter(
        1.0,
        "1",
        "1 if PD-L1 is known, 0 if not",
        source=CHATTERJEE_2016,
        bounds=(0, 1),
        certainty="assumption",
    )
    strong_pd_l1_factor: Array = parameter(
        2.74, "1", "factor of kd for PD-L1 of 50 % and more", source=CHATTERJEE_2016, bounds=(0, 100)
    )
    absent_pd_l1_factor: Array = parameter(
        0.623, "1", "factor of kd for PD-L1 below 1 %", source=CHATTERJEE_2016, bounds=(0, 100)
    )
    unknown_pd_l1_factor: Array = parameter(
        1.268, "1", "factor of kd for unknown PD-L1", source=CHATTERJEE_2016, bounds=(0, 100)
    )
    exposure_exponent: Array = parameter(
        0.196,
        "1",
        "exponent of exposure on kd; not significant (P = 0.54)",
        source=CHATTERJEE_2016,
        bounds=(-5, 5),
    )
    egfr_mutated: Array = parameter(
        0.0, "1", "1 if EGFR is mutated", source=CHATTERJEE_2016, bounds=(0, 1), certainty="assumption"
    )
    egfr_known: Array = parameter(
        1.0,
        "1",
        "1 if EGFR is known, 0 if not",
        source=CHATTERJEE_2016,
        bounds=(0, 1),
        certainty="assumption",
    )
    mutated_egfr_effect: Array = parameter(
        -1.81, "1", "shift of logit f by mutated EGFR", source=CHATTERJEE_2016, bounds=(-20, 20)
    )
    unknown_egfr_effect: Array = parameter(
        1.66, "1", "shift of logit f by unknown EGFR", source=CHATTERJEE_2016, bounds=(-20, 20)
    )


@variables
class State:
    log_resistant: Array = variable("1", "ln of the resistant part over the baseline")
    log_sensitive: Array = variable("1", "ln of the sensitive part over the baseline")
    elapsed: Array = variable("d", "time from the baseline scan")


@variables
class Inputs:
    exposure: Array = variable(
        "mg.d/L",
        "area under the curve of six weeks at steady state; not the area so far, which has the same unit",
        default=TYPICAL_EXPOSURE,
        meaning="area under pembrolizumab in serum over six weeks",
    )


@variables
class Outputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    time_to_growth: Array = variable("d", "from the first dose to the smallest size, at the typical exposure")


def _fraction(p: Parameters) -> Array:
    shift = jnp.where(p.egfr_known > 0.5, p.mutated_egfr_effect * p.egfr_mutated, p.unknown_egfr_effect)
    odds = p.sensitive_fraction / (1.0 - p.sensitive_fraction) * jnp.exp(shift)
    return odds / (1.0 + odds)


def _kill(p: Parameters) -> Array:
    weak = jnp.where(p.pd_l1 < 1.0, p.absent_pd_l1_factor, 1.0)
    known = jnp.where(p.pd_l1 >= 50.0, p.strong_pd_l1_factor, weak)
    return p.kill_rate * jnp.where(p.pd_l1_known > 0.5, known, p.unknown_pd_l1_factor)


def _exposed(p: Parameters, u: Inputs) -> Array:
    return (u.exposure / TYPICAL_EXPOSURE) ** p.exposure_exponent


def initial(p: Parameters) -> State:
    return State(
        log_resistant=jnp.log1p(-_fraction(p)),
        log_sensitive=jnp.log(_fraction(p)),
        elapsed=jnp.zeros_like(p.delay),
    )


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    treated = jnp.where(x.elapsed >= p.delay, 1.0, 0.0)
    return State(
        log_resistant=p.growth_rate + jnp.zeros_like(x.log_resistant),
        log_sensitive=-_kill(p) * _exposed(p, u) * treated,
        elapsed=jnp.ones_like(x.elapsed),
    )


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    now = x.elapsed + elapsed
    treated = jnp.maximum(now - p.delay, 0.0) - jnp.maximum(x.elapsed - p.delay, 0.0)
    return State(
        log_resistant=x.log_resistant + p.growth_rate * elapsed,
        log_sensitive=x.log_sensitive - _kill(p) * _exposed(p, u) * treated,
        elapsed=now,
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    relative = jnp.exp(x.log_resistant) + jnp.exp(x.log_sensitive)
    return Outputs(
        sum_of_diameters=p.baseline_sum_of_diameters * relative,
        time_to_growth=gsf_time_to_growth(p.growth_rate, _kill(p), _fraction(p)),
    )


CHATTERJEE_LUNG_CANCER = OrganModel(
    name="chatterjee_lung_cancer",
    title="Non-small-cell lung cancer under pembrolizumab",
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
    covariances={
        ("growth_rate", "kill_rate"): -0.33,
        ("growth_rate", "sensitive_fraction"): -0.814,
        ("kill_rate", "sensitive_fraction"): 0.631,
    },
    residuals=(Residual("sum_of_diameters", CHATTERJEE_2016, logarithmic=0.0274**0.5),),
    references=(CHATTERJEE_2016,),
    notes=NO_PLATEAU
    + " The effect of exposure was not significant. The effects of unknown PD-L1 and unknown EGFR "
    "describe missing data of one study.",
    variants=GROUPS,
    checks=SIZE_CHECKS,
)
