"""What acts on the circulation beside nerves: exercise, posture, vessels and volume."""

from __future__ import annotations

import numpy as np
import pytest

from organ_models.cardiovascular.cardiovascular import CARDIOVASCULAR, Inputs, Parameters
from organ_models.cardiovascular.demands import demanded, heard
from organ_models.solvers import periodic_orbits

REST = Parameters()


def shown(parameters: Parameters = REST, **inputs: float) -> dict[str, float]:
    found = periodic_orbits(CARDIOVASCULAR, parameters, Inputs(**inputs), tolerance=1e-9)
    assert found.converged.all()
    return {name: float(column[0]) for name, column in found.outputs.items()}


def test_local_ratios_act_as_the_parameters_they_multiply_and_beside_those_of_nerves() -> None:
    by_port = shown(local_resistance_ratio=0.9, systemic_resistance_ratio=1.1, stressed_volume_ratio=0.95)
    changed = Parameters(
        systemic_arterial_resistance=REST.systemic_arterial_resistance * 0.9 * 1.1,
        stressed_volume=REST.stressed_volume * 0.95,
    )
    for name, value in shown(changed).items():
        assert by_port[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("nerves", [0.7, 1.0, 1.4])
def test_full_exercise_has_the_maximal_heart_rate_whatever_nerves_want(nerves: float) -> None:
    assert shown(exercise_intensity=1.0, heart_rate_ratio=nerves)["heart_rate"] == pytest.approx(180.0)


def test_exercise_raises_output_and_rate_and_lowers_resistance() -> None:
    rest, half = shown(), shown(exercise_intensity=0.5)
    assert half["heart_rate"] == pytest.approx(0.5 * (70 + 180))
    assert half["cardiac_output"] > 1.3 * rest["cardiac_output"]
    assert half["ejection_fraction"] > rest["ejection_fraction"]
    flow = half["cardiac_output"] / 0.06
    fall = half["mean_arterial_pressure"] - half["right_atrial_pressure"]
    bed = REST.systemic_arterial_resistance * (1 - 0.6 * 0.5)
    # root impedance carries mean flow too
    assert fall / flow == pytest.approx(
        bed + REST.systemic_venous_resistance + REST.aortic_characteristic_impedance, rel=0.02
    )


def test_upright_550_mL_are_missing_and_working_muscles_give_them_back() -> None:
    upright = shown(uprightness=1.0)
    bled = shown(blood_volume_change=-550.0)
    for name in ("stroke_volume", "mean_arterial_pressure", "left_atrial_pressure"):
        assert upright[name] == pytest.approx(bled[name], rel=1e-9)
    lying, standing = (demanded(REST, Inputs(exercise_intensity=1.0, uprightness=u)) for u in (0.0, 1.0))
    assert lying.blood_volume_change == standing.blood_volume_change


def test_receptors_at_the_neck_hear_the_column_of_blood_below_them() -> None:
    """25 cm of blood of 1.06 g/cm3 weigh 19.5 mmHg."""
    assert heard(np.array(100.0), REST, Inputs(uprightness=1.0)) == pytest.approx(100 - 19.49, abs=0.01)
    assert heard(np.array(100.0), REST, Inputs(uprightness=0.5)) == pytest.approx(100 - 9.75, abs=0.01)
    assert heard(np.array(100.0), REST, Inputs(exercise_intensity=1.0)) == pytest.approx(85.0)
    assert heard(np.array(100.0), REST, Inputs()) == 100.0
