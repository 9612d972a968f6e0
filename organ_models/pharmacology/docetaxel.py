"""Docetaxel in plasma: three compartments (Ozawa et al. 2007) or two (Onoue et al. 2016).

Two populations, two models: Ozawa's 62 Japanese patients with various cancers show a deep compartment that
Onoue's women with breast cancer were not sampled long enough to show. The concentration is given by mass
and by moles; models of toxicity are particular about which one their slope is for.
"""

from __future__ import annotations

import math

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.pharmacology.intravenous import (
    Disposition,
    Intravenous,
    ThreeCompartments,
    TwoCompartments,
)
from organ_models.pharmacology.ports import HOURS, Bolus, Infusion
from organ_models.references import FRIBERG_2002, ONOUE_2016, OZAWA_2007
from organ_models.validation.docetaxel import ONOUE_CHECKS, OZAWA_CHECKS, infused
from organ_models.variability import Residual

_MOLAR_MASS = "of docetaxel, as Friberg and Kloft convert with it"


@variables
class OzawaParameters:
    clearance: Array = parameter(
        35.7,
        "L/h",
        "CL",
        source=OZAWA_2007,
        bounds=(0.1, 1e3),
        working_unit="L/d",
        omega2=math.log1p(0.399**2),
    )
    central_volume: Array = parameter(
        6.94, "L", "V1", source=OZAWA_2007, bounds=(0.1, 1e3), omega2=math.log1p(0.264**2)
    )
    shallow_exchange: Array = parameter(
        5.58, "L/h", "Q2, to and from V2", source=OZAWA_2007, bounds=(0, 1e3), working_unit="L/d"
    )
    shallow_volume: Array = parameter(7.39, "L", "V2", source=OZAWA_2007, bounds=(0.1, 1e4))
    deep_exchange: Array = parameter(
        12.5, "L/h", "Q3, to and from V3", source=OZAWA_2007, bounds=(0, 1e3), working_unit="L/d"
    )
    deep_volume: Array = parameter(225.0, "L", "V3", source=OZAWA_2007, bounds=(0.1, 1e5))
    molar_mass: Array = parameter(808.0, "g/mol", _MOLAR_MASS, source=FRIBERG_2002, bounds=(800, 815))


@variables
class OnoueParameters:
    clearance: Array = parameter(
        32.6,
        "L/h",
        "CL",
        source=ONOUE_2016,
        bounds=(0.1, 1e3),
        working_unit="L/d",
        omega2=math.log1p(0.295**2),
    )
    central_volume: Array = parameter(5.77, "L", "Vc", source=ONOUE_2016, bounds=(0.1, 1e3))
    exchange: Array = parameter(
        5.34,
        "L/h",
        "Q, to and from Vp",
        source=ONOUE_2016,
        bounds=(0, 1e3),
        working_unit="L/d",
        omega2=math.log1p(0.551**2),
    )
    peripheral_volume: Array = parameter(
        11.0, "L", "Vp", source=ONOUE_2016, bounds=(0.1, 1e4), omega2=math.log1p(0.598**2)
    )
    molar_mass: Array = parameter(808.0, "g/mol", _MOLAR_MASS, source=FRIBERG_2002, bounds=(800, 815))


@variables
class Outputs:
    concentration: Array = variable("mg/L", "docetaxel in plasma", meaning="docetaxel in plasma")
    molar_concentration: Array = variable("umol/L", "docetaxel in plasma", meaning="docetaxel in plasma")
    cumulative_exposure: Array = variable(
        "mg.h/L", "area under the concentration curve so far", meaning="area under docetaxel in plasma so far"
    )


def _ozawa(p: OzawaParameters) -> Disposition:
    peripheral = ((p.shallow_exchange, p.shallow_volume), (p.deep_exchange, p.deep_volume))
    return Disposition(p.clearance, p.central_volume, peripheral)


def _onoue(p: OnoueParameters) -> Disposition:
    return Disposition(p.clearance, p.central_volume, ((p.exchange, p.peripheral_volume),))


def _outputs(disposition: Disposition, state: object, molar_mass: Array) -> Outputs:
    concentration = disposition.concentration(state)
    return Outputs(
        concentration=concentration,
        molar_concentration=1000.0 * concentration / molar_mass,
        cumulative_exposure=HOURS * disposition.exposure(state),
    )


def observe_ozawa(time: Array, x: ThreeCompartments, p: OzawaParameters, u: Infusion) -> Outputs:
    return _outputs(_ozawa(p), x, p.molar_mass)


def observe_onoue(time: Array, x: TwoCompartments, p: OnoueParameters, u: Infusion) -> Outputs:
    return _outputs(_onoue(p), x, p.molar_mass)


_THREE, _TWO = Intravenous(ThreeCompartments, _ozawa), Intravenous(TwoCompartments, _onoue)

DOCETAXEL_OZAWA = OrganModel(
    name="docetaxel_ozawa",
    title="Docetaxel in plasma, three compartments",
    version="1.0",
    clock="d",
    Parameters=OzawaParameters,
    State=ThreeCompartments,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=_THREE.initial,
    derivative=_THREE.derivative,
    solution=_THREE.solution,
    jump=_THREE.jump,
    observe=observe_ozawa,
    residuals=(
        Residual("concentration", OZAWA_2007, proportional=0.268),
        Residual("molar_concentration", OZAWA_2007, proportional=0.268),
    ),
    references=(OZAWA_2007, FRIBERG_2002),
    notes="62 Japanese patients. Total drug.",
    scenarios=infused(OZAWA_2007),
    checks=OZAWA_CHECKS,
)

DOCETAXEL_ONOUE = OrganModel(
    name="docetaxel_onoue",
    title="Docetaxel in plasma, two compartments",
    version="1.0",
    clock="d",
    Parameters=OnoueParameters,
    State=TwoCompartments,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=_TWO.initial,
    derivative=_TWO.derivative,
    solution=_TWO.solution,
    jump=_TWO.jump,
    observe=observe_onoue,
    references=(ONOUE_2016, FRIBERG_2002),
    notes="Japanese women with breast cancer. Total drug; no residual error was reported.",
    scenarios=infused(ONOUE_2016),
    checks=ONOUE_CHECKS,
)
