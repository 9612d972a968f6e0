"""What the tests of the export share: the example of the documentation, and one call to export it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from fhir_io.export import export_results
from privacy import recipient_pseudonyms
from privacy.derivation import Keys

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "predictions.json"
FIRST = "v1-" + "a" * 32
SECOND = "v1-" + "b" * 32
KEYS = Keys(bytes(range(32)))
WHEN = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


def example(**changes: Any) -> Json:
    """The example document as plain JSON, with top-level fields changed."""
    content: Json = json.loads(EXAMPLE.read_bytes())
    return copy.deepcopy(content) | changes


def export(source: Path | Json, out: Path, *, recipient: str = "registry", **options: Any) -> list[Json]:
    """Export and give back the resources of the Bundle, decimals as they were written."""
    if isinstance(source, dict):
        path = out.with_name(f"{out.stem}-source.json")
        path.write_text(json.dumps(source))
        source = path
    export_results(
        source,
        out,
        recipient=recipient,
        named=recipient_pseudonyms(KEYS, recipient),
        recorded=WHEN,
        **options,
    )
    return entries(out)


def entries(path: Path) -> list[Json]:
    """The resources of a Bundle file."""
    bundle = json.loads(path.read_bytes(), parse_float=Decimal)
    return [entry["resource"] for entry in bundle["entry"]]


def of_type(resources: list[Json], kind: str) -> list[Json]:
    return [r for r in resources if r["resourceType"] == kind]


def tags(resource: Json) -> set[str]:
    return {tag["code"] for tag in resource.get("meta", {}).get("tag", [])}


def every(value: Any, key: str) -> list[Any]:
    """All values that stand under a key, at any depth."""
    found: list[Any] = []
    if isinstance(value, dict):
        found += [item for name, item in value.items() if name == key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found += every(item, key)
    return found
