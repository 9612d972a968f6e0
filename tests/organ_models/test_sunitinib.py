"""Sunitinib in GIST against the regression values and an independent implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from vht import VirtualPatient, sunitinib_gist
from vht.course import slow_course
from vht.population import Individuals, typical

TUMOUR, PRESSURE, EXPOSURE = "hansson_gist", "sunitinib_blood_pressure", "sunitinib_exposure"
FOUR_TWO = np.where(np.arange(340) % 42 < 28, 50.0, 0.0)


def course(dose: np.ndarray, last: int, people: Individuals | None = None) -> dict[str, np.ndarray]:
    patient = sunitinib_gist()
    who = typical(patient) if people is None else people
    who.parameters[PRESSURE] = type(who.parameters[PRESSURE])(
        **{**vars(who.parameters[PRESSURE]), "baseline_diastolic_pressure": np.full(len(who), 71.8)}
    )
    return slow_course(patient, who, {f"{EXPOSURE}.daily_dose": dose}, last)


@pytest.mark.parametrize(
    ("schedule", "dose", "weeks"),
    [("4/2 schedule", FOUR_TWO, (2, 6, 12, 48)), ("continuous", np.full(340, 50.0), (6, 24))],
)
def test_regression_values(
    shared_data: Path, schedule: str, dose: np.ndarray, weeks: tuple[int, ...]
) -> None:
    """Values and tolerances: oncology/reference_values.csv, model hansson_gist."""
    table = pd.read_csv(shared_data / "oncology" / "reference_values.csv")
    rows = table[(table["model"] == "hansson_gist") & table["quantity"].str.contains(schedule, regex=False)]
    names = {
        "SLD": f"{TUMOUR}.sum_of_diameters",
        "relative change sVEGFR-3": f"{TUMOUR}.vegfr3_relative_change",
        "diastolic BP": f"{PRESSURE}.diastolic_pressure",
    }
    traces = course(dose, 336)
    compared = 0
    for row in rows.itertuples():
        for label, port in names.items():
            for week in weeks:
                if row.quantity.endswith(f": {label} (week {week})"):
                    kind, size = row.tolerance.split()
                    assert kind == "abs"
                    assert traces[port][7 * week, 0] == pytest.approx(float(row.value), abs=float(size)), (
                        row.quantity
                    )
                    compared += 1
    assert compared == len(names) * len(weeks)


def test_blood_pressure_settles_at_its_closed_form() -> None:
    """BP0 (1 + SLP AUC) = 84.182899 mmHg at 50 mg daily: oncology reference values."""
    traces = course(np.full(2000, 50.0), 2000)
    assert traces[f"{PRESSURE}.diastolic_pressure"][-1, 0] == pytest.approx(84.182899, rel=1e-6)


def test_tumour_agrees_with_an_independent_solver_for_random_patients() -> None:
    patient = VirtualPatient([EXPOSURE, TUMOUR], [_feed()])
    n = 5
    luck = np.random.default_rng(3)
    who = typical(patient, n)
    p = {k: v * np.exp(0.4 * luck.standard_normal(n)) for k, v in vars(who.parameters[TUMOUR]).items()}
    who.parameters[TUMOUR] = type(who.parameters[TUMOUR])(**p)
    traces = slow_course(patient, who, {f"{EXPOSURE}.daily_dose": FOUR_TWO}, 168)
    for i in range(n):
        alone = _independent({k: v[i] for k, v in p.items()}, 168)
        np.testing.assert_allclose(traces[f"{TUMOUR}.sum_of_diameters"][::14, i], alone, rtol=1e-6)


def test_an_untreated_tumour_grows_exponentially() -> None:
    traces = course(np.zeros(168), 168)
    assert traces[f"{TUMOUR}.sum_of_diameters"][168, 0] == pytest.approx(200 * np.exp(0.0118 * 24), rel=1e-9)


def test_a_reading_is_taken_before_the_dose_of_the_day() -> None:
    traces = course(np.array([50.0, 0.0, 0.0]), 3)
    np.testing.assert_allclose(traces[f"{EXPOSURE}.daily_exposure"][:, 0], [0, 50 / 34.5, 0, 0])


def _feed():  # type: ignore[no-untyped-def]
    from vht import Coupling

    return Coupling(f"{EXPOSURE}.daily_exposure", f"{TUMOUR}.daily_exposure")


def _independent(p: dict[str, float], last: int) -> np.ndarray:
    """Hansson 2013 written again in its published units (hours and weeks), solved by LSODA between doses."""

    def rates(hours: float, x: np.ndarray, auc: float) -> list[float]:
        size, v3, kit, untreated = x
        weeks = hours / 168
        production = p["kit_baseline"] * (1 + p["kit_drift"] * hours)
        effect = (
            p["exposure_kill"] * auc
            + p["kit_kill"] * (untreated - kit) / untreated
            + p["vegfr3_kill"] * (p["vegfr3_baseline"] - v3) / p["vegfr3_baseline"]
        ) * np.exp(-p["resistance_rate"] * weeks)
        return [
            size * (p["growth_rate"] - effect) / 168,
            (p["vegfr3_baseline"] * (1 - auc / (p["vegfr3_half_exposure"] + auc)) - v3)
            / p["vegfr3_residence_time"],
            (production * (1 - auc / (p["kit_half_exposure"] + auc)) - kit) / p["kit_residence_time"],
            (production - untreated) / p["kit_residence_time"],
        ]

    x = np.array([p["baseline_sum_of_diameters"], p["vegfr3_baseline"], p["kit_baseline"], p["kit_baseline"]])
    seen = [x[0]]
    for day in range(0, last, 14):
        auc = FOUR_TWO[day] / 34.5
        done = solve_ivp(
            rates, (24.0 * day, 24.0 * (day + 14)), x, "LSODA", args=(auc,), rtol=1e-10, atol=1e-8
        )
        x = done.y[:, -1]
        seen.append(x[0])
    return np.array(seen)
