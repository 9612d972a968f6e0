"""The cycle of a model as one machine-code function for a vector of patients.

The whole search for the periodic orbit is inside: the table of the drive, all beats with their Runge–Kutta
stages, Anderson acceleration, and the reading of the last beat. Memory comes from the caller, one row of
lanes after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from llvmlite import ir

from organ_models import anderson
from organ_models.model import OrganModel, fields, values
from organ_models.native.lanes import DOUBLE, INTEGER, POINTER, Arithmetic, Lanes, Memory
from organ_models.native.translate import array, emit, scalar

_STAGES = ((0, 0.5, 1.0 / 6.0), (1, 0.5, 2.0 / 6.0), (1, 1.0, 2.0 / 6.0), (2, None, 1.0 / 6.0))
"""Row of the drive, how far ahead the next stage looks, weight in the sum."""


class _Attributes(ir.values.FunctionAttributes):
    """Attributes of a function, among them one that llvmlite does not list.

    Vectors that find no register are kept on the stack, which the caller aligns to 16 bytes only. Where they
    lie across two cache lines the code takes a quarter longer, by chance of the caller's depth.
    """

    _known = ir.values.FunctionAttributes._known | {'"stackrealign"'}


class Kernel:
    """What all kernels share: a module, and functions whose memory comes from the caller.

    Args:
        name: of the module.
        width: lanes of a vector.
    """

    def __init__(self, name: str, width: int):
        self.width = width
        self.module = ir.Module(name)

    def function(
        self, name: str, pointers: int, *rest: ir.Type
    ) -> tuple[Arithmetic, list[Memory], list[ir.Value]]:
        """Begin a function; gives the arithmetic, its pointers as memory, and its other arguments."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + list(rest))
        function = ir.Function(self.module, kind, name)
        function.attributes = _Attributes(['"stackrealign"'])
        for argument in function.args[:pointers]:
            argument.add_attribute("noalias")
        self.slots = ir.IRBuilder(function.append_basic_block("slots"))
        setup = ir.IRBuilder(function.append_basic_block("setup"))
        self._setup_block = setup.block
        self._body_block = function.append_basic_block("body")
        a = Arithmetic(self.module, setup, ir.IRBuilder(self._body_block), self.width)
        return a, [Memory(a, x) for x in function.args[:pointers]], list(function.args[pointers:])

    def finish(self, a: Arithmetic) -> None:
        """End the function."""
        self.slots.branch(self._setup_block)
        a.setup.branch(self._body_block)
        a.body.ret_void()

    def slot(self, kind: ir.Type) -> ir.Value:
        """A place in the function's own memory."""
        return self.slots.alloca(kind)

    def splat(self, a: Arithmetic, number: ir.Value, builder: ir.IRBuilder) -> Lanes:
        """One number in all lanes; fixed where the builder is that of the setup."""
        kind = a.vector(number.type)
        out: ir.Value = ir.Constant(kind, ir.Undefined)
        for lane in range(self.width):
            out = builder.insert_element(out, number, ir.Constant(ir.IntType(32), lane))
        return Lanes(out, builder is a.setup)

    @contextmanager
    def while_(self, a: Arithmetic, going: Callable[[], ir.Value]) -> Iterator[None]:
        """Emit a loop that goes on while a condition holds."""
        with _while(a, going):
            yield


class CycleKernel(Kernel):
    """Writes the functions of one cyclic model into an LLVM module.

    Args:
        model: a model with a cycle.
        width: lanes of a vector.
    """

    def __init__(self, model: OrganModel, width: int):
        assert model.cycle is not None
        super().__init__(model.name, width)
        self.model, self.cycle = model, model.cycle
        one = jax.ShapeDtypeStruct((), np.float64)
        p = model.Parameters(**dict.fromkeys(fields(model.Parameters), one))
        u = model.Inputs(**dict.fromkeys(fields(model.Inputs), one))
        drive = jax.eval_shape(self.cycle.drive, one, jax.eval_shape(model.working, p), u)
        self.drive_structure = jax.tree.structure(drive)
        self.drives = len(jax.tree.leaves(drive))

    # -- functions ---------------------------------------------------------------------------------

    def orbit(self) -> None:
        """``orbit(parameters, inputs, start, table, out, steps, watched_steps, max_beats, tolerance)``.

        ``watched_steps`` is a whole multiple of ``steps``: one table of the drive serves both. ``start`` is a
        null pointer for the model's cold start. ``out``: the states, the outputs, residual,
        beats, and one where the orbit is periodic and finite, else zero.
        """
        a, pointers, numbers = self.function("orbit", 5, INTEGER, INTEGER, INTEGER, DOUBLE)
        steps, watched, max_beats, tolerance = numbers
        parameters, inputs, start, table, out = pointers
        p, u, period = self._patient(a, parameters, inputs)
        first = self._start(a, start, p, u)
        weights = _stacked(emit(a, self.cycle.weights, p))
        limit = scalar(self.splat(a, tolerance, a.setup))
        self._tabulate(a, table, watched, period, p, u)
        every = a.body.sdiv(watched, steps)
        step = a.quotient(period, self._count(a, steps))

        initial, tree = _traced(a, anderson.begin, first)
        progress = Slots(a, initial, self.slots)
        beats = self.slot(INTEGER)
        a.body.store(ir.Constant(INTEGER, 0), beats)

        def going() -> ir.Value:
            now = jax.tree.unflatten(tree, progress.load())
            more = a.body.icmp_signed("<", a.body.load(beats, typ=INTEGER), max_beats)
            return a.body.and_(more, a.any(a.body, now.active.item()))

        with _while(a, going):
            now = jax.tree.unflatten(tree, progress.load())
            end = self._beat(a, list(now.state), table, steps, step, p, u, every=every)
            filled = _stacked(emit(a, self.cycle.restore, self._state(end), p, u))
            later, _ = _traced(a, anderson.advance, now, filled, weights, limit)
            progress.store(later)
            done = a.body.add(a.body.load(beats, typ=INTEGER), ir.Constant(INTEGER, 1))
            a.body.store(done, beats)

        final = jax.tree.unflatten(tree, progress.load())
        fine = a.quotient(period, self._count(a, watched))
        outputs = self._read(a, list(final.state), table, watched, fine, p, u)
        good = a.compare("<=", final.residual.item(), limit.item())
        for value in outputs:
            good = a.both(good, a.compare("<", a.call("fabs", value), a.constant(float("inf"))))
        rows = [*final.state, *outputs, final.residual.item(), final.beats.item(), good]
        for row, value in enumerate(rows):
            out.store(row, a.convert(value, DOUBLE))
        self.finish(a)

    def waveform(self) -> None:
        """``waveform(parameters, inputs, start, table, out, steps)``; ``out``: for each time its signals."""
        a, pointers, (steps,) = self.function("waveform", 5, INTEGER)
        parameters, inputs, start, table, out = pointers
        p, u, period = self._patient(a, parameters, inputs)
        self._tabulate(a, table, steps, period, p, u)
        step = a.quotient(period, self._count(a, steps))
        signals = len(fields(self.model.Signals))

        def keep(index: ir.Value, drive: Any, state: list[Lanes]) -> None:
            seen = self._look(a, drive, state, p, u)
            begin = a.body.mul(index, ir.Constant(INTEGER, signals))
            for k, value in enumerate(seen):
                out.store(a.body.add(begin, ir.Constant(INTEGER, k)), value)

        first = [start.load(row) for row in range(len(fields(self.model.State)))]
        end = self._beat(a, first, table, steps, step, p, u, watch=keep)
        last = self._drive(a, table, a.body.mul(steps, ir.Constant(INTEGER, 2)))
        keep(steps, last, end)
        self.finish(a)

    # -- parts -------------------------------------------------------------------------------------

    def _count(self, a: Arithmetic, number: ir.Value) -> Lanes:
        return self.splat(a, a.setup.sitofp(number, DOUBLE), a.setup)

    def _patient(self, a: Arithmetic, parameters: Memory, inputs: Memory) -> tuple[Any, Any, Lanes]:
        model = self.model

        def record(kind: type, memory: Memory) -> Any:
            return kind(**{k: scalar(memory.load(i, fixed=True)) for i, k in enumerate(fields(kind))})

        p = emit(a, model.working, record(model.Parameters, parameters))
        u = record(model.Inputs, inputs)
        return p, u, emit(a, self.cycle.period, p, u).item()

    def _start(self, a: Arithmetic, start: Memory, p: Any, u: Any) -> np.ndarray:
        cold = _stacked(emit(a, self.model.initial, p))
        given = a.body.icmp_unsigned("!=", start.pointer, ir.Constant(POINTER, None))
        slots = [self.slot(a.vector(DOUBLE)) for _ in cold]
        for slot, lanes in zip(slots, cold, strict=True):
            a.body.store(lanes.value, slot)
        with a.body.if_then(given):
            for row, slot in enumerate(slots):
                a.body.store(start.load(row).value, slot)
        first = [Lanes(a.body.load(slot, typ=a.vector(DOUBLE)), False) for slot in slots]
        return _stacked(emit(a, self.cycle.restore, self._state(first), p, u))

    def _state(self, lanes: Sequence[Lanes]) -> Any:
        return self.model.State(*(scalar(x) for x in lanes))

    def _tabulate(self, a: Arithmetic, table: Memory, steps: ir.Value, period: Lanes, p: Any, u: Any) -> None:
        """The drive at every half step."""
        rows = a.body.add(a.body.mul(steps, ir.Constant(INTEGER, 2)), ir.Constant(INTEGER, 1))
        half = a.quotient(a.constant(0.5), self._count(a, steps))
        number = self.slot(a.vector(DOUBLE))
        a.body.store(a.constant(0.0).value, number)
        with loop(a, rows, self.slot(INTEGER)) as index:
            now = Lanes(a.body.load(number, typ=a.vector(DOUBLE)), False)
            phase = a.mul(now, half)
            time = Lanes(a.mul(Lanes(phase.value, False), period).value, False)
            drive = jax.tree.leaves(emit(a, self.cycle.drive, scalar(time), p, u))
            begin = a.body.mul(index, ir.Constant(INTEGER, self.drives))
            for k, value in enumerate(drive):
                table.store(a.body.add(begin, ir.Constant(INTEGER, k)), value.item())
            a.body.store(a.add(Lanes(now.value, False), a.constant(1.0)).value, number)

    def _drive(self, a: Arithmetic, table: Memory, row: ir.Value) -> Any:
        begin = a.body.mul(row, ir.Constant(INTEGER, self.drives))
        found = [scalar(table.load(a.body.add(begin, ir.Constant(INTEGER, k)))) for k in range(self.drives)]
        return jax.tree.unflatten(self.drive_structure, found)

    def _beat(
        self,
        a: Arithmetic,
        first: list[Lanes],
        table: Memory,
        steps: ir.Value,
        step: Lanes,
        p: Any,
        u: Any,
        watch: Callable[[ir.Value, Any, list[Lanes]], None] | None = None,
        every: ir.Value | None = None,
    ) -> list[Lanes]:
        """One beat; ``watch(step, drive, state)`` is emitted at the beginning of every step.

        A half step of the beat is ``every`` rows of the table, one if absent.
        """
        slots = Slots(a, [scalar(x) for x in first], self.slots)
        scaled = [
            (row, None if ahead is None else a.mul(a.constant(ahead), step), a.mul(a.constant(weight), step))
            for row, ahead, weight in _STAGES
        ]
        with loop(a, steps, self.slot(INTEGER)) as index:
            y = [x.item() for x in slots.load()]
            begin = a.body.mul(index, ir.Constant(INTEGER, 2))
            rows = [a.body.add(begin, ir.Constant(INTEGER, k)) for k in range(3)]
            rows = rows if every is None else [a.body.mul(row, every) for row in rows]
            drives = [self._drive(a, table, row) for row in rows]
            if watch is not None:
                watch(index, drives[0], y)
            total, stage = y, y
            for row, ahead, weight in scaled:
                rate = emit(a, self.model.derivative, drives[row], self._state(stage), p, u)
                slope = [x.item() for x in values(rate).values()]
                total = [a.fma(weight, k, t) for k, t in zip(slope, total, strict=True)]
                if ahead is not None:
                    stage = [a.fma(ahead, k, x) for k, x in zip(slope, y, strict=True)]
            if self.model.project is not None:
                total = list(_stacked(emit(a, self.model.project, self._state(total), p, u)))
            slots.store([scalar(x) for x in total])
        return [x.item() for x in slots.load()]

    def _look(self, a: Arithmetic, drive: Any, state: list[Lanes], p: Any, u: Any) -> list[Lanes]:
        seen = emit(a, self.model.observe, drive, self._state(state), p, u)
        return [x.item() for x in values(seen).values()]

    def _read(
        self, a: Arithmetic, state: list[Lanes], table: Memory, steps: ir.Value, step: Lanes, p: Any, u: Any
    ) -> list[Lanes]:
        """Outputs of the beat that begins with ``state``."""
        zero = ir.Constant(INTEGER, 0)
        begin = self._look(a, self._drive(a, table, zero), state, p, u)
        n = len(begin)
        nothing = [a.constant(0.0)] * n
        slots = Slots(a, [scalar(x) for x in (*begin, *begin, *nothing)], self.slots)

        def extremes(index: ir.Value, drive: Any, now: list[Lanes]) -> None:
            seen = self._look(a, drive, now, p, u)
            kept = [x.item() for x in slots.load()]
            high = [a.greater(x, y) for x, y in zip(kept[:n], seen, strict=True)]
            low = [a.smaller(x, y) for x, y in zip(kept[n : 2 * n], seen, strict=True)]
            total = [a.add(x, y) for x, y in zip(kept[2 * n :], seen, strict=True)]
            slots.store([scalar(x) for x in (*high, *low, *total)])

        self._beat(a, state, table, steps, step, p, u, watch=extremes)
        found = [x.item() for x in slots.load()]
        mean = [a.quotient(x, self._count(a, steps)) for x in found[2 * n :]]
        # a NaN that the extremes forgot is in the sum
        high, low = (
            [a.select(a.unordered(m), m, x) for x, m in zip(part, mean, strict=True)]
            for part in (found[:n], found[n : 2 * n])
        )
        parts = [high, low, mean, begin]
        records = [self.model.Signals(*(scalar(x) for x in part)) for part in parts]
        outputs = emit(a, self.cycle.summarise, *records, p, u)
        return [x.item() for x in values(outputs).values()]


# -------------------------------------------------------------------------------------------------


class Slots:
    """Arrays of lanes that change in a loop, kept in the function's own memory."""

    def __init__(self, a: Arithmetic, initial: Sequence[np.ndarray], builder: ir.IRBuilder):
        self.a = a
        self.shapes = [x.shape for x in initial]
        flat = [lanes for x in initial for lanes in x.ravel()]
        self.elements = [lanes.element for lanes in flat]
        self.pointers = [builder.alloca(a.vector(e)) for e in self.elements]
        self.store(initial)

    def store(self, arrays: Sequence[np.ndarray]) -> None:
        flat = [lanes for x in arrays for lanes in x.ravel()]
        for lanes, pointer in zip(flat, self.pointers, strict=True):
            self.a.body.store(lanes.value, pointer)

    def load(self) -> list[np.ndarray]:
        loaded = [
            Lanes(self.a.body.load(pointer, typ=self.a.vector(element)), False)
            for pointer, element in zip(self.pointers, self.elements, strict=True)
        ]
        out, at = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            out.append(array(loaded[at : at + size]).reshape(shape))
            at += size
        return out


def _traced(a: Arithmetic, function: Callable[..., Any], *arguments: Any) -> tuple[list[np.ndarray], Any]:
    """Flat result and structure of a function."""
    result = emit(a, function, *arguments)
    return jax.tree.leaves(result), jax.tree.structure(result)


def _stacked(record: Any) -> np.ndarray:
    return array([x.item() for x in values(record).values()])


@contextmanager
def _while(a: Arithmetic, going: Callable[[], ir.Value]) -> Iterator[None]:
    function = a.body.function
    head, inside, after = (function.append_basic_block(n) for n in ("head", "inside", "after"))
    a.body.branch(head)
    a.body.position_at_end(head)
    a.body.cbranch(going(), inside, after)
    a.body.position_at_end(inside)
    yield
    a.body.branch(head)
    a.body.position_at_end(after)


@contextmanager
def loop(a: Arithmetic, count: ir.Value, counter: ir.Value) -> Iterator[ir.Value]:
    """Emit a loop over ``range(count)``; gives the index."""
    a.body.store(ir.Constant(INTEGER, 0), counter)
    with _while(a, lambda: a.body.icmp_signed("<", a.body.load(counter, typ=INTEGER), count)):
        index = a.body.load(counter, typ=INTEGER)
        yield index
        a.body.store(a.body.add(index, ir.Constant(INTEGER, 1)), counter)
