"""Personalisation: recorded pressures are read from the converged waveform, at the smallest distance from
the prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from organ_models import model
from organ_models.cardiovascular import closed_loop
from organ_models.model import values
from organ_models.solvers import periodic_orbits, waveforms
from vht import Personalisation, personalise

CIRCULATION = model("closed_loop_circulation")
SYSTOLIC = np.array([118.0, 150.0, 132.0, 171.0, 105.0, 124.0])
DIASTOLIC = np.array([76.0, 95.0, 71.0, 98.0, 68.0, 88.0])
RATE = np.array([70.0, 62.0, 88.0, 75.0, 95.0, 58.0])


@pytest.fixture(scope="module")
def fitted() -> Personalisation:
    start = closed_loop.Parameters(heart_rate=RATE)
    return personalise(CIRCULATION, start, {"systolic_pressure": SYSTOLIC, "diastolic_pressure": DIASTOLIC})


def test_pressures_match_the_record_to_a_tenth(fitted: Personalisation) -> None:
    assert fitted.solved.all()
    again = periodic_orbits(CIRCULATION, fitted.parameters, closed_loop.Inputs())
    beat = waveforms(CIRCULATION, fitted.parameters, closed_loop.Inputs(), again.state)
    pressure = beat["systemic_arterial_pressure"]
    assert np.abs(pressure.max(axis=0) - SYSTOLIC).max() < 0.1
    assert np.abs(pressure.min(axis=0) - DIASTOLIC).max() < 0.1
    assert np.abs(60 / beat["time"][-1] - RATE).max() < 0.1
    for name, recorded in (("systolic_pressure", SYSTOLIC), ("diastolic_pressure", DIASTOLIC)):
        np.testing.assert_allclose(fitted.residuals[name], again.outputs[name] - recorded, atol=1e-2)


def test_an_independent_solver_beats_at_the_recorded_rate_and_pressures(fitted: Personalisation) -> None:
    """LSODA on the plain equations, three beats from the periodic state: heart rate from upstrokes."""
    i = 1
    p = closed_loop.Parameters(
        **{k: np.broadcast_to(v, (6,))[i] for k, v in values(fitted.parameters).items()}
    )
    u = closed_loop.Inputs()

    def rates(t: float, y: np.ndarray) -> list[float]:
        slope = CIRCULATION.derivative(closed_loop.drive(t, p, u), closed_loop.State(*y), p, u)
        return [float(v) for v in values(slope).values()]

    beat = 60.0 / RATE[i]
    run = solve_ivp(
        rates,
        (0, 3 * beat),
        fitted.orbits.state[:, i],
        "LSODA",
        rtol=1e-6,
        atol=1e-6,
        max_step=0.02,
        dense_output=True,
    )
    time = np.linspace(0, 3 * beat, 4000)
    pressure = run.sol(time)[4]
    assert pressure.max() == pytest.approx(SYSTOLIC[i], abs=0.1)
    assert pressure.min() == pytest.approx(DIASTOLIC[i], abs=0.1)
    middle = (SYSTOLIC[i] + DIASTOLIC[i]) / 2
    upstrokes = time[:-1][(pressure[:-1] < middle) & (pressure[1:] >= middle)]
    assert 60.0 / np.diff(upstrokes).mean() == pytest.approx(RATE[i], abs=0.1)


def test_the_mode_is_the_nearest_to_the_prior_that_matches(fitted: Personalisation) -> None:
    """Along the one direction that leaves both pressures unchanged, the prior distance is stationary
    (Lagrange's condition), with sensitivities measured here."""
    assert CIRCULATION.cycle is not None
    names = list(CIRCULATION.cycle.calibrated)
    spread = np.array(list(CIRCULATION.cycle.calibrated.values()))
    at_mode = {k: np.broadcast_to(v, (6,)) for k, v in values(fitted.parameters).items()}
    rows = []
    for name in names:
        both = []
        for sign in (1, -1):
            moved = closed_loop.Parameters(**{**at_mode, name: at_mode[name] * np.exp(0.03 * sign)})
            orbit = periodic_orbits(CIRCULATION, moved, closed_loop.Inputs(), tolerance=1e-9)
            both.append(np.log([orbit.outputs["systolic_pressure"], orbit.outputs["diastolic_pressure"]]))
        rows.append((both[0] - both[1]) / 0.06)
    jacobian = np.array(rows)  # (parameter, pressure, patient)
    mode = np.array([fitted.log_ratio[n] for n in names])
    for i in range(6):
        free = np.cross(jacobian[:, 0, i], jacobian[:, 1, i])
        pull = mode[:, i] / spread**2
        cosine = free @ pull / (np.linalg.norm(free) * np.linalg.norm(pull))
        assert abs(cosine) < 0.03 or np.linalg.norm(mode[:, i]) < 0.02, i


def test_the_healthy_baseline_is_already_matched() -> None:
    """Recorded values of the baseline itself: nothing moves (reference table, DBP 75.97)."""
    one = {"systolic_pressure": np.array([117.9953]), "diastolic_pressure": np.array([75.9762])}
    fit = personalise(CIRCULATION, closed_loop.Parameters(heart_rate=np.array([70.0])), one)
    assert fit.prior_distance[0] < 0.01


def test_two_pressures_leave_one_direction_open(fitted: Personalisation) -> None:
    assert CIRCULATION.cycle is not None
    for name, prior_sd in CIRCULATION.cycle.calibrated.items():
        posterior = fitted.posterior_log_sd[name]
        assert (posterior < prior_sd).all(), name
        assert (posterior > 0.3 * prior_sd).all(), name


@pytest.mark.parametrize(
    ("systolic", "diastolic"), [(120.0, 119.99), (np.nan, 80.0), (120.0, np.nan), (80.0, 120.0), (-5.0, 70.0)]
)
def test_impossible_pressures_fail_alone(fitted: Personalisation, systolic: float, diastolic: float) -> None:
    s, d = SYSTOLIC.copy(), DIASTOLIC.copy()
    s[2], d[2] = systolic, diastolic
    fit = personalise(
        CIRCULATION,
        closed_loop.Parameters(heart_rate=RATE),
        {"systolic_pressure": s, "diastolic_pressure": d},
    )
    others = np.flatnonzero(np.arange(6) != 2)
    assert not fit.solved[2]
    assert fit.solved[others].all()
    for name, value in values(fit.parameters).items():
        expected = np.broadcast_to(values(fitted.parameters)[name], (6,))
        assert np.array_equal(np.broadcast_to(value, (6,))[others], expected[others]), name
