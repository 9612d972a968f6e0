"""A stepped problem as one machine-code function for a vector of patients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from llvmlite import ir

from organ_models.native.kernel import Kernel, Slots, loop
from organ_models.native.lanes import DOUBLE, INTEGER, Arithmetic, Lanes, Memory
from organ_models.native.paced import FIXED, MOVING, PACED, Paced
from organ_models.native.translate import array, emit, scalar, traced
from organ_models.stepping import Stepped

POINTERS = 15
"""parameters, start, doses, events, held, out, table, time, width, column, begins, readings, standing, first,
place (:func:`organ_models.native.paced.places`)."""


class SteppedKernel(Kernel):
    """Writes the march of one problem through a grid into an LLVM module.

    Args:
        problem: the problem.
        width: lanes of a vector.
    """

    def __init__(self, problem: Stepped, width: int):
        super().__init__(problem.name, width)
        self.problem = problem

    def march(self) -> int:
        """``march(15 pointers, readings, columns)``; ``out``: outputs of all readings, then last states.

        Returns:
            Rows of the table for each width of a step.
        """
        problem = self.problem
        a, pointers, (readings, columns) = self.function("march", POINTERS, INTEGER, INTEGER)
        a.reciprocals = False  # a ratio to a baseline is one at the baseline, to the bit
        parameters, start, doses, events, held, out = (Memory(a, p.pointer) for p in pointers[:6])
        table, time, width, column, begins, when, standing, first, place = (p.pointer for p in pointers[6:])
        n_parameter, n_dose, n_event, n_held = problem.rows
        prepared = emit(a, problem.prepare, _rows(parameters, n_parameter, fixed=True))
        kept = _rows(held, n_held, fixed=True)
        slots = Slots(a, [_rows(start, problem.states)], self.slots)
        paced = self._paced(a, prepared, slots.load()[0], kept)
        counter = self.slot(INTEGER)
        a.body.store(ir.Constant(INTEGER, 0), counter)

        def in_column(memory: Memory, rows: int, number: ir.Value) -> Any:
            at = [a.body.add(a.body.mul(ir.Constant(INTEGER, r), columns), number) for r in range(rows)]
            return array([memory.load(row) for row in at])

        with loop(a, readings, self.slot(INTEGER)) as reading:
            stop = _integer(a, first, reading)

            def more(stop: ir.Value = stop) -> ir.Value:
                return a.body.icmp_signed("<", a.body.load(counter, typ=INTEGER), stop)

            with self.while_(a, more):
                k = a.body.load(counter, typ=INTEGER)
                number = _integer(a, column, k)
                if problem.jump is not None:
                    begun = a.body.icmp_signed("!=", _integer(a, begins, k), ir.Constant(INTEGER, 0))
                    with a.body.if_then(begun):
                        arriving = in_column(events, n_event, number)
                        slots.store([emit(a, self._jumped, prepared, slots.load()[0], arriving)])
                given = in_column(doses, n_dose, number)
                now, length = scalar(self._number(a, time, k)), scalar(self._number(a, width, k))
                where = _integer(a, place, k)
                fresh = a.body.icmp_signed("<", where, ir.Constant(INTEGER, 0))
                where = a.body.select(fresh, a.body.not_(where), where)
                leaves = jax.tree.leaves((prepared, slots.load()[0], now, length, given, kept))
                slots.store(paced.emit(a, leaves, table, where, fresh))
                a.body.store(a.body.add(k, ir.Constant(INTEGER, 1)), counter)

            stood = _integer(a, standing, reading)
            any_yet = a.body.icmp_signed(">=", stood, ir.Constant(INTEGER, 0))
            stood = a.body.select(any_yet, stood, ir.Constant(INTEGER, 0))
            share = self.splat(a, a.body.uitofp(any_yet, DOUBLE), a.body)
            given = array([a.mul(share, x) for x in in_column(doses, n_dose, stood)])
            clock = scalar(self._number(a, when, reading))
            seen = emit(a, problem.read, prepared, slots.load()[0], clock, given, kept)
            base = a.body.mul(reading, ir.Constant(INTEGER, problem.outputs))
            for row, value in enumerate(seen.ravel()):
                out.store(a.body.add(base, ir.Constant(INTEGER, row)), value)

        base = a.body.mul(readings, ir.Constant(INTEGER, problem.outputs))
        for row, value in enumerate(slots.load()[0].ravel()):
            out.store(a.body.add(base, ir.Constant(INTEGER, row)), value)
        self.finish(a)
        return paced.rows

    def _paced(self, a: Arithmetic, prepared: Any, states: Any, kept: Any) -> Paced:
        """The step, told apart by what it hangs on."""
        number = scalar(a.constant(0.0))
        given = array([a.constant(0.0)] * self.problem.rows[1])
        arguments = (prepared, states, number, number, given, kept)
        jaxpr, _, _ = traced(self.problem.step, *arguments)
        levels = (FIXED, MOVING, MOVING, PACED, MOVING, FIXED)
        each = [
            level
            for level, argument in zip(levels, arguments, strict=True)
            for _ in jax.tree.leaves(argument)
        ]
        return Paced(jaxpr, each)

    def _jumped(self, prepared: Any, states: jax.Array, arriving: jax.Array) -> jax.Array:
        assert self.problem.jump is not None
        after = self.problem.jump(prepared, states, arriving)
        return jnp.where(jnp.any(arriving != 0.0), after, states)

    def _number(self, a: Arithmetic, table: ir.Value, index: ir.Value) -> Lanes:
        place = a.body.gep(table, [index], source_etype=DOUBLE)
        return self.splat(a, a.body.load(place, typ=DOUBLE, align=8), a.body)


def _integer(a: Arithmetic, table: ir.Value, index: ir.Value) -> ir.Value:
    place = a.body.gep(table, [index], source_etype=INTEGER)
    return a.body.load(place, typ=INTEGER, align=8)


def _rows(memory: Memory, count: int, *, fixed: bool = False) -> Any:
    return array([memory.load(row, fixed=fixed) for row in range(count)])
