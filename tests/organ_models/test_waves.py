"""Periodic drives: as exact as the functions of the C library that they replace."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import organ_models  # noqa: F401  (64 bit)
from organ_models.waves import raised_cosine, since_onset


def test_the_raised_cosine_is_one_half_of_one_minus_cosine() -> None:
    """NumPy's cosine is the reference; it errs by less than a unit in the last place."""
    x = np.linspace(0.0, 2.0, 20_001)
    np.testing.assert_allclose(raised_cosine(x), 0.5 - 0.5 * np.cos(np.pi * x), atol=5e-16, rtol=0)
    assert np.asarray(raised_cosine(x)).min() >= 0.0
    np.testing.assert_allclose(raised_cosine(np.array([0.0, 1.0, 2.0])), [0.0, 1.0, 0.0], atol=1e-30)


def test_the_slope_of_the_raised_cosine_is_a_sine() -> None:
    """d/dx (1 - cos(pi x)) / 2 = pi / 2 sin(pi x)."""
    x = jnp.linspace(0.0, 2.0, 301)
    slope = jax.vmap(jax.grad(raised_cosine))(x)
    np.testing.assert_allclose(slope, np.pi / 2 * np.sin(np.pi * np.asarray(x)), atol=1e-14)


def test_time_since_onset_starts_again_with_every_period() -> None:
    """fmod of C is exact; what is lost here is a rounding of the time."""
    period = np.random.default_rng(1).uniform(0.3, 1.5, 10_000)
    time = np.random.default_rng(2).uniform(0.0, 3.0, 10_000)
    np.testing.assert_allclose(since_onset(time, period), np.fmod(time, period), atol=1e-15)
    assert since_onset(jnp.array(-0.1), jnp.array(0.8)) == pytest.approx(0.7, abs=1e-15)
    whole = np.asarray(since_onset(period, period))
    assert (np.minimum(np.abs(whole), np.abs(whole - period)) <= 1e-15).all()
