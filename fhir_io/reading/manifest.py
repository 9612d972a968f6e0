"""The manifest of a bulk export, held against the files beside it.

Nothing that a manifest names is ever opened: its names are only compared with what lies there.
https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fhir_io.errors import FhirImportError
from fhir_io.reading.json_text import parse
from fhir_io.reading.records import Place

_BLOCK = 1 << 20
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Manifest:
    """What is used of a manifest: (name, count or None) of output and deleted files, number of errors."""

    path: Path = field(repr=False)
    listed: tuple[tuple[str, int | None], ...] = field(repr=False)
    errors: int


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of a bulk export; None if a file of that name is the manifest of something else.

    Raises:
        FhirImportError: it names a place outside the folder.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        document = parse(path.read_bytes(), "the manifest")
    except (OSError, FhirImportError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("output"), list):
        return None
    listed = []
    for part in ("output", "deleted"):
        found = document.get(part)
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                count = item.get("count")
                whole = isinstance(count, int) and not isinstance(count, bool)
                listed.append((_name(item.get("url")), count if whole else None))
    errors = document.get("error")
    return Manifest(path, tuple(listed), len(errors) if isinstance(errors, list) else 0)


def server_of(folder: Path) -> str | None:
    """The address of the server that a raw folder was fetched from; None for any other source.

    ``fhir_io.server`` numbers its syncs in the manifest, which no bulk export does.
    """
    path = folder / "manifest.json"
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        document = parse(path.read_bytes(), "the manifest")
    except (OSError, FhirImportError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("sync"), int):
        return None
    address = document.get("request")
    return address if isinstance(address, str) and address.startswith(("http://", "https://")) else None


def _name(url: Any) -> str:
    """The file name at the end of an address."""
    parts = urlsplit(url if isinstance(url, str) else "")
    path = unquote(parts.path).replace("\\", "/")
    remote = parts.scheme in ("http", "https")
    if not remote and (".." in path.split("/") or path.startswith("/") or parts.scheme):
        raise FhirImportError(
            "the manifest of the bulk export names a place outside its folder; "
            "do not trust this export, and download it again"
        )
    return path.rsplit("/", 1)[-1]


def check_manifest(manifest: Manifest, files: list[Path]) -> None:
    """Compare names and counts of a manifest with the files that are there.

    Download tools rename files, so names are compared only if at least one of them is found.

    Raises:
        FhirImportError: a file is missing, or holds another number of lines than the manifest says.
    """
    ordinals = {path.name: n for n, path in enumerate(files, start=1)}
    missing = sum(name not in ordinals for name, _ in manifest.listed)
    if missing == len(manifest.listed):
        return
    if missing:
        raise FhirImportError(
            f"the manifest of the bulk export names {len(manifest.listed)} files and {missing} of them "
            "are not here; download the export again"
        )
    for name, count in manifest.listed:
        ordinal = ordinals[name]
        if count is not None and not name.lower().endswith(".gz"):
            _check_count(files[ordinal - 1], Place(ordinal, len(files), "", 0), count)


def _check_count(path: Path, place: Place, count: int) -> None:
    found, last = 0, b"\n"
    try:
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                found += block.count(b"\n")
                last = block[-1:]
            found += last != b"\n"
            if found != count:  # blank lines are no resources
                stream.seek(0)
                found = sum(1 for line in stream if line.strip())
    except OSError:
        raise FhirImportError(f"{place}: cannot be read as a file; export it again") from None
    if found != count:
        raise FhirImportError(
            f"{place} holds {found} resources and the manifest of the bulk export says {count}; "
            "download the export again"
        )
