"""The manifest of a bulk export, in the words of version 1 to 3 of the specification and of the 4.0.0 ballot.

Version 4 calls ``error`` ``outcome``; files that are organised by patient carry no type; a manifest of
version 3 or later may go on in a further one (``link``, relation ``next``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from fhir_io.server.errors import ServerError
from fhir_io.server.folder import TYPE
from fhir_io.server.transport import Transport

PLACE = "the manifest of the export"


@dataclass(frozen=True)
class ExportFile:
    """One file of an export; ``section`` is output, deleted or outcome."""

    section: str
    url: str
    type: str | None
    count: int | None


@dataclass(frozen=True)
class Manifest:
    """A manifest, or one page of it."""

    transaction_time: str
    token: bool
    organised: bool
    files: tuple[ExportFile, ...]
    following: str | None
    tells_deletions: bool
    """whether it has a list of what was deleted, be it empty"""

    def mark(self) -> str:
        """What tells one export from another, whatever signature its addresses carry today."""
        rows = [[f.section, f.type, f.count, urlsplit(f.url).path] for f in self.files]
        return hashlib.sha256(orjson.dumps([self.transaction_time, rows])).hexdigest()


def read_manifest(transport: Transport, body: bytes, url: str) -> Manifest:
    """Read and check one page of a manifest.

    Args:
        body: its JSON.
        url: where it came from; file addresses may be relative to it.

    Raises:
        ServerError: something in it cannot be followed, with the file's place in the list.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ServerError(f"{PLACE} is not sound JSON; start the export again") from None
    if not isinstance(found, dict) or not isinstance(found.get("output"), list):
        raise ServerError(
            f"{PLACE} has no list of files (output); check that the server follows Bulk Data Access"
        )
    time = check_instant(found.get("transactionTime"))
    if time is None:
        raise ServerError(
            f"{PLACE} does not say its transactionTime with a zone; the next sync could not go on from it"
        )
    sections = {"output": ("output",), "deleted": ("deleted",), "outcome": ("error", "outcome")}
    files = [
        _file(transport, entry, section, number, url)
        for section, names in sections.items()
        for name in names
        for number, entry in enumerate(_list(found.get(name), name), start=1)
    ]
    if len(files) > transport.limits.files:
        raise ServerError(f"{PLACE} lists more than {transport.limits.files} files")
    links = [link for link in _list(found.get("link"), "link") if isinstance(link, dict)]
    following = [link.get("url") for link in links if link.get("relation") == "next"]
    return Manifest(
        time,
        found.get("requiresAccessToken") is not False,
        bool(found.get("outputOrganizedBy")),
        tuple(files),
        transport.rules.resolve(following[0], url, PLACE) if following else None,
        isinstance(found.get("deleted"), list),
    )


def check_instant(value: object) -> str | None:
    """A FHIR instant or dateTime with a zone, as it is; None for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        return value if datetime.fromisoformat(value).tzinfo is not None else None
    except ValueError:
        return None


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ServerError(f"{PLACE}: {name} is not a list")
    return value


def _file(transport: Transport, entry: Any, section: str, number: int, against: str) -> ExportFile:
    place = f"{PLACE}, {section} {number}"
    if not isinstance(entry, dict):
        raise ServerError(f"{place}: it is no object")
    kind, count = entry.get("type"), entry.get("count")
    if kind is not None and (not isinstance(kind, str) or not TYPE.fullmatch(kind)):
        raise ServerError(f"{place}: its type is no FHIR resource type; nothing was written")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
        raise ServerError(f"{place}: its count is no number of resources")
    return ExportFile(section, transport.rules.resolve(entry.get("url"), against, place), kind, count)
