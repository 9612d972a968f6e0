"""The code tables, and the registries of quantities and concepts that they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ucumvert import PintUcumRegistry

from fhir_io.mapping.check_digits import loinc_is_sound, snomed_is_sound
from fhir_io.mapping.code_tables import KINDS, CodeTableError, Tables
from fhir_io.mapping.codes import LOINC, asked, certainty, concept_row
from fhir_io.mapping.ucum import without_annotations
from fhir_io.mapping.units import unit_conversion
from fhir_io.reasons import Reason
from vht.concepts import CONCEPTS, of_class
from vht.quantities import QUANTITIES

TABLES = Tables.load()
SNOMED = "http://snomed.info/sct"
FOLDERS = {
    "synthea": ("synthea_r4_bundles", "synthea_r4_bundles_breast", "bulk_ndjson_export25"),
    "hl7": ("hl7_r4_examples",),
    "uscore": ("us_core_3.1.1", "us_core_6.1.0"),
    "ips": ("ips_1.1.0",),
    "mcode": ("mcode_4.0.0",),
    "mcode_profile": ("mcode_4.0.0", "mcode_extraction_fixtures"),
    "fixtures": ("mcode_extraction_fixtures",),
}
"""Where the codes lie whose source is one of the sample folders."""


def coded(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in pairs]}


def rows() -> Iterator[tuple[str, str, str]]:
    """(system, code, source) of every row that names one code."""
    for (system, code), quantity in TABLES.quantities.items():
        yield system, code, quantity.source
    for kind in KINDS:
        for row in TABLES.codes[kind].values():
            yield row.system, row.code or "", row.source
    for (system, code), by in TABLES.asked_by.items():
        yield system, code, by.source
    for question in TABLES.questions.values():
        for (system, code), answer in question.coded.items():
            yield system, code, answer.source


def test_every_canonical_unit_is_ucum():
    registry = PintUcumRegistry()
    for quantity in QUANTITIES.values():
        if quantity.unit != "[pH]":  # UCUM, but not known to pint; no other unit of pH is converted
            registry.from_ucum(without_annotations(quantity.unit))


def test_the_expected_unit_of_every_code_converts_and_every_spelling_means_a_unit():
    registry = PintUcumRegistry()
    for row in TABLES.quantities.values():
        found = unit_conversion({"code": row.unit, "system": "http://unitsofmeasure.org"}, row, TABLES)
        assert not isinstance(found, Reason), row
    for spelling, unit in TABLES.spellings.items():
        assert spelling == spelling.lower()
        assert unit == "[pH]" or registry.from_ucum(without_annotations(unit)) is not None


def test_every_row_has_a_source_that_the_tables_explain():
    assert {source for _, _, source in rows()} <= set(TABLES.sources)


def test_codes_that_are_said_to_be_in_the_samples_are_there(shared_data: Path):
    seen: dict[str, set[tuple[str, str]]] = {}
    for key, folders in FOLDERS.items():
        seen[key] = set()
        for path in (p for f in folders for p in (shared_data / "fhir" / f).rglob("*")):
            lines = [path.read_bytes()] if path.suffix == ".json" else []
            lines += path.read_bytes().splitlines() if path.suffix == ".ndjson" else []
            for line in lines:
                try:
                    seen[key] |= set(codings_in(json.loads(line)))
                except json.JSONDecodeError:
                    continue
    missing = [row for row in rows() if row[2] in seen and row[:2] not in seen[row[2]]]
    assert missing == []
    assert sum(source in seen for _, _, source in rows()) > 200


def codings_in(node: Any) -> Iterator[tuple[str, str]]:
    """(short name of the system, code) of everything that looks like a Coding."""
    if isinstance(node, dict):
        system, code = node.get("system"), node.get("code")
        if isinstance(system, str) and isinstance(code, str):
            yield TABLES.system(system), code
        for item in node.values():
            yield from codings_in(item)
    elif isinstance(node, list):
        for item in node:
            yield from codings_in(item)


def test_every_quantity_with_codes_has_one_that_is_preferred():
    coded_names = {row.quantity for row in TABLES.quantities.values()}
    preferred = [row.quantity for row in TABLES.quantities.values() if row.preferred]
    assert sorted(preferred) == sorted(name for name in coded_names if name)
    assert set(QUANTITIES) - coded_names == {"sum_of_longest_diameters", "tumour_volume"}  # derived, modelled
    assert TABLES.preferred_code("systolic_blood_pressure").code == "8480-6"  # type: ignore[union-attr]
    assert TABLES.preferred_code("tumour_volume") is None


def test_every_concept_can_be_reached():
    reached = {c for kind in KINDS for r in TABLES.codes[kind].values() for c in r.concepts}
    reached |= {c for kind in KINDS for r in TABLES.prefixes[kind].values() for c in r.concepts}
    for question in TABLES.questions.values():
        reached |= {c for answer in question.coded.values() for c in (*answer.present, *answer.absent)}
    assert reached == set(CONCEPTS)


def test_a_concept_stands_in_the_table_of_its_kind():
    for kind in KINDS:
        for row in (*TABLES.codes[kind].values(), *TABLES.prefixes[kind].values()):
            assert all(CONCEPTS[name].kind == kind for name in row.concepts)


def test_every_drug_has_a_class_and_the_first_five_signs_of_its_atc_code_are_that_class():
    for concept in CONCEPTS.values():
        if concept.kind == "medication":
            assert concept.drug_class is not None
            assert CONCEPTS[concept.drug_class].drug_class == concept.drug_class
    exceptions = {"N02BA01", "L01XE04"}  # aspirin as an analgesic; sunitinib's code before 2021
    for (system, code), row in TABLES.codes["medication"].items():
        if system == "atc" and code not in exceptions:
            drug_class = CONCEPTS[row.concepts[0]].drug_class
            assert TABLES.prefixes["medication"]["atc", code[:5]].concept == drug_class, code
    assert of_class("ace_inhibitor") == ("ace_inhibitor", "lisinopril", "captopril")


def test_a_code_of_another_kind_is_not_taken():
    amlodipine = coded((TABLES.uris["rxnorm"], "197361"))
    assert concept_row(amlodipine, "condition", TABLES) is Reason.UNKNOWN_CODE


def test_a_loinc_code_under_another_system_is_no_quantity():
    """Published Synthea bundles carry a LOINC code under the SNOMED system."""
    found = asked(coded((LOINC, "8480-6")), TABLES)
    assert not isinstance(found, Reason)
    assert found.quantity == "systolic_blood_pressure"
    assert asked(coded((SNOMED, "8480-6")), TABLES) is Reason.UNKNOWN_CODE


@pytest.mark.parametrize(
    ("system", "code", "concepts"),
    [
        ("http://hl7.org/fhir/sid/icd-10", "I50.1", ["heart_failure"]),
        ("http://hl7.org/fhir/sid/icd-10-cm", "I50.32", ["heart_failure"]),
        ("urn:oid:2.16.840.1.113883.6.90", "I5032", ["heart_failure"]),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "E14.90", ["diabetes_mellitus"]),
        ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", "F00.0*", ["alzheimer_disease"]),
        ("http://hl7.org/fhir/sid/icd-9-cm/diagnosis", "401.9", ["hypertension"]),
        ("http://hl7.org/fhir/sid/icd-10-cm", "I11.0", ["hypertension", "heart_failure"]),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E08.1", ["diabetes_mellitus"]),
        ("http://hl7.org/fhir/sid/icd-10", "I25.1", ["coronary_heart_disease"]),
    ],
)
def test_icd_codes_belong_to_what_their_beginning_says(system: str, code: str, concepts: list[str]):
    found = concept_row(coded((system, code)), "condition", TABLES)
    assert not isinstance(found, Reason)
    assert list(found.concepts) == concepts


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (
            "http://hl7.org/fhir/sid/icd-10",
            "I25.2",
        ),  # old infarction, within chronic heart disease
        ("http://hl7.org/fhir/sid/icd-10-cm", "Z85.3"),  # personal history of breast cancer
        ("http://hl7.org/fhir/sid/icd-10-cm", "Z80.3"),  # family history of breast cancer
        ("http://hl7.org/fhir/sid/icd-9-cm", "412"),
        (SNOMED, "162573006"),  # suspected lung cancer
    ],
)
def test_the_past_relatives_and_suspicions_are_situations(system: str, code: str):
    found = concept_row(coded((system, code)), "condition", TABLES)
    assert not isinstance(found, Reason)
    assert found.situation is not None


def test_in_situ_is_not_cancer():
    for system, code in (("http://hl7.org/fhir/sid/icd-10", "D05.1"), (SNOMED, "92691004")):
        assert concept_row(coded((system, code)), "condition", TABLES) is Reason.UNKNOWN_CODE


def test_codings_may_agree_and_may_not_contradict():
    both = coded((SNOMED, "38341003"), ("http://hl7.org/fhir/sid/icd-10-cm", "I10"))
    found = concept_row(both, "condition", TABLES)
    assert not isinstance(found, Reason)
    assert found.concept == "hypertension"
    history = coded((SNOMED, "22298006"), ("http://hl7.org/fhir/sid/icd-10-cm", "I25.2"))
    assert concept_row(history, "condition", TABLES) is Reason.AMBIGUOUS_CODE


def test_a_class_beside_its_ingredient_is_no_contradiction():
    rxnorm, atc = TABLES.uris["rxnorm"], TABLES.uris["atc"]
    both = concept_row(coded((rxnorm, "259255"), (atc, "C10AA")), "medication", TABLES)
    assert not isinstance(both, Reason)
    assert both.concept == "atorvastatin"
    other = concept_row(coded((rxnorm, "259255"), (atc, "C09AA")), "medication", TABLES)
    assert other is Reason.AMBIGUOUS_CODE
    rosuvastatin = concept_row(coded((atc, "C10AA07")), "medication", TABLES)
    assert not isinstance(rosuvastatin, Reason)
    assert rosuvastatin.concept == "statin"


def test_the_german_mark_of_certainty_is_found():
    url = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
    assert certainty({"coding": [{"extension": [{"url": url, "valueCoding": {"code": "V"}}]}]}) == "V"
    assert certainty({"coding": [{"extension": [{"url": url, "valueCode": "A"}]}]}) == "A"
    assert certainty({"coding": [{"extension": "no list"}, None]}) is None


@pytest.mark.parametrize("code", ["8480-6", "33914-3", "98979-8", "LA9622-7"])
def test_loinc_codes_have_a_check_digit(code: str):
    assert loinc_is_sound(code)
    assert code.startswith("LA") or not loinc_is_sound(code[:-1] + str((int(code[-1]) + 1) % 10))


@pytest.mark.parametrize("code", ["38341003", "428041000124106", "368581000119106"])
def test_snomed_codes_have_a_check_digit_that_finds_swapped_neighbours(code: str):
    """Verhoeff's scheme finds every wrong digit and every swap of two different neighbours."""
    assert snomed_is_sound(code)
    for at in range(1, len(code) - 1):
        swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
        assert snomed_is_sound(swapped) is (swapped == code)


# -- a site's own table


HEAD = 'schema: vht-codes/1\nversion: "7"\n'


def site(tmp_path: Path, text: str) -> Tables:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return Tables.load(path)


def test_a_site_adds_local_codes_and_overrides_ours(tmp_path: Path):
    tables = site(
        tmp_path,
        """
systems: [{name: lab, uri: "https://lab.example.org/codes"}]
quantities:
  - {system: lab, code: "0069", quantity: creatinine, unit: umol/L, assume_unit: true, source: our lab}
  - {system: loinc, code: 8867-4, ignore: true, source: our monitors send nonsense}
conditions:
  - {system: icd-10-gm, prefix: I48, concept: atrial_fibrillation, source: our coding rule}
answers:
  - question: smoking_status
    asked_by: [{system: lab, code: SMOKE, source: our form}]
    answers: [{boolean: true, present: [current_smoker], source: our form}]
spellings: [{spelling: mcgr/dl, unit: ug/dL, source: our lab}]
""",
    )
    found = asked(coded(("https://lab.example.org/codes", "0069")), tables)
    assert not isinstance(found, Reason)
    assert found.quantity == "creatinine"
    assert found.row is not None
    assert unit_conversion({}, found.row, tables)[0](113.12) == pytest.approx(1.28, abs=0.001)  # type: ignore[index]
    assert asked(coded((LOINC, "8867-4")), tables) is Reason.UNKNOWN_CODE
    assert tables.concept_row("condition", "icd-10-gm", "I48.9").concept == "atrial_fibrillation"  # type: ignore[union-attr]
    assert tables.questions["lab", "SMOKE"].booleans[True].present == ("current_smoker",)
    assert tables.questions["loinc", "72166-2"].coded == tables.questions["lab", "SMOKE"].coded
    assert tables.spellings["mcgr/dl"] == "ug/dL"
    assert tables.versions[-1] == "site.yaml: 7"
    assert tables.digest != TABLES.digest == Tables.load().digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quantities: [{system: loinc, code: 8867-4, quantity: hart_rate, unit: /min, source: x}]",
         ["'quantities', row 1, 'quantity'", "did you mean 'heart_rate'?"]),
        ("quantities: [{system: loinc, code: 8867-4, quantitty: heart_rate, unit: /min, source: x}]",
         ["'quantities', row 1, 'quantitty'", "did you mean 'quantity'?"]),
        ("quantities: [{system: loink, code: 8867-4, quantity: heart_rate, unit: /min, source: x}]",
         ["unknown code system 'loink'; did you mean 'loinc'?"]),
        ("quantities: [{system: loinc, code: 8867-5, quantity: heart_rate, unit: /min, source: x}]",
         ["row 1, 'code'", "check digit of '8867-5'"]),
        ("quantities: [{system: loinc, code: 8867-4, quantity: heart_rate, unit: /min}]",
         ["'quantities', row 1, 'source'", "Field required"]),
        ("conditions: [{system: snomed, prefix: '38', concept: hypertension, source: x}]",
         ["'conditions', row 1", "give 'code'"]),
        ("conditions: [{system: icd-10, code: I10, prefix: I11, concept: hypertension, source: x}]",
         ["'conditions', row 1", "give one of 'code', 'prefix' and 'range'"]),
        ("conditions: [{system: icd-10, range: I10 to I15, concept: hypertension, source: x}]",
         ["such as I20-I25"]),
        ("conditions: [{system: icd-10, code: I10, concept: hypertensive, source: x}]",
         ["did you mean 'hypertension'?"]),
        ("conditions: [{system: icd-10, code: I10, source: x}]", ["give one of 'concept', 'situation'"]),
        ("procedures:\n  - {system: snomed, code: '73761001', concept: colonoscopy, source: x}\n"
         "  - {system: snomed, code: '73761001', concept: mammography, source: x}",
         ["'procedures', row 2", "stands here twice"]),
        ("version: '8'", ["line 3", "'version' is given twice"]),
        ("quantities: {", ["line"]),
        ("quantitys: []", ["did you mean 'quantities'?"]),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_file_row_field_and_remedy(tmp_path: Path, text: str, words: list[str]):
    with pytest.raises(CodeTableError) as caught:
        site(tmp_path, text)
    message = str(caught.value)
    assert message.startswith("site.yaml")
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("content", [b"", b"- a list", b"\xff\xfe\x00", b"[" * 5000])
def test_what_is_no_table_at_all_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(CodeTableError, match=r"site\.yaml"):
        Tables.load(path)
    with pytest.raises(CodeTableError, match="cannot be read"):
        Tables.load(tmp_path / "nowhere.yaml")
