"""Commands on records: a synthetic cohort, the import, the registry of quantities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.console import done, out
from vht.commands.importing import import_records

States = Annotated[Path, typer.Option(help="Folder of the patient states.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.command()(sample)
    app.command("import")(import_records)
    app.command()(quantities)


def sample(
    target: Annotated[Path, typer.Option("--out", help="Folder to write; made if absent.")],
    patients: Annotated[int, typer.Option(min=1, max=100_000, help="How many patients.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Decides everything about them.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
) -> None:
    """Write a synthetic FHIR R4 cohort: adults with metastatic gastrointestinal stromal tumour.

    One Bundle a patient, as messy as real records: two panel codes, two units, an entered-in-error
    reading, missing heart rates, and names, addresses and numbers that an import must not let through.
    """
    from fhir_io import write_sample

    count = write_sample(target, patients=patients, seed=seed, overwrite=overwrite)
    done(f"{count} patients", target)


def quantities() -> None:
    """List the clinical quantities that the toolkit knows, with the LOINC codes that mean them."""
    from fhir_io.mapping.code_tables import Tables
    from vht.quantities import QUANTITIES

    tables = Tables.load()
    for q in QUANTITIES.values():
        out.print(
            f"{q.name:<36}{q.label:<38}{q.unit:<18}{' '.join(tables.codes_of_quantity(q.name))}".rstrip(),
            markup=False,
        )
