"""The scanner's control: every planted token is found, in every disguise, in every sink."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privacy.scan import Known, LeakScanner
from tests.privacy.scan.canaries import DISGUISES, KINDS, canaries

TOKENS = [token for _, token in canaries(20261124)]
DECOYS = [token for _, token in canaries(7) if token not in set(TOKENS)]
SCANNER = LeakScanner(TOKENS)

Plant = Callable[[Path, list[bytes]], None]


def in_parquet(path: Path, leaks: list[bytes]) -> None:
    pq.write_table(pa.table({"value": [b"value " + leak for leak in leaks]}), path, compression="zstd")


def in_database(path: Path, leaks: list[bytes]) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (note BLOB)")
    connection.executemany("INSERT INTO runs VALUES (?)", [(leak,) for leak in leaks])
    connection.commit()
    connection.close()


def in_notebook(path: Path, leaks: list[bytes]) -> None:
    """As Jupyter writes them; what is no text at all goes in as base64, as pictures do."""
    outputs: list[dict[str, object]] = []
    for leak in leaks:
        try:
            outputs.append({"output_type": "stream", "text": [leak.decode()]})
        except UnicodeDecodeError:
            outputs.append({"data": {"image/png": base64.b64encode(leak).decode()}})
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": outputs}]}, ensure_ascii=False))


def in_array(path: Path, leaks: list[bytes]) -> None:
    with open(path, "wb") as out:
        np.savez_compressed(out, *(np.frombuffer(leak, np.uint8) for leak in leaks))


SINKS: dict[str, Plant] = {
    "log.txt": lambda p, leaks: p.write_bytes(b"\n".join(b"ERROR reading " + x for x in leaks)) and None,
    "traceback.txt": lambda p, leaks: (
        p.write_bytes(b"\n".join(b"KeyError: '" + x + b"'" for x in leaks)) and None
    ),
    "report.html": lambda p, leaks: p.write_bytes(b"".join(b"<td>" + x + b"</td>" for x in leaks)) and None,
    "results.json": lambda p, leaks: (
        p.write_bytes(b"[" + b",".join(b'"' + x + b'"' for x in leaks) + b"]") and None
    ),
    "states.parquet": in_parquet,
    "mlflow.db": in_database,
    "notebook.ipynb": in_notebook,
    "fitted.npz": in_array,
    "worker.log.gz": lambda p, leaks: p.write_bytes(gzip.compress(b"\n".join(leaks))) and None,
    "cmdline": lambda p, leaks: p.write_bytes(b"\0".join([b"vht", *leaks])) and None,
}


def test_there_are_as_many_canaries_as_the_suite_promises() -> None:
    assert len(set(TOKENS)) == 720 == len(KINDS) * 40
    assert len(DISGUISES) >= 14


@pytest.mark.parametrize("disguise", DISGUISES)
def test_every_canary_is_found_in_every_sink(disguise: str, tmp_path: Path) -> None:
    hidden = [DISGUISES[disguise](token) for token in TOKENS]
    for name, plant in SINKS.items():
        plant(tmp_path / name, hidden)
        found = {leak.token_index for leak in SCANNER.scan(tmp_path / name)}
        missed = [TOKENS[i] for i in range(len(TOKENS)) if i not in found]
        assert missed == [], (name, len(missed), missed[:5])


@pytest.mark.parametrize("disguise", ["raw", "base64", "digest", "compressed"])
def test_other_identifiers_of_the_same_kinds_are_no_leak(disguise: str, tmp_path: Path) -> None:
    for name, plant in SINKS.items():
        plant(tmp_path / name, [DISGUISES[disguise](token) for token in DECOYS])
    assert [(leak.path.name, TOKENS[leak.token_index]) for leak in SCANNER.scan(tmp_path)] == []


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ('{"given": "Ida"}', {0}),
        ('{"given":["Ida"]}', {0}),
        ("first_name=Ida&x", {0}),
        ("<given>Ida</given>", {0}),
        ("Vorname: IDA", {0}),
        ("zip: 4711", {1}),
        ("postalCode='4711'", {1}),
        ("Ida", set()),
        ("4711 rows, florida, id 4711", set()),
        ("given: Idaho", set()),
        ("zip: 47110", set()),
    ],
)
def test_a_short_identifier_counts_beside_the_name_of_its_field(written: str, found: set[int]) -> None:
    scanner = LeakScanner([Known("Ida", "given"), Known("4711", "postal_code")])
    assert {leak.token_index for leak in scanner.scan_bytes(written.encode())} == found


def test_the_name_of_a_column_is_the_context_of_its_values(tmp_path: Path) -> None:
    scanner = LeakScanner([Known("Ida", "given")])
    for column, found in (("first_name", 1), ("drug", 0)):
        pq.write_table(pa.table({column: ["Ida", "Ada"]}), tmp_path / "t.parquet")
        assert len(scanner.scan(tmp_path / "t.parquet")) == found
        connection = sqlite3.connect(tmp_path / "t.db")
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute(f"CREATE TABLE t ({column})")
        connection.execute("INSERT INTO t VALUES ('Ida')")
        connection.commit()
        connection.close()
        assert len(scanner.scan(tmp_path / "t.db")) == found


def test_a_known_identifier_does_not_show_itself() -> None:
    assert "Ida" not in repr(Known("Ida", "given"))
    with pytest.raises(ValueError, match="token 0") as caught:
        LeakScanner([Known("I", "given")])
    assert "'I'" not in str(caught.value)
