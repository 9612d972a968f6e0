"""Zones: where data lie by what they give away, and who may touch which.

``RAW`` holds records, ``TRUST`` keys and vault, ``PSEUDO`` pseudonymised states and what is computed of
them, ``RELEASE`` what leaves. The two tables say which zones a command and a module may touch; the tests
hold them to it, by what modules import and by every file that commands open (:func:`held_to`). In
production the walls are those of the operating system: keys and vault in a folder of another user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from privacy.errors import PrivacySafeError


class Zone(Enum):
    """What data give away."""

    RAW = "identifiable records"
    TRUST = "keys and vault"
    PSEUDO = "pseudonymised states, models, tracking"
    RELEASE = "what leaves"


_RAW, _TRUST, _PSEUDO, _RELEASE = Zone.RAW, Zone.TRUST, Zone.PSEUDO, Zone.RELEASE

COMMANDS: Mapping[str, frozenset[Zone]] = {
    "sample": frozenset({_RAW}),
    "fetch": frozenset({_RAW}),
    "keys init": frozenset({_TRUST}),
    "keys rotate": frozenset({_TRUST, _PSEUDO}),
    "keys escrow": frozenset({_TRUST}),
    "keys recover": frozenset({_TRUST}),
    "import": frozenset({_RAW, _TRUST, _PSEUDO}),
    "export": frozenset({_TRUST, _PSEUDO, _RELEASE}),
    "privacy release": frozenset({_PSEUDO, _RELEASE}),
    "privacy scan": frozenset({_RAW, _PSEUDO, _RELEASE}),
    "privacy erase": frozenset({_TRUST, _PSEUDO}),
    "privacy audit init": frozenset({_TRUST}),
    "privacy audit verify": frozenset({_TRUST}),
    "privacy audit export": frozenset({_TRUST, _RELEASE}),
    "trial run": frozenset({_PSEUDO}),
    "trial verify": frozenset({_PSEUDO}),
    "simulate": frozenset({_PSEUDO}),
    "models": frozenset(),
    "models show": frozenset(),
    "models validate": frozenset(),
    "patients": frozenset(),
    "quantities": frozenset(),
}
"""The zones of every command of ``vht``."""

MODULES: Mapping[str, frozenset[Zone]] = {
    "fhir_io": frozenset({_RAW}),
    "fhir_io.corrections": frozenset({_RAW, _PSEUDO}),
    "fhir_io.export": frozenset({_PSEUDO, _RELEASE}),
    "fhir_io.held": frozenset({_PSEUDO}),
    "fhir_io.importer": frozenset({_RAW, _TRUST, _PSEUDO}),
    "fhir_io.quarantine": frozenset({_RAW, _PSEUDO}),
    "fhir_io.settle": frozenset({_RAW, _PSEUDO}),
    "trials": frozenset({_PSEUDO}),
    "vht.commands": frozenset(),
    "vht.commands.export": frozenset({_TRUST, _PSEUDO, _RELEASE}),
    "vht.commands.importing": frozenset({_RAW, _TRUST, _PSEUDO}),
    "vht.commands.keys": frozenset({_TRUST, _PSEUDO}),
    "vht.commands.models": frozenset({_PSEUDO}),
    "vht.commands.patients": frozenset({_PSEUDO}),
    "vht.commands.privacy": frozenset({_PSEUDO, _RELEASE}),
    "vht.commands.privacy_tools": frozenset({_RAW, _TRUST, _PSEUDO, _RELEASE}),
    "vht.commands.records": frozenset({_RAW}),
    "vht.commands.servers": frozenset({_RAW}),
    "vht.commands.trial": frozenset({_PSEUDO}),
}
"""The zones of a module, or of all modules of a package that have no line of their own."""


class ZoneViolation(PrivacySafeError):
    """A file was touched in a zone that is closed to who touched it."""


def zones_of(module: str) -> frozenset[Zone] | None:
    """The zones of a module by the longest line that covers it; None if none does."""
    name = module
    while name not in MODULES:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
    return MODULES[name]


@contextmanager
def held_to(allowed: Set[Zone], folders: Mapping[Zone, Iterable[Path]]) -> Iterator[None]:
    """Refuse to open, list, move or delete a file in any zone but the allowed ones; for tests.

    It listens to the interpreter's audit events, which cannot be unhooked again, and sees what Python
    opens, and SQLite. A library that opens files by itself is not seen: of those ours only reads
    Parquet, of which the store's index, read before, is seen. A violation that the code swallows is
    raised when the context ends.

    Args:
        allowed: the zones that stay open.
        folders: the folders of each zone; files elsewhere are nobody's.

    Raises:
        ZoneViolation: the sentence says the zone, never the path: names of files may be names of patients.
    """
    global _watch, _hooked
    if _watch is not None:
        raise RuntimeError("zones are being held already")
    closed = {
        os.path.realpath(folder): zone for zone, at in folders.items() if zone not in allowed for folder in at
    }
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    watch = _watch = _Watch(closed, ", ".join(sorted(zone.name for zone in allowed)) or "no zone")
    try:
        yield
    finally:
        _watch = None
        if watch.violations:
            raise ZoneViolation(watch.violations[0]) from None


@dataclass
class _Watch:
    closed: Mapping[str, Zone]
    allowed: str
    violations: list[str] = field(default_factory=list)

    def look_at(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # an open descriptor
        real = os.path.realpath(os.fsdecode(path))
        for folder, zone in self.closed.items():
            if real == folder or real.startswith(folder + os.sep):
                self.violations.append(f"{event} in {zone.name}, by what may touch {self.allowed}")
                raise ZoneViolation(self.violations[-1])


_PATHS = {"open": 1, "sqlite3.connect": 1, "os.listdir": 1, "os.scandir": 1, "os.remove": 1, "os.rename": 2}
"""The audit events that are looked at, and how many of their arguments are paths."""

_watch: _Watch | None = None
_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch is not None and event in _PATHS:
        for path in arguments[: _PATHS[event]]:
            _watch.look_at(event, path)
