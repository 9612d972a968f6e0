"""Course of elastance over a beat that several circulations share."""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array
from organ_models.waves import raised_cosine


def rise_and_fall(elapsed: Array, contraction: Array | float, relaxation: Array | float) -> Array:
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
    return raised_cosine(stretched)
