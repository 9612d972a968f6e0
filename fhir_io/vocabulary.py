"""The URLs of our own that exported FHIR carries: extensions, code systems, identifier systems.

Nobody publishes a profile for virtual twins or in-silico trials, so these are our own. They identify and do
not
resolve: ``.invalid`` is a reserved name (RFC 2606) that nobody else can come to own. ``docs/fhir_export.md``
says what each means.
"""

from __future__ import annotations

from typing import Any

BASE = "https://virtual-human-twin.invalid/fhir"

RELATIVE_DAY = f"{BASE}/StructureDefinition/relative-day"
"""Days since day 0 of the subject (valueDecimal), in place of a date."""
AGE_AT_DAY_ZERO = f"{BASE}/StructureDefinition/age-at-day-zero"
"""Completed years of a patient at day 0 (valueQuantity, UCUM a); ``>=`` 90 for 90 and older."""
VIRTUAL_TWIN_OF = f"{BASE}/StructureDefinition/virtual-twin-of"
"""On a virtual Patient: the patient whose record it was built from (valueReference)."""
INTERVAL_LEVEL = f"{BASE}/StructureDefinition/interval-level"
"""On the bounds of an interval: its level, between 0 and 1 (valueDecimal)."""
PROBABILITY_INTERVAL = f"{BASE}/StructureDefinition/probability-interval"
"""On a predicted probability: its interval, as a Range in the unit 1 (valueRange)."""
RANDOM_SEED = f"{BASE}/StructureDefinition/random-seed"
"""On Provenance: the seed of the run (valueString, since it may exceed 32 bits)."""

QUANTITY = f"{BASE}/CodeSystem/quantity"
"""Names of ``vht quantities``."""
SIGNAL = f"{BASE}/CodeSystem/signal"
"""Names of signals of organ models."""
ORIGIN = f"{BASE}/CodeSystem/origin"
"""Tags: ``simulated``, ``derived`` (computed from records), ``imputed`` (from a population)."""
STATISTIC = f"{BASE}/CodeSystem/statistic"
"""``interval-low``, ``interval-high``, ``simulated-measurement``."""
CATEGORY = f"{BASE}/CodeSystem/observation-category"
"""``prediction``, ``model-input``."""

PSEUDONYM = f"{BASE}/NamingSystem/recipient-pseudonym"
RUN = f"{BASE}/NamingSystem/run"
SHA256 = f"{BASE}/NamingSystem/sha256"
VERSION_DIGEST = f"{BASE}/NamingSystem/software-source-sha256"

ASSERTED_BY_ALGORITHM = ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "AIAST")
"""'Artificial Intelligence asserted', which by its definition covers algorithms; HL7 Terminology 6.0,
https://terminology.hl7.org/CodeSystem-v3-ObservationValue.html."""

COMPUTED = frozenset({"simulated", "derived", "imputed"})


def is_computed(resource: dict[str, Any]) -> bool:
    """Whether the tags or security labels of a resource say that it was computed, not measured."""
    meta = resource.get("meta")
    if not isinstance(meta, dict) or ("tag" not in meta and "security" not in meta):
        return False
    for element in ("tag", "security"):
        for mark in _codings(meta[element]) if element in meta else ():
            if mark == ASSERTED_BY_ALGORITHM or (mark[0] == ORIGIN and mark[1] in COMPUTED):
                return True
    return False


def relative_day(resource: dict[str, Any]) -> Any:
    """The value of the relative-day extension, unchecked; None if there is none."""
    extensions = resource.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and extension.get("url") == RELATIVE_DAY:
            return extension.get("valueDecimal")
    return None


def _codings(codings: Any) -> list[tuple[str, str]]:
    return [
        (coding["system"], coding["code"])
        for coding in (codings if isinstance(codings, list) else ())
        if isinstance(coding, dict)
        and isinstance(coding.get("system"), str)
        and isinstance(coding.get("code"), str)
    ]
