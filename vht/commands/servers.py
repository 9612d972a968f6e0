"""The command that fetches records from a live server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vht.commands.console import done, err, out, progress

if TYPE_CHECKING:
    from fhir_io.server import Fetched

PANEL = "Live server"
INCOMPLETE = "[red]error:[/red] the server could not give everything; records may be missing"

Bulk = Annotated[
    bool,
    typer.Option("--bulk", help="One export of all patients instead of searches.", rich_help_panel=PANEL),
]
System = Annotated[
    bool, typer.Option("--system", help="A bulk export of the whole system.", rich_help_panel=PANEL)
]
Group = Annotated[
    str | None, typer.Option(help="A bulk export of the group with this id.", rich_help_panel=PANEL)
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        help="Resource type; may be given again. Default: those imported.",
        rich_help_panel=PANEL,
    ),
]
ClientId = Annotated[
    str | None, typer.Option(help="Client of SMART Backend Services.", rich_help_panel=PANEL)
]
ClientKey = Annotated[
    Path | None,
    typer.Option("--key", help="The client's private keys: JWKS or PEM, mode 0600.", rich_help_panel=PANEL),
]
Scope = Annotated[
    str | None,
    typer.Option(help="Scopes, where the usual ones are not granted.", rich_help_panel=PANEL),
]
TokenUrl = Annotated[
    str | None,
    typer.Option(help="Token endpoint, if it lies at another origin.", rich_help_panel=PANEL),
]
Rate = Annotated[float, typer.Option(help="Requests a second, at most.", rich_help_panel=PANEL)]
TrustOrigin = Annotated[
    list[str] | None,
    typer.Option(help="Further origin that may see the access token.", rich_help_panel=PANEL),
]
AllowHttp = Annotated[
    bool,
    typer.Option(
        "--allow-http",
        help="Plain http also to other machines: anybody may read along.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class Access:
    """How a server is asked: the options that its commands share."""

    bulk: bool = False
    system: bool = False
    group: str | None = None
    types: list[str] | None = None
    client_id: str | None = None
    key: Path | None = None
    scope: str | None = None
    token_url: str | None = None
    rate: float = 10.0
    trust_origin: list[str] | None = None
    allow_http: bool = False

    def fetcher(self, url: str) -> Callable[..., Fetched]:
        """What fetches from a server; wrong options and unreadable keys are told before anything is made.

        Args:
            url: FHIR base address.
        """
        from fhir_io.server import NEEDED, BackendServices, read_keys
        from fhir_io.server import fetch as fetch_all

        if self.system and self.group:
            raise typer.BadParameter("choose --system or --group", param_hint="--group")
        if (self.client_id is None) != (self.key is None):
            raise typer.BadParameter("--client-id and --key belong together", param_hint="--key")
        level = f"group/{self.group}" if self.group else None
        level = level or ("system" if self.system else "patient" if self.bulk else None)
        auth = None
        if self.client_id is not None and self.key is not None:
            keys = read_keys(self.key)
            auth = BackendServices(self.client_id, keys, self.types or NEEDED, self.scope, self.token_url)

        def run(target: Path, since: str | None = None, resume: bool = True) -> Fetched:
            with progress("fetching", "files" if level else "types") as bar:
                return fetch_all(
                    url,
                    target,
                    types=self.types,
                    auth=auth,
                    bulk=level,
                    since=since,
                    rate=self.rate,
                    resume=resume,
                    progress=bar,
                    allow_http=self.allow_http,
                    trusted_origins=tuple(self.trust_origin or ()),
                )

        return run


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.command()(fetch)


def fetch(
    url: Annotated[str, typer.Argument(help="FHIR base address, https://host/path.", show_default=False)],
    target: Annotated[Path, typer.Option("--out", help="Raw folder. It holds identifiable records.")],
    bulk: Bulk = False,
    system: System = False,
    group: Group = None,
    types: Types = None,
    since: Annotated[
        str | None, typer.Option(help="Instant such as 2024-05-01T00:00:00Z. Default: the last fetch.")
    ] = None,
    client_id: ClientId = None,
    key: ClientKey = None,
    scope: Scope = None,
    token_url: TokenUrl = None,
    rate: Rate = 10.0,
    trust_origin: TrustOrigin = None,
    allow_http: AllowHttp = False,
    resume: Annotated[
        bool, typer.Option("--resume/--anew", help="Go on with a fetch that broke off, or begin it anew.")
    ] = True,
) -> None:
    """Fetch FHIR records from a server into a raw folder that ``vht import`` reads.

    The first time all of them, later what changed. A fetch that broke off goes on where it stopped.
    """
    access = Access(
        bulk, system, group, types, client_id, key, scope, token_url, rate, trust_origin, allow_http
    )
    fetched = access.fetcher(url)(target, since, resume)
    out.print(fetched.summary(), markup=False)
    done(f"{sum(fetched.written.values())} records, identifiable", target)
    if not fetched.complete:
        err.print(INCOMPLETE)
        raise typer.Exit(1)
