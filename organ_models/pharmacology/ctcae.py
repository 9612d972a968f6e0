"""Grades of adverse events by the Common Terminology Criteria for Adverse Events (CTCAE), version 5.0.

Only criteria that are numbers are graded: nothing here knows symptoms or treatment. Grade 5 is death.

The limits are those that several independent transcriptions of version 5.0 agree on; the text of the
National Cancer Institute itself was not read. Version 6.0 grades neutrophils by other limits (grade 4 below
0.1 × 10⁹/L): a grade without its version says nothing. Hypertension and a falling ejection fraction are not
graded: their criteria also ask for treatment and symptoms, and no transcription of the latter was found.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

NEUTROPHIL_LIMITS = (1.5, 1.0, 0.5)
"""Neutrophil count decreased, 10⁹/L: below each limit the grade is 2, 3 and 4 (1500, 1000 and 500 /mm³)."""

LEUKOCYTE_LIMITS = (3.0, 2.0, 1.0)
"""White blood cell decreased, 10⁹/L: below each limit the grade is 2, 3 and 4 (3000, 2000 and 1000 /mm³)."""


def neutropenia_grade(count: Any, lower_limit_of_normal: Any = None) -> Any:
    """Grade of "Neutrophil count decreased".

    Args:
        count: neutrophils, 10⁹/L, any shape.
        lower_limit_of_normal: of the laboratory, 10⁹/L. Grade 1 lies between it and 1.5; the criteria name no
            number for it. If absent, counts from 1.5 on are grade 0.

    Returns:
        0 to 4, same shape.
    """
    return _below(count, NEUTROPHIL_LIMITS, lower_limit_of_normal)


def leukopenia_grade(count: Any, lower_limit_of_normal: Any = None) -> Any:
    """Grade of "White blood cell decreased"; see :func:`neutropenia_grade`."""
    return _below(count, LEUKOCYTE_LIMITS, lower_limit_of_normal)


def _below(count: Any, limits: tuple[float, float, float], normal: Any) -> Any:
    second, third, fourth = limits
    grade = jnp.where(count < second, 2.0, 0.0 if normal is None else jnp.where(count < normal, 1.0, 0.0))
    return jnp.where(count < fourth, 4.0, jnp.where(count < third, 3.0, grade))
