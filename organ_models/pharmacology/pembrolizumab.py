"""Pembrolizumab in serum: two compartments with patient factors (Ahamadi et al. 2017, 2188 patients).

Rates are per day, as published. One individual effect moves clearance and exchange together, another both
volumes. The paper's footnote has the effect of the performance status with the wrong sign; its table has it
right: patients with impaired performance clear less (factor 0.9261).
"""

from __future__ import annotations

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.intravenous import Disposition, Intravenous, TwoCompartments
from organ_models.pharmacology.ports import Bolus, Infusion
from organ_models.references import AHAMADI_2017
from organ_models.validation.pembrolizumab import CHECKS, SCENARIOS
from organ_models.variability import Residual

_SOURCE = AHAMADI_2017


@variables
class Parameters:
    clearance: Array = parameter(
        0.22, "L/d", "CL of the reference patient", source=_SOURCE, bounds=(1e-3, 50)
    )
    central_volume: Array = parameter(
        3.48, "L", "Vc of the reference patient", source=_SOURCE, bounds=(0.1, 100)
    )
    exchange: Array = parameter(0.795, "L/d", "Q, to and from Vp", source=_SOURCE, bounds=(0, 100))
    peripheral_volume: Array = parameter(4.06, "L", "Vp", source=_SOURCE, bounds=(0.1, 100))
    flow_factor: Array = parameter(
        1.0, "1", "individual factor on CL and Q", source=_SOURCE, bounds=(0.01, 100), omega2=0.134
    )
    volume_factor: Array = parameter(
        1.0, "1", "individual factor on Vc and Vp", source=_SOURCE, bounds=(0.01, 100), omega2=0.0417
    )
    body_weight: Array = parameter(
        76.8, "kg", "of the reference patient", source=_SOURCE, bounds=(10, 400), quantity="body_weight"
    )
    albumin: Array = parameter(39.6, "g/L", "of the reference patient", source=_SOURCE, bounds=(5, 80))
    sum_of_diameters: Array = parameter(
        89.6, "mm", "tumour size at the start, of the reference patient", source=_SOURCE, bounds=(1, 2500)
    )
    glomerular_filtration: Array = parameter(
        88.47, "mL/min/{1.73_m2}", "estimated, of the reference patient", source=_SOURCE, bounds=(1, 420)
    )
    female: Array = parameter(
        0.0, "1", "1 for a woman", source=_SOURCE, bounds=(0, 1), certainty="assumption"
    )
    lung_cancer: Array = parameter(
        0.0, "1", "1 for non-small-cell lung cancer", source=_SOURCE, bounds=(0, 1), certainty="assumption"
    )
    performance_impaired: Array = parameter(
        0.0,
        "1",
        "1 for an ECOG performance status of 1 or more",
        source=_SOURCE,
        bounds=(0, 1),
        certainty="assumption",
    )
    prior_ipilimumab: Array = parameter(
        0.0, "1", "1 after ipilimumab", source=_SOURCE, bounds=(0, 1), certainty="assumption"
    )
    weight_on_flows: Array = parameter(0.595, "1", "exponent on CL and Q", source=_SOURCE, bounds=(-3, 3))
    weight_on_volumes: Array = parameter(0.489, "1", "exponent on Vc and Vp", source=_SOURCE, bounds=(-3, 3))
    albumin_on_clearance: Array = parameter(-0.907, "1", "exponent on CL", source=_SOURCE, bounds=(-3, 3))
    size_on_clearance: Array = parameter(0.0872, "1", "exponent on CL", source=_SOURCE, bounds=(-3, 3))
    filtration_on_clearance: Array = parameter(0.135, "1", "exponent on CL", source=_SOURCE, bounds=(-3, 3))
    female_on_clearance: Array = parameter(-0.152, "1", "relative change", source=_SOURCE, bounds=(-1, 1))
    lung_cancer_on_clearance: Array = parameter(0.145, "1", "relative change", source=_SOURCE, bounds=(-1, 1))
    performance_on_clearance: Array = parameter(
        -0.0739,
        "1",
        "relative change; a footnote of the paper prints the other sign",
        source=_SOURCE,
        bounds=(-1, 1),
    )
    ipilimumab_on_clearance: Array = parameter(0.140, "1", "relative change", source=_SOURCE, bounds=(-1, 1))
    albumin_on_volume: Array = parameter(-0.208, "1", "exponent on Vc", source=_SOURCE, bounds=(-3, 3))
    female_on_volume: Array = parameter(-0.134, "1", "relative change of Vc", source=_SOURCE, bounds=(-1, 1))
    ipilimumab_on_volume: Array = parameter(
        0.0736, "1", "relative change of Vc", source=_SOURCE, bounds=(-1, 1)
    )


@variables
class Outputs:
    concentration: Array = variable("mg/L", "pembrolizumab in serum", meaning="pembrolizumab in serum")
    cumulative_exposure: Array = variable(
        "mg.d/L",
        "area under the concentration curve so far",
        meaning="area under pembrolizumab in serum so far",
    )


def _disposition(p: Parameters) -> Disposition:
    weight, albumin = p.body_weight / 76.8, p.albumin / 39.6
    flows = p.flow_factor * weight**p.weight_on_flows
    volumes = p.volume_factor * weight**p.weight_on_volumes
    clearance = (
        p.clearance
        * flows
        * albumin**p.albumin_on_clearance
        * (p.sum_of_diameters / 89.6) ** p.size_on_clearance
        * (p.glomerular_filtration / 88.47) ** p.filtration_on_clearance
        * (1.0 + p.female_on_clearance * p.female)
        * (1.0 + p.lung_cancer_on_clearance * p.lung_cancer)
        * (1.0 + p.performance_on_clearance * p.performance_impaired)
        * (1.0 + p.ipilimumab_on_clearance * p.prior_ipilimumab)
    )
    central = (
        p.central_volume
        * volumes
        * albumin**p.albumin_on_volume
        * (1.0 + p.female_on_volume * p.female)
        * (1.0 + p.ipilimumab_on_volume * p.prior_ipilimumab)
    )
    return Disposition(clearance, central, ((p.exchange * flows, p.peripheral_volume * volumes),))


def observe(time: Array, x: TwoCompartments, p: Parameters, u: Infusion) -> Outputs:
    d = _disposition(p)
    return Outputs(concentration=d.concentration(x), cumulative_exposure=d.exposure(x))


_KINETICS = Intravenous(TwoCompartments, _disposition)

PEMBROLIZUMAB = OrganModel(
    name="pembrolizumab",
    title="Pembrolizumab in serum",
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
    residuals=(Residual("concentration", AHAMADI_2017, proportional=0.272),),
    references=(AHAMADI_2017,),
    notes="The clearance does not change with time under treatment.",
    scenarios=SCENARIOS,
    checks=CHECKS,
)
