"""One master key, and a key derived from it for each purpose, project, study and version.

HKDF-SHA256 (RFC 5869) with an unambiguous ``info`` keeps the derived keys independent: who learns
the pseudonym key of one project learns nothing about another project or about the vault.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
KEY_VERSION = 1
"""Version of the pseudonyms that the first master key makes; the version is their visible prefix."""


def length_prefixed(*parts: str) -> bytes:
    """Encode a tuple of texts so that no two tuples share an encoding.

    Bare concatenation would let ("ab", "c") and ("a", "bc") collide.

    Args:
        parts: texts; encoded as UTF-8.

    Returns:
        The number of parts, then each part's length and bytes; numbers are 8 bytes, big-endian.

    Raises:
        UnicodeEncodeError: a part holds a lone surrogate.
    """
    encoded = [part.encode("utf-8") for part in parts]
    return b"".join(
        [len(encoded).to_bytes(8, "big"), *(len(e).to_bytes(8, "big") + e for e in encoded)],
    )


@dataclass(frozen=True)
class Keys:
    """The master key, and those it replaced; one can only derive from it. Its repr shows nothing.

    What must stay equal for good (names, tags of who withdrew, the pseudonyms of version 1) derives from
    the first master key, what seals the vault from the present one. Later versions of a pseudonym come
    from the first by one step a rotation (:mod:`privacy.versions`), each with a key of its own.

    Args:
        _master: the present master key.
        _former: the master keys before it, oldest first; they are kept in the vault, sealed.
    """

    _master: bytes = field(repr=False)
    _former: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def version(self) -> int:
        """Version of the pseudonyms that are made now: 1, and one more for each rotation."""
        return KEY_VERSION + len(self._former)

    def derive(
        self, purpose: str, *, project: str = "", study: str = "", version: int = KEY_VERSION
    ) -> bytes:
        """The 32-byte key for one purpose in one study of a project; no rotation changes it.

        Args:
            purpose: what the key is for, such as ``"pseudonym"``.
            project: the project it serves; empty for keys that serve the vault as a whole.
            study: the study of the project; empty for a project that is one study.
            version: version of the derivation.
        """
        # the count of parts is encoded with them, so no study shares a key with a project without one
        scope = (project, study) if study else (project,)
        return _expanded((*self._former, self._master)[0], purpose, *scope, str(version))

    def derive_present(self, purpose: str) -> bytes:
        """The 32-byte key for one purpose until the next rotation: seals of the vault."""
        return _expanded(self._master, purpose, "", str(KEY_VERSION))

    def steps(self) -> tuple[bytes, ...]:
        """The keys that lead from a pseudonym of version 1 to one of the present version, in order."""
        later = (*self._former, self._master)[1:]
        return tuple(
            _expanded(master, "pseudonym step", "", str(version))
            for version, master in enumerate(later, KEY_VERSION + 1)
        )

    def succeeded_by(self, master: bytes) -> Keys:
        """These keys after a rotation to a new master key."""
        return Keys(master, (*self._former, self._master))

    def present_secret(self) -> bytes:
        """The present master key itself: for its escrow alone."""
        return self._master

    def former_secrets(self) -> tuple[bytes, ...]:
        """The replaced master keys, oldest first: for the vault, which seals them."""
        return self._former


def _expanded(master: bytes, *info: str) -> bytes:
    context = length_prefixed("virtual-human-twin", *info)
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=context).derive(master)
