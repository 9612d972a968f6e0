"""Files made to mislead, to fill the memory or to hang: a clear error that names the place."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_io import FhirImportError
from fhir_io.read import open_source, read_records, read_unit, units
from fhir_io.reading import streams
from fhir_io.reading.json_text import parse
from tests.conftest import Command

SECRET = "Hildegard_Featherstonehaugh"
PATIENT = {"resourceType": "Patient", "id": "p", "name": [{"family": SECRET}]}
LINE = json.dumps(PATIENT).encode() + b"\n"


def read(path: Path) -> int:
    return sum(1 for _ in read_records(open_source(path)))


def refused(act: Callable[[], Any]) -> str:
    """The message of a refusal; neither it, its traceback nor a chained error holds a value."""
    with pytest.raises(FhirImportError) as caught:
        act()
    chain: list[BaseException] = [caught.value]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    shown = "".join(traceback.format_exception(caught.value)) + "".join(map(repr, chain))
    assert SECRET not in shown
    assert not any(SECRET in str(getattr(error, "doc", "")) for error in chain)
    return str(caught.value)


def message(tmp_path: Path, content: bytes, name: str = "a.json") -> str:
    (tmp_path / name).write_bytes(content)
    return refused(lambda: read(tmp_path))


# -- truncation


def test_truncation_at_every_byte_of_a_bundle_is_noticed(tmp_path: Path):
    whole = json.dumps({"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}).encode()
    path = tmp_path / "a.json"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "file 1 of 1" in refused(lambda: read(path))
    path.write_bytes(whole)
    assert read(path) == 1


def test_truncation_at_every_byte_of_packed_lines_is_noticed(tmp_path: Path):
    whole = gzip.compress(LINE) + gzip.compress(LINE)
    path = tmp_path / "a.ndjson.gz"
    one = len(gzip.compress(LINE))
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        if length == one:  # the first member is a whole file of its own
            assert read(path) == 1
        else:
            assert "file 1 of 1" in refused(lambda: read(path))


def test_the_command_refuses_a_truncated_bundle_at_20_offsets_and_writes_nothing(
    tmp_path: Path, command: Command
):
    keys, states, path = tmp_path / "keys", tmp_path / "states", tmp_path / "in" / "a.json"
    path.parent.mkdir()
    assert command("keys", "init", "--keys", keys)[0] == 0
    whole = json.dumps({"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}).encode()
    for length in range(0, len(whole), len(whole) // 19):
        path.write_bytes(whole[:length])
        code, out, err = command("import", path.parent, "--keys", keys, "--states", states)
        assert (code, out) == (2, "")
        assert re.match(r"error: file 1 of 1: not readable as JSON at byte \d+ of \d+", err)
        assert SECRET not in err
        assert not states.exists()


# -- JSON that could be read two ways


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Patient","id":"a","id":"b"}',
        b'{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}',
        b'{"resourceType" : "Patient" ,\n "id" : "a" ,\n "id" : "a" }',
        # an escaped colon in a text must not stand in for the one that is lost
        b'{"resourceType":"Patient","id":"a\\u003a","id":"b\\u003Ac"}',
        b'{"resourceType":"Patient","id":"a","\\u0069d":"b\\u003a"}',
    ],
)
def test_a_field_named_twice_is_refused(tmp_path: Path, content: bytes):
    assert "file 1 of 1: an object in it has two fields of one name" in message(tmp_path, content)
    (tmp_path / "lines").mkdir()
    line = LINE + content.replace(b"\n", b"")
    assert "line 2: an object in it" in message(tmp_path / "lines", line, "a.ndjson")


@pytest.mark.parametrize(
    "content",
    [
        {"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]},
        {"a": 'class="x": and \\": \u003a : "', 'k":': ["::", {"": ":"}]},
        {"\u00e9:": "\u2028:\x7f"},
    ],
)
def test_fields_of_one_name_in_different_objects_and_colons_in_texts_are_fine(content: Any):
    for ascii_only in (True, False):
        text = json.dumps(content, ensure_ascii=ascii_only)
        assert parse(text.encode(), "here") == content


def test_an_escaped_colon_in_a_text_is_no_field():
    assert parse(b'{"a":"x\\u003ay","b\\u003A":["\\u003A",{"a":1}]}', "here") == {
        "a": "x:y",
        "b:": [":", {"a": 1}],
    }


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"01", b"+1", b".5"]
)
def test_what_is_no_number_is_refused(tmp_path: Path, number: bytes):
    content = b'{"resourceType":"Patient","multipleBirthInteger":' + number + b"}"
    assert "not readable as JSON at byte" in message(tmp_path, content)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [255, 900, 100_000])
def test_depth_is_bounded(tmp_path: Path, opening: bytes, depth: int):
    closing = b"]" if opening == b"[" else b"}"
    content = opening * depth + b"1" + closing * depth
    assert "not readable as JSON" in message(tmp_path, content)
    assert "not readable as JSON" in message(tmp_path, opening * depth)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"resourceType":"Patient","id":"\xff"}', "not UTF-8"),
        (b'{"resourceType":"Patient","id":"\xc0\xaf"}', "not UTF-8"),
        (b'{"resourceType":"Patient","id":"\xed\xa0\x80"}', "not UTF-8"),
        (json.dumps(PATIENT).encode("utf-16"), "UTF-16"),
        (json.dumps(PATIENT).encode("utf-16-le"), "UTF-16"),
        (json.dumps(PATIENT).encode("utf-16-be"), "UTF-16"),
        (b"\0" * 100, "binary"),
        (b'{"resourceType":"Patient","id":"a\0b"}', "at byte 33 of 37"),
        (b'{"resourceType":"Patient","id":"\\ud800"}', "not readable as JSON"),
        (LINE + b"\0" * 512, "not readable as JSON"),
    ],
)
def test_text_that_is_not_utf8(tmp_path: Path, content: bytes, words: str):
    assert words in message(tmp_path, content)


# -- too much


def test_a_line_beyond_the_bound_is_refused_in_words_and_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streams, "MAX_LINE", 1 << 20)
    path = tmp_path / "a.ndjson"
    with open(path, "wb") as out:
        out.write(LINE)
        out.truncate(300 << 20)  # a sparse line of 300 MB
    found = refused(lambda: read(tmp_path))
    assert found.startswith("file 1 of 1, line 2: longer than 1 MB")
    assert "export one resource a line" in found


def test_a_document_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "MAX_DOCUMENT", 100)
    assert "export it as NDJSON" in message(tmp_path, b" " * 101)


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.json.gz"])
def test_a_bomb_of_concatenated_members_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    member = gzip.compress(b"\n" * (1 << 20))
    assert "unpacks to more than 300 times its size" in message(tmp_path, member * 64, name)


def test_records_that_pack_well_are_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "FREE_BYTES", 0)
    lines = b"".join(json.dumps(PATIENT | {"id": str(n)}).encode() + b"\n" for n in range(20_000))
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines))
    assert read(tmp_path) == 20_000


def test_garbage_after_a_packed_member_is_noticed(tmp_path: Path):
    assert "export it again" in message(tmp_path, gzip.compress(LINE) + b"garbage", "a.ndjson.gz")


def test_a_member_that_does_not_fit_its_checksum_is_noticed(tmp_path: Path):
    packed = bytearray(gzip.compress(LINE))
    packed[-8] ^= 1
    assert zlib.crc32(LINE) != int.from_bytes(packed[-8:-4], "little")
    assert "export it again" in message(tmp_path, bytes(packed), "a.ndjson.gz")


# -- what is no file, and files that change


def test_a_pipe_with_the_name_of_a_record_does_not_hang(tmp_path: Path):
    (tmp_path / "a.ndjson").write_bytes(LINE)
    os.mkfifo(tmp_path / "b.ndjson")
    assert "is a pipe, a device or a link" in refused(lambda: open_source(tmp_path))
    assert "is a pipe, a device or a link" in refused(lambda: open_source(tmp_path / "b.ndjson"))


def test_a_device_is_refused():
    assert "is a pipe, a device" in refused(lambda: open_source(Path("/dev/null")))


def test_links_that_lead_nowhere_are_refused(tmp_path: Path):
    (tmp_path / "a.json").symlink_to(tmp_path / f"{SECRET}.json")
    assert "leads nowhere" in refused(lambda: open_source(tmp_path))
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.json").symlink_to(tmp_path / "a.json")
    assert "leads nowhere" in refused(lambda: open_source(tmp_path))


def test_other_pipes_and_links_are_left_alone(tmp_path: Path):
    (tmp_path / "a.ndjson").write_bytes(LINE)
    os.mkfifo(tmp_path / "log")
    (tmp_path / "old").symlink_to(tmp_path / "nowhere")
    assert open_source(tmp_path).ignored == 2
    assert read(tmp_path) == 1


def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(tmp_path: Path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINE)
    source = open_source(path)
    path.unlink()
    os.mkfifo(path)
    assert "no file" in refused(lambda: list(read_records(source)))


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path, when: str):
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINE * 10)
    source = open_source(path)
    records = read_records(source)
    if when == "during":
        next(records)
    with open(path, "ab") as more:
        more.write(LINE)
    assert "file 1 of 1: it changed while it was read" in refused(lambda: list(records))
    made = units(open_source(path), 100)
    os.utime(path, ns=(1, 1))
    assert "changed while" in refused(lambda: list(read_unit(made[-1])))


def test_a_file_that_vanishes_is_noticed(tmp_path: Path):
    path = tmp_path / f"{SECRET}.ndjson"
    path.write_bytes(LINE)
    source = open_source(path)
    path.unlink()
    assert "file 1 of 1: cannot be opened" in refused(lambda: list(read_records(source)))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.json"])
def test_an_archive_is_to_be_unpacked(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04" + b"\0" * 40)
    assert "is an archive; unpack it" in refused(lambda: open_source(path))
    assert "is an archive; unpack it" in refused(lambda: open_source(tmp_path))


# -- manifests


@pytest.mark.parametrize(
    "url",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/%2e%2e/%2E%2E/etc/passwd",
        "..\\..\\secrets",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("part", ["output", "deleted"])
def test_a_manifest_that_points_outside_its_folder_is_refused(tmp_path: Path, url: str, part: str):
    manifest = {"output": [{"type": "Patient", "url": "a.ndjson"}]}
    manifest[part] = [*manifest.get(part, []), {"type": "Patient", "url": url}]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "a.ndjson").write_bytes(LINE)
    found = refused(lambda: open_source(tmp_path))
    assert "names a place outside its folder" in found
    assert "passwd" not in found


def test_a_manifest_of_something_else_is_a_side_file(tmp_path: Path):
    (tmp_path / "a.ndjson").write_bytes(LINE)
    for content in (b"{", b"[1]", b'{"output": 3}', b"\xff", b'{"output":[],"output":[]}'):
        (tmp_path / "manifest.json").write_bytes(content)
        assert (open_source(tmp_path).manifest, read(tmp_path)) == (None, 1)


# -- the same, for any JSON


def written(tree: Any, draw: random.Random) -> tuple[str, bool]:
    """JSON text of a tree whose objects are lists of pairs, and whether an object has a field twice."""

    def text(value: str) -> str:
        made = json.dumps(value, ensure_ascii=draw.random() < 0.5)
        return made.replace(":", draw.choice([":", "\\u003a", "\\u003A"]))

    if isinstance(tree, list):
        parts = [written(item, draw) for item in tree]
        return "[" + ",".join(part for part, _ in parts) + "]", any(twice for _, twice in parts)
    if isinstance(tree, tuple):
        parts = [written(item, draw) for _, item in tree]
        space = draw.choice(["", " ", "\n\t"])
        fields = [
            f"{text(key)}{space}:{space}{part}" for (key, _), (part, _) in zip(tree, parts, strict=True)
        ]
        twice = len({key for key, _ in tree}) < len(tree) or any(twice for _, twice in parts)
        return "{" + f"{space},".join(fields) + "}", twice
    return (text(tree) if isinstance(tree, str) else json.dumps(tree)), False


texts = st.lists(st.sampled_from(["a", ":", '"', "\\", "\u00e9", "u003a", "\u2028"]), max_size=4).map("".join)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(texts, inner), max_size=4).map(tuple),
    max_leaves=12,
)


@given(trees, st.randoms(use_true_random=False))
def test_a_field_is_found_twice_exactly_where_it_is(tree: Any, draw: random.Random):
    content, twice = written(tree, draw)
    if twice:
        with pytest.raises(FhirImportError, match="two fields of one name"):
            parse(content.encode(), "here")
    else:
        assert parse(content.encode(), "here") == json.loads(content)
