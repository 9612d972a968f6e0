"""The published circulations written down a second time, in plain numbers, apart from the models under test.

Equations and parameters are those of the papers and codes that the models name; nothing is smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Rates = Callable[[float, list[float]], list[float]]
Stop = Callable[[list[float]], list[float]]


def march(rates: Rates, state: list[float], end: float, step: float, stop: Stop | None = None) -> np.ndarray:
    """Classical Runge–Kutta; every state after every step, shape ``(steps + 1, n_state)``."""
    shown = [list(state)]
    now = list(state)
    for k in range(round(end / step)):
        t = k * step
        a = rates(t, now)
        b = rates(t + step / 2, [y + step / 2 * d for y, d in zip(now, a, strict=True)])
        c = rates(t + step / 2, [y + step / 2 * d for y, d in zip(now, b, strict=True)])
        d = rates(t + step, [y + step * d for y, d in zip(now, c, strict=True)])
        now = [
            y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            for y, k1, k2, k3, k4 in zip(now, a, b, c, d, strict=True)
        ]
        if stop is not None:
            now = stop(now)
        shown.append(list(now))
    return np.array(shown)


SHI_HOSE_START = [500.0, 500.0, 20.0, 20.0, 100.0, 0.0, 100.0, 0.0, 0.0, 30.0, 0.0, 30.0, 0.0, 0.0]
_AORTIC, _MITRAL, _PULMONARY, _TRICUSPID = range(4)
_CQ = (350.0, 400.0, 350.0, 400.0)
CLOSED, WIDE = math.radians(5.0), math.radians(75.0)
STENOSED = (math.radians(40.0), WIDE, WIDE, WIDE)
"""Largest angle of aortic, mitral, pulmonary and tricuspid leaflets in aortic stenosis."""


def stenosed_leaflets(t: float, y: list[float]) -> list[float]:
    """Rates of the Shi–Hose circulation with leaflet valves, Kb = 0 and Kv = 3.5, aortic leaflets to 40 deg.

    States: volumes LV, RV, LA, RA; p, q of SAS; p, q of SAT; p SVN; the same for the lung; angles and angular
    velocities of the four valves.
    """
    v_lv, v_rv, v_la, v_ra, p_sas, q_sas, p_sat, q_sat, p_svn, p_pas, q_pas, p_pat, q_pat, p_pvn = y[:14]
    m = t % 1.0
    if m <= 0.3:
        e = 0.5 * (1 - math.cos(math.pi * m / 0.3))
    elif m <= 0.45:
        e = 0.5 * (1 + math.cos(math.pi * (m - 0.3) / 0.15))
    else:
        e = 0.0
    w = (t - 0.92) % 1.0
    a = 0.5 * (1 - math.cos(2 * math.pi * w / 0.09)) if w <= 0.09 else 0.0
    p_lv = 1 + (0.1 + 2.4 * e) * (v_lv - 5)
    p_rv = 1 + (0.1 + 1.05 * e) * (v_rv - 10)
    p_la = 1 + (0.15 + 0.1 * a) * (v_la - 4)
    p_ra = 1 + (0.15 + 0.1 * a) * (v_ra - 4)
    drops = (p_lv - p_sas, p_la - p_lv, p_rv - p_pas, p_ra - p_rv)
    flows, turns = [], []
    for drop, coefficient, angle, speed, top in zip(drops, _CQ, y[14:18], y[18:22], STENOSED, strict=True):
        held = min(max(angle, CLOSED), top)
        area = ((1 - math.cos(held)) / (1 - math.cos(WIDE))) ** 2
        q = coefficient * area * math.copysign(math.sqrt(abs(drop)), drop)
        force = 5500 * drop * math.cos(held) - 50 * speed - 3.5 * max(q, 0.0) * math.sin(2 * held)
        into_stop = (held >= top and force > 0) or (held <= CLOSED and force < 0)
        flows.append(q)
        turns.append(0.0 if into_stop else force)
    q_av, q_mv, q_pv, q_tv = flows
    back, lung_back = (p_svn - p_ra) / 0.075, (p_pvn - p_la) / 0.006
    return [
        q_mv - q_av,
        q_tv - q_pv,
        lung_back - q_mv,
        back - q_tv,
        (q_av - q_sas) / 0.08,
        (p_sas - p_sat - 0.003 * q_sas) / 6.2e-5,
        (q_sas - q_sat) / 1.6,
        (p_sat - p_svn - 1.07 * q_sat) / 0.0017,
        (q_sat - back) / 20.5,
        (q_pv - q_pas) / 0.18,
        (p_pas - p_pat - 0.002 * q_pas) / 5.2e-5,
        (q_pas - q_pat) / 3.8,
        (p_pat - p_pvn - 0.31 * q_pat) / 0.0017,
        (q_pat - lung_back) / 20.5,
        *y[18:22],
        *turns,
    ]


def rest_at_stops(y: list[float]) -> list[float]:
    """Leaflets stay between their stops and lose their speed there."""
    angles, speeds = y[14:18], y[18:22]
    for i, top in enumerate(STENOSED):
        if (angles[i] >= top and speeds[i] > 0) or (angles[i] <= CLOSED and speeds[i] < 0):
            speeds[i] = 0.0
        angles[i] = min(max(angles[i], CLOSED), top)
    return [*y[:14], *angles, *speeds]


def one_ventricle() -> Callable[[float, np.ndarray], list[float]]:
    """Rates of the one-ventricle loop; the peak of elastance is found on the source's grid of 1000 points."""
    period = 0.85

    def hill(m: np.ndarray) -> np.ndarray:
        a, b = (m / (0.303 * period)) ** 1.32, (m / (0.508 * period)) ** 21.9
        return a / (1 + a) / (1 + b)

    scale = 1.0 / hill(np.linspace(0.0, period, 1000)).max()

    def rates(t: float, y: np.ndarray) -> list[float]:
        v, p_sa, p_sv = y
        p_lv = (0.03 + 1.47 * scale * float(hill(np.float64(t % period)))) * v
        q_av, q_mv = max(p_lv - p_sa, 0.0) / 0.033, max(p_sv - p_lv, 0.0) / 0.006
        run = (p_sa - p_sv) / 1.11
        return [q_mv - q_av, (q_av - run) / 1.13, (run - q_mv) / 11.0]

    return rates


def smith(
    period: float,
    width: float,
    centre: float,
    *,
    held_septum: float | None = None,
    r_pv: float = 0.0055,
    r_pul: float = 0.1552,
    r_sys: float = 1.0889,
    e_ao: float = 0.6913,
) -> Rates:
    """Rates of the circulation of Smith 2004; the septum is found by bisection."""

    def wall(e: float, active: float, stiff: float, passive: float, scale: float, rate: float) -> float:
        return e * stiff * active + (1 - e) * scale * (math.exp(rate * passive) - 1)

    def rates(t: float, y: list[float]) -> list[float]:
        v_lv, v_rv, v_pa, v_pu, v_ao, v_vc, q_mt, q_av, q_tc, q_pv = y
        e = math.exp(-width * ((t % period) - centre) ** 2)

        def left(s: float) -> float:
            return wall(e, v_lv - s, 2.8798, v_lv - s, 0.1203, 0.033)

        def right(s: float) -> float:
            return wall(e, v_rv + s, 0.585, v_rv + s, 0.2157, 0.023)

        if held_septum is None:
            low, high = -30.0, 40.0
            for _ in range(50):
                s = 0.5 * (low + high)
                above = wall(e, s - 2, 48.754, s - 2, 1.1101, 0.435) - left(s) + right(s) > 0
                low, high = (low, s) if above else (s, high)
        else:
            s = held_septum
        peri = 0.5003 * (math.exp(0.03 * (v_lv + v_rv - 200)) - 1) - 4
        p_lv, p_rv = left(s) + peri, right(s) + peri
        p_pa, p_pu, p_ao, p_vc = 0.369 * v_pa - 4, 0.0073 * v_pu - 4, e_ao * v_ao, 0.0059 * v_vc
        sys, pul = (p_ao - p_vc) / r_sys, (p_pa - p_pu) / r_pul

        def valve(drop: float, q: float, r: float, inertance: float) -> float:
            return (drop - r * q) / inertance if q > 0 or drop > 0 else 0.0

        return [
            q_mt - q_av,
            q_tc - q_pv,
            q_pv - pul,
            pul - q_mt,
            q_av - sys,
            sys - q_tc,
            valve(p_pu - p_lv, q_mt, 0.0158, 7.6968e-5),
            valve(p_lv - p_ao, q_av, 0.0180, 1.2189e-4),
            valve(p_vc - p_rv, q_tc, 0.0237, 8.0093e-5),
            valve(p_rv - p_pa, q_pv, r_pv, 1.4868e-4),
        ]

    return rates


def no_backflow(y: list[float]) -> list[float]:
    """Flows of closed valves are zero."""
    return [*y[:6], *(max(q, 0.0) for q in y[6:])]
