"""What a later word does to an earlier one: corrections, deletions, merges, consent, another try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_io import FhirImportError, Reason, importer
from fhir_io.quarantine import Quarantine
from privacy import Identity
from tests.fhir_io.conftest import FakePseudonymiser, Imported

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def meta(version: int, day: int) -> dict[str, Any]:
    return {"versionId": str(version), "lastUpdated": f"2024-06-{day:02d}T00:00:00Z"}


@pytest.fixture
def follow(import_resources: Any) -> Any:
    """Import resources into the store of an earlier import."""

    def run(before: Imported, *resources: Any, **options: Any) -> Imported:
        return import_resources(*resources, store=before.store, pseudonymiser=before.pseudonymiser, **options)

    return run


def heart_rate(records: Any, value: float, version: int, day: int, **changes: Any) -> Any:
    return records.observation("8867-4", value, "/min", id=ID, meta=meta(version, day), **changes)


# -- corrections of one resource


def test_a_corrected_value_replaces_the_one_that_is_held(import_resources: Any, follow: Any, records: Any):
    first = import_resources(heart_rate(records, 70, 1, 1))
    second = follow(first, heart_rate(records, 75, 2, 2, status="corrected"))
    assert second.values("heart_rate") == [75]
    assert second.report.rows_added == 1
    late = follow(second, heart_rate(records, 70, 1, 1))
    assert late.values("heart_rate") == [75]
    assert late.reasons() == {Reason.SUPERSEDED: 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "entered-in-error"}, Reason.ENTERED_IN_ERROR),
        ({"status": "cancelled"}, Reason.NOT_FINAL),
        ({"valueQuantity": {"value": 75, "unit": "furlong"}}, Reason.UNIT_NOT_CONVERTIBLE),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "99999-9"}]}}, Reason.UNKNOWN_CODE),
    ],
)
def test_a_newer_version_that_says_nothing_retracts_what_is_held(
    import_resources: Any, follow: Any, records: Any, changes: Any, reason: Reason
):
    other = records.observation()
    first = import_resources(heart_rate(records, 70, 1, 1), other)
    second = follow(first, heart_rate(records, 70, 2, 2, **changes))
    assert second.reasons() == {reason: 1}
    assert second.report.retracted == 1
    assert second.values("heart_rate") == []
    assert second.values("systolic_blood_pressure") == [120]
    again = follow(second, heart_rate(records, 70, 2, 2, **changes))
    assert again.report.rows_added == 0
    back = follow(again, heart_rate(records, 72, 3, 3, status="amended"))
    assert back.values("heart_rate") == [72]


def test_an_error_that_arrives_before_its_value_is_remembered(
    import_resources: Any, follow: Any, records: Any
):
    first = import_resources(records.observation(), heart_rate(records, 70, 2, 2, status="entered-in-error"))
    second = follow(first, heart_rate(records, 70, 1, 1))
    assert second.reasons() == {Reason.SUPERSEDED: 1}
    assert second.values("heart_rate") == []


def test_a_version_without_meta_that_says_something_else_replaces_the_earlier_import(
    import_resources: Any, follow: Any, records: Any
):
    first = import_resources(records.observation("8867-4", 70, "/min", id=ID))
    second = follow(first, records.observation("8867-4", 75, "/min", id=ID))
    assert second.values("heart_rate") == [75]


def test_a_panel_is_replaced_as_a_whole(import_resources: Any, follow: Any, records: Any):
    quantity = records.quantity

    def panel(systolic: float, version: int) -> Any:
        parts = {"valueQuantity": quantity(systolic)}, {"valueQuantity": quantity(80)}
        return records.panel("85354-9", *parts, id=ID, meta=meta(version, version))

    first = import_resources(panel(130, 1))
    second = follow(first, panel(140, 2))
    assert second.values("systolic_blood_pressure") == [140]
    assert second.values("diastolic_blood_pressure") == [80]


def test_a_resource_that_moves_to_another_patient_leaves_the_first(
    import_resources: Any, follow: Any, records: Any
):
    other = records.patient(id="q", identifier=[{"system": "urn:test:mrn", "value": "other"}])
    kept = records.observation(), records.observation(subject={"reference": "Patient/q"})
    first = import_resources(records.patient(), other, *kept, heart_rate(records, 70, 1, 1))
    moved = heart_rate(records, 70, 2, 2, subject={"reference": "Patient/q"})
    second = follow(first, records.patient(), other, *kept, moved)
    rows = second.cohort.observations
    found = rows[rows["quantity"] == "heart_rate"]["pseudonym"].tolist()
    assert found == [second.pseudonymiser.pseudonym(Identity("urn:test:mrn", "other"))]


def test_a_short_id_that_two_patients_share_is_two_resources(import_from: Any, records: Any, tmp_path: Path):
    """Two hospitals in one folder: Observation/1 of each, one older than the other."""
    folder = tmp_path / "two"
    folder.mkdir()
    for number, (name, day) in enumerate((("a", 1), ("b", 2))):
        patient = records.patient(id=name, identifier=[{"system": "urn:test:mrn", "value": name}])
        seen = records.observation(
            "8867-4", 60 + number, "/min", id="1", meta=meta(1, day), subject={"reference": f"Patient/{name}"}
        )
        (folder / f"{name}.json").write_text(json.dumps(records.bundle(patient, seen)))
    done = import_from(folder)
    assert sorted(done.cohort.observations["value"]) == [60, 61]


# -- deletions


def deletion(*names: str) -> Any:
    entries = [{"request": {"method": "DELETE", "url": name}} for name in names]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_a_deletion_retracts_and_is_no_resource(
    import_resources: Any, import_from: Any, records: Any, tmp_path: Path
):
    first = import_resources(heart_rate(records, 70, 1, 1), records.observation())
    path = tmp_path / "deleted.json"
    path.write_text(json.dumps(deletion(f"Observation/{ID}", "Observation/unknown")))
    options = {"store": first.store, "pseudonymiser": first.pseudonymiser}
    second = import_from(path, **options)
    assert (second.report.read, second.report.deletions) == (0, 2)
    assert second.values("heart_rate") == []
    assert second.values("systolic_blood_pressure") == [120]


# -- patients


def test_records_of_a_patient_who_is_not_sent_again_find_the_patient(
    import_resources: Any, import_from: Any, records: Any, tmp_path: Path
):
    first = import_resources(records.patient(), records.observation())
    path = tmp_path / "later.ndjson"
    later = records.observation("8867-4", 66, "/min", effectiveDateTime="2024-05-11T08:00:00+02:00")
    path.write_text(json.dumps(later))
    second = import_from(path, store=first.store, pseudonymiser=first.pseudonymiser)
    state = second.state
    assert state.latest("heart_rate").day == pytest.approx(10 + 8 / 24)
    assert state.latest("heart_rate").age_years == 63  # born 15 June 1960
    assert state.sex == "female"


@pytest.mark.parametrize(
    ("holder", "kind"), [("old", "replaced-by"), ("new", "replaces"), ("new", "seealso")]
)
def test_linked_patients_are_one_person(import_resources: Any, records: Any, holder: str, kind: str):
    names = {name: f"Patient/{name}" for name in ("old", "new")}
    other = "new" if holder == "old" else "old"
    link = [{"other": {"reference": names[other]}, "type": kind}]
    patients = [
        records.patient(
            id=name,
            identifier=[{"system": "urn:test:mrn", "value": name}],
            **({"link": link} if name == holder else {}),
        )
        for name in names
    ]
    seen = [
        records.observation("8867-4", 60 + n, "/min", subject={"reference": reference})
        for n, reference in enumerate(names.values())
    ]
    done = import_resources(*patients, *seen)
    assert done.values("heart_rate") == [60, 61]
    assert done.state.pseudonym == done.pseudonymiser.pseudonym(Identity("urn:test:mrn", "new"))
    assert done.reasons("Patient") == {Reason.MERGED: 1}


def test_a_link_that_comes_later_merges_what_is_held(import_resources: Any, follow: Any, records: Any):
    def patient(name: str, **changes: Any) -> Any:
        return records.patient(id=name, identifier=[{"system": "urn:test:mrn", "value": name}], **changes)

    early = records.observation(
        "8867-4", 60, "/min", subject={"reference": "Patient/old"}, effectiveDateTime="2024-05-01"
    )
    late = records.observation(
        "8867-4", 61, "/min", subject={"reference": "Patient/new"}, effectiveDateTime="2024-05-11"
    )
    first = import_resources(patient("old"), patient("new"), early, late)
    assert len(first.cohort) == 2
    link = [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]
    second = follow(first, patient("old", link=link), patient("new"))
    days = {o.value: o.day for o in second.state.observations}
    assert days == {60.0: -10.0, 61.0: 0.0}


def test_a_corrected_date_of_birth_is_no_conflict(import_resources: Any, records: Any):
    wrong = records.patient(birthDate="1950-06-15", meta=meta(1, 1))
    right = records.patient(birthDate="1960-06-15", meta=meta(2, 2))
    done = import_resources(wrong, right, records.observation())
    assert done.state.age_years == 63
    assert done.reasons("Patient") == {Reason.SUPERSEDED: 1}


# -- consent


def consent(decision: str, day: str, patient: str = "Patient/p", **changes: Any) -> Any:
    base = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": patient},
        "dateTime": day,
        "policyRule": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": {"permit": "OPTIN", "deny": "OPTOUT"}[decision],
                }
            ]
        },
    }
    return base | changes


@pytest.mark.parametrize(
    ("policy", "decisions", "used"),
    [
        ("opt-in", [], False),
        ("opt-in", ["permit"], True),
        ("opt-in", ["deny"], False),
        ("opt-out", [], True),
        ("opt-out", ["deny"], False),
        ("opt-out", ["deny", "permit"], True),
        (None, ["deny"], True),
    ],
)
def test_consent_decides_who_is_used(
    import_resources: Any, records: Any, policy: Any, decisions: list[str], used: bool
):
    consents = [consent(d, f"2024-05-{n:02d}") for n, d in enumerate(decisions, 1)]
    done = import_resources(records.patient(), records.observation(), *consents, consent=policy)
    assert done.report.patients == int(used)
    if not used:
        assert done.reasons() == {Reason.NO_CONSENT: 1} == done.reasons("Patient")
        assert not done.store.exists()


def test_a_withdrawal_erases_and_keeps_out_until_a_newer_permit(
    import_resources: Any, follow: Any, records: Any
):
    other = records.patient(id="q", identifier=[{"system": "urn:test:mrn", "value": "other"}])
    theirs = records.observation(subject={"reference": "Patient/q"})
    both = records.patient(), records.observation(), other, theirs
    first = import_resources(*both, consent="opt-out")
    assert len(first.cohort) == 2
    second = follow(first, *both, consent("deny", "2024-06-01T00:00:00Z"), consent="opt-out")
    assert list(second.cohort.patients["pseudonym"]) == [
        second.pseudonymiser.pseudonym(Identity("urn:test:mrn", "other"))
    ]
    third = follow(second, *both)  # also where consent is not asked for
    assert third.reasons() == {Reason.NO_CONSENT: 1}
    assert len(third.cohort) == 1
    fourth = follow(third, *both, consent("permit", "2024-07-01T00:00:00Z"), consent="opt-out")
    assert len(fourth.cohort) == 2


# -- strict, quarantine, another try


def test_a_strict_import_fails_as_a_whole_and_says_where(import_resources: Any, records: Any, tmp_path: Path):
    odd = records.observation(valueQuantity=records.quantity(5, "furlong"))
    with pytest.raises(
        FhirImportError, match=r"unit_not_convertible: 1 resources, first file 1 of 1, entry 3"
    ):
        import_resources(
            records.patient(),
            records.observation(),
            odd,
            strict=[Reason.UNIT_NOT_CONVERTIBLE, Reason.NO_ZONE],
        )
    assert not list(tmp_path.glob("states*"))
    done = import_resources(records.patient(), records.observation(), odd, strict=[Reason.NO_ZONE])
    assert done.report.used == 2


LOCAL_CODES = """
schema: vht-codes/1
version: "1"
sources: {ward: "device manual of the ward"}
quantities:
  - {system: "urn:ward", code: "HF", quantity: heart_rate, unit: "/min", source: ward, display: "Puls"}
"""


def test_what_was_not_used_is_found_again_by_reference(import_from: Any, records: Any, tmp_path: Path):
    """A local code: once a table says what it means, only the quarantined value is read again."""
    folder = tmp_path / "Doe-Jane"
    folder.mkdir()
    local = records.observation("8867-4", 66, "/min", code=records.concept("urn:ward", "HF"))
    rows = [records.patient(), records.observation(), local, records.observation(status="entered-in-error")]
    (folder / "Jane.ndjson").write_text("\n".join(json.dumps(r) for r in rows))
    first = import_from(folder)
    assert first.reasons() == {Reason.UNKNOWN_CODE: 1, Reason.ENTERED_IN_ERROR: 1}
    quarantine = Quarantine(first.store.folder)
    assert quarantine.counts() == {"entered_in_error": 1, "unknown_code": 1}
    assert all(b"Jane" not in p.read_bytes() for p in first.store.folder.rglob("*") if p.is_file())

    table = tmp_path / "ward.yaml"
    table.write_text(LOCAL_CODES)
    options = {"store": first.store, "pseudonymiser": first.pseudonymiser, "codes": [table]}
    second = import_from(folder, retry_unused=[Reason.UNKNOWN_CODE], **options)
    assert second.report.used_by_type == {"Observation": 1, "Patient": 1}
    assert second.values("heart_rate") == [66]
    assert second.values("systolic_blood_pressure") == [120]
    assert quarantine.counts() == {"entered_in_error": 1}
    with pytest.raises(FhirImportError, match="without --retry-unused"):
        import_from(folder, retry_unused=[Reason.UNKNOWN_CODE], **options)


# -- workers


def test_workers_change_nothing(import_from: Any, shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    """Files are cut into ranges of lines, and two processes read them, small as they are."""
    monkeypatch.setattr(importer, "UNIT_BYTES", 1 << 16)
    monkeypatch.setattr(importer, "BYTES_FOR_A_WORKER", 1)
    source = shared_data / "fhir" / "bulk_ndjson_export25"
    one, two = (import_from(source, workers=n, pseudonymiser=FakePseudonymiser()) for n in (1, 2))
    assert one.report.to_json() == two.report.to_json()
    assert one.cohort.digest == two.cohort.digest
    for shard in sorted(one.store.folder.rglob("*.parquet")):
        other = two.store.folder / shard.relative_to(one.store.folder)
        assert shard.read_bytes() == other.read_bytes()


# -- rules of a site

SITE_RULES = """
schema: vht-codes/1
version: "1"
absent_unless_recorded:
  - {concept: stroke, source: "all discharge diagnoses since 2005 are coded here"}
  - {concept: hypertension, source: "all discharge diagnoses since 2005 are coded here"}
"""


def test_only_a_rule_of_the_site_makes_what_is_not_recorded_absent(
    import_resources: Any, follow: Any, records: Any, tmp_path: Path
):
    table = tmp_path / "site.yaml"
    table.write_text(SITE_RULES)
    plain = import_resources(records.observation(), records.condition())
    assert (plain.state.status("stroke"), plain.state.absences) == ("not_recorded", ())
    first = follow(plain, records.observation(), records.condition(), codes=[table])
    assert first.state.status("stroke") == "taken_as_absent"
    assert first.state.status("hypertension") == "present"
    assert [a.basis for a in first.state.absences] == ["site_rule"]
    again = follow(first, records.observation(), records.condition(), codes=[table])
    assert again.report.rows_added == 0
    later = follow(again, records.condition("230690007", id="s"))
    assert later.state.status("stroke") == "present"
    assert later.state.absences == ()


def test_a_later_denial_counts_more_than_an_earlier_finding(import_resources: Any, records: Any):
    """Smoking status by its answers: a current smoker in 2020 who never smoked, or stopped, in 2024."""

    def smoking(answer: str, day: str) -> Any:
        coded = records.concept("http://snomed.info/sct", answer)
        return records.observation(
            "72166-2", valueQuantity=None, valueCodeableConcept=coded, effectiveDateTime=day
        )

    current, former = "449868002", "8517006"
    stopped = import_resources(smoking(current, "2020-05-01"), smoking(former, "2024-05-01"))
    assert stopped.state.status("current_smoker") == "absent"
    assert stopped.cohort.with_condition("current_smoker") == []
    resumed = import_resources(smoking(former, "2020-05-01"), smoking(current, "2024-05-01"))
    assert resumed.state.status("current_smoker") == "present"
    assert resumed.cohort.with_condition("current_smoker") == [resumed.state.pseudonym]


def test_a_patient_who_is_sent_again_without_vital_status_stays_dead(
    import_resources: Any, follow: Any, records: Any
):
    first = import_resources(records.patient(deceasedDateTime="2024-06-01"), records.observation())
    second = follow(first, records.patient(), records.observation())
    assert (second.state.vital_status, second.state.death_day) == ("deceased", 31.0)
    third = follow(second, records.patient(deceasedBoolean=False), records.observation())
    assert (third.state.vital_status, third.state.death_day) == ("alive", None)


@pytest.mark.parametrize(
    ("order", "value"),
    [
        (["first", "deleted"], None),
        (["deleted", "first"], None),
        (["first", "deleted", "first"], None),
        (["first", "deleted", "second"], 72),
        (["second", "deleted", "first"], None),
        (["first", "deleted", "second", "deleted"], None),
    ],
)
def test_a_resource_that_is_made_again_after_its_deletion_counts(
    import_from: Any, records: Any, tmp_path: Path, order: list[str], value: float | None
):
    """Files in the order of their names, as a raw folder of several syncs holds them."""
    folder = tmp_path / "raw"
    folder.mkdir()
    said = {
        "first": heart_rate(records, 70, 1, 1),
        "second": heart_rate(records, 72, 2, 2),
        "deleted": deletion(f"Observation/{ID}"),
    }
    (folder / "0.json").write_text(json.dumps(records.bundle(records.patient(), records.observation())))
    for number, name in enumerate(order, 1):
        (folder / f"{number}.json").write_text(json.dumps(said[name]))
    done = import_from(folder)
    assert done.values("heart_rate") == ([] if value is None else [value])
    again = import_from(folder, store=done.store, pseudonymiser=done.pseudonymiser)
    assert again.values("heart_rate") == ([] if value is None else [value])
