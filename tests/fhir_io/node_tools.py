"""The tools in Node that some tests use, where they are: a second validator and a real FHIR server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("node")


def node() -> str:
    """The path of Node; the test is skipped where Node or the packages are missing (in CI that fails)."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed; install Node 20 or newer, then run: make node")
    if not (FOLDER / "node_modules" / "@medplum" / "fhir-router").is_dir():
        pytest.skip("the packages of tests/fhir_io/node are not installed; run: make node")
    return found


def second_opinion(bundle: Path) -> list[dict[str, Any]]:
    """What @medplum/core says of a Bundle and its resources: one line for each that fails, and a count."""
    words = [node(), "validate.mjs", str(bundle)]
    done = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def running_server() -> Iterator[str]:
    """The FHIR base of a server that is empty at first; it ends with the block, or with this process."""
    words = [node(), "server.mjs"]
    with subprocess.Popen(
        words,
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the real FHIR server did not start"
            yield f"http://127.0.0.1:{port}/fhir/R4"
        finally:
            process.stdin.close()
            process.wait(10)
