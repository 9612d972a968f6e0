"""Bundles and lines without building what nothing is taken from.

Claims and ExplanationOfBenefits are most of the bytes of an export. msgspec steps over them at the speed
of memory; what it steps over is seen to be JSON and UTF-8, and its type is read. Whatever is unusual (an
unknown element of a Bundle, a field that is named twice, text that is not JSON) is left to
:mod:`fhir_io.reading.json_text`, which is exact, and names the place of an error.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

_TYPE = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]+)"')
_CONTAINERS = frozenset({"Bundle", "Parameters"})


class _Entry(msgspec.Struct, gc=False):
    """What the specification lets a Bundle's entry have (https://hl7.org/fhir/R4/bundle.html)."""

    resource: Raw | UnsetType = UNSET
    fullUrl: Raw | UnsetType = UNSET
    request: Raw | UnsetType = UNSET
    response: Raw | UnsetType = UNSET
    search: Raw | UnsetType = UNSET
    link: Raw | UnsetType = UNSET


class _Head(msgspec.Struct, gc=False):
    resourceType: str


class _Bundle(msgspec.Struct, gc=False):
    resourceType: str
    entry: list[_Entry]
    id: Raw | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET
    identifier: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET
    total: Raw | UnsetType = UNSET
    link: Raw | UnsetType = UNSET


_bundle = msgspec.json.Decoder(_Bundle)
_head = msgspec.json.Decoder(_Head)
_fields = msgspec.json.Decoder(dict[str, Raw])
_any = msgspec.json.Decoder(Any)

Member = tuple[bytes | None, str | None, Any]
"""Of an entry: its resource, its fullUrl and its request; None for what is absent."""


def members(content: bytes) -> list[Member] | None:
    """The entries of a Bundle as they stand in the text; None if it is anything else or unusual."""
    try:
        if not content.isascii():
            content.decode()
        bundle = _bundle.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if bundle.resourceType != "Bundle":
        return None
    found = [_member(entry) for entry in bundle.entry]
    # fewer colons were understood than there are: an element is unknown, or is named twice
    if _colons(bundle) + sum(colons for _, colons in found) != content.count(b":"):
        return None
    return [member for member, _ in found]


def skipped(line: bytes, needed: frozenset[str]) -> tuple[str, bytes] | None:
    """Type and text of a resource that is not needed; None if it is, or is unusual.

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
        if _head.decode(line).resourceType != kind:  # it is named twice
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return kind, line


def elements(text: bytes) -> tuple[str, ...]:
    """Names of the elements of a resource that :func:`skipped` gave."""
    return tuple(_fields.decode(text))


def _member(entry: _Entry) -> tuple[Member, int]:
    """An entry, and the number of colons in it."""
    colons = 0
    resource = url = request = None
    if entry.resource is not UNSET:
        resource = bytes(entry.resource)
        colons += 1 + resource.count(b":")
    if entry.fullUrl is not UNSET:
        text = bytes(entry.fullUrl)
        colons += 1 + text.count(b":")
        found = _any.decode(text)
        url = found if isinstance(found, str) else None
    if entry.request is not UNSET:
        text = bytes(entry.request)
        colons += 1 + text.count(b":")
        request = _any.decode(text)
    for part in (entry.response, entry.search, entry.link):
        if part is not UNSET:
            colons += 1 + bytes(part).count(b":")
    return (resource, url, request), colons


def _colons(bundle: _Bundle) -> int:
    """Colons in a Bundle, without its entries."""
    parts = (bundle.id, bundle.meta, bundle.type, bundle.identifier, bundle.timestamp, bundle.total)
    told = [part for part in (*parts, bundle.link) if part is not UNSET]
    return 2 + len(told) + sum(bytes(part).count(b":") for part in told)
