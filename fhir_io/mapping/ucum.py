"""Conversion between UCUM units at the door.

``ucumvert`` parses, ``pint`` converts. Their registry takes about a second to load, so it is loaded when
the first unit has to be converted, and every answer is kept. ``organ_models`` has a conversion of its own
for the units of models; importing it would load JAX, which an import of records must not.

Annotations (``{...}``) are taken off before parsing, for pint would make new units of them. What they
say is the business of :mod:`fhir_io.mapping.units`.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pint

if TYPE_CHECKING:
    from ucumvert import PintUcumRegistry

_ANNOTATION = re.compile(r"\{[^{}]*\}")
_NUMBER = re.compile(r"(?!1$)[0-9]+")  # a number as a term of a unit is a code or a value gone astray
_LONGEST = 60  # characters; no unit of a measurement is longer


@dataclass(frozen=True, slots=True)
class Conversion:
    """``target = factor * source + offset``."""

    factor: float
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        return self.factor * value + self.offset


SAME = Conversion(1.0)


def annotations_of(unit: str) -> tuple[str, ...]:
    """What stands in braces in a unit."""
    return tuple(found[1:-1] for found in _ANNOTATION.findall(unit))


@functools.lru_cache(maxsize=4096)
def without_annotations(unit: str) -> str:
    """A unit without annotations; one that is nothing else is the unit 1."""

    def replace(match: re.Match[str]) -> str:
        before = unit[match.start() - 1 : match.start()]
        return "" if before and before not in "/." else "1"

    return re.sub(r"/1(?=$|[/.])", "", _ANNOTATION.sub(replace, unit)) or "1"


@functools.cache
def _registry() -> PintUcumRegistry:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


@functools.lru_cache(maxsize=4096)
def parsed(unit: str) -> Any:
    """A UCUM unit as a pint quantity; None if it is no UCUM unit, or has a bare number other than 1 in it."""
    plain = without_annotations(unit)
    if not 0 < len(plain) <= _LONGEST or any(_NUMBER.fullmatch(t) for t in re.split(r"[/.]", plain)):
        return None
    try:
        return _registry().from_ucum(plain)
    except Exception:  # lark, pint and ucumvert raise many kinds
        return None


@functools.lru_cache(maxsize=4096)
def conversion(source: str, target: str, molar_mass: float | None = None) -> Conversion | None:
    """How to get from one UCUM unit to another; None if it cannot be said.

    Args:
        source, target: UCUM units; annotations are ignored.
        molar_mass: g/mol of what is measured: a mass then becomes an amount of substance, and the reverse.
    """
    if without_annotations(source) == without_annotations(target):
        return SAME
    start, end = parsed(source), parsed(target)
    if start is None or end is None:
        return None
    if molar_mass is not None:
        per_mole = molar_mass * parsed("g/mol")
        try:
            changed = (start * per_mole, start / per_mole)
        except pint.OffsetUnitCalculusError:  # degrees are no amount
            return None
        return next((found for each in changed if (found := _scaled(each, end)) is not None), None)
    return _scaled(start, end)


def _scaled(start: Any, end: Any) -> Conversion | None:
    make = start.__class__  # of the registry that parsed it
    try:
        # an offset (Celsius, Fahrenheit) shows at zero; a magnitude may be part of the unit (10*3/uL)
        zero = make(0.0 * start.magnitude, start.units).to(end.units).magnitude
        one = make(1.0 * start.magnitude, start.units).to(end.units).magnitude
    except Exception:  # other dimensions, or an offset unit within a product
        return None
    factor, offset = (one - zero) / end.magnitude, zero / end.magnitude
    return Conversion(float(factor), float(offset)) if math.isfinite(factor) and factor else None
