"""Bundles and lines without building what nothing is taken from.

Claims and ExplanationOfBenefits are most of the bytes of an export. msgspec steps over them at the speed
of memory; what it steps over is seen to be JSON and UTF-8, and its type and the names of its elements are
read. Whatever is unusual (an unknown element of a Bundle, a field that is named twice, text that is not JSON)
is left to :mod:`fhir_io.reading.json_text`, which is exact, and names the place of an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from fhir_io.reading.records import Fields

_TYPE = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]+)"')
_CONTAINERS = frozenset({"Bundle", "Parameters"})


class _Entry(msgspec.Struct, gc=False):
    """What the specification lets a Bundle's entry have (https://hl7.org/fhir/R4/bundle.html)."""

    resource: Raw | UnsetType = UNSET
    fullUrl: Raw | UnsetType = UNSET  # noqa: N815
    request: Raw | UnsetType = UNSET
    response: Raw | UnsetType = UNSET
    search: Raw | UnsetType = UNSET
    link: Raw | UnsetType = UNSET


class _Bundle(msgspec.Struct, gc=False):
    resourceType: str  # noqa: N815
    entry: list[_Entry]
    id: Raw | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET
    identifier: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET
    total: Raw | UnsetType = UNSET
    link: Raw | UnsetType = UNSET


_bundle = msgspec.json.Decoder(_Bundle)
_fields = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder(Any)

Member = tuple[bytes | None, str | None, Any]
"""Of an entry: its resource, its fullUrl and its request; None for what is absent."""


def members(content: bytes) -> Iterator[Member] | None:
    """The entries of a Bundle as they stand in the text; None if it is anything else or unusual."""
    try:
        if not content.isascii():
            content.decode()
        bundle = _bundle.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if bundle.resourceType != "Bundle" or _colons(bundle) != content.count(b":"):
        return None
    return map(_member, bundle.entry)


def skipped(line: bytes, needed: frozenset[str]) -> tuple[str, Fields] | None:
    """Type and elements of a resource that is not needed; None if it is, or is unusual.

    Args:
        line: the text of a resource.
        needed: types that something is taken from.
    """
    match = _TYPE.match(line)
    if match is None:
        return None
    kind = match[1].decode()
    if kind in needed or kind in _CONTAINERS:
        return None
    try:
        if not line.isascii():
            line.decode()
        fields = _fields.decode(line)
        if _text.decode(fields["resourceType"]) != kind:  # it is named twice
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return kind, tuple(fields)


def _member(entry: _Entry) -> Member:
    resource, url, request = entry.resource, entry.fullUrl, entry.request
    full_url = None
    if url is not UNSET:
        found = _any.decode(url)
        full_url = found if isinstance(found, str) else None
    return (
        None if resource is UNSET else bytes(resource),
        full_url,
        None if request is UNSET else _any.decode(request),
    )


def _colons(bundle: _Bundle) -> int:
    """Colons in what was understood: fewer than in the text if a field is unknown or named twice."""
    parts = (bundle.id, bundle.meta, bundle.type, bundle.identifier, bundle.timestamp, bundle.total)
    found = 2
    for part in (*parts, bundle.link):
        if part is not UNSET:
            found += 1 + bytes(part).count(b":")
    for entry in bundle.entry:
        for part in (
            *(entry.resource, entry.fullUrl, entry.request),
            *(entry.response, entry.search, entry.link),
        ):
            if part is not UNSET:
                found += 1 + bytes(part).count(b":")
    return found
