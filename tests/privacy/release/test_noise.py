"""Noise is as large as promised, and a budget that is spent is spent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from privacy.release import (
    Answer,
    BudgetSpent,
    ReleaseError,
    ask,
    audit_epsilon,
    create_budget,
    noisy_counts,
    noisy_mean,
    remaining,
)
from privacy.release.noise import laplace

pytest.importorskip("opendp", reason="differential privacy needs OpenDP (extra 'privacy')")

QUESTION = {"study": "gist", "kind": "counts", "column": "response", "table": "abc"}


def test_noise_has_the_spread_of_the_discrete_laplace_law() -> None:
    """Variance of the two-sided geometric law with a = exp(-epsilon): 2 a / (1 - a)^2; bounds of 5 standard
    errors, that of a variance with kurtosis 6 and more being sqrt(6 / n) of it."""
    draw, cost = laplace(1, 0.5)
    values = np.array(draw([100] * 40_000))
    a = np.exp(-0.5)
    variance = 2 * a / (1 - a) ** 2
    assert cost == pytest.approx(0.5)
    assert values.mean() == pytest.approx(100, abs=5 * np.sqrt(variance / 40_000))
    assert values.var() == pytest.approx(variance, rel=5 * np.sqrt(6 / 40_000))
    assert values.dtype.kind == "i"


def test_an_honest_mechanism_passes_its_audit_and_a_broken_one_is_caught() -> None:
    """Attack A13. The audit gives a lower bound of epsilon at 99.9 %. Positive control: half the noise
    that was promised (epsilon twice as large) exceeds the promise."""
    honest, _ = laplace(1, 1.0)
    broken, _ = laplace(1, 2.0)
    assert audit_epsilon(honest, 20, 21, 100_000) <= 1.0
    found = audit_epsilon(broken, 20, 21, 100_000)
    assert 1.0 < found <= 2.0


def test_a_mechanism_without_noise_is_caught_at_once() -> None:
    def exact(values: Sequence[int]) -> list[int]:
        return list(values)

    assert audit_epsilon(exact, 20, 21, 10_000) > 5.0


def test_a_mean_is_near_the_truth_and_inside_its_bounds() -> None:
    """2,000 people, epsilon 1: the sum has noise of scale 200 steps of 0.5, its standard deviation over 2,000
    people is 0.07; ten of them."""
    ages = np.random.default_rng(3).integers(20, 90, 2000).astype(float)
    found = noisy_mean([*ages, float("nan")], 0, 100, 0.5, 1.0)
    assert found.value["mean"] == pytest.approx(ages.mean(), abs=0.7)
    assert found.epsilon == pytest.approx(1.0)
    nobody = noisy_mean([], 0, 100, 0.5, 1.0)
    assert nobody.value["mean"] is None or 0 <= nobody.value["mean"] <= 100


def test_an_outlier_moves_the_mean_no_further_than_the_bounds() -> None:
    """One value of a million counts as 100: by hand (1999 x 50 + 100) / 2000 = 50.025."""
    found = noisy_mean([50.0] * 1999 + [1e6], 0, 100, 0.5, 1.0)
    assert found.value["mean"] == pytest.approx(50.025, abs=0.7)


def test_a_spent_budget_refuses_before_anything_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    create_budget(path, "gist", 1.0)
    drawn = []

    def answer(epsilon: float) -> Answer:
        drawn.append(epsilon)
        return noisy_counts({"CR": 40, "PD": 60}, epsilon)

    first = ask(path, QUESTION, 0.6, answer)
    assert remaining(path) == pytest.approx(0.4)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BudgetSpent, match=r"0\.4 of epsilon left"):
        ask(path, {**QUESTION, "column": "sex"}, 0.6, answer)
    assert len(drawn) == 1
    again = ask(path, QUESTION, 0.6, answer)
    assert (again.value, again.epsilon) == (first.value, 0.0)
    assert len(drawn) == 1
    ask(path, {**QUESTION, "column": "sex"}, 0.4, answer)
    with pytest.raises(BudgetSpent):
        ask(path, {**QUESTION, "column": "age"}, 0.001, answer)


def test_a_budget_is_not_begun_anew_or_raised(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    create_budget(path, "gist", 1.0)
    with pytest.raises(ReleaseError, match="cannot be undone"):
        create_budget(path, "gist", 5.0)
    ask(path, QUESTION, 0.6, lambda e: noisy_counts({"CR": 40}, e))
    content = json.loads(path.read_text())
    content["spent"][0]["epsilon"] = 0.01
    path.write_text(json.dumps(content))
    with pytest.raises(ReleaseError, match="was changed"):
        remaining(path)


def test_an_answer_that_costs_more_than_was_asked_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    create_budget(path, "gist", 1.0)
    with pytest.raises(ReleaseError, match="costs more"):
        ask(path, QUESTION, 0.1, lambda e: Answer({"CR": 40}, 0.2))
    assert remaining(path) == 1.0


def test_questions_at_the_same_time_spend_no_more_than_there_is(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "budget.json"
    create_budget(path, "gist", 1.0)

    def one(number: int) -> bool:
        try:
            ask(path, {**QUESTION, "number": number}, 0.3, lambda e: noisy_counts({"CR": 40}, e))
        except BudgetSpent:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(8))) == 3
    assert remaining(path) == pytest.approx(0.1)
