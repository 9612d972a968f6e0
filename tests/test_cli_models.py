"""The command line on organ models: the catalogue, published values, and one model alone."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest

from organ_models import catalogue, model
from organ_models.record import record
from tests.conftest import Command
from tests.test_cli import refused


def test_models_are_listed_with_what_stands_behind_them(command: Command) -> None:
    code, out, _ = command("models")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["name", *catalogue()]
    line = next(line for line in out.splitlines() if line.startswith("closed_loop_circulation"))
    assert line.split("  ")[-1] == "85 verification, 14 calibration"
    assert "12          33" in line


def test_a_hypothesis_is_listed_and_shown_as_one(command: Command) -> None:
    _, out, _ = command("models")
    told = [line.split()[0] for line in out.splitlines() if "(hypothesis, not for prediction)" in line]
    assert told == [m.name for m in catalogue().values() if m.hypothesis] != []
    assert "A hypothesis, not for prediction." in command("models", "show", told[0])[1]
    assert "hypothesis" not in command("models", "show", "claret_monet1")[1]


def test_spread_and_residual_error_are_shown_as_published(command: Command) -> None:
    _, out, _ = command("models", "show", "chatterjee_lung_cancer")
    assert "spread of sensitive_fraction: logit-normal" in out
    _, out, _ = command("models", "show", "bruno_breast_cancer")
    assert [line.split()[:2] for line in out.splitlines() if "sum_of_diameters  1" in line] == [
        ["sum_of_diameters", "10.58"],
        ["sum_of_diameters", "18.22"],
    ]


def test_the_whole_catalogue_is_one_json(command: Command) -> None:
    code, out, _ = command("models", "--json")
    assert code == 0
    assert json.loads(out) == [record(m) for m in catalogue().values()]


@pytest.mark.parametrize("name", list(catalogue()))
def test_a_model_is_shown_whole(command: Command, name: str) -> None:
    code, out, _ = command("models", "show", name)
    assert code == 0
    made = record(model(name))
    for part in ("states", "inputs", "outputs", "readings", "parameters", "scenarios"):
        for item in made[part]:
            assert item["name"] in out
    for reference in made["references"]:
        assert reference["text"] in out
    code, out, _ = command("models", "show", name, "--json")
    assert code == 0
    assert json.loads(out) == made


def test_published_values_are_computed_and_compared(command: Command) -> None:
    code, out, _ = command("models", "validate", "sunitinib_blood_pressure")
    assert code == 0
    line = next(line for line in out.splitlines() if "continuous: diastolic_pressure on day 364" in line)
    assert line.split()[-6:] == ["mm[Hg]", "1e-06", "of", "it", "verification", "pass"]
    assert "7 of 7 published values pass" in out
    code, out, _ = command("models", "validate", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["passed"] is True
    assert [m["model"] for m in made["models"]] == list(catalogue())
    assert [len(m["checks"]) for m in made["models"]] == [len(m.checks) for m in catalogue().values()]
    assert sum(len(m["checks"]) for m in made["models"]) > 400
    first = made["models"][0]["checks"][0]
    assert first["published"] == pytest.approx(50 / 34.5)
    assert first["computed"] == pytest.approx(50 / 34.5)
    assert (first["unit"], first["kind"], first["evidence"]) == ("mg.h/L", "relative", "verification")
    assert command("models", "validate", "arteriolar_dilator")[1].count("no published values") == 1


def test_a_published_value_that_is_missed_fails_the_command(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    exposure = model("sunitinib_exposure")
    wrong = dataclasses.replace(exposure.checks[0], published=1.46)
    broken = dataclasses.replace(exposure, checks=(wrong,))
    home = sys.modules["organ_models.catalogue"]
    monkeypatch.setattr(home, "_CATALOGUE", {**catalogue(), exposure.name: broken})
    code, out, _ = command("models", "validate", exposure.name)
    assert code == 1
    assert "FAIL" in out
    assert "0 of 1 published values pass" in out
    code, out, _ = command("models", "validate", exposure.name, "--json")
    assert code == 1
    assert json.loads(out)["passed"] is False


def test_a_model_is_simulated_for_programs(command: Command) -> None:
    """Hypertension of the circulation: cardiovascular reference, sections 4 and 5."""
    code, out, err = command("simulate", "closed_loop_circulation", "--scenario", "htn", "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert list(made) == ["model", "version", "variant", "scenario", "converged", "residual", "outputs"]
    assert (made["model"], made["version"]) == ("closed_loop_circulation", "1.1")
    assert (made["variant"], made["scenario"], made["converged"]) == ("default", "htn", True)
    assert 0 <= made["residual"] <= 1e-7
    outputs = made["outputs"]
    assert all(list(o) == ["value", "unit"] for o in outputs.values())
    assert outputs["systolic_blood_pressure"]["value"] == pytest.approx(150.07, rel=1e-3)
    assert outputs["systolic_blood_pressure"]["unit"] == "mm[Hg]"
    assert outputs["aortic_valve_opening_time"]["value"] == pytest.approx(0.0902, abs=1e-3)
    assert outputs["aortic_valve_opening_time"]["unit"] == "s"
    assert outputs["peak_aortic_valve_flow"]["value"] == pytest.approx(1005.7, rel=1e-3)
    assert outputs["peak_aortic_valve_flow"]["unit"] == "mL/s"


def test_settings_are_named_as_in_the_catalogue(command: Command) -> None:
    words = ("simulate", "hansson_gist", "--scenario", "continuous", "--set", "growth_rate=0.02", "--json")
    faster = json.loads(command(*words)[1])["outputs"]["sum_of_longest_diameters"]["value"]
    plain = json.loads(command(*words[:4], "--json")[1])["outputs"]["sum_of_longest_diameters"]["value"]
    # the logarithm of the size takes the rate: exp((0.02 - 0.0118) / wk * 24 wk)
    assert faster / plain == pytest.approx(2.718281828 ** ((0.02 - 0.0118) * 24), rel=1e-6)
    code, out, _ = command(*words[:-1], "--day", 0)
    assert code == 0
    assert out.splitlines()[0] == "hansson_gist 1.1, continuous, growth_rate = 0.02, day 0"
    assert "sum_of_longest_diameters 200 mm" in " ".join(out.split())


def test_what_can_be_set_is_listed(command: Command) -> None:
    code, out, _ = command("simulate", "closed_loop_circulation", "--list")
    assert code == 0
    circulation = record(model("closed_loop_circulation"))
    for part in ("variants", "scenarios", "parameters", "inputs"):
        for item in circulation[part]:
            assert f"    {item['name']}" in out
    assert "20 to 250" in out
    code, out, _ = command("simulate", "--list")
    assert code == 0
    assert all(f"{m.name}: {m.title}" in out for m in catalogue().values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulate", "hanson_gist"], "unknown organ model 'hanson_gist'; did you mean 'hansson_gist'?"),
        (["simulate"], "name a model: sunitinib_exposure"),
        (["simulate", "hansson_gist", "--set", "growth=1"], "no parameter or input 'growth'"),
        (["simulate", "hansson_gist", "--set", "growth_rate=9"], "must lie between 0 and 5 /wk"),
        (["simulate", "hansson_gist", "--set", "growth_rate"], "write it as NAME=VALUE, VALUE a number"),
        (["simulate", "hansson_gist", "--set", "growth_rate=fast"], "write it as NAME=VALUE, VALUE a number"),
        (["simulate", "hansson_gist", "--scenario", "continous"], "did you mean 'continuous'?"),
        (["simulate", "hansson_gist", "--variant", "new"], "has no variant 'new'; known: default"),
        (["simulate", "closed_loop_circulation", "--day", "3"], "its outputs belong to one beat"),
        (["models", "show", "hanson_gist"], "did you mean 'hansson_gist'?"),
        (["models", "validate", "hanson_gist"], "did you mean 'hansson_gist'?"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(
    command: Command, words: list[str], message: str
) -> None:
    assert message in refused(command, *words)


def test_a_run_without_a_solution_fails_and_prints_no_number(command: Command) -> None:
    words = ("simulate", "closed_loop_circulation", "--set", "systemic_resistance_ratio=-1")
    code, out, err = command(*words, "--json")
    assert code == 1
    assert json.loads(out)["converged"] is False
    assert err.startswith("no solution:")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["models"], "The catalogue of organ models"),
        (["models", "show"], "parameters and their sources"),
        (["models", "validate"], "Exits with 1 if one lies outside its tolerance"),
        (["simulate"], "A slow model is read on day 168"),
    ],
)
def test_help_says_what_a_command_does(command: Command, words: list[str], expected: str) -> None:
    code, out, _ = command(*words, "--help")
    assert code == 0
    assert expected in " ".join(out.replace("│", " ").split())
