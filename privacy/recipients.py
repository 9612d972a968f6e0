"""Names that patients go by with one recipient of an export."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

from privacy.derivation import KEY_VERSION, Keys, length_prefixed
from privacy.pseudonyms import Identity
from privacy.versions import Versions

_NAME_BYTES = 20

_PSEUDONYM = re.compile(r"^v[0-9]+-[a-z2-7]{32}(?= |$)")
"""What a text begins with that names a patient, or a patient in one arm; other texts name other things."""


def recipient_pseudonyms(
    keys: Keys, recipient: str, project: str = "default", study: str = ""
) -> Callable[[str], str]:
    """How one recipient gets to know patients: a name for each pseudonym of the project.

    The same patient has the same name with one recipient, and names with two recipients cannot be linked
    without the key, for each recipient has a key of its own. A name cannot be turned back. It outlives a
    rotation of the keys.

    Args:
        keys: the project's keys.
        recipient: who gets the data; white space around it does not count, letter case does.
        project, study: as for the pseudonyms.

    Returns:
        A function from a pseudonym, of any key version and with a word after it or none, to a name:
        ``r``, version of the derivation, and 160 bits of HMAC-SHA-256 in base32.

    Raises:
        UnusableIdentity: the recipient is empty or is not valid Unicode.
    """
    parties = Identity(project, recipient)  # normalises both
    key = keys.derive("recipient", project=parties.system, study=study.strip())
    own = hmac.digest(key, length_prefixed(parties.value), hashlib.sha256)
    versions = Versions(keys)

    def first(found: re.Match[str]) -> str:
        return versions.first(found[0])

    def named(pseudonym: str) -> str:
        digest = hmac.digest(own, length_prefixed(_PSEUDONYM.sub(first, pseudonym)), hashlib.sha256)[
            :_NAME_BYTES
        ]
        return f"r{KEY_VERSION}-{base64.b32encode(digest).decode('ascii').lower()}"

    return named
