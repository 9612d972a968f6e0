"""What is declared beside the models holds together, and the record of a model tells all of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from organ_models import OrganModel, catalogue, model
from organ_models.cardiovascular.closed_loop_readings import valve_events
from organ_models.model import fields
from organ_models.record import record, validation_status
from organ_models.scenarios import Pattern, reported, scenarios, variants
from organ_models.units import conversion
from organ_models.validation.closed_loop_circulation import CALIBRATED

MODELS = list(catalogue().values())


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_scenarios_and_variants_name_what_the_model_has_and_stay_within_bounds(m: OrganModel) -> None:
    parameters, inputs = fields(m.Parameters), fields(m.Inputs) | fields(m.Events)
    assert not set(parameters) & set(inputs)
    for variant in variants(m).values():
        start = {n: f.default for n, f in parameters.items()} | dict(variant.parameters if variant else {})
        assert set(start) == set(parameters)
        for s in scenarios(m).values():
            ports = set(inputs) | set(fields(m.Events))
            for port in s.inputs:
                name, _, other = port.rpartition(".")
                feeding = catalogue()[name] if name else None
                known = (
                    ports if feeding is None else set(fields(feeding.Inputs)) | set(fields(feeding.Events))
                )
                assert other in known, s.name
            for port, output in s.feeds.items():
                assert port in inputs, s.name
                name, _, other = output.partition(".")
                assert other in fields(catalogue()[name].Outputs), s.name
            for name, factor in s.factors.items():
                low, high = parameters[name].bounds
                assert low <= start[name] * factor <= high, (s.name, name)
            assert s.name == "baseline" or s.source is not None
    assert len(scenarios(m)) == len(m.scenarios) + 1


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_published_values_name_outputs_scenarios_and_days_that_exist(m: OrganModel) -> None:
    outputs = reported(m)
    assert len(outputs) == len(fields(m.Outputs)) + (len(fields(m.cycle.Readings)) if m.cycle else 0)
    assert len({c.name for c in m.checks}) == len(m.checks)
    for check in m.checks:
        assert check.output in outputs, check.name
        conversion("d" if check.reading == "day of the minimum" else outputs[check.output][1], check.unit)
        assert check.scenario in scenarios(m), check.name
        assert check.variant in variants(m), check.name
        assert (check.day is None) == (m.cycle is not None), check.name
        assert check.source.text
        # a target of a calibration may be as wide as its SD; anything else is told to a hundredth
        widest = 0.25 if check.evidence == "calibration" else 0.01
        assert 0 < check.allowed < widest * max(abs(check.published), 0.2), check.name


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_a_record_is_json_and_names_every_source(m: OrganModel) -> None:
    made = record(m)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    cited = {r["key"] for r in made["references"]}
    for part in ("parameters", "scenarios", "variants", "validation"):
        assert {item["source"] for item in made[part] if item["source"]} <= cited, part
    assert [p["name"] for p in made["parameters"]] == list(fields(m.Parameters))
    assert len(made["validation"]) == len(m.checks)


def test_a_record_gives_the_published_value_and_the_unit_of_the_equations() -> None:
    growth = next(p for p in record(model("hansson_gist"))["parameters"] if p["name"] == "growth_rate")
    assert growth == {
        "name": "growth_rate",
        "description": "KG",
        "value": 0.0118,
        "unit": "/wk",
        "working_unit": "/d",
        "bounds": [0, 5],
        "spread": 0.290,
        "source": "hansson_2013",
        "certainty": "verified",
    }


def test_what_was_calibrated_is_not_passed_off_as_verified() -> None:
    """The 14 targets of the calibration (cardiovascular reference, section 3), at baseline only."""
    circulation = model("closed_loop_circulation")
    fitted = {c.output for c in circulation.checks if c.evidence == "calibration"}
    assert fitted == set(CALIBRATED)
    assert len(fitted) == 14
    assert {c.scenario for c in circulation.checks if c.evidence == "calibration"} == {"baseline"}
    assert validation_status(circulation) == "85 verification, 14 calibration"
    assert validation_status(model("arteriolar_dilator")) == "none declared"


def test_scenarios_of_the_circulation_are_the_published_ones(shared_data: Path) -> None:
    """Definitions: cardiovascular/c12_scenario_definitions.json; the period T is told as heart rate."""
    names = {
        "R_AR_SYS": "systemic_arterial_resistance",
        "C_AR_SYS": "systemic_arterial_compliance",
        "EA_LV": "left_ventricular_active_elastance",
        "EB_LV": "left_ventricular_passive_elastance",
        "R_AR_PUL": "pulmonary_arterial_resistance",
        "C_AR_PUL": "pulmonary_arterial_compliance",
        "V_stressed": "stressed_volume",
        "T": "heart_rate",
    }
    path = shared_data / "cardiovascular" / "c12_scenario_definitions.json"
    published = json.loads(path.read_text())["scenarios"]
    period = {"1/0.88": 1 / 0.88}
    mine = {s.name: dict(s.factors) for s in scenarios(model("closed_loop_circulation")).values()}
    for changes in published.values():
        if "T" in changes:
            changes["T"] = 1.0 / period.get(changes["T"], changes["T"])
    assert set(mine) == set(published)
    for name, changes in published.items():
        assert mine[name] == pytest.approx({names[k]: v for k, v in changes.items()}), name


def test_a_pattern_is_given_and_left_out_in_turn() -> None:
    assert Pattern(50.0, on=2, off=1).daily(7).tolist() == [50, 50, 0, 50, 50, 0, 50]
    assert Pattern(3.0).daily(3).tolist() == [3, 3, 3]
    assert str(Pattern(50.0, on=28, off=14)) == "50 on 28 of every 42 days"


def beat(*open_stretches: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A pressure drop over one second that crosses zero, straight, at the ends of the given stretches."""
    time = np.linspace(0.0, 1.0, 1001)[:, None]
    return time, np.max([np.minimum(time - o, c - time) for o, c in open_stretches], axis=0)


def test_valve_events_are_interpolated_between_samples() -> None:
    opening, closing = valve_events(*beat((0.31234, 0.68761)), 0.0)
    assert opening == pytest.approx([0.31234], abs=1e-9)
    assert closing == pytest.approx([0.68761], abs=1e-9)


def test_a_valve_that_shuts_for_a_moment_in_diastole_opens_once() -> None:
    """Early and atrial filling with a short closure in between: the longest closure is systole."""
    opening, closing = valve_events(*beat((0.4, 0.6), (0.65, 0.8)), 0.0)
    assert opening == pytest.approx([0.4], abs=1e-9)
    assert closing == pytest.approx([0.8], abs=1e-9)


def test_a_valve_that_closes_in_the_next_beat_is_read_across_its_onset() -> None:
    time = np.linspace(0.0, 1.0, 1001)[:, None]
    drop = np.cos(2 * np.pi * (time - 0.85))  # positive from 0.6 over the onset to 0.1
    opening, closing = valve_events(time, drop, 0.0)
    assert opening == pytest.approx([0.6], abs=1e-6)
    assert closing == pytest.approx([0.1], abs=1e-6)


def test_a_valve_that_never_opens_has_no_events() -> None:
    time = np.linspace(0.0, 1.0, 11)[:, None]
    for drop in (np.full_like(time, -1.0), np.full_like(time, 1.0)):
        assert np.isnan(valve_events(time, drop, 0.0)).all()
