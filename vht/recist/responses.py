"""Responses at one assessment: of target lesions, and overall."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

PARTIAL_RESPONSE = 0.7
"""Partial response: sum of diameters at most this part of the baseline sum (30 % decrease)."""
PROGRESSION = 1.2
"""Progression: sum of diameters at least this multiple of the smallest sum so far (20 % increase)."""
PROGRESSION_MM = 5.0
"""Progression: absolute increase over the smallest sum so far, at least, in mm."""

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


NO_LESIONS = ""
"""Stands in place of a response where a patient has no lesions of the kind."""


def progressed(sums: ArrayLike, smallest: ArrayLike, baseline: ArrayLike) -> NDArray[np.bool_]:
    """Whether sums have progressed: 20 % and 5 mm above the smallest sum so far; all in mm, same shape.

    The baseline gives the size of the rounding that is forgiven on a threshold. NaN has not progressed.
    """
    sums, smallest = np.asarray(sums, float), np.asarray(smallest, float)
    slack = _ROUNDING * np.asarray(baseline, float)
    return (sums >= PROGRESSION * smallest - slack) & (sums - smallest >= PROGRESSION_MM - slack)


def target_responses(
    baseline: ArrayLike,
    sums: ArrayLike,
    gone: ArrayLike | None = None,
    complete: ArrayLike | None = None,
) -> NDArray[np.str_]:
    """Response of the target lesions at each visit.

    Progression is looked for before partial response: a sum that is 30 % below baseline and has grown by
    20 % and 5 mm over its smallest value is progression.

    Args:
        baseline: sum of diameters at baseline, mm, shape (patients,).
        sums: sum of diameters at the visits in order of time, mm, NaN where not assessed,
            shape (patients, visits).
        gone: whether all non-nodal targets have disappeared and every nodal short axis is below 10 mm, shape
            as ``sums``. Without it a complete response is recognised only where the sum is zero.
        complete: whether every target was measured, shape as ``sums``; all were if absent. The sum of a part
            can show progression, but no response, and is no smallest sum.

    Returns:
        Words of :class:`Response` (CR, PR, SD, PD, NE), shape as ``sums``. All NE without a baseline.
    """
    reference = np.asarray(baseline, float)[..., None]
    sums = np.asarray(sums, float)
    whole = ~np.isnan(sums) if complete is None else np.asarray(complete, bool) & ~np.isnan(sums)
    vanished = (sums == 0.0) if gone is None else np.asarray(gone, bool)
    known = np.where(whole, sums, np.nan)
    before = np.concatenate([np.broadcast_to(reference, known[..., :1].shape), known[..., :-1]], axis=-1)
    smallest = np.fmin.accumulate(before, axis=-1)
    grown = progressed(sums, smallest, reference) & ~(vanished & whole)
    partial = sums <= PARTIAL_RESPONSE * reference + _ROUNDING * reference
    unknown = np.isnan(sums) | np.isnan(reference)
    words = np.select(
        [unknown, grown, ~whole, vanished, partial],
        [Response.NE.value, Response.PD.value, Response.NE.value, Response.CR.value, Response.PR.value],
        Response.SD.value,
    )
    return np.asarray(words, dtype=np.str_)


def overall_responses(target: ArrayLike, non_target: ArrayLike, new_lesion: ArrayLike) -> NDArray[np.str_]:
    """Overall response at each assessment (RECIST 1.1, tables 1 and 2).

    Args:
        target: response of target lesions, words of :class:`Response`; ``""`` where there are none.
        non_target: CR, NON-CR/NON-PD, PD or NE; ``""`` where there are no non-target lesions.
        new_lesion: whether a new lesion was seen.

    Returns:
        Words of :class:`Response`, of the shape to which the three broadcast.
    """
    target, non_target = np.asarray(target, np.str_), np.asarray(non_target, np.str_)
    new = np.asarray(new_lesion, bool)
    target, non_target, new = np.broadcast_arrays(target, non_target, new)
    no_targets = target == NO_LESIONS
    incomplete = np.isin(non_target, [Response.NON_CR_NON_PD.value, Response.NE.value])
    words = np.select(
        [
            new | (target == Response.PD.value) | (non_target == Response.PD.value),
            no_targets & (non_target == NO_LESIONS),
            no_targets,
            (target == Response.CR.value) & incomplete,
        ],
        [Response.PD.value, Response.NE.value, non_target, Response.PR.value],
        target,
    )
    return np.asarray(words, dtype=np.str_)


def overall_response(target: Response | None, non_target: Response | None, new_lesion: bool) -> Response:
    """Overall response at one assessment; None where a patient has no lesions of the kind."""
    words = [NO_LESIONS if each is None else each.value for each in (target, non_target)]
    return Response(str(overall_responses(words[0], words[1], new_lesion)))
