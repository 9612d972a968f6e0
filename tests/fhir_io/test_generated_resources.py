"""Resources of all kinds that hypothesis makes: each has one outcome, and nobody can be recognised.

Every place where a record may name somebody holds ``SECRET``: names, identifiers, ids, references, displays,
narrative, notes, and words where FHIR wants a code.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_io import ImportReport, import_records
from fhir_io.quarantine import Quarantine
from tests.fhir_io.conftest import FakePseudonymiser
from vht.store import Store

Json = dict[str, Any]
SECRET = "Featherstonehaugh"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM, UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
ICD = "http://hl7.org/fhir/sid/icd-10"
PEOPLE = ("1", "2", SECRET)

DATES = ("2024-05-01", "2019-02-28", "2024-05-01T08:00:00+02:00", "2024-05-01T08:00:00.123-05:00", "2024-05")
NO_DATES = ("2024-05-01T08:00:00", "2024-02-30", "0001-01-01", "yesterday", SECRET)
dates = st.sampled_from([*DATES, *DATES, "2024", *NO_DATES])
numbers = st.integers(-10, 400) | st.floats(-1e6, 1e6) | st.sampled_from([0, -0.0, 1e300, 10**30, 120, 6.3])
units = st.sampled_from(
    ["mm[Hg]", "mmHg", "mg/dL", "mmol/L", "kg", "/min", "%", "{score}", "furlong", SECRET, ""]
)
texts = st.sampled_from(["60", "<5", "12,5", "120/80", SECRET, "", "positive"])
CODES = {
    "Observation": [
        (LOINC, code) for code in ("8480-6", "8867-4", "2339-0", "85354-9", "72166-2", "21889-1", "33728-7")
    ],
    "Condition": [
        (SNOMED, "38341003"),
        (SNOMED, "22298006"),
        (SNOMED, "399211009"),
        (ICD, "I10"),
        (ICD, "I25.2"),
    ],
    "Procedure": [(SNOMED, "73761001"), (SNOMED, "232717009")],
    "Medication": [(RXNORM, "197361"), (ATC, "C10AA")],
    "answer": [(SNOMED, "8517006"), (SNOMED, "449868002"), (SNOMED, "160245001")],
}
STRANGE = [(LOINC, "1-1"), (RXNORM, "1"), (SECRET, SECRET), ("urn:lab", "8480-6"), (SNOMED, "8480-6")]


def mostly(good: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Good ones in three of four cases."""
    return st.one_of(good, good, good, other)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def concepts(kind: str) -> st.SearchStrategy[Json]:
    """CodeableConcepts of which most have a code that the tables know."""
    coding = mostly(st.sampled_from(CODES[kind]), st.sampled_from(STRANGE)).map(
        lambda c: {"system": c[0], "code": c[1], "display": SECRET}
    )
    codings = mostly(st.lists(coding, min_size=1, max_size=1), st.lists(coding, max_size=2))
    return st.fixed_dictionaries({"coding": codings}, optional={"text": st.just(SECRET)})


def status(*good: str) -> st.SearchStrategy[str]:
    return mostly(st.sampled_from(good), st.sampled_from(["entered-in-error", "unknown", "cured", SECRET]))


quantities = mostly(
    st.sampled_from([("mm[Hg]", 120), ("/min", 60), ("mg/dL", 90), ("mm", 20)]).map(
        lambda q: {"value": q[1], "unit": q[0], "code": q[0], "system": UCUM}
    ),
    optional(
        value=numbers,
        unit=units,
        code=units,
        system=st.sampled_from([UCUM, "urn:other"]),
        comparator=st.sampled_from(["<", ">=", "ad", SECRET]),
    ),
)
periods = optional(start=dates, end=dates)
timings = optional(
    event=st.lists(dates, max_size=2), repeat=optional(boundsPeriod=periods, frequency=st.integers(1, 3))
)
samples = optional(
    origin=quantities,
    period=st.sampled_from([1000, 0, -1]),
    dimensions=st.integers(1, 2),
    factor=st.sampled_from([1.0, 0.0]),
    lowerLimit=numbers,
    data=st.sampled_from(["60 61 62", "60 E 62", "L U", SECRET, ""]),
)
values = st.one_of(
    *(
        found.map(lambda v, name=name: {name: v})
        for name, found in {
            "valueQuantity": quantities,
            "valueCodeableConcept": concepts("answer"),
            "valueString": texts,
            "valueBoolean": st.booleans(),
            "valueInteger": st.integers(-3, 300),
            "valueRange": optional(low=quantities, high=quantities),
            "valueRatio": optional(numerator=quantities, denominator=quantities),
            "valueSampledData": samples,
            "valueTime": st.just("08:00:00"),
            "valueDateTime": dates,
            "valuePeriod": periods,
        }.items()
    ),
    st.just({"dataAbsentReason": {"text": SECRET}}),
    st.just({}),
)


def references(kind: str) -> st.SearchStrategy[Json]:
    """References of all kinds to a resource of a type; some lead nowhere, some to another type."""
    names = [f"{kind}/{one}" for one in PEOPLE]
    names += [f"https://fhir.example.org/r4/{names[0]}", f"{names[1]}/_history/2", f"urn:uuid:{UUID}"]
    names += [f"{kind}?identifier=urn:mrn|{SECRET}", f"#{SECRET}", "#p", f"Group/{SECRET}", SECRET, ""]
    return st.one_of(
        st.just({"reference": names[0], "display": SECRET}),
        st.sampled_from(names).map(lambda name: {"reference": name, "display": SECRET}),
        st.just({"identifier": {"system": "urn:mrn", "value": SECRET}}),
        st.just({"display": SECRET}),
    )


def resource(
    kind: str, required: dict[str, Any], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Json]:
    """Resources with these fields, some with an id, versions, narrative and contained patients."""
    made = st.fixed_dictionaries(
        required,
        optional={
            "id": st.sampled_from([*PEOPLE, UUID]),
            "meta": optional(versionId=st.sampled_from(["1", "2", SECRET]), lastUpdated=dates),
            "text": st.just({"status": "generated", "div": f"<div>{SECRET}</div>"}),
            **fields,
        },
    )
    inner = st.sampled_from(
        [[], [PERSON | {"id": SECRET}], [{"resourceType": kind, "id": "p", "note": SECRET}]]
    )
    return st.builds(lambda a, b: {"resourceType": kind} | a | ({"contained": b} if b else {}), made, inner)


PERSON: Json = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:mrn", "value": SECRET}],
    "name": [{"family": SECRET, "given": [SECRET]}],
}
patients = resource(
    "Patient",
    {},
    gender=status("female", "male"),
    birthDate=dates,
    deceasedBoolean=st.booleans(),
    deceasedDateTime=dates,
    link=st.lists(
        optional(other=references("Patient"), type=st.sampled_from(["replaced-by", "seealso", SECRET])),
        max_size=2,
    ),
).map(lambda made: PERSON | made | ({} if made.get("id") == SECRET else {"identifier": []}))

effective = st.one_of(
    dates.map(lambda d: {"effectiveDateTime": d}),
    periods.map(lambda p: {"effectivePeriod": p}),
    timings.map(lambda t: {"effectiveTiming": t}),
    st.just({}),
)
observed = st.builds(
    lambda base, value, at, parts: base | value | at | ({"component": parts} if parts else {}),
    resource(
        "Observation",
        {
            "status": status("final", "amended"),
            "code": concepts("Observation"),
            "subject": references("Patient"),
        },
        bodySite=concepts("Condition"),
        hasMember=st.lists(references("Observation"), min_size=1, max_size=1),
    ),
    values,
    effective,
    st.lists(
        st.builds(lambda code, value: {"code": code} | value, concepts("Observation"), values), max_size=2
    ),
)


def medication(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    what = mostly(
        concepts("Medication").map(lambda c: {"medicationCodeableConcept": c}),
        references("Medication").map(lambda r: {"medicationReference": r}),
    )
    required = {"status": status("active", "completed"), "subject": references("Patient")}
    return st.builds(lambda a, b, at: a | b | at, resource(kind, required, **fields), what, effective)


resources = st.one_of(
    patients,
    observed,
    observed,
    resource(
        "Condition",
        {"code": concepts("Condition"), "subject": references("Patient")},
        clinicalStatus=concepts("Condition"),
        verificationStatus=concepts("Condition"),
        onsetDateTime=dates,
        abatementDateTime=dates,
        abatementString=texts,
        recordedDate=dates,
    ),
    medication(
        "MedicationRequest",
        intent=status("order"),
        authoredOn=dates,
        doNotPerform=st.booleans(),
        dosageInstruction=st.lists(optional(timing=timings, text=texts), max_size=2),
    ),
    medication("MedicationAdministration"),
    medication("MedicationStatement"),
    resource("Medication", {"code": concepts("Medication")}, status=status("active")),
    resource(
        "Procedure",
        {
            "status": status("completed"),
            "code": concepts("Procedure"),
            "subject": references("Patient"),
        },
        performedDateTime=dates,
        performedPeriod=periods,
        note=st.just([{"text": SECRET}]),
    ),
    resource(SECRET, {}),
    st.just({"resourceType": "Claim", "patient": {"display": SECRET}}),
)


def shown(folder: Path) -> str:
    """All that lies in a folder of states, and the names of its files."""
    parts = []
    for path in folder.rglob("*"):
        parts.append(path.name)
        if path.suffix == ".parquet":
            parts.append(str(pq.read_table(path).to_pydict()))
        elif path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(parts)


ANCHOR = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2024-05-01",
    "valueQuantity": {"value": 60, "code": "/min", "system": UCUM},
}
"""Gives the first patient a day 0."""


def imported(made: list[Json], scratch: Path, *, lines: bool = False, **options: Any) -> ImportReport:
    """The report on resources that are imported from a source of which all names hold ``SECRET``."""
    source = scratch / SECRET
    source.mkdir()
    if lines:
        text = "\n".join(json.dumps(resource) for resource in made)
    else:
        entries = [{"fullUrl": f"urn:{SECRET}:{n}", "resource": r} for n, r in enumerate(made)]
        text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    (source / f"{SECRET}.{'ndjson' if lines else 'json'}").write_text(text)
    store = Store(scratch / "states")
    return import_records(source, pseudonymiser=FakePseudonymiser(), store=store, **options)


@settings(max_examples=200)
@given(
    st.lists(resources, min_size=1, max_size=8),
    st.sampled_from(["full", "shape", "none"]),
    st.booleans(),
    st.sampled_from([None, "Europe/Berlin"]),
    st.sampled_from([None, "opt-out"]),
)
def test_every_resource_has_one_outcome_and_nobody_can_be_recognised(
    made: list[Json], validation: Any, lines: bool, zone: str | None, consent: Any
):
    made = [PERSON | {"id": "1", "identifier": []}, ANCHOR, *made]
    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder) / "states"
        report = imported(
            made, Path(folder), lines=lines, validation=validation, assume_zone=zone, consent=consent
        )
        assert report.read == len(made) == report.used + report.not_used
        by_type = Counter(report.used_by_type)
        for (kind, _), count in report.not_used_by_type.items():
            by_type[kind] += count
        expected = Counter(r["resourceType"] for r in made)
        assert by_type == Counter({("other" if k == SECRET else k): n for k, n in expected.items()})
        assert SECRET not in report.to_json() + report.summary() + repr(report) + shown(states)
        assert report.patients == 0 or sum(Quarantine(states).counts().values()) <= report.not_used


def test_what_is_generated_is_used_and_refused_for_many_reasons(tmp_path: Path):
    """A control of the generator: with 3,000 resources it reaches tables of all kinds and most reasons."""
    drawn: list[Json] = []

    @settings(max_examples=300, database=None, derandomize=True)
    @given(st.lists(resources, min_size=10, max_size=10))
    def draw(made: list[Json]) -> None:
        drawn.extend(made)

    draw()
    others = [r for r in drawn if (r["resourceType"], r.get("id")) != ("Patient", "1")]
    report = imported([PERSON | {"id": "1", "identifier": []}, ANCHOR, *others], tmp_path, lines=True)
    assert {"Condition", "Observation", "Patient"} <= set(report.used_by_type)
    assert {"conditions", "medications"} <= set(report.events)
    assert len(report.by_reason()) > 20
    assert SECRET not in report.to_json() + shown(tmp_path / "states")
