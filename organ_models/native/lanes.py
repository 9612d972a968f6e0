"""Vectors of lanes: strict IEEE arithmetic on LLVM vectors, one patient a lane.

No fast-math flag is ever set, a product is fused with the sum that uses it always or never (decided by the
text of the model, not by the optimiser), and nothing crosses lanes. So a lane's bits depend neither on its
position, nor on its neighbours, nor on the width of the vector.

What depends on parameters and inputs alone is *fixed*: it is computed once, before all time loops, and a
division by it becomes a multiplication by its reciprocal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

DOUBLE = ir.DoubleType()
FLOAT = ir.FloatType()
INTEGER = ir.IntType(64)
WORD = ir.IntType(32)
"""The bits of a single-precision number."""
TRUTH = ir.IntType(1)
POINTER = ir.PointerType()

_BITS = {DOUBLE: INTEGER, FLOAT: WORD}
_SUFFIX = {DOUBLE: "f64", FLOAT: "f32"}


@dataclass(frozen=True, eq=False)
class Lanes:
    """A vector of lanes.

    Attributes:
        value: the LLVM vector.
        fixed: whether it is computed before the time loops.
        factors: the factors, if it is a product.
        choice: condition and the two alternatives, if it is a selection.
        constant: the number, if it is one.
    """

    value: ir.Value
    fixed: bool
    factors: tuple[Lanes, Lanes] | None = None
    choice: tuple[Lanes, Lanes, Lanes] | None = None
    constant: float | int | bool | None = None

    @property
    def element(self) -> ir.Type:
        """LLVM type of one lane."""
        return self.value.type.element

    @property
    def real(self) -> bool:
        """Whether lanes are floating-point numbers."""
        return self.element in _BITS

    @property
    def whole(self) -> bool:
        """Whether lanes are integers."""
        return self.element in (INTEGER, WORD)


class Arithmetic:
    """Emits operations on :class:`Lanes` into a function that is being written.

    Args:
        module: the LLVM module.
        setup: builder at the end of what runs before the time loops.
        body: builder at the place where the code of now goes.
        width: lanes of a vector.

    Attributes:
        reciprocals: whether a fixed divisor may become a factor, its reciprocal, which rounds twice.
    """

    def __init__(self, module: ir.Module, setup: ir.IRBuilder, body: ir.IRBuilder, width: int):
        self.reciprocals = True
        self.module, self.setup, self.body, self.width = module, setup, body, width
        self._reciprocals: dict[int, Lanes] = {}
        self._kept: list[Lanes] = []

    # -- making ------------------------------------------------------------------------------------

    def vector(self, element: ir.Type) -> ir.VectorType:
        """Type of a vector of lanes."""
        return ir.VectorType(element, self.width)

    def constant(self, number: float | int | bool, element: ir.Type | None = None) -> Lanes:
        """The same number in all lanes: a double, a 64-bit integer or a truth value unless told otherwise."""
        if element is None:
            element = TRUTH if isinstance(number, bool) else INTEGER if isinstance(number, int) else DOUBLE
        value = ir.Constant(self.vector(element), [ir.Constant(element, number)] * self.width)
        return Lanes(value, True, constant=number)

    def like(self, a: Lanes, number: float | int) -> Lanes:
        """The same number in all lanes, of the type that ``a`` has."""
        return self.constant(number, a.element)

    def builder(self, *operands: Lanes) -> ir.IRBuilder:
        """Where an operation on these belongs."""
        return self.setup if all(o.fixed for o in operands) else self.body

    def _made(self, value: ir.Value, *operands: Lanes, **marks: Any) -> Lanes:
        return Lanes(value, all(o.fixed for o in operands), **marks)

    def call(self, name: str, *operands: Lanes) -> Lanes:
        """An LLVM intrinsic on vectors of floating-point numbers, all of one type."""
        kind, suffix = operands[0].value.type, _SUFFIX[operands[0].element]
        name = f"llvm.{name}.v{self.width}{suffix}"
        function = declared(self.module, name, kind, [kind] * len(operands))
        return self._made(self.builder(*operands).call(function, [o.value for o in operands]), *operands)

    # -- arithmetic --------------------------------------------------------------------------------

    def add(self, a: Lanes, b: Lanes) -> Lanes:
        if a.whole:
            return self._made(self.builder(a, b).add(a.value, b.value), a, b)
        for product, other in ((a, b), (b, a)):
            if product.factors and not product.fixed:
                return self.fma(*product.factors, other)
        return self._made(self.builder(a, b).fadd(a.value, b.value), a, b)

    def sub(self, a: Lanes, b: Lanes) -> Lanes:
        if a.whole:
            return self._made(self.builder(a, b).sub(a.value, b.value), a, b)
        if b.factors and not b.fixed:
            x, y = b.factors
            return self.fma(self.neg(x), y, a)
        if a.factors and not a.fixed:
            return self.fma(*a.factors, self.neg(b))
        return self._made(self.builder(a, b).fsub(a.value, b.value), a, b)

    def mul(self, a: Lanes, b: Lanes) -> Lanes:
        if a.whole:
            return self._made(self.builder(a, b).mul(a.value, b.value), a, b)
        return self._made(self.builder(a, b).fmul(a.value, b.value), a, b, factors=(a, b))

    def fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes:
        """``a b + c``, rounded once."""
        return self.call("fma", a, b, c)

    def div(self, a: Lanes, b: Lanes) -> Lanes:
        if not self.reciprocals:
            return self.quotient(a, b)
        if b.fixed and not a.fixed:
            return self.mul(a, self._reciprocal(b))
        if b.choice and all(part.fixed for part in b.choice[1:]):
            # one of two fixed divisors (a valve): choose between reciprocals instead of dividing
            where, yes, no = b.choice
            return self.mul(a, self.select(where, self._reciprocal(yes), self._reciprocal(no)))
        return self.quotient(a, b)

    def quotient(self, a: Lanes, b: Lanes) -> Lanes:
        """``a / b`` rounded once, whatever ``b`` is."""
        return self._made(self.builder(a, b).fdiv(a.value, b.value), a, b)

    def _reciprocal(self, a: Lanes) -> Lanes:
        if id(a) not in self._reciprocals:
            self._kept.append(a)  # identities stay unique as long as their objects live
            self._reciprocals[id(a)] = self.quotient(self.like(a, 1.0), a)
        return self._reciprocals[id(a)]

    def neg(self, a: Lanes) -> Lanes:
        b = self.builder(a)
        return self._made(b.neg(a.value) if a.whole else b.fneg(a.value), a)

    def remainder(self, a: Lanes, b: Lanes) -> Lanes:
        """Integer remainder with the sign of ``a``."""
        return self._made(self.builder(a, b).srem(a.value, b.value), a, b)

    # -- comparing and choosing --------------------------------------------------------------------

    def compare(self, relation: str, a: Lanes, b: Lanes) -> Lanes:
        """``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``; a comparison with NaN is false, ``!=`` is true."""
        builder = self.builder(a, b)
        if a.real:
            ordered = builder.fcmp_unordered if relation == "!=" else builder.fcmp_ordered
            return self._made(ordered(relation, a.value, b.value), a, b)
        signed = builder.icmp_unsigned if a.element == TRUTH else builder.icmp_signed
        return self._made(signed(relation, a.value, b.value), a, b)

    def unordered(self, a: Lanes) -> Lanes:
        """Where ``a`` is NaN."""
        return self._made(self.builder(a).fcmp_unordered("uno", a.value, a.value), a)

    def select(self, where: Lanes, yes: Lanes, no: Lanes) -> Lanes:
        value = self.builder(where, yes, no).select(where.value, yes.value, no.value)
        return self._made(value, where, yes, no, choice=(where, yes, no))

    def maximum(self, a: Lanes, b: Lanes) -> Lanes:
        """The larger one; NaN if one is NaN."""
        return self._extreme(">", a, b)

    def minimum(self, a: Lanes, b: Lanes) -> Lanes:
        """The smaller one; NaN if one is NaN."""
        return self._extreme("<", a, b)

    def greater(self, a: Lanes, b: Lanes) -> Lanes:
        """The larger one in a single instruction; ``b`` if one is NaN."""
        return self.select(self.compare(">", a, b), a, b)

    def smaller(self, a: Lanes, b: Lanes) -> Lanes:
        """The smaller one in a single instruction; ``b`` if one is NaN."""
        return self.select(self.compare("<", a, b), a, b)

    def _extreme(self, relation: str, a: Lanes, b: Lanes) -> Lanes:
        first = self.compare(relation, a, b)
        if a.real and a.constant is None:
            first = self.either(first, self.unordered(a))
        chosen = self.select(first, a, b)
        return Lanes(chosen.value, chosen.fixed)

    def both(self, a: Lanes, b: Lanes) -> Lanes:
        return self._made(self.builder(a, b).and_(a.value, b.value), a, b)

    def either(self, a: Lanes, b: Lanes) -> Lanes:
        return self._made(self.builder(a, b).or_(a.value, b.value), a, b)

    def differ(self, a: Lanes, b: Lanes) -> Lanes:
        return self._made(self.builder(a, b).xor(a.value, b.value), a, b)

    def opposite(self, a: Lanes) -> Lanes:
        return self._made(self.builder(a).not_(a.value), a)

    # -- bits --------------------------------------------------------------------------------------

    def bits(self, a: Lanes) -> Lanes:
        """The bits of floating-point numbers as integers of their size."""
        return self._made(self.builder(a).bitcast(a.value, self.vector(_BITS[a.element])), a)

    def from_bits(self, a: Lanes) -> Lanes:
        """Floating-point numbers from their bits."""
        element = DOUBLE if a.element == INTEGER else FLOAT
        return self._made(self.builder(a).bitcast(a.value, self.vector(element)), a)

    def shift(self, a: Lanes, places: int, *, right: bool = False) -> Lanes:
        """Bits moved to the left, or to the right keeping the sign."""
        b, by = self.builder(a), self.like(a, places).value
        return self._made(b.ashr(a.value, by) if right else b.shl(a.value, by), a)

    def convert(self, a: Lanes, element: ir.Type) -> Lanes:
        """Between doubles, single-precision numbers, integers and truth values."""
        b, to = self.builder(a), self.vector(element)
        if a.element == element:
            return a
        if element == TRUTH:
            return self.compare("!=", a, self.like(a, 0.0 if a.real else 0))
        if element in _BITS and a.real:
            return self._made(b.fpext(a.value, to) if element == DOUBLE else b.fptrunc(a.value, to), a)
        if element in _BITS:
            turn = b.uitofp if a.element == TRUTH else b.sitofp
            return self._made(turn(a.value, to), a)
        if a.element == TRUTH:
            return self._made(b.zext(a.value, to), a)
        name = f"llvm.fptosi.sat.v{self.width}i64.v{self.width}{_SUFFIX[a.element]}"
        return self._made(b.call(declared(self.module, name, to, [a.value.type]), [a.value]), a)

    # -- leaving the vector ------------------------------------------------------------------------

    def any(self, builder: ir.IRBuilder, a: Lanes) -> ir.Value:
        """Whether a truth value holds in some lane; decides how long to work, never what comes out."""
        mask = builder.bitcast(a.value, ir.IntType(self.width))
        return builder.icmp_unsigned("!=", mask, ir.Constant(mask.type, 0))

    def one_by_one(
        self, name: str, operands: tuple[Lanes, ...], where: Lanes | None = None, instead: Lanes | None = None
    ) -> Lanes:
        """A C function of doubles, lane after lane; only ``where`` it is needed, else ``instead``."""
        builder = self.builder(*operands)
        function = declared(self.module, name, DOUBLE, [DOUBLE] * len(operands))

        def scalar() -> ir.Value:
            out = ir.Constant(self.vector(DOUBLE), ir.Undefined)
            for lane in range(self.width):
                at = ir.Constant(ir.IntType(32), lane)
                parts = [builder.extract_element(o.value, at) for o in operands]
                out = builder.insert_element(out, builder.call(function, parts), at)
            return out

        if where is None or instead is None:
            return self._made(scalar(), *operands)
        return self.only_where(where, lambda: self._made(scalar(), *operands), instead)

    def only_where(self, where: Lanes, compute: Callable[[], Lanes], instead: Lanes) -> Lanes:
        """What ``compute`` emits ``where`` it is needed, else ``instead``; skipped if no lane needs it."""
        builder = self.builder(where, instead)
        before = builder.block
        with builder.if_then(self.any(builder, where)):
            found = compute()
            chosen = builder.select(where.value, found.value, instead.value)
            end = builder.block
        merged = builder.phi(instead.value.type)
        merged.add_incoming(instead.value, before)
        merged.add_incoming(chosen, end)
        return self._made(merged, where, instead)


def declared(module: ir.Module, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    """A function from outside the module, declared once."""
    found = module.globals.get(name)
    return found if found is not None else ir.Function(module, ir.FunctionType(result, arguments), name)


class Memory:
    """Vectors in memory, one row after the other, as an array of the function's own or of its caller."""

    def __init__(self, arithmetic: Arithmetic, pointer: ir.Value, element: ir.Type = DOUBLE):
        self.arithmetic, self.pointer, self.element = arithmetic, pointer, element

    def _at(self, builder: ir.IRBuilder, row: int | ir.Value) -> ir.Value:
        index = ir.Constant(INTEGER, row) if isinstance(row, int) else row
        kind = self.arithmetic.vector(self.element)
        return builder.gep(self.pointer, [index], source_etype=kind)

    def load(self, row: int | ir.Value, *, fixed: bool = False) -> Lanes:
        """A row; a fixed one is read before the time loops."""
        builder = self.arithmetic.setup if fixed else self.arithmetic.body
        kind = self.arithmetic.vector(self.element)
        return Lanes(builder.load(self._at(builder, row), typ=kind, align=8), fixed)

    def store(self, row: int | ir.Value, lanes: Lanes) -> None:
        """Write a row."""
        builder = self.arithmetic.body
        builder.store(lanes.value, self._at(builder, row), align=8)


Operation = Callable[..., Lanes]
