"""Grades of adverse events by the Common Terminology Criteria for Adverse Events (CTCAE), version 5.0.

Only what the criteria say in numbers is graded: nothing here knows symptoms or treatment, which can raise a
grade. Grade 5 is death. The limits are those of the table that the National Cancer Institute publishes as a
spreadsheet (27 November 2017), read in a copy of it exported row by row. Version 6.0 has other limits
(neutrophils: grade 4 below 0.1 × 10⁹/L): a grade without its version says nothing.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

NEUTROPHIL_LIMITS = (1.5, 1.0, 0.5)
"""Neutrophil count decreased, 10⁹/L: below each limit the grade is 2, 3 and 4 (1500, 1000 and 500 /mm³)."""

LEUKOCYTE_LIMITS = (3.0, 2.0, 1.0)
"""White blood cell decreased, 10⁹/L: below each limit the grade is 2, 3 and 4 (3000, 2000 and 1000 /mm³)."""

PLATELET_LIMITS = (75.0, 50.0, 25.0)
"""Platelet count decreased, 10⁹/L: below each limit the grade is 2, 3 and 4."""

SYSTOLIC_LIMITS = (120.0, 140.0, 160.0)
"""Hypertension of adults, mmHg: from each limit on the grade is 1, 2 and 3."""

DIASTOLIC_LIMITS = (80.0, 90.0, 100.0)
"""Hypertension of adults, mmHg: from each limit on the grade is 1, 2 and 3."""

EJECTION_FRACTION_LIMITS = (0.50, 0.40, 0.20)
"""Ejection fraction decreased: grade 2 from 0.50 down to 0.40, grade 3 below it, grade 4 below 0.20."""

EJECTION_FRACTION_DROPS = (0.10, 0.20)
"""Ejection fraction decreased: grades 2 and 3 from this drop below the baseline on, as a fraction."""


_ROUNDING = 1e-9
"""0.70 less 0.60 is a little less than 0.10 in binary."""


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


def thrombocytopenia_grade(count: Any, lower_limit_of_normal: Any = None) -> Any:
    """Grade of "Platelet count decreased"; see :func:`neutropenia_grade`."""
    return _below(count, PLATELET_LIMITS, lower_limit_of_normal)


def hypertension_grade(*, systolic: Any = None, diastolic: Any = None) -> Any:
    """Grade of "Hypertension" of an adult by pressure alone, the higher of both pressures' grades.

    The criteria also grade by symptoms, by a rise of more than 20 mmHg *with symptoms*, by treatment that
    becomes necessary, and ask grade 2 to recur or to last a day: a single reading is a screening. Grade 4
    (life-threatening consequences) is no number.

    Args:
        systolic, diastolic: mmHg, any shapes that go together; at least one.

    Returns:
        0 to 3.

    Raises:
        TypeError: neither pressure is given.
    """
    if systolic is None and diastolic is None:
        raise TypeError("a grade of hypertension needs a systolic or a diastolic pressure")
    grades = [
        sum(jnp.where(pressure >= limit, 1.0, 0.0) for limit in limits)
        for pressure, limits in ((systolic, SYSTOLIC_LIMITS), (diastolic, DIASTOLIC_LIMITS))
        if pressure is not None
    ]
    return grades[0] if len(grades) == 1 else jnp.maximum(grades[0], grades[1])


def ejection_fraction_grade(fraction: Any, baseline: Any = None) -> Any:
    """Grade of "Ejection fraction decreased"; there is no grade 1.

    The criteria write the drop as "10 - 19%" and "≥ 20 %" without saying of what; it is taken in points of
    the ejection fraction, as stopping rules of trials are.

    Args:
        fraction: at rest, 0 to 1 (a fraction, no percentage), any shape.
        baseline: before treatment, of shapes that go together. If absent, only the fraction itself counts.

    Returns:
        0, 2, 3 or 4.
    """
    second, third, fourth = EJECTION_FRACTION_LIMITS
    grade = jnp.where(fraction <= second, jnp.where(fraction < third, 3.0, 2.0), 0.0)
    if baseline is not None:
        moderate, severe = EJECTION_FRACTION_DROPS
        drop = baseline - fraction + _ROUNDING
        grade = jnp.maximum(grade, jnp.where(drop >= moderate, jnp.where(drop >= severe, 3.0, 2.0), 0.0))
    return jnp.where(fraction < fourth, 4.0, grade)


def _below(count: Any, limits: tuple[float, float, float], normal: Any) -> Any:
    second, third, fourth = limits
    grade = jnp.where(count < second, 2.0, 0.0 if normal is None else jnp.where(count < normal, 1.0, 0.0))
    return jnp.where(count < fourth, 4.0, jnp.where(count < third, 3.0, grade))
