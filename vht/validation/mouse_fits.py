"""Growth laws fitted to single mice, animal by animal, with the weights that the field uses for callipers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vht.fitting import Fit, fit
from vht.fitting.errors import KnownSpread

LAWS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "exponential from 1 mm3": ("exponential_growth", ("growth_rate",)),
    "exponential": ("exponential_growth", ("growth_rate", "initial_volume")),
    "Gompertz": ("gompertz", ("initial_growth_rate", "growth_rate_decay")),
    "logistic": ("logistic_growth", ("growth_rate", "carrying_capacity")),
    "power law": ("power_law_growth", ("growth_rate", "exponent")),
}
"""Catalogue name and free parameters; all start at 1 mm3 but where the initial volume is free."""


def calliper_sd(volume: np.ndarray) -> np.ndarray:
    """SD of a volume by callipers, mm3: 0.21 max(V, 83)^0.84 (Benzekry et al. 2014; the constants were not
    read in the paper itself, and serve as weights of fits only)."""
    return np.asarray(0.21 * np.maximum(volume, 83.0) ** 0.84)


CALLIPERS = KnownSpread(calliper_sd)


@dataclass(frozen=True)
class MouseFits:
    """One law fitted to every animal.

    Attributes:
        law: key of :data:`LAWS`, or a model's name.
        fit: all animals.
    """

    law: str
    fit: Fit

    @property
    def medians(self) -> dict[str, float]:
        """Median of every free parameter over animals, as published in its unit."""
        return {label.partition(".")[2]: float(np.median(self.fit.of(label))) for label in self.fit.free}

    @property
    def criterion(self) -> float:
        """Akaike's criterion, summed over animals."""
        return float(self.fit.aic.sum())

    @property
    def explained(self) -> float:
        """Median over animals of the share of variance explained, unweighted."""
        off = np.nansum(self.fit.residuals**2, axis=0)
        around = np.nansum((self.fit.observed - np.nanmean(self.fit.observed, axis=0)) ** 2, axis=0)
        return float(np.median(1.0 - off / around))


def fit_mice(table: pd.DataFrame, law: str, free: tuple[str, ...] | None = None) -> MouseFits:
    """Fit a law to every animal by weighted least squares.

    Args:
        table: columns ``id``, ``time_day``, ``volume_mm3``.
        law: a key of :data:`LAWS`, or a model of the catalogue together with ``free``.
        free: its free parameters.
    """
    name, parameters = LAWS[law] if free is None else (law, free)
    rows = table.sort_values(["id", "time_day"], kind="stable")
    rows = rows.assign(row=rows.groupby("id").cumcount())
    wide = rows.pivot(index="row", columns="id", values=["time_day", "volume_mm3"])
    made = fit(
        name,
        wide["time_day"].to_numpy(float),
        wide["volume_mm3"].to_numpy(float),
        output="volume",
        free=parameters,
        error=CALLIPERS,
    )
    return MouseFits(law, made)
