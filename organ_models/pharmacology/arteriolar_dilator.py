"""A hypothetical arteriolar dilator: it lowers systemic arterial resistance by 8 % while it is taken.

Not a product. It shows how a direct effect on resistance is composed with the circulation.
"""

from __future__ import annotations

from organ_models.model import Array, NoFields, OrganModel, parameter, variable, variables
from organ_models.references import HYPOTHETICAL
from organ_models.scenarios import Pattern, Scenario


@variables
class Parameters:
    resistance_reduction: Array = parameter(
        0.08,
        "1",
        "fraction by which systemic arterial resistance falls at full treatment",
        source=HYPOTHETICAL,
        certainty="assumption",
        bounds=(0, 0.9),
    )


@variables
class Inputs:
    treatment: Array = variable("1", "fraction of full treatment that is taken", default=0.0)


@variables
class Outputs:
    systemic_resistance_ratio: Array = variable("1", "systemic arterial resistance over its untreated value")


def initial(p: Parameters) -> NoFields:
    return NoFields()


def derivative(time: Array, x: NoFields, p: Parameters, u: Inputs) -> NoFields:
    return NoFields()


def observe(time: Array, x: NoFields, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(systemic_resistance_ratio=1.0 - p.resistance_reduction * u.treatment)


ARTERIOLAR_DILATOR = OrganModel(
    name="arteriolar_dilator",
    title="Arteriolar dilator (hypothetical)",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=NoFields,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    references=(HYPOTHETICAL,),
    notes="Hypothetical: not fitted to any drug.",
    scenarios=(
        Scenario("treated", "full treatment", inputs={"treatment": Pattern(1.0)}, source=HYPOTHETICAL),
    ),
)
