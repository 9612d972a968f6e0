"""What is read off one beat of the cardiovascular twin: valve events, ejection, further extremes.

Times are counted from the onset of ventricular contraction and interpolated in the pressure drop across the
valve (:func:`~organ_models.cardiovascular.closed_loop_readings.valve_events`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from organ_models.cardiovascular.closed_loop_readings import OPEN_FLOW, valve_events
from organ_models.model import Array, variable, variables

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
    left_ventricular_ejection_time: Array = variable("s", "from opening to closing of the aortic valve")
    isovolumic_relaxation_time: Array = variable("s", "from aortic closing to mitral opening")
    peak_mitral_valve_flow: Array = variable("mL/s", "maximum of the flow")
    left_atrial_minimal_volume: Array = variable("mL", "minimum of the volume")
    right_atrial_minimal_volume: Array = variable("mL", "minimum of the volume")


def read(beat: Mapping[str, np.ndarray], p: Any) -> Readings:
    """Readings of one periodic beat.

    Args:
        beat: ``time`` and the signals, shape ``(steps + 1, n)``; the last sample is the first one again.
        p: parameters of the model, fields of shape ``(n,)``.
    """
    forward = np.asarray(p.valve_forward_resistance)
    impedance = np.asarray(p.aortic_characteristic_impedance)
    left, right = beat["left_ventricular_pressure"], beat["right_ventricular_pressure"]
    drops = {
        "aortic": left - beat["systemic_arterial_pressure"] + impedance * beat["aortic_valve_flow"],
        "mitral": beat["left_atrial_pressure"] - left,
        "pulmonary": right - beat["pulmonary_arterial_pressure"],
        "tricuspid": beat["right_atrial_pressure"] - right,
    }
    events: dict[str, Any] = {}
    for valve, drop in drops.items():
        threshold = OPEN_FLOW * (forward + (impedance if valve == "aortic" else 0.0))
        opening, closing = valve_events(beat["time"], drop, threshold)
        events[f"{valve}_valve_opening_time"] = opening
        events[f"{valve}_valve_closing_time"] = closing
    period = beat["time"][-1] - beat["time"][0]
    ends = events["aortic_valve_closing_time"]
    return Readings(
        **events,
        left_ventricular_ejection_time=np.mod(ends - events["aortic_valve_opening_time"], period),
        isovolumic_relaxation_time=np.mod(events["mitral_valve_opening_time"] - ends, period),
        peak_mitral_valve_flow=beat["mitral_valve_flow"].max(axis=0),
        left_atrial_minimal_volume=beat["left_atrial_volume"].min(axis=0),
        right_atrial_minimal_volume=beat["right_atrial_volume"].min(axis=0),
    )
