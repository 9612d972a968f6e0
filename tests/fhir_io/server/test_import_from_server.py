"""``vht import https://...``: fetched and imported in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet

from fhir_io.reading.manifest import server_of
from tests.conftest import Command
from tests.fhir_io.conftest import Records
from tests.fhir_io.server.fake import Fake, answer
from vht import Store

EARLY, LATE = "2024-05-01T00:00:00Z", "2999-01-01T00:00:00Z"
build = Records()


@pytest.fixture
def keys(tmp_path: Path, command: Command) -> Path:
    folder = tmp_path / "keys"
    assert command("keys", "init", "--keys", folder)[0] == 0
    return folder


@pytest.fixture
def states(tmp_path: Path) -> Path:
    return tmp_path / "states"


def pulse(value: float, **changes: Any) -> Any:
    return build.observation("8867-4", value, "/min", id="pulse", **changes)


@pytest.fixture
def hospital(fake: Fake) -> Fake:
    """One patient with a heart rate and a pressure."""
    fake.types = ["Patient", "Observation"]
    fake.add(build.patient(), pulse(70), build.observation(id="pressure"), updated=EARLY)
    return fake


def values(states: Path, quantity: str) -> list[float]:
    rows = Store(states).cohort().observations
    return rows[rows["quantity"] == quantity]["value"].tolist()


def test_a_server_is_imported_and_nothing_of_it_is_left(
    hospital: Fake, command: Command, keys: Path, states: Path
) -> None:
    before = sorted(path.name for path in keys.iterdir())
    code, out, err = command("import", hospital.base, "--keys", keys, "--states", states)
    assert (code, err) == (0, "")
    assert "sync 1: all records" in out
    assert "read 3 resources = used 3 + not used 0" in out
    assert values(states, "heart_rate") == [70]
    assert sorted(path.name for path in keys.iterdir()) == before


def test_a_kept_raw_folder_brings_only_corrections_and_deletions(
    hospital: Fake, command: Command, keys: Path, states: Path, tmp_path: Path
) -> None:
    words = ("import", hospital.base, "--keys", keys, "--states", states, "--raw", tmp_path / "raw")
    assert command(*words)[0] == 0
    hospital.add(pulse(75, status="corrected"), updated=LATE)
    hospital.delete("Observation", "pressure")
    code, out, _ = command(*words)
    assert code == 0
    assert "sync 2: what changed since the last sync" in out
    assert "Observation                         1 new" in out
    assert values(states, "heart_rate") == [75]
    assert values(states, "systolic_blood_pressure") == []


def test_the_folder_that_was_fetched_and_the_address_are_one_source(
    hospital: Fake, command: Command, keys: Path, states: Path, tmp_path: Path
) -> None:
    """A corrected value replaces the one that came the other way only within one source."""
    assert command("fetch", hospital.base, "--out", tmp_path / "raw")[0] == 0
    assert server_of(tmp_path / "raw") == hospital.base
    assert command("import", tmp_path / "raw", "--keys", keys, "--states", states)[0] == 0
    hospital.add(pulse(75, status="corrected"), updated=LATE)
    assert command("import", hospital.base, "--keys", keys, "--states", states)[0] == 0
    assert values(states, "heart_rate") == [75]


def test_a_label_of_ones_own_counts(hospital: Fake, command: Command, keys: Path, states: Path) -> None:
    """Another label is another source: the correction does not find what it corrects."""
    words = ("import", hospital.base, "--keys", keys, "--states", states)
    assert command(*words, "--source", "ward")[0] == 0
    hospital.add(pulse(75, status="corrected"), updated=LATE)
    assert command(*words)[0] == 0
    assert sorted(values(states, "heart_rate")) == [70, 75]


def test_the_same_id_on_two_servers_is_two_resources(
    hospital: Fake, other: Fake, command: Command, keys: Path, states: Path
) -> None:
    """Both call it Observation/pulse of one patient, known by a number of record: both values stay."""
    other.types = ["Patient", "Observation"]
    other.add(build.patient(), pulse(81, effectiveDateTime="2024-05-02T08:00:00+02:00"), updated=LATE)
    for server in (hospital, other):
        assert command("import", server.base, "--keys", keys, "--states", states)[0] == 0
    assert sorted(values(states, "heart_rate")) == [70, 81]
    assert len(Store(states).cohort()) == 1


def test_an_export_with_a_key_is_imported(
    hospital: Fake, command: Command, keys: Path, states: Path, tmp_path: Path
) -> None:
    key = ECKey.generate_key("P-384", {"kid": "a"})
    hospital.public_keys = KeySet([key])
    hospital.export_all()
    hospital.polls = 0
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key.as_dict(private=True)))
    path.chmod(0o600)
    words = ("--bulk", "--type", "Patient", "--type", "Observation", "--client-id", "c", "--key", path)
    code, _, err = command("import", hospital.base, "--keys", keys, "--states", states, *words)
    assert (code, err) == (0, "")
    assert values(states, "heart_rate") == [70]
    assert hospital.removed == 1


def test_what_a_faulty_export_gave_is_imported_and_the_command_fails(
    hospital: Fake, command: Command, keys: Path, states: Path
) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    hospital.export_all(error=[{"url": hospital.origin + "/files/e.ndjson"}])
    hospital.files["/files/e.ndjson"] = json.dumps(outcome).encode() + b"\n"
    hospital.polls = 0
    code, out, err = command("import", hospital.base, "--keys", keys, "--states", states, "--bulk")
    assert code == 1
    assert "remarks of the server, error: 1" in out
    assert "records may be missing" in err
    assert values(states, "heart_rate") == [70]


def test_a_server_that_refuses_leaves_nothing(
    hospital: Fake, command: Command, keys: Path, states: Path
) -> None:
    hospital.hooks["/fhir/Observation"] = lambda asked: answer({"resourceType": "OperationOutcome"}, 403)
    before = sorted(path.name for path in keys.iterdir())
    code, _, err = command("import", hospital.base, "--keys", keys, "--states", states)
    assert code == 2
    assert "403" in err
    assert not states.exists()
    assert sorted(path.name for path in keys.iterdir()) == before


def test_without_a_key_nothing_is_asked_of_the_server(
    hospital: Fake, command: Command, states: Path, tmp_path: Path
) -> None:
    code, _, err = command("import", hospital.base, "--keys", tmp_path / "none", "--states", states)
    assert code == 2
    assert "vht keys init" in err
    assert hospital.asked == []


@pytest.mark.parametrize(
    ("source", "words", "complaint"),
    [
        ("records", ["--bulk"], "the options of a live server need its address"),
        ("records", ["--raw", "raw"], "the options of a live server need its address"),
        ("http://127.0.0.1:1/x", ["--client-id", "c"], "--client-id and --key belong together"),
        ("http://127.0.0.1:1/x", ["--system", "--group", "g"], "choose --system or --group"),
        ("http://127.0.0.1:1/x", ["--retry-unused", "unknown_code"], "give the folder that kept them"),
        ("http://127.0.0.1:1/x", ["--raw", "{states}/raw"], "must lie in separate folders"),
        ("http://example.org/fhir", [], "plain http to another machine is refused"),
    ],
)
def test_a_wrong_use_is_explained(
    command: Command, keys: Path, states: Path, source: str, words: list[str], complaint: str
) -> None:
    told = [word.format(states=states) for word in words]
    code, _, err = command("import", source, "--keys", keys, "--states", states, *told)
    assert code == 2
    assert complaint in err
    assert not states.exists()


@pytest.mark.parametrize(
    "manifest",
    [
        '{"transactionTime": "2024-05-01T00:00:00Z", "request": "https://x.org/$export", "output": []}',
        '{"sync": 1, "request": "file:///etc", "output": []}',
        '{"sync": 1, "output": []}',
        '["sync"]',
        '{"sync": ',
    ],
)
def test_only_a_manifest_that_a_fetch_wrote_names_the_source(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    assert server_of(tmp_path) is None
    assert server_of(tmp_path / "absent") is None
