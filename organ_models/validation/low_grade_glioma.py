"""Regression values of the glioma models for the typical patient, computed apart from this code.

A month is 30.4375 days.
"""

from __future__ import annotations

import numpy as np

from organ_models.references import GLIOMA_REGRESSION, MAZZOCCO_2015, RIBBA_2012
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import boluses

DAYS_A_MONTH = 30.4375


def _checks(scenario: str, output: str, by_month: dict[int, float]) -> tuple[Check, ...]:
    return tuple(
        Check(
            output,
            size,
            "mm",
            1e-4,
            "relative",
            GLIOMA_REGRESSION,
            scenario=scenario,
            day=month * DAYS_A_MONTH,
        )
        for month, size in by_month.items()
    )


_LATE, _EARLY = (boluses(1.0, (start + 1.5 * np.arange(6)) * DAYS_A_MONTH) for start in (50.0, 0.0))
RIBBA_SCENARIOS = (
    Scenario(
        "late_cycles",
        "six cycles every 1.5 months from month 50 on",
        inputs={"cycle": _LATE},
        source=RIBBA_2012,
    ),
    Scenario(
        "cycles",
        "six cycles every 1.5 months from the start on",
        inputs={"cycle": _EARLY},
        source=RIBBA_2012,
    ),
)
RIBBA_CHECKS = (
    *_checks(
        "late_cycles",
        "mean_diameter",
        {25: 62.1322, 52: 71.9279, 70: 53.5421, 100: 52.0902, 200: 90.222},
    ),
    *_checks("late_cycles", "proliferative", {52: 11.3169, 100: 10.5319}),
    *_checks("late_cycles", "quiescent", {52: 42.5103, 100: 5.9921}),
    *_checks("late_cycles", "damaged", {52: 18.1007, 100: 35.5663}),
    *_checks("cycles", "mean_diameter", {6: 42.6465, 18: 37.0881, 36: 35.7504, 60: 48.3041}),
)

_TEMOZOLOMIDE = boluses(1.0, 28.0 * np.arange(18))
MAZZOCCO_SCENARIOS = (
    Scenario(
        "cycles",
        "18 cycles every 28 days, wild-type p53, no codeletion",
        inputs={"cycle": _TEMOZOLOMIDE},
        source=MAZZOCCO_2015,
    ),
    Scenario(
        "cycles_p53_mutated",
        "18 cycles every 28 days, mutated p53, no codeletion",
        inputs={"cycle": _TEMOZOLOMIDE},
        parameters={"p53_mutated": 1.0},
        source=MAZZOCCO_2015,
    ),
    Scenario(
        "cycles_codeleted",
        "18 cycles every 28 days, wild-type p53, codeletion",
        inputs={"cycle": _TEMOZOLOMIDE},
        parameters={"codeleted": 1.0},
        source=MAZZOCCO_2015,
    ),
)
MAZZOCCO_CHECKS = (
    *_checks(
        "cycles",
        "mean_diameter",
        {6: 30.9064, 12: 28.0487, 18: 26.4613, 24: 27.5478, 36: 37.04, 48: 54.154},
    ),
    *_checks("cycles_p53_mutated", "mean_diameter", {6: 32.2168, 18: 29.5077, 36: 41.2123}),
)
