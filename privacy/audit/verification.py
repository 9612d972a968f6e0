"""Verification of a log, away from who wrote it."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from privacy.audit.chain import (
    CHECKPOINTS,
    LOG,
    NO_SEAL,
    OfficerFile,
    next_key,
    opened_line,
    read_key,
    read_officer,
)
from privacy.audit.checkpoints import read_checkpoints
from privacy.audit.errors import AuditError


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where (``log line 7``, ``anchors line 2``, ``key``) and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class AuditVerification:
    """What verification found.

    Attributes:
        records: intact lines from the first on, up to the first that is not.
        anchored: lines that a signed checkpoint vouches for.
        findings: what is wrong; empty if the log is whole.
        notes: what a reader should know although nothing is wrong.
    """

    records: int = 0
    anchored: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify_audit(
    folder: Path | str, officer: Path | str, *, anchors: Path | str | None = None
) -> AuditVerification:
    """Check every line, the key that was left, and every checkpoint.

    Edits, removals, insertions, changes of order and duplicates break the chain at a line. A missing end
    shows by the key (it has moved on further than the lines) and by checkpoints; a whole folder that was put
    back from an older copy shows only by ``anchors`` that were kept elsewhere.

    Args:
        folder: of the log, or a copy of it.
        officer: the officer's file.
        anchors: copies of checkpoints that were kept elsewhere.

    Raises:
        AuditError: the officer's file or the log cannot be read at all.
    """
    folder, known = Path(folder), read_officer(Path(officer))
    found = AuditVerification()
    marks = _checkpoints(found, folder / CHECKPOINTS, "checkpoints", known)
    if anchors is not None:
        if not os.path.lexists(anchors):
            raise AuditError(f"{anchors} is missing; name the file that checkpoints were copied to")
        marks += _checkpoints(found, Path(anchors), "anchors", known)
    else:
        found.notes.append(
            "no anchors were given: a folder put back whole from an older copy would not be noticed"
        )
    seals = _lines(found, folder / LOG, known, {mark["records"] for _, mark in marks})
    for where, mark in marks:
        if mark["records"] > found.records:
            if not any(f.where.startswith("log line") for f in found.findings):
                found.findings.append(
                    Finding(where, f"vouches for {mark['records']} lines, the log has {found.records}")
                )
        elif mark["records"] > 0 and seals[mark["records"]] != mark["seal"]:
            found.findings.append(Finding(where, f"line {mark['records']} of the log is not the one signed"))
        else:
            found.anchored = max(found.anchored, mark["records"])
    if found.verified and found.anchored < found.records:
        found.notes.append(f"the last {found.records - found.anchored} lines are not signed yet")
    return found


def read_entries(folder: Path | str, officer: Path | str) -> Iterator[dict[str, Any]]:
    """The lines of a log, each once its seal was checked.

    Raises:
        AuditError: a line is not intact.
    """
    key = read_officer(Path(officer)).first_key
    with _readable(Path(folder) / LOG) as lines:
        for number, line in enumerate(lines):
            content = opened_line(line, key)
            if content is None:
                raise AuditError(f"log line {number + 1} is not intact; run `vht privacy audit verify`")
            yield content
            key = next_key(key)


def _lines(found: AuditVerification, path: Path, known: OfficerFile, wanted: set[int]) -> dict[int, str]:
    """Walk the chain; the seals of the lines that checkpoints speak of."""
    seals: dict[int, str] = {}
    key, before = known.first_key, NO_SEAL
    clock: deque[dict[str, Any]] = deque(maxlen=1)
    with _readable(path) as lines:
        for number, line in enumerate(lines):
            where = f"log line {number + 1}"
            content = opened_line(line, key)
            if content is None:
                found.findings.append(Finding(where, _broken(line, number)))
                return seals
            if content["number"] != number or content["before"] != before:
                found.findings.append(Finding(where, "is not the one that belongs here"))
                return seals
            if clock and _went_back(clock[0], content):
                found.findings.append(Finding(where, "the clock was set back before it"))
            clock.append(content)
            key, before = next_key(key), str(content["seal"])
            found.records = number + 1
            if found.records in wanted:
                seals[found.records] = before
    _left_key(found, path.parent, key)
    return seals


def _readable(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from None


def _broken(line: bytes, number: int) -> str:
    if not line.endswith(b"\n"):
        return "is cut short"
    try:
        stated = json.loads(line)["number"]
    except (ValueError, KeyError, TypeError):
        return "is no line of an audit log"
    if isinstance(stated, int) and stated != number:
        return f"calls itself line {stated + 1}: lines were removed, added or put in another order"
    return "was altered, or was sealed with another key"


def _left_key(found: AuditVerification, folder: Path, key: bytes) -> None:
    try:
        number, left = read_key(folder)
    except AuditError:
        found.findings.append(Finding("key", "the key of the next line is missing or damaged"))
        return
    if number > found.records:
        found.findings.append(
            Finding("key", f"{number} lines were written, the log has {found.records}: its end was removed")
        )
    elif number == found.records - 1:
        found.notes.append("the last line was written when the power went; the writer completes it")
    elif (number, left) != (found.records, key):
        found.findings.append(Finding("key", "the key of the next line is not the one that follows"))


def _went_back(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the calendar clock moved against the one that only goes forward, or the latter went back."""
    earlier, later = (datetime.fromisoformat(c["time"]) for c in (before, after))
    if before["boot"] != after["boot"] or not before["boot"]:
        return (earlier - later).total_seconds() > _STEP
    passed = after["monotonic"] - before["monotonic"]
    return passed < 0 or (later - earlier).total_seconds() < passed - _STEP


_STEP = 5.0
"""Seconds by which a clock may be corrected without a finding."""


def _checkpoints(
    found: AuditVerification, path: Path, name: str, known: OfficerFile
) -> list[tuple[str, dict[str, Any]]]:
    marks: list[tuple[str, dict[str, Any]]] = []
    try:
        for number, mark in read_checkpoints(path, known.public_key):
            where = f"{name} line {number}"
            if mark is None or mark["log"] != known.log:
                found.findings.append(Finding(where, "was not signed by this log's writer"))
            elif marks and mark["records"] <= marks[-1][1]["records"]:
                found.findings.append(Finding(where, "does not come after the one before"))
            else:
                marks.append((where, mark))
    except OSError as error:
        found.findings.append(Finding(name, f"cannot be read ({error.strerror})"))
    return marks
