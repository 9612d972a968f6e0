"""Linear compartments between doses, against closed forms of textbooks, SciPy and differences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from organ_models.pharmacology import linear_chain
from organ_models.pharmacology.linear_chain import flows, mammillary, propagate, rates


def plain(matrix: Any) -> np.ndarray:
    return np.array([[0.0 if e is None else float(e) for e in line] for line in matrix])


CHAINS = {
    "one": (mammillary(3.0, 2.0), [100.0], [None]),
    "one, oral": (flows(2, {(0, 1): 2.0}, {1: 0.4}), [100.0, 3.0], [None, None]),
    "two": (mammillary(0.22, 3.48, (0.795, 4.06)), [200.0, 30.0], [None, None]),
    "two, infused": (mammillary(0.22, 3.48, (0.795, 4.06)), [200.0, 30.0], [70.0, None]),
    "three": (mammillary(856.8, 6.94, (133.9, 7.39), (300.0, 225.0)), [9.0, 3.0, 40.0], [None] * 3),
    "three, infused": (
        mammillary(856.8, 6.94, (133.9, 7.39), (300.0, 225.0)),
        [9.0, 3.0, 40.0],
        [4320.0, None, None],
    ),
    "a chain of five": (
        flows(5, {(0, 1): 49.7, (1, 2): 0.9, (2, 3): 257.0, (3, 4): 127.0}, {1: 15.5, 4: 1584.0}),
        [100.0, 30.0, 2.0, 1.0, 0.1],
        [None] * 5,
    ),
}


@pytest.mark.parametrize("elapsed", [1e-4, 0.02, 1.0, 21.0])
@pytest.mark.parametrize("name", CHAINS)
def test_amounts_are_those_of_the_matrix_exponential(name: str, elapsed: float) -> None:
    """SciPy's expm of the matrix, with the inflow as one more compartment that stays at one."""
    matrix, amounts, inflow = CHAINS[name]
    whole = np.zeros((len(amounts) + 1,) * 2)
    whole[:-1, :-1] = plain(matrix)
    whole[:-1, -1] = [b or 0.0 for b in inflow]
    expected = (expm(whole * elapsed) @ [*amounts, 1.0])[:-1]
    found = np.array([float(x) for x in propagate(matrix, amounts, inflow, elapsed)])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.max(expected))


@pytest.mark.parametrize("name", CHAINS)
def test_what_is_propagated_moves_at_the_rates(name: str) -> None:
    matrix, amounts, inflow = CHAINS[name]

    def after(t: Any) -> Any:
        return jnp.stack(propagate(matrix, amounts, inflow, t))

    t = jnp.asarray(0.03)
    moved, rate = jax.jvp(after, (t,), (jnp.asarray(1.0),))
    np.testing.assert_allclose(rate, jnp.stack(rates(matrix, list(moved), inflow)), rtol=1e-9, atol=1e-9)


def oral(absorption: Any, elimination: Any, t: float) -> Any:
    """The drug in the body after 100 mg by mouth."""
    return propagate(flows(2, {(0, 1): absorption}, {1: elimination}), [100.0, 0.0], [None, None], t)[1]


@pytest.mark.parametrize("gap", [0.0, 1e-14, 1e-9, 1e-5, 1e-2])
def test_absorption_as_fast_as_elimination_is_safe_in_value_and_gradient(gap: float) -> None:
    """At equal rates k the amount is D k t exp(-k t), and its derivatives with respect to absorption and
    elimination are D t exp(-k t) (1 - k t / 2) and -D k t²/2 exp(-k t); beside it they change by O(gap)."""
    k, t = 1.3, 0.7
    value, slopes = jax.value_and_grad(oral, argnums=(0, 1))(k + gap, k, t)
    shrunk = 100.0 * t * np.exp(-k * t)
    close = 1e-12 + 2 * gap
    assert float(value) == pytest.approx(k * shrunk, rel=close)
    assert float(slopes[0]) == pytest.approx(shrunk * (1 - k * t / 2), rel=close)
    assert float(slopes[1]) == pytest.approx(-k * t / 2 * shrunk, rel=close)


def test_a_chain_of_equal_rates_is_safe() -> None:
    """Five compartments with one rate k: the last holds D (k t)⁴/4! exp(-k t), the gamma density."""

    def last(k: Any) -> Any:
        matrix = flows(5, {(i, i + 1): k for i in range(4)}, {4: k})
        return propagate(matrix, [10.0, 0.0, 0.0, 0.0, 0.0], [None] * 5, 2.0)[4]

    value, slope = jax.value_and_grad(last)(0.9)
    x = 0.9 * 2.0
    assert float(value) == pytest.approx(10 * x**4 / 24 * np.exp(-x), rel=1e-12)
    assert float(slope) == pytest.approx(10 * 2 * (4 - x) * x**3 / 24 * np.exp(-x), rel=1e-12)


def test_a_peripheral_compartment_that_exchanges_nothing_is_safe() -> None:
    """Two equal rates without exchange: the root of the closed form is zero."""

    def central(exchange: Any) -> Any:
        return propagate(
            flows(2, {(0, 1): exchange, (1, 0): exchange}, {0: 0.5, 1: 0.5}), [8.0, 0.0], [None] * 2, 1.0
        )[0]

    value, slope = jax.value_and_grad(central)(0.0)
    assert float(value) == pytest.approx(8 * np.exp(-0.5), rel=1e-14)
    assert float(slope) == pytest.approx(-8 * np.exp(-0.5), rel=1e-12)  # what goes over is missing


def test_a_slow_rate_beside_a_fast_one_keeps_its_digits() -> None:
    """1600 a day beside 0.001 a day, over a year, uncoupled: the slow one is a plain exponential."""
    matrix = flows(3, {(0, 1): 1600.0}, {1: 800.0, 2: 0.001})
    assert float(propagate(matrix, [1.0, 0.0, 1.0], [None] * 3, 365.0)[2]) == pytest.approx(
        np.exp(-0.365), rel=1e-12
    )


def test_an_infusion_settles_at_inflow_over_clearance() -> None:
    matrix = mammillary(0.5, 3.0, (0.7, 4.0), (0.2, 9.0))
    settled = propagate(matrix, [0.0, 0.0, 0.0], [2.0, None, None], 2000.0)
    np.testing.assert_allclose(np.array(settled, float) / [3.0, 4.0, 9.0], 2.0 / 0.5, rtol=1e-12)


def test_nothing_is_made_or_lost_between_compartments() -> None:
    matrix = flows(3, {(0, 1): 5.0, (1, 0): 2.0, (1, 2): 0.3, (2, 1): 0.1}, {})
    assert float(sum(propagate(matrix, [7.0, 1.0, 0.5], [None] * 3, 9.0))) == pytest.approx(8.5, rel=1e-13)


def test_no_patient_touches_another() -> None:
    luck = np.random.default_rng(3)
    clearance, exchange = luck.uniform(0.1, 900, 7), luck.uniform(0.1, 400, 7)
    together = propagate(
        mammillary(clearance, 7.0, (exchange, 8.0), (3.0, 90.0)), [1.0, 0.0, 0.0], [None] * 3, 0.3
    )
    for lane in range(7):
        matrix = mammillary(clearance[lane], 7.0, (exchange[lane], 8.0), (3.0, 90.0))
        alone = propagate(matrix, [1.0, 0.0, 0.0], [None] * 3, 0.3)
        np.testing.assert_allclose([x[lane] for x in together], alone, rtol=1e-13)


def test_a_time_too_long_for_the_fastest_rate_gives_no_number() -> None:
    matrix = mammillary(1e6, 1.0, (1.0, 1.0), (1.0, 1.0))
    assert np.isnan(
        float(propagate(matrix, [1.0, 0.0, 0.0], [None] * 3, 1.1 * linear_chain.LONGEST / 1e6)[0])
    )
