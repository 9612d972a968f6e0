"""What Bundles and Parameters hold; a container itself is not counted as a resource.

A Bundle of any type is opened (collection, transaction, batch, searchset, document, history,
message), also inside a Bundle, in a Parameters or on an NDJSON line. An entry that asks for a
deletion, or tells of one, is a deletion, whatever else it carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_io.errors import FhirImportError
from fhir_io.reading.json_text import parse_resource
from fhir_io.reading.records import Json, Place, Record
from fhir_io.reading.skeletons import Skeleton
from fhir_io.reading.skipping import Member, members, skipped


def is_resource(value: Any) -> bool:
    """Whether a JSON value claims to be a FHIR resource."""
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def opened(
    resource: Json, place: Place, full_url: str | None = None, form: Skeleton | None = None
) -> Iterator[Record]:
    """The resource itself or, for a container, what it holds.

    Args:
        resource: the resource.
        place: where it stands.
        full_url: of the entry that it is in.
        form: skeleton of its text, if it was read from one of its own.

    Raises:
        FhirImportError: a container whose list of members is no list.
    """
    kind = resource["resourceType"]
    if kind == "Bundle":
        yield from _entries(resource, place)
    elif kind == "Parameters" and _carries(resource.get("parameter")):
        yield from _parameters(resource["parameter"], place)
    else:
        yield Record(resource, place, full_url, None, form)


def opened_text(content: bytes, place: Place, needed: frozenset[str]) -> Iterator[Record] | None:
    """What a Bundle holds, without building resources that are not needed; None if it is none, or unusual.

    Args:
        content: the text.
        place: the file or line.
        needed: types that something is taken from.
    """
    found = members(content)
    return None if found is None else _members(found, place, needed)


def _members(found: list[Member], place: Place, needed: frozenset[str]) -> Iterator[Record]:
    for number, (raw, full_url, request) in enumerate(found, start=1):
        at = place.within("entry", number)
        deleted = None if request is None else _deletion(request, full_url)
        if deleted is not None:
            yield Record(None, at, None, deleted)
        elif raw is not None:
            passed = skipped(raw, needed)
            if passed is not None:
                yield Record(None, at, full_url, None, None, passed)
                continue
            value, form = parse_resource(raw, at)
            if is_resource(value):
                yield from opened(value, at, full_url, form)
            else:
                yield Record(None, at)


def _entries(bundle: Json, place: Place) -> Iterator[Record]:
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        if entries is None:
            return
        raise FhirImportError(f"{place}: the Bundle's entry is not a list; export it again")
    for number, entry in enumerate(entries, start=1):
        at = place.within("entry", number)
        if not isinstance(entry, dict):
            yield Record(None, at)
            continue
        url = entry.get("fullUrl")
        full_url = url if isinstance(url, str) else None
        deleted = _deletion(entry.get("request"), full_url) if "request" in entry else None
        if deleted is not None:
            yield Record(None, at, None, deleted)
        elif "resource" in entry:  # without: a bare response, which holds no resource
            yield from _member(entry["resource"], at, full_url)


def _parameters(parameters: list[Any], place: Place) -> Iterator[Record]:
    for number, parameter in enumerate(parameters, start=1):
        at = place.within("parameter", number)
        if not isinstance(parameter, dict):
            continue
        if "resource" in parameter:
            yield from _member(parameter["resource"], at, None)
        if _carries(parameter.get("part")):
            yield from _parameters(parameter["part"], at)


def _member(inner: Any, at: Place, full_url: str | None) -> Iterator[Record]:
    if is_resource(inner):
        yield from opened(inner, at, full_url)
    else:
        yield Record(None, at)


def _carries(parameters: Any) -> bool:
    """Whether a list of parameters holds a resource, in itself or in its parts."""
    return isinstance(parameters, list) and any(
        isinstance(item, dict) and ("resource" in item or _carries(item.get("part"))) for item in parameters
    )


def _deletion(request: Any, full_url: str | None) -> tuple[str, str] | None:
    """Type and id of what a request deletes; None if it deletes nothing."""
    if not isinstance(request, dict) or request.get("method") != "DELETE":
        return None
    url = request.get("url")
    text = url if isinstance(url, str) and url else full_url or ""
    path, _, query = text.partition("?")
    parts = path.split("/_history/")[0].rstrip("/").split("/")
    if query:
        return parts[-1], f"?{query}"
    return (parts[-2], parts[-1]) if len(parts) >= 2 else ("", parts[-1])
