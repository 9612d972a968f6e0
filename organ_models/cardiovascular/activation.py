"""Courses of elastance over a beat that more than one circulation uses, between 0 and 1."""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array


def since_onset(time: Array, onset: Array, period: Array) -> Array:
    """Time since the last onset, in [0, period)."""
    return jnp.mod(time - onset, period)


def raised_cosine(elapsed: Array, contraction: Array, relaxation: Array) -> Array:
    """Up along half a cosine during the contraction, down along another during the relaxation, then zero.

    Args:
        elapsed: time since onset, s.
        contraction, relaxation: durations, s.
    """
    stretched = jnp.where(
        elapsed < contraction,
        elapsed / contraction,
        1.0 + jnp.minimum((elapsed - contraction) / relaxation, 1.0),
    )
    return 0.5 - 0.5 * jnp.cos(jnp.pi * stretched)
