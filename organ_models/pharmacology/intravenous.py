"""A drug that is injected or infused into a central compartment with peripheral ones and leaves it linearly.

What such models share; each declares its parameters, covariates and outputs in a file of its own. Beside the
amounts the state keeps what was eliminated: divided by the clearance it is the area under the curve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from organ_models.model import Array, values, variable, variables
from organ_models.pharmacology.linear_chain import Matrix, mammillary, propagate, rates
from organ_models.pharmacology.ports import HOURS


@variables
class TwoCompartments:
    central: Array = variable("mg", "drug in the central compartment")
    peripheral: Array = variable("mg", "drug in the peripheral compartment")
    eliminated: Array = variable("mg", "drug that has left the body")


@variables
class ThreeCompartments:
    central: Array = variable("mg", "drug in the central compartment")
    shallow: Array = variable("mg", "drug in the first peripheral compartment")
    deep: Array = variable("mg", "drug in the second peripheral compartment")
    eliminated: Array = variable("mg", "drug that has left the body")


@dataclass(frozen=True)
class Disposition:
    """One patient's kinetics in working units.

    Attributes:
        clearance: L/d.
        central: volume, L.
        peripheral: for each peripheral compartment, the clearance between it and the central one (L/d) and
            its volume (L).
    """

    clearance: Any
    central: Any
    peripheral: tuple[tuple[Any, Any], ...]

    def matrix(self) -> Matrix:
        """Rates between the compartments, 1/d."""
        return mammillary(self.clearance, self.central, *self.peripheral)

    def concentration(self, state: Any) -> Any:
        """Concentration in the central compartment, mg/L."""
        return state.central / self.central

    def exposure(self, state: Any) -> Any:
        """Area under the concentration curve so far, mg.d/L."""
        return state.eliminated / self.clearance


@dataclass(frozen=True)
class Intravenous:
    """The functions of a model.

    Attributes:
        State: :class:`TwoCompartments` or :class:`ThreeCompartments`.
        disposition: ``disposition(parameters) -> Disposition``.
    """

    State: type
    disposition: Callable[[Any], Disposition]

    def initial(self, p: Any) -> Any:
        """No drug yet."""
        d = self.disposition(p)
        return self.State(**dict.fromkeys(self.State.__dataclass_fields__, 0.0 * d.clearance))  # type: ignore[attr-defined]

    def derivative(self, time: Array, x: Any, p: Any, u: Any) -> Any:
        """Rates per day."""
        d = self.disposition(p)
        *amounts, _ = values(x).values()
        inflow = [HOURS * u.infusion_rate, *[None] * len(d.peripheral)]
        return self.State(*rates(d.matrix(), amounts, inflow), d.clearance * d.concentration(x))

    def solution(self, elapsed: Array, x: Any, p: Any, u: Any) -> Any:
        """Amounts exactly; what is missing from the balance was eliminated."""
        d = self.disposition(p)
        *amounts, eliminated = values(x).values()
        inflow = HOURS * u.infusion_rate
        after = propagate(d.matrix(), amounts, [inflow, *[None] * len(d.peripheral)], elapsed)
        return self.State(*after, eliminated + (sum(amounts) - sum(after) + inflow * elapsed))

    def jump(self, x: Any, e: Any, p: Any) -> Any:
        """An injection."""
        return self.State(**{**values(x), "central": x.central + e.dose})
