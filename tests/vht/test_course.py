"""The course of slow models: grids, doses that arrive, closed forms, stiffness, and both back ends."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from organ_models import catalogue
from organ_models.engines import VARIABLE
from organ_models.grids import finest, grid
from organ_models.model import NoFields, OrganModel, Reference, Stride, fields, parameter, variable, variables
from organ_models.solvers import periodic_orbits, rk4_step
from vht import CompositionError, Coupling, Individuals, VirtualPatient, simulate, sunitinib_gist, typical
from vht.course import course, dose_ports, slow_course
from vht.cycles import untreated
from vht.interleaved import interleaved_course
from vht.slow_models import method
from vht.stiff import StiffSolverMissing

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
    assert steps.width[0] == 0.01
    assert steps.width.max() <= 2.0 + 1e-12  # but for the rounding of times
    assert steps.time.size < 45
    ends = steps.time + steps.width
    for reading, first in zip(steps.readings, steps.first, strict=True):
        assert ends[first - 1] == pytest.approx(reading, abs=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(steps.begins), [0, steps.first[1]])
    # five days after the dose the steps go on growing, they do not start again
    assert steps.width[steps.first[0]] > 0.5


@pytest.mark.parametrize("growth", [1.05, 1.3, 2.0])
@pytest.mark.parametrize("start", [2, 3, 9, 28])
def test_a_grid_that_starts_later_takes_the_steps_of_the_whole(growth: float, start: int) -> None:
    """Whatever was read before, and whatever ends the earlier run."""
    stride, events = Stride(longest=2.0, first=0.01, growth=growth), [0, 7, 42]
    whole, part = grid(stride, range(57), events), grid(stride, range(start + 1, 57), events, start=start)
    np.testing.assert_array_equal(part.time, whole.time[whole.first[start] :])
    np.testing.assert_array_equal(part.width, whole.width[whole.first[start] :])
    np.testing.assert_array_equal(part.begins, whole.begins[whole.first[start] :])
    before = grid(stride, range(start + 1), [e for e in events if e < start])
    np.testing.assert_array_equal(before.width, whole.width[: whole.first[start]])


def test_nobody_stops_where_nothing_happens() -> None:
    steps = grid(Stride(longest=float("inf")), [63], [0, 21, 42])
    np.testing.assert_array_equal(steps.time, [0, 21, 42])
    np.testing.assert_array_equal(steps.width, 21)


@pytest.mark.parametrize("stride", [Stride(0.0), Stride(1.0, first=0.0), Stride(1.0, 0.1, growth=0.9)])
def test_steps_that_lead_nowhere_are_refused(stride: Stride) -> None:
    with pytest.raises(ValueError, match="must not shrink"):
        grid(stride, [5], [])


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


def test_a_graded_grid_meets_a_millionth_where_four_times_as_many_uniform_steps_do_not() -> None:
    doses, days = every(21, 100.0, 63), [1, 21, 22, 42, 63]
    truth = [superposed(np.array([1.0]), doses, d) for d in days]
    graded, uniform = Stride(1.0, 0.05, 1.1), Stride(0.125)
    errors, steps = [], []
    for stride in (graded, uniform):
        patient = VirtualPatient([compartment(stride=stride)])
        found = course(patient, people([1.0]), {"drug.bolus": doses}, days).outputs["drug.amount"]
        errors.append(np.abs(found - truth).max() / np.max(truth))
        steps.append(grid(stride, days, [0, 21, 42]).time.size)
    assert errors[0] < 1e-6 < errors[1]
    assert steps[1] > 3.5 * steps[0]


def test_patients_may_get_different_amounts_and_none_changes_nothing() -> None:
    patient = VirtualPatient([compartment()])
    three = people([0.2, 0.2, 0.2])
    doses = np.outer(every(7, 1.0, 28), [100.0, 50.0, 0.0])
    found = course(patient, three, {"drug.bolus": doses}, [28]).outputs["drug.amount"][0]
    assert found[1] == found[0] / 2
    assert found[2] == 0.0
    alone = course(patient, people([0.2]), {"drug.bolus": 50.0 * every(7, 1.0, 28)}, [28])
    assert alone.outputs["drug.amount"][0, 0] == found[1]


@variables
class Seen:
    level: float = variable("mg", "what is looked at", default=0.0)


@variables
class Scaled:
    twice: float = variable("mg", "twice what is looked at")


@variables
class Area:
    area: float = variable("mg.d", "area under what is looked at")


def follower(name: str, **changes: Any) -> OrganModel:
    """A model that reads the compartment."""
    given = {
        "name": name,
        "title": name,
        "version": "1",
        "clock": "d",
        "Parameters": NoFields,
        "State": NoFields,
        "Inputs": Seen,
        "initial": lambda p: NoFields(),
        "derivative": lambda t, x, p, u: NoFields(),
        "references": (TEST,),
    }
    return OrganModel(**{**given, **changes})


def test_a_model_that_is_stepped_sees_a_closed_form_at_the_beginning_middle_and_end_of_its_steps() -> None:
    """Its Runge-Kutta step is then Simpson's rule, over steps of 2 d, by hand; through another model."""
    double = follower("double", Outputs=Scaled, observe=lambda t, x, p, u: Scaled(twice=2.0 * u.level))
    area = follower(
        "area",
        State=Area,
        Outputs=Area,
        initial=lambda p: Area(area=jnp.zeros(())),
        derivative=lambda t, x, p, u: Area(area=u.level),
        observe=lambda t, x, p, u: x,
        stride=Stride(2.0),
    )
    patient = VirtualPatient(
        [compartment(solution=exact), double, area],
        [Coupling("drug.amount", "double.level"), Coupling("double.twice", "area.level")],
    )
    rates = np.array([0.1, 0.5])
    who = Individuals(np.arange(2), {"drug": Rate(rate=rates), "double": NoFields(), "area": NoFields()})
    found = course(patient, who, {"drug.bolus": np.eye(1, 6)[0] * 100.0}, [2, 6]).outputs
    level = [200.0 * np.exp(-rates * t) for t in range(7)]
    simpson = [(level[k] + 4.0 * level[k + 1] + level[k + 2]) / 3.0 for k in (0, 2, 4)]
    np.testing.assert_allclose(found["area.area"], [simpson[0], sum(simpson)], rtol=1e-13)
    np.testing.assert_allclose(2.0 * found["drug.amount"], [level[2], level[6]], rtol=1e-13)


@pytest.mark.parametrize("closed", [False, True])
def test_dose_days_of_others_change_no_bit(closed: bool) -> None:
    """The steps do not follow the doses of whoever happens to be in the same cohort."""
    model = compartment(stride=Stride(1.0, 0.1), solution=exact if closed else None)
    doses = np.zeros((28, 2))
    doses[[0, 21], 0] = 100.0
    doses[5, 1] = 70.0
    patient = VirtualPatient([model])
    both = course(patient, people([0.3, 0.3]), {"drug.bolus": doses}, [13, 28])
    alone = course(patient, people([0.3]), {"drug.bolus": doses[:, :1]}, [13, 28])
    np.testing.assert_array_equal(both.state[:, :1], alone.state)
    days = [0, 5, 21]
    fewer = course(patient, people([0.3, 0.3]), {"drug.bolus": doses}, [28], opportunities=days)
    lone = course(patient, people([0.3]), {"drug.bolus": doses[:, :1]}, [28], opportunities=days)
    np.testing.assert_array_equal(fewer.state[:, :1], lone.state)
    left = np.array([[100 * np.exp(-0.3 * 28) + 100 * np.exp(-0.3 * 7), 70 * np.exp(-0.3 * 23)]])
    for run in (both, fewer):
        np.testing.assert_allclose(run.state, left, rtol=1e-3)


def test_an_opportunity_that_is_not_used_changes_nothing_but_the_steps() -> None:
    """A jump that would wreck the state if it were made with an amount of zero."""
    wrecking = compartment(jump=lambda x, e, p: Amount(amount=x.amount + e.bolus + 1000.0))
    doses = np.zeros((9, 2))
    doses[0] = [1.0, 0.0]
    run = course(VirtualPatient([wrecking]), people([0.3, 0.3]), {"drug.bolus": doses}, [9])
    assert run.outputs["drug.amount"][0, 1] == 0.0
    assert run.outputs["drug.amount"][0, 0] == pytest.approx(1001.0 * np.exp(-2.7), rel=1e-4)


def test_a_dose_between_opportunities_is_refused() -> None:
    given = {"drug.bolus": every(5, 1.0, 20)}
    with pytest.raises(ValueError, match=r"drug\.bolus: a dose on day 5, which is not one of the opportuni"):
        course(VirtualPatient([compartment()]), people([0.3]), given, [20], opportunities=[0, 10])


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


def test_a_closed_form_is_stopped_too() -> None:
    capped = compartment(solution=exact, project=lambda x, p, u: Amount(amount=jnp.minimum(x.amount, 5.0)))
    found = slow_course(VirtualPatient([capped]), people([0.5]), {"drug.infusion": 10.0}, 30)["drug.amount"]
    assert found.max() == 5.0  # it would go to infusion over elimination rate, 20


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


def test_a_stiff_model_without_the_solver_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffrax", None)
    with pytest.raises(StiffSolverMissing, match=r"pip install 'virtual-human-twin\[stiff\]'"):
        course(
            VirtualPatient([robertson()]), Individuals(np.arange(1), {"kinetics": Rate(rate=[3e7])}), {}, [1]
        )


def test_a_report_says_how_slow_models_were_solved() -> None:
    assert method(VirtualPatient(["arteriolar_dilator"])) == "none with a state"
    assert method(VirtualPatient(["sunitinib_blood_pressure"])) == "closed forms"
    assert method(sunitinib_gist()) == "steps of at most 0.25 d"
    assert "implicit method" in method(VirtualPatient([robertson()]))


# -- the daily grid of quarter days --------------------------------------------------------------------


def test_the_sunitinib_models_take_four_steps_a_day_and_the_closed_form_of_a_day() -> None:
    """Written out here day by day; agreement to rounding on every day, and on fewer days the same bits."""
    names = ("sunitinib_exposure", "hansson_gist", "sunitinib_blood_pressure")
    feeds = [Coupling(f"{names[0]}.daily_exposure", f"{n}.daily_exposure") for n in names[1:]]
    patient = VirtualPatient(names, feeds)
    who, doses = typical(patient), np.where(np.arange(84) % 42 < 28, 50.0, 0.0)
    tumour, pressure = (patient.models[n] for n in names[1:])
    assert pressure.solution is not None
    p, q = (m.working(who.parameters[m.name]) for m in (tumour, pressure))
    x, y = tumour.initial(p), pressure.initial(q)
    size, ratio = [np.exp(x.log_size)], [y.diastolic_pressure_ratio]
    for day, dose in enumerate(doses):
        exposure = dose / who.parameters[names[0]].clearance
        u, v = tumour.Inputs(exposure), pressure.Inputs(exposure)
        for quarter in range(4):
            x = rk4_step(lambda t, s, u=u: tumour.derivative(t, s, p, u), day + 0.25 * quarter, x, 0.25)
        y = pressure.solution(1.0, y, q, v)
        size.append(np.exp(x.log_size))
        ratio.append(y.diastolic_pressure_ratio)
    dosed = {f"{names[0]}.daily_dose": doses}
    daily = course(patient, who, dosed, range(85))
    np.testing.assert_allclose(daily.outputs[f"{names[1]}.sum_of_diameters"], size, rtol=1e-13)
    np.testing.assert_allclose(daily.outputs[f"{names[2]}.diastolic_pressure_ratio"], ratio, rtol=1e-13)
    few = course(patient, who, dosed, [10, 84])
    for port, trace in few.outputs.items():
        np.testing.assert_array_equal(trace, daily.outputs[port][[10, 84]], err_msg=port)


# -- both back ends -----------------------------------------------------------------------------------


SLOW = [m for m in catalogue().values() if m.clock == "d" and not m.stiff]  # those run on one alone


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


@pytest.fixture(scope="module")
def remodelled() -> tuple[VirtualPatient, Individuals, np.ndarray]:
    """A slow wall, and its exact thickness after 48 days from the circulation's own answer to thickness."""
    patient = VirtualPatient([remodelling(), LOOP], BOTH_WAYS)
    who = typical(patient)
    who.parameters["wall"].rate[:] = 0.03
    loop = patient.models[LOOP]
    thickness = np.linspace(0.95, 1.1, 7)
    tables = periodic_orbits(
        loop, loop.Parameters(), loop.Inputs(systemic_resistance_ratio=0.5 + 0.5 * thickness)
    )
    answer = np.polynomial.Chebyshev.fit(thickness, tables.outputs["mean_pressure"], 4)
    found = solve_ivp(
        lambda t, x: 0.03 * (answer(x) / 90.0 - x), (0, 48), [1.0], rtol=1e-10, atol=1e-12, t_eval=[24, 48]
    )
    return patient, who, 0.5 + 0.5 * found.y[0]


def test_the_splitting_is_of_first_order_and_meets_a_fine_reference(remodelled: Any) -> None:
    patient, who, exact = remodelled
    untreated_cycle = {LOOP: untreated(patient, patient.models[LOOP], who)}
    errors = []
    for macro in (8, 4, 2, 1):
        run = interleaved_course(patient, who, {}, np.array([24, 48]), untreated_cycle, macro=macro)
        errors.append(np.abs(run.outputs["wall.resistance_ratio"][:, 0] / exact - 1))
    assert (errors[-1] < 2e-4).all()
    for coarse, fine in itertools.pairwise(np.array(errors)):
        np.testing.assert_allclose(coarse / fine, 2.0, rtol=0.15)


def test_the_splitting_error_is_told_however_often_somebody_looks(remodelled: Any) -> None:
    """At first order the difference to twice the macro-step is the error."""
    patient, who, exact = remodelled
    told = []
    for days in ([0, 24, 48], list(range(49))):
        run = simulate(patient, who, days=days)
        error = np.abs(run.outputs["wall.resistance_ratio"][[days.index(24), -1], 0] / exact - 1).max()
        told.append(run.error.splitting["wall.resistance_ratio"])
        assert 0.5 < error / told[-1] < 2
        assert run.outputs["wall.resistance_ratio"][-1, 0] == pytest.approx(exact[-1], rel=2e-4)
    assert told[0] > 1e-6


def test_without_a_slow_reader_there_is_no_splitting() -> None:
    assert simulate(VirtualPatient([compartment()]), people([0.3]), days=[0, 7]).error.splitting == {}


def test_typical_people_need_no_doses() -> None:
    patient = VirtualPatient([compartment()])
    assert slow_course(patient, typical(patient), {}, 3)["drug.amount"].shape == (4, 1)
