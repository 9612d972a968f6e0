"""Patient states as a document: their recorded, derived and imputed values, without predictions."""

from __future__ import annotations

import importlib.metadata
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from fhir_io.export.errors import ExportError
from fhir_io.export.json_files import checked
from fhir_io.export.schema import Document
from vht.quantities import QUANTITIES
from vht.store import Store, StoreError

STORE = "store.json"


def read_states(folder: Path) -> Document:
    """The measurements of a folder of states.

    Raises:
        ExportError: the states cannot be read.
    """
    try:
        cohort = Store(folder).cohort()
    except StoreError as error:
        raise ExportError(f"the states cannot be read: {error}") from None
    content = {
        "schema": "vht-predictions/1",
        "label": "real-derived",
        "run": {
            "name": "states",
            "software": {"version": importlib.metadata.version("virtual-human-twin")},
            "inputs": [{"role": "states", "sha256": cohort.digest}] if cohort.digest else [],
        },
        "subjects": subjects(cohort.patients),
        "measurements": [
            {
                "subject": row.pseudonym,
                "quantity": row.quantity,
                "value": number(row.value),
                "unit": QUANTITIES[row.quantity].unit,
                "day": number(row.day),
                "origin": row.origin,
            }
            for row in cohort.observations.itertuples()
        ],
    }
    return checked(Document, content, "the states")


def subjects(patients: pd.DataFrame) -> list[dict[str, Any]]:
    """Subjects from a table with pseudonym, sex and age in completed years."""
    return [
        {
            "subject": row.pseudonym,
            "sex": row.sex,
            "age_years": None if pd.isna(row.age_years) else int(row.age_years),
        }
        for row in patients.itertuples()
    ]


def number(value: float) -> Decimal:
    """A float as the shortest decimal that reads back as the same float."""
    return Decimal(repr(float(value)))
