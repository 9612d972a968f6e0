"""Units of work: parts of a source that workers read on their own, in an order that is the source's.

A JSON document is one unit and so is a gzip file, which can only be read from its beginning. NDJSON
is cut into ranges of whole lines. Reading the units one after the other is reading the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fhir_io.errors import FhirImportError
from fhir_io.reading.containers import is_resource, opened, opened_text
from fhir_io.reading.json_text import parse, parse_resource
from fhir_io.reading.records import Place, Record
from fhir_io.reading.skipping import skipped
from fhir_io.reading.source import LINES, Source
from fhir_io.reading.streams import READ_FAILURES, Stamp, lines, opened_file, whole

UNIT_BYTES = 32 << 20
"""About so many bytes of NDJSON are one unit."""

_BLOCK = 1 << 20
_REPORT_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of one file; plain data, so that it can be handed to another process.

    Attributes:
        path: the file; the repr leaves it out.
        place: the file's ordinal.
        kind: ``lines`` of NDJSON or one JSON ``document``.
        packed: whether the file is gzip.
        stamp: the file as it was when the source was listed.
        start, stop: bytes of the range, ``stop`` excluded; 0 and the file's size for a whole file.
        first_line: number of the line at ``start``.
    """

    path: Path = field(repr=False)
    place: Place
    kind: Literal["document", "lines"]
    packed: bool
    stamp: Stamp
    start: int
    stop: int
    first_line: int = 1

    @property
    def size(self) -> int:
        """Bytes as they lie on disk."""
        return self.stop - self.start


def units(source: Source, size: int = UNIT_BYTES) -> list[Unit]:
    """Cut a source into units, in order.

    Args:
        source: from :func:`~fhir_io.reading.source.open_source`.
        size: bytes of NDJSON in a unit; it goes on to the end of the line that crosses them.

    Raises:
        FhirImportError: a file that is to be cut cannot be read or changed.
    """
    made: list[Unit] = []
    for number, (path, stamp, packed) in enumerate(
        zip(source.files, source.stamps, source.packed, strict=True), start=1
    ):
        place = Place(number, len(source.files), "", 0)
        kind: Literal["document", "lines"] = "lines" if path.name.lower().endswith(LINES) else "document"
        file = Unit(path, place, kind, packed, stamp, 0, stamp.size)
        made += _cut(file, size) if kind == "lines" and not packed and stamp.size > size else [file]
    return made


def _cut(file: Unit, size: int) -> Iterator[Unit]:
    """Ranges of whole lines, found by reading the file once in blocks."""
    start, first, newlines, position = 0, 1, 0, 0
    try:
        with opened_file(file.path, file.stamp, False, file.place) as (stream, _):
            while block := stream.read(_BLOCK):
                done = 0  # of this block
                while position + len(block) - start >= size:
                    end = block.find(b"\n", max(done, start + size - 1 - position))
                    if end < 0:
                        break
                    newlines += block.count(b"\n", done, end + 1)
                    done = end + 1
                    yield _range(file, start, position + done, first)
                    start, first = position + done, 1 + newlines
                newlines += block.count(b"\n", done)
                position += len(block)
    except READ_FAILURES:
        raise FhirImportError(f"{file.place}: cannot be read as a file; export it again") from None
    if start < file.stop:
        yield _range(file, start, file.stop, first)


def _range(file: Unit, start: int, stop: int, first_line: int) -> Unit:
    return Unit(file.path, file.place, file.kind, file.packed, file.stamp, start, stop, first_line)


def read_unit(
    unit: Unit, tell: Callable[[int], None] | None = None, needed: frozenset[str] | None = None
) -> Iterator[Record]:
    """The resources of a unit.

    Args:
        unit: from :func:`units`.
        tell: called now and then with the bytes of the unit that are done, as they lie on disk.
        needed: types of which the resources are wanted; of others only type and elements are told. None
            for all.

    Raises:
        FhirImportError: the file is truncated, is not JSON, holds no FHIR resource at all, is larger
            than what is read, or changed since the source was listed.
    """
    return _lines(unit, tell, needed) if unit.kind == "lines" else _document(unit, needed)


def read_records(source: Source, progress: Callable[[int, int], None] | None = None) -> Iterator[Record]:
    """All resources of a source, file by file in the order of names.

    Args:
        source: from :func:`~fhir_io.reading.source.open_source`.
        progress: called with (bytes done, bytes in all), bytes as they lie on disk.

    Raises:
        FhirImportError: as :func:`read_unit` does.
    """
    total = source.total_bytes
    done = 0

    def tell(here: int) -> None:
        if progress:
            progress(done + here, total)

    for unit in units(source, total + 1):
        yield from read_unit(unit, tell)
        tell(unit.size)
        done += unit.size


def _document(unit: Unit, needed: frozenset[str] | None) -> Iterator[Record]:
    place = unit.place
    try:
        with opened_file(unit.path, unit.stamp, unit.packed, place) as (stream, _):
            content = whole(stream, place)
    except READ_FAILURES:
        raise FhirImportError(f"{place}: cannot be read as a file; export it again") from None
    if needed is not None:
        records = opened_text(content, place, needed)
        if records is not None:
            yield from records
            return
    found = parse(content, place)
    if not is_resource(found):
        raise FhirImportError(
            f"{place} (in the order of names) is JSON but not FHIR: it has no resourceType. "
            "Move it out of the folder, or export the records as FHIR R4 JSON"
        )
    del content
    yield from opened(found, place)


def _lines(unit: Unit, tell: Callable[[int], None] | None, needed: frozenset[str] | None) -> Iterator[Record]:
    known = unit.start > 0  # the first range of a file looks whether there is FHIR in it
    number = unit.first_line - 1
    try:
        with opened_file(unit.path, unit.stamp, unit.packed, unit.place) as (stream, raw):
            size = None
            if not unit.packed:
                raw.seek(unit.start)
                size = unit.size
            for number, line in lines(stream, unit.place, unit.first_line, size):
                if line.isspace():
                    continue
                at = unit.place.within("line", number)
                passed = None if needed is None else skipped(line, needed)
                if passed is not None:
                    known = True
                    yield Record(None, at, None, None, None, passed)
                    if tell and number % _REPORT_EVERY == 0:
                        tell(raw.tell() - unit.start)
                    continue
                value, form = parse_resource(line, at)
                if is_resource(value):
                    known = True
                    yield from opened(value, at, None, form)
                else:
                    yield Record(None, at)
                if tell and number % _REPORT_EVERY == 0:
                    tell(raw.tell() - unit.start)
            if number and not known:
                _refuse_foreign(unit, number)
    except READ_FAILURES:
        raise FhirImportError(f"{unit.place}: cannot be read after line {number}; export it again") from None


def _refuse_foreign(unit: Unit, last: int) -> None:
    """Raise unless a line after this unit, which has none, is FHIR."""
    if not unit.packed and unit.stop < unit.stamp.size:
        beyond = _range(unit, unit.stop, unit.stamp.size, last + 1)
        if any(record.resource is not None or record.deleted for record in _lines(beyond, None, None)):
            return
    raise FhirImportError(
        f"{unit.place} (in the order of names) is NDJSON but not FHIR: no line has a resourceType. "
        "Move it out of the folder, or export the records as FHIR R4 NDJSON"
    )
