"""Simeoni's xenografts: other compounds, and regression values computed apart from this code."""

from __future__ import annotations

import numpy as np

from organ_models.references import SIMEONI_REGRESSION, STROEMBERG_HOOKER
from organ_models.scenarios import BASELINE, Check, Pattern, Scenario, Variant
from organ_models.schedules import Schedule


def _compound(name: str, title: str, l0: float, l1: float, w0: float, k1: float, k2: float) -> Variant:
    values = {
        "exponential_rate": l0,
        "linear_rate": l1,
        "initial_weight": w0,
        "decay_rate": k1,
        "potency": k2,
    }
    return Variant(name, title, values, STROEMBERG_HOOKER)


COMPOUNDS = (
    _compound("paclitaxel_4", "paclitaxel, experiment 4", 0.273, 0.814, 0.055, 0.968, 6.29e-4),
    _compound("fluorouracil", "5-fluorouracil", 0.215, 0.412, 0.065, 0.056, 2.021e-3),
    _compound("compound_a", "compound A", 0.349, 0.363, 0.010, 0.405, 3.45e-4),
    _compound("compound_b_7", "compound B, experiment 7", 0.309, 0.796, 0.034, 0.517, 2.89e-4),
    _compound("compound_b_8", "compound B, experiment 8", 0.369, 0.511, 0.016, 0.615, 2.93e-4),
)


def _checks(by_day: dict[int, float], tolerance: float, scenario: str = BASELINE) -> tuple[Check, ...]:
    return tuple(
        Check("weight", weight, "g", tolerance, "relative", SIMEONI_REGRESSION, scenario=scenario, day=day)
        for day, weight in by_day.items()
    )


GROWTH_CHECKS = _checks({5: 0.15625786, 15: 3.17055948, 25: 9.73055707}, 1e-5)
TREATED_SCENARIOS = (
    Scenario(
        "threshold",
        "the concentration that ends growth, 494.4 ng/mL, all the time",
        inputs={"concentration": Pattern(494.4)},
        source=SIMEONI_REGRESSION,
    ),
    Scenario(
        "four_days",
        "1000 ng/mL from day 8 to day 12",
        inputs={"concentration": Schedule(np.array([8.0, 12.0]), np.array([1000.0, 0.0]))},
        source=SIMEONI_REGRESSION,
    ),
)
TREATED_CHECKS = (
    *GROWTH_CHECKS,
    *_checks({10: 0.0647717, 25: 0.06483936}, 1e-5, "threshold"),
    *_checks({10: 0.53591711, 20: 1.34227938}, 1e-4, "four_days"),
)
