"""``vht privacy``: what it prints never repeats what it found, and its exit codes tell programs the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from privacy.audit.chain import LOG
from privacy.scan import find_leaks
from tests.conftest import Command
from vht import Store

TOKEN = "MRN-0047-1183"


@pytest.fixture
def known(tmp_path: Path) -> Path:
    path = tmp_path / "known.txt"
    path.write_text(f"{TOKEN}\ngiven\tIda\n\n")
    return path


def test_a_leak_is_told_by_place_encoding_and_field_and_not_repeated(
    tmp_path: Path, known: Path, command: Command
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"{TOKEN}.json").write_text('{"given": "Ida", "id": "' + TOKEN.encode().hex() + '"}')
    code, shown, error = command("privacy", "scan", folder, "--known", known)
    assert code == 1
    assert "3 leaks of 2 identifiers" in error
    for word in ("name  raw", "content  hex", "in context  given"):
        assert word in shown
    assert "path 1, file " in shown
    for secret in (TOKEN, "Ida", TOKEN.encode().hex()):
        assert secret not in shown + error


def test_a_clean_folder_is_said_to_be_clean(tmp_path: Path, known: Path, command: Command) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.json").write_text('{"n": 47}')
    code, shown, _ = command("privacy", "scan", tmp_path / "out", "--known", known)
    assert (code, shown.strip()) == (0, "no leak of 2 identifiers")


def test_what_cannot_be_read_to_the_end_is_not_called_clean(
    tmp_path: Path, known: Path, command: Command
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{TOKEN}.db").write_bytes(b"SQLite format 3\x00" + bytes(200))
    code, shown, error = command("privacy", "scan", tmp_path / "out", "--known", known)
    assert code == 2
    assert "cannot be called clean" in error
    assert TOKEN not in shown + error


@pytest.mark.parametrize("line", ["Ida", "given\tI", "4711"])
def test_a_short_identifier_without_its_field_is_refused_by_line(
    tmp_path: Path, command: Command, line: str
) -> None:
    known = tmp_path / "known.txt"
    known.write_text(f"{TOKEN}\n{line}\n")
    code, _, error = command("privacy", "scan", tmp_path, "--known", known)
    assert code == 2
    assert "line 2" in error
    assert "Ida" not in error
    assert "4711" not in error


def test_records_are_searched_for_in_what_was_made_of_them(tmp_path: Path, command: Command) -> None:
    """The records hold their own identifiers; states made from them hold none."""
    command("sample", "--patients", 3, "--seed", 2, "--out", tmp_path / "fhir")
    command("keys", "init", "--keys", tmp_path / "keys")
    command("import", tmp_path / "fhir", "--keys", tmp_path / "keys", "--states", tmp_path / "states")
    raw = ("--raw", tmp_path / "fhir")
    code, shown, _ = command("privacy", "scan", tmp_path / "states", tmp_path / "keys", *raw)
    assert (code, "no leak of" in shown) == (0, True)
    code, _, _ = command("privacy", "scan", tmp_path / "fhir", *raw)
    assert code == 1
    code, shown, _ = command("privacy", "scan", tmp_path / "fhir", *raw, "--field", "family")
    assert code == 1
    assert {line.split("  ")[-1] for line in shown.splitlines() if line.startswith("path")} == {"family"}


def test_an_audit_log_is_made_verified_and_its_tampering_told(tmp_path: Path, command: Command) -> None:
    audit = ("--audit", tmp_path / "audit", "--officer", tmp_path / "officer.json")
    assert command("privacy", "audit", "init", *audit)[0] == 0
    assert command("privacy", "audit", "init", *audit)[0] == 2
    code, shown, _ = command("privacy", "audit", "verify", *audit)
    assert (code, shown.strip()) == (0, "verified: 0 records, 0 of them signed")
    (tmp_path / "audit" / LOG).write_text('{"number": 0}\n')
    code, _, error = command("privacy", "audit", "verify", *audit)
    assert code == 1
    assert "not verified: log line 1" in error


def test_a_patient_is_erased_from_states_and_vault_audited_and_kept_out(
    tmp_path: Path, command: Command
) -> None:
    door = ("--keys", tmp_path / "keys", "--states", tmp_path / "states")
    audit = ("--audit", tmp_path / "audit", "--officer", tmp_path / "officer.json")
    command("sample", "--patients", 3, "--seed", 2, "--out", tmp_path / "fhir")
    command("keys", "init", "--keys", tmp_path / "keys")
    command("import", tmp_path / "fhir", *door)
    command("privacy", "audit", "init", *audit)
    before = list(Store(tmp_path / "states").cohort().patients["pseudonym"])
    victim = before[1]
    everywhere = [tmp_path / "states", tmp_path / "keys"]
    assert {leak.path.parts[len(tmp_path.parts)] for leak in find_leaks(everywhere, [victim])} == {
        "states",
        "keys",
    }

    words = (
        "privacy",
        "erase",
        victim,
        *door,
        "--audit",
        tmp_path / "audit",
        "--reason",
        "consent withdrawn",
    )
    code, shown, error = command(*words)
    assert code == 0, error
    assert "from states 1" in shown
    assert "1 from the vault" in shown
    assert "not reached: backups" in error
    assert find_leaks(everywhere, [victim]) == []
    assert list(Store(tmp_path / "states").cohort().patients["pseudonym"]) == [before[0], before[2]]

    told = [json.loads(line) for line in (tmp_path / "audit" / LOG).read_text().splitlines()]
    assert [(t["action"], t["subject"], t["outcome"]) for t in told] == [
        ("erase", victim, "partial"),
        ("erase", victim, "done"),
    ]
    assert command("privacy", "audit", "verify", *audit)[0] == 0
    command("import", tmp_path / "fhir", *door)
    assert victim not in list(Store(tmp_path / "states").cohort().patients["pseudonym"])


def test_nothing_is_erased_without_a_log_to_say_so(tmp_path: Path, command: Command) -> None:
    door = ("--keys", tmp_path / "keys", "--states", tmp_path / "states")
    command("sample", "--patients", 2, "--seed", 2, "--out", tmp_path / "fhir")
    command("keys", "init", "--keys", tmp_path / "keys")
    command("import", tmp_path / "fhir", *door)
    victim = Store(tmp_path / "states").cohort().patients["pseudonym"][0]
    for reason in ("withdrawn", "born 1961-04-12"):
        if reason != "withdrawn":
            command(
                "privacy",
                "audit",
                "init",
                "--audit",
                tmp_path / "audit",
                "--officer",
                tmp_path / "officer.json",
            )
        code, _, error = command(
            "privacy", "erase", victim, *door, "--audit", tmp_path / "audit", "--reason", reason
        )
        assert code == 2
        assert "1961" not in error
        assert victim in list(Store(tmp_path / "states").cohort().patients["pseudonym"])


@pytest.mark.parametrize("guarded", [True, False])
def test_a_command_runs_behind_the_guards(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """What a library logs during a command quotes nobody; without the guards it comes through."""
    import io
    import logging

    import fhir_io

    def says_too_much(*_: object, **__: object) -> int:
        logging.getLogger("some.library").error("cannot read %s", TOKEN)
        return 1

    monkeypatch.setattr(fhir_io, "write_sample", says_too_much)
    if not guarded:
        monkeypatch.setenv("VHT_DEBUG", "1")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    try:
        code, _, _ = command("sample", "--out", tmp_path / "fhir")
    finally:
        logging.getLogger().removeHandler(handler)
    assert code == 0
    assert "cannot read" in written.getvalue()
    assert (TOKEN in written.getvalue()) is not guarded


def test_what_a_command_does_with_people_s_data_is_in_the_log(tmp_path: Path, command: Command) -> None:
    """Each act twice: before it begins, and as it ended, with counts and nothing of a patient."""
    log = tmp_path / "audit"
    options = ("--audit", log, "--officer", tmp_path / "officer.json")
    keys, states, raw = tmp_path / "keys", tmp_path / "states", tmp_path / "raw"
    door = ("--keys", keys, "--states", states)
    command("privacy", "audit", "init", *options)
    command("keys", "init", "--keys", keys)
    command("sample", "--patients", "3", "--out", raw)
    assert command("import", raw, *door, "--audit", log)[0] == 0
    assert command("import", tmp_path / "nothing", *door, "--audit", log)[0] == 2
    assert command("keys", "rotate", *door, "--audit", log)[0] == 0
    out = ("--out", tmp_path / "out.json", "--recipient", "partner", "--keys", keys, "--audit", log)
    assert command("export", states, *out, "--authorised", "agreed with the board")[0] == 0
    assert command("export", states, *out)[0] == 2
    lines = [json.loads(line) for line in (log / LOG).read_text().splitlines()]
    told = [line for line in lines if line["action"] in ("import", "rotate", "export")]
    assert [(t["action"], t["outcome"]) for t in told] == [
        *(("import", outcome) for outcome in ("partial", "done", "partial", "failed")),
        *(("rotate", outcome) for outcome in ("partial", "done")),
        *(("export", outcome) for outcome in ("partial", "done", "partial", "failed")),
    ]
    assert told[1]["counts"]["patients"] == 3
    assert told[5]["counts"] == {"key_version": 2, "patients": 3}
    assert all(t["subject"] is None for t in told)
    assert command("privacy", "audit", "verify", *options)[0] == 0


def test_what_cannot_be_recorded_is_not_done(tmp_path: Path, command: Command) -> None:
    keys, states, raw = tmp_path / "keys", tmp_path / "states", tmp_path / "raw"
    command("keys", "init", "--keys", keys)
    command("sample", "--patients", "2", "--out", raw)
    code, _, _ = command("import", raw, "--keys", keys, "--states", states, "--audit", tmp_path / "none")
    assert code == 2
    assert not states.exists()
