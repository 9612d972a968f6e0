"""Signed statements of how far the log has come.

A chain cannot show that its end is missing. A checkpoint says how many lines there were and the seal of the
last one; a copy of it elsewhere shows a log that was cut, or replaced by another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

EVERY_RECORDS = 1000
EVERY_SECONDS = 60.0
"""Lines, and time, after which the writer makes a checkpoint by itself."""


def signed(log: str, records: int, seal: str, time: str, key: Ed25519PrivateKey) -> bytes:
    """A checkpoint as one line."""
    content = {"log": log, "records": records, "seal": seal, "time": time}
    signature = key.sign(_message(content)).hex()
    return json.dumps({**content, "signature": signature}).encode() + b"\n"


def read_checkpoints(path: Path, public_key: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line number from 1, checkpoint); None for a line that this key did not sign.

    A last line without an end was not finished by the writer; it is left out.
    """
    key = Ed25519PublicKey.from_public_bytes(public_key)
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.endswith(b"\n"):
                yield number, _verified(line, key)


def _verified(line: bytes, key: Ed25519PublicKey) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
        signature = bytes.fromhex(content.pop("signature"))
        key.verify(signature, _message(content))
        return {
            "log": str(content["log"]),
            "records": int(content["records"]),
            "seal": str(content["seal"]),
            "time": str(content["time"]),
        }
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None


def _message(content: dict[str, Any]) -> bytes:
    return b"audit checkpoint " + json.dumps(content, sort_keys=True).encode()
