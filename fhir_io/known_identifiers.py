"""Everything in FHIR records that identifies a person, for a search of what was made from them.

This is a list of what must not be found elsewhere. It never leaves the process that searches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fhir_io.read import open_source, read_records

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SHORTEST_ID = 6


def known_identifiers(source: Path) -> list[tuple[str, str]]:
    """(field, value) of every name, number, address, contact, id and date of the records; each once.

    Args:
        source: a Bundle, an NDJSON file, or a folder of them.

    Raises:
        FhirImportError: the source cannot be read.
    """
    found: set[tuple[str, str]] = set()
    for record in read_records(open_source(source)):
        if record.resource is not None:
            found.update(_of(record.resource))
        if record.full_url:
            found.update(_of_reference(record.full_url))
    for path in [source] if source.is_file() else source.rglob("*"):
        if path.is_file() and len(path.stem) >= _SHORTEST_ID and any(c.isdigit() for c in path.stem):
            found.add(("file", path.stem))
    return sorted(found)


def _of(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for inner in value:
            yield from _of(inner)
        return
    if not isinstance(value, dict):
        return
    if "family" in value or "given" in value:
        yield from _texts("family", value.get("family"))
        yield from _texts("given", value.get("given"))
    if "postalCode" in value or "city" in value:
        yield from _texts("postal_code", value.get("postalCode"))
        yield from _texts("city", value.get("city"))
        yield from _texts("address", value.get("line"))
    for name, field in (("identifier", "identifier"), ("telecom", "telecom")):
        entries = value.get(name)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, dict):
                yield from _texts(field, entry.get("value"))
    for key, inner in value.items():
        if isinstance(inner, str):
            if key in ("id", "reference"):
                yield from _of_reference(inner)
            elif _DAY.match(inner):
                yield "date", inner[:10]
        yield from _of(inner)


def _of_reference(text: str) -> Iterator[tuple[str, str]]:
    name = text.rsplit("/", 1)[-1].removeprefix("urn:uuid:").removeprefix("#")
    # shorter ids, and words without a digit, are names of parts and not of people
    if len(name) >= _SHORTEST_ID and any(c.isdigit() for c in name):
        yield "id", name


def _texts(field: str, value: Any) -> Iterator[tuple[str, str]]:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and len(text.strip()) >= 2:
            yield field, text.strip()
