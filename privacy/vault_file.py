"""The vault's file: its tables, how it is opened, and how its key is told from another one.

A vault opened with another key is refused before anything is written; otherwise one wrong key would
split every patient in two.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.derivation import KEY_BYTES, Keys, length_prefixed
from privacy.errors import VaultError
from privacy.private_files import create_private_file, refuse_exposed

SCHEMA_VERSION = 3
"""2 added suppressions, aliases and dates of birth; 3 identities, policies and replaced keys. An older
vault is brought up to date when it is opened."""

VAULT_NAME = "vault.sqlite"
WAIT_SECONDS = 30.0
"""How long one import waits for another to let go of the vault."""

NONCE_BYTES = 12

_TABLES = {
    1: (
        "CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE enrolment (pseudonym TEXT PRIMARY KEY, study_number_index BLOB NOT NULL UNIQUE,"
        " sealed BLOB NOT NULL) WITHOUT ROWID",
    ),
    2: (
        "CREATE TABLE suppression (tag BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE alias (name BLOB PRIMARY KEY, pseudonym TEXT NOT NULL) WITHOUT ROWID",
    ),
    3: (
        "CREATE TABLE identity (tag BLOB PRIMARY KEY, pseudonym TEXT NOT NULL UNIQUE,"
        " kept INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID",
    ),
}
"""What each schema version added to the one before."""

_POLICY = {"pseudonyms": b"keyed", "reidentifiable": b"no"}
"""What a vault that says nothing of it does."""


def create_vault(folder: Path, keys: Keys, policy: Mapping[str, bytes] = _POLICY) -> None:
    """Make an empty vault in ``folder``.

    Args:
        folder: the keys folder.
        keys: the master key.
        policy: how pseudonyms are made, and whether identities are kept; see :mod:`privacy.pseudonyms`.

    Raises:
        FileExistsError: there is one already.
    """
    path = folder / VAULT_NAME
    create_private_file(path, b"")
    try:
        with database_errors(path):
            connection = connect(path)
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statements in _TABLES.values():
                    for statement in statements:
                        connection.execute(statement)
                about = {
                    "schema_version": str(SCHEMA_VERSION).encode(),
                    "key_check": key_check(keys),
                    **policy,
                }
                connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
                connection.execute("COMMIT")
            finally:
                connection.close()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_vault(folder: Path) -> sqlite3.Connection:
    """The connection to the vault of a keys folder.

    Raises:
        VaultError: it is missing or cannot be opened.
        KeysError: other users may read it.
    """
    path = folder / VAULT_NAME
    if not os.path.lexists(path):
        raise VaultError(
            f"{path} is missing although the keys are there; restore it from a backup, because "
            "a new one would give every patient another day zero and other random numbers"
        )
    refuse_exposed(path, "600")
    with database_errors(path):
        return connect(path)


def verified(connection: sqlite3.Connection, path: Path, keys: Keys) -> dict[str, bytes]:
    """What the vault says about itself, if it belongs to these keys; an older one is brought up to date.

    Raises:
        VaultError: another schema version, or another key. Nothing has been written then.
    """
    about = _about(connection)
    version = about.get("schema_version", b"").decode("ascii", "replace")
    if version not in map(str, _TABLES):
        raise VaultError(f"{path} has another schema version than {SCHEMA_VERSION}")
    if not hmac.compare_digest(about.get("key_check", b""), key_check(keys)):
        raise VaultError(
            f"{path} was made with another key; put back the key that belongs to it (nothing was written)"
        )
    if version != str(SCHEMA_VERSION):
        _upgrade(connection)
    return _POLICY | about


def fits(folder: Path, master: bytes) -> bool:
    """Whether a master key belongs to the vault of a folder.

    Raises:
        VaultError: the vault is missing or damaged.
        KeysError: other users may read it.
    """
    with _reading(folder) as connection:
        found = _about(connection).get("key_check", b"")
    return hmac.compare_digest(found, key_check(Keys(master)))


def with_former(folder: Path, master: bytes) -> Keys:
    """The keys of a vault: the master key with those that it replaced, which the vault keeps.

    Raises:
        VaultError: the vault is missing, damaged, or belongs to another key.
        KeysError: other users may read it.
    """
    keys = Keys(master)
    with _reading(folder) as connection:
        about = verified(connection, folder / VAULT_NAME, keys)
    if "former_keys" not in about:
        return keys
    sealed = about["former_keys"]
    cipher = AESGCM(keys.derive_present("vault former keys"))
    former = unseal(cipher, sealed, length_prefixed("former keys"), folder / VAULT_NAME)
    return Keys(master, tuple(former[i : i + KEY_BYTES] for i in range(0, len(former), KEY_BYTES)))


def sealed_former(keys: Keys) -> bytes:
    """The replaced master keys as the vault keeps them."""
    cipher = AESGCM(keys.derive_present("vault former keys"))
    return seal(cipher, b"".join(keys.former_secrets()), length_prefixed("former keys"))


def seal(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    """Nonce and cipher text of a row; ``context`` says which row, so that rows cannot be swapped."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, context)


def unseal(cipher: AESGCM, sealed: bytes, context: bytes, path: Path) -> bytes:
    """What was sealed.

    Raises:
        VaultError: the row was altered.
    """
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise VaultError(f"a row of {path} was altered; restore the vault from a backup") from None


def key_check(keys: Keys) -> bytes:
    """What the vault knows its key by; the key cannot be told from it."""
    return hmac.digest(keys.derive_present("key check"), b"virtual-human-twin vault", hashlib.sha256)


def connect(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions, that leaves nothing of deleted rows."""
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    # deleted rows are overwritten, and nothing is spilled to a temporary folder that others share
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
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


def _about(connection: sqlite3.Connection) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in connection.execute("SELECT name, value FROM about")}


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring an older vault up to date, so that older software refuses it.

    Otherwise that would import again whom it does not know to be suppressed.
    """
    connection.execute("BEGIN IMMEDIATE")
    held = int(_about(connection)["schema_version"])  # somebody else may have been faster
    for version in range(held + 1, SCHEMA_VERSION + 1):
        for statement in _TABLES[version]:
            connection.execute(statement)
    connection.execute(
        "UPDATE about SET value = ? WHERE name = 'schema_version'", (str(SCHEMA_VERSION).encode(),)
    )
    connection.execute("COMMIT")


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = open_vault(folder)
    try:
        with database_errors(folder / VAULT_NAME):
            yield connection
    finally:
        connection.close()
