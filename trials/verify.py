"""Verification: execute a run again from its own folder and compare number by number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trials.compose import compose
from trials.conduct import conduct
from trials.protocol import load_protocol
from trials.provenance import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    couplings,
    describe,
    software,
    this_platform,
)
from trials.report import build_report, render_html
from trials.results import analyse
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
    read_manifest,
    to_json,
)
from vht.files import sha256_bytes, sha256_file
from vht.store import Store, StoreError


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was: where, what it was and what it is now."""

    where: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.where}: was {self.was}, is {self.now}"


@dataclass
class Verification:
    """What verification found.

    Attributes:
        steps: what was checked, in words.
        differences: what is not as it was, in the order of checking; empty if the run is verified.
        numbers: numbers compared after re-execution.
        identical: of these, how many are equal bit for bit.
        same_platform: whether equality bit for bit was asked for.
        notes: what a reader should know although nothing is wrong.
    """

    steps: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    numbers: int = 0
    identical: int = 0
    same_platform: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def verify_run(folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Verification:
    """Execute a run again and compare.

    Checks, in order: the manifest against its own digest; every file against the manifest; protocol and
    states against the digests in the manifest; the models' parameters against those that the run used; then
    executes the trial again and compares every number of ``results.json`` and every outcome, and makes
    report and page again from them.

    Raises:
        RunError: the folder holds no readable run.
    """
    folder = Path(folder)
    found = Verification()
    manifest = read_manifest(folder)
    recorded = manifest["provenance"]

    found.differences += _files(folder, manifest["files"])
    found.steps.append(f"{len(manifest['files'])} files against their digests")
    if found.differences:
        return found

    protocol = load_protocol(folder / PROTOCOL)
    try:
        cohort = Store(folder / STATES).cohort()
    except StoreError as error:
        raise RunError(str(error)) from None
    for where, before, after in (
        ("protocol", manifest["protocol"]["digest"], protocol.digest),
        ("patient states", recorded["data"]["states_digest"], cohort.digest),
    ):
        if before != after:
            found.differences.append(Difference(f"digest of the {where}", before, after))
    found.steps.append("protocol and patient states against the manifest")

    if found.differences:
        return found

    patient = compose(protocol)
    models = [describe(m) for m in patient.models.values()]
    found.differences += list(compare(recorded["models"], models, "models"))
    found.differences += list(compare(recorded["couplings"], couplings(patient), "couplings"))
    found.steps.append("models, parameters and couplings against those the run used")
    now = software()
    if recorded["software"]["source_digest"] != now["source_digest"]:
        found.notes.append("the toolkit's source code is not the one that made the run")
    for part in ("lock_digest", "version"):
        if recorded["software"][part] != now[part]:
            found.notes.append(f"{part.replace('_', ' ')} differs from the one that made the run")
    if found.differences:
        return found

    done = conduct(protocol, cohort, progress=progress)
    here = this_platform()
    found.same_platform = recorded["platform"] == here
    engine = recorded["platform"].get("engine")
    if engine not in (None, here["engine"]):
        found.notes.append(
            f"the run was made with the {engine} engine and repeated with the {here['engine']} one; "
            f"VHT_ENGINE={engine} repeats it with its own"
        )
    results = json.loads(to_json(analyse(protocol, done.outcomes)))
    was = json.loads((folder / RESULTS).read_bytes())
    tolerance = (0.0, 0.0) if found.same_platform else (RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
    found.differences += list(compare(was, results, RESULTS, *tolerance))
    pairs = list(zip(_numbers(was), _numbers(results), strict=False))
    found.numbers, found.identical = len(pairs), sum(a == b for a, b in pairs)
    found.steps.append(f"{found.numbers} numbers of {RESULTS} after executing the trial again")
    if found.same_platform:
        for name in TABLES:
            file = f"outcomes/{name}.parquet"
            again = sha256_bytes(outcome_file(getattr(done.outcomes, name)))
            if again != manifest["files"][file]:
                found.differences.append(Difference(file, manifest["files"][file], again))
        found.steps.append("outcomes of every virtual patient, bit for bit")
    if found.differences:
        return found

    report = json.loads(to_json(build_report(protocol, was, recorded)))
    found.differences += list(compare(json.loads((folder / REPORT).read_bytes()), report, REPORT))
    page = render_html(report).encode()
    if not found.differences and page != (folder / PAGE).read_bytes():
        found.notes.append(
            f"{PAGE} is drawn differently (another version of the toolkit or of its plotting library); "
            "its numbers are the same"
        )
    found.steps.append(f"{REPORT} and {PAGE} made again from the results")
    return found


def compare(
    was: Any, now: Any, where: str, relative: float = 0.0, absolute: float = 0.0
) -> Iterator[Difference]:
    """Differences of two JSON documents, each with its path; integers and text must be equal."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in was.keys() | now.keys() if was.keys() != now.keys() else was:
            if key not in was or key not in now:
                state = ("absent", "present") if key not in was else ("present", "absent")
                yield Difference(f"{where}.{key}", *state)
            else:
                yield from compare(was[key], now[key], f"{where}.{key}", relative, absolute)
    elif isinstance(was, list) and isinstance(now, list):
        if len(was) != len(now):
            yield Difference(where, f"{len(was)} entries", f"{len(now)} entries")
            return
        for index, (a, b) in enumerate(zip(was, now, strict=True)):
            label = a.get("name", index) if isinstance(a, dict) else index
            yield from compare(a, b, f"{where}[{label}]", relative, absolute)
    elif isinstance(was, float) and isinstance(now, (int, float)) and not isinstance(now, bool):
        if was != now and not math.isclose(was, now, rel_tol=relative, abs_tol=absolute):
            yield Difference(where, repr(was), repr(now))
    elif was != now or type(was) is not type(now):
        yield Difference(where, str(was), str(now))


def _files(folder: Path, files: dict[str, str]) -> Iterator[Difference]:
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            yield Difference(name, "a file", "missing")
        elif sha256_file(path) != digest:
            yield Difference(name, f"SHA-256 {digest[:16]}…", f"{sha256_file(path)[:16]}… (altered)")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files and name not in (MANIFEST, TRACKING):
            yield Difference(name, "not part of the run", "present")


def _numbers(document: Any) -> Iterator[float]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _numbers(value)
    elif isinstance(document, list):
        for value in document:
            yield from _numbers(value)
    elif isinstance(document, (int, float)) and not isinstance(document, bool):
        yield document
