"""Forecasts of single lesions, held to what was measured later.

The first two thirds of every series are fitted, the last third is forecast, and both are compared with what
a clinic does without a model: to expect the last value, or a straight line. A patient's prior is estimated
from other patients alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vht.fitting.errors import Wandering
from vht.fitting.populations import Population, estimate_population
from vht.recist.sizes import sphere_diameter, sphere_volume

LEAST_POINTS = 6
FOLDS = 2
_FLOOR = 5.0
"""Diameter, mm, that is small to a scanner: logarithms are taken of sizes plus this sphere, so that 0 is
one."""
_LEAST = 3.0
"""Smallest diameter, mm, that a course starts from: the smallest that was written down other than 0."""


@dataclass(frozen=True)
class Lesions:
    """Series of one lesion a patient.

    Attributes:
        days: from the first measurement, NaN after the last, ``(k, n)``.
        diameters: mm, ``(k, n)``.
        patients: key of every column.
    """

    days: np.ndarray
    diameters: np.ndarray
    patients: tuple[tuple[str, str], ...]


def lesions(table: pd.DataFrame, least: int = LEAST_POINTS) -> Lesions:
    """Series from the layout of Ghaffari Laleh et al. 2022: one row a measurement.

    Codes in place of a diameter ("NOT EVALUABLE") are no measurements. A patient is known by identifier *and*
    study: identifiers occur in more than one study.

    Args:
        table: columns ``patient``, ``study``, ``day``, ``target_lesion_long_diam_mm``.
        least: patients with fewer numbers are left out.

    Raises:
        ValueError: a column is missing, or nobody is left.
    """
    wanted = {"patient", "study", "day", "target_lesion_long_diam_mm"}
    if missing := wanted - set(table.columns):
        raise ValueError(f"lesions: the table lacks {', '.join(sorted(missing))}")
    rows = table.assign(size=pd.to_numeric(table["target_lesion_long_diam_mm"], errors="coerce"))
    rows = rows.dropna(subset=["size", "day"]).sort_values(["study", "patient", "day"], kind="stable")
    who = rows.groupby(["study", "patient"])
    rows = rows[who["size"].transform("size") >= least]
    if rows.empty:
        raise ValueError(f"lesions: no patient has {least} numbers")
    who = rows.groupby(["study", "patient"])
    rows = rows.assign(row=who.cumcount(), day=rows["day"] - who["day"].transform("min"))
    wide = rows.pivot(index="row", columns=["study", "patient"], values=["day", "size"])
    return Lesions(
        wide["day"].to_numpy(float),
        wide["size"].to_numpy(float),
        tuple((str(s), str(p)) for s, p in wide["size"].columns),
    )


@dataclass(frozen=True)
class HeldOut:
    """Forecasts of the last third of every series, one entry a measurement, mm.

    Attributes:
        patient: place of the patient.
        ahead: days since the last measurement that was fitted.
        observed, median, low, high: what was measured, and the posterior predictive distribution.
        last: the last value that was fitted.
        linear: a straight line through all that were fitted, at least 0.
        interval: the probability between low and high.
        populations: the prior of every fold.
    """

    patient: np.ndarray
    ahead: np.ndarray
    observed: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    last: np.ndarray
    linear: np.ndarray
    interval: float
    populations: tuple[Population, ...]

    @property
    def coverage(self) -> float:
        """Share of measurements within the interval."""
        return float(np.mean((self.observed >= self.low) & (self.observed <= self.high)))

    def errors(self) -> pd.DataFrame:
        """How far forecasts were off, by method: mean, median and root mean square, mm, and the median
        relative to the measurement where that is not 0."""
        rows = {}
        for name in ("median", "last", "linear"):
            off = np.abs(getattr(self, name) - self.observed)
            there = self.observed > 0
            rows[name] = {
                "mean": off.mean(),
                "median": np.median(off),
                "root_mean_square": np.sqrt((off**2).mean()),
                "median_relative": np.median(off[there] / self.observed[there]),
            }
        return pd.DataFrame(rows).T

    def worse_than(self, other: str) -> tuple[float, float]:
        """Mean absolute error of the forecast less that of ``last`` or ``linear``, mm, averaged over
        patients, and its standard error; below zero the forecast is better."""
        gap = np.abs(self.median - self.observed) - np.abs(getattr(self, other) - self.observed)
        each = pd.Series(gap).groupby(self.patient).mean()
        return float(each.mean()), float(each.std() / np.sqrt(each.size))


def held_out_forecasts(series: Lesions, *, interval: float = 0.9, draws: int = 300, seed: int = 1) -> HeldOut:
    """Forecast the last third of every series from its first two thirds.

    Sizes follow Gompertz' law towards a size of their own, above or below the first one; the course around
    it wanders (:class:`vht.fitting.errors.Wandering`). A fold's patients get the population of the
    other folds, estimated from their whole series: what is held out of a patient touches neither the prior
    nor the error that the patient is forecast with.

    Args:
        series: from :func:`lesions`.
        interval: probability of the intervals.
        draws, seed: as for :meth:`vht.fitting.Fit.predict`.
    """
    volumes = sphere_volume(series.diameters)
    n = volumes.shape[1]
    count = np.isfinite(volumes).sum(axis=0)
    fitted = np.ceil(count * 2 / 3).astype(int)
    before = np.arange(len(volumes))[:, None] < fitted
    after = ~before & np.isfinite(volumes)
    fold = np.arange(n) % FOLDS
    limits, priors = np.full((3, *volumes.shape), np.nan), []
    for k in range(FOLDS):
        others, mine = fold != k, np.flatnonzero(fold == k)
        prior = population_of(series.days[:, others], volumes[:, others])
        made = prior.fit(
            np.where(before, series.days, np.nan)[:, mine], np.where(before, volumes, np.nan)[:, mine]
        )
        told = made.predict(series.days[:, mine], interval=interval, draws=draws, seed=seed)
        limits[:, :, mine] = sphere_diameter(np.stack([told.low, told.median, told.high]))
        priors.append(prior)
    who = np.broadcast_to(np.arange(n), volumes.shape)
    last = np.take_along_axis(series.diameters, fitted[None] - 1, axis=0)
    since = series.days - np.take_along_axis(series.days, fitted[None] - 1, axis=0)
    low, median, high = (rows[after] for rows in limits)
    return HeldOut(
        who[after],
        since[after],
        series.diameters[after],
        median,
        low,
        high,
        np.broadcast_to(last, volumes.shape)[after],
        _straight(series, before)[after],
        interval,
        tuple(priors),
    )


def population_of(days: np.ndarray, volumes: np.ndarray) -> Population:
    """The population of lesions, from their series: days and volumes (mm3), ``(k, n)``."""
    return estimate_population(
        "gompertz_capacity",
        days,
        volumes,
        output="volume",
        size="initial_volume",
        start={"carrying_capacity": 0.5, "growth_rate_decay": 0.01},
        relative=frozenset({"carrying_capacity"}),
        error=Wandering(0.2, 1.0, float(sphere_volume(_FLOOR))),
        least=float(sphere_volume(_LEAST)),
    )


def _straight(series: Lesions, before: np.ndarray) -> np.ndarray:
    out = np.full(series.days.shape, np.nan)
    for lane in range(len(series.patients)):
        day, size = series.days[before[:, lane], lane], series.diameters[before[:, lane], lane]
        apart = day - day.mean()
        slope = (apart * size).sum() / (apart**2).sum()
        out[:, lane] = np.maximum(size.mean() + slope * (series.days[:, lane] - day.mean()), 0.0)
    return out
