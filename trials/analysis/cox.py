"""Proportional hazards: Cox's partial likelihood, with tied times after Efron or Breslow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trials.analysis.estimate import NAN, Estimate, critical_value

_STEPS = 50
_CLOSE = 1e-10
"""Newton's method has converged when no coefficient moves by more than this."""


@dataclass(frozen=True)
class Cox:
    """A fitted model.

    Attributes:
        coefficients: logarithm of the hazard ratio of each covariate, shape (p,); NaN where none exists
            (everybody who had the event is on one side).
        covariance: of the coefficients, from the observed information, shape (p, p).
        log_likelihood: partial log-likelihood at the coefficients.
        n: number of patients.
        events: number of events.
        level: confidence level of the intervals.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_likelihood: float
    n: int
    events: int
    level: float

    def hazard_ratio(self, index: int = 0) -> Estimate:
        """Hazard ratio of a covariate for one more of its unit, with Wald's interval."""
        beta, error = float(self.coefficients[index]), float(np.sqrt(self.covariance[index, index]))
        half = critical_value(self.level) * error
        return Estimate(
            float(np.exp(beta)), float(np.exp(beta - half)), float(np.exp(beta + half)), self.n, error
        )


def cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    level: float = 0.95,
    *,
    ties: Literal["efron", "breslow"] = "efron",
) -> Cox:
    """Fit Cox's model.

    Args:
        time: time to the event or to censoring, shape (patients,), not NaN.
        event: True where the event was seen.
        covariates: shape (patients,) or (patients, p), not NaN.
        level: confidence level.
        ties: how events at the same time are counted; R's ``coxph`` takes Efron's way unless told otherwise.

    Raises:
        ValueError: shapes that do not fit, or values that are missing.
    """
    times, events = np.asarray(time, float), np.asarray(event, bool)
    values = np.asarray(covariates, float)
    values = values[:, None] if values.ndim == 1 else values
    if times.ndim != 1 or events.shape != times.shape or len(values) != len(times):
        raise ValueError("times, events and covariates need one entry per patient each")
    if np.isnan(times).any() or np.isnan(values).any():
        raise ValueError("a time or a covariate is missing: leave such patients out and count them")
    if ties not in ("efron", "breslow"):
        raise ValueError(f"ties are counted after 'efron' or 'breslow', not '{ties}'")
    critical_value(level)
    order = np.argsort(times, kind="stable")
    times, events, values = times[order], events[order], values[order]
    p = values.shape[1]
    centred = values - values.mean(axis=0) if len(values) else values
    beta = np.zeros(p)
    none = Cox(np.full(p, NAN), np.full((p, p), NAN), NAN, len(times), int(events.sum()), level)
    if not events.any():
        return none
    for _ in range(_STEPS):
        likelihood, score, information = _derivatives(times, events, centred, beta, ties == "efron")
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            return none
        size = float(np.abs(step).max())
        beta = beta + step * min(1.0, 2.0 / max(size, 1e-300))
        if size < _CLOSE:
            covariance = np.asarray(np.linalg.inv(information), float)
            return Cox(beta, covariance, likelihood, len(times), int(events.sum()), level)
    return none


def _derivatives(
    times: NDArray[np.float64],
    events: NDArray[np.bool_],
    values: NDArray[np.float64],
    beta: NDArray[np.float64],
    efron: bool,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Partial log-likelihood, its gradient, and minus its second derivatives."""
    linear = values @ beta
    weight = np.exp(linear - linear.max())
    first = weight[:, None] * values
    second = first[:, :, None] * values[:, None, :]
    at_risk, at_risk1, at_risk2 = (_from_here_on(a) for a in (weight, first, second))
    likelihood, score = 0.0, np.zeros(len(beta))
    information = np.zeros((len(beta), len(beta)))
    for when in np.unique(times[events]):
        begin, end = np.searchsorted(times, when, "left"), np.searchsorted(times, when, "right")
        dying = np.flatnonzero(events[begin:end]) + begin
        tied = [a[dying].sum(axis=0) for a in (weight, first, second)]
        for k in range(len(dying)):
            share = k / len(dying) if efron else 0.0
            s0, s1, s2 = (
                a[begin] - share * t for a, t in zip((at_risk, at_risk1, at_risk2), tied, strict=True)
            )
            mean = s1 / s0
            likelihood += float(linear[dying[k]] - linear.max() - np.log(s0))
            score += values[dying[k]] - mean
            information += s2 / s0 - np.outer(mean, mean)
    return likelihood, score, information


def _from_here_on(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums from each row to the last."""
    return np.asarray(np.cumsum(values[::-1], axis=0)[::-1])
