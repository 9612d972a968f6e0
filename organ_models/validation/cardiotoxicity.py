"""Values of troponin T and of the ejection fraction under trastuzumab, computed apart from this code."""

from __future__ import annotations

import numpy as np

from organ_models.references import BRUNO_2005, DE_VRIES_SCHULTINK_2018, PHARMACOLOGY_REGRESSION
from organ_models.scenarios import Check, Pattern, Scenario
from organ_models.schedules import boluses

_YEAR = 21.0 * np.arange(18)
_LOADED = boluses(70.0 * np.where(_YEAR == 0, 8.0, 6.0), _YEAR)
"""8 and then 6 mg/kg every 3 weeks, 18 doses, at 70 kg."""

TROPONIN_T_SCENARIOS = (
    Scenario(
        "single_100_mg",
        "100 mg doxorubicin once, from 3 ng/L",
        inputs={"dose": boluses(100.0, [0.0])},
        parameters={"baseline_troponin": 3.0},
        source=DE_VRIES_SCHULTINK_2018,
    ),
    Scenario(
        "single_100_mg_epirubicin",
        "100 mg epirubicin once, from 3 ng/L",
        inputs={"dose": boluses(100.0, [0.0])},
        parameters={"baseline_troponin": 3.0, "epirubicin": 1.0},
        source=DE_VRIES_SCHULTINK_2018,
    ),
    Scenario(
        "four_cycles",
        "110 mg doxorubicin every 3 weeks, 4 doses",
        inputs={"dose": boluses(110.0, [0.0, 21.0, 42.0, 63.0])},
        source=DE_VRIES_SCHULTINK_2018,
    ),
)
_BASELINE, _SLOPE, _PEAK = 4.72, 0.00884, 343.476281
TROPONIN_T_CHECKS = (
    Check(
        "largest_troponin_t",
        5.652,
        "ng/L",
        1e-6,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="single_100_mg",
        day=1,
    ),
    # the paper's own words: from 3 to 5.6 with doxorubicin, to 4.3 with epirubicin; both are cut, not rounded
    Check(
        "largest_troponin_t",
        5.6,
        "ng/L",
        0.06,
        "absolute",
        DE_VRIES_SCHULTINK_2018,
        scenario="single_100_mg",
        day=2,
    ),
    Check(
        "largest_troponin_t",
        4.3,
        "ng/L",
        0.1,
        "absolute",
        DE_VRIES_SCHULTINK_2018,
        scenario="single_100_mg_epirubicin",
        day=1,
    ),
    # the largest amount, 343.476281 mg, as it shows in troponin
    Check(
        "largest_troponin_t",
        _BASELINE * (1 + _SLOPE * _PEAK),
        "ng/L",
        1e-6,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="four_cycles",
        day=84,
    ),
)


def _after(troponin: float) -> Scenario:
    return Scenario(
        f"troponin_{troponin:g}",
        f"trastuzumab 8, then 6 mg/kg every 3 weeks for a year; largest troponin T {troponin:g} ng/L",
        inputs={"trastuzumab.dose": _LOADED, "largest_troponin_t": Pattern(troponin)},
        feeds={"concentration": "trastuzumab.concentration"},
        source=BRUNO_2005,
    )


EJECTION_FRACTION_SCENARIOS = (_after(18.0), _after(31.0))
EJECTION_FRACTION_CHECKS = (
    Check(
        "effect",
        8522.9,
        "mg.d/L",
        1e-4,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="troponin_18",
        day=400,
        reading="maximum",
        since=350,
    ),
    *(
        Check(
            "ejection_fraction",
            published,
            "1",
            1e-4,
            "absolute",
            PHARMACOLOGY_REGRESSION,
            scenario=f"troponin_{troponin}",
            day=day,
        )
        for troponin, day, published in (
            (18, 168, 0.5816),
            (18, 546, 0.5932),
            (31, 364, 0.5580),
            (31, 728, 0.5972),
        )
    ),
)
