"""The command line: help that reads well, and bad input answered in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.vht.people import gist_patient
from vht import Store

PROTOCOL = Path(__file__).resolve().parents[1] / "trials" / "examples" / "sunitinib_gist.yaml"


@pytest.fixture
def keys(tmp_path: Path, command: Command) -> Path:
    folder = tmp_path / "keys"
    assert command("keys", "init", "--keys", folder)[0] == 0
    return folder


@pytest.fixture
def states(tmp_path: Path) -> Path:
    Store(tmp_path / "states").append(gist_patient(i) for i in range(3))
    return tmp_path / "states"


def refused(command: Command, *words: str | Path) -> str:
    """The message of a command that must be refused, with nothing on standard output."""
    code, out, err = command(*words)
    assert code == 2, (out, err)
    assert err.startswith(("error:", "Usage:"))
    assert "Traceback" not in err
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "re-executable trial report"),
        (["sample"], "metastatic gastrointestinal stromal tumour"),
        (["keys"], "Keys that pseudonyms are made with"),
        (["keys", "init"], "Make a new key"),
        (["import"], "Every resource read is used or listed as not used"),
        (["trial"], "Run a trial"),
        (["trial", "run"], "every eligible patient becomes a virtual patient in every arm"),
        (["trial", "verify"], "compare, number by number"),
    ],
)
def test_help_says_what_a_command_does(command: Command, words: list[str], expected: str) -> None:
    code, out, _ = command(*words, "--help")
    assert code == 0
    assert expected in " ".join(out.replace("│", " ").split())


def test_the_command_line_starts_without_loading_the_engine() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, vht.cli; print('jax' in sys.modules, 'mlflow' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.split() == ["False", "False"]


def test_an_empty_folder(command: Command, tmp_path: Path, keys: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refused(command, "import", tmp_path / "empty", "--keys", keys, "--states", tmp_path / "s")
    assert "holds no FHIR file" in message
    assert not (tmp_path / "s").exists()


def test_a_truncated_json(command: Command, tmp_path: Path, keys: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text('{"resourceType": "Bundle", "entry": [{')
    message = refused(command, "import", tmp_path / "in", "--keys", keys, "--states", tmp_path / "s")
    assert "file 1 of 1" in message
    assert "JSON" in message


def test_a_bundle_that_is_not_fhir(command: Command, tmp_path: Path, keys: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text('{"entry": [{"name": "x"}]}')
    message = refused(command, "import", tmp_path / "in", "--keys", keys, "--states", tmp_path / "s")
    assert "resourceType" in message


def test_r5_data_that_are_said_to_be_r4(command: Command, tmp_path: Path, keys: Path) -> None:
    (tmp_path / "in").mkdir()
    encounter = {
        "resourceType": "Encounter",
        "status": "completed",
        "class": [{"text": "ambulatory"}],
        "actualPeriod": {"start": "2024-01-01T10:00:00Z"},
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": encounter}]}
    (tmp_path / "in" / "a.json").write_text(json.dumps(bundle))
    options = ("--keys", keys, "--states", tmp_path / "s", "--fhir", "R4")
    message = refused(command, "import", tmp_path / "in", *options)
    assert "R5" in message
    assert "R4" in message


def test_an_import_without_keys_says_how_to_make_them(command: Command, tmp_path: Path) -> None:
    message = refused(command, "import", tmp_path, "--keys", tmp_path / "none", "--states", tmp_path / "s")
    assert "vht keys init --keys" in message


def test_keys_are_never_made_twice(command: Command, keys: Path) -> None:
    before = {p.name: p.read_bytes() for p in keys.iterdir()}
    refused(command, "keys", "init", "--keys", keys)
    assert {p.name: p.read_bytes() for p in keys.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="file permissions of POSIX")
def test_keys_that_others_may_read_are_refused(command: Command, tmp_path: Path, keys: Path) -> None:
    (keys / "master.key").chmod(0o644)
    message = refused(command, "import", tmp_path, "--keys", keys, "--states", tmp_path / "s")
    assert "chmod" in message


def test_a_sample_is_not_written_over_other_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    refused(command, "sample", "--patients", 2, "--out", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_unreadable_protocol(command: Command, tmp_path: Path, states: Path) -> None:
    for content in ("arms: [", "just words", ""):
        (tmp_path / "p.yaml").write_text(content)
        message = refused(
            command, "trial", "run", tmp_path / "p.yaml", "--states", states, "--out", tmp_path / "o"
        )
        assert "p.yaml" in message
    message = refused(
        command, "trial", "run", tmp_path / "none.yaml", "--states", states, "--out", tmp_path / "o"
    )
    assert "none.yaml" in message
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  sum_of_longest_diameters: {every",
            "  sum_of_longest_diametres: {every",
            "did you mean 'sum_of_longest_diameters'",
        ),
        ("reference_arm:", "referense_arm:", "did you mean 'reference_arm'"),
        ("every: 6 wk}\n", "every: 6 mm}\n", "'mm' cannot be converted to 'd'"),
        (
            "from: sunitinib_blood_pressure.diastolic_pressure",
            "from: hansson_gist.sum_of_diameters",
            "'mm' cannot be converted to 'mm[Hg]'",
        ),
    ],
)
def test_a_wrong_protocol_is_answered_with_its_line(
    command: Command, tmp_path: Path, states: Path, old: str, new: str, message: str
) -> None:
    text = PROTOCOL.read_text()
    assert old in text
    (tmp_path / "p.yaml").write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    shown = refused(command, "trial", "run", tmp_path / "p.yaml", "--states", states, "--out", tmp_path / "o")
    assert message in shown
    assert f"p.yaml:{line}" in shown
    assert not (tmp_path / "o").exists()


def test_a_folder_that_holds_a_run(command: Command, tmp_path: Path, states: Path) -> None:
    words = ["trial", "run", PROTOCOL, "--states", states, "--out", tmp_path / "o", "--no-track"]
    code, out, _ = command(*words)
    assert code == 0
    assert "enrolled 3 of 3" in out
    assert "--overwrite" in refused(command, *words)
    assert command(*words, "--overwrite")[0] == 0
    code, out, _ = command("trial", "verify", tmp_path / "o")
    assert code == 0
    assert "verified:" in out
    results = tmp_path / "o" / "results.json"
    results.write_text(results.read_text().replace("1", "2", 1))
    code, _, err = command("trial", "verify", tmp_path / "o")
    assert code == 1
    assert "not verified: results.json" in err


def test_a_wrong_option_is_answered_with_usage(command: Command, tmp_path: Path) -> None:
    assert "Usage: vht trial run" in refused(command, "trial", "run", "--state", tmp_path)
    assert "Missing option" in refused(command, "keys", "init")


def test_an_unexpected_error_quotes_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fhir_io

    def broken(*_: object, **__: object) -> int:
        raise RuntimeError("Jane Doe, born 1961-04-12")

    monkeypatch.setattr(fhir_io, "write_sample", broken)
    monkeypatch.delenv("VHT_DEBUG", raising=False)
    code, out, err = command("sample", "--out", tmp_path / "x")
    assert code == 3
    assert "Jane" not in out + err
    assert "1961" not in out + err
    assert "internal error: RuntimeError at test_cli.py:" in err


def test_quantities_are_listed(command: Command) -> None:
    code, out, _ = command("quantities")
    assert code == 0
    assert "systolic_blood_pressure" in out
    assert "8480-6" in out


def test_records_of_which_nobody_can_be_made_end_with_an_error(
    command: Command, tmp_path: Path, keys: Path
) -> None:
    (tmp_path / "in").mkdir()
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": observation}]}
    (tmp_path / "in" / "a.json").write_text(json.dumps(bundle))
    code, out, err = command("import", tmp_path / "in", "--keys", keys, "--states", tmp_path / "s")
    assert code == 1
    assert "read 1 resources = used 0 + not used 1" in out
    assert "no patient could be made" in err
    assert not (tmp_path / "s" / "import-report.json").exists()


def test_keys_and_states_are_kept_apart(command: Command, tmp_path: Path, keys: Path) -> None:
    for states in (keys, keys / "states", tmp_path):
        assert "separate folders" in refused(command, "import", tmp_path, "--keys", keys, "--states", states)


def test_a_group_without_a_command_shows_its_help_and_nothing_else(command: Command) -> None:
    code, out, err = command("trial")
    assert code in (0, 2)
    assert "verify" in out + err
    assert "error" not in out + err


def test_a_model_that_nothing_drives_is_an_error_with_its_line(
    command: Command, tmp_path: Path, states: Path
) -> None:
    text = PROTOCOL.read_text()
    link = "    - {from: sunitinib_exposure.daily_exposure, to: hansson_gist.daily_exposure}\n"
    assert link in text
    (tmp_path / "p.yaml").write_text(text.replace(link, ""))
    message = refused(
        command, "trial", "run", tmp_path / "p.yaml", "--states", states, "--out", tmp_path / "o"
    )
    assert "nothing drives hansson_gist.daily_exposure" in message
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.strip().startswith("models:"))
    assert f"p.yaml:{line}" in message


def test_an_unknown_engine_is_answered_in_words(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHT_ENGINE", "steam")
    assert "VHT_ENGINE is not one of auto, native, portable" in refused(
        command, "simulate", "closed_loop_circulation"
    )
