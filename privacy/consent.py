"""Consent: whether a patient's data may be used, from what the patient declared.

What a record format says is read elsewhere; here are plain statements and the rule. The rule is
careful throughout: what permits must say so for research, without a limit that could not be kept,
and what denies need not be about research alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Literal

Policy = Literal["opt-in", "opt-out"]

_ALWAYS = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a patient declared, with its exceptions.

    Attributes:
        subject: names under which the source knows the patient; the repr leaves them out.
        decision: ``unclear`` where the statement cannot be understood.
        scope: ``research``; ``privacy`` for a declaration on the use of data in general; ``other``
            (a treatment, say). A denial of either of the first two forbids research; only a permit
            of the first allows it.
        status: ``active``; ``refused`` for one that the patient turned down; ``ended`` for one that
            was ended or replaced; ``void`` for drafts and mistakes.
        start, end: first and last day on which it holds; None if open.
        recorded: when it was declared, with a time zone; None if unknown.
        limits: names of what narrows it to a part of the record (a code, a kind of document).
        recipients: whom it is about; empty for everybody.
        exceptions: statements that hold instead where they apply.
    """

    subject: tuple[str, ...] = field(repr=False)
    decision: Literal["permit", "deny", "unclear"]
    scope: Literal["research", "privacy", "other"] = "research"
    status: Literal["active", "refused", "ended", "void"] = "active"
    start: date | None = None
    end: date | None = None
    recorded: datetime | None = None
    limits: frozenset[str] = frozenset()
    recipients: tuple[str, ...] = field(default=(), repr=False)
    exceptions: tuple[Statement, ...] = ()


class Basis(Enum):
    """Why a patient's data may or may not be used, with the sentence that a report prints."""

    PERMITTED = "An active consent permits research."
    NOT_DENIED = "Nothing that the patient declared forbids research."
    NO_PERMIT = "No consent permits research."
    LIMITED = "A consent permits only a part of the record, or only another recipient."
    EXPIRED = "The consent that permitted research is over."
    ENDED = "The consent that permitted research was ended."
    DENIED = "An active declaration forbids research."
    UNCLEAR = "A declaration on research cannot be understood."


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a patient's data may be used.

    Attributes:
        allowed: whether they may.
        basis: why.
        withdrawn: whether the patient said no, so that data held must be erased and stay away.
        since: when the statement that decided was recorded; None if unknown or if none decided.
    """

    allowed: bool
    basis: Basis
    withdrawn: bool = False
    since: datetime | None = field(default=None, repr=False)


def decide(
    statements: Iterable[Statement], policy: Policy, on: date, recipients: Set[str] = frozenset()
) -> Decision:
    """Decide by all statements of one patient.

    The latest statement that says something on the day decides; of two recorded at one time, the
    one that denies. A denial without a time counts as the latest, a permit without one as the
    earliest. A permit that is over is not followed by an older one.

    Args:
        statements: of one patient, in any order.
        policy: ``opt-in`` allows only who permits; ``opt-out`` all but who denies.
        on: the day for which is decided.
        recipients: names under which statements may mean those who decide. A permit for named
            recipients counts if one of these is among them; a denial for named recipients does not
            count if these are known and none of them is among them.

    Raises:
        ValueError: an unknown policy.
    """
    if policy not in ("opt-in", "opt-out"):
        raise ValueError("the consent policy is opt-in or opt-out")
    weaker: set[Basis] = set()
    for statement in sorted(statements, key=_rank, reverse=True):
        said = _says(statement, on, recipients)
        if said is Basis.PERMITTED:
            return Decision(True, said, since=statement.recorded)
        if said is Basis.DENIED:
            return Decision(False, said, withdrawn=True, since=statement.recorded)
        if said is Basis.UNCLEAR:
            return Decision(False, said, since=statement.recorded)
        if said is Basis.ENDED and policy == "opt-in":
            return Decision(False, said, withdrawn=True, since=statement.recorded)
        # the denial around a permit that is over stands, also where nobody has to permit
        if said is Basis.EXPIRED and (policy == "opt-in" or statement.decision == "deny"):
            return Decision(False, said, since=statement.recorded)
        if said is not None:
            weaker.add(said)
    if policy == "opt-out":
        return Decision(True, Basis.NOT_DENIED)
    return Decision(False, Basis.LIMITED if Basis.LIMITED in weaker else Basis.NO_PERMIT)


def _rank(statement: Statement) -> tuple[datetime, bool]:
    denies = statement.status == "refused" or statement.decision != "permit"
    return statement.recorded or (_ALWAYS if denies else _NEVER), denies


def _says(statement: Statement, on: date, recipients: Set[str]) -> Basis | None:
    """What a statement says about research on a day; None for nothing."""
    if statement.status == "void":
        return None
    if statement.status == "refused":
        return Basis.DENIED if statement.scope != "other" else None
    if statement.status == "ended":
        ended_permit = statement.decision == "permit" or any(
            e.decision == "permit" for e in statement.exceptions
        )
        return Basis.ENDED if statement.scope == "research" and ended_permit else None
    if statement.start and on < statement.start:
        return None
    if statement.end and on > statement.end:
        permits = _own(statement, recipients) is Basis.PERMITTED
        return Basis.EXPIRED if permits else None
    said = {_says(exception, on, recipients) for exception in statement.exceptions}
    for basis in (Basis.DENIED, Basis.UNCLEAR, Basis.PERMITTED):
        if basis in said:
            return basis
    own = _own(statement, recipients)
    # a permit by exception that is over, or does not reach, says more than the denial around it
    return Basis.EXPIRED if own is Basis.DENIED and Basis.EXPIRED in said else own


def _own(statement: Statement, recipients: Set[str]) -> Basis | None:
    """What a statement says when it is in force and no exception applies."""
    named = set(statement.recipients)
    if statement.decision == "permit":
        if statement.scope != "research":
            return None
        reaches = not named or not named.isdisjoint(recipients)
        return Basis.PERMITTED if reaches and not statement.limits else Basis.LIMITED
    if statement.decision == "deny":
        spared = bool(named) and bool(recipients) and named.isdisjoint(recipients)
        return None if statement.scope == "other" or spared else Basis.DENIED
    return Basis.UNCLEAR if statement.scope == "research" else None
