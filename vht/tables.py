"""The columns of patient states: one table for each kind of fact.

A stored row carries two things more than a state shows: which resource it came from, as a keyed
hash, and which version of it. A correction finds what it corrects by them; readers never see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from vht.state import PatientState

EVENTS = ("conditions", "medications", "procedures")

_PATIENT = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("study_number", pa.int64()),
        ("sex", pa.string()),
        ("age_years", pa.int16()),
        ("age_uncertainty_years", pa.float64()),
        ("vital_status", pa.string()),
        ("death_day", pa.float64()),
    ]
)
_OBSERVATION = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("quantity", pa.string()),
        ("value", pa.float64()),
        ("day", pa.float64()),
        ("origin", pa.string()),
        ("age_years", pa.int16()),
    ]
)
_INTERVAL = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("quantity", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("day", pa.float64()),
        ("age_years", pa.int16()),
    ]
)
_EVENT = pa.schema(
    [
        ("pseudonym", pa.string()),
        ("concept", pa.string()),
        ("start_day", pa.float64()),
        ("end_day", pa.float64()),
        ("start_uncertainty_days", pa.float64()),
        ("age_years", pa.int16()),
    ]
)
_ABSENCE = pa.schema(
    [("pseudonym", pa.string()), ("concept", pa.string()), ("day", pa.float64()), ("basis", pa.string())]
)

TABLES: Mapping[str, pa.Schema] = {
    "patients": _PATIENT,
    "observations": _OBSERVATION,
    "intervals": _INTERVAL,
    **dict.fromkeys(EVENTS, _EVENT),
    "absences": _ABSENCE,
}
"""What readers see, by table."""

FACTS = tuple(name for name in TABLES if name != "patients")
"""Tables whose rows come from single resources."""

VERSION = [("record", pa.binary()), ("updated", pa.float64()), ("version", pa.int64())]
"""Which resource a row came from (keyed hash; null if it had no id), when it was last updated (seconds;
0 if not said) and its version number (0 if not said)."""

RETRACTIONS = pa.schema(VERSION)
"""Resources that no longer say anything, from a version on."""

MERGES = pa.schema([("pseudonym", pa.string()), ("into", pa.string()), ("shift_days", pa.float64())])
"""Patients who turned out to be another one, and what their days gain on the other one's axis."""

STORED: Mapping[str, pa.Schema] = {
    "patients": _PATIENT,
    **{name: pa.schema([*TABLES[name], *(pa.field(*column) for column in VERSION)]) for name in FACTS},
    "retractions": RETRACTIONS,
    "merges": MERGES,
}
"""What shards hold, by table."""


def order(name: str) -> list[tuple[str, str]]:
    """The canonical order of a table's rows: by all columns."""
    return [(column, "ascending") for column in TABLES[name].names]


def columns(states: Iterable[PatientState]) -> dict[str, pa.Table]:
    """Tables of states, each in canonical order."""
    states = list(states)
    rows: dict[str, list[dict[str, Any]]] = {
        "patients": [s.model_dump(include=set(_PATIENT.names)) for s in states]
    }
    for name in FACTS:
        rows[name] = [{"pseudonym": s.pseudonym, **f.model_dump()} for s in states for f in getattr(s, name)]
    return {
        name: pa.Table.from_pylist(rows[name], schema=schema).sort_by(order(name))
        for name, schema in TABLES.items()
    }


def digest(tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 over the content in canonical order; independent of shards and file encoding."""
    sha = hashlib.sha256()
    for name in sorted(TABLES):
        table = tables[name].sort_by(order(name))
        sha.update(f"{name} {table.num_rows}\n".encode())
        for column in TABLES[name].names:
            sha.update(f"{column}\n".encode())
            values = table.column(column)
            sha.update(np.asarray(values.is_null()).tobytes())
            if pa.types.is_string(values.type):
                sha.update("\x00".join("" if v is None else v for v in values.to_pylist()).encode())
            else:
                numbers = values.cast(pa.float64() if pa.types.is_floating(values.type) else pa.int64())
                sha.update(np.asarray(numbers.fill_null(0)).astype(numbers.type.to_pandas_dtype()).tobytes())
    return sha.hexdigest()
