"""Attacks on the audit log: each is found, and the log before the attack is found whole.

The attacker holds the whole folder as it is after the last line, with the key of the next line and the key
of the checkpoints, but neither the officer's file nor the anchors.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from privacy.audit import AuditError, create_audit, verify_audit
from privacy.audit.chain import (
    CHECKPOINTS,
    LOG,
    NO_SEAL,
    SIGNING_KEY,
    next_key,
    read_about,
    read_key,
    sealed_line,
    write_key,
)
from privacy.audit.checkpoints import signed
from privacy.audit.log import AuditLog
from tests.privacy.audit.conftest import PSEUDONYM, Folders

RECORDS, AT = 12, 5


@pytest.fixture
def filled(folders: Folders) -> Folders:
    """A log of twelve lines with checkpoints after the eighth and the last."""
    fill(folders, 8)
    fill(folders, RECORDS - 8)
    found = folders.verified()
    assert (found.findings, found.records, found.anchored, found.notes) == ([], RECORDS, RECORDS, [])
    return folders


def fill(folders: Folders, count: int) -> None:
    with AuditLog(folders.log) as log:
        for i in range(count):
            log.append({"action": "view", "zone": "PSEUDO", "subject": PSEUDONYM, "counts": {"n": i}}, 1000)


def read(folder: Path) -> list[bytes]:
    return (folder / LOG).read_bytes().splitlines(keepends=True)


def write(folder: Path, lines: list[bytes]) -> None:
    (folder / LOG).write_bytes(b"".join(lines))


def edit_one_character(folder: Path) -> None:
    lines = read(folder)
    lines[AT] = lines[AT].replace(b'"user": 1000', b'"user": 1001')
    write(folder, lines)


def edit_and_seal_with_the_key_at_hand(folder: Path) -> None:
    lines = read(folder)
    content = json.loads(lines[AT])
    content.pop("seal")
    lines[AT] = sealed_line({**content, "user": 1001}, read_key(folder)[1])[0]
    write(folder, lines)


def edit_only_white_space(folder: Path) -> None:
    lines = read(folder)
    lines[AT] = lines[AT].replace(b'"user": ', b'"user":  ')
    write(folder, lines)


def add_a_second_value(folder: Path) -> None:
    lines = read(folder)
    lines[AT] = lines[AT].replace(b"{", b'{"user": 1, ', 1)
    write(folder, lines)


def delete_one(folder: Path) -> None:
    lines = read(folder)
    del lines[AT]
    write(folder, lines)


def delete_the_first(folder: Path) -> None:
    write(folder, read(folder)[1:])


def exchange_two(folder: Path) -> None:
    lines = read(folder)
    lines[AT], lines[AT + 1] = lines[AT + 1], lines[AT]
    write(folder, lines)


def duplicate_one(folder: Path) -> None:
    lines = read(folder)
    lines.insert(AT, lines[AT])
    write(folder, lines)


def insert_one(folder: Path) -> None:
    lines = read(folder)
    content = {"number": AT, "user": 0, "action": "view", "before": json.loads(lines[AT - 1])["seal"]}
    lines.insert(AT, sealed_line(content, read_key(folder)[1])[0])
    write(folder, lines)


def cut_the_last(folder: Path) -> None:
    write(folder, read(folder)[:-1])


def cut_behind_the_last_checkpoint_but_one(folder: Path) -> None:
    write(folder, read(folder)[:8])
    marks = (folder / CHECKPOINTS).read_bytes().splitlines(keepends=True)
    (folder / CHECKPOINTS).write_bytes(marks[0])


def cut_all(folder: Path) -> None:
    write(folder, [])


def cut_within_a_line(folder: Path) -> None:
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content[:-10])


def cut_and_give_the_key_the_number_that_fits(folder: Path) -> None:
    write(folder, read(folder)[:8])
    (folder / CHECKPOINTS).write_bytes((folder / CHECKPOINTS).read_bytes().splitlines(keepends=True)[0])
    write_key(folder, 8, read_key(folder)[1])


def cut_and_sign_the_rest(folder: Path) -> None:
    lines = read(folder)[:AT]
    write(folder, lines)
    key = Ed25519PrivateKey.from_private_bytes((folder / SIGNING_KEY).read_bytes())
    seal = json.loads(lines[-1])["seal"]
    name = read_about(folder)["log"]
    (folder / CHECKPOINTS).write_bytes(signed(name, AT, seal, "2026-01-01T00:00:00+00:00", key))
    write_key(folder, AT, read_key(folder)[1])


def rebuild_the_whole_chain(folder: Path) -> None:
    """With a first key of the attacker's own, and valid signatures."""
    key, before, lines = bytes(range(32)), NO_SEAL, []
    for line in read(folder):
        content = {**json.loads(line), "user": 0, "before": before}
        content.pop("seal")
        made, before = sealed_line(content, key)
        lines.append(made)
        key = next_key(key)
    write(folder, lines)
    write_key(folder, len(lines), key)
    signing = Ed25519PrivateKey.from_private_bytes((folder / SIGNING_KEY).read_bytes())
    name = read_about(folder)["log"]
    (folder / CHECKPOINTS).write_bytes(signed(name, len(lines), before, "2026-01-01T00:00:00+00:00", signing))


def remove_a_checkpoint_and_forge_another(folder: Path) -> None:
    other = Ed25519PrivateKey.generate()
    name = read_about(folder)["log"]
    (folder / CHECKPOINTS).write_bytes(signed(name, 3, NO_SEAL, "2026-01-01T00:00:00+00:00", other))


def take_the_key_away(folder: Path) -> None:
    write_key(folder, RECORDS, bytes(range(100, 132)))


ATTACKS: dict[Callable[[Path], None], str] = {
    edit_one_character: "log line 6: was altered",
    edit_and_seal_with_the_key_at_hand: "log line 6: was altered",
    edit_only_white_space: "log line 6: was altered",
    add_a_second_value: "log line 6: was altered",
    delete_one: "log line 6: calls itself line 7",
    delete_the_first: "log line 1: calls itself line 2",
    exchange_two: "log line 6: calls itself line 7",
    duplicate_one: "log line 7: calls itself line 6",
    insert_one: "log line 6: was altered",
    cut_the_last: "12 lines were written, the log has 11",
    cut_behind_the_last_checkpoint_but_one: "12 lines were written, the log has 8",
    cut_all: "12 lines were written, the log has 0",
    cut_within_a_line: "log line 12: is cut short",
    cut_and_give_the_key_the_number_that_fits: "is not the one that follows",
    cut_and_sign_the_rest: "is not the one that follows",
    rebuild_the_whole_chain: "log line 1: was altered, or was sealed with another key",
    remove_a_checkpoint_and_forge_another: "was not signed by this log's writer",
    take_the_key_away: "is not the one that follows",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.__name__)
def test_an_attack_is_found_even_without_anchors(filled: Folders, attack: Callable[[Path], None]) -> None:
    assert verify_audit(filled.log, filled.officer).verified
    attack(filled.log)
    found = verify_audit(filled.log, filled.officer)
    assert not found.verified
    assert any(ATTACKS[attack] in str(finding) for finding in found.findings), found.findings
    assert not filled.verified().verified


def test_an_older_copy_of_the_whole_folder_is_found_by_the_anchors_alone(
    folders: Folders, tmp_path: Path
) -> None:
    fill(folders, 4)
    shutil.copytree(folders.log, tmp_path / "older")
    fill(folders, 4)
    assert folders.verified().verified
    shutil.rmtree(folders.log)
    shutil.copytree(tmp_path / "older", folders.log)
    alone = verify_audit(folders.log, folders.officer)
    assert alone.verified
    assert "older copy" in alone.notes[0]
    assert [str(f) for f in folders.verified().findings] == [
        "anchors line 2: vouches for 8 lines, the log has 4"
    ]


def test_a_branch_that_goes_on_from_an_older_copy_is_found_by_the_anchors(
    folders: Folders, tmp_path: Path
) -> None:
    fill(folders, 4)
    shutil.copytree(folders.log, tmp_path / "older")
    anchored = folders.anchors
    fill(folders, 4)
    kept = anchored.read_bytes()
    shutil.rmtree(folders.log)
    shutil.copytree(tmp_path / "older", folders.log)
    fill(folders, 6)
    anchored.write_bytes(kept)
    assert any("is not the one signed" in str(f) for f in folders.verified().findings)


def test_another_log_is_not_taken_for_this_one(filled: Folders, tmp_path: Path) -> None:
    create_audit(tmp_path / "other", tmp_path / "other.json")
    assert not verify_audit(filled.log, tmp_path / "other.json").verified
    with AuditLog(tmp_path / "other") as log:
        log.append({"action": "view"}, 0)
    assert verify_audit(tmp_path / "other", tmp_path / "other.json").verified
    assert not verify_audit(tmp_path / "other", tmp_path / "other.json", anchors=filled.anchors).verified


@pytest.mark.parametrize(
    ("days", "minutes", "noticed"), [(-1, 0, True), (0, -1, True), (0, 0, False), (3650, 0, False)]
)
def test_a_clock_that_was_set_back_is_found(
    filled: Folders, monkeypatch: pytest.MonkeyPatch, days: int, minutes: int, noticed: bool
) -> None:
    from datetime import UTC, datetime, timedelta

    from privacy.audit import log as audit_log

    moment = datetime.now(UTC) + timedelta(days=days, minutes=minutes)
    monkeypatch.setattr(audit_log, "_now", lambda: moment.isoformat(timespec="milliseconds"))
    fill(filled, 1)
    assert any("clock was set back" in str(f) for f in filled.verified().findings) == noticed


def test_verification_needs_the_officers_file_and_nobody_else_may_read_it(filled: Folders) -> None:
    filled.officer.chmod(0o644)
    with pytest.raises(AuditError, match="chmod 600"):
        filled.verified()
    filled.officer.chmod(0o600)
    assert filled.verified().verified
    with pytest.raises(AuditError, match="is missing"):
        verify_audit(filled.log, filled.officer, anchors=filled.anchors.with_name("nowhere"))
    filled.officer.write_text("{}")
    with pytest.raises(AuditError, match="not the officer's file"):
        filled.verified()
