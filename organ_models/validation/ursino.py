"""Rest of the circulation of Ursino 1998, with the effectors held where the reflex holds them.

Computed apart from this code from the same equations and parameters, with the reflex and its exact delays
(Runge–Kutta at 2e-4 s; means over t = 225–240 s; not against a published table). The effectors' means are
that computation's own. None of it is an observation in people.
"""

from __future__ import annotations

from organ_models.references import URSINO_1998
from organ_models.scenarios import Check, Pattern, Scenario

REST = "rest"

RELATIVE = 0.008
"""Tolerance: 0.8 %. The window of 15 s is not a whole number of beats, by which means vary up to 2 %."""

VALUES = (
    ("systolic_blood_pressure", 131.16619, "mm[Hg]"),
    ("diastolic_blood_pressure", 87.81809, "mm[Hg]"),
    ("mean_arterial_pressure", 100.32866, "mm[Hg]"),
    ("heart_rate", 70.912539, "/min"),
    ("lv_end_diastolic_volume", 132.48623, "mL"),
    ("lv_end_systolic_volume", 56.391157, "mL"),
    ("stroke_volume", 76.095075, "mL"),
    ("ejection_fraction", 57.436214, "%"),
    ("cardiac_output", 5.42, "L/min"),
    ("systolic_pulmonary_artery_pressure", 27.412468, "mm[Hg]"),
    ("diastolic_pulmonary_artery_pressure", 13.037807, "mm[Hg]"),
    ("mean_pulmonary_artery_pressure", 18.67182, "mm[Hg]"),
    ("left_atrial_pressure", 8.0065194, "mm[Hg]"),
    ("right_atrial_pressure", 4.9959667, "mm[Hg]"),
)

_EFFECTORS = {
    "left_ventricular_elastance": 2.9538452,
    # the sympathetic drive that gives 2.9538 on the left, (2.9538 - 2.392) / 0.475, times 0.282 on 1.412
    "right_ventricular_elastance": 1.412 + 0.282 * (2.9538452 - 2.392) / 0.475,
    "splanchnic_resistance": 3.3121034,
    "other_resistance": 1.4069278,
    # both follow one drive: 1435.4 + 1537 - 2501.82 mL is shared as 265.4 to 132.5
    "splanchnic_volume": 1435.4 - 265.4 * (1435.4 + 1537.0 - 2501.82) / (265.4 + 132.5),
    "other_volume": 1537.0 - 132.5 * (1435.4 + 1537.0 - 2501.82) / (265.4 + 132.5),
    "heart_period": 60.0 / 70.912539,
}

SCENARIOS = (
    Scenario(
        REST,
        "effectors held where the baroreflex holds them at rest",
        inputs={port: Pattern(value) for port, value in _EFFECTORS.items()},
        source=URSINO_1998,
    ),
)

CHECKS = tuple(
    Check(output, value, unit, RELATIVE, "relative", URSINO_1998, scenario=REST)
    for output, value, unit in VALUES
)
