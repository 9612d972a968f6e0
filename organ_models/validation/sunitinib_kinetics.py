"""Plasma values of sunitinib for the typical patient at 50 mg a day, computed apart from this code."""

from __future__ import annotations

from organ_models.references import PHARMACOLOGY_REGRESSION, YU_2015
from organ_models.scenarios import Check, Pattern, Scenario

SCENARIOS = (
    Scenario("continuous", "50 mg daily", inputs={"dose": Pattern(50.0)}, source=YU_2015),
    Scenario(
        "intermittent",
        "50 mg daily, 4 weeks on and 2 weeks off",
        inputs={"dose": Pattern(50.0, on=28, off=14)},
        source=YU_2015,
    ),
)
CHECKS = (
    Check(
        "concentration",
        49.1843,
        "ng/mL",
        1e-4,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="continuous",
        day=28,
    ),
    Check(
        "cumulative_exposure",
        1.400553,
        "mg.h/L",
        1e-4,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="continuous",
        day=29,
        reading="change",
        since=28,
    ),
)
