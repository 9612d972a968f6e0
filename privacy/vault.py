"""The vault: what must be remembered about an enrolled patient, encrypted, in the keys folder.

A row maps a pseudonym to AES-256-GCM(day zero, study number, date of birth). The pseudonym is bound to
its row as associated data, so rows cannot be swapped. The identity itself is not stored: the pseudonym is
recomputed from it with the key.

An alias is a keyed hash of a name (a server's ``Patient/17``) with the pseudonym that it stands for, so
that a later export without the Patient finds its patient.

A patient who withdrew leaves a row in ``suppression``: a keyed tag of the identity, of which nothing can
be read and which no enrolment can be linked to without the key, and the sealed time of the withdrawal.

The database also holds a check value of the key. A vault opened with another key is refused before
anything is written; otherwise one wrong key would split every patient in two.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import secrets
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.derivation import Keys, length_prefixed
from privacy.errors import VaultError
from privacy.private_files import create_private_file, refuse_exposed

SCHEMA_VERSION = 2
"""2 added suppressions, aliases and dates of birth; a vault of version 1 becomes one of 2 when opened."""

_ROW_VERSION = 1
"""Version of what is sealed in a row of an enrolment; it is part of what the seal vouches for."""

VAULT_NAME = "vault.sqlite"
WAIT_SECONDS = 30.0
"""How long one import waits for another to let go of the vault."""

_NONCE_BYTES = 12
_ROW = struct.Struct(">qqqq")
_SHORT_ROW = struct.Struct(">qq")
"""Rows of enrolments that were made before dates of birth were kept."""

_TIME = struct.Struct(">q")
_SCHEMA = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE enrolment (pseudonym TEXT PRIMARY KEY, study_number_index BLOB NOT NULL UNIQUE,"
    " sealed BLOB NOT NULL) WITHOUT ROWID",
)
_ADDED = (
    "CREATE TABLE suppression (tag BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE alias (name BLOB PRIMARY KEY, pseudonym TEXT NOT NULL) WITHOUT ROWID",
)
"""What version 2 added to version 1."""


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


def create_vault(folder: Path, keys: Keys) -> None:
    """Make an empty vault in ``folder``.

    Raises:
        FileExistsError: there is one already.
    """
    path = folder / VAULT_NAME
    create_private_file(path, b"")
    try:
        with _database_errors(path):
            connection = _connect(path)
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statement in (*_SCHEMA, *_ADDED):
                    connection.execute(statement)
                about = {"schema_version": str(SCHEMA_VERSION).encode(), "key_check": _key_check(keys)}
                connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
                connection.execute("COMMIT")
            finally:
                connection.close()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


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
        if not os.path.lexists(self.path):
            raise VaultError(
                f"{self.path} is missing although the keys are there; restore it from a backup, because "
                "a new one would give every patient another day zero and other random numbers"
            )
        refuse_exposed(self.path, "600")
        self._cipher = AESGCM(keys.derive("vault row"))
        self._suppression_cipher = AESGCM(keys.derive("vault suppression"))
        self._index_key = keys.derive("vault study number index")
        with _database_errors(self.path):
            self._connection = _connect(self.path)
            try:
                self._verify(keys)
            except BaseException:
                self._connection.close()
                raise

    def find(self, pseudonym: str) -> Enrolment | None:
        """The enrolment of a pseudonym, or None.

        Raises:
            VaultError: the row was altered.
        """
        with _database_errors(self.path):
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
            with _database_errors(self.path):
                self._connection.execute(
                    "UPDATE enrolment SET sealed = ? WHERE pseudonym = ?", (self._seal(corrected), pseudonym)
                )
            return corrected
        with _database_errors(self.path):
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
        with _database_errors(self.path):
            self._connection.execute("DELETE FROM alias WHERE pseudonym = ?", (pseudonym,))
            gone = self._connection.execute("DELETE FROM enrolment WHERE pseudonym = ?", (pseudonym,))
            return gone.rowcount == 1

    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None:
        """Keep under which names patients are known; one that stands for two patients stands for none.

        Args:
            aliases: (keyed hash of the name, pseudonym).
        """
        self._begin()
        with _database_errors(self.path):
            self._connection.executemany(
                "INSERT INTO alias VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET pseudonym = ''"
                " WHERE pseudonym <> excluded.pseudonym",
                aliases,
            )

    def recall(self, name: bytes) -> str | None:
        """The pseudonym that a name stands for, given its keyed hash; None if for none or for several."""
        with _database_errors(self.path):
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
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._suppression_cipher.encrypt(nonce, _TIME.pack(moment), tag)
        with _database_errors(self.path):
            self._connection.execute("INSERT OR REPLACE INTO suppression VALUES (?, ?)", (tag, sealed))

    def suppressed_since(self, tag: bytes) -> int | None:
        """Seconds since 1970 (UTC) at which a patient withdrew; None for one who did not.

        Raises:
            VaultError: the row was altered.
        """
        with _database_errors(self.path):
            row = self._connection.execute("SELECT sealed FROM suppression WHERE tag = ?", (tag,)).fetchone()
        if row is None:
            return None
        nonce, cipher_text = row[0][:_NONCE_BYTES], row[0][_NONCE_BYTES:]
        try:
            plain = self._suppression_cipher.decrypt(nonce, cipher_text, tag)
        except (InvalidTag, ValueError):
            raise VaultError(f"a row of {self.path} was altered; restore the vault from a backup") from None
        return int(_TIME.unpack(plain)[0])

    def unsuppress(self, tag: bytes, permitted: datetime) -> bool:
        """Let a patient in again whose permit is newer than the withdrawal; whether they may come in."""
        self._begin()
        since = self.suppressed_since(tag)
        if since is None:
            return True
        if _seconds(permitted) <= since:
            return False
        with _database_errors(self.path):
            self._connection.execute("DELETE FROM suppression WHERE tag = ?", (tag,))
        return True

    def count(self) -> int:
        """Number of enrolled patients, over all projects."""
        with _database_errors(self.path):
            return int(self._connection.execute("SELECT count(*) FROM enrolment").fetchone()[0])

    def commit(self) -> None:
        """Make everything since the last commit durable."""
        if self._connection.in_transaction:
            with _database_errors(self.path):
                self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        if self._connection.in_transaction:
            with _database_errors(self.path):
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the database; what was not committed is forgotten."""
        self._connection.close()

    def _begin(self) -> None:
        # the write lock is taken before the first look, so two imports never both find nothing
        if not self._connection.in_transaction:
            with _database_errors(self.path):
                self._connection.execute("BEGIN IMMEDIATE")

    def _verify(self, keys: Keys) -> None:
        about = dict(self._connection.execute("SELECT name, value FROM about"))
        version = bytes(about.get("schema_version", b"")).decode("ascii", "replace")
        if version not in ("1", str(SCHEMA_VERSION)):
            raise VaultError(f"{self.path} has another schema version than {SCHEMA_VERSION}")
        if not hmac.compare_digest(bytes(about.get("key_check", b"")), _key_check(keys)):
            raise VaultError(
                f"{self.path} was made with another key; put back the key that belongs to it (nothing was "
                "written)"
            )
        if version == "1":
            self._upgrade()

    def _upgrade(self) -> None:
        """Make a vault of version 1 one of version 2, which older software refuses.

        Otherwise it would import again whom it does not know to be suppressed.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        version = self._connection.execute("SELECT value FROM about WHERE name = 'schema_version'").fetchone()
        if bytes(version[0]) == b"1":  # nobody else was faster
            for statement in _ADDED:
                self._connection.execute(statement)
            self._connection.execute(
                "UPDATE about SET value = ? WHERE name = 'schema_version'", (str(SCHEMA_VERSION).encode(),)
            )
        self._connection.execute("COMMIT")

    def _seal(self, enrolment: Enrolment) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        first, last = enrolment.born or (0, 0)
        plain = _ROW.pack(enrolment.day_zero.toordinal(), enrolment.study_number, first, last)
        return nonce + self._cipher.encrypt(nonce, plain, _row_context(enrolment.pseudonym))

    def _unseal(self, pseudonym: str, sealed: bytes) -> Enrolment:
        nonce, cipher_text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, cipher_text, _row_context(pseudonym))
        except (InvalidTag, ValueError):
            raise VaultError(f"a row of {self.path} was altered; restore the vault from a backup") from None
        if len(plain) == _SHORT_ROW.size:
            plain += bytes(_ROW.size - _SHORT_ROW.size)
        day, study_number, *born = _ROW.unpack(plain)
        known = (born[0], born[1]) if born[0] else None
        return Enrolment(pseudonym, study_number, date.fromordinal(day), known)

    def _blind_index(self, study_number: int) -> bytes:
        return hmac.digest(self._index_key, study_number.to_bytes(8, "big"), hashlib.sha256)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    # deleted rows are overwritten, and nothing is spilled to a temporary folder that others share
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _key_check(keys: Keys) -> bytes:
    return hmac.digest(keys.derive("key check"), b"virtual-human-twin vault", hashlib.sha256)


def _seconds(moment: datetime) -> int:
    """Seconds since 1970, rounded down; a time without a zone could be any of a day's."""
    if moment.tzinfo is None:
        raise ValueError("the time needs a time zone")
    return math.floor(moment.timestamp())


def _row_context(pseudonym: str) -> bytes:
    return length_prefixed("enrolment", pseudonym, str(_ROW_VERSION))


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """Turn database errors into sentences; their own text could quote a row."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise VaultError(f"{path} is in use by another import; try again when it is done") from None
        if code == sqlite3.SQLITE_ERROR:  # a table or column that a vault has is not there
            raise VaultError(f"{path} is damaged or is not a vault; restore it from a backup") from None
        raise VaultError(f"{path} cannot be read or written ({error.sqlite_errorname})") from None
    except sqlite3.DatabaseError:
        raise VaultError(f"{path} is damaged or is not a vault; restore it from a backup") from None
