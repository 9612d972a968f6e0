"""Linear compartments: absorption, distribution, elimination and metabolites, exactly between doses.

Amounts follow ``x' = A x + b``: a compartment gives to others and loses, and ``b`` runs in at a constant
rate. :func:`propagate` gives ``x(t) = s + exp(A t) (x(0) - s)`` with the steady state ``s = -A⁻¹ b``.

The exponential never divides by a difference of rates, so that confluent rates (absorption as fast as
elimination) are safe in value and in gradient. One compartment is an exponential; two have a closed form in
the entire functions cosh √z and sinh √z / √z; three and more are scaled and squared. What is squared at
first is ``exp(A t) - 1``, which keeps the digits of slow rates beside fast ones, at last ``exp(A t)``
itself, which keeps those of what has almost gone.

Everything is elementwise over patients; entries that are always zero are None and cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

Matrix = list[list[Any]]
"""Rates by row (who receives) and column (who gives); None where there is no flow."""

_SQUARINGS, _LAST, _TERMS = 22, 8, 14
LONGEST = 0.5 * 2.0**_SQUARINGS
"""Largest product of the fastest rate and the time that three or more compartments can be propagated over;
beyond it the amounts are not numbers. The fastest rate of the library, 1600 a day, allows 3.5 years."""

_NEAR = 1e-2
"""Below this square the entire functions take their series: six terms are exact there."""


def flows(size: int, transfers: Mapping[tuple[int, int], Any], losses: Mapping[int, Any]) -> Matrix:
    """The rates of compartments that give to each other.

    Args:
        size: number of compartments.
        transfers: by (giving, receiving) compartment, the rate, 1/d.
        losses: by compartment, the rate of what leaves all of them, 1/d.
    """
    matrix: Matrix = [[None] * size for _ in range(size)]
    for (giving, receiving), rate in transfers.items():
        matrix[receiving][giving] = _add(matrix[receiving][giving], rate)
        matrix[giving][giving] = _add(matrix[giving][giving], -rate)
    for giving, rate in losses.items():
        matrix[giving][giving] = _add(matrix[giving][giving], -rate)
    return matrix


def mammillary(clearance: Any, central: Any, *peripheral: tuple[Any, Any]) -> Matrix:
    """A central compartment (number 0) with peripheral ones.

    Args:
        clearance: L/d.
        central: volume, L.
        peripheral: for each, the clearance between it and the central one (L/d), and its volume (L).
    """
    transfers: dict[tuple[int, int], Any] = {}
    for number, (exchange, volume) in enumerate(peripheral, start=1):
        transfers |= {(0, number): exchange / central, (number, 0): exchange / volume}
    return flows(1 + len(peripheral), transfers, {0: clearance / central})


def rates(matrix: Matrix, amounts: Sequence[Any], inflow: Sequence[Any]) -> list[Any]:
    """``A x + b``: rates of the amounts, for inflows ``b`` into each compartment (None or 0: none)."""
    return [_value(_add(_row(line, amounts), b)) for line, b in zip(matrix, inflow, strict=True)]


def propagate(matrix: Matrix, amounts: Sequence[Any], inflow: Sequence[Any], elapsed: Any) -> list[Any]:
    """Amounts after ``elapsed`` while the inflow is constant.

    Args:
        matrix: rates, from :func:`flows` or :func:`mammillary`.
        amounts: of every compartment at the beginning.
        inflow: amount a day that runs into each compartment, None for none; where there is any, every
            compartment that it reaches must lose something in the end.
        elapsed: d.
    """
    decay = exponential(matrix, elapsed)
    if all(b is None for b in inflow):
        return [_value(_row(line, amounts)) for line in decay]
    steady = _steady(matrix, inflow)
    left = [x if s is None else x - s for x, s in zip(amounts, steady, strict=True)]
    return [_value(_add(s, _row(line, left))) for s, line in zip(steady, decay, strict=True)]


def exponential(matrix: Matrix, elapsed: Any) -> Matrix:
    """``exp(A t)``, entry by entry: what of each column's compartment is in each row's after ``elapsed``."""
    if len(matrix) == 1:
        return [[jnp.exp(_value(matrix[0][0]) * elapsed)]]
    if len(matrix) == 2:
        return _two(matrix, elapsed)
    return _squared(matrix, elapsed)


# ---------------------------------------------------------------------------------------------------


def _two(matrix: Matrix, elapsed: Any) -> Matrix:
    """``exp(m t) [cosh √z + (A - m) t sinh √z / √z]`` with ``m`` half the trace."""
    (a, b), (c, d) = matrix
    a, d = _value(a), _value(d)
    half, apart = 0.5 * (a + d), 0.5 * (a - d)
    around = _multiply(b, c)
    square = (apart * apart if around is None else apart * apart + around) * elapsed * elapsed
    even, odd = _entire(square, half * elapsed)
    odd = odd * elapsed
    return [
        [even + odd * apart, _multiply(odd, b)],
        [_multiply(odd, c), even - odd * apart],
    ]


def _entire(square: Any, shift: Any) -> tuple[Any, Any]:
    """``e^shift cosh √square`` and ``e^shift sinh √square / √square`` for squares from zero on."""
    near = square < _NEAR
    root = jnp.sqrt(jnp.where(near, 1.0, square))
    small = jnp.where(near, square, 0.0)
    even: Any = 0.0
    odd: Any = 0.0
    for k in reversed(range(7)):  # Horner
        even = even * small + 1.0 / math.factorial(2 * k)
        odd = odd * small + 1.0 / math.factorial(2 * k + 1)
    slow, both = jnp.exp(shift + root), jnp.exp(-2.0 * root)
    scale = jnp.exp(shift)
    return (
        jnp.where(near, scale * even, 0.5 * slow * (1.0 + both)),
        jnp.where(near, scale * odd, 0.5 * slow * (1.0 - both) / root),
    )


def _squared(matrix: Matrix, elapsed: Any) -> Matrix:
    """Taylor's series over a small part of the time, squared back to the whole."""
    part = elapsed * 2.0**-_SQUARINGS
    # powers know no time: one run computes them once
    powers = [matrix]
    for k in range(2, _TERMS + 1):
        powers.append(_times(_product(powers[-1], matrix), 1.0 / k))
    total = powers.pop()
    for power in reversed(powers):  # Horner
        total = _sum(power, _times(total, part))
    total = _times(total, part)
    total = _repeated(_doubled, total, _SQUARINGS - _LAST)
    # no share is negative: what has gone within the part is zero but for rounding
    whole = [
        [_share(entry, 1.0 if i == j else None) for j, entry in enumerate(line)]
        for i, line in enumerate(total)
    ]
    whole = _repeated(lambda m: _product(m, m), whole, _LAST)
    fastest = -_value(matrix[0][0])
    for k in range(1, len(matrix)):
        fastest = jnp.maximum(fastest, -_value(matrix[k][k]))
    within = fastest * elapsed <= LONGEST
    return [[None if e is None else jnp.where(within, e, jnp.nan) for e in line] for line in whole]


def _repeated(function: Callable[[Matrix], Matrix], matrix: Matrix, times: int) -> Matrix:
    """``function`` of itself. A loop and not written out: XLA would compute every entry anew for each of its
    users, and theirs, which doubles with every turn."""
    whole, _ = jax.lax.scan(lambda m, _: (function(m), None), matrix, None, length=times)
    return whole


def _doubled(less_one: Matrix) -> Matrix:
    """``(1 + F)² - 1 = F (F + 2)``."""
    return _product(less_one, _plus(less_one, 2.0))


def _plus(matrix: Matrix, number: float) -> Matrix:
    """``A + number``, a multiple of the identity."""
    return [
        [_add(e, number if i == j else None) for j, e in enumerate(line)] for i, line in enumerate(matrix)
    ]


def _share(entry: Any, own: Any) -> Any:
    share = _add(entry, own)
    return None if share is None else jnp.maximum(share, 0.0)


def _steady(matrix: Matrix, inflow: Sequence[Any]) -> list[Any]:
    """``-A⁻¹ b`` by elimination; what drains needs no pivots. None where nothing arrives."""
    size = len(matrix)
    left = [[None if e is None else -e for e in line] for line in matrix]
    right = list(inflow)
    for k in range(size):
        for i in range(k + 1, size):
            if left[i][k] is None:
                continue
            share = left[i][k] / _value(left[k][k])
            for j in range(k + 1, size):
                left[i][j] = _subtract(left[i][j], _multiply(share, left[k][j]))
            right[i] = _subtract(right[i], _multiply(share, right[k]))
    found: list[Any] = [None] * size
    for i in reversed(range(size)):
        above = right[i]
        for j in range(i + 1, size):
            above = _subtract(above, _multiply(left[i][j], found[j]))
        found[i] = None if above is None else above / left[i][i]
    return found


def _times(matrix: Matrix, number: Any) -> Matrix:
    return [[_multiply(entry, number) for entry in line] for line in matrix]


def _product(one: Matrix, other: Matrix) -> Matrix:
    columns = list(zip(*other, strict=True))
    return [[_row(line, column) for column in columns] for line in one]


def _row(line: Sequence[Any], column: Sequence[Any]) -> Any:
    total = None
    for a, b in zip(line, column, strict=True):
        total = _add(total, _multiply(a, b))
    return total


def _sum(one: Matrix, other: Matrix) -> Matrix:
    return [[_add(a, b) for a, b in zip(p, q, strict=True)] for p, q in zip(one, other, strict=True)]


def _add(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _subtract(a: Any, b: Any) -> Any:
    return a if b is None else -b if a is None else a - b


def _multiply(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a * b


def _value(entry: Any) -> Any:
    return 0.0 if entry is None else entry
