"""Amounts: a number with a UCUM unit, written as people write it (``50 mg/d``, ``12.5 %``, ``28 d``)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from organ_models.units import UnitError, conversion, convert

_PATTERN = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_AMOUNT = re.compile(rf"\s*({_PATTERN})\s+(\S+)\s*")


@dataclass(frozen=True)
class Amount:
    """A value and its UCUM unit.

    Attributes:
        value: the number as written, finite.
        unit: the UCUM unit as written; ``1`` for a plain ratio.
    """

    value: float
    unit: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError("an amount must be a finite number")
        conversion(self.unit, f"({self.unit})")  # the unit in brackets: reads it, changes nothing

    @classmethod
    def parse(cls, text: str) -> Amount:
        """Read ``"50 mg/d"``.

        Raises:
            ValueError: no number, no blank before the unit, or a unit that is not UCUM.
        """
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not an amount; write a number, a blank and a UCUM unit: '50 mg/d'")
        return cls(float(match[1]), match[2])

    def to(self, unit: str) -> float:
        """The value in another UCUM unit; raises :class:`organ_models.units.UnitError` if there is none."""
        return convert(self.value, self.unit, unit)

    def __str__(self) -> str:
        number = repr(float(self.value))
        return f"{number.removesuffix('.0')} {self.unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": rf"^\s*{_PATTERN}\s+\S+\s*$",
            "description": "a number, a blank and a UCUM unit",
            "examples": ["50 mg/d", "12.5 %", "28 d"],
        }

    @classmethod
    def _validate(cls, value: object) -> Amount:
        if isinstance(value, Amount):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValueError(f"{value} has no unit; write it with a UCUM unit: '{value} d'")
        raise ValueError("an amount was expected: a number, a blank and a UCUM unit, such as '50 mg/d'")


@dataclass(frozen=True)
class _Measures:
    """Checks that an amount can be expressed in ``unit`` and lies in a range there."""

    unit: str
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    whole: bool = False

    def __call__(self, amount: Amount) -> Amount:
        value = amount.to(self.unit)
        if self.above is not None and not value > self.above:
            raise ValueError(f"must be more than {self._bound(self.above)}")
        if self.at_least is not None and not value >= self.at_least:
            raise ValueError(f"must be at least {self._bound(self.at_least)}")
        if self.below is not None and not value < self.below:
            raise ValueError(f"must be less than {self._bound(self.below)}")
        if self.whole and not math.isclose(value, round(value), rel_tol=0, abs_tol=1e-9):
            raise ValueError("must be a whole number of days")
        return amount

    def _bound(self, value: float) -> str:
        return f"{value:.0%}" if self.unit == "1" else f"{value:g} {self.unit}"


def check_unit(amount: Amount, unit: str) -> str | None:
    """What is wrong with measuring ``amount`` in ``unit``; None where nothing is."""
    try:
        amount.to(unit)
    except UnitError as error:
        return str(error)
    return None


def days(amount: Amount) -> float:
    """A duration in days; whole days come out exact."""
    value = amount.to("d")
    return float(round(value)) if math.isclose(value, round(value), rel_tol=0, abs_tol=1e-9) else value


Duration = Annotated[Amount, AfterValidator(_Measures("d", above=0, whole=True))]
Time = Annotated[Amount, AfterValidator(_Measures("d", above=0))]
Day = Annotated[Amount, AfterValidator(_Measures("d", at_least=0, whole=True))]
Interval = Annotated[Amount, AfterValidator(_Measures("h", at_least=1))]
Lag = Annotated[Amount, AfterValidator(_Measures("d", at_least=0))]
Hours = Annotated[Amount, AfterValidator(_Measures("h", above=0))]
Surface = Annotated[Amount, AfterValidator(_Measures("m2", above=0))]
Age = Annotated[Amount, AfterValidator(_Measures("a", at_least=0))]
Hazard = Annotated[Amount, AfterValidator(_Measures("/d", at_least=0))]
Proportion = Annotated[Amount, AfterValidator(_Measures("1", at_least=0, below=1))]
Confidence = Annotated[Amount, AfterValidator(_Measures("1", above=0.5, below=1))]
