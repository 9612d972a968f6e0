"""The raw folder: what a server gave, as NDJSON that the import reads, readable by its owner alone.

``NNNN.Type.PPP.ndjson`` holds what sync NNNN brought of a type, ``NNNN.deleted.PPP.ndjson`` what it said
is gone (transaction Bundles of DELETE, as in a bulk export), and ``manifest.json`` lists them all with
their counts and SHA-256. The order of names is the order in time, so that what comes later counts. A file
gets its name when its sync is complete; before that it lies in ``.incoming`` under a hidden name.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from fhir_io.server.errors import ServerError
from fhir_io.server.ledger import DELETED, NAME, Ledger, digest_of
from privacy.private_files import make_private_folder
from vht.files import sha256_file, sync_folder

TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
IDENTITY = re.compile(r"[A-Za-z0-9\-.]{1,64}")
GONE = "deleted"
_FORMAT = 1


@dataclass
class _Open:
    """A file that is being written."""

    name: str
    kind: str
    number: int
    stream: BinaryIO
    bytes: int = 0
    count: int = 0


@dataclass
class Tally:
    """What a sync brought: resources written and unchanged, by type, and deletions."""

    written: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    deleted: int = 0

    def add(self, counts: dict[str, int], kind: str) -> None:
        counts[kind] = counts.get(kind, 0) + 1


class RawFolder:
    """A raw folder that one fetch writes.

    Args:
        path: made if absent; one that exists must be empty or a raw folder of the same server.
        server: the FHIR base address.
        part: bytes at which a file is closed and the next one begun.

    Raises:
        ServerError: it holds something else. KeysError: others may enter it.
    """

    def __init__(self, path: Path, server: str, part: int) -> None:
        make_private_folder(path)
        if not (path / NAME).exists() and any(path.iterdir()):
            raise ServerError(
                "the folder holds other files; give a new or empty folder for what the server gives"
            )
        self.path = path
        self._incoming = path / ".incoming"
        self._part = part
        self._open: dict[str, _Open] = {}
        self.ledger = Ledger(path)
        try:
            known = self.ledger.fact("server")
            if known is not None and known != {"format": _FORMAT, "base": server}:
                raise ServerError("the folder holds records of another server; give a folder of its own")
            self.ledger.remember("server", {"format": _FORMAT, "base": server})
            self.ledger.keep()
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            if self.ledger.fact("finishing") is not None:
                self._finish()
            self.begin()
        except BaseException:
            self.ledger.close()
            raise

    def close(self) -> None:
        """Close the files; what was added since the last finished part is forgotten."""
        self._flush(to_disk=True)
        self._let_go()
        self.ledger.close()

    def scratch(self) -> Path:
        """Where one download of an export is kept until it is complete."""
        return self._incoming / ".download.part"

    def begin(self) -> None:
        """Bring the files in step with the ledger: cut what was written after the last finished part."""
        self.tally = Tally(**(self.ledger.fact("tally") or {}))
        kept = {name: size for name, _, _, size, _ in self.ledger.files()}
        for found in self._incoming.iterdir():
            if found.name in kept:
                os.truncate(found, kept[found.name])
            elif found != self.scratch():
                found.unlink()

    def give_up(self) -> None:
        """Forget the running sync and what it brought."""
        self._let_go()
        self.ledger.forget()
        self.ledger.give_up()
        self.scratch().unlink(missing_ok=True)
        self.begin()

    def add(self, line: bytes, resource: Mapping[str, Any]) -> bool:
        """Write a resource unless it is known with this content.

        Args:
            line: its JSON, without line breaks.
            resource: the same, parsed.

        Returns:
            Whether this sync had already brought it.
        """
        kind = resource["resourceType"]
        digest = digest_of(resource)
        identity = resource.get("id")
        name = identity if isinstance(identity, str) else "#" + digest.hex()
        known, fresh = self.ledger.state_of(kind, name)
        if known == digest:
            self.tally.add(self.tally.unchanged, kind)
            return fresh
        self._write(kind, line)
        self.ledger.note(kind, name, digest)
        self.tally.add(self.tally.written, kind)
        return False

    def remove(self, kind: str, identity: str) -> None:
        """Record that a resource is gone, unless that is known."""
        known, _ = self.ledger.state_of(kind, identity)
        if known == DELETED:
            return
        request = {"method": "DELETE", "url": f"{kind}/{identity}"}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
        self._write(GONE, orjson.dumps(bundle))
        self.ledger.note(kind, identity, DELETED)
        self.tally.deleted += 1

    def finish_part(self, part: int) -> None:
        """What was added since the last call is complete and is kept, whatever happens later."""
        self._flush(to_disk=False)
        self.ledger.remember("tally", asdict(self.tally))
        rows = [(o.name, o.kind, o.number, o.bytes, o.count) for o in self._open.values()]
        self.ledger.finish_part(part, rows)
        self.step()

    def step(self) -> None:
        """What the ledger was told since the last step stays; once a second it goes to the disk."""
        if self.ledger.due():
            self._flush(to_disk=True)
            self.ledger.keep()
        else:
            self.ledger.step()

    def _flush(self, *, to_disk: bool) -> None:
        for each in self._open.values():
            each.stream.flush()
            if to_disk:
                os.fsync(each.stream.fileno())

    def undo_part(self) -> None:
        """Forget what was added since the last finished part."""
        self._let_go()
        self.ledger.forget()
        self.begin()

    def finish(self, scope: str, times: dict[str, str], transaction_time: str) -> None:
        """The sync is complete: its files get their names and the manifest lists them."""
        self._flush(to_disk=True)
        self._let_go()
        plan = {
            "scope": scope,
            "times": times,
            "transaction_time": transaction_time,
            "sync": self.next_sync(),
        }
        self.ledger.remember("finishing", plan)
        self.ledger.keep()
        self._finish()

    def next_sync(self) -> int:
        """Number of the running sync, from 1."""
        return int(self.ledger.fact("syncs") or 0) + 1

    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands; empty before the first sync is complete."""
        path = self.path / "manifest.json"
        return orjson.loads(path.read_bytes()) if path.is_file() else {}

    def _finish(self) -> None:
        """Idempotent from the moment that the plan is in the ledger: a crash in between is made good."""
        plan = self.ledger.fact("finishing")
        manifest = self.manifest() or {"output": [], "deleted": [], "error": []}
        listed = {entry["url"] for entry in manifest["output"] + manifest["deleted"]}
        for name, kind, number, _, count in self.ledger.files():
            final = self.path / f"{plan['sync']:04d}.{kind}.{number:03d}.ndjson"
            if (self._incoming / name).exists():
                os.replace(self._incoming / name, final)
            if final.name not in listed:
                entry = {"type": "Bundle" if kind == GONE else kind, "url": final.name, "count": count}
                entry |= {"bytes": final.stat().st_size, "sha256": sha256_file(final)}
                manifest["deleted" if kind == GONE else "output"].append(entry)
        server = self.ledger.fact("server")["base"]
        head = {"transactionTime": plan["transaction_time"], "request": server, "requiresAccessToken": False}
        sync_folder(self.path)
        self._write_manifest(
            {**head, "sync": plan["sync"], **{k: manifest[k] for k in ("output", "deleted", "error")}}
        )
        self.scratch().unlink(missing_ok=True)
        self.ledger.remember("syncs", plan["sync"])
        self.ledger.settle(plan["scope"], plan["times"])

    def _write_manifest(self, content: dict[str, Any]) -> None:
        handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=self.path)  # of mode 0600
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, self.path / "manifest.json")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self.path)

    def _write(self, kind: str, line: bytes) -> None:
        target = self._open.get(kind)
        if target is not None and target.bytes >= self._part:
            target = self._turn(target)
        if target is None:
            target = self._open[kind] = self._reopen(kind)
        target.stream.write(line + b"\n")
        target.bytes += len(line) + 1
        target.count += 1

    def _turn(self, full: _Open) -> _Open:
        """The next file of a type; the full one is closed and its length noted with the running part."""
        full.stream.flush()
        os.fsync(full.stream.fileno())
        full.stream.close()
        self.ledger.note_file((full.name, full.kind, full.number, full.bytes, full.count))
        self._open[full.kind] = made = self._new(full.kind, full.number + 1)
        return made

    def _reopen(self, kind: str) -> _Open:
        rows = [row for row in self.ledger.files() if row[1] == kind]
        if not rows:
            return self._new(kind, 1)
        name, _, number, size, count = max(rows, key=lambda row: row[2])
        stream = open(self._incoming / name, "ab")  # noqa: SIM115 - closed by _let_go
        return _Open(name, kind, number, stream, size, count)

    def _new(self, kind: str, number: int) -> _Open:
        name = f".{kind}.{number:03d}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        descriptor = os.open(self._incoming / name, flags, 0o600)
        return _Open(name, kind, number, os.fdopen(descriptor, "wb"))

    def _let_go(self) -> None:
        for each in self._open.values():
            each.stream.close()
        self._open.clear()
