"""One stream of resources out of bundles, single resources, NDJSON and bulk-export folders.

Every resource comes with its place (file ordinal in the order of names, entry or line), so that the
report can point at it without naming a file. A Bundle is a container and not counted itself; a
Bundle inside a Bundle or on an NDJSON line is opened too.
"""

from __future__ import annotations

import gc
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from fhir_io.errors import FhirImportError

Json = dict[str, Any]

SIDE_FILES = frozenset({"manifest.json", "log.ndjson", "log.json", "package.json", ".index.json"})
"""Names (in lower case) of files that lie beside exported records and hold none."""

_LINES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_DOCUMENTS = (".json", ".json.gz")
_REPORT_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource was read: file ordinal and entry (Bundle) or line (NDJSON), all from 1."""

    file: int
    files: int
    unit: str
    number: int

    def __str__(self) -> str:
        where = f"file {self.file} of {self.files}"
        return f"{where}, {self.unit} {self.number}" if self.unit else where


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was read; ``resource`` is None where the JSON is no FHIR resource."""

    resource: Json | None
    place: Place
    full_url: str | None = None


@dataclass(frozen=True)
class Source:
    """The files of a source in the order of their names; ``ignored`` counts side files."""

    files: tuple[Path, ...]
    ignored: int
    manifest: Path | None = None
    export_errors: int = 0

    @property
    def total_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)


def open_source(path: Path) -> Source:
    """List the FHIR files of a folder (also below it) or the one file given.

    Raises:
        FhirImportError: the path does not exist, or holds no JSON or NDJSON file; or the bulk
            export's manifest names a file that is missing.
    """
    if path.is_file():
        return Source((path,), 0)
    if not path.is_dir():
        raise FhirImportError(
            "the source does not exist; give a folder of FHIR Bundles or NDJSON files, or one file"
        )
    files: list[Path] = []
    ignored = 0
    manifest: Path | None = None
    for found in sorted(p for p in path.rglob("*") if p.is_file()):
        name = found.name.lower()
        if name in SIDE_FILES or name.startswith(".") or not name.endswith(_LINES + _DOCUMENTS):
            ignored += 1
            if name == "manifest.json" and found.parent == path:
                manifest = found
        else:
            files.append(found)
    if not files:
        raise FhirImportError(
            "the folder holds no FHIR file (.json, .ndjson or .gz of these); "
            "give the folder that the records were exported to"
        )
    errors = _check_manifest(manifest, files) if manifest else 0
    return Source(tuple(files), ignored, manifest, errors)


def read_records(source: Source, progress: Callable[[int, int], None] | None = None) -> Iterator[Record]:
    """All resources of a source, file by file in the order of names.

    Args:
        source: from :func:`open_source`.
        progress: called with (bytes done, bytes in all), bytes as they lie on disk.

    Raises:
        FhirImportError: a file is truncated, is not JSON, or holds no FHIR resource at all.
    """
    total, done = source.total_bytes, 0
    for ordinal, path in enumerate(source.files, start=1):
        place = Place(ordinal, len(source.files), "", 0)
        if path.name.lower().endswith(_LINES):
            yield from _lines(path, place, partial(_tell, progress, done, total))
        else:
            yield from _document(path, place)
        done += path.stat().st_size
        if progress:
            progress(done, total)


def _tell(progress: Callable[[int, int], None] | None, before: int, total: int, here: int) -> None:
    if progress:
        progress(before + here, total)


def _unpacked(raw: BinaryIO, path: Path) -> AbstractContextManager[Iterable[bytes]]:
    return gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else nullcontext(raw)


def _document(path: Path, place: Place) -> Iterator[Record]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error):
        raise FhirImportError(f"{place}: cannot be read as a file; export it again") from None
    found = _parse(content, place, f"{place}")
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise FhirImportError(
            f"{place} (in the order of names) is JSON but not FHIR: it has no resourceType. "
            "Move it out of the folder, or export the records as FHIR R4 JSON"
        )
    yield from _open(found, place, None)


def _lines(path: Path, place: Place, tell: Callable[[int], None]) -> Iterator[Record]:
    found = 0
    number = 0
    try:
        with open(path, "rb") as raw, _unpacked(raw, path) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                at = Place(place.file, place.files, "line", number)
                value = _parse(line, at, f"{at}")
                if isinstance(value, dict) and isinstance(value.get("resourceType"), str):
                    found += 1
                    yield from _open(value, at, None)
                else:
                    yield Record(None, at)
                if number % _REPORT_EVERY == 0:
                    tell(raw.tell())
    except (OSError, EOFError, zlib.error):
        raise FhirImportError(f"{place}: cannot be read after line {number}; export it again") from None
    if number and not found:
        raise FhirImportError(
            f"{place} (in the order of names) is NDJSON but not FHIR: no line has a resourceType. "
            "Move it out of the folder, or export the records as FHIR R4 NDJSON"
        )


def _open(resource: Json, place: Place, full_url: str | None) -> Iterator[Record]:
    """The resource itself or, for a Bundle, what it holds; nested Bundles keep the outer entry number."""
    if resource["resourceType"] != "Bundle":
        yield Record(resource, place, full_url)
        return
    entries = resource.get("entry", [])
    if not isinstance(entries, list):
        raise FhirImportError(f"{place}: the Bundle's entry is not a list; export it again")
    for number, entry in enumerate(entries, start=1):
        at = place if place.unit else Place(place.file, place.files, "entry", number)
        if not isinstance(entry, dict):
            yield Record(None, at)
            continue
        if "resource" not in entry:
            continue  # a deletion or a bare response: the Bundle carries no resource there
        inner, url = entry["resource"], entry.get("fullUrl")
        if isinstance(inner, dict) and isinstance(inner.get("resourceType"), str):
            yield from _open(inner, at, url if isinstance(url, str) else None)
        else:
            yield Record(None, at)


def _parse(content: bytes, place: Place, where: str) -> Any:
    try:
        with _without_garbage_collection():
            return orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        byte = len(error.doc[: error.pos].encode(errors="replace"))
        size = len(content)
        cut = "; it seems to be cut off" if byte >= size - 1 else ""
        raise FhirImportError(
            f"{where}: not readable as JSON at byte {byte} of {size} (line {error.lineno}){cut}. "
            "Export or copy it again; nothing was imported"
        ) from None


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collecting while millions of young objects appear takes most of the time of a parse."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check_manifest(manifest: Path, files: list[Path]) -> int:
    """Compare a bulk export's manifest with the files beside it; the number of its error files.

    Download tools rename files, so names are compared only if at least one of them is found.
    """
    try:
        document = orjson.loads(manifest.read_bytes())
    except json.JSONDecodeError:
        return 0  # MANIFEST.json of something else
    if not isinstance(document, dict) or not isinstance(document.get("output"), list):
        return 0
    listed = [str(o.get("url", "")).rsplit("/", 1)[-1] for o in document["output"] if isinstance(o, dict)]
    ordinals = {path.name: n for n, path in enumerate(files, start=1)}
    if any(name in ordinals for name in listed):
        missing = sum(name not in ordinals for name in listed)
        if missing:
            raise FhirImportError(
                f"the manifest of the bulk export names {len(listed)} files and {missing} of them are not "
                "here; download the export again"
            )
        for output, name in zip(document["output"], listed, strict=True):
            _check_count(files[ordinals[name] - 1], ordinals[name], len(files), output.get("count"))
    errors = document.get("error")
    return len(errors) if isinstance(errors, list) else 0


def _check_count(path: Path, ordinal: int, files: int, count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or path.suffix == ".gz":
        return
    with open(path, "rb") as stream:
        lines = sum(1 for line in stream if line.strip())
    if lines != count:
        raise FhirImportError(
            f"file {ordinal} of {files} holds {lines} resources and the manifest of the bulk export says "
            f"{count}; download the export again"
        )
