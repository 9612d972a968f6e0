"""What hangs on a step's width alone is computed once a width, and no bit hangs on that."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import native
from organ_models.grids import Grid, grid
from organ_models.model import Stride
from organ_models.native import paced, stepping
from organ_models.stepping import Stepped, run


def decaying() -> Stepped:
    """x' = -a x with the exponential of the step, and a second row that counts what moves."""

    def step(p: Any, x: Any, time: Any, width: Any, doses: Any, held: Any) -> Any:
        return jnp.stack([x[0] * jnp.exp(-p[0] * width) + doses[0] * width, x[1] + jnp.log(1.0 + x[0])])

    return Stepped(
        name="decaying",
        states=2,
        outputs=2,
        rows=(1, 1, 0, 0),
        prepare=lambda p: p,
        initial=lambda p: jnp.stack([jnp.ones_like(p[0]), jnp.zeros_like(p[0])]),
        step=step,
        jump=None,
        read=lambda p, x, time, doses, held: x,
    )


def solved(steps: Grid, n: int = 5) -> np.ndarray:
    rates = np.linspace(0.1, 2.0, n)[None]
    columns = int(steps.column.max()) + 1
    doses = np.ones((1, columns, 1))
    none = np.zeros((0, columns, 1))
    return run(decaying(), rates, steps, doses, none, np.zeros((0, n)), engine="native")[1]


STEPS = grid(Stride(0.25, 0.01, 1.4), [3.3, 9.0], [0.0, 2.0, 7.0 + 1 / 24])


def test_a_step_that_is_not_cut_has_its_own_width_to_the_bit() -> None:
    """From day 7 and an hour on, differences of the times would be 0.25 but for rounding."""
    assert np.mean(STEPS.width == 0.25) > 0.3
    np.testing.assert_allclose(np.diff(STEPS.time), STEPS.width[:-1], rtol=0, atol=2e-15)
    assert np.unique(STEPS.width).size < 0.6 * STEPS.width.size
    halves = grid(Stride(0.25, 0.01, 1.4), [3.3, 9.0], [0.0, 2.0, 7.0 + 1 / 24], refine=2)
    np.testing.assert_array_equal(halves.width[::2], STEPS.width / 2)


def test_every_width_is_computed_when_it_comes_first() -> None:
    place = paced.places(np.array([0.25, 0.1, 0.1, 0.25, 0.3, 0.1]))
    found = np.where(place < 0, -1 - place, place)
    assert (place < 0).tolist() == [True, True, False, False, True, False]
    np.testing.assert_array_equal(found, [1, 0, 0, 1, 2, 0])


def test_of_too_many_widths_only_the_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "ROWS", 2)
    place = paced.places(np.array([0.25, 0.1, 0.1, 0.25, 0.3, 0.3]))
    assert place.tolist() == [-1, -1, 0, -1, -1, 0]


def test_the_table_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept for all widths, for the last one, and computed anew in every step."""
    expected = solved(STEPS)
    monkeypatch.setattr(paced, "ROWS", 2)
    np.testing.assert_array_equal(solved(STEPS), expected)
    monkeypatch.setattr(native, "places", lambda width: np.full(width.size, -1))
    np.testing.assert_array_equal(solved(STEPS), expected)


def test_a_decay_is_that_of_the_closed_form() -> None:
    """x = exp(-a t) without doses, whatever the steps."""
    problem, rates = decaying(), np.linspace(0.1, 2.0, 5)[None]
    columns = int(STEPS.column.max()) + 1
    nothing = np.zeros((1, columns, 1))
    state = run(problem, rates, STEPS, nothing, nothing[:0], np.zeros((0, 5)), engine="native")[1]
    np.testing.assert_allclose(state[0], np.exp(-9.0 * rates[0]), rtol=1e-13)


def test_what_hangs_on_the_width_alone_is_told_apart() -> None:
    made = stepping.SteppedKernel(decaying(), 4)
    a, pointers, _ = made.function("test", 4)
    load = stepping._rows
    prepared = load(pointers[0], 1, fixed=True)
    split = made._paced(a, prepared, load(pointers[1], 2), load(pointers[2], 0, fixed=True))
    names = [[e.primitive.name for e in part] for part in split.parts]
    assert "exp" in names[paced.PACED]
    assert "exp" not in names[paced.MOVING]
    assert "log" in names[paced.MOVING]
    assert split.rows == 1  # the exponential itself; the width is an argument


def test_what_no_result_hangs_on_is_not_emitted() -> None:
    """LLVM would have to call the C function: it cannot know that it does nothing else."""
    problem = decaying()

    def wasteful(p: Any, x: Any, *rest: Any) -> Any:
        jnp.tanh(x[0])
        return problem.step(p, x, *rest)

    wasting = Stepped(**{**vars(problem), "step": wasteful})
    made = stepping.SteppedKernel(wasting, 4)
    made.march()
    assert "tanh" not in str(made.module)
