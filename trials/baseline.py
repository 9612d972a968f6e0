"""The baseline table: who entered the trial, and how well their twins fit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trials import analysis
from trials.endpoints import EVER
from trials.outcomes import Outcomes
from vht.concepts import CONCEPTS
from vht.quantities import QUANTITIES, quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol

ORIGINS = ("recorded", "derived", "imputed")
CONDITION = "condition_"
_RESIDUAL = "_residual"


def baseline_summary(protocol: Protocol, outcomes: Outcomes) -> dict[str, Any]:
    """Counts and spreads at baseline over all enrolled patients.

    Quartiles are given, not the least and greatest value, which would single out a patient.

    Returns:
        ``n``; ``sex`` counts; ``age_years`` spread; ``conditions`` counts (columns ``condition_<name>``);
        ``at_or_above``: per endpoint with thresholds, how many are at or above one of them at baseline;
        ``quantities``: unit, spread and origins by quantity; ``personalisation``: of each residual
        (``<quantity>_residual``) the median and the largest absolute value, and spreads of the other columns
        that personalisation reports.
    """
    table = outcomes.baseline.sort_values("study_number", kind="stable")
    sexes = table["sex"].value_counts()
    quantities = [name for name in QUANTITIES if name in table.columns]
    conditions = [c.removeprefix(CONDITION) for c in table.columns if str(c).startswith(CONDITION)]
    return {
        "n": len(table),
        "sex": {sex: int(sexes.get(sex, 0)) for sex in ("female", "male", "other", "unknown")},
        "age_years": analysis.spread(table["age_years"].astype(float)),
        "conditions": {
            name: int(table[CONDITION + name].fillna(False).astype(bool).sum())
            for name in CONCEPTS
            if name in conditions
        },
        "at_or_above": {e.name: _at_or_above(e, outcomes) for e in protocol.endpoints if e.kind == EVER},
        "quantities": {
            name: {
                "unit": quantity(name).unit,
                "spread": analysis.spread(table[name].astype(float)),
                "origins": _origins(table.get(f"{name}_origin")),
            }
            for name in quantities
        },
        "personalisation": _personalisation(table, quantities, conditions),
    }


def _origins(column: Any) -> dict[str, int] | None:
    if column is None:
        return None
    return {origin: int((column == origin).sum()) for origin in ORIGINS}


def _at_or_above(endpoint: Any, outcomes: Outcomes) -> int | None:
    reached = np.zeros(len(outcomes.baseline), bool)
    for name, threshold in endpoint.thresholds.items():
        if name not in outcomes.baseline.columns:
            return None
        limit = threshold.to(quantity(name).unit)
        reached |= outcomes.baseline[name].to_numpy(float) >= limit
    return int(reached.sum())


def _personalisation(table: Any, quantities: list[str], conditions: list[str]) -> dict[str, Any]:
    known = {"pseudonym", "study_number", "sex", "age_years", *quantities}
    known |= {f"{name}_origin" for name in quantities} | {CONDITION + name for name in conditions}
    found: dict[str, Any] = {}
    for column in table.columns:
        if column in known or not np.issubdtype(np.asarray(table[column]).dtype, np.number):
            continue
        values = table[column].to_numpy(float)
        if str(column).endswith(_RESIDUAL):
            size = np.abs(values[~np.isnan(values)])
            found[column] = {
                "median_absolute": float(np.median(size)) if len(size) else np.nan,
                "largest_absolute": float(size.max()) if len(size) else np.nan,
                "n": len(size),
            }
        else:
            found[column] = {"spread": analysis.spread(values)}
    return found
