"""The ledger of releases: what left before, so that the next release can be set against it.

One JSON file, written whole. Every entry holds the digest of the one before it, so that an entry cannot be
changed or taken out in between; that none was cut off at the end is what the audit log is for, which notes
the digest of every release.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.private_files import create_private_file, sync_folder
from privacy.release.cells import SCHEMA as COUNTS
from privacy.release.cells import ReleasedCounts
from privacy.release.errors import ReleaseError
from privacy.release.gate import SCHEMA as TABLE
from privacy.release.gate import Release
from privacy.release.policy import canonical

SCHEMA = "vht-release-ledger/1"
_START = "0" * 64


@dataclass(frozen=True)
class Ledger:
    """Entries in the order of their release; each has ``kind``, ``name``, ``content``, ``before`` and
    ``digest``."""

    entries: tuple[Mapping[str, Any], ...] = ()

    @property
    def head(self) -> str:
        """Digest of the last entry."""
        return str(self.entries[-1]["digest"]) if self.entries else _START

    def counts(self) -> list[ReleasedCounts]:
        """Tables of counts that were released."""
        return [_counts(entry["content"]) for entry in self.entries if entry["kind"] == COUNTS]

    def with_entry(self, kind: str, name: str, content: Mapping[str, Any]) -> Ledger:
        """The ledger with one more entry; the same release again adds none."""
        if any(e["kind"] == kind and e["name"] == name and e["content"] == content for e in self.entries):
            return self
        entry = {"kind": kind, "name": name, "content": dict(content), "before": self.head}
        return Ledger((*self.entries, {**entry, "digest": _digest(entry)}))

    def with_counts(self, released: ReleasedCounts) -> Ledger:
        """The ledger with a table of counts."""
        return self.with_entry(COUNTS, released.name, released.content())

    def with_table(self, name: str, release: Release) -> Ledger:
        """The ledger with a table of rows.

        Raises:
            ReleaseError: another version of the table was released; the two could be laid over each other.
        """
        for entry in self.entries:
            if (entry["kind"], entry["name"]) == (TABLE, name) and entry["content"] != release.manifest:
                raise ReleaseError(
                    f"another version of '{name}' was released before; rows of the two could be laid over "
                    "each other. Refer to the earlier release, or release a table of counts"
                )
        return self.with_entry(TABLE, name, release.manifest)


def read_ledger(path: Path) -> Ledger:
    """Read a ledger; none there is an empty one.

    Raises:
        ReleaseError: it cannot be read, or an entry was changed.
    """
    if not path.exists():
        return Ledger()
    try:
        content = json.loads(path.read_bytes())
        entries = tuple(content["entries"]) if content["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        entries = None
    if entries is None:
        raise ReleaseError(f"{path.name} is no ledger of releases; restore it from a backup")
    before = _START
    for index, entry in enumerate(entries):
        if (
            not isinstance(entry, dict)
            or set(entry) != {"kind", "name", "content", "before", "digest"}
            or entry["before"] != before
            or entry["digest"] != _digest({k: v for k, v in entry.items() if k != "digest"})
        ):
            raise ReleaseError(
                f"{path.name}: entry {index + 1} was changed, or one before it was taken out; "
                "restore a backup"
            )
        before = entry["digest"]
    return Ledger(entries)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write a ledger whole, for its owner alone."""
    content = json.dumps({"schema": SCHEMA, "entries": list(ledger.entries)}, indent=1, allow_nan=False)
    write_private(path, (content + "\n").encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole, mode 0600: a reader sees the old file, the new one or none.

    Raises:
        ReleaseError: the folder cannot be written to.
    """
    temporary = path.with_name(f".partial-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_private_file(temporary, content)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ReleaseError(f"{path.name} cannot be written: {error.strerror}") from None


def _digest(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(entry)).hexdigest()


def _counts(content: Mapping[str, Any]) -> ReleasedCounts:
    cells = {tuple(sorted(each["of"].items())): each["count"] for each in content["cells"]}
    axes = {axis: tuple(values) for axis, values in content["axes"].items()}
    return ReleasedCounts(content["name"], axes, cells, content["people"], content["total"])
