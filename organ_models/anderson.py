"""Anderson acceleration of a fixed-point map, every lane on its own.

Written for states of shape ``(n_state, *lanes)``: the portable back end runs it on a whole block, the
native one traces it for a single lane. Every iterate is an affine combination of images of the map, so
whatever the map conserves linearly (blood volume) stays conserved.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from organ_models.model import Array

MEMORY = 4
"""Differences that are remembered."""

WARM_BEATS = 2
"""Plain beats before acceleration starts."""


class Progress(NamedTuple):
    """Where the iteration stands.

    Attributes:
        beats_done: evaluations of the map so far, a scalar.
        state: next argument of the map, ``(n_state, *lanes)``.
        image, change: last image of the map and last weighted change, ``(n_state, *lanes)``.
        images, changes: remembered differences of both, ``(MEMORY, n_state, *lanes)``.
        residual: largest weighted change of a state, ``lanes``.
        beats: evaluations that this lane took part in, ``lanes``.
        active: lanes that neither converged nor left the finite numbers.
    """

    beats_done: Array
    state: Array
    image: Array
    change: Array
    images: Array
    changes: Array
    residual: Array
    beats: Array
    active: Array


def begin(state: Array) -> Progress:
    """The iteration before the first evaluation of the map at ``state``."""
    lanes = state.shape[1:]
    none = jnp.zeros((MEMORY, *state.shape))
    return Progress(
        beats_done=jnp.asarray(0),
        state=state,
        image=state,
        change=state,
        images=none,
        changes=none,
        residual=jnp.full(lanes, jnp.inf),
        beats=jnp.zeros(lanes, dtype=jnp.int64),
        active=jnp.all(jnp.isfinite(state), axis=0),
    )


def advance(now: Progress, image: Array, weights: Array, tolerance: Array) -> Progress:
    """The iteration after one more evaluation of the map.

    Args:
        now: the iteration before it.
        image: the map at ``now.state``.
        weights: make the change of every state dimensionless, ``(n_state, *lanes)``.
        tolerance: largest weighted change that counts as a fixed point.
    """
    k = now.beats_done
    change = weights * (image - now.state)
    largest = jnp.max(jnp.abs(change), axis=0)
    finite = jnp.isfinite(largest)
    place = jnp.arange(MEMORY).reshape(MEMORY, *(1,) * image.ndim)
    filled = (place == jnp.mod(k, MEMORY)) & (k >= 1)
    images = jnp.where(filled, (image - now.image)[None], now.images)
    changes = jnp.where(filled, (change - now.change)[None], now.changes)
    accelerated = image - _least_squares(changes, change, images)
    use = (k >= WARM_BEATS) & jnp.all(jnp.isfinite(accelerated), axis=0)
    still = now.active & finite & (largest > tolerance)
    # a lane that just converged takes the end of its last beat; a lane at rest keeps its state
    ended = jnp.where(now.active & finite, image, now.state)
    return Progress(
        beats_done=k + 1,
        state=jnp.where(still, jnp.where(use, accelerated, image), ended),
        image=image,
        change=change,
        images=images,
        changes=changes,
        residual=jnp.where(now.active, largest, now.residual),
        beats=jnp.where(now.active, k + 1, now.beats),
        active=still,
    )


def _least_squares(d_f: Array, f: Array, d_g: Array) -> Array:
    """``d_g @ argmin |f - d_f @ c|`` lane by lane, by ridged normal equations, elementwise."""
    m = d_f.shape[0]
    gram = [[jnp.sum(d_f[i] * d_f[j], axis=0) for j in range(m)] for i in range(m)]
    right = [jnp.sum(d_f[i] * f, axis=0) for i in range(m)]
    ridge = 1e-10 * sum(gram[i][i] for i in range(m)) + jnp.finfo(jnp.float64).tiny
    for i in range(m):
        gram[i][i] = gram[i][i] + ridge
    for i in range(m):  # symmetric positive definite: elimination needs no pivoting
        for j in range(i + 1, m):
            factor = gram[j][i] / gram[i][i]
            gram[j] = [gram[j][k] - factor * gram[i][k] if k >= i else gram[j][k] for k in range(m)]
            right[j] = right[j] - factor * right[i]
    solution: list[Array] = [right[0]] * m
    for i in reversed(range(m)):
        known = sum((gram[i][k] * solution[k] for k in range(i + 1, m)), start=jnp.zeros_like(f[0]))
        solution[i] = (right[i] - known) / gram[i][i]
    return sum((d_g[i] * solution[i] for i in range(m)), start=jnp.zeros_like(f))
