"""Published circulations give what was published, and what their equations written a second time give."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from organ_models import OrganModel, model
from organ_models.beats import beat_after
from organ_models.cardiovascular import bjordalsbakke, regazzoni, shi_hose_loop, smith
from organ_models.model import fields, take, values
from organ_models.scenarios import scenarios
from organ_models.solvers import periodic_orbits, waveforms
from tests.organ_models import published_equations as plain
from vht.model_validation import validate

NAMES = (
    "regazzoni_2022",
    "shi_hose_2009",
    "shi_hose_2009_leaflet_valves",
    "bjordalsbakke_2022",
    "smith_2004",
    "ursino_1998",
)
VALVES = ("aortic", "mitral", "pulmonary", "tricuspid")


def table(file: Path) -> dict[str, np.ndarray]:
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return {column: np.array([float(row[column]) for row in rows]) for column in rows[0]}


def case(m: OrganModel, scenario: str) -> Any:
    return m.Parameters(**scenarios(m)[scenario].parameters)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n not in ("shi_hose_2009_leaflet_valves", "bjordalsbakke_2022")]
)
def test_published_values_come_out_of_the_periodic_beat(name: str) -> None:
    """Regazzoni and Shi–Hose 0.1 % and 1 ms, Smith 0.2 %, Ursino at rest 0.8 %."""
    found = validate(name)
    assert len(found.results) > 10
    assert found.passed, found


def test_regazzoni_rates_and_readings_follow_the_trace(shared_data: Path) -> None:
    """Pressures and flows at every state of the reference beat, and rates against its central differences."""
    ref = table(shared_data / "cardiovascular" / "regazzoni_periodic_beat.csv")
    m = regazzoni.REGAZZONI_CIRCULATION
    p, u = m.Parameters(), m.Inputs()
    assert m.cycle is not None
    columns = ("V_LA", "V_LV", "V_RA", "V_RV", "p_AR_SYS", "p_VEN_SYS", "p_AR_PUL", "p_VEN_PUL")
    flows = ("Q_AR_SYS", "Q_VEN_SYS", "Q_AR_PUL", "Q_VEN_PUL")
    state = m.State(*(jnp.asarray(ref[c]) for c in (*columns, *flows)))
    drive = m.cycle.drive(jnp.asarray(ref["t"]), p, u)
    seen = m.observe(drive, state, p, u)
    pairs = {
        "p_LA": "left_atrial",
        "p_LV": "left_ventricular",
        "p_RA": "right_atrial",
        "p_RV": "right_ventricular",
    }
    for column, chamber in pairs.items():
        np.testing.assert_allclose(getattr(seen, f"{chamber}_pressure"), ref[column], atol=2e-5)
    valves = {"Q_MV": "mitral", "Q_AV": "aortic", "Q_TV": "tricuspid", "Q_PV": "pulmonary"}
    for column, valve in valves.items():
        # states have 8 digits; the resistance of an open valve turns 1e-6 mmHg into 1e-4 mL/s
        np.testing.assert_allclose(getattr(seen, f"{valve}_valve_flow"), ref[column], atol=1e-2)
    rates = m.derivative(drive, state, p, u)
    step = ref["t"][1] - ref["t"][0]
    for column, rate in zip((*columns, *flows), values(rates).values(), strict=True):
        slope = (ref[column][2:] - ref[column][:-2]) / (2 * step)
        typical = np.abs(slope - np.asarray(rate)[1:-1]) / np.abs(slope).max()
        assert np.median(typical) < 1e-4, column
        assert typical.max() < 0.1, column  # kinks at valve events


def test_regazzoni_beat_is_the_reference_beat(shared_data: Path) -> None:
    """0.1 % of each range, LSODA at 1e-10."""
    ref = table(shared_data / "cardiovascular" / "regazzoni_periodic_beat.csv")
    m = regazzoni.REGAZZONI_CIRCULATION
    p, u = m.Parameters(), m.Inputs()
    beat = waveforms(m, p, u, periodic_orbits(m, p, u).state)
    pairs = {
        "V_LV": "left_ventricular_volume",
        "V_RA": "right_atrial_volume",
        "p_AR_SYS": "systemic_arterial_pressure",
        "p_AR_PUL": "pulmonary_arterial_pressure",
        "p_VEN_SYS": "systemic_venous_pressure",
        "p_LV": "left_ventricular_pressure",
        "Q_MV": "mitral_valve_flow",
    }
    for column, signal in pairs.items():
        found = np.interp(ref["t"], beat["time"][:, 0], beat[signal][:, 0])
        assert np.abs(found - ref[column]).max() < 1e-3 * np.ptp(ref[column]), column


CELLML = {
    "V_LV": "left_ventricular_volume",
    "V_RV": "right_ventricular_volume",
    "V_LA": "left_atrial_volume",
    "V_RA": "right_atrial_volume",
    "p_SAS": "systemic_arterial_pressure",
    "q_SAS": "systemic_sinus_flow",
    "p_SAT": "systemic_artery_pressure",
    "q_SAT": "systemic_artery_flow",
    "p_SVN": "systemic_venous_pressure",
    "p_PAS": "pulmonary_arterial_pressure",
    "q_PAS": "pulmonary_sinus_flow",
    "p_PAT": "pulmonary_artery_pressure",
    "q_PAT": "pulmonary_artery_flow",
    "p_PVN": "pulmonary_venous_pressure",
}


def test_shi_hose_follows_the_cellml_model_from_its_initial_conditions(shared_data: Path) -> None:
    """t = 19 to 20 s in all 14 states, 1e-4 of each state's maximum."""
    ref = table(shared_data / "cardiovascular" / "shi_hose_cellml_t19_20.csv")
    m = model("shi_hose_2009")
    beat = beat_after(m, m.Parameters(), m.Inputs(), 19)
    every = (beat["time"].shape[0] - 1) // 100
    for column, signal in CELLML.items():
        worst = np.abs(beat[signal][::every, 0] - ref[column]).max()
        assert worst < 1e-4 * np.abs(ref[column]).max(), column


@pytest.mark.parametrize("start", ["published", "periodic"])
def test_stenosed_leaflets_follow_the_equations_written_a_second_time(start: str) -> None:
    """One beat: 1e-4 of volumes and pressures, 1e-3 of flows (of the maximum)."""
    m = model("shi_hose_2009_leaflet_valves")
    p, u = case(m, "av_stenosis_40"), m.Inputs()
    if start == "published":
        state = np.array([*plain.SHI_HOSE_START, *[plain.CLOSED + 0.01] * 4, *[0.0] * 4])[:, None]
        beat = beat_after(m, p, u, 0)
    else:
        state = periodic_orbits(m, p, u).state
        beat = waveforms(m, p, u, state)
    every = (beat["time"].shape[0] - 1) // 100
    rates, stop = plain.stenosed_leaflets, plain.rest_at_stops
    ref = plain.march(rates, state[:, 0].tolist(), 1.0, 2.5e-5, stop)[::400]
    for row, signal in enumerate([*CELLML.values(), *(f"{valve}_angle" for valve in VALVES)]):
        worst = np.abs(beat[signal][::every, 0] - ref[:, row]).max() / np.abs(ref[:, row]).max()
        assert worst < (1e-4 if signal.endswith(("pressure", "volume")) else 1e-3), signal
    assert np.rad2deg(beat["aortic_angle"].max()) == pytest.approx(40.0, abs=1e-9)
    assert np.rad2deg(beat["pulmonary_angle"].max()) == pytest.approx(75.0, abs=1e-9)


def test_a_smaller_opening_angle_is_a_stenosis() -> None:
    m = model("shi_hose_2009_leaflet_valves")
    p = m.Parameters(**scenarios(m)["leaflet_benchmark"].parameters)
    angles = np.array([75.0, 40.0])
    both = periodic_orbits(m, dataclasses.replace(p, aortic_largest_angle=angles), m.Inputs())
    gradient = both.outputs["peak_left_ventricular_pressure"] - both.outputs["systolic_blood_pressure"]
    assert gradient[1] > gradient[0] + 20.0
    assert both.outputs["stroke_volume"][1] < both.outputs["stroke_volume"][0]


def test_one_ventricle_follows_lsoda_from_the_published_start() -> None:
    """t = 19 to 20 s, 0.2 % of each maximum; LSODA at 1e-9 on equations written a second time."""
    times = np.linspace(19.0, 20.0, 101)
    start = [7.0 / 0.03, 7.0, 7.0]
    ref = solve_ivp(
        plain.one_ventricle(), (0, 20), start, "LSODA", times, rtol=1e-9, atol=1e-9, max_step=5e-3
    ).y
    m = model("bjordalsbakke_2022")
    beats = [beat_after(m, m.Parameters(), m.Inputs(), k) for k in (22, 23)]
    t = np.concatenate([(22 + k) * 0.85 + b["time"][:-1, 0] for k, b in enumerate(beats)])
    for row, signal in enumerate(
        ("left_ventricular_volume", "systemic_arterial_pressure", "systemic_venous_pressure")
    ):
        shown = np.concatenate([b[signal][:-1, 0] for b in beats])
        assert np.abs(np.interp(times, t, shown) - ref[row]).max() < 2e-3 * ref[row].max(), signal


def test_elastance_of_the_one_ventricle_peaks_at_one_for_any_shape() -> None:
    """The published shape has its maximum, 0.59802 before scaling, on the source's grid of 1000 points."""
    luck = np.random.default_rng(1)
    like = np.ones(50)
    p = bjordalsbakke.Parameters(
        heart_rate=luck.uniform(40, 150, 50),
        rise_exponent=np.append(1.32, luck.uniform(1, 4, 49)),
        fall_exponent=np.append(21.9, luck.uniform(8, 40, 49)),
        rise_time=np.append(0.303, luck.uniform(0.1, 0.4, 49)),
        fall_time=np.append(0.508, luck.uniform(0.4, 0.6, 49)),
    )
    u = bjordalsbakke.Inputs()
    beat = np.asarray(bjordalsbakke.period(p, u)) * like
    course = jax.vmap(lambda share: bjordalsbakke.drive(share * beat, p, u).activation)(
        jnp.linspace(0, 1, 4001)
    )
    np.testing.assert_allclose(np.asarray(course).max(axis=0), 1.0, atol=1e-5)
    a, b = (0.5 / 0.303) ** 1.32, (0.5 / 0.508) ** 21.9
    assert float(course[2000, 0]) == pytest.approx(a / (1 + a) / (1 + b) / 0.59802, rel=1e-5)


SMITH = {
    "baseline": {"period": 0.75, "width": 80.0, "centre": 0.375},
    "septum_T0.75_C0.27T": {"period": 0.75, "width": 80.0 / 0.75**2, "centre": 0.27 * 0.75},
    "septum_T0.8333": {"period": 1 / 1.2, "width": 80.0, "centre": 0.375},
    "biomodels_noseptum_T1": {
        "period": 1.0,
        "width": 80.0,
        "centre": 0.27,
        "held_septum": 1.0,
        "r_pv": 0.0015,
        "r_pul": 0.0952,
        "r_sys": 1.3889,
        "e_ao": 0.6713,
    },
}


@pytest.mark.parametrize("scenario", SMITH)
def test_every_case_of_smith_is_periodic_in_the_equations_written_a_second_time(scenario: str) -> None:
    """From the orbit's state, one beat of a plain Runge–Kutta comes back, with the same extremes (0.2 %)."""
    m = model("smith_2004")
    orbit = periodic_orbits(m, case(m, scenario), m.Inputs())
    steps = 2000
    start = orbit.state[:, 0].tolist()
    period = SMITH[scenario]["period"]
    ref = plain.march(plain.smith(**SMITH[scenario]), start, period, period / steps, plain.no_backflow)
    assert np.abs(ref[-1] - ref[0])[:6].max() < 5e-3  # mL of 1500
    high, low = ref.max(axis=0), ref.min(axis=0)
    shown = {name: float(column[0]) for name, column in orbit.outputs.items()}
    assert shown["lv_end_diastolic_volume"] == pytest.approx(high[0], rel=2e-3)
    assert shown["lv_end_systolic_volume"] == pytest.approx(low[0], rel=2e-3)
    assert shown["rv_end_diastolic_volume"] == pytest.approx(high[1], rel=2e-3)
    elastance = SMITH[scenario].get("e_ao", 0.6913)
    assert shown["systolic_blood_pressure"] == pytest.approx(elastance * high[4], rel=2e-3)
    assert shown["diastolic_blood_pressure"] == pytest.approx(elastance * low[4], rel=2e-3)
    assert shown["systolic_pulmonary_artery_pressure"] == pytest.approx(0.369 * high[2] - 4, rel=2e-3)


def test_smith_follows_the_reference_beat(shared_data: Path) -> None:
    """0.2 % of each maximum, computed apart from this code at 1e-5 s; the septum among it."""
    ref = table(shared_data / "cardiovascular" / "smith2004_septum_T0.75_C0.375_beat.csv")
    m = model("smith_2004")
    p, u = m.Parameters(), m.Inputs()
    beat = waveforms(m, p, u, periodic_orbits(m, p, u).state)
    pairs = {
        "V_lv": "left_ventricular_volume",
        "V_rv": "right_ventricular_volume",
        "P_lv": "left_ventricular_pressure",
        "P_rv": "right_ventricular_pressure",
        "P_pa": "pulmonary_arterial_pressure",
        "P_ao": "systemic_arterial_pressure",
        "V_spt": "septal_volume",
        "Q_mt": "mitral_valve_flow",
    }
    for column, signal in pairs.items():
        found = np.interp(ref["t"], beat["time"][:, 0], beat[signal][:, 0])
        assert np.abs(found - ref[column]).max() < 2e-3 * np.abs(ref[column]).max(), column


def test_no_blood_flows_back_through_a_valve_that_its_flow_closes() -> None:
    m = model("smith_2004")
    p, u = m.Parameters(), m.Inputs()
    beat = waveforms(m, p, u, periodic_orbits(m, p, u).state)
    for valve in VALVES:
        flow = beat[f"{valve}_valve_flow"]
        assert flow.min() == 0.0
        assert flow.max() > 100.0


def test_the_septum_is_in_balance_wherever_the_ventricles_are() -> None:
    """The fixed number of Newton steps is enough: 1e-9 mmHg at any activation, 40 to 150 mL."""
    luck = np.random.default_rng(2)
    n = 4000
    m = model("smith_2004")
    p, u = m.Parameters(), m.Inputs()
    x = m.State(*(jnp.asarray(luck.uniform(40, 150, n)) for _ in range(2)), *(jnp.full(n, 100.0),) * 8)
    d = smith.Drive(activation=jnp.asarray(luck.uniform(0, 1, n) ** 3))
    septum = m.observe(d, x, p, u).septal_volume
    assert np.abs(smith.septal_imbalance(septum, d, x, p)).max() < 1e-9
    assert np.ptp(septum) > 3.0


@pytest.mark.parametrize("name", NAMES)
def test_blood_is_neither_made_nor_lost(name: str) -> None:
    """Along the rates of any state the declared volume stays, so that ``restore`` has nothing to add."""
    m = model(name)
    assert m.cycle is not None
    luck = np.random.default_rng(4)
    p = m.working(m.Parameters())
    u = m.Inputs()
    n = 40
    at = periodic_orbits(m, m.Parameters(), u).state * luck.uniform(0.7, 1.3, (len(fields(m.State)), n))
    x = m.State(*map(jnp.asarray, at))
    rates = m.derivative(m.cycle.drive(jnp.asarray(0.2), p, u), x, p, u)
    # what is missing is put into one compartment; its rate of change must be that compartment's own
    _, restored = jax.jvp(lambda y: m.cycle.restore(y, p, u), (x,), (rates,))
    for field, rate in values(rates).items():
        moved = getattr(restored, field)
        size = max(float(np.abs(np.asarray(r)).max()) for r in values(rates).values())
        assert np.abs(np.asarray(moved - rate)).max() <= 1e-12 * size, field


@pytest.mark.parametrize("name", NAMES)
def test_loss_of_blood_lowers_pressure_and_stroke_volume(name: str) -> None:
    m = model(name)
    lost = periodic_orbits(m, m.Parameters(), m.Inputs(infused_volume=np.array([0.0, -50.0])))
    assert lost.converged.all()
    for output in ("mean_arterial_pressure", "stroke_volume", "lv_end_diastolic_volume"):
        assert lost.outputs[output][1] < lost.outputs[output][0], output


@pytest.mark.parametrize("name", NAMES)
def test_rates_have_finite_derivatives_where_valves_close(name: str) -> None:
    """Also where a pressure drop is exactly zero: a root is regular there, no power of zero gives NaN."""
    m = model(name)
    assert m.cycle is not None
    p, u = m.working(m.Parameters()), m.Inputs()
    first = m.initial(p)
    level = dict(values(first))
    if name.startswith("shi_hose"):
        # chambers at their unstressed volumes: 1 mmHg on both sides of the mitral and the aortic valve
        at_rest = {"left_ventricular_volume": 5.0, "left_atrial_volume": 4.0, "systemic_sinus_pressure": 1.0}
        level |= {field: jnp.asarray(value) for field, value in at_rest.items()}
    x = type(first)(**level)

    def total(q: Any, y: Any, time: Any) -> Any:
        return sum(jnp.sum(r) for r in values(m.derivative(m.cycle.drive(time, q, u), y, q, u)).values())

    slopes = jax.grad(total, argnums=(0, 1, 2))(
        jax.tree.map(lambda v: jnp.asarray(v, float), p), x, jnp.asarray(0.0)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_the_root_of_an_orifice_is_exact_above_the_laminar_drop_and_small_below() -> None:
    limit = shi_hose_loop.laminar(model("shi_hose_2009").Parameters(), shi_hose_loop.Inputs())
    assert 1e-4 < float(limit.mitral) < float(limit.aortic) < 0.02
    drop = np.array([0.02, 1.0, 100.0])
    np.testing.assert_allclose(shi_hose_loop.root(drop, limit.aortic), np.sqrt(drop), rtol=1e-15)
    np.testing.assert_allclose(shi_hose_loop.root(-drop, limit.aortic), -np.sqrt(drop), rtol=1e-15)
    assert float(shi_hose_loop.root(jnp.asarray(0.0), limit.aortic)) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_a_patient_has_the_same_bits_alone_and_in_company(name: str) -> None:
    m = model(name)
    rates = np.linspace(55.0, 100.0, 9)
    vary = {"heart_rate": rates} if "heart_rate" in fields(m.Parameters) else {}
    p = m.Parameters(**vary)
    u = m.Inputs() if vary else dataclasses.replace(m.Inputs(), heart_period=60.0 / rates)
    everyone = periodic_orbits(m, p, u)
    alone = periodic_orbits(m, take(p, np.array([4]), 9), take(u, np.array([4]), 9))
    np.testing.assert_array_equal(everyone.state[:, 4], alone.state[:, 0])
