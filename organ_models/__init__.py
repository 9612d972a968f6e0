"""Organ models: physiology as pure JAX functions, nothing else.

A model declares its parameters, states, inputs and outputs once, with units and sources, and gives
two functions: what changes (``derivative``) and what can be seen (``observe``). Arrays in place of
scalars, patients along the last axis, make the same code one patient or a million. This package has
never heard of records, files, FHIR, trials or MLflow.

Physiology is computed in float64; this import is the one place where that is switched on.
"""

import jax

jax.config.update("jax_enable_x64", True)

from organ_models.catalogue import catalogue, model  # noqa: E402
from organ_models.model import OrganModel, Reference  # noqa: E402
from organ_models.units import UnitError, convert  # noqa: E402

__all__ = ["OrganModel", "Reference", "UnitError", "catalogue", "convert", "model"]
