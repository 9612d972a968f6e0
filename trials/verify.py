"""Verification: execute a run again from its own folder and compare number by number."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from trials.compose import compose
from trials.conduct import conduct
from trials.protocol import load_protocol
from trials.provenance import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    described,
    provenance,
)
from trials.report import build_report, render_html
from trials.results import analyse
from trials.run import (
    PAGE,
    PROTOCOL,
    REPORT,
    RESULTS,
    STATES,
    TABLES,
    RunError,
    outcome_file,
    read_manifest,
    to_json,
    unlisted,
)
from vht.files import sha256_file
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
    executes the trial again and compares what the run states about itself, every number of ``results.json``
    and every outcome, and makes report and page again from them. Digests show accidents and clumsy edits;
    what a forger could recompute is caught by executing again.

    Where patients were erased since, the others are executed again and their outcomes compared; what the run
    states about all of them together cannot be (``trials.erasure``).

    Raises:
        RunError: the folder holds no readable run.
    """
    folder = Path(folder)
    found = Verification()
    manifest = read_manifest(folder)
    recorded = manifest["provenance"]
    erased = manifest.get("erased")

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
        ("patient states", (erased or recorded["data"])["states_digest"], cohort.digest),
    ):
        if before != after:
            found.differences.append(Difference(f"digest of the {where}", before, after))
    found.steps.append("protocol and patient states against the manifest")

    if found.differences:
        return found

    found.differences += list(compare(recorded["models"], described(protocol), "models"))
    found.steps.append("models and parameters against those the run used")
    if found.differences:
        return found

    done = conduct(protocol, cohort, progress=progress)
    now = json.loads(to_json(provenance(protocol, cohort, compose(protocol), done.numerics)))
    found.same_platform = recorded["platform"] == now["platform"]
    _compare_facts(found, recorded, now, _OF_ALL_PATIENTS if erased else frozenset())
    was = json.loads((folder / RESULTS).read_bytes())
    tolerance = (0.0, 0.0) if found.same_platform else (RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
    if not erased:
        results = json.loads(to_json(analyse(protocol, done.outcomes)))
        found.differences += list(compare(was, results, RESULTS, *tolerance))
        pairs = list(zip(_numbers(was), _numbers(results), strict=False))
        found.numbers, found.identical = len(pairs), sum(a == b for a, b in pairs)
        found.steps.append(f"{found.numbers} numbers of {RESULTS} after executing the trial again")
    for name in TABLES:
        file = f"outcomes/{name}.parquet"
        again = getattr(done.outcomes, name)
        found.differences += list(_tables(folder / file, again, file, *tolerance))
        if erased:
            numbers, identical = _equal_numbers(folder / file, again)
            found.numbers, found.identical = found.numbers + numbers, found.identical + identical
    how = "bit for bit" if found.same_platform else "within the tolerance"
    found.steps.append(f"outcomes of every {'remaining ' if erased else ''}virtual patient, {how}")
    if erased:
        same = "identical" if found.same_platform else "equal within the tolerance"
        found.notes.append(
            f"{erased['patients']} erased, remaining rows {same if found.verified else 'not identical'}, "
            "aggregates not re-executable"
        )
    if found.differences:
        return found

    report = json.loads(to_json(build_report(protocol, was, recorded)))
    found.differences += list(compare(json.loads((folder / REPORT).read_bytes()), report, REPORT))
    _compare_page(found, folder, report, recorded, now)
    return found


_EXACT_FACTS = ("couplings", "data", "seed", "command", "verify_command", "tolerance", "mlflow")
_TOLD_SOFTWARE = {
    "source_digest": "the toolkit's source code",
    "lock_digest": "the lock of dependencies",
    "version": "the toolkit's version",
    "git_commit": "the commit",
    "python": "the version of Python",
    "jax": "the version of JAX",
}


_OF_ALL_PATIENTS = frozenset({"data", "numerics"})
"""Facts that are of all patients together, also of those who were erased."""


def _compare_facts(
    found: Verification, recorded: dict[str, Any], now: dict[str, Any], without: frozenset[str]
) -> None:
    """What the report states about the run, against this execution."""
    for part in _EXACT_FACTS:
        if part in without:
            continue
        found.differences += list(compare(recorded.get(part), now.get(part), f"provenance.{part}"))
    if found.same_platform and "numerics" not in without:
        found.differences += list(compare(recorded["numerics"], now["numerics"], "provenance.numerics"))
    elif not found.same_platform:
        found.notes.append("the run states that it was made on another platform: its tolerance applies")
        was, here = (facts["platform"].get("engine") for facts in (recorded, now))
        if was != here:
            found.notes.append(
                f"the run was made with the {was} engine and repeated with the {here} one; "
                f"VHT_ENGINE={was} repeats it with its own"
            )
    for part, words in _TOLD_SOFTWARE.items():
        if recorded["software"].get(part) != now["software"][part]:
            found.notes.append(f"{words} is not the one that the run states")
    found.steps.append("what the run states about its data, seed, couplings and numerics")


def _compare_page(
    found: Verification, folder: Path, report: Any, recorded: dict[str, Any], now: dict[str, Any]
) -> None:
    """The page must be what this toolkit draws of the report, where it is the one that drew it."""
    same = render_html(report).encode() == (folder / PAGE).read_bytes()
    drawn_here = recorded["software"]["source_digest"] == now["software"]["source_digest"]
    if same:
        found.steps.append(f"{REPORT} and {PAGE} made again from the results")
    elif drawn_here and found.same_platform:
        found.differences.append(Difference(PAGE, "drawn from the report", "something else"))
    else:
        found.steps.append(f"{REPORT} made again from the results")
        found.notes.append(
            f"{PAGE} could not be compared: other code or another platform drew it; "
            f"{REPORT} holds every number"
        )


def _tables(
    path: Path, now: pd.DataFrame, where: str, relative: float, absolute: float
) -> Iterator[Difference]:
    """The first difference of each column of a table of outcomes."""
    was = pq.read_table(path).to_pandas()
    again = pq.read_table(io.BytesIO(outcome_file(now))).to_pandas()
    if list(was.columns) != list(again.columns) or len(was) != len(again):
        yield Difference(where, f"{len(was)} rows", f"{len(again)} rows, or other columns")
        return
    for name in was.columns:
        if name == "true_peak_day" and relative > 0:
            continue  # on a plateau, rounding decides which day is highest; how high it is, is compared
        a, b = was[name], again[name]
        both = a.dtype.kind == b.dtype.kind == "f"
        close = (
            np.isclose(a, b, rtol=relative, atol=absolute, equal_nan=True)
            if both
            else (a == b) | (a.isna() & b.isna())
        )
        if not np.all(close):
            row = int(np.flatnonzero(~np.asarray(close))[0])
            # the values themselves are a patient's: they are not repeated here
            yield Difference(f"{where}, column {name}, row {row}", "as the run recorded", "another value")


def _equal_numbers(path: Path, now: pd.DataFrame) -> tuple[int, int]:
    """How many numbers a table of outcomes holds, and how many of them are the same again."""
    was = pq.read_table(path).to_pandas()
    again = pq.read_table(io.BytesIO(outcome_file(now))).to_pandas()
    numbers = identical = 0
    for name in was.columns.intersection(again.columns):
        if was[name].dtype.kind in "fiu" and len(was) == len(again):
            numbers += len(was)
            identical += int(((was[name] == again[name]) | (was[name].isna() & again[name].isna())).sum())
    return numbers, identical


def compare(
    was: Any, now: Any, where: str, relative: float = 0.0, absolute: float = 0.0
) -> Iterator[Difference]:
    """Differences of two JSON documents, each with its path; integers and text must be equal."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(k for k in now if k not in was)]:
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
    for path in unlisted(folder, files):
        yield Difference(path.relative_to(folder).as_posix(), "not part of the run", "present")


def _numbers(document: Any) -> Iterator[float]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _numbers(value)
    elif isinstance(document, list):
        for value in document:
            yield from _numbers(value)
    elif isinstance(document, (int, float)) and not isinstance(document, bool):
        yield document
