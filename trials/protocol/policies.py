"""Policies of an arm: how doses follow from what is seen at visits.

Each class is one kind of policy as a protocol declares it, with its thresholds and their source; ``rule`` is
the same for the simulation, in the canonical unit of the quantity. Nothing that a clinician would have to
answer for has a default.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trials.protocol.amounts import Amount, Proportion
from trials.protocol.parts import Port, QuantityName, Section, Text
from vht.managed import Rule
from vht.policies import AdaptiveHalving, HoldOnPressure, ReduceOnNeutropenia, StopOnProgression
from vht.quantities import quantity


class _Policy(Section):
    """What every policy has.

    Attributes:
        quantity: what it decides on, at the visits of that quantity.
        of: the dose ports that it governs; all of the arm where absent.
        source: where its thresholds come from, or ``assumption: ...``.
    """

    quantity: QuantityName
    of: tuple[Port, ...] = ()
    source: Text

    @property
    def thresholds(self) -> dict[str, Amount]:
        """Fields that are measured in the quantity's unit."""
        return {name: value for name, value in self if isinstance(value, Amount) and name != "share"}

    def limit(self, name: str) -> float:
        """A threshold in the quantity's canonical unit."""
        return self.thresholds[name].to(quantity(self.quantity).unit)


class NeutropeniaPolicy(_Policy):
    """Delay while the count is low, reduce by one level after a deep fall.

    Attributes:
        hold_below: below this nothing is given and the schedule waits.
        resume_from: from this count on it goes on.
        reduce_below: a fall below this lowers the dose by one level.
        levels: shares of the scheduled dose, from the first on; a fall on the last level ends treatment.
    """

    kind: Literal["reduce_on_neutropenia"]
    hold_below: Amount
    resume_from: Amount
    reduce_below: Amount
    levels: tuple[Amount, ...] = Field(min_length=1)

    def rule(self) -> Rule:
        """The policy as the simulation runs it."""
        shares = tuple(level.to("1") for level in self.levels)
        limits = (self.limit("hold_below"), self.limit("resume_from"), self.limit("reduce_below"))
        return Rule(ReduceOnNeutropenia(self.quantity, *limits, levels=shares), self.of)


class PressurePolicy(_Policy):
    """Hold at a high pressure until it has come down.

    Attributes:
        hold_at: at this pressure and above nothing is given.
        resume_below: below this it goes on.
        schedule_waits: whether the schedule waits meanwhile; else these doses are left out.
    """

    kind: Literal["hold_on_pressure"]
    hold_at: Amount
    resume_below: Amount
    schedule_waits: bool = False

    def rule(self) -> Rule:
        """The policy as the simulation runs it."""
        limits = (self.limit("hold_at"), self.limit("resume_below"))
        return Rule(HoldOnPressure(self.quantity, *limits, wait=self.schedule_waits), self.of)


class ProgressionPolicy(_Policy):
    """End treatment at progression by RECIST 1.1, of the targets or by a new lesion."""

    kind: Literal["stop_on_progression"]

    def rule(self) -> Rule:
        """The policy as the simulation runs it."""
        return Rule(StopOnProgression(self.quantity), self.of)


class AdaptivePolicy(_Policy):
    """Off when a marker has fallen to a share of its first value, on again when it is above that.

    Attributes:
        share: of the first value.
    """

    kind: Literal["adaptive_halving"]
    share: Proportion

    def rule(self) -> Rule:
        """The policy as the simulation runs it."""
        return Rule(AdaptiveHalving(self.quantity, self.share.to("1")), self.of)


PolicySection = Annotated[
    NeutropeniaPolicy | PressurePolicy | ProgressionPolicy | AdaptivePolicy, Field(discriminator="kind")
]
