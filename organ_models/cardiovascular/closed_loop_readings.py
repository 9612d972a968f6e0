"""What is read off one beat of the 12-state circulation: valve events and further extremes.

A valve is open while more than 1 mL/s flows through it. It opens where its longest closed stretch ends
and closes where that stretch begins (a mitral valve may close for a moment between early and atrial
filling). Times are counted from the onset of ventricular contraction and interpolated between samples in
the pressure drop across the valve, which is smooth where a diode's flow has a kink.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from organ_models.model import Array, variable, variables

OPEN_FLOW = 1.0
"""Flow above which a valve counts as open, mL/s."""

_OPENS, _CLOSES = "opens, from ventricular onset", "closes, from ventricular onset"


@variables
class Readings:
    aortic_valve_opening_time: Array = variable("s", _OPENS)
    aortic_valve_closing_time: Array = variable("s", _CLOSES)
    mitral_valve_opening_time: Array = variable("s", _OPENS)
    mitral_valve_closing_time: Array = variable("s", _CLOSES)
    pulmonary_valve_opening_time: Array = variable("s", _OPENS)
    pulmonary_valve_closing_time: Array = variable("s", _CLOSES)
    tricuspid_valve_opening_time: Array = variable("s", _OPENS)
    tricuspid_valve_closing_time: Array = variable("s", _CLOSES)
    peak_mitral_valve_flow: Array = variable("mL/s", "maximum of the flow")
    left_atrial_minimal_volume: Array = variable("mL", "minimum of the volume")
    right_atrial_minimal_volume: Array = variable("mL", "minimum of the volume")
    systemic_venous_mean_pressure: Array = variable("mm[Hg]", "time mean of the pressure of systemic veins")
    pulmonary_venous_mean_pressure: Array = variable("mm[Hg]", "time mean of the pressure of pulmonary veins")


def read(beat: Mapping[str, np.ndarray], p: Any) -> Readings:
    """Readings of one periodic beat.

    Args:
        beat: ``time`` and the signals, shape ``(steps + 1, n)``; the last sample is the first one again.
        p: parameters of the model, fields of shape ``(n,)``.
    """
    events: dict[str, Any] = {}
    forward, backward = np.asarray(p.valve_forward_resistance), np.asarray(p.valve_backward_resistance)
    for valve in ("aortic", "mitral", "pulmonary", "tricuspid"):
        flow = beat[f"{valve}_valve_flow"]
        drop = flow * np.where(flow > 0.0, forward, backward)
        opening, closing = valve_events(beat["time"], drop, OPEN_FLOW * forward)
        events[f"{valve}_valve_opening_time"] = opening
        events[f"{valve}_valve_closing_time"] = closing
    # over a period the inertance of the veins stores nothing: mean pressure drop = resistance * mean flow
    stroke = np.ptp(beat["left_ventricular_volume"], axis=0)
    output = stroke / np.ptp(beat["time"], axis=0)
    return Readings(
        **events,
        peak_mitral_valve_flow=beat["mitral_valve_flow"].max(axis=0),
        left_atrial_minimal_volume=beat["left_atrial_volume"].min(axis=0),
        right_atrial_minimal_volume=beat["right_atrial_volume"].min(axis=0),
        systemic_venous_mean_pressure=beat["right_atrial_pressure"][:-1].mean(axis=0)
        + np.asarray(p.systemic_venous_resistance) * output,
        pulmonary_venous_mean_pressure=beat["left_atrial_pressure"][:-1].mean(axis=0)
        + np.asarray(p.pulmonary_venous_resistance) * output,
    )


def valve_events(
    time: np.ndarray, drop: np.ndarray, threshold: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Opening and closing times of a valve, s; NaN where it never opens or never closes.

    Args:
        time, drop: time (s) and pressure drop (mm[Hg]) over one period, shape ``(steps + 1, n)``; the last
            sample is the first one again.
        threshold: drop above which the valve counts as open, a number or shape ``(n,)``.
    """
    limits = np.broadcast_to(np.asarray(threshold, dtype=float), drop.shape[1:])
    pairs = [_events(time[:, i], drop[:, i] - limits[i]) for i in range(drop.shape[1])]
    return np.array([o for o, _ in pairs]), np.array([c for _, c in pairs])


def _events(time: np.ndarray, above: np.ndarray) -> tuple[float, float]:
    """Where ``above`` turns positive and negative around its longest negative stretch."""
    is_open = above > 0.0
    rises = np.flatnonzero(~is_open[:-1] & is_open[1:])
    falls = np.flatnonzero(is_open[:-1] & ~is_open[1:])
    if not rises.size or not falls.size:
        return float("nan"), float("nan")
    openings, closings = _crossings(time, above, rises), _crossings(time, above, falls)
    closed = np.mod(openings[None, :] - closings[:, None], time[-1] - time[0])
    fall = int(closed.min(axis=1).argmax())
    return float(openings[closed[fall].argmin()]), float(closings[fall])


def _crossings(time: np.ndarray, above: np.ndarray, before: np.ndarray) -> np.ndarray:
    after = before + 1
    part = above[before] / (above[before] - above[after])
    return time[before] + part * (time[after] - time[before])
