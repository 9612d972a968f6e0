"""Telling the writer process what was done; it is started where it does not run."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from privacy.audit.chain import SOCKET, read_about
from privacy.audit.errors import AuditError
from privacy.audit.grammar import checked
from privacy.audit_record import AuditRecord

WAIT_SECONDS = 60.0
"""How long one record may take, with the start of the writer on a busy machine."""

_PAUSE = 0.02


class Audit:
    """An audit log that records can be given to; use it as a context manager.

    Leaving the context asks for a signed checkpoint, so that what was done is anchored.

    Example::

        with Audit.open("audit") as audit:
            audit.record(AuditRecord("view", "PSEUDO", pseudonym, "monthly review"))
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._socket: socket.socket | None = None
        self._told = False

    @classmethod
    def open(cls, folder: Path | str) -> Audit:
        """The log in a folder.

        Raises:
            AuditError: there is none, or others may enter the folder.
        """
        folder = Path(folder)
        read_about(folder)
        return cls(folder)

    def record(self, record: AuditRecord) -> int:
        """Keep a record on the disk; its number. What it is about may be done only afterwards.

        Where the writer dies at the wrong moment, a record may stand twice.

        Raises:
            AuditError: the record says what it may not, or could not be kept.
        """
        number = self._asked({"record": checked(record)}).get("number")
        self._told = True
        if not isinstance(number, int):
            raise AuditError(f"{self._folder}: the audit writer gave no number; nothing was recorded")
        return number

    def checkpoint(self) -> None:
        """Have the log's length signed, here and at the anchors.

        Raises:
            AuditError: it could not be.
        """
        self._asked({"checkpoint": True})

    def close(self) -> None:
        """Let go of the writer, which stops by itself."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _asked(self, question: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + WAIT_SECONDS
        line = json.dumps(question).encode() + b"\n"
        while True:
            try:
                if self._socket is None:
                    self._socket = _connected(self._folder, until)
                self._socket.settimeout(max(until - time.monotonic(), _PAUSE))
                self._socket.sendall(line)
                answer = _line(self._socket)
                break
            except (OSError, EOFError):  # the writer stopped: another one is started
                self.close()
                if time.monotonic() >= until:
                    raise AuditError(
                        f"{self._folder}: the audit writer does not answer, so nothing may be done; is the "
                        "disk full, or the folder not writable?"
                    ) from None
                time.sleep(_PAUSE)
        try:
            content: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise AuditError(f"{self._folder}: the audit writer answered with no sense") from None
        if "error" in content:
            raise AuditError(str(content["error"]))
        return content

    def __enter__(self) -> Audit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._told:
                self.checkpoint()
        finally:
            self.close()


@contextlib.contextmanager
def socket_address(folder: Path) -> Iterator[str]:
    """A name of the writer's socket that is short enough for the kernel, whatever the folder is called."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path = str(folder / SOCKET)
        yield path if len(os.fsencode(path)) < 100 else f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def _connected(folder: Path, until: float) -> socket.socket:
    """A connection to the writer.

    Raises:
        AuditError: the writer says at its start why it cannot write, or does not come up in time.
    """
    started: subprocess.Popen[bytes] | None = None
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            with socket_address(folder) as address:
                connection.connect(address)
            return connection
        except OSError:
            connection.close()
        if started is None:
            started = _start(folder)
        elif started.poll() is not None:
            why = started.stdout.read().decode("utf-8", "replace").strip() if started.stdout else ""
            if why or started.returncode:
                raise AuditError(
                    why or f"{folder}: the audit writer cannot run (it ended with code {started.returncode})"
                )
            started = None  # another writer was faster, and may have stopped since
        if time.monotonic() >= until:
            raise AuditError(f"{folder}: the audit writer did not start; nothing may be done without it")
        time.sleep(_PAUSE)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a writer; it says on its standard output why it stopped, if it could not write."""
    environment = {n: v for n, v in os.environ.items() if n in ("PATH", "PYTHONPATH", "LANG", "SYSTEMROOT")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "privacy.audit.writer", str(folder.resolve())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
    )


def _line(connection: socket.socket) -> bytes:
    parts = b""
    while not parts.endswith(b"\n"):
        more = connection.recv(1 << 16)
        if not more:
            raise EOFError
        parts += more
    return parts
