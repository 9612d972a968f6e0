"""What a step computes from its width alone, kept from one step to the next.

Most steps of a run have one of few widths. What hangs on the width and on what is fixed (the exponential of a
matrix of rates, by far the dearest part of a linear model) is computed when a width comes for the first time,
and then read from a table. It is the same arithmetic in the same order: no bit hangs on the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from organ_models.native.lanes import DOUBLE, INTEGER, Arithmetic, Memory
from organ_models.native.translate import bound, equations, live, value_of, variables

FIXED, PACED, MOVING = 0, 1, 2
"""What a value hangs on: on nothing that changes in a run; also on the width of the step; on anything."""

ROWS = 256
"""Widths that the table holds; where a run has more, only that of the step before is kept."""


class Paced:
    """A traced function in parts: what is fixed, what hangs on the width, and the rest.

    Args:
        jaxpr: the function.
        levels: for each flat argument, :data:`FIXED`, :data:`PACED` or :data:`MOVING`.
    """

    def __init__(self, jaxpr: Any, levels: Sequence[int]):
        self.jaxpr = jaxpr
        inner = jaxpr.jaxpr
        level = dict(zip(inner.invars, levels, strict=True)) | dict.fromkeys(inner.constvars, FIXED)
        self.parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for equation in live(jaxpr):
            found = max((level[v] for v in variables(equation.invars)), default=FIXED)
            level |= dict.fromkeys(equation.outvars, found)
            self.parts[found].append(equation)
        made = {v for equation in self.parts[PACED] for v in equation.outvars}
        wanted = [atom for equation in self.parts[MOVING] for atom in equation.invars] + inner.outvars
        self.kept = list(dict.fromkeys(v for v in variables(wanted) if v in made))
        """Variables that the rest takes from what hangs on the width."""

    @property
    def rows(self) -> int:
        """Vectors that one width takes in the table."""
        return sum(int(np.prod(v.aval.shape)) for v in self.kept)

    def emit(
        self, a: Arithmetic, arguments: list[np.ndarray], table: ir.Value, place: ir.Value, fresh: ir.Value
    ) -> list[np.ndarray]:
        """Emit all parts.

        Args:
            a: where to emit.
            arguments: one object array of :class:`Lanes` for each flat argument.
            table: pointer to rows of lanes of doubles, :attr:`rows` for each width.
            place: which of the widths this is.
            fresh: whether its part of the table must be computed first.

        Returns:
            One object array for each flat result.
        """
        known = bound(a, self.jaxpr, arguments)
        equations(a, self.parts[FIXED], known)
        begin = a.body.mul(place, ir.Constant(INTEGER, self.rows))
        if self.kept:
            with a.body.if_then(fresh):
                here = dict(known)
                equations(a, self.parts[PACED], here)
                values = [lanes for v in self.kept for lanes in here[v].ravel()]
                for row, lanes in enumerate(values):
                    _row(a, table, begin, row, lanes.element).store(0, lanes)
            row = 0
            for variable, computed in ((v, here[v]) for v in self.kept):
                read = np.empty(computed.shape, dtype=object)
                for at, lanes in np.ndenumerate(computed):
                    read[at] = lanes if lanes.fixed else _row(a, table, begin, row, lanes.element).load(0)
                    row += 1
                known[variable] = read
        equations(a, self.parts[MOVING], known)
        return [value_of(a, atom, known) for atom in self.jaxpr.jaxpr.outvars]


def places(width: np.ndarray) -> np.ndarray:
    """Where each step finds its width in the table: a number from zero on, or ``-1 - number`` where that has
    to be computed first."""
    _, first, place = np.unique(width, return_index=True, return_inverse=True)
    if first.size <= ROWS:
        fresh = np.isin(np.arange(width.size), first)
    else:
        place = np.zeros(width.size, dtype=np.int64)
        fresh = np.diff(width, prepend=np.nan) != 0.0
    return np.where(fresh, -1 - place, place).astype(np.int64)


def _row(a: Arithmetic, table: ir.Value, begin: ir.Value, row: int, element: ir.Type) -> Memory:
    """A row of the table, whatever is kept in it: nothing takes more room than doubles."""
    at = a.body.add(begin, ir.Constant(INTEGER, row))
    return Memory(a, a.body.gep(table, [at], source_etype=a.vector(DOUBLE)), element)
