"""Files of a bulk export: a download that broke off goes on, and is checked before it counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import orjson

from fhir_io.server.errors import Expired, ServerError, TryAgain
from fhir_io.server.folder import IDENTITY, TYPE, RawFolder
from fhir_io.server.manifest import ExportFile
from fhir_io.server.origins import shown
from fhir_io.server.searching import count_remarks, deletion
from fhir_io.server.transport import Transport, unpacked

_BUFFER = 1 << 20
_NDJSON = {"Accept": "application/fhir+ndjson"}


def fetch_file(
    transport: Transport,
    folder: RawFolder,
    file: ExportFile,
    number: int,
    of: int,
    *,
    token: bool,
    organised: bool,
) -> dict[str, int]:
    """Download one file of an export and write what it holds.

    A file whose lines or count are wrong is downloaded once more from its start.

    Args:
        file: what the manifest says of it.
        number, of: its place in the list, for messages.
        token: whether the manifest wants the access token to be shown.
        organised: whether files are organised by patient, with ``Parameters`` that head each one.

    Returns:
        Number of the server's remarks by severity (files of errors or outcomes; empty for others).

    Raises:
        Expired: the server no longer has it. ServerError: it cannot be had, or is not what it should be.
    """
    place = f"file {number} of {of} of the export"
    if token and not transport.rules.may_see_token(file.url):
        raise ServerError(
            f"{place}: it wants the access token and lies at another origin than "
            f"{shown(transport.rules.home)}; if its operator confirms that, name it with --trust-origin"
        )
    part = folder.scratch()

    def once() -> dict[str, int]:
        packed = _download(transport, folder, file, place, token=token)
        try:
            return _settle(transport, folder, part, file, place, packed=packed, organised=organised)
        except BaseException:
            folder.undo_part()
            part.unlink(missing_ok=True)
            raise

    try:
        return transport.persist(place, once, attempts=2)
    finally:
        if not _begun(folder, file):
            part.unlink(missing_ok=True)


def _begun(folder: RawFolder, file: ExportFile) -> bool:
    return (folder.ledger.fact("download") or {}).get("url") == file.url


def _download(transport: Transport, folder: RawFolder, file: ExportFile, place: str, *, token: bool) -> bool:
    """Bring the file onto the disk as it was sent; whether that is gzip by its headers."""
    part = folder.scratch()
    expired = (404, 410) if token else (403, 404, 410)  # a signed address that is too old is forbidden

    def once() -> bool:
        headers: dict[str, str] = dict(_NDJSON)
        begun = folder.ledger.fact("download") or {}
        size = part.stat().st_size if part.exists() and begun.get("url") == file.url else 0
        if size and begun.get("tag"):
            headers |= {"Range": f"bytes={size}-", "If-Range": begun["tag"]}
        with transport.opened(
            file.url, place, headers=headers, accept=(*expired, 416), authorise=token, abroad=True
        ) as (response, _):
            if response.status_code in expired:
                raise Expired
            total = _continues(response, size)
            if response.status_code == 416 or (response.status_code == 206 and total is None):
                part.unlink(missing_ok=True)
                folder.ledger.remember("download", None)
                folder.step()
                raise TryAgain("the server does not go on where the download broke off")
            if total is None:
                size = 0
                _note(folder, file, response)
            with _appending(part, size) as out:
                for piece in transport.pieces(response, transport.limits.file - size, place):
                    out.write(piece)
                    size += len(piece)
            if total is not None and size != total:
                raise TryAgain("the answer broke off before its end")
        return bool((folder.ledger.fact("download") or {}).get("packed"))

    packed = transport.persist(place, once)
    folder.ledger.remember("download", None)
    return packed


def _note(folder: RawFolder, file: ExportFile, response: httpx.Response) -> None:
    """Remember what a later request needs to go on: a strong tag or the date of the file."""
    tag = response.headers.get("etag", "")
    strong = tag if tag.startswith('"') else response.headers.get("last-modified", "")
    packed = response.headers.get("content-encoding", "identity").lower() != "identity"
    folder.ledger.remember("download", {"url": file.url, "tag": strong, "packed": packed})
    folder.step()


def _continues(response: httpx.Response, size: int) -> int | None:
    """Size of the whole file if the answer goes on exactly after ``size`` bytes, else None."""
    if response.status_code != 206 or not size:
        return None
    unit, _, rest = response.headers.get("content-range", "").partition(" ")
    span, _, total = rest.partition("/")
    if unit != "bytes" or span.partition("-")[0] != str(size) or not total.isdigit():
        return None
    return int(total)


def _appending(part: Path, size: int) -> BinaryIO:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.ftruncate(descriptor, size)
    return os.fdopen(descriptor, "wb")


def _settle(
    transport: Transport,
    folder: RawFolder,
    part: Path,
    file: ExportFile,
    place: str,
    *,
    packed: bool,
    organised: bool,
) -> dict[str, int]:
    count = 0
    remarks: dict[str, int] = {}
    with open(part, "rb") as raw:
        layers = int(packed) + 1
        for number, line in enumerate(_lines(transport, raw, place, layers), start=1):
            if not line.strip():
                continue
            resource = _resource(line, f"line {number}")
            if organised and resource["resourceType"] == "Parameters":
                continue
            count += 1
            if file.section == "output":
                folder.add(line, resource)
            elif file.section == "deleted":
                _remove(folder, resource, f"line {number}")
            else:
                count_remarks(resource, remarks)
    if file.count is not None and count != file.count:
        raise TryAgain(f"it holds {count} resources and the manifest says {file.count}")
    return remarks


def _lines(transport: Transport, raw: BinaryIO, place: str, layers: int) -> Iterator[bytes]:
    """Lines without their ends, opened where the file or its transfer is gzip, each of bounded length."""
    pieces: Iterator[bytes] = iter(lambda: raw.read(_BUFFER), b"")
    for layer in range(layers):
        first = next(pieces, b"")
        pieces = _chain(first, pieces)
        if first[:2] == b"\x1f\x8b":
            pieces = unpacked(pieces, transport.limits.file, place)
        elif layer == 0 and layers == 2 and first:
            raise TryAgain("the answer is not the gzip it claims to be")
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        for line in whole:
            yield b"".join((*rest, line)).rstrip(b"\r")
            rest, held = [], 0
        rest.append(last)
        held += len(last)
        if held > transport.limits.line:
            raise ServerError(
                f"{place}: a line is longer than {transport.limits.line} bytes; it was not read on"
            )
    yield b"".join(rest)


def _chain(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from others


def _resource(line: bytes, place: str) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise TryAgain(f"{place} is not sound JSON") from None
    kind = found.get("resourceType") if isinstance(found, dict) else None
    if not isinstance(kind, str) or not TYPE.fullmatch(kind):
        raise TryAgain(f"{place} is no FHIR resource")
    return found


def _remove(folder: RawFolder, bundle: Mapping[str, Any], place: str) -> None:
    entries = bundle.get("entry", [])
    if bundle["resourceType"] != "Bundle" or not isinstance(entries, list):
        raise TryAgain(f"{place} is no Bundle of deletions")
    for number, entry in enumerate(entries, start=1):
        found = deletion(entry) if isinstance(entry, dict) else None
        if found is None or not IDENTITY.fullmatch(found[1]):
            raise TryAgain(f"{place}, entry {number} does not say what was deleted")
        folder.remove(*found)
