"""Times to an event: Kaplan-Meier curve, median, restricted mean, log-rank test.

Curves and tests come from SciPy. The restricted mean is written here, through its influence function: its
sum of squares is Greenwood's variance exactly, and the covariance of two influence functions gives the
interval of a difference in the same patients.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from trials.analysis.estimate import NAN, Estimate, critical_value

_ROUNDING = 1e-9
"""A survival within this of 0.5 counts as 0.5, so that the median does not hang on binary rounding."""


@dataclass(frozen=True)
class KaplanMeier:
    """A survival curve.

    Attributes:
        times: distinct times of events or censoring, in order, shape (times,).
        survival: share without the event just after each time, shape (times,).
        lower, upper: log-log confidence limits (NaN where survival is 0 or 1), shape (times,).
        median: time at which half have had the event (NaN if never reached), with interval.
        n: number of patients.
        events: number of events.
        observed: each patient's own time, shape (patients,), from which numbers at risk are counted.
    """

    times: NDArray[np.float64]
    survival: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    median: Estimate
    n: int
    events: int
    observed: NDArray[np.float64]

    def at(self, times: ArrayLike) -> NDArray[np.float64]:
        """Share without the event just after each of ``times``."""
        steps = np.concatenate([[1.0], self.survival])
        return steps[np.searchsorted(self.times, np.asarray(times, float), side="right")]

    def at_risk(self, times: ArrayLike) -> NDArray[np.int64]:
        """How many are under observation and without the event just before each of ``times``."""
        order = np.sort(self.observed)
        return len(order) - np.searchsorted(order, np.asarray(times, float), side="left")


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> KaplanMeier:
    """Kaplan-Meier estimate with log-log confidence limits (``survfit(conf.type = "log-log")`` in R).

    Args:
        time: time to the event or to censoring, shape (patients,), not NaN.
        event: True where the event was seen, False where the time is censored.
        level: confidence level.

    The median is the first time at which survival is below one half; where it is one half over a stretch, the
    middle of the stretch. Its limits are where the confidence limits cross one half (Brookmeyer and Crowley).
    """
    time, event = _times(time, event)
    critical_value(level)
    if not len(time):
        empty = np.empty(0)
        return KaplanMeier(empty, empty, empty, empty, Estimate(NAN), 0, 0, empty)
    curve = stats.ecdf(_censored(time, event)).sf
    with warnings.catch_warnings():
        # the log-log limits do not exist where survival is 0 or 1; SciPy gives NaN there and warns
        warnings.simplefilter("ignore", RuntimeWarning)
        limits = curve.confidence_interval(level, method="log-log")
    times, survival = np.asarray(curve.quantiles, float), np.asarray(curve.probabilities, float)
    lower, upper = (np.asarray(side.probabilities, float) for side in (limits.low, limits.high))
    median = Estimate(_crossing(times, survival), _crossing(times, lower), _crossing(times, upper), len(time))
    return KaplanMeier(times, survival, lower, upper, median, len(time), int(event.sum()), time)


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time without the event up to a horizon.

    Attributes:
        estimate: the area under the survival curve up to the horizon.
        influence: each patient's share in the error, shape (patients,): the standard error is the root of
            its sum of squares.
    """

    estimate: Estimate
    influence: NDArray[np.float64]


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float, level: float = 0.95) -> RestrictedMean:
    """Area under the Kaplan-Meier curve from 0 to ``horizon``, normal interval, Greenwood's variance."""
    time, event = _times(time, event)
    n = len(time)
    if not n:
        return RestrictedMean(Estimate(NAN), np.empty(0))
    at = np.unique(time[event & (time <= horizon)])
    deaths = np.array([np.sum(event & (time == t)) for t in at], float)
    risk = np.array([np.sum(time >= t) for t in at], float)
    hazard = deaths / risk if len(at) else np.empty(0)
    survival = np.concatenate([[1.0], np.cumprod(1.0 - hazard)])
    lengths = np.diff(np.concatenate([[0.0], at, [horizon]]))
    areas = survival * lengths
    area = float(areas.sum())
    beyond = np.cumsum(areas[::-1])[::-1][1:]  # area to the right of each event time
    # a hazard of 1 ends the curve: nothing lies to the right of it and its weight is 0
    weight = np.divide(beyond, (1.0 - hazard) * risk, out=np.zeros_like(beyond), where=hazard < 1.0)
    drift = np.concatenate([[0.0], np.cumsum(weight * hazard)])
    own = np.zeros(n)
    position = np.searchsorted(at, time, side="right")  # event times up to and including one's own
    if len(at):
        mine = event & (time <= horizon)
        own[mine] = weight[position[mine] - 1]
    influence = drift[position] - own
    error = float(np.sqrt(np.sum(influence**2)))
    half = critical_value(level) * error
    return RestrictedMean(Estimate(area, area - half, area + half, n, error), influence)


def restricted_mean_difference(
    treated: RestrictedMean, control: RestrictedMean, level: float = 0.95
) -> Estimate:
    """Difference of two restricted means, independent samples (treated less control), normal interval."""
    error = float(np.hypot(treated.estimate.standard_error, control.estimate.standard_error))
    return _normal_difference(treated, control, error, treated.estimate.n + control.estimate.n, level)


def paired_restricted_mean_difference(
    treated: RestrictedMean, control: RestrictedMean, level: float = 0.95
) -> Estimate:
    """Difference of two restricted means in the same patients, who are in the same order in both.

    Raises:
        ValueError: the two have different numbers of patients.
    """
    if len(treated.influence) != len(control.influence):
        raise ValueError("pairs need two samples of the same length")
    error = float(np.sqrt(np.sum((treated.influence - control.influence) ** 2)))
    return _normal_difference(treated, control, error, len(treated.influence), level)


def logrank(
    treated_time: ArrayLike, treated_event: ArrayLike, control_time: ArrayLike, control_event: ArrayLike
) -> tuple[float, float]:
    """Two-sample log-rank test: chi-squared statistic (1 degree of freedom) and two-sided p value.

    NaN for both where there is no event or an empty group.
    """
    first, second = _times(treated_time, treated_event), _times(control_time, control_event)
    if not len(first[0]) or not len(second[0]) or not (first[1].any() or second[1].any()):
        return NAN, NAN
    result = stats.logrank(_censored(*first), _censored(*second))
    return float(result.statistic**2), float(result.pvalue)


def _normal_difference(
    treated: RestrictedMean, control: RestrictedMean, error: float, n: int, level: float
) -> Estimate:
    value = treated.estimate.value - control.estimate.value
    half = critical_value(level) * error
    return Estimate(value, value - half, value + half, n, error)


def _times(time: ArrayLike, event: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    times, events = np.asarray(time, float), np.asarray(event, bool)
    if times.shape != events.shape or times.ndim != 1:
        raise ValueError("times and events need one entry per patient each")
    if np.isnan(times).any() or (times < 0).any():
        raise ValueError("a time to an event is missing or negative: leave such patients out and count them")
    return times, events


def _censored(time: NDArray[np.float64], event: NDArray[np.bool_]) -> stats.CensoredData:
    return stats.CensoredData(uncensored=time[event], right=time[~event])


def _crossing(times: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """Time at which a falling step curve crosses one half, as R's ``quantile.survfit`` gives it."""
    below = np.flatnonzero(curve < 0.5 - _ROUNDING)
    level = np.flatnonzero(np.abs(curve - 0.5) <= _ROUNDING)
    if len(level) and (not len(below) or level[0] < below[0]):
        # flat at one half up to the next fall, or to the last time if there is none
        end = below[0] if len(below) else level[-1]
        return float((times[level[0]] + times[end]) / 2)
    return float(times[below[0]]) if len(below) else NAN
