"""The native back end: machine code that computes what JAX computes, each lane on its own."""

from __future__ import annotations

import ctypes
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from llvmlite import ir

from organ_models import OrganModel, catalogue, engines, native
from organ_models.cardiovascular.closed_loop import CLOSED_LOOP_CIRCULATION, Inputs, Parameters
from organ_models.engines import EngineError, choose, default_engine
from organ_models.model import fields, values
from organ_models.native import kernel, machine, width
from organ_models.native.lanes import DOUBLE, INTEGER, POINTER, Arithmetic, Memory
from organ_models.native.translate import UnsupportedPrimitive, emit, scalar
from organ_models.solvers import periodic_orbits, rows_of, waveforms

CYCLIC = [m for m in catalogue().values() if m.cycle]
# leaflets take 20000 steps a beat and 22 states: minutes on the portable back end
LIGHT = [m for m in CYCLIC if m.name != "shi_hose_2009_leaflet_valves"]


def compiled(function: Callable[..., Any], *columns: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """A function of scalars, run by the native back end on columns of doubles."""
    lanes = lanes or width()
    module = ir.Module()
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER])
    code = ir.Function(module, kind, "run")
    setup = ir.IRBuilder(code.append_basic_block())
    body = ir.IRBuilder(code.append_basic_block())
    a = Arithmetic(module, setup, body, lanes)
    given, out = Memory(a, code.args[0]), Memory(a, code.args[1])
    result = emit(a, function, *(scalar(given.load(i)) for i in range(len(columns))))
    out.store(0, a.convert(result.item(), DOUBLE))
    setup.branch(code.blocks[1])
    body.ret_void()
    built = machine.Compiled(module)
    call = built.function("run", ctypes.c_void_p, ctypes.c_void_p)
    n = columns[0].size
    padded = np.stack([np.append(c, np.full(-n % lanes, c[-1])) for c in columns])
    tiles = np.ascontiguousarray(padded.reshape(len(columns), -1, lanes).swapaxes(0, 1))
    found = np.empty((tiles.shape[0], lanes))
    for tile, row in zip(tiles, found, strict=True):
        call(tile.ctypes.data, row.ctypes.data)
    del call, built  # the code lives as long as what it was built from
    return found.ravel()[:n]


def spread(low: float, high: float, n: int = 20_003) -> np.ndarray:
    return np.random.default_rng(7).uniform(low, high, n)


ODD = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e308, -1e308, 0.5, 1e-20])


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("exp", spread(-745.0, 710.0)),
        ("exp", spread(-1.0, 1.0)),
        ("log", np.exp(spread(-700.0, 700.0))),
        ("log", spread(0.5, 2.0)),
        ("sin", spread(-10.0, 10.0)),
        ("sin", spread(-1e9, 1e9)),
        ("cos", spread(-10.0, 10.0)),
        ("cos", np.arange(1, 4000) * (np.pi / 2)),
        ("tanh", spread(-5.0, 5.0)),
        ("arctan", spread(-50.0, 50.0)),
        ("sqrt", spread(0.0, 1e6)),
        ("floor", spread(-9.0, 9.0)),
        ("ceil", spread(-9.0, 9.0)),
        ("round", spread(-9.0, 9.0)),
        ("sign", spread(-1.0, 1.0)),
        ("abs", spread(-1.0, 1.0)),
        ("expm1", spread(-1.0, 1.0)),
        ("log1p", spread(-0.9, 9.0)),
    ],
)
def test_elementary_functions_agree_with_numpy(name: str, domain: np.ndarray) -> None:
    """NumPy's own functions are the reference; they err by less than a unit in the last place."""
    with np.errstate(all="ignore"):
        found, expected = compiled(getattr(jnp, name), domain), getattr(np, name)(domain)
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=5e-324)
        special = compiled(getattr(jnp, name), ODD)
        np.testing.assert_allclose(special, getattr(np, name)(ODD), rtol=1e-13, atol=5e-324)


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0, 600.0])
def test_powers_agree_with_numpy(size: float) -> None:
    """``size`` is the logarithm of the largest result; NumPy's power errs by a unit in the last place."""
    x = np.exp(spread(-3.0, 3.0)) * 10.0 ** np.round(spread(-40.0, 40.0)[::-1])
    y = size / np.log(x) * spread(-1.0, 1.0)[::-1]
    np.testing.assert_allclose(compiled(jnp.power, x, y), x**y, rtol=1e-14)
    np.testing.assert_array_equal(compiled(jnp.power, x, np.ones_like(x)), x)


def test_powers_of_odd_numbers_are_those_of_numpy() -> None:
    x, y = (side.ravel() for side in np.meshgrid(ODD, np.append(ODD, [2.0, -3.0, 1e9])))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(compiled(jnp.power, x, y), np.power(x, y), rtol=1e-14, atol=5e-324)


@pytest.mark.parametrize("divisor", [spread(0.3, 1.5), -spread(0.3, 1.5), 0.1 * np.arange(1, 20_004)])
def test_remainders_are_exact(divisor: np.ndarray) -> None:
    """fmod is exact in floating point: NumPy and the native back end give the same bits."""
    for size in (1.0, 1e6, 1e300):
        x = np.append(size * spread(-3.0, 3.0)[:-3], [divisor[-3] * 7, np.inf, 0.0])
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(compiled(jnp.fmod, x, divisor), np.fmod(x, divisor))
    special = np.array([1.0, np.inf, 2.0, np.nan]), np.array([0.0, 1.0, np.inf, 1.0])
    np.testing.assert_array_equal(compiled(jnp.fmod, *special), [np.nan, np.nan, 2.0, np.nan])


def test_arithmetic_and_choices_agree_with_jax() -> None:
    def mixture(x: Any, y: Any) -> Any:
        whole = jnp.floor(x).astype(jnp.int64)
        odd = jnp.mod(whole, 2) == 1
        power = jnp.abs(x) ** y + x**3 - (x + 3.0) ** -2
        chosen = jnp.where(odd & ~(y > 1.0) | (x != x), power, jnp.minimum(x, y) / jnp.maximum(y, 0.3))
        return jnp.clip(chosen, -50.0, 50.0) + jnp.sign(x) * jax.nn.sigmoid(y) - (-x % 0.7)

    x, y = spread(-5.0, 5.0), spread(0.1, 2.0)[::-1]
    np.testing.assert_allclose(compiled(mixture, x, y), mixture(x, y), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("pair", [(np.nan, 1.0), (1.0, np.nan), (2.0, 1.0), (-np.inf, 1.0)])
def test_extremes_keep_nan(pair: tuple[float, float]) -> None:
    columns = tuple(np.full(3, v) for v in pair)
    np.testing.assert_array_equal(compiled(jnp.maximum, *columns), np.maximum(*columns))
    np.testing.assert_array_equal(compiled(jnp.minimum, *columns), np.minimum(*columns))


def test_the_width_of_the_vector_changes_no_bit() -> None:
    def mixture(x: Any, y: Any) -> Any:
        return jnp.cos(x) * y + jnp.exp(-x * x) / (y + jnp.log(jnp.abs(x))) - jnp.sin(1e9 * x)

    x, y = spread(-9.0, 9.0, 501), spread(0.1, 2.0, 501)
    eight = compiled(mixture, x, y, lanes=8)
    for lanes in (2, 4, 16):
        np.testing.assert_array_equal(compiled(mixture, x, y, lanes=lanes), eight)


# -------------------------------------------------------------------------------------------------


def people(m: OrganModel, n: int) -> tuple[Any, Any]:
    """Patients around the model's defaults, within its bounds, with inputs around their defaults."""
    luck = np.random.default_rng(3)

    def scattered(kind: type) -> Any:
        return kind(
            **{
                name: np.clip((f.default or 0.0) * np.exp(0.1 * luck.standard_normal(n)), *f.bounds)
                for name, f in fields(kind).items()
            }
        )

    return scattered(m.Parameters), scattered(m.Inputs)


def ranges(m: OrganModel, beat: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ptp(beat[name], axis=0) for name in fields(m.Signals)}


@pytest.mark.parametrize("m", CYCLIC, ids=lambda m: m.name)
def test_every_cyclic_model_runs_native(m: OrganModel) -> None:
    assert choose(m, "native") == "native"


@pytest.mark.parametrize("m", CYCLIC, ids=lambda m: m.name)
def test_both_engines_agree_after_one_beat(m: OrganModel) -> None:
    """From the same state, within 1e-10 of each signal's and each state's range."""
    p, u = people(m, 37)
    start = periodic_orbits(m, p, u, engine="native").state * 1.05
    one, other = (
        periodic_orbits(m, p, u, start=start, tolerance=np.inf, engine=e) for e in ("native", "portable")
    )
    assert (one.beats == 1).all()
    size = np.ptp(other.state, axis=1, keepdims=True) + np.abs(other.state).max(axis=1, keepdims=True)
    assert (np.abs(one.state - other.state) <= 1e-10 * size).all()
    for name in one.outputs:
        # a difference of two volumes may cancel: it is as exact as they are
        np.testing.assert_allclose(one.outputs[name], other.outputs[name], rtol=1e-9, atol=1e-8, err_msg=name)
    native, portable = (waveforms(m, p, u, start, engine=e) for e in ("native", "portable"))
    np.testing.assert_array_equal(native["time"], portable["time"])
    for name, extent in ranges(m, portable).items():
        assert (np.abs(native[name] - portable[name]) <= 1e-10 * extent).all(), name


@pytest.mark.parametrize("m", LIGHT, ids=lambda m: m.name)
def test_both_engines_find_the_same_orbit(m: OrganModel) -> None:
    """Within ten times the residual tolerance, in the dimensionless measure of the residual."""
    tolerance = 1e-8
    p, u = people(m, 37)
    one, other = (periodic_orbits(m, p, u, tolerance=tolerance, engine=e) for e in ("native", "portable"))
    assert one.converged.all()
    assert other.converged.all()
    assert m.cycle is not None
    weights = np.stack(list(values(m.cycle.weights(m.working(p))).values()))
    assert (np.abs(weights * (one.state - other.state)) <= 10 * tolerance).all()
    np.testing.assert_array_equal(one.beats, other.beats)


def test_half_the_step_is_tried_by_the_native_engine_too() -> None:
    """On coarse steps the stiffer patients blow up; half the step saves some of them."""
    m, n = CLOSED_LOOP_CIRCULATION, 64
    resistance = 0.06 * np.linspace(1.0, 12.0, n)
    p, u = Parameters(systemic_venous_resistance=resistance), Inputs()
    rows = [np.broadcast_to(np.asarray(v, float), (n,)) for v in values(p).values()]
    ports = rows_of(Inputs(), n)
    once = native.orbits(m, np.stack(rows), ports, None, steps=(125, 2000), max_beats=80, tolerance=1e-7)[4]
    found, portable = (periodic_orbits(m, p, u, steps=125, engine=e) for e in ("native", "portable"))
    np.testing.assert_array_equal(found.converged, portable.converged)
    assert once.sum() < found.converged.sum() < n


def test_nobody_has_no_orbits() -> None:
    p, u = people(CLOSED_LOOP_CIRCULATION, 0)
    orbit = periodic_orbits(CLOSED_LOOP_CIRCULATION, p, u, engine="native")
    assert orbit.state.shape == (12, 0)
    assert orbit.converged.shape == (0,)
    beat = waveforms(CLOSED_LOOP_CIRCULATION, p, u, orbit.state, engine="native")
    assert beat["left_ventricular_volume"].shape == (2001, 0)


@pytest.mark.parametrize("lanes", [2, 4])
def test_an_orbit_has_the_same_bits_on_narrower_vectors(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    p, u = people(CLOSED_LOOP_CIRCULATION, 11)
    wide = periodic_orbits(CLOSED_LOOP_CIRCULATION, p, u, engine="native")
    monkeypatch.setattr(native, "width", lambda: lanes)
    native._code.cache_clear()
    narrow = periodic_orbits(CLOSED_LOOP_CIRCULATION, p, u, engine="native")
    native._code.cache_clear()
    np.testing.assert_array_equal(narrow.state, wide.state)
    for name, column in wide.outputs.items():
        np.testing.assert_array_equal(narrow.outputs[name], column)


def test_a_primitive_that_is_not_known_falls_back_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    m = CLOSED_LOOP_CIRCULATION

    def odd(d: Any, x: Any, p: Any, u: Any) -> Any:
        rate = m.derivative(d, x, p, u)
        none = 0.0 * jax.lax.lgamma(1.0 + jnp.abs(rate.left_atrial_volume))
        return dataclasses.replace(rate, left_atrial_volume=rate.left_atrial_volume + none)

    strange = dataclasses.replace(m, name="strange", derivative=odd)
    with caplog.at_level(logging.INFO, logger="organ_models"):
        orbit = periodic_orbits(strange, Parameters(), Inputs())
    assert orbit.converged.all()
    assert "strange runs on the portable back end" in caplog.text
    assert "'lgamma'" in caplog.text
    with pytest.raises(EngineError, match=r"strange: .*'lgamma'; use engine='auto' or 'portable'"):
        periodic_orbits(strange, Parameters(), Inputs(), engine="native")


def test_rounding_away_from_zero_is_not_translated() -> None:
    def away(x: Any) -> Any:
        return jax.lax.round(x, jax.lax.RoundingMethod.AWAY_FROM_ZERO)

    with pytest.raises(UnsupportedPrimitive, match="away from zero"):
        compiled(away, np.ones(3))


def test_half_precision_is_not_translated() -> None:
    with pytest.raises(UnsupportedPrimitive, match="float16"):
        compiled(lambda x: x.astype(jnp.float16), np.ones(3))


def in_single(function: Callable[..., Any], *columns: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """A function run by the native back end on single-precision numbers."""
    return compiled(
        lambda *x: function(*(v.astype(jnp.float32) for v in x)).astype(float), *columns, lanes=lanes
    )


@pytest.mark.parametrize(
    ("name", "domain", "units"),
    [
        ("exp", spread(-86.0, 88.0), 1.5),
        ("exp", spread(-1.0, 1.0), 1.5),
        ("log", np.exp(spread(-86.0, 88.0)), 1.5),
        ("log", spread(0.5, 2.0), 1.5),
        ("sqrt", spread(0.0, 1e6), 0.5),
        ("sin", spread(-10.0, 10.0), 0.5),
        ("cos", spread(-1e6, 1e6), 0.5),
        ("tanh", spread(-5.0, 5.0), 0.5),
        ("expm1", spread(-1.0, 1.0), 0.5),
        ("log1p", spread(-0.9, 9.0), 0.5),
        ("floor", spread(-9.0, 9.0), 0.0),
        ("round", spread(-9.0, 9.0), 0.0),
        ("sign", spread(-1.0, 1.0), 0.0),
        ("abs", spread(-1.0, 1.0), 0.0),
    ],
)
def test_elementary_functions_in_single_precision_err_by_units_in_the_last_place(
    name: str, domain: np.ndarray, units: float
) -> None:
    """NumPy's functions of doubles are the reference, at the same single-precision arguments."""
    given = domain.astype(np.float32).astype(float)
    found, expected = in_single(getattr(jnp, name), given), getattr(np, name)(given)
    last_place = np.spacing(np.abs(expected).astype(np.float32)).astype(float)
    assert (np.abs(found - expected) <= (units + 1e-6) * last_place).all()
    with np.errstate(all="ignore"):
        odd = ODD.astype(np.float32)
        special, wanted = in_single(getattr(jnp, name), ODD), getattr(np, name)(odd).astype(float)
    np.testing.assert_allclose(special, wanted, rtol=3e-7, atol=1.5e-45)


def test_exponentials_in_single_precision_end_where_single_numbers_do() -> None:
    edge = np.array([88.7, 88.8, 200.0, -87.5, -103.0, -104.5, -1e30])
    with np.errstate(all="ignore"):
        wanted = np.exp(edge.astype(np.float32)).astype(float)
    np.testing.assert_allclose(in_single(jnp.exp, edge), wanted, rtol=3e-7, atol=1.5e-45)
    tiny = np.array([1.1e-38, 1e-40, 1.5e-45])
    expected = np.log(tiny.astype(np.float32).astype(float))
    np.testing.assert_allclose(in_single(jnp.log, tiny), expected, rtol=3e-7)


def test_arithmetic_in_single_precision_agrees_with_jax() -> None:
    def mixture(x: Any, y: Any) -> Any:
        whole = jnp.floor(x).astype(jnp.int64)
        odd = jnp.mod(whole, 2) == 1
        power = jnp.abs(x) ** y + x**3 - (x + 3.0) ** -2
        chosen = jnp.where(odd & ~(y > 1.0) | (x != x), power, jnp.minimum(x, y) / jnp.maximum(y, 0.3))
        return jnp.clip(chosen, -50.0, 50.0) + jnp.sign(x) * jax.nn.sigmoid(y) - (-x % 0.7)

    x, y = (v.astype(np.float32) for v in (spread(-2.0, 5.0), spread(0.1, 2.0)[::-1]))
    expected = mixture(x, y)
    assert expected.dtype == np.float32
    found = in_single(mixture, x.astype(float), y.astype(float))
    # where a remainder jumps the last bit decides
    assert np.mean(np.abs(found - expected) <= 3e-6 * (1.0 + np.abs(expected))) > 0.999
    for lanes in (2, 4, 32):
        again = in_single(mixture, x.astype(float), y.astype(float), lanes=lanes)
        np.testing.assert_array_equal(again, found)


def test_the_environment_decides_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    m = CLOSED_LOOP_CIRCULATION
    monkeypatch.delenv("VHT_ENGINE", raising=False)
    assert choose(m) == "native"
    assert default_engine()["engine"] == "native"
    monkeypatch.setenv("VHT_ENGINE", "portable")
    assert choose(m) == "portable"
    assert choose(m, "native") == "native"
    assert default_engine() == {"engine": "portable", "llvmlite": "not used"}
    monkeypatch.setenv("VHT_ENGINE", "fastest")
    with pytest.raises(ValueError, match="VHT_ENGINE is not one of auto, native, portable"):
        choose(m)


def test_without_llvmlite_everything_runs_on_the_portable_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ImportError("no llvmlite")

    monkeypatch.delenv("VHT_ENGINE", raising=False)
    monkeypatch.setattr(engines, "native", missing)
    for cached in (engines._machine, engines._obstacle):
        cached.cache_clear()
    try:
        assert choose(CLOSED_LOOP_CIRCULATION) == "portable"
        assert default_engine()["engine"] == "portable"
    finally:
        for cached in (engines._machine, engines._obstacle):
            cached.cache_clear()


def test_code_is_written_without_fast_math() -> None:
    made = kernel.CycleKernel(CLOSED_LOOP_CIRCULATION, 8)
    made.orbit()
    text = str(made.module)
    assert "llvm.fma" in text
    assert '"stackrealign"' in text  # or vectors on the stack lie across cache lines
    for flag in (
        " fast ",
        " nnan ",
        " ninf ",
        " nsz ",
        " arcp ",
        " contract ",
        " afn ",
        " reassoc ",
        "fmuladd",
    ):
        assert flag not in text, flag
    assert INTEGER.width == 64
