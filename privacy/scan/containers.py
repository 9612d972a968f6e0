"""What a file holds inside: compressed streams, archives, tables, databases, embedded files.

Each function yields (what it is, the bytes inside). A container that cannot be read to the end is an
error: what was not seen cannot be called clean.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import contextlib
import io
import lzma
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from privacy.errors import PrivacySafeError

Inner = Iterator[tuple[str, bytes]]

LARGEST_INNER = 1 << 29
"""Bytes that one compressed stream may expand to."""

_FEED = 1 << 16
_ROWS = 10_000
_STREAM_START = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_EMBEDDED = re.compile(
    rb"(?:H4sI|iVBORw0KGgo|UEsDB|JVBERi0|eJ[wxyz0-3])(?:[A-Za-z0-9+/]|\r?\n|\\n){12,}={0,2}"
)
_WRAPPED = re.compile(rb"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]{1,76}={0,2}")


class ScanIncomplete(PrivacySafeError):
    """Something could not be read to the end, so it cannot be called clean.

    The message names no file, because a name can be an identifier; ``path`` does.
    """

    path: Path | None = None


def inner(content: bytes, companion: bytes | None = None) -> Inner:
    """Everything that ``content`` holds in another form.

    Args:
        content: a file's bytes, or the bytes of something inside a file.
        companion: the write-ahead log that belongs to a SQLite database.

    Raises:
        ScanIncomplete: a damaged, encrypted or excessively large container.
    """
    yield from _streams(content)
    yield from _base64(content)
    if content.startswith(b"BZh") and content[4:10] == b"1AY&SY":
        yield "bzip2", _whole(bz2.BZ2Decompressor, content)
    if content.startswith(b"\xfd7zXZ\x00"):
        yield "xz", _whole(lzma.LZMADecompressor, content)
    if b"PK\x03\x04" in content and zipfile.is_zipfile(io.BytesIO(content)):
        yield from _zip(content)
    if content.startswith(b"PAR1") and content.endswith(b"PAR1"):
        yield from _parquet(content)
    if content.startswith(b"ARROW1"):
        yield from _arrow(content)
    if content.startswith(b"SQLite format 3\x00"):
        yield from _sqlite(content, companion)


def _streams(content: bytes) -> Inner:
    """Gzip and zlib streams, wherever they start: HTTP bodies, PDF objects, PNG text, array chunks."""
    view = memoryview(content)
    position = 0
    while match := _STREAM_START.search(content, position):
        start = match.start()
        plain, consumed = _inflate(view[start:])
        if len(plain) >= 4:
            yield ("gzip" if match.group().startswith(b"\x1f") else "zlib"), plain
        position = start + max(consumed, 1)


def _inflate(stream: memoryview) -> tuple[bytes, int]:
    """What a stream expands to, as far as it is one, and its length if it ended properly (or 0)."""
    decompressor = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    parts: list[bytes] = []
    size = fed = 0
    try:
        while fed < len(stream) and not decompressor.eof:
            piece = decompressor.decompress(stream[fed : fed + _FEED])
            fed += _FEED
            size += len(piece)
            if size > LARGEST_INNER:
                raise ScanIncomplete(f"a compressed stream expands to more than {LARGEST_INNER} bytes")
            parts.append(piece)
    except zlib.error:
        # bytes that only look like the start of a stream, or a stream that was cut
        return b"".join(parts), 0
    consumed = min(fed, len(stream)) - len(decompressor.unused_data) if decompressor.eof else 0
    return b"".join(parts), consumed


def _whole(make: Callable[[], Any], content: bytes) -> bytes:
    """A compressed file of one or several streams in a row."""
    parts: list[bytes] = []
    size = 0
    while content:
        decompressor = make()
        try:
            parts.append(decompressor.decompress(content, LARGEST_INNER + 1 - size))
        except (OSError, lzma.LZMAError, ValueError):
            raise ScanIncomplete("a compressed file is damaged") from None
        size += len(parts[-1])
        if size > LARGEST_INNER:
            raise ScanIncomplete(f"a compressed file expands to more than {LARGEST_INNER} bytes")
        if not decompressor.eof:
            raise ScanIncomplete("a compressed file is cut short")
        content = decompressor.unused_data
    return b"".join(parts)


def _base64(content: bytes) -> Inner:
    """Files embedded as base64, and base64 text that is broken into lines."""
    for expression in (_EMBEDDED, _WRAPPED):
        for match in expression.finditer(content):
            text = re.sub(rb"\\n|[^A-Za-z0-9+/]", b"", match.group())
            try:
                yield "base64", base64.b64decode(text[: len(text) // 4 * 4] + _rest(text))
            except binascii.Error:
                continue


def _rest(text: bytes) -> bytes:
    remaining = text[len(text) // 4 * 4 :]
    return remaining + b"=" * (4 - len(remaining)) if len(remaining) > 1 else b""


def _zip(content: bytes) -> Inner:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield (
                "zip names",
                archive.comment
                + b"\n".join(
                    b"\n"
                    + item.filename.encode("utf-8", "replace")
                    + b"\n"
                    + item.comment
                    + b"\n"
                    + item.extra
                    for item in archive.infolist()
                ),
            )
            for item in archive.infolist():
                if item.file_size > LARGEST_INNER:
                    raise ScanIncomplete(f"an archive holds a file of more than {LARGEST_INNER} bytes")
                yield "zip", archive.read(item)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, OSError):
        raise ScanIncomplete("an archive is damaged or encrypted") from None


def _parquet(content: bytes) -> Inner:
    try:
        table = pq.ParquetFile(pa.BufferReader(content))
        yield "parquet metadata", _schema(table.schema_arrow)
        for group in range(table.num_row_groups):
            yield "parquet", _values(table.read_row_group(group))
    except (pa.ArrowException, OSError):
        raise ScanIncomplete("a Parquet file is damaged or encrypted") from None


def _arrow(content: bytes) -> Inner:
    try:
        reader = pyarrow.ipc.open_file(pa.BufferReader(content))
        yield "arrow metadata", _schema(reader.schema)
        for batch in range(reader.num_record_batches):
            yield "arrow", _values(pa.Table.from_batches([reader.get_batch(batch)]))
    except (pa.ArrowException, OSError):
        raise ScanIncomplete("an Arrow file is damaged") from None


def _schema(schema: pa.Schema) -> bytes:
    parts = [schema.to_string(show_schema_metadata=False).encode()]
    for metadata in (schema.metadata, *(field.metadata for field in schema)):
        for key, value in (metadata or {}).items():
            parts += [key, value]
    return b"\n".join(parts)


def _values(table: pa.Table) -> bytes:
    parts: list[bytes] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        # lists and structures have no unique values; they are searched one by one
        with contextlib.suppress(pa.ArrowNotImplementedError):
            column = column.unique()
        # a short identifier is only known by the name of its column
        parts += [name.encode() + b": " + _bytes(value) for value in column.to_pylist()]
    return b"\n".join(parts)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _sqlite(content: bytes, write_ahead_log: bytes | None) -> Inner:
    """Rows, also those that only the write-ahead log holds, and values that span several pages."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        copy.write_bytes(content)
        if write_ahead_log:
            copy.with_name(copy.name + "-wal").write_bytes(write_ahead_log)
        try:
            connection = sqlite3.connect(copy)
            try:
                connection.text_factory = bytes
                yield from _tables(connection)
            finally:
                connection.close()
        except sqlite3.DatabaseError:
            raise ScanIncomplete("an SQLite database is damaged") from None


def _tables(connection: sqlite3.Connection) -> Inner:
    schema = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    yield "sqlite schema", b"\n".join(sql for _, _, sql in schema if sql)
    for kind, name, sql in schema:
        # what a virtual table shows is stored in ordinary tables beside it
        if kind != b"table" or (sql or b"").upper().startswith(b"CREATE VIRTUAL"):
            continue
        quoted = name.decode().replace('"', '""')
        rows = connection.execute(f'SELECT * FROM "{quoted}"')
        columns = [column[0].encode() + b": " for column in rows.description]
        while batch := rows.fetchmany(_ROWS):
            values = [
                column + _bytes(value)
                for row in batch
                for column, value in zip(columns, row, strict=True)
                if value is not None
            ]
            yield "sqlite", b"\n".join(values)
