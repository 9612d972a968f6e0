"""Tumour size as the sum of a growing and a shrinking exponential.

    Stein-Fojo:      y = y0 [exp(kg t) + exp(-ks t) - 1]
    growth-shrinkage with a sensitive fraction f (GSF):
                     y = y0 [f exp(-ks t) + (1 - f) exp(kg t)]

Neither has a plateau: they describe a trial's follow-up and must not be extrapolated far beyond it.
"""

from __future__ import annotations

import jax.numpy as jnp

from organ_models.model import Array, variable, variables

NO_PLATEAU = (
    "Growth is exponential without a plateau: beyond the follow-up of the trials the size is an "
    "extrapolation. Target lesions only: no new lesions, so progression is underestimated; no survival "
    "model."
)


@variables
class SteinFojoState:
    log_growth: Array = variable("1", "ln of the growing part over baseline")
    log_shrinkage: Array = variable("1", "ln of the shrinking part over baseline")


@variables
class TreatmentInputs:
    treatment: Array = variable("1", "1 while treated; 0 before treatment, when nothing shrinks", default=1.0)


def stein_fojo(x: SteinFojoState) -> Array:
    """Size over baseline."""
    return jnp.exp(x.log_growth) + jnp.exp(x.log_shrinkage) - 1.0


def stein_fojo_start(like: Array) -> SteinFojoState:
    return SteinFojoState(log_growth=jnp.zeros_like(like), log_shrinkage=jnp.zeros_like(like))


def stein_fojo_rates(x: SteinFojoState, growth: Array, shrinkage: Array) -> SteinFojoState:
    """Rates of the state from ``kg`` and ``ks``, in their unit."""
    none = jnp.zeros_like(x.log_growth)
    return SteinFojoState(log_growth=growth + none, log_shrinkage=none - shrinkage)


def stein_fojo_after(x: SteinFojoState, elapsed: Array, growth: Array, shrinkage: Array) -> SteinFojoState:
    """The state some time later."""
    return SteinFojoState(
        log_growth=x.log_growth + growth * elapsed, log_shrinkage=x.log_shrinkage - shrinkage * elapsed
    )


def stein_fojo_time_to_growth(growth: Array, shrinkage: Array) -> Array:
    """When the size is smallest, ln(ks/kg) / (ks + kg); 0 for a tumour that never shrinks."""
    return jnp.maximum(jnp.log(shrinkage) - jnp.log(growth), 0.0) / (shrinkage + growth)


def gsf_time_to_growth(growth: Array, shrinkage: Array, fraction: Array) -> Array:
    """When the size is smallest: [ln(ks f) - ln(kg (1 - f))] / (ks + kg), 0 for one that never shrinks."""
    ahead = jnp.log(shrinkage * fraction) - jnp.log(growth * (1.0 - fraction))
    return jnp.maximum(ahead, 0.0) / (shrinkage + growth)
