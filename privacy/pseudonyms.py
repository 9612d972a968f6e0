"""Pseudonyms: the same patient always gets the same one in a project, and nobody without the key
can compute it or link it to another project's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType

from privacy.derivation import KEY_VERSION, Keys, length_prefixed
from privacy.errors import Suppressed, UnusableIdentity
from privacy.keys import open_keys
from privacy.vault import Enrolment, Vault

_PSEUDONYM_BYTES = 20

KEYED_BYTES = 12
"""Length of a keyed hash of a name: 96 bits, of which a billion names share none but by a chance of 1e-11."""


@dataclass(frozen=True)
class Identity:
    """What a source calls a patient; its repr shows nothing of it.

    Both parts are normalised (Unicode NFC, surrounding white space removed), so that two spellings
    of one record number are one patient.

    Args:
        system: who issued the value, such as the URI of a hospital's record numbers.
        value: the identifier itself.

    Raises:
        UnusableIdentity: the value is empty, or is not valid Unicode.
    """

    system: str = field(repr=False)
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("system", "value"):
            part = unicodedata.normalize("NFC", getattr(self, name)).strip()
            if any("\ud800" <= character <= "\udfff" for character in part):
                raise UnusableIdentity(f"the {name} of an identity is not valid Unicode")
            object.__setattr__(self, name, part)
        if not self.value:
            raise UnusableIdentity("the value of an identity is empty; every patient needs an identifier")


class Pseudonymiser:
    """Turns identities into enrolments; use it as a context manager.

    Leaving the context commits the vault, leaving it by an exception forgets what was enrolled
    since the last commit. ``commit`` may be called in between: do so *before* states are written,
    because an enrolment without states is harmless, while states whose enrolment was lost would
    get another day zero on the next import.

    Example::

        with Pseudonymiser.open("keys") as pseudonymiser:
            enrolment = pseudonymiser.enrol(Identity("urn:hospital", record_number), last_seen)
    """

    def __init__(self, keys: Keys, vault: Vault, project: str = "default"):
        if not project.strip():
            raise ValueError("a project needs a name")
        self._project = unicodedata.normalize("NFC", project).strip()
        self._key = keys.derive("pseudonym", project=self._project)
        self._suppression_key = keys.derive("suppression")
        self._name_key = keys.derive("name", project=self._project)
        self._vault = vault

    @classmethod
    def open(cls, folder: Path | str, project: str = "default") -> Pseudonymiser:
        """Open the keys and the vault in a folder.

        Args:
            folder: the keys folder.
            project: pseudonyms of two projects cannot be linked without the key.

        Raises:
            KeysError: no keys, keys that others may read, a damaged key.
            VaultError: the vault is missing, damaged or belongs to another key.
        """
        folder = Path(folder)
        keys = open_keys(folder)
        return cls(keys, Vault(folder, keys), project)

    def pseudonym(self, identity: Identity) -> str:
        """The pseudonym of an identity: 160 bits of HMAC-SHA-256, base32, after the key version."""
        message = length_prefixed(self._project, identity.system, identity.value)
        digest = hmac.digest(self._key, message, hashlib.sha256)[:_PSEUDONYM_BYTES]
        return f"v{KEY_VERSION}-{base64.b32encode(digest).decode('ascii').lower()}"

    def enrol(
        self, patient: Identity | str, day_zero: date, born: tuple[int, int] | None = None
    ) -> Enrolment:
        """The enrolment of a patient.

        The first call for a patient fixes the study number and day zero; later calls return these,
        whatever day they propose.

        Args:
            patient: the identity, or the pseudonym that :meth:`pseudonym` gave for it.
            day_zero: calendar date that relative days count from, if the patient is new.
            born: first and last ordinal of the day of birth, if it is known.

        Raises:
            Suppressed: the patient withdrew consent.
            VaultError: the vault cannot be written, or another import holds it.
            TypeError: ``day_zero`` has a time of day.
        """
        if isinstance(day_zero, datetime) or not isinstance(day_zero, date):
            raise TypeError("day_zero must be a date without a time of day")
        tags = self._tags(patient)
        if any(self._vault.suppressed_since(tag) is not None for tag in tags):
            raise Suppressed("a patient who withdrew consent cannot be enrolled without a newer permit")
        pseudonym = patient if isinstance(patient, str) else self.pseudonym(patient)
        return self._vault.enrol(pseudonym, day_zero, born)

    def enrolled(self, pseudonym: str) -> Enrolment | None:
        """The enrolment of a pseudonym, or None.

        Raises:
            VaultError: the row was altered.
        """
        return self._vault.find(pseudonym)

    def keyed(self, kind: str, *parts: str) -> bytes:
        """A keyed hash that stands for a name in this project: equal names give equal hashes.

        Args:
            kind: what is named; names of two kinds never share a hash.
            parts: the name.
        """
        return hmac.digest(self._name_key, length_prefixed(kind, *parts), hashlib.sha256)[:KEYED_BYTES]

    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None:
        """Keep under which hashed names patients are known: (hash, pseudonym)."""
        self._vault.remember(aliases)

    def recall(self, name: bytes) -> str | None:
        """The pseudonym that a hashed name stood for in earlier imports, if for one."""
        return self._vault.recall(name)

    def suppress(self, patient: Identity | str, withdrawn: datetime | None = None) -> None:
        """Forget the enrolment of a patient in this project and keep the patient out of all projects.

        What stays is a keyed tag, of which nobody can read an identity. It survives imports; only
        :meth:`unsuppress` lifts it.

        Args:
            patient: the identity; or the pseudonym, which keeps the patient out of this project alone.
            withdrawn: when consent was withdrawn, with a time zone; the present if that is not known.

        Raises:
            VaultError: the vault cannot be written, or another import holds it.
            ValueError: the time has no zone.
        """
        for tag in self._tags(patient):
            self._vault.suppress(tag, withdrawn or datetime.now(UTC))
        self._vault.forget(patient if isinstance(patient, str) else self.pseudonym(patient))

    def suppressed(self, patient: Identity | str) -> bool:
        """Whether a patient withdrew consent and must stay out.

        Raises:
            VaultError: the vault cannot be read, or the row was altered.
        """
        return self.suppressed_since(patient) is not None

    def suppressed_since(self, patient: Identity | str) -> int | None:
        """Seconds since 1970 (UTC) at which a patient withdrew consent; None for one who did not."""
        found = [self._vault.suppressed_since(tag) for tag in self._tags(patient)]
        return max((since for since in found if since is not None), default=None)

    def unsuppress(self, patient: Identity | str, permitted: datetime) -> bool:
        """Let a patient in again if a permit was recorded after the withdrawal.

        Args:
            patient: the identity, or the pseudonym.
            permitted: when the permit was recorded, with a time zone.

        Returns:
            Whether the patient may be enrolled now; False if the permit is not newer.

        Raises:
            VaultError: the vault cannot be written, or another import holds it.
            ValueError: the time has no zone.
        """
        lifted = [self._vault.unsuppress(tag, permitted) for tag in self._tags(patient)]
        return all(lifted)

    def _tags(self, patient: Identity | str) -> list[bytes]:
        """What stands for a patient in the list of suppressions: the identity in all projects, the
        pseudonym in its own."""
        pseudonym = patient if isinstance(patient, str) else self.pseudonym(patient)
        messages = [length_prefixed("suppressed pseudonym", pseudonym)]
        if isinstance(patient, Identity):
            messages.append(length_prefixed("suppression", patient.system, patient.value))
        return [hmac.digest(self._suppression_key, message, hashlib.sha256) for message in messages]

    def commit(self) -> None:
        """Make the enrolments and suppressions so far durable."""
        self._vault.commit()

    def close(self) -> None:
        """Close the vault; enrolments since the last commit are forgotten."""
        self._vault.rollback()
        self._vault.close()

    def __enter__(self) -> Pseudonymiser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._vault.commit()
        finally:
            self.close()
