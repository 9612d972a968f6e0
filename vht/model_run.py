"""Running one organ model alone: a variant, a scenario, a few settings; clinical outputs back.

The catalogue's published values are checked by the same runs (:mod:`vht.model_validation`).
"""

from __future__ import annotations

import difflib
import functools
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from organ_models.catalogue import model as catalogue_model
from organ_models.model import OrganModel, fields
from organ_models.scenarios import BASELINE, DEFAULT_VARIANT, Scenario, reported, scenarios, variants
from organ_models.solvers import periodic_orbits, waveforms
from vht.controls import at_rest
from vht.course import course
from vht.patient import Coupling, VirtualPatient
from vht.population import Individuals, typical

DAY = 168
"""Day on which a slow model is read unless another one is asked for: 24 weeks."""


class ModelRunError(ValueError):
    """A variant, scenario, setting or day that a model cannot be run with; says what it can."""


@dataclass(frozen=True)
class Reading:
    """One output: its value (NaN without a solution), UCUM unit and meaning."""

    value: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class Case:
    """One way to run a model: names of a variant and a scenario, and settings applied after them."""

    variant: str = DEFAULT_VARIANT
    scenario: str = BASELINE
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRun:
    """What :func:`run_model` returns.

    Attributes:
        model: the model.
        case: how it was run.
        day: when a slow model was read; None for a cyclic one.
        converged: whether there is a solution.
        residual: largest weighted change over one beat of a cyclic model; None for a slow one.
        outputs: readings by name; an output that is a clinical quantity goes by the quantity's name.
    """

    model: OrganModel
    case: Case
    day: int | None
    converged: bool
    residual: float | None
    outputs: dict[str, Reading]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; a value without a solution is None."""
        return {
            "model": self.model.name,
            "version": self.model.version,
            "variant": self.case.variant,
            "scenario": self.case.scenario,
            "converged": self.converged,
            "residual": _number(self.residual),
            "outputs": {
                name: {"value": _number(r.value), "unit": r.unit} for name, r in self.outputs.items()
            },
        }

    def heading(self) -> str:
        """Which model, how it was run, and whether it has a solution."""
        settings = "".join(f", {name} = {value:g}" for name, value in self.case.settings.items())
        variant = "" if self.case.variant == DEFAULT_VARIANT else f", variant {self.case.variant}"
        when = "" if self.day is None else f", day {self.day}"
        fate = "" if self.converged else "; no solution"
        return f"{self.model.name} {self.model.version}{variant}, {self.case.scenario}{settings}{when}{fate}"

    def __repr__(self) -> str:
        width = max(map(len, self.outputs), default=0)
        lines = [f"  {n:<{width}}  {r.value:.6g} {r.unit}" for n, r in self.outputs.items()]
        return "\n".join([f"ModelRun({self.heading()})", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(n)}</td><td style='text-align:right'>{r.value:.6g}</td>"
            f"<td>{html.escape(r.unit)}</td><td style='text-align:left'>{html.escape(r.meaning)}</td></tr>"
            for n, r in self.outputs.items()
        )
        head = "<tr><th>output</th><th>value</th><th>unit</th><th>meaning</th></tr>"
        return f"<table><caption>{html.escape(self.heading())}</caption>{head}{rows}</table>"


def run_model(
    model: str | OrganModel,
    *,
    variant: str = DEFAULT_VARIANT,
    scenario: str = BASELINE,
    settings: Mapping[str, float] | None = None,
    day: int | None = None,
) -> ModelRun:
    """Run one model on its own.

    Args:
        model: a catalogue name, or a model.
        variant: parameter set.
        scenario: condition; it multiplies parameters of the variant and feeds inputs.
        settings: by parameter (as published), input port (every day, or held) or event (every day), its
            value; applied after the scenario.
        day: when a slow model is read, a whole number from 0; :data:`DAY` if absent. A reading is
            taken before the dose of its day.

    Returns:
        :class:`ModelRun`: the periodic steady state of a cyclic model, or a slow model's outputs on a day.

    Raises:
        UnknownModel: no such model.
        ModelRunError: no such variant, scenario, parameter or input; a value out of bounds; a wrong day.

    Example:
        >>> import vht
        >>> vht.run_model("sunitinib_exposure", scenario="continuous")
        ModelRun(sunitinib_exposure 1.0, continuous, day 168)
          daily_exposure  1.44928 mg.h/L
    """
    found = catalogue_model(model) if isinstance(model, str) else model
    if found.clock == "s" and day is not None:
        what = (
            "beats: its outputs belong to one beat" if found.cycle else "is a controller: it is read at rest"
        )
        raise ModelRunError(f"{found.name} {what}, not on a day")
    when = DAY if day is None and found.clock == "d" else day
    if when is not None and when < 0:
        raise ModelRunError("the day must be a whole number from 0 on")
    case = Case(variant, scenario, dict(settings or {}))
    columns, residual = run_cases(found, [case], () if when is None else (when,))
    outputs = {
        name: Reading(float(columns[name][0, 0]), unit, meaning)
        for name, (_, unit, meaning) in reported(found).items()
    }
    numbers = [float(columns[port][0, 0]) for port in fields(found.Outputs) for port in [_name(found, port)]]
    solved = all(map(math.isfinite, numbers)) and bool(np.isfinite(residual[0]))
    return ModelRun(found, case, when, solved, float(residual[0]) if found.cycle else None, outputs)


def run_cases(
    model: OrganModel, cases: Sequence[Case], days: Sequence[float] = ()
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs of several cases of one model; a cyclic model runs them side by side.

    Args:
        model: any organ model.
        cases: how to run it.
        days: when to read a slow model, increasing.

    Returns:
        By reported name, shape ``(len(cases), len(days))`` (one column for a cyclic model), NaN where
        there is no solution; and the residual of every case, shape ``(len(cases),)``, 0 for slow models.
    """
    prepared = [_prepare(model, case) for case in cases]
    names = reported(model)
    if model.cycle is not None:
        return _beats(model, prepared, list(names))
    if model.clock == "s":
        return _rests(model, prepared, names)
    days = tuple(days)
    columns = {name: np.empty((len(cases), len(days))) for name in names}
    if not days:
        return columns, np.zeros(len(cases))
    for row, (case, (parameters, inputs)) in enumerate(zip(cases, prepared, strict=True)):
        seen = _course(model, scenarios(model)[case.scenario], parameters, inputs, days)
        for name, (port, _, _) in names.items():
            columns[name][row] = seen[f"{model.name}.{port}"][:, 0]
    return columns, np.zeros(len(cases))


def settable(model: OrganModel) -> dict[str, tuple[str, float, tuple[float, float], str]]:
    """What ``settings`` may name: parameters, inputs and events, with unit, default, bounds and meaning."""
    declared = fields(model.Parameters) | fields(model.Inputs) | fields(model.Events)
    return {name: (f.unit, float(f.default or 0.0), f.bounds, f.doc) for name, f in declared.items()}


# ---------------------------------------------------------------------------------------------------

_Prepared = tuple[dict[str, float], dict[str, Any]]


def _prepare(model: OrganModel, case: Case) -> _Prepared:
    """Parameter values, and inputs as a number or a pattern, of one case."""
    known_variants, known_scenarios = variants(model), scenarios(model)
    if case.variant not in known_variants:
        raise ModelRunError(_unknown(model, "variant", case.variant, known_variants))
    if case.scenario not in known_scenarios:
        raise ModelRunError(_unknown(model, "scenario", case.scenario, known_scenarios))
    variant, scenario = known_variants[case.variant], known_scenarios[case.scenario]
    parameters = {name: float(f.default or 0.0) for name, f in fields(model.Parameters).items()}
    parameters |= dict(variant.parameters) if variant else {}
    for name, factor in scenario.factors.items():
        parameters[name] *= factor
    parameters |= dict(scenario.parameters)
    inputs: dict[str, Any] = dict(scenario.inputs)
    allowed = settable(model)
    for name, value in case.settings.items():
        if name not in allowed:
            raise ModelRunError(_unknown(model, "parameter or input", name, allowed))
        unit, _, (low, high), _ = allowed[name]
        if not (math.isfinite(value) and low <= value <= high):
            bounded = math.isfinite(low) and math.isfinite(high)
            why = f"must lie between {low:g} and {high:g} {unit}" if bounded else "is not a finite number"
            raise ModelRunError(f"{model.name}: {name} = {value:g} is refused; it {why}")
        (parameters if name in parameters else inputs)[name] = value
    return parameters, inputs


def _beats(
    model: OrganModel, prepared: Sequence[_Prepared], names: Sequence[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    assert model.cycle is not None
    parameters = model.Parameters(
        **{name: np.array([p[name] for p, _ in prepared]) for name in fields(model.Parameters)}
    )
    inputs = model.Inputs(
        **{
            port: np.array([_held(given.get(port, f.default)) for _, given in prepared])
            for port, f in fields(model.Inputs).items()
        }
    )
    orbits = periodic_orbits(model, parameters, inputs)
    columns = {_name(model, port): column for port, column in orbits.outputs.items()}
    if model.cycle.read is not None:
        beat = waveforms(model, parameters, inputs, orbits.state)
        columns |= vars(model.cycle.read(beat, parameters))
    solved = {name: np.where(orbits.converged, columns[name], np.nan)[:, None] for name in names}
    return solved, np.where(orbits.converged, orbits.residual, np.nan)


def _rests(
    model: OrganModel, prepared: Sequence[_Prepared], names: Mapping[str, tuple[str, str, str]]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Controllers where their inputs stay as they are; what they delay has arrived."""
    found = [
        at_rest(model, parameters, {port: _held(given) for port, given in inputs.items()})
        for parameters, inputs in prepared
    ]
    columns = {name: np.array([[outputs[port]] for outputs in found]) for name, (port, _, _) in names.items()}
    return columns, np.zeros(len(prepared))


def _course(
    model: OrganModel,
    scenario: Scenario,
    parameters: Mapping[str, float],
    inputs: Mapping[str, Any],
    days: Sequence[float],
) -> dict[str, np.ndarray]:
    patient = _composed(model, tuple(scenario.feeds.items()))
    values = {name: np.array([value]) for name, value in parameters.items()}
    people = Individuals(
        np.zeros(1, dtype=np.int64), typical(patient).parameters | {model.name: model.Parameters(**values)}
    )
    given = {
        port if "." in port else f"{model.name}.{port}": g.daily(math.ceil(days[-1]))
        if hasattr(g, "daily")
        else g
        for port, g in inputs.items()
    }
    return course(patient, people, given, days).outputs


@functools.cache
def _composed(model: OrganModel, feeds: tuple[tuple[str, str], ...]) -> VirtualPatient:
    """The patient made of one model and of what feeds it; kept, so that its daily loop is compiled once."""
    feeding = [catalogue_model(output.partition(".")[0]) for _, output in feeds]
    return VirtualPatient(
        [*dict.fromkeys(feeding), model], [Coupling(output, f"{model.name}.{port}") for port, output in feeds]
    )


def _held(given: Any) -> float:
    return float(given.amount if hasattr(given, "amount") else given or 0.0)


def _name(model: OrganModel, port: str) -> str:
    quantity = None if model.own_names else fields(model.Outputs)[port].quantity
    return quantity or port


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _unknown(model: OrganModel, what: str, name: str, known: Iterable[str]) -> str:
    options = list(known)
    near = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(options)}"
    return f"{model.name} has no {what} '{name}'; {hint}"
