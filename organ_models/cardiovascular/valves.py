"""Heart valves as resistances and orifices.

An orifice loses kinetic energy: the pressure drop rises with the square of the flow (Bernoulli). Together
with the viscous resistance that every valve has, ``drop = R Q + (Q / (K A))^2``, which has one root; a
resistance above zero keeps its slope finite where the drop is zero.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array

ORIFICE = 50.15
"""sqrt(2 * 1333.22 / 1.06), cm/s per mmHg^1/2: velocity of blood of 1.06 g/mL behind a drop of 1 mmHg."""

_SMALLEST = 1e-12


def diode(drop: Array, forward: Array, backward: Array) -> Array:
    """Flow (mL/s) through an ideal diode valve.

    Args:
        drop: pressure upstream less downstream, mm[Hg].
        forward, backward: resistance when open and when closed, mm[Hg].s/mL.
    """
    return drop / jnp.where(drop > 0.0, forward, backward)


def orifice(drop: Array, forward: Array, backward: Array, area: Array, regurgitant_area: Array) -> Array:
    """Flow (mL/s) through a valve with an effective orifice area and a leak.

    Args:
        drop: pressure upstream less downstream, mm[Hg].
        forward: viscous resistance of the open valve and of the leak, mm[Hg].s/mL.
        backward: resistance of the closed valve beside the leak, mm[Hg].s/mL.
        area: effective orifice area, cm2.
        regurgitant_area: effective regurgitant orifice area, cm2; 0 is a tight valve.
    """
    opened = drop > 0.0
    width = jnp.where(opened, area, regurgitant_area)
    viscous = forward * width
    root = jnp.sqrt(viscous * viscous + (4.0 / ORIFICE**2) * jnp.abs(drop) + _SMALLEST)
    through = 2.0 * width * drop / (viscous + root)
    return through + jnp.where(opened, 0.0, drop / backward)
