"""Random effects and residual errors as papers report them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from organ_models.references import HYPOTHETICAL
from organ_models.variability import (
    Residual,
    deviation_of,
    individual_value,
    lower_factor,
    variance_of_cv,
)


def test_a_coefficient_of_variation_is_that_of_the_log_normal_variable() -> None:
    """CV^2 = exp(omega^2) - 1."""
    assert math.expm1(variance_of_cv(0.94)) == pytest.approx(0.94**2)


@pytest.mark.parametrize(
    ("effect", "typical"), [("log-normal", 3.0), ("logit-normal", 0.574), ("normal", 0.0), ("normal", -2.0)]
)
def test_a_patients_value_tells_the_deviation_that_made_it(effect: str, typical: float) -> None:
    deviation = np.linspace(-4, 4, 17)
    made = individual_value(effect, typical, deviation)  # type: ignore[arg-type]
    np.testing.assert_allclose(deviation_of(effect, typical, made), deviation, atol=1e-12)  # type: ignore[arg-type]
    assert individual_value(effect, typical, 0.0) == pytest.approx(typical)  # type: ignore[arg-type]


def test_a_logit_normal_fraction_stays_a_fraction() -> None:
    """expit(logit(0.574) - 1.81) = 0.1807, the sensitive fraction with mutated EGFR in Chatterjee 2016."""
    assert individual_value("logit-normal", 0.574, -1.81) == pytest.approx(0.1807, abs=1e-4)
    drawn = individual_value("logit-normal", 0.574, np.array([-40.0, 40.0]))
    assert 0 < drawn[0] < drawn[1] <= 1


def test_a_shared_effect_is_one_number() -> None:
    """Fully correlated effects have a covariance of rank one."""
    lower = lower_factor(np.full((3, 3), 0.06))
    np.testing.assert_allclose(lower[:, 0], math.sqrt(0.06))
    assert (lower[:, 1:] == 0).all()
    mixed = np.array([[0.06, 0.06, 0.01], [0.06, 0.06, 0.01], [0.01, 0.01, 0.2]])
    lower = lower_factor(mixed)
    np.testing.assert_allclose(lower @ lower.T, mixed, atol=1e-15)
    assert lower[0] == pytest.approx(lower[1])


def test_uncorrelated_blocks_are_factored_as_ever() -> None:
    block = np.array([[0.398, 0.936], [0.936, 5.77]])
    np.testing.assert_array_equal(lower_factor(block), np.linalg.cholesky(block))


def test_contradicting_covariances_are_refused() -> None:
    with pytest.raises(ValueError, match="contradict"):
        lower_factor(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_independent_residual_errors_add_their_variances() -> None:
    """Struemper 2025: variances 6.324 mm2 and 0.01276; at 74 mm the SD is sqrt(6.324 + 0.01276 74^2)."""
    error = Residual("size", HYPOTHETICAL, additive=6.324**0.5, proportional=0.01276**0.5)
    value = np.array([74.0, 0.0])
    found = error.measured(value, np.ones(2)) - value
    assert found == pytest.approx([math.sqrt(6.324 + 0.01276 * 74**2), math.sqrt(6.324)])


def test_a_logarithmic_error_multiplies() -> None:
    error = Residual("size", HYPOTHETICAL, logarithmic=0.1)
    assert error.measured(50.0, -2.0) == pytest.approx(50 * math.exp(-0.2))


@pytest.mark.parametrize(
    "sizes", [{}, {"additive": -1.0}, {"logarithmic": 0.1, "additive": 1.0}], ids=["none", "negative", "both"]
)
def test_a_residual_error_that_says_nothing_is_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="residual error of size"):
        Residual("size", HYPOTHETICAL, **sizes)
