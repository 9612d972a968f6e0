"""What an import did not use, by reference: which file, which place in it, and why.

The reference names no file and holds no content: a file is a keyed hash of its path within the source,
and its size. With the same source at hand the resources can be read again once a mapping has changed.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vht.files import write_whole

FOLDER = "quarantine"

SCHEMA = pa.schema(
    [
        ("file", pa.binary()),
        ("size", pa.int64()),
        ("unit", pa.string()),
        ("place", pa.int64()),
        ("inner", pa.int64()),
        ("type", pa.string()),
        ("reason", pa.string()),
    ]
)
_AT_ONCE = 65_536

FileKey = tuple[bytes, int]
"""Keyed hash of a file's path, and its size in bytes."""


@dataclass(frozen=True)
class Wanted:
    """Places to read again, by file."""

    places: dict[FileKey, frozenset[tuple[str, int, int]]]


class Quarantine:
    """The references of a store's imports, one Parquet file an import.

    Args:
        states: folder of the patient states.
    """

    def __init__(self, states: Path):
        self.folder = states / FOLDER

    def add(self, rows: Iterable[tuple[Any, ...]]) -> int:
        """Write the references of one import as a whole; their number.

        Args:
            rows: (file, size, unit, place, inner place, type, reason).
        """
        tables = list(_tables(rows))
        if not tables:
            return 0
        number = 1 + max((int(p.stem) for p in self._files()), default=0)
        table = pa.concat_tables(tables)
        self._write(self.folder / f"{number:06d}.parquet", table)
        return table.num_rows

    def wanted(self, reasons: Collection[str]) -> Wanted:
        """Places of what was not used for one of the reasons."""
        places: dict[FileKey, set[tuple[str, int, int]]] = {}
        for path in self._files():
            table = pq.read_table(path, schema=SCHEMA)
            chosen = table.filter(pc.is_in(table.column("reason"), pa.array(sorted(reasons))))
            columns = (chosen.column(name).to_pylist() for name in SCHEMA.names[:5])
            for file, size, unit, place, inner in zip(*columns, strict=True):
                places.setdefault((file, size), set()).add((unit, place, inner))
        return Wanted({key: frozenset(found) for key, found in places.items()})

    def remove(self, reasons: Collection[str], files: Collection[FileKey]) -> None:
        """Take out what was read again: references of these reasons into these files."""
        hashes = pa.array(sorted(file for file, _ in files), pa.binary())
        for path in self._files():
            table = pq.read_table(path, schema=SCHEMA)
            again = pc.and_(
                pc.is_in(table.column("reason"), pa.array(sorted(reasons))),
                pc.is_in(table.column("file"), hashes),
            )
            kept = table.filter(pc.invert(again))
            if kept.num_rows == 0:
                path.unlink()
            elif kept.num_rows < table.num_rows:
                self._write(path, kept)

    def counts(self) -> dict[str, int]:
        """Number of references by reason."""
        found: dict[str, int] = {}
        for path in self._files():
            for item in pq.read_table(path, columns=["reason"]).column("reason").value_counts().to_pylist():
                found[item["values"]] = found.get(item["values"], 0) + item["counts"]
        return dict(sorted(found.items()))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def _write(self, path: Path, table: pa.Table) -> None:
        write_whole(path, functools.partial(pq.write_table, table))


def _tables(rows: Iterable[tuple[Any, ...]]) -> Iterator[pa.Table]:
    waiting: list[tuple[Any, ...]] = []

    def table() -> pa.Table:
        columns = zip(*waiting, strict=True)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)

    for row in rows:
        waiting.append(row)
        if len(waiting) >= _AT_ONCE:
            yield table()
            waiting.clear()
    if waiting:
        yield table()
