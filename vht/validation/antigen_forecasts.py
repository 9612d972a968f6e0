"""Prostate-specific antigen under abiraterone: one patient's series fitted, and its tail forecast.

Sensitive and resistant cells compete (``abiraterone_competition``). How many there were at the start is each
patient's own, as in the published fits; so are the antigen of a full tumour, the growth of sensitive cells,
and how far the drug takes their place. The spread of these is assumed, wide, and not published.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vht.fitting import Fit, Forecast, fit
from vht.fitting.errors import Wandering
from vht.patient import VirtualPatient
from vht.population import typical

MODEL = "abiraterone_competition"
DRUG = f"{MODEL}.abiraterone"
SPREAD = {
    "sensitive_cells": 1.0,
    "resistant_cells": 2.0,
    "antigen_at_capacity": 1.0,
    "treated_capacity": 1.0,
    "sensitive_growth_rate": 0.5,
}
"""Assumed SD of the logarithm of what is each patient's own."""
ERROR = Wandering(logarithmic=0.2, drift=1.0, floor=0.1)
"""Assumed: an assay and its day-to-day variation of 20 %, told from 0.1 ng/mL on, and an e-fold a year of
wandering."""
_FULL = 3.0
"""Antigen of a full tumour over the first value, typically: the published starts fill a third or less."""


@dataclass(frozen=True)
class AntigenSeries:
    """Series of patients on and off abiraterone.

    Attributes:
        days: of the visits, NaN after the last, ``(k, n)``.
        antigen: ng/mL, ``(k, n)``.
        on: whether the drug was given, by day and patient, ``(last_day, n)``.
        patients: names of the columns.
    """

    days: np.ndarray
    antigen: np.ndarray
    on: np.ndarray
    patients: tuple[str, ...]

    def take(self, patients: Sequence[str]) -> AntigenSeries:
        """Some of the patients.

        Raises:
            ValueError: nobody of that name.
        """
        if missing := [p for p in patients if p not in self.patients]:
            raise ValueError(f"no patient {missing[0]} in the series")
        lanes = [self.patients.index(p) for p in patients]
        return AntigenSeries(self.days[:, lanes], self.antigen[:, lanes], self.on[:, lanes], tuple(patients))

    def training(self) -> np.ndarray:
        """Which visits are in the first two thirds of each series, ``(k, n)``."""
        count = np.isfinite(self.antigen).sum(axis=0)
        return np.asarray(np.arange(len(self.antigen))[:, None] < np.ceil(count * 2 / 3))


def antigen_series(table: pd.DataFrame) -> AntigenSeries:
    """Series from the layout of the abiraterone trial: one row a visit.

    What a visit records about the drug holds from its day on.

    Args:
        table: columns ``patient``, ``day``, ``psa`` (ng/mL), ``abiraterone_on`` (0 or 1).

    Raises:
        ValueError: a column is missing.
    """
    if missing := {"patient", "day", "psa", "abiraterone_on"} - set(table.columns):
        raise ValueError(f"antigen_series: the table lacks {', '.join(sorted(missing))}")
    rows = table.sort_values(["patient", "day"], kind="stable")
    rows = rows.assign(row=rows.groupby("patient").cumcount())
    wide = rows.pivot(index="row", columns="patient", values=["day", "psa", "abiraterone_on"])
    days = wide["day"].to_numpy(float)
    given = wide["abiraterone_on"].to_numpy(float)
    every = np.arange(int(np.ceil(np.nanmax(days))) + 1)
    on = np.zeros((every.size, days.shape[1]))
    for lane in range(days.shape[1]):
        known = days[np.isfinite(days[:, lane]), lane]
        on[:, lane] = given[np.maximum(np.searchsorted(known, every, side="right") - 1, 0), lane]
    return AntigenSeries(days, wide["psa"].to_numpy(float), on, tuple(map(str, wide["psa"].columns)))


def fit_antigen(series: AntigenSeries, used: np.ndarray | None = None) -> Fit:
    """Fit everybody's own parameters to a part of their visits.

    Args:
        series: the visits.
        used: which of them, ``(k, n)``; all if absent. The first visit of everybody must be among them.
    """
    which = np.isfinite(series.antigen) if used is None else used & np.isfinite(series.antigen)
    patient = VirtualPatient([MODEL])
    people = dataclasses.replace(
        typical(patient, len(series.patients)), study_numbers=np.array([_number(p) for p in series.patients])
    ).changed(MODEL, antigen_at_capacity=_FULL * np.maximum(series.antigen[0], ERROR.floor))
    return fit(
        patient,
        np.where(which, series.days, np.nan),
        np.where(which, series.antigen, np.nan),
        output="antigen",
        free=list(SPREAD),
        error=ERROR,
        prior=np.diag([sd**2 for sd in SPREAD.values()]),
        people=people,
        doses={DRUG: series.on},
    )


@dataclass(frozen=True)
class AntigenForecasts:
    """Forecasts of the last third of every series under the drug as it was given.

    Attributes:
        series: the visits.
        fitted: which of them were fitted, ``(k, n)``.
        forecast: on all visits.
    """

    series: AntigenSeries
    fitted: np.ndarray
    forecast: Forecast

    @property
    def held_out(self) -> np.ndarray:
        """Which visits were forecast, ``(k, n)``."""
        return np.asarray(np.isfinite(self.series.antigen) & ~self.fitted)

    @property
    def coverage(self) -> float:
        """Share of the held-out visits within the interval."""
        inside = (self.series.antigen >= self.forecast.low) & (self.series.antigen <= self.forecast.high)
        return float(inside[self.held_out].mean())

    def errors(self) -> pd.DataFrame:
        """Absolute logarithmic error (of antigen plus the floor) of the forecast and of the last value,
        mean and median over held-out visits, by patient."""
        last = np.ceil(np.isfinite(self.series.antigen).sum(axis=0) * 2 / 3).astype(int) - 1
        carried = np.take_along_axis(self.series.antigen, last[None], axis=0)
        seen = self.series.antigen + ERROR.floor
        rows = {}
        for lane, name in enumerate(self.series.patients):
            kept = self.held_out[:, lane]
            true = np.log(seen[kept, lane])
            rows[name] = {
                "visits": int(kept.sum()),
                "forecast": np.abs(np.log(self.forecast.median[kept, lane] + ERROR.floor) - true).mean(),
                "last": np.abs(np.log(carried[0, lane] + ERROR.floor) - true).mean(),
            }
        return pd.DataFrame(rows).T


def forecast_antigen(
    series: AntigenSeries, *, interval: float = 0.9, draws: int = 400, seed: int = 1
) -> AntigenForecasts:
    """Fit the first two thirds of every series and forecast the last third.

    Args:
        series: the visits, with the drug as it was given, also in the last third.
        interval, draws, seed: as for :meth:`vht.fitting.Fit.predict`.
    """
    fitted = series.training()
    made = fit_antigen(series, fitted)
    return AntigenForecasts(
        series, fitted, made.predict(series.days, interval=interval, draws=draws, seed=seed)
    )


def _number(name: str) -> int:
    """A study number for somebody who has none: draws hang on the name, not on who else is there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
