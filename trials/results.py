"""The analysis of a trial: from protocol and outcomes to every number of ``results.json``.

Numbers have full precision; what does not exist is None. The order of all keys follows the protocol, so that
the same outcomes give the same bytes. No pseudonym and no patient's row is in the results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trials import analysis
from trials.baseline import baseline_summary
from trials.endpoints import (
    BEST_RESPONSE,
    CHANGE,
    DISEASE_CONTROL,
    MEANS,
    MISSING_CAUSES,
    PROGRESSIONS,
    SHARES,
    TIMES,
    VALUES,
    best_percent_change,
    drawn_survival,
    endpoint_table,
    endpoint_unit,
    percent_change,
    value_names,
)
from trials.outcomes import FAILED, STATUSES, Outcomes
from trials.protocol.survival import SURVIVAL
from trials.survival import facts, follow_up, mark_days
from vht.quantities import quantity
from vht.recist import Response

if TYPE_CHECKING:
    from trials.protocol import Protocol

SCHEMA = "vht-results/1"

_SHOWN_RESPONSES = (Response.CR, Response.PR, Response.SD, Response.PD, Response.NE)


def analyse(protocol: Protocol, outcomes: Outcomes) -> dict[str, Any]:
    """Analyse a conducted trial.

    Args:
        protocol: the declared trial.
        outcomes: what its conduct left.

    Returns:
        JSON-ready content of ``results.json``: ``screening``, ``disposition`` by arm, ``new_lesions``
        (patients in whom one appeared, by arm; None where none are declared), ``treatment`` (what policies
        did, by arm that has any), ``baseline``,
        ``endpoints`` (each noise-free and as observed, with missing values by cause and contrasts with the
        reference arm; of survival that a link predicts also ``link``: its formula, source and population,
        and who left its range), ``series`` (course of quantities by arm), ``waterfall`` and ``survival``.
        Times are in days, values in the canonical unit of their quantity. Every contrast has a population
        interval (that of a trial with separate patients in the arms) and a paired one (the same virtual
        patients in every arm).
    """
    table = endpoint_table(protocol, outcomes)
    results = {
        "schema": SCHEMA,
        "protocol": {"name": protocol.name, "digest": protocol.digest},
        "confidence_level": protocol.confidence,
        "reference_arm": protocol.reference_arm,
        "arms": [arm.name for arm in protocol.arms],
        "screening": _screening(outcomes),
        "disposition": {arm.name: _disposition(outcomes, arm.name) for arm in protocol.arms},
        "new_lesions": _new_lesions(protocol, outcomes),
        "treatment": {arm.name: _treatment(outcomes, arm.name) for arm in protocol.arms if arm.policies},
        "baseline": baseline_summary(protocol, outcomes),
        "endpoints": {e.name: _endpoint(protocol, outcomes, table, e) for e in protocol.endpoints},
        "series": _series(protocol, outcomes),
        "waterfall": _waterfall(protocol, outcomes),
        "survival": {e.name: _survival(protocol, table, e) for e in protocol.endpoints if e.kind in TIMES},
    }
    plain_results: dict[str, Any] = plain(results)
    return plain_results


def plain(value: Any) -> Any:
    """JSON-ready copy: NumPy scalars and arrays become numbers and lists, NaN and infinity become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray, pd.Series)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _screening(outcomes: Outcomes) -> dict[str, Any] | None:
    if outcomes.screening is None:
        return None
    return {
        "assessed": outcomes.screening.assessed,
        "excluded": dict(sorted(outcomes.screening.excluded.items())),
        "enrolled": outcomes.screening.enrolled,
    }


def _disposition(outcomes: Outcomes, arm: str) -> dict[str, Any]:
    patients = outcomes.arm_patients(arm)
    counts = {status: int((patients["status"] == status).sum()) for status in STATUSES}
    reasons = {
        status: {
            str(reason): int(n)
            for reason, n in patients.loc[patients["status"] == status, "reason"]
            .value_counts()
            .sort_index()
            .items()
            if reason
        }
        for status in STATUSES
    }
    return {
        "started": len(patients),
        **counts,
        "analysed": len(patients) - counts[FAILED],
        "reasons": reasons,
    }


def _new_lesions(protocol: Protocol, outcomes: Outcomes) -> dict[str, int] | None:
    if protocol.new_lesions is None:
        return None
    appeared = {arm.name: outcomes.arm_patients(arm.name)["new_lesion_day"] for arm in protocol.arms}
    return {name: int(days.notna().sum()) for name, days in appeared.items()}


def _treatment(outcomes: Outcomes, arm: str) -> dict[str, Any]:
    """What the policies of an arm did, among patients whose solve succeeded."""
    patients = outcomes.arm_patients(arm)
    treated = patients[patients["status"] != FAILED]
    return {
        "n": len(treated),
        "held": int((treated["held_days"] > 0).sum()),
        "held_days": analysis.spread(treated["held_days"]),
        "stopped": int(treated["stopped_day"].notna().sum()),
        "stopped_day": analysis.spread(treated["stopped_day"].dropna()),
        "dose_share": analysis.spread(treated["dose_share"]),
    }


def _endpoint(protocol: Protocol, outcomes: Outcomes, table: pd.DataFrame, endpoint: Any) -> dict[str, Any]:
    rows = table[table["endpoint"] == endpoint.name]
    arms = {arm.name: rows[rows["arm"] == arm.name].set_index("pseudonym") for arm in protocol.arms}
    level, horizon = protocol.confidence, _horizon(protocol, endpoint)
    reference = arms[protocol.reference_arm]
    summaries = {
        name: {
            **{v: _summary(endpoint, of_arm, v, level, horizon) for v in value_names(endpoint)},
            "missing": {cause: int((of_arm["missing"] == cause).sum()) for cause in MISSING_CAUSES},
        }
        for name, of_arm in arms.items()
    }
    contrasts = {
        name: {
            value: _contrast(endpoint, of_arm, reference, value, level, horizon)
            for value in value_names(endpoint)
        }
        for name, of_arm in arms.items()
        if name != protocol.reference_arm
    }
    found = {
        "label": endpoint.label,
        "kind": endpoint.kind,
        "unit": endpoint_unit(endpoint),
        "horizon_days": horizon,
        "arms": summaries,
        "contrasts": contrasts,
    }
    if endpoint.kind == SURVIVAL:
        drawn = {arm.name: drawn_survival(protocol, outcomes, endpoint, arm.name) for arm in protocol.arms}
        found["link"] = facts(endpoint, drawn)
    return found


def _horizon(protocol: Protocol, endpoint: Any) -> float | None:
    """The last day on which an event can be seen: the last visit of the quantity, or the end of follow-up."""
    if endpoint.kind == SURVIVAL:
        return follow_up(protocol, endpoint)
    if endpoint.kind not in PROGRESSIONS:
        return None
    return float(max(protocol.visit_days(endpoint.quantity)))


def _summary(
    endpoint: Any, rows: pd.DataFrame, value: str, level: float, horizon: float | None
) -> dict[str, Any]:
    known = rows[rows[value].notna()]
    if endpoint.kind in MEANS:
        return {
            "spread": analysis.spread(known[value]),
            "mean": analysis.mean(known[value], level),
        }
    if endpoint.kind in SHARES:
        count = int(known[value].sum())
        summary: dict[str, Any] = {"count": count, "share": analysis.proportion(count, len(known), level)}
        if endpoint.kind in (BEST_RESPONSE, DISEASE_CONTROL):
            words = known[f"{value}_category"]
            summary["categories"] = {r.value: int((words == r.value).sum()) for r in _SHOWN_RESPONSES}
        return summary
    if horizon is None:
        raise ValueError(f"endpoint '{endpoint.name}': no analysis for the kind '{endpoint.kind}'")
    curve = analysis.kaplan_meier(known[value], known[f"{value}_event"], level)
    mean = analysis.restricted_mean(known[value], known[f"{value}_event"], horizon, level)
    return {
        "n": curve.n,
        "events": curve.events,
        "share_with_event": analysis.proportion(curve.events, curve.n, level),
        "median": curve.median,
        "restricted_mean": mean.estimate,
    }


def _contrast(
    endpoint: Any,
    treated: pd.DataFrame,
    reference: pd.DataFrame,
    value: str,
    level: float,
    horizon: float | None,
) -> dict[str, Any]:
    """Treated less reference, with the interval of separate patients and that of the same patients."""
    first, second = treated[treated[value].notna()], reference[reference[value].notna()]
    both = first.index.intersection(second.index)
    if endpoint.kind in MEANS:
        measure = "difference of means"
        population = analysis.difference_of_means(first[value], second[value], level)
        paired = analysis.paired_difference(
            first.loc[both, value].to_numpy(), second.loc[both, value].to_numpy(), level
        )
        extra: dict[str, Any] = {}
    elif endpoint.kind in SHARES:
        measure = "difference of shares"
        population = analysis.risk_difference(
            int(first[value].sum()), len(first), int(second[value].sum()), len(second), level
        )
        paired = analysis.paired_risk_difference(first.loc[both, value], second.loc[both, value], level)
        extra = {}
    else:
        measure = "difference of restricted mean times"
        event = f"{value}_event"
        if horizon is None:
            raise ValueError(f"endpoint '{endpoint.name}': no horizon")
        population = analysis.restricted_mean_difference(
            analysis.restricted_mean(first[value], first[event], horizon, level),
            analysis.restricted_mean(second[value], second[event], horizon, level),
            level,
        )
        paired = analysis.paired_restricted_mean_difference(
            analysis.restricted_mean(first.loc[both, value], first.loc[both, event], horizon, level),
            analysis.restricted_mean(second.loc[both, value], second.loc[both, event], horizon, level),
            level,
        )
        chi_squared, p = analysis.logrank(first[value], first[event], second[value], second[event])
        arms = np.repeat([1.0, 0.0], [len(first), len(second)])
        times, events = (np.concatenate([first[c], second[c]]) for c in (value, event))
        ratio = analysis.cox(times, events, arms, level).hazard_ratio()
        extra = {"logrank": {"chi_squared": chi_squared, "p_value": p}, "hazard_ratio": ratio}
    narrowing = 1.0 - (paired.width / population.width) ** 2 if population.width > 0 else math.nan
    return {
        "measure": measure,
        "population": population,
        "paired": paired,
        "variance_reduction": narrowing,
        **extra,
    }


def _series(protocol: Protocol, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Course of every visited quantity by arm; also as percent of baseline where an endpoint asks for it."""
    found = []
    endpoints: tuple[Any, ...] = protocol.endpoints
    relative = {
        e.quantity
        for e in endpoints
        if e.kind in (BEST_RESPONSE, DISEASE_CONTROL, *TIMES) or (e.kind == CHANGE and e.scale == "percent")
    }
    for name in protocol.visits:
        rows = outcomes.measurements
        grid = tuple(sorted(float(d) for d in rows.loc[rows["quantity"] == name, "day"].unique()))
        if not grid or grid[0] != 0.0:
            continue
        for scale in ("absolute", "percent") if name in relative else ("absolute",):
            arms = {
                arm.name: _course(protocol, outcomes, arm.name, name, grid, scale) for arm in protocol.arms
            }
            unit = "%" if scale == "percent" else quantity(name).unit
            found.append({"quantity": name, "scale": scale, "unit": unit, "arms": arms})
    return found


def _course(
    protocol: Protocol, outcomes: Outcomes, arm: str, name: str, grid: tuple[float, ...], scale: str
) -> dict[str, Any]:
    true = outcomes.wide(arm, name, grid, "true")
    days = tuple(protocol.visit_days(name))
    observed = outcomes.wide(arm, name, days, "observed")
    if scale == "percent":
        true, observed = percent_change(true), percent_change(observed)
    columns = [analysis.spread(true[day]) for day in grid]
    visits = [analysis.mean(observed[day], protocol.confidence) for day in days]
    return {
        "days": grid,
        "mean": [c.mean for c in columns],
        "lower_quartile": [c.lower_quartile for c in columns],
        "median": [c.median for c in columns],
        "upper_quartile": [c.upper_quartile for c in columns],
        "observed_days": days,
        "observed_mean": [v.value for v in visits],
        "observed_lower": [v.lower for v in visits],
        "observed_upper": [v.upper for v in visits],
        "observed_n": [v.n for v in visits],
    }


def _waterfall(protocol: Protocol, outcomes: Outcomes) -> dict[str, Any]:
    """Best percent change of each patient, largest first; the two orders are independent of each other."""
    endpoints: tuple[Any, ...] = protocol.endpoints
    kinds = (BEST_RESPONSE, DISEASE_CONTROL)
    names = list(dict.fromkeys(e.quantity for e in endpoints if e.kind in kinds))
    found: dict[str, Any] = {}
    for name in names:
        found[name] = {}
        for arm in protocol.arms:
            best = best_percent_change(protocol, outcomes, arm.name, name)
            found[name][arm.name] = {
                value: np.sort(best[value].dropna().to_numpy())[::-1] for value in VALUES
            }
    return found


def _survival(protocol: Protocol, table: pd.DataFrame, endpoint: Any) -> dict[str, Any]:
    if endpoint.kind == SURVIVAL:
        risk_days = mark_days(follow_up(protocol, endpoint))
    else:
        risk_days = tuple(float(day) for day in protocol.visit_days(endpoint.quantity))
    rows = table[table["endpoint"] == endpoint.name]
    arms: dict[str, Any] = {}
    for arm in protocol.arms:
        arms[arm.name] = {}
        for value in value_names(endpoint):
            known = rows[(rows["arm"] == arm.name) & rows[value].notna()]
            curve = analysis.kaplan_meier(known[value], known[f"{value}_event"], protocol.confidence)
            arms[arm.name][value] = {
                "times": curve.times,
                "survival": curve.survival,
                "lower": curve.lower,
                "upper": curve.upper,
                "at_risk": curve.at_risk(risk_days),
                "survival_at_visits": curve.at(risk_days),
            }
    return {"days": risk_days, "arms": arms}
