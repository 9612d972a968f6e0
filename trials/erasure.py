"""Taking a patient out of a finished run.

The rows of the patient go from the states and the outcomes, and the patient's bars from the waterfalls.
Means, curves and counts stay as they were published; they can no longer be executed again, because whom they
count is not there any more. The manifest says so, and verification executes the remaining patients again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from trials.endpoints import best_percent_change
from trials.outcomes import Outcomes
from trials.protocol import Protocol, load_protocol
from trials.report import build_report, render_html
from trials.run import (
    MANIFEST,
    PAGE,
    PROTOCOL,
    REPORT,
    RESULTS,
    STATES,
    TABLES,
    TRACKING,
    RunError,
    outcome_file,
    own_digest,
    put_in_place,
    read_manifest,
    to_json,
)
from trials.tracking import ARTIFACT_FOLDER, DIGESTS
from vht.files import sha256_file, write_whole
from vht.store import Store


def erase_from_run(folder: Path, pseudonym: str) -> int:
    """Remove one patient from a run's folder, and from its local MLflow artifacts.

    Args:
        folder: of a finished run.
        pseudonym: of the patient.

    Returns:
        Rows that went, over states and outcomes; 0 if the patient is not in the run, which then stays as it
        is.

    Raises:
        RunError: no intact run is there.
    """
    folder = Path(folder).resolve()
    manifest = read_manifest(folder)
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            raise RunError(f"{folder / name} was altered since the run; restore it before anything is erased")
    protocol = load_protocol(folder / PROTOCOL)
    work = Path(tempfile.mkdtemp(prefix=".partial-run-", dir=folder.parent))
    try:
        shutil.copytree(folder, work, dirs_exist_ok=True)
        before = _outcomes(work)
        results = json.loads((work / RESULTS).read_bytes())
        _take_bars_away(results, protocol, before, pseudonym)
        removed = Store(work / STATES).erase([pseudonym]) + _take_rows_away(work, before, pseudonym)
        if not removed:
            return 0
        write_whole(work / RESULTS, to_json(results))
        report = json.loads(to_json(build_report(protocol, results, manifest["provenance"])))
        write_whole(work / REPORT, to_json(report))
        write_whole(work / PAGE, render_html(report).encode())
        write_whole(work / MANIFEST, to_json(_marked(manifest, work)))
        work.chmod(0o755)
        put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for artifacts in _tracked(folder):
        _renew(folder, artifacts)
    return removed


def copies_out_of_reach(folder: Path, tracking_uri: str | None) -> list[str]:
    """Copies of a run's files that :func:`erase_from_run` does not reach, in words.

    Args:
        folder: of a finished run.
        tracking_uri: MLflow's, where it is set.
    """
    if not (folder / TRACKING).is_file() or any(_tracked(folder.resolve())):
        return []
    where = (
        "the tracking server of MLFLOW_TRACKING_URI" if tracking_uri else "an MLflow record that was moved"
    )
    run = json.loads((folder / TRACKING).read_bytes()).get("run_id", "unknown")
    return [f"{where}: results and report of run {run}; no pseudonym, but bars of single patients"]


def _outcomes(folder: Path) -> Outcomes:
    tables = {name: pq.read_table(folder / "outcomes" / f"{name}.parquet").to_pandas() for name in TABLES}
    return Outcomes(**tables)


def _take_rows_away(folder: Path, outcomes: Outcomes, pseudonym: str) -> int:
    removed = 0
    for name in TABLES:
        table = getattr(outcomes, name)
        kept = table[table["pseudonym"] != pseudonym].reset_index(drop=True)
        if len(kept) < len(table):
            removed += len(table) - len(kept)
            write_whole(folder / "outcomes" / f"{name}.parquet", outcome_file(kept))
    return removed


def _take_bars_away(results: dict[str, Any], protocol: Protocol, outcomes: Outcomes, pseudonym: str) -> None:
    """The only values of single patients that results hold."""
    for quantity, arms in results["waterfall"].items():
        for arm, bars in arms.items():
            best = best_percent_change(protocol, outcomes, arm, quantity)
            if pseudonym not in best.index:
                continue
            for value, heights in bars.items():
                mine = best[value].loc[pseudonym]
                if heights and not np.isnan(mine):
                    heights.pop(int(np.argmin(np.abs(np.asarray(heights, float) - mine))))


def _marked(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    earlier = manifest.get("erased", {})
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    hidden = (MANIFEST, TRACKING)
    marked = {
        **manifest,
        "erased": {
            "patients": earlier.get("patients", 0) + 1,
            "first_digest": earlier.get("first_digest", manifest["digest"]),
            "states_digest": Store(folder / STATES).cohort().digest,
        },
        "files": {name: sha256_file(folder / name) for name in names if name not in hidden},
    }
    return {**marked, "digest": own_digest(marked)}


def _tracked(folder: Path) -> Iterator[Path]:
    """Folders of artifacts that a local MLflow record of the run has."""
    if (folder / TRACKING).is_file():
        run = json.loads((folder / TRACKING).read_bytes()).get("run_id")
        if isinstance(run, str) and run.isalnum():
            yield from (folder.parent / ARTIFACT_FOLDER).glob(f"*/{run}/artifacts")


def _renew(folder: Path, artifacts: Path) -> None:
    for name in (RESULTS, REPORT, PAGE, MANIFEST):
        if (artifacts / name).is_file():
            write_whole(artifacts / name, (folder / name).read_bytes())
    digests = {p.name: sha256_file(p) for p in sorted(artifacts.iterdir()) if p.name != DIGESTS}
    write_whole(artifacts / DIGESTS, json.dumps(digests, indent=2).encode())
