"""iRECIST: progression is unconfirmed until a later assessment confirms it.

Source: Seymour L, Bogaerts J, Perrone A, et al. Lancet Oncol 2017;18:e143-e152, table 2, with the working
group's clarifications: increases after an unconfirmed progression add up; unchanged new lesions keep iUPD
unless the targets have shrunk into a better category since.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vht.recist.responses import NO_LESIONS, PROGRESSION_MM, Response, overall_responses, progressed

EARLIEST_DAYS = 28.0
"""A progression can be confirmed from this many days after it was first seen."""
LATEST_DAYS = 56.0
"""An assessment that comes later than this after the last one starts a new unconfirmed progression."""


class ImmuneResponse(StrEnum):
    """Responses at one assessment by iRECIST."""

    ICR = "iCR"
    IPR = "iPR"
    ISD = "iSD"
    NON_ICR_NON_IUPD = "NON-iCR/NON-iUPD"
    IUPD = "iUPD"
    ICPD = "iCPD"
    NE = "NE"


_IMMUNE = {
    Response.CR: ImmuneResponse.ICR,
    Response.PR: ImmuneResponse.IPR,
    Response.SD: ImmuneResponse.ISD,
    Response.NON_CR_NON_PD: ImmuneResponse.NON_ICR_NON_IUPD,
}
_RANK = {Response.CR: 3, Response.PR: 2, Response.SD: 1}


def immune_responses(
    days: ArrayLike,
    target: ArrayLike,
    sums: ArrayLike,
    *,
    non_target: ArrayLike | None = None,
    non_target_growth: ArrayLike | None = None,
    new_lesions: ArrayLike | None = None,
    new_lesion_sum: ArrayLike | None = None,
    new_lesion_growth: ArrayLike | None = None,
    earliest: float = EARLIEST_DAYS,
    latest: float = LATEST_DAYS,
) -> NDArray[np.str_]:
    """Response at each assessment by iRECIST.

    A progression is unconfirmed (iUPD) when it is first seen. It is confirmed (iCPD) where an assessment
    ``earliest`` days or more after it finds more: the sum of targets 5 mm larger than it was then, non-target
    lesions grown further, more new lesions, new target lesions larger by 5 mm, other new lesions larger, or a
    progression in a category that showed none before. It is reset where the assessment is a response or
    stable disease; new lesions that are still there then count anew only where they grow by the rules of
    target lesions or more of them appear. A confirmed progression stays.

    Args:
        days: days of assessment, increasing, shape (visits,).
        target: response of target lesions by RECIST 1.1, shape (patients, visits); ``""`` without targets.
        sums: sum of target diameters, mm, shape (patients, visits).
        non_target: response of non-target lesions, shape as ``sums``; ``""`` where there are none.
        non_target_growth: whether non-target lesions have grown further since the last assessment.
        new_lesions: how many new lesions there are at the assessment.
        new_lesion_sum: sum of diameters of new target lesions, mm.
        new_lesion_growth: whether other new lesions have grown since the last assessment.
        earliest: days from the first iUPD to its confirmation, at least.
        latest: days since the last evaluable assessment, at most, for a confirmation.

    Returns:
        Words of :class:`ImmuneResponse`, shape (patients, visits).
    """
    of_target = np.asarray(target, np.str_)
    shape = of_target.shape
    when = np.asarray(days, float)
    sizes = np.asarray(sums, float)
    of_other = np.full(shape, NO_LESIONS) if non_target is None else np.asarray(non_target, np.str_)
    grew = _flags(non_target_growth, shape)
    count = np.zeros(shape) if new_lesions is None else np.nan_to_num(np.asarray(new_lesions, float))
    new_sum = np.zeros(shape) if new_lesion_sum is None else np.nan_to_num(np.asarray(new_lesion_sum, float))
    new_grew = _flags(new_lesion_growth, shape)
    plain = overall_responses(of_target, of_other, np.zeros(shape, bool))  # as if no lesion were new
    rank = np.select([of_target == each.value for each in _RANK], list(_RANK.values()), 0)

    n = shape[0]
    out = np.full(shape, ImmuneResponse.NE.value, dtype="<U16")
    pending, confirmed = np.zeros(n, bool), np.zeros(n, bool)
    since, last_seen = np.full(n, np.nan), np.full(n, np.nan)
    known = np.zeros((3, n), bool)  # categories in progression at the iUPD: target, non-target, new lesions
    size_then, count_then, new_sum_then, rank_then = (np.zeros(n) for _ in range(4))
    accepted, accepted_sum = np.zeros(n), np.zeros(n)  # new lesions that a response has outweighed
    for k in range(shape[1]):
        risen = (accepted > 0) & progressed(new_sum[:, k], accepted_sum, accepted_sum)
        now = np.stack(
            [
                of_target[:, k] == Response.PD.value,
                of_other[:, k] == Response.PD.value,
                (count[:, k] > accepted) | risen,
            ]
        )
        evaluable = (plain[:, k] != Response.NE.value) | now.any(axis=0)
        more = np.stack(
            [
                known[0] & (sizes[:, k] - size_then >= PROGRESSION_MM),
                known[1] & grew[:, k],
                known[2]
                & (
                    (count[:, k] > count_then)
                    | (new_sum[:, k] - new_sum_then >= PROGRESSION_MM)
                    | new_grew[:, k]
                ),
            ]
        )
        fresh = (now & ~known).any(axis=0)
        further = pending & (more.any(axis=0) | fresh)
        in_time = (when[k] - since >= earliest) & (when[k] - last_seen <= latest)
        confirmed |= evaluable & further & in_time
        better = pending & known[2] & ~now[:2].any(axis=0) & (rank[:, k] > rank_then)
        better &= ~further
        accepted = np.where(better, count[:, k], np.minimum(accepted, count[:, k]))
        accepted_sum = np.where(better, new_sum[:, k], np.minimum(accepted_sum, new_sum[:, k]))
        progression = now.any(axis=0) & ~better
        base = np.select(
            [plain[:, k] == each.value for each in _IMMUNE],
            [each.value for each in _IMMUNE.values()],
            ImmuneResponse.NE.value,
        )
        word = np.where(progression, ImmuneResponse.IUPD.value, base)
        out[:, k] = np.where(evaluable, word, ImmuneResponse.NE.value)
        out[confirmed, k] = ImmuneResponse.ICPD.value

        # a progression is held against its first sight; one that nobody looked at in time starts anew
        stale = pending & (when[k] - last_seen > latest)
        first = evaluable & progression & (~pending | stale)
        size_then = np.where(first, sizes[:, k], size_then)
        new_sum_then = np.where(first, new_sum[:, k], new_sum_then)
        count_then = np.where(first, count[:, k], count_then)
        rank_then = np.where(first, rank[:, k], rank_then)
        since = np.where(first, when[k], since)
        known = np.where(first, now, known)
        pending = np.where(evaluable, progression, pending)
        last_seen = np.where(evaluable, when[k], last_seen)
    return out


def _flags(given: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.zeros(shape, bool) if given is None else np.broadcast_to(np.asarray(given, bool), shape)
