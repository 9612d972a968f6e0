"""Parameters, states, ports and readings of the circulation of Ursino 1998.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import Any

from organ_models.model import Array, parameter, variable, variables
from organ_models.references import BONNEMAIN_2021, URSINO_1998

_R, _C, _L, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": URSINO_1998, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, **given)


def _unstressed(value: float, doc: str) -> Any:
    return _p(value, "mL", f"unstressed volume of {doc}", bounds=(0, 3000))


def _assist(unit: str, doc: str) -> Any:
    """A coefficient of an assist device; all zero is none."""
    return _p(0.0, unit, f"assist device: {doc}", bounds=(-1e6, 1e6), source=BONNEMAIN_2021)


@variables
class Parameters:
    blood_volume: Array = _p(5300.0, "mL", "total blood volume")
    systemic_arterial_compliance: Array = _p(0.28, _C, "systemic arteries")
    splanchnic_peripheral_compliance: Array = _p(2.05, _C, "splanchnic peripheral bed")
    extrasplanchnic_peripheral_compliance: Array = _p(1.67, _C, "extrasplanchnic peripheral bed")
    splanchnic_venous_compliance: Array = _p(61.11, _C, "splanchnic veins")
    extrasplanchnic_venous_compliance: Array = _p(50.0, _C, "extrasplanchnic veins")
    pulmonary_arterial_compliance: Array = _p(0.76, _C, "pulmonary arteries")
    pulmonary_peripheral_compliance: Array = _p(5.8, _C, "pulmonary peripheral bed")
    pulmonary_venous_compliance: Array = _p(25.37, _C, "pulmonary veins")
    left_atrial_compliance: Array = _p(19.23, _C, "left atrium")
    right_atrial_compliance: Array = _p(31.25, _C, "right atrium")
    splanchnic_peripheral_unstressed_volume: Array = _unstressed(274.4, "the splanchnic peripheral bed")
    extrasplanchnic_peripheral_unstressed_volume: Array = _unstressed(336.6, "the extrasplanchnic bed")
    pulmonary_peripheral_unstressed_volume: Array = _unstressed(123.0, "the pulmonary peripheral bed")
    pulmonary_venous_unstressed_volume: Array = _unstressed(120.0, "pulmonary veins")
    left_atrial_unstressed_volume: Array = _unstressed(25.0, "the left atrium")
    right_atrial_unstressed_volume: Array = _unstressed(25.0, "the right atrium")
    systemic_arterial_resistance: Array = _p(0.06, _R, "systemic arteries")
    splanchnic_venous_resistance: Array = _p(0.038, _R, "splanchnic veins")
    extrasplanchnic_venous_resistance: Array = _p(0.016, _R, "extrasplanchnic veins")
    pulmonary_arterial_resistance: Array = _p(0.023, _R, "pulmonary arteries")
    pulmonary_peripheral_resistance: Array = _p(0.0894, _R, "pulmonary peripheral bed")
    pulmonary_venous_resistance: Array = _p(0.0056, _R, "pulmonary veins")
    mitral_resistance: Array = _p(0.0025, _R, "open mitral valve")
    tricuspid_resistance: Array = _p(0.0025, _R, "open tricuspid valve")
    systemic_arterial_inertance: Array = _p(2.2e-4, _L, "systemic arteries")
    pulmonary_arterial_inertance: Array = _p(1.8e-4, _L, "pulmonary arteries")
    left_ventricular_unstressed_volume: Array = _p(16.77, "mL", "left ventricle, end-systolic law")
    right_ventricular_unstressed_volume: Array = _p(40.8, "mL", "right ventricle, end-systolic law")
    passive_pressure: Array = _p(1.5, "mm[Hg]", "scale of both ventricles' passive pressure")
    left_ventricular_stiffness: Array = _p(0.014, "/mL", "left ventricle, passive", bounds=(0.001, 0.1))
    right_ventricular_stiffness: Array = _p(0.011, "/mL", "right ventricle, passive", bounds=(0.001, 0.1))
    left_outflow_resistance: Array = _p(3.75e-4, "s/mL", "of the aortic valve, over ventricular pressure")
    right_outflow_resistance: Array = _p(1.4e-3, "s/mL", "of the pulmonary valve, over ventricular pressure")
    assist_quadratic: Array = _assist("mL/s/mm[Hg]2", "flow per head squared")
    assist_linear: Array = _assist("mL/s/mm[Hg]", "flow per head")
    assist_constant: Array = _assist("mL/s", "flow at no head")
    assist_lowest_head: Array = _assist("mm[Hg]", "the curve is flat below this head")
    assist_highest_head: Array = _assist("mm[Hg]", "the curve is flat above this head")
    assist_lowest_flow: Array = _assist("mL/s", "smallest flow")
    assist_highest_flow: Array = _assist("mL/s", "largest flow")


@variables
class State:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_arterial_flow: Array = variable("mL/s", "flow from systemic arteries to the periphery")
    systemic_peripheral_pressure: Array = variable("mm[Hg]", "pressure of both peripheral beds")
    splanchnic_venous_volume: Array = variable("mL", "all blood of the splanchnic veins")
    extrasplanchnic_venous_volume: Array = variable("mL", "all blood of the extrasplanchnic veins")
    right_atrial_pressure: Array = variable("mm[Hg]", "right-atrial pressure")
    right_ventricular_volume: Array = variable("mL", "right-ventricular volume")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    pulmonary_arterial_flow: Array = variable("mL/s", "flow from pulmonary arteries to the periphery")
    pulmonary_peripheral_pressure: Array = variable("mm[Hg]", "pressure of the pulmonary peripheral bed")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "pressure of pulmonary veins")
    left_atrial_pressure: Array = variable("mm[Hg]", "left-atrial pressure")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")


@variables
class Inputs:
    left_ventricular_elastance: Array = variable("mm[Hg]/mL", "end-systolic", default=2.95)
    right_ventricular_elastance: Array = variable("mm[Hg]/mL", "end-systolic", default=1.75)
    splanchnic_resistance: Array = variable("mm[Hg].s/mL", "splanchnic peripheral bed", default=3.307)
    other_resistance: Array = variable("mm[Hg].s/mL", "extrasplanchnic peripheral bed", default=1.407)
    splanchnic_volume: Array = variable("mL", "unstressed, of splanchnic veins", default=1121.0)
    other_volume: Array = variable("mL", "unstressed, of extrasplanchnic veins", default=1375.0)
    # 0.58 s and the source's initial effects of the two nerves, -0.169 s and 0.432 s
    heart_period: Array = variable("s", "period of the heart", default=0.843)
    infused_volume: Array = variable("mL", "blood added since the start; negative: lost", default=0.0)


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    right_ventricular_pressure: Array = variable("mm[Hg]", "right-ventricular pressure")
    left_atrial_pressure: Array = variable("mm[Hg]", "left-atrial pressure")
    right_atrial_pressure: Array = variable("mm[Hg]", "right-atrial pressure")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")
    right_ventricular_volume: Array = variable("mL", "right-ventricular volume")
    aortic_valve_flow: Array = variable("mL/s", "flow through the aortic valve")
    mitral_valve_flow: Array = variable("mL/s", "flow through the mitral valve")
    pulmonary_valve_flow: Array = variable("mL/s", "flow through the pulmonary valve")
    tricuspid_valve_flow: Array = variable("mL/s", "flow through the tricuspid valve")
    assist_flow: Array = variable("mL/s", "flow of the assist device from ventricle to arteries")


@variables
class Outputs:
    systolic_blood_pressure: Array = variable(
        "mm[Hg]", "maximum of arterial pressure", quantity="systolic_blood_pressure"
    )
    diastolic_blood_pressure: Array = variable(
        "mm[Hg]", "minimum of arterial pressure", quantity="diastolic_blood_pressure"
    )
    mean_arterial_pressure: Array = variable(
        "mm[Hg]", "time mean of arterial pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable("mL", "left end-diastolic minus end-systolic", quantity="stroke_volume")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    cardiac_output: Array = variable("L/min", "through aortic valve and device", quantity="cardiac_output")
    lv_end_diastolic_volume: Array = variable("mL", "largest volume of the left ventricle")
    lv_end_systolic_volume: Array = variable("mL", "smallest volume of the left ventricle")
    rv_end_diastolic_volume: Array = variable("mL", "largest volume of the right ventricle")
    rv_end_systolic_volume: Array = variable("mL", "smallest volume of the right ventricle")
    lv_end_diastolic_pressure: Array = variable("mm[Hg]", "left-ventricular pressure at ventricular onset")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    systolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    diastolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "minimum of the pressure")
    mean_pulmonary_artery_pressure: Array = variable("mm[Hg]", "time mean")
    left_atrial_pressure: Array = variable("mm[Hg]", "time mean")
    right_atrial_pressure: Array = variable("mm[Hg]", "time mean")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_mitral_valve_flow: Array = variable("mL/s", "maximum of the flow")
    assist_flow: Array = variable("L/min", "mean flow of the assist device")
