"""Ports that models of drugs share: what is given, and what can be read."""

from __future__ import annotations

from organ_models.model import Array, variable, variables


@variables
class Infusion:
    """Inputs of a drug that is infused."""

    infusion_rate: Array = variable("mg/h", "drug that runs into the central compartment", default=0.0)


@variables
class Bolus:
    """Events of a drug that is injected."""

    dose: Array = variable("mg", "drug injected into the central compartment", default=0.0)


@variables
class Tablet:
    """Events of a drug that is swallowed."""

    dose: Array = variable("mg", "drug swallowed", default=0.0)


HOURS = 24.0
"""Hours a day: ports and published exposures count hours, the equations days."""
