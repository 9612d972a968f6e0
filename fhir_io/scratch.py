"""Private folders that live as long as a command, such as what an import knows while it runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_folder(parent: Path | None, prefix: str) -> Iterator[Path]:
    """A folder that only this user can read, removed afterwards; what a killed process left goes too.

    Args:
        parent: private folder that holds it, such as the keys folder; None for the system's temporary one.
        prefix: begins its name; leftovers are known by it and by the number of their process.
    """
    if parent is not None:
        for left in parent.glob(f"{prefix}*"):
            if not _is_running(left.name.removeprefix(prefix).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
