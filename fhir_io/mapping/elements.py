"""Elements that are read and hold what FHIR does not allow there.

Most of what is read becomes a value or a reason by itself. These are the others: a date that would be passed
over because another one is there, and facts of a patient that would pass for not recorded.
``fhir.resources`` looks at the first of each shape only, so this is looked at in each resource.
"""

from __future__ import annotations

from typing import Any

from fhir_io.mapping.times import birth_date, period, when
from fhir_io.read import Json
from fhir_io.reasons import Reason

_EFFECTIVE = ("effectiveDateTime", "effectivePeriod")
_DATES = {
    "Observation": (*_EFFECTIVE, "effectiveInstant", "effectiveTiming"),
    "Condition": ("onsetDateTime", "onsetPeriod", "abatementDateTime", "abatementPeriod", "recordedDate"),
    "MedicationRequest": ("authoredOn", "dosageInstruction"),
    "MedicationAdministration": _EFFECTIVE,
    "MedicationStatement": _EFFECTIVE,
    "Procedure": ("performedDateTime", "performedPeriod"),
}
_GENDERS = frozenset({"female", "male", "other", "unknown"})
_LINKS = frozenset({"replaced-by", "replaces", "refer", "seealso"})


def fault_of_dates(resource: Json, assume_zone: str | None = None) -> Reason | None:
    """Why a date that is read cannot be: it is none, or lacks a zone. A partial date is a date."""
    for name in _DATES[resource["resourceType"]]:
        if name in resource:
            fault = _fault(resource[name], assume_zone)
            if fault is not None:
                return fault
    return None


def is_misread(patient: Json, assume_zone: str | None = None) -> bool:
    """Whether date of birth, sex, death, an identifier or a link of a Patient is not as FHIR has it.

    They are taken as not recorded; of a death, the date.
    """
    born = patient.get("birthDate")
    if born is not None and birth_date(born) is None:
        return True
    if patient.get("gender", "unknown") not in _GENDERS:  # a required code, which fhir.resources lets through
        return True
    if not isinstance(patient.get("deceasedBoolean", False), bool):
        return True
    if _fault(patient.get("deceasedDateTime"), assume_zone) is not None:
        return True
    if not all(_is_text(item, "value") and _is_text(item, "system") for item in _list(patient, "identifier")):
        return True
    return not all(_is_link(item) for item in _list(patient, "link"))


def _fault(element: Any, zone: str | None) -> Reason | None:
    """The first fault of a date, or of those in a Period, a Timing or the Timings of a list of Dosages."""
    if isinstance(element, str):
        found = when(element, zone)
        return found if isinstance(found, Reason) else None
    if isinstance(element, list):
        held = [item.get("timing") for item in element if isinstance(item, dict)]
    elif isinstance(element, dict):
        repeat, events = element.get("repeat"), element.get("event")
        held = [*period(element), *(events if isinstance(events, list) else ())]
        held += period(repeat.get("boundsPeriod")) if isinstance(repeat, dict) else ()
    else:
        return None if element is None else Reason.MALFORMED_DATE
    return next((fault for item in held if (fault := _fault(item, zone)) is not None), None)


def _list(resource: Json, name: str) -> list[Any]:
    found = resource.get(name)
    return found if isinstance(found, list) else []


def _is_text(item: Any, name: str) -> bool:
    """Whether an element, if it is there, is a text that is not empty."""
    text = item.get(name, "-") if isinstance(item, dict) else None
    return isinstance(text, str) and bool(text.strip())


def _is_link(link: Any) -> bool:
    if not isinstance(link, dict) or not isinstance(link.get("type"), str) or link["type"] not in _LINKS:
        return False
    return _is_text(link.get("other"), "reference")
