"""Files and folders that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from privacy.errors import KeysError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` for its owner alone; a folder that exists must already be private.

    Raises:
        KeysError: others may enter the existing folder, or it cannot be created.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise KeysError(f"{folder} cannot be created: {error.strerror}") from None
    refuse_exposed(folder, "700")


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600 and flush it and its folder entry to the disk.

    Raises:
        FileExistsError: there is a file of that name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            # the umask can only have narrowed the mode; a file its owner cannot read helps nobody
            os.fchmod(out.fileno(), 0o600)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def refuse_exposed(path: Path, mode: str) -> None:
    """Raise unless the owner alone has rights on ``path``; ``mode`` is what chmod should be given.

    Raises:
        KeysError: with the remedy.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise KeysError(f"{path} is a link; keys and vault must be real files in a folder of their own")
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise KeysError(f"{path} can be reached by other users of this machine; run: chmod {mode} {path}")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
