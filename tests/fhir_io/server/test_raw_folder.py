"""The raw folder after a crash at the worst moments, and records of published exports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_io.server import Fetched
from tests.fhir_io.server.conftest import identities, raw_records
from tests.fhir_io.server.fake import Asked, Fake
from vht.files import sha256_file

Fetch = Callable[..., Fetched]


@pytest.fixture
def three(fake: Fake) -> Fake:
    fake.add({"resourceType": "Patient", "id": "p"}, {"resourceType": "Observation", "id": "o"})
    fake.add({"resourceType": "Condition", "id": "c"})
    return fake


TYPES = ("Patient", "Observation", "Condition")


@pytest.mark.parametrize("step", range(1, 6))
def test_a_crash_while_files_get_their_names_is_made_good(
    three: Fake, fetch_from: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Three files and the manifest are renamed: the crash comes at each of the four, or at none."""
    count = [0]
    rename = os.replace

    def crash(source: Any, target: Any) -> None:
        count[0] += 1
        if count[0] == step:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", crash)
        if step <= 4:
            with pytest.raises(KeyboardInterrupt):
                fetch_from(three, types=TYPES)
        else:
            fetch_from(three, types=TYPES)
    again = fetch_from(three, types=TYPES)
    assert again.written == {}
    assert again.sync == 2
    assert identities(tmp_path / "raw") == ["Condition/c", "Observation/o", "Patient/p"]
    manifest = json.loads((tmp_path / "raw" / "manifest.json").read_bytes())
    assert {entry["url"] for entry in manifest["output"]} == {
        p.name for p in (tmp_path / "raw").glob("*.ndjson")
    }


def test_the_manifest_lists_every_file_with_count_and_digest(
    three: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    fetched = fetch_from(three, types=TYPES)
    raw = tmp_path / "raw"
    manifest = json.loads((raw / "manifest.json").read_bytes())
    assert manifest["transactionTime"] == fetched.transaction_time
    assert manifest["request"] == three.base
    for entry in manifest["output"]:
        path = raw / entry["url"]
        assert entry["sha256"] == sha256_file(path)
        assert entry["bytes"] == path.stat().st_size
        assert entry["count"] == len(path.read_bytes().splitlines()) == 1


def test_a_process_that_is_killed_leaves_no_half_file_and_the_next_goes_on(
    three: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    """Killed (SIGKILL) while the second page of observations is waited for."""
    three.add(*({"resourceType": "Observation", "id": f"o{n}"} for n in range(4)))
    script = (
        "import sys; from pathlib import Path; from fhir_io.server import fetch\n"
        "fetch(sys.argv[1], Path(sys.argv[2]), types=('Patient', 'Observation', 'Condition'))"
    )
    raw = tmp_path / "raw"
    with subprocess.Popen([sys.executable, "-c", script, three.base, str(raw)]) as process:

        def kill(asked: Asked) -> None:
            if "cursor" in asked.query and process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)

        three.hooks["/fhir/Observation"] = kill
        assert process.wait(60) == -signal.SIGKILL
    assert list(raw.glob("*.ndjson")) == []
    three.hooks.clear()
    assert fetch_from(three, types=TYPES).written == {"Patient": 1, "Observation": 5, "Condition": 1}
    assert len(identities(raw)) == 7


def test_a_published_export_is_the_same_by_search_and_in_bulk(
    fake: Fake, fetch_from: Fetch, tmp_path: Path, shared_data: Path
) -> None:
    """Counts from the export's own manifest (shared data, bulk_ndjson_export25)."""
    source = shared_data / "fhir" / "bulk_ndjson_export25"
    counts = {o["type"]: o["count"] for o in json.loads((source / "manifest.json").read_bytes())["output"]}
    types = ("Patient", "Condition", "Procedure", "MedicationRequest", "AllergyIntolerance")
    originals: list[dict[str, Any]] = []
    for path in source.glob("*.ndjson"):
        if path.name.split(".")[0] in types:
            originals += [json.loads(line) for line in path.read_bytes().splitlines()]
    for resource in originals:
        fake.records.setdefault(resource["resourceType"], []).append(resource)
    fake.page = 50
    fake.export_all()
    searched = fetch_from(fake, types=types, out=tmp_path / "search")
    exported = fetch_from(fake, types=types, out=tmp_path / "bulk", bulk="patient")
    assert searched.written == exported.written == {kind: counts[kind] for kind in types}
    expected = sorted(json.dumps(r, sort_keys=True) for r in originals)
    for name in ("search", "bulk"):
        assert sorted(json.dumps(r, sort_keys=True) for r in raw_records(tmp_path / name)) == expected
