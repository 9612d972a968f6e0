"""Times to an event by RECIST 1.1: progression-free survival and duration of response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vht.recist.responses import Response


@dataclass(frozen=True)
class EventTimes:
    """Times to an event or to censoring.

    Attributes:
        time: days, NaN where a patient has no such time (never responded), shape (patients,).
        event: True where the event was seen, False where the time is censored, shape (patients,).
    """

    time: NDArray[np.float64]
    event: NDArray[np.bool_]


def progression_free(
    days: ArrayLike,
    overall: ArrayLike,
    *,
    start: ArrayLike = 0.0,
    death: ArrayLike | None = None,
    new_therapy: ArrayLike | None = None,
    missed_visits: int | None = None,
    first_day: float = 1.0,
) -> EventTimes:
    """Time from ``start`` to the first progression or death, else censored at the last evaluable assessment.

    Args:
        days: planned days of assessment after baseline, increasing, shape (visits,) or (patients, visits).
        overall: overall responses, words of :class:`Response`, shape (patients, visits); NE, ND and MISSING
            are no evaluable assessments.
        start: day of randomisation or first treatment, a number or one for each patient.
        death: day of death, NaN or infinite where alive, shape (patients,).
        new_therapy: day on which another anti-cancer therapy began, NaN where none did; with it, nothing from
            that day on counts, and the time is censored at the last evaluable assessment before.
        missed_visits: an event that follows this many or more missed visits in a row is not counted; the time
            is censored at the last evaluable assessment before them (2 is customary). Absent: it is counted.
        first_day: 1 where both the first and the last day are counted, as with calendar dates; 0 for the time
            that has elapsed between them.

    Source: RECIST 1.1 and its common censoring rules; where there is no evaluable assessment at all, the time
    is censored on the start day.
    """
    words = np.asarray(overall, np.str_)
    when = np.broadcast_to(np.asarray(days, float), words.shape)
    n, visits = words.shape
    begin = np.broadcast_to(np.asarray(start, float), (n,))
    until = _days(new_therapy, n)
    allowed = when < until[:, None]
    not_seen = [Response.NE.value, Response.ND.value, Response.MISSING.value]
    seen = ~np.isin(words, not_seen) & allowed & (when > begin[:, None])
    progression = np.where(seen & (words == Response.PD.value), when, np.inf).min(axis=1, initial=np.inf)
    died = _days(death, n)
    event_day = np.minimum(progression, np.where(died < until, died, np.inf))
    before = seen & (when < event_day[:, None])
    last = np.where(before, when, begin[:, None]).max(axis=1, initial=-np.inf)
    last = np.maximum(last, begin)
    happened = np.isfinite(event_day)
    if missed_visits is not None and visits:
        missed = (when > last[:, None]) & (when < event_day[:, None])
        happened &= missed.sum(axis=1) < missed_visits
    return EventTimes(np.where(happened, event_day, last) - begin + first_day, happened)


def duration_of_response(
    days: ArrayLike,
    overall: ArrayLike,
    response_day: ArrayLike,
    *,
    death: ArrayLike | None = None,
    new_therapy: ArrayLike | None = None,
    missed_visits: int | None = None,
    first_day: float = 1.0,
) -> EventTimes:
    """Time from the first response to progression or death; NaN for patients who never responded.

    Args:
        response_day: day of the first response, from :func:`vht.recist.response_start`, shape (patients,).

    Other arguments as for :func:`progression_free`.
    """
    begin = np.asarray(response_day, float)
    found = progression_free(
        days,
        overall,
        start=np.where(np.isnan(begin), 0.0, begin),
        death=death,
        new_therapy=new_therapy,
        missed_visits=missed_visits,
        first_day=first_day,
    )
    never = np.isnan(begin)
    return EventTimes(np.where(never, np.nan, found.time), found.event & ~never)


def _days(given: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Days, infinite where nothing happened."""
    if given is None:
        return np.full(n, np.inf)
    days = np.broadcast_to(np.asarray(given, float), (n,))
    return np.where(np.isnan(days), np.inf, days)
