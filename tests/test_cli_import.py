"""``vht import`` as a user meets it: every option, every bad input, its exit code and its words."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from fhir_io.reading import streams
from tests.conftest import Command
from tests.fhir_io.conftest import Records
from vht.store import Store

Json = dict[str, Any]
SECRET = "Hildegard_Featherstonehaugh"
R = Records()
CONSENT = "http://terminology.hl7.org/CodeSystem"

Import = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_import(tmp_path: Path, command: Command) -> Import:
    """``vht import`` of ``tmp_path / in`` into ``tmp_path / states``, with some more words."""
    command("keys", "init", "--keys", tmp_path / "keys")
    (tmp_path / "in").mkdir()

    def run(*words: object, source: Path | None = None) -> tuple[int, str, str]:
        folders = ("--keys", tmp_path / "keys", "--states", tmp_path / "states")
        code, out, err = command("import", source or tmp_path / "in", *folders, *words)
        assert SECRET not in out + err
        assert "Traceback" not in err
        return code, out, err

    return run


def person(*resources: Json) -> list[Json]:
    return [R.patient(name=[{"family": SECRET}]), *resources]


def write(path: Path, resources: Iterable[Json]) -> bytes:
    content = json.dumps(R.bundle(*resources)).encode()
    path.write_bytes(content)
    return content


def report(tmp_path: Path) -> Json:
    found: Json = json.loads((tmp_path / "states" / "import-report.json").read_bytes())
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# -- what cannot be read


def test_a_bundle_cut_off_at_20_offsets_is_refused_and_the_store_stays_as_it_was(
    tmp_path: Path, run_import: Import
):
    path = tmp_path / "in" / f"{SECRET}.json"
    whole = write(path, person(R.observation(), R.condition()))
    assert run_import()[0] == 0
    before = contents(tmp_path / "states")
    for length in range(0, len(whole), len(whole) // 19):
        path.write_bytes(whole[:length])
        code, out, err = run_import()
        assert (code, out) == (2, "")
        assert re.match(r"error: file 1 of 1: not readable as JSON at byte \d+ of \d+", err)
        assert contents(tmp_path / "states") == before
    path.write_bytes(whole)
    assert run_import()[0] == 0


HOSTILE = {
    "twice.json": (b'{"resourceType":"Patient","id":"a","id":"b"}', "two fields of one name"),
    "nan.json": (b'{"resourceType":"Patient","multipleBirthInteger":NaN}', "not readable as JSON"),
    "large.json": (b'{"resourceType":"Patient","multipleBirthInteger":1e400}', "not readable as JSON"),
    "deep.json": (b"[" * 100_000, "not readable as JSON"),
    "latin.json": (b'{"resourceType":"Patient","id":"\xff"}', "not UTF-8"),
    "archive.json": (b"PK\x03\x04" + b"\0" * 40, "is an archive; unpack it"),
    "cut.ndjson.gz": (gzip.compress(b'{"resourceType":"Patient"}\n')[:-4], "export it again"),
    "list.json": (b'{"resourceType":"Bundle","entry":{"a":1}}', "entry is not a list"),
    "other.json": (b'{"name":"' + SECRET.encode() + b'"}', "it has no resourceType"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files_are_refused_by_their_place(tmp_path: Path, run_import: Import, name: str):
    content, words = HOSTILE[name]
    write(tmp_path / "in" / "a.json", person(R.observation()))
    (tmp_path / "in" / f"{SECRET}-{name}").write_bytes(content)
    code, out, err = run_import()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert words in err
    assert not (tmp_path / "states").exists()


def test_a_bomb_is_stopped(tmp_path: Path, run_import: Import, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    (tmp_path / "in" / "a.ndjson.gz").write_bytes(gzip.compress(b"\n" * (1 << 20)) * 64)
    code, _, err = run_import()
    assert code == 2
    assert "unpacks to more than 300 times its size" in err


def test_a_manifest_that_leads_outside_is_refused(tmp_path: Path, run_import: Import):
    (tmp_path / "in" / "a.ndjson").write_text(json.dumps(R.patient()) + "\n")
    manifest = {"output": [{"type": "Patient", "url": f"../{SECRET}/passwd"}]}
    (tmp_path / "in" / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = run_import()
    assert code == 2
    assert "names a place outside its folder" in err


def test_a_source_that_is_not_there(tmp_path: Path, run_import: Import):
    code, _, err = run_import(source=tmp_path / SECRET.lower())
    assert code == 2
    assert "does not exist" in err


# -- reasons


def test_strict_fails_by_a_reason_and_imports_nothing(tmp_path: Path, run_import: Import):
    unknown = R.observation("1-1")
    write(tmp_path / "in" / "a.json", person(R.observation(), unknown, unknown))
    code, out, err = run_import("--strict", "unknown_code", "--strict", "no_zone")
    assert (code, out) == (2, "")
    assert "--strict forbids" in err
    assert "unknown_code: 2 resources, first file 1 of 1, entry 3" in err
    assert "no_zone" not in err
    assert not Store(tmp_path / "states").exists()
    assert run_import("--strict", "no_zone")[0] == 0


@pytest.mark.parametrize("option", ["--strict", "--retry-unused"])
def test_a_reason_that_does_not_exist_is_corrected(run_import: Import, option: str):
    code, _, err = run_import(option, "unknown_kode")
    assert code == 2
    assert "there is no reason 'unknown_kode'; did you mean 'unknown_code'?" in err


TABLE = """
schema: vht-codes/1
version: "1"
systems: [{name: ward, uri: "urn:ward"}]
quantities: [{system: ward, code: HF, quantity: heart_rate, unit: "/min", source: the ward}]
"""


def test_what_was_not_used_is_read_again_after_a_table_was_given(tmp_path: Path, run_import: Import):
    local = R.observation(value=66, unit="/min", code=R.concept("urn:ward", "HF"))
    write(tmp_path / "in" / "a.json", person(R.observation(), local))
    assert run_import()[0] == 0
    (tmp_path / "ward.yaml").write_text(TABLE)
    words = ("--retry-unused", "unknown_code", "--codes", tmp_path / "ward.yaml")
    code, out, _ = run_import(*words)
    assert code == 0
    assert "read 2 resources = used 2 + not used 0" in out
    [state] = Store(tmp_path / "states").cohort().states()
    assert {o.quantity: o.value for o in state.observations} == {
        "heart_rate": 66.0,
        "systolic_blood_pressure": 120.0,
    }
    code, _, err = run_import(*words)
    assert code == 2
    assert "import the source again without --retry-unused" in err


def test_a_table_with_a_mistake_is_named_by_row_and_field(tmp_path: Path, run_import: Import):
    write(tmp_path / "in" / "a.json", person(R.observation()))
    (tmp_path / "ward.yaml").write_text(TABLE.replace("heart_rate", "hart_rate"))
    code, _, err = run_import("--codes", tmp_path / "ward.yaml")
    assert code == 2
    assert "ward.yaml: 'quantities', row 1, 'quantity'" in err
    assert "did you mean 'heart_rate'?" in err


def test_explain_says_what_happens_to_a_code_and_imports_nothing(command: Command, tmp_path: Path):
    code, out, _ = command("import", "--explain", "http://loinc.org|8480-6")
    assert code == 0
    assert "systolic_blood_pressure" in out
    code, out, _ = command("import", "--explain", "38341003")
    assert code == 0
    assert "hypertension" in out
    (tmp_path / "ward.yaml").write_text(TABLE)
    code, out, _ = command("import", "--explain", "urn:ward|HF", "--codes", tmp_path / "ward.yaml")
    assert code == 0
    assert "heart_rate" in out


# -- consent


def consent(kind: str, subject: str) -> Json:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": f"{CONSENT}/consentscope", "code": "research"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{subject}"},
        "dateTime": "2020-01-01",
        "policy": [{"uri": "https://example.org/policy"}],
        "provision": {"type": kind},
    }


@pytest.mark.parametrize(
    ("policy", "patients"),
    # one permits, one denies, one says nothing
    [("opt-in", 1), ("opt-out", 2), (None, 3)],
)
def test_consent_decides_who_is_used(tmp_path: Path, run_import: Import, policy: str | None, patients: int):
    resources: list[Json] = []
    for number, name in enumerate(("yes", "no", "silent")):
        identifier = [{"system": "urn:test:mrn", "value": str(number)}]
        resources.append(R.patient(id=name, identifier=identifier))
        resources.append(R.observation(subject={"reference": f"Patient/{name}"}))
    resources += [consent("permit", "yes"), consent("deny", "no")]
    write(tmp_path / "in" / "a.json", resources)
    code, out, _ = run_import(*(("--consent", policy) if policy else ()))
    assert code == 0
    assert out.startswith(f"{patients} patients from 1 files")
    assert report(tmp_path)["patients"] == patients
    code, _, err = run_import("--consent", "maybe")
    assert code == 2
    assert "opt-in" in err


# -- workers, versions, levels


def test_two_workers_store_what_one_stores(tmp_path: Path, run_import: Import, command: Command):
    for number in range(3):
        identifier = [{"system": "urn:test:mrn", "value": str(number)}]
        write(tmp_path / "in" / f"{number}.json", [R.patient(identifier=identifier), R.observation()])
    assert run_import("--workers", 2)[0] == 0
    two = Store(tmp_path / "states").cohort()
    words = ("--keys", tmp_path / "keys", "--states", tmp_path / "one")
    assert command("import", tmp_path / "in", *words)[0] == 0
    assert Store(tmp_path / "one").cohort().digest == two.digest
    for number, bound in ((0, "1"), (65, "64")):
        code, _, err = run_import("--workers", number)
        assert code == 2
        assert re.search(rf"--workers.*equal to {bound}$", err)


def test_a_worker_that_finds_a_bad_file_stops_the_import(tmp_path: Path, run_import: Import):
    write(tmp_path / "in" / "a.json", person(R.observation()))
    (tmp_path / "in" / f"{SECRET}.json").write_bytes(b'{"resourceType": "Patient", "id": ')
    code, out, err = run_import("--workers", 2)
    assert (code, out) == (2, "")
    assert "file 1 of 2: not readable as JSON" in err
    assert not (tmp_path / "states").exists()


R5_PROCEDURE = {
    "resourceType": "Procedure",
    "status": "completed",
    "code": R.concept("http://snomed.info/sct", "73761001"),
    "subject": {"reference": "Patient/p"},
    "occurrenceDateTime": "2024-05-01",
}


def test_the_version_is_told_or_found(tmp_path: Path, run_import: Import):
    write(tmp_path / "in" / "a.json", person(R.observation(), R5_PROCEDURE))
    code, _, err = run_import("--fhir", "R4")
    assert code == 2
    assert "file 1 of 1, entry 3: this resource is FHIR R5, and the source was said to be R4" in err
    code, out, _ = run_import("--fhir", "R5")
    assert code == 0
    assert "files by FHIR version: R5 1" in out
    [state] = Store(tmp_path / "states").cohort().states()
    assert [p.concept for p in state.procedures] == ["colonoscopy"]
    code, _, err = run_import("--fhir", "STU3")
    assert code == 2
    assert "R4B" in err


@pytest.mark.parametrize(("level", "used"), [("full", 2), ("shape", 2), ("none", 3)])
def test_levels_of_validation(tmp_path: Path, run_import: Import, level: str, used: int):
    """An element that FHIR does not have is seen by fhir.resources alone."""
    write(tmp_path / "in" / "a.json", person(R.observation(), R.observation(value=130, colour="red")))
    code, out, _ = run_import("--validation", level)
    assert code == 0
    assert f"read 3 resources = used {used} + not used {3 - used}" in out


def test_a_zone_is_assumed_only_on_demand(tmp_path: Path, run_import: Import):
    write(tmp_path / "in" / "a.json", person(R.observation(effectiveDateTime="2024-05-01T08:00:00")))
    assert run_import()[0] == 1  # no patient could be made
    code, out, _ = run_import("--assume-zone", "Europe/Berlin")
    assert code == 0
    assert "Time of day without a zone" in out
    code, _, err = run_import("--assume-zone", "Europe/Atlantis")
    assert code == 2
    assert "there is no time zone 'Europe/Atlantis'" in err


def test_predictions_are_taken_only_on_demand(tmp_path: Path, run_import: Import):
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
    marked = R.observation(value=140, meta={"security": [{"system": system, "code": "AIAST"}]})
    write(tmp_path / "in" / "a.json", person(R.observation("8867-4", 60, "/min"), marked))
    assert run_import()[0] == 0
    assert report(tmp_path)["not_used_by_type"] == {"Observation": {"simulated": 1}}
    assert run_import("--accept-predictions")[0] == 0
    assert report(tmp_path)["values"] == {"heart_rate": 1, "systolic_blood_pressure": 1}


def test_the_folders_must_be_given(command: Command, tmp_path: Path):
    code, _, err = command("import", tmp_path)
    assert code == 2
    assert "--keys" in err
    assert "--explain" in err
