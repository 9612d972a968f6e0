"""Struemper's arms, and regression values for a baseline of 74 mm, computed apart from this code."""

from __future__ import annotations

from organ_models.references import STRUEMPER_2025, STRUEMPER_REGRESSION
from organ_models.scenarios import DEFAULT_VARIANT, Check, Scenario, Variant

_SHAPE = -0.3744
_PD1, _OTHER = 0.00902, 0.0
_TYPICAL_PD_L1 = 15.0


def _arm(name: str, title: str, growth: float, shrinkage: float, pd_l1_effect: float) -> Variant:
    values = {
        "growth_rate": growth,
        "shrinkage_rate": shrinkage,
        "growth_effect_shape": _SHAPE,
        "pd_l1": _TYPICAL_PD_L1,
        "pd_l1_effect": pd_l1_effect,
    }
    return Variant(name, title, values, STRUEMPER_2025)


ARMS = (
    _arm("docetaxel", "docetaxel, n = 34", 0.01822, 0.03566, _OTHER),
    _arm("feladilimab", "feladilimab, n = 52; ks was not identified", 0.01135, 3.396e-6, _OTHER),
    _arm("feladilimab_docetaxel", "feladilimab + docetaxel, n = 78", 0.01672, 0.02805, _OTHER),
    _arm(
        "feladilimab_combinations", "feladilimab + another immunotherapy, n = 23", 0.01442, 0.007894, _OTHER
    ),
    _arm("dostarlimab", "dostarlimab, n = 67", 0.008105, 0.01615, _PD1),
    _arm("dostarlimab_chemotherapy", "dostarlimab + chemotherapy, n = 121", 0.008845, 0.03504, _PD1),
    _arm("pembrolizumab_chemotherapy", "pembrolizumab + chemotherapy, n = 122", 0.01153, 0.03499, _PD1),
    _arm("cobolimab_100", "cobolimab 100 mg + dostarlimab, cohort B, n = 14", 0.01372, 0.005006, _PD1),
    _arm("cobolimab_300", "cobolimab 300 mg + dostarlimab, cohort B, n = 41", 0.01257, 0.01125, _PD1),
    _arm("cobolimab_900", "cobolimab 900 mg + dostarlimab, cohort B, n = 29", 0.01603, 0.006273, _PD1),
    _arm("cobolimab_300_d", "cobolimab 300 mg + dostarlimab, cohort D, n = 53", 0.01267, 0.00448, _PD1),
)

SIZE_SCENARIOS = (
    Scenario(
        "baseline_74_mm",
        "the cohort's median baseline of 74 mm",
        parameters={"baseline_sum_of_diameters": 74.0},
        source=STRUEMPER_2025,
    ),
)


def _checks(
    variant: str, shrinkage: float, weeks_to_growth: float, sizes: dict[int, float]
) -> tuple[Check, ...]:
    def check(output: str, published: float, unit: str, tolerance: float, day: int) -> Check:
        return Check(
            output,
            published,
            unit,
            tolerance,
            "absolute",
            STRUEMPER_REGRESSION,
            scenario="baseline_74_mm",
            day=day,
            variant=variant,
        )

    return (
        check("shrinkage_rate", shrinkage, "/wk", 1e-5, 0),
        check("time_to_growth", weeks_to_growth, "wk", 0.01, 0),
        *(check("sum_of_longest_diameters", size, "mm", 0.01, 7 * week) for week, size in sizes.items()),
    )


SIZE_CHECKS = (
    *_checks(DEFAULT_VARIANT, 0.03196, 41.36, {6: 64.03, 12: 56.44, 24: 46.88, 52: 43.85}),
    *_checks("docetaxel", 0.03566, 12.46, {6: 68.29, 12: 66.32, 24: 72.03, 52: 128.44}),
)
