"""What MLflow is told about a trial, and what it is never told."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trials.tracking import (
    ArmRecord,
    TrackingUnavailable,
    TrialRecord,
    local_tracking_uri,
    track_trial,
)

ROOT = Path(__file__).resolve().parents[2]
REPORT = "<html>report</html>"


def make_record(folder: Path, **changes: Any) -> TrialRecord:
    folder.mkdir(parents=True, exist_ok=True)
    report, results = folder / "report.html", folder / "results.json"
    report.write_text(REPORT)
    results.write_text("{}")
    content: dict[str, Any] = {
        "study": "sunitinib_gist",
        "title": "Two schedules of sunitinib",
        "parameters": {"seed": 20261124, "duration": "24 wk"},
        "tags": {"git_commit": "0123abc", "protocol_digest": "f" * 64},
        "metrics": {"enrolled": 200.0, "undefined": float("nan")},
        "arms": {
            "intermittent": ArmRecord({"daily_dose": "50 mg/d"}, {"change_in_tumour_size": -12.5}),
            "continuous": ArmRecord({"daily_dose": "37.5 mg/d"}, {"change_in_tumour_size": -14.25}),
        },
        "artifacts": [report, results],
    }
    return TrialRecord(**{**content, **changes})


class Tracked:
    """A trial that was recorded into a new database, and the database read with plain SQL."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.database = folder / "store" / "mlflow.db"
        self.record = make_record(folder / "run")
        self.result = track_trial(self.record, tracking_uri=f"sqlite:///{self.database}")

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.database) as connection:
            return connection.execute(query, values).fetchall()

    def run_id(self, name: str) -> str:
        return str(self.rows("SELECT run_uuid FROM runs WHERE name = ?", name)[0][0])

    def tags(self, run: str) -> dict[str, str]:
        return dict(self.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    return Tracked(tmp_path_factory.mktemp("tracking"))


def test_a_trial_is_one_parent_run_and_one_child_per_arm(tracked: Tracked) -> None:
    runs = dict(tracked.rows("SELECT name, run_uuid FROM runs"))
    assert set(runs) == {"sunitinib_gist", "intermittent", "continuous"}
    assert runs["sunitinib_gist"] == tracked.result.run_id
    for arm in ("intermittent", "continuous"):
        assert tracked.tags(runs[arm])["mlflow.parentRunId"] == tracked.result.run_id
    assert "mlflow.parentRunId" not in tracked.tags(tracked.result.run_id)


def test_the_experiment_is_the_study_and_all_runs_are_finished(tracked: Tracked) -> None:
    assert ("sunitinib_gist",) in tracked.rows("SELECT name FROM experiments")
    assert {status for (status,) in tracked.rows("SELECT status FROM runs")} == {"FINISHED"}


def test_parameters_and_metrics_are_kept_where_they_belong(tracked: Tracked) -> None:
    query = "SELECT key, value FROM params WHERE run_uuid = ?"
    assert dict(tracked.rows(query, tracked.result.run_id)) == {"seed": "20261124", "duration": "24 wk"}
    arm = tracked.run_id("continuous")
    assert dict(tracked.rows(query, arm)) == {"daily_dose": "37.5 mg/d"}
    query = "SELECT key, value FROM metrics WHERE run_uuid = ?"
    assert dict(tracked.rows(query, arm)) == {"change_in_tumour_size": -14.25}


def test_metrics_that_are_not_finite_are_left_out(tracked: Tracked) -> None:
    query = "SELECT key, value FROM metrics WHERE run_uuid = ?"
    assert dict(tracked.rows(query, tracked.result.run_id)) == {"enrolled": 200.0}


def test_tags_are_kept_and_user_and_source_are_neutral(tracked: Tracked) -> None:
    tags = tracked.tags(tracked.result.run_id)
    assert tags["git_commit"] == "0123abc"
    assert tags["mlflow.user"] == "vht"
    assert tags["mlflow.source.name"] == "vht"
    assert {user for (user,) in tracked.rows("SELECT user_id FROM runs")} == {"vht"}


def test_artifacts_lie_beside_the_database_with_their_digests(tracked: Tracked) -> None:
    (location,) = tracked.rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", tracked.result.run_id)[0]
    folder = tracked.database.parent / location
    assert (folder / "report.html").read_text() == REPORT
    digests = json.loads((folder / "sha256.json").read_text())
    assert digests["report.html"] == hashlib.sha256(REPORT.encode()).hexdigest()
    assert set(digests) == {"report.html", "results.json"}
    listed = hashlib.sha256((folder / "sha256.json").read_bytes()).hexdigest()
    assert tracked.tags(tracked.result.run_id)["artifacts_digest"] == listed


def test_mlflow_itself_lists_and_reads_the_artifacts_from_the_database_folder(
    tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tracked.database.parent)
    client = MlflowClient(f"sqlite:///{tracked.database.name}")
    listed = {artifact.path for artifact in client.list_artifacts(tracked.result.run_id)}
    assert listed == {"report.html", "results.json", "sha256.json"}
    assert Path(client.download_artifacts(tracked.result.run_id, "report.html")).read_text() == REPORT


def test_the_database_holds_no_folder_of_this_machine_and_no_user(tracked: Tracked) -> None:
    content = tracked.database.read_bytes()
    for path in (tracked.folder, ROOT, Path.home(), Path(sys.prefix)):
        assert str(path).encode() not in content
    # a user called 'root' is also a part of words of MLflow's own schema
    user = getpass.getuser()
    assert not re.search(rf"(?<![A-Za-z_]){re.escape(user)}(?![A-Za-z_])".encode(), content)
    for (value,) in tracked.rows("SELECT value FROM tags UNION SELECT value FROM params"):
        assert user != value


def test_a_second_trial_joins_the_first_and_is_quick(tracked: Tracked) -> None:
    again = track_trial(tracked.record, tracking_uri=f"sqlite:///{tracked.database}")
    assert again.run_id != tracked.result.run_id
    assert tracked.result.new_database
    assert not again.new_database
    parents = tracked.rows("SELECT COUNT(*) FROM runs WHERE name = 'sunitinib_gist'")
    assert parents == [(2,)]
    track_trial(make_record(tracked.folder / "other", study="other_study"), tracking_uri=again.uri)
    locations = {where for (where,) in tracked.rows("SELECT artifact_location FROM experiments")}
    assert all(not where.startswith(("/", "file:")) for where in locations)


def test_many_metrics_are_written_in_batches(tracked: Tracked) -> None:
    metrics = {f"metric_{i}": float(i) for i in range(1101)}
    parameters = {f"parameter_{i}": i for i in range(150)}
    record = make_record(
        tracked.folder / "many", study="many", metrics=metrics, parameters=parameters, arms={}
    )
    result = track_trial(record, tracking_uri=f"sqlite:///{tracked.database}")
    counted = tracked.rows("SELECT COUNT(*) FROM metrics WHERE run_uuid = ?", result.run_id)
    assert counted == [(1101,)]
    assert tracked.rows("SELECT COUNT(*) FROM params WHERE run_uuid = ?", result.run_id) == [(150,)]


_SCRIPT = """
import builtins, os, sys
from pathlib import Path
real = builtins.__import__
seen = {}
def watch(name, *rest, **more):
    if name.split(".")[0] == "mlflow" and not seen:
        seen.update(os.environ)
    return real(name, *rest, **more)
builtins.__import__ = watch
import trials.tracking as tracking
assert "mlflow" not in sys.modules, "imported with the module"
record = tracking.TrialRecord(study="s", title="t", arms={"a": tracking.ArmRecord({}, {"m": 1.0})})
tracking.track_trial(record)
for name, value in [("MLFLOW_DISABLE_TELEMETRY", "true"), ("DO_NOT_TRACK", "true"),
                    ("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false"),
                    ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")]:
    assert seen.get(name) == value, name
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None, "telemetry client exists"
"""


def _fresh_python(folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    # without the variables by which MLflow recognises a test run, where it is silent anyway
    hidden = ("PYTEST", "MLFLOW", "CI", "DO_NOT_TRACK", "GITHUB", "BUILD")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    environment.update(HOME=str(folder), PYTHONPATH=str(ROOT), **extra)
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_telemetry_is_off_before_mlflow_is_imported_and_nothing_is_printed(tmp_path: Path) -> None:
    done = _fresh_python(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
    assert not (tmp_path / ".config" / "mlflow").exists()  # MLflow's installation identifier
    assert (tmp_path / "mlflow.db").is_file()  # the default: beside where the user stands
    assert not (tmp_path / "mlruns").exists()


def test_the_users_tracking_uri_is_respected(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "own.db"
    done = _fresh_python(tmp_path, MLFLOW_TRACKING_URI=f"sqlite:///{elsewhere}")
    assert done.returncode == 0, done.stderr
    assert elsewhere.is_file()
    assert not (tmp_path / "mlflow.db").exists()


def test_a_run_folder_gets_its_database_unless_the_user_has_chosen_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert local_tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert local_tracking_uri(tmp_path) == "http://127.0.0.1:5000"


def test_a_server_that_is_down_is_reported_soon_and_without_credentials(tmp_path: Path) -> None:
    import socket

    with socket.socket() as probe:  # a port that nobody listens on
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = dict(os.environ)
    started = time.monotonic()
    with pytest.raises(TrackingUnavailable) as caught:
        track_trial(make_record(tmp_path), tracking_uri=f"http://someone:secret@127.0.0.1:{port}")
    assert time.monotonic() - started < 15
    assert "secret" not in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)
    left = {k for k in os.environ if os.environ[k] != before.get(k)}
    assert not [k for k in left if k.startswith("MLFLOW_HTTP")]


def test_a_database_that_cannot_be_opened_does_not_raise_anything_else(tmp_path: Path) -> None:
    broken = tmp_path / "mlflow.db"
    broken.write_bytes(b"this is not a database" * 100)
    with pytest.raises(TrackingUnavailable, match="local MLflow database"):
        track_trial(make_record(tmp_path / "run"), tracking_uri=f"sqlite:///{broken}")


def test_a_plain_folder_as_store_says_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(TrackingUnavailable, match=re.escape("sqlite:///mlflow.db")):
        track_trial(make_record(tmp_path / "run"), tracking_uri=str(tmp_path / "folder"))


def test_a_run_that_breaks_half_way_is_marked_failed(
    tracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record(tmp_path / "run", study="broken_half_way")

    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("trials.tracking._keep", full)
    with pytest.raises(TrackingUnavailable):
        track_trial(record, tracking_uri=f"sqlite:///{tracked.database}")
    assert tracked.rows("SELECT status FROM runs WHERE name = 'broken_half_way'") == [("FAILED",)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tags": {"hostname": "x"}}, "tag 'hostname' is not one of"),
        ({"parameters": {"states": "/home/someone/states"}}, "a path of this machine"),
        ({"parameters": {"states": "kept in ~/states"}}, "a path of this machine"),
        ({"parameters": {"note": "x" * 251}}, "longer than"),
        ({"title": "/data/patients"}, "a path of this machine"),
        ({"study": "Sunitinib GIST"}, "lower case"),
        ({"metrics": {"a/b;c": 1.0}}, "cannot be the name"),
    ],
)
def test_what_may_not_be_recorded_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make_record(tmp_path, **changes)


def test_units_are_not_taken_for_paths(tmp_path: Path) -> None:
    values = {"rate": "0.0039 /wk", "dose": "50 mg/d", "gfr": "60 mL/min/{1.73_m2}", "pair": "140/90"}
    assert make_record(tmp_path, parameters=values).parameters == values


@pytest.mark.parametrize("name", ["model.pkl", "states.csv", "notes.txt"])
def test_only_json_html_parquet_and_yaml_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match="is not recorded; allowed are"):
        make_record(tmp_path / "run", artifacts=[tmp_path / name])
