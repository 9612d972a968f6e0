"""Every published file is imported; its counts by reason are committed, and reached by a second count."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fhir_io import ImportReport
from tests.fhir_io.corpus import counter
from tests.fhir_io.corpus.record import COUNTS, counted, folders

COMMITTED: dict[str, Any] = json.loads(COUNTS.read_text(encoding="utf-8"))
CLEAN = ("synthea_r4_bundles", "synthea_r4_bundles_breast", "bulk_ndjson_export25")
"""Valid, dated, of patients in the set: there the second count accounts for every resource."""


@pytest.fixture(scope="module")
def reports() -> dict[str, ImportReport]:
    """Reports of this module, so that each folder is imported once."""
    return {}


@pytest.fixture(params=sorted(COMMITTED))
def folder(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return shared_data / "fhir" / str(request.param)


@pytest.fixture
def report(folder: Path, reports: dict[str, ImportReport], import_from: Any) -> ImportReport:
    if folder.name not in reports:
        reports[folder.name] = import_from(folder).report
    return reports[folder.name]


def by_type_and_reason(report: ImportReport) -> Counter[tuple[str, str]]:
    found = Counter({(kind, reason.code): n for (kind, reason), n in report.not_used_by_type.items()})
    found.update({(kind, "used"): n for kind, n in report.used_by_type.items()})
    return found


def test_no_folder_and_no_file_is_left_out(shared_data: Path):
    assert [folder.name for folder in folders(shared_data)] == sorted(COMMITTED)
    files = sum(counts["files"] + counts["files_ignored"] for counts in COMMITTED.values())
    assert files == 1259  # data files by the README of the shared data


def test_the_counts_of_a_folder_are_the_committed_ones(folder: Path, report: ImportReport):
    assert counted(report) == COMMITTED[folder.name]


def test_a_second_count_reads_as_many_resources_of_each_type(folder: Path, report: ImportReport):
    expected = Counter(resource["resourceType"] for _, resource in counter.resources(folder))
    found: Counter[str] = Counter()
    for (kind, _), n in by_type_and_reason(report).items():
        found[kind] += n
    # types that R4B does not have are called "other", since a made-up one could carry a name
    assert found.pop("other", 0) == sum(n for kind, n in expected.items() if kind not in found)
    assert found == {kind: n for kind, n in expected.items() if kind in found}


def test_a_second_count_reaches_what_its_type_or_status_keeps_out(folder: Path, report: ImportReport):
    found = by_type_and_reason(report)
    expected: Counter[tuple[str, str]] = Counter()
    for _, resource in counter.resources(folder):
        kind = resource["resourceType"]
        reason = counter.status_reason(resource) if kind in counter.NEEDED else "type_not_needed"
        expected[kind, reason or ""] += 1
    for key, n in found.items():
        if key[1] in counter.STATUS_REASONS:
            assert n == expected.pop(key)
        elif key[1] == "type_not_needed" and key[0] not in ("other", "Medication"):
            assert n == expected.pop(key)  # a Medication that nobody takes is not needed either
    left = {kind for kind, reason in expected if reason}
    assert sum(expected[kind, "type_not_needed"] for kind in left) == found["other", "type_not_needed"]
    assert not {reason for _, reason in expected} & counter.STATUS_REASONS


def test_a_second_count_reaches_what_its_code_keeps_out(folder: Path, report: ImportReport):
    medications = counter.medications_of(folder)
    expected: Counter[tuple[str, str]] = Counter()
    for _, resource in counter.resources(folder):
        kind = resource["resourceType"]
        if kind in counter.NEEDED - {"Patient"} and not counter.status_reason(resource):
            reason = counter.code_reason(resource, medications)
            expected.update([(kind, reason)] if reason else [])
    found = by_type_and_reason(report)
    assert {key: n for key, n in found.items() if key[1] in ("unknown_code", "situation")} == expected


def test_a_second_count_reaches_what_names_no_patient(folder: Path, report: ImportReport):
    """Conditions, for an Observation may lack a value or a date as well."""
    expected = 0
    for _, resource in counter.resources(folder):
        if resource["resourceType"] == "Condition" and not counter.names_a_subject(resource):
            expected += not (counter.status_reason(resource) or counter.code_reason(resource, {}))
    assert by_type_and_reason(report)["Condition", "no_subject"] == expected


@pytest.mark.parametrize("name", CLEAN)
def test_a_second_count_accounts_for_every_resource_of_a_clean_set(
    shared_data: Path, import_from: Any, name: str
):
    report = import_from(shared_data / "fhir" / name).report
    assert by_type_and_reason(report) == counter.account(shared_data / "fhir" / name)
