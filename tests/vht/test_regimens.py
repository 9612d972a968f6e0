"""Regimens: when what is given to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import vht
from organ_models import catalogue
from organ_models.model import fields
from organ_models.pharmacology.ingredients import INGREDIENTS
from organ_models.schedules import Schedule, boluses, infusions
from vht.course import course
from vht.population import typical
from vht.regimens import Regimen, body_surface


def regimen(**changes: Any) -> Regimen:
    given = {
        "drug": "docetaxel",
        "dose": 75.0,
        "unit": "mg/m2",
        "route": "infusion",
        "infusion_hours": 1.0,
        "interval_days": 21.0,
        "source": "assumption: made for tests",
    }
    return Regimen(**{**given, **changes})


CAPECITABINE = regimen(
    drug="capecitabine",
    dose=1250.0,
    route="oral",
    infusion_hours=None,
    interval_days=0.5,
    days_on=14,
    days_off=7,
)


def test_every_three_weeks_is_every_three_weeks() -> None:
    np.testing.assert_array_equal(regimen().times(63), [0, 21, 42])
    np.testing.assert_array_equal(regimen(cycles=2, first_day=3).times(100), [3, 24])
    assert regimen(first_day=10).times(5).size == 0


def test_twice_a_day_for_two_weeks_of_three() -> None:
    times = CAPECITABINE.times(42)
    assert times.size == 2 * 28
    np.testing.assert_array_equal(times[:3], [0, 0.5, 1.0])
    np.testing.assert_array_equal(times[27:30], [13.5, 21.0, 21.5])
    np.testing.assert_array_equal(CAPECITABINE.model_copy(update={"cycles": 1}).times(100), times[:28])


def test_the_dose_goes_by_surface_and_the_whole_of_it_runs_in() -> None:
    """75 mg/m² at 1.6 and 2.4 m², capped at 2: 120 and 150 mg in an hour."""
    plan = regimen(capped_surface=2.0).schedule(22, surface=np.array([1.6, 2.4]))
    np.testing.assert_allclose(plan.times, [0, 1 / 24, 21, 21 + 1 / 24], atol=1e-9)
    np.testing.assert_allclose(plan.amounts, [[120, 150], [0, 0]] * 2, rtol=1e-7)
    ran = np.diff(plan.times)[0] * 24 * plan.amounts[0]
    np.testing.assert_allclose(ran, [120, 150], rtol=1e-12)


def test_the_loading_dose_is_the_first() -> None:
    plan = regimen(
        drug="trastuzumab", dose=6.0, loading_dose=8.0, unit="mg/kg", route="injection", infusion_hours=None
    ).schedule(50, weight=70.0)
    np.testing.assert_array_equal(plan.amounts, [560, 420, 420])


def test_a_missed_dose_keeps_its_instant() -> None:
    plan = regimen(missed=(2,)).schedule(60, surface=1.0)
    whole = regimen().schedule(60, surface=1.0)
    np.testing.assert_array_equal(plan.times, whole.times)
    np.testing.assert_array_equal(plan.amounts[2:4], 0)
    taken = np.array([[1, 1], [1, 0], [1, 1]])
    own = regimen().schedule(60, surface=1.0, taken=taken)
    np.testing.assert_array_equal(own.amounts[:, 0], whole.amounts)
    np.testing.assert_array_equal(own.amounts[:, 1], plan.amounts)


def test_who_misses_a_dose_changes_no_bit_of_a_neighbour() -> None:
    patient = vht.VirtualPatient(
        ["docetaxel_onoue", "docetaxel_neutropenia_friberg"],
        [vht.Coupling("docetaxel_onoue.molar_concentration", "docetaxel_neutropenia_friberg.concentration")],
    )
    taken = np.array([[1, 0, 1], [1, 1, 0]])
    sizes = np.array([1.5, 1.8, 2.1])
    whole = regimen().doses("docetaxel_onoue", 30, surface=sizes, taken=taken)
    alone = regimen().doses("docetaxel_onoue", 30, surface=sizes[1:2], taken=taken[:, 1:2])
    together = course(patient, typical(patient, 3), whole, [8.5, 30])
    single = course(patient, typical(patient, 1), alone, [8.5, 30])
    np.testing.assert_array_equal(together.state[:, 1:2], single.state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drug": "docetaxol"}, "no model carries 'docetaxol'"),
        ({"infusion_hours": None}, "an infusion needs them"),
        ({"route": "oral"}, "nothing else takes them"),
        ({"days_on": 14}, "give both"),
        ({"days_on": 14, "days_off": 7}, "longer than the days on"),
        ({"unit": "mg", "capped_surface": 2.0}, "only a dose by body surface"),
        ({"dose": -1.0}, "greater than 0"),
        ({"doses": 3}, "Extra inputs"),
    ],
)
def test_a_regimen_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        regimen(**changes)


def test_a_size_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="surface: a dose in mg/m2 needs it"):
        regimen().schedule(21, weight=70.0)
    with pytest.raises(ValueError, match="surface: wanted a positive number"):
        regimen().schedule(21, surface=[1.7, np.nan])
    with pytest.raises(ValueError, match=r"wanted the shape \(1, patients\)"):
        regimen().schedule(21, surface=1.7, taken=np.ones((2, 3)))


def test_a_drug_goes_to_its_own_models_by_their_route() -> None:
    assert list(CAPECITABINE.doses("capecitabine", 1, surface=1.7)) == ["capecitabine.dose"]
    assert list(regimen().doses("docetaxel_ozawa", 1, surface=1.7)) == ["docetaxel_ozawa.infusion_rate"]
    with pytest.raises(ValueError, match="carries sunitinib, and the regimen is of docetaxel"):
        regimen().doses("sunitinib", 1, surface=1.7)
    with pytest.raises(ValueError, match="carries no drug"):
        regimen().doses("hansson_gist", 1, surface=1.7)
    with pytest.raises(ValueError, match="the route 'oral' is not modelled"):
        regimen(route="oral", infusion_hours=None).doses("docetaxel_ozawa", 1, surface=1.7)


def test_every_kinetic_model_names_its_ingredient() -> None:
    for name in INGREDIENTS:
        model = catalogue()[name]
        assert "infusion_rate" in fields(model.Inputs) or "dose" in fields(model.Events)
    infused = {n for n, m in catalogue().items() if "infusion_rate" in fields(m.Inputs)}
    assert infused <= set(INGREDIENTS)


def test_body_surface_by_mosteller() -> None:
    """70 kg and 170 cm: the square root of 70 × 170 / 3600, 1.818 m²."""
    assert float(body_surface(70.0, 170.0)) == pytest.approx(1.81812, rel=1e-5)


# -- schedules -------------------------------------------------------------------------------------


def test_overlapping_infusions_add_and_end_at_nothing() -> None:
    plan = infusions([24.0, 48.0], 12.0, [0.0, 0.25])
    np.testing.assert_allclose(plan.times, [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(plan.amounts, [2, 6, 4, 0])
    assert plan.amounts[-1] == 0.0


def test_an_infusion_and_a_bolus_leave_the_same_exposure() -> None:
    patient = vht.VirtualPatient(["docetaxel_ozawa"])
    port = "docetaxel_ozawa.cumulative_exposure"
    given = {
        "docetaxel_ozawa.infusion_rate": infusions(90.0, 1.0, [0.0]),
        "docetaxel_ozawa.dose": boluses(90.0, [0.25]),
    }
    for port_in, plan in given.items():
        end = vht.simulate(patient, doses={port_in: plan}, days=[0, 60]).outputs[port]
        assert end[-1, 0] == pytest.approx(90 / 35.7, rel=1e-9)


def test_readings_within_the_day_change_no_bit_of_a_closed_form() -> None:
    patient = vht.VirtualPatient(["docetaxel_onoue"])
    doses = {"docetaxel_onoue.infusion_rate": infusions(90.0, 1.0, [0.0, 21.0])}
    few = vht.simulate(patient, doses=doses, days=[0, 22])
    many = vht.simulate(patient, doses=doses, days=np.linspace(0, 22, 45))
    port = "docetaxel_onoue.cumulative_exposure"
    np.testing.assert_allclose(many.outputs[port][-1], few.outputs[port][-1], rtol=1e-12)
    assert np.all(np.diff(many.outputs[port][:, 0]) >= 0)


def test_a_daily_dose_and_the_same_schedule_give_the_same_course() -> None:
    patient = vht.VirtualPatient(["sunitinib"])
    daily = course(patient, typical(patient), {"sunitinib.dose": np.full(20, 50.0)}, [10, 20])
    plan = course(patient, typical(patient), {"sunitinib.dose": boluses(50.0, np.arange(20.0))}, [10, 20])
    np.testing.assert_array_equal(daily.state, plan.state)


def test_a_schedule_for_other_patients_is_refused() -> None:
    patient = vht.VirtualPatient(["sunitinib"])
    plan = boluses(np.ones((2, 3)), [0.0, 1.0])
    with pytest.raises(ValueError, match=r"sunitinib.dose: a schedule for 3 patients; there are 2"):
        course(patient, typical(patient, 2), {"sunitinib.dose": plan}, [5])


@pytest.mark.parametrize(
    ("times", "amounts", "message"),
    [
        ([0.0, 0.0], [1.0, 1.0], "increasing"),
        ([-1.0], [1.0], "increasing"),
        ([0.0], [1.0, 2.0], "wanted"),
        ([0.0], [-1.0], "not negative"),
        ([0.0], [np.nan], "finite"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(times: Any, amounts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(times, amounts)


def test_the_same_instant_is_one_however_it_was_computed() -> None:
    assert Schedule([0.1 + 0.2], [1.0]).times[0] == Schedule([0.3], [1.0]).times[0]
