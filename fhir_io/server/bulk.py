"""A bulk export job: kick-off, polling until the manifest is there, and its removal from the server.

Follows FHIR Bulk Data Access (hl7.org/fhir/uv/bulkdata) 1 to 3 and the 4.0.0 ballot, which knows only
the kick-off by POST.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import orjson

from fhir_io.server.errors import Expired, ServerError
from fhir_io.server.folder import IDENTITY
from fhir_io.server.manifest import Manifest, read_manifest
from fhir_io.server.origins import shown
from fhir_io.server.pacing import retry_after
from fhir_io.server.transport import Answer, Transport

_KICK_OFF = "the kick-off of the export"
_POLL = "the state of the export"
_FORMAT = "application/fhir+ndjson"
_FIRST_PAUSE = 1.0  # s between two questions, where the server does not say; doubles up to _LONGEST_PAUSE
_LONGEST_PAUSE = 60.0
_NO_GET = (400, 404, 405, 406, 501)
_ASYNC = {"Prefer": "respond-async"}


def export_path(level: str) -> str:
    """Path of the operation below the base: ``system``, ``patient``, or ``group/ID``.

    Raises:
        ServerError: it is none of these.
    """
    if level == "system":
        return "/$export"
    if level == "patient":
        return "/Patient/$export"
    name, _, identity = level.partition("/")
    if name == "group" and IDENTITY.fullmatch(identity):
        return f"/Group/{quote(identity)}/$export"
    raise ServerError("an export is of the system, of all patients, or of one group, named by its id")


def kick_off(transport: Transport, level: str, types: Sequence[str], since: str | None) -> str:
    """Start an export.

    Args:
        level: see :func:`export_path`.
        types: resource types.
        since: FHIR instant; None for all.

    Returns:
        Address at which its state can be asked.

    Raises:
        ServerError: the server does not start one.
    """
    url = transport.rules.base + export_path(level)
    query = {"_outputFormat": _FORMAT, "_type": ",".join(types)}
    if since is not None:
        query["_since"] = since
    answer = transport.document(f"{url}?{urlencode(query)}", _KICK_OFF, headers=_ASYNC, accept=_NO_GET)
    if answer.status in _NO_GET:
        posted = _post(transport, url, query)
        if posted.status in _NO_GET:
            raise ServerError(
                f"{_KICK_OFF}: the server answers {answer.status} to GET and {posted.status} to POST; check "
                "that it offers this export, and that it has the types that are asked for (--type)"
            )
        answer = posted
    location = answer.headers.get("content-location")
    if answer.status != 202 or location is None:
        raise ServerError(
            f"{_KICK_OFF}: the server answers {answer.status} without a place to ask for the result"
        )
    status = transport.rules.resolve(location, answer.url, _KICK_OFF)
    if not transport.rules.is_home(status):
        raise ServerError(
            f"{_KICK_OFF}: the result would lie at another origin than {shown(transport.rules.home)}; "
            "check the address of the server"
        )
    return status


def _post(transport: Transport, url: str, query: dict[str, str]) -> Answer:
    kinds = {"_outputFormat": "valueString", "_type": "valueString", "_since": "valueInstant"}
    rows = [{"name": name, kinds[name]: value} for name, value in query.items()]
    headers = _ASYNC | {"Content-Type": "application/fhir+json"}
    body = orjson.dumps({"resourceType": "Parameters", "parameter": rows})
    return transport.document(url, _KICK_OFF, method="POST", headers=headers, content=body, accept=_NO_GET)


def wait_for_manifest(transport: Transport, status: str) -> Manifest:
    """Ask until the export is complete, as often as the server wishes; all pages of its manifest as one.

    Raises:
        Expired: the server no longer knows the job. ServerError: it failed, or takes too long.
    """
    first = _page(transport, status)
    files, following, seen = list(first.files), first.following, {status}
    while following is not None:
        if following in seen or len(seen) > transport.limits.files:
            raise ServerError("the manifest of the export refers to itself; start the export again")
        if not transport.rules.is_home(following):
            raise ServerError("the manifest of the export goes on at another origin; it was not asked there")
        seen.add(following)
        page = _page(transport, following)
        files, following = files + list(page.files), page.following
    return Manifest(
        first.transaction_time, first.token, first.organised, tuple(files), None, first.tells_deletions
    )


def _page(transport: Transport, url: str) -> Manifest:
    until = transport.clock.monotonic() + transport.limits.export
    pause = _FIRST_PAUSE
    while transport.clock.monotonic() < until:
        answer = transport.document(url, _POLL, headers={"Accept": "application/json"}, accept=(404, 410))
        if answer.status in (404, 410):
            raise Expired
        if answer.status == 200:
            return read_manifest(transport, answer.body, answer.url)
        if answer.status != 202:
            raise ServerError(f"{_POLL}: the server answers {answer.status}, which is no state of an export")
        asked = retry_after(answer.headers.get("retry-after"), transport.clock.now())
        wait = pause if asked is None else max(asked, _FIRST_PAUSE)
        transport.clock.sleep(min(wait, transport.limits.longest_wait))
        pause = min(2 * pause, _LONGEST_PAUSE)
    raise ServerError(
        f"{_POLL}: not complete after {transport.limits.export:g} s; run the same command again to go on"
    )


def remove(transport: Transport, status: str) -> bool:
    """Tell the server that the export's files are no longer needed; whether it agreed."""
    try:
        transport.document(status, _POLL, method="DELETE", accept=(404, 410))
    except ServerError:
        return False
    return True
