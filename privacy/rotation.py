"""A new master key in place of the old one: every patient gets a new pseudonym, nobody another fate.

The vault is sealed anew in one transaction, and the replaced key kept in it, sealed. A kill before that
leaves the old key in force; one after it is finished by whoever opens the keys next. Study numbers and day
zeros stay, so simulations and relative days do not change. Who holds old states and the replaced key can
tell nothing about the new pseudonyms. Hashed names of resources, by which corrections find what they
correct, keep the first key: one that leaked still names those.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from privacy.derivation import KEY_BYTES, Keys
from privacy.errors import KeysError
from privacy.key_sources import SOURCE_NAME, KeySource, held_source, key_source
from privacy.keys import NEXT, open_keys, promote, source_of
from privacy.private_files import create_private_file
from privacy.vault import Vault


def rotate_keys(folder: Path | str, source: str | None = None) -> Keys:
    """Replace the master key.

    States that were made before must be renamed after it, with :meth:`privacy.Pseudonymiser.renamed`.

    Args:
        folder: the keys folder.
        source: where the new key lies; beside the old one if None. One in the environment must be set.

    Returns:
        The new keys, with those before.

    Raises:
        KeysError: the keys cannot be opened, or the place of the new key is taken or cannot be used.
        VaultError: an import holds the vault, or a row was altered. The old key is in force then.
    """
    folder = Path(folder)
    keys = open_keys(folder)
    before = source_of(folder)
    _clear_abandoned(folder, before)
    after = key_source(source, folder) if source else _beside(before, keys.version + 1)
    if str(after) == str(before):
        raise KeysError(f"the new key cannot lie in {after}, where the old one is; name another place")
    if after.kind == "env":
        master = after.read()
    else:
        if after.exists():
            raise KeysError(f"there is a key in {after} already; name another place")
        master = secrets.token_bytes(KEY_BYTES)
    following = keys.succeeded_by(master)
    if master in following.former_secrets():
        raise KeysError("the new key is the old one; a rotation needs another")
    # the place is written before the key: what a kill leaves behind is found by it
    create_private_file(folder / f"{SOURCE_NAME}{NEXT}", str(after).encode())
    if after.kind != "env":
        after.store(master)
    vault = Vault(folder, keys)
    try:
        vault.reseal(following)
    except BaseException:
        _clear_abandoned(folder, before)
        raise
    finally:
        vault.close()
    promote(folder, before)
    return following


def _beside(before: KeySource, version: int) -> KeySource:
    if before.kind == "env":
        raise KeysError("say where the new key lies: set another variable and name it with --to env:VARIABLE")
    if before.kind == "file":
        return key_source(f"file:master-{version}.key", before.folder)
    return key_source(f"keyring:{before.name.rpartition('/')[0]}/master-{version}", before.folder)


def _clear_abandoned(folder: Path, present: KeySource) -> None:
    """Remove the key of a rotation that did not take place."""
    left = held_source(folder, NEXT)
    if left is not None and left.kind != "env" and str(left) != str(present):
        left.remove()
    (folder / f"{SOURCE_NAME}{NEXT}").unlink(missing_ok=True)
