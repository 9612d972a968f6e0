"""A patient who is erased is in no file of a run, and verification executes the others again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from privacy.scan import find_leaks
from tests.vht.people import gist_patient
from trials.erasure import copies_out_of_reach, erase_from_run
from trials.run import MANIFEST, TABLES, RunError, own_digest, run_trial, sha256_file
from trials.verify import verify_run
from vht import Store

PROTOCOL = Path(__file__).resolve().parents[2] / "trials" / "examples" / "sunitinib_gist.yaml"
PATIENTS = 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its MLflow record."""
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path_factory.mktemp("erasure")
    Store(folder / "states").append(gist_patient(i) for i in range(PATIENTS))
    run_trial(PROTOCOL, folder / "states", folder / "run")
    patch.undo()
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def pseudonyms(run: Path) -> list[str]:
    return list(pq.read_table(run / "outcomes" / "baseline.parquet")["pseudonym"].to_pylist())


def everything(folder: Path) -> list[Path]:
    """All that the run left, without the store it was made from."""
    return [folder / name for name in ("run", "mlflow.db", "mlartifacts")]


def test_no_trace_of_the_patient_is_left_and_the_others_are_untouched(folder: Path) -> None:
    run = folder / "run"
    victim, *others = pseudonyms(run)
    before = {t: pq.read_table(run / "outcomes" / f"{t}.parquet").to_pandas() for t in TABLES}
    assert find_leaks(everything(folder), [victim])
    assert erase_from_run(run, victim) > 0
    assert find_leaks(everything(folder), [victim]) == []
    assert pseudonyms(run) == others
    for name, table in before.items():
        kept = table[table["pseudonym"] != victim].reset_index(drop=True)
        assert len(kept) < len(table)
        assert pq.read_table(run / "outcomes" / f"{name}.parquet").to_pandas().equals(kept)


def test_verification_says_what_was_erased_and_compares_the_others(folder: Path) -> None:
    run = folder / "run"
    for count, victim in enumerate(pseudonyms(run)[:2], 1):
        erase_from_run(run, victim)
        found = verify_run(run)
        assert found.verified, found.differences[:3]
        assert f"{count} erased, remaining rows identical, aggregates not re-executable" in found.notes
        assert found.numbers == found.identical > 500


def test_a_row_of_another_patient_that_changed_is_found_after_an_erasure(folder: Path) -> None:
    run = folder / "run"
    erase_from_run(run, pseudonyms(run)[0])
    path = run / "outcomes" / "peaks.parquet"
    table = pq.read_table(path).to_pandas()
    table.loc[0, "true_peak"] += 1e-9
    from trials.run import outcome_file, to_json

    path.write_bytes(outcome_file(table))
    manifest = json.loads((run / MANIFEST).read_bytes())
    manifest["files"]["outcomes/peaks.parquet"] = sha256_file(path)
    (run / MANIFEST).write_bytes(to_json({**manifest, "digest": own_digest(manifest)}))
    found = verify_run(run)
    assert "outcomes/peaks.parquet, column true_peak, row 0" in str(found.differences[0])
    assert found.identical == found.numbers - 1


def test_the_bars_of_the_patient_go_and_the_means_stay(folder: Path) -> None:
    run = folder / "run"
    before = json.loads((run / "results.json").read_bytes())
    erase_from_run(run, pseudonyms(run)[2])
    after = json.loads((run / "results.json").read_bytes())
    assert {k: v for k, v in after.items() if k != "waterfall"} == {
        k: v for k, v in before.items() if k != "waterfall"
    }
    gone = 0
    for quantity, arms in before["waterfall"].items():
        for arm, bars in arms.items():
            for value, heights in bars.items():
                left = after["waterfall"][quantity][arm][value]
                assert len(left) in (len(heights) - 1, len(heights))
                assert set(left) <= set(heights)
                assert left == sorted(left, reverse=True)
                gone += len(heights) - len(left)
    assert gone >= len(before["arms"])
    copies = list((folder / "mlartifacts").glob("*/*/artifacts"))
    assert len(copies) >= 1
    for name in ("results.json", "report.json", "report.html", "manifest.json"):
        assert any((copy / name).read_bytes() == (run / name).read_bytes() for copy in copies), name


def test_who_is_not_in_the_run_changes_nothing(folder: Path) -> None:
    run = folder / "run"
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert erase_from_run(run, "v1-" + "z" * 32) == 0
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_an_altered_run_is_not_erased_from(folder: Path) -> None:
    run = folder / "run"
    page = run / "report.html"
    page.write_text(page.read_text() + " ")
    with pytest.raises(RunError, match="was altered"):
        erase_from_run(run, pseudonyms(run)[0])


def test_a_record_elsewhere_is_listed_as_out_of_reach(folder: Path) -> None:
    assert copies_out_of_reach(folder / "run", None) == []
    shutil.rmtree(folder / "mlartifacts")
    assert "was moved" in copies_out_of_reach(folder / "run", None)[0]
    listed = copies_out_of_reach(folder / "run", "https://tracking.invalid")
    assert "MLFLOW_TRACKING_URI" in listed[0]
    assert "tracking.invalid" not in listed[0]
    assert np.all([name not in listed[0] for name in pseudonyms(folder / "run")])
