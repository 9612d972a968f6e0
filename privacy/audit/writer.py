"""The process that writes the log: ``python -m privacy.audit.writer FOLDER``.

It alone holds the key of the next line. It answers on a Unix socket in the log's folder, asks the kernel
who speaks, and stops by itself when nobody has for a while. Run it as another user to keep the log from
those who are recorded in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from privacy.audit.chain import LOCK, SOCKET
from privacy.audit.client import socket_address
from privacy.audit.errors import AuditError
from privacy.audit.grammar import checked
from privacy.audit.log import AuditLog
from privacy.audit_record import AuditRecord

IDLE_SECONDS = 20.0
"""How long it waits without a connection before it stops."""

_LONGEST_LINE = 1 << 14
_TICK = 0.5
_FIELDS = frozenset({"action", "zone", "subject", "reason", "outcome", "counts"})


def main(folder: Path, idle_seconds: float = IDLE_SECONDS) -> int:
    """Serve until nobody speaks any more; the exit code.

    Only one writer serves a log; a second one leaves at once with code 0.
    """
    os.umask(0o077)
    with open(folder / LOCK, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return 0
        try:
            with AuditLog(folder) as log:
                _serve(folder, log, idle_seconds)
        except AuditError as error:
            print(error, flush=True)
            return 1
        except OSError as error:
            print(f"{folder}: the audit log cannot be written: {error.strerror}", flush=True)
            return 1
    return 0


def _serve(folder: Path, log: AuditLog, idle_seconds: float) -> None:
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    with selectors.DefaultSelector() as selector, socket.socket(socket.AF_UNIX) as listener:
        (folder / SOCKET).unlink(missing_ok=True)
        with socket_address(folder) as address:
            listener.bind(address)
        listener.listen(64)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
        waiting: dict[socket.socket, bytes] = {}
        heard = time.monotonic()
        try:
            while not stopping and (waiting or time.monotonic() - heard < idle_seconds):
                for event, _ in selector.select(_TICK):
                    heard = time.monotonic()
                    if event.fileobj is listener:
                        with contextlib.suppress(OSError):
                            connection, _ = listener.accept()
                            connection.settimeout(_TICK)
                            selector.register(connection, selectors.EVENT_READ)
                            waiting[connection] = b""
                        continue
                    speaker = event.fileobj
                    if isinstance(speaker, socket.socket) and not _heard(speaker, waiting, log):
                        selector.unregister(speaker)
                        del waiting[speaker]
                        speaker.close()
                log.checkpoint_if_due()
        finally:
            (folder / SOCKET).unlink(missing_ok=True)
            for connection in waiting:
                connection.close()


def _heard(speaker: socket.socket, waiting: dict[socket.socket, bytes], log: AuditLog) -> bool:
    """Take what was said and answer whole lines; whether the connection goes on.

    Raises:
        OSError: the log cannot be written: the writer ends, and no caller gets an answer.
    """
    try:
        more = speaker.recv(_LONGEST_LINE)
    except OSError:
        return False
    said = waiting[speaker] + more
    while b"\n" in said:
        line, _, said = said.partition(b"\n")
        answer = _answer(line, _user(speaker), log)
        try:
            speaker.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return False
    waiting[speaker] = said
    return bool(more) and len(said) <= _LONGEST_LINE


def _answer(line: bytes, user: int, log: AuditLog) -> dict[str, Any]:
    try:
        question = json.loads(line)
        if question.get("checkpoint") is True:
            log.checkpoint()
            return {"checkpoint": True}
        fields = question["record"]
        if set(fields) != _FIELDS:
            raise ValueError
        # the caller has checked it as well; who writes the log does not take anybody's word for it
        content = checked(AuditRecord(**fields))
    except AuditError as error:
        return {"error": str(error)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"error": "audit record: not understood; nothing was recorded"}
    return {"number": log.append(content, user)}


def _user(speaker: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    credentials = speaker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(float, sys.argv[2:3])))
