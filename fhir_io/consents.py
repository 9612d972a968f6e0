"""From a Consent to a plain statement; ``privacy.consent`` decides by it.

What counts as research (HL7 code systems, their displays seen on the pages named):

- scope ``research`` of https://hl7.org/fhir/R4/codesystem-consent-scope.html, in ``scope`` or, as R5
  has no scope, in ``category``;
- category ``research``, ``rsdid``, ``rsreid`` of
  https://terminology.hl7.org/CodeSystem-consentcategorycodes.html, or the same in capitals of
  https://terminology.hl7.org/CodeSystem-v3-ActCode.html;
- purpose ``HRESCH`` (healthcare research) of
  https://terminology.hl7.org/CodeSystem-v3-ActReason.html. The narrower purposes below it permit only
  a part of research, so they count for denials alone;
- in provisions of the German broad consent, the policy code for using medical data for research.

A Consent of unknown scope is taken as one on the use of data in general.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

from fhir_io.reading.records import Json
from fhir_io.references import reference_names
from privacy.consent import Statement

Decided = Literal["permit", "deny", "unclear"]
Scope = Literal["research", "privacy", "other"]

_SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ACTIONS = "http://terminology.hl7.org/CodeSystem/consentaction"

_RESEARCH = {
    (_SCOPES, "research"),
    *((_CATEGORIES, code) for code in ("research", "rsdid", "rsreid")),
    *((_ACT_CODE, code) for code in ("RESEARCH", "RSDID", "RSREID")),
}
_OTHER = {(_SCOPES, "treatment"), (_SCOPES, "adr")}
_RESEARCH_PURPOSE = "HRESCH"
_NARROWER_PURPOSES = frozenset(
    {
        "BIORCH",
        "CLINTRCH",
        "CLINTRCHNPC",
        "CLINTRCHPC",
        "PRECLINTRCH",
        "DSRCH",
        "POARCH",
        "TRANSRCH",
    }
)
_USING = frozenset({"access", "use", "disclose"})
"""Actions of https://hl7.org/fhir/R4/codesystem-consent-action.html that let data reach the toolkit."""

_RESEARCH_RULES = {
    # "MDAT wissenschaftlich nutzen EU DSGVO NIVEAU": medical data, used for research
    ("urn:oid:2.16.840.1.113883.3.1937.777.24.5.3", "2.16.840.1.113883.3.1937.777.24.5.3.8"),
}
_POLICY: dict[str, Decided] = {"OPTIN": "permit", "OPTOUT": "deny"}
"""Base policies of https://terminology.hl7.org/CodeSystem-v3-ActCode.html."""

_STATUS: dict[Any, Literal["active", "refused", "ended", "void"]] = {
    # https://hl7.org/fhir/R4/codesystem-consent-state-codes.html and R5's; others are void
    "active": "active",
    "rejected": "refused",
    "inactive": "ended",
}
_LIMITS = (
    # R4, then R5
    *("class", "code", "data", "dataPeriod", "securityLabel"),
    *("documentType", "resourceType", "expression"),
)


_OPPOSITE: dict[Decided, Decided] = {"permit": "deny", "deny": "permit", "unclear": "unclear"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """A level of provisions: what it decides, the element that narrows it, and its exceptions."""

    decision: Decided
    about: Json
    exceptions: tuple[_Rule, ...]


def read_consent(resource: Json) -> Statement:
    """What a Consent says, under the names of R4 or of R5; its subject is empty if it names no patient.

    The base decision is ``policyRule`` (OPTIN, OPTOUT) or ``provision.type`` in R4, where provisions
    have a type of their own, and ``decision`` in R5, where each level of provisions is the negation of
    the one above (https://hl7.org/fhir/R5/consent-definitions.html#Consent.decision). What cannot be
    understood is ``unclear``, and so is a Consent with a modifier.
    """
    subject = tuple(reference_names(resource.get("patient", resource.get("subject")), "Patient", resource))
    status = _STATUS.get(_text(resource.get("status")), "void")
    scope = _scope(resource)
    if resource.get("modifierExtension") or resource.get("implicitRules"):
        return Statement(subject, "unclear", scope, status)
    rule = _rule_r5(resource) if _is_r5(resource) else _rule_r4(resource)
    purpose = _purpose(rule.about)
    if purpose == "research":
        scope = "research"
    elif (rule.decision == "permit" and purpose != "any") or (scope == "privacy" and purpose == "other"):
        scope = "other"  # about another use of the data, or about a part of research
    base = _statement(rule, scope)
    return replace(base, subject=subject, status=status, recorded=_recorded(resource, rule.decision))


def _is_r5(resource: Json) -> bool:
    return "decision" in resource or isinstance(resource.get("provision"), list)


def _rule_r4(resource: Json) -> _Rule:
    root = _dict(resource.get("provision"))
    codes = [code for system, code in _codings(resource.get("policyRule")) if system == _ACT_CODE]
    policy = next((_POLICY[code] for code in codes if code in _POLICY), None)
    own = _type(root)
    if policy is None or own == policy:
        return _typed(own or "unclear", root)
    if own is not None:
        return _Rule(policy, {}, (_typed(own, root),))
    # a provision without a type narrows an opt-in; an opt-out stays as wide as it is
    return replace(_typed(policy, root), about=root if policy == "permit" else {})


def _typed(decision: Decided, provision: Json) -> _Rule:
    nested = _dicts(provision.get("provision"))
    return _Rule(decision, provision, tuple(_typed(_type(item) or "unclear", item) for item in nested))


def _rule_r5(resource: Json) -> _Rule:
    found = resource.get("decision")
    decision: Decided = found if found in ("permit", "deny") else "unclear"
    about = {"period": resource["period"]} if "period" in resource else {}
    return _Rule(decision, about, _negations(decision, resource))


def _negations(decision: Decided, above: Json) -> tuple[_Rule, ...]:
    opposite = _OPPOSITE[decision]
    return tuple(_Rule(opposite, item, _negations(opposite, item)) for item in _dicts(above.get("provision")))


def _statement(rule: _Rule, scope: Scope) -> Statement:
    start, end, readable = _period(rule.about.get("period"))
    decision = rule.decision if readable else "unclear"
    limits = {name for name in _LIMITS if rule.about.get(name)}
    if _policy_code(rule.about) == "research":
        limits.discard("code")
    if decision == "permit" and not _lets_use(rule.about):
        limits.add("action")
    exceptions = []
    for exception in rule.exceptions:
        inner = _scope_of_exception(exception, scope)
        if inner is not None:
            exceptions.append(_statement(exception, inner))
    return Statement(
        (),
        decision,
        scope,
        start=start,
        end=end,
        limits=frozenset(limits),
        recipients=_recipients(rule.about),
        exceptions=tuple(exceptions),
    )


def _scope_of_exception(rule: _Rule, above: Scope) -> Scope | None:
    """The scope of an exception; None for one that has nothing to do with research."""
    purpose = _purpose(rule.about)
    actions = _action_codes(rule.about)
    if purpose == "other" or _policy_code(rule.about) == "other" or (actions and actions <= {"correct"}):
        return None
    if purpose == "part":
        return None if rule.decision == "permit" else above
    return "research" if purpose == "research" else above


def _scope(resource: Json) -> Scope:
    found = set(_codings(resource.get("scope")))
    for category in _dicts(resource.get("category")):
        found |= set(_codings(category))
    if found & _RESEARCH:
        return "research"
    return "other" if found & _OTHER else "privacy"


def _purpose(provision: Json) -> Literal["any", "research", "part", "other"]:
    """Whether a provision is about research; ``part`` for a part of it, and for what is not known."""
    purposes = _dicts(provision.get("purpose"))
    if not purposes:
        return "any"
    codes = {item.get("code") if item.get("system") == _ACT_REASON else None for item in purposes}
    if _RESEARCH_PURPOSE in codes:
        return "research"
    return "part" if None in codes or codes & _NARROWER_PURPOSES else "other"


def _policy_code(provision: Json) -> Literal["none", "research", "other"]:
    """Whether a provision is about a rule of a broad consent, and whether about that on research."""
    codes = [pair for concept in _dicts(provision.get("code")) for pair in _codings(concept)]
    systems = {system for system, _ in _RESEARCH_RULES}
    if any(pair in _RESEARCH_RULES for pair in codes):
        return "research"
    return "other" if any(system in systems for system, _ in codes) else "none"


def _action_codes(provision: Json) -> set[str]:
    """Codes of what a provision lets or forbids to do; another code system counts as an unknown one."""
    actions = _dicts(provision.get("action"))
    return {code if system == _ACTIONS else "" for action in actions for system, code in _codings(action)} | {
        "" for action in actions if not _codings(action)
    }


def _lets_use(provision: Json) -> bool:
    actions = _action_codes(provision)
    return not actions or bool(actions & _USING)


def _recipients(provision: Json) -> tuple[str, ...]:
    """Whom a provision is about; an actor that cannot be read stands for somebody unknown."""
    names: list[str] = []
    for actor in _dicts(provision.get("actor")):
        reference = _dict(actor.get("reference"))
        identifier = _dict(reference.get("identifier"))
        found = [_text(reference.get("reference"))]
        if "value" in identifier:
            found.append(f"{_text(identifier.get('system'))}|{_text(identifier.get('value'))}")
        names += [name for name in found if name] or [""]
    return tuple(names)


def _period(period: Any) -> tuple[date | None, date | None, bool]:
    """First and last day of a Period, and whether it could be read."""
    if period is None:
        return None, None, True
    if not isinstance(period, dict):
        return None, None, False
    days: list[date | None] = []
    for name in ("start", "end"):
        text = period.get(name)
        span = _span(text)
        if text is not None and span is None:
            return None, None, False
        days.append(span[name == "end"].date() if span else None)
    return days[0], days[1], True


def _recorded(resource: Json, decision: Decided) -> datetime | None:
    """When it was declared: of a partial date the first moment for a permit, else the last."""
    for text in (
        resource.get("dateTime"),
        resource.get("date"),
        _dict(resource.get("meta")).get("lastUpdated"),
    ):
        span = _span(text)
        if span is not None:
            return span[decision != "permit"].astimezone(UTC)
    return None


def _span(text: Any) -> tuple[datetime, datetime] | None:
    """First and last moment of a FHIR dateTime, in the zone that it names, else in UTC."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) > len("2024-05-01"):
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment.astimezone(UTC)  # raises at the edges of the calendar
            return moment, moment
        parts = [int(part) for part in text.split("-")]
        year, month = parts[0], (parts[1] if len(parts) > 1 else None)
        last_month = month or 12
        day = parts[2] if len(parts) > 2 else None
        last_day = day or calendar.monthrange(year, last_month)[1]
        first = datetime(year, month or 1, day or 1, tzinfo=UTC)
        last = datetime(year, last_month, last_day, 23, 59, 59, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return first, last


def _type(provision: Json) -> Decided | None:
    found = provision.get("type")
    return found if found in ("permit", "deny") else None


def _codings(concept: Any) -> list[tuple[str, str]]:
    """(system, code) of a CodeableConcept, where both are there."""
    pairs = [(c.get("system"), c.get("code")) for c in _dicts(_dict(concept).get("coding"))]
    return [(system, code) for system, code in pairs if isinstance(system, str) and isinstance(code, str)]


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
