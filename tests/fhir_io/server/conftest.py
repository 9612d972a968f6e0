"""Fixtures for tests of live servers: a fake that follows the protocol, and a clock that does not wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_io.server import Fetched, fetch
from fhir_io.server.pacing import Clock
from tests.fhir_io.server.fake import Fake

Json = dict[str, Any]


class Skipping:
    """A clock whose pauses take no time but pass on it; ``pauses`` are their lengths in seconds."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def clock(self) -> Clock:
        return Clock(
            lambda: time.time() + sum(self.pauses),
            lambda: time.monotonic() + sum(self.pauses),
            self.pauses.append,
        )


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[Fake]:
    """A second server: the same machine, another port, so another origin."""
    server = Fake()
    yield server
    server.stop()


@pytest.fixture
def skipping() -> Skipping:
    return Skipping()


@pytest.fixture
def fetch_from(tmp_path: Path, skipping: Skipping) -> Callable[..., Fetched]:
    """Fetch from a fake into ``tmp_path / raw``, without waiting, a patient and observations by default."""

    def run(server: Fake, **options: Any) -> Fetched:
        options = {"types": ("Patient", "Observation"), "clock": skipping.clock(), "seed": 1} | options
        return fetch(server.base, options.pop("out", tmp_path / "raw"), **options)

    return run


def raw_records(folder: Path) -> list[Json]:
    """All resources of a raw folder, in the order of files and lines."""
    files = sorted(p for p in folder.glob("*.ndjson") if ".deleted." not in p.name)
    return [json.loads(line) for path in files for line in path.read_bytes().splitlines()]


def identities(folder: Path) -> list[str]:
    return sorted(f"{r['resourceType']}/{r['id']}" for r in raw_records(folder))
