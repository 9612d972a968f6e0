"""``docs/fhir_import.md`` says what the code does: reasons, options, and the table that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from fhir_io import Note, Reason, explain
from fhir_io.mapping.code_tables import Tables
from fhir_io.quarantine import FOLDER
from fhir_io.reading.streams import MAX_DOCUMENT, MAX_LINE
from fhir_io.select import NEEDED_TYPES
from fhir_io.validate import PER_SHAPE, Level
from tests.conftest import Command

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "fhir_import.md").read_text(encoding="utf-8")


def table_below(head: str) -> list[tuple[str, str]]:
    """Rows of two columns, without the marks of code."""
    body = TEXT.split(f"| {head} | meaning |\n|---|---|\n")[1].split("\n\n")[0]
    found = []
    for line in body.splitlines():
        name, meaning = line.strip("| ").split(" | ", 1)
        found.append((name.strip("`"), meaning))
    return found


def test_every_reason_and_note_stands_there_in_the_words_of_the_report() -> None:
    assert table_below("reason") == [(reason.code, reason.value) for reason in Reason]
    assert table_below("note") == [(note.code, note.value) for note in Note]


def test_every_option_that_is_named_exists(command: Command) -> None:
    code, out, _ = command("import", "--help")
    assert code == 0
    options = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert {"--retry-unused", "--assume-zone", "--raw"} <= options
    assert options - set(re.findall(r"--[a-z][a-z-]+", out)) == set()


def test_the_types_and_levels_that_are_named_are_those_of_the_code() -> None:
    types = TEXT.split("| type | what is taken |\n|---|---|\n")[1].split("\n\n")[0]
    named = {word for line in types.splitlines() for word in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == NEEDED_TYPES | {"Consent"}
    levels = TEXT.split("| `--validation` |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", levels, re.MULTILINE)) == set(get_args(Level))
    assert PER_SHAPE == 3
    assert "the first three of each structural shape" in TEXT
    assert MAX_DOCUMENT == 2 << 30
    assert MAX_LINE == 128 << 20


def test_the_table_that_is_shown_is_taken(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert yaml.safe_load(shown)["schema"] == "vht-codes/1"
    path = tmp_path / "site.yaml"
    path.write_text(shown)
    tables = Tables.load([path])
    assert explain("ANC", tables=tables).used
    assert tables.absent_unless_recorded == ("stroke",)


def test_the_code_that_is_shown_runs(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    assert command("keys", "init", "--keys", "keys")[0] == 0
    assert command("sample", "--patients", 5, "--out", "records")[0] == 0
    code = shown + "print(report.patients)\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "5", done.stderr
    words = ("--keys", "keys", "--states", "states2")
    assert command("import", "records", *words)[0] == 0
    held = {path.name for folder in ("keys", "states2") for path in (tmp_path / folder).iterdir()}
    assert {"master.key", "vault.sqlite", "store.json", "import-report.json", FOLDER} <= held
