"""What is known of an import while it runs, on the disk: so that memory does not grow with the source.

The spool is a SQLite database in a private folder that is removed at the end. Nothing in it is a name:
patients are pseudonyms, and the names that resources refer by are keyed hashes. It does hold calendar
dates, which is why it belongs beside the keys and never beside the states.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import orjson

from fhir_io.extract import Extract
from fhir_io.mapping.patients import BARE_ID
from fhir_io.reasons import Reason
from fhir_io.vocabulary import PSEUDONYM
from privacy import Identity

CACHE_KIB = 16 * 1024
"""Memory that SQLite may use for pages; the rest of its sorting and joining is on the disk."""

ID_ALONE, EXPORTED = 1, 2
"""Labels of patients: known by the id of a resource alone; known by a pseudonym that an export gave."""

_UNIQUE_LENGTH = 32
"""Characters of an id from which on it is taken for unique in the world: those of a UUID or a digest."""

_SCHEMA = """
CREATE TABLE refused (number INTEGER PRIMARY KEY, file INT, unit TEXT, place INT, inner INT, kind TEXT,
    reason TEXT);
CREATE TABLE patient (number INTEGER PRIMARY KEY, file INT, unit TEXT, place INT, inner INT, person TEXT,
    sex TEXT, born_first INT, born_last INT, vital TEXT, died_ordinal INT, died_fraction REAL, record BLOB,
    updated REAL, version INT, label INT, since REAL);
CREATE TABLE consent (number INTEGER PRIMARY KEY, file INT, unit TEXT, place INT, inner INT, names BLOB,
    content BLOB);
CREATE TABLE name (hash BLOB, file INT, number INT);
CREATE TABLE link (number INT, type TEXT, names BLOB);
CREATE TABLE medication (number INTEGER PRIMARY KEY, file INT, unit TEXT, place INT, inner INT,
    concept TEXT, reason TEXT);
CREATE TABLE medication_name (hash BLOB, file INT, number INT);
CREATE TABLE subject (id INTEGER PRIMARY KEY, file INT, names BLOB, person TEXT);
CREATE TABLE draft (number INTEGER PRIMARY KEY, file INT, unit TEXT, place INT, inner INT, kind TEXT,
    subject INT, last INT, medication BLOB, content BLOB, record BLOB, updated REAL, version INT);
CREATE TABLE said (record BLOB, updated REAL, version INT, reason TEXT, weak INT);
"""


class Keyed(Protocol):
    """Keyed hashes of what must not lie on the disk."""

    def name(self, name: str) -> bytes:
        """Of a name under which a patient or medication may be known."""
        ...

    def record(self, resource: str) -> bytes:
        """Of a resource, ``Type/id``."""
        ...

    def pseudonym(self, identity: Identity) -> str:
        """Of a patient."""
        ...

    def suppressed_since(self, identity: Identity) -> int | None:
        """Seconds since 1970 at which a patient withdrew consent; None for one who did not."""
        ...


class Spool:
    """The database of one import.

    Args:
        folder: a private folder that exists.
        keyed: stands for names and identities.
    """

    def __init__(self, folder: Path, keyed: Keyed):
        self.database = sqlite3.connect(folder / "spool.sqlite", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self.database.execute(f"PRAGMA {pragma}")
        self.database.execute(f"PRAGMA temp_store_directory = '{folder}'")
        self.database.executescript(_SCHEMA)
        self.database.execute("BEGIN")
        self._keyed = keyed
        self.versions: dict[int, set[str]] = {}
        self.read = 0
        self.deletions = 0
        self.not_needed: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self._next, self._next_subject = 0, 0

    def close(self) -> None:
        """Close the database; its folder is the caller's to remove."""
        self.database.close()

    def ingest(self, extract: Extract) -> None:
        """Add what one unit said. Units come in the order of the source."""
        self.read += extract.read
        self.not_needed.update(extract.not_needed)
        self.notes.update(extract.notes)
        self.deletions += len(extract.deleted)
        self.versions.setdefault(extract.file, set()).update(extract.versions)
        file, record = extract.file, self._record
        # numbers follow the order of reading within each list; what matters is that they follow the units
        start = self._number(len(extract.refused))
        self._many(
            "INSERT INTO refused VALUES (?,?,?,?,?,?,?)",
            [(start + i, file, *row[0], row[1], row[2]) for i, row in enumerate(extract.refused)],
        )
        said = [
            (record(name), updated, version, reason, _is_weak(name))
            for _, _, reason, name, updated, version in extract.refused
            if name
        ]
        said += [(record(name), 0.0, 0, Reason.DELETED.code, _is_weak(name)) for name in extract.deleted]
        self._patients(extract)
        self._medications(extract)
        start = self._number(len(extract.consents))
        self._many(
            "INSERT INTO consent VALUES (?,?,?,?,?,?,?)",
            [
                (start + i, file, *at, self._names(names), content)
                for i, (at, names, content) in enumerate(extract.consents)
            ],
        )
        subjects = self._next_subject
        self._next_subject += len(extract.subjects)
        self._many(
            "INSERT INTO subject VALUES (?,?,?,NULL)",
            [(subjects + i, file, self._names(names)) for i, names in enumerate(extract.subjects)],
        )
        start = self._number(len(extract.drafts))
        drafts = []
        for number, row in enumerate(extract.drafts, start):
            at, kind, subject, last, medication, content, resource, updated, version = row
            key = record(resource) if resource else None
            joined = self._names(medication) if medication else None
            drafts.append(
                (number, file, *at, kind, subjects + subject, last, joined, content, key, updated, version)
            )
            if key:
                said.append((key, updated, version, None, _is_weak(resource)))
        self._many("INSERT INTO draft VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", drafts)
        self._many("INSERT INTO said VALUES (?,?,?,?,?)", said)

    def refuse(self, rows: list[tuple[Any, ...]]) -> None:
        """Settle resources as not used: (number, file, unit, place, inner place, type, reason)."""
        self._many("INSERT INTO refused VALUES (?,?,?,?,?,?,?)", rows)

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, read as they are needed."""
        return self.database.execute(query, values)

    def one(self, query: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        found: tuple[Any, ...] | None = self.database.execute(query, values).fetchone()
        return found

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        """Run a statement."""
        self.database.execute(statement, values)

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    # -- ingestion

    def _patients(self, extract: Extract) -> None:
        start = self._number(len(extract.patients))
        patients, names, links = [], [], []
        for number, row in enumerate(extract.patients, start):
            at, known_as, system, value, sex, born, vital, died, linked, resource, *version = row
            identity = Identity(system, value)
            key = self._record(resource) if resource else None
            since = self._keyed.suppressed_since(identity)
            born_days, died_at = born or (None, None), died[:2] if died else (None, None)
            facts = (self._keyed.pseudonym(identity), sex, *born_days, vital, *died_at, key, *version)
            patients.append((number, extract.file, *at, *facts, _label(system), since))
            names += [(self._keyed.name(name), extract.file, number) for name in known_as]
            links += [(number, kind, self._names(others)) for kind, others in linked]
        self._many("INSERT INTO patient VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", patients)
        self._many("INSERT INTO name VALUES (?,?,?)", names)
        self._many("INSERT INTO link VALUES (?,?,?)", links)

    def _medications(self, extract: Extract) -> None:
        start = self._number(len(extract.medications))
        medications, names = [], []
        for number, (at, known_as, concept, reason) in enumerate(extract.medications, start):
            medications.append((number, extract.file, *at, concept, reason))
            names += [(self._keyed.name(name), extract.file, number) for name in known_as]
        self._many("INSERT INTO medication VALUES (?,?,?,?,?,?,?)", medications)
        self._many("INSERT INTO medication_name VALUES (?,?,?)", names)

    def _names(self, names: list[str]) -> bytes:
        """Names as one value: their hashes, which are all of one length, in order."""
        return b"".join(self._keyed.name(name) for name in names)

    def _record(self, resource: str) -> bytes:
        return self._keyed.record(resource)

    def _number(self, count: int) -> int:
        first = self._next
        self._next += count
        return first

    def _many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self.database.executemany(statement, rows)


def _label(system: str) -> int:
    """What kind of identity a system gives: one server's alone, an export's, or neither."""
    return {BARE_ID: ID_ALONE, PSEUDONYM: EXPORTED}.get(system, 0)


def _is_weak(resource: str) -> bool:
    """Whether an id is so short that another server may have given it to another resource."""
    return len(resource.partition("/")[2]) < _UNIQUE_LENGTH


def split_names(joined: bytes, length: int) -> list[bytes]:
    """The hashes that :class:`Spool` joined."""
    return [joined[i : i + length] for i in range(0, len(joined), length)]


def content_of(blob: bytes) -> Any:
    """The content of a draft."""
    return orjson.loads(blob)
