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
    purpose_word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    common = (*_words(seed), purpose_word, round(time * 1000) & _LOW)
    bits = np.asarray(_bits()(np.array(common, dtype=np.uint32), np.stack(_words(numbers)).astype(np.uint32)))
    integers = (bits[:, 0].astype(np.uint64) << np.uint64(32)) | bits[:, 1].astype(np.uint64)
    return (integers >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normal(seed: int, study_numbers: np.ndarray, purpose: str, time: float = 0.0) -> np.ndarray:
    """Independent standard normal numbers; arguments and shape as for :func:`uniform`."""
    return np.asarray(ndtri(uniform(seed, study_numbers, purpose, time)))


_LOW = 0xFFFFFFFF


def _words(number: Any) -> tuple[Any, Any]:
    """The high and low 32 bits: keys are made of 32-bit words whatever precision JAX is set to."""
    return number >> 32 & _LOW, number & _LOW


@functools.cache
def _bits() -> Callable[..., Any]:
    def one(common: Any, number: Any) -> Any:
        seed_high, seed_low, purpose, time = common
        key = jax.random.key(0, impl="threefry2x32")
        for word in (seed_high, seed_low, number[0], number[1], purpose, time):
            key = jax.random.fold_in(key, word)
        return jax.random.bits(key, (2,), dtype=jnp.uint32)

    return jax.jit(jax.vmap(one, in_axes=(None, 1)))
