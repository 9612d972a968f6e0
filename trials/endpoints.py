"""From a trial's measurements to one value per patient and endpoint, noise-free and as observed.

Each endpoint is computed twice: ``true`` from the noise-free model values, as if nobody had left (what the
virtual patient would have shown), and ``observed`` from the values with measurement error up to the day a
patient left (what a trial would have seen). The difference between the two is what measurement and dropout do
to an endpoint.

Tumour response rests on target lesions alone: the models have one sum of diameters and no process of new or
non-target lesions, so that progression is progression of that sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trials.outcomes import FAILED, WITHDRAWN, Outcomes
from trials.protocol.amounts import days as duration_in_days
from vht.quantities import quantity
from vht.recist import Response, best_overall_response, target_responses

if TYPE_CHECKING:
    from trials.protocol import Protocol

CHANGE = "change_from_baseline"
BEST_RESPONSE = "recist_best_response"
PROGRESSION_FREE = "recist_progression_free_time"
PEAK = "peak_change"
EVER = "ever_at_or_above"

NOT_MEASURED = "not_measured"
MISSING_CAUSES = (WITHDRAWN, FAILED, NOT_MEASURED)

COLUMNS = (
    "endpoint",
    "arm",
    "pseudonym",
    "true",
    "observed",
    "true_event",
    "observed_event",
    "true_category",
    "observed_category",
    "missing",
)


def endpoint_table(protocol: Protocol, outcomes: Outcomes) -> pd.DataFrame:
    """Every endpoint of every patient in every arm.

    Returns:
        One row per (endpoint, arm, patient), in the protocol's order of endpoints and arms and in order of
        pseudonym. ``true`` and ``observed`` hold, by kind: a change (unit of the quantity, or %), a time in
        days (with ``*_event``: progression seen, not censored), or 1.0 / 0.0 for a responder or an event
        (with ``*_category``: the best overall response). Both are NaN where there is no value; ``missing``
        then says why the observed one is: ``withdrawn`` before it was due, ``failed`` solve, or
        ``not_measured``. A best response that could not be evaluated counts as no response, as RECIST 1.1
        has it, and still carries its cause in ``missing``.
    """
    tables = [
        _of_arm(protocol, outcomes, endpoint, arm.name)
        for endpoint in protocol.endpoints
        for arm in protocol.arms
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def endpoint_unit(endpoint: Any) -> str:
    """UCUM unit of an endpoint's values: of the quantity, ``%``, ``d``, or ``1`` for a share."""
    if endpoint.kind == CHANGE:
        return "%" if endpoint.scale == "percent" else quantity(endpoint.quantity).unit
    if endpoint.kind == PEAK:
        return quantity(endpoint.quantity).unit
    return "d" if endpoint.kind == PROGRESSION_FREE else "1"


def best_percent_change(protocol: Protocol, outcomes: Outcomes, arm: str, name: str) -> pd.DataFrame:
    """Smallest change from baseline over all visits after baseline, percent, one row per patient.

    Returns:
        Columns ``true`` and ``observed``; NaN where there is no baseline or no visit after it.
    """
    days = tuple(protocol.visit_days(name))
    columns = {}
    for value in ("true", "observed"):
        changes = percent_change(outcomes.wide(arm, name, days, value))
        columns[value] = changes.iloc[:, 1:].min(axis=1)
    return pd.DataFrame(columns)


def percent_change(wide: pd.DataFrame) -> pd.DataFrame:
    """Change from the first column (baseline), percent, of a table with one row per patient."""
    baseline = wide.iloc[:, 0]
    return wide.div(baseline.where(baseline > 0), axis=0).sub(1.0).mul(100.0)


def _of_arm(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> pd.DataFrame:
    patients = outcomes.arm_patients(arm)
    if endpoint.kind == CHANGE:
        values = _change(protocol, outcomes, endpoint, arm)
        due = duration_in_days(endpoint.day)
    elif endpoint.kind == PEAK:
        values = _peak(protocol, outcomes, endpoint, arm)
        due = _first_visit(protocol, [endpoint.quantity])
    elif endpoint.kind == BEST_RESPONSE:
        values = _best_response(protocol, outcomes, endpoint, arm)
        due = _first_visit(protocol, [endpoint.quantity])
    elif endpoint.kind == PROGRESSION_FREE:
        values = _progression_free(protocol, outcomes, endpoint, arm)
        due = 0.0
    elif endpoint.kind == EVER:
        values = _ever(protocol, outcomes, endpoint, arm)
        due = _first_visit(protocol, list(endpoint.thresholds))
    else:
        raise ValueError(f"endpoint '{endpoint.name}': no analysis for the kind '{endpoint.kind}'")
    failed = (patients["status"] == FAILED).to_numpy()
    withdrawn = ((patients["status"] == WITHDRAWN) & (patients["last_day"] < due)).to_numpy()
    unseen = values.pop("unseen") if "unseen" in values else np.isnan(values["observed"])
    table = pd.DataFrame({"endpoint": endpoint.name, "arm": arm, "pseudonym": patients.index})
    for name in ("true", "observed"):
        table[name] = np.where(failed, np.nan, values[name])
        event = values.get(f"{name}_event", np.zeros(len(table), bool))
        table[f"{name}_event"] = np.where(failed, False, event).astype(bool)
        category = values.get(f"{name}_category", np.full(len(table), ""))
        table[f"{name}_category"] = np.where(failed, "", category)
    table["missing"] = np.select([failed, unseen & withdrawn, unseen], [FAILED, WITHDRAWN, NOT_MEASURED], "")
    return table[list(COLUMNS)]


Values = dict[str, NDArray[Any]]


def _change(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    days = (0.0, duration_in_days(endpoint.day))
    values: Values = {}
    for name in ("true", "observed"):
        wide = outcomes.wide(arm, endpoint.quantity, days, name)
        change = percent_change(wide).iloc[:, 1] if endpoint.scale == "percent" else wide[days[1]] - wide[0.0]
        values[name] = change.to_numpy()
    return values


def _peak(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    name = endpoint.quantity
    true = outcomes.wide(arm, name, (0.0,), "true")[0.0]
    rows = outcomes.peaks
    peaks = rows[(rows["arm"] == arm) & (rows["quantity"] == name)].set_index("pseudonym")["true_peak"]
    observed = outcomes.wide(arm, name, tuple(protocol.visit_days(name)), "observed")
    rise = observed.iloc[:, 1:].max(axis=1) - observed.iloc[:, 0]
    return {
        "true": (peaks.reindex(true.index).astype(float) - true).to_numpy(),
        "observed": rise.to_numpy(),
    }


def _best_response(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    values: Values = {}
    days = _visits_after_baseline(protocol, endpoint.quantity)
    responders = (Response.CR, Response.PR)
    for name, responses in _responses(protocol, outcomes, endpoint.quantity, arm).items():
        best = [
            best_overall_response(
                (day, Response(str(word)))
                for day, word in zip(days, row, strict=True)
                if word != Response.NE.value
            ).response
            for row in responses
        ]
        # no assessment at all is reported as not evaluable: the baseline exists, nothing after it does
        words = [Response.NE if word is Response.MISSING else word for word in best]
        values[name] = np.array([float(word in responders) for word in words])
        values[f"{name}_category"] = np.array([word.value for word in words])
        if name == "observed":
            values["unseen"] = np.array([word is Response.NE for word in words])
    return values


def _progression_free(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    values: Values = {}
    days = np.asarray(_visits_after_baseline(protocol, endpoint.quantity))
    for name, responses in _responses(protocol, outcomes, endpoint.quantity, arm).items():
        progressed = responses == Response.PD.value
        event = progressed.any(axis=1)
        seen = responses != Response.NE.value
        last = np.where(seen, days, 0.0).max(axis=1, initial=0.0)
        first = days[progressed.argmax(axis=1)] if len(days) else np.zeros(len(responses))
        baseline = outcomes.wide(arm, endpoint.quantity, (0.0,), name)[0.0].to_numpy()
        values[name] = np.where(np.isnan(baseline), np.nan, np.where(event, first, last))
        values[f"{name}_event"] = event
    return values


def _ever(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    values: Values = {}
    for name in ("true", "observed"):
        reached = seen = None
        for measured, threshold in endpoint.thresholds.items():
            days = _visits_after_baseline(protocol, measured)
            wide = outcomes.wide(arm, measured, days, name).to_numpy()
            limit = threshold.to(quantity(measured).unit)
            above, known = (wide >= limit).any(axis=1), (~np.isnan(wide)).any(axis=1)
            reached = above if reached is None else reached | above
            seen = known if seen is None else seen | known
        if reached is None or seen is None:
            raise ValueError(f"endpoint '{endpoint.name}' names no threshold")
        values[name] = np.where(seen, reached.astype(float), np.nan)
    return values


def _responses(protocol: Protocol, outcomes: Outcomes, name: str, arm: str) -> Mapping[str, NDArray[np.str_]]:
    """Target-lesion response at each visit after baseline: of noise-free and of observed sums."""
    days = tuple(protocol.visit_days(name))
    found = {}
    for value in ("true", "observed"):
        wide = outcomes.wide(arm, name, days, value).to_numpy()
        found[value] = target_responses(wide[:, 0], wide[:, 1:])
    return found


def _visits_after_baseline(protocol: Protocol, name: str) -> tuple[float, ...]:
    return tuple(day for day in protocol.visit_days(name) if day > 0)


def _first_visit(protocol: Protocol, names: Sequence[str]) -> float:
    days = [day for name in names for day in _visits_after_baseline(protocol, name)]
    return min(days, default=0.0)
