"""Reading what is to be exported: a file of ``vht-predictions/1``, the folder of a trial run, or states.

Errors name the file and the field and say what is wrong with it; they hold no value of it.
"""

from __future__ import annotations

from pathlib import Path

from fhir_io.export.errors import ExportError
from fhir_io.export.json_files import checked, read_json
from fhir_io.export.run_folder import MANIFEST, read_run
from fhir_io.export.schema import SCHEMA, Document
from fhir_io.export.states_folder import STORE, read_states


def read_results(path: Path) -> Document:
    """The results at a path, in the form that is exported.

    Args:
        path: a JSON file of ``vht-predictions/1``, the folder of a run (``vht trial run``), or a folder of
            patient states, whose measurements are exported.

    Raises:
        ExportError: nothing that can be exported is there, or it is damaged; names file and field.
    """
    if path.is_file():
        content = read_json(path)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ExportError(
                f"the results file is not of schema {SCHEMA}; give such a file, the folder of a run, "
                "or a folder of states"
            )
        return checked(Document, content, "the results file")
    if (path / MANIFEST).is_file():
        return read_run(path)
    if (path / STORE).is_file():
        return read_states(path)
    raise ExportError(
        f"nothing to export there: give a file of schema {SCHEMA}, the folder of a run ({MANIFEST}), "
        f"or a folder of states ({STORE})"
    )
