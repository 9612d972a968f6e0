"""What is known of every patient, quantity by quantity: the map of missing data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from vht.quantities import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vht.cohort import Cohort

KINDS = ("recorded", "derived", "imputed", "bound", "nothing")
"""What may be known of a quantity, the best first: a value that was recorded, derived or imputed; only a
bound or a range; nothing."""


@dataclass(frozen=True)
class MissingMap:
    """The best that is known of each quantity, one row a patient.

    Attributes:
        known: index: pseudonym; one column a quantity; each cell one of :data:`KINDS`.
    """

    known: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """One row a quantity: how many patients have each of :data:`KINDS`, the best known first."""
        counts = pd.DataFrame(
            {kind: (self.known == kind).sum() for kind in KINDS}, index=self.known.columns, columns=KINDS
        ).astype(int)
        counts.index.name = "quantity"
        return counts

    def plot(self) -> Figure:
        """Patients (columns) by quantities (rows), coloured by what is known.

        Patients of whom most is known stand on the left. The picture shows no pseudonym.

        Raises:
            ValueError: no patients or no quantities.
        """
        from vht.coverage_plots import plot_missing

        return plot_missing(self)

    def _repr_html_(self) -> str:
        return str(self.table().to_html())


def missing_map(cohort: Cohort, quantities: Iterable[str] | None = None) -> MissingMap:
    """What is known of each patient's quantities, on whatever day.

    Args:
        cohort: patient states.
        quantities: names; None for all of which something is known of anybody.

    Raises:
        UnknownQuantity: no quantity of that name.
    """
    rows = cohort.observations
    if quantities is None:
        names = sorted({*rows["quantity"], *cohort.intervals["quantity"]})
    else:
        names = list(dict.fromkeys(quantities))
        for name in names:
            quantity(name)
    patients = pd.Index(sorted(cohort.patients["pseudonym"]), name="pseudonym")
    known = pd.DataFrame("nothing", index=patients, columns=names)
    worst_first = [(cohort.intervals, "bound")]
    worst_first += [(rows[rows["origin"] == origin], origin) for origin in ("imputed", "derived", "recorded")]
    for facts, kind in worst_first:
        for name, mine in facts.groupby("quantity"):
            if name in known.columns:
                known.loc[known.index.isin(mine["pseudonym"]), name] = kind
    share = (known != "nothing").mean().sort_values(ascending=False, kind="stable")
    return MissingMap(known[list(share.index)] if quantities is None else known)
