"""From a jaxpr to vectors of lanes.

A model is traced for one patient; what is a number there becomes a vector of lanes here. Small arrays (the
states of one patient) become object arrays of such vectors, so reshaping and slicing cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from typing import Any

import jax
import numpy as np

from organ_models.native import elementary
from organ_models.native.lanes import DOUBLE, FLOAT, INTEGER, TRUTH, Arithmetic, Lanes


class UnsupportedPrimitive(Exception):
    """A model uses an operation that the native back end does not know; ``name`` says which."""

    def __init__(self, name: str):
        self.name = name
        super().__init__(f"the native back end has no primitive '{name}'")


def emit(
    a: Arithmetic, function: Callable[..., Any], *arguments: Any, like: Sequence[Any] | None = None
) -> Any:
    """Trace a function of one patient and emit it.

    Args:
        a: where to emit.
        function: what a model declares, or any other branch-free function.
        arguments: pytrees with object arrays of :class:`Lanes` as leaves.
        like: shapes and types of the leaves; those of the arrays themselves if absent.

    Returns:
        The function's result with object arrays as leaves.
    """
    closed, leaves, result = traced(function, *arguments, like=like)
    return jax.tree.unflatten(result, translate(a, closed, leaves))


def traced(
    function: Callable[..., Any], *arguments: Any, like: Sequence[Any] | None = None
) -> tuple[Any, list[np.ndarray], Any]:
    """The jaxpr of a function of one patient, its flat arguments, and the structure of its result; arguments
    as for :func:`emit`."""
    leaves, structure = jax.tree.flatten(arguments)
    shapes = like or [jax.ShapeDtypeStruct(leaf.shape, _kind(leaf)) for leaf in leaves]
    closed, result = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(structure, shapes))
    return closed, leaves, jax.tree.structure(result)


def translate(a: Arithmetic, jaxpr: Any, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Emit a closed jaxpr.

    Args:
        a: where to emit.
        jaxpr: what to emit.
        arguments: one object array of :class:`Lanes` for each flat argument.

    Returns:
        One object array for each flat result.

    Raises:
        UnsupportedPrimitive: an operation is not known.
    """
    known = bound(a, jaxpr, arguments)
    equations(a, live(jaxpr), known)
    return [value_of(a, atom, known) for atom in jaxpr.jaxpr.outvars]


def live(jaxpr: Any) -> list[Any]:
    """The equations on which the results of a closed jaxpr hang; LLVM cannot leave out what calls C."""
    wanted, found = set(variables(jaxpr.jaxpr.outvars)), []
    for equation in reversed(jaxpr.jaxpr.eqns):
        if wanted.intersection(equation.outvars):
            found.append(equation)
            wanted.update(variables(equation.invars))
    return found[::-1]


def variables(atoms: Iterable[Any]) -> list[Any]:
    """Those among variables and literals that are variables."""
    return [atom for atom in atoms if not hasattr(atom, "val")]


def bound(a: Arithmetic, jaxpr: Any, arguments: Sequence[np.ndarray]) -> dict[Any, np.ndarray]:
    """What a closed jaxpr knows before its first equation, by variable."""
    known = dict(zip(jaxpr.jaxpr.constvars, (_literal(a, c) for c in jaxpr.consts), strict=True))
    return known | dict(zip(jaxpr.jaxpr.invars, arguments, strict=True))


def value_of(a: Arithmetic, atom: Any, known: dict[Any, np.ndarray]) -> np.ndarray:
    """A variable's or literal's value."""
    return _literal(a, atom.val) if hasattr(atom, "val") else known[atom]


def equations(a: Arithmetic, some: Iterable[Any], known: dict[Any, np.ndarray]) -> None:
    """Emit equations of a jaxpr; what they bind is added to ``known``."""

    def bind(variables: Sequence[Any], found: Sequence[np.ndarray]) -> None:
        for variable, value in zip(variables, found, strict=True):
            known[variable] = value

    for equation in some:
        name = equation.primitive.name
        operands = [value_of(a, atom, known) for atom in equation.invars]
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        if name in _CALLS and inner is not None:
            bind(equation.outvars, translate(a, inner, operands))
        elif name == "scan":
            bind(equation.outvars, _repeated(a, operands, equation.params))
        elif name in _STRUCTURAL:
            found = _STRUCTURAL[name](a, operands, equation.params, equation.outvars[0].aval)
            bind(equation.outvars, [found])
        else:
            bind(equation.outvars, [_elementwise(a, name, operands, equation.params)])


def array(lanes: Sequence[Lanes]) -> np.ndarray:
    """A one-dimensional object array."""
    out = np.empty(len(lanes), dtype=object)
    out[:] = lanes
    return out


def scalar(lanes: Lanes) -> np.ndarray:
    """An object array of no dimension."""
    out = np.empty((), dtype=object)
    out[()] = lanes
    return out


# -------------------------------------------------------------------------------------------------


def _repeated(a: Arithmetic, operands: list[np.ndarray], params: Any) -> list[np.ndarray]:
    """A loop of fixed length that only hands on what it carries, written out."""
    fixed, carried = params["num_consts"], params["num_carry"]
    if len(operands) > fixed + carried or len(params["jaxpr"].out_avals) > carried:
        raise UnsupportedPrimitive("scan over arrays")
    kept, now = operands[:fixed], operands[fixed:]
    for _ in range(params["length"]):
        now = translate(a, params["jaxpr"], [*kept, *now])
    return now


def _literal(a: Arithmetic, value: Any) -> np.ndarray:
    number = np.asarray(value)
    element = _element(number.dtype)
    turn = {"b": bool, "i": int, "u": int, "f": float}[number.dtype.kind]
    return np.asarray(np.frompyfunc(lambda x: a.constant(turn(x), element), 1, 1)(number), dtype=object)


def _element(dtype: Any) -> Any:
    found = {"f": DOUBLE, "i": INTEGER, "u": INTEGER, "b": TRUTH}.get(np.dtype(dtype).kind)
    if np.dtype(dtype) == np.float32:
        return FLOAT
    if found is None or (found == DOUBLE and np.dtype(dtype) != np.float64):
        raise UnsupportedPrimitive(f"convert_element_type to {np.dtype(dtype)}")
    return found


_KINDS = {DOUBLE: np.float64, FLOAT: np.float32, INTEGER: np.int64, TRUTH: np.bool_}


def _kind(lanes: np.ndarray) -> Any:
    return _KINDS[lanes.ravel()[0].element] if lanes.size else np.float64


def _elementwise(a: Arithmetic, name: str, operands: list[np.ndarray], params: Any) -> np.ndarray:
    function: Callable[..., Lanes]
    if name == "convert_element_type":
        element = _element(params["new_dtype"])
        function = partial(_convert, a, element)
    elif name == "integer_pow":
        function = partial(_integer_pow, a, params["y"])
    elif name == "round" and int(params["rounding_method"]) != _TO_NEAREST_EVEN:
        raise UnsupportedPrimitive("round away from zero")
    elif name in elementary.C_LIBRARY:
        function = partial(_from_c, a, name)
    elif name in _ELEMENTWISE:
        function = partial(_ELEMENTWISE[name], a)
    else:
        raise UnsupportedPrimitive(name)
    return np.asarray(np.frompyfunc(function, len(operands), 1)(*operands), dtype=object)


_TO_NEAREST_EVEN = 1


def _convert(a: Arithmetic, element: Any, x: Lanes) -> Lanes:
    return a.convert(x, element)


def _integer_pow(a: Arithmetic, power: int, x: Lanes) -> Lanes:
    return elementary.integer_power(a, x, power)


def _in_doubles(function: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """A function of doubles for both precisions: rare enough in single to be computed in double."""

    def converted(a: Arithmetic, *x: Lanes) -> Lanes:
        return a.convert(function(a, *(a.convert(v, DOUBLE) for v in x)), x[0].element)

    return converted


def _from_c(a: Arithmetic, name: str, *x: Lanes) -> Lanes:
    return _in_doubles(lambda a, *y: a.one_by_one(name, y))(a, *x)


def _rem(a: Arithmetic, x: Lanes, y: Lanes) -> Lanes:
    return _in_doubles(elementary.remainder)(a, x, y) if x.real else a.remainder(x, y)


def _abs(a: Arithmetic, x: Lanes) -> Lanes:
    return a.call("fabs", x) if x.real else a.maximum(x, a.neg(x))


def _sign(a: Arithmetic, x: Lanes) -> Lanes:
    if x.whole:
        return a.minimum(a.maximum(x, a.constant(-1)), a.constant(1))
    positive = a.select(a.compare(">", x, a.like(x, 0.0)), a.like(x, 1.0), x)  # keeps zeros and NaN
    return a.select(a.compare("<", x, a.like(x, 0.0)), a.like(x, -1.0), positive)


def _select(a: Arithmetic, which: Lanes, *cases: Lanes) -> Lanes:
    if which.element == TRUTH:
        return a.select(which, cases[1], cases[0])
    out = cases[-1]
    for index in reversed(range(len(cases) - 1)):
        out = a.select(a.compare("<=", which, a.constant(index)), cases[index], out)
    return out


def _finite(a: Arithmetic, x: Lanes) -> Lanes:
    return a.compare("<", a.call("fabs", x), a.like(x, float("inf")))


def _logistic(a: Arithmetic, x: Lanes) -> Lanes:
    one = a.like(x, 1.0)
    return a.quotient(one, a.add(one, elementary.exp(a, a.neg(x))))


_ELEMENTWISE: dict[str, Callable[..., Lanes]] = {
    "add": Arithmetic.add,
    "add_any": Arithmetic.add,
    "sub": Arithmetic.sub,
    "mul": Arithmetic.mul,
    "div": Arithmetic.div,
    "neg": Arithmetic.neg,
    "max": Arithmetic.maximum,
    "min": Arithmetic.minimum,
    "abs": _abs,
    "sign": _sign,
    "rem": _rem,
    "select_n": _select,
    "is_finite": _finite,
    "square": lambda a, x: a.mul(x, x),
    "clamp": lambda a, low, x, high: a.minimum(a.maximum(x, low), high),
    "exp": elementary.exp,
    "log": elementary.log,
    "sin": _in_doubles(elementary.sin),
    "cos": _in_doubles(elementary.cos),
    "pow": _in_doubles(elementary.power),
    "logistic": _logistic,
    "sqrt": lambda a, x: a.call("sqrt", x),
    "rsqrt": lambda a, x: a.quotient(a.like(x, 1.0), a.call("sqrt", x)),
    "round": lambda a, x: a.call("rint", x),
    "floor": lambda a, x: a.call("floor", x),
    "ceil": lambda a, x: a.call("ceil", x),
    "eq": lambda a, x, y: a.compare("==", x, y),
    "ne": lambda a, x, y: a.compare("!=", x, y),
    "lt": lambda a, x, y: a.compare("<", x, y),
    "le": lambda a, x, y: a.compare("<=", x, y),
    "gt": lambda a, x, y: a.compare(">", x, y),
    "ge": lambda a, x, y: a.compare(">=", x, y),
    "and": Arithmetic.both,
    "or": Arithmetic.either,
    "xor": Arithmetic.differ,
    "not": Arithmetic.opposite,
    "copy": lambda a, x: x,
    "copy_p": lambda a, x: x,
    "stop_gradient": lambda a, x: x,
    "optimization_barrier": lambda a, x: x,
}

_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat2"}
)


def _broadcast(a: Arithmetic, x: list[np.ndarray], params: Any, out: Any) -> np.ndarray:
    shape = [1] * len(out.shape)
    for axis, to in enumerate(params["broadcast_dimensions"]):
        shape[to] = x[0].shape[axis]
    return np.broadcast_to(x[0].reshape(shape), out.shape)


def _slice(a: Arithmetic, x: list[np.ndarray], params: Any, out: Any) -> np.ndarray:
    strides = params["strides"] or (1,) * x[0].ndim
    cuts = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return np.asarray(x[0][tuple(slice(*cut) for cut in cuts)], dtype=object)


def _iota(a: Arithmetic, x: list[np.ndarray], params: Any, out: Any) -> np.ndarray:
    along = [1] * len(out.shape)
    along[params["dimension"]] = -1
    counted = np.arange(out.shape[params["dimension"]]).astype(out.dtype).reshape(along)
    return _literal(a, np.broadcast_to(counted, out.shape))


def _reshape(a: Arithmetic, x: list[np.ndarray], params: Any, out: Any) -> np.ndarray:
    return x[0].reshape(out.shape)


def _reduction(combine: Callable[[Arithmetic, Lanes, Lanes], Lanes]) -> Callable[..., np.ndarray]:
    def reduction(a: Arithmetic, x: list[np.ndarray], params: Any, out: Any) -> np.ndarray:
        axes = tuple(params["axes"])
        kept = [axis for axis in range(x[0].ndim) if axis not in axes]
        rows = x[0].transpose([*axes, *kept]).reshape(-1, *out.shape)
        summed = [reduce(lambda u, v: combine(a, u, v), column) for column in rows.reshape(len(rows), -1).T]
        return array(summed).reshape(out.shape)

    return reduction


_STRUCTURAL: dict[str, Callable[..., np.ndarray]] = {
    "broadcast_in_dim": _broadcast,
    "slice": _slice,
    "iota": _iota,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": lambda a, x, params, out: x[0].transpose(params["permutation"]),
    "stack": lambda a, x, params, out: np.stack(x, axis=params["axis"]),
    "concatenate": lambda a, x, params, out: np.concatenate(x, axis=params["dimension"]),
    "reduce_sum": _reduction(Arithmetic.add),
    "reduce_prod": _reduction(Arithmetic.mul),
    "reduce_max": _reduction(Arithmetic.maximum),
    "reduce_min": _reduction(Arithmetic.minimum),
    "reduce_and": _reduction(Arithmetic.both),
    "reduce_or": _reduction(Arithmetic.either),
}
