"""Elementary functions on vectors of lanes.

``exp``, ``log``, ``sin`` and ``cos`` are Taylor series after an argument reduction, without branches, with
errors of about one unit in the last place; arguments beyond the reduction, and all rarer functions, go
through the C library, lane by lane. Reductions follow W. J. Cody and W. Waite, Software Manual for the
Elementary Functions (1980), with fused multiply-adds.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

from organ_models.native.lanes import DOUBLE, INTEGER, Arithmetic, Lanes

C_LIBRARY = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cosh", "erf", "erfc", "exp2",
    "expm1", "log1p", "sinh", "tan", "tanh",
)  # fmt: skip
"""Functions whose names are the same in JAX and in C."""

# adding and taking away 1.5 * 2^52 rounds to the nearest integer and leaves it in the low bits
_ROUNDER = 6755399441055744.0
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
    _LN2 = _parts(Decimal(2).ln(), 32)
    _LOG2_E = float(1 / Decimal(2).ln())


def exp(a: Arithmetic, x: Lanes) -> Lanes:
    """Exponential; beyond the range of doubles infinity or zero."""
    held = a.select(a.compare(">", x, a.constant(710.0)), a.constant(710.0), x)
    held = a.select(a.compare("<", held, a.constant(-746.0)), a.constant(-746.0), held)
    rounded = a.fma(held, a.constant(_LOG2_E), a.constant(_ROUNDER))
    k = _plainly_subtract(a, rounded, _ROUNDER)
    r = a.fma(a.neg(k), a.constant(_LN2[0]), held)
    r = a.fma(a.neg(k), a.constant(_LN2[1]), r)
    series = _horner(a, r, [1.0 / math.factorial(n) for n in range(14)])
    # 2^k in two factors, because k may leave the exponents of normal numbers
    whole = a.sub(a.bits(rounded), a.bits(a.constant(_ROUNDER)))
    half = a.shift(whole, 1, right=True)
    scaled = _times(a, series, _power_of_two(a, half))
    return _times(a, scaled, _power_of_two(a, a.sub(whole, half)))


def log(a: Arithmetic, x: Lanes) -> Lanes:
    """Natural logarithm; minus infinity at zero, NaN below."""
    k, small, _ = _logarithm(a, x)
    result = a.fma(k, a.constant(_LN2[0]), small)
    infinite = a.compare("==", x, a.constant(math.inf))
    result = a.select(infinite, x, result)
    result = a.select(a.compare("==", x, a.constant(0.0)), a.constant(-math.inf), result)
    bad = a.either(a.compare("<", x, a.constant(0.0)), a.unordered(x))
    return a.select(bad, a.constant(math.nan), result)


def _logarithm(a: Arithmetic, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """``k``, ``small`` and what its rounding lost: ln x is ``k`` times the head of ln 2, plus both."""
    tiny = a.compare("<", x, a.constant(2.0**-1022))
    normal = a.select(tiny, _times(a, x, a.constant(2.0**54)), x)
    # exponent and mantissa so that the mantissa lies within a factor sqrt(2) of one
    root = a.bits(a.constant(math.sqrt(0.5)))
    exponent = a.shift(a.sub(a.bits(normal), root), 52, right=True)
    mantissa = a.from_bits(a.sub(a.bits(normal), a.shift(exponent, 52)))
    exponent = a.sub(exponent, a.select(tiny, a.constant(54), a.constant(0)))
    k = _plainly_subtract(a, a.from_bits(a.add(exponent, a.bits(a.constant(_ROUNDER)))), _ROUNDER)
    f = a.sub(mantissa, a.constant(1.0))
    s = a.quotient(f, a.add(f, a.constant(2.0)))
    z = a.mul(s, s)
    # ln(1 + f) = 2 artanh(s) = f - s (f - R) with R = 2/3 z + 2/5 z^2 + ...
    rest = a.mul(z, _horner(a, z, [2.0 / (2 * n + 3) for n in range(11)]))
    half_square = _times(a, _times(a, f, f), a.constant(0.5))
    inner = a.fma(s, a.add(half_square, rest), _times(a, k, a.constant(_LN2[1])))
    less = a.sub(half_square, inner)
    small = a.sub(f, less)
    return k, small, a.sub(a.sub(f, small), less)


def power(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    """``x`` to the power ``y``, by exponential and logarithm; a first power costs nothing."""
    x, y = a.convert(x, DOUBLE), a.convert(y, DOUBLE)

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
    """Sine, radians."""
    return _wave(a, x, "sin", 0)


def cos(a: Arithmetic, x: Lanes) -> Lanes:
    """Cosine, radians."""
    return _wave(a, x, "cos", 1)


def _wave(a: Arithmetic, x: Lanes, name: str, quarters: int) -> Lanes:
    rounded = a.fma(x, a.constant(_TWO_OVER_PI), a.constant(_ROUNDER))
    k = a.neg(_plainly_subtract(a, rounded, _ROUNDER))
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
    """Exact remainder with the sign of ``x``, as ``fmod`` of C."""
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
        return a.constant(1.0)
    return a.quotient(a.constant(1.0), out) if power < 0 else out


def _horner(a: Arithmetic, x: Lanes, coefficients: list[float]) -> Lanes:
    out = a.constant(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        out = a.fma(out, x, a.constant(c))
    return out


def _times(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    """A product that no sum takes up."""
    product = a.mul(x, y)
    return Lanes(product.value, product.fixed)


def _plainly_subtract(a: Arithmetic, x: Lanes, number: float) -> Lanes:
    return a.sub(x, a.constant(number))


def _power_of_two(a: Arithmetic, k: Any) -> Lanes:
    assert k.element == INTEGER
    return a.from_bits(a.shift(a.add(k, a.constant(1023)), 52))
