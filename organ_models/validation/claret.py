"""Typical values of MONET1, computed apart from this code; and what its paper says of the arms."""

from __future__ import annotations

from organ_models.references import CLARET_REGRESSION
from organ_models.scenarios import Check

SIZE_CHECKS = (
    Check("time_to_growth", 117.330842, "d", 1e-6, "relative", CLARET_REGRESSION, day=0),
    Check("smallest_sum_of_diameters", 63.251278, "mm", 1e-6, "relative", CLARET_REGRESSION, day=0),
)

ARM_TIMES_TO_GROWTH = (93.0, 125.0)
"""Median times to growth of the two arms, d (Claret et al. 2014): a typical value lies between them."""
