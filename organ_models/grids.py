"""The time grid of slow models: which steps are taken between events, shared by all patients.

The grid of a run holds the instants at which a dose may change or something may happen, and those at which
somebody looks; most are whole days, none has to be. It is fixed before the run: what a patient gets changes
amounts, never times.

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
        column: which column of the tables of doses holds during the step, shape ``(s,)``.
        begins: whether the step is the first after a change or event, shape ``(s,)``.
        readings: days that are read, shape ``(k,)``.
        first: index of the first step after every reading, shape ``(k,)``; reading ``k`` is taken before it.
        standing: the column that holds up to every reading, shape ``(k,)``; -1 where none does yet.
    """

    time: np.ndarray
    width: np.ndarray
    column: np.ndarray
    begins: np.ndarray
    readings: np.ndarray
    first: np.ndarray
    standing: np.ndarray


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
    stride: Stride,
    readings: Sequence[float],
    events: Iterable[float],
    *,
    start: float = 0,
    refine: int = 1,
    columns: np.ndarray | None = None,
) -> Grid:
    """The steps from one day to the last reading.

    Args:
        stride: how steps grow after an event.
        readings: days that are read, increasing, none before ``start``.
        events: days on which a dose may change or something may happen, from day 0 on: a run that starts
            later takes the steps that a run from day 0 would have taken.
        start: the first day.
        refine: every step is divided by this.
        columns: from which day on every column of the tables of doses holds, increasing from 0; whole days if
            absent.

    Raises:
        ValueError: steps that do not lead on.
    """
    first = stride.longest if stride.first is None else stride.first
    if not (stride.longest > 0 and first > 0 and stride.growth >= 1):
        raise ValueError(f"{stride}: steps must be longer than nothing and must not shrink")
    last = float(readings[-1])
    eventful = {float(e) for e in events if e < last}
    looked = np.array(sorted({float(start), *(float(r) for r in readings)}))
    time, width, since, begins = [], [], [], []
    for begin, end in itertools.pairwise(sorted({0.0, *eventful, last})):
        if end <= start:
            continue
        between = looked[np.searchsorted(looked, begin, "right") : np.searchsorted(looked, end, "left")]
        cuts = [begin, *between.tolist(), end]
        steps = list(_steps(stride, cuts[0], cuts[-1], fresh=begin in eventful))
        # a step that is not cut has its own size to the bit: what hangs on it is then computed once for many
        since_begin = zip([begin, *(ahead for ahead, _ in steps)], steps, strict=False)
        sizes = {(at, ahead): size for at, (ahead, size) in since_begin}
        for left, right in itertools.pairwise(_merged(cuts, [ahead for ahead, _ in steps])):
            if left < start:
                continue
            size = sizes.get((left, right), right - left) / refine
            for part in range(refine):
                time.append(left + part * size)
                width.append(size)
                since.append(begin)
                begins.append(begin in eventful and left == begin and part == 0)
    starts, read = np.asarray(time, dtype=float), np.asarray(readings, dtype=float)
    held = np.arange(int(np.ceil(last)) + 1, dtype=float) if columns is None else columns
    return Grid(
        starts,
        np.asarray(width, dtype=float),
        np.searchsorted(held, np.asarray(since, dtype=float), side="right").astype(np.int64) - 1,
        np.asarray(begins, dtype=bool),
        read,
        np.searchsorted(starts, read).astype(np.int64),
        np.searchsorted(held, read).astype(np.int64) - 1,
    )


# ---------------------------------------------------------------------------------------------------


def _steps(stride: Stride, begin: float, end: float, *, fresh: bool) -> Iterator[tuple[float, float]]:
    """Where steps end between two events and how long they are, the last excluded; ``fresh``: something
    happens at the first."""
    size = stride.longest
    if fresh and stride.first is not None:
        size = min(stride.first, size)
    at, uniform = begin, 0  # equal steps are counted, not added up: ten of 0.1 are 1
    while True:
        uniform = uniform + 1 if size == stride.longest else 0
        ahead = at + uniform * size if uniform else at + size
        if not ahead < end - _SLIVER:
            return
        yield ahead, size
        if not uniform:
            at, size = ahead, min(size * stride.growth, stride.longest)


def _merged(cuts: list[float], steps: Iterable[float]) -> list[float]:
    """Cuts and steps in order, without the steps that lie at a cut."""
    kept = [at for at in steps if min(abs(at - cut) for cut in _beside(cuts, at)) > _SLIVER]
    return sorted([*cuts, *kept])


def _beside(cuts: list[float], at: float) -> list[float]:
    place = bisect.bisect(cuts, at)
    return cuts[max(place - 1, 0) : place + 1]
