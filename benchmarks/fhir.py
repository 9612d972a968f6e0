"""How fast records become states, against validation of every resource by ``fhir.resources``.

    python -m benchmarks.fhir BUNDLES

Everything runs in one process on one core and takes turns; the ratios are what counts. Everyone starts from
bytes on the disk and gives the same resources: those of the types that an import needs.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle

from benchmarks.fhir_memory import resources, write_ndjson
from benchmarks.measuring import cpu_seconds, machine, replace_section, target
from fhir_io import import_records
from fhir_io.extract import Extractor, Options
from fhir_io.importer import UNIT_BYTES
from fhir_io.read import open_source, read_unit, units
from fhir_io.select import NEEDED_TYPES
from fhir_io.workers import collector_at_rest
from privacy import Pseudonymiser, create_keys
from vht.store import Store

HEADING = "## From records to states"
ROUNDS = 7
SHOWN = 12
SCALING_MEGABYTES = 400


def validated(folder: Path) -> int:
    """What a user of ``fhir.resources`` would write: parse, validate, select; the number of resources."""
    count = 0
    for path in sorted(folder.iterdir()):
        for resource in _parsed(path):
            kind = resource["resourceType"]
            if kind in NEEDED_TYPES:
                _selected(get_fhir_model_class(kind).model_validate(resource))
                count += 1
    return count


def whole_bundles(folder: Path) -> int:
    """Whole Bundles by pydantic; the number of Bundles."""
    paths = sorted(folder.glob("*.json"))
    for path in paths:
        Bundle.model_validate_json(path.read_bytes())
    return len(paths)


def extracted(folder: Path) -> int:
    """Our parsing, validation by shape, and selection, without the store; the number of drafts."""
    extractor = Extractor(Options())
    count = 0
    with collector_at_rest():
        for unit in units(open_source(folder), UNIT_BYTES):
            found = extractor.extract(read_unit(unit, needed=extractor.needed), unit.place.file)
            count += len(found.drafts)
    return count


def stored(folder: Path, workers: int = 1) -> int:
    """The whole import into a new store, with keys of its own; the number of rows."""
    with tempfile.TemporaryDirectory() as place:
        keys, store = Path(place) / "keys", Store(Path(place) / "states")
        create_keys(keys)
        with Pseudonymiser.open(keys) as pseudonymiser:
            report = import_records(
                folder, pseudonymiser=pseudonymiser, store=store, workers=workers, scratch=keys
            )
        return report.rows_added


def _parsed(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    if path.suffix == ".ndjson":
        return [orjson.loads(line) for line in content.splitlines()]
    return [entry["resource"] for entry in orjson.loads(content)["entry"]]


def _selected(model: Any) -> tuple[Any, ...]:
    code, subject = getattr(model, "code", None), getattr(model, "subject", None)
    value = getattr(model, "valueQuantity", None)
    return (
        model.id,
        getattr(model, "status", None),
        code.coding[0].code if code and code.coding else None,
        subject.reference if subject else None,
        value.value if value else None,
        getattr(model, "effectiveDateTime", None),
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="Measure the import of FHIR records.")
    parser.add_argument("bundles", type=Path, help="folder of Synthea Bundles")
    parser.add_argument("--record", action="store_true", help="write the section of RESULTS.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        lines = _measure(chosen.bundles, Path(place))
    if chosen.record:
        replace_section(HEADING, lines)
    print("\n".join(lines))


def _measure(shared: Path, place: Path) -> list[str]:
    bundles, lines = _copies(shared, place)
    ways: dict[str, Callable[[], Any]] = {}
    for name, folder in (("Bundles", bundles), ("NDJSON", lines)):
        for what, way in (("R4B", validated), ("read", extracted), ("stored", stored)):
            ways[f"{name} {what}"] = lambda way=way, folder=folder: way(folder)
    ways["Bundles whole"] = lambda: whole_bundles(bundles)
    for way in ways.values():  # loads classes and tables
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.freeze()
    for number in range(ROUNDS):
        for name, way in ways.items():
            if name != "Bundles whole" or number < 3:
                times[name].append(cpu_seconds(way))
    best = {name: statistics.median(found) for name, found in times.items()}
    count = validated(lines)
    large = place / "large"
    write_ndjson(shared, large / "resources.ndjson", SCALING_MEGABYTES)
    one, two = (_by_the_clock(large, workers) for workers in (1, 2))
    told = {
        "R4B": "orjson, `R4B.model_validate`, select",
        "read": "parse, validate by shape, select and map",
        "stored": "bytes to stored states",
        "whole": "`Bundle.model_validate_json`, every resource",
    }
    rows = [
        f"| {name.split()[0]} | {told[name.split()[1]]} | {best[name]:.3f} "
        f"({min(times[name]):.3f}–{max(times[name]):.3f}) | {count / best[name]:,.0f} |"
        for name in ways
    ]
    targets = []
    for name in ("Bundles", "NDJSON"):
        reference = best[f"{name} R4B"]
        targets.append(target(f"{name} to stored states over R4B", 3, reference / best[f"{name} stored"]))
        targets.append(target(f"{name} parsed and selected over R4B", 6, reference / best[f"{name} read"]))
    whole = best["Bundles whole"]
    targets.append(
        target("Bundles to stored states over Bundle.model_validate_json", 8, whole / best["Bundles stored"])
    )
    targets.append(target("two workers over one, by the clock", 1.7, one / two))
    return [
        machine(os.cpu_count() or 1, "python -m benchmarks.fhir"),
        "",
        f"The shared Synthea set, {sum(1 for _ in resources(shared)):,} resources in 65 Bundles, and the "
        f"same resources as one file of NDJSON a type; {count:,} of them are of types that an import "
        "needs, and rates count these. One process, one core, taking turns for "
        f"{ROUNDS} rounds (3 for whole Bundles): median processor time, with the fastest and slowest. Two "
        f"workers: {SCALING_MEGABYTES} MB of NDJSON, start of the workers included ({one:.1f} s and "
        f"{two:.1f} s by the clock).",
        "",
        "| source | way | s | resources/s |",
        "|---|---|---|---|",
        *rows,
        "",
        "| target | wanted | measured | |",
        "|---|---|---|---|",
        *targets,
        "",
        "Where the time of an import goes (functions by own time under the profiler, which doubles it; "
        "NDJSON, one worker):",
        "",
        "| function | calls | % |",
        "|---|---|---|",
        *_profile(lines),
    ]


def _copies(shared: Path, place: Path) -> tuple[Path, Path]:
    """Folders of links to the Bundles, and of the same resources as NDJSON by type."""
    bundles, lines = place / "bundles", place / "ndjson"
    bundles.mkdir()
    lines.mkdir()
    for path in sorted(shared.glob("*.json")):
        content = orjson.loads(path.read_bytes())
        if isinstance(content, dict) and "entry" in content:
            (bundles / path.name).symlink_to(path)
    for resource in resources(shared):
        with open(lines / f"{resource['resourceType']}.ndjson", "ab") as sink:
            sink.write(orjson.dumps(resource) + b"\n")
    return bundles, lines


def _by_the_clock(folder: Path, workers: int) -> float:
    begin = time.monotonic()
    stored(folder, workers)
    return time.monotonic() - begin


def _profile(folder: Path) -> list[str]:
    profile = cProfile.Profile()
    profile.runcall(stored, folder)
    found: Any = pstats.Stats(profile)
    rows = sorted(found.stats.items(), key=lambda item: -item[1][2])[:SHOWN]
    lines = []
    for (path, _, name), (_, calls, own, _, _) in rows:
        where = "" if path == "~" else f"{Path(path).parent.name}/{Path(path).name} "
        lines.append(f"| `{where}{name}` | {calls:,} | {100 * own / found.total_tt:.1f} |")
    return lines


if __name__ == "__main__":
    main()
