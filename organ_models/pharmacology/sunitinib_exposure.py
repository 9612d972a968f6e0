"""Sunitinib exposure as the published GIST models use it: daily area under the curve = dose / clearance.

Hansson et al. (2013) drive tumour, biomarkers and blood pressure with the area under the total-drug
curve of one day, from the individual clearance. Their clearance (34.5 L/h) belongs to that link; the
35.7 L/h of Yu et al. (2015) belongs to a concentration output and must not be mixed in. The spread
between patients, 33.9 % CV, is the one that Yu et al. report; it is used with this link.
"""

from __future__ import annotations

import math

from organ_models.model import Array, NoFields, OrganModel, parameter, variable, variables
from organ_models.references import HANSSON_2013, YU_2015
from organ_models.validation.sunitinib import EXPOSURE_CHECKS, scenarios


@variables
class Parameters:
    clearance: Array = parameter(
        34.5,
        "L/h",
        "apparent oral clearance; its spread, 33.9 % CV, is that of Yu 2015",
        source=HANSSON_2013,
        bounds=(1, 1000),
        omega2=math.log1p(0.339**2),
    )


@variables
class Inputs:
    daily_dose: Array = variable("mg/d", "sunitinib taken a day", default=0.0)


@variables
class Outputs:
    daily_exposure: Array = variable(
        "mg.h/L",
        "area under the concentration curve over one day",
        meaning="area under sunitinib in plasma over one day",
    )


def initial(p: Parameters) -> NoFields:
    return NoFields()


def derivative(time: Array, x: NoFields, p: Parameters, u: Inputs) -> NoFields:
    return NoFields()


def observe(time: Array, x: NoFields, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(daily_exposure=u.daily_dose / p.clearance)


SUNITINIB_EXPOSURE = OrganModel(
    name="sunitinib_exposure",
    title="Sunitinib daily exposure",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=NoFields,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    references=(HANSSON_2013, YU_2015),
    notes="Exposure follows the dose of the day; accumulation over the first days is not represented.",
    scenarios=scenarios("daily_dose", 50.0),
    checks=EXPOSURE_CHECKS,
)
