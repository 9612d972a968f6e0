"""What an arm gives: an amount that holds day by day, or a regimen of single administrations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, Discriminator, Field, Tag

from trials.protocol.amounts import (
    Amount,
    Duration,
    Hours,
    Interval,
    Lag,
    Proportion,
    Surface,
    check_unit,
    days,
)
from trials.protocol.parts import Section, Text
from vht.regimens import Regimen, known_drug

Count = Annotated[int, Field(ge=1, strict=True)]
Size = Literal["mg", "mg/m2", "mg/kg"]


class Dose(Section):
    """What is given: ``amount`` every day, or for ``on`` days followed by ``off`` days without, repeated.

    Attributes:
        amount: a day.
        on, off: one cycle; without interruption where absent.
        cycles: how many cycles are given; to the end of the trial where absent.
        missed: cycles that nobody gets, counted from 1.
    """

    amount: Amount
    on: Duration | None = None
    off: Duration | None = None
    cycles: Count | None = None
    missed: tuple[Count, ...] | None = None

    def daily(self, day: ArrayLike) -> NDArray[np.float64]:
        """The amount in force from each day to the next.

        Args:
            day: whole days since the start of the trial, any shape; before the start nothing is given.

        Returns:
            Amounts in ``amount.unit``, same shape.

        Raises:
            ValueError: a day is not whole: between two days such a dose is undefined.
        """
        grid = np.asarray(day, dtype=np.float64)
        if not np.array_equal(grid, np.round(grid)):
            raise ValueError("a regimen is defined on whole days")
        given = grid >= 0
        if self.on is not None and self.off is not None:
            length = days(self.on) + days(self.off)
            cycle = 1 + np.floor_divide(grid, length)
            given &= np.mod(grid, length) < days(self.on)
            given &= (cycle <= (self.cycles or np.inf)) & ~np.isin(cycle, self.missed or ())
        return np.where(given, self.amount.value, 0.0)


class RegimenDose(Section):
    """Single administrations of a drug, absolute or by each patient's own body size at baseline.

    Attributes:
        drug: active ingredient, by its name in RxNorm.
        amount: of one administration: a mass, or a mass per m2 of body surface (Mosteller) or per kg of body
            weight.
        route: a tablet, an injection or an infusion.
        infused_over: how long an infusion runs.
        every: from one administration to the next, an hour or more; ``12 h`` is twice a day.
        loading: amount of the first administration, measured as ``amount`` is; ``amount`` where absent.
        on, off: cycle: administrations on the first days of each; without interruption where absent.
        cycles: how many cycles are given, or administrations where there are no cycles; to the end of the
            trial where absent.
        start: day of the first administration; the start of the trial where absent.
        missed: administrations that nobody gets, counted from 1.
        taken: chance that a patient gets any one administration; all of them where absent.
        surface_cap: body surface above which the dose does not grow; none where absent.
        source: where the regimen comes from, or ``assumption: ...``.
    """

    drug: Annotated[str, AfterValidator(known_drug)]
    amount: Amount
    route: Literal["oral", "injection", "infusion"]
    infused_over: Hours | None = None
    every: Interval
    loading: Amount | None = None
    on: Duration | None = None
    off: Duration | None = None
    cycles: Count | None = None
    start: Lag | None = None
    missed: tuple[Count, ...] | None = None
    taken: Proportion | None = None
    surface_cap: Surface | None = None
    source: Text

    @property
    def size(self) -> Size | None:
        """What the amount is measured in; None where it is no dose."""
        return dose_unit(self.amount)

    def regimen(self) -> Regimen:
        """The same as :mod:`vht.regimens` runs it: mg, hours and days."""
        size = self.size
        assert size is not None  # checked when the protocol was read
        return Regimen(
            drug=self.drug,
            dose=self.amount.to(size),
            unit=size,
            route=self.route,
            infusion_hours=None if self.infused_over is None else self.infused_over.to("h"),
            interval_days=days(self.every),
            loading_dose=None if self.loading is None else self.loading.to(size),
            days_on=None if self.on is None else round(days(self.on)),
            days_off=None if self.off is None else round(days(self.off)),
            cycles=self.cycles,
            first_day=0.0 if self.start is None else days(self.start),
            missed=self.missed or (),
            capped_surface=None if self.surface_cap is None else self.surface_cap.to("m2"),
            source=self.source,
        )


def dose_unit(amount: Amount) -> Size | None:
    """``mg``, ``mg/m2`` or ``mg/kg``, whichever an amount is measured in; None for another unit."""
    if amount.unit.endswith("/kg"):  # mass over mass: to UCUM a plain ratio, as are 5 % and 1 g/g
        return None if check_unit(amount, "mg/kg") else "mg/kg"
    sizes: tuple[Size, ...] = ("mg", "mg/m2")
    return next((unit for unit in sizes if check_unit(amount, unit) is None), None)


_OF_REGIMENS = frozenset(RegimenDose.model_fields) - frozenset(Dose.model_fields)


def _sort(value: Any) -> str:
    """Which of the two a group of fields is: a regimen as soon as it has a field that only regimens have."""
    if isinstance(value, dict):
        return "regimen" if _OF_REGIMENS & set(value) else "daily"
    return "regimen" if isinstance(value, RegimenDose) else "daily"


AnyDose = Annotated[
    Annotated[Dose, Tag("daily")] | Annotated[RegimenDose, Tag("regimen")], Discriminator(_sort)
]
