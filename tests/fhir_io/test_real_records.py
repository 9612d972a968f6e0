"""Import of published FHIR records: nothing is lost, and two exports of one record agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_io import Reason
from privacy import Pseudonymiser, create_keys
from vht.state import PatientState
from vht.store import Store

SECONDS = 1 / 86_400


def resources(folder: Path) -> Iterator[dict[str, Any]]:
    """Every resource of a folder of Bundles, read without the importer."""
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_bytes())
        if isinstance(document, dict):
            yield from (entry["resource"] for entry in document["entry"])


@pytest.fixture(scope="module")
def synthea(shared_data: Path) -> list[dict[str, Any]]:
    return list(resources(shared_data / "fhir" / "synthea_r4_bundles"))


def test_every_resource_of_the_synthea_bundles_is_accounted_for(
    import_from: Any, shared_data: Path, synthea: list[dict[str, Any]]
):
    done = import_from(shared_data / "fhir" / "synthea_r4_bundles")
    report = done.report
    assert report.read == len(synthea) == 12_507
    counted = Counter(report.used_by_type)
    for (kind, _), count in report.not_used_by_type.items():
        counted[kind] += count
    assert counted == Counter(r["resourceType"] for r in synthea)
    assert report.patients == sum(r["resourceType"] == "Patient" for r in synthea) == 63
    assert set(report.by_reason()) == {
        Reason.TYPE_NOT_NEEDED,
        Reason.UNKNOWN_CODE,
        Reason.DUPLICATE,
        Reason.IMPLAUSIBLE,
        Reason.SITUATION,
    }
    # eight records of total protein say g/dL and hold g/L: 61 to 74 g/dL is not a human serum
    protein = [r for r in synthea if r["resourceType"] == "Observation" and code_of(r) == "2885-2"]
    assert report.by_reason()[Reason.IMPLAUSIBLE] == len(protein) == 8
    assert all(r["valueQuantity"]["unit"] == "g/dL" and r["valueQuantity"]["value"] > 50 for r in protein)


def test_all_445_blood_pressures_are_found_by_their_components(
    import_from: Any, shared_data: Path, synthea: list[dict[str, Any]]
):
    panels = [r for r in synthea if r["resourceType"] == "Observation" and "component" in r]
    expected = Counter(
        (component["code"]["coding"][0]["code"], component["valueQuantity"]["value"])
        for panel in panels
        if code_of(panel) == "55284-4"
        for component in panel["component"]
    )
    done = import_from(shared_data / "fhir" / "synthea_r4_bundles")
    codes = {"systolic_blood_pressure": "8480-6", "diastolic_blood_pressure": "8462-4"}
    rows = done.cohort.observations
    found = Counter(
        (codes[name], value)
        for name, value in zip(rows["quantity"], rows["value"], strict=True)
        if name in codes
    )
    assert found == expected
    assert sum(expected.values()) == 2 * 445  # 445 panels: reference count of the data set


def test_the_bulk_export_gives_the_same_states_as_the_bundles_of_the_same_patients(
    import_from: Any, shared_data: Path, tmp_path: Path
):
    keys = tmp_path / "keys"
    create_keys(keys)
    cohorts = []
    for folder in ("synthea_r4_bundles", "bulk_ndjson_export25"):
        with Pseudonymiser.open(keys) as pseudonymiser:
            store = Store(tmp_path / folder)
            import_from(shared_data / "fhir" / folder, pseudonymiser=pseudonymiser, store=store)
        cohorts.append(store.cohort())
    bundles, export = cohorts
    assert len(export) == 25
    kinds: set[str] = set()
    dead = 0
    assert set(export.patients["pseudonym"]) <= set(bundles.patients["pseudonym"])
    for pseudonym in export.patients["pseudonym"]:
        ours, theirs = bundles.state(pseudonym), export.state(pseudonym)
        assert (ours.study_number, ours.sex) == (theirs.study_number, theirs.sex)
        # day 0 was fixed by the bundles; the exporting server moved the times of all patients
        shift = theirs.observations[0].day - ours.observations[0].day
        assert abs(shift) < 3650
        assert ours.vital_status == theirs.vital_status
        compared = [*zip(as_rows(ours), as_rows(theirs), strict=True)]
        for (what, days), (same, moved) in compared:
            assert what == same
            assert [day is None for day in days] == [day is None for day in moved]
            assert [b - a for a, b in zip(days, moved, strict=True) if a is not None and b is not None] == (
                pytest.approx([shift] * sum(day is not None for day in days), abs=SECONDS)
            )
        kinds |= {what[0] for (what, _), _ in compared}
        dead += ours.vital_status == "deceased"
    assert kinds == {"observations", "conditions", "medications", "procedures", "absences", "death"}
    [patients] = (shared_data / "fhir" / "bulk_ndjson_export25").glob("Patient.*")
    assert dead == patients.read_text().count('"deceasedDateTime"') > 0


def as_rows(state: PatientState) -> list[tuple[tuple[Any, ...], list[float | None]]]:
    """(what, its days) of all that a state holds, in order."""
    rows: list[tuple[tuple[Any, ...], list[float | None]]] = []
    rows += [(("observations", o.quantity, o.value, o.origin), [o.day]) for o in state.observations]
    rows += [(("intervals", i.quantity, i.low, i.high), [i.day]) for i in state.intervals]
    rows += [(("absences", a.concept, a.basis), [a.day]) for a in state.absences]
    for kind in ("conditions", "medications", "procedures"):
        rows += [((kind, e.concept), [e.start_day, e.end_day]) for e in getattr(state, kind)]
    rows += [(("death",), [state.death_day])] if state.vital_status == "deceased" else []
    return rows


@pytest.mark.parametrize(
    ("folder", "read"),
    # resources in each folder, counted without the importer
    [
        ("cumulus_simple_ndjson", 39),
        ("hl7_r4_examples", 1009),
        ("hl7_r4b_examples", 4),
        ("ips_1.1.0", 96),
        ("mcode_4.0.0", 139),
        ("mcode_extraction_fixtures", 87),
        ("synthea_r4_bundles_breast", 584),
        ("us_core_3.1.1", 88),
        ("us_core_6.1.0", 185),
    ],
)
def test_every_published_collection_is_survived_and_counted(
    import_from: Any, shared_data: Path, folder: str, read: int
):
    source = shared_data / "fhir" / folder
    done = import_from(source)
    assert done.report.read == read == sum(count_resources(source))
    assert done.report.used > 0 or not done.report.patients


def test_r5_examples_are_read_as_r5(import_from: Any, shared_data: Path):
    report = import_from(shared_data / "fhir" / "hl7_r5_examples").report
    assert report.read == sum(count_resources(shared_data / "fhir" / "hl7_r5_examples"))
    assert report.versions.get("R5", 0) > 0


def test_tumour_sizes_of_the_mcode_examples_are_found(import_from: Any, shared_data: Path):
    report = import_from(shared_data / "fhir" / "mcode_4.0.0").report
    assert report.values["target_lesion_diameter"] == 2  # 21889-1 with 33728-7, twice in that folder


@pytest.mark.parametrize("folder", ["hl7_r4_examples", "mcode_extraction_fixtures", "us_core_6.1.0"])
def test_shape_validation_gives_the_states_of_full_validation(
    import_from: Any, shared_data: Path, folder: str
):
    source = shared_data / "fhir" / folder
    full, shape = (import_from(source, validation=level) for level in ("full", "shape"))
    assert full.report.not_used_by_type == shape.report.not_used_by_type
    if full.report.patients:
        assert full.cohort.digest == shape.cohort.digest


def code_of(resource: dict[str, Any]) -> str:
    return resource["code"]["coding"][0]["code"]


def count_resources(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            yield count_in(json.loads(path.read_bytes()))
        elif path.suffix == ".ndjson" and path.name != "log.ndjson":
            yield sum(count_in(json.loads(line)) for line in path.read_text().splitlines() if line.strip())


def count_in(document: Any) -> int:
    if document.get("resourceType") != "Bundle":
        return 1
    return sum(count_in(entry["resource"]) for entry in document.get("entry", []) if "resource" in entry)
