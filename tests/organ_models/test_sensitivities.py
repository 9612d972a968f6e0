"""Derivatives at the periodic orbit, against central differences; reverse mode through one beat."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import PrecisionError, model
from organ_models.model import NoFields, fields
from organ_models.sensitivities import OrbitSensitivities, beat, orbit_sensitivities
from organ_models.solvers import Orbits, periodic_orbits
from tests.organ_models.test_steps import PEOPLE, PUMP
from tests.organ_models.test_steps import Inputs as PumpInputs

CIRCULATION = model("closed_loop_circulation")
N = 8
FIXED = ("valve_backward_resistance", "compliance_pressure_exponent")
WRT = [k for k in fields(CIRCULATION.Parameters) if k not in FIXED] + list(fields(CIRCULATION.Inputs))


SHAPE = ("aortic_characteristic_impedance", "systole_scale", "contraction_share", "activation_exponent")
MOVES_EVENTS = ("heart_rate", "heart_rate_ratio", "systole_scale", "contraction_share")


def crowd() -> dict[str, np.ndarray]:
    luck = np.random.default_rng(0)
    made = {
        k: np.full(N, f.default) * (1.0 if k in (*FIXED, *SHAPE) else np.exp(0.1 * luck.standard_normal(N)))
        for k, f in fields(CIRCULATION.Parameters).items()
    }
    return {**made, "aortic_characteristic_impedance": np.linspace(0.01, 0.06, N)}


def solve(
    parameters: dict[str, np.ndarray], inputs: dict[str, np.ndarray], start: np.ndarray | None
) -> Orbits:
    """The residual is below 1e-12, as the differences need it."""
    p, u = CIRCULATION.Parameters(**parameters), CIRCULATION.Inputs(**inputs)
    orbit = periodic_orbits(CIRCULATION, p, u, start=start, tolerance=1e-13, max_beats=200)
    assert orbit.residual.max() < 1e-12
    return orbit


@pytest.fixture(scope="module")
def found() -> tuple[Orbits, OrbitSensitivities]:
    orbit = solve(crowd(), {}, None)
    p = CIRCULATION.Parameters(**crowd())
    return orbit, orbit_sensitivities(CIRCULATION, p, CIRCULATION.Inputs(), orbit, WRT)


def central(name: str, orbit: Orbits, relative_step: float) -> dict[str, np.ndarray]:
    """Central differences of all outputs, as change per relative change of one parameter or input."""
    sides = []
    for sign in (1.0, -1.0):
        p = crowd()
        u = {k: np.full(N, f.default) for k, f in fields(CIRCULATION.Inputs).items()}
        holder = p if name in p else u
        size = np.where(holder[name] == 0.0, 1000.0, holder[name])  # a volume that is zero moves by 10 mL
        holder[name] = holder[name] + sign * relative_step * size
        sides.append(solve(p, u, orbit.state).outputs)
    return {k: (sides[0][k] - sides[1][k]) / (2 * relative_step) for k in sides[0]}


@pytest.mark.parametrize("name", WRT)
def test_derivatives_agree_with_central_differences(
    name: str, found: tuple[Orbits, OrbitSensitivities]
) -> None:
    """To 1e-6 of the output per relative change, with a relative step of 1e-5 (5632 derivatives in all).

    Where a valve opens or an activation begins within the difference's own step of a sample, the difference
    measures the sampling; a third of the step then tells. Only the heart rate moves every event: one in seven
    of its derivatives needs that, none of the other parameters' does.
    """
    orbit, derivatives = found
    assert derivatives.regular.all()
    row, p = WRT.index(name), crowd()
    size = p[name] if name in p else np.full(N, fields(CIRCULATION.Inputs)[name].default or 1000.0)

    def error(relative_step: float) -> np.ndarray:
        return np.stack(
            [
                np.abs(derivatives.outputs[output][row] * size - difference) / np.abs(orbit.outputs[output])
                for output, difference in central(name, orbit, relative_step).items()
            ]
        )

    wide = error(1e-5)
    sampled = wide > 1e-6
    assert sampled.mean() <= (0.2 if name in MOVES_EVENTS else 0.02)
    if sampled.any():
        assert error(3e-6)[sampled].max() <= 1e-6


def test_stressed_volume_scales_every_pressure(found: tuple[Orbits, OrbitSensitivities]) -> None:
    """Linear elastances and diodes: elasticity 1 exactly (homogeneity of the equations)."""
    orbit, derivatives = found
    row, volume = WRT.index("stressed_volume"), crowd()["stressed_volume"]
    for output in ("systolic_pressure", "pulmonary_mean_pressure", "stroke_volume"):
        elasticity = derivatives.outputs[output][row] * volume / orbit.outputs[output]
        np.testing.assert_allclose(elasticity, 1.0, rtol=1e-9)


def test_derivatives_go_through_stops_and_implicit_equations() -> None:
    orbit = periodic_orbits(PUMP, PEOPLE, PumpInputs(), tolerance=1e-13, max_beats=300)
    derivatives = orbit_sensitivities(PUMP, PEOPLE, PumpInputs(), orbit, ["volume", "resistance_ratio"])
    for row, name in enumerate(derivatives.names):
        sides = []
        for sign in (1.0, -1.0):
            p, u = dict(vars(PEOPLE)), {"resistance_ratio": np.ones(11)}
            holder = p if name in p else u
            holder[name] = holder[name] * (1 + sign * 1e-5)
            moved = periodic_orbits(
                PUMP,
                PUMP.Parameters(**p),
                PUMP.Inputs(**u),
                start=orbit.state,
                tolerance=1e-13,
                max_beats=300,
            )
            sides.append(moved.outputs["largest_volume"])
        size = np.asarray(PEOPLE.volume) if name == "volume" else 1.0
        difference = (sides[0] - sides[1]) / 2e-5
        error = np.abs(derivatives.outputs["largest_volume"][row] * size - difference)
        assert np.median(error / orbit.outputs["largest_volume"]) < 1e-6


def test_reverse_mode_works_through_one_beat() -> None:
    """The gradient along a direction is the forward derivative along it."""
    p = CIRCULATION.Parameters(**{k: jnp.asarray(v[:3]) for k, v in crowd().items()})
    u = CIRCULATION.Inputs(**{k: jnp.full(3, f.default) for k, f in fields(CIRCULATION.Inputs).items()})
    start = jnp.asarray(solve(crowd(), {}, None).state[:, :3] * 1.01)
    through = beat(CIRCULATION)

    def pressure(state: jax.Array, parameters: object) -> jax.Array:
        return through(state, parameters, u)[4].sum()

    luck = np.random.default_rng(3)
    d_state = jnp.asarray(luck.standard_normal(start.shape))
    d_p = jax.tree.map(lambda v: jnp.asarray(luck.standard_normal(3)) * v, p)
    _, forward = jax.jvp(pressure, (start, p), (d_state, d_p))
    by_state, by_parameter = jax.grad(pressure, argnums=(0, 1))(start, p)
    backward = jnp.sum(by_state * d_state) + sum(
        jnp.sum(a * b) for a, b in zip(jax.tree.leaves(by_parameter), jax.tree.leaves(d_p), strict=True)
    )
    np.testing.assert_allclose(backward, forward, rtol=1e-10)


def test_memory_of_reverse_mode_grows_with_the_root_of_the_steps() -> None:
    """Four times the steps need twice the memory (measured: 37 and 73 KiB a patient)."""
    n, p = 64, CIRCULATION.Parameters()
    people = jax.tree.map(lambda v: jnp.full(n, v), p)
    ports = jax.tree.map(lambda v: jnp.full(n, v), CIRCULATION.Inputs())

    def kib(steps: int) -> float:
        through = beat(CIRCULATION, steps)
        gradient = jax.jit(jax.grad(lambda state, record: through(state, record, ports)[4].sum()))
        compiled = gradient.lower(jnp.full((12, n), 50.0), people).compile()
        return float(compiled.memory_analysis().temp_size_in_bytes) / 1024 / n

    few, many = kib(500), kib(2000)
    assert few < 100
    assert many < 2.5 * few


def test_a_lane_whose_equation_cannot_be_inverted_has_no_derivatives() -> None:
    """It is told apart and disturbs nobody."""
    orbit = solve(crowd(), {}, None)
    p = CIRCULATION.Parameters(**crowd())
    names = ["stressed_volume"]
    whole = orbit_sensitivities(CIRCULATION, p, CIRCULATION.Inputs(), orbit, names)
    broken = crowd()
    broken["systemic_arterial_compliance"][3] = np.nan
    found = orbit_sensitivities(
        CIRCULATION, CIRCULATION.Parameters(**broken), CIRCULATION.Inputs(), orbit, names
    )
    others = np.arange(N) != 3
    np.testing.assert_array_equal(found.regular, others)
    assert np.isnan(found.outputs["mean_pressure"][0, 3])
    np.testing.assert_array_equal(found.state[..., others], whole.state[..., others])
    unfilled = dataclasses.replace(
        CIRCULATION, cycle=dataclasses.replace(CIRCULATION.cycle, restore=lambda state, p, u: state)
    )
    conserved = orbit_sensitivities(unfilled, p, CIRCULATION.Inputs(), orbit, names)
    assert not conserved.regular.any()  # without the declared volume any volume is as good


def test_what_cannot_be_derived_is_refused() -> None:
    orbit = periodic_orbits(PUMP, PEOPLE, PumpInputs())
    with pytest.raises(ValueError, match="pump has no parameter or input 'colour'"):
        orbit_sensitivities(PUMP, PEOPLE, PumpInputs(), orbit, ["colour"])
    tumour = model("hansson_gist")
    with pytest.raises(ValueError, match="hansson_gist has no cycle"):
        orbit_sensitivities(tumour, tumour.Parameters(), NoFields(), orbit, ["growth_rate"])
    with pytest.raises(ValueError, match="hansson_gist has no cycle"):
        beat(tumour)
    with jax.enable_x64(False), pytest.raises(PrecisionError):
        orbit_sensitivities(PUMP, PEOPLE, PumpInputs(), orbit, ["volume"])
