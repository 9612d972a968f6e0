"""The closed loop of Ursino 1998: rest as published, and the reflex in bleeding and heart failure."""

from __future__ import annotations

import numpy as np
import pytest

import vht
from vht.transient import Transient
from vht.ursino import CASES, CIRCULATION, REFLEX, ursino_1998, ursino_cases

LOOP = ursino_1998()
NAMES = ["rest", "bleed_530", "moderate_hf", "severe_hf", "severe_hf_heartmate_2_9000"]


@pytest.fixture(scope="module")
def run() -> Transient:
    """All cases from balance, with exact delays; the loss of blood lies between 5 and 10 s."""
    people = ursino_cases(LOOP, *NAMES)
    lost = np.zeros((2, len(NAMES)))
    lost[1, NAMES.index("bleed_530")] = -530.0
    inputs = {f"{CIRCULATION}.infused_volume": (np.array([5.0, 10.0]), lost)}
    return vht.simulate(LOOP, people, transient=True, duration=60.0, every=0.5, step=1e-3, inputs=inputs)


def late(run: Transient, output: str, patient: int, model: str = CIRCULATION) -> float:
    """Mean over the last 15 s."""
    return float(run.outputs[f"{model}.{output}"][-30:, patient].mean())


@pytest.mark.parametrize(
    ("output", "published"),
    [
        ("systolic_blood_pressure", 131.166),
        ("diastolic_blood_pressure", 87.818),
        ("mean_arterial_pressure", 100.329),
        ("heart_rate", 70.913),
        ("lv_end_diastolic_volume", 132.486),
        ("lv_end_systolic_volume", 56.391),
        ("ejection_fraction", 57.436),
        ("cardiac_output", 5.42),
        ("systolic_pulmonary_artery_pressure", 27.412),
        ("diastolic_pulmonary_artery_pressure", 13.038),
        ("mean_pulmonary_artery_pressure", 18.672),
        ("left_atrial_pressure", 8.007),
        ("right_atrial_pressure", 4.996),
    ],
)
def test_rest_is_as_published(run: Transient, output: str, published: float) -> None:
    """Means over 15 s, 2 % (windows alias beats): Runge–Kutta at 2e-4 s with exact delays over 240 s."""
    assert late(run, output, 0) == pytest.approx(published, rel=0.02)


def test_effectors_rest_as_published(run: Transient) -> None:
    """From the same computation: R_sp, R_ep, Emax,lv and the unstressed volume of all veins."""
    assert late(run, "splanchnic_resistance", 0, REFLEX) == pytest.approx(3.3121, rel=5e-3)
    assert late(run, "other_resistance", 0, REFLEX) == pytest.approx(1.40693, rel=5e-3)
    assert late(run, "left_ventricular_elastance", 0, REFLEX) == pytest.approx(2.95385, rel=5e-3)
    veins = late(run, "splanchnic_volume", 0, REFLEX) + late(run, "other_volume", 0, REFLEX)
    assert veins == pytest.approx(2501.82, rel=1e-3)


def test_the_reflex_answers_a_loss_of_blood(run: Transient) -> None:
    """Rate and both resistances rise, veins give volume up, pressure recovers in part."""
    for output, model in (
        ("heart_rate", CIRCULATION),
        ("splanchnic_resistance", REFLEX),
        ("other_resistance", REFLEX),
        ("left_ventricular_elastance", REFLEX),
    ):
        assert late(run, output, 1, model) > 1.03 * late(run, output, 0, model), output
    for output in ("splanchnic_volume", "other_volume"):
        assert late(run, output, 1, REFLEX) < late(run, output, 0, REFLEX) - 10.0, output
    pressure = run.outputs[f"{CIRCULATION}.mean_arterial_pressure"][:, 1]
    lowest = pressure.min()
    assert (
        lowest + 1.0 < late(run, "mean_arterial_pressure", 1) < late(run, "mean_arterial_pressure", 0) - 3.0
    )


def test_nothing_happens_to_the_patient_who_does_not_bleed(run: Transient) -> None:
    """In balance from the start: mean pressure over any 15 s within 1 %."""
    pressure = run.outputs[f"{CIRCULATION}.mean_arterial_pressure"][:, 0].reshape(-1, 30).mean(axis=1)
    np.testing.assert_allclose(pressure, pressure[-1], rtol=0.01)


def test_heart_failure_weakens_the_heart_and_a_device_relieves_it(run: Transient) -> None:
    """Worse from rest to moderate and severe failure; the device unloads the ventricle."""
    assert all(f is None for f in run.failure)

    def shown(output: str) -> np.ndarray:
        return np.array([late(run, output, NAMES.index(n)) for n in NAMES if n != "bleed_530"])

    assert (np.diff(shown("ejection_fraction")[:3]) < -10.0).all()
    assert (np.diff(shown("cardiac_output")[:3]) < -0.5).all()
    assert (np.diff(shown("left_atrial_pressure")[:3]) > 3.0).all()
    assert (np.diff(shown("heart_rate")[:3]) > 3.0).all()
    assert shown("assist_flow")[:3] == pytest.approx(0.0)
    assert shown("assist_flow")[3] > 2.0
    assert shown("left_atrial_pressure")[3] < shown("left_atrial_pressure")[2] - 3.0
    assert shown("cardiac_output")[3] > shown("cardiac_output")[2] + 0.5


def test_an_unknown_case_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"no case moderate; there are rest, .*moderate_hf"):
        ursino_cases(LOOP, "moderate")
    assert list(CASES) == NAMES
