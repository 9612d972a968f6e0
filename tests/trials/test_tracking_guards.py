"""Each guard of the MLflow writer keeps a planted identifier out, and without it the scanner finds one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from privacy.scan import LeakScanner
from trials import tracking
from trials.tracking import TrialRecord, track_trial

TOKEN = "mrn_0047_1183_schmidthuber"
SCANNER = LeakScanner([TOKEN])


def in_a_tag(folder: Path) -> TrialRecord:
    return TrialRecord("study", "title", tags={"patient": TOKEN})


def in_a_path(folder: Path) -> TrialRecord:
    return TrialRecord("study", f"from /home/{TOKEN}/records")


def in_a_pickle(folder: Path) -> TrialRecord:
    (folder / "model.pkl").write_text(TOKEN)
    return TrialRecord("study", "title", artifacts=[folder / "model.pkl"])


def in_the_folders_name(folder: Path) -> TrialRecord:
    return TrialRecord("study", "title")


LIFTED: dict[Callable[[Path], TrialRecord], tuple[str, object]] = {
    in_a_tag: ("TAGS", frozenset({"patient"})),
    in_a_path: ("_ABSOLUTE_PATH", re.compile(r"(?!)")),
    in_a_pickle: ("ARTIFACT_SUFFIXES", frozenset({".pkl"})),
    in_the_folders_name: ("_make_relative", lambda *_: None),
}


def leaks(leak: Callable[[Path], TrialRecord], folder: Path, out: Path) -> bool:
    """Whether the token is in what MLflow holds after recording."""
    try:
        record = leak(folder)
    except ValueError:
        return False
    out.mkdir(parents=True)
    track_trial(record, tracking_uri=f"sqlite:///{out / 'mlflow.db'}")
    written = [path for path in out.rglob("*") if path.is_file()]
    return bool([x for x in SCANNER.scan(written) if x.place != "name"])


@pytest.mark.parametrize("leak", LIFTED, ids=lambda leak: leak.__name__)
def test_a_guard_of_the_writer_keeps_in_what_comes_out_without_it(
    leak: Callable[[Path], TrialRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / (TOKEN if leak is in_the_folders_name else "out")
    out.mkdir()
    monkeypatch.chdir(out)  # MLflow takes the folder it runs in for its artifacts
    assert not leaks(leak, tmp_path, out / "guarded")
    name, lifted = LIFTED[leak]
    assert hasattr(tracking, name)
    monkeypatch.setattr(tracking, name, lifted)
    assert leaks(leak, tmp_path, out / "open")
