"""Cox's model against published fits and a likelihood written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trials.analysis import cox, logrank

# Remission of 42 children with leukaemia, 6-mercaptopurine or placebo (Freireich et al., Blood 1963;21:699),
# as tabled by Cox (1972); weeks, + censored.
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def _leukaemia() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    words = TREATED.split() + PLACEBO.split()
    time = np.array([float(word.rstrip("+")) for word in words])
    event = np.array([not word.endswith("+") for word in words])
    return time, event, np.repeat([0.0, 1.0], 21)


@pytest.mark.parametrize(("ties", "beta", "error"), [("efron", 1.5721, 0.4124), ("breslow", 1.5092, 0.4096)])
def test_the_leukaemia_trial_is_as_published(ties: str, beta: float, error: float) -> None:
    # Kalbfleisch and Prentice's example: 1.509 by Breslow and 1.572 by Efron, as R's coxph gives them
    fitted = cox(*_leukaemia(), ties=ties)  # type: ignore[arg-type]
    assert fitted.coefficients[0] == pytest.approx(beta, abs=1e-4)
    assert np.sqrt(fitted.covariance[0, 0]) == pytest.approx(error, abs=1e-4)
    assert (fitted.n, fitted.events) == (42, 30)
    ratio = fitted.hazard_ratio()
    assert ratio.value == pytest.approx(np.exp(beta), rel=2e-4)
    assert np.log(ratio.upper) == pytest.approx(beta + 1.959964 * error, abs=5e-4)


def test_three_patients_by_hand() -> None:
    # events at 1 (x = 1), 2 (x = 0), 3 (x = 1): L = e^b / (1 + 2 e^b) x 1 / (1 + e^b) x 1; the derivative
    # 1 - 2 e^b / (1 + 2 e^b) - e^b / (1 + e^b) is zero at e^b = 1 / sqrt 2
    fitted = cox([1.0, 2.0, 3.0], [True, True, True], [1.0, 0.0, 1.0])
    assert fitted.coefficients[0] == pytest.approx(-0.5 * np.log(2.0), abs=1e-9)
    e = np.exp(fitted.coefficients[0])
    assert fitted.log_likelihood == pytest.approx(np.log(e / (1 + 2 * e)) - np.log(1 + e), abs=1e-9)


def test_two_covariates_of_simulated_hazards_are_found_again() -> None:
    luck = np.random.default_rng(8)
    x = luck.standard_normal((4000, 2))
    time = luck.exponential(np.exp(-(0.7 * x[:, 0] - 0.3 * x[:, 1])))
    limit = luck.exponential(2.0, 4000)
    fitted = cox(np.minimum(time, limit), time <= limit, x)
    assert np.abs(fitted.coefficients - [0.7, -0.3]).max() < 4 * np.sqrt(np.diag(fitted.covariance)).max()


def test_without_ties_the_score_test_is_the_log_rank_test() -> None:
    luck = np.random.default_rng(9)
    time, group = luck.permutation(60) + 1.0, np.repeat([0.0, 1.0], 30)
    event = luck.random(60) < 0.7
    fitted = cox(time, event, group)
    chi_squared, _ = logrank(time[30:], event[30:], time[:30], event[:30])
    wald = fitted.coefficients[0] ** 2 / fitted.covariance[0, 0]
    assert wald == pytest.approx(chi_squared, rel=0.05, abs=0.02)


def test_order_of_patients_and_shift_of_a_covariate_do_not_matter() -> None:
    time, event, group = _leukaemia()
    turned = np.random.default_rng(1).permutation(42)
    again = cox(time[turned], event[turned], group[turned] + 50.0)
    assert again.coefficients == pytest.approx(cox(time, event, group).coefficients, abs=1e-8)


def test_what_has_no_finite_ratio_has_none() -> None:
    assert np.isnan(cox([1.0, 2.0], [False, False], [0.0, 1.0]).coefficients[0])
    assert np.isnan(cox([1.0, 2.0, 3.0], [True, True, False], [1.0, 1.0, 0.0]).coefficients[0])
    assert np.isnan(cox([1.0, 2.0], [True, True], [1.0, 1.0]).hazard_ratio().value)


def test_missing_values_and_unknown_ties_are_refused() -> None:
    with pytest.raises(ValueError, match="is missing"):
        cox([1.0, np.nan], [True, True], [0.0, 1.0])
    with pytest.raises(ValueError, match="one entry per patient"):
        cox([1.0, 2.0], [True], [0.0, 1.0])
    with pytest.raises(ValueError, match="'efron' or 'breslow'"):
        cox([1.0], [True], [0.0], ties="exact")  # type: ignore[arg-type]
