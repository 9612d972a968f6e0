"""Paclitaxel in plasma: saturable (Crombag et al. 2019), and linear for a model of leukopenia (Friberg 2002).

The saturable model has a central compartment that loses drug to elimination and to a first peripheral
compartment by Michaelis–Menten kinetics, from where it returns linearly, and exchanges linearly with a
second one:

    A1' = R - VmEl C / (KmEl + C) - VmTr C / (KmTr + C) + k21 A2 - Q2 (C - A3 / V3),    C = A1 / V1

It is solved numerically and declared stiff: with little drug it leaves the central compartment within
minutes. Amounts are in micromoles, as published; doses are in milligrams.
"""

from __future__ import annotations

import math

from organ_models.model import Array, OrganModel, parameter, values, variable, variables
from organ_models.pharmacology.intravenous import Disposition, Intravenous, TwoCompartments
from organ_models.pharmacology.ports import HOURS, Bolus, Infusion
from organ_models.references import CROMBAG_2019, FRIBERG_2002
from organ_models.validation.paclitaxel import KINETIC_CHECKS, KINETIC_SCENARIOS

_MOLAR_MASS = 853.9


@variables
class Outputs:
    concentration: Array = variable("mg/L", "paclitaxel in plasma", meaning="paclitaxel in plasma")
    molar_concentration: Array = variable("umol/L", "paclitaxel in plasma", meaning="paclitaxel in plasma")
    cumulative_exposure: Array = variable(
        "umol.h/L",
        "area under the molar concentration curve so far",
        meaning="area under paclitaxel in plasma so far",
    )


# -- saturable -------------------------------------------------------------------------------------


@variables
class SaturableParameters:
    central_volume: Array = parameter(12.0, "L", "V1", source=CROMBAG_2019, bounds=(0.1, 1e3))
    maximal_elimination: Array = parameter(
        33.8,
        "umol/h",
        "VmEl",
        source=CROMBAG_2019,
        bounds=(0.1, 1e4),
        working_unit="umol/d",
        omega2=math.log1p(0.27**2),
    )
    half_elimination_concentration: Array = parameter(
        0.44, "umol/L", "KmEl", source=CROMBAG_2019, bounds=(1e-3, 100)
    )
    maximal_transport: Array = parameter(
        177.0,
        "umol/h",
        "VmTr, to the first peripheral compartment",
        source=CROMBAG_2019,
        bounds=(0.1, 1e4),
        working_unit="umol/d",
        omega2=math.log1p(0.267**2),
    )
    half_transport_concentration: Array = parameter(
        1.61, "umol/L", "KmTr", source=CROMBAG_2019, bounds=(1e-3, 100), omega2=math.log1p(0.66**2)
    )
    return_rate: Array = parameter(
        1.21,
        "/h",
        "k21, from the first peripheral compartment",
        source=CROMBAG_2019,
        bounds=(1e-3, 100),
        working_unit="/d",
    )
    exchange: Array = parameter(
        16.8,
        "L/h",
        "Q2, to and from V3",
        source=CROMBAG_2019,
        bounds=(0, 1e3),
        working_unit="L/d",
        omega2=math.log1p(0.495**2),
    )
    peripheral_volume: Array = parameter(
        268.0, "L", "V3", source=CROMBAG_2019, bounds=(1, 1e5), omega2=math.log1p(0.362**2)
    )
    molar_mass: Array = parameter(
        _MOLAR_MASS, "g/mol", "of paclitaxel", source=CROMBAG_2019, bounds=(853, 855)
    )


@variables
class SaturableState:
    central: Array = variable("umol", "paclitaxel in the central compartment")
    transported: Array = variable("umol", "paclitaxel in the first peripheral compartment")
    peripheral: Array = variable("umol", "paclitaxel in the second peripheral compartment")
    area: Array = variable("umol.d/L", "area under the concentration curve so far")


def initial_saturable(p: SaturableParameters) -> SaturableState:
    return SaturableState(*[0.0 * p.central_volume] * 4)


def derivative_saturable(
    time: Array, x: SaturableState, p: SaturableParameters, u: Infusion
) -> SaturableState:
    """Rates per day."""
    concentration = x.central / p.central_volume
    eliminated = p.maximal_elimination * concentration / (p.half_elimination_concentration + concentration)
    transported = p.maximal_transport * concentration / (p.half_transport_concentration + concentration)
    exchanged = p.exchange * (concentration - x.peripheral / p.peripheral_volume)
    back = p.return_rate * x.transported
    infused = HOURS * 1000.0 * u.infusion_rate / p.molar_mass
    return SaturableState(
        central=infused - eliminated - transported + back - exchanged,
        transported=transported - back,
        peripheral=exchanged,
        area=concentration,
    )


def jump_saturable(x: SaturableState, e: Bolus, p: SaturableParameters) -> SaturableState:
    return SaturableState(**{**values(x), "central": x.central + 1000.0 * e.dose / p.molar_mass})


def observe_saturable(time: Array, x: SaturableState, p: SaturableParameters, u: Infusion) -> Outputs:
    molar = x.central / p.central_volume
    return Outputs(
        concentration=molar * p.molar_mass / 1000.0,
        molar_concentration=molar,
        cumulative_exposure=HOURS * x.area,
    )


# -- linear ----------------------------------------------------------------------------------------


@variables
class LinearParameters:
    clearance: Array = parameter(
        285.0,
        "L/h",
        "CL, median of the individual values that the model of leukopenia was given",
        source=FRIBERG_2002,
        bounds=(1, 1e4),
        working_unit="L/d",
    )
    central_volume: Array = parameter(
        290.0, "L", "V1, median of the individual values", source=FRIBERG_2002, bounds=(1, 1e5)
    )
    exchange: Array = parameter(
        204.0, "L/h", "Q, to and from V2", source=FRIBERG_2002, bounds=(0, 1e4), working_unit="L/d"
    )
    peripheral_volume: Array = parameter(
        995.0, "L", "V2, median of the individual values", source=FRIBERG_2002, bounds=(1, 1e5)
    )
    molar_mass: Array = parameter(
        _MOLAR_MASS, "g/mol", "of paclitaxel", source=CROMBAG_2019, bounds=(853, 855)
    )


def _linear(p: LinearParameters) -> Disposition:
    return Disposition(p.clearance, p.central_volume, ((p.exchange, p.peripheral_volume),))


def observe_linear(time: Array, x: TwoCompartments, p: LinearParameters, u: Infusion) -> Outputs:
    d = _linear(p)
    to_moles = 1000.0 / p.molar_mass
    return Outputs(
        concentration=d.concentration(x),
        molar_concentration=to_moles * d.concentration(x),
        cumulative_exposure=HOURS * to_moles * d.exposure(x),
    )


_KINETICS = Intravenous(TwoCompartments, _linear)

PACLITAXEL = OrganModel(
    name="paclitaxel",
    title="Paclitaxel in plasma, saturable",
    version="1.0",
    clock="d",
    Parameters=SaturableParameters,
    State=SaturableState,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=initial_saturable,
    derivative=derivative_saturable,
    jump=jump_saturable,
    observe=observe_saturable,
    stiff=True,
    references=(CROMBAG_2019,),
    notes="Total drug, patients who are not pregnant. No residual error was reported.",
)

PACLITAXEL_LINEAR = OrganModel(
    name="paclitaxel_linear",
    title="Paclitaxel in plasma, linear, as the model of leukopenia was given it",
    version="1.0",
    clock="d",
    Parameters=LinearParameters,
    State=TwoCompartments,
    Inputs=Infusion,
    Events=Bolus,
    Outputs=Outputs,
    initial=_KINETICS.initial,
    derivative=_KINETICS.derivative,
    solution=_KINETICS.solution,
    jump=_KINETICS.jump,
    observe=observe_linear,
    references=(FRIBERG_2002, CROMBAG_2019),
    notes="Medians of individual estimates, for infusions of three hours; no variability is given.",
    scenarios=KINETIC_SCENARIOS,
    checks=KINETIC_CHECKS,
)
