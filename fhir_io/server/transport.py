"""Requests to one server: rate, retries, redirects, deadlines, sizes, and who sees the token.

Everything that is fetched goes through :class:`Transport`. An answer is read in pieces and given up as
soon as it is too large or too slow. Neither addresses nor headers reach a log.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx

from fhir_io.server.errors import ServerError, TryAgain
from fhir_io.server.limits import Limits
from fhir_io.server.origins import Origins, shown
from fhir_io.server.pacing import Clock, Pace, backoff, retry_after

T = TypeVar("T")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_WORDS = {
    400: "it does not accept the request",
    401: "it wants an access token, or refuses the one it was shown; check --client-id and --key",
    403: "it forbids this; ask its operator which scopes the client has",
    404: "there is no such thing; check the address",
    405: "it does not offer this",
    410: "it is gone",
}


class Authoriser(Protocol):
    """Where access tokens come from."""

    def token(self, transport: Transport) -> str:
        """A token that is valid now."""

    def refused(self) -> None:
        """The server did not accept the last token: forget it."""


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str


class Transport:
    """Requests to the server that ``rules`` describe.

    Args:
        rules: from :func:`fhir_io.server.origins.origins`.
        auth: gives access tokens; None for an open server.
        rate: requests a second, at most.
        limits: bounds on times and sizes.
        seed: decides the jitter of waits; None draws one, so that many clients do not march in step.
        clock: time and pauses.
    """

    def __init__(
        self,
        rules: Origins,
        *,
        auth: Authoriser | None = None,
        rate: float | None = None,
        limits: Limits | None = None,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.rules = rules
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self.requests = 0
        self._auth = auth
        self._pace = Pace(rate, self.clock)
        self._jitter = random.Random(seed)
        self._watch = _Watch()
        for name in ("httpx", "httpcore"):  # they log addresses, which may hold patients or signatures
            logging.getLogger(name).setLevel(logging.WARNING)
        times = httpx.Timeout(self.limits.silence, connect=self.limits.connect)
        direct: Mapping[str, None] = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
        self._client = httpx.Client(timeout=times, follow_redirects=False, mounts=direct)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def document(
        self,
        url: str,
        place: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Iterable[int] = (),
        authorise: bool = True,
        repeat: bool = True,
    ) -> Answer:
        """One answer in memory, asked for again while the server has a passing trouble.

        Args:
            url: absolute address.
            place: what is fetched, for messages ("page 3 of Observation").
            method, headers, content: of the request.
            accept: statuses besides 2xx that the caller deals with.
            authorise: show the access token, if the origin may see it.
            repeat: False if a request must not be sent twice once it may have arrived.

        Raises:
            ServerError: it cannot be had.
        """

        def once() -> Answer:
            with self.opened(
                url,
                place,
                method=method,
                headers=headers,
                content=content,
                accept=accept,
                authorise=authorise,
            ) as (response, at):
                pieces = self.pieces(response, self.limits.document, place)
                if response.headers.get("content-encoding", "identity").lower() == "identity":
                    body = b"".join(pieces)
                else:
                    body = b"".join(unpacked(pieces, self.limits.document, place))
                return Answer(response.status_code, response.headers, body, at)

        return self.persist(place, once, attempts=None if repeat else 1)

    def persist(self, place: str, once: Callable[[], T], *, attempts: int | None = None) -> T:
        """Do ``once`` until it does not raise :class:`TryAgain`, with growing pauses, so many times."""
        attempts = attempts or self.limits.attempts
        problem = ""
        for attempt in range(attempts):
            try:
                return once()
            except TryAgain as again:
                problem, asked = again.problem, again.wait
            if attempt + 1 < attempts:
                pause = backoff(attempt, self.limits.first_wait, self.limits.longest_wait, self._jitter)
                if asked is not None:
                    pause = max(pause, min(asked, self.limits.longest_wait))
                self.clock.sleep(pause)
        times = "once" if attempts == 1 else f"{attempts} times"
        raise ServerError(f"{place}: {problem} ({times}); run the same command again later to go on")

    @contextmanager
    def opened(
        self,
        url: str,
        place: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Iterable[int] = (),
        authorise: bool = True,
        abroad: bool = False,
    ) -> Iterator[tuple[httpx.Response, str]]:
        """An answer whose body is still to be read, after redirects, and the address it came from.

        Args:
            abroad: whether a redirect may lead to another origin. The token never goes along.

        Raises:
            TryAgain: a passing trouble. ServerError: a lasting one.
        """
        accepted = frozenset(accept)
        renewed = False
        hops = 0
        while True:
            signed = authorise and self._auth is not None and self.rules.may_see_token(url)
            response = self._send(method, url, place, headers or {}, content, signed)
            try:
                status = response.status_code
                if status in accepted or 200 <= status < 300:
                    yield response, url
                    return
                if status in _REDIRECTS and method == "GET" and "location" in response.headers:
                    hops += 1
                    target = self.rules.resolve(response.headers["location"], url, place)
                    self._refuse_detour(target, place, hops, abroad)
                    authorise = authorise and self.rules.is_home(target)
                    url = target
                    continue
                if status == 401 and signed and not renewed and self._auth is not None:
                    renewed = True
                    self._auth.refused()
                    continue
                if status in _PASSING:
                    asked = retry_after(response.headers.get("retry-after"), self.clock.now())
                    raise TryAgain(f"the server answers {status}", asked)
                words = _WORDS.get(status, "this is not understood")
                raise ServerError(f"{place}: the server answers {status}: {words}")
            except httpx.HTTPError:
                raise TryAgain("the connection broke off") from None
            finally:
                response.close()

    def pieces(self, response: httpx.Response, bound: int, place: str) -> Iterator[bytes]:
        """The body as it arrives, still encoded.

        Raises:
            TryAgain: it broke off, or comes too slowly. ServerError: it is larger than ``bound`` bytes.
        """
        size = 0
        began = self.clock.monotonic()
        try:
            for piece in response.iter_raw():
                size += len(piece)
                if size > bound:
                    raise ServerError(f"{place}: the answer is larger than {bound} bytes; it was not read on")
                took = self.clock.monotonic() - began
                if took > self.limits.patience and size < took * self.limits.slowest:
                    raise TryAgain("the answer comes too slowly")
                yield piece
        except httpx.TimeoutException:
            raise TryAgain(f"the answer stopped for {self.limits.silence:g} s") from None
        except (httpx.HTTPError, httpx.StreamError):
            raise TryAgain("the answer broke off before its end") from None

    def _send(
        self,
        method: str,
        url: str,
        place: str,
        headers: Mapping[str, str],
        content: bytes | None,
        signed: bool,
    ) -> httpx.Response:
        sent = {
            "Accept": "application/fhir+json",
            "Accept-Encoding": "gzip",
            "User-Agent": "virtual-human-twin",
        }
        sent.update(headers)
        if signed and self._auth is not None:
            sent["Authorization"] = f"Bearer {self._auth.token(self)}"
        self._pace.wait()
        self.requests += 1
        try:
            request = self._client.build_request(
                method, url, headers=sent, content=content, extensions={"trace": self._watch.trace}
            )
        except (httpx.InvalidURL, ValueError):
            raise ServerError(f"{place}: the server gave an address that cannot be asked") from None
        with self._watch.over(self.limits.answer) as late:
            try:
                return self._client.send(request, stream=True)
            except httpx.ConnectError as error:
                if "CERTIFICATE" in str(error).upper():
                    raise ServerError(
                        f"{place}: the server's certificate cannot be trusted; if it is one of your own "
                        "authority, name that authority's file in SSL_CERT_FILE"
                    ) from None
                raise TryAgain("the server cannot be reached") from None
            except httpx.TimeoutException:
                raise TryAgain("the server does not answer in time") from None
            except httpx.HTTPError:
                problem = "does not answer in time" if late() else "closes the connection without an answer"
                raise TryAgain(f"the server {problem}") from None

    def _refuse_detour(self, target: str, place: str, hops: int, abroad: bool) -> None:
        if hops > self.limits.redirects:
            raise ServerError(f"{place}: the server redirects more than {self.limits.redirects} times")
        if not abroad and not self.rules.is_home(target):
            raise ServerError(
                f"{place}: the server redirects to another origin than {shown(self.rules.home)}; "
                "if that is where it lives now, give that address instead"
            )


def unpacked(pieces: Iterable[bytes], bound: int, place: str) -> Iterator[bytes]:
    """Gzip opened piece by piece, all its members, never more than ``bound`` bytes.

    Raises:
        TryAgain: it is cut off or broken. ServerError: it unpacks to more than ``bound``.
    """
    size = 0
    member = zlib.decompressobj(31)
    started = False
    for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member, started = zlib.decompressobj(31), False
            try:
                made = member.decompress(rest, 1 << 20)
            except zlib.error:
                raise TryAgain("the answer is not the gzip it claims to be") from None
            started = True
            size += len(made)
            if size > bound:
                raise ServerError(
                    f"{place}: the answer unpacks to more than {bound} bytes; it was not read on"
                )
            yield made
            rest = member.unconsumed_tail or member.unused_data
    if started and not member.eof:
        raise TryAgain("the answer broke off before its end")


class _Watch:
    """Ends an exchange whose headers do not come in time.

    The time-outs of httpx are for silence: a server that sends a byte now and then would hold it for
    days. The sockets are known from its trace of events; shutting one down wakes who waits on it.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            found = info["return_value"].get_extra_info("socket")
            self._sockets = [s for s in self._sockets if s.fileno() >= 0]
            if found is not None:
                self._sockets.append(found)

    @contextmanager
    def over(self, seconds: float) -> Iterator[Callable[[], bool]]:
        fired = threading.Event()

        def end() -> None:
            fired.set()
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield fired.is_set
        finally:
            timer.cancel()
