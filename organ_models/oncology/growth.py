"""Laws of tumour growth in the logarithm of the size: what they share.

With x = ln(size), the exponential, logistic, generalised logistic, Gompertz, power and von Bertalanffy laws
all are x' = A + B exp(-m x), or its limit for m -> 0. Their closed form is one, in terms of the present rate
r = x'(0) and the rate d at which x' settles:

    x(t) = x(0) + q ln(1 + m q) / (m q),    q = r t (1 - exp(-d t)) / (d t)

(exponential m = d = 0; Gompertz m = 0, d = b; logistic m = -1, d = a; power m = 1 - g, d = 0; von Bertalanffy
m = 1 - g, d = m b). The two quotients are smooth through zero, so the limits hold in value and derivative.

A drug may kill cells in between: ``kill_rate`` is taken off the rate of growth of the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, OrganModel, Reference, variable, variables
from organ_models.scenarios import Check, Scenario, Variant

_LARGEST_EXPONENT = 700.0


@variables
class State:
    log_volume: Array = variable("1", "ln(volume / mm3)")


@variables
class Inputs:
    kill_rate: Array = variable("/d", "rate at which a drug kills cells", default=0.0)


@variables
class Outputs:
    volume: Array = variable("mm3", "tumour volume", quantity="tumour_volume")


def relative_exponential(x: Array) -> Array:
    """(exp(x) - 1) / x, and 1 at zero; smooth in value and derivatives.

    Near zero it is a series whose first neglected term is below 1e-17; further off no digit is lost by the
    subtraction. Native code has all of it in vectors, which it has not of ``expm1``.
    """
    near = jnp.abs(x) < 0.5
    safe = jnp.where(near, 1.0, x)
    series = jnp.zeros_like(x)
    for order in reversed(range(15)):
        series = series * x + 1.0 / math.factorial(order + 1)
    return jnp.where(near, series, (jnp.exp(safe) - 1.0) / safe)


def relative_logarithm(x: Array) -> Array:
    """ln(1 + x) / x, and 1 at zero; smooth in value and derivatives.

    Near zero it is a series whose first neglected term is below 1e-17. Further off the rounding of 1 + x is
    taken out by dividing by what has really been added.
    """
    near = jnp.abs(x) < 0.01
    one_more = 1.0 + jnp.where(near, 1.0, x)
    series = jnp.ones_like(x) / 9.0
    for order in range(8, 0, -1):
        series = 1.0 / order - x * series
    return jnp.where(near, series, jnp.log(one_more) / (one_more - 1.0))


def advanced(log_size: Array, elapsed: Array, rate: Array, settling: Array, bend: Array) -> Array:
    """Logarithm of the size after some time, by the closed form that the laws share.

    Args:
        log_size, rate: x and x' now.
        elapsed: how long, d.
        settling: d, the rate at which x' settles, /d; below zero where a drug kills more than regrows.
        bend: m.
    """
    # the exponent of a tumour that is gone anyway is held where numbers stay finite
    exponent = jnp.minimum(-settling * elapsed, _LARGEST_EXPONENT)
    moved = rate * elapsed * relative_exponential(exponent)
    return log_size + moved * relative_logarithm(bend * moved)


Law = Callable[[Array, Any, Any], Array]
"""``law(log_volume, parameters, inputs)``."""


def growth_law(
    *,
    name: str,
    title: str,
    Parameters: type,
    rate: Law,
    settling: Callable[[Any, Any], Array],
    bend: Callable[[Any], Array],
    references: tuple[Reference, ...],
    notes: str,
    variants: tuple[Variant, ...] = (),
    scenarios: tuple[Scenario, ...] = (),
    checks: tuple[Check, ...] = (),
) -> OrganModel:
    """An organ model of a law with the shared closed form.

    Args:
        name, title, Parameters, references, notes, variants, scenarios, checks: as in ``OrganModel``; the
            parameters hold ``initial_volume``, mm3.
        rate: x', the rate of the logarithm of the volume, /d.
        settling, bend: ``settling(parameters, inputs)`` and ``bend(parameters)`` of :func:`advanced`.
    """

    def initial(p: Any) -> State:
        return State(log_volume=jnp.log(p.initial_volume))

    def derivative(time: Array, x: State, p: Any, u: Inputs) -> State:
        return State(log_volume=rate(x.log_volume, p, u))

    def solution(elapsed: Array, x: State, p: Any, u: Inputs) -> State:
        now = rate(x.log_volume, p, u)
        return State(log_volume=advanced(x.log_volume, elapsed, now, settling(p, u), bend(p)))

    def observe(time: Array, x: State, p: Any, u: Inputs) -> Outputs:
        return Outputs(volume=jnp.exp(x.log_volume))

    return OrganModel(
        name=name,
        title=title,
        version="1.0",
        clock="d",
        Parameters=Parameters,
        State=State,
        Inputs=Inputs,
        Outputs=Outputs,
        initial=initial,
        derivative=derivative,
        solution=solution,
        observe=observe,
        references=references,
        notes=notes,
        variants=variants,
        scenarios=scenarios,
        checks=checks,
    )
