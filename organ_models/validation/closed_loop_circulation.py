"""Values of the 12-state circulation's limit cycle: the healthy baseline and published scenarios.

The parameters were calibrated to the outputs in :data:`CALIBRATED` at baseline, so that their agreement
there shows only that the calibration is reproduced. Everything else was computed apart from this code
from the same equations and parameters. None of it is an observation in people.
"""

from __future__ import annotations

from organ_models.references import C12_TABLES
from organ_models.scenarios import BASELINE, Check, Evidence

CALIBRATED = (
    "systolic_blood_pressure",
    "diastolic_blood_pressure",
    "left_ventricular_end_diastolic_volume",
    "stroke_volume",
    "right_ventricular_end_diastolic_volume",
    "pulmonary_systolic_pressure",
    "pulmonary_diastolic_pressure",
    "pulmonary_mean_pressure",
    "left_atrial_mean_pressure",
    "right_atrial_mean_pressure",
    "left_atrial_maximal_volume",
    "right_atrial_maximal_volume",
    "left_atrial_minimal_volume",
    "right_atrial_minimal_volume",
)

RELATIVE = 1e-3
EVENT = 1e-3
"""Tolerances: 0.1 % of volumes, pressures and flows; 1 ms of valve events."""

_BASELINE = (
    ("systolic_blood_pressure", 117.995, "mm[Hg]"),
    ("diastolic_blood_pressure", 75.9735, "mm[Hg]"),
    ("mean_blood_pressure", 97.7499, "mm[Hg]"),
    ("left_ventricular_end_diastolic_volume", 139.995, "mL"),
    ("left_ventricular_end_systolic_volume", 57.9999, "mL"),
    ("stroke_volume", 81.9954, "mL"),
    ("left_ventricular_ejection_fraction", 58.5701, "%"),
    ("cardiac_output", 5.73959, "L/min"),
    ("right_ventricular_end_diastolic_volume", 154.990, "mL"),
    ("right_ventricular_end_systolic_volume", 72.9954, "mL"),
    ("left_ventricular_end_diastolic_pressure", 9.58065, "mm[Hg]"),
    ("peak_left_ventricular_pressure", 118.434, "mm[Hg]"),
    ("peak_right_ventricular_pressure", 23.0724, "mm[Hg]"),
    ("pulmonary_systolic_pressure", 22.0654, "mm[Hg]"),
    ("pulmonary_diastolic_pressure", 9.78127, "mm[Hg]"),
    ("pulmonary_mean_pressure", 14.3144, "mm[Hg]"),
    ("left_atrial_mean_pressure", 7.94341, "mm[Hg]"),
    ("right_atrial_mean_pressure", 4.00293, "mm[Hg]"),
    ("left_atrial_maximal_volume", 71.8786, "mL"),
    ("left_atrial_minimal_volume", 35.1455, "mL"),
    ("right_atrial_maximal_volume", 80.1118, "mL"),
    ("right_atrial_minimal_volume", 41.9116, "mL"),
    ("systemic_venous_mean_pressure", 9.74253, "mm[Hg]"),
    ("pulmonary_venous_mean_pressure", 9.85662, "mm[Hg]"),
    ("peak_aortic_valve_flow", 1099.69, "mL/s"),
    ("peak_mitral_valve_flow", 1014.98, "mL/s"),
)
_EVENTS = (
    ("aortic_valve", 0.0849, 0.2788),
    ("mitral_valve", 0.3915, 0.8040),
    ("pulmonary_valve", 0.0583, 0.2923),
    ("tricuspid_valve", 0.3731, 0.8297),
)
_COLUMNS = (
    ("systolic_blood_pressure", "mm[Hg]"),
    ("diastolic_blood_pressure", "mm[Hg]"),
    ("mean_blood_pressure", "mm[Hg]"),
    ("stroke_volume", "mL"),
    ("left_ventricular_ejection_fraction", "%"),
    ("cardiac_output", "L/min"),
    ("left_ventricular_end_diastolic_volume", "mL"),
    ("left_ventricular_end_diastolic_pressure", "mm[Hg]"),
    ("left_atrial_mean_pressure", "mm[Hg]"),
    ("right_atrial_mean_pressure", "mm[Hg]"),
    ("pulmonary_systolic_pressure", "mm[Hg]"),
    ("pulmonary_mean_pressure", "mm[Hg]"),
    ("left_atrial_maximal_volume", "mL"),
)
# fmt: off
_SCENARIOS = {
    "r_ars_x090": (111.324, 68.7937, 90.7566, 83.6763, 60.2561, 5.85737, 138.868, 9.49755, 7.88241, 4.06893,
                   22.2727, 14.3840, 71.7945),
    "htn": (150.074, 91.3919, 121.420, 80.1535, 52.9747, 5.61061, 151.305, 10.4142, 8.60205, 3.97063,
            22.4846, 14.8299, 75.8332),
    "htn_r092": (143.427, 84.1828, 114.412, 81.5462, 54.3973, 5.70823, 149.909, 10.3113, 8.52529, 4.02360,
                 22.6283, 14.8613, 75.6051),
    "hfref": (122.435, 78.3283, 100.574, 84.1271, 39.2921, 5.88890, 214.107, 15.0427, 12.2715, 4.38973,
              27.1240, 18.8081, 100.061),
    "haemorrhage": (106.196, 68.3761, 87.9749, 73.7959, 58.1089, 5.16563, 126.996, 8.62259, 7.14907, 3.60263,
                    19.8589, 12.8829, 65.0907),
}
# fmt: on


def _value(scenario: str, output: str, published: float, unit: str) -> Check:
    fitted = scenario == BASELINE and output in CALIBRATED
    evidence: Evidence = "calibration" if fitted else "verification"
    return Check(output, published, unit, RELATIVE, "relative", C12_TABLES, evidence, scenario)


def _event(valve: str, event: str, seconds: float) -> Check:
    return Check(f"{valve}_{event}_time", seconds, "s", EVENT, "absolute", C12_TABLES)


CHECKS = (
    *(_value(BASELINE, output, published, unit) for output, published, unit in _BASELINE),
    *(_event(valve, "opening", opening) for valve, opening, _ in _EVENTS),
    *(_event(valve, "closing", closing) for valve, _, closing in _EVENTS),
    *(
        _value(scenario, output, published, unit)
        for scenario, row in _SCENARIOS.items()
        for (output, unit), published in zip(_COLUMNS, row, strict=True)
    ),
)
