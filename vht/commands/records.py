"""Commands on records: a synthetic cohort, keys, the import, the registry of quantities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.console import done, err, out, progress

keys_app = typer.Typer(no_args_is_help=True, help="Keys that pseudonyms are made with.")

Keys = Annotated[Path, typer.Option(help="Folder of the keys and the vault. Keep it apart from the states.")]

States = Annotated[Path, typer.Option(help="Folder of the patient states.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.command()(sample)
    app.add_typer(keys_app, name="keys")
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


@keys_app.command("init")
def keys_init(keys: Keys) -> None:
    """Make a new key. It is made once a project: another key gives other pseudonyms."""
    from privacy import create_keys

    create_keys(keys)
    done("a new key and an empty vault", keys)


def import_records(
    source: Annotated[
        Path | None, typer.Argument(help="Bundle, NDJSON file, or folder of them.", show_default=False)
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Folder of the keys and the vault. Keep it apart from the states.")
    ] = None,
    states: Annotated[Path | None, typer.Option(help="Folder of the patient states.")] = None,
    project: Annotated[str, typer.Option(help="Pseudonyms of two projects cannot be linked.")] = "default",
    validation: Annotated[
        str, typer.Option(help="full: every resource; shape: the first of each shape; none.")
    ] = "shape",
    codes: Annotated[
        list[Path] | None, typer.Option(help="A table of codes of your own, over ours; may be repeated.")
    ] = None,
    assume_zone: Annotated[
        str | None,
        typer.Option(help="Clock of times without a zone, such as Europe/Berlin; else they are not used."),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Say what happens to a code, or system|code, and import nothing.")
    ] = None,
) -> None:
    """Import FHIR R4 records as pseudonymised patient states.

    Every resource read is used or listed as not used, with the reason. Names, addresses, identifiers,
    narrative and calendar dates do not pass. A report goes to the screen and into the states' folder.
    """
    from fhir_io import import_records as import_all
    from fhir_io.mapping.code_tables import Tables
    from fhir_io.mapping.explain import explain as explain_code
    from privacy import Pseudonymiser
    from vht.files import write_whole
    from vht.store import Store

    tables = Tables.load(codes)
    if explain is not None:
        out.print(str(explain_code(explain, tables=tables)), markup=False, highlight=False)
        return
    if source is None or keys is None or states is None:
        raise typer.BadParameter("give a source, --keys and --states; or --explain with a code")
    if validation not in ("full", "shape", "none"):
        raise typer.BadParameter("choose full, shape or none", param_hint="--validation")
    if _overlap(keys, states):
        raise typer.BadParameter("keys and states must lie in separate folders", param_hint="--states")
    with Pseudonymiser.open(keys, project) as pseudonymiser, progress("reading") as bar:
        report = import_all(
            source,
            pseudonymiser=pseudonymiser,
            store=Store(states),
            progress=bar,
            validation=validation,  # type: ignore[arg-type]
            tables=tables,
            assume_zone=assume_zone,
        )
    out.print(report.summary(), markup=False)
    if not report.patients:
        err.print("[red]error:[/red] no patient could be made of these records; the reasons are listed above")
        raise typer.Exit(1)
    write_whole(states / "import-report.json", report.to_json().encode())
    done(f"states of {report.patients} patients", states)


def _overlap(one: Path, other: Path) -> bool:
    a, b = one.resolve(), other.resolve()
    return a == b or a in b.parents or b in a.parents


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
