"""What an export reads: its published schema, the folder of a run, and what it says of anything else."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fhir_io.export import ExportError
from fhir_io.export.run_folder import results_schema
from fhir_io.export.schema import json_schema
from fhir_io.export.units import _CANONICAL, is_ucum
from tests.fhir_io.export_fixtures import EXAMPLE, FIRST, ROOT, SECOND, every, example, export, of_type, tags
from vht.files import sha256_file
from vht.state import Observation, PatientState
from vht.store import Store

Json = dict[str, Any]
SECRET = "Hildegard"
DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("name", "schema"), [("vht-predictions-1", json_schema()), ("vht-results-1", results_schema())]
)
def test_the_published_schemas_are_those_of_the_code(name: str, schema: Json) -> None:
    """After a change: ``python -m fhir_io.export docs/schemas`` writes them again."""
    assert json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_bytes()) == schema


def test_the_units_that_are_taken_for_granted_are_ucum() -> None:
    from ucumvert import get_ucum_parser

    for unit in _CANONICAL:
        get_ucum_parser().parse(unit)
    assert is_ucum("mmol/L")
    assert not is_ucum("mmHg")


# -- a results file


def _bad(content: Json, *place: Any, value: Any) -> Json:
    """The content with one field set, or removed where the value is ``...``."""
    inner: Any = content
    for step in place[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema",), "vht-predictions/2", "not of schema vht-predictions/1"),
        (("run",), ..., "run: Field required"),
        (("run", "seed"), "seven", "run.seed: Input should be a valid integer"),
        (("predictions", 0, "value"), "131", "predictions[0].value: must be a number"),
        (("predictions", 0, "value"), True, "predictions[0].value: must be a number"),
        (("predictions", 0, "value"), None, "predictions[0].value: must be a number"),
        (("predictions", 0, "day"), 1e6, "predictions[0].day: Input should be less than or equal to 99999"),
        (("predictions", 0, "quantity"), SECRET, "predictions[0].quantity: must be a name that `vht quant"),
        (("predictions", 0, "quantity"), [SECRET], "predictions[0].quantity: must be a name that `vht quant"),
        (("predictions", 0, "unit"), "mmHg", "predictions[0].unit: must be a UCUM unit"),
        (("predictions", 0, "unit"), "kg", "predictions[0]: the unit does not convert"),
        (("predictions", 0, "interval", "low"), 147, "predictions[0].interval: low exceeds high"),
        (("predictions", 0, "subject"), SECRET, "predictions[0].subject: String should match pattern"),
        (("predictions", 0, "subject"), "v1-" + "c" * 32, "predictions[0].subject is not among the subjects"),
        (("predictions", 1, "arm"), SECRET, "predictions[1].arm is not an arm of the trial"),
        (("predictions", 0, SECRET), 1, "predictions[0]: has a field that the schema does not know"),
        (("predictions",), {SECRET: 1}, "predictions: Input should be a valid tuple"),
        (("measurements", 0, "day"), None, "measurements[0]: only an imputed value has no day"),
        (("risks", 0, "probability"), 12, "risks[0].probability: Input should be less than or equal to 1"),
        (("risks", 0, "interval", "high"), 2, "risks[0]: the interval of a probability lies between 0 and 1"),
        (("waveforms", 0, "values"), [1], "waveforms[0].values: Tuple should have at least 2 items"),
        (("waveforms", 0, "step_ms"), 0, "waveforms[0].step_ms: Input should be greater than 0"),
        (("trial", "title"), "two\nlines", "trial.title: must be one line of printable text"),
        (("trial", "arms", 1, "name"), "as-before", "trial: arms have names of their own"),
        (("trial", "reference_arm"), "none", "trial: arms have names of their own"),
        (("trial", "estimates", 0, "arm"), SECRET, "trial.estimates[0] speaks of an arm"),
        (("subjects", 1, "subject"), FIRST, "subjects: a pseudonym is listed twice"),
        (("subjects", 0, "age_years"), 91, "subjects[0].age_years: Input should be less than or equal to 90"),
        (("label",), SECRET, "label: Input should be 'real-derived' or 'simulated'"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(
    tmp_path: Path, place: tuple[Any, ...], value: Any, said: str
) -> None:
    with pytest.raises(ExportError) as caught:
        export(_bad(example(), *place, value=value), tmp_path / "out.json")
    message = str(caught.value)
    assert said in message
    assert SECRET not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON at byte 0"),
        (b'{"schema": "vht-predictions/1", "label": "Hildegard', "not JSON at byte 41"),
        (b'{"schema": NaN}', "NaN"),
        (b'{"label": 1, "label": 2}', "a key twice"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b'{"a": "\xff"}', "not JSON that can be read"),
        (b"[1, 2]", "not of schema"),
        (b'{"schema": "vht-results/1"}', "not of schema"),
    ],
)
def test_a_file_that_is_no_results_file_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "in.json").write_bytes(text)
    with pytest.raises(ExportError, match=said) as caught:
        export(tmp_path / "in.json", tmp_path / "out.json")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_number_beyond_floats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(EXAMPLE.read_text().replace("131.50", "1e400"))
    with pytest.raises(ExportError, match=r"predictions\[0\].value: must be a finite number"):
        export(tmp_path / "in.json", tmp_path / "out.json")


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing to export there"):
        export(tmp_path, tmp_path / "out.json")


# -- the folder of a run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder of two patients in two arms, written by hand after the published schemas."""
    folder = tmp_path / "run"
    states = [
        PatientState(
            pseudonym=name,
            study_number=number,
            sex="female",
            age_years=60 + number,
            observations=(
                Observation(quantity="systolic_blood_pressure", value=140 + number, day=-30),
                Observation(quantity="systolic_blood_pressure", value=150.25 + number, day=-3.5),
            ),
        )
        for number, name in enumerate((FIRST, SECOND))
    ]
    Store(folder / "inputs" / "states").append(states)
    (folder / "inputs" / "protocol.yaml").write_text(
        "title: A trial\narms:\n  - {name: a, label: First arm}\n  - {name: b_2}\n"
        "population: {eligibility: {age: {minimum: 18 a}, excluded_conditions: [diabetes_mellitus]}}\n"
    )
    _parquet(
        folder,
        "baseline",
        {
            "pseudonym": [FIRST, SECOND],
            "study_number": [0, 1],
            "sex": ["female", "female"],
            "age_years": [60.0, float("nan")],
            "systolic_blood_pressure": [150.25, 151.25],
            "systolic_blood_pressure_origin": ["recorded", "recorded"],
            "heart_rate": [71.5, 72.5],
            "heart_rate_origin": ["imputed", "imputed"],
        },
    )
    _parquet(
        folder,
        "disposition",
        {
            "arm": ["a", "a", "b_2", "b_2"],
            "pseudonym": [FIRST, SECOND] * 2,
            "status": ["completed", "withdrawn", "failed", "completed"],
        },
    )
    _parquet(
        folder,
        "measurements",
        {
            "arm": ["a", "a", "b_2"],
            "pseudonym": [FIRST, FIRST, SECOND],
            "quantity": ["systolic_blood_pressure"] * 3,
            "day": [0.0, 7.0, 7.0],
            "true": [150.1, 0.1 + 0.2, float("nan")],
            "observed": [151.0, float("nan"), 140.0],
            "is_visit": [True, False, True],
        },
    )
    estimate = {"value": 0.5, "lower": 0.25, "upper": None, "n": 2, "standard_error": None}
    results = {
        "schema": "vht-results/1",
        "confidence_level": 0.95,
        "reference_arm": "a",
        "arms": ["a", "b_2"],
        "disposition": {"a": {"started": 2}, "b_2": {"started": 2}},
        "endpoints": {
            "ever": {
                "label": "Ever at or above 140/90 mmHg",
                "kind": "ever_at_or_above",
                "unit": "1",
                "arms": {"a": {"true": {"count": 1, "share": estimate}, "missing": {}}},
                "contrasts": {
                    "b_2": {
                        "true": {
                            "measure": "difference of shares",
                            "paired": estimate,
                            "population": {**estimate, "value": None},
                        }
                    }
                },
            }
        },
    }
    (folder / "results.json").write_text(json.dumps(results))
    _manifest(folder)
    return folder


def _parquet(folder: Path, name: str, columns: dict[str, list[Any]]) -> None:
    path = folder / "outcomes" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_parquet(path)


def _manifest(folder: Path) -> None:
    files = {p.relative_to(folder).as_posix(): sha256_file(p) for p in folder.rglob("*") if p.is_file()}
    manifest = {
        "schema": "vht-run/1",
        "protocol": {"name": "a_trial", "digest": DIGEST},
        "provenance": {
            "software": {"version": "0.1.0", "source_digest": "1" * 64, "git_commit": None},
            "models": [{"name": "closed_loop_circulation", "version": "1.0", "title": "x"}],
            "data": {"states_digest": "2" * 64, "protocol_digest": "3" * 64, "patients": 2},
            "seed": 7,
        },
        "files": files,
        "digest": "4" * 64,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_run_becomes_inputs_twins_predictions_and_a_study(run: Path, tmp_path: Path) -> None:
    made = export(run, tmp_path / "out.json", authorised="Test")
    urls = {f"urn:uuid:{r['id']}": r for r in made}
    assert len(of_type(made, "Patient")) == 6  # two people, and each in two arms
    predicted = [o for o in of_type(made, "Observation") if "simulated" in tags(o)]
    values = [(o["valueQuantity"]["value"], every(o["extension"], "valueDecimal")[0]) for o in predicted]
    # the arm without a value is left out; 0.1 + 0.2 keeps all digits of the float
    assert values == [(Decimal("150.1"), 0), (Decimal("0.30000000000000004"), 7)]
    assert every(predicted[0]["component"], "value") == [Decimal("151.0")]
    assert "component" not in predicted[1]
    for one in predicted:
        assert len(one["derivedFrom"]) == 2
        assert "simulated" in tags(urls[one["subject"]["reference"]])
    recorded = [o for o in of_type(made, "Observation") if not tags(o)]
    # the last recorded pressure of each, with its day; the imputed heart rates have a tag and no day
    assert sorted(
        (o["valueQuantity"]["value"], every(o["extension"], "valueDecimal")[0]) for o in recorded
    ) == [
        (Decimal("150.25"), Decimal("-3.5")),
        (Decimal("151.25"), Decimal("-3.5")),
    ]
    imputed = [o for o in of_type(made, "Observation") if tags(o) == {"imputed"}]
    assert [o.get("extension") for o in imputed] == [None, None]
    (study,) = of_type(made, "ResearchStudy")
    assert study["title"] == "A trial"
    assert [a["description"] for a in study["arm"]] == ["First arm", "b_2"]
    (who,) = of_type(made, "EvidenceVariable")
    assert [c["definitionCodeableConcept"]["text"] for c in who["characteristic"]] == [
        "age: minimum: 18 a",
        "conditions: diabetes mellitus",
    ]
    (device,) = of_type(made, "Device")
    assert device["identifier"][0]["value"] == "1" * 64
    (provenance,) = of_type(made, "Provenance")
    digests = [e["what"]["identifier"]["value"] for e in provenance["entity"]]
    assert digests == ["2" * 64, "3" * 64, sha256_file(run / "results.json"), "a_trial", "4" * 64]


def test_estimates_of_a_run_become_evidence(run: Path, tmp_path: Path) -> None:
    found = of_type(export(run, tmp_path / "r5.json", authorised="Test", fhir_version="R5"), "Evidence")
    assert [(e["title"], e["description"].split(";")[0]) for e in found] == [
        ("Ever at or above 140/90 mmHg: a", "share, noise-free"),
        (
            "Ever at or above 140/90 mmHg: b_2 against a",
            "difference of shares, noise-free, the same patients in both arms",
        ),
    ]


@pytest.mark.parametrize(
    "name",
    ["results.json", "inputs/protocol.yaml", "outcomes/measurements.parquet", "outcomes/baseline.parquet"],
)
def test_a_file_of_a_run_that_was_altered_or_is_missing_is_named(
    run: Path, tmp_path: Path, name: str
) -> None:
    path = run / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ExportError, match=f"{name} was altered since the run"):
        export(run, tmp_path / "out.json", authorised="Test")
    path.unlink()
    with pytest.raises(ExportError, match=f"{name} is missing"):
        export(run, tmp_path / "out.json", authorised="Test")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(schema="vht-results/2"), "results.json: schema: Input should be 'vht-results/1'"),
        (lambda r: r.update(confidence_level=SECRET), "results.json: confidence_level: must be a number"),
        (lambda r: r["endpoints"]["ever"].pop("label"), "results.json: endpoints.ever.label: Field required"),
        (
            lambda r: r["endpoints"]["ever"]["arms"]["a"]["true"]["share"].update(n=-1),
            "results.json: endpoints.ever: n: Input should be greater than or equal to 0",
        ),
    ],
)
def test_results_that_do_not_fit_their_schema_are_named_by_field(
    run: Path, tmp_path: Path, change: Any, said: str
) -> None:
    results = json.loads((run / "results.json").read_bytes())
    change(results)
    (run / "results.json").write_text(json.dumps(results))
    (run / "manifest.json").unlink()
    _manifest(run)
    with pytest.raises(ExportError) as caught:
        export(run, tmp_path / "out.json", authorised="Test")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_table_that_lacks_a_column_is_named(run: Path, tmp_path: Path) -> None:
    _parquet(run, "disposition", {"arm": ["a"], "pseudonym": [FIRST]})
    (run / "manifest.json").unlink()
    _manifest(run)
    with pytest.raises(ExportError, match=r"outcomes/disposition.parquet lacks the columns status"):
        export(run, tmp_path / "out.json", authorised="Test")


def test_a_run_is_real_derived(run: Path, tmp_path: Path) -> None:
    """A virtual twin is built from one person: it is treated as that person."""
    with pytest.raises(ExportError, match="may not leave without an authorisation"):
        export(run, tmp_path / "out.json")
