"""Virtual trials whose outcome is known: a drawn population under a published regimen.

Size is measured with the published error before anything is concluded from it, as a scan would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from organ_models import model as catalogue_model
from organ_models.references import BRUNO_2012
from organ_models.scenarios import scenarios
from vht.patient import VirtualPatient
from vht.population import sample
from vht.randomness import normal
from vht.simulation import simulate
from vht.survival_links import BRUNO_2012_OS, BRUNO_2012_PFS, Survival, predict
from vht.validation.claims import Claim

_BREAST = "bruno_breast_cancer"
_WEEK_6 = 42.0
_BAND = 0.03
"""Half width of the band of week-6 changes in which survival is read."""


@dataclass(frozen=True)
class BreastCancerArm:
    """One arm of the virtual trial in metastatic breast cancer; arrays of shape ``(n,)``.

    Attributes:
        regimen: name of the scenario.
        change: measured relative change of the sum of diameters at week 6.
        overall, progression_free: predicted survival, by the published links.
        death: drawn time of death, months.
        progression: drawn time of progression or death, months.
    """

    regimen: str
    change: np.ndarray
    overall: Survival
    progression_free: Survival
    death: np.ndarray
    progression: np.ndarray

    def median_near(self, change: float) -> float:
        """Median of the drawn deaths (months) of patients whose week-6 change is near a value."""
        near = np.abs(self.change - change) < _BAND
        return float(np.median(self.death[near])) if near.any() else float("nan")


def breast_cancer_arm(regimen: str = "combination", n: int = 20_000, *, seed: int = 1) -> BreastCancerArm:
    """Simulate an arm of metastatic breast cancer (Bruno 2012).

    Patients have 75 mm of target lesions at the start, ECOG 0 and more than one metastatic site, are treated
    as in NO16853, and differ by the published variances of growth and of the effects of both drugs.

    Args:
        regimen: a scenario of ``bruno_breast_cancer``.
        n: patients.
        seed: of who they are, of what is measured, and of when they die.

    Raises:
        KeyError: no such regimen.
    """
    model = catalogue_model(_BREAST)
    patient = VirtualPatient([model])
    people = sample(patient, n, seed=seed)
    doses: dict[str, Any] = {
        f"{_BREAST}.{port}": given for port, given in scenarios(model)[regimen].inputs.items()
    }
    course = simulate(patient, people, doses=doses, days=[0, int(_WEEK_6)], estimate_error=False)
    error = next(r for r in model.residuals if r.study.startswith("NO16853"))
    sizes = course.outputs[f"{_BREAST}.sum_of_diameters"]
    measured = [
        np.maximum(error.measured(size, normal(seed, people.study_numbers, "measured size", day)), 0.0)
        for size, day in zip(sizes, (0.0, _WEEK_6), strict=True)
    ]
    with np.errstate(divide="ignore"):
        change = measured[1] / measured[0] - 1.0
    common = {"baseline_size": measured[0], "week_6_change": change, "ecog": 0.0, "study_no16853": 1.0}
    overall = predict(BRUNO_2012_OS, {**common, "several_metastases": 1.0})
    progression_free = predict(BRUNO_2012_PFS, common)
    return BreastCancerArm(
        regimen,
        change,
        overall,
        progression_free,
        overall.sample(seed, people.study_numbers),
        progression_free.sample(seed, people.study_numbers),
    )


def breast_cancer(n: int = 20_000, *, seed: int = 1) -> list[Claim]:
    """Median survival at a week-6 change of -30 % and +30 %, and of everybody, beside Bruno 2012.

    Args:
        n: patients.
        seed: of the trial.
    """
    arm = breast_cancer_arm(n=n, seed=seed)
    rows = (
        ("median overall survival at -30 % in week 6", 19.3, (17.3, 21.6), arm.median_near(-0.3)),
        ("median overall survival at +30 % in week 6", 11.8, (10.1, 14.0), arm.median_near(0.3)),
    )
    return [
        Claim(
            about=f"capecitabine and docetaxel, {about}",
            published=published,
            unit="mo",
            predicted=value,
            reach=(value, value),
            tolerance=0.0,
            source=BRUNO_2012,
            interval=interval,
        )
        for about, published, interval, value in rows
    ]
