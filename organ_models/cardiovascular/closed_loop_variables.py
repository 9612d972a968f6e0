"""Parameters, states, ports and readings of the 12-state closed-loop circulation.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import Any

from organ_models.model import Array, parameter, variable, variables
from organ_models.references import C12_CALIBRATION, MATTACE_RASO_2010

_R, _C, _L, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": C12_CALIBRATION, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, certainty="derived", **given)


@variables
class Parameters:
    heart_rate: Array = _p(70.0, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    stressed_volume: Array = _p(1245.3967, "mL", "blood volume above unstressed, chambers' V0 excluded")
    systemic_arterial_resistance: Array = _p(0.92, _R, "resistance of systemic arteries and arterioles")
    systemic_arterial_compliance: Array = _p(1.5103, _C, "compliance of systemic arteries")
    systemic_arterial_inertance: Array = _p(5e-3, _L, "inertance of systemic arteries")
    systemic_venous_resistance: Array = _p(0.0600, _R, "resistance of systemic veins")
    systemic_venous_compliance: Array = _p(60.0, _C, "compliance of systemic veins")
    systemic_venous_inertance: Array = _p(5e-4, _L, "inertance of systemic veins")
    pulmonary_arterial_resistance: Array = _p(0.0466, _R, "resistance of pulmonary arteries")
    pulmonary_arterial_compliance: Array = _p(3.6159, _C, "compliance of pulmonary arteries")
    pulmonary_arterial_inertance: Array = _p(5e-4, _L, "inertance of pulmonary arteries")
    pulmonary_venous_resistance: Array = _p(0.0200, _R, "resistance of pulmonary veins")
    pulmonary_venous_compliance: Array = _p(18.0, _C, "compliance of pulmonary veins")
    pulmonary_venous_inertance: Array = _p(5e-4, _L, "inertance of pulmonary veins")
    left_ventricular_active_elastance: Array = _p(2.3614, _E, "active elastance; Emax is active + passive")
    left_ventricular_passive_elastance: Array = _p(0.0737, _E, "passive elastance")
    right_ventricular_active_elastance: Array = _p(0.3976, _E, "active elastance")
    right_ventricular_passive_elastance: Array = _p(0.0331, _E, "passive elastance")
    left_atrial_active_elastance: Array = _p(0.1605, _E, "active elastance")
    left_atrial_passive_elastance: Array = _p(0.1471, _E, "passive elastance")
    right_atrial_active_elastance: Array = _p(0.0567, _E, "active elastance")
    right_atrial_passive_elastance: Array = _p(0.0685, _E, "passive elastance")
    left_ventricular_unstressed_volume: Array = _p(10.0, "mL", "volume at zero pressure")
    right_ventricular_unstressed_volume: Array = _p(25.0, "mL", "volume at zero pressure")
    left_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    right_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    valve_forward_resistance: Array = _p(0.0035, _R, "resistance of an open valve")
    valve_backward_resistance: Array = _p(75006.0, _R, "resistance of a closed valve")
    aortic_characteristic_impedance: Array = _p(
        0.0, _R, "characteristic impedance of the aortic root", bounds=(0, 0.2)
    )
    systole_scale: Array = _p(1.0, "1", "scales the duration of ventricular systole", bounds=(0.5, 1.6))
    contraction_share: Array = _p(
        2.0 / 3.0, "1", "share of systole in which elastance rises", bounds=(0.3, 0.95)
    )
    activation_exponent: Array = _p(
        1.0, "1", "power of the raised-cosine activation: 1 as it is, 1/2 a half sine", bounds=(0.3, 3)
    )
    compliance_pressure_exponent: Array = _p(
        1.66,
        "1",
        # Twice the slope of ln(pulse wave velocity) on ln(mean pressure) over the source's five pressure
        # classes, 1.63 at 55 a and 1.69 at 65 a (Bramwell–Hill, lumen area constant).
        "n of the law C = C0 (P/P0)^-n, P mean arterial pressure; from pulse wave velocity by pressure class",
        source=MATTACE_RASO_2010,
        bounds=(0, 4),
    )


@variables
class State:
    left_atrial_volume: Array = variable("mL", "volume of the left atrium")
    left_ventricular_volume: Array = variable("mL", "volume of the left ventricle")
    right_atrial_volume: Array = variable("mL", "volume of the right atrium")
    right_ventricular_volume: Array = variable("mL", "volume of the right ventricle")
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "pressure of pulmonary veins")
    systemic_arterial_flow: Array = variable("mL/s", "flow from systemic arteries to veins")
    systemic_venous_flow: Array = variable("mL/s", "flow from systemic veins to the right atrium")
    pulmonary_arterial_flow: Array = variable("mL/s", "flow from pulmonary arteries to veins")
    pulmonary_venous_flow: Array = variable("mL/s", "flow from pulmonary veins to the left atrium")


@variables
class Inputs:
    systemic_resistance_ratio: Array = variable("1", "multiplies systemic arterial resistance", default=1.0)
    arterial_compliance_ratio: Array = variable("1", "multiplies systemic arterial compliance", default=1.0)
    heart_rate_ratio: Array = variable("1", "multiplies heart rate", default=1.0)
    contractility_ratio: Array = variable("1", "multiplies active elastance of both ventricles", default=1.0)
    recruited_volume: Array = variable("mL", "stressed volume added by venous tone", default=0.0)
    blood_volume_change: Array = variable("mL", "blood infused, or lost where negative", default=0.0)


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "aortic pressure")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pulmonary artery pressure")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    right_ventricular_pressure: Array = variable("mm[Hg]", "right-ventricular pressure")
    left_atrial_pressure: Array = variable("mm[Hg]", "left-atrial pressure")
    right_atrial_pressure: Array = variable("mm[Hg]", "right-atrial pressure")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")
    right_ventricular_volume: Array = variable("mL", "right-ventricular volume")
    left_atrial_volume: Array = variable("mL", "left-atrial volume")
    right_atrial_volume: Array = variable("mL", "right-atrial volume")
    aortic_valve_flow: Array = variable("mL/s", "flow through the aortic valve")
    mitral_valve_flow: Array = variable("mL/s", "flow through the mitral valve")
    pulmonary_valve_flow: Array = variable("mL/s", "flow through the pulmonary valve")
    tricuspid_valve_flow: Array = variable("mL/s", "flow through the tricuspid valve")


@variables
class Outputs:
    systolic_pressure: Array = variable(
        "mm[Hg]", "maximum of arterial pressure", quantity="systolic_blood_pressure"
    )
    diastolic_pressure: Array = variable(
        "mm[Hg]", "minimum of arterial pressure", quantity="diastolic_blood_pressure"
    )
    mean_pressure: Array = variable(
        "mm[Hg]", "time mean of arterial pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable("mL", "left end-diastolic minus end-systolic", quantity="stroke_volume")
    cardiac_output: Array = variable("L/min", "stroke volume times heart rate", quantity="cardiac_output")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    left_ventricular_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    left_ventricular_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    left_ventricular_end_diastolic_pressure: Array = variable("mm[Hg]", "pressure at ventricular onset")
    right_ventricular_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    right_ventricular_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    pulmonary_systolic_pressure: Array = variable("mm[Hg]", "maximum of pulmonary arterial pressure")
    pulmonary_diastolic_pressure: Array = variable("mm[Hg]", "minimum of pulmonary arterial pressure")
    pulmonary_mean_pressure: Array = variable("mm[Hg]", "time mean of pulmonary arterial pressure")
    left_atrial_mean_pressure: Array = variable("mm[Hg]", "time mean")
    right_atrial_mean_pressure: Array = variable("mm[Hg]", "time mean")
    left_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    right_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")


@variables
class Drive:
    ventricular_activation: Array = variable("1", "activation of both ventricles, 0 to 1")
    atrial_activation: Array = variable("1", "activation of both atria, 0 to 1")
