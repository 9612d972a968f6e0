"""Courses under dosing policies: what is given follows from what is seen, patient by patient."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models.model import NoFields, OrganModel, Reference, parameter, variable, variables
from organ_models.schedules import Schedule
from vht import CompositionError, Individuals, VirtualPatient, simulate, sunitinib_gist, typical
from vht.course import slow_course
from vht.cycles import cycles_on, untreated
from vht.managed import Rule, managed_course
from vht.policies import (
    Action,
    AdaptiveHalving,
    FixedSchedule,
    HoldOnPressure,
    Key,
    Memory,
    Observation,
    StopOnProgression,
)

TEST = Reference("test", "made for tests")
PSA, DOSE = "prostate_specific_antigen", "toy.treatment"


@variables
class Rates:
    start: Any = parameter(20.0, "ng/mL", "at the start", source=TEST, bounds=(0, 1e6))
    growth: Any = parameter(0.02, "/d", "growth", source=TEST, bounds=(0, 1))
    kill: Any = parameter(0.052, "/d", "kill under full treatment", source=TEST, bounds=(0, 1))


@variables
class LogSize:
    log_size: Any = variable("1", "logarithm of the size")


@variables
class Treatment:
    treatment: Any = variable("1", "part of full treatment", default=0.0)


@variables
class Marker:
    psa: Any = variable("ng/mL", "marker", quantity=PSA)


TOY = OrganModel(
    name="toy",
    title="exponential growth under treatment",
    version="1",
    clock="d",
    Parameters=Rates,
    State=LogSize,
    Inputs=Treatment,
    Outputs=Marker,
    initial=lambda p: LogSize(log_size=jnp.log(p.start)),
    derivative=lambda t, x, p, u: LogSize(log_size=p.growth - p.kill * u.treatment + 0.0 * x.log_size),
    observe=lambda t, x, p, u: Marker(psa=jnp.exp(x.log_size)),
    references=(TEST,),
    Events=NoFields,
)
PATIENT = VirtualPatient([TOY])


def _people(n: int) -> Individuals:
    luck = np.random.default_rng(4)
    return Individuals(
        np.arange(n) * 7 + 3,
        {
            "toy": Rates(
                start=20.0 * np.exp(0.3 * luck.standard_normal(n)),
                growth=0.02 * np.exp(0.3 * luck.standard_normal(n)),
                kill=0.052 * np.exp(0.3 * luck.standard_normal(n)),
            )
        },
    )


def test_a_fixed_schedule_is_the_course_with_these_doses() -> None:
    people, planned = _people(5), np.where(np.arange(84) % 42 < 28, 1.0, 0.0)
    found = managed_course(
        PATIENT, people, {DOSE: planned}, [Rule(FixedSchedule())], {PSA: [0, 30]}, 84, seed=1
    )
    expected = slow_course(PATIENT, people, {DOSE: np.repeat(planned[:, None], 5, axis=1)}, 84)
    assert (found.outputs["toy.psa"] == expected["toy.psa"]).all()
    assert (found.doses[DOSE] == planned[:, None]).all()
    assert np.isinf(found.stopped()).all()


def test_adaptive_therapy_goes_off_below_half_and_on_above_the_reference() -> None:
    visits = list(range(0, 365, 7))
    found = managed_course(
        PATIENT,
        typical(PATIENT),
        {DOSE: np.ones(365)},
        [Rule(AdaptiveHalving(PSA))],
        {PSA: visits},
        365,
        seed=1,
    )
    psa, dose = found.outputs["toy.psa"][:, 0], found.doses[DOSE][:, 0]
    # ln 2 / (.052 - .02) = 21.7 d on to one half, seen on day 28, at 20 e^(-.896); growing back takes
    # 44.8 d at .02/d, seen on day 77
    assert dose[:77].tolist() == [1.0] * 28 + [0.0] * 49
    assert psa[28] == pytest.approx(20.0 * np.exp(-0.032 * 28))
    assert psa[77] == pytest.approx(20.0 * np.exp(-0.032 * 28 + 0.02 * 49))
    assert 0.3 < dose.mean() < 0.5  # about .02 / .052 of full treatment holds the size
    assert found.held_days().item() == int((dose == 0).sum())


def test_each_patient_is_treated_as_if_alone() -> None:
    people, visits, rules = _people(9), list(range(0, 200, 10)), [Rule(AdaptiveHalving(PSA))]
    planned = {DOSE: np.ones(200)}
    together = managed_course(PATIENT, people, planned, rules, {PSA: visits}, 200, seed=1)
    assert len(np.unique(together.doses[DOSE], axis=1).T) > 3  # patients are treated differently
    for i in (0, 4, 8):
        alone = managed_course(
            PATIENT, people.take(np.array([i])), planned, rules, {PSA: visits}, 200, seed=1
        )
        assert (alone.doses[DOSE][:, 0] == together.doses[DOSE][:, i]).all()
        assert (alone.outputs["toy.psa"][:, 0] == together.outputs["toy.psa"][:, i]).all()


def test_what_was_given_simulates_to_the_same_course() -> None:
    people = _people(4)
    found = managed_course(
        PATIENT, people, {DOSE: np.ones(90)}, [Rule(AdaptiveHalving(PSA))], {PSA: range(0, 90, 6)}, 90, seed=1
    )
    again = simulate(PATIENT, people, doses=found.doses, days=[0, 30, 90])
    assert (again.outputs["toy.psa"] == found.outputs["toy.psa"][[0, 30, 90]]).all()


def test_policies_decide_on_what_was_measured_and_not_on_what_is() -> None:
    def read(name: str, day: int, true: np.ndarray) -> np.ndarray:
        return true * (0.4 if day == 14 else 1.0)  # one reading far too low

    rules = [Rule(AdaptiveHalving(PSA))]
    visits = {PSA: [0, 7, 14, 21]}
    honest = managed_course(PATIENT, typical(PATIENT), {DOSE: np.ones(28)}, rules, visits, 28, seed=1)
    misled = managed_course(
        PATIENT, typical(PATIENT), {DOSE: np.ones(28)}, rules, visits, 28, seed=1, read=read
    )
    assert honest.doses[DOSE][:, 0].tolist() == [1.0] * 28
    assert misled.doses[DOSE][:, 0].tolist() == [1.0] * 14 + [0.0] * 14


class Weeks:
    """Holds in chosen weeks, with or without the schedule waiting."""

    def __init__(self, weeks: set[int], wait: bool, level: float = 1.0):
        self.weeks, self.wait, self.level = weeks, wait, level

    def __call__(self, seen: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        n = seen.patients
        hold = np.full(n, seen.day // 7 in self.weeks)
        return Action(np.full(n, self.level), hold, np.full(n, self.wait), np.zeros(n, bool)), memory


def test_a_delay_moves_the_schedule_and_a_hold_leaves_doses_out() -> None:
    planned = {DOSE: np.arange(28.0)}
    weekly = {PSA: [0, 7, 14, 21]}
    waited = managed_course(PATIENT, typical(PATIENT), planned, [Rule(Weeks({1}, True))], weekly, 28, seed=1)
    held = managed_course(PATIENT, typical(PATIENT), planned, [Rule(Weeks({1}, False))], weekly, 28, seed=1)
    assert waited.doses[DOSE][:, 0].tolist() == [*range(7), *[0] * 7, *range(7, 21)]
    assert held.doses[DOSE][:, 0].tolist() == [*range(7), *[0] * 7, *range(14, 28)]


def test_levels_of_several_policies_multiply() -> None:
    rules = [Rule(Weeks(set(), False, 0.8)), Rule(Weeks({2}, False, 0.5), ports=(DOSE,))]
    found = managed_course(
        PATIENT, typical(PATIENT), {DOSE: np.ones(28)}, rules, {PSA: [0, 7, 14, 21]}, 28, seed=1
    )
    assert found.doses[DOSE][:, 0].tolist() == pytest.approx([0.4] * 14 + [0.0] * 7 + [0.4] * 7)


def test_a_pressure_is_read_on_the_converged_cycle_of_the_day() -> None:
    patient, port = sunitinib_gist(), "sunitinib_exposure.daily_dose"
    people = typical(patient)
    seen: list[float] = []

    def read(name: str, day: int, true: np.ndarray) -> np.ndarray:
        seen.append(float(true[0]))
        return true

    pressure = "diastolic_blood_pressure"
    base = {m.name: untreated(patient, m, people) for m in patient.cyclic}
    # the typical patient starts near 80 mmHg and rises by 9 to 10 %: over 84 after four weeks of 50 mg
    rule = Rule(HoldOnPressure(pressure, hold_at=84.0, resume_below=82.0))
    found = managed_course(
        patient,
        people,
        {port: np.full(84, 50.0)},
        [rule],
        {pressure: [0, 28, 56]},
        84,
        seed=1,
        read=read,
        baselines=base,
    )
    days = np.array([[0], [28], [56]])
    cycles = cycles_on(patient, base, found.outputs, days)
    shown = cycles.outputs["closed_loop_circulation.diastolic_pressure"][:, 0]
    assert seen == shown.tolist()
    assert shown[1] > 84.0
    dose = found.doses[port][:, 0]
    assert dose[:28].tolist() == [50.0] * 28
    assert dose[28:56].tolist() == [0.0] * 28
    assert shown[2] < 82.0
    assert dose[56:].tolist() == [50.0] * 28


def test_progression_ends_treatment_on_the_day_that_shows_it() -> None:
    @variables
    class Sum:
        size: Any = variable("mm", "sum", quantity="sum_of_longest_diameters")

    tumour = OrganModel(
        **{**_as_fields(TOY), "Outputs": Sum, "observe": lambda t, x, p, u: Sum(size=jnp.exp(x.log_size))}
    )
    patient = VirtualPatient([tumour])
    people = Individuals(
        np.arange(2), {"toy": Rates(start=np.full(2, 80.0), growth=np.array([0.01, 0.0]), kill=np.zeros(2))}
    )
    name = "sum_of_longest_diameters"
    found = managed_course(
        patient,
        people,
        {DOSE: np.ones(84)},
        [Rule(StopOnProgression(name))],
        {name: [0, 14, 28, 42]},
        84,
        seed=1,
    )
    # 80 e^(.01 x 14) is +15 %, e^(.28) is +32 %
    assert found.stopped().tolist() == [28.0, np.inf]
    assert found.doses[DOSE].sum(axis=0).tolist() == [28.0, 84.0]
    lesions = managed_course(
        patient,
        people,
        {DOSE: np.ones(84)},
        [Rule(StopOnProgression(name))],
        {name: [0, 14, 28, 42]},
        84,
        seed=1,
        also=lambda day: {"new_lesion": np.array([0.0, float(day >= 14)])},
    )
    assert lesions.stopped().tolist() == [28.0, 14.0]


def _as_fields(model: OrganModel) -> dict[str, Any]:
    import dataclasses

    return {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}


@pytest.mark.parametrize(
    ("schedule", "rules", "visits", "error", "message"),
    [
        ({}, [], {}, ValueError, "at least one dose port"),
        ({DOSE: np.ones(5)}, [], {}, ValueError, "one amount for each of 28 days"),
        (
            {DOSE: np.ones(28)},
            [Rule(FixedSchedule(), ("toy.other",))],
            {},
            ValueError,
            "nothing is scheduled there",
        ),
        ({DOSE: np.ones(28)}, [Rule(AdaptiveHalving(PSA))], {}, ValueError, "no visit measures it"),
        ({"toy.psa": np.ones(28)}, [], {}, CompositionError, "doses cannot be given here"),
        ({DOSE: np.ones(28)}, [], {"heart_rate": [0]}, CompositionError, "shows 'heart_rate'"),
        ({DOSE: np.ones((28, 3))}, [], {}, ValueError, "one for each day and patient"),
        ({DOSE: Schedule([0.0], np.ones((1, 3)))}, [], {}, ValueError, "for 3 patients; there are 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    schedule: Any, rules: Any, visits: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        managed_course(PATIENT, typical(PATIENT), schedule, rules, visits, 28, seed=1)
