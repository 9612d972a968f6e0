"""Leukocytes under paclitaxel by the chain of Friberg et al. (2002).

These are all white blood cells, not neutrophils. The slope is for total paclitaxel in umol/L.
"""

from __future__ import annotations

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.ctcae import leukopenia_grade
from organ_models.pharmacology.friberg import STRIDE, Chain, balanced, chain_rates
from organ_models.references import CTCAE_5, FRIBERG_2002
from organ_models.validation.paclitaxel import LEUKOPENIA_CHECKS, LEUKOPENIA_SCENARIOS
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_leukocytes: Array = parameter(
        7.21, "10*9/L", "Circ0, before treatment", source=FRIBERG_2002, bounds=(0.1, 200), omega2=0.107
    )
    mean_transit_time: Array = parameter(
        124.0, "h", "MTT", source=FRIBERG_2002, bounds=(1, 1e4), working_unit="d", omega2=0.0296
    )
    drug_slope: Array = parameter(
        28.9,
        "L/umol",
        "effect per concentration of total drug",
        source=FRIBERG_2002,
        bounds=(0, 1e4),
        omega2=0.176,
    )
    feedback: Array = parameter(0.239, "1", "gamma", source=FRIBERG_2002, bounds=(0, 5))


@variables
class Inputs:
    concentration: Array = variable(
        "umol/L", "paclitaxel in plasma", default=0.0, meaning="paclitaxel in plasma"
    )


@variables
class Outputs:
    leukocytes: Array = variable("10*9/L", "circulating leukocytes", quantity="leukocytes")
    leukopenia_grade: Array = variable(
        "1", "CTCAE 5.0 grade from 2 on; grade 1 needs the laboratory's limit and counts as 0"
    )


def initial(p: Parameters) -> Chain:
    return balanced(p.baseline_leukocytes, p.mean_transit_time)


def derivative(time: Array, x: Chain, p: Parameters, u: Inputs) -> Chain:
    """Rates per day."""
    effect = p.drug_slope * u.concentration
    return chain_rates(x, p.baseline_leukocytes, p.mean_transit_time, p.feedback, effect)


def observe(time: Array, x: Chain, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(leukocytes=x.circulating, leukopenia_grade=leukopenia_grade(x.circulating))


PACLITAXEL_LEUKOPENIA = OrganModel(
    name="paclitaxel_leukopenia",
    title="Leukopenia under paclitaxel",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=Chain,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    stride=STRIDE,
    residuals=(Residual("leukocytes", FRIBERG_2002, proportional=0.286),),
    references=(FRIBERG_2002, CTCAE_5),
    notes="White blood cells, not neutrophils. No growth factor.",
    scenarios=LEUKOPENIA_SCENARIOS,
    checks=LEUKOPENIA_CHECKS,
)
