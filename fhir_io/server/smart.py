"""Access by SMART Backend Services: a signed assertion is exchanged for a short-lived token.

Discovery, assertion and scopes follow SMART App Launch 2 (hl7.org/fhir/smart-app-launch, "Backend
Services" and "Asymmetric Authentication"), the exchange RFC 7523.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
from joserfc import jwt

from fhir_io.server.errors import ServerError
from fhir_io.server.keyfile import SigningKey
from fhir_io.server.origins import origin_of, shown
from fhir_io.server.pacing import http_date
from fhir_io.server.transport import Transport

_LIFE_OF_ASSERTION = 240  # s; the guide allows five minutes
_LIFE_OF_TOKEN = 300.0  # s, what the guide recommends, where the answer does not say
_MARGIN = 30.0  # s before its end at which a token is renewed
_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OTHER_KEY = frozenset({"invalid_client", "invalid_grant"})
_DISCOVERY = "the server's SMART configuration"
_TOKEN = "the access token"


@dataclass
class BackendServices:
    """Access tokens for a client that is registered with its public keys.

    Args:
        client_id: as registered.
        keys: private keys, the newest first, from :func:`fhir_io.server.keyfile.read_keys`.
        types: resource types that are asked for; scopes are no wider.
        scope: scopes word by word, instead of those that follow from ``types``.
        token_url: the token endpoint. Needed where it lies at another origin than the server: an
            assertion that a false server got for a true endpoint would give it a true token.
    """

    client_id: str
    keys: Sequence[SigningKey] = field(repr=False)
    types: Sequence[str] = ()
    scope: str | None = None
    token_url: str | None = None
    _endpoint: str = field(default="", init=False, repr=False)
    _scopes: str = field(default="", init=False, repr=False)
    _skew: float = field(default=0.0, init=False, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False, repr=False)
    _first_key: int = field(default=0, init=False, repr=False)

    def token(self, transport: Transport) -> str:
        """The cached token, or a new one if that ends within half a minute (or a tenth of its life).

        Raises:
            ServerError: the server gives none.
        """
        if not self._token or transport.clock.monotonic() >= self._until:
            if not self._endpoint:
                self._discover(transport)
            self._exchange(transport)
        return self._token

    def refused(self) -> None:
        """Forget the token: the server does not accept it, whatever it said of its life."""
        self._token = ""

    def _discover(self, transport: Transport) -> None:
        rules = transport.rules
        answer = transport.document(
            rules.base + "/.well-known/smart-configuration",
            _DISCOVERY,
            headers={"Accept": "application/json"},
            authorise=False,
            accept=(404,),
        )
        found = _json(answer.body) if answer.status == 200 else {}
        given = self.token_url or found.get("token_endpoint")
        if given is None:
            raise ServerError(f"{_DISCOVERY} names no token endpoint; ask its operator and give --token-url")
        endpoint = rules.resolve(given, rules.base + "/", _DISCOVERY)
        origin = origin_of(endpoint)
        if self.token_url is None and origin is not None and origin != rules.home:
            raise ServerError(
                f"{_DISCOVERY} names a token endpoint at another origin, {shown(origin)}; "
                "if its operator confirms it, give its address as --token-url"
            )
        capabilities = found.get("capabilities")
        modern = isinstance(capabilities, list) and "permission-v2" in capabilities
        self._scopes = self.scope or scopes(self.types, modern=modern)
        self._endpoint = endpoint
        self._keep_skew(transport, answer.headers.get("date"))

    def _keep_skew(self, transport: Transport, date: str | None) -> None:
        """How far the server's clock is ahead, in seconds; assertions are dated by it."""
        theirs = http_date(date)
        self._skew = 0.0 if theirs is None else theirs - transport.clock.now()

    def _exchange(self, transport: Transport) -> None:
        order = [*range(self._first_key, len(self.keys)), *range(self._first_key)]
        problem = ""
        redated = False
        while order:
            number = order.pop(0)
            answer = self._ask(transport, self.keys[number])
            if answer.status == 200:
                self._keep(transport, _json(answer.body))
                self._first_key = number
                return
            problem = _word(_json(answer.body).get("error"))
            dated_by = self._skew
            self._keep_skew(transport, answer.headers.get("date"))
            if abs(self._skew - dated_by) > _MARGIN and not redated:  # this endpoint has a clock of its own
                redated = True
                order.insert(0, number)
                continue
            if problem not in _OTHER_KEY and answer.status != 401:
                break
        remedy = {
            "invalid_scope": "give the scopes that the client is registered with as --scope",
            "invalid_client": "check --client-id, and that the public half of a key of --key is published",
        }.get(problem, "ask its operator how the client is registered")
        raise ServerError(f"{_TOKEN}: the server refuses ({problem or 'without a known reason'}); {remedy}")

    def _ask(self, transport: Transport, key: SigningKey) -> Any:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._endpoint,
            "exp": int(transport.clock.now() + self._skew) + _LIFE_OF_ASSERTION,
            "jti": str(uuid.uuid4()),
        }
        header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}
        form = {
            "grant_type": "client_credentials",
            "scope": self._scopes,
            "client_assertion_type": _TYPE,
            "client_assertion": jwt.encode(header, claims, key.key, algorithms=[key.algorithm]),
        }
        return transport.document(
            self._endpoint,
            _TOKEN,
            method="POST",
            headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            accept=(400, 401, 403),
            authorise=False,
        )

    def _keep(self, transport: Transport, found: dict[str, Any]) -> None:
        token = found.get("access_token")
        kind = found.get("token_type")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
            raise ServerError(f"{_TOKEN}: the server's answer holds none")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise ServerError(f"{_TOKEN}: it is of another type than bearer, which is not supported")
        life = found.get("expires_in", _LIFE_OF_TOKEN)
        seconds = float(life) if isinstance(life, (int, float)) and life > 0 else _LIFE_OF_TOKEN
        self._token = token
        self._until = transport.clock.monotonic() + max(
            seconds - _MARGIN, 0.9 * seconds if seconds < 300 else 0
        )


def scopes(types: Sequence[str], *, modern: bool) -> str:
    """Scopes to read and search these types, in the words of SMART 2 (``.rs``) or 1 (``.read``)."""
    suffix = "rs" if modern else "read"
    return " ".join(f"system/{name}.{suffix}" for name in types or ("*",))


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _word(value: object) -> str:
    """An OAuth error code (RFC 6749, 5.2), which is one of a few words; anything else is not repeated."""
    known = ("request", "client", "grant", "scope")
    names = {f"invalid_{k}" for k in known} | {"unauthorized_client", "unsupported_grant_type"}
    return value if isinstance(value, str) and value in names else ""
