"""Variants and scenarios of the cardiovascular twin, without reflex.

The conditions of the 12-state circulation apply to both variants. Valve disease is given by its orifice: what
the ventricle does about it over the years is not part of it.
"""

from __future__ import annotations

from organ_models.cardiovascular.assist_device import heartmate_2, heartmate_3
from organ_models.cardiovascular.closed_loop_scenarios import SCENARIOS as C12_SCENARIOS
from organ_models.references import (
    ANTIHYPERTENSIVE_CALIBRATION,
    BONNEMAIN_2021,
    C12_CALIBRATION,
    EXERCISE_ASSUMPTIONS,
    GORLIN_1951,
    POSTURE_ASSUMPTIONS,
)
from organ_models.scenarios import Pattern, Scenario, Variant

C12 = Variant(
    "c12",
    "no characteristic impedance at the aortic root and a short ejection",
    {
        "aortic_characteristic_impedance": 0.0,
        "contraction_share": 2.0 / 3.0,
        "activation_exponent": 1.0,
        "left_ventricular_active_elastance": 2.3614,
        "left_ventricular_passive_elastance": 0.0737,
        "right_ventricular_active_elastance": 0.3976,
        "right_ventricular_passive_elastance": 0.0331,
        "left_atrial_active_elastance": 0.1605,
        "left_atrial_passive_elastance": 0.1471,
        "right_atrial_active_elastance": 0.0567,
        "right_atrial_passive_elastance": 0.0685,
        "systemic_arterial_resistance": 0.92,
        "systemic_arterial_compliance": 1.5103,
        "pulmonary_arterial_resistance": 0.0466,
        "pulmonary_arterial_compliance": 3.6159,
        "stressed_volume": 1245.3967,
    },
    C12_CALIBRATION,
)

_WEAK = {"left_ventricular_active_elastance": 0.30, "stressed_volume": 1.20}
"""Of a heart that needs support: weaker than that of the scenario hfref."""


def _valve(name: str, title: str, **parameters: float) -> Scenario:
    return Scenario(name, title, parameters=parameters, source=GORLIN_1951)


SCENARIOS = (
    *C12_SCENARIOS,
    Scenario(
        "hypertension",
        "150/91 by raised resistance and stiff arteries, on the catalogue's baseline",
        {"systemic_arterial_resistance": 1.32716, "systemic_arterial_compliance": 0.489274},
        source=ANTIHYPERTENSIVE_CALIBRATION,
    ),
    Scenario(
        "exercise",
        "half of the way to the maximal heart rate, no reflex",
        inputs={"exercise_intensity": Pattern(0.5)},
        source=EXERCISE_ASSUMPTIONS,
    ),
    Scenario(
        "upright",
        "standing without a reflex",
        inputs={"uprightness": Pattern(1.0)},
        source=POSTURE_ASSUMPTIONS,
    ),
    _valve("aortic_stenosis_moderate", "aortic valve of 1.3 cm2", aortic_valve_area=1.3),
    _valve("aortic_stenosis", "aortic valve of 0.8 cm2", aortic_valve_area=0.8),
    _valve("mitral_stenosis", "mitral valve of 1.0 cm2", mitral_valve_area=1.0),
    _valve("mitral_regurgitation", "mitral leak of 0.4 cm2", mitral_regurgitant_area=0.4),
    _valve("aortic_regurgitation", "aortic leak of 0.3 cm2", aortic_regurgitant_area=0.3),
    Scenario("heart_failure", "a left ventricle that needs support", _WEAK, source=BONNEMAIN_2021),
    Scenario(
        "heartmate_2",
        "the same with a HeartMate II at 9000/min",
        _WEAK,
        source=BONNEMAIN_2021,
        parameters=heartmate_2(9000),
    ),
    Scenario(
        "heartmate_3",
        "the same with a HeartMate 3 at 5500/min",
        _WEAK,
        source=BONNEMAIN_2021,
        parameters=heartmate_3(5500),
    ),
)
