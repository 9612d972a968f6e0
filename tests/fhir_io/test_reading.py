"""The shapes that records come in, and what reading makes of each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fhir_io import FhirImportError
from fhir_io.read import Record, open_source, read_records, read_unit, units

Json = dict[str, Any]


def patient(number: int) -> Json:
    return {"resourceType": "Patient", "id": f"p{number}"}


def write(folder: Path, **files: Any) -> Path:
    """Files of the given names (``__`` stands for a dot): bytes as they are, lists as NDJSON, else JSON."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = b"".join(json.dumps(line).encode() + b"\n" for line in content)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def read(path: Path) -> list[Record]:
    return list(read_records(open_source(path)))


def ids(records: list[Record]) -> list[Any]:
    return [record.resource["id"] if record.resource else record.deleted for record in records]


def places(records: list[Record]) -> list[str]:
    return [str(record.place) for record in records]


@pytest.mark.parametrize(
    "kind", ["collection", "transaction", "searchset", "document", "batch", "history", "message"]
)
def test_a_bundle_of_any_type_is_opened_and_not_counted_itself(tmp_path: Path, kind: str):
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": patient(n)} for n in (1, 2)]
    if kind in ("transaction", "batch"):
        entries = [e | {"request": {"method": "POST", "url": "Patient"}} for e in entries]
    found = read(write(tmp_path, a__json={"resourceType": "Bundle", "type": kind, "entry": entries}))
    assert ids(found) == ["p1", "p2"]
    assert [r.full_url for r in found] == ["urn:uuid:1", "urn:uuid:2"]
    assert places(found) == ["file 1 of 1, entry 1", "file 1 of 1, entry 2"]


@pytest.mark.parametrize(
    ("url", "deleted"),
    [
        ("Patient/7", ("Patient", "7")),
        ("https://fhir.example.org/r4/Observation/o-1", ("Observation", "o-1")),
        ("Patient/7/_history/2", ("Patient", "7")),
        ("Patient?identifier=urn:a|7", ("Patient", "?identifier=urn:a|7")),
    ],
)
def test_a_deletion_is_told_with_type_and_id(tmp_path: Path, url: str, deleted: tuple[str, str]):
    entry = {"request": {"method": "DELETE", "url": url}, "response": {"status": "204"}}
    bundle = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": patient(1)}, entry]}
    found = read(write(tmp_path, a__json=bundle))
    assert [(r.resource is None, r.deleted) for r in found] == [(False, None), (True, deleted)]
    assert deleted[1] not in repr(found[1])


def test_a_deletion_in_a_history_may_name_its_resource_by_fullurl_alone(tmp_path: Path):
    entry = {"fullUrl": "https://fhir.example.org/Patient/9", "request": {"method": "DELETE"}}
    bundle = {"resourceType": "Bundle", "type": "history", "entry": [entry]}
    assert ids(read(write(tmp_path, a__json=bundle))) == [("Patient", "9")]


def test_entries_that_hold_no_resource_are_passed_over_and_broken_ones_told(tmp_path: Path):
    entries: list[Any] = [{"response": {"status": "201"}}, 3, {"resource": {"id": "x"}}, {"resource": None}]
    found = read(write(tmp_path, a__json={"resourceType": "Bundle", "entry": entries}))
    assert [r.resource for r in found] == [None, None, None]
    assert [r.place.number for r in found] == [2, 3, 4]


@pytest.mark.parametrize("empty", [{}, {"entry": None}, {"entry": []}])
def test_an_empty_bundle_is_no_error(tmp_path: Path, empty: Json):
    assert read(write(tmp_path, a__json={"resourceType": "Bundle", **empty})) == []


def test_bundles_in_bundles_and_on_lines_keep_the_outer_place(tmp_path: Path):
    inner = {"resourceType": "Bundle", "entry": [{"resource": patient(1)}, {"resource": patient(2)}]}
    outer = {"resourceType": "Bundle", "entry": [{"resource": patient(0)}, {"resource": inner}]}
    found = read(write(tmp_path, a__json=outer, b__ndjson=[patient(3), inner]))
    assert ids(found) == ["p0", "p1", "p2", "p3", "p1", "p2"]
    assert places(found)[2:] == [
        "file 1 of 2, entry 2, entry 2",
        "file 2 of 2, line 1",
        "file 2 of 2, line 2, entry 1",
        "file 2 of 2, line 2, entry 2",
    ]


def test_parameters_that_carry_resources_are_opened(tmp_path: Path):
    bundle = {"resourceType": "Bundle", "entry": [{"resource": patient(2)}]}
    parameters = [
        {"name": "count", "valueInteger": 3},
        {"name": "return", "resource": patient(1)},
        {"name": "set", "part": [{"name": "bundle", "resource": bundle}]},
    ]
    found = read(write(tmp_path, a__json={"resourceType": "Parameters", "parameter": parameters}))
    assert ids(found) == ["p1", "p2"]
    assert places(found)[0] == "file 1 of 1, parameter 2"


def test_parameters_without_resources_are_a_resource(tmp_path: Path):
    content = {"resourceType": "Parameters", "id": "x", "parameter": [{"name": "a", "valueString": "b"}]}
    assert ids(read(write(tmp_path, a__json=content))) == ["x"]


def test_gzip_is_told_by_its_bytes_and_may_have_several_members(tmp_path: Path):
    one, two = (json.dumps(patient(n)).encode() + b"\n" for n in (1, 2))
    files = {"a__ndjson__gz": gzip.compress(one) + gzip.compress(two), "b__ndjson": gzip.compress(one)}
    plain = {"c__ndjson__gz": one, "d__json__gz": gzip.compress(one[:20]) + gzip.compress(one[20:])}
    assert ids(read(write(tmp_path, **files, **plain))) == ["p1", "p2", "p1", "p1", "p1"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path):
    line = json.dumps(patient(1)).encode()
    marked = b"\xef\xbb\xbf" + line
    found = read(write(tmp_path, a__json=marked, b__ndjson=marked + b"\r\n\r\n" + line + b"\r\n"))
    assert places(found) == [
        "file 1 of 2",
        "file 2 of 2, line 1",
        "file 2 of 2, line 3",
    ]


def test_a_bulk_export_tells_its_deletions(tmp_path: Path):
    gone = {"request": {"method": "DELETE", "url": "Patient/p2"}}
    deleted = {"resourceType": "Bundle", "type": "transaction", "entry": [gone]}
    manifest = {
        "output": [{"type": "Patient", "url": "https://x.example.org/Patient.ndjson", "count": 1}],
        "deleted": [{"type": "Bundle", "url": "https://x.example.org/del.ndjson", "count": 1}],
        "error": [{"type": "OperationOutcome", "url": "https://x.example.org/err.ndjson"}],
    }
    write(tmp_path, manifest__json=manifest, Patient__ndjson=[patient(1)], del__ndjson=[deleted])
    source = open_source(tmp_path)
    assert source.export_errors == 1
    assert ids(list(read_records(source))) == ["p1", ("Patient", "p2")]
    (tmp_path / "del.ndjson").unlink()
    with pytest.raises(FhirImportError, match="1 of them are not here"):
        open_source(tmp_path)


def test_progress_reaches_all_bytes(tmp_path: Path):
    write(tmp_path, a__ndjson=[patient(n) for n in range(2500)], b__json=patient(1))
    told: list[tuple[int, int]] = []
    source = open_source(tmp_path)
    assert sum(1 for _ in read_records(source, lambda done, total: told.append((done, total)))) == 2501
    assert told == sorted(told)
    assert told[-1] == (source.total_bytes, source.total_bytes)


# -- units of work


def mixed(folder: Path) -> Path:
    lines = [patient(n) | {"name": [{"text": "x" * (n * 37 % 200)}]} for n in range(300)]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": patient(n)} for n in range(5)]}
    text = b"\n\n".join(json.dumps(line).encode() for line in lines)  # blank lines, no end of line at the end
    packed = gzip.compress(text)
    return write(folder, a__json=bundle, b__ndjson=text, c__ndjson__gz=packed, d__ndjson=[bundle, 3, *lines])


@pytest.mark.parametrize("size", [1, 37, 100, 4096, 1 << 30])
def test_reading_unit_by_unit_is_reading_serially(tmp_path: Path, size: int):
    source = open_source(mixed(tmp_path))
    serial = [(r.place, r.resource) for r in read_records(source)]
    assert len(serial) == 5 + 300 + 300 + 5 + 1 + 300
    made = units(source, size)
    assert [(r.place, r.resource) for unit in made for r in read_unit(unit)] == serial
    assert sum(unit.size for unit in made) == source.total_bytes


def test_ndjson_is_cut_near_the_size_asked_for_and_the_rest_is_not_cut(tmp_path: Path):
    source = open_source(mixed(tmp_path))
    counts = {n: [u for u in units(source, 4096) if u.place.file == n] for n in (1, 2, 3, 4)}
    assert len(counts[1]) == len(counts[3]) == 1
    longest = 2 + max(len(line) for line in source.files[1].read_bytes().split(b"\n"))
    assert all(4096 <= u.size < 4096 + longest for u in counts[2][:-1])
    assert len(counts[2]) > 5


def test_a_line_longer_than_a_block_is_not_cut(tmp_path: Path):
    long = patient(1) | {"name": [{"text": "x" * (3 << 20)}]}
    source = open_source(write(tmp_path, a__ndjson=[patient(0), long, patient(2), patient(3)]))
    made = units(source, 1 << 16)
    assert ids([r for unit in made for r in read_unit(unit)]) == ["p0", "p1", "p2", "p3"]
    assert [unit.first_line for unit in made] == [1, 3]


def test_a_file_whose_first_range_has_no_resource_is_fhir_if_a_later_one_has(tmp_path: Path):
    lines: list[Any] = [{"a": n} for n in range(50)] + [patient(1)]
    source = open_source(write(tmp_path, a__ndjson=lines))
    assert sum(1 for unit in units(source, 100) for _ in read_unit(unit)) == 51
    source = open_source(write(tmp_path, a__ndjson=lines[:-1]))
    with pytest.raises(FhirImportError, match="no line has a resourceType"):
        list(read_unit(units(source, 100)[0]))


def test_a_unit_shows_no_file_name(tmp_path: Path):
    source = open_source(write(tmp_path, Featherstonehaugh__json=patient(1)))
    assert "Feather" not in repr(source) + repr(units(source))


def test_a_bundle_of_200_000_entries(tmp_path: Path):
    entry = b'{"resource":{"resourceType":"Observation","status":"final"}}'
    content = b'{"resourceType":"Bundle","entry":[' + b",".join([entry] * 200_000) + b"]}"
    (tmp_path / "a.json").write_bytes(content)
    last = None
    for count, last in enumerate(read_records(open_source(tmp_path)), start=1):
        assert last.place.number == count
    assert last is not None
    assert last.place.number == 200_000


def test_links_are_followed_once_and_loops_end(tmp_path: Path):
    folder = write(tmp_path / "source", **{"in/a__json": patient(1)})
    elsewhere = write(tmp_path / "elsewhere", b__json=patient(2))
    (folder / "in" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "out").symlink_to(elsewhere, target_is_directory=True)
    (folder / "again").symlink_to(elsewhere, target_is_directory=True)
    assert sorted(ids(read(folder))) == ["p1", "p2"]
