"""From the R4 that is built to R5: elements that R5 renamed or moved, type by type.

Source: the R5 pages of each resource (``https://hl7.org/fhir/R5/``, "R4 Diff"). Types that are not listed are
the same in both versions as far as an export uses them.
"""

from __future__ import annotations

from collections.abc import Callable

from fhir_io.export.names import Json


def to_r5(resource: Json) -> Json:
    """The same resource in FHIR R5; the one given is not changed."""
    change = _CHANGES.get(resource["resourceType"])
    return change(dict(resource)) if change else resource


def _observation(made: Json) -> Json:
    if "valueSampledData" in made:
        sampled = dict(made["valueSampledData"])
        sampled["interval"] = sampled.pop("period")
        sampled["intervalUnit"] = "ms"
        made["valueSampledData"] = sampled
    return made


def _device(made: Json) -> Json:
    made["name"] = [{"value": n["name"], "type": n["type"]} for n in made.pop("deviceName")]
    made["type"] = [made["type"]]
    return made


def _group(made: Json) -> Json:
    del made["actual"]  # False: the arm is defined, its members are not listed
    made["membership"] = "definitional"
    return made


def _study(made: Json) -> Json:
    """Arms are comparison groups that point at their Groups; the status is now that of a publication."""
    made["status"] = "active"
    made["comparisonGroup"] = [
        {
            "linkId": _link(arm["name"]),
            "name": arm["name"],
            "description": arm["description"],
            "observedGroup": group,
        }
        for arm, group in zip(made.pop("arm"), made.pop("enrollment"), strict=True)
    ]
    return made


def _subject(made: Json) -> Json:
    made["progress"] = [{"subjectState": {"text": made["status"]}}]
    made["status"] = "active"
    made["subject"] = made.pop("individual")
    made["assignedComparisonGroup"] = _link(made.pop("assignedArm"))
    made["actualComparisonGroup"] = _link(made.pop("actualArm"))
    return made


def _link(arm: str) -> str:
    """An arm's name as an id, which has no underscores; the schema keeps two arms from falling together."""
    return arm.replace("_", "-")


def _provenance(made: Json) -> Json:
    if "reason" in made:
        made["authorization"] = [{"concept": concept} for concept in made.pop("reason")]
    return made


_CHANGES: dict[str, Callable[[Json], Json]] = {
    "Device": _device,
    "Group": _group,
    "Observation": _observation,
    "Provenance": _provenance,
    "ResearchStudy": _study,
    "ResearchSubject": _subject,
}
