"""Values that must come out of the cardiovascular twin.

The variant ``c12`` must show the limit cycles of the 12-state circulation, which were computed apart from
this code. The default was calibrated to the same targets at baseline, and to be normal at the aortic root.
"""

from __future__ import annotations

import dataclasses

from organ_models.references import ROOT_CALIBRATION
from organ_models.scenarios import Check
from organ_models.validation.closed_loop_circulation import CHECKS as C12_CHECKS

_NAMES = {
    "mean_blood_pressure": "mean_arterial_pressure",
    "left_ventricular_ejection_fraction": "ejection_fraction",
    "left_ventricular_end_diastolic_volume": "lv_end_diastolic_volume",
    "left_ventricular_end_systolic_volume": "lv_end_systolic_volume",
    "left_ventricular_end_diastolic_pressure": "lv_end_diastolic_pressure",
    "right_ventricular_end_diastolic_volume": "rv_end_diastolic_volume",
    "right_ventricular_end_systolic_volume": "rv_end_systolic_volume",
    "pulmonary_systolic_pressure": "systolic_pulmonary_artery_pressure",
    "pulmonary_diastolic_pressure": "diastolic_pulmonary_artery_pressure",
    "pulmonary_mean_pressure": "mean_pulmonary_artery_pressure",
    "left_atrial_mean_pressure": "left_atrial_pressure",
    "right_atrial_mean_pressure": "right_atrial_pressure",
}
_NOT_SHOWN = ("systemic_venous_mean_pressure", "pulmonary_venous_mean_pressure")

# output, centre, half-width, unit: the calibration's targets with their SD, and what is normal at the root
_TARGETS = (
    ("systolic_blood_pressure", 118.0, 1.0, "mm[Hg]"),
    ("diastolic_blood_pressure", 76.0, 1.0, "mm[Hg]"),
    ("lv_end_diastolic_volume", 140.0, 2.0, "mL"),
    ("stroke_volume", 82.0, 1.0, "mL"),
    ("rv_end_diastolic_volume", 155.0, 3.0, "mL"),
    ("systolic_pulmonary_artery_pressure", 22.0, 0.7, "mm[Hg]"),
    ("diastolic_pulmonary_artery_pressure", 9.5, 0.7, "mm[Hg]"),
    ("mean_pulmonary_artery_pressure", 14.5, 0.7, "mm[Hg]"),
    ("left_atrial_pressure", 8.0, 0.4, "mm[Hg]"),
    ("right_atrial_pressure", 4.0, 0.3, "mm[Hg]"),
    ("left_atrial_maximal_volume", 72.0, 3.0, "mL"),
    ("right_atrial_maximal_volume", 80.0, 4.0, "mL"),
    ("left_atrial_minimal_volume", 35.0, 3.0, "mL"),
    ("right_atrial_minimal_volume", 42.0, 4.0, "mL"),
    ("left_ventricular_ejection_time", 0.27, 0.03, "s"),
    ("peak_aortic_valve_flow", 525.0, 125.0, "mL/s"),
    ("pressure_form_factor", 0.38, 0.05, "1"),
)

CHECKS = (
    *(
        Check(output, centre, unit, width, "absolute", ROOT_CALIBRATION, "calibration")
        for output, centre, width, unit in _TARGETS
    ),
    *(
        dataclasses.replace(check, output=_NAMES.get(check.output, check.output), variant="c12")
        for check in C12_CHECKS
        if check.output not in _NOT_SHOWN
    ),
)
