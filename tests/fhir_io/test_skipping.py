"""Resources that nothing is taken from are stepped over, and nothing is lost or accepted by that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_io import FhirImportError
from fhir_io.read import open_source, read_unit, units
from fhir_io.reading.skeletons import skeleton
from fhir_io.select import NEEDED_TYPES
from fhir_io.validate import shape

Json = dict[str, Any]

OBSERVATION: Json = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "a: b"}}
CLAIM: Json = {"resourceType": "Claim", "id": "c", "item": [{"sequence": 1}]}


def read(path: Path, needed: frozenset[str] | None = NEEDED_TYPES) -> list[Any]:
    return [record for unit in units(open_source(path)) for record in read_unit(unit, needed=needed)]


def bundle(*entries: Any, **more: Any) -> Json:
    return {"resourceType": "Bundle", "type": "collection", **more, "entry": list(entries)}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("more", [{}, {"id": "b", "meta": {"tag": []}}, {"unknown": {"a": 1}}])
def test_needed_resources_are_the_same_with_and_without_stepping_over(
    tmp_path: Path, indent: int | None, more: Json
):
    delete = {"fullUrl": "urn:uuid:9", "request": {"method": "DELETE", "url": "Observation/9"}}
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": OBSERVATION, "request": {"method": "POST", "url": "x"}},
        {"fullUrl": "urn:uuid:2", "resource": CLAIM},
        delete,
        {"resource": None},
        {"response": {"status": "200"}},
        {"resource": bundle({"resource": OBSERVATION}, {"resource": CLAIM})},
    ]
    (tmp_path / "a.json").write_text(json.dumps(bundle(*entries, **more), indent=indent))
    (tmp_path / "b.ndjson").write_text("".join(json.dumps(r) + "\n" for r in (CLAIM, OBSERVATION, {"a": 1})))
    everything = read(tmp_path, None)
    told = read(tmp_path)
    assert [r.place for r in told] == [r.place for r in everything]
    for all_built, one in zip(everything, told, strict=True):
        assert (one.full_url, one.deleted) == (all_built.full_url, all_built.deleted)
        if one.skipped is None:
            assert one.resource == all_built.resource
        else:
            assert one.resource is None
            assert one.skipped[0] == all_built.resource["resourceType"] == "Claim"
    assert any(one.skipped for one in told if one.place.file == 2)


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Claim","id":"a","resourceType":"Patient"}',  # it would hide a patient
        b'{"resourceType":"Claim","id":"\xff"}',
        b'{"resourceType":"Claim","id":"a",}',
        b'{"resourceType":"Claim","value":NaN}',
        b'{"resourceType":"Claim","id":"a"',
        b'{"resourceType":"Claim","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_a_damaged_resource_is_an_error_even_if_it_is_not_needed(tmp_path: Path, content: bytes, name: str):
    whole = b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":' + content + b"}]}"
    (tmp_path / name).write_bytes(whole if name == "a.json" else content + b"\n")
    with pytest.raises(FhirImportError, match="file 1 of 1"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}],"entry":[]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"},"resource":null}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"1","id":"2"}}]}',
    ],
)
def test_a_field_named_twice_in_a_bundle_is_found(tmp_path: Path, content: bytes):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FhirImportError, match="two fields of one name"):
        read(tmp_path)


def test_a_field_named_twice_is_found_also_after_many_of_the_same_structure(tmp_path: Path):
    line = json.dumps(OBSERVATION, separators=(",", ":")).encode()
    twice = line.replace(b'"status":"final"', b'"status":"final","status":"amended"')
    (tmp_path / "a.ndjson").write_bytes(b"\n".join([line] * 5 + [twice]))
    with pytest.raises(FhirImportError, match=r"line 6: .* two fields of one name"):
        read(tmp_path)


def test_texts_of_one_skeleton_have_one_shape():
    """Every pair of these differs in shape; values, their lengths and white space make no difference."""
    alike = [
        OBSERVATION,
        {**OBSERVATION, "status": "amended", "code": {"text": ""}},
        {**OBSERVATION, "id": "a,{}[]: 12"},
    ]
    others: list[Json] = [
        {**OBSERVATION, "valueInteger": 1},
        {**OBSERVATION, "valueInteger": 1.5},
        {**OBSERVATION, "valueInteger": "1"},
        {**OBSERVATION, "valueInteger": True},
        {**OBSERVATION, "valueInteger": None},
        {**OBSERVATION, "valueInteger": [1]},
        {**OBSERVATION, "valueInteger": {"value": 1}},
        {**OBSERVATION, "valueNumber": 1},
        {**OBSERVATION, "code": {"txet": "x"}},
        {**OBSERVATION, "code": "text"},
    ]
    texts = [(json.dumps(r, indent=i, separators=(",", ":")).encode(), r) for r in alike for i in (None, 3)]
    forms = {skeleton(text) for text, _ in texts}
    assert len(forms) == 1
    assert None not in forms
    found = [skeleton(json.dumps(r, separators=(",", ":")).encode()) for r in [OBSERVATION, *others]]
    shapes = [shape(r) for r in [OBSERVATION, *others]]
    assert None not in found
    assert len(set(found)) == len(set(shapes)) == len(others) + 1


@pytest.mark.parametrize(
    "text",
    [
        b'{"resourceType":"Observation","status":"a\\"b"}',
        b'{"resourceType" : "Observation","status" : "final"}',
        b'{"resourceType":"Observation","contained":[{"resourceType":"Patient"}]}',
        b'{"status":"final"}',
    ],
)
def test_a_text_whose_quotation_marks_or_types_do_not_tell_all_has_no_skeleton(text: bytes):
    assert skeleton(text) is None


def test_a_space_before_a_colon_does_not_pass_under_the_pattern_of_a_text_without():
    assert skeleton(b'{"resourceType":"Observation","status":"final"}') is not None
    assert skeleton(b'{"resourceType":"Observation","status" :"final"}') is None
