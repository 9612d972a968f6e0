"""What a Consent says, in R4 and R5, and what is decided by it: HL7's examples and small ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from fhir_io.consents import read_consent
from fhir_io.read import Place, open_source, read_records
from fhir_io.versions import Versions, is_valid, to_r4
from privacy.consent import Basis, decide

Json = dict[str, Any]
ON = date(2024, 6, 1)
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
REASON = f"{TERMINOLOGY}/v3-ActReason"
BROAD = "urn:oid:2.16.840.1.113883.3.1937.777.24.5.3"


def concept(system: str, *codes: str) -> Json:
    prefix = "" if system.startswith(("http", "urn")) else f"{TERMINOLOGY}/"
    return {"coding": [{"system": prefix + system, "code": code} for code in codes]}


def purpose(*codes: str) -> list[Json]:
    return [{"system": REASON, "code": code} for code in codes]


def r4(provision: Json | None = None, **changes: Any) -> Json:
    base: Json = {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept("consentscope", "research"),
        "category": [concept("http://loinc.org", "59284-0")],
        "patient": {"reference": "Patient/p"},
        "dateTime": "2020-01-01",
        "policy": [{"uri": "https://example.org/policy"}],
    }
    if provision is not None:
        base["provision"] = provision
    return {key: item for key, item in (base | changes).items() if item is not None}


def r5(decision: str | None, *provisions: Json, **changes: Any) -> Json:
    base: Json = {
        "resourceType": "Consent",
        "status": "active",
        "category": [concept("consentcategorycodes", "research")],
        "subject": {"reference": "Patient/p"},
        "date": "2020-01-01",
        "decision": decision,
        "provision": list(provisions) or None,
    }
    return {key: item for key, item in (base | changes).items() if item is not None}


def basis(resource: Json, policy: Any = "opt-in", **options: Any) -> Basis:
    return decide([read_consent(resource)], policy, ON, **options).basis


PERMIT, DENY = {"type": "permit"}, {"type": "deny"}


@pytest.mark.parametrize("resource", [r4(PERMIT), r4(DENY), r4(DENY | {"provision": [PERMIT]})])
def test_the_small_examples_are_fhir_r4(resource: Json):
    assert is_valid(resource, "R4")


@pytest.mark.parametrize("resource", [r5("permit"), r5("deny", {"purpose": purpose("HRESCH")})])
def test_the_small_examples_are_fhir_r5_and_mean_the_same_under_r4_names(resource: Json):
    assert is_valid(resource, "R5")
    assert read_consent(to_r4(resource)) == read_consent(resource)


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({}, "research"),
        ({"scope": concept("consentscope", "patient-privacy")}, "privacy"),
        ({"scope": concept("consentscope", "treatment")}, "other"),
        ({"scope": concept("consentscope", "adr")}, "other"),
        ({"scope": {"text": "research"}}, "privacy"),
        ({"scope": None}, "privacy"),
        ({"scope": None, "category": [concept("consentcategorycodes", "rsdid")]}, "research"),
        ({"scope": None, "category": [concept("v3-ActCode", "RESEARCH")]}, "research"),
        ({"scope": None, "category": [concept("v3-ActCode", "research")]}, "privacy"),  # in capitals there
        ({"scope": None, "category": [concept("consentscope", "research")]}, "research"),
        ({"scope": concept("consentscope", "treatment", "research")}, "research"),
    ],
)
def test_what_counts_as_research(changes: Json, scope: str):
    assert read_consent(r4(PERMIT, **changes)).scope == scope


@pytest.mark.parametrize(
    ("provision", "expected"),
    [
        (PERMIT, Basis.PERMITTED),
        (DENY, Basis.DENIED),
        ({}, Basis.UNCLEAR),
        (None, Basis.UNCLEAR),
        (PERMIT | {"purpose": purpose("HRESCH")}, Basis.PERMITTED),
        (PERMIT | {"purpose": purpose("TREAT", "HRESCH")}, Basis.PERMITTED),
        (PERMIT | {"purpose": purpose("TREAT")}, Basis.NO_PERMIT),
        (PERMIT | {"purpose": purpose("CLINTRCH")}, Basis.NO_PERMIT),
        (PERMIT | {"purpose": [{"system": "urn:local", "code": "x"}]}, Basis.NO_PERMIT),
        (PERMIT | {"action": [concept("consentaction", "use", "collect")]}, Basis.PERMITTED),
        (PERMIT | {"action": [concept("consentaction", "correct")]}, Basis.LIMITED),
        (PERMIT | {"class": [{"system": "urn:ietf:bcp:13", "code": "x"}]}, Basis.LIMITED),
        (PERMIT | {"dataPeriod": {"start": "2020-01-01"}}, Basis.LIMITED),
        (PERMIT | {"period": {"start": "2020", "end": "2024-06"}}, Basis.PERMITTED),
        (PERMIT | {"period": {"start": "2020", "end": "2024-05"}}, Basis.EXPIRED),
        (PERMIT | {"period": {"start": "2024-06-01", "end": "2024-06-01T12:00:00+02:00"}}, Basis.PERMITTED),
        (PERMIT | {"period": {"end": "soon"}}, Basis.UNCLEAR),
        # nested provisions are exceptions
        (PERMIT | {"provision": [DENY]}, Basis.DENIED),
        (PERMIT | {"provision": [DENY | {"purpose": purpose("HMARKT")}]}, Basis.PERMITTED),
        (PERMIT | {"provision": [DENY | {"purpose": purpose("POARCH")}]}, Basis.DENIED),
        (PERMIT | {"provision": [DENY | {"class": [{"system": "x", "code": "x"}]}]}, Basis.DENIED),
        (PERMIT | {"provision": [DENY | {"action": [concept("consentaction", "correct")]}]}, Basis.PERMITTED),
        (PERMIT | {"provision": [DENY | {"period": {"end": "2021"}}]}, Basis.PERMITTED),
        (DENY | {"provision": [PERMIT]}, Basis.PERMITTED),
        (DENY | {"provision": [PERMIT | {"purpose": purpose("DSRCH")}]}, Basis.DENIED),
        (DENY | {"provision": [PERMIT | {"provision": [DENY]}]}, Basis.DENIED),
        (PERMIT | {"provision": [{}]}, Basis.UNCLEAR),
    ],
)
def test_provisions_of_r4(provision: Json | None, expected: Basis):
    assert basis(r4(provision)) is expected


def test_a_purpose_alone_makes_a_consent_on_data_one_on_research():
    privacy = concept("consentscope", "patient-privacy")
    assert basis(r4(PERMIT | {"purpose": purpose("HRESCH")}, scope=privacy)) is Basis.PERMITTED
    assert basis(r4(PERMIT, scope=privacy)) is Basis.NO_PERMIT
    marketing = r4(DENY | {"purpose": purpose("HMARKT")}, scope=privacy)
    assert basis(marketing, "opt-out") is Basis.NOT_DENIED


@pytest.mark.parametrize(
    ("rule", "provision", "expected"),
    [
        ("OPTIN", None, Basis.PERMITTED),
        ("OPTOUT", None, Basis.DENIED),
        ("OPTIN", {"period": {"end": "2021"}}, Basis.EXPIRED),
        ("OPTOUT", {"period": {"end": "2021"}}, Basis.DENIED),
        ("OPTIN", DENY, Basis.DENIED),
        ("OPTOUT", PERMIT, Basis.PERMITTED),
        ("OTHER", None, Basis.UNCLEAR),
    ],
)
def test_base_policies_of_r4(rule: str, provision: Json | None, expected: Basis):
    assert basis(r4(provision, policyRule=concept("v3-ActCode", rule))) is expected


def test_a_broad_consent_permits_by_its_policy_code():
    """Shape of the consents of the German medical informatics initiative: all denied but what is listed."""

    def consent(*codes: str) -> Json:
        listed = [PERMIT | {"code": [concept(BROAD, f"{BROAD.removeprefix('urn:oid:')}.{c}")]} for c in codes]
        return r4(DENY | {"period": {"start": "2020-01-01", "end": "2050-01-01"}, "provision": listed})

    assert basis(consent("6", "8")) is Basis.PERMITTED
    assert basis(consent("6")) is Basis.DENIED
    assert basis(consent()) is Basis.DENIED


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (r5("permit"), Basis.PERMITTED),
        (r5("deny"), Basis.DENIED),
        (r5(None), Basis.UNCLEAR),
        (r5("permit", period={"start": "2020", "end": "2021"}), Basis.EXPIRED),
        # each level negates the one above
        (r5("permit", {"purpose": purpose("HRESCH")}), Basis.DENIED),
        (r5("permit", {"purpose": purpose("HMARKT")}), Basis.PERMITTED),
        (r5("deny", {"purpose": purpose("HRESCH")}), Basis.PERMITTED),
        (r5("deny", {"purpose": purpose("HRESCH"), "resourceType": [{"code": "Observation"}]}), Basis.DENIED),
        (r5("deny", {"provision": [{"purpose": purpose("HRESCH")}]}), Basis.DENIED),
        (r5("permit", status="not-done"), Basis.NO_PERMIT),
        (r5("permit", status="inactive"), Basis.ENDED),
    ],
)
def test_r5(resource: Json, expected: Basis):
    assert basis(resource) is expected
    if "decision" in resource:
        assert Versions().of(resource, Place(1, 1, "", 0)) == "R5"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", Basis.PERMITTED),
        ("rejected", Basis.DENIED),
        ("inactive", Basis.ENDED),
        ("draft", Basis.NO_PERMIT),
        ("proposed", Basis.NO_PERMIT),
        ("entered-in-error", Basis.NO_PERMIT),
        ("banana", Basis.NO_PERMIT),
        (None, Basis.NO_PERMIT),
        (7, Basis.NO_PERMIT),
    ],
)
def test_status(status: Any, expected: Basis):
    assert basis(r4(PERMIT, status=status)) is expected


def test_what_a_modifier_says_is_not_guessed():
    for mark in ({"modifierExtension": [{"url": "x"}]}, {"implicitRules": "https://example.org"}):
        assert basis(r4(PERMIT, **mark)) is Basis.UNCLEAR


def test_recipients():
    actor = {"role": concept("v3-ParticipationType", "PRCP"), "reference": {"reference": "Organization/a"}}
    named = {"role": actor["role"], "reference": {"identifier": {"system": "urn:org", "value": "7"}}}
    nameless = {"role": actor["role"], "reference": {"display": "A"}}
    provision = PERMIT | {"actor": [actor, named]}
    assert basis(r4(provision)) is Basis.LIMITED
    assert basis(r4(provision), recipients={"Organization/b"}) is Basis.LIMITED
    assert basis(r4(provision), recipients={"Organization/a"}) is Basis.PERMITTED
    assert basis(r4(provision), recipients={"urn:org|7"}) is Basis.PERMITTED
    assert basis(r4(PERMIT | {"actor": [nameless]}), recipients={"Organization/a"}) is Basis.LIMITED


@pytest.mark.parametrize(
    ("text", "permitted", "denied"),
    [
        ("2020-02-03T04:05:06+02:00", (2020, 2, 3, 2, 5, 6), (2020, 2, 3, 2, 5, 6)),
        ("2020-02-03", (2020, 2, 3), (2020, 2, 3, 23, 59, 59)),
        ("2020-02", (2020, 2, 1), (2020, 2, 29, 23, 59, 59)),
        ("2020", (2020, 1, 1), (2020, 12, 31, 23, 59, 59)),
        ("2020-02-30", None, None),
        ("0001-01-01T00:00:00+10:00", None, None),
        ("last year", None, None),
        (2020, None, None),
    ],
)
def test_a_partial_date_is_read_as_the_careful_reader_would(text: Any, permitted: Any, denied: Any):
    for provision, expected in ((PERMIT, permitted), (DENY, denied)):
        recorded = read_consent(r4(provision, dateTime=text)).recorded
        assert recorded == (datetime(*expected, tzinfo=UTC) if expected else None)


def test_the_time_of_a_consent_without_a_date_is_that_of_its_version():
    found = read_consent(r4(PERMIT, dateTime=None, meta={"lastUpdated": "2021-01-01T00:00:00Z"}))
    assert found.recorded == datetime(2021, 1, 1, tzinfo=UTC)


def test_the_subject_is_told_by_all_its_names():
    who = {"reference": "https://x.example.org/Patient/p", "identifier": {"system": "urn:a", "value": "7"}}
    names = read_consent(r4(PERMIT, patient=who)).subject
    assert names == ("https://x.example.org/Patient/p", "Patient/p", "identifier urn:a|7")
    assert read_consent(r4(PERMIT, patient=None)).subject == ()


@pytest.mark.parametrize("junk", [3, "x", [], [3], {"coding": 3}, {"coding": [3]}, {"reference": 3}, None])
@pytest.mark.parametrize(
    "field", ["scope", "category", "patient", "policyRule", "provision", "meta", "dateTime"]
)
def test_junk_never_permits_more(field: str, junk: Any):
    found = decide([read_consent(r4(PERMIT) | {field: junk})], "opt-in", ON)
    harmless = field in ("category", "patient", "policyRule", "meta", "dateTime")
    assert found.allowed is harmless


EXAMPLES = {
    # file of HL7's R4 examples: what opt-in and opt-out say; none is on research, so none permits it
    "Consent-consent-example-basic": (Basis.NO_PERMIT, Basis.NOT_DENIED),  # an opt-in for sharing
    "Consent-consent-example-Out": (Basis.DENIED, Basis.DENIED),  # an opt-out
    "Consent-consent-example-Emergency": (Basis.DENIED, Basis.DENIED),  # an opt-out but for emergencies
    "Consent-consent-example-notOrg": (Basis.DENIED, Basis.DENIED),  # an opt-in but for an organisation
    "Consent-consent-example-smartonfhir": (Basis.NO_PERMIT, Basis.NOT_DENIED),  # an app, half an hour
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_examples(shared_data: Path, name: str):
    path = shared_data / "fhir" / "hl7_r4_examples" / f"{name}.json"
    (record,) = read_records(open_source(path))
    assert record.resource is not None
    assert (basis(record.resource), basis(record.resource, "opt-out")) == EXAMPLES[name]
