"""Whose data may be used: Consents are given to their patients, and ``privacy.consent`` decides."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter

from fhir_io.identities import PseudonymiserLike
from fhir_io.people import Finder
from fhir_io.reasons import Reason
from fhir_io.spool import Spool
from privacy.consent import Policy, Statement, decide

_STATEMENT = TypeAdapter(Statement)


@dataclass
class Consented:
    """What consent means for an import.

    Attributes:
        refused: persons who are not used, and why.
        withdrawn: persons who said no, and when if that is known: to be erased and kept out.
        used: Consents that were asked, by resource type.
    """

    refused: dict[str, Reason] = field(default_factory=dict)
    withdrawn: dict[str, datetime | None] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)


def persons_without_consent(
    spool: Spool, find: Finder, pseudonymiser: PseudonymiserLike, policy: Policy | None
) -> Consented:
    """Decide for every person of a spool.

    Args:
        spool: after all subjects were resolved.
        find: finds the person that names mean.
        pseudonymiser: knows who was kept out before; takes out who has permitted since.
        policy: None to ask only who was kept out before.
    """
    out = Consented()
    away = "SELECT person, max(since) FROM patient WHERE since IS NOT NULL GROUP BY person"
    kept_out = dict(spool.rows(away))
    if policy is None:
        out.refused = dict.fromkeys(kept_out, Reason.NO_CONSENT)
        return out
    today = datetime.now(UTC).date()
    asked: set[str] = set()
    spool.execute("CREATE TABLE consenter (person TEXT, content BLOB)")
    refused = []
    merged = dict(spool.rows("SELECT person, into_person FROM merged"))
    for *at, names, content in spool.rows("SELECT * FROM consent ORDER BY number"):
        person = find(names, at[1])
        if person:
            person = merged.get(person, person)
            spool.execute("INSERT INTO consenter VALUES (?,?)", (person, content))
            out.used["Consent"] += 1
        else:
            refused.append((*at, "Consent", Reason.UNRESOLVED_SUBJECT.code))
    spool.refuse(refused)
    rows = spool.rows("SELECT person, content FROM consenter ORDER BY person")
    for person, group in itertools.groupby(rows, key=lambda row: row[0]):
        asked.add(person)
        statements = [_STATEMENT.validate_python(_read(content)) for _, content in group]
        decision = decide(statements, policy, today)
        if decision.allowed and _is_let_in(pseudonymiser, person, kept_out.get(person), decision.since):
            continue
        out.refused[person] = Reason.NO_CONSENT
        if decision.withdrawn:
            out.withdrawn[person] = decision.since
    persons = "SELECT id FROM person UNION SELECT person FROM subject WHERE person <> ''"
    for (person,) in spool.rows(persons):
        if person not in asked and (policy == "opt-in" or person in kept_out):
            out.refused[person] = Reason.NO_CONSENT
    return out


def _is_let_in(
    pseudonymiser: PseudonymiserLike, person: str, withdrawn: int | None, permitted: datetime | None
) -> bool:
    """Whether a person was not kept out, or has permitted since."""
    if withdrawn is None:
        return True
    if permitted is None or permitted.timestamp() <= withdrawn:
        return False
    return pseudonymiser.unsuppress(person, permitted)


def _read(content: bytes) -> Any:
    return orjson.loads(content) | {"subject": []}
