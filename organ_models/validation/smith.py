"""Cases of the circulation of Smith et al. 2004 and what must come out of the default one.

Values were computed apart from this code from the same equations and parameters (Runge–Kutta at 1e-5 s,
periodic to 1e-6); they lie within 0.2 of the published table. The other cases declare what is run; values of
theirs are not given. None of it is an observation in people.
"""

from __future__ import annotations

from organ_models.references import PHYSIOLIBRARY_SMITH, SMITH_2004
from organ_models.scenarios import Check, Scenario

RELATIVE = 2e-3
"""Tolerance: 0.2 %."""

VALUES = (
    ("lv_end_diastolic_volume", 111.66917, "mL"),
    ("lv_end_systolic_volume", 45.669971, "mL"),
    ("stroke_volume", 65.999195, "mL"),
    ("ejection_fraction", 59.102434, "%"),
    ("rv_end_diastolic_volume", 112.07768, "mL"),
    ("rv_end_systolic_volume", 46.078483, "mL"),
    ("cardiac_output", 5.2799323, "L/min"),
    ("peak_left_ventricular_pressure", 119.12683, "mm[Hg]"),
    ("peak_right_ventricular_pressure", 26.22054, "mm[Hg]"),
    ("systolic_blood_pressure", 116.50186, "mm[Hg]"),
    ("diastolic_blood_pressure", 79.043547, "mm[Hg]"),
    ("mean_arterial_pressure", 97.77613, "mm[Hg]"),
    ("systolic_pulmonary_artery_pressure", 25.675933, "mm[Hg]"),
    ("diastolic_pulmonary_artery_pressure", 7.8080851, "mm[Hg]"),
    ("pulmonary_venous_pressure", 2.0029163, "mm[Hg]"),
    ("systemic_venous_pressure", 1.954099, "mm[Hg]"),
    ("least_septal_volume", 2.2813411, "mL"),
    ("greatest_septal_volume", 6.5983526, "mL"),
)

CHECKS = tuple(
    Check(output, value, unit, RELATIVE, "relative", PHYSIOLIBRARY_SMITH) for output, value, unit in VALUES
)


def _early(period: float) -> dict[str, float]:
    """Activation ``exp(-80 / T^2 (time - 0.27 T)^2)``."""
    return {"activation_width": 80.0 / period**2, "activation_centre": 0.27 * period}


SCENARIOS = (
    Scenario(
        "septum_T0.75_C0.27T",
        "activation that follows the period, centred at 0.27 of it",
        parameters=_early(0.75),
        source=SMITH_2004,
    ),
    Scenario("septum_T0.8333", "heart rate 72/min", parameters={"heart_rate": 72.0}, source=SMITH_2004),
    Scenario(
        "biomodels_noseptum_T1",
        "the other encoding of the published model: septum held, heart rate 60/min",
        parameters={
            "pulmonary_valve_resistance": 0.0015,
            "pulmonary_resistance": 0.0952,
            "systemic_resistance": 1.3889,
            "aortic_elastance": 0.6713,
            "heart_rate": 60.0,
            **_early(1.0),
            "septal_freedom": 0.0,
            "held_septal_volume": 1.0,
        },
        source=SMITH_2004,
    ),
)
