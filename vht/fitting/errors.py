"""How measurements miss a course, as fits need it: likelihoods, and measurements drawn for forecasts.

Three kinds: an SD that is known for every value (:class:`KnownSpread`), a model's published residual error
(:class:`organ_models.variability.Residual`), and measurements around a course that itself wanders off the
model (:class:`Wandering`). Each is looked at patient by patient: shapes are ``(readings, patients)``, NaN
is a missing measurement.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from organ_models.variability import Residual

_YEAR = 365.0


@dataclass(frozen=True)
class KnownSpread:
    """Independent normal errors whose SD is known from the measured value, as in weighted least squares.

    Attributes:
        sd: ``sd(value)``, SD in the unit of the output, elementwise. It is evaluated at measured values for a
            fit and at predicted ones where measurements are forecast.
    """

    sd: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Wandering:
    """Measurements around a course that wanders off the model, both on the scale of ln(size + floor).

    The logarithm of the tumour is the model's plus a Brownian motion from the first measurement on: what no
    smooth model tells (a new clone, a hidden lesion). A forecast starts where the patient was seen last, and
    widens with the time since then.

    Attributes:
        logarithmic: SD of one measurement, on that scale.
        drift: SD of what a course wanders in a year of 365 days, on that scale.
        floor: in the unit of the output. It lets a lesion that is gone be 0.
    """

    logarithmic: float
    drift: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not (self.logarithmic > 0 and self.drift >= 0 and self.floor >= 0):
            raise ValueError(
                "Wandering: give an SD of measurement above zero; drift and floor not below zero"
            )

    def scaled(self, value: np.ndarray) -> np.ndarray:
        """ln(value + floor)."""
        return np.log(value + self.floor)

    def shared(self, days: np.ndarray) -> np.ndarray:
        """Covariance of the wandering on days ``(k, patients)``, shape ``(patients, k, k)``."""
        since = (days - days[0]).T
        earlier = np.minimum(since[:, :, None], since[:, None, :])
        return np.asarray(self.drift**2 / _YEAR * earlier)

    def covariance(self, days: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Covariance of measurements; where ``seen`` is false there is none: a row and column of the
        identity."""
        total = self.shared(days)
        k = days.shape[0]
        total[:, np.arange(k), np.arange(k)] += self.logarithmic**2
        taken = seen.T
        return np.asarray(np.where(taken[:, :, None] & taken[:, None, :], total, np.eye(k)))


MeasurementError = KnownSpread | Residual | Wandering


@dataclass(frozen=True)
class Misfit:
    """What one evaluation of a likelihood gives.

    Attributes:
        value: negative log-likelihood, ``(patients,)``, with all its constants.
        score: its derivative by every predicted value, ``(readings, patients)``.
        whiten: ``whiten(slopes) -> rows``, both ``(readings, q, patients)``: sums of products of the rows are
            the expected second derivative.
    """

    value: np.ndarray
    score: np.ndarray
    whiten: Callable[[np.ndarray], np.ndarray]


class Likelihood(Protocol):
    """Of a group of patients' measurements."""

    def misfit(self, predicted: np.ndarray) -> Misfit:
        """How the measurements miss these values, ``(readings, patients)``."""

    def forecast(self, predicted: np.ndarray, luck: np.ndarray) -> np.ndarray:
        """Measurements on all the days, given those that were taken, ``(readings, patients)``.

        Args:
            predicted: values on the days.
            luck: standard normal numbers of the same shape.
        """


def likelihood(error: MeasurementError, days: np.ndarray, observed: np.ndarray) -> Likelihood:
    """The likelihood of measurements.

    Args:
        error: how they miss.
        days, observed: shape ``(readings, patients)``; a measurement that is NaN was not taken.

    Raises:
        ValueError: values that the error cannot have made; names the remedy.
    """
    if isinstance(error, Wandering):
        return _Wanders(error, days, observed)
    return _Independent(error, observed)


# ---------------------------------------------------------------------------------------------------


class _Independent:
    def __init__(self, error: KnownSpread | Residual, observed: np.ndarray):
        self.error, self.seen = error, np.isfinite(observed)
        self.observed = np.where(self.seen, observed, 1.0)
        self.logarithmic = isinstance(error, Residual) and error.logarithmic > 0
        if self.logarithmic and np.any(self.observed <= 0):
            raise ValueError(
                "a logarithmic error needs measurements above zero; give an additive one, or Wandering "
                "with a floor"
            )
        if isinstance(error, KnownSpread):
            self.fixed = np.asarray(error.sd(self.observed), float) ** 2
            if not np.all(np.isfinite(self.fixed) & (self.fixed > 0)):
                raise ValueError("the SD of a measurement must be a finite number above zero for every value")

    def misfit(self, predicted: np.ndarray) -> Misfit:
        change = np.zeros_like(predicted)
        off = self.observed - predicted
        jacobian = np.zeros_like(predicted)
        by = np.ones_like(predicted)  # derivative of the scale on which errors are normal
        if isinstance(self.error, KnownSpread):
            variance = self.fixed
        elif self.logarithmic:
            positive = np.where(predicted > 0, predicted, np.nan)
            off = np.log(self.observed) - np.log(positive)
            by, jacobian = 1.0 / positive, np.log(self.observed)
            variance = np.full_like(predicted, self.error.logarithmic**2)
        else:
            variance = self.error.additive**2 + (self.error.proportional * predicted) ** 2
            change = 2.0 * self.error.proportional**2 * predicted / variance
        chi = off**2 / variance
        value = 0.5 * (chi + np.log(2 * np.pi * variance)) + jacobian
        score = -off / variance * by + 0.5 * change * (1.0 - chi)
        root = np.sqrt(by**2 / variance + 0.5 * change**2)
        keep = self.seen
        weight = np.where(keep, root, 0.0)
        return Misfit(
            _added(np.where(keep, value, 0.0)),
            np.where(keep, score, 0.0),
            lambda slopes: weight[:, None] * slopes,
        )

    def forecast(self, predicted: np.ndarray, luck: np.ndarray) -> np.ndarray:
        if isinstance(self.error, KnownSpread):
            return np.asarray(predicted + self.error.sd(predicted) * luck)
        return np.asarray(self.error.measured(predicted, luck))


class _Wanders:
    def __init__(self, error: Wandering, days: np.ndarray, observed: np.ndarray):
        self.error, self.seen, self.days = error, np.isfinite(observed), days
        if np.any(observed[self.seen] + error.floor <= 0):
            raise ValueError(
                "Wandering: measurements must lie above minus the floor; give a floor above zero"
            )
        self.scaled = error.scaled(np.where(self.seen, observed, 1.0))
        covariance = error.covariance(days, self.seen)
        lower = np.linalg.cholesky(covariance)
        taken = self.seen.T
        both = taken[:, :, None] & taken[:, None, :]
        self.inverse = np.where(both, np.linalg.inv(covariance), 0.0)
        self.whitener = np.linalg.inv(lower)
        diagonal = np.diagonal(lower, axis1=1, axis2=2).T
        logs = np.log(2 * np.pi) / 2 + np.log(diagonal) + self.scaled
        self.constant = _added(np.where(self.seen, logs, 0.0))

    def _off(self, predicted: np.ndarray) -> np.ndarray:
        shifted = predicted + self.error.floor
        return np.where(self.seen, self.scaled - np.log(np.where(shifted > 0, shifted, np.nan)), 0.0)

    def misfit(self, predicted: np.ndarray) -> Misfit:
        off = self._off(predicted)
        by = np.where(self.seen, 1.0 / (predicted + self.error.floor), 0.0)
        white = _times(self.whitener, off[:, None])[:, 0]
        score = -by * _times(self.inverse, off[:, None])[:, 0]
        return Misfit(
            0.5 * _added(white**2) + self.constant,
            score,
            lambda slopes: _times(self.whitener, by[:, None] * slopes),
        )

    def forecast(self, predicted: np.ndarray, luck: np.ndarray) -> np.ndarray:
        mean = _times(self.gain, self._off(predicted)[:, None])[:, 0]
        drawn = _times(self.spread, luck[:, None])[:, 0]
        found = np.exp(self.error.scaled(predicted) + mean + drawn) - self.error.floor
        return np.asarray(np.maximum(found, 0.0))

    @functools.cached_property
    def gain(self) -> np.ndarray:
        """What a course has wandered off by, from how measurements miss the model."""
        return np.asarray(self.error.shared(self.days) @ self.inverse)

    @functools.cached_property
    def spread(self) -> np.ndarray:
        """Lower factor of the covariance of new measurements given those that were taken."""
        shared = self.error.shared(self.days)
        left = shared - self.gain @ shared
        k = self.days.shape[0]
        left[:, np.arange(k), np.arange(k)] += self.error.logarithmic**2
        return np.linalg.cholesky(left)


def _times(matrices: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Matrices ``(patients, m, k)`` times ``(k, q, patients)``, patient by patient: ``(m, q, patients)``."""
    return np.asarray((matrices @ rows.transpose(2, 0, 1)).transpose(1, 2, 0))


def _added(rows: np.ndarray) -> np.ndarray:
    """Sum over readings in order: a neighbour changes no rounding."""
    total = np.zeros(rows.shape[1:])
    for row in rows:
        total = total + row
    return total
