"""Beats of a cyclic model one after another from its own start, not accelerated towards the periodic state.

Published traces often are taken some beats after given initial conditions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from organ_models.engines import Engine
from organ_models.model import OrganModel
from organ_models.solvers import periodic_orbits, rows_of, waveforms


def beat_after(
    model: OrganModel,
    parameters: Any,
    inputs: Any,
    beats: int,
    *,
    steps: int | None = None,
    engine: Engine = "auto",
) -> dict[str, np.ndarray]:
    """Signals over the beat that follows ``beats`` beats from the model's initial state.

    Args:
        model: a model with a ``cycle``.
        parameters, inputs: the model's records; fields are scalars or arrays of shape ``(n,)``.
        beats: beats to let pass; 0 shows the first one.
        steps: Runge–Kutta steps of every beat; those of a watched beat if absent.
        engine: the back end.

    Returns:
        ``time`` (s, from the start of the beat) and every signal, each of shape ``(steps + 1, n)``.
    """
    if model.cycle is None:
        raise ValueError(f"{model.name} has no cycle")
    fine = model.cycle.watched_steps if steps is None else steps
    n = max(np.size(v) for record in (parameters, inputs) for v in (*vars(record).values(), 0.0))
    state = rows_of(model.initial(model.working(parameters)), n)
    for _ in range(beats):
        # with any change accepted a single beat is the answer
        state = periodic_orbits(
            model,
            parameters,
            inputs,
            start=state,
            tolerance=np.inf,
            steps=fine,
            watched_steps=fine,
            engine=engine,
        ).state
    return waveforms(model, parameters, inputs, state, steps=fine, engine=engine)
