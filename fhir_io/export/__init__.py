"""FHIR out: predictions, virtual patients and trials for one recipient, through the release gate.

:func:`export_results` is the entry; ``docs/fhir_export.md`` says what each result becomes.
"""

from fhir_io.export.errors import ExportError, ReleaseRefused
from fhir_io.export.export import Exported, export_results
from fhir_io.export.gate import Gate, Leaving, authorised_only

__all__ = [
    "ExportError",
    "Exported",
    "Gate",
    "Leaving",
    "ReleaseRefused",
    "authorised_only",
    "export_results",
]
