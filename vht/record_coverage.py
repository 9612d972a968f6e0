"""What organ models need of a patient's record, held against what a cohort's states hold.

A model needs what its parameters name as a clinical quantity (a baseline sum of diameters, a body weight)
and, where it is personalised, the targets that it is matched to (the pressures of a circulation). What a
record lacks is not the end: a parameter that no record sets is drawn from its published distribution, and
a missing heart rate may be imputed. But then the twin is less this patient's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vht.cohort import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from organ_models.model import OrganModel
    from vht.patient import VirtualPatient

IMPUTABLE = ("heart_rate",)
"""Quantities that :func:`vht.impute` draws where a record lacks them."""


@dataclass(frozen=True)
class Coverage:
    """Which patients have what the models need.

    Attributes:
        needs: by model or virtual patient, the quantities that it takes from a record.
        has: one row a patient (index: pseudonym), one column a quantity; whether a trial could start
            from the record's own value, as :func:`vht.baseline_table` reads it. Of the two blood
            pressures only a pair of one day counts. Imputed values and bounds do not count.
    """

    needs: dict[str, tuple[str, ...]]
    has: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """One row a model: how many patients have all that it needs.

        Returns:
            Columns ``needs`` (labels in words), ``patients``, ``complete`` (have every quantity),
            ``complete_if_imputed`` (have every quantity but a heart rate, which can be imputed) and
            ``share`` (complete of all patients; NaN without patients).
        """
        rows = {
            name: {
                "needs": ", ".join(quantity.replace("_", " ") for quantity in asked),
                "patients": len(self.has),
                "complete": int(self.complete(name).sum()),
                "complete_if_imputed": int(self.complete(name, imputed=True).sum()),
            }
            for name, asked in self.needs.items()
        }
        columns = ["needs", "patients", "complete", "complete_if_imputed"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        table.index.name = "model"
        table["share"] = table["complete"] / max(len(self.has), 1) if len(self.has) else np.nan
        return table

    def complete(self, name: str, *, imputed: bool = False) -> pd.Series:
        """Whether each patient has all that a model needs, by pseudonym.

        Args:
            name: of a model, as in ``needs``.
            imputed: take a heart rate for granted.

        Raises:
            KeyError: no model of that name here.
        """
        if name not in self.needs:
            raise KeyError(f"no model '{name}' in this coverage; there are {', '.join(self.needs)}")
        asked = [q for q in self.needs[name] if not (imputed and q in IMPUTABLE)]
        return self.has[asked].all(axis=1).rename(name)

    def lacking(self) -> pd.DataFrame:
        """How many patients lack each quantity: rows are models, columns quantities; 0 where not needed."""
        absent = (~self.has).sum()
        table = pd.DataFrame(0, index=pd.Index(self.needs, name="model"), columns=list(self.has.columns))
        for name, asked in self.needs.items():
            table.loc[name, list(asked)] = absent[list(asked)]
        return table

    def plot(self) -> Figure:
        """Models as bars: patients with all that each needs, and what the others lack most.

        Raises:
            ValueError: no patients, or no model that takes anything from a record.
        """
        from vht.coverage_plots import plot_coverage

        return plot_coverage(self)

    def _repr_html_(self) -> str:
        return str(self.table().to_html(float_format="{:.0%}".format))


def needs_of(what: OrganModel | VirtualPatient) -> tuple[str, ...]:
    """The clinical quantities that a model or a virtual patient takes from a record, in order.

    Args:
        what: a model, or a composition of models.
    """
    from organ_models.model import OrganModel, fields

    models = [what] if isinstance(what, OrganModel) else list(what.models.values())
    targets = [fields(m.Outputs)[name].quantity for m in models if m.cycle for name in m.cycle.targets]
    starts = [f.quantity for m in models for f in fields(m.Parameters).values()]
    return tuple(dict.fromkeys(quantity for quantity in (*targets, *starts) if quantity))


def coverage(
    cohort: Cohort,
    models: Iterable[str | OrganModel | VirtualPatient]
    | Mapping[str, str | OrganModel | VirtualPatient]
    | None = None,
) -> Coverage:
    """Which patients of a cohort have what organ models need.

    Args:
        cohort: patient states.
        models: names of the catalogue, models, or virtual patients, which are called by the names of
            their models; or a mapping that gives each a name of its own. None for every model of the
            catalogue that takes something from a record.

    Returns:
        :class:`Coverage`, with a table and a plot.

    Raises:
        UnknownModel: no model of that name.

    Example:
        >>> vht.coverage(vht.Store("states").cohort(), ["cardiovascular", "hansson_gist"]).table()
    """
    from organ_models import catalogue, model
    from organ_models.model import OrganModel
    from vht.population import baseline_table

    needs: dict[str, tuple[str, ...]] = {}
    asked_for = catalogue().values() if models is None else models
    named = asked_for.items() if isinstance(asked_for, Mapping) else ((None, what) for what in asked_for)
    for own, what in named:
        found = model(what) if isinstance(what, str) else what
        name = own or (found.name if isinstance(found, OrganModel) else " + ".join(found.models))
        asked = needs_of(found)
        if asked or models is not None:
            needs[name] = asked
    quantities = list(dict.fromkeys(quantity for asked in needs.values() for quantity in asked))
    table = baseline_table(cohort, quantities).set_index("pseudonym")
    has = pd.DataFrame(
        {q: table[q].notna() & (table[f"{q}_origin"] != "imputed") for q in quantities}, index=table.index
    )
    return Coverage(needs, has)
