"""What happens with a source that cannot be imported: clear words, and nothing written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_io import FhirImportError
from tests.fhir_io.conftest import FakePseudonymiser

SECRET = "Hildegard_Featherstonehaugh"


@pytest.fixture
def refused(tmp_path: Path, import_from: Any) -> Callable[..., str]:
    """Import files that must be refused; the message, which names no file and no patient."""

    def run(files: dict[str, bytes], **options: Any) -> str:
        folder = tmp_path / "source"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        with pytest.raises(FhirImportError) as caught:
            import_from(folder, **options)
        assert not list(tmp_path.glob("states*"))
        chain = [caught.value, caught.value.__cause__]
        assert not any(SECRET in repr(error) for error in chain)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return str(caught.value)

    return run


def good(records: Any) -> bytes:
    return json.dumps(records.bundle(records.patient(), records.observation())).encode()


def test_an_empty_folder(refused: Any):
    assert "holds no FHIR file" in refused({})


def test_a_folder_of_other_files(refused: Any):
    assert "holds no FHIR file" in refused({"notes.txt": b"x", "manifest.json": b"{}"})


def test_a_missing_source(import_from: Any, tmp_path: Path):
    with pytest.raises(FhirImportError, match="does not exist"):
        import_from(tmp_path / "nowhere")


def test_a_truncated_bundle_is_named_by_its_place(refused: Any, records: Any):
    whole = good(records)
    message = refused({"a.json": whole, f"{SECRET}.json": whole[:-40]})
    assert message.startswith("file 1 of 2: not readable as JSON at byte ")
    assert "cut off" in message


def test_a_truncation_at_any_byte_is_an_error(import_from: Any, records: Any, tmp_path: Path):
    whole = good(records)
    path = tmp_path / "record.json"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FhirImportError):
            import_from(path)


def test_a_truncated_line_is_named_by_its_number(refused: Any, records: Any):
    line = json.dumps(records.observation()).encode()
    message = refused({"a.ndjson": line + b"\n" + line[:-10]})
    assert message.startswith("file 1 of 1, line 2: not readable as JSON")


def test_a_truncated_archive(refused: Any, records: Any):
    packed = gzip.compress(good(records) + b"\n")
    assert "export it again" in refused({"a.ndjson.gz": packed[:-20]})


@pytest.mark.parametrize(
    "content", [b'{"type": "collection", "entry": []}', b"[]", b"42", b'{"resourceType": 3}']
)
def test_json_that_is_not_fhir(refused: Any, records: Any, content: bytes):
    message = refused({"a.json": good(records), f"{SECRET}.json": content})
    assert "file 1 of 2" in message
    assert "not FHIR" in message
    assert "resourceType" in message


def test_lines_that_are_not_fhir(refused: Any):
    assert "not FHIR" in refused({"a.ndjson": b'{"a": 1}\n{"b": 2}\n'})


@pytest.mark.parametrize(
    "content", [b'{"resourceType":"Patient","a":NaN}', b'{"resourceType":"X","a":1e400}', b"\xff\xfe"]
)
def test_what_is_no_json(refused: Any, content: bytes):
    assert "not readable as JSON" in refused({"a.json": content})


def test_json_nested_beyond_measure(refused: Any):
    assert "not readable as JSON" in refused({"a.json": b"[" * 100_000})


R5 = [
    {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medication": {"concept": {"text": SECRET}},
        "subject": {"reference": "Patient/p"},
    },
    {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "occurrenceDateTime": "2024-05-01",
    },
]


@pytest.mark.parametrize("validation", ["full", "shape", "none"])
@pytest.mark.parametrize("resource", R5, ids=lambda r: r["resourceType"])
def test_r5_is_told_apart_and_a_wrong_declaration_is_refused(
    refused: Any, import_resources: Any, records: Any, resource: Any, validation: str
):
    content = json.dumps(records.bundle(records.patient(), resource)).encode()
    message = refused({"a.json": content}, validation=validation, fhir_version="R4")
    assert message.startswith("file 1 of 1, entry 2: ")
    assert "is FHIR R5, and the source was said to be R4" in message
    done = import_resources(resource, validation=validation)
    assert done.report.versions == {"R4 and R5": 1}


def test_another_fhir_version_is_refused(refused: Any, records: Any):
    assert "give R4, R4B or R5" in refused({"a.json": good(records)}, fhir_version="STU3")


def test_an_error_leaves_an_existing_store_as_it_was(import_from: Any, records: Any, tmp_path: Path):
    path = tmp_path / "record.json"
    path.write_bytes(good(records))
    first = import_from(path)
    before = first.cohort.digest
    path.write_bytes(good(records)[:-5])
    with pytest.raises(FhirImportError):
        import_from(path, store=first.store, pseudonymiser=first.pseudonymiser)
    assert first.cohort.digest == before


def test_a_failing_pseudonymiser_leaves_no_states(import_from: Any, records: Any, tmp_path: Path):
    class Broken(FakePseudonymiser):
        def enrol(self, *_: Any) -> Any:
            raise OSError("vault is locked")

    path = tmp_path / "record.json"
    path.write_bytes(good(records))
    with pytest.raises(OSError, match="locked"):
        import_from(path, pseudonymiser=Broken())
    assert not list(tmp_path.glob("states*"))


def manifest(*outputs: dict[str, Any]) -> bytes:
    return json.dumps({"transactionTime": "2024-05-01T00:00:00Z", "output": outputs, "error": []}).encode()


def test_a_bulk_export_with_a_missing_file(refused: Any, records: Any):
    listed = [
        {"type": "Patient", "url": f"https://bulk.example.org/{n}.ndjson"} for n in ("Patient", "Observation")
    ]
    content = json.dumps(records.patient()).encode()
    assert "1 of them are not here" in refused(
        {"manifest.json": manifest(*listed), "Patient.ndjson": content}
    )


def test_a_bulk_export_with_too_few_lines(refused: Any, records: Any):
    listed = {"type": "Patient", "url": "https://bulk.example.org/Patient.ndjson", "count": 2}
    content = json.dumps(records.patient()).encode()
    message = refused({"manifest.json": manifest(listed), "Patient.ndjson": content})
    assert "file 1 of 1 holds 1 resources" in message
    assert "says 2" in message


def test_a_bulk_export_under_other_names_is_read(import_from: Any, records: Any, tmp_path: Path):
    listed = {"type": "Patient", "url": "https://bulk.example.org/x?file=9", "count": 1}
    (tmp_path / "manifest.json").write_bytes(manifest(listed))
    lines = [json.dumps(r) for r in (records.patient(), records.observation())]
    (tmp_path / "all.ndjson").write_text("\n".join(lines))
    assert import_from(tmp_path).report.used == 2


def test_a_resource_type_that_hides_a_name_is_not_printed(import_resources: Any, records: Any):
    done = import_resources(records.observation(), {"resourceType": SECRET}, {"resourceType": "Abernathy"})
    assert done.reasons("other") != {}
    assert SECRET not in done.report.to_json() + done.report.summary()
    assert "Abernathy" not in done.report.to_json() + done.report.summary()
