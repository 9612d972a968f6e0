"""Values of paclitaxel and of the leukopenia that it causes, computed apart from this code."""

from __future__ import annotations

from organ_models.references import FRIBERG_2002, PHARMACOLOGY_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import Schedule, infusions

_NAME, _TITLE = "three_hours", "368.9 umol (315 mg) over three hours"


def _infusion() -> Schedule:
    return infusions(368.9 * 0.8539, 3.0, [0.0])


KINETIC_SCENARIOS = (Scenario(_NAME, _TITLE, inputs={"infusion_rate": _infusion()}, source=FRIBERG_2002),)
KINETIC_CHECKS = (
    Check(
        "molar_concentration",
        0.283675,
        "umol/L",
        1e-4,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario=_NAME,
        day=0.125,
    ),
)
LEUKOPENIA_SCENARIOS = (
    Scenario(
        _NAME,
        _TITLE,
        inputs={"paclitaxel_linear.infusion_rate": _infusion()},
        feeds={"concentration": "paclitaxel_linear.molar_concentration"},
        source=FRIBERG_2002,
    ),
)
LEUKOPENIA_CHECKS = (
    Check(
        "leukocytes",
        2.91875,
        "10*9/L",
        1e-3,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario=_NAME,
        day=21,
        reading="minimum",
    ),
)
