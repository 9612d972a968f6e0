"""Which files a source is made of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fhir_io.errors import FhirImportError
from fhir_io.reading.manifest import Manifest, check_manifest, read_manifest
from fhir_io.reading.streams import Stamp, stamp_of

SIDE_FILES = frozenset({"manifest.json", "log.ndjson", "log.json", "package.json", ".index.json"})
"""Names (in lower case) of files that lie beside exported records and hold none."""

LINES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
DOCUMENTS = (".json", ".json.gz")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".bz2", ".xz", ".zst")
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """The files of a source in the order of their names.

    Attributes:
        files: paths; the repr leaves them out.
        ignored: number of side files, and of files without the name of a FHIR file.
        manifest: of a bulk export, or None.
        export_errors: number of error files that the manifest lists.
        stamps: what each file's size and time were when the source was listed.
        packed: whether each file is gzip, told by its first bytes.
    """

    files: tuple[Path, ...] = field(repr=False)
    ignored: int
    manifest: Path | None = field(default=None, repr=False)
    export_errors: int = 0
    stamps: tuple[Stamp, ...] = field(default=(), repr=False)
    packed: tuple[bool, ...] = field(default=(), repr=False)

    @property
    def total_bytes(self) -> int:
        """Bytes of all files as they lie on disk."""
        return sum(stamp.size for stamp in self.stamps)


def open_source(path: Path) -> Source:
    """List the FHIR files of a folder (also below it) or the one file given.

    Links to files and folders are followed, each folder once.

    Raises:
        FhirImportError: the path does not exist, is an archive, a pipe or a device, or holds no JSON
            or NDJSON file; something with a FHIR name is no file; or the bulk export's manifest
            names a file that is missing or a place outside the folder.
    """
    if path.is_file():
        if path.name.lower().endswith(_ARCHIVES):
            raise FhirImportError(_unpack("the source"))
        return _stamped((path,), 0, None)
    if not path.is_dir():
        if os.path.lexists(path):
            raise FhirImportError(
                "the source is a pipe, a device or a link that leads nowhere; give a folder or a file"
            )
        raise FhirImportError(
            "the source does not exist; give a folder of FHIR Bundles or NDJSON files, or one file"
        )
    files: list[Path] = []
    ignored, archives = 0, 0
    manifest: Manifest | None = None
    for found, regular in sorted(_walk(path)):
        name = found.name.lower()
        if name in SIDE_FILES or name.startswith(".") or not name.endswith(LINES + DOCUMENTS):
            ignored += 1
            archives += name.endswith(_ARCHIVES)
            if name == "manifest.json" and found.parent == path and regular:
                manifest = read_manifest(found)
        elif regular:
            files.append(found)
        else:
            raise FhirImportError(
                "something in the folder has the name of a FHIR file but is a pipe, a device or a link that "
                "leads nowhere; take it out of the folder"
            )
    if not files:
        if archives:
            raise FhirImportError(_unpack("what lies in the folder"))
        raise FhirImportError(
            "the folder holds no FHIR file (.json, .ndjson or .gz of these); "
            "give the folder that the records were exported to"
        )
    if manifest:
        check_manifest(manifest, files)
    return _stamped(tuple(files), ignored, manifest)


def _walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """(path, whether it is an ordinary file) of everything but folders, below a folder."""
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        try:
            status = here.stat()
            with os.scandir(here) as entries:
                found = list(entries)
        except OSError:
            raise FhirImportError(
                "a folder in the source cannot be read; see that you may enter it"
            ) from None
        if (status.st_dev, status.st_ino) in seen:
            continue  # a link that leads back
        seen.add((status.st_dev, status.st_ino))
        for entry in found:
            mode = _mode(entry)
            if stat.S_ISDIR(mode):
                waiting.append(Path(entry.path))
            else:
                yield Path(entry.path), stat.S_ISREG(mode)


def _mode(entry: os.DirEntry[str]) -> int:
    """What an entry is, links followed; 0 for one that leads nowhere or to itself."""
    try:
        return entry.stat().st_mode
    except OSError:
        return 0


def _stamped(files: tuple[Path, ...], ignored: int, manifest: Manifest | None) -> Source:
    stamps, packed = [], []
    for ordinal, path in enumerate(files, start=1):
        try:
            with open(path, "rb") as stream:
                stamps.append(stamp_of(os.fstat(stream.fileno())))
                head = stream.read(6)
        except OSError:
            raise FhirImportError(
                f"file {ordinal} of {len(files)}: cannot be opened; see that you may read it"
            ) from None
        if head.startswith(_MAGIC):
            raise FhirImportError(_unpack(f"file {ordinal} of {len(files)}"))
        packed.append(head.startswith(_GZIP))
    errors = manifest.errors if manifest else 0
    return Source(files, ignored, manifest.path if manifest else None, errors, tuple(stamps), tuple(packed))


def _unpack(what: str) -> str:
    return f"{what} is an archive; unpack it into a folder of its own and give that folder"
