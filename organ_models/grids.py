"""The time grid of slow models: which steps are taken between events, shared by all patients.

The grid of a run holds the days on which a dose may change or something may happen, and the days on which
somebody looks. It is fixed before the run: what a patient gets changes amounts, never times.

Steps are laid out from the last event alone, and readings cut them. So neither earlier readings nor anything
later moves a step, and a run that goes on from a reading takes the steps of one that never stopped.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from organ_models.model import Stride

_SLIVER = 1e-9
"""Steps are not cut closer than this to where they end anyway, d."""


@dataclass(frozen=True)
class Grid:
    """Steps in order, and where readings lie between them.

    Attributes:
        time, width: start and length of every step, d, shape ``(s,)``.
        day: which day's dose holds during the step, shape ``(s,)``.
        begins: whether the step is the first after its day began with a change or event, shape ``(s,)``.
        readings: days that are read, shape ``(k,)``.
        first: index of the first step after every reading, shape ``(k,)``; reading ``k`` is taken before it.
    """

    time: np.ndarray
    width: np.ndarray
    day: np.ndarray
    begins: np.ndarray
    readings: np.ndarray
    first: np.ndarray


def finest(strides: Iterable[Stride]) -> Stride:
    """The stride that satisfies several models at once."""
    given = list(strides)
    if not given:
        return Stride(longest=math.inf)
    firsts = [s.first for s in given if s.first is not None]
    return Stride(
        longest=min(s.longest for s in given),
        first=min(firsts) if firsts else None,
        growth=min(s.growth for s in given),
    )


def grid(
    stride: Stride, readings: Sequence[int], events: Iterable[int], *, start: int = 0, refine: int = 1
) -> Grid:
    """The steps from one day to the last reading.

    Args:
        stride: how steps grow after an event.
        readings: days that are read, whole numbers, increasing, none before ``start``.
        events: days on which a dose may change or something may happen, from day 0 on: a run that starts
            later takes the steps that a run from day 0 would have taken.
        start: the first day.
        refine: every step is divided by this.

    Raises:
        ValueError: steps that do not lead on.
    """
    first = stride.longest if stride.first is None else stride.first
    if not (stride.longest > 0 and first > 0 and stride.growth >= 1):
        raise ValueError(f"{stride}: steps must be longer than nothing and must not shrink")
    last = int(readings[-1])
    eventful = {int(e) for e in events if e < last}
    looked = sorted({start, *(int(r) for r in readings)})
    time, width, day, begins = [], [], [], []
    for begin, end in itertools.pairwise(sorted({0, *eventful, last})):
        if end <= start:
            continue
        cuts = [float(begin), *(float(d) for d in looked if begin < d < end), float(end)]
        steps = _steps(stride, cuts[0], cuts[-1], fresh=begin in eventful)
        for left, right in itertools.pairwise(_merged(cuts, steps)):
            if left < start:
                continue
            for part in range(refine):
                time.append(left + part * ((right - left) / refine))
                width.append((right - left) / refine)
                day.append(begin)
                begins.append(begin in eventful and left == begin and part == 0)
    starts = np.asarray(time, dtype=float)
    return Grid(
        starts,
        np.asarray(width, dtype=float),
        np.asarray(day, dtype=np.int64),
        np.asarray(begins, dtype=bool),
        np.asarray(readings, dtype=np.int64),
        np.searchsorted(starts, np.asarray(readings, float)).astype(np.int64),
    )


# ---------------------------------------------------------------------------------------------------


def _steps(stride: Stride, begin: float, end: float, *, fresh: bool) -> Iterator[float]:
    """Where steps end between two events, the last excluded; ``fresh``: something happens at the first."""
    size = stride.longest
    if fresh and stride.first is not None:
        size = min(stride.first, size)
    at, uniform = begin, 0  # equal steps are counted, not added up: ten of 0.1 are 1
    while True:
        uniform = uniform + 1 if size == stride.longest else 0
        ahead = at + uniform * size if uniform else at + size
        if not ahead < end - _SLIVER:
            return
        yield ahead
        if not uniform:
            at, size = ahead, min(size * stride.growth, stride.longest)


def _merged(cuts: list[float], steps: Iterable[float]) -> list[float]:
    """Cuts and steps in order, without the steps that lie at a cut."""
    kept = [at for at in steps if min(abs(at - cut) for cut in _beside(cuts, at)) > _SLIVER]
    return sorted([*cuts, *kept])


def _beside(cuts: list[float], at: float) -> list[float]:
    place = bisect.bisect(cuts, at)
    return cuts[max(place - 1, 0) : place + 1]
