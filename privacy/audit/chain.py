"""The folder of an audit log and the chain of its lines.

Line i holds the seal of line i-1 and its own: HMAC-SHA-256 under key i. Key i+1 is HMAC-SHA-256 of key i,
and key i is overwritten once line i is on the disk. So whoever reads the folder can forge what comes, not
what was (Schneier and Kelsey 1999, "Secure audit logs to support computer forensics"). The first key and
the public half of the checkpoints' key go into the officer's file, which verification needs and which must
lie elsewhere: who holds it can forge everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from privacy.audit.errors import AuditError
from privacy.errors import KeysError
from privacy.private_files import create_private_file, make_private_folder, refuse_exposed

LOG = "log.jsonl"
CHECKPOINTS = "checkpoints.jsonl"
CHAIN_KEY = "chain.key"
SIGNING_KEY = "signing.key"
ABOUT = "about.json"
LOCK = "writer.lock"
SOCKET = "writer.sock"

SCHEMA = "vht-audit/1"
NO_SEAL = "0" * 64
"""What the first line names as the seal before it."""

_SLOT = 4096
_KEY_BYTES = 32


@dataclass(frozen=True)
class OfficerFile:
    """What verifies a log: its first key and the public key of its checkpoints. The repr shows neither."""

    log: str
    first_key: bytes = field(repr=False)
    public_key: bytes = field(repr=False)


def create_audit(folder: Path | str, officer: Path | str, *, anchors: Path | str | None = None) -> None:
    """Make an empty audit log.

    Args:
        folder: of the log; made if absent, for its owner alone.
        officer: file to write that verification needs. Keep it away from the machine: who has it can
            forge the log.
        anchors: file on another disk or machine that every checkpoint is also appended to.

    Raises:
        AuditError: there is a log or such a file already, or others may enter the folder.
    """
    folder, officer = Path(folder), Path(officer)
    try:
        make_private_folder(folder)
        if any(os.path.lexists(folder / name) for name in (LOG, CHAIN_KEY, ABOUT)):
            raise AuditError(f"{folder} holds an audit log already; go on with it, or choose another folder")
        if officer.resolve().is_relative_to(folder.resolve()):
            raise AuditError("the officer's file must not lie beside the log: who has both can forge it")
        first, log = secrets.token_bytes(_KEY_BYTES), secrets.token_hex(16)
        signing = Ed25519PrivateKey.generate()
        public = signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        kept = {"schema": SCHEMA, "log": log, "first_key": first.hex(), "public_key": public.hex()}
        create_private_file(officer, json.dumps(kept, indent=1).encode())
        about = {
            "schema": SCHEMA,
            "log": log,
            "public_key": public.hex(),
            "anchors": str(Path(anchors).resolve()) if anchors is not None else None,
        }
        create_private_file(folder / CHAIN_KEY, bytes(2 * _SLOT))
        write_key(folder, 0, first)
        create_private_file(folder / SIGNING_KEY, signing.private_bytes_raw())
        create_private_file(folder / LOG, b"")
        create_private_file(folder / CHECKPOINTS, b"")
        create_private_file(folder / ABOUT, json.dumps(about, indent=1).encode())
    except FileExistsError:
        raise AuditError(
            f"{officer} exists already; it may belong to another log, choose a new name"
        ) from None
    except KeysError as error:
        raise AuditError(str(error)) from None
    except OSError as error:
        raise AuditError(f"{folder}: the audit log cannot be made: {error.strerror}") from None


def read_officer(path: Path) -> OfficerFile:
    """The officer's file.

    Raises:
        AuditError: it is missing, can be read by others, or is not such a file.
    """
    try:
        refuse_exposed(path, "600")
        content = json.loads(path.read_bytes())
        if content["schema"] != SCHEMA:
            raise ValueError
        keys = bytes.fromhex(content["first_key"]), bytes.fromhex(content["public_key"])
        if any(len(key) != _KEY_BYTES for key in keys):
            raise ValueError
        return OfficerFile(str(content["log"]), *keys)
    except KeysError as error:
        raise AuditError(str(error)) from None
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise AuditError(f"{path} is not the officer's file of an audit log; restore it") from None


def read_about(folder: Path) -> dict[str, Any]:
    """The description of a log.

    Raises:
        AuditError: there is no log, others may enter its folder, or the description is damaged.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise AuditError(f"{folder} holds no audit log; make one with `vht privacy audit init`")
    try:
        refuse_exposed(folder, "700")
        about: dict[str, Any] = json.loads(path.read_bytes())
        if about["schema"] != SCHEMA:
            raise ValueError
        return about
    except KeysError as error:
        raise AuditError(str(error)) from None
    except (ValueError, KeyError, TypeError, OSError):
        raise AuditError(f"{path} is damaged or of another version; restore it from a backup") from None


def sealed_line(content: dict[str, Any], key: bytes) -> tuple[bytes, str]:
    """A line of the log with its seal, and the seal."""
    seal = _seal(content, key)
    return json.dumps({**content, "seal": seal}, ensure_ascii=True, allow_nan=False).encode() + b"\n", seal


def opened_line(line: bytes, key: bytes) -> dict[str, Any] | None:
    """The content of a line with its ``seal``; None if it was not sealed with this key."""
    try:
        content = json.loads(line)
        seal = content["seal"]
        bare = {name: value for name, value in content.items() if name != "seal"}
        if not hmac.compare_digest(seal, _seal(bare, key)) or sealed_line(bare, key)[0] != line:
            return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(content)


def next_key(key: bytes) -> bytes:
    """The key of the next line; there is no way back."""
    return hmac.digest(key, b"next key of the audit log", hashlib.sha256)


def write_key(folder: Path, number: int, key: bytes) -> None:
    """Keep the key of line ``number`` and overwrite the one before.

    The two take turns in two blocks of the file, so that a power cut leaves one that is whole.
    """
    body = number.to_bytes(8, "big") + key
    slot = (body + hashlib.sha256(body).digest()).ljust(_SLOT, b"\0")
    descriptor = os.open(folder / CHAIN_KEY, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.pwrite(descriptor, slot, (number % 2) * _SLOT)
        os.fsync(descriptor)
        os.pwrite(descriptor, bytes(_SLOT), ((number + 1) % 2) * _SLOT)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_key(folder: Path) -> tuple[int, bytes]:
    """Number of the next line, and its key.

    Raises:
        AuditError: the key is missing or damaged.
    """
    found = []
    try:
        content = (folder / CHAIN_KEY).read_bytes()
    except OSError:
        content = b""
    for start in (0, _SLOT):
        body, check = content[start : start + 40], content[start + 40 : start + 72]
        if len(check) == 32 and hashlib.sha256(body).digest() == check:
            found.append((int.from_bytes(body[:8], "big"), body[8:]))
    if not found:
        raise AuditError(
            f"{folder / CHAIN_KEY} is missing or damaged: the log cannot be continued; verify it, and make a "
            "new one"
        )
    return max(found)


def _seal(content: dict[str, Any], key: bytes) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()
    return hmac.digest(key, text, hashlib.sha256).hex()
