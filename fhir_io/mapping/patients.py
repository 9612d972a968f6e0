"""From a Patient to what an import needs of it: identity for the vault, sex and date of birth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_io.mapping.codes import codings
from fhir_io.mapping.times import BirthDate, birth_date
from fhir_io.read import Json
from privacy import Identity, UnusableIdentity
from vht.state import Sex

_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_RECORD_NUMBER = "MR"
BARE_ID = "urn:fhir:patient-id"
_SEX: dict[Any, Sex] = {"female": "female", "male": "male", "other": "other"}


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """Facts of a Patient resource; they stay in the import, and their repr shows none of them."""

    identity: Identity
    sex: Sex = field(repr=False)
    born: BirthDate | None = field(repr=False)
    deceased: bool = field(repr=False)

    def agrees_with(self, other: PatientFacts) -> bool:
        """Whether two Patients with one identity can be one person.

        A bare resource id is unique in one server only: then date of birth and sex must be known.
        """
        if self.identity.system == BARE_ID:
            return self.born is not None and self.born == other.born and self.sex == other.sex
        born = self.born is None or other.born is None or self.born == other.born
        sex = "unknown" in (self.sex, other.sex) or self.sex == other.sex
        return born and sex


def read_patient(resource: Json, full_url: str | None) -> PatientFacts | None:
    """Facts of a Patient; None if nothing identifies it."""
    identity = _identity(resource, full_url)
    if identity is None:
        return None
    deceased = "deceasedDateTime" in resource or resource.get("deceasedBoolean") is True
    sex = (
        _SEX.get(resource.get("gender"), "unknown") if isinstance(resource.get("gender"), str) else "unknown"
    )
    return PatientFacts(identity, sex, birth_date(resource.get("birthDate")), deceased)


def identifiers(resource: Json) -> Iterator[tuple[str, str, bool]]:
    """(system, value, whether it is a medical record number) of every complete identifier."""
    found = resource.get("identifier")
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict):
            system, value = item.get("system"), item.get("value")
            if isinstance(system, str) and isinstance(value, str) and system and value:
                yield system, value, (_IDENTIFIER_TYPES, _RECORD_NUMBER) in codings(item.get("type"))


def _identity(resource: Json, full_url: str | None) -> Identity | None:
    """Medical record number, else the first identifier, else the resource's own id or fullUrl."""
    known = sorted(identifiers(resource), key=lambda item: not item[2])  # stable: record numbers first
    candidates = [(system, value) for system, value, _ in known]
    candidates += [(BARE_ID, own) for own in (resource.get("id"), full_url) if isinstance(own, str)]
    for system, value in candidates:
        try:
            return Identity(system, value)
        except UnusableIdentity:
            continue
    return None
