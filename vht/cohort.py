"""A cohort: the columns of many patients' states, and one patient's row view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from vht.state import Absence, Event, Interval, Observation, PatientState
from vht.tables import EVENTS, TABLES, columns, digest

if TYPE_CHECKING:
    from vht.missing import MissingMap

_MODELS: dict[str, type[Any]] = {
    "observations": Observation,
    "intervals": Interval,
    **dict.fromkeys(EVENTS, Event),
    "absences": Absence,
}
_DAY = {name: "start_day" if name in EVENTS else "day" for name in _MODELS}


@dataclass
class Cohort:
    """Patient states as columns: one DataFrame a table (columns as in ``vht.tables.TABLES``).

    ``digest`` identifies the content; it goes into every report that used it.
    """

    patients: pd.DataFrame
    observations: pd.DataFrame
    intervals: pd.DataFrame
    conditions: pd.DataFrame
    medications: pd.DataFrame
    procedures: pd.DataFrame
    absences: pd.DataFrame
    digest: str = field(default="")

    def __len__(self) -> int:
        return len(self.patients)

    def __repr__(self) -> str:
        return (
            f"Cohort({len(self)} patients, {len(self.observations)} observations of "
            f"{self.observations['quantity'].nunique()} quantities, {len(self.conditions)} conditions)"
        )

    @classmethod
    def from_states(cls, states: Iterable[PatientState]) -> Cohort:
        """Columns from rows, in the order of pseudonyms."""
        return cls.from_tables(columns(states))

    @classmethod
    def from_tables(cls, tables: dict[str, pa.Table]) -> Cohort:
        """A cohort of Arrow tables, one for each name in ``vht.tables.TABLES``."""
        frames = {name: tables[name].to_pandas() for name in TABLES}
        return cls(**frames, digest=digest(tables))

    def tables(self) -> dict[str, pa.Table]:
        """The columns as Arrow tables."""
        return {
            name: pa.Table.from_pandas(getattr(self, name), schema=schema, preserve_index=False)
            for name, schema in TABLES.items()
        }

    def latest(self, quantity: str) -> pd.Series:
        """The last recorded value of a quantity by patient.

        Returns:
            Series indexed by pseudonym, in the quantity's canonical unit; patients without a value
            are absent. Ties on a day take the mean of that day.
        """
        rows = self.observations[self.observations["quantity"] == quantity]
        if rows.empty:
            return pd.Series(dtype=float, name=quantity)
        daily = rows.groupby(["pseudonym", "day"], sort=True)["value"].mean()
        return daily.groupby("pseudonym").last().rename(quantity)

    def with_condition(self, concept: str) -> list[str]:
        """Pseudonyms of patients who have the condition, without a recorded end or later denial, in order."""
        rows, denials = self.conditions, self.absences
        active = rows[(rows["concept"] == concept) & rows["end_day"].isna()]
        denied = denials[denials["concept"] == concept].groupby("pseudonym")["day"].max()
        since = denied.reindex(active["pseudonym"]).to_numpy(dtype=float)
        active = active[~(active["start_day"].to_numpy(dtype=float) < since)]
        return sorted(active["pseudonym"].unique())

    def missing_map(self, quantities: Iterable[str] | None = None) -> MissingMap:
        """What is known of each patient, quantity by quantity, with a table and a plot.

        Args:
            quantities: names; None for all of which something is known of anybody.

        Raises:
            UnknownQuantity: no quantity of that name.
        """
        from vht.missing import missing_map

        return missing_map(self, quantities)

    def select(self, pseudonyms: Iterable[str]) -> Cohort:
        """The sub-cohort of the given patients.

        Raises:
            KeyError: one of them is not in this cohort.
        """
        wanted = set(pseudonyms)
        if not wanted <= set(self.patients["pseudonym"]):
            raise KeyError("no such pseudonym in this cohort")
        chosen = pa.array(sorted(wanted), pa.string())
        return Cohort.from_tables(
            {
                name: table.filter(pa.compute.is_in(table.column("pseudonym"), chosen))
                for name, table in self.tables().items()
            }
        )

    def state(self, pseudonym: str) -> PatientState:
        """One patient's row view.

        Raises:
            KeyError: the patient is not in this cohort.
        """
        row = self.patients[self.patients["pseudonym"] == pseudonym]
        if row.empty:
            raise KeyError("no such pseudonym in this cohort")
        facts: dict[str, Any] = {
            name: tuple(
                model(**_present(fact, model)) for fact in self._of(name, pseudonym).to_dict("records")
            )
            for name, model in _MODELS.items()
        }
        return PatientState(**(_present(row.iloc[0].to_dict(), PatientState) | facts))

    def states(self) -> Iterator[PatientState]:
        """Every patient's row view, in the order of pseudonyms."""
        for pseudonym in sorted(self.patients["pseudonym"]):
            yield self.state(pseudonym)

    def _of(self, name: str, pseudonym: str) -> pd.DataFrame:
        table: pd.DataFrame = getattr(self, name)
        return table[table["pseudonym"] == pseudonym].sort_values(_DAY[name], kind="stable")


def _present(row: dict[str, Any], model: type[Any]) -> dict[str, Any]:
    """The fields of a row that hold something; a missing one takes the model's default."""
    return {key: value for key, value in row.items() if key in model.model_fields and not pd.isna(value)}
