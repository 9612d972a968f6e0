"""The keys folder: a master key that only its owner can read, and the vault beside it.

Who holds this folder can recompute every pseudonym. It belongs on another disk and under another
user than the patient states, and in a backup of its own. The key itself may lie elsewhere
(:mod:`privacy.key_sources`).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Literal

from privacy.derivation import KEY_BYTES, Keys
from privacy.errors import KeysError
from privacy.key_sources import DEFAULT, SOURCE_NAME, KeySource, held_source, key_source
from privacy.private_files import create_private_file, make_private_folder, refuse_exposed, sync_folder
from privacy.vault_file import VAULT_NAME, create_vault, fits, with_former

KEY_NAME = "master.key"
NEXT = ".next"
"""Ending of the file that names the key of a rotation until the rotation is done."""


def create_keys(
    folder: Path | str,
    source: str = DEFAULT,
    *,
    pseudonyms: Literal["keyed", "random"] = "keyed",
    reidentifiable: bool = False,
) -> None:
    """Make a master key and an empty vault in ``folder``.

    The folder gets mode 0700, the files 0600. Keys that exist are never overwritten.

    Args:
        folder: the keys folder; created if absent.
        source: where the key lies; one in the environment must be set, others are drawn.
        pseudonyms: how pseudonyms are made; it holds for good.
        reidentifiable: whether the vault keeps identities, sealed, so that a patient can be named again.
            Otherwise nobody can turn a pseudonym back, with all keys.

    Raises:
        KeysError: there are keys or a vault already, others may enter the folder, or the source
            cannot be used.
    """
    if pseudonyms not in ("keyed", "random"):
        raise KeysError("pseudonyms are keyed or random")
    folder = Path(folder)
    at = key_source(source, folder)
    make_private_folder(folder)
    taken = [KEY_NAME, SOURCE_NAME, VAULT_NAME] + ([at.name] if at.kind == "file" else [])
    if any(os.path.lexists(folder / name) for name in taken):
        raise KeysError(_exists(folder))
    written = at.kind != "env"
    master = secrets.token_bytes(KEY_BYTES) if written else at.read()
    if written:
        at.store(master)
    try:
        if str(at) != DEFAULT:
            create_private_file(folder / SOURCE_NAME, str(at).encode())
        policy = {"pseudonyms": pseudonyms.encode(), "reidentifiable": b"yes" if reidentifiable else b"no"}
        create_vault(folder, Keys(master), policy)
    except BaseException:
        (folder / SOURCE_NAME).unlink(missing_ok=True)
        if written:
            at.remove()
        raise


def open_keys(folder: Path | str) -> Keys:
    """Read the master key, and from the vault those that it replaced.

    A rotation that was killed after the vault had changed is finished here.

    Args:
        folder: the keys folder.

    Raises:
        KeysError: no keys there, other users may read them, or the key is damaged or weak.
        VaultError: the vault is missing, damaged, or belongs to another key.
    """
    folder = Path(folder)
    following = held_source(folder, NEXT)
    if following is not None:
        master = _readable(following)
        if master is not None and fits(folder, master):
            promote(folder, held_source(folder) or key_source(DEFAULT, folder))
            return with_former(folder, master)
    return with_former(folder, source_of(folder).read())


def _readable(source: KeySource) -> bytes | None:
    """The key of a rotation that was broken off; None if it had not been written."""
    try:
        return source.read()
    except KeysError:
        return None


def source_of(folder: Path) -> KeySource:
    """Where the key of a folder lies.

    Raises:
        KeysError: no keys there, or others may enter the folder.
    """
    at = held_source(folder)
    if at is None:
        if not os.path.lexists(folder / KEY_NAME):
            raise KeysError(f"no keys in {folder}; make them with `vht keys init --keys {folder}`")
        at = key_source(DEFAULT, folder)
    refuse_exposed(folder, "700")
    return at


def promote(folder: Path, before: KeySource) -> None:
    """Make the key of a rotation the present one, after the one before was taken away."""
    before.remove()
    os.replace(folder / f"{SOURCE_NAME}{NEXT}", folder / SOURCE_NAME)
    sync_folder(folder)


def _exists(folder: Path) -> str:
    return (
        f"{folder} already holds keys or a vault; new keys would orphan every pseudonym made with them. "
        "Choose another folder, or go on with these"
    )
