"""The command line: ``vht``."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

app = typer.Typer(
    name="vht",
    help="Virtual human twins and in-silico trials: FHIR records in, a re-executable trial report out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys_app = typer.Typer(no_args_is_help=True, help="Keys that pseudonyms are made with.")
trial_app = typer.Typer(no_args_is_help=True, help="Run a trial, and execute a finished one again.")
app.add_typer(keys_app, name="keys")
app.add_typer(trial_app, name="trial")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Keys = Annotated[Path, typer.Option(help="Folder of the keys and the vault. Keep it apart from the states.")]
States = Annotated[Path, typer.Option(help="Folder of the patient states.")]


@app.command()
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
    _done(f"{count} patients", target)


@keys_app.command("init")
def keys_init(keys: Keys) -> None:
    """Make a new key. It is made once a project: another key gives other pseudonyms."""
    from privacy import create_keys

    create_keys(keys)
    _done("a new key and an empty vault", keys)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="Bundle, NDJSON file, or folder of them.", show_default=False)
    ],
    keys: Keys,
    states: States,
    project: Annotated[str, typer.Option(help="Pseudonyms of two projects cannot be linked.")] = "default",
    validation: Annotated[
        str, typer.Option(help="full: every resource; shape: the first of each shape; none.")
    ] = "shape",
) -> None:
    """Import FHIR R4 records as pseudonymised patient states.

    Every resource read is used or listed as not used, with the reason. Names, addresses, identifiers,
    narrative and calendar dates do not pass. A report goes to the screen and into the states' folder.
    """
    from fhir_io import import_records
    from privacy import Pseudonymiser
    from vht.files import write_whole
    from vht.store import Store

    if validation not in ("full", "shape", "none"):
        raise typer.BadParameter("choose full, shape or none", param_hint="--validation")
    with Pseudonymiser.open(keys, project) as pseudonymiser, _progress("reading") as progress:
        report = import_records(
            source,
            pseudonymiser=pseudonymiser,
            store=Store(states),
            progress=progress,
            validation=validation,  # type: ignore[arg-type]
        )
    write_whole(states / "import-report.json", report.to_json().encode())
    out.print(report.summary(), markup=False)
    _done(f"states of {report.patients} patients", states)


@trial_app.command("run")
def trial_run(
    protocol: Annotated[Path, typer.Argument(help="The protocol, YAML.", show_default=False)],
    states: States,
    target: Annotated[Path, typer.Option("--out", help="Folder of the run; made if absent.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    track: Annotated[bool, typer.Option(help="Record the run in MLflow.")] = True,
) -> None:
    """Run a trial: every eligible patient becomes a virtual patient in every arm.

    Writes results, a report for review and all that is needed to execute the run again. MLflow records
    go to MLFLOW_TRACKING_URI, or to mlflow.db beside the run's folder.
    """
    from trials.run import PAGE, run_trial

    with _progress("simulating", "patients") as progress:
        run = run_trial(protocol, states, target, overwrite=overwrite, track=track, progress=progress)
    screening = run.results["screening"]
    out.print(f"enrolled {screening['enrolled']} of {screening['assessed']} patients")
    for arm, counts in run.results["disposition"].items():
        listed = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in counts.items() if isinstance(v, int))
        out.print(f"  {arm}: {listed}")
    if run.tracking_problem:
        err.print(f"[yellow]not recorded in MLflow:[/yellow] {run.tracking_problem}")
    _done("the report", target / PAGE)
    if run.tracking is not None:
        _done("the MLflow record, run " + run.tracking.run_id, run.tracking.uri)
    out.print(f"execute it again with: vht trial verify {target}", markup=False)


@trial_app.command("verify")
def trial_verify(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
) -> None:
    """Execute a run again from its folder and compare, number by number.

    Exits with 1 and names the first difference when a file, a parameter or the protocol was altered.
    """
    from trials.verify import verify_run

    with _progress("executing again", "patients") as progress:
        found = verify_run(run, progress=progress)
    for step in found.steps:
        out.print(f"  checked {step}", markup=False)
    for note in found.notes:
        err.print(f"[yellow]note:[/yellow] {note}")
    if not found.verified:
        first = found.differences[0]
        more = len(found.differences) - 1
        err.print(f"[red]not verified:[/red] {first}")
        if more:
            err.print(f"and {more} more difference{'s' if more > 1 else ''}")
        raise typer.Exit(1)
    how = "identical" if found.same_platform else "within the stated tolerance (another platform)"
    out.print(
        f"[green]verified:[/green] {found.numbers} numbers, {found.identical} of them bit for bit; {how}"
    )


@app.command()
def quantities() -> None:
    """List the clinical quantities that the toolkit knows."""
    from vht.quantities import QUANTITIES

    for q in QUANTITIES.values():
        out.print(f"{q.name:<36}{q.label:<38}{q.unit:<18}{' '.join(q.loinc)}".rstrip(), markup=False)


def main() -> None:
    """Entry point: known errors become one message on standard error and exit code 2.

    An unexpected error prints where it happened, never its message: a message may quote a record.
    """
    try:
        code = app(standalone_mode=False)  # the code of a typer.Exit comes back as the value
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        err.print("stopped; nothing half-written was left")
        sys.exit(130)
    except Exception as error:
        sys.exit(_explain(error))
    if isinstance(code, int) and code:
        sys.exit(code)


def _explain(error: Exception) -> int:
    from fhir_io import FhirImportError, SampleError
    from privacy import PrivacySafeError
    from trials.protocol import ProtocolError
    from trials.run import RunError
    from vht.patient import CompositionError
    from vht.store import StoreError

    if hasattr(error, "format_message"):  # a wrong use of the command line, as typer words it
        usage = getattr(error, "ctx", None)
        if usage is not None:
            err.print(usage.get_usage(), markup=False)
        err.print(f"[red]error:[/red] {_plain(error.format_message())}")
        return 2
    known = (
        FhirImportError,
        SampleError,
        PrivacySafeError,
        ProtocolError,
        RunError,
        StoreError,
        CompositionError,
    )
    if isinstance(error, known):
        err.print(f"[red]error:[/red] {_plain(str(error))}")
        return 2
    if isinstance(error, OSError) and error.strerror:
        err.print(f"[red]error:[/red] {_plain(error.strerror.lower())}; check the folders that were given")
        return 2
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    err.print(f"[red]internal error:[/red] {type(error).__name__} at {place}; please report these two words")
    if os.environ.get("VHT_DEBUG"):  # may quote records: for developers on synthetic data only
        raise error
    return 3


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _done(what: str, where: Path | str) -> None:
    out.print(f"[green]made[/green] {what}: ", end="")
    out.print(str(where), markup=False)


@contextmanager
def _progress(verb: str, unit: str = "") -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal, nothing elsewhere; it counts if there is something to count."""
    if not err.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *((MofNCompleteColumn(), TextColumn(unit)) if unit else (TaskProgressColumn(),)),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(verb, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
