"""Antihypertensive drugs on a circulation with a reflex that is reset, against their trials."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import vht
from organ_models import model
from organ_models.model import values
from organ_models.pharmacology.antihypertensives import CLASSES, Inputs, Parameters, State, effect, observe
from vht.hypertension import Response, hypertensives, law_2003, responses
from vht.validation.cardiovascular import posture_and_exercise, resting_adults

HEART, REFLEX, RESET = "cardiovascular", "baroreflex", "baroreflex_resetting"
PATIENT = vht.antihypertensives()
SINGLES = [{name: 1.0} for name in CLASSES]
DOCUMENT = Path(__file__).parents[2] / "docs" / "cardiovascular_validation.md"


@pytest.fixture(scope="module")
def standard() -> Response:
    """One person at 150/91, each class alone at the standard dose, four weeks."""
    return responses(hypertensives(PATIENT, 150, 91), SINGLES, PATIENT)


@pytest.mark.parametrize("name", list(CLASSES))
def test_a_class_moves_what_it_declares_and_nothing_else(name: str) -> None:
    untreated = values(observe(0.0, State(0.5), Parameters(), Inputs()))
    treated = values(observe(0.0, State(0.5), Parameters(), Inputs(**{name: 1.0})))
    moved = {port for port in treated if treated[port] != untreated[port]}
    allowed = set(CLASSES[name].moves)
    assert moved
    assert moved <= allowed


def test_the_standard_dose_has_the_effect_one_and_half_of_it_four_fifths() -> None:
    """Half the dose loses 20 % (Law 2003: 7.1/9.1 and 4.4/5.5); nothing has no effect."""
    assert effect(1.0, Parameters()) == pytest.approx(1.0)
    assert effect(0.5, Parameters()) == pytest.approx(0.79, abs=0.01)
    assert effect(0.0, Parameters()) == 0.0


def test_no_dose_takes_away_more_than_there_is() -> None:
    ratio = observe(0.0, State(0.0), Parameters(), Inputs(beta_blocker=20.0)).cardiac_sympathetic_ratio
    assert ratio == 0.0


def test_vasodilators_lower_pressure_as_they_were_calibrated_to(standard: Response) -> None:
    """-9.1/-5.5 at 150/91; cardiac output does not change."""
    for name in ("ace_inhibitor", "angiotensin_blocker", "calcium_blocker"):
        row = list(CLASSES).index(name)
        assert standard.systolic[row, 0] == pytest.approx(-9.1, abs=0.1)
        assert standard.diastolic[row, 0] == pytest.approx(-5.5, abs=0.1)
        assert abs(standard.cardiac_output[row, 0]) < 2.0
        assert abs(standard.heart_rate[row, 0]) < 0.5


def test_a_beta_blocker_keeps_its_signature(standard: Response) -> None:
    """Heart rate -12 %, output down, stroke volume up; the pressures that follow are no target."""
    row = list(CLASSES).index("beta_blocker")
    assert standard.heart_rate[row, 0] == pytest.approx(-12.0, abs=0.2)
    assert standard.cardiac_output[row, 0] < -5.0
    assert standard.stroke_volume[row, 0] > 2.0
    assert standard.systolic[row, 0] < 0
    assert standard.diastolic[row, 0] < 0


def test_a_thiazide_acts_by_volume_first_and_by_resistance_in_the_long_run(standard: Response) -> None:
    alone = vht.VirtualPatient(["antihypertensives"])
    found = vht.simulate(alone, doses={"antihypertensives.thiazide": 1.0}, days=[0, 7, 365]).outputs
    volume = found["antihypertensives.stressed_volume_ratio"][:, 0]
    resistance = found["antihypertensives.local_resistance_ratio"][:, 0]
    assert volume[1] < 0.95
    assert resistance[1] > 0.98
    assert volume[2] == pytest.approx(0.99, abs=0.001)
    assert resistance[2] == pytest.approx(1 - 0.0725, abs=0.001)
    row = list(CLASSES).index("thiazide")
    assert standard.stroke_volume[row, 0] < -2.0  # in the fourth week volume is still low
    assert standard.cardiac_output[row, 0] < -2.0


def test_the_reflex_buffers_a_drug_at_first_and_is_reset_within_days() -> None:
    people = hypertensives(PATIENT, 150, 91)
    found = vht.simulate(PATIENT, people, doses={"antihypertensives.calcium_blocker": 1.0}, days=[0, 1, 28])
    pressure = found.outputs[f"{HEART}.mean_arterial_pressure"][:, 0]
    own = float(people.parameters[RESET].own_pressure[0])
    assert pressure[2] < pressure[1] - 3.0  # on the first day the reflex still held against it
    rate = found.outputs[f"{HEART}.heart_rate"][:, 0]
    assert rate[1] > 70.5
    assert rate[[0, 2]] == pytest.approx(70.0, abs=0.1)
    assert found.outputs[f"{RESET}.set_point_shift"][2, 0] == pytest.approx(pressure[2] - own, abs=0.05)


def test_a_reflex_that_is_never_reset_takes_back_part_of_the_effect() -> None:
    people = hypertensives(PATIENT, 150, 91, 2)
    never = dataclasses.replace(people.parameters[RESET], share=np.array([0.0, 1.0]))
    kept = dataclasses.replace(
        people.take(np.array([0, 0])), parameters={**people.take(np.array([0, 0])).parameters, RESET: never}
    )
    found = responses(kept, [{"calcium_blocker": 1.0}], PATIENT)
    assert found.systolic[0, 0] > 0.7 * found.systolic[0, 1]
    assert found.heart_rate[0, 0] > 1.0


def test_own_pressure_is_what_the_untreated_circulation_of_each_shows() -> None:
    people = hypertensives(PATIENT, 150, 91, 3)
    found = vht.simulate(PATIENT, people, days=[0])
    mean = found.outputs[f"{HEART}.mean_arterial_pressure"][0]
    np.testing.assert_allclose(people.parameters[RESET].own_pressure, mean, rtol=1e-4)
    np.testing.assert_allclose(found.outputs[f"{HEART}.systolic_blood_pressure"][0], 150.0, atol=0.05)
    np.testing.assert_allclose(found.outputs[f"{HEART}.diastolic_blood_pressure"][0], 91.0, atol=0.05)
    assert np.ptp(found.outputs[f"{HEART}.cardiac_output"][0]) > 0.1  # for different reasons


def test_denervation_lowers_pressure_and_stays_when_the_reflex_is_reset() -> None:
    people = hypertensives(PATIENT, 150, 91, 2)
    drive = {f"{REFLEX}.sympathetic_drive": np.array([1.0, 0.8])}
    found = vht.simulate(
        PATIENT, people.take(np.array([0, 0])), days=[0, 28], inputs=drive, estimate_error=False
    )
    fall = np.diff(found.outputs[f"{HEART}.systolic_blood_pressure"], axis=1)[:, 0]
    assert fall[0] < -3.0
    assert fall[1] < fall[0]


def test_the_written_table_is_what_is_predicted_today() -> None:
    """Every number of the document, from the typical person; `make validation` writes it."""
    rows = re.findall(r"^\| (.+) \((\w+)\) \| (\S+) ± \S+ \| (\S+) \|.*\|(.*)\|$", DOCUMENT.read_text(), re.M)
    written = {
        about: (float(published), float(predicted), "missed" in mark)
        for about, _, published, predicted, mark in rows
    }
    computed = [*resting_adults(), *posture_and_exercise(), *law_2003(people=1)]
    assert len(written) == len(computed) > 50
    for claim in computed:
        published, predicted, missed = written[claim.about]
        assert claim.published == pytest.approx(published, abs=0.051)
        assert claim.predicted == pytest.approx(predicted, abs=0.06), claim.about
        assert missed is not claim.met, claim.about


def test_doses_of_every_class_are_ports_and_another_word_is_told(tmp_path: Path) -> None:
    assert set(values(model("antihypertensives").Inputs())) == set(CLASSES)
    with pytest.raises(vht.CompositionError, match="thiazide"):
        vht.simulate(PATIENT, doses={"antihypertensives.thiazid": 1.0}, days=[0])
