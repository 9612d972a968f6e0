"""From a trial's measurements to one value per patient and endpoint, noise-free and as observed.

Each endpoint is computed twice: ``true`` from the noise-free model values, as if nobody had left (what the
virtual patient would have shown), and ``observed`` from the values with measurement error up to the day a
patient left (what a trial would have seen). The difference between the two is what measurement and dropout do
to an endpoint.

Tumour response rests on the sum of target lesions, which the models give, and on new lesions, whose hazard
the protocol declares; there are no non-target lesions. Times to progression are computed twice again: with
new lesions, and of target lesions alone. Survival is predicted by a published link (:mod:`trials.survival`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trials.outcomes import FAILED, WITHDRAWN, Outcomes, OutcomesError
from trials.protocol.amounts import days as duration_in_days
from trials.protocol.survival import BASELINE_SIZE, SURVIVAL, WEEK_6, WEEK_6_CHANGE, control_day
from trials.protocol.survival import DISEASE_CONTROL as CONTROL_AT_WEEK_8
from trials.survival import Drawn, draw
from vht.quantities import quantity
from vht.recist import (
    EventTimes,
    Response,
    best_responses,
    controlled,
    duration_of_response,
    overall_responses,
    progression_free,
    responded,
    response_start,
    target_responses,
)

if TYPE_CHECKING:
    from trials.protocol import Protocol

CHANGE = "change_from_baseline"
BEST_RESPONSE = "recist_best_response"
DISEASE_CONTROL = "recist_disease_control"
PROGRESSION_FREE = "recist_progression_free_time"
RESPONSE_DURATION = "recist_duration_of_response"
PEAK = "peak_change"
EVER = "ever_at_or_above"
BELOW = "ever_below"

MEANS = (CHANGE, PEAK)
SHARES = (BEST_RESPONSE, DISEASE_CONTROL, EVER, BELOW)
PROGRESSIONS = (PROGRESSION_FREE, RESPONSE_DURATION)
TIMES = (*PROGRESSIONS, SURVIVAL)
"""The kinds of endpoints by how they are analysed."""

VALUES = ("true", "observed")
TARGETS_ALONE = ("true_targets_alone", "observed_targets_alone")
"""Times to progression of target lesions alone, as if no new lesion had appeared."""

NOT_MEASURED = "not_measured"
NO_RESPONSE = "no_response"
NO_PREDICTION = "no_prediction"
MISSING_CAUSES = (WITHDRAWN, FAILED, NOT_MEASURED, NO_RESPONSE, NO_PREDICTION)

COLUMNS = (
    "endpoint",
    "arm",
    "pseudonym",
    "true",
    "observed",
    "true_event",
    "observed_event",
    "true_targets_alone",
    "observed_targets_alone",
    "true_targets_alone_event",
    "observed_targets_alone_event",
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
        (with ``*_category``: the best overall response). Times to progression stand there with new lesions,
        and in ``*_targets_alone`` (with their ``*_event``) without. Values are NaN where there is none;
        ``missing`` then says why the observed one is: ``withdrawn`` before it was due, ``failed`` solve,
        ``not_measured``, ``no_response`` whose duration could be measured, or ``no_prediction`` where a
        covariate of a survival link is not known or leaves its range. A best response that could not
        be evaluated counts as no response, as RECIST 1.1 has it, and still carries its cause in ``missing``.
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
    return "d" if endpoint.kind in TIMES else "1"


def value_names(endpoint: Any) -> tuple[str, ...]:
    """Columns of the endpoint table that hold an endpoint's values."""
    return (*VALUES, *TARGETS_ALONE) if endpoint.kind in PROGRESSIONS else VALUES


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
    elif endpoint.kind in (BEST_RESPONSE, DISEASE_CONTROL):
        values = _best_response(protocol, outcomes, endpoint, arm)
        due = _first_visit(protocol, [endpoint.quantity])
    elif endpoint.kind in PROGRESSIONS:
        values = _until_progression(protocol, outcomes, endpoint, arm)
        due = 0.0
    elif endpoint.kind == SURVIVAL:
        values = _predicted_survival(protocol, outcomes, endpoint, arm)
        due = 0.0
    elif endpoint.kind in (EVER, BELOW):
        values = _ever(protocol, outcomes, endpoint, arm)
        due = _first_visit(protocol, list(endpoint.thresholds))
    else:
        raise ValueError(f"endpoint '{endpoint.name}': no analysis for the kind '{endpoint.kind}'")
    failed = (patients["status"] == FAILED).to_numpy()
    withdrawn = ((patients["status"] == WITHDRAWN) & (patients["last_day"] < due)).to_numpy()
    unseen = values.pop("unseen") if "unseen" in values else np.isnan(values["observed"])
    table = pd.DataFrame({"endpoint": endpoint.name, "arm": arm, "pseudonym": patients.index})
    for name in (*VALUES, *TARGETS_ALONE):
        table[name] = np.where(failed, np.nan, values.get(name, np.full(len(table), np.nan)))
        event = values.get(f"{name}_event", np.zeros(len(table), bool))
        table[f"{name}_event"] = np.where(failed, False, event).astype(bool)
    for name in VALUES:
        category = values.get(f"{name}_category", np.full(len(table), ""))
        table[f"{name}_category"] = np.where(failed, "", category)
    otherwise = {RESPONSE_DURATION: NO_RESPONSE, SURVIVAL: NO_PREDICTION}.get(endpoint.kind, NOT_MEASURED)
    table["missing"] = np.select([failed, unseen & withdrawn, unseen], [FAILED, WITHDRAWN, otherwise], "")
    return table[list(COLUMNS)]


def assessments(
    protocol: Protocol,
    outcomes: Outcomes,
    name: str,
    arm: str,
    value: str,
    *,
    new_lesions: bool = True,
) -> NDArray[np.str_]:
    """Overall response at each visit after baseline, by RECIST 1.1.

    Args:
        name: the sum of diameters.
        value: ``true`` or ``observed``: categories of noise-free sums, or of measured ones.
        new_lesions: whether new lesions count where the protocol declares their hazard.

    Returns:
        Words of :class:`vht.recist.Response`, shape (patients, visits), in the order of
        :meth:`Outcomes.arm_patients`; MISSING where a visit did not take place.

    Raises:
        OutcomesError: the protocol declares new lesions and the outcomes do not say when they appeared.
    """
    days = tuple(protocol.visit_days(name))
    wide = outcomes.wide(arm, name, days, value).to_numpy()
    targets = target_responses(wide[:, 0], wide[:, 1:])
    seen = np.zeros(targets.shape, bool)
    if new_lesions and protocol.new_lesions is not None:
        patients = outcomes.arm_patients(arm)
        if "new_lesion_day" not in patients:
            raise OutcomesError(
                "table 'disposition' has no column new_lesion_day, but new lesions are declared"
            )
        appeared = patients["new_lesion_day"].to_numpy(float)
        seen = np.asarray(days[1:]) >= appeared[:, None]
    words = overall_responses(targets, np.full(targets.shape, ""), seen)
    return np.where(np.isnan(wide[:, 1:]), Response.MISSING.value, words)


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
    confirmed = bool(getattr(endpoint, "confirmed", False))
    for name in VALUES:
        responses = assessments(protocol, outcomes, endpoint.quantity, arm, name)
        words = best_responses(days, responses, confirmed=confirmed).words
        # no assessment at all is reported as not evaluable: the baseline exists, nothing after it does
        words = np.where(words == Response.MISSING.value, Response.NE.value, words)
        reached = responded(words) if endpoint.kind == BEST_RESPONSE else controlled(words)
        values[name] = reached.astype(float)
        values[f"{name}_category"] = words
        if name == "observed":
            values["unseen"] = words == Response.NE.value
    return values


def _until_progression(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    values: Values = {}
    days = _visits_after_baseline(protocol, endpoint.quantity)
    for name, alone in zip(VALUES, TARGETS_ALONE, strict=True):
        baseline = outcomes.wide(arm, endpoint.quantity, (0.0,), name)[0.0].to_numpy()
        for column, new_lesions in ((name, True), (alone, False)):
            responses = assessments(protocol, outcomes, endpoint.quantity, arm, name, new_lesions=new_lesions)
            found = _times(endpoint, days, responses)
            values[column] = np.where(np.isnan(baseline), np.nan, found.time)
            values[f"{column}_event"] = found.event
    return values


def _times(endpoint: Any, days: tuple[float, ...], responses: NDArray[np.str_]) -> EventTimes:
    """Times by the kind of endpoint; days of a simulation are elapsed time, so that no day is added."""
    if endpoint.kind == PROGRESSION_FREE:
        return progression_free(days, responses, missed_visits=endpoint.missed_visits, first_day=0.0)
    start = response_start(days, responses, confirmed=endpoint.confirmed)
    return duration_of_response(days, responses, start, first_day=0.0)


def drawn_survival(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Drawn:
    """Times that a survival link draws for the patients of an arm, from their noise-free tumours."""
    name, days = endpoint.quantity, protocol.visit_days(endpoint.quantity)
    sizes = outcomes.wide(arm, name, (0.0, WEEK_6), "true")
    seen = {
        BASELINE_SIZE: sizes[0.0].to_numpy(),
        WEEK_6_CHANGE: percent_change(sizes)[WEEK_6].to_numpy() / 100.0,
    }
    nearest = control_day(days)
    if nearest is not None:
        words = assessments(protocol, outcomes, name, arm, "true")[:, days.index(nearest) - 1]
        known = ~np.isin(words, (Response.NE.value, Response.MISSING.value))
        seen[CONTROL_AT_WEEK_8] = np.where(known, (words != Response.PD.value).astype(float), np.nan)
    return draw(protocol, outcomes, endpoint, arm, seen)


def _predicted_survival(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    found = drawn_survival(protocol, outcomes, endpoint, arm)
    values: Values = {}
    for view, name in enumerate(VALUES):
        values[name], values[f"{name}_event"] = found.seen(view)
    return values


def _ever(protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str) -> Values:
    values: Values = {}
    for name in ("true", "observed"):
        reached = seen = None
        for measured, threshold in endpoint.thresholds.items():
            days = _visits_after_baseline(protocol, measured)
            wide = outcomes.wide(arm, measured, days, name).to_numpy()
            limit = threshold.to(quantity(measured).unit)
            beyond = wide < limit if endpoint.kind == BELOW else wide >= limit
            here, known = beyond.any(axis=1), (~np.isnan(wide)).any(axis=1)
            reached = here if reached is None else reached | here
            seen = known if seen is None else seen | known
        if reached is None or seen is None:
            raise ValueError(f"endpoint '{endpoint.name}' names no threshold")
        values[name] = np.where(seen, reached.astype(float), np.nan)
    return values


def _visits_after_baseline(protocol: Protocol, name: str) -> tuple[float, ...]:
    return tuple(day for day in protocol.visit_days(name) if day > 0)


def _first_visit(protocol: Protocol, names: Sequence[str]) -> float:
    days = [day for name in names for day in _visits_after_baseline(protocol, name)]
    return min(days, default=0.0)
