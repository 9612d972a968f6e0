"""Appending to the log: only the writer process does it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from privacy.audit.chain import (
    CHECKPOINTS,
    LOG,
    NO_SEAL,
    SIGNING_KEY,
    next_key,
    opened_line,
    read_about,
    read_key,
    sealed_line,
    write_key,
)
from privacy.audit.checkpoints import EVERY_RECORDS, EVERY_SECONDS, signed
from privacy.audit.errors import AuditError

_TAIL = 1 << 16
"""Bytes at the end of the log that certainly hold its last two lines."""


class AuditLog:
    """The log, open for appending; one at a time may be.

    Raises:
        AuditError: the log is not as its key says that it was left.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        about = read_about(folder)
        self._name, self._anchors = str(about["log"]), about["anchors"]
        self._next, self._key = read_key(folder)
        try:
            self._signing = Ed25519PrivateKey.from_private_bytes((folder / SIGNING_KEY).read_bytes())
            self._log = os.open(folder / LOG, os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
        except (OSError, ValueError):
            raise AuditError(f"{folder}: the log or its key cannot be opened; restore the folder") from None
        self._signed_at, self._unsigned = time.monotonic(), 0
        try:
            self._seal = self._continued()
        except BaseException:
            os.close(self._log)
            raise

    def append(self, content: dict[str, Any], user: int) -> int:
        """Write one line and flush it to the disk; its number.

        Args:
            content: as ``privacy.audit.grammar.checked`` gives it.
            user: number of the operating system's user who asked, as the kernel says.
        """
        line = {
            "number": self._next,
            "time": _now(),
            "monotonic": round(time.monotonic(), 6),
            "boot": _boot(),
            "user": user,
            **content,
            "before": self._seal,
        }
        written, seal = sealed_line(line, self._key)
        _write_all(self._log, written)
        os.fsync(self._log)
        self._advance(seal)
        self._unsigned += 1
        if self._unsigned >= EVERY_RECORDS:
            self.checkpoint()
        return self._next - 1

    def checkpoint(self) -> None:
        """Sign how far the log has come, here and at the anchors, if there is something new."""
        if not self._unsigned:
            return
        line = signed(self._name, self._next, self._seal, _now(), self._signing)
        for path in (self._folder / CHECKPOINTS, *([Path(self._anchors)] if self._anchors else ())):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _write_all(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._unsigned = 0
        self._signed_at = time.monotonic()

    def checkpoint_if_due(self) -> None:
        """Sign if the last checkpoint is long ago."""
        if time.monotonic() - self._signed_at >= EVERY_SECONDS:
            self.checkpoint()

    def close(self) -> None:
        """Sign what is not signed, and close."""
        try:
            self.checkpoint()
        finally:
            os.close(self._log)

    def _advance(self, seal: str) -> None:
        self._next, self._key, self._seal = self._next + 1, next_key(self._key), seal
        write_key(self._folder, self._next, self._key)

    def _continued(self) -> str:
        """The seal to go on from; what a power cut left half done is completed.

        The line goes to the disk before the key moves on. So there may be one line more than the key has
        seen, or a part of one, which nobody was told of; anything else is no accident.
        """
        size = os.fstat(self._log).st_size
        tail = os.pread(self._log, min(size, _TAIL), max(0, size - _TAIL))
        end = tail.rfind(b"\n") + 1
        last = tail[:end].splitlines(keepends=True)[-1:]
        extra = opened_line(last[0], self._key) if last else None
        if extra is not None and extra.get("number") == self._next:
            self._advance(str(extra["seal"]))
            self._unsigned = 1
            before = self._seal
        else:
            number, before = _end_of(last[0]) if last else (-1, NO_SEAL)
            if number != self._next - 1:
                raise AuditError(_altered(self._folder))
        if end < len(tail):
            os.ftruncate(self._log, size - (len(tail) - end))
            os.fsync(self._log)
        return before

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _altered(folder: Path) -> str:
    return (
        f"{folder}: the end of the audit log is not where it was left, so lines were removed or added; "
        "nothing is written to it any more. Run `vht privacy audit verify`, and make a new log"
    )


def _end_of(line: bytes) -> tuple[int | None, str]:
    """Number and seal that a line states; its seal cannot be checked, because the key is gone."""
    try:
        content = json.loads(line)
        return int(content["number"]), str(content["seal"])
    except (ValueError, KeyError, TypeError):
        return None, NO_SEAL


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _boot() -> str:
    """A name of this start of the machine, by which its clocks can be told apart; empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
