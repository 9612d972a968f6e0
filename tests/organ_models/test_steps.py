"""What happens within and after a step: stops, implicit equations, and 64 bit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import PrecisionError
from organ_models.model import Cycle, OrganModel, Reference, parameter, variable, variables
from organ_models.newton import newton
from organ_models.solvers import periodic_orbits, waveforms

TEST = Reference("test", "made for tests")


@variables
class Parameters:
    heart_rate: float = parameter(60.0, "/min", "rate", source=TEST, bounds=(20, 200))
    inertance: float = parameter(0.01, "mm[Hg].s2/mL", "of the valve", source=TEST, bounds=(1e-3, 1))
    volume: float = parameter(100.0, "mL", "conserved", source=TEST, bounds=(1, 1e3))


@variables
class State:
    upper: float = variable("mL", "volume of a pumping chamber")
    lower: float = variable("mL", "volume of a passive chamber")
    flow: float = variable("mL/s", "through a valve with inertance, from the pump")


@variables
class Inputs:
    resistance_ratio: float = variable("1", "multiplies the return resistance", default=1.0)


@variables
class Signals:
    flow: float = variable("mL/s", "through the valve")
    upper: float = variable("mL", "volume of the pump")
    returned: float = variable("mL/s", "turbulent return flow")


@variables
class Outputs:
    largest_flow: float = variable("mL/s", "maximum")
    smallest_flow: float = variable("mL/s", "minimum")
    largest_volume: float = variable("mL", "maximum")


@variables
class Drive:
    elastance: float = variable("mm[Hg]/mL", "of the pump")


def returned(x: Any, u: Any) -> Any:
    """Return flow q with ``q + 0.01 q |q| = drop``: an implicit equation in every right-hand side."""
    drop = (x.lower - 20.0) / u.resistance_ratio
    return newton(lambda q: q + 0.01 * q * jnp.abs(q) - drop, 0.5 * drop, 8)


def derivative(d: Any, x: Any, p: Any, u: Any) -> Any:
    drop = d.elastance * x.upper - 0.5 * x.lower
    back = returned(x, u)
    return State(upper=back - x.flow, lower=x.flow - back, flow=(drop - 0.05 * x.flow) / p.inertance)


def shut(x: Any, p: Any, u: Any) -> Any:
    """A closed valve lets nothing back."""
    return State(upper=x.upper, lower=x.lower, flow=jnp.maximum(x.flow, 0.0))


def pump(**changes: Any) -> OrganModel:
    given = {
        "name": "pump",
        "title": "a pump with an inertial valve",
        "version": "1",
        "clock": "s",
        "Parameters": Parameters,
        "State": State,
        "Inputs": Inputs,
        "Signals": Signals,
        "Outputs": Outputs,
        "initial": lambda p: State(upper=0.5 * p.volume, lower=0.5 * p.volume, flow=0.0 * p.volume),
        "derivative": derivative,
        "observe": lambda d, x, p, u: Signals(flow=x.flow, upper=x.upper, returned=returned(x, u)),
        "project": shut,
        "references": (TEST,),
        "cycle": Cycle(
            period=lambda p, u: 60.0 / p.heart_rate,
            drive=lambda t, p, u: Drive(
                elastance=0.2 + 0.8 * jnp.maximum(jnp.sin(2 * jnp.pi * t * p.heart_rate / 60), 0)
            ),
            restore=lambda x, p, u: State(x.upper, p.volume - x.upper, x.flow),
            summarise=lambda high, low, mean, start, p, u: Outputs(high.flow, low.flow, high.upper),
            weights=lambda p: State(1 / p.volume, 1 / p.volume, 0.001 / p.volume),
        ),
    }
    return OrganModel(**{**given, **changes})


PUMP = pump()
PEOPLE = Parameters(
    heart_rate=np.linspace(50.0, 90.0, 11),
    inertance=np.linspace(0.005, 0.02, 11),
    volume=np.linspace(80.0, 150.0, 11),
)
ENGINES = ("native", "portable")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_closed_valve_lets_nothing_back(engine: Any) -> None:
    orbit = periodic_orbits(PUMP, PEOPLE, Inputs(), engine=engine)
    assert orbit.converged.all()
    assert (orbit.outputs["smallest_flow"] == 0.0).all()
    free = periodic_orbits(pump(project=None), PEOPLE, Inputs(), engine=engine)
    assert (free.outputs["smallest_flow"] < -1.0).all()


def test_both_back_ends_take_the_same_steps_with_stops_and_implicit_equations() -> None:
    """After one beat from one state to 1e-10 of range; at the orbit to 10 x the residual tolerance."""
    start = periodic_orbits(PUMP, PEOPLE, Inputs(), engine="portable").state * 1.02
    one, other = (waveforms(PUMP, PEOPLE, Inputs(), start, engine=e) for e in ENGINES)
    for name, trace in one.items():
        np.testing.assert_allclose(trace, other[name], atol=1e-10 * np.ptp(trace), rtol=0, err_msg=name)
    found, expected = (periodic_orbits(PUMP, PEOPLE, Inputs(), engine=e) for e in ENGINES)
    weighted = np.abs(found.state - expected.state) / PEOPLE.volume
    assert weighted[:2].max() < 1e-6


def test_the_implicit_equation_holds_along_the_beat() -> None:
    orbit = periodic_orbits(PUMP, PEOPLE, Inputs())
    beat = waveforms(PUMP, PEOPLE, Inputs(), orbit.state)
    lower = PEOPLE.volume - beat["upper"]
    q = beat["returned"]
    np.testing.assert_allclose(q + 0.01 * q * np.abs(q), lower - 20.0, rtol=1e-12, atol=1e-9)


def test_derivatives_of_a_root_are_those_of_the_implicit_function() -> None:
    """x^3 = a: dx/da = 1 / (3 x^2), in forward and in reverse mode."""

    def root(a: Any) -> Any:
        return newton(lambda x: x**3 - a, 0.5 * a, 12)

    a = jnp.array([1.0, 8.0, 20.0])
    x = np.cbrt(np.asarray(a))
    np.testing.assert_allclose(root(a), x, rtol=1e-14)
    _, forward = jax.jvp(root, (a,), (jnp.ones(3),))
    np.testing.assert_allclose(forward, 1 / (3 * x**2), rtol=1e-13)
    np.testing.assert_allclose(jax.grad(lambda v: root(v).sum())(a), 1 / (3 * x**2), rtol=1e-13)


def test_a_step_of_newton_can_be_limited() -> None:
    """exp(x) = 1 from -5: the first full step is 147 long and overshoots; limited steps converge."""
    found = newton(lambda x: jnp.exp(x) - 1.0, jnp.array(-5.0), 12, longest_step=5.0)
    assert abs(float(found)) < 1e-12


def test_32_bit_is_refused_with_the_remedy() -> None:
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="jax_enable_x64"):
        periodic_orbits(PUMP, Parameters(), Inputs())
    assert periodic_orbits(PUMP, Parameters(), Inputs()).converged.all()
