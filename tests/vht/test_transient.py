"""The clock of seconds: beats, conservation, exact delays, and balance with a reflex."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from organ_models import model
from organ_models.cardiovascular import closed_loop_equations
from organ_models.solvers import Failure, periodic_orbits
from tests.vht.reflexes import LOOP, Outputs, reflex, regulated, with_lag
from tests.vht.test_course import BOTH_WAYS, remodelling
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
        np.testing.assert_allclose(trace, np.tile(column, (8, 1)), rtol=1e-3, err_msg=name)
    mean = run.outputs[f"{LOOP}.mean_pressure"]
    np.testing.assert_allclose(mean, np.tile(orbit.outputs["mean_pressure"], (8, 1)), rtol=2e-5)


def test_a_stiff_circulation_takes_steps_that_it_bears_by_default() -> None:
    """Its orifice valves need 20000 steps a beat; 129.358 is the reference of Shi and Hose 2009 (LSODA)."""
    stiff = VirtualPatient(["shi_hose_2009"])
    run = simulate(stiff, typical(stiff, 1), transient=True, duration=2.0)
    assert run.state.step == pytest.approx(5e-5)
    np.testing.assert_allclose(run.outputs["shi_hose_2009.systolic_blood_pressure"], 129.358, rtol=1e-5)


def test_beats_are_read_between_steps_and_half_the_step_has_a_third_of_the_error_at_most() -> None:
    """At 61.3 and 83.7 a minute no beat is a whole number of steps; the oracle is a very fine orbit."""
    odd = several(ALONE, 2, closed_loop_circulation__heart_rate=[61.3, 83.7])
    fine = periodic_orbits(
        CIRCULATION,
        odd.parameters[LOOP],
        CIRCULATION.Inputs(),
        steps=4000,
        watched_steps=4000,
        tolerance=1e-9,
    ).outputs
    errors = []
    for step in (4e-3, 2e-3):
        run = simulate(ALONE, odd, transient=True, duration=6.0, step=step)
        names = ("mean_pressure", "stroke_volume", "left_ventricular_end_diastolic_pressure")
        errors.append([np.abs(run.outputs[f"{LOOP}.{name}"] / fine[name] - 1).max() for name in names])
    assert (np.array(errors[1]) < np.array(errors[0]) / 3).all()
    assert (np.array(errors[1]) < [2e-5, 1e-4, 1e-3]).all()


def test_what_is_constant_from_the_start_changes_no_beat(two) -> None:  # type: ignore[no-untyped-def]
    """The start is the periodic state under the inputs of time 0, whether a number or a course is given."""
    port, ratio = f"{LOOP}.systemic_resistance_ratio", np.array([1.4, 0.8])
    later = ([4.0, 5.0], np.array([ratio, ratio + 0.3]))
    orbit = periodic_orbits(
        CIRCULATION, two.parameters[LOOP], CIRCULATION.Inputs(systemic_resistance_ratio=ratio)
    )
    for given in (ratio, later):
        run = simulate(ALONE, two, transient=True, duration=4.0, step=2e-3, inputs={port: given})
        for name in ("mean_pressure", "stroke_volume"):
            expected = np.tile(orbit.outputs[name], (4, 1))
            np.testing.assert_allclose(run.outputs[f"{LOOP}.{name}"], expected, rtol=1e-4, err_msg=name)


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


def test_a_neighbour_with_an_impossible_delay_changes_no_bit() -> None:
    patient = regulated()
    two = several(patient, 2, reflex__delay=[2.0, np.nan])
    quick = {f"{LOOP}.recruited_volume": ([1.0, 2.0], [0.0, -200.0])}
    run = simulate(patient, two, transient=True, duration=6.0, step=2e-3, inputs=quick)
    assert run.failure.tolist() == [None, Failure.INVALID_PARAMETER]
    one = two.take(np.array([0]))
    alone = simulate(patient, one, transient=True, duration=6.0, step=2e-3, inputs=quick)
    for port, trace in alone.outputs.items():
        np.testing.assert_array_equal(trace[:, 0], run.outputs[port][:, 0], err_msg=port)


def test_a_transient_goes_on_where_it_stopped_to_the_bit() -> None:
    patient = regulated()
    bleed = {f"{LOOP}.recruited_volume": ([2.0, 5.0], [0.0, -200.0])}
    whole = simulate(patient, transient=True, duration=6.0, step=2e-3, inputs=bleed)
    first = simulate(patient, transient=True, duration=4.0, step=2e-3, inputs=bleed)
    rest = simulate(patient, transient=True, duration=2.0, step=2e-3, inputs=bleed, start=first.state)
    for port, trace in rest.outputs.items():
        np.testing.assert_array_equal(trace, whole.outputs[port][4:], err_msg=port)
    np.testing.assert_array_equal(rest.times, [5.0, 6.0])
    assert first.state.time == 4.0
    with pytest.raises(ValueError, match=r"start: its step are 0\.002, those of this run 0\.001"):
        simulate(patient, transient=True, duration=2.0, start=first.state)
    with pytest.raises(ValueError, match="start: its states are"):
        simulate(ALONE, transient=True, duration=2.0, step=2e-3, start=first.state)


def test_who_has_failed_stays_failed_when_a_transient_goes_on() -> None:
    two = several(ALONE, 2, closed_loop_circulation__heart_rate=[70.0, 1e4])
    first = simulate(ALONE, two, transient=True, duration=1.0, step=2e-3)
    rest = simulate(ALONE, two, transient=True, duration=1.0, step=2e-3, start=first.state)
    assert rest.failure.tolist() == [None, Failure.INVALID_PARAMETER]


def test_a_transient_may_start_on_a_day_of_treatment() -> None:
    """The drug raises pressure over four weeks; the slow models stand where the simulation left them."""
    patient = sunitinib_gist()
    dose = {"sunitinib_exposure.daily_dose": 50.0}
    course = simulate(patient, doses=dose, days=[0, 28])
    port = f"{LOOP}.diastolic_pressure"
    treated = simulate(patient, transient=True, duration=4.0, start=course)
    before = simulate(patient, transient=True, duration=4.0, start=course, day=0)
    bare = simulate(patient, transient=True, duration=4.0)
    np.testing.assert_allclose(treated.outputs[port], np.tile(course.outputs[port][1], (4, 1)), rtol=1e-3)
    np.testing.assert_array_equal(before.outputs[port], bare.outputs[port])
    assert course.outputs[port][1] > course.outputs[port][0] + 3.0
    on = simulate(patient, transient=True, duration=2.0, start=treated.state)
    np.testing.assert_allclose(on.outputs[port], treated.outputs[port][:2], rtol=1e-3)
    with pytest.raises(ValueError, match="day 7 is not a reporting day"):
        simulate(patient, transient=True, duration=1.0, start=course, day=7)
    with pytest.raises(ValueError, match="'day' is a day of a simulation"):
        simulate(patient, transient=True, duration=1.0, day=28)


def test_a_slow_model_that_reads_the_cycle_is_held_like_any_other() -> None:
    patient = VirtualPatient([remodelling(), LOOP], BOTH_WAYS)
    run = simulate(patient, transient=True, duration=3.0, step=2e-3)
    rest = simulate(patient, days=[0]).outputs[f"{LOOP}.mean_pressure"]
    np.testing.assert_allclose(run.outputs[f"{LOOP}.mean_pressure"], np.tile(rest, (3, 1)), rtol=1e-4)


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
    np.testing.assert_allclose(run.outputs["lag.level"], expected, atol=1e-6)


def test_a_delayed_loop_is_of_second_order_in_the_step() -> None:
    """Linear between steps: half the step has a quarter of the error."""
    patient = with_lag()
    one = several(patient, 1, lag__gain=[1.0], lag__delay=[1.0])
    errors = []
    for step in (8e-3, 4e-3):
        run = simulate(patient, one, transient=True, duration=4.8, every=0.8, step=step)
        expected = [method_of_steps(1.0, 1.0, t) for t in run.times]
        errors.append(np.abs(run.outputs["lag.level"][:, 0] - expected).max())
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


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


def test_the_reflex_answers_after_its_delay() -> None:
    patient = regulated()
    crowd = several(patient, 2, reflex__delay=[1.0, 4.0])
    quick = {f"{LOOP}.recruited_volume": ([2.0, 2.1], [0.0, -250.0])}
    run = simulate(patient, crowd, transient=True, duration=12.0, every=0.5, inputs=quick)
    tone = run.outputs["reflex.resistance_ratio"] / run.outputs["reflex.resistance_ratio"][0]
    moved = [run.times[np.flatnonzero(tone[:, i] > 1.002)[0]] for i in (0, 1)]
    assert 3.0 < moved[0] < 6.0
    assert moved[1] - moved[0] == pytest.approx(3.0, abs=0.5)


# -- what is refused -----------------------------------------------------------------------------------


def test_wrong_calls_say_what_is_wanted() -> None:
    with pytest.raises(CompositionError, match=f"{LOOP}.heart_rate_ratio is not open here"):
        simulate(regulated(), transient=True, duration=1.0, inputs={f"{LOOP}.heart_rate_ratio": 1.0})
    with pytest.raises(ValueError, match="'duration' must be a positive number of seconds"):
        simulate(ALONE, transient=True, duration=float("nan"))
    with pytest.raises(ValueError, match="'duration' must be at least 'every'"):
        simulate(ALONE, transient=True, duration=0.5)
    with pytest.raises(ValueError, match="there are patients 0 to 0"):
        simulate(ALONE, transient=True, duration=1.0, signals_of=[1])
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
