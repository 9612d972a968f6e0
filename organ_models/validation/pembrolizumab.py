"""Exposure to pembrolizumab at steady state: the area over six weeks is two doses over the clearance."""

from __future__ import annotations

import numpy as np

from organ_models.references import AHAMADI_2017, PHARMACOLOGY_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import infusions

_STEADY = 42 * 20
"""After twenty six-week periods, 27 half-lives, less than 1e-8 is missing from the steady state."""


def _every_three_weeks(name: str, title: str, amount: float) -> Scenario:
    given = infusions(amount, 0.5, np.arange(0.0, _STEADY + 42.0, 21.0))
    return Scenario(name, title, inputs={"infusion_rate": given}, source=AHAMADI_2017)


SCENARIOS = (
    _every_three_weeks("flat_dose", "200 mg over 30 minutes every 3 weeks", 200.0),
    _every_three_weeks("high_dose", "10 mg/kg at 76.8 kg over 30 minutes every 3 weeks", 768.0),
)
CHECKS = tuple(
    Check(
        "cumulative_exposure",
        published,
        "mg.d/L",
        1e-6,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario=scenario,
        day=_STEADY + 42,
        reading="change",
        since=_STEADY,
    )
    for scenario, published in (("flat_dose", 1818.18182), ("high_dose", 6981.81818))
)
