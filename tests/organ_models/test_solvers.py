"""Solvers: order of convergence, the periodic steady state, and independence of every lane."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import anderson, model, solvers
from organ_models.cardiovascular.closed_loop import Inputs, Parameters
from organ_models.engines import Engine
from organ_models.model import values
from organ_models.solvers import BLOCK, Orbits, periodic_orbits, rk4_step

CIRCULATION = model("closed_loop_circulation")


def scattered(n: int, seed: int = 1) -> Parameters:
    """Patients with log-normal scatter on resistances, compliances, elastances and volume."""
    luck = np.random.default_rng(seed)
    moved = {
        name: value * np.exp(0.15 * luck.standard_normal(n))
        for name, value in values(Parameters()).items()
        if name.endswith(("resistance", "compliance", "elastance", "volume", "rate"))
        and not name.startswith("valve")
    }
    return Parameters(**moved)


def take(p: Parameters, lanes: np.ndarray) -> Parameters:
    return Parameters(**{k: v[lanes] if np.ndim(v) else v for k, v in values(p).items()})


def same(a: Orbits, b: Orbits, lanes: np.ndarray) -> bool:
    """Bit-identical on the given lanes of ``a``, which are all lanes of ``b``."""
    outputs = all(np.array_equal(a.outputs[k][lanes], b.outputs[k]) for k in a.outputs)
    return outputs and np.array_equal(a.state[:, lanes], b.state) and np.array_equal(a.beats[lanes], b.beats)


def test_runge_kutta_has_order_four() -> None:
    def error(steps: int) -> float:
        y = jnp.array(1.0)
        for k in range(steps):
            y = rk4_step(lambda t, v: -v * jnp.cos(t), k / steps, y, 1.0 / steps)
        return abs(float(y) - np.exp(-np.sin(1.0)))

    order = np.log2(error(8) / error(16))
    assert order == pytest.approx(4.0, abs=0.3)


def test_accelerated_orbit_is_where_80_plain_beats_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Performance reference, section 4: plain beating reaches 1e-6 in 59 to 85 beats."""
    p = scattered(4)
    fast = periodic_orbits(CIRCULATION, p, Inputs(), tolerance=1e-10, engine="portable")
    beside = fast.state.copy()
    beside[:4] *= 1.02
    monkeypatch.setattr(anderson, "WARM_BEATS", 10_000)
    solvers._orbit_block.cache_clear()
    waited = periodic_orbits(
        CIRCULATION, p, Inputs(), start=beside, tolerance=1e-9, max_beats=120, engine="portable"
    )
    solvers._orbit_block.cache_clear()
    assert (waited.beats > 2 * fast.beats).all()
    assert waited.converged.all()
    np.testing.assert_allclose(fast.state, waited.state, rtol=1e-5)


def test_acceleration_needs_few_beats() -> None:
    """Performance reference, section 4: Anderson with four differences reaches 1e-6 in 9 to 10 beats."""
    orbits = periodic_orbits(CIRCULATION, scattered(200), Inputs(), tolerance=1e-7)
    assert orbits.converged.all()
    assert np.percentile(orbits.beats, 95) <= 12
    assert (orbits.residual <= 1e-7).all()


@pytest.mark.parametrize("engine", ["native", "portable"])
@pytest.mark.parametrize("size", [1, 7, BLOCK])
def test_a_lane_is_bit_identical_whatever_it_is_solved_with(size: int, engine: Engine) -> None:
    p = scattered(BLOCK + 44)
    together = periodic_orbits(CIRCULATION, p, Inputs(), engine=engine)
    lanes = np.arange(BLOCK + 44)[::-1][:size].copy()
    assert same(together, periodic_orbits(CIRCULATION, take(p, lanes), Inputs(), engine=engine), lanes)


@pytest.mark.parametrize("engine", ["native", "portable"])
def test_a_poisoned_lane_fails_alone(engine: Engine) -> None:
    p = scattered(20)
    clean = periodic_orbits(CIRCULATION, p, Inputs(), engine=engine)
    for poison in (np.nan, np.inf, -1.0, 1e-9):
        bad = values(p)["systemic_arterial_compliance"].copy()
        bad[7] = poison
        orbits = periodic_orbits(
            CIRCULATION,
            Parameters(**{**values(p), "systemic_arterial_compliance": bad}),
            Inputs(),
            engine=engine,
        )
        others = np.flatnonzero(np.arange(20) != 7)
        assert not orbits.converged[7], poison
        assert orbits.converged[others].all()
        for name in clean.outputs:
            assert np.array_equal(orbits.outputs[name][others], clean.outputs[name][others]), (poison, name)


@pytest.mark.parametrize("engine", ["native", "portable"])
def test_steps_of_the_beat_that_is_read_are_its_own(engine: Engine) -> None:
    """The states of the orbit do not change with them; a mean over samples at the beginnings of n equal steps
    errs by O(1/n^2) for a signal with kinks, so four times the steps leave about a sixteenth of its error."""
    p = scattered(8)

    def mean(steps: int | None = None, watched: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        found = periodic_orbits(CIRCULATION, p, Inputs(), steps=steps, watched_steps=watched, engine=engine)
        return found.state, found.outputs["mean_pressure"]

    (one, coarse), (same_state, fine), (_, finest) = mean(500, 500), mean(), mean(500, 8000)
    assert np.array_equal(one, same_state)
    assert (np.abs(coarse / finest - 1) > 0).all()
    assert np.abs(fine / finest - 1).max() < 0.25 * np.abs(coarse / finest - 1).max()


def test_a_beat_that_is_read_in_no_whole_multiple_of_steps_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"2000 steps, not a whole multiple of the 750 .* choose watched_steps"
    ):
        periodic_orbits(CIRCULATION, Parameters(), Inputs(), steps=750)


def test_records_that_disagree_on_the_number_of_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="disagree on the number of patients"):
        periodic_orbits(
            CIRCULATION, Parameters(heart_rate=np.full(3, 70.0)), Inputs(systemic_resistance_ratio=np.ones(2))
        )


def test_a_model_without_a_cycle_has_no_orbit() -> None:
    slow = model("hansson_gist")
    with pytest.raises(ValueError, match="hansson_gist has no cycle"):
        periodic_orbits(slow, slow.Parameters(), slow.Inputs())
