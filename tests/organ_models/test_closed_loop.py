"""The 12-state circulation against its published baseline, scenarios and convergence table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from organ_models import model
from organ_models.cardiovascular import closed_loop
from organ_models.model import values
from organ_models.solvers import periodic_orbits, waveforms

CIRCULATION = model("closed_loop_circulation")

OUTPUTS = {
    "SBP": "systolic_pressure",
    "DBP": "diastolic_pressure",
    "MAP": "mean_pressure",
    "HR": "heart_rate",
    "SV": "stroke_volume",
    "EF": "ejection_fraction",
    "CO": "cardiac_output",
    "LVEDV": "left_ventricular_end_diastolic_volume",
    "LVESV": "left_ventricular_end_systolic_volume",
    "LVEDP": "left_ventricular_end_diastolic_pressure",
    "RVEDV": "right_ventricular_end_diastolic_volume",
    "RVESV": "right_ventricular_end_systolic_volume",
    "PLVmax": "peak_left_ventricular_pressure",
    "PRVmax": "peak_right_ventricular_pressure",
    "PASP": "pulmonary_systolic_pressure",
    "PADP": "pulmonary_diastolic_pressure",
    "PAMP": "pulmonary_mean_pressure",
    "LAP": "left_atrial_mean_pressure",
    "RAP": "right_atrial_mean_pressure",
    "LAVmax": "left_atrial_maximal_volume",
    "RAVmax": "right_atrial_maximal_volume",
}
MULTIPLIED = {
    "R_AR_SYS": "systemic_arterial_resistance",
    "C_AR_SYS": "systemic_arterial_compliance",
    "EA_LV": "left_ventricular_active_elastance",
    "EB_LV": "left_ventricular_passive_elastance",
    "R_AR_PUL": "pulmonary_arterial_resistance",
    "C_AR_PUL": "pulmonary_arterial_compliance",
    "V_stressed": "stressed_volume",
}
VALVES = {
    "AV": "aortic_valve_flow",
    "MV": "mitral_valve_flow",
    "PV": "pulmonary_valve_flow",
    "TV": "tricuspid_valve_flow",
}


def healthy(**changed: Any) -> closed_loop.Parameters:
    return closed_loop.Parameters(**changed)


@pytest.fixture(scope="module")
def baseline(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "cardiovascular" / "c12_healthy_baseline.json").read_text())


def test_every_parameter_is_the_published_baseline(baseline: dict[str, Any]) -> None:
    names = {
        **MULTIPLIED,
        "EA_RV": "right_ventricular_active_elastance",
        "EB_RV": "right_ventricular_passive_elastance",
        "EA_LA": "left_atrial_active_elastance",
        "EB_LA": "left_atrial_passive_elastance",
        "EA_RA": "right_atrial_active_elastance",
        "EB_RA": "right_atrial_passive_elastance",
        "R_VEN_SYS": "systemic_venous_resistance",
        "C_VEN_SYS": "systemic_venous_compliance",
        "R_VEN_PUL": "pulmonary_venous_resistance",
        "C_VEN_PUL": "pulmonary_venous_compliance",
        "R_MIN": "valve_forward_resistance",
        "L_AR_SYS": "systemic_arterial_inertance",
        "L_VEN_SYS": "systemic_venous_inertance",
        "L_AR_PUL": "pulmonary_arterial_inertance",
        "L_VEN_PUL": "pulmonary_venous_inertance",
        "V0_LV": "left_ventricular_unstressed_volume",
        "V0_RV": "right_ventricular_unstressed_volume",
        "V0_LA": "left_atrial_unstressed_volume",
        "V0_RA": "right_atrial_unstressed_volume",
    }
    mine = values(healthy())
    published = baseline["parameters"]
    assert {key: mine[name] for key, name in names.items()} == {key: published[key] for key in names}
    assert closed_loop.period(healthy(), closed_loop.Inputs()) == published["T"]


def test_healthy_baseline_reproduces_the_published_table(baseline: dict[str, Any]) -> None:
    orbit = periodic_orbits(CIRCULATION, healthy(), closed_loop.Inputs())
    assert orbit.converged.all()
    for key, name in OUTPUTS.items():
        assert orbit.outputs[name][0] == pytest.approx(baseline["metrics"][key], rel=1e-3), key
    np.testing.assert_allclose(orbit.state[:, 0], baseline["periodic_state_at_t0"], rtol=1e-4)


def test_valve_events_of_the_baseline_are_within_a_millisecond(baseline: dict[str, Any]) -> None:
    orbit = periodic_orbits(CIRCULATION, healthy(), closed_loop.Inputs())
    beat = waveforms(CIRCULATION, healthy(), closed_loop.Inputs(), orbit.state)
    time = beat["time"][:, 0]
    for valve, signal in VALVES.items():
        opening, closing = _events(time, beat[signal][:, 0])
        assert opening == pytest.approx(baseline["metrics"][f"{valve}_open"], abs=1e-3), valve
        assert closing == pytest.approx(baseline["metrics"][f"{valve}_close"], abs=1e-3), valve


def test_waveforms_of_the_baseline_match_the_published_beat(shared_data: Path) -> None:
    published = pd.read_csv(shared_data / "cardiovascular" / "c12_healthy_baseline_beat.csv")
    orbit = periodic_orbits(CIRCULATION, healthy(), closed_loop.Inputs())
    beat = waveforms(CIRCULATION, healthy(), closed_loop.Inputs(), orbit.state)
    for column, signal in {
        "V_LV": "left_ventricular_volume",
        "p_AR_SYS": "systemic_arterial_pressure",
    }.items():
        mine = np.interp(published["t"], beat["time"][:, 0], beat[signal][:, 0])
        assert np.abs(mine - published[column]).max() <= 1e-3 * published[column].max(), column


def test_published_scenarios_come_out(shared_data: Path) -> None:
    folder = shared_data / "cardiovascular"
    expected = pd.read_csv(folder / "c12_scenarios.csv").set_index("scenario")
    defined = json.loads((folder / "c12_scenario_definitions.json").read_text())["scenarios"]
    factors = {key: np.array([defined[s].get(key, 1.0) for s in expected.index]) for key in MULTIPLIED}
    start = values(healthy())
    changed = {name: start[name] * factors[key] for key, name in MULTIPLIED.items()}
    orbit = periodic_orbits(CIRCULATION, healthy(**changed), closed_loop.Inputs())
    for key, name in OUTPUTS.items():
        np.testing.assert_allclose(orbit.outputs[name], expected[key], rtol=1e-3, err_msg=key)


def test_input_ratios_act_as_the_parameters_they_multiply() -> None:
    by_input = periodic_orbits(
        CIRCULATION,
        healthy(),
        closed_loop.Inputs(systemic_resistance_ratio=1.3, arterial_compliance_ratio=0.7),
    )
    changed = healthy(systemic_arterial_resistance=0.92 * 1.3, systemic_arterial_compliance=1.5103 * 0.7)
    by_parameter = periodic_orbits(CIRCULATION, changed, closed_loop.Inputs())
    for name in ("systolic_pressure", "diastolic_pressure", "stroke_volume"):
        assert by_input.outputs[name] == pytest.approx(by_parameter.outputs[name], rel=1e-6)


def test_stressed_volume_is_conserved_over_100_beats() -> None:
    """Without the refill between beats: 100 plain beats from the cold start lose nothing."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    from organ_models.solvers import beat_functions

    u = closed_loop.Inputs()
    published = healthy(heart_rate=jnp.array([50.0, 70.0, 120.0]), stressed_volume=jnp.full(3, 1245.3967))
    p = CIRCULATION.working(published)
    start = closed_loop.fill(closed_loop.initial(p), p, u)

    @jax.jit
    def beats(state: jax.Array) -> jax.Array:
        advance, stages, _ = beat_functions(CIRCULATION, 1000, p, u)

        def beat(y: jax.Array, _: None) -> tuple[jax.Array, None]:
            return lax.scan(lambda s, d: (advance(s, d), None), y, stages)[0], None

        return lax.scan(beat, state, None, length=100)[0]

    state = beats(jnp.stack(list(values(start).values())))
    held = closed_loop.stressed_volume(closed_loop.State(*state), p, u)
    np.testing.assert_allclose(held, 1245.3967, rtol=1e-9)


def test_scaling_the_stressed_volume_scales_every_pressure_and_flow() -> None:
    """Exact homogeneity of ideal diodes and linear elastances (cardiovascular reference, section 2)."""
    k = 1.1
    one, more = (
        periodic_orbits(
            CIRCULATION, healthy(stressed_volume=1245.3967 * f), closed_loop.Inputs(), tolerance=1e-10
        )
        for f in (1.0, k)
    )
    for name in ("systolic_pressure", "diastolic_pressure", "pulmonary_mean_pressure", "stroke_volume"):
        assert more.outputs[name] == pytest.approx(k * one.outputs[name], rel=1e-6), name
    assert more.outputs["ejection_fraction"] != pytest.approx(one.outputs["ejection_fraction"], rel=1e-4)


def test_elasticities_match_the_published_table(shared_data: Path) -> None:
    table = pd.read_csv(shared_data / "cardiovascular" / "c12_local_elasticities.csv").set_index("parameter")
    keys = ["EA_LV", "R_AR_SYS", "C_AR_SYS"]
    start = values(healthy())
    for key in keys:
        name = MULTIPLIED[key]
        both = healthy(**{name: start[name] * np.array([1.02, 0.98])})
        orbit = periodic_orbits(CIRCULATION, both, closed_loop.Inputs(), tolerance=1e-10)
        for out in ("SBP", "DBP", "MAP", "SV", "EF"):
            up, down = np.log(orbit.outputs[OUTPUTS[out]])
            assert (up - down) / np.log(1.02 / 0.98) == pytest.approx(table.loc[key, out], abs=0.02), (
                key,
                out,
            )


def _events(time: np.ndarray, flow: np.ndarray) -> tuple[float, float]:
    """Opening and closing: the crossings of 1 mL/s, linearly interpolated."""
    above = flow > 1.0
    rise = int(np.flatnonzero(~above[:-1] & above[1:])[0])
    fall = int(np.flatnonzero(above[:-1] & ~above[1:])[-1])

    def crossing(i: int) -> float:
        return float(time[i] + (1.0 - flow[i]) / (flow[i + 1] - flow[i]) * (time[i + 1] - time[i]))

    return crossing(rise), crossing(fall)
