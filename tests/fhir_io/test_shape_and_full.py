"""``shape`` reports every error that ``full`` reports in an element that the import reads.

To report is to refuse with a reason, to count a part that was not used, or to note that an element was not
as FHIR has it. Elements that are not read may hold what they like.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fhir.resources import R4B
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_io import Note, Reason
from fhir_io.extract import Extract, Extractor, Options
from fhir_io.read import Place, Record
from tests.fhir_io.broken import GOOD, REMOVED, WRONG, R, broken, changed, heart_rate, places
from tests.fhir_io.corpus import counter
from tests.fhir_io.corpus.record import folders

Json = dict[str, Any]

NOT_READ = {
    # ids and versions are compared with each other only, so that any text does
    "": {"id", "meta.versionId", "meta.lastUpdated"},
    # issued says when a result was published; a panel is read by its components, whatever its own code;
    # the text of a unit is read where its code says nothing, and that is noted
    "Observation": {
        "issued",
        "code.coding.code",
        "valueQuantity.unit",
        "component.valueQuantity.unit",
        "valueRange.low.unit",
        "valueRange.high.unit",
        "valueRange.high.code",  # the end with a unit lends it to the other
        "valueSampledData.origin.unit",
    },
}
"""By type, elements whose content does not enter a state. Everything else in ``GOOD`` is read."""


def outcome(extractor: Extractor, resource: Json) -> Extract:
    return extractor.extract([Record(resource, Place(1, 1, "entry", 1, 0), None)], 1)


def is_reported(extract: Extract) -> bool:
    """Whether a report would tell of anything but that the resource was used."""
    if extract.refused or extract.notes or any(reason for *_, reason in extract.medications):
        return True
    for _, kind, _, _, _, content, *_ in extract.drafts:
        told = json.loads(content)
        if kind != "Observation":
            return told[4] is not None
        _, values, _, _, _, reasons, useful, notes = told
        return bool(reasons or notes or not useful or any(from_text for _, _, from_text, _ in values))
    return False


def errors(resource: Json) -> set[str]:
    """Paths, without indices, of what fhir.resources does not accept."""
    try:
        R4B.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except Exception as error:
        listed = getattr(error, "errors", list)()
        return {".".join(p for p in e["loc"] if isinstance(p, str)) for e in listed} or {"?"}
    return set()


def in_what_is_read(resource: Json, found: set[str]) -> set[str]:
    ignored = NOT_READ[""] | NOT_READ.get(resource["resourceType"], set())
    return found - ignored


def warm(resource: Json) -> Extractor:
    """An extractor that has seen enough resources of a shape to look at no more of them."""
    extractor = Extractor(Options("shape"))
    for _ in range(5):
        outcome(extractor, resource)
    return extractor


def test_what_is_good_is_accepted_without_a_word():
    for resource in GOOD:
        assert errors(resource) == set()
        assert not is_reported(outcome(Extractor(Options("full")), resource)), resource


def test_shape_reports_every_error_in_an_element_that_is_read():
    """One element wrong at a time, met first and met after five good ones of the same resource."""
    told = 0
    good, known = GOOD[0], warm(GOOD[0])
    for base, resource in broken():
        if base is not good:
            good, known = base, warm(base)
        found = in_what_is_read(resource, errors(resource))
        if found:
            told += 1
            assert is_reported(outcome(Extractor(Options("shape")), resource)), (found, resource)
            assert is_reported(outcome(known, resource)), (found, resource)
    assert told > 5000  # the sweep is not empty


@st.composite
def twice_broken(draw: st.DrawFn) -> tuple[Json, Json]:
    good = draw(st.sampled_from(GOOD))
    made = good
    for _ in range(2):
        path = draw(st.sampled_from([p for p in places(made) if p != ("resourceType",)]))
        made = changed(made, path, draw(st.sampled_from([REMOVED, *WRONG]) | st.text(max_size=6)))
    return good, made


@settings(max_examples=400)
@given(twice_broken())
def test_shape_reports_what_full_refuses_where_two_elements_are_wrong(drawn: tuple[Json, Json]):
    good, resource = drawn
    if in_what_is_read(resource, errors(resource)):
        assert is_reported(outcome(warm(good), resource))
        assert is_reported(outcome(Extractor(Options("shape")), resource))


def test_shape_reports_what_full_refuses_in_the_published_sets(shared_data: Path):
    """With one extractor for each set, as an import has it."""
    refused = Counter[str]()
    for folder in folders(shared_data):
        shape, full = Extractor(Options("shape")), Extractor(Options("full"))
        for _, resource in counter.resources(folder):
            if resource["resourceType"] not in counter.NEEDED:
                continue
            strictly = outcome(full, resource)
            if any(reason == Reason.INVALID.code for _, _, reason, *_ in strictly.refused):
                refused[folder.name] += 1
                found = in_what_is_read(resource, errors(resource))
                assert not found or is_reported(outcome(shape, resource)), found
            else:
                outcome(shape, resource)
    # templates that are partly not valid R4, by the README of the data
    assert refused == {"mcode_extraction_fixtures": 3}


# -- what is told of such an element


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"onsetDateTime": "2020-02-30"}, Reason.MALFORMED_DATE),
        ({"abatementDateTime": "gestern"}, Reason.MALFORMED_DATE),
        ({"onsetDateTime": "2020-02-03T10:00:00"}, Reason.NO_ZONE),
        (
            {"clinicalStatus": R.concept(counter.CLINICAL, "cured")},
            Reason.UNKNOWN_STATUS,
        ),
    ],
)
def test_an_event_with_a_date_or_status_that_is_none_is_not_used(
    import_resources: Any, records: Any, changes: Json, reason: Reason
):
    done = import_resources(records.observation(), records.condition(**changes))
    assert done.reasons("Condition") == {reason: 1}
    assert done.state.conditions == ()


def test_a_zone_that_is_assumed_counts_for_events_too(import_resources: Any, records: Any):
    """Day 0 is 1 May 2024; 2020-05-01 was 1461 days before."""
    onset = records.condition(onsetDateTime="2020-05-01T12:00:00")
    state = import_resources(records.observation(), onset, assume_zone="Europe/Berlin").state
    assert [c.start_day for c in state.conditions] == [-1460.5]


@pytest.mark.parametrize(
    "changes",
    [
        {"gender": "alien"},
        {"birthDate": "1960-13-01"},
        {"deceasedBoolean": "yes"},
        {"deceasedDateTime": "2024-06-31"},
        {"link": [{"other": {"reference": "Patient/q"}, "type": "twin"}]},
        {"identifier": [{"system": "urn:test:mrn", "value": "12345678"}, {"system": "urn:x", "value": " "}]},
    ],
)
def test_a_patient_who_is_misread_is_used_and_noted(import_resources: Any, records: Any, changes: Json):
    done = import_resources(records.patient(**changes), records.observation())
    assert done.report.notes[Note.MISREAD_PATIENT] == 1
    assert done.report.patients == 1
    plain = import_resources(records.patient(), records.observation())
    assert Note.MISREAD_PATIENT not in plain.report.notes


def test_an_integer_is_whole_and_a_comparator_is_a_word(import_resources: Any, records: Any):
    done = import_resources(
        records.observation(),
        records.observation("72514-3", valueQuantity=None, valueInteger=1.5),
        heart_rate(valueQuantity=records.quantity(60, "/min", comparator=["<"])),
    )
    assert done.reasons() == {Reason.NOT_A_NUMBER: 1, Reason.INVALID: 1}
