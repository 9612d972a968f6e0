"""The report as a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_io import Reason, write_sample

IDENTIFYING = "12345678"


@pytest.fixture
def mixed(import_resources: Any, records: Any) -> Any:
    """Two used Observations, one of an unknown code, one entered in error; a Claim that nobody needs."""
    return import_resources(
        records.observation(),
        records.observation("8867-4", 70, "/min"),
        records.observation("99999-9"),
        records.observation("8867-4", 71, "/min", status="entered-in-error"),
        {"resourceType": "Claim", "id": "c"},
    ).report


def test_the_table_holds_every_resource_once(mixed: Any) -> None:
    """Counted by hand: one Patient, four Observations and one Claim were written."""
    table = mixed.table()
    assert table.loc["read"].to_dict() == {"Observation": 4, "Claim": 1, "Patient": 1, "all": 6}
    assert table.loc["used"].to_dict() == {"Observation": 2, "Claim": 0, "Patient": 1, "all": 3}
    assert table.loc["unknown_code", "Observation"] == 1
    assert table.loc["entered_in_error", "all"] == 1
    assert table.loc["type_not_needed"].to_dict() == {"Observation": 0, "Claim": 1, "Patient": 0, "all": 1}
    assert (table.iloc[1:].sum() == table.loc["read"]).all()
    assert all(Reason[row.upper()].code == row for row in table.index[2:])


def test_the_table_of_the_sample_agrees_with_the_files(import_from: Any, tmp_path: Path) -> None:
    """Counted in the files themselves, not through the importer."""
    write_sample(tmp_path / "fhir", patients=12, seed=3)
    expected: dict[str, int] = {}
    for path in (tmp_path / "fhir").glob("*.json"):
        for entry in json.loads(path.read_text()).get("entry", []):
            kind = entry["resource"]["resourceType"]
            expected[kind] = expected.get(kind, 0) + 1
    read = import_from(tmp_path / "fhir").report.table().loc["read"]
    assert read.drop("all").to_dict() == expected


def test_the_picture_shows_counts_types_and_reasons(mixed: Any) -> None:
    figure = mixed.plot()
    said = {text.get_text().strip() for axis in figure.axes for text in axis.texts}
    ticks = {tick.get_text() for axis in figure.axes for tick in axis.get_yticklabels()}
    assert "2 of 4" in said
    assert {"Observation", "Patient", "other types", "unknown code", "entered in error"} <= ticks
    assert figure.get_suptitle() == "Read 6 = used 3 + not used 3"
    bars = [bar for bar in figure.axes[0].patches if bar.get_width() == 0.5]
    assert len(bars) == 2  # half of the Observations, used and not used


def test_a_notebook_shows_the_table_and_nobody_in_it(mixed: Any) -> None:
    html = mixed._repr_html_()
    assert "Read 6 resources = used 3 + not used 3" in html
    assert "entered_in_error" in html
    assert IDENTIFYING not in html


def test_an_import_of_deletions_alone_has_nothing_to_draw(import_from: Any, tmp_path: Path) -> None:
    gone = {"request": {"method": "DELETE", "url": "Observation/x"}}
    path = tmp_path / "deleted.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [gone]}))
    report = import_from(path).report
    assert report.table().loc["read", "all"] == 0
    with pytest.raises(ValueError, match="nothing to plot"):
        report.plot()
