"""Organ models: physiology as pure JAX functions, nothing else.

A model declares its parameters, states, inputs and outputs once, with units and sources, and gives
two functions: what changes (``derivative``) and what can be seen (``observe``). Arrays in place of
scalars, patients along the last axis, make the same code one patient or a million. This package has
never heard of records, files, FHIR, trials or MLflow.

Physiology is computed in float64 (:mod:`organ_models.precision`).
"""

from organ_models.precision import PrecisionError, require_float64  # isort: skip  (before anything computes)
from organ_models.catalogue import catalogue, model
from organ_models.model import OrganModel, Reference
from organ_models.units import UnitError, convert

__all__ = [
    "OrganModel",
    "PrecisionError",
    "Reference",
    "UnitError",
    "catalogue",
    "convert",
    "model",
    "require_float64",
]
