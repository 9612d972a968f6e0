"""From CodeableConcepts to quantities and concepts: system and code must both match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_io.reasons import Reason
from vht.concepts import Concept, Kind, by_code
from vht.quantities import Quantity, by_loinc

LOINC = "http://loinc.org"


def codings(concept: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of every complete coding of a CodeableConcept."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    for coding in found if isinstance(found, list) else ():
        if isinstance(coding, dict):
            system, code = coding.get("system"), coding.get("code")
            if isinstance(system, str) and isinstance(code, str):
                yield system, code


def quantity_of(concept: Any) -> Quantity | Reason:
    """The quantity that an Observation's or component's code stands for."""
    found = {q.name: q for s, c in codings(concept) if s == LOINC and (q := by_loinc(c))}
    if len(found) == 1:
        return next(iter(found.values()))
    return Reason.AMBIGUOUS_CODE if found else Reason.UNKNOWN_CODE


def concept_of(concept: Any, kind: Kind) -> Concept | Reason:
    """The registered condition, medication or procedure that a code stands for."""
    found = {c.name: c for s, code in codings(concept) if (c := by_code(s, code)) and c.kind == kind}
    if len(found) == 1:
        return next(iter(found.values()))
    return Reason.AMBIGUOUS_CODE if found else Reason.UNKNOWN_CODE
