"""One model alone: scenarios, settings, clinical names and published values."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vht
from organ_models import model
from organ_models.catalogue import UnknownModel
from organ_models.scenarios import Scenario, Variant
from vht import ModelRunError, Validation, run_model, validate
from vht.model_run import Case, run_cases

CIRCULATION = "closed_loop_circulation"


@pytest.fixture(scope="module")
def checked() -> Validation:
    return validate(CIRCULATION)


def test_every_published_value_of_the_circulation_comes_out(checked: Validation) -> None:
    assert [r.check.name for r in checked.results if not r.passed] == []
    assert len(checked.results) == 99


@pytest.mark.parametrize("name", ["hansson_gist", "sunitinib_blood_pressure", "sunitinib_exposure"])
def test_every_published_value_of_the_sunitinib_models_comes_out(name: str) -> None:
    assert validate(name).passed
    assert validate(name).results


def test_a_model_that_drifts_fails_its_published_values() -> None:
    tumour = model("hansson_gist")
    drifted = dataclasses.replace(
        tumour,
        name="drifted",
        variants=(Variant("faster", "2 % faster growth", {"growth_rate": 0.012}, tumour.references[0]),),
        checks=tuple(dataclasses.replace(c, variant="faster") for c in tumour.checks),
    )
    found = validate(drifted)
    assert not found.passed
    sizes = [r for r in found.results if r.check.output == "sum_of_longest_diameters"]
    assert not any(r.passed for r in sizes)
    assert all(r.passed for r in found.results if r not in sizes)
    assert "intermittent: sum_of_longest_diameters on day 336" in repr(found)
    assert "<b>no</b>" in found._repr_html_()


def test_the_typed_table_is_the_published_one(shared_data: Path, checked: Validation) -> None:
    """The numbers in organ_models/validation against cardiovascular/c12_scenarios.csv, to six digits."""
    columns = {
        "SBP": "systolic_blood_pressure",
        "DBP": "diastolic_blood_pressure",
        "MAP": "mean_blood_pressure",
        "SV": "stroke_volume",
        "EF": "left_ventricular_ejection_fraction",
        "CO": "cardiac_output",
        "LVEDV": "left_ventricular_end_diastolic_volume",
        "LVESV": "left_ventricular_end_systolic_volume",
        "LVEDP": "left_ventricular_end_diastolic_pressure",
        "RVEDV": "right_ventricular_end_diastolic_volume",
        "RVESV": "right_ventricular_end_systolic_volume",
        "PLVmax": "peak_left_ventricular_pressure",
        "PRVmax": "peak_right_ventricular_pressure",
        "PASP": "pulmonary_systolic_pressure",
        "PADP": "pulmonary_diastolic_pressure",
        "PAMP": "pulmonary_mean_pressure",
        "LAP": "left_atrial_mean_pressure",
        "RAP": "right_atrial_mean_pressure",
        "LAVmax": "left_atrial_maximal_volume",
        "LAVmin": "left_atrial_minimal_volume",
        "RAVmax": "right_atrial_maximal_volume",
        "RAVmin": "right_atrial_minimal_volume",
        "PVENSYS": "systemic_venous_mean_pressure",
        "PVENPUL": "pulmonary_venous_mean_pressure",
        "Qao_max": "peak_aortic_valve_flow",
    }
    table = pd.read_csv(shared_data / "cardiovascular" / "c12_scenarios.csv").set_index("scenario")
    of = {name: column for column, name in columns.items()}
    compared = 0
    for check in (r.check for r in checked.results):
        if check.output in of:
            assert check.published == pytest.approx(table.loc[check.scenario, of[check.output]], rel=1e-5)
            compared += 1
    assert compared == 25 + 5 * 13
    assert set(table.index) == {r.check.scenario for r in checked.results}


def test_valve_events_of_every_published_scenario_are_within_a_millisecond(shared_data: Path) -> None:
    table = pd.read_csv(shared_data / "cardiovascular" / "c12_scenarios.csv").set_index("scenario")
    columns, residual = run_cases(model(CIRCULATION), [Case(scenario=s) for s in table.index])
    assert np.isfinite(residual).all()
    for short, valve in (("AV", "aortic"), ("MV", "mitral"), ("PV", "pulmonary"), ("TV", "tricuspid")):
        for event, word in (("open", "opening"), ("close", "closing")):
            mine = columns[f"{valve}_valve_{word}_time"][:, 0]
            np.testing.assert_allclose(mine, table[f"{short}_{event}"], atol=1e-3, err_msg=f"{short} {event}")


def test_every_scenario_of_the_circulation_has_a_periodic_state() -> None:
    circulation = model(CIRCULATION)
    names = [s.name for s in circulation.scenarios]
    columns, residual = run_cases(circulation, [Case(scenario=n) for n in names])
    assert np.isfinite(residual).all()
    assert all(np.isfinite(c).all() for c in columns.values())
    rate = dict(zip(names, columns["heart_rate"][:, 0], strict=True))
    assert rate["hr100"] == pytest.approx(100.0)
    assert rate["htn_beta"] == pytest.approx(0.88 * 70.0)
    pulmonary = dict(zip(names, columns["pulmonary_mean_pressure"][:, 0], strict=True))
    assert pulmonary["pah"] == max(pulmonary.values())


def test_settings_apply_after_the_scenario() -> None:
    """A resistance that is set replaces the scenario's; its compliance still holds."""
    set_back = run_model(CIRCULATION, scenario="htn", settings={"systemic_arterial_resistance": 0.92})
    by_hand = run_model(CIRCULATION, settings={"systemic_arterial_compliance": 0.7 * 1.5103})
    for name, reading in by_hand.outputs.items():
        assert set_back.outputs[name].value == pytest.approx(reading.value, rel=1e-9), name


def test_an_input_of_a_beating_model_is_held() -> None:
    """A resistance ratio of 0.9 is the scenario with 0.9 times the resistance."""
    held = run_model(CIRCULATION, settings={"systemic_resistance_ratio": 0.9}).outputs
    scenario = run_model(CIRCULATION, scenario="r_ars_x090").outputs
    assert held["systolic_blood_pressure"].value == pytest.approx(
        scenario["systolic_blood_pressure"].value, rel=1e-6
    )


def test_a_slow_model_is_untreated_unless_something_is_given() -> None:
    """exp(0.0118 / wk * 24 wk) of 200 mm off drug; 159.03 mm under 50 mg daily (oncology reference, 12.2)."""
    untreated = run_model("hansson_gist").outputs["sum_of_longest_diameters"]
    assert untreated.value == pytest.approx(200 * np.exp(0.0118 * 24), rel=1e-9)
    given = run_model("hansson_gist", settings={"daily_exposure": 50 / 34.5})
    assert given.outputs["sum_of_longest_diameters"].value == pytest.approx(159.03, abs=0.02)
    assert given.day == 168
    assert given.residual is None


def test_a_slow_model_can_be_read_on_another_day() -> None:
    read = run_model("sunitinib_blood_pressure", scenario="intermittent", day=14)
    assert read.outputs["diastolic_pressure"].value == pytest.approx(79.30, abs=0.02)
    start = run_model("sunitinib_blood_pressure", scenario="intermittent", day=0)
    assert start.outputs["diastolic_pressure"].value == pytest.approx(71.8)


def test_a_variant_is_the_start_that_scenario_and_settings_change() -> None:
    dilator = model("arteriolar_dilator")
    strong = dataclasses.replace(
        dilator,
        name="strong_dilator",
        variants=(Variant("strong", "doubled", {"resistance_reduction": 0.16}, dilator.references[0]),),
        scenarios=(
            *dilator.scenarios,
            Scenario("half", "half the effect", {"resistance_reduction": 0.5}, dilator.scenarios[0].inputs),
        ),
    )
    ratio = "systemic_resistance_ratio"
    assert run_model(strong, scenario="treated").outputs[ratio].value == pytest.approx(0.92)
    assert run_model(strong, variant="strong", scenario="treated").outputs[ratio].value == pytest.approx(0.84)
    half = run_model(strong, variant="strong", scenario="half")
    assert half.outputs[ratio].value == pytest.approx(0.92)
    assert "variant strong" in repr(half)


def test_a_model_without_a_solution_says_so_and_gives_no_numbers() -> None:
    run = run_model(CIRCULATION, settings={"stressed_volume": 45.0, "heart_rate": 20.0})
    broken = run_model(CIRCULATION, settings={"systemic_resistance_ratio": -1.0})
    assert run.converged
    assert not broken.converged
    made = json.loads(json.dumps(broken.to_json(), allow_nan=False))
    assert made["converged"] is False
    assert made["residual"] is None
    assert {o["value"] for o in made["outputs"].values()} == {None}


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        (CIRCULATION, {"scenario": "htm"}, "has no scenario 'htm'; did you mean 'htn'"),
        (CIRCULATION, {"variant": "smith"}, "has no variant 'smith'; known: default"),
        (CIRCULATION, {"settings": {"hart_rate": 60}}, "input 'hart_rate'; did you mean 'heart_rate'"),
        (CIRCULATION, {"settings": {"heart_rate": 300}}, "it must lie between 20 and 250 /min"),
        (CIRCULATION, {"settings": {"heart_rate": float("nan")}}, "it must lie between 20 and 250 /min"),
        (CIRCULATION, {"settings": {"systemic_resistance_ratio": float("inf")}}, "it is not a finite number"),
        (CIRCULATION, {"day": 3}, "its outputs belong to one beat"),
        ("hansson_gist", {"day": -1}, "whole number from 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_with_what_can(name: str, how: dict, message: str) -> None:
    with pytest.raises(ModelRunError, match=message.replace("(", r"\(")):
        run_model(name, **how)


def test_an_unknown_model_is_refused() -> None:
    for call in (run_model, validate, vht.cite):
        with pytest.raises(UnknownModel, match="did you mean 'hansson_gist'"):
            call("hansson_gists")


def test_a_run_shows_itself_as_text_and_as_a_table() -> None:
    run = run_model("sunitinib_exposure", scenario="continuous")
    assert repr(run).splitlines() == [
        "ModelRun(sunitinib_exposure 1.0, continuous, day 168)",
        "  daily_exposure  1.44928 mg.h/L",
    ]
    assert "<td>daily_exposure</td>" in run._repr_html_()
