"""Which addresses may be asked, and which may see the access token.

An origin is scheme, host and port (RFC 6454). The token goes to the server's own origin alone, and to
those that were named by hand.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from fhir_io.server.errors import ServerError

Origin = tuple[str, str, int]
_PORTS = {"https": 443, "http": 80}


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an http(s) address; None if it is none, or carries a name and password."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _PORTS or not host or "@" in parts.netloc or any(c in url for c in "\r\n\t\\ "):
        return None
    return scheme, host, port or _PORTS[scheme]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(origin: Origin) -> str:
    """An origin in words, for messages."""
    scheme, host, port = origin
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port == _PORTS[scheme] else f"{scheme}://{name}:{port}"


@dataclass(frozen=True)
class Origins:
    """The server's base address, and what follows from it for other addresses."""

    base: str
    home: Origin
    trusted: frozenset[Origin]
    allow_http: bool

    def resolve(self, url: object, against: str, place: str) -> str:
        """An address that the server gave, made absolute, if it may be asked at all.

        Raises:
            ServerError: it is no http(s) address, is plain http to another machine, or points from
                another machine back to this one.
        """
        absolute = urljoin(against, url) if isinstance(url, str) else ""
        target = origin_of(absolute)
        if target is None:
            raise ServerError(
                f"{place}: the server gave an address that is not http(s); report it to its operator"
            )
        self._refuse_unsafe(target, place)
        return absolute.partition("#")[0]

    def may_see_token(self, url: str) -> bool:
        """Whether a request to this address may carry the access token."""
        target = origin_of(url)
        return target is not None and (target == self.home or target in self.trusted)

    def is_home(self, url: str) -> bool:
        """Whether an address is of the server's own origin."""
        return origin_of(url) == self.home

    def _refuse_unsafe(self, target: Origin, place: str) -> None:
        scheme, host, _ = target
        if is_loopback(host) and not is_loopback(self.home[1]):
            raise ServerError(
                f"{place}: the server points to an address of this machine; nothing was asked there"
            )
        if scheme == "http" and not is_loopback(host) and not self.allow_http:
            raise ServerError(
                f"{place}: plain http to another machine is refused, for anybody on the way could read it; "
                "use https, or give --allow-http on a network of your own"
            )


def origins(base: str, *, trusted: Iterable[str] = (), allow_http: bool = False) -> Origins:
    """Rules for a server.

    Args:
        base: FHIR base address, such as ``https://fhir.example.org/r4``.
        trusted: further origins that may see the access token (files of a bulk export).
        allow_http: whether plain http may go to other machines than this one.

    Raises:
        ServerError: the address is not usable, with the remedy.
    """
    home = origin_of(base)
    if home is None or urlsplit(base).query or urlsplit(base).fragment:
        raise ServerError(
            "the server's address is not usable; give its FHIR base as https://host/path, without a name, "
            "password or question mark"
        )
    others = set()
    for text in trusted:
        other = origin_of(text)
        if other is None or urlsplit(text).path.strip("/"):
            raise ServerError(
                "a trusted origin is given as https://host or https://host:port, without a path"
            )
        others.add(other)
    rules = Origins(base.rstrip("/"), home, frozenset(others), allow_http)
    for origin in (home, *others):
        rules._refuse_unsafe(origin, "the server")
    return rules
