"""The master key in escrow: encrypted to the public keys of people who keep it apart from the machine.

The file is an age file (``pyrage``, extra ``privacy``); any one of the recipients can open it. Two or more
should hold it. A backup of the vault belongs to it: the key alone gives no day zero and no study number. A
rotation makes an escrow worthless; make a new one then.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privacy.derivation import KEY_BYTES
from privacy.errors import KeysError
from privacy.key_sources import DEFAULT, held_source, key_source
from privacy.keys import open_keys
from privacy.private_files import create_private_file, make_private_folder
from privacy.vault_file import VAULT_NAME, fits

_HEAD = b"virtual-human-twin master key 1\n"


def escrow_keys(folder: Path | str, recipients: Sequence[str], target: Path | str) -> None:
    """Write the master key, encrypted.

    Args:
        folder: the keys folder.
        recipients: public keys of age, ``age1...``.
        target: the file to make; never one in the keys folder, with which it would be lost.

    Raises:
        KeysError: no recipient, one that is none, a file that is there already, or keys that
            cannot be opened.
    """
    age = _age()
    folder, target = Path(folder), Path(target)
    if not recipients:
        raise KeysError("an escrow needs a recipient: the public key of age of who keeps it (age1...)")
    if folder.resolve() in target.resolve().parents:
        raise KeysError("the escrow must not lie in the keys folder: it would be lost together with the key")
    public = []
    for number, text in enumerate(recipients, 1):
        try:
            public.append(age.x25519.Recipient.from_str(text.strip()))
        except age.RecipientError:
            raise KeysError(f"recipient {number} is no public key of age; they begin with age1") from None
    content = age.encrypt(_HEAD + open_keys(folder).present_secret(), public)
    try:
        create_private_file(target, content)
    except FileExistsError:
        raise KeysError(f"{target} exists; choose another file") from None
    except OSError as error:
        raise KeysError(f"{target} cannot be written: {error.strerror}") from None


def recover_keys(folder: Path | str, escrow: Path | str, identity: Path | str) -> None:
    """Put a lost master key back from its escrow.

    Args:
        folder: the keys folder, with the vault restored from a backup.
        escrow: the file that :func:`escrow_keys` wrote.
        identity: file with a recipient's private key, as age-keygen writes it.

    Raises:
        KeysError: the identity is not a recipient's, the file is no escrow, there is a key already, or
            the key belongs to another vault.
        VaultError: the vault is missing or damaged.
    """
    age = _age()
    folder = Path(folder)
    try:
        sealed, text = Path(escrow).read_bytes(), Path(identity).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise KeysError("the escrow or the identity cannot be read; check the two files") from None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        private = [age.x25519.Identity.from_str(line) for line in lines]
    except age.IdentityError:
        raise KeysError("the identity is no private key of age; they begin with AGE-SECRET-KEY-1") from None
    try:
        content = age.decrypt(sealed, private)
    except age.DecryptError:
        raise KeysError(
            "this identity cannot open the escrow: it was made for others, or was altered"
        ) from None
    master = content.removeprefix(_HEAD)
    if not content.startswith(_HEAD) or len(master) != KEY_BYTES:
        raise KeysError("the file is no escrow of a master key of this toolkit")
    make_private_folder(folder)
    if not os.path.lexists(folder / VAULT_NAME):
        raise KeysError(
            f"{folder} holds no vault; restore it from a backup first: without it, day zeros are lost"
        )
    if not fits(folder, master):
        raise KeysError(
            "the escrow is of another vault, or of a key that was rotated since; find a newer one"
        )
    at = held_source(folder) or key_source(DEFAULT, folder)
    if at.kind == "env":
        raise KeysError(
            f"the key of {folder} belongs into the environment; delete {folder / 'key-source'} to recover it "
            "into a file"
        )
    at.store(master)


def _age() -> Any:
    try:
        return importlib.import_module("pyrage")
    except ImportError:
        raise KeysError("escrow needs the extra `privacy`: install virtual-human-twin[privacy]") from None
