"""Values of docetaxel and of the neutropenia that it causes, for the typical patient.

They were computed apart from this code from the published equations and parameters: agreement shows that
the equations are solved right, not that patients follow them.
"""

from __future__ import annotations

from organ_models.model import Reference
from organ_models.references import PHARMACOLOGY_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import infusions

_END = 1.0 / 24.0
"""End of an infusion of one hour, d."""


def _cycle(
    amount: float, source: Reference, prefix: str = "", feeds: dict[str, str] | None = None
) -> Scenario:
    return Scenario(
        f"single_{amount:g}_mg",
        f"{amount:g} mg over one hour",
        inputs={f"{prefix}infusion_rate": infusions(amount, 1.0, [0.0])},
        feeds=feeds or {},
        source=source,
    )


def infused(source: Reference) -> tuple[Scenario, ...]:
    """180 mg (100 mg/m² at 1.8 m²) once."""
    return (_cycle(180.0, source),)


def infused_into(
    model: str, amount: float, port: str, output: str, source: Reference
) -> tuple[Scenario, ...]:
    """One infusion into a kinetic model whose output feeds a port."""
    return (_cycle(amount, source, f"{model}.", {port: f"{model}.{output}"}),)


def _peak(published: float) -> tuple[Check, ...]:
    return (
        Check(
            "concentration",
            published,
            "mg/L",
            5e-4,
            "relative",
            PHARMACOLOGY_REGRESSION,
            scenario="single_180_mg",
            day=round(_END, 9),
        ),
    )


def _course(scenario: str, nadir: float, day: float, last: float) -> tuple[Check, ...]:
    """Nadir, its day, and the count on day 21."""
    unit, source, output = "10*9/L", PHARMACOLOGY_REGRESSION, "neutrophils"
    return (
        Check(output, nadir, unit, 1e-3, "relative", source, scenario=scenario, day=21, reading="minimum"),
        Check(
            output, day, "d", 0.2, "absolute", source, scenario=scenario, day=21, reading="day of the minimum"
        ),
        Check(output, last, unit, 1e-3, "relative", source, scenario=scenario, day=21),
    )


OZAWA_CHECKS, ONOUE_CHECKS = _peak(3.528), _peak(4.930)
KLOFT_NEUTROPENIA_CHECKS = _course("single_180_mg", 0.1781, 8.64, 6.8614)
OZAWA_NEUTROPENIA_CHECKS = _course("single_108_mg", 1.1804, 9.17, 6.6724)
FRIBERG_NEUTROPENIA_CHECKS = _course("single_180_mg", 0.8700, 7.59, 6.2798)
