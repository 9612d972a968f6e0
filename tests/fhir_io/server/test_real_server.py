"""A real FHIR server, where Node and its packages are there: what is posted is what is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_io.server import fetch
from tests.fhir_io.node_tools import running_server
from tests.fhir_io.server.conftest import raw_records

Json = dict[str, Any]
URN = "urn:uuid:11111111-1111-4111-8111-111111111111"
GONE = "urn:uuid:22222222-2222-4222-8222-222222222222"


@pytest.fixture(scope="module")
def real_server() -> Iterator[str]:
    """The FHIR base of a running server, empty at first."""
    with running_server() as base:
        yield base


def transaction(*resources: Json, urn: str = URN) -> Json:
    """A transaction that creates resources, the first of them under ``urn``."""
    entries: list[Json] = []
    for number, resource in enumerate(resources):
        request = {"method": "POST", "url": resource["resourceType"]}
        entries.append({"resource": resource, "request": request} | ({"fullUrl": urn} if number == 0 else {}))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


PATIENT = {"resourceType": "Patient", "gender": "female"}


def condition(subject: str) -> Json:
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]}
    return {"resourceType": "Condition", "code": code, "subject": {"reference": subject}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (transaction(PATIENT, condition(URN)), 200),
        (PATIENT, 400),  # a lone resource is not a Bundle of the base
        (transaction(PATIENT, condition(GONE)), 400),
        (transaction(PATIENT, condition("Patient/nobody")), 400),
        (transaction(PATIENT, condition("#nobody")), 400),
        (transaction(PATIENT | {"colour": "blue"}), 400),
        (transaction(PATIENT | {"gender": ["female"]}), 400),
        (transaction({"resourceType": "Condition"}), 400),
        ({"resourceType": "Bundle", "type": "transaction"}, 400),
    ],
)
def test_the_server_refuses_what_is_invalid_and_what_leads_nowhere(
    real_server: str, body: Json, status: int
) -> None:
    assert httpx.post(real_server + "/", json=body, trust_env=False).status_code == status


def test_a_single_bad_resource_is_refused_and_a_good_one_is_not(real_server: str) -> None:
    for body, status in (
        (PATIENT, 201),
        (PATIENT | {"birthDate": "never"}, 400),
        (PATIENT | {"active": 3}, 400),
    ):
        assert httpx.post(real_server + "/Patient", json=body, trust_env=False).status_code == status


def test_published_records_come_back_as_they_were_posted(
    real_server: str, tmp_path: Path, shared_data: Path
) -> None:
    """The server owns ids and meta and turns urn:uuid into them, as its answer says; nothing else changes."""
    posted: dict[str, Json] = {}
    for path in sorted((shared_data / "fhir" / "synthea_r4_bundles").glob("*.json"), key=_size)[1:5]:
        bundle = json.loads(path.read_bytes())
        if bundle.get("type") != "transaction":
            continue
        made = httpx.post(real_server + "/", json=bundle, timeout=60, trust_env=False)
        assert made.status_code == 200
        places = [entry["response"]["location"] for entry in made.json()["entry"]]
        text = json.dumps([entry["resource"] for entry in bundle["entry"]])
        for entry, place in zip(bundle["entry"], places, strict=True):
            text = text.replace(entry["fullUrl"], place)
        posted |= dict(zip(places, json.loads(text), strict=True))
    types = tuple(sorted({place.split("/")[0] for place in posted}))
    assert max(sum(p.startswith(kind + "/") for p in posted) for kind in types) > 50  # more than a page of it
    fetched = fetch(real_server, tmp_path / "raw", types=types)
    assert fetched.complete
    found = {f"{r['resourceType']}/{r['id']}": r for r in raw_records(tmp_path / "raw")}
    assert len(posted) > 300
    for place, resource in posted.items():
        assert _without_ownership(found[place]) == _without_ownership(resource)


def test_a_change_is_found_by_the_next_sync(real_server: str, tmp_path: Path) -> None:
    made = httpx.post(real_server + "/Patient", json=PATIENT, trust_env=False).json()
    fetch(real_server, tmp_path / "raw", types=("Patient",))
    assert fetch(real_server, tmp_path / "raw", types=("Patient",)).written == {}
    changed = {"resourceType": "Patient", "id": made["id"], "gender": "male"}
    assert httpx.put(f"{real_server}/Patient/{made['id']}", json=changed, trust_env=False).status_code == 200
    assert fetch(real_server, tmp_path / "raw", types=("Patient",)).written == {"Patient": 1}
    assert raw_records(tmp_path / "raw")[-1]["gender"] == "male"


def _size(path: Path) -> int:
    return path.stat().st_size


def _without_ownership(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key not in ("id", "meta")}
