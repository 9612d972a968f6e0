"""Periodic beat of the circulation of Regazzoni et al. 2022 with the published code's defaults.

Computed apart from this code from the same equations and parameters (LSODA at 1e-10, 29 beats). None of it
is an observation in people.
"""

from __future__ import annotations

from organ_models.references import CIRCULATION_PACKAGE
from organ_models.scenarios import Check

RELATIVE = 1e-3
EVENT = 1e-3
"""Tolerances: 0.1 % of volumes, pressures and flows; 1 ms of valve events."""

VALUES = (
    ("systolic_blood_pressure", 118.71494, "mm[Hg]"),
    ("diastolic_blood_pressure", 79.825265, "mm[Hg]"),
    ("mean_arterial_pressure", 99.798468, "mm[Hg]"),
    ("peak_left_ventricular_pressure", 119.68155, "mm[Hg]"),
    ("lv_end_diastolic_volume", 136.74421, "mL"),
    ("lv_end_systolic_volume", 66.963562, "mL"),
    ("stroke_volume", 69.780651, "mL"),
    ("ejection_fraction", 51.030058, "%"),
    ("cardiac_output", 5.2335485, "L/min"),
    ("rv_end_diastolic_volume", 181.55742, "mL"),
    ("rv_end_systolic_volume", 111.77746, "mL"),
    ("peak_right_ventricular_pressure", 25.054855, "mm[Hg]"),
    ("systolic_pulmonary_artery_pressure", 21.385166, "mm[Hg]"),
    ("diastolic_pulmonary_artery_pressure", 18.507893, "mm[Hg]"),
    ("mean_pulmonary_artery_pressure", 19.977201, "mm[Hg]"),
    ("left_atrial_pressure", 15.834024, "mm[Hg]"),
    ("right_atrial_pressure", 7.9507803, "mm[Hg]"),
    ("systemic_venous_pressure", 35.862708, "mm[Hg]"),
    ("pulmonary_venous_pressure", 15.964861, "mm[Hg]"),
    ("left_atrial_maximal_volume", 105.1857, "mL"),
    ("left_atrial_minimal_volume", 60.073157, "mL"),
    ("right_atrial_maximal_volume", 124.06222, "mL"),
    ("right_atrial_minimal_volume", 82.721927, "mL"),
    ("peak_aortic_valve_flow", 1073.7166, "mL/s"),
    ("peak_mitral_valve_flow", 546.13361, "mL/s"),
)
EVENTS = (
    ("aortic_valve", 0.1632, 0.3732),
    ("mitral_valve", 0.6652, 0.1048),
    ("pulmonary_valve", 0.2113, 0.3961),
    ("tricuspid_valve", 0.6048, 0.1290),
)


def _event(valve: str, event: str, seconds: float) -> Check:
    return Check(f"{valve}_{event}_time", seconds, "s", EVENT, "absolute", CIRCULATION_PACKAGE)


CHECKS = (
    *(Check(name, value, unit, RELATIVE, "relative", CIRCULATION_PACKAGE) for name, value, unit in VALUES),
    *(_event(valve, "opening", opening) for valve, opening, _ in EVENTS),
    *(_event(valve, "closing", closing) for valve, _, closing in EVENTS),
)
