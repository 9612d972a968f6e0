"""Myelosuppression by Friberg et al. (2002): cells proliferate, mature in three steps, and circulate.

    Prol' = ktr Prol (1 - E) (Circ0 / Circ)^gamma - ktr Prol
    Tr1'  = ktr (Prol - Tr1),  Tr2' = ktr (Tr1 - Tr2),  Tr3' = ktr (Tr2 - Tr3)
    Circ' = ktr Tr3 - k Circ,                           ktr = 4 / MTT

A drug takes away the share E of proliferation (more than all of it kills); too few circulating cells speed
it up. The models of the family differ in E, in what else reaches the blood, and in the loss k, which is ktr
but for sunitinib. There is no circadian rhythm: counts start in balance and stay there without a drug.

The proliferating cells are carried as their logarithm, so that a kill of seventy times their turnover is an
integral of the concentration and not a stiff decay.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, Stride, variable, variables

STRIDE = Stride(longest=0.25, first=6.0 / 1440.0, growth=1.4)
"""Steps after a change of the dose: a cytotoxic concentration halves within minutes after an infusion."""


@variables
class Chain:
    log_proliferating: Array = variable("1", "ln(proliferating cells / 10⁹/L)")
    transit_1: Array = variable("10*9/L", "maturing cells, first step")
    transit_2: Array = variable("10*9/L", "maturing cells, second step")
    transit_3: Array = variable("10*9/L", "maturing cells, third step")
    circulating: Array = variable("10*9/L", "circulating cells")


def balanced(baseline: Any, transit_time: Any, loss: Any = None) -> Chain:
    """The chain without a drug.

    Args:
        baseline: circulating cells, 10⁹/L.
        transit_time: MTT, d.
        loss: rate at which cells leave the blood, 1/d; 4 / MTT if absent.
    """
    marrow = baseline * (1.0 if loss is None else loss * transit_time / 4.0)
    return Chain(jnp.log(marrow), marrow, marrow, marrow, baseline * jnp.ones_like(marrow))


def chain_rates(
    x: Chain,
    baseline: Any,
    transit_time: Any,
    feedback: Any,
    effect: Any,
    *,
    loss: Any = None,
    released: Any = 0.0,
) -> Chain:
    """Rates of the chain per day.

    Args:
        x: state.
        baseline: Circ0, 10⁹/L.
        transit_time: MTT, d.
        feedback: gamma.
        effect: E.
        loss: as for :func:`balanced`.
        released: cells that reach the blood from elsewhere, 10⁹/L a day.
    """
    rate = 4.0 / transit_time
    gone = rate if loss is None else loss
    # (Circ0 / Circ)^gamma; a logarithm and an exponential cost less than a power
    called = jnp.exp(feedback * (jnp.log(baseline) - jnp.log(x.circulating)))
    return Chain(
        log_proliferating=rate * ((1.0 - effect) * called - 1.0),
        transit_1=rate * (jnp.exp(x.log_proliferating) - x.transit_1),
        transit_2=rate * (x.transit_1 - x.transit_2),
        transit_3=rate * (x.transit_2 - x.transit_3),
        circulating=rate * x.transit_3 + released - gone * x.circulating,
    )
