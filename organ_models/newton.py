"""An implicit equation inside a right-hand side, by a fixed number of Newton steps.

A fixed number keeps the model branch-free, so that it runs on both back ends and every patient takes the
same instructions.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from organ_models.model import Array


def newton(
    residual: Callable[[Array], Array],
    guess: Array,
    iterations: int,
    *,
    longest_step: float | Array | None = None,
) -> Array:
    """The root of an elementwise function.

    Args:
        residual: of one unknown, elementwise; its slope must not vanish between guess and root.
        guess: where to start, any shape.
        iterations: Newton steps; whoever declares the model shows that they are enough.
        longest_step: no step changes the unknown by more than this.

    Returns:
        The root, of the shape of ``guess``. Its derivatives are those of the implicit function: they go
        through one last step at the root, not through the iterations before it.
    """
    x = jax.lax.stop_gradient(guess)

    def step(x: Array) -> tuple[Array, Array]:
        return jax.jvp(residual, (x,), (jnp.ones_like(x),))

    for _ in range(iterations):
        value, slope = step(x)
        move = value / slope
        if longest_step is not None:
            move = jnp.clip(move, -longest_step, longest_step)
        x = jax.lax.stop_gradient(x - move)
    value, slope = step(x)
    return x - value / jax.lax.stop_gradient(slope)
