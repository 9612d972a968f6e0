"""A model as data: everything declared about it, JSON-ready, for reports and for others to reuse."""

from __future__ import annotations

import math
from typing import Any

from organ_models.model import Field, OrganModel, Reference, fields
from organ_models.scenarios import Check, Pattern, Scenario, scenarios, variants
from organ_models.schedules import Schedule
from organ_models.variability import Residual

SCHEMA = "vht-organ-model/2"


def record(model: OrganModel) -> dict[str, Any]:
    """The machine-readable record of a model.

    Args:
        model: any organ model.

    Returns:
        Plain dictionaries, lists, texts, numbers and None. Units are UCUM. ``bounds`` are
        ``[lowest, highest]`` with None where there is no limit; ``spread`` is the variance of the
        inter-individual effect (0: none), log-normal unless ``effect`` names another scale; residual
        errors are SDs; sources are keys of ``references``.
    """
    made = {
        "schema": SCHEMA,
        "name": model.name,
        "title": model.title,
        "version": model.version,
        "clock": model.clock,
        "notes": model.notes,
        "hypothesis": model.hypothesis,
        "states": _variables(model.State),
        "inputs": _variables(model.Inputs),
        "events": _variables(model.Events),
        "signals": _variables(model.Signals),
        "outputs": _variables(model.Outputs),
        "readings": _variables(model.cycle.Readings) if model.cycle else [],
        "parameters": [_parameter(name, f) for name, f in fields(model.Parameters).items()],
        "covariances": [
            {"parameters": list(names), "covariance": c} for names, c in model.covariances.items()
        ],
        "residual_errors": [_residual(r) for r in model.residuals],
        "variants": [
            {
                "name": name,
                "title": v.title if v else "catalogue defaults",
                "parameters": dict(v.parameters) if v else {},
                "spreads": dict(v.variances) if v else {},
                "source": v.source.key if v else None,
            }
            for name, v in variants(model).items()
        ],
        "scenarios": [_scenario(s) for s in scenarios(model).values()],
        "validation": [_check(c) for c in model.checks],
    }
    return made | {"references": [_reference(r) for r in _cited(model)]}


def validation_status(model: OrganModel) -> str:
    """How many published values stand behind a model, by what their agreement shows."""
    counts = {
        kind: sum(c.evidence == kind for c in model.checks)
        for kind in ("validation", "verification", "calibration")
    }
    listed = [f"{count} {kind}" for kind, count in counts.items() if count]
    return ", ".join(listed) or "none declared"


def _cited(model: OrganModel) -> list[Reference]:
    """The model's references, then what its scenarios and checks add."""
    added = [
        *(v.source for v in model.variants),
        *(s.source for s in model.scenarios if s.source),
        *(r.source for r in model.residuals),
        *(c.source for c in model.checks),
    ]
    return list({r.key: r for r in (*model.references, *added)}.values())


def _reference(reference: Reference) -> dict[str, Any]:
    return {"key": reference.key, "text": reference.text, "doi": reference.doi}


def _variables(kind: type) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": f.doc,
            "unit": f.unit,
            **({} if f.default is None else {"default": f.default}),
            **({} if f.quantity is None else {"quantity": f.quantity}),
            **({} if f.meaning is None else {"meaning": f.meaning}),
        }
        for name, f in fields(kind).items()
    ]


def _parameter(name: str, declared: Field) -> dict[str, Any]:
    return {
        "name": name,
        "description": declared.doc,
        "value": declared.default,
        "unit": declared.unit,
        "working_unit": declared.working_unit or declared.unit,
        "bounds": [limit if math.isfinite(limit) else None for limit in declared.bounds],
        "spread": declared.omega2,
        "source": declared.source.key if declared.source else "",
        "certainty": declared.certainty,
        **({} if declared.quantity is None else {"quantity": declared.quantity}),
        **({} if declared.effect == "log-normal" else {"effect": declared.effect}),
    }


def _residual(residual: Residual) -> dict[str, Any]:
    return {
        "output": residual.output,
        "additive": residual.additive,
        "proportional": residual.proportional,
        "logarithmic": residual.logarithmic,
        "study": residual.study,
        "source": residual.source.key,
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "factors": dict(scenario.factors),
        "inputs": {port: _given(given) for port, given in scenario.inputs.items()},
        **({"feeds": dict(scenario.feeds)} if scenario.feeds else {}),
        "source": scenario.source.key if scenario.source else None,
    }


def _given(given: Pattern | Schedule) -> dict[str, Any]:
    if isinstance(given, Pattern):
        return {"amount": given.amount, "days_on": given.on, "days_off": given.off}
    return {"days": given.times.tolist(), "amounts": given.amounts.tolist()}


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "output": check.output,
        "published": check.published,
        "unit": check.unit,
        "tolerance": check.tolerance,
        "kind": check.kind,
        "evidence": check.evidence,
        "source": check.source.key,
        "variant": check.variant,
        "scenario": check.scenario,
        "day": check.day,
        **({} if check.reading == "value" else {"reading": check.reading, "since": check.since}),
    }
