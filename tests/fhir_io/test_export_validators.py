"""Exported FHIR before validators: R4 before fhir.resources and @medplum/core, R5 before fhir.resources.

Node is optional: without it, or without the packages that ``make node`` installs, the second opinion is
skipped with the reason.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fhir_io.export_fixtures import EXAMPLE, every, example, export
from tests.fhir_io.node_tools import second_opinion

Json = dict[str, Any]

# Required codes, which neither validator checks: https://hl7.org/fhir/R4/ and https://hl7.org/fhir/R5/,
# pages of the resources' value sets
REQUIRED: dict[str, dict[tuple[str, str], set[str]]] = {
    "R4": {
        ("Observation", "status"): {"final", "preliminary"},
        ("RiskAssessment", "status"): {"final", "preliminary"},
        ("ResearchStudy", "status"): {"completed"},
        ("ResearchSubject", "status"): {"off-study", "withdrawn"},
        ("EvidenceVariable", "status"): {"active"},
        ("Device", "status"): {"active"},
        ("Group", "type"): {"person"},
        ("Patient", "gender"): {"female", "male", "other", "unknown"},
    },
    "R5": {
        ("Observation", "status"): {"final", "preliminary"},
        ("RiskAssessment", "status"): {"final", "preliminary"},
        ("ResearchStudy", "status"): {"active"},
        ("ResearchSubject", "status"): {"active"},
        ("EvidenceVariable", "status"): {"active"},
        ("Evidence", "status"): {"active"},
        ("Device", "status"): {"active"},
        ("Group", "type"): {"person"},
        ("Group", "membership"): {"definitional"},
        ("Patient", "gender"): {"female", "male", "other", "unknown"},
    },
}


def model(kind: str, version: str) -> Any:
    """The class of fhir.resources for a resource type."""
    package = "fhir.resources.R4B" if version == "R4" else "fhir.resources"
    return getattr(importlib.import_module(f"{package}.{kind.lower()}"), kind)


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize("kind", ["collection", "transaction"])
def test_everything_exported_is_valid_under_fhir_resources(tmp_path: Path, version: str, kind: str) -> None:
    resources = export(EXAMPLE, tmp_path / "out.json", fhir_version=version, bundle=kind)
    for resource in resources:
        model(resource["resourceType"], version).model_validate(resource)
    whole = json.loads((tmp_path / "out.json").read_bytes())
    model("Bundle", version).model_validate(whole)
    kinds = {r["resourceType"] for r in resources}
    assert kinds >= {"Device", "Observation", "Patient", "Provenance", "RiskAssessment", "ResearchSubject"}
    for (resource_type, field), words in REQUIRED[version].items():
        found = {r[field] for r in resources if r["resourceType"] == resource_type}
        assert found, (resource_type, field)
        assert found <= words


def test_r4_is_no_r5_and_r5_is_no_r4(tmp_path: Path) -> None:
    """The control of the test above: the classes of the other version refuse what it renamed."""
    for version, other in (("R4", "R5"), ("R5", "R4")):
        refused = set()
        for resource in export(EXAMPLE, tmp_path / f"{version}.json", fhir_version=version):
            try:
                model(resource["resourceType"], other).model_validate(resource)
            except ValueError:
                refused.add(resource["resourceType"])
        assert {"Device", "Group", "ResearchStudy", "ResearchSubject", "Observation"} <= refused


@pytest.mark.parametrize("kind", ["collection", "transaction"])
def test_r4_passes_the_second_validator(tmp_path: Path, kind: str) -> None:
    content = example(label="real-derived")
    resources = export(content, tmp_path / "out.json", bundle=kind, authorised="Agreement 12")
    assert second_opinion(tmp_path / "out.json") == [{"checked": len(resources) + 1}]


def test_the_second_validator_refuses_what_is_wrong(tmp_path: Path) -> None:
    """Its control: invariant ras-2, a missing required element, an element that R4 does not have."""
    export(EXAMPLE, tmp_path / "out.json")
    bundle = json.loads((tmp_path / "out.json").read_bytes())
    by_type = {e["resource"]["resourceType"]: e["resource"] for e in bundle["entry"]}
    every([by_type["RiskAssessment"]], "prediction")[0][0]["probabilityDecimal"] = 101
    del by_type["ResearchStudy"]["status"]
    by_type["Device"]["name"] = [{"value": "x"}]
    (tmp_path / "bad.json").write_text(json.dumps(bundle))
    *failed, _ = second_opinion(tmp_path / "bad.json")
    assert {f["type"] for f in failed if f["index"] >= 0} == {"RiskAssessment", "ResearchStudy", "Device"}
