"""The audit log as FHIR R4 AuditEvents.

Codes were seen with these meanings in HL7's R4 examples (AuditEvent ``disclosure``, ``example``, ``rest``:
110106, 110100, 110153, the entity type and role), in DICOM PS3.15 A.5.3.6 (action codes) and in the audit
documentation of dcm4chee-arc (110110, outcomes 0 and 4). What no code was seen for is text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fhir_io.vocabulary import BASE
from vht.files import write_whole

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ACTIVITY = {"system": _DICOM, "code": "110100", "display": "Application Activity"}
_EXPORT = {"system": _DICOM, "code": "110106", "display": "Export"}
_RECORD = {"system": _DICOM, "code": "110110", "display": "Patient Record"}

_KINDS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "create": (_ACTIVITY, "C"),
    "erase": (_RECORD, "D"),
    "export": (_EXPORT, "R"),
    "import": (_RECORD, "C"),
    "key-use": (_ACTIVITY, "E"),
    "recover": (_ACTIVITY, "E"),
    "reidentify": (_RECORD, "R"),
    "release": (_EXPORT, "R"),
    "resolve": (_RECORD, "R"),
    "rotate": (_ACTIVITY, "U"),
    "scan": (_ACTIVITY, "E"),
    "suppress": (_RECORD, "U"),
    "verify": (_ACTIVITY, "E"),
    "view": (_RECORD, "R"),
}
"""Event and action (C create, R read, U update, D delete, E execute) of each of the log's actions."""

_SUCCESS, _MINOR_FAILURE = "0", "4"
AUDIT_ACTION = f"{BASE}/CodeSystem/audit-action"
"""Our own words for what was done; the log's ``action``."""
AUDIT_PSEUDONYM = f"{BASE}/NamingSystem/project-pseudonym"
OPERATING_SYSTEM_USER = f"{BASE}/NamingSystem/operating-system-user-number"


def audit_event(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the audit log as an AuditEvent.

    Args:
        entry: as ``privacy.audit.verification.read_entries`` yields it.
    """
    kind, action = _KINDS[entry["action"]]
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"audit-{entry['number']}",
        "type": dict(kind),
        "subtype": [{"system": AUDIT_ACTION, "code": entry["action"]}],
        "action": action,
        "recorded": entry["time"],
        "outcome": _SUCCESS if entry["outcome"] == "done" else _MINOR_FAILURE,
        "outcomeDesc": entry["outcome"],
        "agent": [
            {
                "who": {"identifier": {"system": OPERATING_SYSTEM_USER, "value": str(entry["user"])}},
                "requestor": True,
            }
        ],
        "source": {"observer": {"display": f"virtual human twin toolkit, zone {entry['zone']}"}},
    }
    if entry["reason"]:
        event["purposeOfEvent"] = [{"text": entry["reason"]}]
    entities: list[dict[str, Any]] = []
    if entry["subject"]:
        entities.append(
            {
                "what": {"identifier": {"system": AUDIT_PSEUDONYM, "value": entry["subject"]}},
                "type": _coded("audit-entity-type", "1", "Person"),
                "role": _coded("object-role", "1", "Patient"),
            }
        )
    if entry["counts"]:
        details = [{"type": name, "valueString": str(count)} for name, count in entry["counts"].items()]
        entities.append({"type": _coded("audit-entity-type", "2", "System Object"), "detail": details})
    if entities:
        event["entity"] = entities
    return event


def write_audit_events(entries: Iterable[Mapping[str, Any]], target: Path) -> int:
    """Write lines of the audit log as NDJSON of AuditEvents; how many."""
    lines = [json.dumps(audit_event(entry)) for entry in entries]
    write_whole(target, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def _coded(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code, "display": display}
