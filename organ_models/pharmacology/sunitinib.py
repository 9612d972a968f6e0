"""Sunitinib and its active metabolite SU12662 in plasma (Yu et al. 2015, 70 patients).

What is absorbed passes the liver, where the clearance acts on the concentration that gut and blood make
together,

    CLIV = (ka gut + Qh C) / (Qh + CL),    central' = Qh CLIV - Qh C,    metabolite' = fm CL CLIV - ...

so that part of a dose is cleared and turned into the metabolite before it is ever seen in plasma. All of it
is linear. The clearance of 35.7 L/h belongs to these concentrations; the links to tumour and pressure by
Hansson et al. take ``sunitinib_exposure`` with 34.5 L/h, and the two must not be mixed.
"""

from __future__ import annotations

import math
from typing import Any

from organ_models.model import Array, NoFields, OrganModel, parameter, values, variable, variables
from organ_models.pharmacology.linear_chain import Matrix, flows, propagate, rates
from organ_models.pharmacology.ports import HOURS, Tablet
from organ_models.references import YU_2015
from organ_models.validation.sunitinib_kinetics import CHECKS, SCENARIOS
from organ_models.variability import Residual

_CENTRAL, _METABOLITE = math.log1p(0.324**2), math.log1p(0.579**2)
_METABOLITE_CLEARANCE, _CLEARANCE = math.log1p(0.421**2), math.log1p(0.339**2)


@variables
class Parameters:
    absorption_rate: Array = parameter(
        0.34, "/h", "ka", source=YU_2015, bounds=(1e-3, 100), working_unit="/d"
    )
    clearance: Array = parameter(
        35.7, "L/h", "CL/F at 70 kg", source=YU_2015, bounds=(0.1, 1e4), working_unit="L/d", omega2=_CLEARANCE
    )
    central_volume: Array = parameter(
        1360.0, "L", "Vc/F at 70 kg", source=YU_2015, bounds=(1, 1e6), omega2=_CENTRAL
    )
    liver_flow: Array = parameter(
        80.0, "L/h", "Qh at 70 kg", source=YU_2015, bounds=(1, 1e3), working_unit="L/d"
    )
    metabolised_fraction: Array = parameter(
        0.21, "1", "fm, share of the clearance that makes the metabolite", source=YU_2015, bounds=(0, 1)
    )
    metabolite_clearance: Array = parameter(
        17.1,
        "L/h",
        "CLM at 70 kg",
        source=YU_2015,
        bounds=(0.1, 1e4),
        working_unit="L/d",
        omega2=_METABOLITE_CLEARANCE,
    )
    metabolite_volume: Array = parameter(
        635.0, "L", "VcM at 70 kg", source=YU_2015, bounds=(1, 1e6), omega2=_METABOLITE
    )
    metabolite_exchange: Array = parameter(
        20.1, "L/h", "QM at 70 kg, to and from VpM", source=YU_2015, bounds=(0, 1e4), working_unit="L/d"
    )
    metabolite_peripheral_volume: Array = parameter(
        388.0, "L", "VpM at 70 kg", source=YU_2015, bounds=(1, 1e6)
    )
    body_weight: Array = parameter(
        70.0, "kg", "of the reference patient", source=YU_2015, bounds=(10, 400), quantity="body_weight"
    )


@variables
class State:
    gut: Array = variable("mg", "sunitinib that is not absorbed yet")
    central: Array = variable("mg", "sunitinib in the body")
    metabolite: Array = variable("mg", "SU12662 in its central compartment")
    metabolite_peripheral: Array = variable("mg", "SU12662 in its peripheral compartment")
    eliminated: Array = variable("mg", "sunitinib that was cleared")


@variables
class Outputs:
    concentration: Array = variable("ng/mL", "sunitinib in plasma", meaning="sunitinib in plasma")
    metabolite_concentration: Array = variable("ng/mL", "SU12662 in plasma", meaning="SU12662 in plasma")
    total_concentration: Array = variable(
        "ng/mL", "both, which act alike", meaning="sunitinib and SU12662 in plasma"
    )
    cumulative_exposure: Array = variable(
        "mg.h/L", "area under the curve of sunitinib so far", meaning="area under sunitinib in plasma so far"
    )


def _sizes(p: Parameters) -> tuple[Array, Array]:
    """Factors on flows and on volumes by body weight."""
    weight = p.body_weight / 70.0
    return weight**0.75, weight


def _matrix(p: Parameters) -> Matrix:
    on_flows, on_volumes = _sizes(p)
    flow, clearance = p.liver_flow * on_flows, p.clearance * on_flows
    extracted = clearance / (flow + clearance)
    circulates = flow / (p.central_volume * on_volumes)
    exchange = p.metabolite_exchange * on_flows
    volume, peripheral = p.metabolite_volume * on_volumes, p.metabolite_peripheral_volume * on_volumes
    made, lost = p.metabolised_fraction * extracted, (1.0 - p.metabolised_fraction) * extracted
    transfers = {
        (0, 1): p.absorption_rate * (1.0 - extracted),
        (0, 2): p.absorption_rate * made,
        (1, 2): circulates * made,
        (2, 3): exchange / volume,
        (3, 2): exchange / peripheral,
    }
    losses = {
        0: p.absorption_rate * lost,
        1: circulates * lost,
        2: p.metabolite_clearance * on_flows / volume,
    }
    return flows(4, transfers, losses)


def initial(p: Parameters) -> State:
    none = 0.0 * p.clearance
    return State(*[none] * 5)


def derivative(time: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Rates per day."""
    on_flows, on_volumes = _sizes(p)
    flow, clearance = p.liver_flow * on_flows, p.clearance * on_flows
    *amounts, _ = values(x).values()
    arriving = p.absorption_rate * x.gut + flow * x.central / (p.central_volume * on_volumes)
    cleared = clearance * arriving / (flow + clearance)
    return State(*[*rates(_matrix(p), amounts, [None] * 4), cleared])


def solution(elapsed: Array, x: State, p: Parameters, u: NoFields) -> State:
    """Amounts exactly; sunitinib that is missing from the balance was cleared."""
    *amounts, eliminated = values(x).values()
    after: list[Any] = propagate(_matrix(p), amounts, [None] * 4, elapsed)
    return State(*[*after, eliminated + (x.gut + x.central - after[0] - after[1])])


def jump(x: State, e: Tablet, p: Parameters) -> State:
    return State(**{**values(x), "gut": x.gut + e.dose})


def observe(time: Array, x: State, p: Parameters, u: NoFields) -> Outputs:
    on_flows, on_volumes = _sizes(p)
    parent = 1000.0 * x.central / (p.central_volume * on_volumes)
    metabolite = 1000.0 * x.metabolite / (p.metabolite_volume * on_volumes)
    # central' = Qh (CLIV - C): the area under C lags that under CLIV, cleared / CL, by what is in the body
    area = x.eliminated / (p.clearance * on_flows) - x.central / (p.liver_flow * on_flows)
    return Outputs(
        concentration=parent,
        metabolite_concentration=metabolite,
        total_concentration=parent + metabolite,
        cumulative_exposure=HOURS * area,
    )


def _covariance(correlation: float, one: float, other: float) -> float:
    return correlation * math.sqrt(one * other)


SUNITINIB = OrganModel(
    name="sunitinib",
    title="Sunitinib and SU12662 in plasma",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Outputs=Outputs,
    Events=Tablet,
    initial=initial,
    derivative=derivative,
    solution=solution,
    jump=jump,
    observe=observe,
    covariances={
        ("central_volume", "metabolite_volume"): _covariance(0.48, _CENTRAL, _METABOLITE),
        ("metabolite_volume", "metabolite_clearance"): _covariance(0.45, _METABOLITE, _METABOLITE_CLEARANCE),
        ("metabolite_clearance", "clearance"): _covariance(0.53, _METABOLITE_CLEARANCE, _CLEARANCE),
    },
    residuals=(
        Residual("concentration", YU_2015, proportional=math.sqrt(0.06)),
        Residual("metabolite_concentration", YU_2015, proportional=math.sqrt(0.03)),
    ),
    references=(YU_2015,),
    notes="Volumes and clearances are relative to the unknown bioavailability.",
    scenarios=SCENARIOS,
    checks=CHECKS,
)
