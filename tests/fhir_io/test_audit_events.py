"""The audit log as AuditEvents: valid R4, every action of the log, and nothing that the log does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from fhir_io.audit import audit_event, write_audit_events
from privacy.audit import Audit, AuditRecord, create_audit
from privacy.audit.grammar import ACTIONS
from privacy.audit.verification import read_entries
from tests.privacy.audit.conftest import PSEUDONYM


def entry(action: str = "view", **changed: object) -> dict[str, object]:
    return {
        "number": 4,
        "time": "2026-11-24T10:00:00.000+00:00",
        "user": 1000,
        "action": action,
        "zone": "PSEUDO",
        "subject": PSEUDONYM,
        "reason": "monthly review",
        "outcome": "done",
        "counts": {"rows": 3},
        **changed,
    }


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_of_the_log_is_a_valid_event(action: str) -> None:
    made = audit_event(entry(action))
    assert AuditEvent.model_validate(made).get_resource_type() == "AuditEvent"
    assert made["subtype"][0]["code"] == action


def test_an_event_says_who_what_whose_why_and_how_it_ended() -> None:
    made = audit_event(entry("erase", outcome="failed"))
    assert (made["type"]["code"], made["action"], made["outcome"]) == ("110110", "D", "4")
    assert made["agent"][0]["who"]["identifier"]["value"] == "1000"
    assert made["entity"][0]["what"]["identifier"]["value"] == PSEUDONYM
    assert made["purposeOfEvent"] == [{"text": "monthly review"}]
    assert made["entity"][1]["detail"] == [{"type": "rows", "valueString": "3"}]
    assert audit_event(entry("release"))["type"]["code"] == "110106"


def test_an_event_about_nobody_has_no_entity() -> None:
    made = audit_event(entry(subject=None, counts={}, reason=""))
    assert "entity" not in made
    assert "purposeOfEvent" not in made
    AuditEvent.model_validate(made)


def test_a_log_becomes_one_event_a_line(tmp_path: Path) -> None:
    create_audit(tmp_path / "audit", tmp_path / "officer.json")
    with Audit.open(tmp_path / "audit") as audit:
        for action in ("import", "view", "erase"):
            audit.record(AuditRecord(action, "PSEUDO", PSEUDONYM))
    target = tmp_path / "events.ndjson"
    assert write_audit_events(read_entries(tmp_path / "audit", tmp_path / "officer.json"), target) == 3
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert [event["id"] for event in events] == ["audit-0", "audit-1", "audit-2"]
    for event in events:
        AuditEvent.model_validate(event)
