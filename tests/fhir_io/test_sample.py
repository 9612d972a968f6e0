"""The synthetic cohort: valid, untidy in declared shares, plausible, and the same every time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle

from fhir_io import Note, Reason, SampleError, write_sample
from fhir_io.sample_mess import MESS, lesion_in_centimetres
from fhir_io.sample_patients import SyntheticPatient, draw_patient
from fhir_io.sample_resources import file_name
from privacy import Identity

PATIENTS = 200
SEED = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample") / "fhir"
    assert write_sample(made, patients=PATIENTS, seed=SEED) == PATIENTS
    return made


@pytest.fixture(scope="module")
def drawn() -> list[SyntheticPatient]:
    return [draw_patient(SEED, index) for index in range(PATIENTS)]


@pytest.fixture(scope="module")
def bundles(folder: Path, drawn: list[SyntheticPatient]) -> list[dict[str, Any]]:
    return [json.loads((folder / file_name(patient)).read_bytes()) for patient in drawn]


def having(mess: str) -> list[int]:
    return [index for index in range(PATIENTS) if MESS[mess](index)]


def observations(bundle: dict[str, Any], code: str | None = None) -> Iterator[dict[str, Any]]:
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Observation" and code in (
            None,
            resource["code"]["coding"][0]["code"],
        ):
            yield resource


def test_every_bundle_is_valid_under_r4b(bundles: list[dict[str, Any]]):
    for bundle in bundles:
        Bundle.model_validate(bundle)


def test_the_same_seed_gives_the_same_bytes_whatever_the_number(folder: Path, tmp_path: Path):
    write_sample(tmp_path / "few", patients=5, seed=SEED)
    few = {path.name: path.read_bytes() for path in (tmp_path / "few").glob("*_*.json")}
    assert len(few) == 5
    assert all((folder / name).read_bytes() == content for name, content in few.items())
    write_sample(tmp_path / "other", patients=5, seed=SEED + 1)
    assert not {path.name for path in (tmp_path / "other").glob("*_*.json")} & set(few)


def test_references_resolve_inside_their_bundle(bundles: list[dict[str, Any]]):
    relative = set(having("relative_references"))
    for index, bundle in enumerate(bundles):
        urls = {entry["fullUrl"] for entry in bundle["entry"]}
        assert len(urls) == len(bundle["entry"])
        tails = {"/".join(url.split("/")[-2:]) for url in urls}
        for entry in bundle["entry"]:
            subject = entry["resource"].get("subject")
            if subject:
                assert subject["reference"] in (tails if index in relative else urls)


# -- each mess is there, in its share, and the import deals with it


def test_every_mess_is_present_in_a_fixed_share():
    for name in MESS:
        assert 0.05 <= len(having(name)) / PATIENTS <= 0.6, name


def test_bundles_are_transactions_and_collections(bundles: list[dict[str, Any]]):
    kinds = [bundle["type"] for bundle in bundles]
    assert [i for i, kind in enumerate(kinds) if kind == "collection"] == having("collection_bundle")
    assert set(kinds) == {"collection", "transaction"}


def test_pressures_come_under_two_panels_and_alone(bundles: list[dict[str, Any]]):
    alone = set(having("lone_pressures"))
    older = set(having("older_pressure_panel"))
    for index, bundle in enumerate(bundles):
        count = {code: len(list(observations(bundle, code))) for code in ("85354-9", "55284-4", "8462-4")}
        kind = "8462-4" if index in alone else ("55284-4" if index in older else "85354-9")
        assert count[kind] >= 5
        assert sum(count.values()) == count[kind]


def test_values_come_in_two_units(bundles: list[dict[str, Any]]):
    units: Counter[tuple[str, str]] = Counter()
    for bundle in bundles:
        for resource in observations(bundle):
            for holder in (resource, *resource.get("component", [])):
                if "valueQuantity" in holder:
                    code = holder["code"]["coding"][0]["code"]
                    units[code, holder["valueQuantity"].get("code", "text only")] += 1
    assert units["2160-0", "umol/L"] == len(having("creatinine_molar"))
    assert units["718-7", "g/L"] >= len(having("haemoglobin_per_litre"))
    assert units["29463-7", "[lb_av]"] == len(having("weight_in_pounds"))
    assert units["33728-7", "cm"] > 150
    assert units["33728-7", "mm"] > 150
    assert units["8480-6", "text only"] >= 5 * len(having("pressure_unit_as_text"))


def test_the_import_gives_back_what_was_drawn(import_from: Any, folder: Path, drawn: list[SyntheticPatient]):
    """Names a patient's state by the pseudonym that the fake gives to the record number."""
    done = import_from(folder, validation="full")
    cohort = done.cohort
    assert len(cohort) == PATIENTS
    system = "http://hospital.example.org/mrn"
    by_number = {done.pseudonymiser.pseudonym(Identity(system, p.record_number)): p for p in drawn}
    no_heart_rate = set(having("no_heart_rate"))
    for pseudonym, patient in by_number.items():
        state = cohort.state(pseudonym)
        last = patient.visits[-1]
        for name, expected in (
            ("systolic_blood_pressure", last.systolic),
            ("diastolic_blood_pressure", last.diastolic),
            ("body_weight", patient.weight_kg),
            ("body_height", patient.height_cm),
            ("creatinine", patient.creatinine_mg_dl),
            ("sum_of_longest_diameters", sum(patient.lesions_mm)),
            ("ecog_performance_status", patient.ecog),
            ("platelets", patient.platelets),
        ):
            found = state.latest(name)
            assert found is not None
            assert found.value == pytest.approx(expected, rel=1e-3), name
        lesions = [o.value for o in state.observations if o.quantity == "target_lesion_diameter"]
        assert sorted(lesions) == pytest.approx(sorted(patient.lesions_mm))
        assert (state.latest("heart_rate") is None) == (patient.index in no_heart_rate)
        assert state.sex == patient.sex
        assert state.has("gastrointestinal_stromal_tumour")
        assert state.has("liver_metastases")
        assert state.has("hypertension") == (patient.hypertensive_since is not None)
        assert bool(state.medications) == patient.treated
        assert not state.has("diabetes_mellitus")
        assert max(o.day for o in state.observations if o.quantity == "systolic_blood_pressure") > -30


def test_the_import_counts_each_mess_it_meets(import_from: Any, folder: Path):
    report = import_from(folder).report
    reasons = report.by_reason()
    assert reasons[Reason.ENTERED_IN_ERROR] == len(having("entered_in_error"))
    assert reasons[Reason.NOT_FINAL] == len(having("preliminary_reading"))
    assert reasons[Reason.PARTIAL_DATE] == len(having("month_only_reading"))
    assert reasons[Reason.NOT_AN_ORDER] == len(having("planned_medication"))
    assert report.events["absences"] == len(having("refuted_diabetes"))
    assert reasons[Reason.TYPE_NOT_NEEDED] == PATIENTS  # one Encounter each
    bounds, copies = set(having("bound_in_place_of_value")), set(having("exact_duplicate"))
    assert reasons[Reason.DUPLICATE] == len(copies)
    assert sum(report.intervals.values()) == len(bounds)
    absent, alone = set(having("absent_diastolic")), set(having("lone_pressures"))
    assert report.parts_not_used == {Reason.VALUE_ABSENT: len(absent - alone)}
    assert reasons[Reason.VALUE_ABSENT] == len(absent & alone)
    partial = len(having("birth_year_only")) + len(having("birth_month_only"))
    assert report.notes[Note.PARTIAL_BIRTH_DATE] == partial
    assert report.notes[Note.UNIT_FROM_TEXT] > 200


# -- plausible


def test_baseline_sums_lie_where_the_trials_had_them(drawn: list[SyntheticPatient]):
    sums = [sum(patient.lesions_mm) for patient in drawn]
    assert 108 <= np.median(sums) <= 255  # Hansson 2013: medians by study
    assert min(sums) >= 58
    assert max(sums) <= 402
    assert {len(patient.lesions_mm) for patient in drawn} == {2, 3, 4, 5}
    assert min(min(patient.lesions_mm) for patient in drawn) >= 10  # measurable, RECIST 1.1
    assert any(lesion_in_centimetres(p.index, n) for p in drawn for n in range(len(p.lesions_mm)))


def test_demographics_are_those_of_the_sunitinib_trial():
    """Sutent prescribing information, Study A: 63 % men, 70 % younger than 65; n = 1000 here."""
    many = [draw_patient(7, index) for index in range(1000)]
    ages = np.array([(p.screening - p.born).days / 365.2425 for p in many])
    assert np.mean([p.sex == "male" for p in many]) == pytest.approx(0.63, abs=0.05)
    assert np.mean(ages < 65) == pytest.approx(0.70, abs=0.05)
    assert ages.min() >= 22.9
    last = np.array([(p.visits[-1].systolic, p.visits[-1].diastolic) for p in many], dtype=float)
    assert 0.5 <= np.corrcoef(last.T)[0, 1] <= 0.65
    assert 0.15 <= np.corrcoef(ages, last[:, 0])[0, 1] <= 0.45
    weight, height = ([getattr(p, name) for p in many] for name in ("weight_kg", "height_cm"))
    assert 0.5 <= np.corrcoef(weight, height)[0, 1] <= 0.8
    men = [p.height_cm for p in many if p.sex == "male"]
    women = [p.height_cm for p in many if p.sex == "female"]
    assert np.mean(men) == pytest.approx(175.9, abs=1.2)  # NHANES 2011-2014
    assert np.mean(women) == pytest.approx(161.9, abs=1.2)
    hypertensive = np.array([p.hypertensive_since is not None for p in many])
    assert 0.4 <= hypertensive.mean() <= 0.75
    assert last[hypertensive].mean(axis=0)[0] > last[~hypertensive].mean(axis=0)[0] + 5


# -- nothing that identifies comes out


def planted(patient: SyntheticPatient) -> set[str]:
    return {
        patient.given,
        patient.family,
        patient.record_number,
        patient.social_security,
        patient.phone,
        patient.email,
        patient.street,
        patient.town,
        patient.postal_code,
        patient.born.isoformat(),
        patient.visits[-1].on.isoformat(),
        "Ravensworth",
        *patient.ids,
    }


def leaks(content: bytes, patients: list[SyntheticPatient]) -> set[str]:
    return {token for patient in patients for token in planted(patient) if token.encode() in content}


def test_identifiers_are_planted_in_the_records(folder: Path, drawn: list[SyntheticPatient]):
    for patient in drawn[:20]:
        content = (folder / file_name(patient)).read_bytes()
        missing = planted(patient) - leaks(content, [patient]) - set(patient.ids)
        partial = MESS["birth_year_only"](patient.index) or MESS["birth_month_only"](patient.index)
        assert missing == set() or partial
        assert patient.family in file_name(patient)


def test_no_identifier_comes_out_of_the_import(import_from: Any, folder: Path, drawn: list[SyntheticPatient]):
    done = import_from(folder)
    cohort = done.cohort
    tables = (cohort.patients, cohort.observations, cohort.conditions, cohort.medications)
    outputs = [done.report.to_json(), done.report.summary(), repr(done.report)]
    outputs += [table.to_csv() for table in tables]
    files = [path for path in done.store.folder.rglob("*") if path.is_file()]
    assert files
    content = "\n".join(outputs).encode() + b"".join(path.read_bytes() for path in files)
    assert leaks(content, drawn) == set()
    assert leaks(content + drawn[3].family.encode(), drawn) == {drawn[3].family}  # the scan can find one


# -- the folder


def test_a_folder_that_holds_something_else_is_never_replaced(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("ten years")
    for overwrite in (False, True):
        with pytest.raises(SampleError, match="no earlier sample"):
            write_sample(tmp_path, patients=1, seed=1, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").read_text() == "ten years"


def test_an_earlier_sample_is_replaced_whole_when_asked(tmp_path: Path):
    target = tmp_path / "fhir"
    write_sample(target, patients=5, seed=1)
    with pytest.raises(SampleError, match="--overwrite"):
        write_sample(target, patients=2, seed=2)
    write_sample(target, patients=2, seed=2, overwrite=True)
    assert len(list(target.glob("*_*.json"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["fhir"]


@pytest.mark.parametrize(("patients", "seed"), [(0, 1), (-3, 1), (1, -1)])
def test_impossible_samples_are_refused(tmp_path: Path, patients: int, seed: int):
    with pytest.raises(SampleError):
        write_sample(tmp_path / "fhir", patients=patients, seed=seed)
    assert not (tmp_path / "fhir").exists()
