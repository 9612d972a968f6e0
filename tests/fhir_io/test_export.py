"""What results become in FHIR, who may get them, and what never leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_io import vocabulary as v
from fhir_io.export import ExportError, Leaving, ReleaseRefused, authorised_only, export_results
from tests.conftest import Command
from tests.fhir_io.export_fixtures import (
    EXAMPLE,
    FIRST,
    ROOT,
    SECOND,
    entries,
    every,
    example,
    export,
    of_type,
    tags,
)

Json = dict[str, Any]


@pytest.fixture
def exported(tmp_path: Path) -> list[Json]:
    return export(EXAMPLE, tmp_path / "out.json")


def with_code(resources: list[Json], code: str, category: str) -> Json:
    """The only Observation with a code in a category of ours."""
    found = [
        r
        for r in of_type(resources, "Observation")
        if code in every(r["code"], "code") and category in every(r["category"], "code")
    ]
    assert len(found) == 1
    return found[0]


# -- predictions


def test_a_prediction_says_in_four_ways_that_it_is_none_of_a_measurement(exported: list[Json]) -> None:
    """Status, tag, security label and category; section 8.2 of the reference asks for the first three."""
    made = with_code(exported, "8480-6", "prediction")
    assert made["status"] == "preliminary"
    assert {"system": v.ORIGIN, "code": "simulated"} in made["meta"]["tag"]
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    assert made["meta"]["security"] == [label]
    assert "vital-signs" not in every(exported, "code")
    assert made["method"] == {"text": "closed_loop_circulation 1.0"}


def test_a_prediction_points_at_the_program_and_at_the_values_it_started_from(exported: list[Json]) -> None:
    made = with_code(exported, "8480-6", "prediction")
    urls = dict(zip(_urls(exported), exported, strict=True))
    assert urls[made["device"]["reference"]]["resourceType"] == "Device"
    inputs = [urls[r["reference"]] for r in made["derivedFrom"]]
    assert [i["valueQuantity"]["value"] for i in inputs] == [148, Decimal("6.30")]
    assert not any(tags(i) for i in inputs)


def test_an_interval_is_two_components_with_its_level(exported: list[Json]) -> None:
    low, high = with_code(exported, "8480-6", "prediction")["component"]
    assert (every(low["code"], "code"), low["valueQuantity"]["value"]) == (["interval-low"], 118)
    assert (every(high["code"], "code"), high["valueQuantity"]["value"]) == (["interval-high"], 146)
    for bound in (low, high):
        assert bound["extension"] == [{"url": v.INTERVAL_LEVEL, "valueDecimal": Decimal("0.90")}]
        assert bound["valueQuantity"]["code"] == "mm[Hg]"


def test_digits_are_kept_as_they_were_written(tmp_path: Path) -> None:
    export(EXAMPLE, tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text()
    for written in (
        '"value":6.30,',
        '"value":131.50,',
        '"probabilityDecimal":0.120',
        '"valueDecimal":0.90',
        '"valueDecimal":-2.25',
    ):
        assert written in text
    assert '"data":"80.50 121 96.4 84"' in text


def test_a_waveform_is_sampled_data_in_its_own_unit(exported: list[Json]) -> None:
    sampled = with_code(exported, "systemic_arterial_pressure", "prediction")["valueSampledData"]
    assert sampled["period"] == 250
    assert sampled["dimensions"] == 1
    assert sampled["origin"] == {
        "value": 0,
        "unit": "mm[Hg]",
        "system": "http://unitsofmeasure.org",
        "code": "mm[Hg]",
    }


def test_sampled_data_have_no_exponents(tmp_path: Path) -> None:
    """SampledData.data of FHIR R4 has decimals without an exponent."""
    content = example()
    content["waveforms"][0]["values"] = [1e-7, 2.5e10, -0.001]
    made = with_code(export(content, tmp_path / "out.json"), "systemic_arterial_pressure", "prediction")
    assert made["valueSampledData"]["data"] == "0.0000001 25000000000.0 -0.001"


def test_a_risk_has_a_horizon_and_an_interval(exported: list[Json]) -> None:
    (risk,) = of_type(exported, "RiskAssessment")
    (forecast,) = risk["prediction"]
    assert forecast["probabilityDecimal"] == Decimal("0.120")
    assert forecast["whenRange"]["high"]["value"] == Decimal("3652.5")
    bounds = every(forecast, "valueRange")[0]
    assert (bounds["low"]["value"], bounds["high"]["value"]) == (Decimal("0.08"), Decimal("0.17"))
    assert every(forecast["outcome"], "code") == ["22298006"]
    assert "simulated" in tags(risk)
    assert len(risk["basis"]) == 2


# -- time


def test_days_are_relative_and_the_only_date_is_that_of_the_export(tmp_path: Path) -> None:
    resources = export(EXAMPLE, tmp_path / "out.json")
    observations = of_type(resources, "Observation")
    days = [
        e["valueDecimal"]
        for row in every(observations, "extension")
        for e in row
        if e["url"] == v.RELATIVE_DAY
    ]
    assert sorted(days) == [-7, Decimal("-2.25"), 0, 28, 28, 42, 42]  # of the example; the imputed has none
    dates = re.findall(r"\d{4}-\d{2}-\d{2}[^\"]*", (tmp_path / "out.json").read_text())
    assert [d for d in dates if re.match(r"(19|20)\d\d-", d)] == ["2026-11-24T12:30:00+00:00"]
    assert every(resources, "recorded") == ["2026-11-24T12:30:00+00:00"]


def test_ninety_stands_for_ninety_and_older(exported: list[Json]) -> None:
    ages = every(of_type(exported, "Patient"), "valueQuantity")
    assert {(a["value"], a.get("comparator")) for a in ages} == {(61, None), (90, ">=")}


# -- virtual twins and the trial


def test_a_twin_in_an_arm_is_a_patient_of_its_own_marked_as_simulated(exported: list[Json]) -> None:
    """So that a prediction of an arm cannot be filed under the person it was built from."""
    urls = dict(zip(_urls(exported), exported, strict=True))
    twins = [p for p in of_type(exported, "Patient") if "simulated" in tags(p)]
    people = [p for p in of_type(exported, "Patient") if "simulated" not in tags(p)]
    assert (len(twins), len(people)) == (2, 2)
    for twin in twins:
        source = urls[every(twin, "valueReference")[0]["reference"]]
        assert source in people
        assert source["identifier"] != twin["identifier"]
    tumours = [
        o for o in of_type(exported, "Observation") if "sum_of_longest_diameters" in every(o["code"], "code")
    ]
    predicted = {o["valueQuantity"]["value"]: urls[o["subject"]["reference"]] for o in tumours}
    assert predicted[Decimal("64.2")] in twins
    assert predicted[Decimal("90.1")] in twins
    assert predicted[Decimal("64.2")] != predicted[Decimal("90.1")]
    assert predicted[Decimal("81.0")] in people


def test_a_trial_has_its_arms_its_eligibility_and_its_subjects(exported: list[Json]) -> None:
    (study,) = of_type(exported, "ResearchStudy")
    assert [arm["name"] for arm in study["arm"]] == ["as_before", "less_salt"]
    assert [g["quantity"] for g in of_type(exported, "Group")] == [1, 1]
    (who,) = of_type(exported, "EvidenceVariable")
    assert [(c["definitionCodeableConcept"]["text"], c["exclude"]) for c in who["characteristic"]] == [
        ("age: minimum: 18 a", False),
        ("conditions: diabetes", True),
    ]
    subjects = of_type(exported, "ResearchSubject")
    assert {(s["assignedArm"], s["status"]) for s in subjects} == {
        ("as_before", "off-study"),
        ("less_salt", "withdrawn"),
    }


def test_estimates_are_evidence_in_r5_only(tmp_path: Path, exported: list[Json]) -> None:
    assert not of_type(exported, "Evidence")
    found = of_type(export(EXAMPLE, tmp_path / "r5.json", fhir_version="R5"), "Evidence")
    mean, contrast = (e["statistic"][0] for e in found)
    assert (mean["quantity"]["value"], mean["sampleSize"]["numberOfParticipants"]) == (Decimal("-5.20"), 200)
    (interval,) = mean["attributeEstimate"]
    assert interval["level"] == Decimal("0.95")
    assert interval["range"]["low"]["value"] == Decimal("-7.1")
    assert list(contrast["attributeEstimate"][0]["range"]) == [
        "low"
    ]  # a bound that was not reached is absent
    roles = [every(d["variableRole"], "code")[0] for d in found[1]["variableDefinition"]]
    assert roles == ["measuredVariable", "exposure", "referenceExposure"]


# -- provenance


def test_provenance_names_program_inputs_and_seed_and_targets_what_was_simulated(
    exported: list[Json],
) -> None:
    (made,) = of_type(exported, "Provenance")
    urls = dict(zip(_urls(exported), exported, strict=True))
    targets = [urls[t["reference"]] for t in made["target"]]
    assert len(targets) == len([r for r in exported if "simulated" in tags(r)])
    assert all("simulated" in tags(t) for t in targets)
    digests = {e["what"]["display"]: e["what"]["identifier"]["value"] for e in made["entity"]}
    given = {i["role"]: i["sha256"] for i in example()["run"]["inputs"]}
    assert given.items() <= digests.items()
    assert every(made, "valueString") == ["20261124"]
    (device,) = of_type(exported, "Device")
    assert urls[made["agent"][0]["who"]["reference"]] == device
    assert [x["value"] for x in device["version"]] == ["0.1.0", "1.0"]


# -- the whole


def test_every_reference_resolves_and_nothing_is_empty(tmp_path: Path) -> None:
    for version in ("R4", "R5"):
        for kind in ("collection", "transaction"):
            path = tmp_path / f"{version}-{kind}.json"
            resources = export(EXAMPLE, path, fhir_version=version, bundle=kind)
            bundle = json.loads(path.read_bytes())
            urls = [entry["fullUrl"] for entry in bundle["entry"]]
            assert len(set(urls)) == len(urls)
            references = every(resources, "reference")
            assert references
            assert set(references) <= set(urls)
            assert not list(_empty(bundle))


def test_a_transaction_posts_every_resource_and_leaves_ids_to_the_server(tmp_path: Path) -> None:
    export(EXAMPLE, tmp_path / "out.json", bundle="transaction")
    bundle = json.loads((tmp_path / "out.json").read_bytes())
    assert bundle["type"] == "transaction"
    for entry in bundle["entry"]:
        assert entry["request"] == {"method": "POST", "url": entry["resource"]["resourceType"]}
        assert "id" not in entry["resource"]


def test_a_folder_holds_one_file_a_type_with_references_by_id(tmp_path: Path) -> None:
    export_results(EXAMPLE, tmp_path / "out", recipient="x", named=lambda p: f"r1-{p[::-1]}")
    files = {
        p.name: [json.loads(line) for line in p.read_text().splitlines()]
        for p in (tmp_path / "out").iterdir()
    }
    known = {f"{r['resourceType']}/{r['id']}" for rows in files.values() for r in rows}
    assert all(
        r["resourceType"] == name.removesuffix(".ndjson") for name, rows in files.items() for r in rows
    )
    assert set(every(list(files.values()), "reference")) <= known
    with pytest.raises(ExportError, match="holds something"):
        export_results(EXAMPLE, tmp_path / "out", recipient="x", named=lambda p: p)


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    export(EXAMPLE, tmp_path / "one.json")
    export(EXAMPLE, tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


# -- recipients


def test_two_recipients_share_neither_names_nor_ids_nor_order(tmp_path: Path) -> None:
    content = example(measurements=[], predictions=[], waveforms=[], risks=[])
    content["trial"]["enrolments"] = []
    content["subjects"] = [
        {"subject": "v1-" + f"{letter}{other}" * 16, "sex": "female", "age_years": 20 + i * 5 + j}
        for i, letter in enumerate("abcdef")
        for j, other in enumerate("ghijk")
    ]
    ours = export(content, tmp_path / "ours.json", recipient="registry")
    theirs = export(content, tmp_path / "theirs.json", recipient="hospital")
    assert not {r["id"] for r in ours} & {r["id"] for r in theirs}
    identifiers = [every(of_type(r, "Patient"), "identifier") for r in (ours, theirs)]
    names = [{i[0]["value"] for i in one} for one in identifiers]
    assert len(names[0]) == len(names[1]) == 30
    assert not names[0] & names[1]
    ages = [[every(p, "valueQuantity")[0]["value"] for p in of_type(r, "Patient")] for r in (ours, theirs)]
    assert sorted(ages[0]) == sorted(ages[1])
    assert ages[0] != ages[1]  # 30 patients in the same order by chance: 1 in 30!


def test_no_pseudonym_of_the_project_leaves(tmp_path: Path) -> None:
    for version in ("R4", "R5"):
        export(EXAMPLE, tmp_path / "out.json", fhir_version=version)
        text = (tmp_path / "out.json").read_text()
        assert FIRST[3:] not in text
        assert SECOND[3:] not in text


# -- the gate


def test_results_of_people_need_an_authorisation_which_is_exported(tmp_path: Path) -> None:
    content = example(label="real-derived")
    with pytest.raises(ReleaseRefused, match="--authorised REASON") as refused:
        export(content, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
    assert FIRST not in str(refused.value)
    made = export(content, tmp_path / "out.json", authorised="Agreement 12 of 2026")
    assert of_type(made, "Provenance")[0]["reason"] == [{"text": "Agreement 12 of 2026"}]
    newer = export(content, tmp_path / "r5.json", authorised="Agreement 12 of 2026", fhir_version="R5")
    assert of_type(newer, "Provenance")[0]["authorization"] == [{"concept": {"text": "Agreement 12 of 2026"}}]


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 1001])
def test_an_authorisation_is_one_line_of_words(reason: str) -> None:
    with pytest.raises(ReleaseRefused, match="one line"):
        authorised_only(reason)


def test_a_gate_sees_every_row_and_comes_before_anything_is_written(tmp_path: Path) -> None:
    seen: list[Leaving] = []

    def gate(leaving: Leaving) -> None:
        seen.append(leaving)
        assert not (tmp_path / "out.json").exists()
        raise ReleaseRefused("not today")

    with pytest.raises(ReleaseRefused, match="not today"):
        export(EXAMPLE, tmp_path / "out.json", gate=gate)
    assert not (tmp_path / "out.json").exists()
    (shown,) = seen
    assert (shown.recipient, shown.label) == ("registry", "simulated")
    content = example()
    rows = {
        name: len(content[name]) for name in ("subjects", "measurements", "predictions", "waveforms", "risks")
    }
    rows |= {name: len(content["trial"][name]) for name in ("enrolments", "arms", "estimates")}
    assert {name: len(table) for name, table in shown.tables.items()} == rows
    assert shown.rows == sum(rows.values())


# -- the command


def test_the_command_exports_and_says_what(command: Command, tmp_path: Path) -> None:
    assert command("keys", "init", "--keys", tmp_path / "keys")[0] == 0
    words = ("export", EXAMPLE, "--recipient", "registry", "--keys", tmp_path / "keys")
    code, shown, _ = command(*words, "--out", tmp_path / "out.json")
    assert code == 0
    assert "4 Patient" in shown
    assert len(of_type(entries(tmp_path / "out.json"), "Patient")) == 4
    code, _, error = command(*words, "--out", tmp_path / "out.json", "--fhir", "R3")
    assert (code, "choose R4 or R5" in error) == (2, True)


def test_the_command_refuses_in_words(command: Command, tmp_path: Path) -> None:
    command("keys", "init", "--keys", tmp_path / "keys")
    (tmp_path / "real.json").write_text(json.dumps(example(label="real-derived")))
    code, _, error = command(
        *("export", tmp_path / "real.json", "--recipient", "r", "--keys", tmp_path / "keys"),
        *("--out", tmp_path / "out.json"),
    )
    assert (code, "--authorised REASON" in error) == (2, True)
    assert not (tmp_path / "out.json").exists()


def test_exporting_canonical_units_loads_no_jax() -> None:
    """The package alone: its parent's face, which imports the import as well, is passed over."""
    program = (
        "import json, sys, tempfile, types; from pathlib import Path; "
        "face = types.ModuleType('fhir_io'); face.__path__ = ['fhir_io']; sys.modules['fhir_io'] = face; "
        "from fhir_io.export import export_results; out = Path(tempfile.mkdtemp()) / 'out.json'; "
        f"content = json.loads(Path({str(EXAMPLE)!r}).read_bytes()); "
        "content['measurements'] = [m for m in content['measurements'] if m['unit'] != 'mmol/L']; "
        "source = out.with_name('in.json'); source.write_text(json.dumps(content)); "
        "export_results(source, out, recipient='x', named=lambda p: p[::-1]); "
        "assert out.stat().st_size > 1000; "
        "print(sorted(m for m in sys.modules if m in ('jax', 'mlflow', 'trials')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------------------------


def _urls(resources: list[Json]) -> list[str]:
    return [f"urn:uuid:{r['id']}" for r in resources]


def _empty(value: Any, place: str = "") -> Any:
    """Places of nulls, empty texts, arrays and objects, which FHIR does not allow."""
    if value is None or value in ("", [], {}):
        yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _empty(item, f"{place}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _empty(item, f"{place}[{number}]")
