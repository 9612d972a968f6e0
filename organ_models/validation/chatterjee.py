"""Chatterjee's groups, and regression values for the median baseline, computed apart from this code."""

from __future__ import annotations

from organ_models.references import CHATTERJEE_2016, CHATTERJEE_REGRESSION
from organ_models.scenarios import DEFAULT_VARIANT, Check, Variant

GROUPS = (
    Variant("pd_l1_50", "PD-L1 of 50 % and more", {"pd_l1": 50.0}, CHATTERJEE_2016),
    Variant("pd_l1_0", "PD-L1 below 1 %", {"pd_l1": 0.0}, CHATTERJEE_2016),
    Variant("pd_l1_unknown", "PD-L1 unknown", {"pd_l1_known": 0.0}, CHATTERJEE_2016),
    Variant("egfr_mutated", "mutated EGFR", {"egfr_mutated": 1.0}, CHATTERJEE_2016),
    Variant("egfr_unknown", "EGFR unknown", {"egfr_known": 0.0}, CHATTERJEE_2016),
)


def _checks(variant: str, sizes: dict[int, float]) -> tuple[Check, ...]:
    return tuple(
        Check(
            "sum_of_longest_diameters",
            size,
            "mm",
            1e-4,
            "relative",
            CHATTERJEE_REGRESSION,
            day=day,
            variant=variant,
        )
        for day, size in sizes.items()
    )


SIZE_CHECKS = (
    *_checks(DEFAULT_VARIANT, {63: 86.516, 126: 82.792, 189: 80.355, 365: 79.231}),
    *_checks("pd_l1_50", {63: 75.286, 189: 61.801}),
)
