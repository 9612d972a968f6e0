"""Pseudonyms: the same patient always gets the same one in a study, from whatever source, and nobody
without the key can compute it or link it to another study's.

Two policies; the vault says which one it was made for. ``keyed`` computes a pseudonym from the identity and
the key. ``random`` draws it and keeps it in the vault: then nothing in a pseudonym derives from the
patient, as 45 CFR 164.514(c) asks of a code. An import with random pseudonyms, or into a vault that keeps
identities, holds the vault while it reads: two such imports run one after the other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType

from privacy.audit_record import AuditRecord
from privacy.derivation import Keys, length_prefixed
from privacy.errors import ReasonMissing, Suppressed, UnusableIdentity, UnusablePseudonym, VaultError
from privacy.keys import open_keys
from privacy.vault import Enrolment, Vault
from privacy.versions import PSEUDONYM_BYTES, Versions, spelled

Audit = Callable[[AuditRecord], None]
"""Takes an audit record; raises if it could not be kept, and then nothing is done."""

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

    def __init__(self, keys: Keys, vault: Vault, project: str = "default", study: str = ""):
        if not project.strip():
            raise ValueError("a project needs a name")
        self._project, self._study = (unicodedata.normalize("NFC", name).strip() for name in (project, study))
        own = partial(keys.derive, project=self._project, study=self._study)
        self._key, self._tag_key, self._name_key = own("pseudonym"), own("identity tag"), own("name")
        self._suppression_key = keys.derive("suppression")
        self._versions = Versions(keys)
        self._vault = vault

    @classmethod
    def open(cls, folder: Path | str, project: str = "default", study: str = "") -> Pseudonymiser:
        """Open the keys and the vault in a folder.

        Args:
            folder: the keys folder.
            project: pseudonyms of two projects cannot be linked without the key.
            study: study of the project, if it has several; nor can those of two studies.

        Raises:
            KeysError: no keys, keys that others may read, a damaged key.
            VaultError: the vault is missing, damaged or belongs to another key.
        """
        folder = Path(folder)
        keys = open_keys(folder)
        return cls(keys, Vault(folder, keys), project, study)

    @property
    def version(self) -> int:
        """Key version of the pseudonyms that are given now."""
        return self._versions.present

    def pseudonym(self, identity: Identity) -> str:
        """The pseudonym of an identity: 160 bits in base32, after the key version.

        They are of HMAC-SHA-256, or drawn and kept where the vault is one of random pseudonyms; of who
        is not enrolled before the next commit, a drawn one is forgotten again.

        Raises:
            VaultError: the vault must be written and cannot be, or another import holds it.
        """
        if self._vault.random:
            drawn = spelled(secrets.token_bytes(PSEUDONYM_BYTES))
            return self._versions.shown(self._kept(identity, drawn))
        computed = self._computed(identity)
        return self._versions.shown(
            self._kept(identity, computed) if self._vault.reidentifiable else computed
        )

    def known(self, identity: Identity) -> str | None:
        """The pseudonym of an identity that is enrolled; None if it is not. Nothing is written."""
        first = self._first(identity)
        if first is None or self._vault.find(first) is None:
            return None
        return self._versions.shown(first)

    def renamed(self, pseudonym: str) -> str:
        """The present pseudonym of a patient, from one that was given before the keys were rotated.

        Raises:
            UnusablePseudonym: it is misspelled, or of a version that these keys have not reached.
        """
        return self._versions.renamed(pseudonym)

    def reidentify(self, pseudonym: str, reason: str, audit: Audit) -> Identity | None:
        """Who a patient is. Only a vault that was made re-identifiable knows.

        Args:
            pseudonym: of any key version.
            reason: why; it goes to the audit log, so no patient in it.
            audit: keeps the record *before* an identity is given; if it raises, none is.

        Returns:
            The identity; None if the vault keeps none for this pseudonym.

        Raises:
            ReasonMissing: the reason is empty.
            VaultError: the vault keeps no identities (the refusal is audited), or a row was altered.
            UnusablePseudonym: it is misspelled.
        """
        reason = given_reason(reason)
        try:
            first = self._versions.first(pseudonym)
        except UnusablePseudonym:
            audit(AuditRecord("reidentify", "TRUST", None, reason, "unknown"))
            raise
        if not self._vault.reidentifiable:
            audit(AuditRecord("reidentify", "TRUST", pseudonym, reason, "refused"))
            raise VaultError(
                f"{self._vault.path} keeps no identities, so nobody can be named; only a vault made with "
                "`vht keys init --reidentifiable` does"
            )
        found = self._vault.identity_of(first)
        audit(AuditRecord("reidentify", "TRUST", pseudonym, reason, "done" if found else "unknown"))
        return Identity(*found) if found else None

    def _computed(self, identity: Identity) -> str:
        scope = (self._project, self._study) if self._study else (self._project,)
        message = length_prefixed(*scope, identity.system, identity.value)
        return spelled(hmac.digest(self._key, message, hashlib.sha256)[:PSEUDONYM_BYTES])

    def _kept(self, identity: Identity, first: str) -> str:
        return self._vault.keep(self._tag(identity), first, (identity.system, identity.value))

    def _tag(self, identity: Identity) -> bytes:
        message = length_prefixed(identity.system, identity.value)
        return hmac.digest(self._tag_key, message, hashlib.sha256)

    def _first(self, patient: Identity | str) -> str | None:
        """The name of a patient in the vault; None for an identity that has no random pseudonym yet."""
        if isinstance(patient, str):
            return self._versions.first(patient)
        return self._vault.pseudonym_of(self._tag(patient)) if self._vault.random else self._computed(patient)

    def _shown(self, enrolment: Enrolment) -> Enrolment:
        return replace(enrolment, pseudonym=self._versions.shown(enrolment.pseudonym))

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
        return self._shown(self._vault.enrol(self._versions.first(pseudonym), day_zero, born))

    def enrolled(self, pseudonym: str) -> Enrolment | None:
        """The enrolment of a pseudonym, or None.

        Raises:
            VaultError: the row was altered.
        """
        found = self._vault.find(self._versions.first(pseudonym))
        return None if found is None else self._shown(found)

    def keyed(self, kind: str, *parts: str) -> bytes:
        """A keyed hash that stands for a name in this project: equal names give equal hashes.

        Args:
            kind: what is named; names of two kinds never share a hash.
            parts: the name.
        """
        return hmac.digest(self._name_key, length_prefixed(kind, *parts), hashlib.sha256)[:KEYED_BYTES]

    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None:
        """Keep under which hashed names patients are known: (hash, pseudonym)."""
        self._vault.remember((name, self._versions.first(pseudonym)) for name, pseudonym in aliases)

    def recall(self, name: bytes) -> str | None:
        """The pseudonym that a hashed name stood for in earlier imports, if for one."""
        first = self._vault.recall(name)
        return None if first is None else self._versions.shown(first)

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
        first = self._first(patient)
        if first is not None:
            self._vault.forget(first)

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
        first = self._first(patient)
        messages = [] if first is None else [length_prefixed("suppressed pseudonym", first)]
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


def given_reason(reason: str) -> str:
    """The reason for an act that needs one, without white space around it.

    Raises:
        ReasonMissing: there is none.
    """
    reason = reason.strip()
    if not reason:
        raise ReasonMissing("this needs a reason for the audit log; say why, without naming the patient")
    return reason
