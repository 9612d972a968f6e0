"""A run's folder: whole or absent, tracked once, and executed again to the same numbers."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.vht.people import gist_patient
from trials import run as running
from trials.protocol import ProtocolError
from trials.run import RunError, run_trial
from trials.verify import Verification, compare, verify_run
from vht import Store, StoreError

PROTOCOL = Path(__file__).resolve().parents[2] / "trials" / "examples" / "sunitinib_gist.yaml"


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("states")
    Store(folder).append(gist_patient(i) for i in range(10))
    return folder


@pytest.fixture(scope="module")
def finished(states: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path_factory.mktemp("runs") / "run"
    run_trial(PROTOCOL, states, out)
    patch.undo()
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The run as a regulator gets it: a folder in another place."""
    return Path(shutil.copytree(finished, tmp_path / "received"))


def first(found: Verification) -> str:
    assert not found.verified
    return str(found.differences[0])


def reseal(folder: Path, *altered: str, **changes: Any) -> None:
    """Make manifest digests agree again, as someone who wants to hide an alteration would."""
    path = folder / running.MANIFEST
    manifest = json.loads(path.read_text())
    for name in altered:
        manifest["files"][name] = running.sha256_file(folder / name)
    manifest.update(changes)
    manifest["digest"] = running.own_digest(manifest)
    path.write_text(json.dumps(manifest))


def test_a_run_holds_everything_that_a_review_needs(finished: Path) -> None:
    names = {p.relative_to(finished).as_posix() for p in finished.rglob("*") if p.is_file()}
    assert {"report.html", "report.json", "results.json", "manifest.json", "inputs/protocol.yaml"} <= names
    assert {f"outcomes/{t}.parquet" for t in running.TABLES} <= names
    manifest = json.loads((finished / "manifest.json").read_text())
    facts = manifest["provenance"]
    assert facts["software"]["version"]
    assert len(facts["software"]["lock_digest"]) == 64
    assert facts["data"]["patients"] == 10
    assert facts["seed"] == 20261124
    growth = next(
        p
        for m in facts["models"]
        if m["name"] == "hansson_gist"
        for p in m["parameters"]
        if p["name"] == "growth_rate"
    )
    assert growth["value"] == 0.0118
    assert growth["unit"] == "/wk"
    assert growth["source"] == "hansson_2013"
    assert facts["platform"]["engine"] == "native"
    assert facts["platform"]["llvmlite"] == importlib.metadata.version("llvmlite")
    assert facts["numerics"]["engine"] == f"native, llvmlite {facts['platform']['llvmlite']}"


def test_nothing_temporary_is_left(finished: Path) -> None:
    assert {p.name for p in finished.parent.iterdir()} == {"run", "mlflow.db", "mlartifacts"}


def test_every_number_is_identical_after_executing_again_elsewhere(copy: Path) -> None:
    found = verify_run(copy)
    assert found.verified, found.differences[:3]
    assert found.same_platform
    assert found.numbers == found.identical > 1000
    assert found.notes == []


def test_on_another_platform_numbers_may_differ_within_the_tolerance(copy: Path) -> None:
    facts = elsewhere(copy)
    results = json.loads((copy / "results.json").read_text())
    mean = results["endpoints"]["peak_diastolic_rise"]["arms"]["continuous"]["true"]["mean"]
    mean["value"] *= 1 + 1e-5
    (copy / "results.json").write_bytes(running.to_json(results))
    reseal(copy, "results.json", provenance=facts)
    found = verify_run(copy)
    assert not found.same_platform
    assert found.identical < found.numbers
    assert [d for d in found.differences if d.where.startswith("results.json")] == []
    mean["value"] *= 1.01
    (copy / "results.json").write_bytes(running.to_json(results))
    reseal(copy, "results.json", provenance=facts)
    assert "peak_diastolic_rise.arms.continuous.true.mean.value" in first(verify_run(copy))


def test_a_run_of_the_native_engine_is_verified_with_the_portable_one(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VHT_ENGINE", "portable")
    found = verify_run(copy)
    assert found.verified, found.differences[:3]
    assert not found.same_platform
    assert found.identical < found.numbers
    assert found.notes == [
        "the run states that it was made on another platform: its tolerance applies",
        "the run was made with the native engine and repeated with the portable one; "
        "VHT_ENGINE=native repeats it with its own",
    ]


@pytest.mark.parametrize(
    "name", ["results.json", "report.html", "inputs/protocol.yaml", "outcomes/peaks.parquet"]
)
def test_an_altered_file_is_named(copy: Path, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes() + b" ")
    assert first(verify_run(copy)).startswith(name)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "report.json").unlink()
    assert first(verify_run(copy)) == "report.json: was a file, is missing"


def test_an_added_file_is_named(copy: Path) -> None:
    (copy / "outcomes" / "extra.parquet").write_bytes(b"x")
    assert first(verify_run(copy)) == "outcomes/extra.parquet: was not part of the run, is present"


def test_an_altered_manifest_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace("0.0118", "0.0119"))
    with pytest.raises(RunError, match="was altered since the run"):
        verify_run(copy)


def test_an_altered_number_is_found_by_executing_again(copy: Path) -> None:
    results = json.loads((copy / "results.json").read_text())
    results["disposition"]["continuous"]["completed"] += 1
    (copy / "results.json").write_bytes(running.to_json(results))
    reseal(copy, "results.json")
    assert first(verify_run(copy)).startswith("results.json.disposition.continuous.completed: was")


def test_an_altered_parameter_is_named(copy: Path) -> None:
    """A run made with another growth rate does not pass for one made with the published one."""
    manifest = json.loads((copy / "manifest.json").read_text())
    for m in manifest["provenance"]["models"]:
        for p in m["parameters"]:
            if (m["name"], p["name"]) == ("hansson_gist", "growth_rate"):
                p["value"] = 0.0120
    reseal(copy, provenance=manifest["provenance"])
    assert (
        first(verify_run(copy)) == "models[hansson_gist].parameters[growth_rate].value: was 0.012, is 0.0118"
    )


def test_an_altered_protocol_is_named(copy: Path) -> None:
    path = copy / "inputs/protocol.yaml"
    path.write_text(path.read_text().replace("seed: 20261124", "seed: 20261125"))
    reseal(copy, "inputs/protocol.yaml")
    assert first(verify_run(copy)).startswith("digest of the protocol")


def test_altered_states_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "inputs/states")
    Store(copy / "inputs/states").append(gist_patient(i) for i in range(1, 11))
    manifest = json.loads((copy / "manifest.json").read_text())
    files = {k: v for k, v in manifest["files"].items() if not k.startswith("inputs/states")}
    states = [p.relative_to(copy).as_posix() for p in (copy / "inputs/states").rglob("*") if p.is_file()]
    reseal(copy, files={**files, **{name: running.sha256_file(copy / name) for name in states}})
    assert first(verify_run(copy)).startswith("digest of the patient states")


def test_altered_outcomes_are_found_even_where_results_are_not(copy: Path) -> None:
    path = copy / "outcomes/peaks.parquet"
    table = pq.read_table(path).to_pandas()
    table.loc[0, "true_peak"] += 1e-9
    path.write_bytes(running.outcome_file(table))
    reseal(copy, "outcomes/peaks.parquet")
    assert first(verify_run(copy)).startswith("outcomes/peaks.parquet")


def test_an_altered_report_is_found_even_with_its_digest(copy: Path) -> None:
    report = json.loads((copy / "report.json").read_text())
    report["title"] = "Another title"
    (copy / "report.json").write_bytes(running.to_json(report))
    reseal(copy, "report.json")
    assert first(verify_run(copy)).startswith("report.json.title")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run: manifest\.json is missing"):
        verify_run(tmp_path)


def test_a_run_is_never_replaced_unasked(finished: Path, states: Path) -> None:
    before = (finished / "manifest.json").read_bytes()
    with pytest.raises(RunError, match=r"holds a run already.*--overwrite"):
        run_trial(PROTOCOL, states, finished, track=False)
    assert (finished / "manifest.json").read_bytes() == before


def test_a_run_is_replaced_whole_when_asked(copy: Path, states: Path) -> None:
    before = (copy / "manifest.json").stat().st_ino
    run_trial(PROTOCOL, states, copy, overwrite=True, track=False)
    assert (copy / "manifest.json").stat().st_ino != before
    assert not (copy / "tracking.json").exists()
    assert verify_run(copy).verified
    assert {p.name for p in copy.parent.iterdir()} == {"received"}


@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json"])
def test_other_peoples_folders_are_never_replaced(tmp_path: Path, states: Path, name: str) -> None:
    """A bulk export and a sample have a manifest.json too."""
    (tmp_path / name).write_text('{"transactionTime": "2024-01-01T00:00:00Z", "output": []}')
    with pytest.raises(RunError, match="holds other files and no intact run"):
        run_trial(PROTOCOL, states, tmp_path, overwrite=True, track=False)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_was_put_beside_a_run_is_never_deleted(copy: Path, states: Path) -> None:
    (copy / "my notes.txt").write_text("x")
    with pytest.raises(RunError, match="holds 1 files beside its run"):
        run_trial(PROTOCOL, states, copy, overwrite=True, track=False)
    assert (copy / "my notes.txt").read_text() == "x"


def elsewhere(folder: Path) -> dict[str, Any]:
    """The run's statement about itself, as if it had been made on another platform."""
    facts = json.loads((folder / "manifest.json").read_text())["provenance"]
    return {**facts, "platform": {**facts["platform"], "machine": "elsewhere"}}


def test_a_forged_page_is_found(copy: Path) -> None:
    page = copy / "report.html"
    page.write_text(page.read_text().replace("mmHg", "kPa"))
    reseal(copy, "report.html")
    assert first(verify_run(copy)) == "report.html: was drawn from the report, is something else"


def test_outcomes_are_compared_on_another_platform_too(copy: Path) -> None:
    path = copy / "outcomes/measurements.parquet"
    table = pq.read_table(path).to_pandas()
    path.write_bytes(running.outcome_file(table.assign(true=table["true"] * 2)))
    reseal(copy, "outcomes/measurements.parquet", provenance=elsewhere(copy))
    shown = first(verify_run(copy))
    assert shown.startswith("outcomes/measurements.parquet, column true, row 0")
    assert str(table["true"][0]) not in shown  # a patient's value is not printed


@pytest.mark.parametrize(
    ("part", "forged"),
    [
        ("data", {"patients": 5000}),
        ("seed", 7),
        ("numerics", {"largest_residual_of_a_cycle": 1e-15}),
        ("tolerance", "any"),
        ("command", "vht trial run other.yaml"),
    ],
)
def test_what_a_run_states_about_itself_is_compared(copy: Path, part: str, forged: Any) -> None:
    facts = json.loads((copy / "manifest.json").read_text())["provenance"]
    facts[part] = {**facts[part], **forged} if isinstance(forged, dict) else forged
    reseal(copy, provenance=facts)
    assert first(verify_run(copy)).startswith(f"provenance.{part}")


def test_another_commit_is_noted(copy: Path) -> None:
    facts = json.loads((copy / "manifest.json").read_text())["provenance"]
    facts["software"]["git_commit"] = "0" * 40
    reseal(copy, provenance=facts)
    assert "the commit is not the one that the run states" in verify_run(copy).notes


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"schema": "vht-run/1"}'])
def test_a_malformed_manifest_is_refused_with_words(copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content)
    with pytest.raises(RunError, match=r"manifest\.json"):
        verify_run(copy)


@pytest.mark.parametrize("missing", ["report.html", "outcomes/peaks.parquet", "provenance"])
def test_a_manifest_must_list_what_a_run_is(copy: Path, missing: str) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    if missing == "provenance":
        reseal(copy, provenance={})
    else:
        reseal(copy, files={k: v for k, v in manifest["files"].items() if k != missing})
    with pytest.raises(RunError, match="lacks"):
        verify_run(copy)


def test_a_title_that_cannot_be_tracked_does_not_lose_the_run(states: Path, tmp_path: Path) -> None:
    text = PROTOCOL.read_text()
    line = next(row for row in text.splitlines() if row.startswith("title:"))
    (tmp_path / "p.yaml").write_text(text.replace(line, "title: See /home/user/notes for details"))
    done = run_trial(tmp_path / "p.yaml", states, tmp_path / "run")
    assert "cannot be recorded" in (done.tracking_problem or "")
    assert verify_run(tmp_path / "run").verified


@pytest.mark.parametrize("replace", [False, True])
def test_a_failure_leaves_nothing_half_written(
    replace: bool, copy: Path, states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Any) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(running, "render_html", broken)
    out = copy if replace else copy.parent / "new"
    before = {p.name: p.read_bytes() for p in copy.iterdir() if p.is_file()}
    with pytest.raises(OSError, match="disk full"):
        run_trial(PROTOCOL, states, out, overwrite=replace, track=False)
    assert {p.name for p in copy.parent.iterdir()} == {"received"}
    assert {p.name: p.read_bytes() for p in copy.iterdir() if p.is_file()} == before


def test_unusable_inputs_leave_no_folder(tmp_path: Path, states: Path) -> None:
    with pytest.raises(StoreError, match="holds no patient states"):
        run_trial(PROTOCOL, tmp_path / "nothing", tmp_path / "out", track=False)
    with pytest.raises(ProtocolError):
        run_trial(tmp_path / "none.yaml", states, tmp_path / "out", track=False)
    assert list(tmp_path.iterdir()) == []


def test_tracking_holds_one_parent_and_one_child_an_arm(finished: Path) -> None:
    with sqlite3.connect(finished.parent / "mlflow.db") as db:
        runs = dict(db.execute("SELECT run_uuid, name FROM runs"))
        parents = dict(db.execute("SELECT run_uuid, value FROM tags WHERE key = 'mlflow.parentRunId'"))
        metrics = {k for (k,) in db.execute("SELECT key FROM metrics")}
        tags = dict(db.execute("SELECT key, value FROM tags"))
    assert sorted(runs.values()) == ["continuous", "intermittent", "sunitinib_gist"]
    root = next(i for i, name in runs.items() if name == "sunitinib_gist")
    assert set(parents.values()) == {root}
    assert set(parents) == set(runs) - {root}
    assert any(m.startswith("peak_diastolic_rise.true") for m in metrics)
    assert len(tags["states_digest"]) == 64
    kept = {p.name for p in (finished.parent / "mlartifacts").rglob("*") if p.is_file()}
    assert {"results.json", "report.json", "report.html", "protocol.yaml", "manifest.json"} <= kept
    recorded = json.loads((finished / "tracking.json").read_text())
    assert recorded["run_id"] == root


def test_a_tracking_server_that_is_down_does_not_lose_the_run(
    states: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = run_trial(PROTOCOL, states, tmp_path / "run")
    assert done.tracking is None
    assert "did not take the record" in (done.tracking_problem or "")
    assert (tmp_path / "run" / "report.html").is_file()


def test_differences_of_documents_carry_their_path() -> None:
    was = {"a": [{"name": "x", "v": 1.0}], "n": 3, "t": "text"}
    assert list(compare(was, json.loads(json.dumps(was)), "doc")) == []
    changed = {"a": [{"name": "x", "v": 1.5}], "n": 4, "t": "other", "new": 1}
    assert [d.where for d in compare(was, changed, "doc")] != []
    assert {d.where for d in compare(was, changed, "doc")} == {"doc.a[x].v", "doc.n", "doc.t", "doc.new"}
    assert list(compare({"v": 1.0}, {"v": 1.0 + 1e-9}, "doc", relative=1e-6)) == []
    assert len(list(compare({"v": 1}, {"v": 2}, "doc", relative=10.0))) == 1
