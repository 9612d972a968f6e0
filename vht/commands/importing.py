"""``vht import``: from FHIR records to pseudonymised patient states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vht.commands import servers
from vht.commands.auditing import AuditLog, audited
from vht.commands.console import done, err, out, progress

if TYPE_CHECKING:
    from fhir_io import Reason
    from fhir_io.server import Fetched
    from privacy import Pseudonymiser
    from vht.store import Store


class Validation(StrEnum):
    """Which resources are validated by fhir.resources."""

    full = "full"
    shape = "shape"
    none = "none"


class FhirVersion(StrEnum):
    """FHIR versions that are read."""

    R4 = "R4"
    R4B = "R4B"
    R5 = "R5"


class ConsentPolicy(StrEnum):
    """Whose data are used."""

    opt_in = "opt-in"
    opt_out = "opt-out"


def import_records(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Bundle, NDJSON file, folder of them, or FHIR base address https://host/path.",
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Folder of the keys and the vault. Keep it apart from the states.")
    ] = None,
    states: Annotated[Path | None, typer.Option(help="Folder of the patient states.")] = None,
    project: Annotated[str, typer.Option(help="Pseudonyms of two projects cannot be linked.")] = "default",
    study: Annotated[
        str, typer.Option(help="Study of the project, if it has several; unlinkable, too.")
    ] = "",
    source_name: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Label of the source: corrections are found within it. Default: the server's address, if "
            "the records were fetched; else 'default'.",
            show_default=False,
        ),
    ] = None,
    validation: Annotated[
        Validation,
        typer.Option(help="full: every resource that is used; shape: the first of each shape; none."),
    ] = Validation.shape,
    fhir: Annotated[
        FhirVersion | None, typer.Option(help="Version of the source; else each resource tells.")
    ] = None,
    consent: Annotated[
        ConsentPolicy | None, typer.Option(help="Use only patients whose Consents allow research.")
    ] = None,
    codes: Annotated[
        list[Path] | None, typer.Option(help="A table of codes of your own, over ours; may be repeated.")
    ] = None,
    assume_zone: Annotated[
        str | None,
        typer.Option(help="Clock of times without a zone, such as Europe/Berlin; else they are not used."),
    ] = None,
    strict: Annotated[
        list[str] | None,
        typer.Option(help="Fail, and import nothing, if a resource is not used for this reason."),
    ] = None,
    retry_unused: Annotated[
        list[str] | None,
        typer.Option(help="Read again only what was not used for this reason, after a table changed."),
    ] = None,
    accept_predictions: Annotated[
        bool, typer.Option("--accept-predictions", help="Take what is marked as simulated for measurements.")
    ] = False,
    audit: AuditLog = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that read.")] = 1,
    explain: Annotated[
        str | None, typer.Option(help="Say what happens to a code, or system|code, and import nothing.")
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what the server gave, identifiable: later imports fetch what changed. "
            "Default: a private one in the keys folder, removed at the end.",
            rich_help_panel=servers.PANEL,
        ),
    ] = None,
    bulk: servers.Bulk = False,
    system: servers.System = False,
    group: servers.Group = None,
    types: servers.Types = None,
    client_id: servers.ClientId = None,
    key: servers.ClientKey = None,
    scope: servers.Scope = None,
    token_url: servers.TokenUrl = None,
    rate: servers.Rate = 10.0,
    trust_origin: servers.TrustOrigin = None,
    allow_http: servers.AllowHttp = False,
) -> None:
    """Import FHIR records as pseudonymised patient states.

    Every resource read is used or listed as not used, with the reason. Names, addresses, identifiers,
    narrative and calendar dates do not pass. A report goes to the screen and into the states' folder.
    Records of a live server are fetched first.
    """
    from fhir_io import import_records as import_all
    from privacy import Pseudonymiser
    from vht.files import write_whole
    from vht.store import Store

    if explain is not None:
        _explain(explain, codes or [])
        return
    if source is None or keys is None or states is None:
        raise typer.BadParameter("give a source, --keys and --states; or --explain with a code")
    if _overlap(keys, states):
        raise typer.BadParameter("keys and states must lie in separate folders", param_hint="--states")
    forbidden = _reasons(strict or [], "--strict")
    again = _reasons(retry_unused or [], "--retry-unused")
    access = servers.Access(
        bulk, system, group, types, client_id, key, scope, token_url, rate, trust_origin, allow_http
    )
    with (
        audited(audit, "import", "PSEUDO") as counts,
        _records(source, keys, states, raw, access, retry=bool(again)) as (records, complete),
        Pseudonymiser.open(keys, project, study) as pseudonymiser,
        progress("reading") as bar,
    ):
        _refuse_older_pseudonyms(Store(states), pseudonymiser, keys)
        report = import_all(
            records,
            pseudonymiser=pseudonymiser,
            store=Store(states),
            progress=bar,
            validation=validation.value,
            fhir_version=fhir.value if fhir else None,
            workers=workers,
            strict=forbidden,
            retry_unused=again,
            consent=consent.value if consent else None,
            codes=codes or (),
            assume_zone=assume_zone,
            accept_predictions=accept_predictions,
            source_name=source_name,
            scratch=keys,
        )
        counts.update(
            read=report.read, used=report.used, patients=report.patients, retracted=report.retracted
        )
    out.print(report.summary(), markup=False)
    if not report.patients and not report.deletions:
        err.print("[red]error:[/red] no patient could be made of these records; the reasons are listed above")
        raise typer.Exit(1)
    write_whole(states / "import-report.json", report.to_json().encode())
    done(f"states of {report.patients} patients", states)
    if not complete:
        err.print(servers.INCOMPLETE)
        raise typer.Exit(1)


@contextmanager
def _records(
    source: str, keys: Path, states: Path, raw: Path | None, access: servers.Access, *, retry: bool
) -> Iterator[tuple[Path, bool]]:
    """Where the records lie, and whether they are all there; those of a server are fetched first."""
    if not source.lower().startswith(("http://", "https://")):
        if raw is not None or access != servers.Access(rate=access.rate):
            raise typer.BadParameter(
                "the options of a live server need its address, https://host/path, as the source",
                param_hint="SOURCE",
            )
        yield Path(source), True
        return
    from fhir_io.scratch import private_folder
    from privacy.keys import open_keys

    open_keys(keys)  # before anything is fetched for nothing
    run = access.fetcher(source)
    if raw is None:
        if retry:
            raise typer.BadParameter(
                "needs the files of the earlier import: give the folder that kept them as --raw",
                param_hint="--retry-unused",
            )
        with private_folder(keys, ".fetch-") as folder:
            yield _fetched(run(folder))
        return
    if any(_overlap(raw, other) for other in (keys, states)):
        raise typer.BadParameter("raw, keys and states must lie in separate folders", param_hint="--raw")
    yield _fetched(run(raw))


def _fetched(done: Fetched) -> tuple[Path, bool]:
    out.print(done.summary(), markup=False)
    return done.folder, done.complete


def _refuse_older_pseudonyms(store: Store, pseudonymiser: Pseudonymiser, keys: Path) -> None:
    """States of before a rotation would get every patient a second time, under the new pseudonym."""
    from vht.store import StoreError

    held = store.a_pseudonym()
    if held is not None and held != pseudonymiser.renamed(held):
        raise StoreError(
            f"{store.folder} holds pseudonyms of an earlier key; rename them with `vht keys rotate --resume "
            f"--keys {keys} --states {store.folder}`"
        )


def _explain(code: str, codes: list[Path]) -> None:
    from fhir_io.mapping.code_tables import Tables
    from fhir_io.mapping.explain import explain

    out.print(str(explain(code, tables=Tables.load(codes))), markup=False, highlight=False)


def _reasons(words: list[str], option: str) -> list[Reason]:
    from difflib import get_close_matches

    from fhir_io import Reason

    known = {reason.code: reason for reason in Reason}
    for word in words:
        if word not in known:
            near = get_close_matches(word, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(known)
            raise typer.BadParameter(f"there is no reason '{word}'; {hint}", param_hint=option)
    return [known[word] for word in words]


def _overlap(one: Path, other: Path) -> bool:
    a, b = one.resolve(), other.resolve()
    return a == b or a in b.parents or b in a.parents
