"""The command that lets results out as FHIR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.auditing import AuditLog, audited
from vht.commands.console import done, out
from vht.commands.keys import Keys


def register(app: typer.Typer) -> None:
    """Add this command to ``vht``."""
    app.command()(export)


def export(
    results: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run or of states, or a file of vht-predictions/1.", show_default=False
        ),
    ],
    target: Annotated[
        Path, typer.Option("--out", help="NAME.json: one Bundle; else a folder of NDJSON by type.")
    ],
    recipient: Annotated[
        str, typer.Option(help="Who gets it. Patients have other names with another recipient.")
    ],
    keys: Keys,
    project: Annotated[str, typer.Option(help="As for the import.")] = "default",
    study: Annotated[str, typer.Option(help="As for the import.")] = "",
    fhir: Annotated[str, typer.Option(help="R4 or R5; the estimates of a trial need R5.")] = "R4",
    bundle: Annotated[
        str, typer.Option(help="collection, or transaction to post to a server.")
    ] = "collection",
    authorised: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Why results that rest on people's records may leave. It is exported too: no patient in it.",
            show_default=False,
        ),
    ] = None,
    audit: AuditLog = None,
) -> None:
    """Write results as FHIR for one recipient: predictions, virtual patients, the trial, its provenance.

    Everything predicted is marked as simulated. Days stay relative; patients go by names that only this
    recipient knows. Results that were derived from people leave with --authorised REASON only.
    """
    from fhir_io.export import export_results
    from privacy import open_keys, recipient_pseudonyms

    if fhir not in ("R4", "R5"):
        raise typer.BadParameter("choose R4 or R5", param_hint="--fhir")
    if bundle not in ("collection", "transaction"):
        raise typer.BadParameter("choose collection or transaction", param_hint="--bundle")
    with audited(audit, "export", "RELEASE", authorised or "") as counts:
        made = export_results(
            results,
            target,
            recipient=recipient,
            named=recipient_pseudonyms(open_keys(keys), recipient, project, study),
            fhir_version=fhir,  # type: ignore[arg-type]
            bundle=bundle,  # type: ignore[arg-type]
            authorised=authorised,
        )
        counts.update(resources=made.resources)
    for kind, count in made.by_type.items():
        out.print(f"{count:>9} {kind}", markup=False)
    done(f"{made.resources} resources of FHIR {fhir}", target)
