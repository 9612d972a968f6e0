"""Search with paging, and syncs that follow one another."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fhir_io.read import open_source, read_records
from fhir_io.server import Fetched, Limits, ServerError
from tests.fhir_io.server.conftest import Skipping, identities, raw_records
from tests.fhir_io.server.fake import Asked, Fake, Reply, answer

Fetch = Callable[..., Fetched]


def five(server: Fake) -> None:
    server.add({"resourceType": "Patient", "id": "p"})
    server.add(*({"resourceType": "Observation", "id": f"o{n}"} for n in range(5)))


def page(server: Fake, following: str | None, *entries: Any) -> Reply:
    link = [{"relation": "next", "url": following}] if following else []
    found = [{"resource": e} for e in entries]
    return answer({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": found})


def test_all_pages_are_fetched_and_each_resource_is_written_once(
    fake: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    """Five observations at two a page are three pages; patients and capabilities make five requests."""
    five(fake)
    fetched = fetch_from(fake)
    assert identities(tmp_path / "raw") == [
        "Observation/o0",
        *(f"Observation/o{n}" for n in range(1, 5)),
        "Patient/p",
    ]
    assert fetched.written == {"Patient": 1, "Observation": 5}
    assert fetched.requests == len(fake.asked) == 5
    assert fetched.complete
    assert fetched.since is None


def test_the_raw_folder_is_what_the_import_reads(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    five(fake)
    fetch_from(fake)
    source = open_source(tmp_path / "raw")
    read = [r.resource["id"] for r in read_records(source) if r.resource]
    assert sorted(read) == ["o0", "o1", "o2", "o3", "o4", "p"]
    assert source.manifest is not None


def test_only_the_owner_can_read_what_was_fetched(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    five(fake)
    fetch_from(fake)
    raw = tmp_path / "raw"
    assert raw.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in raw.rglob("*") if p.is_file()} == {0o600}


def test_decimals_keep_their_digits(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    body = b'{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Observation",'
    body += b'"id":"a","valueQuantity":{"value":6.30},"big":12345678901234567890123}}]}'
    fake.hooks["/fhir/Observation"] = lambda asked: Reply(200, body)
    fetch_from(fake, types=("Observation",))
    [path] = (tmp_path / "raw").glob("*.ndjson")
    assert b'"value":6.30}' in path.read_bytes()
    assert b"12345678901234567890123" in path.read_bytes()


def test_a_second_sync_brings_only_what_changed(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    five(fake)
    fake.types = ["Patient", "Observation"]
    fetch_from(fake)
    fake.add({"resourceType": "Observation", "id": "o1", "status": "amended"}, updated="2999-01-01T00:00:00Z")
    again = fetch_from(fake)
    assert again.since is not None
    assert again.written == {"Observation": 1}
    assert [r["id"] for r in raw_records(tmp_path / "raw")].count("o1") == 2
    assert raw_records(tmp_path / "raw")[-1]["status"] == "amended"  # the order of names is the order in time


def test_a_sync_without_change_writes_nothing(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    """Resources within the overlap come again and are known by their content."""
    five(fake)
    fake.add({"resourceType": "Observation", "id": "late"}, updated="2999-01-01T00:00:00Z")
    fetch_from(fake)
    before = {p.name: p.read_bytes() for p in (tmp_path / "raw").glob("*.ndjson")}
    again = fetch_from(fake)
    assert again.written == {}
    assert again.unchanged == {"Observation": 1}
    assert {p.name: p.read_bytes() for p in (tmp_path / "raw").glob("*.ndjson")} == before


def test_a_sync_goes_back_ten_minutes_before_the_servers_own_clock(fake: Fake, fetch_from: Fetch) -> None:
    five(fake)
    fake.clock_ahead = 86_400.0  # a server whose clock is a day ahead is asked by its own clock
    first = fetch_from(fake)
    fetch_from(fake)
    asked = fake.to("/fhir/Observation")[-1].query["_lastUpdated"]
    minutes = (_seconds(first.transaction_time) - _seconds(asked.removeprefix("ge"))) / 60
    assert minutes == 10
    assert _seconds(first.transaction_time) == pytest.approx(fake.now(), abs=30)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_deletions_are_taken_from_the_history_once(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    five(fake)
    fake.types = ["Patient", "Observation"]
    assert fetch_from(fake).deletions_known
    fake.delete("Observation", "o2")
    second, third = fetch_from(fake), fetch_from(fake)
    assert (second.deleted, third.deleted) == (1, 0)
    [path] = (tmp_path / "raw").glob("*.deleted.*")
    bundle = json.loads(path.read_bytes())
    assert bundle["type"] == "transaction"
    assert bundle["entry"] == [{"request": {"method": "DELETE", "url": "Observation/o2"}}]


def test_a_resource_that_comes_back_after_its_deletion_is_written_again(
    fake: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    five(fake)
    fake.types = ["Patient", "Observation"]
    fetch_from(fake)
    fake.delete("Observation", "o2")
    fetch_from(fake)
    fake.deleted.clear()
    fake.add({"resourceType": "Observation", "id": "o2"}, updated="2999-01-01T00:00:00Z")
    assert fetch_from(fake).written == {"Observation": 1}
    names = sorted(p.name for p in (tmp_path / "raw").glob("*.ndjson"))
    assert names[-2:] == ["0002.deleted.001.ndjson", "0003.Observation.001.ndjson"]


def test_a_server_without_history_is_said_to_tell_no_deletions(fake: Fake, fetch_from: Fetch) -> None:
    five(fake)
    fake.types, fake.histories = ["Patient", "Observation"], False
    fetch_from(fake)
    again = fetch_from(fake)
    assert not again.deletions_known
    assert "does not say what was deleted" in again.summary()


def test_types_that_the_server_lacks_are_named_unless_they_were_asked_for(
    fake: Fake, fetch_from: Fetch
) -> None:
    five(fake)
    fake.types = ["Patient", "Observation"]
    fetched = fetch_from(fake, types=None)
    assert "Consent" in fetched.lacking
    with pytest.raises(ServerError, match="page 1 of Consent: the server answers 404"):
        fetch_from(fake, types=("Consent",))


def test_a_type_that_the_server_gains_is_fetched_from_its_beginning(fake: Fake, fetch_from: Fetch) -> None:
    five(fake)
    fake.types = ["Patient"]
    assert "Observation" in fetch_from(fake, types=None).lacking
    fake.types = ["Patient", "Observation"]
    assert fetch_from(fake, types=None).written == {"Observation": 5}


def test_a_search_that_broke_off_goes_on_with_the_type_it_stopped_in(
    fake: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    five(fake)
    broken = [True]
    fake.hooks["/fhir/Observation"] = lambda a: Reply(403) if broken[0] and "cursor" in a.query else None
    with pytest.raises(ServerError, match="page 2 of Observation: the server answers 403"):
        fetch_from(fake)
    assert list((tmp_path / "raw").glob("*.ndjson")) == []  # nothing has its name before its sync is complete
    broken[0] = False
    fetched = fetch_from(fake)
    assert fetched.resumed
    assert fetched.written == {"Patient": 1, "Observation": 5}
    assert len(fake.to("/fhir/Patient")) == 1
    assert len(identities(tmp_path / "raw")) == len(set(identities(tmp_path / "raw"))) == 6


def test_the_next_page_at_another_origin_is_not_asked_for(fake: Fake, other: Fake, fetch_from: Fetch) -> None:
    fake.hooks["/fhir/Patient"] = lambda asked: page(fake, other.base + "/Patient?page=2")
    with pytest.raises(ServerError, match="page 1 of Patient: the next page lies at another origin"):
        fetch_from(fake)
    assert other.asked == []


def test_a_page_that_was_read_before_ends_the_search(fake: Fake, fetch_from: Fetch) -> None:
    fake.hooks["/fhir/Patient"] = lambda a: page(fake, fake.base + "/Patient?again")
    with pytest.raises(ServerError, match="page 2 of Patient: the next page is one that was read before"):
        fetch_from(fake)


def test_pages_that_bring_nothing_new_end_the_search(fake: Fake, fetch_from: Fetch) -> None:
    """A new address each time, the same resource behind it: one page is new, the next three repeat it."""
    count = iter(range(100))

    def endless(asked: Asked) -> Reply:
        return page(fake, f"{fake.base}/Patient?n={next(count)}", {"resourceType": "Patient", "id": "p"})

    fake.hooks["/fhir/Patient"] = endless
    with pytest.raises(ServerError, match="page 4 of Patient: the last 3 pages brought nothing new"):
        fetch_from(fake, limits=Limits(repeats=3))


def test_a_search_without_end_is_given_up(fake: Fake, fetch_from: Fetch) -> None:
    count = iter(range(100))
    fake.hooks["/fhir/Patient"] = lambda asked: page(fake, f"{fake.base}/Patient?n={next(count)}")
    with pytest.raises(ServerError, match="more than 5 pages"):
        fetch_from(fake, limits=Limits(pages=5))


def test_fewer_resources_than_promised_are_reported_and_asked_for_again(
    fake: Fake, fetch_from: Fetch
) -> None:
    short = {"resourceType": "Bundle", "type": "searchset", "total": 9, "entry": []}
    fake.hooks["/fhir/Observation"] = lambda asked: answer(short)
    first = fetch_from(fake, types=("Observation",))
    assert first.short == ("Observation",)
    assert not first.complete
    assert fetch_from(fake, types=("Observation",)).since is None


def test_the_servers_remarks_are_counted_not_written(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    remark = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "warning", "diagnostics": "Jane Doe"}],
    }
    fake.hooks["/fhir/Observation"] = lambda asked: page(fake, None, remark)
    fetched = fetch_from(fake, types=("Observation",))
    assert fetched.remarks == {"warning": 1}
    assert "Jane" not in fetched.summary()
    assert list((tmp_path / "raw").glob("*.ndjson")) == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"resourceType": "Bundle", "entry": [', "not sound JSON"),
        (b"[" * 100_000, "not sound JSON"),
        (b'{"a": NaN}', "not sound JSON"),
        (b'{"entry": [], "entry": []}', "not sound JSON"),
        (b"\xff\xfe{}", "not sound JSON"),
        (b"[]", "JSON but no object"),
        (b'{"resourceType": "Patient", "name": "Jane Doe"}', "no Bundle"),
        (b'{"resourceType": "Bundle", "entry": {"a": 1}}', "not a list"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": "Jane Doe"}]}', "entry 1: it holds no resource"),
        (
            b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "../x"}}]}',
            "entry 1: it holds no",
        ),
    ],
)
def test_an_answer_that_is_no_search_result_is_refused_without_showing_it(
    fake: Fake, fetch_from: Fetch, tmp_path: Path, body: bytes, complaint: str
) -> None:
    fake.hooks["/fhir/Patient"] = lambda asked: Reply(200, body)
    with pytest.raises(ServerError, match=complaint) as raised:
        fetch_from(fake)
    assert "Jane" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert list((tmp_path / "raw").glob("*.ndjson")) == []


def test_a_folder_with_other_files_or_of_another_server_is_refused(
    fake: Fake, other: Fake, fetch_from: Fetch, tmp_path: Path
) -> None:
    five(fake)
    fetch_from(fake)
    with pytest.raises(ServerError, match="another server"):
        fetch_from(other)
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(ServerError, match="other files"):
        fetch_from(fake, out=mine)


def test_two_fetches_into_one_folder_do_not_meet(fake: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    five(fake)
    told: list[str] = []

    def second(asked: Asked) -> None:
        with pytest.raises(ServerError) as raised:
            fetch_from(fake)
        told.append(str(raised.value))

    fake.hooks["/fhir/Patient"] = second
    fetch_from(fake)
    assert told == ["another fetch is writing into this folder; wait for it, or give another"]


def test_requests_start_no_faster_than_the_rate(fake: Fake, fetch_from: Fetch, skipping: Skipping) -> None:
    """Five requests at two a second have four gaps of half a second."""
    five(fake)
    fetch_from(fake, rate=2)
    assert sum(skipping.pauses) == pytest.approx(2.0, abs=0.2)
