"""Exposure to doxorubicin and doxorubicinol: dose over clearance, once all of it has gone."""

from __future__ import annotations

from organ_models.references import PEREZ_BLANCO_2016, PHARMACOLOGY_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import infusions

SCENARIOS = (
    Scenario(
        "single_90_mg",
        "90 mg over 30 minutes",
        inputs={"infusion_rate": infusions(90.0, 0.5, [0.0])},
        source=PEREZ_BLANCO_2016,
    ),
)
_GONE = 84
"""The slowest phase has a half-life of 2.2 days."""
CHECKS = (
    Check(
        "cumulative_exposure",
        1.4423077,
        "mg.h/L",
        1e-6,
        "relative",
        PHARMACOLOGY_REGRESSION,
        scenario="single_90_mg",
        day=_GONE,
    ),
    Check(
        "cumulative_metabolite_exposure",
        90.0 * 0.22 / 26.8,
        "mg.h/L",
        1e-6,
        "relative",
        PEREZ_BLANCO_2016,
        scenario="single_90_mg",
        day=_GONE,
    ),
)
