"""FHIR SampledData: a series of points at a fixed distance in time.

Each point is ``origin + factor * datum`` in the unit of the origin. ``E`` is a point that could not be
measured, ``L`` and ``U`` lie below and above the limits of detection. FHIR does not say whether the
limits are data or measured values; they are taken as measured values, in the unit of the origin, as their
name ("limit of detection of the measured points") says.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

from fhir_io.reasons import Reason

MOST_POINTS = 100_000
"""A longer series is a waveform and belongs to other tools."""

_DATUM = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")
_MS_PER_DAY = 86_400_000.0


@dataclass(frozen=True, slots=True)
class Samples:
    """``points``: (days after the first, low, high); equal ends are a value, two Nones no measurement."""

    origin: dict[str, Any]
    points: list[tuple[float, float | None, float | None]]


def samples(element: Any) -> Samples | Reason:
    """Read SampledData; the unit is that of its origin."""
    if not isinstance(element, dict) or not isinstance(element.get("origin"), dict):
        return Reason.MALFORMED_SAMPLES
    if element.get("dimensions") != 1:
        return Reason.SEVERAL_DIMENSIONS if _positive(element.get("dimensions")) else Reason.MALFORMED_SAMPLES
    origin, period, data = element["origin"], element.get("period"), element.get("data")
    factor = element.get("factor", 1)
    start = origin.get("value")
    if data is None:
        return Reason.VALUE_ABSENT
    if not (_positive(period) and _number(factor) and _number(start) and isinstance(data, str)):
        return Reason.MALFORMED_SAMPLES
    words = data.split(None, MOST_POINTS)
    if len(words) > MOST_POINTS:
        return Reason.TOO_MANY_SAMPLES
    points: list[tuple[float, float | None, float | None]] = []
    for number, word in enumerate(words):
        after = number * float(period) / _MS_PER_DAY
        if word == "E":
            points.append((after, None, None))
        elif word in ("L", "U"):
            limit = element.get("lowerLimit" if word == "L" else "upperLimit")
            if not _number(limit):
                return Reason.MALFORMED_SAMPLES
            points.append((after, None, float(limit)) if word == "L" else (after, float(limit), None))
        elif _DATUM.fullmatch(word):
            value = float(start) + float(factor) * float(word)
            points.append((after, value, value))
        else:
            return Reason.MALFORMED_SAMPLES
    return Samples(origin, points)


def _number(item: Any) -> TypeGuard[float]:
    return isinstance(item, int | float) and not isinstance(item, bool) and abs(item) < math.inf


def _positive(item: Any) -> TypeGuard[float]:
    return _number(item) and item > 0
