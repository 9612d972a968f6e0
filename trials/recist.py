"""RECIST 1.1: response of target lesions, overall response, best overall response.

Source: Eisenhauer EA, Therasse P, Bogaerts J, et al. New response evaluation criteria in solid tumours:
revised RECIST guideline (version 1.1). Eur J Cancer 2009;45:228-247, 10.1016/j.ejca.2008.10.026.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

PARTIAL_RESPONSE = 0.7
"""Partial response: sum of diameters at most this part of the baseline sum (30 % decrease)."""
PROGRESSION = 1.2
"""Progression: sum of diameters at least this multiple of the smallest sum so far (20 % increase)."""
PROGRESSION_MM = 5.0
"""Progression: absolute increase over the smallest sum so far, at least, in mm."""
STABLE_FROM_DAY = 28.0
"""Stable disease counts from this many days after the reference day (a protocol may say otherwise)."""

_ROUNDING = 1e-9
"""Relative slack, so that a sum that is exactly on a threshold is not moved off it by binary rounding."""


class Response(StrEnum):
    """Response categories, from best to worst in the order in which a best overall response is sought."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"
    ND = "ND"
    MISSING = "MISSING"


@dataclass(frozen=True)
class BestResponse:
    """A best overall response and the day of the assessment it rests on (None if there is none)."""

    response: Response
    day: float | None


def target_responses(baseline: ArrayLike, sums: ArrayLike, gone: ArrayLike | None = None) -> NDArray[np.str_]:
    """Response of the target lesions at each visit.

    Progression is looked for before partial response: a sum that is 30 % below baseline and has grown by
    20 % and 5 mm over its smallest value is progression.

    Args:
        baseline: sum of diameters at baseline, mm, shape (patients,).
        sums: sum of diameters at the visits in order of time, mm, NaN where not assessed,
            shape (patients, visits).
        gone: whether all non-nodal targets have disappeared and every nodal short axis is below 10 mm, shape
            as ``sums``. Without it a complete response is recognised only where the sum is zero.

    Returns:
        Words of :class:`Response` (CR, PR, SD, PD, NE), shape as ``sums``. All NE without a baseline.
    """
    reference = np.asarray(baseline, float)[..., None]
    sums = np.asarray(sums, float)
    complete = (sums == 0.0) if gone is None else np.asarray(gone, bool)
    before = np.concatenate([reference, sums[..., :-1]], axis=-1)
    smallest = np.fmin.accumulate(before, axis=-1)
    slack = _ROUNDING * reference
    progressed = (sums >= PROGRESSION * smallest - slack) & (sums - smallest >= PROGRESSION_MM - slack)
    partial = sums <= PARTIAL_RESPONSE * reference + slack
    unknown = np.isnan(sums) | np.isnan(reference)
    words = np.select(
        [unknown, progressed & ~complete, complete, partial],
        [Response.NE.value, Response.PD.value, Response.CR.value, Response.PR.value],
        Response.SD.value,
    )
    return np.asarray(words, dtype=np.str_)


def overall_response(target: Response | None, non_target: Response | None, new_lesion: bool) -> Response:
    """Overall response at one assessment (RECIST 1.1, tables 1 and 2).

    Args:
        target: response of target lesions; None if the patient has no target lesions.
        non_target: CR, NON_CR_NON_PD, PD or NE; None if the patient has no non-target lesions.
        new_lesion: whether a new lesion was seen.
    """
    if new_lesion or Response.PD in (target, non_target):
        return Response.PD
    if target is None:
        return Response.NE if non_target is None else non_target
    if target is Response.CR and non_target in (Response.NON_CR_NON_PD, Response.NE):
        return Response.PR
    return target


def best_overall_response(
    assessments: Iterable[tuple[float, Response]],
    reference_day: float = 0.0,
    *,
    confirmed: bool = False,
    stable_from: float = STABLE_FROM_DAY,
    confirmation: float = 28.0,
    max_not_evaluable: int = 1,
    accept_stable: bool = False,
) -> BestResponse:
    """Best overall response from the assessments up to and including the first progression.

    Args:
        assessments: (day, overall response) in any order.
        reference_day: day from which stable disease counts (start of treatment or randomisation).
        confirmed: a complete or partial response must be seen again.
        stable_from: days after ``reference_day`` from which SD, PR or CR make a stable disease.
        confirmation: least number of days between a response and its confirmation.
        max_not_evaluable: assessments that could not be evaluated, at most, between the two.
        accept_stable: stable disease may stand between a partial response and its confirmation.

    Returns:
        The best response in the order of :class:`Response`, with its earliest day.

    Source: RECIST 1.1 table 3. Without confirmation a response of any day counts.
    """
    seen: list[tuple[float, Response]] = []
    for day, response in sorted(assessments, key=lambda item: item[0]):
        seen.append((day, response))
        if response is Response.PD:
            break
    if not seen:
        return BestResponse(Response.MISSING, None)

    for index, (day, response) in enumerate(seen):
        if response is Response.CR and (
            not confirmed or _complete_is_confirmed(seen, index, confirmation, max_not_evaluable)
        ):
            return BestResponse(Response.CR, day)
    for index, (day, response) in enumerate(seen):
        if response is Response.PR and (
            not confirmed
            or _partial_is_confirmed(seen, index, confirmation, max_not_evaluable, accept_stable)
        ):
            return BestResponse(Response.PR, day)
    at_least_stable = (Response.CR, Response.PR, Response.SD)
    searches: list[tuple[Response, tuple[Response, ...], float]] = [
        (Response.SD, at_least_stable, stable_from),
        (Response.NON_CR_NON_PD, (Response.NON_CR_NON_PD,), -np.inf),
        (Response.PD, (Response.PD,), -np.inf),
        (Response.NE, (*at_least_stable, Response.NE), -np.inf),
        (Response.ND, (Response.ND,), -np.inf),
    ]
    for best, among, after in searches:
        for day, response in seen:
            if response in among and day - reference_day >= after:
                return BestResponse(best, day)
    return BestResponse(Response.MISSING, None)


def _complete_is_confirmed(
    seen: Sequence[tuple[float, Response]], index: int, confirmation: float, max_not_evaluable: int
) -> bool:
    return any(
        response is Response.CR
        and day - seen[index][0] >= confirmation
        and _between(seen, index, later, (Response.CR, Response.NE), max_not_evaluable)
        for later, (day, response) in enumerate(seen)
        if later > index
    )


def _partial_is_confirmed(
    seen: Sequence[tuple[float, Response]],
    index: int,
    confirmation: float,
    max_not_evaluable: int,
    accept_stable: bool,
) -> bool:
    allowed = [Response.CR, Response.PR, Response.NE] + ([Response.SD] if accept_stable else [])
    for later in range(index + 1, len(seen)):
        day, response = seen[later]
        if response not in (Response.CR, Response.PR) or day - seen[index][0] < confirmation:
            continue
        window = [r for _, r in seen[index : later + 1]]
        relapse = any(r is Response.PR and Response.CR in window[:i] for i, r in enumerate(window))
        if not relapse and _between(seen, index, later, allowed, max_not_evaluable):
            return True
    return False


def _between(
    seen: Sequence[tuple[float, Response]],
    start: int,
    stop: int,
    allowed: Sequence[Response],
    max_not_evaluable: int,
) -> bool:
    window = [r for _, r in seen[start + 1 : stop]]
    return all(r in allowed for r in window) and window.count(Response.NE) <= max_not_evaluable
