"""The vault: what must be remembered about an enrolled patient, encrypted, in the keys folder.

A row maps a pseudonym to AES-256-GCM(day zero, study number, date of birth). The pseudonym is bound to
its row as associated data, so rows cannot be swapped. The identity itself is not stored unless it was asked
for (below): the pseudonym is recomputed from it with the key.

An alias is a keyed hash of a name (a server's ``Patient/17``) with the pseudonym that it stands for, so
that a later export without the Patient finds its patient.

A patient who withdrew leaves a row in ``suppression``: a keyed tag of the identity, of which nothing can
be read and which no enrolment can be linked to without the key, and the sealed time of the withdrawal.

Where random pseudonyms or a way back were asked for, ``identity`` maps a keyed tag of the identity to the
pseudonym; the row's seal holds the identity itself only if the vault was made re-identifiable.

Patients are known here by their first pseudonym, whatever the keys have become since
(:mod:`privacy.versions`); :meth:`Vault.reseal` puts all rows under a new master key.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.derivation import Keys, length_prefixed
from privacy.errors import VaultError
from privacy.vault_file import (
    VAULT_NAME,
    database_errors,
    key_check,
    open_vault,
    seal,
    sealed_former,
    unseal,
    verified,
)

_ROW_VERSION = 1
"""Version of what is sealed in a row of an enrolment; it is part of what the seal vouches for."""

_ROW = struct.Struct(">qqqq")
_SHORT_ROW = struct.Struct(">qq")
"""Rows of enrolments that were made before dates of birth were kept."""

_TIME = struct.Struct(">q")

_PADDING = 128
"""Sealed identities are filled up to a multiple of so many bytes; their length would tell them apart."""


@dataclass(frozen=True)
class Enrolment:
    """What a project holds on an enrolled patient.

    Attributes:
        pseudonym: stands for the patient in this project.
        study_number: random, 63 bits; the randomness of simulations hangs on it. It does not
            depend on the key, so a new key changes no patient's luck.
        day_zero: the calendar date that the patient's relative days count from; it must not leave
            the door, and the repr leaves it out.
        born: first and last proleptic Gregorian ordinal of the day of birth, or None; as private.
    """

    pseudonym: str
    study_number: int
    day_zero: date = field(repr=False)
    born: tuple[int, int] | None = field(default=None, repr=False)


class Vault:
    """An open vault. The first write begins a transaction that ends with ``commit`` or ``rollback``.

    Args:
        folder: the keys folder.
        keys: the master key.

    Raises:
        VaultError: the vault is missing or damaged, is of another schema version, or was made with
            another key. Nothing has been written then.
        KeysError: other users may read it.
    """

    def __init__(self, folder: Path, keys: Keys):
        self.path = folder / VAULT_NAME
        self._connection = open_vault(folder)
        try:
            with database_errors(self.path):
                about = verified(self._connection, self.path, keys)
        except BaseException:
            self._connection.close()
            raise
        self.random = about["pseudonyms"] == b"random"
        self.reidentifiable = about["reidentifiable"] == b"yes"
        self._use(keys)

    def _use(self, keys: Keys) -> None:
        self._key_check = key_check(keys)
        self._cipher = AESGCM(keys.derive_present("vault row"))
        self._suppression_cipher = AESGCM(keys.derive_present("vault suppression"))
        self._identity_cipher = AESGCM(keys.derive_present("vault identity"))
        self._index_key = keys.derive_present("vault study number index")

    def find(self, pseudonym: str) -> Enrolment | None:
        """The enrolment of a pseudonym, or None.

        Raises:
            VaultError: the row was altered.
        """
        with database_errors(self.path):
            row = self._connection.execute(
                "SELECT sealed FROM enrolment WHERE pseudonym = ?", (pseudonym,)
            ).fetchone()
        return None if row is None else self._unseal(pseudonym, row[0])

    def enrol(self, pseudonym: str, day_zero: date, born: tuple[int, int] | None = None) -> Enrolment:
        """The enrolment of a pseudonym; made with a new study number if there is none yet.

        A day of birth that is given replaces the one before.

        Raises:
            VaultError: the vault stays locked by another import, or cannot be written.
        """
        self._begin()
        known = self.find(pseudonym)
        if known is not None:
            if born is None or born == known.born:
                return known
            corrected = replace(known, born=born)
            with database_errors(self.path):
                self._connection.execute(
                    "UPDATE enrolment SET sealed = ? WHERE pseudonym = ?", (self._seal(corrected), pseudonym)
                )
            return corrected
        with database_errors(self.path):
            while True:
                made = Enrolment(pseudonym, secrets.randbits(63), day_zero, born)
                # a study number that another patient has is drawn again
                written = self._connection.execute(
                    "INSERT INTO enrolment VALUES (?, ?, ?) ON CONFLICT (study_number_index) DO NOTHING",
                    (pseudonym, self._blind_index(made.study_number), self._seal(made)),
                )
                if written.rowcount == 1:
                    return made

    def forget(self, pseudonym: str) -> bool:
        """Delete an enrolment: study number and day zero are gone. Whether there was one."""
        self._begin()
        with database_errors(self.path):
            self._connection.execute("DELETE FROM alias WHERE pseudonym = ?", (pseudonym,))
            self._blank_identity(pseudonym)
            gone = self._connection.execute("DELETE FROM enrolment WHERE pseudonym = ?", (pseudonym,))
            return gone.rowcount == 1

    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None:
        """Keep under which names patients are known; one that stands for two patients stands for none.

        Args:
            aliases: (keyed hash of the name, pseudonym).
        """
        self._begin()
        with database_errors(self.path):
            self._connection.executemany(
                "INSERT INTO alias VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET pseudonym = ''"
                " WHERE pseudonym <> excluded.pseudonym",
                aliases,
            )

    def recall(self, name: bytes) -> str | None:
        """The pseudonym that a name stands for, given its keyed hash; None if for none or for several."""
        with database_errors(self.path):
            row = self._connection.execute("SELECT pseudonym FROM alias WHERE name = ?", (name,)).fetchone()
        return row[0] or None if row else None

    def suppress(self, tag: bytes, withdrawn: datetime) -> None:
        """Keep a patient away; of two withdrawals the later one is kept.

        Args:
            tag: keyed tag of the identity.
            withdrawn: when, with a time zone.

        Raises:
            VaultError: the vault stays locked by another import, or cannot be written.
        """
        self._begin()
        known = self.suppressed_since(tag)
        moment = max(_seconds(withdrawn), known) if known is not None else _seconds(withdrawn)
        sealed = seal(self._suppression_cipher, _TIME.pack(moment), tag)
        with database_errors(self.path):
            self._connection.execute("INSERT OR REPLACE INTO suppression VALUES (?, ?)", (tag, sealed))

    def suppressed_since(self, tag: bytes) -> int | None:
        """Seconds since 1970 (UTC) at which a patient withdrew; None for one who did not.

        Raises:
            VaultError: the row was altered.
        """
        with database_errors(self.path):
            row = self._connection.execute("SELECT sealed FROM suppression WHERE tag = ?", (tag,)).fetchone()
        if row is None:
            return None
        plain = unseal(self._suppression_cipher, row[0], tag, self.path)
        return int(_TIME.unpack(plain)[0])

    def unsuppress(self, tag: bytes, permitted: datetime) -> bool:
        """Let a patient in again whose permit is newer than the withdrawal; whether they may come in."""
        self._begin()
        since = self.suppressed_since(tag)
        if since is None:
            return True
        if _seconds(permitted) <= since:
            return False
        with database_errors(self.path):
            self._connection.execute("DELETE FROM suppression WHERE tag = ?", (tag,))
        return True

    def pseudonym_of(self, tag: bytes) -> str | None:
        """The pseudonym that was kept for an identity, given its tag; None if there is none."""
        with database_errors(self.path):
            row = self._connection.execute(
                "SELECT pseudonym, sealed FROM identity WHERE tag = ?", (tag,)
            ).fetchone()
        if row is None:
            return None
        unseal(self._identity_cipher, row[1], _identity_context(tag, row[0]), self.path)
        return str(row[0])

    def keep(self, tag: bytes, pseudonym: str, identity: tuple[str, str]) -> str:
        """Keep which pseudonym an identity has, and the identity if the vault was made for that.

        Args:
            tag: keyed tag of the identity.
            pseudonym: what it gets if it has none.
            identity: (system, value).

        Returns:
            The pseudonym that is kept. Rows of patients who are not enrolled go at the next commit.
        """
        self._begin()
        known = self.pseudonym_of(tag)
        if known is not None:
            return known
        content = _packed(identity if self.reidentifiable else None)
        sealed = seal(self._identity_cipher, content, _identity_context(tag, pseudonym))
        with database_errors(self.path):
            self._connection.execute("INSERT INTO identity VALUES (?, ?, 0, ?)", (tag, pseudonym, sealed))
        return pseudonym

    def identity_of(self, pseudonym: str) -> tuple[str, str] | None:
        """(system, value) behind a pseudonym; None if it is not kept.

        Raises:
            VaultError: the row was altered.
        """
        with database_errors(self.path):
            row = self._connection.execute(
                "SELECT tag, sealed FROM identity WHERE pseudonym = ?", (pseudonym,)
            ).fetchone()
        if row is None:
            return None
        context = _identity_context(bytes(row[0]), pseudonym)
        return _unpacked(unseal(self._identity_cipher, row[1], context, self.path))

    def _blank_identity(self, pseudonym: str) -> None:
        """Forget the identity behind a pseudonym.

        The tag stays: who withdrew is known again by it and kept away under the same random pseudonym.
        """
        found = self._connection.execute("SELECT tag FROM identity WHERE pseudonym = ?", (pseudonym,))
        for (tag,) in found.fetchall():
            sealed = seal(self._identity_cipher, _packed(None), _identity_context(bytes(tag), pseudonym))
            self._connection.execute("UPDATE identity SET kept = 1, sealed = ? WHERE tag = ?", (sealed, tag))

    def _drop_strangers(self) -> None:
        """Nothing is kept of people who were read but not enrolled."""
        if self.random or self.reidentifiable:
            self._connection.execute(
                "DELETE FROM identity WHERE kept = 0 AND pseudonym NOT IN (SELECT pseudonym FROM enrolment)"
            )

    def reseal(self, keys: Keys) -> int:
        """Put every row under a new master key, in one transaction; the number of enrolments.

        Args:
            keys: the new master key with those that it replaces; they are kept, sealed.

        Raises:
            VaultError: a row was altered, or another import holds the vault. Nothing is changed then.
        """
        self._begin()
        try:
            with database_errors(self.path):
                rows = {
                    name: self._connection.execute(f"SELECT * FROM {name}").fetchall()
                    for name in ("enrolment", "suppression", "identity")
                }
                enrolled = [self._unseal(pseudonym, sealed) for pseudonym, _, sealed in rows["enrolment"]]
                withdrawn = [
                    (tag, unseal(self._suppression_cipher, sealed, tag, self.path))
                    for tag, sealed in rows["suppression"]
                ]
                kept = [
                    (tag, unseal(self._identity_cipher, sealed, context, self.path), context)
                    for tag, pseudonym, _, sealed in rows["identity"]
                    for context in [_identity_context(bytes(tag), pseudonym)]
                ]
                self._use(keys)
                self._connection.executemany(
                    "UPDATE enrolment SET study_number_index = ?, sealed = ? WHERE pseudonym = ?",
                    ((self._blind_index(e.study_number), self._seal(e), e.pseudonym) for e in enrolled),
                )
                self._connection.executemany(
                    "UPDATE suppression SET sealed = ? WHERE tag = ?",
                    ((seal(self._suppression_cipher, plain, tag), tag) for tag, plain in withdrawn),
                )
                self._connection.executemany(
                    "UPDATE identity SET sealed = ? WHERE tag = ?",
                    ((seal(self._identity_cipher, plain, where), tag) for tag, plain, where in kept),
                )
                self._connection.executemany(
                    "INSERT OR REPLACE INTO about VALUES (?, ?)",
                    [("key_check", self._key_check), ("former_keys", sealed_former(keys))],
                )
                self._connection.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise
        return len(enrolled)

    def count(self) -> int:
        """Number of enrolled patients, over all projects."""
        with database_errors(self.path):
            return int(self._connection.execute("SELECT count(*) FROM enrolment").fetchone()[0])

    def commit(self) -> None:
        """Make everything since the last commit durable."""
        if self._connection.in_transaction:
            with database_errors(self.path):
                self._drop_strangers()
                self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        if self._connection.in_transaction:
            with database_errors(self.path):
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the database; what was not committed is forgotten."""
        self._connection.close()

    def _begin(self) -> None:
        # the write lock is taken before the first look, so two imports never both find nothing
        if self._connection.in_transaction:
            return
        with database_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            held = self._connection.execute("SELECT value FROM about WHERE name = 'key_check'").fetchone()
        if not hmac.compare_digest(bytes(held[0]), self._key_check):
            self.rollback()
            raise VaultError(f"the key of {self.path} was replaced meanwhile; start this again")

    def _seal(self, enrolment: Enrolment) -> bytes:
        first, last = enrolment.born or (0, 0)
        plain = _ROW.pack(enrolment.day_zero.toordinal(), enrolment.study_number, first, last)
        return seal(self._cipher, plain, _row_context(enrolment.pseudonym))

    def _unseal(self, pseudonym: str, sealed: bytes) -> Enrolment:
        plain = unseal(self._cipher, sealed, _row_context(pseudonym), self.path)
        if len(plain) == _SHORT_ROW.size:
            plain += bytes(_ROW.size - _SHORT_ROW.size)
        day, study_number, *born = _ROW.unpack(plain)
        known = (born[0], born[1]) if born[0] else None
        return Enrolment(pseudonym, study_number, date.fromordinal(day), known)

    def _blind_index(self, study_number: int) -> bytes:
        return hmac.digest(self._index_key, study_number.to_bytes(8, "big"), hashlib.sha256)


def _seconds(moment: datetime) -> int:
    """Seconds since 1970, rounded down; a time without a zone could be any of a day's."""
    if moment.tzinfo is None:
        raise ValueError("the time needs a time zone")
    return math.floor(moment.timestamp())


def _row_context(pseudonym: str) -> bytes:
    return length_prefixed("enrolment", pseudonym, str(_ROW_VERSION))


def _identity_context(tag: bytes, pseudonym: str) -> bytes:
    return length_prefixed("identity", tag.hex(), pseudonym)


def _packed(identity: tuple[str, str] | None) -> bytes:
    """An identity in a length that tells nothing of it; of none, too."""
    parts = [part.encode("utf-8") for part in identity or ("", "")]
    content = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return content + bytes(-len(content) % _PADDING)


def _unpacked(content: bytes) -> tuple[str, str] | None:
    first = 4 + int.from_bytes(content[:4], "big")
    last = first + 4 + int.from_bytes(content[first : first + 4], "big")
    system, value = content[4:first].decode("utf-8"), content[first + 4 : last].decode("utf-8")
    return (system, value) if value else None
