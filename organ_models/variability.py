"""How patients differ and how measurements miss: random effects and residual errors as published, as data.

Papers report the spread of a parameter as a variance (omega squared), as an SD, or as a coefficient of
variation, and of a parameter that is a fraction on the logit scale. A model declares the variance; the two
others are turned into it where the parameter is declared (``omega2=0.683**2``,
``omega2=variance_of_cv(0.94)``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from organ_models.model import Reference

Effect = Literal["log-normal", "logit-normal", "normal"]
"""On which scale a random effect is normal: the logarithm of the parameter, the logit of one between 0 and 1,
or the parameter itself."""

_SHARED = 1e-9
"""A direction of a covariance with less than this share of the largest variance has none: effects that one
random number drives (a published "shared" effect) are fully correlated."""


def variance_of_cv(cv: float) -> float:
    """Variance of the logarithm of a log-normal variable with this coefficient of variation, ln(1 + CV^2)."""
    return math.log1p(cv**2)


def individual_value(effect: Effect, typical: Any, deviation: Any) -> Any:
    """A patient's parameter: the typical value moved by a normal deviation on the effect's scale."""
    if effect == "log-normal":
        return typical * np.exp(deviation)
    if effect == "logit-normal":
        return 1.0 / (1.0 + (1.0 - typical) / typical * np.exp(-np.asarray(deviation)))
    return typical + deviation


def deviation_of(effect: Effect, typical: Any, value: Any) -> Any:
    """The deviation that makes the typical value the patient's: the inverse of :func:`individual_value`."""
    if effect == "log-normal":
        return np.log(value / typical)
    if effect == "logit-normal":
        return np.log(value / (1.0 - value)) - math.log(typical / (1.0 - typical))
    return value - typical


def lower_factor(covariance: np.ndarray) -> np.ndarray:
    """Lower-triangular ``L`` with ``L @ L.T`` the covariance, also where effects are fully correlated.

    Raises:
        ValueError: the matrix is no covariance.
    """
    matrix = np.asarray(covariance, dtype=float)
    least = float(np.linalg.eigvalsh(matrix).min())
    scale = float(np.diag(matrix).max())
    if least < -_SHARED * scale:
        raise ValueError("variances and covariances of the random effects contradict each other")
    if least > _SHARED * scale:
        return np.asarray(np.linalg.cholesky(matrix))
    lower = np.zeros_like(matrix)
    for j in range(len(matrix)):
        left = matrix[j, j] - lower[j, :j] @ lower[j, :j]
        if left > _SHARED * scale:
            lower[j:, j] = (matrix[j:, j] - lower[j:, :j] @ lower[j, :j]) / math.sqrt(left)
    return lower


@dataclass(frozen=True)
class Residual:
    """The published difference between what a model gives and what is measured.

    Independent normal errors, whose variances add.

    Attributes:
        output: the output that is measured.
        source: where it was published.
        additive: SD in the output's unit.
        proportional: SD as a fraction of the value.
        logarithmic: SD of the logarithm of the measurement.
        study: the study or arm whose error it is, where a paper reports several.
    """

    output: str
    source: Reference
    additive: float = 0.0
    proportional: float = 0.0
    logarithmic: float = 0.0
    study: str = ""

    def measured(self, value: Any, luck: Any) -> Any:
        """A measurement of ``value``, with standard normal ``luck`` of the same shape."""
        spread = np.sqrt(self.additive**2 + (self.proportional * np.asarray(value)) ** 2)
        return value * np.exp(self.logarithmic * np.asarray(luck)) + spread * luck

    def __post_init__(self) -> None:
        sizes = (self.additive, self.proportional, self.logarithmic)
        if min(sizes) < 0 or max(sizes) == 0:
            raise ValueError(f"residual error of {self.output}: give an SD above zero")
        if self.logarithmic and (self.additive or self.proportional):
            raise ValueError(f"residual error of {self.output}: a logarithmic error stands alone")
