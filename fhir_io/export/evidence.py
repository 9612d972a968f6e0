"""What a trial found, as Evidence. FHIR R5 only: Evidence of R4 has no statistics, and R4B's differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_io.export.elements import coded, quantity, simulated
from fhir_io.export.names import Json, Names
from fhir_io.export.schema import Estimate, Trial
from fhir_io.export.study import group_id

# code list of https://terminology.hl7.org/CodeSystem-variable-role.html, as in HL7's own R5 definitions
_ROLES = "http://terminology.hl7.org/CodeSystem/variable-role"
_VIEWS = {"true": "noise-free", "observed": "as a trial would measure it"}
_DESIGNS = {
    None: "",
    "population": ", separate patients in the arms",
    "paired": ", the same patients in both arms",
}


def evidence(trial: Trial, names: Names) -> Iterator[Json]:
    """One Evidence an estimate, with its number, sample size and confidence interval."""
    yield from (_one(trial, estimate, names) for estimate in trial.estimates)


def _one(trial: Trial, estimate: Estimate, names: Names) -> Json:
    arms = f"{estimate.arm} against {estimate.against}" if estimate.against else estimate.arm
    words = f"{estimate.statistic}, {_VIEWS[estimate.view]}{_DESIGNS[estimate.design]}"
    statistic: Json = {
        "statisticType": {"text": estimate.statistic},
        "quantity": quantity(estimate.value, estimate.unit),
        "sampleSize": {"numberOfParticipants": estimate.n},
    }
    interval = _interval(estimate)
    if interval is not None:
        statistic["attributeEstimate"] = [interval]
    return {
        "resourceType": "Evidence",
        "id": names.next("Evidence", trial.name, estimate.endpoint, arms, words),
        "meta": simulated(),
        "status": "active",
        "title": f"{estimate.endpoint}: {arms}",
        "description": f"{words}; from an in-silico trial, in which nobody was treated",
        "variableDefinition": [
            {
                "description": estimate.endpoint,
                "variableRole": coded(_ROLES, "measuredVariable"),
            },
            *_exposures(trial, estimate, names),
        ],
        "statistic": [statistic],
    }


def _exposures(trial: Trial, estimate: Estimate, names: Names) -> Iterator[Json]:
    roles = [("exposure", estimate.arm)]
    if estimate.against is not None:
        roles.append(("referenceExposure", estimate.against))
    for role, arm in roles:
        yield {
            "variableRole": coded(_ROLES, role),
            "observed": names.reference("Group", group_id(trial, arm, names)),
        }


def _interval(estimate: Estimate) -> Json | None:
    bounds: dict[str, Any] = {
        side: quantity(bound, estimate.unit)
        for side, bound in (("low", estimate.low), ("high", estimate.high))
        if bound is not None
    }
    if not bounds:
        return None
    found: Json = {"type": {"text": "confidence interval"}, "range": bounds}
    if estimate.level is not None:
        found["level"] = estimate.level
    return found
