"""Conversion between UCUM units.

Conversion happens at the door, where two ports are coupled, and once when a model's published
parameters are put on its clock; never inside a formula. Parsing is by ``ucumvert`` on ``pint``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pint

if TYPE_CHECKING:
    from ucumvert import PintUcumRegistry


class UnitError(ValueError):
    """A unit that cannot be read, or two units that measure different things."""


@dataclass(frozen=True)
class Conversion:
    """``target = factor * source + offset``."""

    factor: float
    offset: float

    def __call__(self, value: float) -> float:
        return self.factor * value + self.offset


@functools.cache
def _registry() -> PintUcumRegistry:
    from ucumvert import PintUcumRegistry  # takes a second to load: only when a unit is converted

    return PintUcumRegistry()


@functools.cache
def _parse(unit: str) -> pint.Unit:
    try:
        return _registry().from_ucum(unit).units
    except Exception:
        raise UnitError(f"'{unit}' is not a UCUM unit") from None


@functools.cache
def conversion(source: str, target: str) -> Conversion:
    """How to get from one UCUM unit to another.

    Raises:
        UnitError: one of them is not UCUM, or they have different dimensions.
    """
    if source == target:
        return Conversion(1.0, 0.0)
    registry = _registry()
    try:
        start, end = registry.from_ucum(source), registry.from_ucum(target)
    except Exception:
        _parse(source), _parse(target)
        raise
    try:
        unit = end.units
        zero = registry.Quantity(0.0 * start.magnitude, start.units).to(unit).magnitude
        one = registry.Quantity(1.0 * start.magnitude, start.units).to(unit).magnitude
    except pint.DimensionalityError:
        raise UnitError(f"'{source}' cannot be converted to '{target}'") from None
    scale = end.magnitude
    return Conversion((one - zero) / scale, zero / scale)


def convert(value: float, source: str, target: str) -> float:
    """``value`` of one UCUM unit in another."""
    return conversion(source, target)(value)
