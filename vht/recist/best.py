"""The best overall response, with and without confirmation, and what counts as response and control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vht.recist.responses import Response

STABLE_FROM_DAY = 28.0
"""Stable disease counts from this many days after the reference day (a protocol may say otherwise)."""
CONFIRMATION_DAYS = 28.0
"""Least number of days between a response and its confirmation."""


@dataclass(frozen=True)
class BestResponse:
    """A best overall response and the day of the assessment it rests on (None if there is none)."""

    response: Response
    day: float | None


@dataclass(frozen=True)
class BestResponses:
    """Best overall responses of many patients.

    Attributes:
        words: words of :class:`Response`, shape (patients,).
        days: day of the assessment it rests on, NaN if there is none, shape (patients,).
    """

    words: NDArray[np.str_]
    days: NDArray[np.float64]


def best_responses(
    days: ArrayLike,
    responses: ArrayLike,
    reference_day: ArrayLike = 0.0,
    *,
    confirmed: bool = False,
    stable_from: float = STABLE_FROM_DAY,
    confirmation: float = CONFIRMATION_DAYS,
    max_not_evaluable: int = 1,
    accept_stable: bool = False,
) -> BestResponses:
    """Best overall responses from the assessments up to and including the first progression.

    Args:
        days: days of the assessments, increasing, shape (visits,) or (patients, visits).
        responses: overall responses, words of :class:`Response`, shape (patients, visits). MISSING is a visit
            that did not take place; it counts for nothing.
        reference_day: day from which stable disease counts (start of treatment or randomisation), a number or
            one for each patient.
        confirmed: a complete or partial response must be seen again.
        stable_from: days after ``reference_day`` from which SD, PR or CR make a stable disease.
        confirmation: least number of days between a response and its confirmation.
        max_not_evaluable: assessments that could not be evaluated, at most, between the two.
        accept_stable: stable disease may stand between a partial response and its confirmation.

    Returns:
        The best responses in the order of :class:`Response`, with their earliest days.

    Raises:
        ValueError: days do not increase.

    Source: RECIST 1.1 table 3. Without confirmation a response of any day counts.
    """
    seen = _Seen(days, responses)
    reference = np.broadcast_to(np.asarray(reference_day, float), (len(seen.words),))
    complete, partial = seen.responses(confirmed, confirmation, max_not_evaluable, accept_stable)
    late = seen.days - reference[:, None] >= stable_from
    at_least_stable = seen.of(Response.CR, Response.PR, Response.SD)
    searches = [
        (Response.CR, complete),
        (Response.PR, partial),
        (Response.SD, at_least_stable & late),
        (Response.NON_CR_NON_PD, seen.of(Response.NON_CR_NON_PD)),
        (Response.PD, seen.of(Response.PD)),
        (Response.NE, at_least_stable | seen.of(Response.NE)),
        (Response.ND, seen.of(Response.ND)),
    ]
    words = np.full(len(seen.words), Response.MISSING.value, dtype="<U13")
    when = np.full(len(seen.words), np.nan)
    for response, where in reversed(searches):
        found = where.any(axis=1)
        words[found] = response.value
        when[found] = seen.first(where)[found]
    return BestResponses(words, when)


def response_start(
    days: ArrayLike,
    responses: ArrayLike,
    *,
    confirmed: bool = False,
    confirmation: float = CONFIRMATION_DAYS,
    max_not_evaluable: int = 1,
    accept_stable: bool = False,
) -> NDArray[np.float64]:
    """Day of the first complete or partial response, NaN without one; arguments as :func:`best_responses`."""
    seen = _Seen(days, responses)
    complete, partial = seen.responses(confirmed, confirmation, max_not_evaluable, accept_stable)
    return seen.first(complete | partial)


def responded(words: ArrayLike) -> NDArray[np.bool_]:
    """Whether best responses are objective responses; its mean over all who were treated is the ORR."""
    return np.isin(np.asarray(words, np.str_), [Response.CR.value, Response.PR.value])


def controlled(words: ArrayLike) -> NDArray[np.bool_]:
    """Whether best responses are disease control (response or stable); its mean over all is the DCR."""
    stable = [Response.SD.value, Response.NON_CR_NON_PD.value]
    return responded(words) | np.isin(np.asarray(words, np.str_), stable)


def control_near(
    days: ArrayLike,
    responses: ArrayLike,
    day: float = 56.0,
    *,
    earliest: float = 21.0,
    latest: float = 98.0,
) -> NDArray[np.float64]:
    """Disease control at the assessment nearest a day: 1, 0, or NaN where there was none in the window.

    The defaults are those of Claret et al. (J Clin Pharmacol 2014;54:253): nearest week 8, in weeks 3 to 14.
    Of two assessments that are equally near the earlier one counts.

    Args:
        days: days of the assessments, shape (visits,) or (patients, visits).
        responses: overall responses, words of :class:`Response`, shape (patients, visits).
        day, earliest, latest: the day and the limits of the window, both included.
    """
    words = np.asarray(responses, np.str_)
    when = np.broadcast_to(np.asarray(days, float), words.shape)
    nothing = [Response.NE.value, Response.ND.value, Response.MISSING.value]
    usable = ~np.isin(words, nothing) & (when >= earliest) & (when <= latest)
    away = np.where(usable, np.abs(when - day), np.inf)
    rows = np.arange(len(words))
    nearest = words[rows, away.argmin(axis=1)]
    return np.where(usable.any(axis=1), controlled(nearest).astype(float), np.nan)


def best_overall_response(
    assessments: Iterable[tuple[float, Response]], reference_day: float = 0.0, **rules: float | bool
) -> BestResponse:
    """Best overall response of one patient.

    Args:
        assessments: (day, overall response) in any order.
        reference_day: day from which stable disease counts.
        rules: keywords of :func:`best_responses`.
    """
    ordered = sorted(assessments, key=lambda item: item[0])
    days = np.array([[day for day, _ in ordered]], float)
    words = np.array([[response.value for _, response in ordered]], np.str_)
    found = best_responses(days, words, reference_day, **rules)  # type: ignore[arg-type]
    day = float(found.days[0])
    return BestResponse(Response(str(found.words[0])), None if np.isnan(day) else day)


class _Seen:
    """Assessments up to and including the first progression, as masks of shape (patients, visits)."""

    def __init__(self, days: ArrayLike, responses: ArrayLike):
        self.words = np.asarray(responses, np.str_)
        if self.words.ndim != 2:
            raise ValueError("responses must have the shape (patients, visits)")
        self.days = np.broadcast_to(np.asarray(days, float), self.words.shape)
        if (np.diff(self.days, axis=1) <= 0).any():
            raise ValueError("days of assessments must increase from visit to visit")
        progression = self.words == Response.PD.value
        earlier = np.cumsum(progression, axis=1) - progression
        self.counts = (earlier == 0) & (self.words != Response.MISSING.value)

    def of(self, *responses: Response) -> NDArray[np.bool_]:
        return self.counts & np.isin(self.words, [each.value for each in responses])

    def first(self, where: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Day of the first visit marked in each row, NaN where there is none."""
        if not where.shape[1]:
            return np.full(len(where), np.nan)
        rows = np.arange(len(where))
        return np.where(where.any(axis=1), self.days[rows, where.argmax(axis=1)], np.nan)

    def responses(
        self, confirmed: bool, confirmation: float, max_not_evaluable: int, accept_stable: bool
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Complete and partial responses that count."""
        complete, partial = self.of(Response.CR), self.of(Response.PR)
        if not confirmed:
            return complete, partial
        between = [Response.CR, Response.PR, Response.NE] + ([Response.SD] if accept_stable else [])
        limits = (confirmation, max_not_evaluable)
        return (
            self._confirmed(complete, complete, self.of(Response.CR, Response.NE), *limits, relapse=False),
            self._confirmed(partial, complete | partial, self.of(*between), *limits, relapse=True),
        )

    def _confirmed(
        self,
        start: NDArray[np.bool_],
        again: NDArray[np.bool_],
        allowed: NDArray[np.bool_],
        confirmation: float,
        max_not_evaluable: int,
        *,
        relapse: bool,
    ) -> NDArray[np.bool_]:
        """Which of ``start`` are seen ``again`` after the interval, with nothing but ``allowed`` in between;
        with ``relapse`` no partial response may follow a complete one up to there."""
        complete, partial, blank = self.of(Response.CR), self.of(Response.PR), self.of(Response.NE)
        found = np.zeros_like(start)
        for i in range(start.shape[1]):
            open_ = start[:, i].copy()
            gaps = np.zeros(len(open_), dtype=int)
            was_complete = np.zeros(len(open_), dtype=bool)
            for j in range(i + 1, start.shape[1]):
                if relapse:
                    open_ &= ~(was_complete & partial[:, j])
                    was_complete |= complete[:, j]
                late = self.days[:, j] - self.days[:, i] >= confirmation
                found[:, i] |= open_ & again[:, j] & late & (gaps <= max_not_evaluable)
                open_ &= ~self.counts[:, j] | allowed[:, j]
                gaps += blank[:, j]
        return found
