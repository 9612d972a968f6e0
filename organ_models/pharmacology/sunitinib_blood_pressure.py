"""Diastolic blood pressure under sunitinib (Hansson et al. 2013, adverse effects).

An indirect response: exposure raises the production of pressure linearly,
``BP' = BP0/MRT (1 + SLP AUC) - BP/MRT``, written here for the ratio ``BP/BP0``. The patient's own
diastolic pressure is BP0; the slope is correlated with it (-0.65) and is drawn given it.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.ctcae import hypertension_grade
from organ_models.references import CTCAE_5, HANSSON_2013_ADVERSE
from organ_models.validation.sunitinib import EXPOSURE, PRESSURE_CHECKS, scenarios


@variables
class Parameters:
    baseline_diastolic_pressure: Array = parameter(
        71.8,
        "mm[Hg]",
        "BP0, the patient's diastolic pressure off drug",
        source=HANSSON_2013_ADVERSE,
        bounds=(20, 200),
        omega2=0.0151,
        quantity="diastolic_blood_pressure",
    )
    exposure_slope: Array = parameter(
        0.119,
        "L/(mg.h)",
        "SLP, relative rise of the production of pressure per exposure",
        source=HANSSON_2013_ADVERSE,
        bounds=(0, 20),
        omega2=0.416,
    )
    mean_residence_time: Array = parameter(
        361.0,
        "h",
        "MRT, time constant of the response",
        source=HANSSON_2013_ADVERSE,
        bounds=(1, 1e5),
        working_unit="d",
        omega2=0.694,
    )


@variables
class State:
    diastolic_pressure_ratio: Array = variable("1", "diastolic pressure over BP0")


@variables
class Inputs:
    daily_exposure: Array = variable(
        "mg.h/L",
        "area under the concentration curve over one day",
        default=0.0,
        meaning="area under sunitinib in plasma over one day",
    )


@variables
class Outputs:
    diastolic_pressure: Array = variable("mm[Hg]", "diastolic pressure that the drug model asks for")
    diastolic_pressure_ratio: Array = variable("1", "diastolic pressure over BP0")
    hypertension_grade: Array = variable("1", "CTCAE 5.0 grade by the diastolic pressure alone, 0 to 3")


def initial(p: Parameters) -> State:
    return State(diastolic_pressure_ratio=jnp.ones_like(p.baseline_diastolic_pressure))


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    target = 1.0 + p.exposure_slope * u.daily_exposure
    return State(diastolic_pressure_ratio=(target - x.diastolic_pressure_ratio) / p.mean_residence_time)


def solution(elapsed: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Exponential approach to ``1 + SLP AUC`` while exposure is constant."""
    target = 1.0 + p.exposure_slope * u.daily_exposure
    decay = jnp.exp(-elapsed / p.mean_residence_time)
    return State(diastolic_pressure_ratio=target + (x.diastolic_pressure_ratio - target) * decay)


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    diastolic = p.baseline_diastolic_pressure * x.diastolic_pressure_ratio
    return Outputs(
        diastolic_pressure=diastolic,
        diastolic_pressure_ratio=x.diastolic_pressure_ratio,
        hypertension_grade=hypertension_grade(diastolic=diastolic),
    )


SUNITINIB_BLOOD_PRESSURE = OrganModel(
    name="sunitinib_blood_pressure",
    title="Diastolic blood pressure under sunitinib",
    version="1.1",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    solution=solution,
    observe=observe,
    covariances={("baseline_diastolic_pressure", "exposure_slope"): -0.0515},
    references=(HANSSON_2013_ADVERSE, CTCAE_5),
    notes="No antihypertensive rescue and no dose reduction for hypertension.",
    scenarios=scenarios("daily_exposure", EXPOSURE),
    checks=PRESSURE_CHECKS,
)
