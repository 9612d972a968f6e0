"""Ways to solve the problem. Each solver takes patients, beats and steps, and returns the eight outputs."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.problem import MODEL, OUTPUTS, coefficients, patients, rate, read, starts, times
from organ_models import native, solvers
from organ_models.cardiovascular.closed_loop import Inputs
from organ_models.cardiovascular.closed_loop_variables import Drive
from organ_models.model import fields

Solver = Callable[[int, int], np.ndarray]
"""``solver(patients, beats)`` gives outputs of the last beat, shape ``(8, patients)``."""

PEER_SAMPLES = 250


def ours(engine: str, steps: tuple[int, int]) -> Solver:
    """The native or portable back end: beats without stopping, then the beat that is read.

    Up to two beats before the reading are plain; more are accelerated and cost the same. ``steps`` are those
    of a beat, and those of the beat that is read.
    """
    names = list(fields(MODEL.Outputs))
    rows = [names.index(k) for k in OUTPUTS]
    if engine == "native":

        def kernel(p: Any, u: Any, y: Any, beats: int) -> Any:
            return native.orbits(MODEL, p, u, y, steps=steps, max_beats=beats, tolerance=-1.0)

    else:

        def kernel(p: Any, u: Any, y: Any, beats: int) -> Any:
            block = solvers._orbit_block(MODEL, steps, beats)
            return solvers.in_blocks(lambda *a: block(*a, -1.0), (p, u, y))

    def solve(n: int, beats: int) -> np.ndarray:
        p, u = solvers.rows_of(patients(n), n), solvers.rows_of(Inputs(), n)
        return np.asarray(kernel(p, u, starts(n), beats - 1)[1])[rows]

    return solve


def hand_written(steps: tuple[int, int]) -> Solver:
    """The C kernel, compiled here by gcc.

    Raises:
        RuntimeError: there is no gcc.
    """
    compiler = shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("gcc is not installed")
    folder = tempfile.mkdtemp()
    library = Path(folder) / "hand_written.so"
    source = Path(__file__).with_name("hand_written.c")
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library), "-lm"], check=True)
    run = ctypes.CDLL(str(library)).run
    run.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int] * 3

    def tiled(x: np.ndarray) -> np.ndarray:
        groups = np.ascontiguousarray(x.reshape(x.shape[0], -1, 8).swapaxes(0, 1))
        out = aligned(groups.shape)
        out[...] = groups
        return out

    def solve(n: int, beats: int) -> np.ndarray:
        whole = -(-n // 8) * 8
        lanes = np.minimum(np.arange(whole), n - 1)
        q, y = tiled(coefficients(n)[:, lanes]), tiled(starts(n)[:, lanes])
        table, out = aligned((2 * steps[1] + 1, 2, 8)), aligned((whole // 8, 8, 8))
        for group in range(whole // 8):
            addresses = (x.ctypes.data for x in (q[group], y[group], table, out[group]))
            run(*addresses, *steps, beats)
        return out.swapaxes(0, 1).reshape(8, whole)[:, :n]

    return solve


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An array that begins at a multiple of 64 bytes."""
    size = int(np.prod(shape))
    raw = np.empty(size + 8)
    begin = (-raw.ctypes.data % 64) // 8
    return raw[begin : begin + size].reshape(shape)


def lsoda(tolerance: float, *, ivp: bool = False) -> Solver:
    """SciPy's ODEPACK LSODA with the right-hand side compiled by numba, by ``odeint`` or ``solve_ivp``."""
    from scipy.integrate import odeint, solve_ivp

    def one(start: np.ndarray, q: np.ndarray, t: np.ndarray, end: float) -> np.ndarray:
        if ivp:
            options = {"method": "LSODA", "rtol": tolerance, "atol": tolerance, "t_eval": t}
            return solve_ivp(rate, (0.0, end), start, args=(q,), **options).y
        options = {"rtol": tolerance, "atol": tolerance, "mxstep": 100_000}
        return odeint(rate, start, np.append(0.0, t), args=(q,), tfirst=True, **options)[1:].T

    def solve(n: int, beats: int) -> np.ndarray:
        q, y = coefficients(n), starts(n)
        out = []
        for k in range(n):
            mine = np.ascontiguousarray(q[:, k])
            t = times(mine[0], PEER_SAMPLES, beats)
            out.append(read(t, one(y[:, k], mine, t, beats * mine[0]), mine))
        return np.stack(out, axis=1)

    return solve


def library_drive(time: Any, p: Any, u: Any) -> Drive:
    """The drive of the model with a remainder and a cosine of JAX, as a user would write it."""
    import jax.numpy as jnp

    period = 60.0 / p.heart_rate
    systole = 0.5 - 0.075 / period

    def activation(since: Any, contraction: Any, relaxation: Any) -> Any:
        late = 1.0 + jnp.minimum((since - contraction) / relaxation, 1.0)
        return 0.5 - 0.5 * jnp.cos(jnp.pi * jnp.where(since < contraction, since / contraction, late))

    return Drive(
        ventricular_activation=activation(jnp.mod(time, period), systole * 2 / 3, systole / 3),
        atrial_activation=activation(jnp.mod(time + 0.16, period), 0.10, 0.10),
    )


def diffrax(
    *, tolerance: float | None = None, steps: int | None = None, drive: Any = library_drive
) -> Solver:
    """Tsit5 of diffrax under vmap, adaptive to a tolerance or with constant steps a beat."""
    import diffrax as dfx
    import jax
    import jax.numpy as jnp

    cycle = MODEL.cycle
    assert cycle is not None

    def one(p: Any, start: Any, beats: int) -> Any:
        period = cycle.period(p, Inputs())

        def field(t: Any, y: Any, _: Any) -> Any:
            d = MODEL.derivative(drive(t, p, Inputs()), MODEL.State(*y), p, Inputs())
            return jnp.stack(list(vars(d).values()))

        asked = (beats - 1 + jnp.arange(PEER_SAMPLES) / PEER_SAMPLES) * period
        if tolerance is None:
            assert steps is not None
            control: Any = dfx.ConstantStepSize()
            first = period / steps
        else:
            control, first = dfx.PIDController(rtol=tolerance, atol=tolerance), None
        found = dfx.diffeqsolve(
            dfx.ODETerm(field),
            dfx.Tsit5(),
            0.0,
            beats * period,
            first,
            start,
            saveat=dfx.SaveAt(ts=asked),
            stepsize_controller=control,
            max_steps=200_000,
        )
        return asked, found.ys.T

    together = jax.jit(jax.vmap(one, in_axes=(0, 0, None)), static_argnums=2)

    def solve(n: int, beats: int) -> np.ndarray:
        p = jax.tree.map(lambda v: jnp.broadcast_to(jnp.asarray(v, float), (n,)), patients(n))
        t, states = together(p, starts(n).T, beats)
        q = coefficients(n)
        return np.stack([read(np.asarray(t[k]), np.asarray(states[k]), q[:, k]) for k in range(n)], axis=1)

    return solve


def roadrunner(tolerance: float) -> Solver:
    """CVODE of libRoadRunner on its own compiled model, as a user would write it."""
    import roadrunner as rr

    rr.Logger.setLevel(rr.Logger.LOG_ERROR)
    made = rr.RoadRunner()
    for i in range(29):
        made.addParameter(f"q{i}", 1.0, False)
    for i in range(12):
        made.addParameter(f"y{i}", 1.0, False)

    def wave(since: str, contraction: str, relaxation: str) -> str:
        rest = f"1 + min(({since} - {contraction}) / {relaxation}, 1)"
        angle = f"piecewise({since} / {contraction}, {since} < {contraction}, {rest})"
        return f"0.5 - 0.5 * cos(pi * {angle})"

    def valve(up: str, down: str) -> str:
        return f"({up} - {down}) / piecewise(q15, {up} - {down} > 0, q16)"

    assigned = {
        "since": "time - q0 * floor(time / q0)",
        "since_atrial": "time + 0.16 - q0 * floor((time + 0.16) / q0)",
        "ventricles": wave("since", "q1", "q2"),
        "atria": wave("since_atrial", "0.1", "0.1"),
        "la": "(q4 + q3 * atria) * (y0 - q11)",
        "lv": "(q6 + q5 * ventricles) * (y1 - q12)",
        "ra": "(q8 + q7 * atria) * (y2 - q13)",
        "rv": "(q10 + q9 * ventricles) * (y3 - q14)",
        "mi": valve("la", "lv"),
        "ao": valve("lv", "y4"),
        "tr": valve("ra", "rv"),
        "pu": valve("rv", "y6"),
    }
    rates = [
        "y11 - mi",
        "mi - ao",
        "y9 - tr",
        "tr - pu",
        "(ao - y8) / q18",
        "(y8 - y9) / q21",
        "(pu - y10) / q24",
        "(y10 - y11) / q27",
        "(y4 - y5 - q17 * y8) / q19",
        "(y5 - ra - q20 * y9) / q22",
        "(y6 - y7 - q23 * y10) / q25",
        "(y7 - la - q26 * y11) / q28",
    ]
    for name, formula in assigned.items():
        made.addParameter(name, 0.0, False)
        made.addAssignmentRule(name, formula, False)
    for i, formula in enumerate(rates):
        made.addRateRule(f"y{i}", formula, i == len(rates) - 1)
    made.integrator.relative_tolerance = tolerance
    made.integrator.absolute_tolerance = tolerance
    made.integrator.maximum_num_steps = 100_000
    made.timeCourseSelections = ["time", *(f"y{i}" for i in range(12))]

    def solve(n: int, beats: int) -> np.ndarray:
        q, y = coefficients(n), starts(n)
        out = []
        for k in range(n):
            made.reset()
            for i in range(29):
                made[f"q{i}"] = q[i, k]
            for i in range(12):
                made[f"y{i}"] = y[i, k]
            period = q[0, k]
            if beats > 1:
                made.simulate(0.0, (beats - 1) * period, 2)
            found = np.array(made.simulate((beats - 1) * period, beats * period, PEER_SAMPLES + 1))[:-1]
            out.append(read(times(period, PEER_SAMPLES, beats), found[:, 1:].T, q[:, k]))
        return np.stack(out, axis=1)

    return solve
