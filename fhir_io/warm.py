"""Loaded once by the process from which workers are forked: what each of them would load for itself.

Code tables, the registry of units and the classes of ``fhir.resources`` take about a second; forked workers
share them, also in memory.
"""

from __future__ import annotations

import gc

from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.ucum import conversion
from fhir_io.select import NEEDED_TYPES
from fhir_io.versions import model_class

Tables.load()
conversion("mg/dL", "g/L")
for _kind in sorted(NEEDED_TYPES):
    model_class(_kind, "R4")
gc.collect()
gc.freeze()
