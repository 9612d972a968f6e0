"""The course of slow models: grids, doses that arrive, closed forms, stiffness, and both back ends."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import catalogue
from organ_models.engines import VARIABLE
from organ_models.grids import finest, grid
from organ_models.model import NoFields, OrganModel, Reference, Stride, fields, parameter, variable, variables
from vht import CompositionError, Coupling, Individuals, VirtualPatient, simulate, sunitinib_gist, typical
from vht.course import course, dose_ports, slow_course

TEST = Reference("test", "made for tests")


@variables
class Rate:
    rate: float = parameter(0.3, "/d", "elimination", source=TEST, bounds=(0, 1e6))


@variables
class Amount:
    amount: float = variable("mg", "in the body")


@variables
class Infusion:
    infusion: float = variable("mg/d", "given evenly over the day", default=0.0)


@variables
class Bolus:
    bolus: float = variable("mg", "given at once", default=0.0)


def compartment(**changes: Any) -> OrganModel:
    """One compartment with first-order elimination."""
    given = {
        "name": "drug",
        "title": "one compartment",
        "version": "1",
        "clock": "d",
        "Parameters": Rate,
        "State": Amount,
        "Inputs": Infusion,
        "Outputs": Amount,
        "Events": Bolus,
        "initial": lambda p: Amount(amount=0.0 * p.rate),
        "derivative": lambda t, x, p, u: Amount(amount=u.infusion - p.rate * x.amount),
        "observe": lambda t, x, p, u: Amount(amount=x.amount),
        "jump": lambda x, e, p: Amount(amount=x.amount + e.bolus),
        "references": (TEST,),
    }
    return OrganModel(**{**given, **changes})


def exact(elapsed: Any, x: Any, p: Any, u: Any) -> Any:
    level = u.infusion / p.rate
    return Amount(amount=level + (x.amount - level) * jnp.exp(-p.rate * elapsed))


def people(rates: list[float]) -> Individuals:
    return Individuals(np.arange(len(rates)), {"drug": Rate(rate=np.array(rates))})


def every(days: int, amount: float, last: int) -> np.ndarray:
    return np.where(np.arange(last) % days == 0, amount, 0.0)


def superposed(rate: np.ndarray, doses: np.ndarray, day: int) -> np.ndarray:
    """Sum of what is left of every bolus before the dose of a day."""
    given = np.arange(day)
    return (doses[:day, None] * np.exp(-np.outer(day - given, rate))).sum(axis=0)


# -- the grid --------------------------------------------------------------------------------------


def test_steps_are_uniform_unless_a_stride_grows() -> None:
    steps = grid(Stride(longest=0.25), [3, 10], [], start=0)
    np.testing.assert_array_equal(steps.width, 0.25)
    np.testing.assert_array_equal(steps.first, [12, 40])
    np.testing.assert_allclose(steps.time, 0.25 * np.arange(40))


def test_steps_grow_after_an_event_and_meet_every_reading() -> None:
    stride = Stride(longest=2.0, first=0.01, growth=2.0)
    steps = grid(stride, [5, 21, 42], [0, 21])
    assert steps.width[0] == pytest.approx(0.01, rel=0.3)  # scaled so that the interval is met
    assert steps.width.max() <= 2.0
    assert steps.time.size < 45
    ends = steps.time + steps.width
    for reading, first in zip(steps.readings, steps.first, strict=True):
        assert ends[first - 1] == pytest.approx(reading, abs=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(steps.begins), [0, steps.first[1]])
    # five days after the dose the steps go on growing, they do not start again
    assert steps.width[steps.first[0]] > 0.5


def test_a_grid_that_starts_later_takes_the_steps_of_the_whole() -> None:
    stride = Stride(longest=2.0, first=0.01, growth=2.0)
    whole, part = grid(stride, [28, 56], [0, 21, 42]), grid(stride, [56], [0, 21, 42], start=28)
    np.testing.assert_array_equal(part.time, whole.time[whole.first[0] :])
    np.testing.assert_array_equal(part.width, whole.width[whole.first[0] :])


def test_halved_steps_are_halves() -> None:
    stride = Stride(longest=1.0, first=0.1)
    one, two = grid(stride, [9], [0, 4]), grid(stride, [9], [0, 4], refine=2)
    np.testing.assert_allclose(two.width.reshape(-1, 2).sum(axis=1), one.width)
    assert two.begins.sum() == one.begins.sum()


def test_a_composition_takes_the_finest_of_its_strides() -> None:
    assert finest([Stride(0.5), Stride(2.0, first=0.1, growth=1.2)]) == Stride(0.5, 0.1, 1.2)


# -- what arrives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
def test_boluses_decay_as_the_closed_form_says(closed: bool) -> None:
    model = compartment(solution=exact) if closed else compartment(stride=Stride(0.5, 0.02, 1.3))
    patient = VirtualPatient([model])
    doses = every(21, 100.0, 84)
    run = course(patient, people([0.1, 0.5, 1.0]), {"drug.bolus": doses}, [0, 1, 20, 21, 22, 84])
    expected = [superposed(np.array([0.1, 0.5, 1.0]), doses, d) for d in run.days]
    found = run.outputs["drug.amount"]
    np.testing.assert_allclose(found, expected, rtol=1e-12 if closed else 1e-4, atol=1e-5)
    assert (found[3] < 13.0).all()  # day 21 is read before its dose


def test_a_graded_grid_is_worth_many_uniform_steps() -> None:
    """The same number of steps, uniform, errs a hundred times as much."""
    doses, fast = every(21, 100.0, 63), people([1.0])
    graded = VirtualPatient([compartment(stride=Stride(2.0, 0.02, 1.25))])
    uniform = VirtualPatient([compartment(stride=Stride(21 / 22))])
    truth = superposed(np.array([1.0]), doses, 22)
    errors = []
    for patient in (graded, uniform):
        found = course(patient, fast, {"drug.bolus": doses}, [22, 63]).outputs["drug.amount"][0]
        errors.append(abs(found / truth - 1)[0])
    assert errors[0] < 1e-5
    assert errors[1] > 100 * errors[0]


def test_patients_may_get_different_amounts_and_none_changes_nothing() -> None:
    patient = VirtualPatient([compartment()])
    three = people([0.2, 0.2, 0.2])
    doses = np.outer(every(7, 1.0, 28), [100.0, 50.0, 0.0])
    found = course(patient, three, {"drug.bolus": doses}, [28]).outputs["drug.amount"][0]
    assert found[1] == found[0] / 2
    assert found[2] == 0.0
    alone = course(patient, people([0.2]), {"drug.bolus": 50.0 * every(7, 1.0, 28)}, [28])
    assert alone.outputs["drug.amount"][0, 0] == found[1]


def test_infusions_and_boluses_are_told_apart() -> None:
    patient = VirtualPatient([compartment(solution=exact)])
    assert dose_ports(patient) == ["drug.infusion", "drug.bolus"]
    found = course(patient, people([0.5]), {"drug.infusion": 10.0}, [200]).outputs["drug.amount"]
    assert found[0, 0] == pytest.approx(20.0, rel=1e-12)  # infusion over elimination rate


@pytest.mark.parametrize(
    ("doses", "message"),
    [
        ({"drug.bolus": [-1.0] * 9}, r"drug\.bolus: a dose must be a finite number"),
        ({"drug.bolus": [1.0]}, r"doses for 1 days, but the simulation lasts 9"),
        ({"drug.bolus": np.ones((9, 4))}, r"shape \(9, 4\); wanted \(days,\) or \(days, 2\)"),
    ],
)
def test_wrong_doses_name_their_port(doses: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        course(VirtualPatient([compartment()]), people([0.1, 0.2]), doses, [9])


def test_a_dose_where_none_is_taken_names_the_ports() -> None:
    with pytest.raises(CompositionError, match=r"they can at drug\.infusion, drug\.bolus"):
        course(VirtualPatient([compartment()]), people([0.1]), {"drug.amount": 1.0}, [9])


# -- stops and stiffness ------------------------------------------------------------------------------


def test_a_state_is_stopped_after_every_step() -> None:
    emptied = compartment(
        derivative=lambda t, x, p, u: Amount(amount=u.infusion - 5.0 * p.rate),
        project=lambda x, p, u: Amount(amount=jnp.maximum(x.amount, 0.0)),
    )
    doses = every(10, 2.0, 30)
    found = slow_course(VirtualPatient([emptied]), people([0.3]), {"drug.bolus": doses}, 30)["drug.amount"]
    assert found.min() == 0.0
    assert found[1, 0] == pytest.approx(0.5)  # 2 - 5 x 0.3


@variables
class Robertson:
    a: float = variable("1", "first species")
    b: float = variable("1", "second species")
    c: float = variable("1", "third species")


def robertson(**changes: Any) -> OrganModel:
    return compartment(
        **{
            "name": "kinetics",
            "State": Robertson,
            "Outputs": Robertson,
            "Events": NoFields,
            "jump": None,
            "initial": lambda p: Robertson(1.0 + 0 * p.rate, 0 * p.rate, 0 * p.rate),
            "derivative": lambda t, x, p, u: Robertson(
                a=-0.04 * x.a + 1e4 * x.b * x.c,
                b=0.04 * x.a - 1e4 * x.b * x.c - p.rate * x.b**2,
                c=p.rate * x.b**2,
            ),
            "observe": lambda t, x, p, u: x,
            "stiff": True,
            **changes,
        }
    )


def test_a_stiff_model_is_solved_implicitly_and_every_patient_alone() -> None:
    """Robertson's kinetics at t = 40: 0.7158, 9.185e-6, 0.2842 (Hairer and Wanner, Solving ODEs II)."""
    pytest.importorskip("diffrax")
    patient = VirtualPatient([robertson()])
    rates = np.array([3e7, 1e7, 1e6])
    many = Individuals(np.arange(3), {"kinetics": Rate(rate=rates)})
    found = course(patient, many, {}, [40])
    np.testing.assert_allclose(found.state[:, 0], [0.7158271, 9.18553e-6, 0.2841637], rtol=1e-5)
    one = course(patient, Individuals(np.arange(1), {"kinetics": Rate(rate=rates[:1])}), {}, [40])
    np.testing.assert_array_equal(one.state[:, 0], found.state[:, 0])
    explicit = course(VirtualPatient([robertson(stiff=False)]), many, {}, [40])
    assert not np.isfinite(explicit.state).all()


# -- both back ends -----------------------------------------------------------------------------------


SLOW = [m for m in catalogue().values() if m.clock == "d"]


@pytest.mark.parametrize("model", SLOW, ids=lambda m: m.name)
def test_both_back_ends_agree_on_every_slow_model(model: OrganModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same state after one day to 1e-10 of range, and after 100 days to 1e-9."""
    patient = VirtualPatient([model])
    luck = np.random.default_rng(5)
    n = 13
    declared = fields(model.Parameters)
    record = {
        k: np.clip(float(f.default or 0.0) * np.exp(0.2 * luck.standard_normal(n)), *f.bounds)
        for k, f in declared.items()
    }
    crowd = Individuals(np.arange(n), {model.name: model.Parameters(**record)})
    doses = {port: np.outer(luck.uniform(0, 1, 100), luck.uniform(10, 50, n)) for port in dose_ports(patient)}
    found = {}
    for engine in ("native", "portable"):
        monkeypatch.setenv(VARIABLE, engine)
        found[engine] = course(patient, crowd, doses, [0, 1, 50, 100])
    for port, trace in found["native"].outputs.items():
        other = found["portable"].outputs[port]
        size = np.maximum(np.ptp(other), np.abs(other).max())
        np.testing.assert_allclose(trace[:2], other[:2], rtol=0, atol=1e-10 * size, err_msg=port)
        np.testing.assert_allclose(trace, other, rtol=0, atol=1e-9 * size, err_msg=port)


def test_neighbours_change_no_bit_of_a_course() -> None:
    patient = VirtualPatient([compartment(stride=Stride(1.0, 0.1))])
    rates = list(np.linspace(0.1, 2.0, 11))
    doses = np.outer(every(5, 1.0, 20), np.linspace(1.0, 9.0, 11))
    whole = course(patient, people(rates), {"drug.bolus": doses}, [7, 20])
    part = course(patient, people(rates[3:5]), {"drug.bolus": doses[:, 3:5]}, [7, 20])
    np.testing.assert_array_equal(whole.state[:, 3:5], part.state)


def test_nobody_has_an_empty_course() -> None:
    patient = VirtualPatient([compartment()])
    none = Individuals(np.zeros(0, dtype=np.int64), {"drug": Rate(rate=np.zeros(0))})
    assert course(patient, none, {"drug.bolus": 1.0}, [5]).outputs["drug.amount"].shape == (1, 0)


# -- the numerical error and going on ---------------------------------------------------------------


def test_halving_the_steps_tells_the_error_of_the_steps() -> None:
    """RK4: halving the step takes away 15/16 of the error."""
    patient = VirtualPatient([compartment(stride=Stride(1.0))])
    who = people([0.8, 0.9])
    doses = every(7, 1.0, 28)
    run = simulate(patient, who, doses={"drug.bolus": doses}, days=[1, 3, 9])
    truth = [superposed(np.array([0.8, 0.9]), doses, d) for d in (1, 3, 9)]
    error = np.abs(run.outputs["drug.amount"] - truth).max(axis=0) / np.max(truth, axis=0)
    assert run.error.steps["drug.amount"] == pytest.approx(error.max(), rel=0.3)
    assert run.error.patients == 2


def test_the_circulation_is_within_a_ten_thousandth_of_finer_steps() -> None:
    run = simulate(sunitinib_gist(), doses={"sunitinib_exposure.daily_dose": 50.0}, days=[0, 28])
    assert 0 < run.error.largest < 3e-4
    assert run.error.steps["closed_loop_circulation.systolic_pressure"] < 1e-4


@variables
class Wall:
    thickness: float = variable("1", "relative wall thickness")


@variables
class Pressure:
    pressure: float = variable("mm[Hg]", "that the wall answers to", default=90.0)


@variables
class Stiffer:
    resistance_ratio: float = variable("1", "what a thicker wall does")


def remodelling() -> OrganModel:
    """A wall that thickens towards the mean pressure over 90, and raises resistance as it does."""
    return compartment(
        name="wall",
        State=Wall,
        Inputs=Pressure,
        Outputs=Stiffer,
        Events=NoFields,
        jump=None,
        initial=lambda p: Wall(thickness=1.0 + 0 * p.rate),
        derivative=lambda t, x, p, u: Wall(thickness=p.rate * (u.pressure / 90.0 - x.thickness)),
        observe=lambda t, x, p, u: Stiffer(resistance_ratio=0.5 + 0.5 * x.thickness),
    )


LOOP = "closed_loop_circulation"
BOTH_WAYS = (
    Coupling(f"{LOOP}.mean_pressure", "wall.pressure"),
    Coupling("wall.resistance_ratio", f"{LOOP}.systemic_resistance_ratio"),
)


def test_a_slow_model_may_read_the_cycle_and_the_splitting_error_is_told() -> None:
    """It settles where thickness = pressure / 90 with the pressure that the circulation then shows; on the
    way the error of the splitting is what another halving of the macro-step would change."""
    patient = VirtualPatient([remodelling(), LOOP], BOTH_WAYS)
    run = simulate(patient, days=[0, 2, 4, 60])
    thickness = 2 * run.outputs["wall.resistance_ratio"] - 1
    pressure = run.outputs[f"{LOOP}.mean_pressure"]
    np.testing.assert_allclose(thickness[-1], pressure[-1] / 90.0, rtol=1e-5)
    # dx/dt = r (P(x)/90 - x): the pressure is nearly linear in x, so the exact course is close to exponential
    slope = (pressure[-1] - pressure[0]) / (thickness[-1] - thickness[0]) / 90.0
    exact = thickness[-1] + (1 - thickness[-1]) * np.exp(-0.3 * (1 - slope) * 4)
    error = abs(thickness[2] - exact) / exact
    assert 0.2 < error.item() / run.error.splitting["wall.resistance_ratio"] < 5
    assert run.error.splitting["wall.resistance_ratio"] < 0.05


def test_typical_people_need_no_doses() -> None:
    patient = VirtualPatient([compartment()])
    assert slow_course(patient, typical(patient), {}, 3)["drug.amount"].shape == (4, 1)
