"""From a server to the store and back: what the server says last is what the store shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_io import Reason
from fhir_io.server import fetch
from privacy import Identity
from tests.fhir_io.conftest import FakePseudonymiser, Imported, Records
from tests.fhir_io.export_fixtures import EXAMPLE, export
from tests.fhir_io.node_tools import running_server
from tests.fhir_io.server.fake import Fake
from vht.state import PatientState
from vht.store import Store

Json = dict[str, Any]
R = Records()
LATER = "2999-01-01T00:00:00Z"
TYPES = ("Patient", "Observation", "Condition")


def uuid(number: int) -> str:
    """Ids as servers give them: long enough to be nobody else's."""
    return f"00000000-0000-4000-8000-{number:012}"


def heart_rate(number: int, value: float, **changes: Any) -> Json:
    own = {"id": uuid(number), "effectiveDateTime": f"2024-05-{number:02}"}
    return R.observation("8867-4", value, "/min", **(own | changes))


@pytest.fixture
def follow(import_from: Callable[..., Imported], tmp_path: Path) -> Callable[[], Imported]:
    """Import ``tmp_path / raw`` into one store, time after time."""
    kept = {"store": Store(tmp_path / "states"), "pseudonymiser": FakePseudonymiser()}
    return lambda: import_from(tmp_path / "raw", **kept)


def test_the_store_shows_the_newest_word_of_a_server(
    fake: Fake, fetch_from: Any, follow: Any, import_from: Any, tmp_path: Path
) -> None:
    fake.types = list(TYPES)
    fake.add(R.patient(), heart_rate(1, 61), heart_rate(2, 62), heart_rate(3, 63), R.condition(id=uuid(9)))
    assert fetch_from(fake, types=TYPES).since is None
    first = follow()
    assert first.values("heart_rate") == [61, 62, 63]
    assert first.state.status("hypertension") == "present"

    # one corrected, one entered in error, one deleted, one new, and a condition that was refuted
    fake.add(
        heart_rate(1, 71, status="corrected"),
        heart_rate(2, 62, status="entered-in-error"),
        heart_rate(4, 64),
        R.condition(
            id=uuid(9),
            verificationStatus=R.concept(
                "http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted"
            ),
        ),
        updated=LATER,
    )
    fake.delete("Observation", uuid(3))
    again = fetch_from(fake, types=TYPES)
    assert again.since is not None
    assert again.written == {"Observation": 3, "Condition": 1}
    second = follow()
    assert second.values("heart_rate") == [71, 64]
    assert second.state.status("hypertension") == "absent"
    assert second.reasons()[Reason.ENTERED_IN_ERROR] == 1
    assert second.report.deletions == 1

    # day 0 stays the day of the first import, 3 May
    assert [o.day for o in second.state.observations] == [-2.0, 1.0]

    # nothing new: nothing changes; and who comes late sees the same, but for the day 0 of a first import
    assert fetch_from(fake, types=TYPES).written == {}
    third = follow()
    assert third.report.rows_added == third.report.retracted == 0
    assert third.cohort.digest == second.cohort.digest
    late = import_from(tmp_path / "raw")
    assert late.values("heart_rate") == [71, 64]
    assert late.state.status("hypertension") == "absent"


def test_a_deletion_that_is_imported_alone_retracts(fake: Fake, fetch_from: Any, follow: Any) -> None:
    fake.types = list(TYPES)
    fake.add(R.patient(), heart_rate(1, 61), heart_rate(2, 62))
    fetch_from(fake, types=TYPES)
    assert follow().values("heart_rate") == [61, 62]
    fake.delete("Observation", uuid(2))
    fetch_from(fake, types=TYPES)
    assert follow().values("heart_rate") == [61]


# -- the export, by way of a real server


def rows(state: PatientState) -> list[tuple[str, float, float]]:
    return sorted((o.quantity, o.value, o.day) for o in state.observations)


@pytest.mark.parametrize("accept", [False, True])
def test_what_is_exported_goes_through_a_real_server_and_comes_back(
    tmp_path: Path, import_from: Any, accept: bool
) -> None:
    """As a transaction; the server gives new ids and refuses what is invalid or leads nowhere."""
    made = export(EXAMPLE, tmp_path / "out.json", bundle="transaction")
    with running_server() as base:
        bundle = (tmp_path / "out.json").read_bytes()
        headers = {"content-type": "application/fhir+json"}
        answer = httpx.post(base + "/", content=bundle, headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 200
        assert {entry["response"]["status"] for entry in answer.json()["entry"]} == {"201"}
        types = tuple(sorted({resource["resourceType"] for resource in made}))
        assert fetch(base, tmp_path / "raw", types=types).complete
    direct = import_from(tmp_path / "out.json", accept_predictions=accept)
    round_trip = import_from(tmp_path / "raw", accept_predictions=accept)
    assert round_trip.report.values == direct.report.values
    assert round_trip.report.patients == direct.report.patients > 0
    sides = [
        {state.pseudonym: (rows(state), state.sex, state.age_years) for state in done.cohort.states()}
        for done in (direct, round_trip)
    ]
    assert sides[0] == sides[1]
    assert any(r for r, _, _ in sides[0].values())


# -- R5


def as_r5(resource: Json) -> Json:
    """The same resource under the names of R5, after https://hl7.org/fhir/R5/versions.html."""
    kind, made = resource["resourceType"], dict(resource)
    if kind.startswith("Medication"):
        made["medication"] = {"concept": made.pop("medicationCodeableConcept")}
    if kind == "MedicationStatement":
        made["status"] = "recorded"
    if kind == "MedicationAdministration":
        made["occurenceDateTime"] = made.pop("effectiveDateTime")
    if kind == "Procedure":
        made["occurrencePeriod"] = made.pop("performedPeriod")
    return made


MEDICATION = {"id": None, "intent": None, "authoredOn": None}
R4_RECORD: list[Json] = [
    R.patient(deceasedDateTime="2024-06-01"),
    R.observation(),
    R.panel("85354-9", {"valueQuantity": R.quantity(130)}, {"valueQuantity": R.quantity(85)}),
    R.observation("8867-4", 70, "/min", valueQuantity=R.quantity(70, "/min", comparator="<")),
    R.condition(abatementDateTime="2022-01-01"),
    R.medication(),
    R.medication(
        resourceType="MedicationAdministration",
        status="completed",
        effectiveDateTime="2024-03-01",
        **MEDICATION,
    ),
    R.medication(
        resourceType="MedicationStatement", effectivePeriod={"start": "2023-03-01", "end": "2023-04-01"}
    )
    | {"status": "active"},
    {
        "resourceType": "Procedure",
        "status": "completed",
        "code": R.concept("http://snomed.info/sct", "73761001"),
        "subject": {"reference": "Patient/p"},
        "performedPeriod": {"start": "2024-03-01T10:00:00Z", "end": "2024-03-01T11:00:00Z"},
    },
]
for _resource in R4_RECORD:
    if _resource["resourceType"] == "MedicationStatement":
        for _name in ("intent", "authoredOn"):
            _resource.pop(_name)


@pytest.mark.parametrize("declared", [None, "R5"])
def test_a_record_in_r5_gives_the_states_of_its_twin_in_r4(import_resources: Any, declared: Any) -> None:
    older = import_resources(*R4_RECORD, validation="full")
    newer = import_resources(*map(as_r5, R4_RECORD), validation="full", fhir_version=declared)
    assert older.report.used == newer.report.used == len(R4_RECORD)
    assert newer.report.versions == {"R4 and R5" if declared is None else "R5": 1}
    assert older.cohort.digest == newer.cohort.digest
    state = newer.state
    assert len(state.medications) == 3
    assert [c.end_day is not None for c in state.conditions] == [True]
    assert (state.vital_status, len(state.procedures), len(state.intervals)) == ("deceased", 1, 1)


def test_the_published_examples_of_r5(import_from: Any, shared_data: Path) -> None:
    """One of the seven is a measurement: body weight of Patient/example, 185 [lb_av] on 28 March 2016."""
    folder = shared_data / "fhir" / "hl7_r5_examples"
    weight = json.loads((folder / "observation-example.json").read_bytes())
    assert (weight["valueQuantity"]["value"], weight["valueQuantity"]["code"]) == (185, "[lb_av]")
    for declared in (None, "R5"):
        done = import_from(folder, fhir_version=declared)
        assert done.report.patients == 1
        # 0.45359237 kg to the pound, by definition
        assert done.values("body_weight") == [pytest.approx(185 * 0.45359237)]


# -- consents


@pytest.mark.parametrize("policy", ["opt-in", "opt-out"])
def test_consents_of_the_published_examples(import_from: Any, shared_data: Path, policy: Any) -> None:
    """None of them is about research, so none permits it; Patient/f001 and Patient/example have opted out."""
    folder = shared_data / "fhir" / "hl7_r4_examples"
    consents = [json.loads(path.read_bytes()) for path in sorted(folder.glob("Consent-*.json"))]
    assert {c["scope"]["coding"][0]["code"] for c in consents} == {"patient-privacy"}
    out = {c["patient"]["reference"] for c in consents if c["policyRule"]["coding"][0]["code"] == "OPTOUT"}
    assert out == {"Patient/f001", "Patient/example"}
    everyone = set(import_from(folder).cohort.patients["pseudonym"])
    done = import_from(folder, consent=policy)
    read = done.report.used_by_type.get("Consent", 0) + sum(done.reasons("Consent").values())
    assert read == len(consents)
    if policy == "opt-in":
        assert done.report.patients == 0
        assert set(done.report.used_by_type) == {"Consent"}
        assert len(done.cohort) == 0
        return
    names = {
        FakePseudonymiser().pseudonym(Identity(i["system"], i["value"]))
        for path in folder.glob("Patient-*.json")
        for patient in [json.loads(path.read_bytes())]
        if f"Patient/{patient['id']}" in out
        for i in patient["identifier"]
        if {"system", "value"} <= set(i)
    }
    kept = set(done.cohort.patients["pseudonym"])
    assert kept == everyone - names < everyone
