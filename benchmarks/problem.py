"""The problem that all engines solve: two beats of the circulation for scattered patients.

Every engine starts from the same states (each patient's periodic orbit with volumes raised by 5 %) and reads
eight clinical outputs from the second beat. The reference is DOP853 at a relative tolerance of 1e-10. Our
engines and the C kernel are judged against its true extremes; the peers at their own, coarser sampling
times, with the reference read at the same times, which favours them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

from organ_models import model
from organ_models.cardiovascular.closed_loop import Inputs, Parameters
from organ_models.cardiovascular.closed_loop_readings import OPEN_FLOW, valve_events
from organ_models.model import values
from organ_models.solvers import periodic_orbits

MODEL = model("closed_loop_circulation")
assert MODEL.cycle is not None
DRIVE = MODEL.cycle.drive
OUTPUTS = (
    "mean_pressure",
    "systolic_pressure",
    "diastolic_pressure",
    "ejection_fraction",
    "cardiac_output",
    "pulmonary_mean_pressure",
    "left_atrial_mean_pressure",
    "peak_left_ventricular_pressure",
)
BEATS = 2
"""Beats of the problem by which accuracy is judged."""

FINE = 8000
"""Samples a beat of the reference: fine enough for its extremes to be the true ones."""

REFERENCE_PATIENTS = 16


@cache
def patients(n: int) -> Parameters:
    """``n`` patients: 15 % log-normal scatter on resistances, compliances, elastances, volumes and rate."""
    luck = np.random.default_rng(1)
    moved = {
        name: value * np.exp(0.15 * luck.standard_normal(100_000))[:n]
        for name, value in values(Parameters()).items()
        if name.endswith(("resistance", "compliance", "elastance", "volume", "rate"))
        and not name.startswith("valve")
    }
    return Parameters(**moved)


@cache
def starts(n: int) -> np.ndarray:
    """Initial states of the first ``n`` patients, shape ``(12, n)``, holding the declared blood volume."""
    p = patients(n)
    state = np.array(periodic_orbits(MODEL, p, Inputs()).state)
    state[:4] *= 1.05
    assert MODEL.cycle is not None
    filled = MODEL.cycle.restore(MODEL.State(*state), p, Inputs())
    return np.stack([np.asarray(v) for v in values(filled).values()])


@cache
def coefficients(n: int) -> np.ndarray:
    """What the hand-written right-hand sides take, shape ``(29, n)``."""
    p = patients(n)
    period = 60.0 / p.heart_rate
    systole = 0.5 - 0.075 / period
    rows = [period, systole * 2 / 3, systole / 3]
    for chamber in ("left_atrial", "left_ventricular", "right_atrial", "right_ventricular"):
        rows += [getattr(p, f"{chamber}_{part}_elastance") for part in ("active", "passive")]
    for chamber in ("left_atrial", "left_ventricular", "right_atrial", "right_ventricular"):
        rows.append(getattr(p, f"{chamber}_unstressed_volume"))
    rows += [p.valve_forward_resistance, p.valve_backward_resistance]
    for bed in ("systemic_arterial", "systemic_venous", "pulmonary_arterial", "pulmonary_venous"):
        rows += [getattr(p, f"{bed}_{part}") for part in ("resistance", "compliance", "inertance")]
    return np.stack([np.broadcast_to(np.asarray(row, float), (n,)) for row in rows])


@njit(cache=False)
def activation(since: float, contraction: float, relaxation: float) -> float:
    """Raised-cosine activation."""
    if since < contraction:
        stretched = since / contraction
    else:
        stretched = 1.0 + min((since - contraction) / relaxation, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * stretched)


@njit(cache=False)
def flow(up: float, down: float, forward: float, backward: float) -> float:
    """Flow through a valve."""
    drop = up - down
    return drop / forward if drop > 0.0 else drop / backward


@njit(cache=False)
def rate(t: float, y: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The right-hand side, for one patient."""
    ventricles = activation(t % q[0], q[1], q[2])
    atria = activation((t + 0.16) % q[0], 0.10, 0.10)
    p_la = (q[4] + q[3] * atria) * (y[0] - q[11])
    p_lv = (q[6] + q[5] * ventricles) * (y[1] - q[12])
    p_ra = (q[8] + q[7] * atria) * (y[2] - q[13])
    p_rv = (q[10] + q[9] * ventricles) * (y[3] - q[14])
    mitral, aortic = flow(p_la, p_lv, q[15], q[16]), flow(p_lv, y[4], q[15], q[16])
    tricuspid, pulmonary = flow(p_ra, p_rv, q[15], q[16]), flow(p_rv, y[6], q[15], q[16])
    out = np.empty(12)
    out[0] = y[11] - mitral
    out[1] = mitral - aortic
    out[2] = y[9] - tricuspid
    out[3] = tricuspid - pulmonary
    out[4] = (aortic - y[8]) / q[18]
    out[5] = (y[8] - y[9]) / q[21]
    out[6] = (pulmonary - y[10]) / q[24]
    out[7] = (y[10] - y[11]) / q[27]
    out[8] = (y[4] - y[5] - q[17] * y[8]) / q[19]
    out[9] = (y[5] - p_ra - q[20] * y[9]) / q[22]
    out[10] = (y[6] - y[7] - q[23] * y[10]) / q[25]
    out[11] = (y[7] - p_la - q[26] * y[11]) / q[28]
    return out


def times(period: float, samples: int, beats: int = BEATS) -> np.ndarray:
    """Sampling times of the last beat, without its end."""
    return (beats - 1 + np.arange(samples) / samples) * period


def chambers(t: np.ndarray, states: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pressures of the chambers of one patient (LA, LV, RA, RV), each of shape ``(samples,)``."""
    ventricles = np.array([activation(x % q[0], q[1], q[2]) for x in t])
    atria = np.array([activation((x + 0.16) % q[0], 0.10, 0.10) for x in t])
    return tuple(
        (q[4 + 2 * k] + q[3 + 2 * k] * active) * (states[k] - q[11 + k])
        for k, active in enumerate((atria, ventricles, atria, ventricles))
    )


def read(t: np.ndarray, states: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The eight outputs from states ``(12, samples)`` of one patient over one beat."""
    p_la, p_lv, _, _ = chambers(t, states, q)
    stroke = np.ptp(states[1])
    return np.array(
        [
            states[4].mean(),
            states[4].max(),
            states[4].min(),
            100 * stroke / states[1].max(),
            stroke * 60 / q[0] * 1e-3,
            states[6].mean(),
            p_la.mean(),
            p_lv.max(),
        ]
    )


@cache
def _reference_states() -> list[np.ndarray]:
    q, y = coefficients(REFERENCE_PATIENTS), starts(REFERENCE_PATIENTS)
    out = []
    for k in range(REFERENCE_PATIENTS):
        period = q[0, k]
        t = times(period, FINE)
        found = solve_ivp(
            lambda t, y, k=k: rate(t, y, q[:, k]),
            (0.0, BEATS * period),
            y[:, k],
            method="DOP853",
            rtol=1e-10,
            atol=1e-10,
            max_step=period / 200,
            t_eval=t,
        )
        out.append(found.y)
    return out


@cache
def reference(samples: int) -> np.ndarray:
    """Outputs of the reference at so many samples a beat, shape ``(8, REFERENCE_PATIENTS)``."""
    q = coefficients(REFERENCE_PATIENTS)
    every = FINE // samples
    return np.stack(
        [
            read(times(q[0, k], samples), states[:, ::every], q[:, k])
            for k, states in enumerate(_reference_states())
        ],
        axis=1,
    )


@cache
def reference_events() -> np.ndarray:
    """Opening and closing of the valves in the last beat of the reference, s after its beginning.

    Rows: mitral, aortic, tricuspid, pulmonary, each opening and closing; shape ``(8, REFERENCE_PATIENTS)``.
    """
    q = coefficients(REFERENCE_PATIENTS)
    out = []
    for k, states in enumerate(_reference_states()):
        t = times(q[0, k], FINE)
        p_la, p_lv, p_ra, p_rv = chambers(t, states, q[:, k])
        drops = (p_la - p_lv, p_lv - states[4], p_ra - p_rv, p_rv - states[6])
        since = (t - t[0])[:, None]
        found = [valve_events(since, drop[:, None], OPEN_FLOW * q[15, k]) for drop in drops]
        out.append(np.concatenate([time for pair in found for time in pair]))
    return np.stack(out, axis=1)


def errors(outputs: np.ndarray, samples: int) -> np.ndarray:
    """Largest relative error over the outputs of each patient; ``outputs`` are ``(8, n)``."""
    n = min(outputs.shape[1], REFERENCE_PATIENTS)
    truth = reference(samples)[:, :n]
    return np.abs(outputs[:, :n] / truth - 1.0).max(axis=0)
