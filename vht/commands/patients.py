"""Commands on ready-made patients: the list of them, and running one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from vht.commands.console import err, out, plain, print_columns, print_json

if TYPE_CHECKING:
    from vht.ready_made import ReadyMade


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.command()(patients)


def patients(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the ready-made patients: a drug and a tumour, or a drug and the heart, with their regimens.

    `vht simulate NAME` runs one of them.
    """
    from vht.ready_made import READY_MADE

    if as_json:
        print_json([_record(made) for made in READY_MADE.values()])
        return
    rows = [("name", "title", "regimens", "models")]
    for made in READY_MADE.values():
        regimens = ", ".join(r.name for r in made.regimens)
        rows.append((made.name, made.title, regimens, ", ".join(made.build().models)))
    print_columns(rows)


def nearest_is_patient(name: str) -> bool:
    """Whether a ready-made patient, rather than a model, has the name that is nearest to a wrong one."""
    from organ_models import catalogue
    from vht.ready_made import READY_MADE

    close = difflib.get_close_matches(name, [*catalogue(), *READY_MADE], n=1)
    return bool(close) and close[0] in READY_MADE


def run_ready_made(
    name: str,
    scenario: str,
    settings: Mapping[str, float],
    day: int | None,
    days: str | None,
    *,
    as_json: bool,
) -> None:
    """Run a ready-made patient and print its outputs; exits with 1 where there is no solution."""
    from vht.patient_run import run_patient

    run = run_patient(name, scenario=scenario, settings=settings, days=_days(day, days))
    if as_json:
        print_json(run.to_json())
    else:
        out.print(f"[bold]{plain(run.heading())}[/bold]")
        rows = [
            (port, *(_number(float(v)) for v in values), unit, meaning)
            for port, values, unit, meaning in run.rows
        ]
        print_columns(rows, indent=2, right=range(1, 1 + run.simulation.days.size))
        if run.residual is not None:
            out.print(f"  residual over one beat {run.residual:.2g} of the stressed volume", markup=False)
    if not run.converged:
        err.print(f"[red]no solution:[/red] {run.simulation.failure[0].value}")
        raise typer.Exit(1)


def print_settable_of(made: ReadyMade) -> None:
    """Name the regimens of a ready-made patient and all that can be set."""
    from vht.patient_run import settable

    out.print(f"[bold]{plain(f'{made.name}: {made.title}')}[/bold]")
    out.print("  scenarios", markup=False)
    print_columns([(r.name, r.title, r.changes()) for r in made.regimens], indent=4)
    out.print("  --set: parameters, doses, then open inputs of the circulation", markup=False)
    rows = [
        (name, f"{default:.10g}", unit, meaning)
        for name, (unit, default, _, meaning) in settable(made.build()).items()
    ]
    print_columns(rows, indent=4, right=(1,))


# ---------------------------------------------------------------------------------------------------


def _record(made: ReadyMade) -> dict[str, object]:
    patient = made.build()
    return {
        "name": made.name,
        "title": made.title,
        "day": made.day,
        "models": {name: m.version for name, m in patient.models.items()},
        "couplings": [str(c) for c in patient.couplings],
        "regimens": [
            {"name": r.name, "title": r.title, "source": r.source.text if r.source else None}
            for r in made.regimens
        ],
    }


def _days(day: int | None, days: str | None) -> list[float] | None:
    from vht.patient_run import PatientRunError

    if days is None:
        return None if day is None else [float(day)]
    if day is not None:
        raise PatientRunError("--day and --days exclude each other; give one of them")
    try:
        return [float(d) for d in days.split(",")]
    except ValueError:
        raise PatientRunError(f"--days {days}: write it as numbers with commas, such as 0,28,84") from None


def _number(value: float) -> str:
    return f"{value:.8g}" if math.isfinite(value) else "none"
