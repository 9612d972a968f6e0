"""What a conducted trial hands to its analysis: four tables and the screening count.

The tables are plain pandas frames in canonical units. Nothing here knows how they came about, so the
same analysis serves a simulated trial and a table of a real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

COMPLETED, WITHDRAWN, FAILED = "completed", "withdrawn", "failed"
STATUSES = (COMPLETED, WITHDRAWN, FAILED)

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("pseudonym", "study_number", "sex", "age_years"),
    "disposition": ("arm", "pseudonym", "status", "reason", "last_day"),
    "measurements": ("arm", "pseudonym", "quantity", "day", "true", "observed", "is_visit"),
    "peaks": ("arm", "pseudonym", "quantity", "true_peak", "true_peak_day"),
}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("pseudonym",),
    "disposition": ("arm", "pseudonym"),
    "measurements": ("arm", "pseudonym", "quantity", "day"),
    "peaks": ("arm", "pseudonym", "quantity"),
}


class OutcomesError(ValueError):
    """Tables that do not fit together; the message names the table and the column, never a value."""


@dataclass(frozen=True)
class Screening:
    """How the enrolled patients were found.

    Attributes:
        assessed: patients whose records were looked at.
        excluded: how many were left out, by reason (each patient under the first that applied).
    """

    assessed: int
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def enrolled(self) -> int:
        """Patients who entered the trial."""
        return self.assessed - sum(self.excluded.values())


@dataclass(frozen=True)
class Outcomes:
    """Everything that a trial's conduct leaves for its analysis.

    Attributes:
        baseline: one row per enrolled patient: ``pseudonym``, ``study_number``, ``sex``, ``age_years``, one
            column per baseline quantity in its canonical unit with ``<quantity>_origin`` beside it
            (``recorded``, ``derived`` or ``imputed``), ``condition_<name>`` (bool) per condition that the
            baseline table counts, and what personalisation reports (``<quantity>_residual`` and others).
        disposition: one row per (arm, patient): ``status`` (completed, withdrawn or failed), ``reason`` (an
            enumerated word), ``last_day`` (last day on study); and where it is known ``new_lesion_day`` (day
            on which the first new lesion appears, NaN where none does), ``held_days`` (on which policies held
            treatment), ``stopped_day`` (on which they ended it, NaN where they did not), ``dose_share``
            (given over planned) and ``output <model.port>`` (a model's output on day 0 in its unit, for
            links to survival).
        measurements: one row per (arm, patient, quantity, day): ``true`` is the noise-free model value,
            ``observed`` the value with measurement error (NaN where there was no visit or the patient had
            left), ``is_visit`` whether the protocol has a visit of that quantity on that day. Patients whose
            solve failed in an arm have no rows here.
        peaks: one row per (arm, patient, quantity): the noise-free maximum and its day: of a slow model over
            every day, of a beating one over the grid and the day on which what drives it is highest.
        screening: the way from records to enrolled patients; None where it is not known.

    Raises:
        OutcomesError: a column is missing, a key occurs twice, a status is unknown, a patient is measured in
            an arm in which they have no disposition row, or measured although the solve failed.
    """

    baseline: pd.DataFrame
    disposition: pd.DataFrame
    measurements: pd.DataFrame
    peaks: pd.DataFrame
    screening: Screening | None = None

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            table: pd.DataFrame = getattr(self, name)
            missing = [c for c in columns if c not in table.columns]
            if missing:
                raise OutcomesError(f"table '{name}' has no column {', '.join(missing)}")
            if table.duplicated(list(_KEYS[name])).any():
                raise OutcomesError(f"table '{name}' has two rows with the same {', '.join(_KEYS[name])}")
        if not set(self.disposition["status"].unique()) <= set(STATUSES):
            raise OutcomesError(f"table 'disposition': status must be one of {', '.join(STATUSES)}")
        enrolled = set(self.baseline["pseudonym"])
        if not set(self.disposition["pseudonym"]) <= enrolled:
            raise OutcomesError("table 'disposition' has a patient who is not in 'baseline'")
        solved = self.disposition.loc[self.disposition["status"] != FAILED, ["arm", "pseudonym"]]
        known = pd.MultiIndex.from_frame(solved)
        for name in ("measurements", "peaks"):
            rows = pd.MultiIndex.from_frame(getattr(self, name)[["arm", "pseudonym"]].drop_duplicates())
            if len(rows.difference(known)):
                raise OutcomesError(
                    f"table '{name}' has rows of a patient and arm that 'disposition' lacks or calls failed"
                )
        if self.screening is not None and self.screening.enrolled != len(self.baseline):
            raise OutcomesError("screening: assessed less excluded is not the number of baseline rows")

    def arm_patients(self, arm: str) -> pd.DataFrame:
        """Disposition rows of one arm, indexed by pseudonym, in order of study number.

        Sums run in this order, so that another key, and with it other pseudonyms, changes no last digit.
        """
        rows = self.disposition[self.disposition["arm"] == arm]
        order = self.baseline.sort_values("study_number", kind="stable")["pseudonym"]
        return rows.set_index("pseudonym").reindex(order[order.isin(rows["pseudonym"])])

    def wide(self, arm: str, quantity: str, days: tuple[float, ...], value: str) -> pd.DataFrame:
        """One row per patient of an arm, one column per day, of ``true`` or ``observed`` values.

        Patients without measurements (a failed solve) are rows of NaN; so are days that are not on the grid.
        """
        rows = self.measurements
        rows = rows[(rows["arm"] == arm) & (rows["quantity"] == quantity) & rows["day"].isin(days)]
        table = rows.pivot(index="pseudonym", columns="day", values=value)
        index = self.arm_patients(arm).index
        return table.reindex(index=index, columns=pd.Index(np.asarray(days, float), name="day")).astype(float)
