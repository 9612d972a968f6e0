"""Corrections: of what was said of a resource the newest word counts, also when it says nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from fhir_io.reasons import Reason
from fhir_io.spool import Spool
from vht.store import Store
from vht.tables import RETRACTIONS

Rank = tuple[float, int]
"""Time of the last update in seconds and version number; (0, 0) where neither is said."""

_DELETED = Reason.DELETED.code
_FINAL_WORDS = (_DELETED, Reason.ENTERED_IN_ERROR.code)
"""Words that are kept although nothing is held that they retract: the value may come later."""


class Versions:
    """Which version of each resource counts, over the source and over what the store holds retracted.

    Args:
        spool: after all subjects were resolved.
        store: that is imported into.
    """

    def __init__(self, spool: Spool, store: Store):
        self._spool = spool
        spool.execute("CREATE INDEX said_index ON said (record)")
        spool.execute(
            "CREATE TABLE contested AS SELECT record, max(weak) AS weak FROM said GROUP BY record"
            " HAVING count(*) > 1"
        )
        spool.execute("CREATE UNIQUE INDEX contested_index ON contested (record)")
        self._any_contested = spool.count("contested") > 0
        spool.execute(
            "CREATE TABLE shared AS SELECT contested.record FROM contested JOIN draft USING (record)"
            " JOIN subject ON subject.id = draft.subject WHERE contested.weak"
            " GROUP BY contested.record HAVING count(DISTINCT subject.person) > 1"
        )
        self.shared = spool.count("shared")
        spool.execute("CREATE TABLE retracted (record BLOB PRIMARY KEY, updated REAL, version INT)")
        for batch in store.retractions() if store.exists() else ():
            spool.database.executemany(
                "INSERT INTO retracted VALUES (?,?,?) ON CONFLICT (record) DO UPDATE SET"
                " updated = excluded.updated, version = excluded.version"
                " WHERE (excluded.updated, excluded.version) > (updated, version)",
                zip(*(batch.column(name).to_pylist() for name in RETRACTIONS.names), strict=True),
            )
        self._any_retracted = spool.count("retracted") > 0

    def verdict(self, record: bytes, rank: Rank) -> Reason | None:
        """Why a version of a resource does not count, or None if it is the newest word.

        A resource whose id two persons share is not judged here.
        """
        if self._any_retracted:
            gone = self._spool.one("SELECT updated, version FROM retracted WHERE record = ?", (record,))
            if gone is not None and rank <= gone:
                return Reason.SUPERSEDED
        if not self._any_contested or self.is_shared(record):
            return None
        newest = self._newest(record)
        if newest is None:
            return Reason.DELETED
        return Reason.SUPERSEDED if rank < newest else None

    def is_shared(self, record: bytes) -> bool:
        """Whether two persons have a resource of this id, which then means two resources."""
        if not self.shared:
            return False
        return self._spool.one("SELECT 1 FROM shared WHERE record = ?", (record,)) is not None

    def retractions(self, store: Store) -> Iterator[pa.Table]:
        """What this import retracts: resources whose newest word is that they say nothing.

        An error or a deletion is kept even where the store holds nothing of the resource; any other
        reason only where it does.
        """
        words = "(" + ",".join("?" * len(_FINAL_WORDS)) + ")"
        final = f"SELECT DISTINCT record FROM said WHERE reason IN {words}"
        yield from self._silent((row[0], (0.0, 0)) for row in self._spool.rows(final, _FINAL_WORDS))
        if store.exists():
            yield from self._silent(self._held(store))

    def _held(self, store: Store) -> Iterator[tuple[bytes, Rank]]:
        for batch in store.records():
            columns = (batch.column(name).to_pylist() for name in RETRACTIONS.names)
            held: dict[bytes, Rank] = {}
            for record, updated, version in zip(*columns, strict=True):
                if record is not None:
                    held[record] = max(held.get(record, (0.0, 0)), (updated, version))
            yield from held.items()

    def _silent(self, records: Iterator[tuple[bytes, Rank]]) -> Iterator[pa.Table]:
        """Retractions among (resource, newest version that the store holds); each is written once."""
        rows: list[tuple[bytes, float, int]] = []
        for record, held in records:
            rank = self._silenced(record)
            if rank is None:
                continue
            rank = max(rank, held)
            gone = self._spool.one("SELECT updated, version FROM retracted WHERE record = ?", (record,))
            if gone is None or gone < rank:
                self._spool.execute("INSERT OR REPLACE INTO retracted VALUES (?,?,?)", (record, *rank))
                rows.append((record, *rank))
        if rows:
            columns = zip(*rows, strict=True)
            yield pa.table(
                [pa.array(c, f.type) for c, f in zip(columns, RETRACTIONS, strict=True)], schema=RETRACTIONS
            )

    def _silenced(self, record: bytes) -> Rank | None:
        """The version in which the source last says that a resource says nothing; None if it does not."""
        newest, deleted, words = self._words(record)
        if deleted:
            return newest
        silent = [reason for rank, reason in words if rank == newest]
        return newest if silent and None not in silent else None

    def _newest(self, record: bytes) -> Rank | None:
        """The newest version that the source has of a resource; None if it says that it was deleted."""
        if self._spool.one("SELECT 1 FROM contested WHERE record = ?", (record,)) is None:
            return 0.0, 0
        newest, deleted, _ = self._words(record)
        return None if deleted else newest

    def _words(self, record: bytes) -> tuple[Rank, bool, list[tuple[Rank, str | None]]]:
        """The newest version of a resource, whether it was deleted after all, and what each version says.

        A deletion has no version: it counts against what was read before it and against what is not newer
        than that, so that a resource may be made again.
        """
        said: list[tuple[Any, ...]] = list(
            self._spool.rows(
                "SELECT updated, version, reason FROM said WHERE record = ? ORDER BY rowid", (record,)
            )
        )
        words = [((u, v), reason) for u, v, reason in said if reason != _DELETED]
        newest = max((rank for rank, _ in words), default=(0.0, 0))
        last = max((n for n, (_, _, reason) in enumerate(said) if reason == _DELETED), default=-1)
        before = max((rank for rank, _ in words[: sum(r != _DELETED for *_, r in said[:last])]), default=None)
        made_again = before is not None and newest > before
        return newest, last >= 0 and not made_again, words


def scoped(record: bytes, person: str) -> bytes:
    """The key of a resource whose id two persons share: of this person's one."""
    return hashlib.blake2b(record + person.encode(), digest_size=len(record)).digest()
