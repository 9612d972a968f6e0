"""What is given at which instants, to the fraction of a day: boluses, and infusions that start and stop.

A schedule says when something *may* arrive or change. An instant counts although nothing arrives at it (a
missed dose): it is where steps are laid out anew, for every patient alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HOURS_A_DAY = 24.0

_DECIMALS = 9
"""Instants are told apart to a tenth of a millisecond, so that 0.1 + 0.2 days and 0.3 days are one."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Amounts at instants.

    Attributes:
        times: instants, d from the start, increasing, from 0 on, shape ``(k,)``.
        amounts: at an event port what arrives at each instant, at an input port what holds from it to the
            next (before the first, nothing); shape ``(k,)``, or ``(k, n)`` where patients differ.

    Raises:
        ValueError: instants that do not increase, or amounts that do not fit them or are not numbers from
            0 on.
    """

    times: np.ndarray
    amounts: np.ndarray

    def __post_init__(self) -> None:
        times = instants(self.times)
        amounts = np.asarray(self.amounts, dtype=float)
        if times.ndim != 1 or np.any(times < 0) or np.any(np.diff(times) <= 0):
            raise ValueError("the instants of a schedule must be increasing days from 0 on")
        if amounts.ndim not in (1, 2) or amounts.shape[0] != times.size:
            raise ValueError(
                f"a schedule has {times.size} instants and amounts of the shape {amounts.shape}; "
                f"wanted ({times.size},) or ({times.size}, patients)"
            )
        if not np.all(np.isfinite(amounts)) or np.any(amounts < 0):
            raise ValueError("the amounts of a schedule must be finite numbers, not negative")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "amounts", amounts)

    def take(self, lanes: np.ndarray) -> Schedule:
        """The schedule of some of the patients."""
        return self if self.amounts.ndim == 1 else Schedule(self.times, self.amounts[:, lanes])

    def arriving(self, at: np.ndarray) -> np.ndarray:
        """What arrives at instants ``at``, shape ``(len(at), n or 1)``."""
        wide = self.amounts.reshape(self.times.size, -1)
        found = np.zeros((len(at), wide.shape[1]))
        place = np.minimum(np.searchsorted(self.times, at), max(self.times.size - 1, 0))
        if self.times.size:
            met = self.times[place] == at
            found[met] = wide[place[met]]
        return found

    def holding(self, at: np.ndarray) -> np.ndarray:
        """What holds from instants ``at`` on, shape ``(len(at), n or 1)``."""
        wide = self.amounts.reshape(self.times.size, -1)
        nothing = np.zeros((1, wide.shape[1]))
        return np.concatenate([nothing, wide])[np.searchsorted(self.times, at, side="right")]

    def __str__(self) -> str:
        given = np.flatnonzero(self.amounts.reshape(self.times.size, -1).any(axis=1))
        if not given.size:
            return "nothing"
        first = given[0]
        amount = f"{self.amounts[first]:g}" if self.amounts.ndim == 1 else "own amounts"
        return f"{amount} at {self.times.size} instants from day {self.times[first]:g}"


def instants(times: Any) -> np.ndarray:
    """Times in days, rounded so that the same instant is the same number wherever it was computed."""
    return np.round(np.asarray(times, dtype=float), _DECIMALS)


def boluses(amount: Any, times: Sequence[float] | np.ndarray) -> Schedule:
    """Amounts that arrive at once.

    Args:
        amount: one for all, one for each instant ``(k,)``, or ``(k, n)``.
        times: d, increasing.
    """
    at = instants(times)
    given = np.asarray(amount, dtype=float)
    return Schedule(at, np.broadcast_to(given, (at.size, *given.shape[1:])))


def infusions(amount: Any, hours: float, times: Sequence[float] | np.ndarray) -> Schedule:
    """Rates of infusions, amount per hour; where infusions overlap, their rates add.

    Args:
        amount: what each infusion holds: one for all, one for each ``(k,)``, or ``(k, n)``.
        hours: how long each runs.
        times: when they start, d, increasing.

    Raises:
        ValueError: an infusion that takes no time.
    """
    if not hours > 0:
        raise ValueError(f"an infusion of {hours:g} h takes no time; give a bolus instead")
    starts = instants(times)
    stops = instants(starts + hours / HOURS_A_DAY)
    given = np.asarray(amount, dtype=float)
    held = np.broadcast_to(given, (starts.size, *given.shape[1:])).reshape(starts.size, -1)
    at = np.unique(np.concatenate([starts, stops]))
    # the rate is over the time between the rounded instants, so that exactly the amount runs in
    rate = held / ((stops - starts) * HOURS_A_DAY)[:, None]
    runs = (starts <= at[:, None]) & (at[:, None] < stops)
    rates = np.stack([sum((rate[k] for k in np.flatnonzero(row)), np.zeros(held.shape[1])) for row in runs])
    return Schedule(at, rates[:, 0] if given.ndim < 2 else rates)
