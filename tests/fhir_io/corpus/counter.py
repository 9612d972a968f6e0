"""A second count of FHIR records, which does not go through the importer.

It reads plain JSON and has rules of its own, written after the pages of HL7 (R4, 4.0.1) and the README of
the data: what a resource is, which status counts, which codes the tables of codes know (read as YAML), what
is a copy of what. It knows no validation, no units and no references across files: it is for sets of which
those are known to be in order, and it says of each resource as much as can be said without them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vht.quantities import QUANTITIES

Json = dict[str, Any]
TABLES = Path(__file__).parents[3] / "fhir_io" / "mapping" / "tables"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
MEDICATION = ("MedicationRequest", "MedicationAdministration", "MedicationStatement")
NEEDED = {"Patient", "Observation", "Condition", "Procedure", "Medication", *MEDICATION}

# Words of https://hl7.org/fhir/R4/valueset-*-status.html that leave a resource in
COUNTS = {
    "Observation": {"final", "amended", "corrected"},
    "MedicationRequest": {"active", "on-hold", "completed", "stopped"},
    "MedicationAdministration": {"in-progress", "completed", "stopped", "on-hold"},
    "MedicationStatement": {"active", "completed", "stopped", "on-hold"},
    "Procedure": {"in-progress", "completed"},
}
# and the others that the same pages define, with the reason that they are one of
OTHERWISE = {
    "Observation": ("not_final", {"registered", "preliminary", "cancelled", "unknown"}),
    "MedicationRequest": ("not_done", {"cancelled", "draft", "unknown"}),
    "MedicationAdministration": ("not_done", {"not-done", "unknown"}),
    "MedicationStatement": ("not_done", {"intended", "unknown", "not-taken"}),
    "Procedure": ("not_done", {"preparation", "not-done", "on-hold", "stopped", "unknown"}),
}
STATUS_REASONS = {
    "entered_in_error",
    "not_final",
    "not_done",
    "not_an_order",
    "not_confirmed",
    "unknown_status",
}


# -- reading


def resources(folder: Path) -> Iterator[tuple[str, Json]]:
    """(file, resource) of every resource in a folder of JSON and NDJSON; a Bundle is what it holds."""
    for path in sorted(folder.rglob("*")):
        if path.name in ("MANIFEST.json", "manifest.json", "log.ndjson"):
            continue
        if path.suffix == ".json":
            documents = [json.loads(path.read_bytes())]
        elif path.suffix == ".ndjson":
            documents = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        else:
            continue
        for document in documents:
            yield from ((path.name, resource) for resource in inside(document))


def inside(document: Json) -> Iterator[Json]:
    """What a document holds; Parameters that carry resources are no resource themselves."""
    kind = document["resourceType"]
    held = {"Bundle": "entry", "Parameters": "parameter"}.get(kind, "")
    carried = [item["resource"] for item in document.get(held, []) if "resource" in item]
    if kind == "Bundle" or carried:
        for resource in carried:
            yield from inside(resource)
    else:
        yield document


# -- codes


@cache
def systems() -> dict[str, str]:
    """Short name of every URI of a code system."""
    rows = yaml.safe_load((TABLES / "systems.yaml").read_text())["systems"]
    return {uri: row["name"] for row in rows for uri in (row["uri"], *row.get("also", ()))}


@cache
def rows(name: str) -> dict[tuple[str, str], Json]:
    """Rows of a table by (system, code), or by (system, beginning + ``*``); beginnings have no dot."""
    table = yaml.safe_load((TABLES / f"{name}.yaml").read_text())
    found: dict[tuple[str, str], Json] = {}
    for row in table[name]:
        if "code" in row:
            found[row["system"], row["code"].replace(".", "") if _is_tree(row["system"]) else row["code"]] = (
                row
            )
        elif "prefix" in row:
            found[row["system"], row["prefix"].replace(".", "") + "*"] = row
        else:
            first, last = row["range"].split("-")
            letter = first[0] if first[0].isalpha() else ""
            numbers = range(int(first.removeprefix(letter)), int(last.removeprefix(letter)) + 1)
            width = len(first) - len(letter)
            found |= {(row["system"], f"{letter}{n:0{width}}*"): row for n in numbers}
    return found


def _is_tree(system: str) -> bool:
    """Whether the beginning of a code says what it belongs to."""
    return system.startswith(("icd", "atc"))


@cache
def questions() -> dict[tuple[str, str], str]:
    """The question that a code asks."""
    table = yaml.safe_load((TABLES / "answers.yaml").read_text())["answers"]
    return {(row["system"], row["code"]): item["question"] for item in table for row in item["asked_by"]}


def coded(concept: Any) -> list[Json]:
    """The codings of a CodeableConcept; none of what is no CodeableConcept."""
    return concept.get("coding", []) if isinstance(concept, dict) else []


def codings(concept: Any) -> list[tuple[str, str]]:
    """(system, code) of a CodeableConcept, under our short names."""
    complete = [c for c in coded(concept) if {"system", "code"} <= set(c)]
    return [(systems().get(c["system"], c["system"]), c["code"].strip()) for c in complete]


def meaning(concept: Any, table: str) -> Json | None:
    """The row of the first coding that a table knows: of the code itself, else of its longest beginning."""
    known = rows(table)
    for system, code in codings(concept):
        if _is_tree(system):
            plain = code.replace(".", "")
            keys = [plain, *(plain[:length] + "*" for length in range(len(plain), 0, -1))]
        else:
            keys = [code]
        for key in keys:
            row = known.get((system, key))
            if row is not None and not row.get("ignore"):
                return row
    return None


def is_asked(concept: Any) -> bool:
    """Whether a code of an Observation or component stands for a quantity or a question."""
    return meaning(concept, "quantities") is not None or any(c in questions() for c in codings(concept))


# -- one resource


def status_reason(resource: Json) -> str | None:
    """Why the status of a resource keeps it out."""
    kind = resource["resourceType"]
    if kind == "Condition":
        words = [
            c["code"]
            for c in coded(resource.get("verificationStatus"))
            if c.get("system", "").endswith("terminology.hl7.org/CodeSystem/condition-ver-status")
        ]
        if "entered-in-error" in words:
            return "entered_in_error"
        if set(words) - {"confirmed", "refuted", "unconfirmed", "provisional", "differential"}:
            return "unknown_status"
        return None if set(words) <= {"confirmed", "refuted"} else "not_confirmed"
    if kind not in COUNTS:
        return None
    status = resource.get("status")
    if status == "entered-in-error":
        return "entered_in_error"
    if status not in COUNTS[kind]:
        reason, others = OTHERWISE[kind]
        return reason if status in others else "unknown_status"
    if kind == "MedicationRequest":
        if resource.get("doNotPerform") or resource.get("intent") in ("proposal", "plan", "option"):
            return "not_an_order"
        return None if "order" in resource.get("intent", "") else "unknown_status"
    return None


def parts(observation: Json) -> list[Json]:
    """The Observation, if it has a value or nothing else could have one, and its components."""
    components = observation.get("component", [])
    has_value = any(key.startswith("value") for key in observation)
    if has_value or not (components or observation.get("hasMember")):
        return [observation, *components]
    return list(components)


def medications_of(folder: Path) -> dict[str, Any]:
    """Codes of the Medication resources of a folder, by the reference to them."""
    held = (r for _, r in resources(folder) if r["resourceType"] == "Medication" and "id" in r)
    return {f"Medication/{r['id']}": r.get("code", {}) for r in held}


def medication_code(resource: Json, medications: Json) -> Any:
    """The code of a medication, by whatever way the resource leads to it; None if it leads nowhere.

    One that is referred to is looked up for a resource that has a whole date.
    """
    if "medicationCodeableConcept" in resource:
        return resource["medicationCodeableConcept"]
    period = resource.get("effectivePeriod", {}).get("start", "")
    if len(resource.get("authoredOn") or resource.get("effectiveDateTime") or period) < len("2020-01-01"):
        return None
    reference = resource.get("medicationReference", {}).get("reference", "")
    inner = {f"#{c.get('id')}": c.get("code", {}) for c in resource.get("contained", [])}
    return inner.get(reference, medications.get(reference))


def code_reason(resource: Json, medications: Json) -> str | None:
    """Whether the code of a clinical resource says nothing to us, or tells of something that is no event."""
    kind = resource["resourceType"]
    if kind == "Observation":
        held = parts(resource)
        if not held or any(is_asked(part.get("code")) for part in held):
            return None
        situations = [meaning(part.get("code"), "conditions") for part in held]
        return "situation" if any(row and row.get("situation") for row in situations) else "unknown_code"
    if kind in ("Condition", "Procedure", "Medication"):
        row = meaning(resource.get("code"), f"{kind.lower()}s")
    else:
        code = medication_code(resource, medications)
        if code is None:
            return None
        row = meaning(code, "medications")
    if row is None:
        return "unknown_code"
    return "situation" if row.get("situation") else None


def names_a_subject(resource: Json) -> bool:
    """Whether it says at all whose it is."""
    return bool({"reference", "identifier"} & set(resource.get("subject", {})))


# -- a clean set as a whole


def instant(text: str | None) -> float | str | None:
    """A moment that does not depend on the zone it is written in; a date is kept as it is."""
    if text is None or "T" not in text:
        return text
    return datetime.fromisoformat(text).timestamp()


def content(resource: Json) -> Any:
    """What of a resource would enter a state: two with the same content for one patient are copies."""
    kind = resource["resourceType"]
    if kind == "Observation":
        said = []
        for part in parts(resource):
            row = meaning(part.get("code"), "quantities")
            coded = [c["code"] for c in part.get("valueCodeableConcept", {}).get("coding", [])]
            number = part.get("valueQuantity", {}).get("value")
            if row is not None and number is not None:
                said.append((row["quantity"], number))
            elif coded and is_asked(part.get("code")):
                said.append(("answer", *coded))
        return tuple(said), instant(resource.get("effectiveDateTime"))
    if kind == "Condition":
        row = meaning(resource["code"], "conditions")
        return row and row["concept"], *(
            instant(resource.get(f"{w}DateTime")) for w in ("onset", "abatement")
        )
    if kind == "Procedure":
        row, held = meaning(resource["code"], "procedures"), resource.get("performedPeriod", {})
        begun = held.get("start") or resource.get("performedDateTime")
        return row and row["concept"], instant(begun), instant(held.get("end"))
    row = meaning(resource["medicationCodeableConcept"], "medications")
    over = resource["status"] in ("completed", "stopped")
    return row and row["concept"], instant(resource.get("authoredOn")), over


def implausible(resource: Json) -> bool:
    """Whether the only number of an Observation is not one of a living human being.

    In the sets that this is for, such numbers stand in the canonical unit or in none that is near it.
    """
    row = meaning(resource.get("code"), "quantities")
    held = resource.get("valueQuantity")
    if row is None or held is None:
        return False
    known = QUANTITIES[row["quantity"]]
    low, high = known.plausible
    return held.get("code", held.get("unit")) == known.unit and not low <= held["value"] <= high


def account(folder: Path) -> Counter[tuple[str, str]]:
    """(type, ``used`` or reason) of every resource of a clean set: valid, dated, of patients in the set."""
    found: Counter[tuple[str, str]] = Counter()
    medications = medications_of(folder)
    seen: set[Any] = set()
    for file, resource in resources(folder):
        kind = resource["resourceType"]
        if kind not in NEEDED:
            found[kind, "type_not_needed"] += 1
        elif kind == "Patient":
            found[kind, "used"] += 1
        elif reason := status_reason(resource) or code_reason(resource, medications):
            found[kind, reason] += 1
        elif kind == "Observation" and implausible(resource):
            found[kind, "implausible"] += 1
        else:
            subject = resource["subject"]["reference"]
            owner = (file, subject) if subject.startswith("urn:uuid:") else subject
            key = owner, kind, content(resource)
            found[kind, "duplicate" if key in seen else "used"] += 1
            seen.add(key)
    return found
