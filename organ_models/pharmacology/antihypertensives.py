"""Five classes of antihypertensive drugs, by dose, as what they do to the circulation.

A class moves what its haemodynamic signature says and nothing else (:data:`CLASSES`): vasodilators lower
systemic resistance and let large arteries give way more, a thiazide lowers first volume and then, as volume
comes back in part, resistance; a beta-blocker keeps sympathetic activity from the heart. Doses are multiples
of the standard dose. Effects rise with the dose along ``h(d) = (1 + D) d / (D + d)``, so that the standard
dose has the effect 1; ratios of several classes multiply.

The sizes are calibrated to what placebo-controlled trials found on average; they say nothing about one
person. The beta-blocker is calibrated to its heart rate alone, whatever pressure follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.references import (
    ANTIHYPERTENSIVE_CALIBRATION,
    HAEMODYNAMIC_SIGNATURES_2013,
    LAW_2003,
    LUND_JOHANSEN_1990,
)


@dataclass(frozen=True)
class DrugClass:
    """What is known of a class.

    Attributes:
        title: for people.
        signature: haemodynamic changes that trials found.
        moves: the output ports that it may move; it moves no other.
    """

    title: str
    signature: str
    moves: tuple[str, ...]


CLASSES: Mapping[str, DrugClass] = MappingProxyType(
    {
        "thiazide": DrugClass(
            "thiazide",
            "cardiac output and stroke volume fall at first, resistance in the long run",
            ("stressed_volume_ratio", "local_resistance_ratio"),
        ),
        "beta_blocker": DrugClass(
            "beta-blocker",
            "heart rate and cardiac output fall, stroke volume rises; resistance does not fall",
            ("cardiac_sympathetic_ratio",),
        ),
        "ace_inhibitor": DrugClass(
            "angiotensin-converting enzyme inhibitor",
            "resistance falls, cardiac output does not change",
            ("local_resistance_ratio", "arterial_compliance_ratio"),
        ),
        "angiotensin_blocker": DrugClass(
            "angiotensin II receptor blocker",
            "resistance falls, cardiac output does not change",
            ("local_resistance_ratio", "arterial_compliance_ratio"),
        ),
        "calcium_blocker": DrugClass(
            "calcium channel blocker (dihydropyridine)",
            "resistance falls, stroke volume rises, cardiac output does not change",
            ("local_resistance_ratio", "arterial_compliance_ratio"),
        ),
    }
)
"""The classes by the name of their dose port."""


def _fitted(value: float, unit: str, doc: str, bounds: tuple[float, float], **extra: Any) -> Any:
    given = {"source": ANTIHYPERTENSIVE_CALIBRATION, "certainty": "derived", **extra}
    return parameter(value, unit, doc, bounds=bounds, **given)


def _dose(title: str) -> Any:
    return variable("1", f"daily dose of a {title}, multiple of the standard dose", default=0.0)


@variables
class Parameters:
    half_dose_constant: Array = _fitted(0.377, "1", "D of the dose-response curve", (0.01, 10))
    thiazide_early_volume: Array = _fitted(
        0.0593, "1", "by which the standard dose lowers stressed volume at first", (0, 0.5)
    )
    thiazide_late_volume: Array = _fitted(
        0.01, "1", "by which the standard dose lowers stressed volume in the long run", (0, 0.5)
    )
    thiazide_resistance: Array = _fitted(
        0.0725, "1", "by which the standard dose lowers resistance in the long run", (0, 0.5)
    )
    thiazide_adaptation_time: Array = _fitted(
        56.0,
        "d",
        "time constant of the change from volume to resistance",
        (1, 365),
        source=LUND_JOHANSEN_1990,
        certainty="assumption",
    )
    beta_blockade: Array = _fitted(
        0.806, "1", "share of cardiac sympathetic effects that the standard dose takes away", (0, 0.95)
    )
    ace_inhibitor_resistance: Array = _fitted(0.0820, "1", "by which the standard dose lowers it", (0, 0.5))
    ace_inhibitor_compliance: Array = _fitted(0.1156, "1", "by which the standard dose raises it", (0, 1))
    angiotensin_blocker_resistance: Array = _fitted(
        0.0820, "1", "by which the standard dose lowers it", (0, 0.5)
    )
    angiotensin_blocker_compliance: Array = _fitted(
        0.1156, "1", "by which the standard dose raises it", (0, 1)
    )
    calcium_blocker_resistance: Array = _fitted(0.0820, "1", "by which the standard dose lowers it", (0, 0.5))
    calcium_blocker_compliance: Array = _fitted(0.1156, "1", "by which the standard dose raises it", (0, 1))


@variables
class State:
    thiazide_adaptation: Array = variable("1", "thiazide effect that has moved from volume to resistance")


@variables
class Inputs:
    thiazide: Array = _dose("thiazide")
    beta_blocker: Array = _dose("beta-blocker")
    ace_inhibitor: Array = _dose("ACE inhibitor")
    angiotensin_blocker: Array = _dose("angiotensin II receptor blocker")
    calcium_blocker: Array = _dose("calcium channel blocker")


@variables
class Outputs:
    local_resistance_ratio: Array = variable("1", "systemic arterial resistance over untreated")
    arterial_compliance_ratio: Array = variable("1", "systemic arterial compliance over untreated")
    stressed_volume_ratio: Array = variable("1", "stressed volume over untreated")
    cardiac_sympathetic_ratio: Array = variable("1", "sympathetic effect on the heart over untreated")


def effect(dose: Array, p: Parameters) -> Array:
    """Effect of a dose relative to that of the standard dose, 1."""
    return (1.0 + p.half_dose_constant) * dose / (p.half_dose_constant + dose)


def initial(p: Parameters) -> State:
    return State(thiazide_adaptation=0.0 * p.half_dose_constant)


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Volume comes back and resistance falls, per day."""
    return State((effect(u.thiazide, p) - x.thiazide_adaptation) / p.thiazide_adaptation_time)


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    """Ratios to the untreated circulation."""
    fresh = effect(u.thiazide, p) - x.thiazide_adaptation
    ace, arb = effect(u.ace_inhibitor, p), effect(u.angiotensin_blocker, p)
    calcium = effect(u.calcium_blocker, p)
    return Outputs(
        local_resistance_ratio=(1.0 - p.thiazide_resistance * x.thiazide_adaptation)
        * (1.0 - p.ace_inhibitor_resistance * ace)
        * (1.0 - p.angiotensin_blocker_resistance * arb)
        * (1.0 - p.calcium_blocker_resistance * calcium),
        arterial_compliance_ratio=(1.0 + p.ace_inhibitor_compliance * ace)
        * (1.0 + p.angiotensin_blocker_compliance * arb)
        * (1.0 + p.calcium_blocker_compliance * calcium),
        stressed_volume_ratio=1.0
        - p.thiazide_early_volume * fresh
        - p.thiazide_late_volume * x.thiazide_adaptation,
        # beyond three times the standard dose nothing is left to take away
        cardiac_sympathetic_ratio=jnp.maximum(1.0 - p.beta_blockade * effect(u.beta_blocker, p), 0.0),
    )


ANTIHYPERTENSIVES = OrganModel(
    name="antihypertensives",
    title="Five classes of antihypertensive drugs",
    version="1.0",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    references=(LAW_2003, HAEMODYNAMIC_SIGNATURES_2013, LUND_JOHANSEN_1990, ANTIHYPERTENSIVE_CALIBRATION),
    notes=(
        "Population means: the response of one person reaches from a fall of 20 to 30 mmHg to none at all. "
        "Calibrated on a circulation whose baroreflex has been reset. Plasma volume and venous tone under "
        "inhibitors of the angiotensin system are left alone: they are reported to rise and to fall. An "
        "inhibitor and a receptor blocker together multiply like two classes, though they share a target."
    ),
)
