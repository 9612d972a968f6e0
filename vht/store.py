"""The state store: columns of pseudonymised patient states in Parquet, append-only.

A store is a folder with ``store.json`` and one folder a table. A shard is written whole and is
part of the store only once ``store.json`` names it together with its SHA-256; so a killed import
leaves a store that reads exactly as before. What later imports replace or retract stays in its shard
and is not shown (:mod:`vht.visible`); only erasing or renaming patients rewrites shards.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from vht.cohort import Cohort
from vht.files import sha256_file, sync_folder, write_whole
from vht.state import PatientState
from vht.tables import FACTS, STORED, VERSION, columns
from vht.visible import visible

SCHEMA_VERSION = 2

ROW_GROUP = 65_536
"""Rows that a writer gathers before they go to the disk."""


_LOCK = ".lock"


class StoreError(Exception):
    """The store cannot be read or written; the message says what to do."""


class Store:
    """A folder of patient states.

    Args:
        folder: where the store is or will be.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._index_path = self.folder / "store.json"

    def exists(self) -> bool:
        """Whether the folder holds a store."""
        return self._index_path.is_file()

    def append(self, states: Iterable[PatientState]) -> int:
        """Add states as one new shard; rows that the store already shows are not added again.

        Returns:
            Number of rows added, over all tables.
        """
        return self._append(columns(states))

    def append_cohort(self, cohort: Cohort) -> int:
        """Add a cohort's columns as one new shard, as :meth:`append` does with rows."""
        return self._append(cohort.tables())

    def cohort(self) -> Cohort:
        """All states as columns; every shard's digest is checked.

        Raises:
            StoreError: no store here, a shard is missing or was altered, or another schema version.
        """
        parts: dict[str, list[pa.Table]] = {name: [] for name in STORED}
        for shard, path in self._shards():
            if sha256_file(path) != shard["sha256"]:
                raise StoreError(f"{path} was altered since it was written; restore it or import again")
            table = pq.read_table(path, schema=STORED[shard["table"]])
            number = pa.array([shard["number"]] * table.num_rows, pa.int32())
            parts[shard["table"]].append(table.append_column("shard", number))
        return Cohort.from_tables(visible(parts))

    def rows_of(self, table: str, pseudonyms: Sequence[str]) -> pa.Table:
        """Stored rows of some patients, of all versions, with a column ``shard``; unchecked digests.

        Memory is that of the rows found: shards are in the order of pseudonyms, so only their parts
        that may hold them are read.
        """
        found = []
        for shard, path in self._shards(table) if self.exists() else ():
            dataset = ds.dataset(path, schema=STORED[table])
            rows = dataset.to_table(filter=pc.field("pseudonym").isin(list(pseudonyms)))
            number = pa.array([shard["number"]] * rows.num_rows, pa.int32())
            found.append(rows.append_column("shard", number))
        schema = pa.schema([*STORED[table], pa.field("shard", pa.int32())])
        return pa.concat_tables(found) if found else schema.empty_table()

    def records(self) -> Iterator[pa.RecordBatch]:
        """The resource and version columns of every stored row, a batch at a time."""
        names = [name for name, _ in VERSION]
        for shard, path in self._shards() if self.exists() else ():
            if shard["table"] in FACTS:
                yield from pq.ParquetFile(path).iter_batches(batch_size=ROW_GROUP, columns=names)

    def retractions(self) -> Iterator[pa.RecordBatch]:
        """Every retraction, a batch at a time."""
        for _, path in self._shards("retractions"):
            yield from pq.ParquetFile(path).iter_batches(batch_size=ROW_GROUP)

    @contextmanager
    def writer(self) -> Iterator[ShardWriter]:
        """Write one new shard a table; they become part of the store when the context is left well.

        Raises:
            StoreError: another import is writing to this store.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder):
            index: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "shards": []}
            if self.exists():
                index = self._index()
            number = 1 + max((s["number"] for s in index["shards"]), default=0)
            shards = ShardWriter(self.folder, number)
            try:
                yield shards
                written = shards.finish()
            except BaseException:
                shards.discard()
                self._tidy()
                raise
            if written:
                index["shards"] = [*index["shards"], *written]
                self._write_index(index)
            else:
                self._tidy()

    def erase(self, pseudonyms: Iterable[str]) -> int:
        """Remove every row of some patients from every shard; the number of rows removed.

        Shards that held them are rewritten and named anew in one step; the old files go afterwards. Whoever
        turned out to be one of them goes too: a merged patient is the same person.
        """
        if not self.exists():
            return 0
        gone = pa.array(self._with_merged(set(pseudonyms)), pa.string())
        if not len(gone):
            return 0
        removed, shards, old = 0, [], []
        records: list[bytes] = []
        with _locked(self.folder):
            index = self._index()
            for shard in sorted(index["shards"], key=lambda s: s["table"] == "retractions"):
                path = self.folder / shard["file"]
                table = pq.read_table(path, schema=STORED[shard["table"]])
                if shard["table"] == "retractions":
                    erased = pc.is_in(table.column("record"), pa.array(records, pa.binary()))
                else:
                    erased = pc.is_in(table.column("pseudonym"), gone)
                if shard["table"] == "merges":
                    erased = pc.or_(erased, pc.is_in(table.column("into"), gone))
                kept = table.filter(pc.invert(erased))
                if kept.num_rows == table.num_rows:
                    shards.append(shard)
                    continue
                removed += table.num_rows - kept.num_rows
                if "record" in table.column_names:
                    records += table.filter(erased).column("record").drop_null().to_pylist()
                old.append(path)
                if kept.num_rows:
                    shards.append(self._rewrite(shard, kept))
            self._write_index(index | {"shards": sorted(shards, key=lambda s: (s["number"], s["table"]))})
            for path in old:
                path.unlink(missing_ok=True)
        return removed

    def _with_merged(self, pseudonyms: set[str]) -> list[str]:
        """Patients and, over chains of merges, all who are shown as one of them."""
        merges = [
            pair
            for _, path in self._shards("merges")
            for pair in pq.read_table(path, columns=["pseudonym", "into"]).to_pylist()
        ]
        found, size = set(pseudonyms), -1
        while size != len(found):
            size = len(found)
            found |= {pair["pseudonym"] for pair in merges if pair["into"] in found}
        return sorted(found)

    def rename(self, renamed: Callable[[str], str]) -> int:
        """Give patients other pseudonyms, in every shard; the number of patients who got another one.

        Shards are rewritten and named anew in one step, so a kill leaves all old names or all new ones;
        called again, this goes on, and sweeps away the files that the kill left.

        Args:
            renamed: the new pseudonym of an old one, and of a new one itself; no two share one.

        Raises:
            StoreError: another import is writing to this store, or two patients would share a pseudonym.
        """
        if not self.exists():
            return 0
        with _locked(self.folder):
            index = self._index()
            old: dict[str, str] = {}
            for shard, path in self._shards():
                schema = STORED[shard["table"]]
                for column in {"pseudonym", "into"} & set(schema.names):
                    for name in pc.unique(pq.read_table(path, columns=[column]).column(column)).to_pylist():
                        old.setdefault(name, renamed(name))
            if len(set(old.values())) != len(old):
                raise StoreError(f"{self.folder}: two patients would share a pseudonym; nothing was renamed")
            changed = sum(before != after for before, after in old.items())
            if changed:
                names = pa.array(list(old), pa.string()), pa.array(list(old.values()), pa.string())
                shards = [self._renamed(shard, *names) for shard in index["shards"]]
                self._write_index(index | {"shards": shards})
                index = self._index()
            self._sweep(index)
        return changed

    def a_pseudonym(self) -> str | None:
        """A pseudonym that the store holds; None if it holds none."""
        for _, path in self._shards("patients") if self.exists() else ():
            for batch in pq.ParquetFile(path).iter_batches(batch_size=1, columns=["pseudonym"]):
                return str(batch.column("pseudonym")[0].as_py())
        return None

    def _renamed(self, shard: dict[str, Any], before: pa.Array, after: pa.Array) -> dict[str, Any]:
        path = self.folder / shard["file"]
        if sha256_file(path) != shard["sha256"]:
            raise StoreError(f"{path} was altered since it was written; restore it or import again")
        table = pq.read_table(path, schema=STORED[shard["table"]])
        for column in {"pseudonym", "into"} & set(table.column_names):
            place = table.column_names.index(column)
            found = pc.index_in(table.column(column), before)
            table = table.set_column(place, table.schema.field(column), after.take(found.combine_chunks()))
        if "pseudonym" not in table.column_names:
            return shard
        # readers count on the order of pseudonyms; the sort is stable, rows of a patient keep theirs
        ordered = table.take(pc.sort_indices(table, sort_keys=[("pseudonym", "ascending")]))
        return self._rewrite(shard, ordered)

    def _sweep(self, index: Mapping[str, Any]) -> None:
        """Remove files that are not part of the store: replaced ones, and what a kill left."""
        named = {self.folder / shard["file"] for shard in index["shards"]}
        for name in STORED:
            for path in (self.folder / name).glob("*"):
                if path not in named and (path.suffix == ".parquet" or path.name.startswith(".partial-")):
                    path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Remove the folder that a first import made and did not fill."""
        if not self.exists():
            (self.folder / _LOCK).unlink(missing_ok=True)
            for folder in [*self.folder.glob("*/"), self.folder]:
                with suppress(OSError):  # it holds something else
                    folder.rmdir()

    def _append(self, new: Mapping[str, pa.Table]) -> int:
        held = self.cohort().tables() if self.exists() else {}
        with self.writer() as shards:
            for name, table in new.items():
                fresh = _without(table, held[name]) if name in held else table
                shards.write(name, fresh)
        return shards.rows

    def _rewrite(self, shard: Mapping[str, Any], kept: pa.Table) -> dict[str, Any]:
        stem, _, edition = Path(shard["file"]).stem.partition("-")
        relative = f"{shard['table']}/{stem}-{int(edition or 0) + 1}.parquet"
        write_whole(self.folder / relative, lambda sink: pq.write_table(kept, sink, row_group_size=ROW_GROUP))
        return {
            **shard,
            "file": relative,
            "rows": kept.num_rows,
            "sha256": sha256_file(self.folder / relative),
        }

    def _write_index(self, index: Mapping[str, Any]) -> None:
        write_whole(self._index_path, json.dumps(index, indent=1).encode())

    def _index(self) -> dict[str, Any]:
        try:
            index = json.loads(self._index_path.read_bytes())
        except FileNotFoundError:
            raise StoreError(
                f"{self.folder} holds no patient states; make them with `vht import SOURCE --keys KEYS "
                f"--states {self.folder}`"
            ) from None
        except json.JSONDecodeError:
            raise StoreError(f"{self._index_path} is not readable JSON; import the states again") from None
        if index.get("schema_version") != SCHEMA_VERSION:
            raise StoreError(
                f"{self._index_path}: schema version {index.get('schema_version')!r}, this toolkit reads "
                f"{SCHEMA_VERSION}; import the states again"
            )
        return index

    def _shards(self, table: str | None = None) -> Iterator[tuple[dict[str, Any], Path]]:
        for shard in self._index()["shards"]:
            if table is None or shard["table"] == table:
                path = self.folder / shard["file"]
                if not path.is_file():
                    raise StoreError(f"{path} is missing; restore it or import the states again")
                yield shard, path


class ShardWriter:
    """Takes rows table by table and keeps them on the disk under temporary names until it is finished."""

    def __init__(self, folder: Path, number: int):
        self._folder, self._number = folder, number
        self._waiting: dict[str, list[pa.Table]] = {}
        self._open: dict[str, tuple[pq.ParquetWriter, Path]] = {}
        self._rows: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """Rows taken so far, over all tables."""
        return sum(self._rows.values())

    def write(self, name: str, table: pa.Table) -> None:
        """Add rows to a table; missing version columns are null or 0.

        Args:
            name: one of ``vht.tables.STORED``.
            table: rows with that table's columns, in the order of pseudonyms over all calls.
        """
        if table.num_rows == 0:
            return
        self._rows[name] = self._rows.get(name, 0) + table.num_rows
        self._waiting.setdefault(name, []).append(_stored(name, table))
        if sum(t.num_rows for t in self._waiting[name]) >= ROW_GROUP:
            self._flush(name)

    def finish(self) -> list[dict[str, Any]]:
        """Flush everything to its final name; the entries for the store's index."""
        for name in list(self._waiting):
            self._flush(name)
        entries = []
        for name, (writer, path) in sorted(self._open.items()):
            writer.close()
            _sync(path)
            relative = f"{name}/{self._number:06d}.parquet"
            os.replace(path, self._folder / relative)
            sync_folder(path.parent)
            entries.append(
                {
                    "table": name,
                    "number": self._number,
                    "file": relative,
                    "rows": self._rows[name],
                    "sha256": sha256_file(self._folder / relative),
                }
            )
        self._open.clear()
        return entries

    def discard(self) -> None:
        """Remove what was written."""
        for writer, path in self._open.values():
            writer.close()
            path.unlink(missing_ok=True)
        self._open.clear()

    def _flush(self, name: str) -> None:
        if name not in self._open:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(prefix=".partial-", dir=self._folder / name)
            os.close(handle)
            os.chmod(path, 0o644 & ~_umask())
            self._open[name] = pq.ParquetWriter(path, STORED[name]), Path(path)
        self._open[name][0].write_table(pa.concat_tables(self._waiting.pop(name)), row_group_size=ROW_GROUP)


def _stored(name: str, table: pa.Table) -> pa.Table:
    blank = {"record": None, "updated": 0.0, "version": 0}
    for column in STORED[name]:
        if column.name not in table.column_names:
            filling = pa.array([blank[column.name]] * table.num_rows, column.type)
            table = table.append_column(column, filling)
    return table.select(STORED[name].names).cast(STORED[name])


def _without(new: pa.Table, held: pa.Table) -> pa.Table:
    known = set(_row_tuples(held))
    return new.filter(pa.array([row not in known for row in _row_tuples(new)], pa.bool_()))


def _row_tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with open(folder / _LOCK, "ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{folder} is being written by another import; try again later") from None
        yield


def _sync(path: Path) -> None:
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
