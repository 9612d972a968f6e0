"""What a raw folder remembers between requests and between runs: one private SQLite file.

Of every resource it holds two hashes, of type and id and of the content, so that what comes twice is
written once. What the running sync brings is *fresh* until the sync is finished, and forgotten if the
sync is given up.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from fhir_io.server.errors import ServerError

NAME = ".sync.sqlite"
DELETED = b""
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fresh (key BLOB PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS synced (scope TEXT, type TEXT, time TEXT, PRIMARY KEY (scope, type));
CREATE TABLE IF NOT EXISTS done (part INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    count INTEGER NOT NULL
);
"""


_EVERY = 1.0  # s between two writes to the disk: an export may have twenty thousand tiny files


class Ledger:
    """The memory of a raw folder, in steps: :meth:`step` ends one, :meth:`forget` undoes what began since.

    Steps are on the disk after :meth:`keep`, which is for the raw folder to call once it is :meth:`due`
    and the files that the steps speak of are there. A crash loses the steps since then as a whole.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        os.close(descriptor)
        self._base = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("BEGIN EXCLUSIVE")
            self._base.execute("SAVEPOINT step")
            self._kept = 0.0
            for statement in _TABLES.split(";"):
                self._base.execute(statement)
            self.keep()
        except sqlite3.OperationalError:
            self._base.close()
            raise ServerError(
                "another fetch is writing into this folder; wait for it, or give another"
            ) from None
        except sqlite3.DatabaseError:
            self._base.close()
            raise ServerError(f"{NAME} of the raw folder is damaged; fetch into a new folder") from None

    def close(self) -> None:
        """Forget the step that was not ended, keep those before it, and let another fetch in."""
        self.forget()
        self._base.execute("COMMIT")
        self._base.close()

    def due(self) -> bool:
        """Whether it is time to bring the steps to the disk."""
        return time.monotonic() - self._kept >= _EVERY

    def step(self) -> None:
        """What happened since the last step belongs together and stays."""
        self._base.execute("RELEASE step")
        self._base.execute("SAVEPOINT step")

    def keep(self) -> None:
        """End the step, and bring all of them to the disk now."""
        self._base.execute("COMMIT")
        self._base.execute("BEGIN EXCLUSIVE")
        self._base.execute("SAVEPOINT step")
        self._kept = time.monotonic()

    def forget(self) -> None:
        """Undo everything since the last step."""
        self._base.execute("ROLLBACK TO step")

    def fact(self, name: str) -> Any:
        """A remembered fact (JSON), or None."""
        row = self._base.execute("SELECT content FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def remember(self, name: str, content: Any) -> None:
        """Remember a fact in place of an earlier one; None forgets it."""
        if content is None:
            self._base.execute("DELETE FROM facts WHERE name = ?", (name,))
        else:
            self._base.execute("REPLACE INTO facts VALUES (?, ?)", (name, orjson.dumps(content).decode()))

    def state_of(self, kind: str, identity: str) -> tuple[bytes | None, bool]:
        """Digest of what is known of a resource (empty: deleted; None: nothing), and whether it is fresh."""
        key = _hash(f"{kind}/{identity}".encode())
        row = self._base.execute("SELECT digest FROM fresh WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return row[0], True
        row = self._base.execute("SELECT digest FROM seen WHERE key = ?", (key,)).fetchone()
        return (None if row is None else row[0]), False

    def note(self, kind: str, identity: str, digest: bytes) -> None:
        """This sync brought a resource with this content, or its deletion (``DELETED``)."""
        self._base.execute("REPLACE INTO fresh VALUES (?, ?)", (_hash(f"{kind}/{identity}".encode()), digest))

    def done(self, part: int) -> bool:
        """Whether a part (a type, a file of an export) of the running sync is finished."""
        return self._base.execute("SELECT 1 FROM done WHERE part = ?", (part,)).fetchone() is not None

    def finish_part(self, part: int, files: Iterable[tuple[str, str, int, int, int]]) -> None:
        """A part is finished; ``files`` are (name, kind, number, bytes, count) as they stand on disk."""
        self._base.executemany("REPLACE INTO files VALUES (?, ?, ?, ?, ?)", files)
        self._base.execute("REPLACE INTO done VALUES (?)", (part,))

    def note_file(self, row: tuple[str, str, int, int, int]) -> None:
        """A file of the running part is full: (name, kind, number, bytes, count)."""
        self._base.execute("REPLACE INTO files VALUES (?, ?, ?, ?, ?)", row)

    def files(self) -> list[tuple[str, str, int, int, int]]:
        """Files of the running sync: (name, kind, number, bytes, count), in the order of names."""
        return self._base.execute(
            "SELECT name, kind, number, bytes, count FROM files ORDER BY name"
        ).fetchall()

    def give_up(self) -> None:
        """Forget the running sync."""
        for table in ("fresh", "done", "files"):
            self._base.execute(f"DELETE FROM {table}")
        self.remember("running", None)
        self.remember("tally", None)
        self.keep()

    def settle(self, scope: str, times: dict[str, str]) -> None:
        """The running sync is finished: fresh becomes seen; ``times`` says up to when, by type."""
        self._base.execute("REPLACE INTO seen SELECT key, digest FROM fresh")
        rows = [(scope, kind, time) for kind, time in times.items()]
        self._base.executemany("REPLACE INTO synced VALUES (?, ?, ?)", rows)
        self.remember("finishing", None)
        self.give_up()

    def synced(self, scope: str) -> dict[str, str]:
        """Up to when each type was fetched in this scope, as instants."""
        return dict(self._base.execute("SELECT type, time FROM synced WHERE scope = ?", (scope,)).fetchall())


def digest_of(resource: Any) -> bytes:
    """Hash of a resource's content, whatever the order of its keys; 16 bytes, never empty."""
    return _hash(orjson.dumps(resource, option=orjson.OPT_SORT_KEYS))


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
