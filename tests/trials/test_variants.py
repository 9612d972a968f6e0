"""Variants of models in the arms of a trial, and couplings relative to the untreated cycle."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from organ_models.catalogue import model
from organ_models.scenarios import in_variant
from tests.trials.test_dosing import changed, cohort, verified, words
from tests.vht.people import gist_cohort
from trials.compose import compose, compose_arms
from trials.conduct import conduct
from trials.enrolment import enrol
from trials.protocol import Protocol, ProtocolError, load_protocol
from trials.provenance import described
from trials.report import build_report
from trials.results import analyse
from vht import VirtualPatient, individuals, simulate
from vht.population import baseline_table

EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"
LUNG = """schema: vht-protocol/1
name: lung
title: Two arms of Struemper 2025
question_of_interest: How do tumours shrink in two arms?
context_of_use: Tests.
population: {eligibility: {conditions: [breast_cancer]}}
virtual_patient:
  models: [struemper_lung_cancer]
  variants: {struemper_lung_cancer: docetaxel}
arms:
  - name: docetaxel
    label: Docetaxel
    doses: {struemper_lung_cancer.treatment: {amount: 1 1}}
  - name: dostarlimab
    label: Dostarlimab
    doses: {struemper_lung_cancer.treatment: {amount: 1 1}}
    variants: {struemper_lung_cancer: dostarlimab}
reference_arm: docetaxel
design: paired_counterfactual
duration: 12 wk
reporting_interval: 6 wk
visits: {sum_of_longest_diameters: {every: 6 wk}}
measurement_error:
  sum_of_longest_diameters: {proportional: 10 %, source: "assumption: a test"}
endpoints:
  - {name: change, kind: change_from_baseline, quantity: sum_of_longest_diameters, scale: percent, day: 84 d}
seed: 3
"""


def lung(folder: Path, *pairs: tuple[str, str]) -> Protocol:
    text = LUNG
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "lung.yaml").write_text(text)
    return load_protocol(folder / "lung.yaml")


def test_arms_run_their_variants_with_the_same_random_effects(tmp_path: Path) -> None:
    read = lung(tmp_path)
    arms = compose_arms(read)
    table = baseline_table(cohort(5), ["sum_of_longest_diameters"])
    people = {
        name: e.people.parameters["struemper_lung_cancer"] for name, e in enrol(read, arms, table).items()
    }
    one, other = people["docetaxel"], people["dostarlimab"]
    assert (one.growth_effect == other.growth_effect).all()
    ratio = np.asarray(one.shrinkage_rate) / np.asarray(other.shrinkage_rate)
    assert ratio == pytest.approx(0.03566 / 0.01615)  # ks of the arms, Struemper 2025
    assert np.ptp(one.shrinkage_rate) > 0
    assert set(one.pd_l1_effect) == {0.0}
    assert set(other.pd_l1_effect) == {0.00902}


def test_an_arm_is_what_its_variant_gives_on_its_own(tmp_path: Path) -> None:
    read = lung(tmp_path)
    found = conduct(read, cohort(5)).outcomes.wide(
        "dostarlimab", "sum_of_longest_diameters", (42, 84), "true"
    )
    alone = VirtualPatient([in_variant(model("struemper_lung_cancer"), "dostarlimab")])
    table = baseline_table(cohort(5), ["sum_of_longest_diameters"])
    run = simulate(
        alone,
        individuals(alone, table, seed=3),
        doses={"struemper_lung_cancer.treatment": 1.0},
        days=[42, 84],
    )
    expected = pd.DataFrame(run.outputs["struemper_lung_cancer.sum_of_diameters"].T, table["pseudonym"])
    # a trial reads every day, which cuts the steps: the same to rounding
    assert found.to_numpy() == pytest.approx(expected.loc[found.index].to_numpy(), rel=1e-12)


def test_the_models_of_a_run_are_told_with_variant_and_arms(tmp_path: Path) -> None:
    told = described(lung(tmp_path))
    assert [(m["name"], m["variant"], m["arms"]) for m in told] == [
        ("struemper_lung_cancer", "docetaxel", ["docetaxel"]),
        ("struemper_lung_cancer", "dostarlimab", ["dostarlimab"]),
    ]
    values = [{p["name"]: p["value"] for p in m["parameters"]}["growth_rate"] for m in told]
    assert values == [0.01822, 0.008105]
    assert all("variant" not in m for m in described(load_protocol(EXAMPLES / "sunitinib_gist.yaml")))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("cancer: dostarlimab}", "cancer: dostarlimap}", 17, "no variant 'dostarlimap'; known: default"),
        (
            "{struemper_lung_cancer: docetaxel}",
            "{struemper: docetaxel}",
            9,
            "'struemper' is not among the models",
        ),
        (
            "variants: {struemper_lung_cancer: dost",
            "variants: {strumper_lung_cancer: dost",
            17,
            "did you mean",
        ),
    ],
)
def test_a_variant_that_there_is_not_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        compose_arms(lung(tmp_path, (old, new)))
    assert message in str(caught.value)
    assert f"lung.yaml:{line}" in str(caught.value)


def test_arms_cannot_differ_by_the_variant_of_a_model_that_beats(tmp_path: Path) -> None:
    arm = "    doses:\n      sunitinib_exposure.daily_dose: {amount: 37.5 mg/d}\n"
    odd = arm + "    variants: {closed_loop_circulation: default}\n"
    with pytest.raises(ProtocolError, match="does not run on days, so that arms share its variant"):
        compose_arms(changed(tmp_path, (arm, odd), name="sunitinib_gist"))


def test_a_report_and_a_run_tell_the_variants(
    tmp_path: Path, provenance: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lung(tmp_path)
    found = conduct(read, cohort(3)).outcomes
    told = words(build_report(read, analyse(read, found), {**provenance, "models": described(read)}))
    assert "Variants: published parameter sets that the protocol names" in told
    assert "Mosteller" not in told
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    verified(tmp_path / "lung.yaml", tmp_path / "states", tmp_path / "run")


# --- relative couplings -----------------------------------------------------------------------------


def test_a_relative_coupling_raises_the_pressure_by_the_share_that_the_drug_model_tells(
    tmp_path: Path,
) -> None:
    """The ratio of the drug model, reached on each patient's own cycle: to the tolerance of the solve."""
    ratio = (
        "from: sunitinib_blood_pressure.diastolic_pressure\n",
        "from: sunitinib_blood_pressure.diastolic_pressure_ratio\n      relative: true\n",
    )
    read = changed(tmp_path, ratio, name="sunitinib_gist")
    arm = read.arm("continuous")
    found = conduct(read.model_copy(update={"arms": (arm,), "reference_arm": "continuous"}), gist_cohort(4))
    wide = found.outcomes.wide("continuous", "diastolic_blood_pressure", (0, 28, 168), "true")
    patient = compose(read)
    table = baseline_table(gist_cohort(4), ["sum_of_longest_diameters", "diastolic_blood_pressure"])
    people = individuals(patient, table, seed=read.seed)
    slow = VirtualPatient(read.virtual_patient.models[:3], patient.couplings[:2])
    run = simulate(
        slow,
        dataclasses.replace(people, parameters={k: people.parameters[k] for k in slow.models}),
        doses={"sunitinib_exposure.daily_dose": 37.5},
        days=[0, 28, 168],
    )
    told = pd.DataFrame(
        run.outputs["sunitinib_blood_pressure.diastolic_pressure_ratio"].T, table["pseudonym"]
    ).loc[wide.index]
    shown = (
        wide.to_numpy()
        / table.set_index("pseudonym").loc[wide.index, ["diastolic_blood_pressure"]].to_numpy()
    )
    assert shown == pytest.approx(told.to_numpy(), rel=2e-4)
    assert (shown[:, 1] > 1.02).all()
