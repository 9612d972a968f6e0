"""The keys folder: a master key that only its owner can read, and the vault beside it.

Who holds this folder can recompute every pseudonym. It belongs on another disk and under another
user than the patient states, and in a backup of its own.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from privacy.derivation import KEY_BYTES, Keys
from privacy.errors import KeysError
from privacy.private_files import create_private_file, make_private_folder, refuse_exposed
from privacy.vault import VAULT_NAME, create_vault

KEY_NAME = "master.key"
_FEWEST_DISTINCT_BYTES = 16
"""32 random bytes hold about 30 distinct values; fewer than 16 will not happen by chance."""


def create_keys(folder: Path | str) -> None:
    """Make a master key and an empty vault in ``folder``.

    The folder gets mode 0700, the files 0600. Keys that exist are never overwritten.

    Args:
        folder: the keys folder; created if absent.

    Raises:
        KeysError: there are keys or a vault already, or others may enter the folder.
    """
    folder = Path(folder)
    make_private_folder(folder)
    for name in (KEY_NAME, VAULT_NAME):
        if os.path.lexists(folder / name):
            raise KeysError(_exists(folder))
    master = secrets.token_bytes(KEY_BYTES)
    try:
        create_private_file(folder / KEY_NAME, master)
    except FileExistsError:
        raise KeysError(_exists(folder)) from None
    except OSError as error:
        raise KeysError(f"{folder / KEY_NAME} cannot be written: {error.strerror}") from None
    try:
        create_vault(folder, Keys(master))
    except BaseException:
        (folder / KEY_NAME).unlink(missing_ok=True)
        raise


def open_keys(folder: Path | str) -> Keys:
    """Read the master key.

    Args:
        folder: the keys folder.

    Raises:
        KeysError: no keys there, other users may read them, or the key is damaged or weak.
    """
    folder = Path(folder)
    path = folder / KEY_NAME
    if not os.path.lexists(path):
        raise KeysError(f"no keys in {folder}; make them with `vht keys init --keys {folder}`")
    refuse_exposed(folder, "700")
    refuse_exposed(path, "600")
    try:
        master = path.read_bytes()
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    if len(master) != KEY_BYTES:
        raise KeysError(
            f"{path} is not a key: it must hold exactly {KEY_BYTES} bytes; restore it from a backup"
        )
    if len(set(master)) < _FEWEST_DISTINCT_BYTES:
        raise KeysError(f"{path} does not look random; use a key that `vht keys init` made")
    return Keys(master)


def _exists(folder: Path) -> str:
    return (
        f"{folder} already holds keys or a vault; new keys would orphan every pseudonym made with them. "
        "Choose another folder, or go on with these"
    )
