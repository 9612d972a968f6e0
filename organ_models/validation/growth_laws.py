"""Values of the growth laws from 1 mm3, after 5 and 15 days.

They were computed apart from this code from the closed forms. The parameters of the power law and of von
Bertalanffy's
law in these scenarios serve the comparison alone: they describe no tumour.
"""

from __future__ import annotations

from organ_models.references import GROWTH_REGRESSION
from organ_models.scenarios import BASELINE, Check, Scenario

_COMPARISON = "comparison"


def _checks(by_day: dict[int, float], scenario: str = BASELINE) -> tuple[Check, ...]:
    return tuple(
        Check("tumour_volume", volume, "mm3", 1e-6, "relative", GROWTH_REGRESSION, scenario=scenario, day=day)
        for day, volume in by_day.items()
    )


GOMPERTZ_CHECKS = _checks({5: 21.49083526, 15: 679.66803165})
LOGISTIC_CHECKS = _checks({5: 12.19860441, 15: 764.91520634})
POWER_LAW_SCENARIOS = (
    Scenario(
        _COMPARISON,
        "a 0.921/d and g 0.788, for comparison with a table",
        parameters={"growth_rate": 0.921, "exponent": 0.788},
        source=GROWTH_REGRESSION,
    ),
)
POWER_LAW_CHECKS = _checks({5: 24.85941736, 15: 635.48076114}, _COMPARISON)
BERTALANFFY_SCENARIOS = (
    Scenario(
        _COMPARISON,
        "a 1/d, b 0.1/d and the classic exponent 2/3, for comparison with a table",
        parameters={"growth_rate": 1.0, "loss_rate": 0.1, "exponent": 2.0 / 3.0},
        source=GROWTH_REGRESSION,
    ),
)
BERTALANFFY_CHECKS = _checks({5: 13.50957656, 15: 93.65237407}, _COMPARISON)
