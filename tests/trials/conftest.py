"""A made-up conducted trial for tests of endpoints, results and report: no model behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trials.outcomes import Outcomes, Screening
from trials.protocol import Protocol, load_protocol

TUMOUR, SYSTOLIC, DIASTOLIC = (
    "sum_of_longest_diameters",
    "systolic_blood_pressure",
    "diastolic_blood_pressure",
)
ERROR = {TUMOUR: ("proportional", 0.125), SYSTOLIC: ("additive", 9.0), DIASTOLIC: ("additive", 5.5)}
COLUMNS = ["arm", "pseudonym", "status", "reason", "last_day"]
EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"


@dataclass(frozen=True)
class FakeTrial:
    """Protocol and outcomes of a made-up trial."""

    protocol: Protocol
    outcomes: Outcomes


def pseudonym(number: int) -> str:
    """A well-formed pseudonym."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "v1-" + "".join(letters[(number // 32**k) % 32] for k in range(32))


def fake_outcomes(protocol: Protocol, patients: int = 200, seed: int = 1) -> Outcomes:
    """Outcomes that look like the protocol's: sinusoidal pressure in the first arm, level in the others."""
    rng = np.random.default_rng(seed)
    names = [pseudonym(i) for i in range(patients)]
    hypertensive = rng.random(patients) < 0.4
    systolic = rng.normal(124, 10, patients) + 18 * hypertensive
    diastolic = rng.normal(75, 6, patients) + 9 * hypertensive
    diameters = rng.lognormal(np.log(150), 0.5, patients)
    recorded_rate = rng.random(patients) < 0.8
    baseline = pd.DataFrame(
        {
            "pseudonym": names,
            "study_number": np.arange(patients) + 10**9,
            "sex": np.where(rng.random(patients) < 0.45, "female", "male"),
            "age_years": rng.integers(38, 84, patients),
            SYSTOLIC: systolic,
            f"{SYSTOLIC}_origin": "recorded",
            DIASTOLIC: diastolic,
            f"{DIASTOLIC}_origin": "recorded",
            "heart_rate": rng.normal(72, 9, patients),
            "heart_rate_origin": np.where(recorded_rate, "recorded", "imputed"),
            TUMOUR: diameters,
            f"{TUMOUR}_origin": "derived",
            "condition_hypertension": hypertensive,
            f"{SYSTOLIC}_residual": rng.normal(0, 1e-8, patients),
            f"{DIASTOLIC}_residual": rng.normal(0, 1e-8, patients),
            "heart_rate_residual": 0.0,
            "prior_distance": rng.gamma(2, 0.8, patients),
            "systemic_resistance_ratio": rng.lognormal(0, 0.2, patients),
            "systemic_resistance_posterior_log_sd": rng.lognormal(-2, 0.2, patients),
        }
    )
    origin = {TUMOUR: diameters, SYSTOLIC: systolic, DIASTOLIC: diastolic}
    quantities = [q for q in protocol.visits if q in origin]
    end = float(max(max(protocol.visit_days(q)) for q in quantities))
    leaves = rng.exponential(60 * 7, patients)
    growth, kill = rng.lognormal(np.log(0.012), 0.5, patients), rng.lognormal(np.log(0.03), 0.7, patients)
    noise = {q: {d: rng.normal(0, 1, patients) for d in protocol.visit_days(q)} for q in quantities}
    disposition, measurements, peaks = [], [], []
    for index, arm in enumerate(protocol.arms):
        failed = np.zeros(patients, bool)
        failed[[7, 19][index:]] = patients > 20
        for i, name in enumerate(names):
            status = "failed" if failed[i] else "withdrawn" if leaves[i] < end else "completed"
            reason = {"failed": "not_converged", "withdrawn": "discontinued", "completed": ""}[status]
            last = 0.0 if failed[i] else float(min(leaves[i], end))
            disposition.append((arm.name, name, status, reason, last, float("nan")))

        def course(q: str, day: float, index: int = index) -> np.ndarray:
            week = day / 7
            on = (0.9 if day % 42 <= 28 else 0.35) if index == 0 else 0.75
            if q == TUMOUR:
                mean_dose = 0.72 if index == 0 else 0.75
                shrinkage = kill * mean_dose / 0.021 * (1 - np.exp(-0.021 * week))
                return diameters * np.exp(growth * week - shrinkage)
            rise = 0.14 * on * (1 - np.exp(-day / 15))
            return origin[q] * (1 + rise * (0.7 if q == SYSTOLIC else 1.0))

        kept = np.flatnonzero(~failed)
        for q in quantities:
            visits = set(protocol.visit_days(q))
            kind, size = ERROR[q]
            for day in sorted({float(d) for d in protocol.report_days()} | visits):
                true = course(q, day)
                observed = np.full(patients, np.nan)
                if day in visits:
                    error = size * noise[q][day]
                    observed = true * (1 + error) if kind == "proportional" else true + error
                    observed = np.where(leaves >= day, observed, np.nan)
                measurements += [
                    (arm.name, names[i], q, day, true[i], observed[i], day in visits) for i in kept
                ]
            daily = np.stack([course(q, float(d)) for d in range(int(end) + 1)])
            top = daily.argmax(axis=0)
            peaks += [(arm.name, names[i], q, daily[top[i], i], float(top[i])) for i in kept]
    return Outcomes(
        baseline=baseline,
        disposition=pd.DataFrame(disposition, columns=[*COLUMNS, "new_lesion_day"]),
        measurements=pd.DataFrame(
            measurements, columns=["arm", "pseudonym", "quantity", "day", "true", "observed", "is_visit"]
        ),
        peaks=pd.DataFrame(peaks, columns=["arm", "pseudonym", "quantity", "true_peak", "true_peak_day"]),
        screening=Screening(patients + 11, {"age": 3, "no_sum_of_longest_diameters": 8}),
    )


def fake_provenance() -> dict[str, object]:
    """Provenance in the shape that the conduct of a trial supplies."""
    return {
        "software": {
            "version": "0.1.0",
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "source_digest": "ab" * 32,
            "lock_digest": "cd" * 32,
            "python": "3.11.7",
            "jax": "0.7.2",
            "platform": "Linux x86_64, CPU, float64",
        },
        "models": [
            {
                "name": "hansson_gist",
                "version": "1.0",
                "title": "Tumour size under sunitinib",
                "clock": "week",
                "states": ["vegf", "kit", "size"],
                "notes": "Target lesions only.",
                "references": [
                    {"key": "hansson_2013", "text": "Hansson EK, et al. 2013.", "doi": "10.1038/psp.2013.61"}
                ],
                "parameters": [
                    {
                        "name": "growth_rate",
                        "description": "growth of the sum of diameters",
                        "value": 0.0118,
                        "unit": "1/wk",
                        "spread": 0.538,
                        "source": "hansson_2013",
                        "certainty": "verified",
                    }
                ],
            },
            {
                "name": "closed_loop_circulation",
                "version": "1.0",
                "title": "Closed-loop circulation",
                "clock": "cycle",
                "states": 12,
                "references": [
                    {
                        "key": "regazzoni_2022",
                        "text": "Regazzoni F, et al. 2022.",
                        "doi": "10.1016/j.jcp.2022.111083",
                    }
                ],
                "parameters": [
                    {
                        "name": "systemic_resistance_ratio",
                        "value": 1.0,
                        "unit": "1",
                        "spread": None,
                        "source": "personalised",
                        "certainty": "assumption",
                    }
                ],
            },
        ],
        "data": {"states_digest": "12" * 32, "protocol_digest": "34" * 32, "patients": 200},
        "seed": 20261124,
        "command": "vht trial run trials/examples/sunitinib_gist.yaml --states demo/states --out demo/run",
        "verify_command": "vht trial verify demo/run",
        "couplings": [
            {"from": "sunitinib_exposure.daily_exposure", "to": "hansson_gist.daily_exposure"},
            {
                "from": "sunitinib_blood_pressure.diastolic_pressure_ratio",
                "to": "closed_loop_circulation.diastolic_pressure",
                "solve": "closed_loop_circulation.systemic_resistance_ratio",
                "with": "closed_loop_circulation.arterial_compliance_ratio",
            },
        ],
        "numerics": {
            "largest_residual": 3.2e-10,
            "solver": "Anderson acceleration on the beat map",
            "steps": 12,
        },
        "mlflow": {"run_id": "0" * 32},
    }


@pytest.fixture(scope="session")
def sunitinib() -> FakeTrial:
    """A made-up run of the sunitinib example with 60 patients."""
    protocol = load_protocol(EXAMPLES / "sunitinib_gist.yaml")
    return FakeTrial(protocol, fake_outcomes(protocol, 60))


@pytest.fixture(scope="session")
def dilator() -> FakeTrial:
    """A made-up run of the dilator example with 40 patients: no tumour."""
    protocol = load_protocol(EXAMPLES / "arteriolar_dilator.yaml")
    return FakeTrial(protocol, fake_outcomes(protocol, 40))


@pytest.fixture(scope="session")
def make_outcomes() -> Callable[..., Outcomes]:
    """Makes outcomes for a protocol."""
    return fake_outcomes


@pytest.fixture(scope="session")
def provenance() -> dict[str, object]:
    """Provenance as the conduct of a trial supplies it."""
    return fake_provenance()
