"""Patient states made for tests."""

from __future__ import annotations

import base64
import hashlib

import numpy as np

from vht import Cohort, Event, Observation, PatientState


def pseudonym(number: int) -> str:
    """A pseudonym of the right form; the same number gives the same one."""
    digest = hashlib.sha256(f"test patient {number}".encode()).digest()[:20]
    return "v1-" + base64.b32encode(digest).decode().lower()


def study_number(number: int) -> int:
    """A study number that says nothing about the order of patients."""
    return int.from_bytes(hashlib.sha256(f"study {number}".encode()).digest()[:7], "big")


def gist_patient(number: int, **values: float) -> PatientState:
    """An adult with a gastrointestinal stromal tumour; every third one without a heart rate."""
    luck = np.random.default_rng([7, number])
    systolic = float(np.clip(luck.normal(136, 16), 100, 185))
    diastolic = float(np.clip(0.35 * (systolic - 136) + 82 + luck.normal(0, 6), 58, 108))
    recorded = {
        "systolic_blood_pressure": systolic,
        "diastolic_blood_pressure": diastolic,
        "sum_of_longest_diameters": float(np.exp(luck.normal(5.0, 0.5))),
        **({} if number % 3 == 0 else {"heart_rate": float(luck.normal(74, 9))}),
        **values,
    }
    return PatientState(
        pseudonym=pseudonym(number),
        study_number=study_number(number),
        sex="female" if number % 2 else "male",
        age_years=int(luck.integers(35, 86)),
        observations=tuple(
            Observation(
                quantity=name,
                value=value,
                day=-2.0,
                origin="derived" if name == "sum_of_longest_diameters" else "recorded",
            )
            for name, value in recorded.items()
        ),
        conditions=(
            Event(concept="gastrointestinal_stromal_tumour", start_day=-200.0),
            *([Event(concept="hypertension", start_day=-900.0)] if systolic >= 140 else []),
        ),
    )


def gist_cohort(n: int) -> Cohort:
    """``n`` of them."""
    return Cohort.from_states(gist_patient(i) for i in range(n))


def weighed_patient(number: int, **values: float | None) -> PatientState:
    """A woman with breast cancer, with her weight and height; None leaves a value out of the record."""
    luck = np.random.default_rng([8, number])
    recorded: dict[str, float | None] = {
        "body_height": float(luck.normal(163, 7)),
        "body_weight": float(np.exp(luck.normal(4.22, 0.18))),
        "sum_of_longest_diameters": float(np.exp(luck.normal(4.3, 0.5))),
        **values,
    }
    return PatientState(
        pseudonym=pseudonym(number),
        study_number=study_number(number),
        sex="female",
        age_years=int(luck.integers(35, 76)),
        observations=tuple(
            Observation(quantity=name, value=value, day=-2.0, origin="recorded")
            for name, value in recorded.items()
            if value is not None
        ),
        conditions=(Event(concept="breast_cancer", start_day=-200.0),),
    )


def breast_patient(number: int, **values: float) -> PatientState:
    """A woman with metastatic breast cancer with 75 mm of target lesions and ECOG 0, as in Bruno 2012."""
    recorded = {"sum_of_longest_diameters": 75.0, "ecog_performance_status": 0.0, **values}
    return PatientState(
        pseudonym=pseudonym(number),
        study_number=study_number(number),
        sex="female",
        age_years=40 + number % 40,
        observations=tuple(
            Observation(quantity=name, value=value, day=-2.0, origin="recorded")
            for name, value in recorded.items()
            if np.isfinite(value)
        ),
        conditions=(Event(concept="breast_cancer", start_day=-200.0),),
    )


def breast_cohort(n: int) -> Cohort:
    """``n`` of them."""
    return Cohort.from_states(breast_patient(i) for i in range(n))
