"""Which inputs of a model its outputs show at once, without going through its state.

Composition needs it: two models may drive each other when a state stands in between; a loop of outputs
that show their inputs at once is algebraic and has no meaning on a clock.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from organ_models.model import OrganModel, fields, values


def feedthrough(model: OrganModel) -> Mapping[str, frozenset[str]]:
    """Input ports that ``observe`` uses, by output (slow models, controllers) or signal (cyclic models).

    A port that the model's own delay feeds shows the past, and is left out.
    """
    return {name: ports - set(model.delays) for name, ports in _used(model).items()}


def delayed_feedthrough(model: OrganModel) -> Mapping[str, frozenset[str]]:
    """Input ports fed by the model's own delays that ``observe`` uses, by output."""
    return {name: ports & set(model.delays) for name, ports in _used(model).items()}


@functools.cache
def _used(model: OrganModel) -> Mapping[str, frozenset[str]]:
    one = jax.ShapeDtypeStruct((), np.float64)

    def record(kind: type) -> Any:
        return kind(**dict.fromkeys(fields(kind), one))

    p = jax.eval_shape(model.working, record(model.Parameters))
    u = record(model.Inputs)
    time = jax.eval_shape(model.cycle.drive, one, p, u) if model.cycle else one

    def read(inputs: Any, now: Any, state: Any, parameters: Any) -> tuple[Any, ...]:
        return tuple(values(model.observe(now, state, parameters, inputs)).values())

    jaxpr = jax.make_jaxpr(read)(u, time, record(model.State), p).jaxpr
    names = list(fields(model.Inputs))
    uses: dict[Any, frozenset[str]] = {
        variable: frozenset({name}) for variable, name in zip(jaxpr.invars, names, strict=False)
    }

    def used(atom: Any) -> frozenset[str]:
        return frozenset() if hasattr(atom, "val") else uses.get(atom, frozenset())

    for equation in jaxpr.eqns:
        through = frozenset().union(*map(used, equation.invars))
        uses |= dict.fromkeys(equation.outvars, through)
    shown = fields(model.Signals if model.cycle else model.Outputs)
    return dict(zip(shown, map(used, jaxpr.outvars), strict=True))
