"""Orbit and reflex in balance: what the circulation shows when the reflex has settled."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import model
from organ_models.solvers import Failure, periodic_orbits
from tests.vht.reflexes import LOOP, Outputs, State, reflex, regulated
from tests.vht.test_transient import several
from vht import CompositionError, Coupling, VirtualPatient, simulate, sunitinib_gist
from vht.controls import at_rest
from vht.cycles import untreated

CIRCULATION = model(LOOP)
HEARS = Coupling(f"{LOOP}.systemic_arterial_pressure", "reflex.pressure")
RESISTS = Coupling("reflex.resistance_ratio", f"{LOOP}.systemic_resistance_ratio")


@pytest.mark.parametrize("gain", [2.0, 12.0])
def test_orbit_and_reflex_are_in_balance(gain: float) -> None:
    """Less stressed volume: the reflex holds pressure up. In balance the filtered pressure is the mean one,
    the tone is the drive, and the circulation beats under just these outputs. With a gain of 12 plain
    iteration between heart and reflex would diverge."""
    patient = regulated()
    volume = np.linspace(1.0, 0.85, 4) * CIRCULATION.Parameters().stressed_volume
    crowd = several(patient, 4, reflex__gain=[gain] * 4, closed_loop_circulation__stressed_volume=volume)
    run = simulate(patient, crowd, days=[0])
    assert run.failure.tolist() == [None] * 4
    heard, tone = run.cycles.states["reflex"][0]
    mean = run.outputs[f"{LOOP}.mean_pressure"][0]
    np.testing.assert_allclose(heard, mean, rtol=1e-4)
    drive = np.tanh(gain * (95.0 - heard) / 95.0)
    np.testing.assert_allclose(tone, drive, rtol=1e-4, atol=1e-6)
    u = CIRCULATION.Inputs(systemic_resistance_ratio=np.exp(0.8 * tone), heart_rate_ratio=np.exp(0.4 * tone))
    again = periodic_orbits(CIRCULATION, crowd.parameters[LOOP], u)
    np.testing.assert_allclose(again.outputs["mean_pressure"], mean, rtol=1e-5)
    free = periodic_orbits(CIRCULATION, crowd.parameters[LOOP], CIRCULATION.Inputs()).outputs["mean_pressure"]
    assert 1 - mean[-1] / mean[0] < 0.6 * (1 - free[-1] / free[0])


def test_both_back_ends_find_the_same_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for engine in ("native", "portable"):
        monkeypatch.setenv("VHT_ENGINE", engine)
        found[engine] = simulate(regulated(), days=[0]).outputs
    for port, trace in found["native"].items():
        np.testing.assert_allclose(trace, found["portable"][port], rtol=2e-5, err_msg=port)


def test_a_transient_settles_where_the_balance_is() -> None:
    """After a bleed of 150 mL the beat-by-beat run with its delay ends at the balance of the bled patient,
    within 0.2 % (the balance holds the reflex's outputs over the beat)."""
    bleed = {f"{LOOP}.recruited_volume": ([5.0, 15.0], [0.0, -150.0])}
    patient = regulated()
    run = simulate(
        patient,
        transient=True,
        duration=80.0,
        every=40.0,
        step=2e-3,
        inputs=bleed,
    )
    volume = np.array([CIRCULATION.Parameters().stressed_volume - 150.0])
    crowd = several(patient, 1, closed_loop_circulation__stressed_volume=volume)
    rest = simulate(patient, crowd, days=[0])
    for name in ("mean_pressure", "heart_rate", "stroke_volume"):
        port = f"{LOOP}.{name}"
        np.testing.assert_allclose(run.outputs[port][-1], rest.outputs[port][0], rtol=2e-3, err_msg=name)


def test_a_saturating_receptor_sees_the_pulse_and_not_its_mean() -> None:
    """A receptor that clips at 95 mmHg hears less than the mean; the balance knows, as the transient does."""
    clipped = reflex(
        derivative=lambda t, x, p, u: State(
            heard=(jnp.minimum(u.pressure, 95.0) - x.heard) / 1.0,
            tone=(u.delayed_drive - x.tone) / p.time_constant,
        )
    )
    patient = VirtualPatient(
        [LOOP, clipped],
        [
            Coupling(f"{LOOP}.systemic_arterial_pressure", "reflex.pressure"),
            Coupling("reflex.resistance_ratio", f"{LOOP}.systemic_resistance_ratio"),
        ],
    )
    rest = simulate(patient, days=[0])
    heard, mean = rest.cycles.states["reflex"][0][0], rest.outputs[f"{LOOP}.mean_pressure"][0]
    assert heard[0] < mean[0] - 2.0
    run = simulate(patient, transient=True, duration=40.0, every=20.0, step=2e-3)
    np.testing.assert_allclose(run.outputs[f"{LOOP}.mean_pressure"][-1], mean, rtol=2e-3)


def test_a_solved_pressure_is_met_with_the_reflex_on() -> None:
    """The drug's diastolic pressure is reached although the reflex works against it."""
    plain = sunitinib_gist()
    patient = VirtualPatient(
        [*plain.models.values(), reflex()],
        [
            *plain.couplings,
            Coupling(f"{LOOP}.systemic_arterial_pressure", "reflex.pressure"),
            Coupling("reflex.heart_rate_ratio", f"{LOOP}.heart_rate_ratio"),
        ],
    )
    dose = {"sunitinib_exposure.daily_dose": 50.0}
    with_reflex, without = (simulate(p, doses=dose, days=[0, 56]) for p in (patient, plain))
    asked = with_reflex.outputs["sunitinib_blood_pressure.diastolic_pressure"]
    shown = with_reflex.outputs[f"{LOOP}.diastolic_pressure"]
    rise = shown[1] - shown[0]
    np.testing.assert_allclose(shown[1], asked[1], atol=0.1)
    assert rise > 3.0
    assert with_reflex.outputs[f"{LOOP}.heart_rate"][1] < with_reflex.outputs[f"{LOOP}.heart_rate"][0]
    ratio = f"{LOOP}.systemic_resistance_ratio"
    assert with_reflex.cycles.inputs[ratio][1] > without.cycles.inputs[ratio][1]


def test_strong_reflexes_find_their_balance_in_every_circulation() -> None:
    """Gains up to 80, resistance and volume over a wide range, set points that saturate the reflex."""
    patient, n = regulated(), 24
    rng = np.random.default_rng(5)
    crowd = several(
        patient,
        n,
        reflex__gain=np.repeat([12.0, 30.0, 80.0], 8),
        reflex__set_point=rng.uniform(70, 120, n),
        closed_loop_circulation__stressed_volume=1245 * rng.uniform(0.7, 1.3, n),
        closed_loop_circulation__systemic_arterial_resistance=0.92 * rng.uniform(0.6, 1.6, n),
    )
    orbits = untreated(patient, CIRCULATION, crowd).orbits
    assert orbits.converged.all()
    assert (orbits.residual <= 1e-7).all()
    some = np.array([20, 3])
    apart = untreated(patient, CIRCULATION, crowd.take(some)).orbits
    np.testing.assert_array_equal(apart.state, orbits.state[:, some])
    for name, column in apart.outputs.items():
        np.testing.assert_array_equal(column, orbits.outputs[name][some], err_msg=name)


def test_the_waveform_is_that_of_the_balance() -> None:
    """Inputs that the reflex feeds are told, so that the waveform's mean is the mean pressure."""
    patient = regulated()
    crowd = several(patient, 2, closed_loop_circulation__stressed_volume=[1245.0, 1050.0])
    run = simulate(patient, crowd, days=[0])
    for port in ("systemic_resistance_ratio", "heart_rate_ratio"):
        sent = run.outputs[f"reflex.{port.removeprefix('systemic_')}"]
        np.testing.assert_allclose(run.cycles.inputs[f"{LOOP}.{port}"], sent, rtol=1e-12)
    assert run.cycles.inputs[f"{LOOP}.systemic_resistance_ratio"][0, 1] > 1.05
    for person in (0, 1):
        pressure = run.waveform(0, person)["systemic_arterial_pressure"]
        assert pressure[:-1].mean() == pytest.approx(
            run.outputs[f"{LOOP}.mean_pressure"][0, person], rel=1e-6
        )


def test_an_output_that_shows_what_is_delayed_is_in_balance_too() -> None:
    """Without an effector in between the delayed drive acts at once; the transient is the oracle."""
    direct = reflex(
        observe=lambda t, x, p, u: Outputs(
            resistance_ratio=jnp.exp(0.8 * u.delayed_drive),
            heart_rate_ratio=1.0 + 0.0 * x.tone,
            drive=jnp.tanh(p.gain * (p.set_point - x.heard) / p.set_point),
        )
    )
    patient = VirtualPatient([LOOP, direct], [HEARS, RESISTS])
    crowd = several(patient, 1, closed_loop_circulation__stressed_volume=[1050.0])
    rest = simulate(patient, crowd, days=[0]).outputs[f"{LOOP}.mean_pressure"][0]
    run = simulate(patient, crowd, transient=True, duration=40.0, every=20.0, step=2e-3)
    np.testing.assert_allclose(run.outputs[f"{LOOP}.mean_pressure"][-1], rest, rtol=2e-3)
    free = periodic_orbits(CIRCULATION, crowd.parameters[LOOP], CIRCULATION.Inputs()).outputs["mean_pressure"]
    assert rest > free + 5.0


def test_outputs_that_show_each_others_past_at_once_have_no_rest() -> None:
    echo = reflex(
        observe=lambda t, x, p, u: Outputs(
            resistance_ratio=1.0 + u.delayed_drive, heart_rate_ratio=1.0 + x.tone, drive=0.5 * u.delayed_drive
        )
    )
    with pytest.raises(CompositionError, match=r"no state of rest: reflex\.drive -> reflex\.drive"):
        simulate(VirtualPatient([LOOP, echo], [HEARS, RESISTS]), days=[0])


@pytest.mark.parametrize("rate", [lambda x: 1.0 + 0.1 * x**2, lambda x: 1.0 + 0.0 * x])
def test_a_controller_that_never_rests_is_a_failure_and_not_a_number(rate) -> None:  # type: ignore[no-untyped-def]
    restless = reflex(derivative=lambda t, x, p, u: State(heard=u.pressure - x.heard, tone=rate(x.tone)))
    run = simulate(VirtualPatient([LOOP, restless], [HEARS, RESISTS]), days=[0])
    assert run.failure.tolist() == [Failure.NOT_PERIODIC]
    assert np.isnan(run.outputs[f"{LOOP}.mean_pressure"]).all()
    assert np.isnan(at_rest(restless, {}, {"pressure": 95.0})["resistance_ratio"])


def test_the_balance_answers_to_inputs_that_are_open() -> None:
    """Blood that is missing from the start is missing from a smaller stressed volume too: one balance."""
    patient = regulated()
    given = {f"{LOOP}.recruited_volume": -150.0}
    run = simulate(patient, transient=True, duration=20.0, every=10.0, step=2e-3, inputs=given)
    volume = CIRCULATION.Parameters().stressed_volume - 150.0
    bled = several(patient, 1, closed_loop_circulation__stressed_volume=[volume])
    rest = simulate(patient, bled, days=[0])
    for name in ("mean_pressure", "heart_rate", "stroke_volume"):
        found, expected = run.outputs[f"{LOOP}.{name}"], rest.outputs[f"{LOOP}.{name}"][0]
        np.testing.assert_allclose(found, np.tile(expected, (2, 1)), rtol=5e-4, err_msg=name)
