"""Float64, set in this one place.

Physiology is computed in 64 bit: blood volume is conserved over hundreds of beats, and a periodic state is
found to 1e-7. JAX computes in 32 bit unless told otherwise; importing :mod:`organ_models` tells it.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)


class PrecisionError(RuntimeError):
    """JAX was set back to 32 bit; the message says how to undo it."""


def require_float64() -> None:
    """Refuse to compute physiology in 32 bit.

    Raises:
        PrecisionError: 64 bit was switched off after :mod:`organ_models` was imported.
    """
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise PrecisionError(
            "JAX computes in 32 bit, in which blood volume drifts; switch 64 bit on again with "
            'jax.config.update("jax_enable_x64", True), or leave the jax.enable_x64(False) block'
        )
