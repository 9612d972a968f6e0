"""The audit log keeps what it is told, in a process of its own, and nothing that could name a patient."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from privacy.audit import Audit, AuditError, AuditRecord, create_audit, verify_audit
from privacy.audit import client as audit_client
from privacy.audit.chain import CHAIN_KEY, LOCK, LOG, SOCKET, read_key
from privacy.audit.log import AuditLog
from tests.privacy.audit.conftest import PSEUDONYM, Folders


def test_every_record_is_kept_with_time_user_and_all_that_was_said(folders: Folders) -> None:
    with Audit.open(folders.log) as audit:
        assert audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM, "monthly review")) == 0
        assert audit.record(AuditRecord("import", "RAW", None, "first load", "partial", {"patients": 7})) == 1
    first, second = (json.loads(line) for line in (folders.log / LOG).read_text().splitlines())
    assert (first["action"], first["zone"], first["subject"]) == ("view", "PSEUDO", PSEUDONYM)
    assert (second["reason"], second["outcome"], second["counts"]) == (
        "first load",
        "partial",
        {"patients": 7},
    )
    assert first["user"] == os.getuid()
    assert second["before"] == first["seal"]


def test_another_process_writes_and_stops_by_itself(folders: Folders) -> None:
    writer = subprocess.Popen([sys.executable, "-m", "privacy.audit.writer", str(folders.log), "1"])
    until = time.monotonic() + 15
    while not (folders.log / SOCKET).exists() and time.monotonic() < until:
        time.sleep(0.01)
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
        assert writer_of(folders.log) == writer.pid
    assert writer.wait(timeout=20) == 0
    assert not (folders.log / SOCKET).exists()
    assert folders.verified().anchored == 1


def test_records_of_many_at_once_are_all_kept_in_one_chain(folders: Folders) -> None:
    def tell(_: int) -> list[int]:
        with Audit.open(folders.log) as audit:
            return [audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM)) for _ in range(5)]

    with ThreadPoolExecutor(6) as pool:
        numbers = sorted(n for found in pool.map(tell, range(6)) for n in found)
    assert numbers == list(range(30))
    assert folders.verified().verified
    assert folders.verified().records == 30


def test_a_writer_that_was_killed_is_replaced_and_nothing_told_is_lost(folders: Folders) -> None:
    with Audit.open(folders.log) as audit:
        told = []
        for _ in range(4):
            told.append(audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM)))
            os.kill(writer_of(folders.log), signal.SIGKILL)
        told.append(audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM)))
    assert told == [0, 1, 2, 3, 4]
    found = folders.verified()
    assert found.verified, found.findings
    assert found.records == 5


def writer_of(folder: Path) -> int:
    """Process number of the writer: who answers on the socket."""
    import struct

    with socket.socket(socket.AF_UNIX) as connection, audit_client.socket_address(folder) as address:
        connection.connect(address)
        return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


@pytest.mark.parametrize(
    "torn", ["the key did not move on", "half a line", "a whole line is missing its key"]
)
def test_what_a_power_cut_left_half_done_is_completed(folders: Folders, torn: str) -> None:
    with AuditLog(folders.log) as log:
        log.append({"action": "view"}, 0)
        key = (folders.log / CHAIN_KEY).read_bytes()
        log.append({"action": "view"}, 0)
    lines = (folders.log / LOG).read_bytes()
    if torn == "half a line":
        (folders.log / LOG).write_bytes(lines + b'{"number": 2, "ti')
        expected = 3
    else:
        (folders.log / CHAIN_KEY).write_bytes(key)
        expected = 3
        if torn != "the key did not move on":
            (folders.log / LOG).write_bytes(lines + b'{"number"')
    with AuditLog(folders.log) as log:
        assert log.append({"action": "view"}, 0) == expected - 1
    found = folders.verified()
    assert found.verified, found.findings
    assert found.records == expected


def test_the_key_of_a_written_line_is_gone_from_the_folder(folders: Folders) -> None:
    _, first = read_key(folders.log)
    assert any(first in path.read_bytes() for path in folders.log.iterdir())
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
        _, second = read_key(folders.log)
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
    kept = b"".join(p.read_bytes() for p in folders.log.iterdir() if p.is_file() and p.name != LOCK)
    for key in (first, second):
        assert key not in kept
        assert key.hex().encode() not in kept


def test_all_that_is_written_can_be_read_by_its_owner_alone(folders: Folders) -> None:
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
    for path in [folders.log, folders.officer, folders.anchors, *folders.log.iterdir()]:
        assert path.lstat().st_mode & 0o077 == 0, path.name


@pytest.mark.parametrize("spoilt", ["shorter", "no key", "other folder rights"])
def test_a_log_that_is_not_as_it_was_left_takes_no_record(folders: Folders, spoilt: str) -> None:
    with AuditLog(folders.log) as log:
        for _ in range(3):
            log.append({"action": "view"}, 0)
    if spoilt == "shorter":
        lines = (folders.log / LOG).read_bytes().splitlines(keepends=True)
        (folders.log / LOG).write_bytes(b"".join(lines[:2]))
    elif spoilt == "no key":
        (folders.log / CHAIN_KEY).unlink()
    else:
        folders.log.chmod(0o755)
    with pytest.raises(AuditError, match=r"removed or added|missing or damaged|chmod"):  # noqa: SIM117
        with Audit.open(folders.log) as audit:
            audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))


def test_a_record_that_cannot_be_written_is_an_error_and_not_silence(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_client, "WAIT_SECONDS", 2.0)
    (folders.log / LOG).unlink()
    (folders.log / LOG).symlink_to("/dev/full")
    with Audit.open(folders.log) as audit, pytest.raises(AuditError):
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))


def test_a_disk_that_is_full_ends_the_writer_without_an_answer(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    from privacy.audit import log as audit_log

    with AuditLog(folders.log) as log:
        monkeypatch.setattr(audit_log, "_write_all", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            log.append({"action": "view"}, 0)
    monkeypatch.undo()
    assert (folders.log / LOG).read_bytes() == b""
    with AuditLog(folders.log) as log:
        assert log.append({"action": "view"}, 0) == 0


def test_what_is_no_record_is_refused_by_the_writer_too(folders: Folders) -> None:
    """Who speaks to the socket without the client gets nothing past the grammar."""
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
        for said in (
            b"not json",
            b"[]",
            b'{"record": {"action": "view"}}',
            json.dumps({"record": fields(subject="Anna Schmidt")}).encode(),
            json.dumps({"record": {**fields(), "name": "Anna Schmidt"}}).encode(),
        ):
            with socket.socket(socket.AF_UNIX) as connection, audit_client.socket_address(folders.log) as at:
                connection.connect(at)
                connection.settimeout(10)
                connection.sendall(said + b"\n")
                assert "error" in json.loads(connection.recv(4096)), said
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
    assert folders.verified().records == 2
    assert b"Schmidt" not in (folders.log / LOG).read_bytes()


def fields(**changed: object) -> dict[str, object]:
    return {
        "action": "view",
        "zone": "PSEUDO",
        "subject": PSEUDONYM,
        "reason": "",
        "outcome": "done",
        "counts": {},
        **changed,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "look"},
        {"zone": "OUTSIDE"},
        {"outcome": "Anna Schmidt"},
        {"subject": "MRN-0047-1183"},
        {"subject": "v1-short"},
        {"reason": "asked for 0047 1183"},
        {"reason": "born 1961-04-12"},
        {"reason": "born 12.4.1961"},
        {"reason": "ＭＲＮ ００４７１１８３"},
        {"reason": "mail anna@example.org"},
        {"reason": "see http://hospital/patient"},
        {"reason": "two\nlines"},
        {"reason": "a" * 201},
        {"counts": {"Anna": 1}},
        {"counts": {"patients": -1}},
        {"counts": {"patients": True}},
        {"counts": {"patients": 1.5}},
    ],
)
def test_a_record_that_could_name_a_patient_is_refused_without_repeating_it(
    folders: Folders, wrong: dict[str, object]
) -> None:
    audit = Audit.open(folders.log)
    with pytest.raises(AuditError) as caught:
        audit.record(AuditRecord(**fields(**wrong)))  # type: ignore[arg-type]
    for value in ("Anna", "1183", "1961", "anna", "hospital"):
        assert value not in str(caught.value)
    assert (folders.log / LOG).read_bytes() == b""


@pytest.mark.parametrize("reason", ["", "review of 2026", "visit 3 of 12, arm B", "Prüfung durch die Ethik"])
def test_a_reason_in_words_is_kept(folders: Folders, reason: str) -> None:
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM, reason))
    assert json.loads((folders.log / LOG).read_text())["reason"] == reason


def test_a_log_in_a_folder_with_a_long_name_works(tmp_path: Path) -> None:
    """A socket's address is at most 107 bytes long (man 7 unix)."""
    folder = tmp_path / ("deep" * 40) / "log"
    create_audit(folder, tmp_path / "officer.json")
    with Audit.open(folder) as audit:
        assert audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM)) == 0
    assert verify_audit(folder, tmp_path / "officer.json").verified


def test_a_log_is_never_made_over_another_nor_beside_its_officers_file(folders: Folders) -> None:
    with pytest.raises(AuditError, match="already"):
        create_audit(folders.log, folders.officer.with_name("other.json"))
    with pytest.raises(AuditError, match="exists already"):
        create_audit(folders.log.with_name("second"), folders.officer)
    with pytest.raises(AuditError, match="beside"):
        create_audit(folders.log.with_name("third"), folders.log.with_name("third") / "officer.json")
    with pytest.raises(AuditError, match="holds no audit log"):
        Audit.open(folders.log.with_name("nowhere"))


def test_one_record_costs_little(folders: Folders) -> None:
    """Two syncs of the line and the key; 0.1 s each would be a broken disk or a restarted writer."""
    with Audit.open(folders.log) as audit:
        audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
        started = time.perf_counter()
        for _ in range(20):
            audit.record(AuditRecord("view", "PSEUDO", PSEUDONYM))
        assert time.perf_counter() - started < 20 * 0.5
