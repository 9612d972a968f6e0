"""Search with paging: all resources of some types, page by page, and what was deleted.

A page's address is never built, it is taken from the page before it (``Bundle.link``, relation ``next``),
and only within the server's own origin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from fhir_io.server.documents import Json, parse, written
from fhir_io.server.errors import ServerError
from fhir_io.server.folder import IDENTITY, TYPE, RawFolder
from fhir_io.server.origins import shown
from fhir_io.server.pacing import http_date
from fhir_io.server.transport import Answer, Transport

PAGE = 200
"""Resources asked for on a page; the server may give fewer."""


@dataclass(frozen=True)
class Capabilities:
    """What the server says it can do; None where it says nothing."""

    types: frozenset[str] | None
    histories: frozenset[str]


def capabilities(transport: Transport) -> Capabilities:
    """Types of the server's capability statement, and those whose history it keeps."""
    place = "the capability statement"
    answer = transport.document(
        transport.rules.base + "/metadata", place, accept=(400, 401, 403, 404, 405, 406, 410)
    )
    if answer.status != 200:
        return Capabilities(None, frozenset())
    types: set[str] = set()
    histories: set[str] = set()
    for rest in _objects(parse(answer.body, place).get("rest")):
        for resource in _objects(rest.get("resource")):
            name = str(resource.get("type"))
            codes = {each.get("code") for each in _objects(resource.get("interaction"))}
            if TYPE.fullmatch(name):
                types.add(name)
                if "history-type" in codes:
                    histories.add(name)
    return Capabilities(frozenset(types) or None, frozenset(histories))


def search_type(
    transport: Transport,
    folder: RawFolder,
    kind: str,
    since: str | None,
    *,
    may_lack: bool,
    started: Callable[[float], None],
    remarks: dict[str, int],
) -> int | None:
    """Fetch all resources of one type, or those changed since an instant.

    Args:
        transport, folder: where from and where to.
        kind: resource type.
        since: FHIR instant, or None for all.
        may_lack: whether the server may be without the type.
        started: called with the time of the first answer by the server's clock, seconds since 1970.
        remarks: the server's own remarks on the search are counted here, by severity.

    Returns:
        How many matches the server promised (``Bundle.total``) and did not give; None if it does not have
        the type.

    Raises:
        ServerError: a page cannot be had, is no search result, or paging does not come to an end.
    """
    query = {"_count": str(PAGE)} if since is None else {"_lastUpdated": "ge" + since, "_count": str(PAGE)}
    url = f"{transport.rules.base}/{kind}?{urlencode(query)}"
    accept = (400, 404) if may_lack else ()
    repeats = given = promised = 0
    for number, answer in enumerate(_pages(transport, url, kind, accept), start=1):
        if number == 1:
            if answer.status in accept:
                return None
            date = http_date(answer.headers.get("date"))
            started(transport.clock.now() if date is None else date)
        place = f"page {number} of {kind}"
        bundle = _bundle(answer, place)
        entries = _entries(bundle, place)
        if number == 1 and isinstance(bundle.get("total"), int):
            promised = bundle["total"]
        given += len(entries)
        repeated = sum(
            [_take(folder, entry, f"{place}, entry {n}", remarks) for n, entry in enumerate(entries, start=1)]
        )
        repeats = repeats + 1 if entries and repeated == len(entries) else 0
        if repeats >= transport.limits.repeats:
            raise ServerError(
                f"{place}: the last {repeats} pages brought nothing new; the server's paging goes in circles"
            )
    return max(0, promised - given)


def search_deletions(transport: Transport, folder: RawFolder, kind: str, since: str) -> None:
    """Record what was deleted of a type since an instant, from the server's history of that type."""
    url = f"{transport.rules.base}/{kind}/_history?{urlencode({'_since': since, '_count': str(PAGE)})}"
    newest: dict[str, bool] = {}
    what = f"the history of {kind}"
    for number, answer in enumerate(_pages(transport, url, what, ()), start=1):
        place = f"page {number} of {what}"
        for entry in _entries(_bundle(answer, place), place):
            found = deletion(entry) or _identity(entry.get("resource"))
            if found is not None and found[0] == kind:  # a history begins with what is newest
                newest.setdefault(found[1], deletion(entry) is not None)
    for identity, gone in newest.items():
        if gone:
            folder.remove(kind, identity)


def deletion(entry: Json) -> tuple[str, str] | None:
    """Type and id of the resource that an entry of a Bundle deletes, or None."""
    request = entry.get("request")
    if not isinstance(request, dict) or request.get("method") != "DELETE":
        return None
    parts = str(request.get("url", "")).split("/")
    if len(parts) < 2 or not TYPE.fullmatch(parts[-2]) or not IDENTITY.fullmatch(parts[-1]):
        return None
    return parts[-2], parts[-1]


def _pages(transport: Transport, url: str, what: str, accept: Sequence[int]) -> Iterator[Answer]:
    asked: set[bytes] = set()
    for number in range(1, transport.limits.pages + 1):
        place = f"page {number} of {what}"
        asked.add(_mark(url))
        answer = transport.document(url, place, accept=accept if number == 1 else ())
        yield answer
        following = None if answer.status in accept else _next(parse(answer.body, place))
        if following is None:
            return
        url = transport.rules.resolve(following, answer.url, place)
        if not transport.rules.is_home(url):
            raise ServerError(
                f"{place}: the next page lies at another origin than {shown(transport.rules.home)}; "
                "it was not asked for"
            )
        if _mark(url) in asked:
            raise ServerError(
                f"{place}: the next page is one that was read before; the server's paging goes in circles"
            )
    raise ServerError(f"the search for {what} has more than {transport.limits.pages} pages; it was given up")


def _mark(url: str) -> bytes:
    return hashlib.blake2b(url.encode(), digest_size=16).digest()


def _next(bundle: Json) -> object:
    found = [link.get("url") for link in _objects(bundle.get("link")) if link.get("relation") == "next"]
    return found[0] if found else None


def _bundle(answer: Answer, place: str) -> Json:
    bundle = parse(answer.body, place)
    if bundle.get("resourceType") != "Bundle":
        raise ServerError(f"{place}: the server's answer is no Bundle; check that the address is a FHIR base")
    return bundle


def _entries(bundle: Json, place: str) -> list[Json]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ServerError(f"{place}: the entries of the Bundle are not a list of objects")
    return entries


def _take(folder: RawFolder, entry: Json, place: str, remarks: dict[str, int]) -> bool:
    """Write an entry's resource; whether this sync had already brought it."""
    resource = entry.get("resource")
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or not isinstance(kind, str) or not TYPE.fullmatch(kind):
        raise ServerError(f"{place}: it holds no resource; report it to the server's operator")
    if kind == "OperationOutcome":  # a remark on the search, not a record
        count_remarks(resource, remarks)
        return False
    line = written(resource, place)
    return folder.add(line, orjson.loads(line))


def count_remarks(outcome: Mapping[str, Any], remarks: dict[str, int]) -> None:
    """Count an OperationOutcome's issues by severity; one that cannot be read counts as an error."""
    severities = [issue.get("severity") for issue in _objects(outcome.get("issue"))]
    for severity in severities or ["error"]:
        known = severity if severity in ("fatal", "error", "warning", "information", "success") else "error"
        remarks[known] = remarks.get(known, 0) + 1


def _identity(resource: Any) -> tuple[str, str] | None:
    if not isinstance(resource, dict):
        return None
    kind, identity = resource.get("resourceType"), resource.get("id")
    return (kind, identity) if isinstance(kind, str) and isinstance(identity, str) else None


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
