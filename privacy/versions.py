"""Versions of a pseudonym: each rotation of the keys renames every patient by a keyed permutation.

Nobody without the new key can tell which new pseudonym an old one became, and with the keys of the vault
either can be computed from the other. So a rotation needs no identities, nothing in the vault hangs on
the present spelling, and a store that a kill left with old pseudonyms is renamed later all the same.

The permutation of 160 bits is a Feistel network of four rounds with HMAC-SHA-256 as round function. Luby
and Rackoff (SIAM Journal on Computing 17:373, 1988) prove four rounds of pseudorandom functions to be a
permutation that nobody can tell from a random one, in either direction, up to about 2^40 patients here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from privacy.derivation import KEY_VERSION, Keys
from privacy.errors import UnusablePseudonym

PSEUDONYM_BYTES = 20
_HALF = PSEUDONYM_BYTES // 2
_ROUNDS = 4


def spelled(content: bytes, version: int = KEY_VERSION) -> str:
    """A pseudonym as text: ``v``, the key version, and 20 bytes as 32 letters of base32."""
    return f"v{version}-{base64.b32encode(content).decode('ascii').lower()}"


class Versions:
    """Between a patient's first pseudonym, by which the vault knows the patient, and the present one.

    Args:
        keys: the keys, with those that they replaced.
    """

    def __init__(self, keys: Keys):
        self.present = keys.version
        self._steps = keys.steps()

    def shown(self, first: str) -> str:
        """The present pseudonym of a patient, from the first one."""
        if not self._steps:
            return first
        content = _read(first)[1]
        for step in self._steps:
            content = _permuted(step, content)
        return spelled(content, self.present)

    def first(self, pseudonym: str) -> str:
        """The first pseudonym of a patient, from one of any version.

        Raises:
            UnusablePseudonym: it is of a version that these keys have not reached, or is misspelled.
        """
        if pseudonym.startswith(f"v{KEY_VERSION}-"):
            return pseudonym
        version, content = _read(pseudonym)
        if version > self.present:
            raise UnusablePseudonym(
                f"a pseudonym is of key version {version}, but these keys are at version {self.present}; "
                "use the keys that the states were renamed with"
            )
        for step in reversed(self._steps[: version - KEY_VERSION]):
            content = _restored(step, content)
        return spelled(content)

    def renamed(self, pseudonym: str) -> str:
        """The present pseudonym of a patient, from one of any version.

        Raises:
            UnusablePseudonym: as :meth:`first`.
        """
        return self.shown(self.first(pseudonym))


def version_of(pseudonym: str) -> int:
    """The key version that a pseudonym shows.

    Raises:
        UnusablePseudonym: it is misspelled.
    """
    return _read(pseudonym)[0]


def _read(pseudonym: str) -> tuple[int, bytes]:
    prefix, _, letters = pseudonym.partition("-")
    try:
        version, content = int(prefix.removeprefix("v")), base64.b32decode(letters.upper())
    except (ValueError, binascii.Error):
        raise UnusablePseudonym("a pseudonym is misspelled; copy it from the patient states") from None
    if version < KEY_VERSION or len(content) != PSEUDONYM_BYTES:
        raise UnusablePseudonym("a pseudonym is misspelled; copy it from the patient states")
    return version, content


def _permuted(key: bytes, content: bytes) -> bytes:
    left, right = content[:_HALF], content[_HALF:]
    for number in range(_ROUNDS):
        left, right = right, _xor(left, _round(key, number, right))
    return left + right


def _restored(key: bytes, content: bytes) -> bytes:
    left, right = content[:_HALF], content[_HALF:]
    for number in reversed(range(_ROUNDS)):
        left, right = _xor(right, _round(key, number, left)), left
    return left + right


def _round(key: bytes, number: int, half: bytes) -> bytes:
    return hmac.digest(key, bytes([number]) + half, hashlib.sha256)[:_HALF]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
