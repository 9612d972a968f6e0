"""Small resources of all types that the import reads, and ways to break them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.fhir_io.conftest import Records

Json = dict[str, Any]
Path = tuple[Any, ...]

R = Records()
SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
BOUNDS = {"timing": {"repeat": {"boundsPeriod": {"start": "2024-01-01", "end": "2024-03-01"}}}}
META = {"versionId": "1", "lastUpdated": "2024-06-01T00:00:00Z"}
RATE = {"low": R.quantity(60, "/min"), "high": R.quantity(70, "/min")}
SAMPLES = {
    "origin": R.quantity(0, "/min"),
    "period": 1000,
    "dimensions": 1,
    "factor": 1.0,
    "data": "60 61 62",
}


def heart_rate(**changes: Any) -> Json:
    return R.observation("8867-4", **({"valueQuantity": None} | changes))


GOOD: list[Json] = [
    R.observation(id="o1", meta=META, issued="2024-05-01T08:00:00Z"),
    R.observation(
        valueQuantity=R.quantity(150, comparator="<"),
        effectiveDateTime=None,
        effectivePeriod={"start": "2024-05-01", "end": "2024-05-02"},
    ),
    R.panel("85354-9", {"valueQuantity": R.quantity(120)}, {"valueQuantity": R.quantity(80)}, id="o2"),
    R.observation("72514-3", valueQuantity=None, valueInteger=3),
    R.observation("72514-3", valueQuantity=None, valueString="3"),
    heart_rate(valueRange=RATE),
    heart_rate(valueSampledData=SAMPLES),
    R.observation("72166-2", valueQuantity=None, valueCodeableConcept=R.concept(SNOMED, "8517006")),
    R.observation(effectiveDateTime=None, effectiveInstant="2024-05-01T08:00:00Z"),
    R.observation(effectiveDateTime=None, effectiveTiming={"event": ["2024-05-01T08:00:00Z"]}),
    R.condition(
        id="c",
        verificationStatus=R.concept(VERIFICATION, "confirmed"),
        abatementDateTime="2022-01-01",
        recordedDate="2022-01-01",
    ),
    R.condition(verificationStatus=R.concept(VERIFICATION, "refuted"), onsetPeriod={"start": "2020-01-01"})
    | {"onsetDateTime": None},
    R.medication(id="m", dosageInstruction=[BOUNDS]),
    R.medication(
        resourceType="MedicationAdministration",
        status="completed",
        intent=None,
        authoredOn=None,
        effectiveDateTime="2024-03-01",
    ),
    R.medication(
        resourceType="MedicationStatement",
        intent=None,
        authoredOn=None,
        effectivePeriod={"start": "2024-03-01", "end": "2024-04-01"},
    ),
    {
        "resourceType": "Procedure",
        "status": "completed",
        "code": R.concept(SNOMED, "73761001"),
        "subject": {"reference": "Patient/p"},
        "performedPeriod": {"start": "2024-03-01", "end": "2024-03-02"},
    },
    {"resourceType": "Medication", "id": "x", "code": R.concept(RXNORM, "197361")},
    R.patient(
        deceasedDateTime="2024-01-01",
        link=[{"other": {"reference": "Patient/2"}, "type": "seealso"}],
        meta=META,
    ),
    R.patient(deceasedBoolean=False),
]
GOOD = [{key: item for key, item in resource.items() if item is not None} for resource in GOOD]

WRONG: tuple[Any, ...] = (
    *("", " ", "x", "a  b", " a", "ééé", "x" * 70, "Patient/p", "#a", "http://x"),
    *(
        "2024",
        "2024-13-01",
        "2024-05-01T08:00:00",
        "2024-05-01T25:00:00Z",
        "0000-01-01",
        "24:00",
        "1e5",
        "120",
    ),
    *(0, -1, 5, 1.5, 1e300, True, False, None),
    *([], {}, ["x"], {"a": 1}, [{}], [None]),
)
"""What is put in the place of an element: words, dates that are none, numbers, and other JSON."""

REMOVED = object()


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all elements inside a JSON value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(resource: Json, path: Path, item: Any) -> Json:
    """A copy of a resource with another item at a place, or with none."""
    made = copy.deepcopy(resource)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    if item is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(item)
    return made


def broken() -> Iterator[tuple[Json, Json]]:
    """(good, broken) for every element of every good resource and every wrong item."""
    for good in GOOD:
        for path in places(good):
            if path != ("resourceType",):
                for item in (REMOVED, *WRONG):
                    yield good, changed(good, path, item)
