"""``vht fetch``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, KeySet

from tests.conftest import Command
from tests.fhir_io.server.conftest import identities
from tests.fhir_io.server.fake import Fake, ndjson


@pytest.fixture
def small(fake: Fake) -> Fake:
    fake.add({"resourceType": "Patient", "id": "p"}, {"resourceType": "Observation", "id": "o"})
    fake.types = ["Patient", "Observation"]
    return fake


def test_fetch_brings_what_the_import_needs_and_says_how_much(
    small: Fake, command: Command, tmp_path: Path
) -> None:
    code, out, _ = command("fetch", small.base, "--out", tmp_path / "raw")
    assert code == 0
    assert "2 records, identifiable" in out
    assert "Observation                         1 new        0 unchanged" in out
    assert "the server does not have: Condition" in out
    code, out, _ = command("fetch", small.base, "--out", tmp_path / "raw")
    assert "sync 2: what changed since the last sync" in out
    assert "0 records" in out


def test_fetch_by_export_with_a_key(small: Fake, command: Command, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-384", {"kid": "a"})
    small.public_keys = KeySet([key])
    small.export_all()
    small.polls = 0
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key.as_dict(private=True)))
    path.chmod(0o600)
    words = (
        "fetch",
        small.base,
        "--out",
        tmp_path / "raw",
        "--bulk",
        "--type",
        "Patient",
        "--type",
        "Observation",
    )
    code, _, _ = command(*words, "--client-id", "c", "--key", path)
    assert code == 0
    assert identities(tmp_path / "raw") == ["Observation/o", "Patient/p"]
    assert small.assertions[0]["form"]["scope"] == "system/Patient.rs system/Observation.rs"


def test_an_export_with_errors_fails_and_keeps_what_came(
    small: Fake, command: Command, tmp_path: Path
) -> None:
    small.export_all(error=[{"url": small.origin + "/files/e.ndjson"}])
    small.files["/files/e.ndjson"] = ndjson(
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    )
    small.polls = 0
    code, out, err = command("fetch", small.base, "--out", tmp_path / "raw", "--bulk")
    assert code == 1
    assert "remarks of the server, error: 1" in out
    assert "records may be missing" in err
    assert identities(tmp_path / "raw") == ["Observation/o", "Patient/p"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["http://example.org/fhir"], "plain http to another machine is refused"),
        (["no-address"], "give its FHIR base"),
        (["http://127.0.0.1:1/x", "--client-id", "c"], "--client-id and --key belong together"),
        (["http://127.0.0.1:1/x", "--system", "--group", "g"], "choose --system or --group"),
        (["http://127.0.0.1:1/x", "--since", "2024"], "needs date, time and zone"),
        (["http://127.0.0.1:1/x", "--type", "observation"], "a resource type is a name"),
        (["http://127.0.0.1:1/x", "--rate", "0"], "above 0"),
        (["http://127.0.0.1:1/x", "--client-id", "c", "--key", "absent"], "key file cannot be read"),
    ],
)
def test_a_wrong_use_is_explained_and_makes_no_folder(
    command: Command, tmp_path: Path, words: list[str], complaint: str
) -> None:
    code, _, err = command("fetch", *words, "--out", tmp_path / "raw")
    assert code == 2
    assert complaint in err
    assert not (tmp_path / "raw").exists()
