"""Commands on trials: run one, execute a finished one again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.console import done, err, out, progress
from vht.commands.records import States

trial_app = typer.Typer(no_args_is_help=True, help="Run a trial, and execute a finished one again.")


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.add_typer(trial_app, name="trial")


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

    with progress("simulating", "patients") as bar:
        run = run_trial(protocol, states, target, overwrite=overwrite, track=track, progress=bar)
    screening = run.results["screening"]
    out.print(f"enrolled {screening['enrolled']} of {screening['assessed']} patients")
    for arm, counts in run.results["disposition"].items():
        listed = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in counts.items() if isinstance(v, int))
        out.print(f"  {arm}: {listed}")
    if run.tracking_problem:
        err.print(f"[yellow]not recorded in MLflow:[/yellow] {run.tracking_problem}")
    done("the report", target / PAGE)
    if run.tracking is not None:
        done("the MLflow record, run " + run.tracking.run_id, run.tracking.uri)
    out.print(f"execute it again with: vht trial verify {target}", markup=False)


@trial_app.command("verify")
def trial_verify(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
) -> None:
    """Execute a run again from its folder and compare, number by number.

    Exits with 1 and names the first difference when a file, a parameter or the protocol was altered.
    """
    from trials.verify import verify_run

    with progress("executing again", "patients") as bar:
        found = verify_run(run, progress=bar)
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
