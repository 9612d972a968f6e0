"""Write the published JSON Schemas of what an export reads: ``python -m fhir_io.export docs/schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fhir_io.export.run_folder import results_schema
from fhir_io.export.schema import json_schema
from vht.files import write_whole


def write_schemas(folder: Path) -> None:
    """Write ``vht-predictions-1.json`` and ``vht-results-1.json``."""
    for name, schema in (("vht-predictions-1", json_schema()), ("vht-results-1", results_schema())):
        write_whole(folder / f"{name}.json", (json.dumps(schema, indent=1) + "\n").encode())


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
