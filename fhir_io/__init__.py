"""The door: FHIR records in, pseudonymised patient states out, nothing lost silently.

This is the only package that knows FHIR. :func:`import_records` reads a folder or file of FHIR R4
records into a state store and accounts for every resource it read; :func:`write_sample` writes a
synthetic cohort, as untidy as real records, to try it on. :func:`explain` says what happens to a code.

Names are loaded when they are first used: a process that reads for an import does not load the store.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhir_io.errors import FhirImportError, SampleError
    from fhir_io.importer import import_records
    from fhir_io.mapping.explain import explain
    from fhir_io.reasons import Note, Reason
    from fhir_io.report import ImportReport
    from fhir_io.sample import write_sample

__all__ = [
    "FhirImportError",
    "ImportReport",
    "Note",
    "Reason",
    "SampleError",
    "explain",
    "import_records",
    "write_sample",
]

_HOME = {
    "FhirImportError": "errors",
    "ImportReport": "report",
    "Note": "reasons",
    "Reason": "reasons",
    "SampleError": "errors",
    "explain": "mapping.explain",
    "import_records": "importer",
    "write_sample": "sample",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fhir_io' has no attribute '{name}'")
    return getattr(importlib.import_module(f"fhir_io.{_HOME[name]}"), name)
