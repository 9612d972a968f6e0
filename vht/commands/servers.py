"""The command that fetches records from a live server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.console import done, err, out, progress


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.command()(fetch)


def fetch(
    url: Annotated[str, typer.Argument(help="FHIR base address, https://host/path.", show_default=False)],
    target: Annotated[Path, typer.Option("--out", help="Raw folder. It holds identifiable records.")],
    bulk: Annotated[
        bool, typer.Option("--bulk", help="One export of all patients instead of searches.")
    ] = False,
    system: Annotated[bool, typer.Option("--system", help="A bulk export of the whole system.")] = False,
    group: Annotated[str | None, typer.Option(help="A bulk export of the group with this id.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Resource type; may be given again. Default: those imported."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Instant such as 2024-05-01T00:00:00Z. Default: the last fetch.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Client of SMART Backend Services.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private keys: JWKS or PEM, mode 0600.")] = None,
    scope: Annotated[str | None, typer.Option(help="Scopes, where the usual ones are not granted.")] = None,
    token_url: Annotated[
        str | None, typer.Option(help="Token endpoint, if it lies at another origin.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests a second, at most.")] = 10.0,
    trust_origin: Annotated[
        list[str] | None, typer.Option(help="Further origin that may see the access token.")
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Plain http also to other machines: anybody may read along.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--anew", help="Go on with a fetch that broke off, or begin it anew.")
    ] = True,
) -> None:
    """Fetch FHIR records from a server into a raw folder that ``vht import`` reads.

    The first time all of them, later what changed. A fetch that broke off goes on where it stopped.
    """
    from fhir_io.server import NEEDED, BackendServices, read_keys
    from fhir_io.server import fetch as fetch_all

    if system and group:
        raise typer.BadParameter("choose --system or --group", param_hint="--group")
    if (client_id is None) != (key is None):
        raise typer.BadParameter("--client-id and --key belong together", param_hint="--key")
    level = f"group/{group}" if group else "system" if system else "patient" if bulk else None
    auth = None
    if client_id is not None and key is not None:
        auth = BackendServices(client_id, read_keys(key), types or NEEDED, scope, token_url)
    with progress("fetching", "files" if level else "types") as bar:
        fetched = fetch_all(
            url,
            target,
            types=types,
            auth=auth,
            bulk=level,
            since=since,
            rate=rate,
            resume=resume,
            progress=bar,
            allow_http=allow_http,
            trusted_origins=tuple(trust_origin or ()),
        )
    out.print(fetched.summary(), markup=False)
    done(f"{sum(fetched.written.values())} records, identifiable", target)
    if not fetched.complete:
        err.print("[red]error:[/red] the server could not export everything; records may be missing")
        raise typer.Exit(1)
