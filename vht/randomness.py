"""Randomness that depends on who, what for and when, and on nothing else.

Every random number comes from ``fold_in(study seed, patient's study number, purpose, time)``. So a
result does not depend on chunks, workers, order or resume; the same virtual patient meets the same
luck in every arm; and a new purpose changes no other. The study number is not the pseudonym: it is
random and survives a change of keys.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri


def uniform(seed: int, study_numbers: np.ndarray, purpose: str, time: float = 0.0) -> np.ndarray:
    """Independent uniform numbers in the open interval (0, 1), one a patient.

    Args:
        seed: the study's seed.
        study_numbers: integers of shape ``(n,)``.
        purpose: what the number is for, in words; another purpose is another, independent stream.
        time: day of the event it belongs to, resolved to 1/1000 day.

    Returns:
        Array of shape ``(n,)`` with 53 random bits each.
    """
    numbers = np.asarray(study_numbers, dtype=np.int64)
    if numbers.size == 0:
        return np.zeros(0)
    low = (numbers & 0xFFFFFFFF).astype(np.uint32)
    high = (numbers >> 32).astype(np.uint32)
    digest = hashlib.sha256(purpose.encode()).digest()
    bits = _bits()(
        seed,
        low,
        high,
        np.uint32(int.from_bytes(digest[:4], "big")),
        np.uint32(round(time * 1000) & 0xFFFFFFFF),
    )
    return (np.asarray(bits) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normal(seed: int, study_numbers: np.ndarray, purpose: str, time: float = 0.0) -> np.ndarray:
    """Independent standard normal numbers; arguments and shape as for :func:`uniform`."""
    return np.asarray(ndtri(uniform(seed, study_numbers, purpose, time)))


@functools.cache
def _bits() -> Callable[..., Any]:
    def one(key: Any, low: Any, high: Any, purpose: Any, time: Any) -> Any:
        for number in (low, high, purpose, time):
            key = jax.random.fold_in(key, number)
        return jax.random.bits(key, dtype=jnp.uint64)

    def many(seed: Any, low: Any, high: Any, purpose: Any, time: Any) -> Any:
        key = jax.random.key(seed, impl="threefry2x32")
        return jax.vmap(one, in_axes=(None, 0, 0, None, None))(key, low, high, purpose, time)

    return jax.jit(many)
