"""Whose a resource is: one person for each identity, merges by Patient.link, names that find a person."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from fhir_io.reasons import Reason
from fhir_io.spool import EXPORTED, ID_ALONE, Spool, split_names

NOBODY = ""
"""Stands for a subject that no patient answers to."""

_AT_ONCE = 5000

_MAIN_SIDE = ("replaced-by", "refer")
"""Patient.link types that point from a record to the one that should be used instead."""


def settle_patients(spool: Spool) -> None:
    """Decide for each Patient resource whether it is the person's, a copy, or another one's with the same
    identity; write the persons into the table ``person``.

    A patient whose facts conflict with those of the first one with that identity is refused, and names
    that lead to it lead to nobody.
    """
    spool.execute(
        "CREATE TABLE person (id TEXT PRIMARY KEY, number INT, file INT, unit TEXT, place INT, inner INT,"
        " sex TEXT, born_first INT, born_last INT, vital TEXT, died_ordinal INT, died_fraction REAL,"
        " exported INT)"
    )
    refused: list[tuple[Any, ...]] = []
    strangers: list[tuple[str, int]] = []
    persons: list[tuple[Any, ...]] = []
    query = "SELECT * FROM patient ORDER BY person, number"  # sorted first, so it may be written to meanwhile
    for person, group in itertools.groupby(spool.rows(query), key=lambda row: row[5]):
        rows = list(group)
        newest = _newest(rows)
        kept = [row for row in rows if row[0] in newest]
        refused += [_refusal(row, Reason.SUPERSEDED) for row in rows if row[0] not in newest]
        first, *others = kept
        agreeing = [first]
        for row in others:
            if _agree(first, row):
                agreeing.append(row)
                refused.append(_refusal(row, Reason.DUPLICATE))
            else:
                strangers.append((f"!{row[0]}", row[0]))
                refused.append(_refusal(row, Reason.CONFLICTING_PATIENT))
        persons.append(_person(person, agreeing))
        if len(persons) >= _AT_ONCE:
            _write(spool, persons, refused, strangers)
    _write(spool, persons, refused, strangers)


def join_linked(spool: Spool, find: Finder) -> None:
    """Make one person of those whom Patient.link connects; the table ``merged`` says who became whom."""
    spool.execute("CREATE TABLE merged (person TEXT PRIMARY KEY, into_person TEXT)")
    into: dict[str, str] = {}

    def root(person: str) -> str:
        while person in into:
            person = into[person]
        return person

    query = (
        "SELECT patient.person, patient.file, link.type, link.names FROM link JOIN patient USING (number)"
        " WHERE patient.person NOT LIKE '!%' ORDER BY number, type"
    )
    for person, file, kind, names in spool.rows(query):
        other = find(names, file)
        a, b = root(person), root(other) if other else NOBODY
        if not b or a == b:
            continue
        if kind in _MAIN_SIDE:
            into[a] = b
        else:
            into[b] = a
    for person in list(into):
        spool.execute("INSERT INTO merged VALUES (?,?)", (person, root(person)))


class Finder:
    """Finds the person that names mean, seen from a file.

    Args:
        spool: after :func:`settle_patients`.
        length: of a hashed name in bytes.
        remembered: the person that a name meant in earlier imports, or None.
    """

    def __init__(self, spool: Spool, length: int, remembered: Callable[[bytes], str | None]):
        self._spool, self._length, self._remembered = spool, length, remembered
        spool.execute("CREATE INDEX name_index ON name (hash, file)")

    def __call__(self, names: bytes, file: int) -> str:
        """The person, or ``NOBODY``.

        Args:
            names: joined hashes, best first.
            file: ordinal of the file that refers.
        """
        for name in split_names(names, self._length):
            found = self._owner("hash = ? AND name.file = ?", (name, file))
            if found is None:
                found = self._owner("hash = ?", (name,))
            if found is None:
                found = self._remembered(name)
            if found:
                return NOBODY if found.startswith("!") else found
        return NOBODY

    def _owner(self, where: str, values: tuple[Any, ...]) -> str | None:
        """The only owner of a name; nobody if two share it; None if none has it."""
        low, high = self._spool.one(
            f"SELECT min(person), max(person) FROM name JOIN patient USING (number) WHERE {where}", values
        ) or (None, None)
        if low is None:
            return None
        return str(low) if low == high else NOBODY


def resolve_subjects(spool: Spool, find: Finder) -> None:
    """Fill in the person of every subject."""
    merged = dict(spool.rows("SELECT person, into_person FROM merged"))
    found: list[tuple[str, int]] = []
    for ordinal, file, names in spool.rows("SELECT id, file, names FROM subject"):
        person = find(names, file)
        found.append((merged.get(person, person), ordinal))
        if len(found) >= _AT_ONCE:
            _set_persons(spool, found)
    _set_persons(spool, found)


# ---------------------------------------------------------------------------------------------------


def _newest(rows: list[tuple[Any, ...]]) -> set[int]:
    """Numbers of the rows that no newer version of the same resource replaces."""
    best: dict[bytes, tuple[float, int]] = {}
    for row in rows:
        if row[12] is not None:
            best[row[12]] = max(best.get(row[12], (0.0, 0)), row[13:15])
    return {row[0] for row in rows if row[12] is None or row[13:15] == best[row[12]]}


def _agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two Patients with one identity can be one person: sex and dates of birth do not differ.

    A bare resource id is unique in one server only: then both must be known and the same.
    """
    if one[15] == ID_ALONE:
        return one[7] is not None and one[6:9] == other[6:9]
    born = None in (one[7], other[7]) or (one[7] <= other[8] and other[7] <= one[8])
    return born and ("unknown" in (one[6], other[6]) or one[6] == other[6])


def _person(person: str, rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    first = rows[0]
    sex = next((row[6] for row in rows if row[6] != "unknown"), "unknown")
    dated = [row[7:9] for row in rows if row[7] is not None]
    born = min(dated, key=lambda b: b[1] - b[0], default=(None, None))
    vital = max(rows, key=lambda row: (row[9] == "deceased", row[10] is not None, row[9] == "alive"))
    return person, *first[:5], sex, *born, *vital[9:12], first[15] == EXPORTED


def _refusal(row: tuple[Any, ...], reason: Reason) -> tuple[Any, ...]:
    return *row[:5], "Patient", reason.code


def _write(
    spool: Spool,
    persons: list[tuple[Any, ...]],
    refused: list[tuple[Any, ...]],
    strangers: list[tuple[str, int]],
) -> None:
    spool.database.executemany("INSERT INTO person VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", persons)
    spool.refuse(refused)
    spool.database.executemany("UPDATE patient SET person = ? WHERE number = ?", strangers)
    for rows in (persons, refused, strangers):
        rows.clear()


def _set_persons(spool: Spool, found: list[tuple[str, int]]) -> None:
    spool.database.executemany("UPDATE subject SET person = ? WHERE id = ?", found)
    found.clear()
