"""Bruno's regimens for a body surface of 1.7 m2, and regression values computed apart from this code.

Capecitabine comes at the start and in the middle of the day. Docetaxel comes in two halves, four hours
apart: the table was computed with doses that arrive two hours into the day in the mean, and comes out so to
2e-5. All of it at once at the start of the day moves sizes under docetaxel by up to 4e-4, more than the
table's tolerance.
"""

from __future__ import annotations

import numpy as np

from organ_models.references import BRUNO_2012, BRUNO_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import boluses

_SURFACE = 1.7
"""m2"""
_CYCLES = 21.0 * np.arange(9)
_HALF_DAYS = (_CYCLES[:, None] + 0.5 * np.arange(28)).ravel()
_FOUR_HOURS = 4.0 / 24.0
_DOCETAXEL = boluses(0.5 * 75.0 * _SURFACE, (_CYCLES[:, None] + [0.0, _FOUR_HOURS]).ravel())
_CAPECITABINE, _REDUCED = (boluses(dose * _SURFACE, _HALF_DAYS) for dose in (1250.0, 825.0))

REGIMENS = (
    Scenario(
        "combination",
        "docetaxel 75 mg/m2 on day 1 and capecitabine 1250 mg/m2 twice daily for 14 days, every 3 weeks; "
        "1.7 m2",
        inputs={"docetaxel_dose": _DOCETAXEL, "capecitabine_dose": _CAPECITABINE},
        source=BRUNO_2012,
    ),
    Scenario(
        "reduced_combination",
        "docetaxel 75 mg/m2 on day 1 and capecitabine 825 mg/m2 twice daily for 14 days, every 3 weeks; "
        "1.7 m2",
        inputs={"docetaxel_dose": _DOCETAXEL, "capecitabine_dose": _REDUCED},
        source=BRUNO_2012,
    ),
    Scenario(
        "docetaxel",
        "docetaxel 75 mg/m2 every 3 weeks; 1.7 m2",
        inputs={"docetaxel_dose": _DOCETAXEL},
        source=BRUNO_2012,
    ),
)


def _checks(scenario: str, sizes: dict[int, float]) -> tuple[Check, ...]:
    return tuple(
        Check(
            "sum_of_longest_diameters",
            size,
            "mm",
            1e-4,
            "relative",
            BRUNO_REGRESSION,
            scenario=scenario,
            day=7 * week,
        )
        for week, size in sizes.items()
    )


SIZE_CHECKS = (
    *_checks("combination", {3: 59.417, 6: 51.211, 9: 46.080, 12: 42.440, 18: 37.432, 24: 34.148}),
    *_checks("docetaxel", {3: 73.043, 12: 62.142, 24: 51.088}),
    Check(
        "relative_change", -0.3172, "1", 2e-4, "absolute", BRUNO_REGRESSION, scenario="combination", day=42
    ),
)
