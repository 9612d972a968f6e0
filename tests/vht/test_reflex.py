"""The baroreflex: its own rest, adapted to a patient, and what it does about blood loss and drugs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from organ_models.solvers import periodic_orbits
from vht import (
    CompositionError,
    Individuals,
    ModelRunError,
    VirtualPatient,
    adapt,
    cardiovascular,
    run_model,
    simulate,
    typical,
)

HEART, REFLEX = "cardiovascular", "baroreflex"


def people(n: int = 1, **changes: Any) -> Individuals:
    """Typical people with parameters of the circulation changed, adapted to themselves."""
    patient = cardiovascular()
    crowd = typical(patient, n)
    heart = crowd.parameters[HEART]
    moved = {k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in {**vars(heart), **changes}.items()}
    crowd = dataclasses.replace(crowd, parameters={**crowd.parameters, HEART: type(heart)(**moved)})
    return adapt(patient, crowd)


@pytest.fixture(scope="module")
def crowd() -> Individuals:
    """Different pressures: thin and thick vessels, slow and fast hearts."""
    return people(4, systemic_arterial_resistance=[0.7, 0.83, 1.1, 1.3], heart_rate=[60.0, 70.0, 80.0, 65.0])


def test_an_adapted_reflex_changes_nothing_at_rest(crowd: Individuals) -> None:
    """In balance the circulation shows what it shows without a reflex, whatever its pressure."""
    found = simulate(cardiovascular(), crowd, days=[0])
    heart = cardiovascular().models[HEART]
    alone = periodic_orbits(heart, crowd.parameters[HEART], heart.Inputs()).outputs
    for name in ("mean_arterial_pressure", "heart_rate", "cardiac_output", "lv_end_diastolic_volume"):
        np.testing.assert_allclose(found.outputs[f"{HEART}.{name}"][0], alone[name], rtol=1e-4, err_msg=name)
    assert np.abs(found.outputs[f"{REFLEX}.recruited_volume"]).max() < 0.1


def test_the_set_point_lies_below_the_pressure_as_in_the_source(crowd: Individuals) -> None:
    """92 mmHg against a mean pressure of 100.3 at rest (Ursino 1998)."""
    heart = cardiovascular().models[HEART]
    mean = periodic_orbits(heart, crowd.parameters[HEART], heart.Inputs()).outputs["mean_arterial_pressure"]
    np.testing.assert_allclose(crowd.parameters[REFLEX].set_point, mean - 8.3, atol=0.02)


def test_after_blood_loss_heart_rate_resistance_and_venous_tone_rise(crowd: Individuals) -> None:
    """The published directions; pressure falls by about half of what it does without it."""
    patient, heart = cardiovascular(), cardiovascular().models[HEART]
    bled = dataclasses.replace(
        crowd.parameters[HEART], stressed_volume=np.asarray(crowd.parameters[HEART].stressed_volume) * 0.85
    )
    after = dataclasses.replace(crowd, parameters={**crowd.parameters, HEART: bled})
    rest, loss = (simulate(patient, who, days=[0]).outputs for who in (crowd, after))
    for port in (f"{HEART}.heart_rate", f"{REFLEX}.systemic_resistance_ratio", f"{REFLEX}.recruited_volume"):
        assert (loss[port] > rest[port]).all(), port
    assert (loss[f"{REFLEX}.vagal_activity"] < rest[f"{REFLEX}.vagal_activity"]).all()
    assert (loss[f"{HEART}.cardiac_output"] < rest[f"{HEART}.cardiac_output"]).all()
    mean = f"{HEART}.mean_arterial_pressure"
    free = periodic_orbits(heart, bled, heart.Inputs()).outputs["mean_arterial_pressure"]
    fall, free_fall = rest[mean][0] - loss[mean][0], rest[mean][0] - free
    assert (fall < 0.6 * free_fall).all()
    assert (fall > 0).all()


def test_less_sympathetic_drive_lowers_pressure_in_proportion() -> None:
    """Renal denervation as a reduced drive: each step lowers pressure, the reflex gives back part of it."""
    patient = cardiovascular()
    who = people(3)
    drive = np.tile([1.0, 0.9, 0.8], (2, 1))
    run = simulate(
        patient,
        who,
        transient=True,
        duration=60.0,
        every=30.0,
        step=2e-3,
        inputs={f"{REFLEX}.sympathetic_drive": ([0.0, 1.0], drive)},
    )
    pressure = run.outputs[f"{HEART}.mean_arterial_pressure"][-1]
    assert pressure[0] > pressure[1] + 1.0
    assert pressure[1] > pressure[2] + 1.0


def test_a_bleed_is_answered_within_seconds_and_partly_made_good() -> None:
    """530 mL within 5 s, as in the source's own protocol: heart rate first, then vessels and veins."""
    patient = cardiovascular()
    who = people(1)
    lost = {f"{HEART}.blood_volume_change": ([10.0, 15.0], [0.0, -300.0])}
    run = simulate(patient, who, transient=True, duration=40.0, every=1.0, step=2e-3, inputs=lost)
    mean = run.outputs[f"{HEART}.mean_arterial_pressure"][:, 0]
    rate = run.outputs[f"{HEART}.heart_rate"][:, 0]
    before, lowest, end = mean[:9].mean(), mean[10:30].min(), mean[-5:].mean()
    assert lowest < before - 8
    assert lowest + 2 < end < before
    assert rate[-1] > rate[:9].mean() + 3
    answered = run.times[np.flatnonzero(rate > rate[:9].max() + 2)[0]]
    assert 10.0 < answered < 20.0


def test_alone_at_its_set_point_the_reflex_is_what_the_equations_say() -> None:
    """By hand: receptors (2.52 + 47.78) / 2 = 25.15; sympathetic 2.10 + 14.01 exp(-0.0675 x 25.15); vagal 3.2
    + 3.1 / (1 + exp(-0.15 / 7.06)); period 0.58 - 0.13 ln(4.6655 - 2.66 + 1) + 0.09 x 4.7665."""
    found = run_model(REFLEX, settings={"pressure": 92.0}).outputs
    assert found["receptor_rate"].value == pytest.approx(25.15, rel=1e-9)
    assert found["sympathetic_activity"].value == pytest.approx(4.6655, abs=1e-4)
    assert found["vagal_activity"].value == pytest.approx(4.7665, abs=1e-4)
    assert found["heart_period"].value == pytest.approx(0.86592, abs=2e-5)
    with pytest.raises(ModelRunError, match="is a controller: it is read at rest"):
        run_model(REFLEX, day=3)


def test_nothing_to_adapt_is_said() -> None:
    patient = VirtualPatient([HEART])
    with pytest.raises(CompositionError, match="nothing to adapt"):
        adapt(patient, typical(patient))
