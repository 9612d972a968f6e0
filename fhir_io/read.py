"""One stream of resources out of Bundles, single resources, NDJSON and bulk-export folders.

Every resource comes with its place (file ordinal in the order of names, entry or line), so that the
report can point at it without naming a file. This is the face of ``fhir_io.reading``.
"""

from __future__ import annotations

from fhir_io.reading.records import Json, Place, Record
from fhir_io.reading.source import SIDE_FILES, Source, open_source
from fhir_io.reading.units import UNIT_BYTES, Unit, read_records, read_unit, units

__all__ = [
    "SIDE_FILES",
    "UNIT_BYTES",
    "Json",
    "Place",
    "Record",
    "Source",
    "Unit",
    "open_source",
    "read_records",
    "read_unit",
    "units",
]
