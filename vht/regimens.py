"""Regimens as data: how much of a drug, by which route, how often, in which cycles, and what was missed.

A regimen becomes a :class:`organ_models.schedules.Schedule` for a kinetic model, patient by patient where
the dose goes by weight or body surface. All patients share its instants; a dose that somebody misses is
zero there.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from organ_models.catalogue import model as catalogue_model
from organ_models.model import fields
from organ_models.pharmacology.ingredients import INGREDIENTS
from organ_models.schedules import Schedule, boluses, infusions, instants

DOSE_PORT, INFUSION_PORT = "dose", "infusion_rate"

_SLACK = 1e-9
"""Instants this close to the end of a course or of the days on treatment lie beyond it, d."""


def known_drug(name: str) -> str:
    """The name of a drug that some model carries; raises ValueError with those there are."""
    known = sorted(set(INGREDIENTS.values()))
    if name not in known:
        raise ValueError(f"no model carries '{name}'; known: {', '.join(known)}")
    return name


class Regimen(BaseModel):
    """How a drug is given.

    Attributes:
        drug: active ingredient, by its name in RxNorm.
        dose: amount of one administration.
        unit: of ``dose``: absolute, by body surface or by body weight.
        route: a tablet, an injection or an infusion.
        infusion_hours: how long an infusion runs, h.
        interval_days: time from one administration to the next, d; 0.5 is twice a day.
        loading_dose: amount of the first administration, in the same unit; ``dose`` if absent.
        days_on, days_off: cycle: administrations on the first ``days_on`` days of every
            ``days_on + days_off``; without interruption if absent.
        cycles: number of cycles, or of administrations where there are no cycles; without end if absent.
        first_day: when treatment starts, d.
        missed: administrations that nobody gets, counted from 1. Single patients' are given to
            :meth:`schedule`.
        capped_surface: body surface above which the dose does not grow, m²; none if absent.
        source: where the regimen comes from, or ``assumption: ...``.

    Example:
        >>> Regimen(
        ...     drug="docetaxel", dose=75, unit="mg/m2", route="infusion", infusion_hours=1,
        ...     interval_days=21, cycles=6, source="assumption: an example",
        ... ).times(42).tolist()
        [0.0, 21.0]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    drug: Annotated[str, AfterValidator(known_drug)]
    dose: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["mg", "mg/m2", "mg/kg"]
    route: Literal["oral", "injection", "infusion"]
    infusion_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    interval_days: float = Field(gt=0, allow_inf_nan=False)
    loading_dose: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    days_on: int | None = Field(default=None, ge=1)
    days_off: int | None = Field(default=None, ge=0)
    cycles: int | None = Field(default=None, ge=1)
    first_day: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    missed: tuple[Annotated[int, Field(ge=1)], ...] = ()
    capped_surface: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Regimen:
        if (self.route == "infusion") != (self.infusion_hours is not None):
            raise ValueError("infusion_hours: an infusion needs them, and nothing else takes them")
        if (self.days_on is None) != (self.days_off is None):
            raise ValueError("days_on and days_off: give both, or neither for treatment without interruption")
        if self.days_on is not None and self.interval_days > self.days_on:
            raise ValueError(
                "interval_days: longer than the days on; there is one dose a cycle, so give the "
                "length of the cycle as the interval and leave out days_on and days_off"
            )
        if self.capped_surface is not None and self.unit != "mg/m2":
            raise ValueError("capped_surface: only a dose by body surface (mg/m2) takes it")
        return self

    def times(self, last_day: float) -> np.ndarray:
        """Instants of all administrations before ``last_day``, d, shape ``(k,)``."""
        if last_day <= self.first_day:
            return np.zeros(0)
        if self.days_on is None or self.days_off is None:
            count = math.ceil((last_day - self.first_day) / self.interval_days - _SLACK)
            within = np.arange(count if self.cycles is None else min(count, self.cycles))
            return instants(self.first_day + self.interval_days * within)
        length = self.days_on + self.days_off
        count = math.ceil((last_day - self.first_day) / length)
        starts = length * np.arange(count if self.cycles is None else min(count, self.cycles))
        of_cycle = self.interval_days * np.arange(math.ceil(self.days_on / self.interval_days - _SLACK))
        found = instants(self.first_day + (starts[:, None] + of_cycle).ravel())
        return found[found < last_day - _SLACK]

    def schedule(
        self,
        last_day: float,
        *,
        weight: Any = None,
        surface: Any = None,
        taken: np.ndarray | None = None,
        at_once: bool = False,
    ) -> Schedule:
        """What is given until ``last_day``.

        Args:
            last_day: d.
            weight: body weight, kg, a number or shape ``(n,)``; needed for mg/kg.
            surface: body surface, m², a number or shape ``(n,)``; needed for mg/m2.
            taken: whether each patient takes each administration, shape ``(k, n)`` with the ``k`` of
                :meth:`times`; all do if absent.
            at_once: an infusion counts where it starts, for a model that takes doses and knows no kinetics.

        Returns:
            Amounts in mg at a dose port, or rates in mg/h at an infusion port.

        Raises:
            ValueError: a size that the dose needs and that is missing or no positive number, or ``taken`` of
                another shape.
        """
        at = self.times(last_day)
        amount = np.full(at.size, self.dose)
        if at.size and self.loading_dose is not None:
            amount[0] = self.loading_dose
        amount[[k - 1 for k in self.missed if k <= at.size]] = 0.0
        size = self._size(weight, surface)
        given = amount if size is None else amount * size if size.ndim == 0 else amount[:, None] * size
        if taken is not None:
            kept = np.asarray(taken, dtype=float)
            if kept.ndim != 2 or kept.shape[0] != at.size:
                raise ValueError(f"taken: wanted the shape ({at.size}, patients), got {kept.shape}")
            given = (given[:, None] if given.ndim == 1 else given) * kept
        if self.infusion_hours is not None and not at_once:
            return infusions(given, self.infusion_hours, at)
        return boluses(given, at)

    def doses(self, model: str, last_day: float, **sizes: Any) -> dict[str, Schedule]:
        """Doses for :func:`vht.simulate`: the schedule at the port of a kinetic model.

        Args:
            model: name in the catalogue.
            last_day, sizes: as for :meth:`schedule`.

        Raises:
            ValueError: a model of another drug, or one that cannot be given the drug by this route.
        """
        return {f"{model}.{self.port_of(model)}": self.schedule(last_day, **sizes)}

    def port_of(self, model: str) -> str:
        """The port of a kinetic model at which the drug is given by this route.

        Args:
            model: name in the catalogue.

        Raises:
            ValueError: a model of another drug, or one that cannot be given the drug by this route.
        """
        carries = INGREDIENTS.get(model)
        if carries != self.drug:
            raise ValueError(f"{model}: carries {carries or 'no drug'}, and the regimen is of {self.drug}")
        found = catalogue_model(model)
        infused = INFUSION_PORT in fields(found.Inputs)
        if (self.route == "oral") == infused:
            how = "infused or injected" if infused else "swallowed"
            raise ValueError(f"{model}: the drug is {how}; the route '{self.route}' is not modelled")
        return INFUSION_PORT if self.route == "infusion" else DOSE_PORT

    def _size(self, weight: Any, surface: Any) -> Any:
        """What the dose is multiplied with; None for an absolute dose."""
        if self.unit == "mg":
            return None
        name, value = ("surface", surface) if self.unit == "mg/m2" else ("weight", weight)
        if value is None:
            raise ValueError(f"{name}: a dose in {self.unit} needs it")
        size = np.asarray(value, dtype=float)
        if size.ndim > 1 or not np.all(np.isfinite(size)) or np.any(size <= 0):
            raise ValueError(f"{name}: wanted a positive number, or one for each patient")
        return size if self.capped_surface is None else np.minimum(size, self.capped_surface)


def body_surface(weight: Any, height: Any) -> np.ndarray:
    """Body surface by Mosteller (N Engl J Med 1987;317:1098), m².

    Args:
        weight: kg.
        height: cm.
    """
    return np.sqrt(np.asarray(weight, dtype=float) * np.asarray(height, dtype=float) / 3600.0)
