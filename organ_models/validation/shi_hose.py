"""Periodic beat of the circulation of Shi and Hose 2009 with orifice valves.

Computed apart from this code from the same equations and parameters (LSODA at 1e-10, 34 beats); that
computation agrees with the curated CellML model to 1e-4 mL or mm[Hg]. None of it is an observation in people.
"""

from __future__ import annotations

from organ_models.references import SHI_HOSE_2009
from organ_models.scenarios import Check

RELATIVE = 1e-3
EVENT = 1e-3
"""Tolerances: 0.1 % of volumes, pressures and flows; 1 ms of valve events, which were read on a grid of
0.5 ms."""

VALUES = (
    ("systolic_blood_pressure", 129.3582, "mm[Hg]"),
    ("diastolic_blood_pressure", 88.782405, "mm[Hg]"),
    ("mean_arterial_pressure", 109.75852, "mm[Hg]"),
    ("peak_left_ventricular_pressure", 129.47371, "mm[Hg]"),
    ("lv_end_diastolic_volume", 141.70671, "mL"),
    ("lv_end_systolic_volume", 55.844042, "mL"),
    ("stroke_volume", 85.862669, "mL"),
    ("ejection_fraction", 60.591816, "%"),
    ("cardiac_output", 5.1510677, "L/min"),
    ("rv_end_diastolic_volume", 136.34041, "mL"),
    ("rv_end_systolic_volume", 50.477742, "mL"),
    ("peak_right_ventricular_pressure", 48.482499, "mm[Hg]"),
    ("systolic_pulmonary_artery_pressure", 48.334181, "mm[Hg]"),
    ("diastolic_pulmonary_artery_pressure", 31.649787, "mm[Hg]"),
    ("mean_pulmonary_artery_pressure", 40.126724, "mm[Hg]"),
    ("left_atrial_pressure", 12.822394, "mm[Hg]"),
    ("right_atrial_pressure", 11.188174, "mm[Hg]"),
    ("systemic_venous_pressure", 17.627874, "mm[Hg]"),
    ("pulmonary_venous_pressure", 13.33757, "mm[Hg]"),
    ("lv_end_diastolic_pressure", 14.670671, "mm[Hg]"),
    ("left_atrial_maximal_volume", 91.485696, "mL"),
    ("left_atrial_minimal_volume", 58.171001, "mL"),
    ("right_atrial_maximal_volume", 89.419156, "mL"),
    ("right_atrial_minimal_volume", 56.061605, "mL"),
    ("peak_aortic_valve_flow", 1080.5914, "mL/s"),
    ("peak_mitral_valve_flow", 862.62782, "mL/s"),
    ("peak_pulmonary_valve_flow", 845.3428, "mL/s"),
    ("peak_tricuspid_valve_flow", 724.97835, "mL/s"),
)
EVENTS = (
    ("aortic_valve", 0.0945, 0.3055),
    ("mitral_valve", 0.4250, 0.9670),
    ("pulmonary_valve", 0.0720, 0.3070),
    ("tricuspid_valve", 0.4045, 0.9730),
)


def _event(valve: str, event: str, seconds: float) -> Check:
    return Check(f"{valve}_{event}_time", seconds, "s", EVENT, "absolute", SHI_HOSE_2009)


CHECKS = (
    *(Check(output, value, unit, RELATIVE, "relative", SHI_HOSE_2009) for output, value, unit in VALUES),
    *(_event(valve, "opening", opening) for valve, opening, _ in EVENTS),
    *(_event(valve, "closing", closing) for valve, _, closing in EVENTS),
)
