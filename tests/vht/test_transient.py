"""The clock of seconds: beats, conservation, exact delays, and balance with a reflex."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import model
from organ_models.cardiovascular import closed_loop_equations
from organ_models.solvers import Failure, periodic_orbits
from tests.vht.reflexes import LOOP, Outputs, State, reflex, regulated, with_lag
from vht import CompositionError, Coupling, Individuals, VirtualPatient, simulate, sunitinib_gist, typical

ALONE = VirtualPatient([LOOP])
CIRCULATION = model(LOOP)


def several(patient: VirtualPatient, n: int, **changes: Any) -> Individuals:
    """Typical people whose parameters ``model.parameter`` are changed."""
    crowd = typical(patient, n)
    parameters = dict(crowd.parameters)
    for port, value in changes.items():
        name, _, field = port.partition("__")
        parameters[name] = dataclasses.replace(parameters[name], **{field: np.asarray(value, float)})
    return dataclasses.replace(crowd, parameters=parameters)


# -- the circulation alone ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two():  # type: ignore[no-untyped-def]
    return several(ALONE, 2, closed_loop_circulation__heart_rate=[60.0, 80.0])


def test_every_beat_of_a_transient_is_the_periodic_beat(two) -> None:  # type: ignore[no-untyped-def]
    run = simulate(ALONE, two, transient=True, duration=8.0)
    orbit = periodic_orbits(CIRCULATION, two.parameters[LOOP], CIRCULATION.Inputs())
    for name, column in orbit.outputs.items():
        trace = run.outputs[f"{LOOP}.{name}"]
        np.testing.assert_allclose(trace, np.tile(column, (8, 1)), rtol=4e-3, err_msg=name)
    mean = run.outputs[f"{LOOP}.mean_pressure"]
    np.testing.assert_allclose(mean, np.tile(orbit.outputs["mean_pressure"], (8, 1)), rtol=4e-4)


def test_blood_volume_is_conserved_over_a_hundred_beats(two) -> None:  # type: ignore[no-untyped-def]
    run = simulate(ALONE, two, transient=True, duration=100.0, every=50.0, step=2e-3)
    p, u = two.parameters[LOOP], CIRCULATION.Inputs()
    x = CIRCULATION.State(*run.state.states[:12])
    np.testing.assert_allclose(closed_loop_equations.stressed_volume(x, p, u), p.stressed_volume, rtol=1e-12)
    # restoring is no crutch: a whole beat loses less than a millionth of it by itself
    free = dataclasses.replace(
        CIRCULATION, cycle=dataclasses.replace(CIRCULATION.cycle, restore=lambda x, p, u: x)
    )
    wild = simulate(VirtualPatient([free]), two, transient=True, duration=2.0, step=2e-3)
    y = CIRCULATION.State(*wild.state.states[:12])
    start = closed_loop_equations.stressed_volume(CIRCULATION.initial(p), p, u)
    assert np.abs(closed_loop_equations.stressed_volume(y, p, u) / start - 1).max() < 1e-9


def test_the_heart_rate_may_change_on_the_way(two) -> None:  # type: ignore[no-untyped-def]
    """From 60 to 90 and from 80 to 120 a minute within a second; the new steady state is the periodic one."""
    faster = {f"{LOOP}.heart_rate_ratio": ([2.0, 3.0], [1.0, 1.5])}
    run = simulate(ALONE, two, transient=True, duration=40.0, every=20.0, step=2e-3, inputs=faster)
    orbit = periodic_orbits(CIRCULATION, two.parameters[LOOP], CIRCULATION.Inputs(heart_rate_ratio=1.5))
    np.testing.assert_allclose(run.outputs[f"{LOOP}.heart_rate"][-1], [90.0, 120.0])
    for name in ("mean_pressure", "stroke_volume"):
        np.testing.assert_allclose(run.outputs[f"{LOOP}.{name}"][-1], orbit.outputs[name], rtol=1e-3)


def test_bleeding_takes_stressed_volume(two) -> None:  # type: ignore[no-untyped-def]
    """Each loses another amount; without reflex pressures scale with the stressed volume (homogeneity)."""
    lost = {f"{LOOP}.recruited_volume": ([5.0, 10.0], np.array([[0.0, 0.0], [-100.0, -300.0]]))}
    run = simulate(
        ALONE,
        two,
        transient=True,
        duration=40.0,
        every=20.0,
        step=2e-3,
        inputs=lost,
    )
    orbit = periodic_orbits(CIRCULATION, two.parameters[LOOP], CIRCULATION.Inputs())
    left = 1 + np.array([-100.0, -300.0]) / np.asarray(two.parameters[LOOP].stressed_volume)
    found = run.outputs[f"{LOOP}.mean_pressure"][-1] / orbit.outputs["mean_pressure"]
    np.testing.assert_allclose(found, left, rtol=1e-3)


def test_neighbours_change_no_bit_and_a_broken_one_fails_alone() -> None:
    three = several(ALONE, 3, closed_loop_circulation__heart_rate=[60.0, 70.0, 80.0])
    level = {f"{LOOP}.recruited_volume": ([0, 1], np.tile([0.0, np.nan, 0.0], (2, 1)))}
    with pytest.raises(ValueError, match="values must be finite"):
        simulate(ALONE, three, transient=True, duration=2.0, inputs=level)
    wild = np.array([[1.0, 1.0, 1.0], [1.0, -1e9, 1.0]])
    inputs = {f"{LOOP}.systemic_resistance_ratio": ([0.5, 1.0], wild)}
    run = simulate(ALONE, three, transient=True, duration=3.0, inputs=inputs)
    assert run.failure.tolist() == [None, Failure.DIVERGED, None]
    alone = simulate(ALONE, three.take(np.array([2])), transient=True, duration=3.0)
    for port, trace in alone.outputs.items():
        np.testing.assert_array_equal(trace[:, 0], run.outputs[port][:, 2], err_msg=port)


def test_a_transient_goes_on_where_it_stopped(two) -> None:  # type: ignore[no-untyped-def]
    patient = regulated()
    whole = simulate(patient, transient=True, duration=6.0)
    first = simulate(patient, transient=True, duration=4.0)
    rest = simulate(patient, transient=True, duration=2.0, start=first.state)
    for port, trace in rest.outputs.items():
        np.testing.assert_allclose(trace, whole.outputs[port][4:], rtol=1e-13, err_msg=port)
    np.testing.assert_array_equal(rest.times, [5.0, 6.0])


def test_signals_are_recorded_for_those_who_are_asked_for(two) -> None:  # type: ignore[no-untyped-def]
    run = simulate(ALONE, two, transient=True, duration=3.0, signals_of=[1])
    pressure = run.signals["systemic_arterial_pressure"]
    assert pressure.shape == (300, 1)
    last = pressure[run.signal_times > 2.0]
    assert last.max() == pytest.approx(run.outputs[f"{LOOP}.systolic_pressure"][-1, 1], rel=1e-3)


# -- delays ---------------------------------------------------------------------------------------------


def method_of_steps(k: float, tau: float, t: float) -> float:
    """x' = -k x(t - tau), x = 1 before 0: sum of (-k)^j (t - (j-1) tau)^j / j! (method of steps)."""
    total, term = 0.0, 0
    factorial = 1.0
    while term == 0 or t > (term - 1) * tau:
        factorial = factorial * term if term else 1.0
        base = t - (term - 1) * tau if term else 1.0
        total += (-k) ** term * base**term / factorial
        term += 1
    return total


def test_a_delayed_loop_is_exact_and_delays_differ_between_patients() -> None:
    patient = with_lag()
    gains, delays = [0.5, 1.0, 0.7], [2.0, 0.7503, 3.3]
    crowd = several(patient, 3, lag__gain=gains, lag__delay=delays)
    run = simulate(patient, crowd, transient=True, duration=6.0, step=2e-3)
    expected = [[method_of_steps(k, d, t) for k, d in zip(gains, delays, strict=True)] for t in run.times]
    np.testing.assert_allclose(run.outputs["lag.level"], expected, atol=2e-6)


def test_a_delayed_loop_oscillates_beyond_half_pi() -> None:
    """x' = -k x(t - tau) is stable for k tau < pi / 2 and grows beyond (characteristic equation)."""
    patient = with_lag()
    crowd = several(patient, 2, lag__gain=[0.72, 0.85], lag__delay=[2.0, 2.0])
    run = simulate(patient, crowd, transient=True, duration=100.0, step=3e-3, every=0.999)
    trace = np.abs(run.outputs["lag.level"])
    early, late = trace[10:40].max(axis=0), trace[70:].max(axis=0)
    assert late[0] < 0.8 * early[0]
    assert late[1] > 1.2 * early[1]


def test_a_delay_shorter_than_a_step_is_refused() -> None:
    patient = with_lag()
    with pytest.raises(ValueError, match=r"lag\.delayed: the delay delay is shorter than a step"):
        simulate(patient, several(patient, 1, lag__delay=[1e-4]), transient=True, duration=1.0)


# -- balance ---------------------------------------------------------------------------------------------


def bled(n: int) -> dict[str, Any]:
    return {f"{LOOP}.recruited_volume": np.linspace(0.0, -200.0, n)}


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


def test_the_reflex_answers_after_its_delay() -> None:
    patient = regulated()
    crowd = several(patient, 2, reflex__delay=[1.0, 4.0])
    quick = {f"{LOOP}.recruited_volume": ([2.0, 2.1], [0.0, -250.0])}
    run = simulate(patient, crowd, transient=True, duration=12.0, every=0.5, inputs=quick)
    tone = run.outputs["reflex.resistance_ratio"] / run.outputs["reflex.resistance_ratio"][0]
    moved = [run.times[np.flatnonzero(tone[:, i] > 1.002)[0]] for i in (0, 1)]
    assert 3.0 < moved[0] < 6.0
    assert moved[1] - moved[0] == pytest.approx(3.0, abs=0.5)


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


# -- what is refused -----------------------------------------------------------------------------------


def test_wrong_calls_say_what_is_wanted() -> None:
    with pytest.raises(CompositionError, match=f"{LOOP}.heart_rate_ratio is not open here"):
        simulate(regulated(), transient=True, duration=1.0, inputs={f"{LOOP}.heart_rate_ratio": 1.0})
    with pytest.raises(ValueError, match="whole number of steps"):
        simulate(ALONE, transient=True, duration=1.0, every=0.0015)
    with pytest.raises(ValueError, match="no doses and days"):
        simulate(ALONE, transient=True, duration=1.0, days=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="duration only with transient=True"):
        simulate(ALONE, duration=1.0)  # type: ignore[call-overload]
    with pytest.raises(CompositionError, match="exactly one cyclic model"):
        simulate(VirtualPatient(["hansson_gist"]), transient=True, duration=1.0)


def test_a_reflex_cannot_drive_days_and_a_delayed_port_takes_no_coupling() -> None:
    wire = Coupling("reflex.drive", "hansson_gist.daily_exposure")
    with pytest.raises(CompositionError, match="clock of seconds cannot drive"):
        VirtualPatient([LOOP, reflex(), "hansson_gist"], [wire])
    with pytest.raises(CompositionError, match=r"reflex\.delayed_drive is fed by the model's own delay"):
        VirtualPatient(
            [LOOP, reflex()], [Coupling(f"{LOOP}.systemic_arterial_pressure", "reflex.delayed_drive")]
        )


def test_a_reflex_that_shows_its_pressure_at_once_is_no_loop_but_one_that_feeds_it_back_is() -> None:
    direct = reflex(
        observe=lambda t, x, p, u: Outputs(
            resistance_ratio=1.0 + 0.0 * u.pressure, heart_rate_ratio=1.0 + x.tone, drive=x.tone
        )
    )
    both = [
        Coupling(f"{LOOP}.left_ventricular_pressure", "reflex.pressure"),
        Coupling("reflex.resistance_ratio", f"{LOOP}.contractility_ratio"),
    ]
    with pytest.raises(CompositionError, match="algebraic loop"):
        VirtualPatient([LOOP, direct], both)
