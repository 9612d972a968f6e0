"""Elementary functions on vectors of lanes.

``exp``, ``log``, ``sin`` and ``cos`` are Taylor series after an argument reduction, without branches, with
errors of about one unit in the last place; arguments beyond the reduction, and all rarer functions, go
through the C library, lane by lane. ``exp`` and ``log`` also exist for single-precision lanes; the others
take doubles. Reductions follow W. J. Cody and W. Waite, Software Manual for the
Elementary Functions (1980), with fused multiply-adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext

from organ_models.native.lanes import DOUBLE, FLOAT, INTEGER, Arithmetic, Lanes

C_LIBRARY = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cosh", "erf", "erfc", "exp2",
    "expm1", "log1p", "sinh", "tan", "tanh",
)  # fmt: skip
"""Functions whose names are the same in JAX and in C."""

_LARGEST_ANGLE = 2.0**28
_LARGEST_EXPONENT = 700.0


def _parts(value: Decimal, *bits: int) -> tuple[float, ...]:
    """A number as a sum of doubles, the leading ones cut to so many bits."""
    parts = []
    for width in bits:
        mantissa, exponent = math.frexp(float(value))
        scale = 2.0**width
        part = math.ldexp(math.trunc(mantissa * scale) / scale, exponent)
        parts.append(part)
        value -= Decimal(part)
    return (*parts, float(value))


with localcontext() as _context:
    _context.prec = 80

    # pi by Machin's formula, ln 2 by the decimal module's correctly rounded logarithm
    def _arctan_of_inverse(x: int) -> Decimal:
        return sum(
            (Decimal((-1) ** k) / ((2 * k + 1) * Decimal(x) ** (2 * k + 1)) for k in range(60)), Decimal(0)
        )

    _PI = 16 * _arctan_of_inverse(5) - 4 * _arctan_of_inverse(239)
    _HALF_PI = _parts(_PI / 2, 53, 53)
    _TWO_OVER_PI = float(2 / _PI)
    _LOG2_E = float(1 / Decimal(2).ln())
    _LN2 = _parts(Decimal(2).ln(), 32)
    _LN2_SINGLE = _parts(Decimal(2).ln(), 15)


@dataclass(frozen=True)
class _Format:
    """A format of floating-point numbers, and what the series need in it.

    Attributes:
        mantissa, bias: bits of the mantissa, bias of the exponent.
        rounder: adding and taking it away rounds to the nearest integer and leaves that in the low bits.
        ln2: ln 2 as a sum; a product of the first part and an exponent is exact.
        smallest: normal number.
        highest, lowest: from where on ``exp`` is infinite, and zero.
        exponential, logarithm: terms of the series; what is left out is below half a unit in the last place.
    """

    mantissa: int
    bias: int
    rounder: float
    ln2: tuple[float, ...]
    smallest: float
    highest: float
    lowest: float
    exponential: int
    logarithm: int


_FORMATS = {
    DOUBLE: _Format(52, 1023, 1.5 * 2.0**52, _LN2, 2.0**-1022, 710.0, -746.0, 14, 11),
    FLOAT: _Format(23, 127, 1.5 * 2.0**23, _LN2_SINGLE, 2.0**-126, 89.0, -104.0, 8, 5),
}
_ROUNDER = _FORMATS[DOUBLE].rounder


def exp(a: Arithmetic, x: Lanes) -> Lanes:
    """Exponential; beyond the range of the format infinity or zero."""
    f = _FORMATS[x.element]
    highest, lowest, rounder = a.like(x, f.highest), a.like(x, f.lowest), a.like(x, f.rounder)
    held = a.select(a.compare(">", x, highest), highest, x)
    held = a.select(a.compare("<", held, lowest), lowest, held)
    rounded = a.fma(held, a.like(x, _LOG2_E), rounder)
    k = a.sub(rounded, rounder)
    r = a.fma(a.neg(k), a.like(x, f.ln2[0]), held)
    r = a.fma(a.neg(k), a.like(x, f.ln2[1]), r)
    series = _horner(a, r, [1.0 / math.factorial(n) for n in range(f.exponential)])
    # 2^k in two factors, because k may leave the exponents of normal numbers
    whole = a.sub(a.bits(rounded), a.bits(rounder))
    half = a.shift(whole, 1, right=True)
    scaled = _times(a, series, _power_of_two(a, half))
    return _times(a, scaled, _power_of_two(a, a.sub(whole, half)))


def log(a: Arithmetic, x: Lanes) -> Lanes:
    """Natural logarithm; minus infinity at zero, NaN below."""
    k, small, _ = _logarithm(a, x)
    result = a.fma(k, a.like(x, _FORMATS[x.element].ln2[0]), small)
    infinite = a.compare("==", x, a.like(x, math.inf))
    result = a.select(infinite, x, result)
    result = a.select(a.compare("==", x, a.like(x, 0.0)), a.like(x, -math.inf), result)
    bad = a.either(a.compare("<", x, a.like(x, 0.0)), a.unordered(x))
    return a.select(bad, a.like(x, math.nan), result)


def _logarithm(a: Arithmetic, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """``k``, ``small`` and what its rounding lost: ln x is ``k`` times the head of ln 2, plus both."""
    form = _FORMATS[x.element]
    up, rounder = form.mantissa + 2, a.like(x, form.rounder)
    tiny = a.compare("<", x, a.like(x, form.smallest))
    normal = a.select(tiny, _times(a, x, a.like(x, 2.0**up)), x)
    # exponent and mantissa so that the mantissa lies within a factor sqrt(2) of one
    root = a.bits(a.like(x, math.sqrt(0.5)))
    exponent = a.shift(a.sub(a.bits(normal), root), form.mantissa, right=True)
    mantissa = a.from_bits(a.sub(a.bits(normal), a.shift(exponent, form.mantissa)))
    exponent = a.sub(exponent, a.select(tiny, a.like(exponent, up), a.like(exponent, 0)))
    k = a.sub(a.from_bits(a.add(exponent, a.bits(rounder))), rounder)
    f = a.sub(mantissa, a.like(x, 1.0))
    s = a.quotient(f, a.add(f, a.like(x, 2.0)))
    z = a.mul(s, s)
    # ln(1 + f) = 2 artanh(s) = f - s (f - R) with R = 2/3 z + 2/5 z^2 + ...
    rest = a.mul(z, _horner(a, z, [2.0 / (2 * n + 3) for n in range(form.logarithm)]))
    half_square = _times(a, _times(a, f, f), a.like(x, 0.5))
    inner = a.fma(s, a.add(half_square, rest), _times(a, k, a.like(x, form.ln2[1])))
    less = a.sub(half_square, inner)
    small = a.sub(f, less)
    return k, small, a.sub(a.sub(f, small), less)


def power(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    """``x`` to the power ``y``, doubles, by exponential and logarithm; a first power costs nothing."""

    def raised() -> Lanes:
        k, small, lost = _logarithm(a, x)
        whole = _times(a, k, a.constant(_LN2[0]))  # exact: the head of ln 2 has 32 bits
        high = a.add(whole, small)
        low = a.add(a.sub(small, a.sub(high, whole)), lost)
        head = _times(a, y, high)
        tail = a.fma(y, low, a.fma(y, high, a.neg(head)))
        near = exp(a, head)
        found = a.fma(near, tail, near)
        positive = a.both(a.compare(">", x, a.constant(0.0)), a.compare("<", x, a.constant(math.inf)))
        moderate = a.compare("<", a.call("fabs", head), a.constant(_LARGEST_EXPONENT))
        return a.one_by_one("pow", (x, y), a.opposite(a.both(positive, moderate)), found)

    return a.only_where(a.compare("!=", y, a.constant(1.0)), raised, x)


def sin(a: Arithmetic, x: Lanes) -> Lanes:
    """Sine of doubles, radians."""
    return _wave(a, x, "sin", 0)


def cos(a: Arithmetic, x: Lanes) -> Lanes:
    """Cosine of doubles, radians."""
    return _wave(a, x, "cos", 1)


def _wave(a: Arithmetic, x: Lanes, name: str, quarters: int) -> Lanes:
    rounded = a.fma(x, a.constant(_TWO_OVER_PI), a.constant(_ROUNDER))
    k = a.neg(a.sub(rounded, a.constant(_ROUNDER)))
    r = x
    for part in _HALF_PI:  # the first step is exact, the others lose nothing that matters
        r = a.fma(k, a.constant(part), r)
    z = _times(a, r, r)
    sines = _horner(a, z, [(-1.0) ** n / math.factorial(2 * n + 1) for n in range(1, 9)])
    sine = a.fma(_times(a, r, z), sines, r)
    cosine = _horner(a, z, [(-1.0) ** n / math.factorial(2 * n) for n in range(9)])
    quarter = a.add(a.bits(rounded), a.constant(quarters))
    odd = a.compare("!=", a.both(quarter, a.constant(1)), a.constant(0))
    chosen = a.select(odd, cosine, sine)
    sign = a.shift(a.both(quarter, a.constant(2)), 62)
    result = a.from_bits(a.differ(a.bits(chosen), sign))
    far = a.compare(">", a.call("fabs", x), a.constant(_LARGEST_ANGLE))
    return a.one_by_one(name, (x,), far, result)


def remainder(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    """Exact remainder of doubles with the sign of ``x``, as ``fmod`` of C."""
    # the quotient may round up over an integer; then one divisor too much was taken away
    ratio = a.quotient(x, y)
    left = a.fma(a.neg(a.call("trunc", ratio)), y, x)
    size = a.call("copysign", y, x)
    over = a.compare("<", _times(a, left, a.call("copysign", a.constant(1.0), x)), a.constant(0.0))
    left = a.select(over, a.add(left, size), left)
    within = a.compare("<", a.call("fabs", x), a.call("fabs", y))
    left = a.select(within, x, left)
    far = a.both(
        a.compare(">", a.call("fabs", ratio), a.constant(2.0**52)),
        a.compare("<", a.call("fabs", ratio), a.constant(math.inf)),
    )
    return a.one_by_one("fmod", (x, y), far, left)


def integer_power(a: Arithmetic, x: Lanes, power: int) -> Lanes:
    """``x`` to a whole number, by squaring."""
    out, factor, left = None, x, abs(power)
    while left:
        if left & 1:
            out = factor if out is None else a.mul(out, factor)
        left >>= 1
        if left:
            factor = a.mul(factor, factor)
    if out is None:
        return a.like(x, 1.0)
    return a.quotient(a.like(x, 1.0), out) if power < 0 else out


def _horner(a: Arithmetic, x: Lanes, coefficients: list[float]) -> Lanes:
    out = a.like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        out = a.fma(out, x, a.like(x, c))
    return out


def _times(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    """A product that no sum takes up."""
    product = a.mul(x, y)
    return Lanes(product.value, product.fixed)


def _power_of_two(a: Arithmetic, k: Lanes) -> Lanes:
    """Two to a whole number, in the format whose bits have the integer's size."""
    form = _FORMATS[DOUBLE if k.element == INTEGER else FLOAT]
    return a.from_bits(a.shift(a.add(k, a.like(k, form.bias)), form.mantissa))
