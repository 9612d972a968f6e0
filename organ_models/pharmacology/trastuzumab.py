"""Trastuzumab in serum: two compartments with patient factors (Bruno et al. 2005). Rates are per day.

The model of the ejection fraction under trastuzumab was estimated with this typical profile as its input,
without individual effects: none is declared here.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.intravenous import Disposition, Intravenous, TwoCompartments
from organ_models.pharmacology.ports import Bolus, Infusion
from organ_models.references import BRUNO_2005

_REFERENCE_DOMAIN, _MOST_DOMAIN = 8.23, 200.0
"""Shed extracellular domain of HER2, ng/mL: the typical patient's, and where its effect ends."""


@variables
class Parameters:
    clearance: Array = parameter(0.225, "L/d", "CL", source=BRUNO_2005, bounds=(1e-3, 50))
    central_volume: Array = parameter(2.95, "L", "V", source=BRUNO_2005, bounds=(0.1, 100))
    exchange: Array = parameter(
        0.4838, "L/d", "Q, from the published rate 0.164 /d out of V", source=BRUNO_2005, bounds=(0, 100)
    )
    peripheral_volume: Array = parameter(
        4.790, "L", "Vp, from the published rate 0.101 /d back into V", source=BRUNO_2005, bounds=(0.1, 100)
    )
    body_weight: Array = parameter(
        70.0, "kg", "of the reference patient", source=BRUNO_2005, bounds=(10, 400), quantity="body_weight"
    )
    extracellular_domain: Array = parameter(
        _REFERENCE_DOMAIN, "ng/mL", "shed domain of HER2 in serum", source=BRUNO_2005, bounds=(0.1, 1e5)
    )
    four_metastatic_sites: Array = parameter(
        0.0,
        "1",
        "1 for four or more metastatic sites",
        source=BRUNO_2005,
        bounds=(0, 1),
        certainty="assumption",
    )
    domain_on_clearance: Array = parameter(0.041, "1", "exponent on CL", source=BRUNO_2005, bounds=(-3, 3))
    sites_on_clearance: Array = parameter(0.221, "1", "relative change", source=BRUNO_2005, bounds=(-1, 1))
    weight_on_volume: Array = parameter(0.556, "1", "exponent on V", source=BRUNO_2005, bounds=(-3, 3))
    domain_on_volume: Array = parameter(0.105, "1", "exponent on V", source=BRUNO_2005, bounds=(-3, 3))


@variables
class Outputs:
    concentration: Array = variable("mg/L", "trastuzumab in serum", meaning="trastuzumab in serum")
    cumulative_exposure: Array = variable(
        "mg.d/L",
        "area under the concentration curve so far",
        meaning="area under trastuzumab in serum so far",
    )


def _disposition(p: Parameters) -> Disposition:
    domain = jnp.minimum(p.extracellular_domain, _MOST_DOMAIN) / _REFERENCE_DOMAIN
    clearance = (
        p.clearance * domain**p.domain_on_clearance * (1.0 + p.sites_on_clearance * p.four_metastatic_sites)
    )
    central = p.central_volume * (p.body_weight / 70.0) ** p.weight_on_volume * domain**p.domain_on_volume
    return Disposition(clearance, central, ((p.exchange, p.peripheral_volume),))


def observe(time: Array, x: TwoCompartments, p: Parameters, u: Infusion) -> Outputs:
    d = _disposition(p)
    return Outputs(concentration=d.concentration(x), cumulative_exposure=d.exposure(x))


_KINETICS = Intravenous(TwoCompartments, _disposition)

TRASTUZUMAB = OrganModel(
    name="trastuzumab",
    title="Trastuzumab in serum",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=TwoCompartments,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=_KINETICS.initial,
    derivative=_KINETICS.derivative,
    solution=_KINETICS.solution,
    jump=_KINETICS.jump,
    observe=observe,
    references=(BRUNO_2005,),
    notes="The typical profile: no individual effects, as the ejection-fraction model takes it.",
)
