"""Read = used + not used, on anything; and what the report says of it."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_io import FhirImportError, Reason, import_records, write_sample
from fhir_io.read import open_source, read_records
from fhir_io.sample_patients import draw_patient
from fhir_io.sample_resources import patient_bundle
from fhir_io.validate import PER_SHAPE, Validator, shape
from tests.fhir_io.conftest import FakePseudonymiser
from vht.store import Store

counter = itertools.count()

leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
junk = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BUNDLES = [patient_bundle(draw_patient(1, index)) for index in (0, 7, 25, 41)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def mutated_bundles(draw: st.DrawFn) -> Any:
    """A sample Bundle with a few of its elements replaced, removed or doubled."""
    bundle = copy.deepcopy(draw(st.sampled_from(BUNDLES)))
    for _ in range(draw(st.integers(1, 5))):
        path = draw(st.sampled_from(places(bundle)))
        holder = bundle
        for key in path[:-1]:
            holder = holder[key]
        action = draw(st.sampled_from(["replace", "remove", "double"]))
        if action == "replace":
            holder[path[-1]] = draw(junk)
        elif action == "remove":
            del holder[path[-1]]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[draw(st.text(max_size=6))] = copy.deepcopy(holder[path[-1]])
    return bundle


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bundle=mutated_bundles(), validation=st.sampled_from(["full", "shape", "none"]))
def test_whatever_is_read_is_used_or_has_a_reason(tmp_path: Path, bundle: Any, validation: Any):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    try:
        expected = sum(1 for _ in read_records(open_source(path)))
        report = import_records(
            path,
            pseudonymiser=FakePseudonymiser(),
            store=Store(tmp_path / f"states-{next(counter)}"),
            validation=validation,
        )
    except FhirImportError:
        return
    assert report.read == expected == report.used + report.not_used
    assert json.loads(report.to_json())["read"] == expected
    assert len(report.unused) == report.not_used - report.by_reason().get(Reason.TYPE_NOT_NEEDED, 0)


def test_a_resource_without_an_outcome_is_a_defect(
    monkeypatch: pytest.MonkeyPatch, import_resources: Any, records: Any
):
    monkeypatch.setattr("fhir_io.settle.Settlement._use", lambda *_: None)
    with pytest.raises(RuntimeError, match="neither used nor refused, or both"):
        import_resources(records.observation())


def test_the_report_says_where_without_saying_who(import_resources: Any, records: Any):
    done = import_resources(records.observation(status="entered-in-error"), records.observation())
    document = json.loads(done.report.to_json())
    assert document["unused"] == [
        {"type": "Observation", "place": "file 1 of 1, entry 2", "reason": "entered_in_error"}
    ]
    assert document["read"] == document["used"] + document["not_used"] == 3
    assert document["reasons"]["entered_in_error"] == Reason.ENTERED_IN_ERROR.value
    text = done.report.summary()
    assert "read 3 resources = used 2 + not used 1" in text
    assert Reason.ENTERED_IN_ERROR.value in text


def test_every_reason_is_a_sentence():
    assert all(reason.value[0].isupper() and reason.value.endswith(".") for reason in Reason)


def test_progress_reaches_the_end_and_never_goes_back(tmp_path: Path, import_from: Any):
    write_sample(tmp_path / "fhir", patients=3, seed=1)
    steps: list[tuple[int, int]] = []
    import_from(tmp_path / "fhir", progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] > 0


def test_a_repeated_import_adds_nothing(tmp_path: Path, import_from: Any):
    write_sample(tmp_path / "fhir", patients=4, seed=1)
    first = import_from(tmp_path / "fhir")
    second = import_from(tmp_path / "fhir", store=first.store, pseudonymiser=first.pseudonymiser)
    assert second.report.rows_added == 0
    assert second.report.values == first.report.values


def test_an_import_without_patients_writes_no_store(import_from: Any, records: Any, tmp_path: Path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(records.observation()))
    done = import_from(path)
    assert done.report.by_reason() == {Reason.UNRESOLVED_SUBJECT: 1}
    assert not Store(done.store.folder).exists()


# -- validation by shape


def test_shape_is_the_structure_without_the_values(records: Any):
    assert shape(records.observation(value=1)) == shape(records.observation(value=2))
    assert shape(records.observation(value=1)) != shape(records.observation(value="1"))
    assert shape({"a": [1, 2]}) == shape({"a": [3]})


def test_the_verdict_on_a_shape_is_a_matter_of_its_structure(records: Any):
    """An unknown element breaks every resource of its shape; a date without zone is left to the check of
    values, which gives it a reason of its own."""
    validator = Validator("shape")
    bad = records.observation(colour="red")
    no_zone = records.observation(effectiveDateTime="2024-05-01T08:00:00")
    fine = records.observation()
    assert [validator.accepts(r) for r in (bad, fine, bad, fine, bad, fine)] == [False, True] * 3
    assert all(validator.accepts(r) for r in [no_zone, fine] * (2 * PER_SHAPE))
    assert not validator.accepts(bad)
    assert not Validator("full").accepts(no_zone)
