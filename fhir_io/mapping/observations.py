"""From an Observation to values of quantities.

Values are looked for in the Observation itself and in its components, each under its own code: a
blood-pressure panel is read by its components whatever the code of the panel, and a lone systolic
reading counts as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_io.mapping.codes import codings, quantity_of
from fhir_io.mapping.times import Moment, observed_at
from fhir_io.mapping.units import to_canonical
from fhir_io.read import Json
from fhir_io.reasons import Reason
from vht.quantities import Quantity

LESION = "target_lesion_diameter"
SUM_OF_LESIONS = "sum_of_longest_diameters"


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the canonical unit of its quantity."""

    quantity: str
    value: float
    from_text: bool
    after: float = 0.0


@dataclass(slots=True)
class Reading:
    """What an Observation gave.

    Attributes:
        at: when it was true; None if nothing of it can be used.
        values: the usable values.
        reasons: why the Observation's own value or a component could not be used, one each.
        site: codes of the body site, which tell equal lesions apart.
        unread: quantities that were recorded but could not be read, where that matters.
    """

    at: Moment | None = None
    values: list[Value] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    site: tuple[tuple[str, str], ...] = ()
    unread: list[str] = field(default_factory=list)
    intervals: list[Any] = field(default_factory=list)
    findings: list[Any] = field(default_factory=list)

    @property
    def reason(self) -> Reason:
        """The reason that stands for the whole Observation where nothing of it was used."""
        telling = [r for r in self.reasons if r is not Reason.UNKNOWN_CODE]
        return telling[0] if telling else Reason.UNKNOWN_CODE


def read_observation(resource: Json) -> Reading:
    """Values of an Observation whose status allows use."""
    reading = Reading(site=tuple(sorted(codings(resource.get("bodySite")))))
    lesion_lost = False
    for target, holder in _parts(resource):
        if isinstance(target, Reason):
            reading.reasons.append(target)
            continue
        value = _value(target, holder)
        if isinstance(value, Reason):
            reading.reasons.append(value)
            lesion_lost = lesion_lost or target.name == LESION
        else:
            reading.values.append(value)
    if not reading.values and not lesion_lost:
        return reading
    at = observed_at(resource)
    if isinstance(at, Reason):
        reading.reasons[:0] = [at] * len(reading.values)
        reading.values.clear()
        return reading
    reading.at = at
    if lesion_lost:
        reading.unread.append(LESION)
    return reading


def _parts(resource: Json) -> Iterator[tuple[Quantity | Reason, Json]]:
    """The Observation itself, if it has a value or no components, and each component."""
    components = resource.get("component")
    components = components if isinstance(components, list) else []
    own = quantity_of(resource.get("code"))
    has_value = any(key.startswith("value") for key in resource)
    if has_value or not components:
        yield own, resource
    for component in components:
        if isinstance(component, dict):
            yield quantity_of(component.get("code")), component
        else:
            yield Reason.UNKNOWN_CODE, {}


def _value(target: Quantity, holder: Json) -> Value | Reason:
    element = holder.get("valueQuantity")
    if isinstance(element, dict):
        if element.get("comparator") is not None:
            return Reason.COMPARATOR
        number: Any = element.get("value")
        if number is None:
            return Reason.VALUE_ABSENT
    elif "valueInteger" in holder:
        element, number = {}, holder["valueInteger"]
    else:
        other = any(key.startswith("value") for key in holder)
        return Reason.NOT_A_NUMBER if other else Reason.VALUE_ABSENT
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return Reason.NOT_A_NUMBER
    measured = to_canonical(float(number), element, target)
    if isinstance(measured, Reason):
        return measured
    low, high = target.plausible
    if not low <= measured.value <= high:
        return Reason.IMPLAUSIBLE
    return Value(target.name, measured.value, measured.from_text)
