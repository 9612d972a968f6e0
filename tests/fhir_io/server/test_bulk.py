"""Bulk exports against a server that follows the protocol, and against one that does not."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from fhir_io.server import Fetched, Limits, ServerError
from tests.fhir_io.server.conftest import Skipping, identities, raw_records
from tests.fhir_io.server.fake import Asked, Fake, Reply, answer, ndjson, zipped

Fetch = Callable[..., Fetched]
OBSERVATIONS = "/files/Observation.ndjson"


@pytest.fixture
def export(fake: Fake) -> Fake:
    """A patient and five observations, ready to be exported after one 202."""
    fake.add({"resourceType": "Patient", "id": "p"})
    fake.add(*({"resourceType": "Observation", "id": f"o{n}"} for n in range(5)))
    fake.export_all()
    return fake


ALL = [*(f"Observation/o{n}" for n in range(5)), "Patient/p"]


def test_an_export_is_kicked_off_awaited_downloaded_and_removed(
    export: Fake, fetch_from: Fetch, tmp_path: Path, skipping: Skipping
) -> None:
    fetched = fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == ALL
    assert fetched.transaction_time == "2024-05-02T00:00:00+00:00"
    assert export.removed == 1
    assert fetched.removed
    [kick_off] = export.to("/fhir/Patient/$export")
    assert kick_off.headers["prefer"] == "respond-async"
    assert kick_off.query["_type"] == "Patient,Observation"
    assert skipping.pauses == [1.0]


@pytest.mark.parametrize(
    ("level", "path"),
    [
        ("system", "/fhir/$export"),
        ("patient", "/fhir/Patient/$export"),
        ("group/a-1", "/fhir/Group/a-1/$export"),
    ],
)
def test_the_level_of_an_export_is_its_path(export: Fake, fetch_from: Fetch, level: str, path: str) -> None:
    fetch_from(export, bulk=level)
    assert export.paths()[1 if export.paths()[0].endswith("metadata") else 0] == path


@pytest.mark.parametrize("level", ["group/../x", "group/", "everything"])
def test_another_level_is_refused(export: Fake, fetch_from: Fetch, level: str) -> None:
    with pytest.raises(ServerError, match="of one group, named by its id"):
        fetch_from(export, bulk=level)
    assert export.asked == []


def test_search_and_export_give_the_same_resources(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    fetch_from(export, out=tmp_path / "a")
    fetch_from(export, out=tmp_path / "b", bulk="patient")
    assert sorted(map(json.dumps, raw_records(tmp_path / "a"))) == sorted(
        map(json.dumps, raw_records(tmp_path / "b"))
    )


def test_the_next_export_asks_for_what_changed_since(export: Fake, fetch_from: Fetch) -> None:
    """Ten minutes before the first manifest's transactionTime, midnight of 2 May 2024 UTC."""
    fetch_from(export, bulk="patient")
    again = fetch_from(export, bulk="patient")
    assert export.to("/fhir/Patient/$export")[-1].query["_since"] == "2024-05-01T23:50:00Z"
    assert again.written == {}
    assert again.unchanged == {"Patient": 1, "Observation": 5}


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0),
        ("in 100 s", pytest.approx(100, abs=5)),
        ("36000", 300.0),  # hours are capped at five minutes
        ("soon", 1.0),  # what cannot be understood is as if it were not there
        (formatdate(0, usegmt=True), 1.0),  # a date in the past
    ],
)
def test_the_pause_between_questions_is_what_the_server_asks_for(
    export: Fake, fetch_from: Fetch, skipping: Skipping, header: str, pause: Any
) -> None:
    export.retry_after = formatdate(time.time() + 100, usegmt=True) if header == "in 100 s" else header
    fetch_from(export, bulk="patient")
    assert skipping.pauses == [pause]


def test_an_export_that_never_completes_is_given_up_and_taken_up_again(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.polls, export.retry_after = 1000, "3600"
    with pytest.raises(ServerError, match="not complete after 3600 s"):
        fetch_from(export, bulk="patient", limits=Limits(export=3600))
    export._left = 0
    fetched = fetch_from(export, bulk="patient")
    assert fetched.resumed
    assert export.jobs == 1
    assert identities(tmp_path / "raw") == ALL


def test_beginning_anew_removes_the_export_that_was_left(export: Fake, fetch_from: Fetch) -> None:
    export.polls = 1000
    with pytest.raises(ServerError):
        fetch_from(export, bulk="patient", limits=Limits(export=1))
    export.polls = 0
    assert not fetch_from(export, bulk="patient", resume=False).resumed
    assert (export.jobs, export.removed) == (2, 2)


def test_a_server_of_the_version_4_ballot_is_asked_by_post(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.get_kick_off = False
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "information"}]}
    export.files["/files/outcome.ndjson"] = ndjson(outcome)
    assert export.manifest is not None
    del export.manifest["error"]
    export.manifest["outcome"] = [{"url": export.origin + "/files/outcome.ndjson"}]
    fetched = fetch_from(export, bulk="patient", since="2020-01-01T00:00:00Z")
    assert identities(tmp_path / "raw") == ALL
    assert fetched.remarks == {"information": 1}
    assert fetched.complete
    posted = json.loads(export.to("/fhir/Patient/$export")[-1].body)
    assert posted["resourceType"] == "Parameters"
    assert {"name": "_type", "valueString": "Patient,Observation"} in posted["parameter"]
    assert {"name": "_since", "valueInstant": "2020-01-01T00:00:00Z"} in posted["parameter"]


def test_a_manifest_in_several_pages_is_read_whole(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    """allowPartialManifests of version 3: output of the second page, by patient, without types."""
    assert export.manifest is not None
    second = export.manifest | {"output": [{"url": export.origin + "/files/more.ndjson"}]}
    export.manifest |= {"link": [{"relation": "next", "url": "/job2"}], "outputOrganizedBy": "Patient"}
    head = {"resourceType": "Parameters"}
    export.files["/files/more.ndjson"] = ndjson(head, {"resourceType": "Observation", "id": "o9"})
    export.hooks["/job2"] = lambda asked: answer(second)
    fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == sorted([*ALL, "Observation/o9"])


def test_deletions_of_an_export_are_recorded(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    fetch_from(export, bulk="patient")
    entries = [{"request": {"method": "DELETE", "url": url}} for url in ("Observation/o1", "Observation/o2")]
    export.delete("Observation", "o1")
    export.delete("Observation", "o2")
    export.export_all()
    export.files["/files/gone.ndjson"] = ndjson(
        {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    )
    assert export.manifest is not None
    export.manifest["deleted"] = [{"type": "Bundle", "url": export.origin + "/files/gone.ndjson", "count": 1}]
    fetched = fetch_from(export, bulk="patient")
    assert fetched.deleted == 2
    manifest = json.loads((tmp_path / "raw" / "manifest.json").read_bytes())
    assert [entry["count"] for entry in manifest["deleted"]] == [2]
    assert fetch_from(export, bulk="patient").deleted == 0


def test_errors_of_an_export_are_counted_and_the_same_span_is_asked_for_again(
    export: Fake, fetch_from: Fetch
) -> None:
    issues = [{"severity": "error", "diagnostics": "Jane Doe"}, {"severity": "warning"}]
    export.files["/files/error.ndjson"] = ndjson({"resourceType": "OperationOutcome", "issue": issues})
    assert export.manifest is not None
    export.manifest["error"] = [{"type": "OperationOutcome", "url": export.origin + "/files/error.ndjson"}]
    fetched = fetch_from(export, bulk="patient")
    assert fetched.remarks == {"error": 1, "warning": 1}
    assert not fetched.complete
    assert "Jane" not in fetched.summary()
    again = fetch_from(export, bulk="patient")
    assert again.since is None
    assert again.unchanged == {"Patient": 1, "Observation": 5}


def test_an_export_that_expired_is_begun_again(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    """The first time its second file is gone; the export that follows has it."""
    export.hooks[OBSERVATIONS] = lambda asked: Reply(410) if export.jobs == 1 else None
    fetched = fetch_from(export, bulk="patient")
    assert export.jobs == 2
    assert identities(tmp_path / "raw") == ALL
    assert fetched.written == {"Patient": 1, "Observation": 5}


def test_an_export_that_expires_twice_is_an_error(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    export.hooks["/job"] = lambda asked: Reply(404)
    with pytest.raises(ServerError, match="expired twice"):
        fetch_from(export, bulk="patient")
    assert list((tmp_path / "raw").glob("*.ndjson")) == []


def test_a_manifest_that_changed_since_the_fetch_broke_off_is_followed_from_its_start(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    broken = [True]
    export.hooks[OBSERVATIONS] = lambda asked: Reply(403) if broken[0] else None
    with pytest.raises(ServerError, match="file 2 of 2 of the export: the server answers 403"):
        fetch_from(export, bulk="patient")
    broken[0] = False
    export.add({"resourceType": "Patient", "id": "q"})
    export.export_all(transactionTime="2024-05-03T00:00:00+00:00")
    fetched = fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == sorted([*ALL, "Patient/q"])
    assert fetched.transaction_time == "2024-05-03T00:00:00+00:00"


def test_files_that_are_finished_are_not_downloaded_again(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    broken = [True]
    export.hooks[OBSERVATIONS] = lambda asked: Reply(403) if broken[0] else None
    with pytest.raises(ServerError):
        fetch_from(export, bulk="patient")
    broken[0] = False
    assert fetch_from(export, bulk="patient").written == {"Patient": 1, "Observation": 5}
    assert len(export.to("/files/Patient.ndjson")) == 1
    assert identities(tmp_path / "raw") == ALL


def test_many_tiny_files_become_one_file_a_type(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    assert export.manifest is not None
    export.manifest["output"] = []
    for n in range(150):
        path = f"/files/{n}.ndjson"
        export.files[path] = ndjson({"resourceType": "Observation", "id": f"o{n}"})
        export.manifest["output"].append({"type": "Observation", "url": export.origin + path, "count": 1})
    fetch_from(export, bulk="patient")
    assert [p.name for p in (tmp_path / "raw").glob("*.ndjson")] == ["0001.Observation.001.ndjson"]
    assert len(identities(tmp_path / "raw")) == 150


def test_a_long_file_is_continued_in_a_further_one(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    fetch_from(export, bulk="patient", limits=Limits(part=100))
    names = [p.name for p in sorted((tmp_path / "raw").glob("*Observation*"))]
    assert names == [f"0001.Observation.{n:03d}.ndjson" for n in range(1, len(names) + 1)]
    assert len(names) > 1
    assert identities(tmp_path / "raw") == ALL
    manifest = json.loads((tmp_path / "raw" / "manifest.json").read_bytes())
    assert sum(entry["count"] for entry in manifest["output"]) == 6


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:0", None, 7, "http://a b/"]
)
def test_an_address_that_is_not_http_is_refused(export: Fake, fetch_from: Fetch, url: Any) -> None:
    assert export.manifest is not None
    export.manifest["output"][1]["url"] = url
    with pytest.raises(
        ServerError, match=r"the manifest of the export, output 2: the server gave an address"
    ):
        fetch_from(export, bulk="patient")


@pytest.mark.parametrize("kind", ["../../evil", "/etc/x", "Patient/..", "", "a" * 300, 5])
def test_no_path_of_a_manifest_reaches_the_disk(
    export: Fake, fetch_from: Fetch, tmp_path: Path, kind: Any
) -> None:
    assert export.manifest is not None
    export.manifest["output"][1]["type"] = kind
    with pytest.raises(ServerError, match="output 2: its type is no FHIR resource type; nothing was written"):
        fetch_from(export, bulk="patient")
    assert list((tmp_path / "raw").glob("*.ndjson")) == []


def test_the_name_of_a_file_on_disk_never_comes_from_its_address(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.files["/files/../../../evil"] = export.files[OBSERVATIONS]
    export.files["/files/..%2f..%2fevil"] = export.files[OBSERVATIONS]
    assert export.manifest is not None
    export.manifest["output"][1]["url"] = export.origin + "/files/..%2f..%2fevil"
    fetch_from(export, bulk="patient")
    assert {p.parent for p in tmp_path.rglob("*") if p.is_file()} == {tmp_path / "raw"}
    assert sorted(p.name for p in (tmp_path / "raw").glob("*.ndjson")) == [
        "0001.Observation.001.ndjson",
        "0001.Patient.001.ndjson",
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"output": None}, "no list of files"),
        ({"transactionTime": "2024-05-02"}, "transactionTime with a zone"),
        ({"deleted": {}}, "deleted is not a list"),
        ({"output": [3]}, "output 1: it is no object"),
        ({"output": [{"url": "/x", "count": -1}]}, "output 1: its count"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(
    export: Fake, fetch_from: Fetch, change: dict[str, Any], complaint: str
) -> None:
    assert export.manifest is not None
    export.manifest |= change
    with pytest.raises(ServerError, match=complaint):
        fetch_from(export, bulk="patient")


def test_a_kick_off_that_is_refused_says_what_to_check(export: Fake, fetch_from: Fetch) -> None:
    export.hooks["/fhir/Patient/$export"] = lambda asked: Reply(404)
    with pytest.raises(ServerError, match="404 to GET and 404 to POST"):
        fetch_from(export, bulk="patient")


def test_compressed_answers_and_compressed_files_are_opened(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.hooks["/files/Patient.ndjson"] = lambda a: zipped(
        Reply(200, export.files["/files/Patient.ndjson"])
    )
    halves = export.files[OBSERVATIONS].splitlines(keepends=True)
    members = gzip.compress(b"".join(halves[:2])) + gzip.compress(b"".join(halves[2:]))
    export.hooks[OBSERVATIONS] = lambda asked: zipped(Reply(200, members))  # a .gz file, compressed once more
    fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == ALL


def test_a_gzip_bomb_is_given_up_while_it_unpacks(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    bomb = gzip.compress(b"\n" * 2_000_000) * 3
    export.hooks[OBSERVATIONS] = lambda asked: Reply(200, bomb, {"Content-Encoding": "gzip"})
    with pytest.raises(
        ServerError, match="file 2 of 2 of the export: the answer unpacks to more than 1000000 bytes"
    ):
        fetch_from(export, bulk="patient", limits=Limits(file=1_000_000))


def test_a_line_without_end_is_given_up(export: Fake, fetch_from: Fetch) -> None:
    export.files[OBSERVATIONS] = b'{"resourceType":"Observation","x":"' + b"a" * 3_000_000
    with pytest.raises(ServerError, match="a line is longer than 1000 bytes"):
        fetch_from(export, bulk="patient", limits=Limits(line=1000))


def broken_once(fake: Fake, content: bytes, wrong: Reply) -> Callable[[Asked], Reply | None]:
    first = [True]

    def hook(asked: Asked) -> Reply | None:
        if first[0]:
            first[0] = False
            return wrong
        return None

    return hook


def test_a_download_that_broke_off_goes_on_where_it_stopped(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    content = export.files[OBSERVATIONS]
    cut = Reply(200, content, {"ETag": f'"{len(content)}"', "Accept-Ranges": "bytes"}, cut=100)
    export.hooks[OBSERVATIONS] = broken_once(export, content, cut)
    fetch_from(export, bulk="patient")
    assert [a.headers.get("range") for a in export.to(OBSERVATIONS)] == [None, "bytes=100-"]
    assert identities(tmp_path / "raw") == ALL


def test_a_download_goes_on_in_the_next_run(export: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    content = export.files[OBSERVATIONS]
    cut = Reply(200, content, {"ETag": f'"{len(content)}"'}, cut=100)
    export.hooks[OBSERVATIONS] = broken_once(export, content, cut)
    with pytest.raises(ServerError, match="file 2 of 2 of the export: the answer broke off before its end"):
        fetch_from(export, bulk="patient", limits=Limits(attempts=1))
    fetch_from(export, bulk="patient")
    assert [a.headers.get("range") for a in export.to(OBSERVATIONS)] == [None, "bytes=100-"]
    assert identities(tmp_path / "raw") == ALL


def test_a_file_that_changed_meanwhile_is_downloaded_from_its_start(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    """The tag no longer fits, so the server answers with the whole file (RFC 9110, If-Range)."""
    cut = Reply(200, export.files[OBSERVATIONS], {"ETag": '"old"'}, cut=100)
    export.hooks[OBSERVATIONS] = broken_once(export, b"", cut)
    fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == ALL


@pytest.mark.parametrize(
    "wrong", ["bytes 0-9/10", "bytes 99-200/201", "items 100-1/2", "bytes 100-110/*"], ids=str
)
def test_a_part_from_another_place_is_not_appended(
    export: Fake, fetch_from: Fetch, tmp_path: Path, wrong: str
) -> None:
    content = export.files[OBSERVATIONS]
    replies = iter(
        [Reply(200, content, {"ETag": '"x"'}, cut=100), Reply(206, b"{}", {"Content-Range": wrong})]
    )
    export.hooks[OBSERVATIONS] = lambda asked: next(replies, None)
    fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == ALL


def test_a_file_without_a_tag_is_downloaded_from_its_start(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.hooks[OBSERVATIONS] = broken_once(export, b"", Reply(200, export.files[OBSERVATIONS], cut=100))
    fetch_from(export, bulk="patient")
    assert [a.headers.get("range") for a in export.to(OBSERVATIONS)] == [None, None]
    assert identities(tmp_path / "raw") == ALL


@pytest.mark.parametrize("length", [150, 500_000], ids=["shorter", "longer"])
def test_a_lying_length_is_found_and_the_file_asked_for_again(
    export: Fake, fetch_from: Fetch, tmp_path: Path, length: int
) -> None:
    lie = Reply(200, export.files[OBSERVATIONS], declared=length)
    export.hooks[OBSERVATIONS] = broken_once(export, b"", lie)
    fetch_from(export, bulk="patient")
    assert identities(tmp_path / "raw") == ALL


def test_a_server_that_always_lies_about_the_length_is_an_error(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    export.hooks[OBSERVATIONS] = lambda asked: Reply(200, export.files[OBSERVATIONS], declared=150)
    with pytest.raises(
        ServerError, match=r"file 2 of 2 of the export: line \d is not sound JSON \(2 times\)"
    ):
        fetch_from(export, bulk="patient")
    assert list((tmp_path / "raw").glob("*.ndjson")) == []


def test_a_wrong_count_is_an_error_and_nothing_of_the_file_is_kept(
    export: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    assert export.manifest is not None
    export.manifest["output"][1]["count"] = 6
    with pytest.raises(ServerError, match=r"it holds 5 resources and the manifest says 6 \(2 times\)"):
        fetch_from(export, bulk="patient")
    export.manifest["output"][1]["count"] = 5
    assert fetch_from(export, bulk="patient").written == {"Patient": 1, "Observation": 5}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"resourceType": "Patient", "name": "Jane', "line 1 is not sound JSON"),
        (b'["Jane Doe"]', "line 1 is no FHIR resource"),
        (b'{"resourceType": "../Jane"}', "line 1 is no FHIR resource"),
        (b"\xff\xff", "line 1 is not sound JSON"),
        (b"<html>Jane Doe</html>", "line 1 is not sound JSON"),
    ],
)
def test_a_file_that_is_not_ndjson_is_refused_without_showing_it(
    export: Fake, fetch_from: Fetch, line: bytes, complaint: str
) -> None:
    export.files["/files/Patient.ndjson"] = line
    with pytest.raises(ServerError, match=f"file 1 of 2 of the export: {complaint}") as raised:
        fetch_from(export, bulk="patient")
    assert "Jane" not in str(raised.value)


def test_a_deletion_that_cannot_be_read_is_an_error(export: Fake, fetch_from: Fetch) -> None:
    entries = [{"request": {"method": "DELETE", "url": "Patient?identifier=Jane"}}]
    export.files["/files/gone.ndjson"] = ndjson({"resourceType": "Bundle", "entry": entries})
    assert export.manifest is not None
    export.manifest["deleted"] = [{"url": export.origin + "/files/gone.ndjson"}]
    with pytest.raises(
        ServerError, match="file 3 of 3 of the export: line 1, entry 1 does not say what was deleted"
    ):
        fetch_from(export, bulk="patient")
