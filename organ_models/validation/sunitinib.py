"""Values of the sunitinib models for the typical patient, at 50 mg a day with a clearance of 34.5 L/h.

They were computed apart from this code from the published equations and parameters: agreement shows that
the equations are solved right, not that patients follow them.
"""

from __future__ import annotations

from organ_models.references import HANSSON_2013, HANSSON_2013_ADVERSE, HANSSON_REGRESSION
from organ_models.scenarios import Check, Pattern, Scenario

EXPOSURE = 50.0 / 34.5
"""Area under the concentration curve of one day at 50 mg, mg.h/L."""

_TWO_SCHEDULES = (("intermittent", "50 mg daily, 4 weeks on and 2 weeks off"), ("continuous", "50 mg daily"))


def _patterns(amount: float) -> tuple[Pattern, Pattern]:
    return Pattern(amount, on=28, off=14), Pattern(amount)


def scenarios(port: str, amount: float) -> tuple[Scenario, ...]:
    """Both schedules, for a model that takes ``amount`` a day at ``port``."""
    return tuple(
        Scenario(name, title, inputs={port: pattern}, source=HANSSON_2013)
        for (name, title), pattern in zip(_TWO_SCHEDULES, _patterns(amount), strict=True)
    )


def _table(
    output: str, unit: str, tolerance: float, scenario: str, by_week: dict[int, float]
) -> tuple[Check, ...]:
    return tuple(
        Check(
            output,
            published,
            unit,
            tolerance,
            "absolute",
            HANSSON_REGRESSION,
            scenario=scenario,
            day=7 * week,
        )
        for week, published in by_week.items()
    )


_SIZE, _VEGFR3, _PRESSURE = "sum_of_longest_diameters", "vegfr3_relative_change", "diastolic_pressure"

TUMOUR_CHECKS = (
    *_table(_SIZE, "mm", 0.02, "intermittent", {2: 199.07, 6: 195.41, 12: 190.12, 48: 195.84}),
    *_table(_VEGFR3, "1", 2e-4, "intermittent", {2: -0.3358, 6: -0.2080, 12: -0.2249, 48: -0.2263}),
    *_table(_SIZE, "mm", 0.02, "continuous", {6: 190.41, 24: 159.03}),
    *_table(_VEGFR3, "1", 2e-4, "continuous", {6: -0.5439, 24: -0.5917}),
)
PRESSURE_CHECKS = (
    *_table(_PRESSURE, "mm[Hg]", 0.02, "intermittent", {2: 79.30, 6: 75.92, 12: 76.18, 48: 76.19}),
    *_table(_PRESSURE, "mm[Hg]", 0.02, "continuous", {6: 83.42, 24: 84.18}),
    # BP0 (1 + SLP AUC), reached to 1e-10 after 24 residence times
    Check(
        _PRESSURE,
        84.182899,
        "mm[Hg]",
        1e-6,
        "relative",
        HANSSON_2013_ADVERSE,
        scenario="continuous",
        day=364,
    ),
)
NEUTROPHIL_SCENARIOS = tuple(
    Scenario(
        name,
        title,
        inputs={"hansson_gist.daily_exposure": pattern},
        feeds={"vegfr3_relative_change": "hansson_gist.vegfr3_relative_change"},
        source=HANSSON_2013_ADVERSE,
    )
    for (name, title), pattern in zip(_TWO_SCHEDULES, _patterns(EXPOSURE), strict=True)
)
NEUTROPHIL_CHECKS = (
    *_table("neutrophils", "10*9/L", 0.002, "intermittent", {2: 4.059, 6: 2.352, 12: 2.235, 48: 2.226}),
    *_table("neutrophils", "10*9/L", 0.002, "continuous", {6: 2.069, 24: 2.078}),
)
EXPOSURE_CHECKS = (
    Check(
        "daily_exposure",
        EXPOSURE,
        "mg.h/L",
        1e-12,
        "relative",
        HANSSON_2013,
        scenario="continuous",
        day=1,
    ),
)
