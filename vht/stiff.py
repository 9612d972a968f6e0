"""Steps of stiff slow models by an implicit solver that chooses its own steps, patient by patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

RELATIVE, ABSOLUTE = 1e-8, 1e-10
"""Tolerances of a step."""

_MOST_STEPS = 100_000


class StiffSolverMissing(ImportError):
    """A stiff model was given, and the solver is not installed; the message names the remedy."""


def advance(rate: Callable[[Any, Any], Any], time: Any, width: Any, states: Any) -> Any:
    """``states`` of one patient a ``width`` later, by Kvaerno's ESDIRK method of order 5.

    Args:
        rate: ``rate(time, states) -> rates``.
        time, width: begin and length, d.
        states: pytree of scalars.

    Raises:
        StiffSolverMissing: diffrax is not installed.
    """
    try:
        import diffrax
    except ImportError:
        raise StiffSolverMissing(
            "a stiff model needs diffrax; install it with: pip install 'virtual-human-twin[stiff]'"
        ) from None
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, _: rate(t, y)),
        diffrax.Kvaerno5(),
        t0=time,
        t1=time + width,
        dt0=None,
        y0=states,
        stepsize_controller=diffrax.PIDController(rtol=RELATIVE, atol=ABSOLUTE),
        max_steps=_MOST_STEPS,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    failed = solution.result != diffrax.RESULTS.successful
    return jax.tree.map(lambda y: jnp.where(failed, jnp.nan, y[-1]), solution.ys)
