"""Running a trial into a folder that can be reviewed, and executed again, on its own.

A run folder holds ``inputs/`` (the protocol and the patient states), ``outcomes/`` (what happened to every
virtual patient), ``results.json`` (every number at full precision), ``report.json`` and ``report.html`` made
from it, and ``manifest.json`` with the digest of each. It appears whole or not at all.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trials import plots
from trials.compose import compose
from trials.conduct import CHUNK, Conduct, conduct
from trials.outcomes import FAILED, WITHDRAWN, Outcomes
from trials.protocol import Protocol, load_protocol
from trials.provenance import provenance
from trials.report import build_report, render_html
from trials.results import analyse
from trials.tracking import (
    ArmRecord,
    TrackingResult,
    TrackingUnavailable,
    TrialRecord,
    local_tracking_uri,
    track_trial,
)
from vht.files import sha256_bytes, sha256_file, sync_folder, write_whole
from vht.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANIFEST = "manifest.json"
RESULTS = "results.json"
REPORT = "report.json"
PAGE = "report.html"
PROTOCOL = "inputs/protocol.yaml"
STATES = "inputs/states"
TRACKING = "tracking.json"
SCHEMA = "vht-run/1"
TABLES = ("baseline", "disposition", "measurements", "peaks")
_REQUIRED = (PROTOCOL, RESULTS, REPORT, PAGE, *(f"outcomes/{name}.parquet" for name in TABLES))
_FACTS = ("software", "platform", "models", "couplings", "data", "seed", "numerics", "tolerance")


class RunError(Exception):
    """A run that cannot be started or read; the message says what to do."""


@dataclass(frozen=True)
class TrialRun:
    """A finished run.

    Attributes:
        folder: where it is.
        protocol: the declared trial.
        results: content of ``results.json``.
        outcomes: what happened to every virtual patient.
        tracking: the MLflow record, or None.
        tracking_problem: why there is none, in words.
    """

    folder: Path
    protocol: Protocol
    results: dict[str, Any]
    outcomes: Outcomes
    tracking: TrackingResult | None
    tracking_problem: str | None

    def plot_survival(self, endpoint: str | None = None, *, targets_alone: bool = False) -> Figure:
        """Kaplan-Meier curves with numbers at risk; see :func:`trials.plots.plot_survival`."""
        return plots.plot_survival(self.protocol, self.results, endpoint, targets_alone=targets_alone)

    def plot_waterfall(self, quantity: str | None = None) -> Figure:
        """Best change of every patient's tumour; see :func:`trials.plots.plot_waterfall`."""
        return plots.plot_waterfall(self.protocol, self.results, quantity)

    def plot_swimmer(self, quantity: str | None = None, *, value: str = "observed", most: int = 40) -> Figure:
        """Time on study of every patient with responses; see :func:`trials.plots.plot_swimmer`."""
        return plots.plot_swimmer(self.protocol, self.outcomes, quantity, value=value, most=most)

    def plot_spaghetti(self, quantity: str, *, percent: bool = False, most: int = 60) -> Figure:
        """Course of every patient with the population's band; see :func:`trials.plots.plot_spaghetti`."""
        return plots.plot_spaghetti(self.protocol, self.outcomes, quantity, percent=percent, most=most)

    def plot_nadir(self, quantity: str | None = None) -> Figure:
        """Courses and nadirs of a blood count by arm; see :func:`trials.plots.plot_nadir`."""
        return plots.plot_nadir(self.protocol, self.outcomes, quantity)

    def plot_exposure_response(
        self, exposure: str, response: str, *, day: float | None = None, change: bool = True
    ) -> Figure:
        """Response against exposure by arm; see :func:`trials.plots.plot_exposure_response`."""
        return plots.plot_exposure_response(
            self.protocol, self.outcomes, exposure, response, day=day, change=change
        )


def run_trial(
    protocol_file: Path,
    states: Path,
    out: Path,
    *,
    overwrite: bool = False,
    track: bool = True,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> TrialRun:
    """Run a trial and write its folder.

    Args:
        protocol_file: the protocol, YAML.
        states: a store of patient states.
        out: folder of the run; must not hold anything unless ``overwrite``.
        overwrite: replace a run that is there, whole.
        track: record the run in MLflow (``MLFLOW_TRACKING_URI``, or ``mlflow.db`` beside ``out``).
        chunk: patients worked on at once; changes no result.
        progress: called with (patients done, patients in all).

    Raises:
        ProtocolError, StoreError: the inputs cannot be used.
        RunError: ``out`` is taken.
    """
    out = out.resolve()
    _check_free(out, overwrite)
    protocol = load_protocol(protocol_file)
    declared = protocol_file.read_bytes()
    cohort = Store(states).cohort()
    done = conduct(protocol, cohort, chunk=chunk, progress=progress)
    results = analyse(protocol, done.outcomes)
    facts = provenance(protocol, cohort, compose(protocol), done.numerics)

    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".partial-run-", dir=out.parent))
    try:
        write_whole(work / PROTOCOL, declared)
        Store(work / STATES).append_cohort(cohort)
        _write_outcomes(work, done)
        write_whole(work / RESULTS, to_json(results))
        report = build_report(protocol, results, facts)
        write_whole(work / REPORT, to_json(report))
        write_whole(work / PAGE, render_html(report).encode())
        write_whole(work / MANIFEST, to_json(_manifest(work, protocol, facts)))
        os.chmod(work, 0o755)
        sync_folder(work)
        put_in_place(work, out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise

    tracking, problem = _track(protocol, results, facts, out) if track else (None, None)
    if tracking is not None:
        write_whole(out / TRACKING, to_json({"run_id": tracking.run_id, "experiment": protocol.name}))
    return TrialRun(out, protocol, results, done.outcomes, tracking, problem)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run, checked against its own digest.

    Raises:
        RunError: no run here, or the manifest was altered.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError(f"{folder} holds no run: {MANIFEST} is missing")
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError:
        raise RunError(f"{path} is not readable JSON; restore it from your copy of the run") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise RunError(f"{path} is not the manifest of a run that this version reads ({SCHEMA})")
    if manifest.get("digest") != own_digest(manifest):
        raise RunError(f"{path} was altered since the run: its content does not match its digest")
    parts = {part: manifest.get(part) for part in ("protocol", "provenance", "files")}
    missing = [part for part, content in parts.items() if not isinstance(content, dict)]
    if not missing:
        missing = [name for name in _REQUIRED if name not in manifest["files"]]
        missing += [f"provenance.{part}" for part in _FACTS if part not in manifest["provenance"]]
    if missing:
        raise RunError(f"{path} lacks {', '.join(missing)}; restore it from your copy of the run")
    return manifest


def unlisted(folder: Path, files: Collection[str]) -> list[Path]:
    """Files in a run's folder that are no part of the run."""
    known = {*files, MANIFEST, TRACKING}
    return [
        p for p in sorted(folder.rglob("*")) if p.is_file() and p.relative_to(folder).as_posix() not in known
    ]


def to_json(content: Any) -> bytes:
    """JSON at full precision, in a fixed form; numbers that are not finite are refused."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def outcome_file(table: pd.DataFrame) -> bytes:
    """A table of outcomes as the bytes of its Parquet file; the same rows give the same bytes."""
    content = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    pq.write_table(content, sink)
    return sink.getvalue()


# ---------------------------------------------------------------------------------------------------


def _check_free(out: Path, overwrite: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file; choose a folder")
    if not any(out.iterdir()):
        return
    try:
        files = set(read_manifest(out)["files"])
    except RunError:
        raise RunError(f"{out} holds other files and no intact run; choose an empty folder") from None
    if not overwrite:
        raise RunError(f"{out} holds a run already; choose another folder, or replace it with --overwrite")
    other = unlisted(out, files)
    if other:
        raise RunError(f"{out} holds {len(other)} files beside its run; move them before replacing the run")


def put_in_place(work: Path, out: Path) -> None:
    """Swap the finished folder in; a run that was there before is removed only afterwards."""
    old: Path | None = None
    try:
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=".replaced-run-", dir=out.parent))
            os.rename(out, old / "run")
        os.rename(work, out)
    except BaseException:
        if old is not None:
            if (old / "run").exists():
                os.rename(old / "run", out)
            old.rmdir()
        raise
    sync_folder(out.parent)
    if old is not None:
        shutil.rmtree(old)


def _write_outcomes(work: Path, done: Conduct) -> None:
    for name in TABLES:
        write_whole(work / "outcomes" / f"{name}.parquet", outcome_file(getattr(done.outcomes, name)))


def _manifest(work: Path, protocol: Protocol, facts: dict[str, Any]) -> dict[str, Any]:
    files = sorted(p for p in work.rglob("*") if p.is_file())
    manifest = {
        "schema": SCHEMA,
        "protocol": {"name": protocol.name, "digest": protocol.digest},
        "provenance": facts,
        "files": {p.relative_to(work).as_posix(): sha256_file(p) for p in files},
    }
    return {**manifest, "digest": own_digest(manifest)}


def own_digest(manifest: dict[str, Any]) -> str:
    """Digest of a manifest without its ``digest``."""
    content = {k: v for k, v in manifest.items() if k != "digest"}
    return sha256_bytes(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def _track(
    protocol: Protocol, results: dict[str, Any], facts: dict[str, Any], out: Path
) -> tuple[TrackingResult | None, str | None]:
    software, data = facts["software"], facts["data"]
    tags = {
        "code_version": software["version"],
        "git_commit": software["git_commit"] or "none",
        "lock_digest": software["lock_digest"],
        "protocol_digest": data["protocol_digest"],
        "states_digest": data["states_digest"],
    }
    models = {f"model_{m['name']}": m["version"] for m in facts["models"]}
    arms = {
        arm.name: ArmRecord(
            parameters={
                **{
                    f"{port}{'' if field == 'amount' else f'.{field}'}": str(value)
                    for port, dose in arm.doses.items()
                    for field in type(dose).model_fields
                    if field != "source" and (value := getattr(dose, field)) is not None
                },
                **{f"{model}.variant": name for model, name in (arm.variants or {}).items()},
            },
            metrics=_arm_metrics(results, arm.name),
        )
        for arm in protocol.arms
    }
    try:
        record = TrialRecord(
            study=protocol.name,
            title=" ".join(protocol.title.split())[:240],
            parameters={
                "seed": str(protocol.seed),
                "design": protocol.design,
                "duration": str(protocol.duration),
                "reference_arm": protocol.reference_arm,
                **models,
            },
            tags=tags,
            metrics={
                "patients_assessed": float(results["screening"]["assessed"]),
                "patients_enrolled": float(results["screening"]["enrolled"]),
                "largest_residual_of_a_cycle": facts["numerics"]["largest_residual_of_a_cycle"],
            },
            arms=arms,
            artifacts=[out / PROTOCOL, out / RESULTS, out / REPORT, out / PAGE, out / MANIFEST],
        )
        return track_trial(record, tracking_uri=local_tracking_uri(out.parent)), None
    except (TrackingUnavailable, ValueError) as error:
        return None, str(error)


def _arm_metrics(results: dict[str, Any], arm: str) -> dict[str, float]:
    """The headline number of every endpoint, noise-free and as observed, and the disposition."""
    metrics: dict[str, float] = {}
    for status, count in results["disposition"][arm].items():
        if isinstance(count, (int, float)):
            metrics[f"disposition.{status}"] = float(count)
    for status in (FAILED, WITHDRAWN):
        metrics.setdefault(f"disposition.{status}", 0.0)
    for name, endpoint in results["endpoints"].items():
        for view in ("true", "observed"):
            summary = endpoint["arms"][arm].get(view) or {}
            for key, value in _numbers(summary).items():
                metrics[f"{name}.{view}.{key}"] = value
    return metrics


def _numbers(summary: dict[str, Any], prefix: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in summary.items():
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, (int, float)):
            found[f"{prefix}{key}"] = float(value)
        elif isinstance(value, dict):
            found |= _numbers(value, f"{prefix}{key}.")
    return found
