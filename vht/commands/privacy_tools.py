"""``vht privacy``: release tables, search for leaks, keep and verify the audit log, erase a patient."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vht.commands.console import done, err, out
from vht.commands.keys import Keys
from vht.commands.privacy import release

if TYPE_CHECKING:
    from privacy.erasure import Erasers
    from privacy.scan import Known

privacy_app = typer.Typer(no_args_is_help=True, help="Release, search for leaks, audit, erase.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
privacy_app.add_typer(audit_app, name="audit")

AuditFolder = Annotated[Path, typer.Option("--audit", help="Folder of the audit log.")]
Officer = Annotated[Path, typer.Option(help="The officer's file; keep it away from this machine.")]

_MOST_SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.add_typer(privacy_app, name="privacy")
    privacy_app.command("release")(release)


@privacy_app.command("scan")
def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to search.", show_default=False)],
    raw: Annotated[Path | None, typer.Option(help="FHIR records whose identifiers are looked for.")] = None,
    known: Annotated[
        Path | None,
        typer.Option(help="File of identifiers, one a line; FIELD<tab>VALUE where the field is known."),
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="Look only for these fields, such as family or id.")
    ] = None,
) -> None:
    """Search files for identifiers, in every encoding and inside archives, tables and databases.

    Prints where, in which encoding and of which field, never the identifier; file names are shown only as a
    digest, because a name can be the leak. Exits with 1 if there is any leak.
    """
    from privacy.scan import LeakScanner, ScanIncomplete

    tokens = _known(raw, known, fields)
    scanner = LeakScanner(tokens)
    roots = [path.resolve() for path in paths]
    try:
        leaks = scanner.scan(roots)
    except ScanIncomplete as error:
        place = _place(error.path, roots) if error.path is not None else "a file"
        err.print(f"[red]error:[/red] {place}: ", end="")
        err.print(f"{error}; what was not seen cannot be called clean", markup=False)
        raise typer.Exit(2) from None
    for leak in leaks[:_MOST_SHOWN]:
        field = tokens[leak.token_index].field
        out.print(f"{_place(leak.path, roots)}  {leak.place}  {leak.encoding}  {field}", markup=False)
    if leaks:
        hidden = len(leaks) - _MOST_SHOWN
        if hidden > 0:
            out.print(f"and {hidden} more", markup=False)
        err.print(f"[red]{len(leaks)} leaks[/red] of {len({x.token_index for x in leaks})} identifiers")
        raise typer.Exit(1)
    out.print(f"[green]no leak[/green] of {len(tokens)} identifiers")


@audit_app.command("init")
def audit_init(
    audit: AuditFolder,
    officer: Officer,
    anchors: Annotated[
        Path | None, typer.Option(help="File on another disk that checkpoints are copied to.")
    ] = None,
) -> None:
    """Make an empty audit log, and the file that verifies it."""
    from privacy.audit import create_audit

    create_audit(audit, officer, anchors=anchors)
    done("an empty audit log", audit)
    done("the officer's file (take it away from this machine)", officer)


@audit_app.command("verify")
def audit_verify(
    audit: AuditFolder,
    officer: Officer,
    anchors: Annotated[Path | None, typer.Option(help="Copies of checkpoints kept elsewhere.")] = None,
) -> None:
    """Check every line and checkpoint. Exits with 1 if anything was edited, removed, moved or cut."""
    from privacy.audit import verify_audit

    found = verify_audit(audit, officer, anchors=anchors)
    for note in found.notes:
        err.print(f"[yellow]note:[/yellow] {note}")
    for finding in found.findings:
        err.print("[red]not verified:[/red] ", end="")
        err.print(str(finding), markup=False)
    if not found.verified:
        raise typer.Exit(1)
    out.print(f"[green]verified:[/green] {found.records} records, {found.anchored} of them signed")


@audit_app.command("export")
def audit_export(
    audit: AuditFolder,
    officer: Officer,
    target: Annotated[Path, typer.Option("--out", help="NDJSON file of FHIR R4 AuditEvents.")],
) -> None:
    """Write the log as FHIR AuditEvents."""
    from fhir_io.audit import write_audit_events
    from privacy.audit.verification import read_entries

    count = write_audit_events(read_entries(audit, officer), target)
    done(f"{count} AuditEvents", target)


@privacy_app.command("erase")
def erase(
    pseudonym: Annotated[str, typer.Argument(help="Of the patient.", show_default=False)],
    keys: Keys,
    audit: AuditFolder,
    reason: Annotated[str, typer.Option(help="Why. It goes to the audit log: no patient in it.")],
    states: Annotated[list[Path] | None, typer.Option(help="Folder of states; may be repeated.")] = None,
    runs: Annotated[
        list[Path] | None, typer.Option("--run", help="Folder of a finished run; may be repeated.")
    ] = None,
    project: Annotated[str, typer.Option(help="As for the import.")] = "default",
    study: Annotated[str, typer.Option(help="As for the import.")] = "",
) -> None:
    """Remove one patient everywhere, and keep the patient out of later imports.

    Rows go from states and runs, and the patient's bars from waterfalls; the vault forgets study number and
    day zero. Prints the copies that cannot be reached from here. `vht privacy scan` shows the rest.
    """
    from privacy.audit import Audit

    erasers = _erasers(keys, states or [], runs or [], project, study)
    with Audit.open(audit) as log:
        erased = erasers.erase(pseudonym, reason, log.record)
    for name, count in erased.removed.items():
        out.print(f"{count:>9} from {name}", markup=False)
    for copy in erased.out_of_reach:
        err.print("[yellow]not reached:[/yellow] ", end="")
        err.print(copy, markup=False)
    out.print("[green]erased[/green]")


def _erasers(keys: Path, states: list[Path], runs: list[Path], project: str, study: str) -> Erasers:
    from privacy import Pseudonymiser
    from privacy.erasure import Eraser, Erasers
    from trials.erasure import copies_out_of_reach, erase_from_run
    from trials.run import read_manifest
    from vht.store import Store, StoreError

    def forget(pseudonym: str) -> int:
        with Pseudonymiser.open(keys, project, study) as pseudonymiser:
            known = pseudonymiser.enrolled(pseudonym) is not None
            pseudonymiser.suppress(pseudonym)
        return int(known)

    erasers = Erasers()
    for number, folder in enumerate(states, 1):
        if not Store(folder).exists():
            raise StoreError(f"{folder} holds no patient states; name the folders of an import")
        store = Store(folder)
        erasers.register(Eraser(f"states {number}", lambda p, store=store: store.erase([p])))  # type: ignore[misc]
    for number, folder in enumerate(runs, 1):
        read_manifest(folder)
        erasers.register(Eraser(f"run {number}", lambda p, folder=folder: erase_from_run(folder, p)))  # type: ignore[misc]
        erasers.out_of_reach(copies_out_of_reach(folder, os.environ.get("MLFLOW_TRACKING_URI")))
    erasers.register(Eraser("the vault", forget, last=True))
    erasers.out_of_reach(
        [
            "the source of the records, which is not ours",
            "backups of states, runs and keys; and what was exported or released",
        ]
    )
    return erasers


def _known(raw: Path | None, known: Path | None, fields: list[str] | None) -> list[Known]:
    from privacy.scan import Known

    if (raw is None) == (known is None):
        raise typer.BadParameter("give --raw or --known, one of them", param_hint="--raw")
    pairs: list[tuple[str, str]]
    if raw is not None:
        from fhir_io.known_identifiers import known_identifiers

        pairs = known_identifiers(raw)
    else:
        assert known is not None
        try:
            lines = known.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise typer.BadParameter("the file is not UTF-8 text", param_hint="--known") from None
        pairs = []
        for number, line in enumerate(lines, 1):
            field, tab, value = line.partition("\t")
            pair = (field.strip(), value.strip()) if tab else ("", line.strip())
            if not any(pair):
                continue
            if len(pair[1]) < (2 if pair[0] else 6):
                raise typer.BadParameter(
                    f"line {number}: an identifier under six characters needs its field: FIELD<tab>VALUE",
                    param_hint="--known",
                )
            pairs.append(pair)
    if fields:
        pairs = [pair for pair in pairs if pair[0] in fields]
    if not pairs:
        raise typer.BadParameter("there is no identifier to look for", param_hint="--raw")
    return [Known(value, field) for field, value in pairs]


def _place(path: Path | None, roots: list[Path]) -> str:
    """A name for a file that repeats no part of it: the digest of its path in the folder that was given."""
    for number, root in enumerate(roots, 1):
        if path is not None and path.is_relative_to(root):
            relative = path.relative_to(root).as_posix()
            return f"path {number}, file {hashlib.sha256(relative.encode()).hexdigest()[:16]}"
    return "a file"
