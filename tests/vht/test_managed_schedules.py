"""Schedules of instants under dosing policies: each patient's own doses, scaled, held and delayed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from organ_models.schedules import Schedule, boluses, infusions
from tests.vht.test_managed import DOSE, PATIENT, PSA, Weeks, _people
from vht import VirtualPatient, sample, simulate, typical
from vht.course import course
from vht.managed import Managed, Rule, managed_course
from vht.patient import Coupling
from vht.policies import Action, Key, Memory, Observation, ReduceOnNeutropenia

KINETICS = VirtualPatient(["docetaxel_ozawa"])
INFUSED, GIVEN_AT_ONCE = "docetaxel_ozawa.infusion_rate", "docetaxel_ozawa.dose"
COUNT = "docetaxel_neutropenia_kloft"
BLOOD = VirtualPatient(
    ["docetaxel_ozawa", COUNT], [Coupling("docetaxel_ozawa.molar_concentration", f"{COUNT}.concentration")]
)
VISITS = {"neutrophils": list(range(0, 63, 7))}
OWN = np.array([120.0, 150.0, 180.0])
"""mg of three patients."""


def _given(rule: Weeks, plan: Schedule, port: str = INFUSED) -> Managed:
    return managed_course(BLOOD, typical(BLOOD, 3), {port: plan}, [Rule(rule)], VISITS, 63, seed=1)


def _doses(found: Managed, port: str = INFUSED) -> dict[float, list[float]]:
    """mg of each patient by the day on which it begins."""
    plan = found.doses[port]
    assert isinstance(plan, Schedule)
    hours = 24.0 * np.diff(np.append(plan.times, 63.0)) if port == INFUSED else np.ones(plan.times.size)
    amounts = plan.amounts * hours[:, None]
    return {float(t): a.tolist() for t, a in zip(plan.times, amounts, strict=True) if a.any()}


def test_infusions_of_each_patients_own_dose_pass_a_policy_that_changes_nothing() -> None:
    """Given as they are to the simulation, the same comes out to the bit."""
    plan = infusions(np.tile(OWN, (3, 1)), 1.0, [0, 21, 42])
    found = _given(Weeks(set(), False), plan)
    assert list(_doses(found)) == [0, 21, 42]
    assert np.array(list(_doses(found).values())) == pytest.approx(np.tile(OWN, (3, 1)))
    again = simulate(
        BLOOD, typical(BLOOD, 3), doses=found.doses, days=[0, 30, 63], opportunities=np.arange(63)
    )
    shown = found.outputs[f"{COUNT}.neutrophils"]
    assert (shown[[0, 30, 63]] == again.outputs[f"{COUNT}.neutrophils"]).all()
    plain = course(BLOOD, typical(BLOOD, 3), {INFUSED: plan}, [0, 30, 63])
    assert shown[[0, 30, 63]] == pytest.approx(plain.outputs[f"{COUNT}.neutrophils"], rel=1e-4)
    assert found.held_days().tolist() == [0, 0, 0]


def test_a_level_scales_each_patients_own_infusion() -> None:
    plan = infusions(np.tile(OWN, (3, 1)), 1.0, [0, 21, 42])
    found = _given(Weeks(set(), False, level=0.75), plan)
    assert np.array(list(_doses(found).values())) == pytest.approx(np.tile(0.75 * OWN, (3, 1)))


def test_a_hold_between_two_infusions_delays_none() -> None:
    """Held on days 7 to 20, when nothing is due: the next infusion is on day 21 all the same."""
    found = _given(Weeks({1, 2}, True), infusions(np.tile(OWN, (3, 1)), 1.0, [0, 21, 42]))
    assert list(_doses(found)) == [0, 21, 42]
    assert found.held_days().tolist() == [0, 0, 0]


def test_a_delay_moves_the_due_infusion_and_all_after_it() -> None:
    found = _given(Weeks({3}, True), infusions(np.tile(OWN, (3, 1)), 1.0, [0, 21, 42]))
    assert list(_doses(found)) == [0, 28, 49]
    assert np.array(list(_doses(found).values())) == pytest.approx(np.tile(OWN, (3, 1)))
    assert found.held_days().tolist() == [7, 7, 7]


def test_a_hold_that_does_not_wait_leaves_the_due_infusion_out() -> None:
    found = _given(Weeks({3}, False), infusions(np.tile(OWN, (3, 1)), 1.0, [0, 21, 42]))
    assert list(_doses(found)) == [0, 42]
    assert found.held_days().tolist() == [1, 1, 1]


def test_two_boluses_a_day_keep_their_hours_when_they_are_moved() -> None:
    at = [0.25, 0.75, 21.25, 21.75]
    found = _given(Weeks({3}, True), boluses(np.tile(OWN, (4, 1)), at), GIVEN_AT_ONCE)
    assert list(_doses(found, GIVEN_AT_ONCE)) == [0.25, 0.75, 28.25, 28.75]


def test_an_infusion_overnight_goes_on_as_decided_at_midnight() -> None:
    """150 mg over 24 h from noon on, halved from day 7 on: the half of day 6 whole, that of day 7 halved."""

    @dataclass(frozen=True)
    class HalvedFromDay7:
        def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
            no = np.zeros(observation.patients, dtype=bool)
            return Action(np.where(no, 1.0, 0.5 if observation.day >= 7 else 1.0), no, no, no), memory

    found = managed_course(
        BLOOD,
        typical(BLOOD),
        {INFUSED: infusions(150.0, 24.0, [6.5])},
        [Rule(HalvedFromDay7())],
        VISITS,
        63,
        seed=1,
    )
    assert {day: dose[0] for day, dose in _doses(found).items()} == pytest.approx({6.5: 75.0, 7.0: 37.5})


def test_patients_with_plans_of_their_own_do_not_hang_on_each_other() -> None:
    """Alone, each gets the doses and the course to the bit that it gets among the others."""
    rule = ReduceOnNeutropenia("neutrophils", 1.5, 1.5, 0.7, levels=(1.0, 0.75, 0.5))
    people = sample(BLOOD, 6, seed=5)
    own = np.linspace(100.0, 220.0, 6)
    plan = infusions(np.tile(own, (3, 1)), 1.0, [0, 21, 42])

    def run(lanes: np.ndarray) -> Managed:
        return managed_course(
            BLOOD, people.take(lanes), {INFUSED: plan.take(lanes)}, [Rule(rule)], VISITS, 63, seed=1
        )

    together = run(np.arange(6))
    given = together.doses[INFUSED]
    assert isinstance(given, Schedule)
    assert len({tuple(column) for column in (given.amounts / own).T.round(12).tolist()}) > 1
    for lane in range(6):
        alone = run(np.array([lane]))
        mine = alone.doses[INFUSED]
        assert isinstance(mine, Schedule)
        assert (mine.amounts[:, 0] == given.amounts[:, lane]).all()
        for port, trace in alone.outputs.items():
            assert (trace[:, 0] == together.outputs[port][:, lane]).all(), port


def test_daily_doses_of_each_patient_pass_a_policy() -> None:
    own = np.arange(28.0)[:, None] + [0.0, 100.0]
    found = managed_course(
        PATIENT, _people(2), {DOSE: own}, [Rule(Weeks({1}, True))], {PSA: [0, 7, 14, 21]}, 28, seed=1
    )
    given = found.doses[DOSE]
    assert isinstance(given, np.ndarray)
    assert (given[:7] == own[:7]).all()
    assert (given[7:14] == 0).all()
    assert (given[14:] == own[7:21]).all()
    assert found.held_days().tolist() == [7, 7]
