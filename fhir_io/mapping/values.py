"""From a value element to numbers, intervals and findings.

A number that is only bounded (``<5``, a Range) is an :class:`Interval`: it is never taken for the
bound. Both ends belong to it, for a bound says nothing finer than the method measures.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_io.mapping.code_rows import AnswerRow, QuantityRow
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.codes import Asked, answer
from fhir_io.mapping.sampled import samples
from fhir_io.mapping.units import Measured, to_canonical
from fhir_io.read import Json
from fhir_io.reasons import Reason
from vht.quantities import quantity

_NUMBER = re.compile(
    r"(?P<comparator><=|>=|<|>|≤|≥)?\s*(?P<number>[+-]?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?)"
    r"(?P<unit>\s*([A-Za-zµμ°%\[{(]|/[A-Za-z])\S*(\s\S+){0,3}|\s+x?10[*^]\S+|\s+1)?"
)
_BELOW = {"<", "<=", "≤"}
_ABOVE = {">", ">=", "≥"}


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the canonical unit of its quantity; ``after``: days after the Observation's time."""

    quantity: str
    value: float
    from_text: bool = False
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a quantity in its canonical unit; None where there is no bound, never both."""

    quantity: str
    low: float | None
    high: float | None
    from_text: bool = False
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A concept that a coded answer affirms or denies."""

    concept: str
    present: bool


Content = Value | Interval | Finding


def value_key(holder: Json) -> str | Reason | None:
    """The name of the value element of an Observation or component; None if it has none."""
    return _value_key(tuple(holder))


@functools.lru_cache(maxsize=4096)
def _value_key(elements: tuple[str, ...]) -> str | Reason | None:
    keys = [key for key in elements if key[:5] == "value" and key[5:6].isupper()]
    if len(keys) > 1:
        return Reason.INVALID
    return keys[0] if keys else None


def contents(target: Asked, holder: Json, tables: Tables) -> Iterator[Content | Reason]:
    """What an Observation or component holds, and why what it holds cannot be used."""
    key = value_key(holder)
    if isinstance(key, Reason):
        yield key
    elif key is None or holder.get("dataAbsentReason") is not None:
        yield Reason.VALUE_ABSENT
    elif key == "valueCodeableConcept" or key == "valueBoolean":
        yield from _answered(target, key, holder[key], tables)
    elif target.row is None:
        yield Reason.UNKNOWN_ANSWER
    elif key == "valueSampledData":
        yield from _sampled(target.row, holder[key], tables)
    else:
        yield _single(target.row, key, holder[key], tables)


def _single(row: QuantityRow, key: str, element: Any, tables: Tables) -> Content | Reason:
    if key == "valueInteger":
        if isinstance(element, float) and not element.is_integer():
            return Reason.NOT_A_NUMBER
        return _number(row, {"value": element}, tables)
    if key == "valueString":
        return _string(row, element, tables)
    if key in ("valueQuantity", "valueRange") and isinstance(element, dict):
        return _number(row, element, tables) if key == "valueQuantity" else _range(row, element, tables)
    return Reason.NOT_A_NUMBER


def _number(row: QuantityRow, element: Json, tables: Tables) -> Content | Reason:
    measured = _measured(row, element.get("value"), element, tables)
    if isinstance(measured, Reason):
        return measured
    comparator = element.get("comparator")
    name = row.quantity or ""
    if comparator is not None and not isinstance(comparator, str):
        return Reason.INVALID
    if comparator is None:
        return _plausible(Value(name, measured.value, measured.from_text))
    if comparator in _BELOW:
        return _plausible(Interval(name, None, measured.value, measured.from_text))
    if comparator in _ABOVE:
        return _plausible(Interval(name, measured.value, None, measured.from_text))
    return Reason.COMPARATOR


def _measured(row: QuantityRow, number: Any, unit: Json, tables: Tables) -> Measured | Reason:
    """A JSON number in the canonical unit."""
    if number is None:
        return Reason.VALUE_ABSENT
    if isinstance(number, bool) or not isinstance(number, int | float) or not _finite(number):
        return Reason.NOT_A_NUMBER
    return to_canonical(float(number), unit, row, tables)


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond what a float holds
        return False


def _plausible(found: Value | Interval) -> Value | Interval | Reason:
    """What lies in, or reaches into, the plausible range of its quantity."""
    low, high = quantity(found.quantity).plausible
    if isinstance(found, Value):
        inside = low <= found.value <= high
    else:
        inside = (found.low is None or found.low <= high) and (found.high is None or found.high >= low)
    return found if inside else Reason.IMPLAUSIBLE


def _range(row: QuantityRow, element: Json, tables: Tables) -> Content | Reason:
    """A Range as an interval: ends in one unit, of which the one may lend its unit to the other."""
    given = [end if isinstance(end, dict) else {} for end in (element.get("low"), element.get("high"))]
    lender = next((end for end in given if end.get("code") or end.get("unit")), {})
    ends: list[float | None] = []
    from_text = False
    for end in given:
        if end.get("value") is None:
            ends.append(None)
            continue
        if any(end.get(key) != lender.get(key) for key in ("code", "unit") if end.get(key)):
            return Reason.MALFORMED_RANGE
        measured = _measured(row, end["value"], lender, tables)
        if isinstance(measured, Reason):
            return measured
        ends.append(measured.value)
        from_text = from_text or measured.from_text
    low, high = ends
    if low is None and high is None:
        return Reason.VALUE_ABSENT
    if low is not None and high is not None and low > high:
        return Reason.MALFORMED_RANGE
    return _plausible(Interval(row.quantity or "", low, high, from_text))


def _string(row: QuantityRow, text: Any, tables: Tables) -> Content | Reason:
    """A text that is a number, with a comparator and a unit if it has them, and nothing else."""
    match = _NUMBER.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 80 else None
    if match is None:
        return Reason.NOT_A_NUMBER
    unit = (match["unit"] or "").strip()
    element: Json = {"value": float(match["number"]), "comparator": match["comparator"], "unit": unit}
    found = _number(row, element, tables)
    # words behind a number are a remark, not a unit
    return Reason.NOT_A_NUMBER if unit and found is Reason.UNIT_NOT_CONVERTIBLE else found


def _sampled(row: QuantityRow, element: Any, tables: Tables) -> Iterator[Content | Reason]:
    """The points of SampledData, each in the canonical unit at its time."""
    found = samples(element)
    if isinstance(found, Reason):
        yield found
        return
    unit = {key: found.origin.get(key) for key in ("system", "code", "unit")}
    for after, low, high in found.points:
        if low is None and high is None:
            yield Reason.SAMPLE_NOT_MEASURED
            continue
        ends: list[float | None] = []
        from_text = False
        for end in (low, high):
            measured = None if end is None else to_canonical(end, unit, row, tables)
            if isinstance(measured, Reason):
                yield measured
                return  # the unit is the same for all points
            ends.append(None if measured is None else measured.value)
            from_text = from_text or (measured is not None and measured.from_text)
        name = row.quantity or ""
        if low is not None and low == high:
            yield _plausible(Value(name, ends[0] or 0.0, from_text, after))
        else:
            yield _plausible(Interval(name, ends[0], ends[1], from_text, after))


def _answered(target: Asked, key: str, element: Any, tables: Tables) -> Iterator[Content | Reason]:
    question = target.question
    if question is None:
        yield Reason.UNKNOWN_ANSWER if key == "valueCodeableConcept" else Reason.NOT_A_NUMBER
        return
    if key == "valueBoolean":
        given = question.booleans.get(element) if isinstance(element, bool) else None
        found: AnswerRow | Reason = given or Reason.UNKNOWN_ANSWER
    else:
        found = answer(element, question, tables)
    if isinstance(found, Reason):
        yield found
    elif found.no_information:
        yield Reason.VALUE_ABSENT
    elif found.value is not None:
        yield _plausible(Value(question.quantity or "", found.value))
    else:
        yield from (Finding(name, True) for name in found.present)
        yield from (Finding(name, False) for name in found.absent)
