"""Fits of slow models to measurements: weighted least squares, maximum likelihood and maximum a posteriori.

Every patient is fitted alone, all side by side, by Fisher scoring with the damping of Levenberg and
Marquardt. What moves are the deviations of parameters from where they start, each on the scale of its
declared effect (ln for a log-normal one), with derivatives by JAX and the declared bounds as limits. With a
prior (the model's published variability, or another covariance) the start is its centre.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from organ_models.catalogue import model as catalogue_model
from organ_models.model import OrganModel
from organ_models.precision import require_float64
from organ_models.variability import Effect, individual_value, lower_factor
from vht.course import Doses
from vht.fitting.courses import Free, Group, free_parameters, groups
from vht.fitting.errors import Likelihood, MeasurementError, likelihood
from vht.fitting.modes import find_modes, half_quadratic, squares
from vht.fitting.priors import Prior, precision
from vht.patient import VirtualPatient
from vht.population import Individuals, typical
from vht.randomness import normal, uniform

_LANES = 1024
_BROADER = 1.3
"""Draws are proposed from the Laplace approximation with SDs this much larger, and then weighed."""


@dataclass(frozen=True)
class Forecast:
    """What a fit expects on some days.

    Attributes:
        days: shape ``(k, n)``.
        median, low, high: of the posterior predictive distribution, ``(k, n)``, NaN for who has no fit.
        interval: the probability between low and high.
    """

    days: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    interval: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model, patient by patient.

    Attributes:
        free: the fitted parameters, ``model.parameter``.
        parameters: everybody with parameters at the mode; of who was not fitted NaN in ``free``.
        deviations: of the free parameters from their centres on the scales of their effects, ``(p, n)``.
        covariance: of the deviations by Laplace's approximation, ``(p, p, n)``; a parameter at a bound has
            none.
        log_likelihood: of the measurements at the mode, ``(n,)``.
        points: how many measurements there were, ``(n,)``.
        fitted: the output on the measured days, ``(k, n)``.
        converged: whether the mode was found, ``(n,)``.
        days, observed: what was fitted to, ``(k, n)``.
    """

    free: tuple[str, ...]
    parameters: Individuals
    deviations: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray
    points: np.ndarray
    fitted: np.ndarray
    slopes: np.ndarray
    converged: np.ndarray
    days: np.ndarray
    observed: np.ndarray
    _problem: _Problem

    @property
    def residuals(self) -> np.ndarray:
        """Measured less fitted, ``(k, n)``."""
        return self.observed - self.fitted

    @property
    def aic(self) -> np.ndarray:
        """Akaike's criterion, 2 p - 2 ln L, ``(n,)``. It compares fits without a prior."""
        return 2.0 * len(self.free) - 2.0 * self.log_likelihood

    def of(self, parameter: str) -> np.ndarray:
        """A free parameter at the mode, ``(n,)``; ``model.parameter``, or ``parameter`` where that is clear.

        Raises:
            ValueError: it was not fitted.
        """
        for label in self.free:
            if parameter in (label, label.partition(".")[2]):
                name, _, field = label.partition(".")
                return np.asarray(getattr(self.parameters.parameters[name], field))
        raise ValueError(f"'{parameter}' was not fitted; {', '.join(self.free)} were")

    def predict(
        self,
        days: Sequence[float] | np.ndarray,
        *,
        interval: float = 0.9,
        doses: Doses | None = None,
        measured: bool = True,
        draws: int = 400,
        seed: int = 0,
    ) -> Forecast:
        """The posterior predictive distribution on other days.

        Deviations are drawn from Laplace's approximation and resampled by their true posterior density, so
        that the intervals also hold where it is skewed. They hang on the seed and the patient's study
        number alone.

        Args:
            days: shape ``(k,)`` for all, or ``(k, n)``, NaN after a patient's last.
            interval: probability between the limits.
            doses: as for the fit, and long enough; those of the fit if absent.
            measured: whether a measurement is told, with its error, or the true course.
            draws: how many.
            seed: for the draws.

        Raises:
            ValueError: an interval that is no probability, or too few draws.
        """
        if not 0.0 < interval < 1.0 or draws < 20:
            raise ValueError("interval must lie between 0 and 1, and draws must be 20 or more")
        problem = self._problem if doses is None else dataclasses.replace(self._problem, doses=doses)
        wanted = _wide(days, len(self.parameters), "days")
        k, m = self.days.shape[0], wanted.shape[0]
        both = np.concatenate([self.days, wanted])
        order = np.argsort(both, axis=0, kind="stable")  # NaN goes last
        both = np.take_along_axis(both, order, axis=0)
        taken = np.concatenate([self.observed, np.full(wanted.shape, np.nan)])
        taken = np.take_along_axis(taken, order, axis=0)
        limits = np.full((3, k + m, len(self.parameters)), np.nan)
        tails = ((1 - interval) / 2, 0.5, (1 + interval) / 2)
        for group in problem.groups(both, taken):
            measure = likelihood(problem.error, group.days, group.observed)
            values = self._posterior(group, measure, draws, seed)
            rows = min(k + m, values.shape[1])
            if measured:
                numbers = self.parameters.study_numbers[group.lanes]
                values = _measurements(measure, values, numbers, seed, rows)
            limits[:, :rows, group.lanes] = np.quantile(values[:, :rows], tails, axis=0)
        place = np.argsort(order, axis=0)[k:]
        low, median, high = np.where(
            np.isfinite(wanted) & self.converged, np.take_along_axis(limits, place[None], axis=1), np.nan
        )
        return Forecast(wanted, median, low, high, interval)

    def _posterior(self, group: Group, measure: Likelihood, draws: int, seed: int) -> np.ndarray:
        """Values on a group's days, drawn from the posterior, ``(draws, readings, patients)``."""
        lanes, p = group.lanes, len(self.free)
        numbers = self.parameters.study_numbers[lanes]
        mode, low, high = (a[:, lanes] for a in (self.deviations, *self._problem.limits()))
        factors = _BROADER * np.stack(
            [
                lower_factor(self.covariance[:, :, lane]) if self.converged[lane] else np.zeros((p, p))
                for lane in lanes
            ]
        )
        luck = np.stack(
            [[normal(seed, numbers, f"fit {label}", float(d)) for label in self.free] for d in range(draws)]
        )
        moved = np.zeros_like(luck)
        for i in range(p):
            for j in range(i + 1):
                moved[:, i] += factors[:, i, j] * luck[:, j]
        drawn = np.clip(mode + moved, low, high)
        who = np.arange(lanes.size)
        each = max(1, _LANES // lanes.size)
        values = []
        for begin in range(0, draws, each):
            some = drawn[begin : begin + each]
            seen = group.values(np.concatenate(list(some), axis=1), np.tile(who, len(some)))
            values += np.split(seen, len(some), axis=1)
        weight = np.stack(
            [
                0.5 * squares(z) - measure.misfit(v).value - self._problem.penalty(d)
                for z, v, d in zip(luck, values, drawn, strict=True)
            ]
        )
        chosen = _resampled(weight, uniform(seed, numbers, "fit resampling"))
        return np.take_along_axis(np.stack(values), chosen[:, None, :], axis=0)


def fit(
    patient: VirtualPatient | OrganModel | str,
    days: Sequence[float] | np.ndarray,
    observed: Sequence[float] | np.ndarray,
    *,
    output: str,
    free: Sequence[str],
    error: MeasurementError | None = None,
    prior: Prior | None = None,
    people: Individuals | None = None,
    doses: Doses | None = None,
) -> Fit:
    """Fit parameters of slow models to measurements, every patient alone.

    Args:
        patient: a composition, a model, or a model's name.
        days: when was measured, increasing, from day 0 on: ``(k,)`` for all, or ``(k, n)``, NaN after a
            patient's last.
        observed: what was measured, ``(k,)`` of one patient or ``(k, n)``; NaN where nothing was.
        output: ``model.output`` that was measured, or ``output`` where the patient is one model.
        free: parameters that move, ``model.parameter``, or ``parameter`` where the patient is one model.
        error: how measurements miss; the first residual error that the model declares for the output if
            absent.
        prior: None for least squares or maximum likelihood; ``"published"`` for the model's declared
            variability of the free parameters; or their covariance on the scales of their effects, ``(p,
            p)``, in their order.
        people: who, with the parameters to start from, which are the centre of a prior; typical patients if
            absent.
        doses: as for :func:`vht.simulate`.

    Returns:
        :class:`Fit`. A patient for whom no mode is found is NaN and not ``converged``; nobody else notices.

    Raises:
        ValueError: shapes that do not fit, no error to go by, fewer measurements than parameters without a
            prior, a published variability that is missing, or values that the error cannot have made.
        CompositionError: an unknown output or parameter, one that belongs to no slow model, or a wrong dose
            port.

    Example:
        >>> import vht
        >>> from vht.fitting.errors import KnownSpread
        >>> mouse = vht.fit(
        ...     "exponential_growth",
        ...     [5, 10, 15],
        ...     [6.5, 42.0, 280.0],
        ...     output="volume",
        ...     free=["growth_rate"],
        ...     error=KnownSpread(lambda volume: 0.1 * volume),
        ... )
        >>> mouse.of("growth_rate").round(3)
        array([0.375])
    """
    require_float64()
    whole = _composed(patient)
    port = output if "." in output or len(whole.models) != 1 else f"{next(iter(whole.models))}.{output}"
    measured = np.asarray(observed, float)
    measured = measured[:, None] if measured.ndim == 1 else measured
    n = measured.shape[1]
    who = typical(whole, n) if people is None else people
    if measured.ndim != 2 or len(who) != n:
        raise ValueError(f"observed: {n} columns for {len(who)} people; give one column for each")
    when = _wide(days, n, "days")
    if when.shape != measured.shape:
        raise ValueError(
            f"days and observed have the shapes {when.shape} and {measured.shape}; give one day a row"
        )
    if np.any(np.isfinite(measured) & ~np.isfinite(when)):
        raise ValueError("days: a measurement has no day")
    moving = free_parameters(whole, free)
    problem = _Problem(
        whole, who, doses or {}, port, moving, _error(whole, port, error), precision(whole, moving, prior)
    )
    points = np.isfinite(measured).sum(axis=0)
    if prior is None and (points < len(moving)).any():
        raise ValueError(
            f"{(points < len(moving)).sum()} patients have fewer measurements than the {len(moving)} free "
            f"parameters; "
            "leave them out, free fewer, or give a prior"
        )
    p, k = len(moving), when.shape[0]
    deviations, covariance = np.full((p, n), np.nan), np.full((p, p, n), np.nan)
    fitted, slopes = np.full((k, n), np.nan), np.full((k, p, n), np.nan)
    likely, converged = np.full(n, np.nan), np.zeros(n, dtype=bool)
    low, high = problem.limits()
    for group in problem.groups(when, measured):
        lanes = group.lanes
        measure = likelihood(problem.error, group.days, group.observed)
        found = find_modes(group, measure, problem.precision, low[:, lanes], high[:, lanes])
        rows = min(k, found.values.shape[0])
        good = np.where(found.converged, 1.0, np.nan)
        deviations[:, lanes], covariance[:, :, lanes] = found.deviations * good, found.covariance * good
        likely[lanes], converged[lanes] = -found.misfit * good, found.converged
        fitted[:rows, lanes], slopes[:rows, :, lanes] = found.values[:rows] * good, found.slopes[:rows] * good
    fitted = np.where(np.isfinite(when), fitted, np.nan)
    at_mode = who
    for place, each in enumerate(moving):
        centre = problem.centre(each)
        at_mode = at_mode.changed(
            each.model, **{each.name: _individual(each.declared.effect, centre, deviations[place])}
        )
    return Fit(
        tuple(f.label for f in moving),
        at_mode,
        deviations,
        covariance,
        likely,
        points,
        fitted,
        slopes,
        converged,
        when,
        measured,
        problem,
    )


# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is fitted. ``people`` hold the centres; ``precision`` is that of the prior, zeros without one."""

    patient: VirtualPatient
    people: Individuals
    doses: Doses
    output: str
    free: tuple[Free, ...]
    error: MeasurementError
    precision: np.ndarray

    def groups(self, days: np.ndarray, observed: np.ndarray) -> list[Group]:
        return groups(self.patient, self.people, self.doses, self.output, self.free, days, observed)

    def centre(self, each: Free) -> np.ndarray:
        value = getattr(self.people.parameters[each.model], each.name)
        return np.broadcast_to(np.asarray(value, float), (len(self.people),))

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the deviations, each ``(p, n)``."""
        low, high = [], []
        for each in self.free:
            centre, bounds = self.centre(each), each.declared.bounds
            if np.any((centre < bounds[0]) | (centre > bounds[1])):
                raise ValueError(
                    f"{each.label}: a patient starts outside the bounds {bounds[0]:g} to {bounds[1]:g}"
                )
            low.append(_deviation(each.declared.effect, centre, bounds[0]))
            high.append(_deviation(each.declared.effect, centre, bounds[1]))
        return np.stack(low), np.stack(high)

    def penalty(self, deviations: np.ndarray) -> np.ndarray:
        """Negative logarithm of the prior, without its constant, ``(n,)``."""
        return half_quadratic(self.precision, deviations)


def _resampled(weight: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Which draws stand for the posterior, by log-weights ``(draws, n)``: systematic resampling."""
    draws, n = weight.shape
    weight = np.where(np.isfinite(weight), weight, -np.inf)
    out = np.empty((draws, n), dtype=np.int64)
    for lane in range(n):
        top = weight[:, lane].max()
        share = np.exp(weight[:, lane] - top) if np.isfinite(top) else np.ones(draws)
        steps = np.cumsum(share) / share.sum()
        marks = (np.arange(draws) + luck[lane]) / draws
        out[:, lane] = np.minimum(np.searchsorted(steps, marks), draws - 1)
    return out


def _measurements(
    measure: Likelihood, values: np.ndarray, numbers: np.ndarray, seed: int, rows: int
) -> np.ndarray:
    """Measurements around drawn courses, ``(draws, readings, patients)``; later rows are padding."""
    out = np.empty_like(values)
    luck = np.zeros(values.shape[1:])
    for d, course in enumerate(values):
        for k in range(rows):
            luck[k] = normal(seed, numbers, f"fit measurement {k}", float(d))
        out[d] = measure.forecast(course, luck)
    return out


def _individual(effect: Effect, centre: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    return np.asarray(individual_value(effect, centre, deviation))


def _deviation(effect: Effect, centre: np.ndarray, value: float) -> np.ndarray:
    """Of a bound from everybody's centre; infinite where the scale ends before it."""
    with np.errstate(all="ignore"):
        if effect == "normal":
            return np.asarray(value - centre)
        inside = max(value, 0.0)
        if effect == "log-normal":
            return np.asarray(np.log(inside) - np.log(centre))
        inside = min(inside, 1.0)
        return np.asarray(np.log(inside) - np.log1p(-inside) - np.log(centre) + np.log1p(-centre))


def _composed(patient: VirtualPatient | OrganModel | str) -> VirtualPatient:
    if isinstance(patient, VirtualPatient):
        return patient
    return _alone(catalogue_model(patient) if isinstance(patient, str) else patient)


@functools.cache
def _alone(model: OrganModel) -> VirtualPatient:
    """Kept, so that code is made once for a model."""
    return VirtualPatient([model])


def _wide(given: Sequence[float] | np.ndarray, n: int, what: str) -> np.ndarray:
    table = np.asarray(given, float)
    if table.ndim not in (1, 2) or (table.ndim == 2 and table.shape[1] not in (1, n)) or not table.size:
        raise ValueError(f"{what}: the shape {table.shape} is neither (k,) nor (k, {n})")
    return np.array(np.broadcast_to(table[:, None] if table.ndim == 1 else table, (table.shape[0], n)))


def _error(patient: VirtualPatient, port: str, error: MeasurementError | None) -> MeasurementError:
    if error is not None:
        return error
    patient.port(port, "Outputs")
    model, _, output = port.partition(".")
    for residual in patient.models[model].residuals:
        if residual.output == output:
            return residual
    raise ValueError(f"{port}: the model declares no residual error for it; give error=")
