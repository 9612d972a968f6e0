"""An import holds a bounded part of its source, and neither it nor its workers load JAX."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fhir_memory import COMMAND, measured_import, repeated, write_ndjson

SMALL, LARGE = 30.0, 80.0
"""MB of NDJSON."""

BUNDLES = "fhir/synthea_r4_bundles"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_source(shared_data: Path, tmp_path: Path):
    """50 MB more of records may cost 20 MB more: caches fill, and what was read does not stay.

    The texts alone would cost 50 MB, as values several times that.
    """
    peaks = []
    for size in (SMALL, LARGE):
        place = tmp_path / f"{size:g}"
        write_ndjson(shared_data / BUNDLES, place / "fhir" / "resources.ndjson", size)
        peaks.append(measured_import(place / "fhir", place, workers=1).peak)
    assert peaks[1] - peaks[0] < 20
    assert peaks[1] < 400


def test_copies_of_records_have_ids_and_identifiers_of_their_own():
    patient = {
        "resourceType": "Patient",
        "id": "a1b2c3d4-0000-4000-8000-000000000001",
        "identifier": [{"system": "urn:x", "value": "12"}],
    }
    linked = {"resourceType": "Observation", "subject": {"reference": f"urn:uuid:{patient['id']}"}}
    first, second = ([json.loads(line) for line in repeated([patient, linked], n)] for n in (1, 2))
    assert first[0]["id"] != second[0]["id"]
    assert first[0]["identifier"][0]["value"] != second[0]["identifier"][0]["value"]
    for copy in (first, second):
        assert copy[1]["subject"]["reference"] == f"urn:uuid:{copy[0]['id']}"
    assert list(repeated([patient, linked], 1)) == list(repeated([patient, linked], 1))


LOADED = "import sys; print([m for m in ('jax', 'jaxlib', 'organ_models') if m in sys.modules])"


@pytest.mark.parametrize(
    "code",
    [
        "import fhir_io.importer",
        "import fhir_io.workers, fhir_io.warm",
        "import sys; sys.argv = ['vht', 'import', '--help']\ntry:\n {COMMAND}\nexcept SystemExit: pass",
    ],
    ids=["importer", "workers", "command"],
)
def test_an_import_never_loads_jax(code: str):
    code = code.replace("{COMMAND}", COMMAND)
    assert _last_line(code) == "[]"


def test_a_whole_import_by_the_command_never_loads_jax(tmp_path: Path):
    patient = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:x", "value": "1"}]}
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": "2024-01-01",
        "valueQuantity": {"value": 70, "system": "http://unitsofmeasure.org", "code": "/min"},
    }
    source = tmp_path / "fhir"
    source.mkdir()
    (source / "a.ndjson").write_text("".join(json.dumps(r) + "\n" for r in (patient, observation)))
    words = ["keys", "init", "--keys", str(tmp_path / "keys")]
    told = ["import", str(source), "--keys", str(tmp_path / "keys"), "--states", str(tmp_path / "states")]
    run = "".join(
        f"sys.argv = ['vht', *{arguments!r}]\ntry:\n {COMMAND}\n"
        "except SystemExit as end: assert not end.code\n"
        for arguments in (words, told)
    )
    assert _last_line(f"import sys\n{run}") == "[]"
    assert (tmp_path / "states" / "store.json").exists()


def _last_line(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.strip().splitlines()[-1]
