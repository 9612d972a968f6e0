"""Where a master key lies: in a file of the keys folder, in an environment variable, or in a keyring.

A keys folder says so in ``key-source``; without that file the key is ``master.key`` beside the vault. The
text is ``file:NAME``, ``env:NAME`` or ``keyring:SERVICE/ENTRY``; it is no secret.

- ``file``: 32 bytes, mode 0600, the folder 0700, no link: anything else is refused.
- ``env``: hexadecimal or base64. It is taken out of the environment when it is first read, so that no
  program started later inherits it; the system still shows the environment that a process began with to
  the same user. For development and for secrets that an orchestrator injects.
- ``keyring``: the operating system's, by the package ``keyring`` (extra ``privacy``). A machine without one
  is an error; nothing falls back to a file.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.derivation import KEY_BYTES
from privacy.errors import KeysError
from privacy.private_files import create_private_file, refuse_exposed, sync_folder

SOURCE_NAME = "key-source"
DEFAULT = "file:master.key"
_FEWEST_DISTINCT_BYTES = 16
"""32 random bytes hold about 30 distinct values; fewer than 16 will not happen by chance."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_from_environment: dict[str, str] = {}


@dataclass(frozen=True)
class KeySource:
    """One place of a key.

    Args:
        kind: ``file``, ``env`` or ``keyring``.
        name: of the file, the variable, or ``SERVICE/ENTRY``.
        folder: the keys folder.
    """

    kind: str
    name: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def read(self) -> bytes:
        """The key.

        Raises:
            KeysError: it is not there, others may read it, or it is damaged or weak.
        """
        if self.kind == "file":
            return _checked(self._read_file(), str(self.folder / self.name))
        if self.kind == "env":
            return _checked(self._read_variable(), f"the environment variable {self.name}")
        return _checked(self._read_keyring(), f"the keyring's entry {self.name}")

    def exists(self) -> bool:
        """Whether there is anything in this place."""
        if self.kind == "file":
            return os.path.lexists(self.folder / self.name)
        if self.kind == "env":
            return self.name in os.environ or self.name in _from_environment
        with _keyring_errors(self.name) as keyring:
            return keyring.get_password(*self._entry()) is not None

    def store(self, key: bytes) -> None:
        """Put a new key here.

        Raises:
            KeysError: there is one already, or it cannot be written; an environment cannot be.
        """
        if self.kind == "env":
            raise KeysError(f"a key cannot be put into {self}; set the variable before")
        if self.exists():
            raise KeysError(f"there is a key in {self} already; new keys never replace one")
        if self.kind == "file":
            try:
                create_private_file(self.folder / self.name, key)
            except OSError as error:
                raise KeysError(f"{self.folder / self.name} cannot be written: {error.strerror}") from None
            return
        with _keyring_errors(self.name) as keyring:
            keyring.set_password(*self._entry(), key.hex())

    def remove(self) -> None:
        """Take the key away from here; a variable is only forgotten by this process."""
        if self.kind == "file":
            (self.folder / self.name).unlink(missing_ok=True)
            sync_folder(self.folder)
        elif self.kind == "env":
            _from_environment.pop(self.name, None)
        elif self.exists():
            with _keyring_errors(self.name) as keyring:
                keyring.delete_password(*self._entry())

    def _read_file(self) -> bytes:
        path = self.folder / self.name
        refuse_exposed(self.folder, "700")
        if not os.path.lexists(path):
            raise KeysError(f"{path} is missing; restore it from a backup or an escrow")
        refuse_exposed(path, "600")
        try:
            return path.read_bytes()
        except OSError as error:
            raise KeysError(f"{path} cannot be read: {error.strerror}") from None

    def _read_variable(self) -> bytes:
        text = os.environ.pop(self.name, None)
        if text is not None:
            _from_environment[self.name] = text
        elif self.name not in _from_environment:
            raise KeysError(
                f"the environment variable {self.name} is not set; it must hold the key, in hexadecimal or "
                "base64 (`openssl rand -hex 32` makes one)"
            )
        return _decoded(_from_environment[self.name], f"the environment variable {self.name}")

    def _read_keyring(self) -> bytes:
        with _keyring_errors(self.name) as keyring:
            text = keyring.get_password(*self._entry())
        if text is None:
            raise KeysError(f"the keyring has no entry {self.name}; restore it from an escrow")
        return _decoded(text, f"the keyring's entry {self.name}")

    def _entry(self) -> tuple[str, str]:
        service, _, entry = self.name.rpartition("/")
        return service, entry


def key_source(text: str, folder: Path) -> KeySource:
    """Read ``file:NAME``, ``env:NAME``, ``keyring:SERVICE`` or ``keyring:SERVICE/ENTRY``.

    Raises:
        KeysError: it is none of these.
    """
    kind, _, name = text.strip().partition(":")
    if kind == "file" and _FILE.fullmatch(name) and name not in (SOURCE_NAME, "vault.sqlite"):
        return KeySource(kind, name, folder)
    if kind == "env" and _VARIABLE.fullmatch(name):
        return KeySource(kind, name, folder)
    if kind == "keyring" and name.strip("/"):
        return KeySource(kind, name if "/" in name else f"{name}/master", folder)
    raise KeysError("a key source is file:NAME (in the keys folder), env:VARIABLE or keyring:SERVICE")


def held_source(folder: Path, suffix: str = "") -> KeySource | None:
    """What ``key-source`` says; None if there is no such file.

    Raises:
        KeysError: the file cannot be read or says something else.
    """
    path = folder / f"{SOURCE_NAME}{suffix}"
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        raise KeysError(f"{path} cannot be read; it must say where the key lies") from None
    return key_source(text, folder) if text else None  # empty: a kill came before it was written


def _checked(key: bytes, where: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeysError(
            f"{where} is not a key: it must hold exactly {KEY_BYTES} bytes; restore it from a backup"
        )
    if len(set(key)) < _FEWEST_DISTINCT_BYTES:
        raise KeysError(f"{where} does not look random; use a key that `vht keys init` made")
    return key


def _decoded(text: str, where: str) -> bytes:
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        standard = text.replace("-", "+").replace("_", "/")
        return base64.b64decode(standard + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise KeysError(f"{where} is neither hexadecimal nor base64") from None


@contextmanager
def _keyring_errors(name: str) -> Iterator[Any]:
    """The keyring, with its errors as sentences; their own text could quote a secret."""
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        raise KeysError("a keyring needs the extra `privacy`: install virtual-human-twin[privacy]") from None
    try:
        yield keyring
    except errors.KeyringError:
        raise KeysError(
            f"the keyring cannot be asked for {name}: this machine has none, or it is locked; unlock it, or "
            "use another key source"
        ) from None
