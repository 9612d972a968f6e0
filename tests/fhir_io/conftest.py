"""Fixtures for tests of the import: small FHIR records, and a pseudonymiser without keys."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from fhir_io import ImportReport, Reason, import_records
from privacy import Identity
from vht.cohort import Cohort
from vht.state import PatientState
from vht.store import Store

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True)
class FakeEnrolment:
    pseudonym: str
    study_number: int
    day_zero: date
    born: tuple[int, int] | None = None


@dataclass
class FakePseudonymiser:
    """Hashes identities without a key; remembers day 0 as the real one does."""

    enrolments: dict[str, FakeEnrolment] = field(default_factory=dict)
    aliases: dict[bytes, str] = field(default_factory=dict)
    suppressions: dict[str, int] = field(default_factory=dict)
    commits: int = 0

    def pseudonym(self, identity: Identity) -> str:
        digest = hashlib.sha256(f"{identity.system}\n{identity.value}".encode()).digest()
        return "v1-" + base64.b32encode(digest[:20]).decode().lower()

    def enrol(
        self, patient: Identity | str, day_zero: date, born: tuple[int, int] | None = None
    ) -> FakeEnrolment:
        pseudonym = patient if isinstance(patient, str) else self.pseudonym(patient)
        known = self.enrolments.get(pseudonym)
        number = known.study_number if known else len(self.enrolments)
        zero = known.day_zero if known else day_zero
        born = born or (known.born if known else None)
        self.enrolments[pseudonym] = FakeEnrolment(pseudonym, number, zero, born)
        return self.enrolments[pseudonym]

    def enrolled(self, pseudonym: str) -> FakeEnrolment | None:
        return self.enrolments.get(pseudonym)

    def keyed(self, kind: str, *parts: str) -> bytes:
        return hashlib.sha256("\n".join([kind, *parts]).encode()).digest()[:12]

    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None:
        for name, pseudonym in aliases:
            known = self.aliases.setdefault(name, pseudonym)
            self.aliases[name] = pseudonym if known == pseudonym else ""

    def recall(self, name: bytes) -> str | None:
        return self.aliases.get(name) or None

    def suppress(self, patient: Identity | str, withdrawn: datetime | None = None) -> None:
        pseudonym = patient if isinstance(patient, str) else self.pseudonym(patient)
        self.suppressions[pseudonym] = int((withdrawn or datetime.now(UTC)).timestamp())
        self.enrolments.pop(pseudonym, None)

    def suppressed_since(self, patient: Identity | str) -> int | None:
        return self.suppressions.get(patient if isinstance(patient, str) else self.pseudonym(patient))

    def unsuppress(self, patient: Identity | str, permitted: datetime) -> bool:
        self.suppressions.pop(patient if isinstance(patient, str) else self.pseudonym(patient), None)
        return True

    def commit(self) -> None:
        self.commits += 1


@dataclass
class Imported:
    """An import's report, store and pseudonymiser."""

    report: ImportReport
    store: Store
    pseudonymiser: FakePseudonymiser

    @property
    def cohort(self) -> Cohort:
        return self.store.cohort()

    @property
    def state(self) -> PatientState:
        """The only patient's state."""
        cohort = self.cohort
        assert len(cohort) == 1
        return cohort.state(cohort.patients["pseudonym"][0])

    def reasons(self, kind: str = "Observation") -> dict[Reason, int]:
        return {r: n for (k, r), n in self.report.not_used_by_type.items() if k == kind}

    def values(self, quantity: str) -> list[float]:
        return [o.value for o in self.state.observations if o.quantity == quantity]


@pytest.fixture
def import_from(tmp_path: Path) -> Callable[..., Imported]:
    """Import a path, each time into a store of its own unless one is given."""
    count = 0

    def run(source: Path, **options: Any) -> Imported:
        nonlocal count
        count += 1
        store = options.pop("store", Store(tmp_path / f"states-{count}"))
        pseudonymiser = options.pop("pseudonymiser", FakePseudonymiser())
        report = import_records(source, pseudonymiser=pseudonymiser, store=store, **options)
        assert report.read == report.used + report.not_used
        return Imported(report, store, pseudonymiser)

    return run


class Records:
    """Builders of small FHIR resources about Patient/p."""

    ucum = UCUM

    def patient(self, **changes: Any) -> Json:
        base = {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [{"system": "urn:test:mrn", "value": "12345678"}],
            "gender": "female",
            "birthDate": "1960-06-15",
        }
        return base | changes

    def concept(self, system: str, code: str) -> Json:
        return {"coding": [{"system": system, "code": code}]}

    def quantity(self, value: Any, code: str = "mm[Hg]", **changes: Any) -> Json:
        return {"value": value, "unit": code, "system": UCUM, "code": code} | changes

    def observation(
        self, loinc: str = "8480-6", value: Any = 120, unit: str = "mm[Hg]", **changes: Any
    ) -> Json:
        base = {
            "resourceType": "Observation",
            "status": "final",
            "code": self.concept("http://loinc.org", loinc),
            "subject": {"reference": "Patient/p"},
            "effectiveDateTime": "2024-05-01T08:00:00+02:00",
            "valueQuantity": self.quantity(value, unit),
        }
        made = base | changes
        return {key: item for key, item in made.items() if item is not None}

    def panel(self, code: str, systolic: Any, diastolic: Any, **changes: Any) -> Json:
        parts = [
            {"code": self.concept("http://loinc.org", "8480-6"), **systolic},
            {"code": self.concept("http://loinc.org", "8462-4"), **diastolic},
        ]
        return self.observation(code, valueQuantity=None, component=parts, **changes)

    def lesion(self, value: float, unit: str = "mm", **changes: Any) -> Json:
        part = {
            "code": self.concept("http://loinc.org", "33728-7"),
            "valueQuantity": self.quantity(value, unit),
        }
        options: Json = {"effectiveDateTime": "2024-05-01", "component": [part]} | changes
        return self.observation("21889-1", valueQuantity=None, **options)

    def condition(self, code: str = "38341003", **changes: Any) -> Json:
        base = {
            "resourceType": "Condition",
            "code": self.concept("http://snomed.info/sct", code),
            "clinicalStatus": self.concept(
                "http://terminology.hl7.org/CodeSystem/condition-clinical", "active"
            ),
            "subject": {"reference": "Patient/p"},
            "onsetDateTime": "2020-01-01",
        }
        return base | changes

    def medication(self, **changes: Any) -> Json:
        base = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": self.concept(
                "http://www.nlm.nih.gov/research/umls/rxnorm", "197361"
            ),
            "subject": {"reference": "Patient/p"},
            "authoredOn": "2024-04-01",
        }
        made = base | changes
        return {key: item for key, item in made.items() if item is not None}

    def bundle(self, *resources: Json, urls: bool = False) -> Json:
        entries: list[Json] = [{"resource": r} for r in resources]
        if urls:
            entries = [{"fullUrl": f"urn:uuid:{n}", "resource": r} for n, r in enumerate(resources)]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def import_resources(tmp_path: Path, import_from: Callable[..., Imported]) -> Callable[..., Imported]:
    """Import resources as one Bundle, the usual patient before them unless one is among them."""
    count = 0

    def run(*resources: Json, **options: Any) -> Imported:
        nonlocal count
        count += 1
        if not any(r.get("resourceType") == "Patient" for r in resources):
            resources = (Records().patient(), *resources)
        folder = tmp_path / f"source-{count}"
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(Records().bundle(*resources)))
        return import_from(folder, **options)

    return run
