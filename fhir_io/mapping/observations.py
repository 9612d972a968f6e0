"""From an Observation to values, intervals and findings.

They are looked for in the Observation itself and in its components, each under its own code: a
blood-pressure panel is read by its components whatever the code of the panel, and a lone systolic
reading counts as well. What ``hasMember`` names is read on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.codes import Asked, asked, codings
from fhir_io.mapping.times import Moment, observed_at
from fhir_io.mapping.values import Finding, Interval, Value, contents, value_key
from fhir_io.read import Json
from fhir_io.reasons import Reason

LESION = "target_lesion_diameter"
SUM_OF_LESIONS = "sum_of_longest_diameters"

__all__ = [
    "LESION",
    "SUM_OF_LESIONS",
    "Finding",
    "Interval",
    "Reading",
    "Value",
    "lost_lesion",
    "read_observation",
]


@dataclass(slots=True)
class Reading:
    """What an Observation gave.

    Attributes:
        at: when it was true; None if nothing of it can be used.
        values: the usable values.
        reasons: why the Observation's own value or a component could not be used, one each.
        site: codes of the body site, which tell equal lesions apart.
        lesion_lost_on: date ordinal on which a lesion was there but could not be used.
        intervals: bounds and ranges, which are no plain numbers.
        findings: concepts that coded answers affirm or deny.
    """

    at: Moment | None = None
    values: list[Value] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    site: tuple[tuple[str, str], ...] = ()
    lesion_lost_on: int | None = None
    intervals: list[Interval] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether it holds neither values nor intervals nor findings."""
        return not (self.values or self.intervals or self.findings)

    @property
    def reason(self) -> Reason:
        """The reason that stands for the whole Observation where no value of it was used."""
        telling = [r for r in self.reasons if r is not Reason.UNKNOWN_CODE]
        if telling:
            return telling[0]
        return Reason.COMPARATOR if self.intervals else Reason.UNKNOWN_CODE


def read_observation(resource: Json, tables: Tables, assume_zone: str | None = None) -> Reading:
    """What an Observation holds whose status allows use.

    Args:
        resource: the Observation, with the field names of R4.
        tables: the code tables in use.
        assume_zone: the zone of times that name none; None: they are not used.
    """
    reading = Reading(site=tuple(sorted(codings(resource.get("bodySite")))))
    lesion_lost = False
    for target, holder in _parts(resource, tables):
        if isinstance(target, Reason):
            reading.reasons.append(target)
            continue
        for found in contents(target, holder, tables):
            if isinstance(found, Value):
                reading.values.append(found)
            elif isinstance(found, Finding):
                reading.findings.append(found)
            else:
                lesion_lost = lesion_lost or target.quantity == LESION
                if isinstance(found, Interval):
                    reading.intervals.append(found)
                else:
                    reading.reasons.append(found)
    if reading.empty and not lesion_lost:
        return reading
    at = observed_at(resource, assume_zone)
    if isinstance(at, Reason):
        lost = len(reading.values) + len(reading.intervals) + bool(reading.findings)
        reading.reasons[:0] = [at] * lost
        for kept in (reading.values, reading.intervals, reading.findings):
            kept.clear()
        return reading
    reading.at = at
    if lesion_lost:
        reading.lesion_lost_on = at.ordinal
    return reading


def lost_lesion(
    resource: Json, reason: Reason, tables: Tables, assume_zone: str | None = None
) -> Reading | None:
    """What a lesion's Observation means whose status forbids to use it: a sum that lacks a lesion."""
    reading = read_observation(resource, tables, assume_zone)
    if reading.at is None or not any(v.quantity == LESION for v in reading.values):
        return None
    return Reading(reading.at, [], [reason], reading.site, reading.at.ordinal)


def _parts(resource: Json, tables: Tables) -> Iterator[tuple[Asked | Reason, Json]]:
    """The Observation itself, if it has a value or no components, and each component."""
    components = resource.get("component")
    components = components if isinstance(components, list) else []
    has_value = value_key(resource) is not None
    if has_value or not components:
        if not has_value and resource.get("hasMember"):
            yield Reason.GROUP, resource
        else:
            yield asked(resource.get("code"), tables), resource
    for component in components:
        if not isinstance(component, dict):
            yield Reason.UNKNOWN_CODE, {}
        elif component.get("modifierExtension"):
            yield Reason.MODIFIED_MEANING, component
        else:
            yield asked(component.get("code"), tables), component
