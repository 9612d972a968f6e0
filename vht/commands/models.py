"""Commands on organ models: the catalogue, its published values, and running one model alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vht.commands.console import err, out, plain, print_columns, print_json
from vht.commands.patients import nearest_is_patient, print_settable_of, run_ready_made

if TYPE_CHECKING:
    from organ_models import OrganModel
    from vht.model_validation import Validation

models_app = typer.Typer(help="The catalogue of organ models, and the published values behind it.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_CLOCKS = {"d": "days", "s": "seconds"}
_HYPOTHESIS = "hypothesis, not for prediction"


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.add_typer(models_app, name="models")
    app.command()(simulate)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the organ models: version, clock, states, parameters, published values.

    With --json, the whole record of every model is printed.
    """
    if context.invoked_subcommand is not None:
        return
    from organ_models import catalogue
    from organ_models.model import fields
    from organ_models.record import record, validation_status

    if as_json:
        print_json([record(m) for m in catalogue().values()])
        return
    rows = [("name", "title", "version", "clock", "states", "parameters", "published values")]
    for m in catalogue().values():
        states, parameters = len(fields(m.State)), len(fields(m.Parameters))
        clock = _CLOCKS.get(m.clock, m.clock)
        title = f"{m.title} ({_HYPOTHESIS})" if m.hypothesis else m.title
        rows.append((m.name, title, m.version, clock, str(states), str(parameters), validation_status(m)))
    print_columns(rows, right=(4, 5))


@models_app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name in the catalogue.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show everything declared about a model: ports, parameters and their sources, scenarios, references."""
    from organ_models import model
    from organ_models.record import record

    found = record(model(name))
    if as_json:
        print_json(found)
        return
    heading = (
        f"{found['title']} ({found['name']}), version {found['version']}, clock in {_CLOCKS[found['clock']]}"
    )
    out.print(f"[bold]{plain(heading)}[/bold]")
    if found["hypothesis"]:
        out.print(f"A {_HYPOTHESIS}.", markup=False)
    if found["notes"]:
        out.print(found["notes"], markup=False)
    for kind in ("states", "inputs", "events", "outputs", "readings"):
        if not found[kind]:
            continue
        _section(kind)
        print_columns([(v["name"], v["unit"], v["description"]) for v in found[kind]], indent=2)
    _section("parameters")
    numbers = {r["key"]: f"[{i}]" for i, r in enumerate(found["references"], 1)}
    head = ("name", "value", "unit", "bounds", "spread", "source", "certainty", "meaning")
    rows = [head]
    for p in found["parameters"]:
        spread = f"{p['spread']:.4g}" if p["spread"] else "-"
        source = numbers.get(p["source"], p["source"])
        rows.append(
            (
                p["name"],
                f"{p['value']:.10g}",
                p["unit"],
                _bounds(p["bounds"]),
                spread,
                source,
                p["certainty"],
                p["description"],
            )
        )
    print_columns(rows, indent=2, right=(1,))
    out.print("  spread: variance between individuals, of the logarithm unless said otherwise", markup=False)
    for p in found["parameters"]:
        if "effect" in p:
            out.print(f"  spread of {p['name']}: {p['effect']}", markup=False)
    if found["residual_errors"]:
        _section("residual errors")
        kinds = ("additive", "proportional", "logarithmic")
        errors = [("output", *kinds, "study", "source")]
        for r in found["residual_errors"]:
            additive, proportional, logarithmic = (f"{r[k]:.4g}" if r[k] else "-" for k in kinds)
            source = numbers[r["source"]]
            errors.append((r["output"], additive, proportional, logarithmic, r["study"], source))
        print_columns(errors, indent=2)
    _section("scenarios")
    _print_scenarios(model(name))
    _section("published values")
    counted = len(found["validation"])
    out.print(f"  {counted}; `vht models validate {name}` computes them", markup=False)
    _section("references")
    for r in found["references"]:
        doi = f" doi:{r['doi']}" if r["doi"] else ""
        out.print(f"  {numbers[r['key']]} {r['text']}{doi}", markup=False)


@models_app.command("validate")
def validate(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Name in the catalogue; every model if absent.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute the published values of a model, or of all, and compare.

    Exits with 1 if one lies outside its tolerance.

    Evidence says what agreement shows. Validation: observed in people.
    Verification: the same equations, computed apart from this code.
    Calibration: parameters were fitted so that the value comes out.
    """
    from organ_models import catalogue
    from vht.model_validation import summary
    from vht.model_validation import validate as validated

    done = [validated(n) for n in ([name] if name else catalogue())]
    if as_json:
        passed = all(v.passed for v in done)
        print_json({"passed": passed, "models": [v.to_json() for v in done]})
    else:
        for validation in done:
            _print_validation(validation)
        out.print(summary(done), markup=False)
    if not all(v.passed for v in done):
        raise typer.Exit(1)


def simulate(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A model of `vht models`, or one of `vht patients`.", show_default=False
        ),
    ] = None,
    variant: Annotated[str, typer.Option(help="Parameter set.")] = "default",
    scenario: Annotated[
        str, typer.Option(help="Condition, or a patient's regimen; `baseline` changes nothing.")
    ] = "baseline",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter or input; applied after the scenario."),
    ] = None,
    day: Annotated[
        int | None, typer.Option(min=0, help="When a slow model is read (168 if absent).", show_default=False)
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(metavar="D,D,...", help="Of a patient: several days to read.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    list_: Annotated[bool, typer.Option("--list", help="Name what can be set, and stop.")] = False,
) -> None:
    """Run one organ model alone, or a ready-made patient, and print the outputs.

    A beating model is brought to its periodic steady state.

    A slow model is read on day 168 (--day chooses another), before that day's
    dose. It is untreated unless a scenario or --set feeds its inputs; an input
    that is set is given every day.

    A ready-made patient (`vht patients`) is a composition: --set takes MODEL.NAME=VALUE,
    a dose that is set is given every day, and --scenario is a regimen.

    Values of --set are in the units that --list names.
    """
    from organ_models import catalogue
    from organ_models import model as found
    from vht.model_run import ModelRunError, run_model
    from vht.ready_made import READY_MADE, ready_made

    if model is not None and model not in catalogue() and nearest_is_patient(model):
        ready_made(model)  # says the nearest name
    made = READY_MADE.get(model or "")
    if made is not None and list_:
        print_settable_of(made)
        return
    if list_:
        for m in [found(model)] if model else catalogue().values():
            _print_settable(m)
        return
    if model is None:
        raise typer.BadParameter(f"name a model: {', '.join(catalogue())}", param_hint="MODEL")
    chosen: dict[str, float] = {}
    for setting in settings or []:
        name, _, value = setting.partition("=")
        try:
            chosen[name.strip()] = float(value)
        except ValueError:
            raise ModelRunError(f"--set {setting}: write it as NAME=VALUE, VALUE a number") from None
    if made is not None:
        if variant != "default":
            raise ModelRunError(f"{model} is a composition and has no variants; leave out --variant")
        run_ready_made(made.name, scenario, chosen, day, days, as_json=as_json)
        return
    if days is not None:
        raise ModelRunError(f"{model} is a single model and is read on one day; give it as --day")
    run = run_model(model, variant=variant, scenario=scenario, settings=chosen, day=day)
    if as_json:
        print_json(run.to_json())
    else:
        out.print(f"[bold]{plain(run.heading())}[/bold]")
        shown = [(n, _number(r.value), r.unit, r.meaning) for n, r in run.outputs.items()]
        print_columns(shown, indent=2, right=(1,))
        if run.residual is not None:
            out.print(f"  residual over one beat {run.residual:.2g} of the stressed volume", markup=False)
    if not run.converged:
        err.print("[red]no solution:[/red] there is no periodic steady state, or it left the finite numbers")
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------------------------


def _section(title: str) -> None:
    out.print(f"\n[bold]{title}[/bold]")


def _print_validation(validation: Validation) -> None:
    from vht.model_validation import tolerance

    m = validation.model
    out.print(f"[bold]{plain(f'{m.title} ({m.name}), version {m.version}')}[/bold]")
    if not validation.results:
        out.print("  no published values are declared\n", markup=False)
        return
    rows = [("value", "computed", "published", "unit", "tolerance", "evidence", "")]
    for r in validation.results:
        published, fate = f"{r.check.published:.8g}", "pass" if r.passed else "FAIL"
        unit, evidence = r.check.unit, r.check.evidence
        rows.append((r.check.name, _number(r.computed), published, unit, tolerance(r.check), evidence, fate))
    print_columns(rows, indent=2, right=(1, 2))
    out.print()


def _print_settable(m: OrganModel) -> None:
    from organ_models.scenarios import variants
    from vht.model_run import settable

    out.print(f"[bold]{plain(f'{m.name}: {m.title}')}[/bold]")
    out.print("  variants", markup=False)
    print_columns([(n, v.title if v else "catalogue defaults") for n, v in variants(m).items()], indent=4)
    out.print("  scenarios", markup=False)
    _print_scenarios(m, indent=4)
    out.print("  --set: parameters, then inputs and events", markup=False)
    rows = [
        (name, f"{default:.10g}", unit, _bounds(list(bounds)), meaning)
        for name, (unit, default, bounds, meaning) in settable(m).items()
    ]
    print_columns(rows, indent=4, right=(1,))
    out.print()


def _print_scenarios(m: OrganModel, indent: int = 2) -> None:
    from organ_models.scenarios import scenarios

    print_columns([(s.name, s.title, s.changes()) for s in scenarios(m).values()], indent=indent)


def _bounds(bounds: list[Any]) -> str:
    low, high = (limit if limit is not None and math.isfinite(limit) else None for limit in bounds)
    if low is None and high is None:
        return "any"
    return f"{'' if low is None else f'{low:.6g}'} to {'' if high is None else f'{high:.6g}'}"


def _number(value: float) -> str:
    return f"{value:.8g}" if math.isfinite(value) else "none"
