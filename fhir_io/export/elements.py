"""Small FHIR elements that several resources use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhir_io import vocabulary as v
from fhir_io.mapping.code_tables import Tables
from vht.quantities import QUANTITIES

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"


def quantity(value: Decimal, unit: str) -> Json:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def coded(system: str, code: str, text: str = "") -> Json:
    """A CodeableConcept with one coding."""
    concept: Json = {"coding": [{"system": system, "code": code}]}
    return {**concept, "text": text} if text else concept


def quantity_code(name: str) -> Json:
    """The code of a registered quantity: LOINC where it has one, and our own name for it."""
    tables = Tables.load()
    row = tables.preferred_code(name)
    codings = [{"system": tables.uris[row.system], "code": row.code}] if row is not None else []
    return {"coding": [*codings, {"system": v.QUANTITY, "code": name}], "text": QUANTITIES[name].label}


def origin_tag(origin: str) -> Json:
    """The tag that says how a computed value came about."""
    return {"system": v.ORIGIN, "code": origin}


def simulated() -> Json:
    """Meta of everything that was simulated: our tag, and HL7's label for what an algorithm asserted."""
    system, code = v.ASSERTED_BY_ALGORITHM
    return {"security": [{"system": system, "code": code}], "tag": [origin_tag("simulated")]}


def on_day(day: Decimal) -> Json:
    """The extension that stands in place of a date."""
    return {"url": v.RELATIVE_DAY, "valueDecimal": day}


def is_simulated(resource: Json) -> bool:
    """Whether a resource of this export was simulated, by its tag."""
    return origin_tag("simulated") in resource.get("meta", {}).get("tag", ())
