"""Writing resources: one Bundle, or a folder of NDJSON by type; whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from fhir_io.export.errors import ExportError
from fhir_io.export.names import Json, Names
from vht.files import sync_folder, write_whole

BundleType = Literal["collection", "transaction"]


def to_json(content: Any) -> bytes:
    """Compact JSON in which a Decimal keeps the digits that it was written with."""
    return orjson.dumps(content, default=_decimal)


def write_bundle(path: Path, resources: Iterable[Json], kind: BundleType, own: str) -> int:
    """Write one Bundle; returns how many entries it has.

    Args:
        path: the file; replaced if it is there.
        resources: with their ids.
        kind: ``collection``, or ``transaction`` for a server, whose ids are then the server's own.
        own: id of the Bundle.
    """
    count = 0

    def write(out: BinaryIO) -> None:
        nonlocal count
        head = {"resourceType": "Bundle", "id": own, "type": kind}
        out.write(to_json(head)[:-1] + b',"entry":[')
        for resource in resources:
            out.write((b",\n" if count else b"\n") + to_json(_entry(resource, kind)))
            count += 1
        out.write(b"\n]}\n")

    write_whole(path, write)
    return count


def write_folder(folder: Path, resources: Iterable[Json]) -> int:
    """Write ``Type.ndjson`` files into an empty or new folder; returns how many resources they hold.

    Raises:
        ExportError: the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError("the folder to write is a file or holds something; choose another, or a .json file")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        count = _write_types(work, resources)
        work.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.rename(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return count


def _write_types(work: Path, resources: Iterable[Json]) -> int:
    count = 0
    with ExitStack() as open_files:
        files: dict[str, BinaryIO] = {}
        for resource in resources:
            kind = resource["resourceType"]
            if kind not in files:
                files[kind] = open_files.enter_context(open(work / f"{kind}.ndjson", "wb"))
            files[kind].write(to_json(resource) + b"\n")
            count += 1
        for out in files.values():
            out.flush()
            os.fsync(out.fileno())
    return count


def _entry(resource: Json, kind: BundleType) -> Json:
    url = Names.url(resource["id"])
    if kind == "collection":
        return {"fullUrl": url, "resource": resource}
    content = {key: item for key, item in resource.items() if key != "id"}
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": url, "resource": content, "request": request}


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")
