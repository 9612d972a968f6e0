"""The cardiovascular twin: neutral where nothing is added, and what disease, devices and the root do."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import model
from organ_models.cardiovascular.assist_device import heartmate_2, heartmate_3
from organ_models.cardiovascular.cardiovascular import CARDIOVASCULAR, Inputs, Parameters, assist
from organ_models.cardiovascular.cardiovascular_scenarios import C12
from organ_models.cardiovascular.valves import diode, orifice
from organ_models.model import fields
from organ_models.solvers import periodic_orbits, waveforms
from tests.organ_models.test_catalogue import record
from vht import run_model, validate

LEAN = model("closed_loop_circulation")
SAME_NAME = ("heart_rate", "stroke_volume", "peak_left_ventricular_pressure", "ejection_fraction")


def shown(**parameters: Any) -> dict[str, float]:
    """Outputs of one patient."""
    p = Parameters(**{k: np.array([float(v)]) for k, v in parameters.items()})
    orbit = periodic_orbits(CARDIOVASCULAR, p, Inputs())
    assert orbit.converged.all()
    return {k: float(v[0]) for k, v in orbit.outputs.items()}


@pytest.fixture(scope="module")
def healthy() -> dict[str, float]:
    return shown()


# -- what is added is neutral -----------------------------------------------------------------------


def test_the_variant_c12_is_the_twelve_state_circulation() -> None:
    found = shown(**C12.parameters)
    expected = periodic_orbits(LEAN, LEAN.Parameters(), LEAN.Inputs()).outputs
    for name in SAME_NAME:
        assert found[name] == pytest.approx(expected[name][0], rel=2e-5), name
    # mean flow into the aorta, there stroke volume times rate
    assert found["cardiac_output"] == pytest.approx(expected["cardiac_output"][0], rel=1e-4)
    assert found["mean_arterial_pressure"] == pytest.approx(expected["mean_pressure"][0], rel=2e-5)
    assert found["left_atrial_pressure"] == pytest.approx(expected["left_atrial_mean_pressure"][0], rel=2e-5)


def test_every_published_value_comes_out() -> None:
    result = validate("cardiovascular")
    assert len(result.results) > 100
    assert [r.check.name for r in result.results if not r.passed] == []


def test_the_aortic_root_is_normal(healthy: dict[str, float]) -> None:
    """Ejection 0.24-0.30 s, peak flow 400-650 mL/s, form factor 0.33-0.43: what the default was made for."""
    assert 0.33 <= healthy["pressure_form_factor"] <= 0.43
    assert 400 <= healthy["peak_aortic_valve_flow"] <= 650
    p = CARDIOVASCULAR.Parameters()
    orbit = periodic_orbits(CARDIOVASCULAR, p, Inputs())
    beat = waveforms(CARDIOVASCULAR, p, Inputs(), orbit.state)
    assert CARDIOVASCULAR.cycle is not None
    assert CARDIOVASCULAR.cycle.read is not None
    readings = CARDIOVASCULAR.cycle.read(beat, p)
    assert 0.24 <= readings.left_ventricular_ejection_time[0] <= 0.30
    assert 0.04 <= readings.isovolumic_relaxation_time[0] <= 0.10


# -- valves -----------------------------------------------------------------------------------------


def test_an_orifice_loses_what_bernoulli_says() -> None:
    """1 cm2 at 4 m/s: 400 mL/s and 4 v^2 = 64 mmHg, with K = 50.15 cm/s per mmHg^1/2 63.6."""
    drop = (400.0 / 50.15) ** 2
    assert orifice(jnp.array(drop), 0.0, 7.5e4, 1.0, 0.0) == pytest.approx(400.0, rel=1e-6)
    assert orifice(jnp.array(-drop), 0.0, 7.5e4, 1.0, 0.4) == pytest.approx(-160.0, rel=1e-3)


def test_a_wide_orifice_is_a_diode() -> None:
    drops = jnp.linspace(-120.0, 20.0, 57)
    wide = orifice(drops, 0.0035, 75006.0, 1000.0, 0.0)
    np.testing.assert_allclose(wide, diode(drops, 0.0035, 75006.0), rtol=3e-3, atol=1e-9)


def test_the_slope_of_an_orifice_is_finite_where_nothing_flows() -> None:
    slope = jax.grad(lambda d: orifice(d, 0.0035, 75006.0, 1.0, 0.0))
    assert 0.0 <= float(slope(0.0)) < 1e3
    by_area = jax.grad(lambda a: orifice(-100.0, 0.0035, 75006.0, 1.0, a))
    assert np.isfinite(by_area(0.0))
    assert float(by_area(0.0)) == pytest.approx(-50.15 * 10.0, rel=1e-3)


def test_a_tighter_aortic_valve_has_a_higher_gradient(healthy: dict[str, float]) -> None:
    areas = [2.0, 1.3, 1.0, 0.8]
    found = [shown(aortic_valve_area=a) for a in areas]
    gradients = [f["mean_aortic_gradient"] for f in found]
    assert gradients == sorted(gradients)
    for area, f in zip(areas, found, strict=True):
        # the clinic's area from flow and gradient is the orifice's, less what viscosity takes
        assert f["aortic_valve_area_by_flow"] == pytest.approx(area, rel=0.16)
        assert f["peak_left_ventricular_pressure"] > healthy["peak_left_ventricular_pressure"]
    assert found[-1]["stroke_volume"] < healthy["stroke_volume"]


def test_a_mitral_leak_sends_blood_back_and_loads_the_atrium(healthy: dict[str, float]) -> None:
    """What the ventricle ejects is what reaches the aorta and what leaks; ejection fraction looks too "
    "good."""
    leaking = shown(mitral_regurgitant_area=0.4)
    net = leaking["cardiac_output"] / leaking["heart_rate"] * 1000
    assert leaking["stroke_volume"] == pytest.approx(net + leaking["mitral_regurgitant_volume"], rel=0.03)
    assert 40 < leaking["mitral_regurgitant_fraction"] < 55
    assert leaking["left_atrial_pressure"] > healthy["left_atrial_pressure"] + 2
    assert leaking["ejection_fraction"] > healthy["ejection_fraction"]
    assert leaking["cardiac_output"] < healthy["cardiac_output"]


def test_an_aortic_leak_widens_the_pulse(healthy: dict[str, float]) -> None:
    leaking = shown(aortic_regurgitant_area=0.3)
    pulse, normal = (f["systolic_blood_pressure"] - f["diastolic_blood_pressure"] for f in (leaking, healthy))
    assert pulse > 1.5 * normal
    assert leaking["diastolic_blood_pressure"] < healthy["diastolic_blood_pressure"] - 15
    assert leaking["aortic_regurgitant_fraction"] > 30


# -- what surrounds the ventricles --------------------------------------------------------------------


def test_a_tight_pericardium_lowers_output_and_raises_filling_pressures(healthy: dict[str, float]) -> None:
    tight = shown(pericardial_pressure_scale=2.0, pericardial_unstressed_volume=190.0)
    assert tight["cardiac_output"] < 0.9 * healthy["cardiac_output"]
    assert tight["lv_end_diastolic_pressure"] > healthy["lv_end_diastolic_pressure"]
    assert tight["lv_end_diastolic_volume"] < healthy["lv_end_diastolic_volume"]


def test_through_a_soft_septum_the_left_ventricle_helps_the_right(healthy: dict[str, float]) -> None:
    """Right systolic pressure rises when the septum bulges into the right ventricle (Smith et al. 2004)."""
    soft = shown(septal_compliance=0.1)
    gained = soft["peak_right_ventricular_pressure"] / soft["rv_end_diastolic_volume"]
    assert gained > healthy["peak_right_ventricular_pressure"] / healthy["rv_end_diastolic_volume"]


# -- devices ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "head", "flow"),
    [
        # from the published polynomials: 245.16 - 3.6 H + 0.0119 H^2, at most 116.667
        (heartmate_2(9000), 80.0, 245.16 - 288.0 + 76.16),
        (heartmate_2(9000), 10.0, 116.667),
        (heartmate_2(9000), 200.0, 245.16 - 3.6**2 / (4 * 0.0119)),
        (heartmate_3(5000), 80.0, -0.0245944 * 6400 + 1.29678 * 80 + 84.0812),
        (heartmate_3(5000), 5.0, 84.0812 + 1.29678**2 / (4 * 0.0245944)),
        (heartmate_3(5000), 150.0, 0.0),
        (heartmate_3(5500), 80.0, -0.0183735 * 6400 + 1.0580815 * 80 + 95.5516),
    ],
)
def test_a_device_pumps_along_its_published_curve(device: dict[str, float], head: float, flow: float) -> None:
    assert float(assist(jnp.array(head), Parameters(**device))) == pytest.approx(flow, abs=0.02)


def test_a_device_unloads_a_weak_ventricle() -> None:
    weak, two, three = (
        run_model("cardiovascular", scenario=name).outputs
        for name in ("heart_failure", "heartmate_2", "heartmate_3")
    )
    for helped in (two, three):
        assert helped["cardiac_output"].value > weak["cardiac_output"].value
        assert helped["assist_flow"].value > 3.0
        assert helped["left_atrial_pressure"].value < weak["left_atrial_pressure"].value
        assert helped["lv_end_diastolic_volume"].value < weak["lv_end_diastolic_volume"].value
    pulse = three["systolic_blood_pressure"].value - three["diastolic_blood_pressure"].value
    assert pulse < 20


@pytest.mark.parametrize("speed", [1999, 8500, 9001])
def test_a_speed_without_a_curve_is_refused(speed: int) -> None:
    with pytest.raises(ValueError, match="no HeartMate 3 curve"):
        heartmate_3(speed)
    with pytest.raises(ValueError, match="no HeartMate II curve"):
        heartmate_2(speed)


# -- derivatives and volume ----------------------------------------------------------------------------


def test_derivatives_are_finite_everywhere() -> None:
    """Also where a leak is zero, nothing flows, and a chamber rests."""
    p = record(CARDIOVASCULAR.Parameters, 5, 1)
    assert CARDIOVASCULAR.cycle is not None
    x, u = CARDIOVASCULAR.initial(p), Inputs()

    def total(parameters: Any) -> Any:
        drive = CARDIOVASCULAR.cycle.drive(jnp.linspace(0.0, 0.8, 5), parameters, u)
        rates = CARDIOVASCULAR.derivative(drive, x, parameters, u)
        seen = CARDIOVASCULAR.observe(drive, x, parameters, u)
        return sum(jnp.sum(v) for r in (rates, seen) for v in vars(r).values())

    default = Parameters(**{k: jnp.full(5, f.default) for k, f in fields(Parameters).items()})
    for parameters in (p, default):
        for name, slope in vars(jax.grad(total)(parameters)).items():
            assert np.isfinite(np.asarray(slope)).all(), name


def test_disease_and_device_conserve_the_stressed_volume() -> None:
    from organ_models.cardiovascular.closed_loop_equations import stressed_volume

    p = Parameters(**{**heartmate_3(5000), "mitral_regurgitant_area": 0.3, "aortic_valve_area": 0.9})
    state = periodic_orbits(CARDIOVASCULAR, p, Inputs()).state
    for _ in range(5):
        state = periodic_orbits(CARDIOVASCULAR, p, Inputs(), start=state, tolerance=np.inf).state
    held = stressed_volume(CARDIOVASCULAR.State(*state), p, Inputs())
    assert held[0] == pytest.approx(p.stressed_volume, rel=1e-9)
