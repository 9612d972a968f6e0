"""Checking organ models against the published values that they declare."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from organ_models.catalogue import model as catalogue_model
from organ_models.model import OrganModel
from organ_models.scenarios import Check, reported
from organ_models.schedules import instants
from organ_models.units import conversion
from vht.model_run import Case, run_cases


@dataclass(frozen=True)
class CheckResult:
    """One published value and what the model gives.

    Attributes:
        check: what is published.
        computed: what comes out, in the unit of the published value; NaN without a solution.
    """

    check: Check
    computed: float

    @property
    def passed(self) -> bool:
        """Whether the computed value lies within the tolerance."""
        return abs(self.computed - self.check.published) <= self.check.allowed

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; a value without a solution is None."""
        return {
            "name": self.check.name,
            "computed": self.computed if math.isfinite(self.computed) else None,
            "published": self.check.published,
            "unit": self.check.unit,
            "tolerance": self.check.tolerance,
            "kind": self.check.kind,
            "evidence": self.check.evidence,
            "source": self.check.source.key,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class Validation:
    """Every published value of one model, checked.

    Attributes:
        model: the model.
        results: in the order of declaration.
    """

    model: OrganModel
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every value passed; a model without published values passes with none."""
        return all(r.passed for r in self.results)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "model": self.model.name,
            "version": self.model.version,
            "passed": self.passed,
            "checks": [r.to_json() for r in self.results],
        }

    def __repr__(self) -> str:
        good = sum(r.passed for r in self.results)
        bad = "".join(f"\n  {r.check.name}: {r.computed:.8g}" for r in self.results if not r.passed)
        return f"Validation({self.model.name} {self.model.version}: {good} of {len(self.results)} pass{bad})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(r.check.name)}</td><td>{r.computed:.7g}</td><td>{r.check.published:g}</td>"
            f"<td>{html.escape(r.check.unit)}</td><td>{tolerance(r.check)}</td><td>{r.check.evidence}</td>"
            f"<td>{'yes' if r.passed else '<b>no</b>'}</td></tr>"
            for r in self.results
        )
        names = ("value", "computed", "published", "unit", "tolerance", "evidence", "passes")
        head = "".join(f"<th>{n}</th>" for n in names)
        caption = html.escape(f"{self.model.title}, version {self.model.version}")
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"


def validate(model: str | OrganModel) -> Validation:
    """Run a model's published-value table.

    Args:
        model: a catalogue name, or a model.

    Raises:
        UnknownModel: no such model.
    """
    found = catalogue_model(model) if isinstance(model, str) else model
    cases = list(dict.fromkeys((c.variant, c.scenario) for c in found.checks))
    if not cases:
        return Validation(found, ())
    units = {name: unit for name, (_, unit, _) in reported(found).items()}
    by_case = {case: [c for c in found.checks if (c.variant, c.scenario) == case] for case in cases}
    slow = found.clock == "d"
    days = {case: instants(np.unique(np.concatenate([c.days for c in by_case[case]]))) for case in cases}
    # beats of all cases are solved side by side; slow models are read where each of their cases asks
    runs = [(case,) for case in cases] if slow else [tuple(cases)]
    columns: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for run in runs:
        traces, _ = run_cases(found, [Case(*case) for case in run], days[run[0]].tolist() if slow else ())
        for row, case in enumerate(run):
            columns[case] = {name: trace[row] for name, trace in traces.items()}

    def computed(check: Check) -> float:
        case = (check.variant, check.scenario)
        trace = columns[case][check.output]
        if check.day is None:
            return conversion(units[check.output], check.unit)(float(trace[0]))
        read = check.read(trace[np.searchsorted(days[case], instants(check.days))])
        return (
            read
            if check.reading == "day of the minimum"
            else conversion(units[check.output], check.unit)(read)
        )

    return Validation(found, tuple(CheckResult(c, computed(c)) for c in found.checks))


def tolerance(check: Check) -> str:
    """The tolerance of a check, for people: ``0.1 %`` or ``± 0.001 s``."""
    if check.kind == "relative":
        return f"{100 * check.tolerance:g} %" if check.tolerance >= 1e-4 else f"{check.tolerance:g} of it"
    return f"± {check.tolerance:g}" + ("" if check.unit == "1" else f" {check.unit}")


def summary(validations: Sequence[Validation]) -> str:
    """One sentence on all of them."""
    results = [r for v in validations for r in v.results]
    good = sum(r.passed for r in results)
    return f"{good} of {len(results)} published values pass"
