"""Priors of a fit: how far parameters of one patient lie from the typical ones, before a measurement."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vht.fitting.courses import Free
from vht.patient import VirtualPatient

Prior = Literal["published"] | np.ndarray


def precision(patient: VirtualPatient, free: tuple[Free, ...], prior: Prior | None) -> np.ndarray:
    """Inverse covariance of the deviations, ``(p, p)``; zeros without a prior.

    Raises:
        ValueError: a covariance of another shape, or one that is not positive definite.
    """
    p = len(free)
    if prior is None:
        return np.zeros((p, p))
    covariance = published_covariance(patient, free) if isinstance(prior, str) else np.asarray(prior, float)
    if covariance.shape != (p, p) or not np.allclose(covariance, covariance.T):
        raise ValueError(
            f"prior: a symmetric covariance of the shape ({p}, {p}) is needed, in the order of free"
        )
    least = np.linalg.eigvalsh(covariance)[0]
    if not least > 0:
        raise ValueError(
            "prior: the covariance must be positive definite; leave fixed or shared parameters out of free"
        )
    return np.asarray(np.linalg.inv(covariance))


def published_covariance(patient: VirtualPatient, free: tuple[Free, ...]) -> np.ndarray:
    """Of the random effects that the models declare for these parameters, ``(p, p)``.

    Raises:
        ValueError: a parameter without a published spread; names it.
    """
    out = np.zeros((len(free), len(free)))
    for i, each in enumerate(free):
        if not each.declared.omega2 > 0:
            raise ValueError(
                f"{each.label} has no published variability; give a covariance as prior, or fix it"
            )
        model = patient.models[each.model]
        for names, block in model.random_effects():
            if each.name in names:
                for j, other in enumerate(free):
                    if other.model == each.model and other.name in names:
                        out[i, j] = block[names.index(each.name)][names.index(other.name)]
    return out
