"""Running one ready-made patient: the typical one, a regimen, a few settings; outputs with units back."""

from __future__ import annotations

import difflib
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from organ_models.model import fields
from organ_models.scenarios import BASELINE, Pattern, Scenario
from vht.agreement import agree
from vht.course import dose_ports
from vht.patient import VirtualPatient
from vht.population import Individuals, typical
from vht.ready_made import ReadyMade, ready_made
from vht.reflex import adapt
from vht.simulation import Simulation, simulate

Settable = tuple[str, float, tuple[float, float], str]
"""Unit, default, bounds and meaning."""


class PatientRunError(ValueError):
    """A setting or a day that a ready-made patient cannot be run with; says what it can."""


@dataclass(frozen=True)
class PatientRun:
    """What :func:`run_patient` returns.

    Attributes:
        made: the ready-made patient.
        scenario: its regimen.
        settings: what was set, by ``model.name``.
        simulation: of the typical patient; a notebook goes on from here.
    """

    made: ReadyMade
    scenario: str
    settings: Mapping[str, float]
    simulation: Simulation

    @property
    def converged(self) -> bool:
        """Whether there is a solution on every day."""
        return self.simulation.failure[0] is None

    @property
    def residual(self) -> float | None:
        """Largest weighted change over one beat; None without a circulation."""
        return float(self.simulation.residual[0]) if self.simulation.patient.cyclic else None

    @property
    def rows(self) -> list[tuple[str, np.ndarray, str, str]]:
        """Port, values on the days, unit and meaning of every output."""
        patient = self.simulation.patient
        found = []
        for port, trace in self.simulation.outputs.items():
            name, _, output = port.partition(".")
            declared = fields(patient.models[name].Outputs)[output]
            found.append((port, trace[:, 0], declared.unit, declared.doc))
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: one day has a ``value``, several have ``values``; None where there is no solution."""
        patient, one = self.simulation.patient, self.simulation.days.size == 1

        def shown(values: np.ndarray) -> dict[str, Any]:
            numbers = [_number(float(v)) for v in values]
            return {"value": numbers[0]} if one else {"values": numbers}

        return {
            "patient": self.made.name,
            "models": {name: m.version for name, m in patient.models.items()},
            "scenario": self.scenario,
            "settings": dict(self.settings),
            "days": [float(d) for d in self.simulation.days],
            "converged": self.converged,
            "residual": _number(self.residual),
            "outputs": {port: {**shown(values), "unit": unit} for port, values, unit, _ in self.rows},
        }

    def heading(self) -> str:
        """Which patient, how treated, when read, and whether there is a solution."""
        settings = "".join(f", {name} = {value:g}" for name, value in self.settings.items())
        days = ", ".join(f"{d:g}" for d in self.simulation.days)
        when = f"day {days}" if self.simulation.days.size == 1 else f"days {days}"
        fate = "" if self.converged else "; no solution"
        return f"{self.made.name}, {self.scenario}{settings}, {when}{fate}"

    def __repr__(self) -> str:
        width = max(len(port) for port, *_ in self.rows)
        lines = [
            f"  {port:<{width}}  {'  '.join(f'{v:.6g}' for v in values)} {unit}"
            for port, values, unit, _ in self.rows
        ]
        return "\n".join([f"PatientRun({self.heading()})", *lines])

    def _repr_html_(self) -> str:
        days = "".join(f"<th>day {d:g}</th>" for d in self.simulation.days)
        rows = "".join(
            f"<tr><td>{html.escape(port)}</td>"
            + "".join(f"<td style='text-align:right'>{v:.6g}</td>" for v in values)
            + f"<td>{html.escape(unit)}</td><td style='text-align:left'>{html.escape(doc)}</td></tr>"
            for port, values, unit, doc in self.rows
        )
        head = f"<tr><th>output</th>{days}<th>unit</th><th>meaning</th></tr>"
        return f"<table><caption>{html.escape(self.heading())}</caption>{head}{rows}</table>"


def run_patient(
    patient: str | ReadyMade,
    *,
    scenario: str = BASELINE,
    settings: Mapping[str, float] | None = None,
    days: Sequence[float] | None = None,
) -> PatientRun:
    """Run the typical one of a ready-made patient.

    Args:
        patient: a name of :data:`vht.ready_made.READY_MADE`, or one of them.
        scenario: its regimen; ``baseline`` is untreated.
        settings: by ``model.name``, the value of a parameter (as published), of a port that takes doses
            (given every day, in place of what the regimen gives there) or of an open input of the circulation
            (held).
        days: when it is read, increasing from 0, the last a whole number; the patient's own day if absent. A
            reading is taken before the dose of its day.

    Raises:
        UnknownPatient: no such patient or regimen.
        PatientRunError: a setting that there is not or that is out of its bounds, or wrong days; names it.

    Example:
        >>> import vht
        >>> run = vht.run_patient("abiraterone_prostate", scenario="continuous", days=[0, 84])
        >>> run.simulation.outputs["abiraterone_competition.relative_antigen"].shape
        (2, 1)
    """
    made = ready_made(patient) if isinstance(patient, str) else patient
    chosen = made.regimen(scenario)
    composed = made.build()
    given = dict(settings or {})
    _check(made, composed, given)
    people = _people(composed, chosen, given)
    read = [float(made.day)] if days is None else list(days)
    if not read or min(read) < 0 or any(b <= a for a, b in pairwise(read)) or read[-1] % 1:
        raise PatientRunError("days: name at least one, increasing from 0 on, the last a whole number")
    last = math.ceil(read[-1])
    doses: dict[str, Any] = {port: 0.0 for regimen in made.regimens for port in regimen.inputs}
    doses |= {
        port: g.daily(max(last, 1)) if isinstance(g, Pattern) else g for port, g in chosen.inputs.items()
    }
    held = {}
    dosed = set(dose_ports(composed))
    for port, value in given.items():
        if port in dosed:
            doses[port] = value
        elif port in composed.open_inputs():
            held[port] = value
    run = simulate(composed, people, doses=doses, days=read, inputs=held, estimate_error=False)
    return PatientRun(made, scenario, given, run)


def settable(patient: VirtualPatient) -> dict[str, Settable]:
    """What ``settings`` may name: parameters, ports that take doses, open inputs of the circulation."""
    found: dict[str, Settable] = {}
    for name, m in patient.models.items():
        for parameter, f in fields(m.Parameters).items():
            found[f"{name}.{parameter}"] = (f.unit, float(f.default or 0.0), f.bounds, f.doc)
    for port in [*dose_ports(patient), *patient.open_inputs()]:
        name, _, key = port.partition(".")
        f = (fields(patient.models[name].Inputs) | fields(patient.models[name].Events))[key]
        found[port] = (f.unit, float(f.default or 0.0), f.bounds, f.doc)
    return found


# ---------------------------------------------------------------------------------------------------


def _check(made: ReadyMade, patient: VirtualPatient, settings: Mapping[str, float]) -> None:
    allowed = settable(patient)
    for name, value in settings.items():
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"`vht simulate {made.name} --list` names them"
            raise PatientRunError(f"{made.name} has nothing to set that is called '{name}'; {hint}")
        unit, _, (low, high), _ = allowed[name]
        if not (math.isfinite(value) and low <= value <= high):
            bounded = math.isfinite(low) and math.isfinite(high)
            why = f"must lie between {low:g} and {high:g} {unit}" if bounded else "is not a finite number"
            raise PatientRunError(f"{made.name}: {name} = {value:g} is refused; it {why}")
    doses = set(dose_ports(patient))
    for name, value in settings.items():
        if name in doses and value < 0:
            raise PatientRunError(f"{made.name}: {name} = {value:g} is refused; a dose is not negative")


def _people(patient: VirtualPatient, scenario: Scenario, settings: Mapping[str, float]) -> Individuals:
    """The typical patient with some parameters changed, whose organs agree on who this is."""
    wanted = {
        port: value
        for port, value in {**scenario.parameters, **settings}.items()
        if port.partition(".")[2] in fields(patient.models[port.partition(".")[0]].Parameters)
    }

    def changed(people: Individuals) -> Individuals:
        for port, value in wanted.items():
            name, _, parameter = port.partition(".")
            people = people.changed(name, **{parameter: value})
        return people

    people = changed(typical(patient))
    if any(c.neutral for c in patient.controllers):
        people = changed(adapt(patient, people))
    return changed(agree(patient, people)) if patient.cyclic else people


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
