"""Sensitive and resistant cells of prostate cancer that compete under abiraterone (Zhang, Cunningham et al.).

    S' = rS S [1 - (S + R) / (K - (K - K_on) u)],        R' = rR R [1 - (a S + R) / K],        PSA ~ S + R

u is 1 on the drug and 0 off it: the drug takes away the place of sensitive cells, which hold down the
resistant ones while they are there. The published program advances one day by a Runge-Kutta step of 1/6:
what it computed with rS = 0.1248 and rR = 0.0728 is what the equations give with a sixth of both, which are
the rates per day here.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.references import CUNNINGHAM_FITS, ZHANG_2022


@variables
class Parameters:
    sensitive_cells: Array = parameter(
        2158.32, "1", "S(0), of patient P1001", source=CUNNINGHAM_FITS, bounds=(1e-6, 1e4)
    )
    resistant_cells: Array = parameter(
        52.35, "1", "R(0), of patient P1001", source=CUNNINGHAM_FITS, bounds=(1e-6, 1e4)
    )
    sensitive_growth_rate: Array = parameter(
        8 * 0.0156 / 6, "/d", "rS, per day of the published program", source=ZHANG_2022, bounds=(0, 10)
    )
    resistant_growth_rate: Array = parameter(
        8 * 0.0091 / 6, "/d", "rR, per day of the published program", source=ZHANG_2022, bounds=(0, 10)
    )
    competition: Array = parameter(
        6.0,
        "1",
        "a, by how much a sensitive cell holds down resistant ones",
        source=ZHANG_2022,
        bounds=(0, 1000),
    )
    carrying_capacity: Array = parameter(10000.0, "1", "K, off the drug", source=ZHANG_2022, bounds=(1, 1e9))
    treated_capacity: Array = parameter(
        500.0, "1", "K_on, capacity of sensitive cells on the drug", source=ZHANG_2022, bounds=(1e-3, 1e9)
    )
    antigen_at_capacity: Array = parameter(
        1.0,
        "ng/mL",
        "prostate-specific antigen of a full tumour; 1: it is told relative to the patient's largest",
        source=ZHANG_2022,
        bounds=(1e-6, 1e6),
        certainty="assumption",
    )


@variables
class State:
    log_sensitive: Array = variable("1", "ln S")
    log_resistant: Array = variable("1", "ln R")


@variables
class Inputs:
    abiraterone: Array = variable("1", "1 on abiraterone, 0 off it; held within 0 and 1", default=0.0)


@variables
class Outputs:
    antigen: Array = variable("ng/mL", "prostate-specific antigen", quantity="prostate_specific_antigen")
    relative_antigen: Array = variable("1", "(S + R) / K")
    sensitive_cells: Array = variable("1", "S")
    resistant_cells: Array = variable("1", "R")


def initial(p: Parameters) -> State:
    return State(log_sensitive=jnp.log(p.sensitive_cells), log_resistant=jnp.log(p.resistant_cells))


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day."""
    on = jnp.minimum(jnp.maximum(u.abiraterone, 0.0), 1.0)
    sensitive, resistant = jnp.exp(x.log_sensitive), jnp.exp(x.log_resistant)
    place = p.carrying_capacity - (p.carrying_capacity - p.treated_capacity) * on
    crowded = (p.competition * sensitive + resistant) / p.carrying_capacity
    return State(
        log_sensitive=p.sensitive_growth_rate * (1.0 - (sensitive + resistant) / place),
        log_resistant=p.resistant_growth_rate * (1.0 - crowded),
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    sensitive, resistant = jnp.exp(x.log_sensitive), jnp.exp(x.log_resistant)
    relative = (sensitive + resistant) / p.carrying_capacity
    return Outputs(
        antigen=p.antigen_at_capacity * relative,
        relative_antigen=relative,
        sensitive_cells=sensitive,
        resistant_cells=resistant,
    )


ABIRATERONE_COMPETITION = OrganModel(
    name="abiraterone_competition",
    title="Prostate cancer of sensitive and resistant cells under abiraterone",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    references=(ZHANG_2022, CUNNINGHAM_FITS),
    notes="The start is that of one patient: rates and competition are the same for all, S(0) and R(0) "
    "were fitted to each, and not every patient is well described. No distribution over patients was "
    "published.",
)
