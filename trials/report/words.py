"""Numbers, units and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NO_BREAK = "\u00a0"
MINUS = "\u2212"
NOTHING = "\u2013"
"""Shown where there is no number."""

_TIMES = {"d": "day", "wk": "week", "mo": "month", "a": "year", "h": "hour", "min": "minute", "s": "second"}
_SUPERSCRIPTS = str.maketrans(
    "0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b"
)
_INITIALISMS = ("gfr", "hdl", "ldl", "ecog")


def people_unit(unit: str) -> str:
    """A UCUM unit as it is printed: ``mm[Hg]`` is mmHg, ``10*3/uL`` is 10³/µL, ``1`` is nothing."""
    if unit == "1":
        return ""
    text = unit.replace("mm[Hg]", "mmHg").replace("Cel", "\u00b0C").replace("uL", "\u00b5L")
    text = re.sub(r"\{([^}]*)\}", lambda m: m.group(1).replace("_", " "), text)
    text = re.sub(r"10\*(-?\d+)", lambda m: "10" + m.group(1).translate(_SUPERSCRIPTS), text)
    return re.sub(r"(?<=[a-zA-Z])(-?[23])(?![\d.])", lambda m: m.group(1).translate(_SUPERSCRIPTS), text)


def number(value: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    """A number with a fixed number of decimals, a true minus sign, and thin groups of thousands."""
    if value is None:
        return NOTHING
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if not any(c in "123456789" for c in text):
        text = text.lstrip("+-")  # a rounded zero has no sign
    return text.replace("-", MINUS).replace(",", "\u202f")


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, in powers of ten where it is very large or small."""
    if value is None:
        return NOTHING
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        power = str(int(exponent)).translate(_SUPERSCRIPTS)
        return f"{mantissa.replace('-', MINUS)}{NO_BREAK}×{NO_BREAK}10{power}"
    return text.replace("-", MINUS)


def with_unit(text: str, unit: str) -> str:
    """A printed number and its printed unit, held together."""
    shown = people_unit(unit)
    return f"{text}{NO_BREAK}{shown}" if shown else text


def amount(value: Any) -> str:
    """An amount with a unit as people read it: ``28 d`` is 28 days, ``50 mg/d`` is 50 mg/day."""
    size = float(value.value)
    text = significant(size, 12)
    if value.unit in _TIMES:
        word = _TIMES[value.unit]
        return f"{text}{NO_BREAK}{word if size == 1 else word + 's'}"
    unit = people_unit(value.unit)
    for short, word in (("/d", "/day"), ("/wk", "/week")):
        if unit.endswith(short):
            unit = unit.removesuffix(short) + word
    return f"{text}{NO_BREAK}{unit}" if not unit.startswith("/") else f"{text} per{NO_BREAK}{unit[1:]}"


def interval(low: float | None, high: float | None, decimals: int = 1) -> str:
    """Two limits: ``-1.2 to 3.4``; nothing where one is unknown."""
    if low is None and high is None:
        return NOTHING
    unknown = "not reached"
    first = unknown if low is None else number(low, decimals)
    second = unknown if high is None else number(high, decimals)
    return f"{first} to {second}"


def estimate(found: Mapping[str, Any], decimals: int = 1, factor: float = 1.0) -> str:
    """An estimate with its limits: ``2.3 (1.2 to 3.4)``."""
    if found["value"] is None:
        return NOTHING
    low, high = (None if found[k] is None else factor * found[k] for k in ("lower", "upper"))
    text = number(factor * found["value"], decimals)
    return text if low is None and high is None else f"{text} ({interval(low, high, decimals)})"


def listed(items: list[str]) -> str:
    """``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def plain_name(name: str) -> str:
    """A name in words: ``prior_distance`` is prior distance."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """With a capital at the start, unless the first word is a symbol with capitals of its own (sVEGFR-3)."""
    return text if any(c.isupper() for c in text.split(" ")[0]) else text[:1].upper() + text[1:]


def in_running_text(label: str) -> str:
    """A label with a small first letter, unless it starts with an abbreviation or a name in capitals."""
    first = label.split(" ")[0].split("-")[0]
    return label if first.isupper() or first.lower() in _INITIALISMS else label[:1].lower() + label[1:]
