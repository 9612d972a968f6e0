"""The client's private signing keys, from a file that its owner alone may read.

A JWKS file may hold several keys, which is how keys are rotated: the new key is added at the end, its
public half is published, and the old one is removed later. The last key is the newest and is tried first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from fhir_io.server.errors import ServerError
from privacy.private_files import refuse_exposed

_MOST_BYTES = 1 << 20
_RSA_2048 = 342  # base64url characters of a modulus of 2048 bits
_REMEDY = (
    "give a JWKS or PEM file with a private key on the curve P-384 (ES384) or an RSA key of 2048 bits or "
    "more (RS384)"
)


@dataclass(frozen=True)
class SigningKey:
    """A private key with the algorithm that SMART Backend Services asks for. Its text shows no secret."""

    kid: str
    algorithm: str
    key: Key = field(repr=False)


def read_keys(path: Path) -> tuple[SigningKey, ...]:
    """The signing keys of a JWKS file (or a single JWK, or a PEM file), the newest first.

    Keys for encryption, public halves and other algorithms in a JWKS are passed over. A key without
    ``kid`` gets its thumbprint (RFC 7638).

    Raises:
        ServerError: no such key can be read. KeysError: others may read the file.
    """
    try:
        refuse_exposed(path, "600")
        with open(path, "rb") as source:
            content = source.read(_MOST_BYTES)
    except OSError as error:
        raise ServerError(f"the key file cannot be read: {os.strerror(error.errno or 0).lower()}") from None
    if content.lstrip().startswith(b"-----BEGIN"):
        found = [_from_pem(content)]
    else:
        found = [_from_jwk(each) for each in _members(content)]
    keys = tuple(key for key in reversed(found) if key is not None)
    if not keys:
        raise ServerError(f"the key file holds no private key that can sign here; {_REMEDY}")
    return keys


def _members(content: bytes) -> list[Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ServerError(f"the key file is neither JSON nor PEM; {_REMEDY}") from None
    members = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ServerError(f"the key file is JSON but no set of keys; {_REMEDY}")
    return members


def _from_jwk(member: Any) -> SigningKey | None:
    if not isinstance(member, dict) or "d" not in member or member.get("use", "sig") != "sig":
        return None
    try:
        if member.get("kty") == "EC" and member.get("crv") == "P-384":
            return _named(ECKey.import_key(member), "ES384")
        if member.get("kty") == "RSA" and len(str(member.get("n"))) >= _RSA_2048:
            return _named(RSAKey.import_key(member), "RS384")
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None


def _from_pem(content: bytes) -> SigningKey | None:
    kinds: tuple[tuple[Any, str], ...] = ((ECKey, "ES384"), (RSAKey, "RS384"))
    for kind, algorithm in kinds:
        try:
            key = kind.import_key(content)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and (kind is RSAKey or key.curve_name == "P-384"):
            return _named(key, algorithm)
    return None


def _named(key: Any, algorithm: str) -> SigningKey | None:
    if isinstance(key, RSAKey) and key.private_key is not None and key.private_key.key_size < 2048:
        return None
    return SigningKey(str(key.kid or key.thumbprint()), algorithm, key)
