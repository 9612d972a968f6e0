"""The distribution of a population's parameters from many short series (empirical Bayes).

By expectation and maximisation with Laplace's approximation: everybody is fitted with the present
distribution as prior, and typical values, covariance and error are then those that explain the fits and
their uncertainty best. Sizes are told relative to what was measured first, whose own spread between
patients is left wide open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from organ_models.catalogue import model as catalogue_model
from organ_models.model import fields
from vht.fitting.errors import Wandering
from vht.fitting.fits import Fit, fit
from vht.patient import VirtualPatient
from vht.population import Individuals, typical

_OPEN = 1.0
"""Variance of ln(initial size / first measurement) in the prior: many times that of any measurement."""
_ROUNDS = 40
_STILL = 0.02
"""Change of every population number, relative or on the logarithmic scale, that counts as settled."""


@dataclass(frozen=True, eq=False)
class Population:
    """An estimated distribution.

    Attributes:
        patient: the model, composed.
        output: the port that is measured.
        size: the parameter that is the size at the start.
        others: the other free parameters.
        relative: those of them that are sizes, told as multiples of the size at the start.
        typical: of every other parameter the typical value, or multiple.
        covariance: of the logarithms of the others, ``(q, q)``.
        error: how measurements miss.
        least: the smallest size that somebody can start from.
    """

    patient: VirtualPatient
    output: str
    size: str
    others: tuple[str, ...]
    relative: frozenset[str]
    typical: Mapping[str, float]
    covariance: np.ndarray
    error: Wandering
    least: float

    def fit(self, days: np.ndarray, observed: np.ndarray) -> Fit:
        """Fit patients with this population as prior; arguments as for :func:`vht.fit`, ``(k, n)``.

        Raises:
            ValueError: a patient without a first measurement.
        """
        return fit(
            self.patient,
            days,
            observed,
            output=self.output,
            free=[self.size, *self.others],
            error=self.error,
            prior=self._prior(),
            people=self._people(observed[0]),
        )

    def _people(self, first: np.ndarray) -> Individuals:
        if not np.isfinite(first).all():
            raise ValueError("observed: every patient needs a measurement in the first row")
        start = np.maximum(first, self.least)
        values = {k: v * start if k in self.relative else v for k, v in self.typical.items()}
        name = self.output.partition(".")[0]
        return typical(self.patient, first.size).changed(name, **{self.size: start, **values})

    def _prior(self) -> np.ndarray:
        """A multiple moves with the size that it is of."""
        q = len(self.others)
        whole = np.zeros((q + 1, q + 1))
        whole[1:, 1:] = self.covariance
        along = np.array([1.0, *(float(o in self.relative) for o in self.others)])
        return np.asarray(whole + _OPEN * np.outer(along, along))


def estimate_population(
    model: str,
    days: np.ndarray,
    observed: np.ndarray,
    *,
    output: str,
    size: str,
    start: Mapping[str, float],
    relative: frozenset[str] = frozenset(),
    spread: float = 1.0,
    error: Wandering,
    least: float,
) -> Population:
    """Estimate the distribution that patients come from.

    Args:
        model: name in the catalogue.
        days, observed: ``(k, n)``, NaN after a patient's last; the first row is whole.
        output: the output that is measured.
        size: the parameter that is its value on day 0.
        start: the other free parameters, with typical values (of those in ``relative`` multiples of the
            size) to begin from.
        relative: parameters that are sizes themselves.
        spread: SD of every other parameter's logarithm to begin from.
        error: where its SDs begin; its floor stays.
        least: smallest size to start from.

    Raises:
        ValueError: a parameter whose effect is not log-normal; fewer patients than can settle a covariance.
    """
    declared = fields(catalogue_model(model).Parameters)
    if wrong := [n for n in (size, *start) if n in declared and declared[n].effect != "log-normal"]:
        raise ValueError(f"{wrong[0]}: populations are estimated for log-normal parameters only")
    if observed.shape[1] < 10 * (len(start) + 1):
        raise ValueError(
            f"{observed.shape[1]} patients cannot settle a covariance; give ten for every parameter"
        )
    patient = VirtualPatient([model])
    found = Population(
        patient,
        f"{model}.{output}",
        size,
        tuple(start),
        relative,
        dict(start),
        spread**2 * np.eye(len(start)),
        error,
        least,
    )
    for _ in range(_ROUNDS):
        new = _improved(found, days, observed)
        still = _distance(found, new) < _STILL
        found = new
        if still:
            break
    return found


# ---------------------------------------------------------------------------------------------------


def _improved(now: Population, days: np.ndarray, observed: np.ndarray) -> Population:
    made = now.fit(days, observed)
    good = np.flatnonzero(made.converged)
    turn = np.eye(len(now.others) + 1)
    for row, name in enumerate(now.others, start=1):
        if name in now.relative:
            turn[row, 0] = -1.0
    deviation = (turn @ made.deviations[:, good])[1:]
    own = np.einsum("ij,jkn,lk->iln", turn, made.covariance[:, :, good], turn)[1:, 1:]
    shift = deviation.mean(axis=1)
    centred = deviation - shift[:, None]
    covariance = (centred @ centred.T + own.sum(axis=2)) / good.size
    return Population(
        now.patient,
        now.output,
        now.size,
        now.others,
        now.relative,
        {k: v * float(np.exp(s)) for (k, v), s in zip(now.typical.items(), shift, strict=True)},
        covariance,
        _error(now.error, made, good),
        now.least,
    )


def _error(now: Wandering, made: Fit, good: np.ndarray) -> Wandering:
    """The SDs that explain how measurements miss the fits, whose own uncertainty counts too."""
    days, observed = made.days[:, good], made.observed[:, good]
    seen = np.isfinite(observed)
    days = np.where(np.isfinite(days), days, np.nanmax(days, axis=0))
    fitted = np.where(seen, made.fitted[:, good], 1.0) + now.floor
    off = np.where(seen, np.log(np.where(seen, observed, 1.0) + now.floor) - np.log(fitted), 0.0)
    slopes = np.where(seen[:, None], made.slopes[:, :, good], 0.0) / fitted[:, None]
    square = np.einsum("in,jn->nij", off, off)
    square += np.einsum("ipn,pqn,jqn->nij", slopes, made.covariance[:, :, good], slopes)

    def criterion(logs: np.ndarray) -> float:
        matrix = Wandering(float(np.exp(logs[0])), float(np.exp(logs[1])), now.floor).covariance(days, seen)
        _, size = np.linalg.slogdet(matrix)
        return float(size.sum() + np.einsum("nij,nji->", np.linalg.inv(matrix), square))

    begin = np.log([now.logarithmic, now.drift])
    best = minimize(criterion, begin, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3})
    sd, drift = np.exp(best.x)
    return Wandering(float(sd), float(drift), now.floor)


def _distance(a: Population, b: Population) -> float:
    logs = [abs(np.log(b.typical[k] / a.typical[k])) for k in a.typical]
    sds = np.abs(np.log(np.diag(b.covariance) / np.diag(a.covariance))) / 2
    errors = [np.log(b.error.logarithmic / a.error.logarithmic), np.log(b.error.drift / a.error.drift)]
    return float(max(*logs, *sds, *np.abs(errors)))
