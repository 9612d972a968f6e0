"""One master key, and a key derived from it for each purpose, project and version.

HKDF-SHA256 (RFC 5869) with an unambiguous ``info`` keeps the derived keys independent: who learns
the pseudonym key of one project learns nothing about another project or about the vault.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
KEY_VERSION = 1
"""Version that new pseudonyms are made with; it is their visible prefix."""


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
    """The master key; the only thing to do with it is to derive from it. Its repr shows nothing."""

    _master: bytes = field(repr=False)

    def derive(self, purpose: str, *, project: str = "", version: int = KEY_VERSION) -> bytes:
        """The 32-byte key for one purpose in one project.

        Args:
            purpose: what the key is for, such as ``"pseudonym"``.
            project: the project it serves; empty for keys that serve the vault as a whole.
            version: key version.
        """
        info = length_prefixed("virtual-human-twin", purpose, project, str(version))
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master)
