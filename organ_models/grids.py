"""The time grid of slow models: which steps are taken between events, shared by all patients.

The grid of a run holds the days on which a dose may change or something may happen, and the days on which
somebody looks. It is fixed before the run: what a patient gets changes amounts, never times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from organ_models.model import Stride


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
        events: days on which a dose changes or something happens, from day 0 on: a run that starts later
            takes the steps that a run from day 0 would have taken.
        start: the first day.
        refine: every step is divided by this.
    """
    last = int(readings[-1])
    eventful = {int(e) for e in events if e < last}
    stops = sorted({0, start, last, *(int(r) for r in readings), *eventful})
    time, width, day, begins = [], [], [], []
    size = stride.longest
    for begin, end in itertools.pairwise(stops):
        if begin in eventful and stride.first is not None:
            size = stride.first
        sizes: list[float] = []
        left = float(end - begin)
        while left > 1e-9:
            sizes.append(min(size, end - begin))
            left -= sizes[-1]
            size = min(size * stride.growth, stride.longest)
        if begin < start:
            continue
        scale = (end - begin) / math.fsum(sizes)
        at = float(begin)
        for number, length in enumerate(sizes):
            for part in range(refine):
                time.append(at + part * (length * scale / refine))
                width.append(length * scale / refine)
                day.append(begin)
                begins.append(begin in eventful and number == 0 and part == 0)
            at += length * scale
    starts = np.asarray(time)
    first = np.searchsorted(starts, np.asarray(readings, float) - 1e-9)
    return Grid(
        starts,
        np.asarray(width, dtype=float),
        np.asarray(day, dtype=np.int64),
        np.asarray(begins, dtype=bool),
        np.asarray(readings, dtype=np.int64),
        first.astype(np.int64),
    )
