"""Files as streams of bytes and of lines, with bounds that hostile input meets.

Memory is bounded by the longest line or by one Bundle file, whatever a file unpacks to.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from fhir_io.errors import FhirImportError
from fhir_io.reading.records import Place

MAX_LINE = 128 << 20
"""Bytes of the longest line of NDJSON that is read; real lines hold kilobytes, Bundles megabytes."""
MAX_DOCUMENT = 2 << 30
"""Bytes of the largest JSON document (one Bundle in a file) that is read, unpacked."""
MAX_RATIO = 300
"""Unpacked over packed bytes: FHIR as JSON packs 10 to 60 times, deflate at most 1,032 times."""
FREE_BYTES = 64 << 20
"""So many bytes are unpacked before the ratio is looked at."""

_PIECE = 16 << 20

READ_FAILURES = (OSError, EOFError, zlib.error)
"""What reading or unpacking a damaged file raises."""


class Stamp(NamedTuple):
    """What changes when a file is written to or replaced."""

    size: int
    modified: int
    node: int
    device: int


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file's status."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


@contextmanager
def opened_file(path: Path, stamp: Stamp, packed: bool, place: Place) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A file open for reading: (stream of its content, the file on the disk, for its position).

    Raises:
        FhirImportError: it cannot be opened, or is not what it was when the source was listed.
    """
    raw = _open(path, place)
    with raw:
        _refuse_changed(raw, stamp, place)
        content = cast(BinaryIO, io.BufferedReader(_Unpacked(raw, place), 1 << 17)) if packed else raw
        yield content, raw
        _refuse_changed(raw, stamp, place)


def _open(path: Path, place: Place) -> BinaryIO:
    try:
        # without O_NONBLOCK a pipe that took the file's place would wait for ever
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        problem = f"{place}: cannot be opened; see that it is there and that you may read it"
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb", buffering=1 << 17)
        os.close(descriptor)
        problem = f"{place}: is a pipe or a device now, no file; copy the records to a folder of their own"
    raise FhirImportError(problem)


def _refuse_changed(raw: IO[bytes], stamp: Stamp, place: Place) -> None:
    if stamp_of(os.fstat(raw.fileno())) != stamp:
        raise FhirImportError(
            f"{place}: it changed while it was read; wait until the export is complete and import again"
        )


def lines(
    stream: BinaryIO, place: Place, first: int = 1, size: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """(number, line with its end) of a stream, blank lines included.

    Args:
        stream: at the beginning of a line.
        place: the file, for messages.
        first: number of the first line.
        size: bytes to read, which end at the end of a line; None for all.

    Raises:
        FhirImportError: a line is longer than ``MAX_LINE``.
    """
    number, left = first, size
    while left is None or left > 0:
        line = stream.readline(MAX_LINE + 1)
        if not line:
            return
        if len(line) > MAX_LINE:
            raise FhirImportError(
                f"{place.within('line', number)}: longer than {MAX_LINE >> 20} MB, as no line of NDJSON is; "
                "export one resource a line, or one Bundle as a .json file"
            )
        yield number, line
        number += 1
        if left is not None:
            left -= len(line)


def whole(stream: BinaryIO, place: Place) -> bytes:
    """All of a stream.

    Raises:
        FhirImportError: it is larger than ``MAX_DOCUMENT``.
    """
    # one read of that size would ask for all the memory at once
    pieces, size = [], 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > MAX_DOCUMENT:
            raise FhirImportError(
                f"{place}: larger than {MAX_DOCUMENT >> 30} GB as one JSON document; export it as NDJSON"
            )
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Unpacked(io.RawIOBase):
    """Unpacks gzip of one or several members piece by piece, and stops at a bomb."""

    def __init__(self, raw: BinaryIO, place: Place):
        self._raw = raw
        self._place = place
        self._members = gzip.GzipFile(fileobj=raw)
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._members.read1(len(buffer))
        buffer[: len(piece)] = piece
        self._given += len(piece)
        if self._given > FREE_BYTES and self._given > MAX_RATIO * self._raw.tell():
            raise FhirImportError(
                f"{self._place}: unpacks to more than {MAX_RATIO} times its size, as records never do; "
                "unpack it yourself and see what it holds"
            )
        return len(piece)
