"""The state store: columns of pseudonymised patient states in Parquet, append-only.

A store is a folder with ``store.json`` and one folder a table. A shard is written whole and is
part of the store only once ``store.json`` names it together with its SHA-256; so a killed import
leaves a store that reads exactly as before.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vht.files import sha256_bytes, sha256_file, write_whole
from vht.state import Event, Observation, PatientState

SCHEMA_VERSION = 1

_PATIENT = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("study_number", pa.int64()),
        ("sex", pa.string()),
        ("age_years", pa.int16()),
        ("age_uncertainty_years", pa.float64()),
    ]
)
_OBSERVATION = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("quantity", pa.string()),
        ("value", pa.float64()),
        ("day", pa.float64()),
        ("origin", pa.string()),
    ]
)
_EVENT = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("concept", pa.string()),
        ("start_day", pa.float64()),
        ("end_day", pa.float64()),
    ]
)
TABLES: dict[str, pa.Schema] = {
    "patients": _PATIENT,
    "observations": _OBSERVATION,
    "conditions": _EVENT,
    "medications": _EVENT,
    "procedures": _EVENT,
}


class StoreError(Exception):
    """The store cannot be read or written; the message says what to do."""


@dataclass
class Cohort:
    """Patient states as columns: one DataFrame a table (columns as in ``vht.store.TABLES``).

    ``digest`` identifies the content; it goes into every report that used it.
    """

    patients: pd.DataFrame
    observations: pd.DataFrame
    conditions: pd.DataFrame
    medications: pd.DataFrame
    procedures: pd.DataFrame
    digest: str = field(default="")

    def __len__(self) -> int:
        return len(self.patients)

    def __repr__(self) -> str:
        return (
            f"Cohort({len(self)} patients, {len(self.observations)} observations of "
            f"{self.observations['quantity'].nunique()} quantities, {len(self.conditions)} conditions)"
        )

    @classmethod
    def from_states(cls, states: Iterable[PatientState]) -> Cohort:
        """Columns from rows, in the order of pseudonyms."""
        tables = _columns(sorted(states, key=lambda s: s.pseudonym))
        return cls(**{name: table.to_pandas() for name, table in tables.items()}, digest=_digest(tables))

    def latest(self, quantity: str) -> pd.Series:
        """The last recorded value of a quantity by patient.

        Returns:
            Series indexed by pseudonym, in the quantity's canonical unit; patients without a value
            are absent. Ties on a day take the mean of that day.
        """
        rows = self.observations[self.observations["quantity"] == quantity]
        if rows.empty:
            return pd.Series(dtype=float, name=quantity)
        daily = rows.groupby(["pseudonym", "day"], sort=True)["value"].mean()
        return daily.groupby("pseudonym").last().rename(quantity)

    def with_condition(self, concept: str) -> list[str]:
        """Pseudonyms of patients who have the condition, without a recorded end, in order."""
        rows = self.conditions
        active = rows[(rows["concept"] == concept) & rows["end_day"].isna()]
        return sorted(active["pseudonym"].unique())

    def select(self, pseudonyms: Iterable[str]) -> Cohort:
        """The sub-cohort of the given patients."""
        return Cohort.from_states(self.state(p) for p in sorted(set(pseudonyms)))

    def state(self, pseudonym: str) -> PatientState:
        """One patient's row view."""
        row = self.patients[self.patients["pseudonym"] == pseudonym]
        if row.empty:
            raise KeyError("no such pseudonym in this cohort")
        first = row.iloc[0]
        age = first["age_years"]

        def events(table: pd.DataFrame) -> tuple[Event, ...]:
            mine = table[table["pseudonym"] == pseudonym].sort_values("start_day", kind="stable")
            return tuple(
                Event(concept=r.concept, start_day=_optional(r.start_day), end_day=_optional(r.end_day))
                for r in mine.itertuples()
            )

        mine = self.observations[self.observations["pseudonym"] == pseudonym].sort_values(
            "day", kind="stable"
        )
        return PatientState(
            pseudonym=pseudonym,
            study_number=int(first["study_number"]),
            sex=first["sex"],
            age_years=None if pd.isna(age) else int(age),
            age_uncertainty_years=float(first["age_uncertainty_years"]),
            observations=tuple(
                Observation(quantity=r.quantity, value=r.value, day=r.day, origin=r.origin)
                for r in mine.itertuples()
            ),
            conditions=events(self.conditions),
            medications=events(self.medications),
            procedures=events(self.procedures),
        )

    def states(self) -> Iterator[PatientState]:
        """Every patient's row view, in the order of pseudonyms."""
        for pseudonym in sorted(self.patients["pseudonym"]):
            yield self.state(pseudonym)


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
        """Add states as one new shard; rows that the store already holds are not added again.

        A patient's own row (sex, age) is written once; later appends add events to it.

        Returns:
            Number of rows added, over all tables.
        """
        return self._append(_columns(sorted(states, key=lambda s: s.pseudonym)))

    def append_cohort(self, cohort: Cohort) -> int:
        """Add a cohort's columns as one new shard, as :meth:`append` does with rows."""
        tables = {
            name: pa.Table.from_pandas(getattr(cohort, name), schema=schema, preserve_index=False)
            for name, schema in TABLES.items()
        }
        return self._append({name: table.sort_by(_order(name)) for name, table in tables.items()})

    def _append(self, new: dict[str, pa.Table]) -> int:
        index: dict[str, Any] = (
            self._index() if self.exists() else {"schema_version": SCHEMA_VERSION, "shards": []}
        )
        if index["shards"]:
            held = self._tables()
            new = {name: _without(table, held[name], name) for name, table in new.items()}
        number = 1 + max((s["number"] for s in index["shards"]), default=0)
        added = 0
        shards = list(index["shards"])
        for name, table in new.items():
            if table.num_rows == 0:
                continue
            relative = f"{name}/{number:06d}.parquet"
            write_whole(self.folder / relative, functools.partial(pq.write_table, table))
            shards.append(
                {
                    "table": name,
                    "number": number,
                    "file": relative,
                    "rows": table.num_rows,
                    "sha256": sha256_file(self.folder / relative),
                }
            )
            added += table.num_rows
        document = {"schema_version": SCHEMA_VERSION, "shards": shards}
        write_whole(self._index_path, json.dumps(document, indent=1).encode())
        return added

    def cohort(self) -> Cohort:
        """All states as columns; every shard's digest is checked.

        Raises:
            StoreError: no store here, a shard is missing or was altered, or another schema version.
        """
        tables = self._tables()
        return Cohort(**{n: t.to_pandas() for n, t in tables.items()}, digest=_digest(tables))

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

    def _tables(self) -> dict[str, pa.Table]:
        parts: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
        for shard in self._index()["shards"]:
            path = self.folder / shard["file"]
            if not path.is_file():
                raise StoreError(f"{path} is missing; restore it or import the states again")
            if sha256_file(path) != shard["sha256"]:
                raise StoreError(f"{path} was altered since it was written; restore it or import again")
            parts[shard["table"]].append(pq.read_table(path, schema=TABLES[shard["table"]]))
        merged = {
            name: pa.concat_tables(found) if found else TABLES[name].empty_table()
            for name, found in parts.items()
        }
        return {name: table.sort_by(_order(name)) for name, table in merged.items()}


def _order(name: str) -> list[tuple[str, str]]:
    return [(column, "ascending") for column in TABLES[name].names]


def _columns(states: list[PatientState]) -> dict[str, pa.Table]:
    patients = [s.model_dump(include=set(_PATIENT.names)) for s in states]
    observations = [{"pseudonym": s.pseudonym, **o.model_dump()} for s in states for o in s.observations]
    events = {
        name: [{"pseudonym": s.pseudonym, **e.model_dump()} for s in states for e in getattr(s, name)]
        for name in ("conditions", "medications", "procedures")
    }
    rows = {"patients": patients, "observations": observations, **events}
    return {
        name: pa.Table.from_pylist(rows[name], schema=schema).sort_by(_order(name))
        for name, schema in TABLES.items()
    }


def _without(new: pa.Table, held: pa.Table, name: str) -> pa.Table:
    keys = ["pseudonym"] if name == "patients" else new.schema.names
    known = {tuple(row[k] for k in keys) for row in held.select(keys).to_pylist()}
    keep = [tuple(row[k] for k in keys) not in known for row in new.select(keys).to_pylist()]
    return new.filter(pa.array(keep, type=pa.bool_()))


def _digest(tables: dict[str, pa.Table]) -> str:
    """SHA-256 over the content in canonical order; independent of shards and file encoding."""
    listing = {name: table.sort_by(_order(name)).to_pydict() for name, table in sorted(tables.items())}
    return sha256_bytes(json.dumps(listing, sort_keys=True).encode())


def _optional(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
