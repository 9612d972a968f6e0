"""Rates in single precision: as exact as promised, each patient on their own, and only where asked for."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import catalogue, engines, native
from organ_models.engines import VARIABLE, EngineError
from organ_models.model import OrganModel, Reference, Stride, fields, parameter, variable, variables
from organ_models.schedules import boluses, infusions
from vht import Coupling, Individuals, VirtualPatient, cardiovascular, sample, simulate, typical
from vht.course import course, dose_ports
from vht.slow_models import slow_models

TEST = Reference("test", "made for tests")
BOUND = 1e-5
"""What ARCHITECTURE.md promises: differences in units of a trace's largest magnitude."""


def is_stepped(model: OrganModel) -> bool:
    return (
        model.clock == "d" and not model.stiff and bool(slow_models(VirtualPatient([model]), (), ()).stepping)
    )


STEPPED = [m for m in catalogue().values() if is_stepped(m)]

DOCETAXEL = VirtualPatient(
    ["docetaxel_ozawa", "docetaxel_neutropenia_kloft", "bruno_breast_cancer"],
    [Coupling("docetaxel_ozawa.molar_concentration", "docetaxel_neutropenia_kloft.concentration")],
)
CYCLES = np.arange(0.0, 126.0, 21.0)
DOSES = {
    "docetaxel_ozawa.infusion_rate": infusions(135.0, 1.0, CYCLES),
    "bruno_breast_cancer.docetaxel_dose": boluses(135.0, CYCLES),
}
NEUTROPHILS = "docetaxel_neutropenia_kloft.neutrophils"


def crowd(model: OrganModel, n: int) -> Individuals:
    """Patients around the model's defaults, within its bounds."""
    luck = np.random.default_rng(5)
    record = {
        name: np.clip(float(f.default or 0.0) * np.exp(0.2 * luck.standard_normal(n)), *f.bounds)
        for name, f in fields(model.Parameters).items()
    }
    return Individuals(np.arange(n), {model.name: model.Parameters(**record)})


@pytest.mark.parametrize("model", STEPPED, ids=lambda m: m.name)
def test_single_agrees_with_double_on_every_stepped_model(model: OrganModel) -> None:
    patient, luck, n = VirtualPatient([model]), np.random.default_rng(7), 13
    doses = {port: np.outer(luck.uniform(0, 1, 100), luck.uniform(1, 5, n)) for port in dose_ports(patient)}
    who, days = crowd(model, n), [0, 1, 7, 50, 100]
    one, other = (course(patient, who, doses, days, precision=p) for p in ("single", "double"))
    for port, trace in one.outputs.items():
        size = np.abs(other.outputs[port]).max()
        np.testing.assert_allclose(trace, other.outputs[port], rtol=0, atol=BOUND * size, err_msg=port)


def test_single_agrees_with_double_where_a_closed_form_feeds_the_steps() -> None:
    """And it is single: most counts of neutrophils have other bits. What has a closed form has the same."""
    who, days = sample(DOCETAXEL, 37, seed=2), np.arange(0.0, 126.5, 3.5)
    one, other = (course(DOCETAXEL, who, DOSES, days, precision=p) for p in ("single", "double"))
    for port, trace in one.outputs.items():
        if port == NEUTROPHILS:
            np.testing.assert_allclose(trace, other.outputs[port], rtol=BOUND)
            assert np.mean(trace[2:] != other.outputs[port][2:]) > 0.9
        elif not port.startswith("docetaxel_neutropenia"):
            np.testing.assert_array_equal(trace, other.outputs[port], err_msg=port)


# -- states stay double -------------------------------------------------------------------------------


@variables
class Parameters:
    start: float = parameter(1000.0, "mg", "amount on day 0", source=TEST, bounds=(0, 1e9))
    gain: float = parameter(1e-5, "mg/d", "what is gained", source=TEST, bounds=(0, 1e9))


@variables
class State:
    amount: float = variable("mg", "grows")


@variables
class Inputs:
    """None."""


def slow_growth(**changes: Any) -> OrganModel:
    given: dict[str, Any] = {
        "name": "slow_growth",
        "title": "an amount that grows evenly",
        "version": "1",
        "clock": "d",
        "Parameters": Parameters,
        "State": State,
        "Inputs": Inputs,
        "Outputs": State,
        "initial": lambda p: State(1.0 * p.start),
        "derivative": lambda t, x, p, u: State(p.gain + 0.0 * x.amount),
        "observe": lambda t, x, p, u: State(x.amount),
        "stride": Stride(0.25),
        "references": (TEST,),
    }
    return OrganModel(**{**given, **changes})


def test_changes_below_the_last_place_of_a_single_number_add_up() -> None:
    """A quarter of a day adds 2.5e-6 to 1000, whose last place in single precision is 6e-5."""
    patient = VirtualPatient([slow_growth()])
    found = course(patient, typical(patient), {}, [400], precision="single").outputs["slow_growth.amount"]
    assert found[0, 0] - 1000.0 == pytest.approx(400 * 1e-5, rel=1e-6)


def test_time_stays_double_within_rates() -> None:
    """The rate is 1 where the day, told to 1e-6, is above 300; a single number tells days to 3e-5 there."""

    def late(t: Any, x: Any, p: Any, u: Any) -> State:
        return State(jnp.where(t > 300.0 + 1e-6, 1.0, 0.0) + 0.0 * x.amount)

    patient = VirtualPatient([slow_growth(derivative=late)])
    days = [300.0 + 1e-6, 300.0 + 5e-6]
    found = course(patient, typical(patient), {}, [*days, 301], precision="single")
    # all of the second piece but its first stage, which weighs a sixth, lies after the limit
    gained = np.diff(found.outputs["slow_growth.amount"][:2, 0])
    assert gained[0] == pytest.approx(4e-6 * 5 / 6, rel=1e-3)


def test_operations_that_have_no_single_form_are_computed_in_double() -> None:
    """Powers, a function of C, waves and remainders beside choices, in one rate."""

    def mixed(t: Any, x: Any, p: Any, u: Any) -> State:
        y = x.amount / p.start
        wave = jnp.sin(5.0 * y) + jnp.cos(y) + jnp.tanh(y) + jnp.fmod(7.0 * y, 3.0)
        rate = jnp.where(y > 0.5, y**1.3, y**3) + jnp.sqrt(y) + jnp.abs(wave) + jnp.sign(y) + 1.0 / (1.0 + y)
        return State(-0.02 * p.start * rate * y)

    patient = VirtualPatient([slow_growth(derivative=mixed)])
    who = Individuals(np.arange(5), {"slow_growth": Parameters(start=np.linspace(10.0, 500.0, 5), gain=0.0)})
    one, other = (course(patient, who, {}, [1, 30], precision=p).state for p in ("single", "double"))
    np.testing.assert_allclose(one, other, rtol=2e-6)
    assert (one != other).any()


# -- every patient on their own -----------------------------------------------------------------------


def test_neighbours_and_the_width_of_the_vector_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    who, days = sample(DOCETAXEL, 37, seed=2), [5.5, 21, 60]
    whole = course(DOCETAXEL, who, DOSES, days, precision="single")
    some = np.array([3, 36, 17])
    part = course(DOCETAXEL, who.take(some), DOSES, days, precision="single")
    np.testing.assert_array_equal(whole.state[:, some], part.state)
    for port, trace in part.outputs.items():
        np.testing.assert_array_equal(whole.outputs[port][:, some], trace, err_msg=port)
    monkeypatch.setattr(native, "width", lambda: 2)
    native._march.cache_clear()
    narrow = course(DOCETAXEL, who, DOSES, days, precision="single")
    native._march.cache_clear()
    np.testing.assert_array_equal(narrow.state, whole.state)


def test_a_run_that_goes_on_has_the_bits_of_one_that_did_not_stop() -> None:
    who = sample(DOCETAXEL, 5, seed=2)
    whole = course(DOCETAXEL, who, DOSES, [30, 90], precision="single")
    half = course(DOCETAXEL, who, DOSES, [30], precision="single")
    rest = course(DOCETAXEL, who, DOSES, [90], start_day=30, start=half.state, precision="single")
    np.testing.assert_array_equal(rest.state, whole.state)


# -- only where asked for -----------------------------------------------------------------------------


def test_a_simulation_takes_the_precision_and_its_error_holds_the_rounding() -> None:
    """At steps so small that nothing else is left: the amount that shrinks by a tenth a day."""
    shrinking = slow_growth(derivative=lambda t, x, p, u: State(-0.1 * x.amount), stride=Stride(0.01))
    patient = VirtualPatient([shrinking])
    run = simulate(patient, days=20, precision="single")
    default, double = simulate(patient, days=20), simulate(patient, days=20, precision="double")
    port = "slow_growth.amount"
    np.testing.assert_array_equal(default.outputs[port], double.outputs[port])
    assert run.outputs[port][-1, 0] == pytest.approx(1000.0 * np.exp(-2.0), rel=1e-6)
    assert double.error.largest < 1e-11 < run.error.largest < 1e-6


def test_single_precision_is_refused_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    single: Any = {"precision": "single"}
    with pytest.raises(
        EngineError, match="cardiovascular, baroreflex can be computed in double only: leave 'precision'"
    ):
        simulate(cardiovascular(), days=7, **single)
    with pytest.raises(EngineError, match="baroreflex can be computed in double only"):
        simulate(cardiovascular(), transient=True, duration=1.0, **single)
    stiff = VirtualPatient(["paclitaxel"])
    with pytest.raises(EngineError, match="paclitaxel needs an implicit solver; use precision='double'"):
        course(stiff, typical(stiff), {}, [1], **single)
    patient = VirtualPatient([slow_growth()])
    with pytest.raises(EngineError, match="precision is not one of double, single"):
        course(patient, typical(patient), {}, [1], precision="half")  # type: ignore[arg-type]
    monkeypatch.setenv(VARIABLE, "portable")
    with pytest.raises(EngineError, match="native engine only, and the portable engine was asked for"):
        course(patient, typical(patient), {}, [1], **single)


def test_single_precision_is_refused_without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ImportError("no llvmlite")

    patient = VirtualPatient([slow_growth()])
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(engines, "native", missing)
    for cached in (engines._machine, engines._obstacle):
        cached.cache_clear()
    try:
        with pytest.raises(EngineError, match=r"llvmlite cannot be loaded.*; use precision='double'"):
            course(patient, typical(patient), {}, [1], precision="single")
    finally:
        for cached in (engines._machine, engines._obstacle):
            cached.cache_clear()
