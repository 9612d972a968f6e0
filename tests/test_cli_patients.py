"""The command line on ready-made patients: the list, and running one."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Command
from tests.test_cli import refused
from vht.ready_made import READY_MADE


def test_patients_are_listed_with_their_regimens(command: Command) -> None:
    code, out, _ = command("patients")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["name", *READY_MADE]
    assert "intermittent, continuous" in out


def test_the_list_is_data_for_programs(command: Command) -> None:
    code, out, _ = command("patients", "--json")
    made = json.loads(out)
    assert code == 0
    assert [m["name"] for m in made] == list(READY_MADE)
    breast = next(m for m in made if m["name"] == "capecitabine_docetaxel_breast")
    assert [r["name"] for r in breast["regimens"]] == ["combination", "reduced_combination", "docetaxel"]
    assert all(r["source"] for m in made for r in m["regimens"])


def test_a_patient_is_simulated_for_programs(command: Command) -> None:
    """37.5 mg a day at 34.5 L/h; after eleven residence times pressure is BP0 (1 + SLP AUC)."""
    words = ("simulate", "sunitinib_gist", "--set", "sunitinib_exposure.daily_dose=37.5", "--json")
    code, out, err = command(*words)
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert list(made) == [
        "patient",
        "models",
        "scenario",
        "settings",
        "days",
        "converged",
        "residual",
        "outputs",
    ]
    assert (made["patient"], made["scenario"], made["days"]) == ("sunitinib_gist", "baseline", [168.0])
    assert made["settings"] == {"sunitinib_exposure.daily_dose": 37.5}
    outputs = made["outputs"]
    assert all(list(o) == ["value", "unit"] for o in outputs.values())
    exposure = 37.5 / 34.5
    assert outputs["sunitinib_exposure.daily_exposure"] == {
        "value": pytest.approx(exposure),
        "unit": "mg.h/L",
    }
    ratio = outputs["sunitinib_blood_pressure.diastolic_pressure_ratio"]["value"]
    assert ratio == pytest.approx(1 + 0.119 * exposure, rel=1e-4)
    shown = outputs["closed_loop_circulation.diastolic_pressure"]
    asked = outputs["sunitinib_blood_pressure.diastolic_pressure"]
    assert shown["unit"] == "mm[Hg]"
    assert shown["value"] == pytest.approx(asked["value"], rel=2e-4)


def test_several_days_are_read_at_once(command: Command) -> None:
    words = ("simulate", "abiraterone_prostate", "--scenario", "continuous", "--days", "0,28,84")
    made = json.loads(command(*words, "--json")[1])
    assert made["days"] == [0.0, 28.0, 84.0]
    antigen = made["outputs"]["abiraterone_competition.relative_antigen"]["values"]
    assert antigen[0] > antigen[1] > antigen[2]
    code, out, _ = command(*words)
    assert code == 0
    assert out.splitlines()[0] == "abiraterone_prostate, continuous, days 0, 28, 84"


def test_what_can_be_set_is_listed(command: Command) -> None:
    code, out, _ = command("simulate", "trastuzumab_heart", "--list")
    assert code == 0
    for word in ("adjuvant", "trastuzumab.dose", "cardiovascular.heart_rate ", "cardiovascular.uprightness"):
        assert word in out
    assert "left_ventricular_elastance_ratio" not in out  # it is solved for


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulate", "sunitinib_gst"], "did you mean 'sunitinib_gist'?"),
        (["simulate", "sunitinib_gist", "--scenario", "continous"], "did you mean 'continuous'?"),
        (["simulate", "sunitinib_gist", "--set", "hansson_gist.growth_rat=1"], "did you mean"),
        (["simulate", "sunitinib_gist", "--set", "hansson_gist.growth_rate"], "write it as NAME=VALUE"),
        (["simulate", "sunitinib_gist", "--variant", "new"], "is a composition and has no variants"),
        (["simulate", "sunitinib_gist", "--days", "1,x"], "write it as numbers with commas"),
        (["simulate", "sunitinib_gist", "--days", "1", "--day", "2"], "--day and --days exclude each other"),
        (["simulate", "hansson_gist", "--days", "1,2"], "give it as --day"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(
    command: Command, words: list[str], message: str
) -> None:
    assert message in refused(command, *words)


def test_a_patient_without_a_solution_fails_and_prints_no_number(command: Command) -> None:
    """Nobody's vessels make this pressure: a slope of 20 asks for thirty times the diastolic pressure."""
    setting = "sunitinib_blood_pressure.exposure_slope=20"
    words = ("simulate", "sunitinib_heart", "--scenario", "continuous", "--set", setting, "--json")
    code, out, err = command(*words)
    assert code == 1
    made = json.loads(out)
    assert made["converged"] is False
    assert made["outputs"]["cardiovascular.diastolic_blood_pressure"]["value"] is None
    assert err.startswith("no solution:")
