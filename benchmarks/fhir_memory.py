"""How much memory an import takes, and that it does not grow with the source.

    python -m benchmarks.fhir_memory BUNDLES --megabytes 150 600

It writes NDJSON by repeating the resources of a folder of Bundles with new ids and identifiers, imports it
with the command line in processes of their own, and samples what these hold. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measuring import machine, replace_section, target

_UUID = re.compile(rb"[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_SPREAD = 0x9E3779B1
"""Odd, so that copy numbers give different masks."""

COMMAND = "from vht.cli import main; main()"
HEADING = "## Memory of an import"


def resources(folder: Path) -> Iterator[dict[str, Any]]:
    """The resources of the Bundles of a folder, in the order of file names."""
    for path in sorted(folder.glob("*.json")):
        content = orjson.loads(path.read_bytes())
        if isinstance(content, dict) and content.get("resourceType") == "Bundle":
            yield from (entry["resource"] for entry in content["entry"])


def repeated(originals: list[dict[str, Any]], number: int) -> Iterator[bytes]:
    """One copy of all resources as lines of NDJSON; its ids and identifiers are its own.

    Args:
        originals: resources whose ids are UUIDs, as those of Synthea are.
        number: of the copy; equal numbers give equal bytes.
    """
    mask = (number * _SPREAD) & 0xFFFFFFFF

    def renamed(match: re.Match[bytes]) -> bytes:
        return b"%08x" % (int(match[0], 16) ^ mask)

    for resource in originals:
        copy = resource
        if resource["resourceType"] == "Patient":
            own = [{**item, "value": f"{item.get('value')}-{number}"} for item in resource["identifier"]]
            copy = {**resource, "identifier": own}
        yield _UUID.sub(renamed, orjson.dumps(copy)) + b"\n"


def write_ndjson(bundles: Path, out: Path, megabytes: float) -> int:
    """Write about so many MB of NDJSON as one file; the number of bytes."""
    originals = list(resources(bundles))
    written, number = 0, 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(out, "wb") as sink:
        while written < megabytes * 1e6:
            for line in repeated(originals, number):
                written += sink.write(line)
                if written >= megabytes * 1e6:
                    break
            number += 1
    return written


@dataclass(frozen=True)
class Imported:
    """One import: the most that all its processes held together, MB, and its duration, s."""

    peak: float
    seconds: float


def measured_import(source: Path, scratch: Path, workers: int) -> Imported:
    """Import a source by the command line and watch its processes.

    Raises:
        RuntimeError: the import failed.
    """
    keys, states = scratch / "keys", scratch / "states"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    command = [sys.executable, "-c", COMMAND]
    subprocess.run(
        [*command, "keys", "init", "--keys", str(keys)], check=True, capture_output=True, env=environment
    )
    begin = time.monotonic()
    run = subprocess.Popen(
        [
            *(*command, "import", str(source), "--keys", str(keys)),
            *("--states", str(states), "--workers", str(workers)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
    peak = 0.0
    try:
        while run.poll() is None:
            peak = max(peak, resident(run.pid))
            time.sleep(0.05)
    finally:
        if run.poll() is None:
            run.kill()
    if run.wait() != 0:
        raise RuntimeError("the import failed; run it by hand to see why")
    return Imported(peak, time.monotonic() - begin)


def resident(process: int) -> float:
    """Resident memory of a process and of all that it started, MB; shared pages count in each."""
    parents: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            pages[int(entry.name)] = int(fields[21])
    family, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        family += pages.get(one, 0)
        waiting += parents.get(one, [])
    return family * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Write, import and report."""
    parser = argparse.ArgumentParser(description="Measure the memory of an import.")
    parser.add_argument("bundles", type=Path, help="folder of Synthea Bundles")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[150.0, 600.0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="write the section of RESULTS.md")
    chosen = parser.parse_args()
    found: dict[float, Imported] = {}
    for size in chosen.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "fhir" / "resources.ndjson"
            write_ndjson(chosen.bundles, source, size)
            found[size] = measured_import(source.parent, Path(folder), chosen.workers)
        print(f"{size:g} MB: {found[size].peak:.0f} MB in {found[size].seconds:.1f} s", flush=True)
    if chosen.record:
        _record(found, chosen.workers)


def _record(found: dict[float, Imported], workers: int) -> None:
    smallest, largest = min(found), max(found)
    lines = [
        machine(os.cpu_count() or 1, "python -m benchmarks.fhir_memory"),
        "",
        f"`vht import` with {workers} workers of NDJSON that repeats the shared Synthea resources with ids "
        "and identifiers of their own; the most that all processes held together, shared pages counted "
        "in each.",
        "",
        "| NDJSON, MB | memory, MB | MB/s by the clock |",
        "|---|---|---|",
        *(f"| {size:g} | {i.peak:.0f} | {size / i.seconds:.1f} |" for size, i in found.items()),
        "",
        "| target | wanted | measured | |",
        "|---|---|---|---|",
        target(
            f"memory at {largest:g} MB over that at {smallest:g} MB",
            1.1,
            found[largest].peak / found[smallest].peak,
            most=True,
        ),
        target("memory, MB", 500, max(i.peak for i in found.values()), most=True),
    ]
    replace_section(HEADING, lines)


if __name__ == "__main__":
    main()
