"""The second problem: a year of docetaxel every three weeks in patients with breast cancer.

Three compartments of docetaxel (Ozawa 2007) that is infused over an hour, the neutropenia that it causes
(Kloft 2006, the chain of Friberg) and the tumour that it shrinks (Bruno 2012), in patients drawn with their
published variability. Every engine reads the neutrophils, the sum of diameters and the exposure so far at the
end of every week. The reference is DOP853 at a relative tolerance of 1e-11, started anew at every change of
the infusion.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

import vht
from organ_models.schedules import Schedule, boluses, infusions

PATIENT = vht.VirtualPatient(
    ["docetaxel_ozawa", "docetaxel_neutropenia_kloft", "bruno_breast_cancer"],
    [vht.Coupling("docetaxel_ozawa.molar_concentration", "docetaxel_neutropenia_kloft.concentration")],
)
OUTPUTS = (
    "docetaxel_neutropenia_kloft.neutrophils",
    "bruno_breast_cancer.sum_of_diameters",
    "docetaxel_ozawa.cumulative_exposure",
)
DOSE, INTERVAL, INFUSION = 135.0, 21.0, 1.0 / 24.0
"""75 mg/m2 at 1.8 m2, mg; days from one to the next; days that it runs."""

WEEKS = np.arange(7.0, 365.0, 7.0)
STARTS = np.arange(0.0, 364.0, INTERVAL)
STATES = 11
REFERENCE_PATIENTS = 64


@cache
def people(n: int) -> vht.Individuals:
    """The first ``n`` patients of one population."""
    return vht.sample(PATIENT, n, seed=1)


def doses() -> dict[str, Schedule]:
    """What everybody gets: the infusion, and the dose as the tumour's model counts it."""
    return {
        "docetaxel_ozawa.infusion_rate": infusions(DOSE, 1.0, STARTS),
        "bruno_breast_cancer.docetaxel_dose": boluses(DOSE, STARTS),
    }


@cache
def coefficients(n: int) -> np.ndarray:
    """What the hand-written right-hand sides take, in days, shape ``(16, n)``."""
    drug, blood, tumour = people(n).parameters.values()
    rows = [
        24.0 * drug.clearance / drug.central_volume,
        24.0 * drug.shallow_exchange / drug.central_volume,
        24.0 * drug.shallow_exchange / drug.shallow_volume,
        24.0 * drug.deep_exchange / drug.central_volume,
        24.0 * drug.deep_exchange / drug.deep_volume,
        1000.0 / (drug.central_volume * drug.molar_mass),
        24.0 / drug.central_volume,
        96.0 / blood.mean_transit_time,
        blood.baseline_neutrophils,
        blood.feedback,
        blood.drug_slope,
        tumour.growth_rate / 7.0,
        tumour.docetaxel_kill,
        tumour.docetaxel_elimination / 7.0,
        tumour.docetaxel_resistance / 7.0,
        tumour.baseline_sum_of_diameters,
    ]
    return np.ascontiguousarray(np.stack([np.broadcast_to(row, (n,)) for row in rows]))


def start(q: np.ndarray) -> np.ndarray:
    """States of one patient before treatment: no drug, marrow and blood in balance."""
    return np.array([0.0, 0.0, 0.0, 0.0, np.log(q[8]), *[q[8]] * 4, 0.0, np.log(q[15])])


@njit
def rate(t: float, y: np.ndarray, q: np.ndarray, infused: float) -> np.ndarray:
    """Rates of one patient per day; ``infused`` in mg/d.

    States: three amounts of docetaxel (mg), exposure (mg.h/L), ln of the proliferating cells, three maturing
    and the circulating cells (10⁹/L), docetaxel in the compartment of the tumour's model (mg), ln(mm).
    Without the first logarithm, which is our model's, CVODE gives up at all but the tightest tolerances.
    """
    d = np.empty(11)
    d[0] = infused - (q[0] + q[1] + q[3]) * y[0] + q[2] * y[1] + q[4] * y[2]
    d[1] = q[1] * y[0] - q[2] * y[1]
    d[2] = q[3] * y[0] - q[4] * y[2]
    d[3] = q[6] * y[0]
    called = (q[8] / y[8]) ** q[9]
    d[4] = q[7] * ((1.0 - q[10] * q[5] * y[0]) * called - 1.0)
    d[5] = q[7] * (np.exp(y[4]) - y[5])
    d[6] = q[7] * (y[5] - y[6])
    d[7] = q[7] * (y[6] - y[7])
    d[8] = q[7] * (y[7] - y[8])
    d[9] = -q[13] * y[9]
    d[10] = q[11] - q[12] * q[13] * y[9] * np.exp(-q[14] * t)
    return d


def pieces() -> list[tuple[float, float, float]]:
    """From where to where the infusion is constant, and what runs in (mg/d)."""
    found = []
    for begin in STARTS:
        stop, following = begin + INFUSION, min(begin + INTERVAL, WEEKS[-1])
        found += [(begin, stop, DOSE / INFUSION), (stop, following, 0.0)]
    return found


def weeks_within(begin: float, end: float) -> np.ndarray:
    """Ends of weeks after one day and up to another, d."""
    return WEEKS[np.searchsorted(WEEKS, begin, "right") : np.searchsorted(WEEKS, end, "right")]


def read(states: np.ndarray) -> np.ndarray:
    """Outputs from states at the ends of weeks, ``(11, weeks)`` to ``(3, weeks)``."""
    return np.stack([states[8], np.exp(states[10]), states[3]])


@cache
def reference() -> np.ndarray:
    """Outputs of the first patients at the ends of weeks, shape ``(3, weeks, patients)``."""
    found = []
    for k in range(REFERENCE_PATIENTS):
        q = np.ascontiguousarray(coefficients(REFERENCE_PATIENTS)[:, k])
        y, seen = start(q), []
        for begin, end, infused in pieces():
            y[9] += DOSE if infused else 0.0
            weeks = weeks_within(begin, end)
            options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13, "t_eval": [*weeks[weeks < end], end]}
            states = solve_ivp(rate, (begin, end), y, args=(q, infused), **options).y
            seen.append(states[:, : weeks.size])
            y = states[:, -1].copy()
        found.append(read(np.concatenate(seen, axis=1)))
    return np.stack(found, axis=-1)


def errors(outputs: np.ndarray) -> np.ndarray:
    """Largest relative error over outputs and weeks, shape ``(patients,)``."""
    return np.abs(outputs / reference() - 1.0).max(axis=(0, 1))
