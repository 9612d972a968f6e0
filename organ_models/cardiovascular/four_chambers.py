"""What published circulations with four chambers show: the same signals, outputs and readings for all.

Every one of them has its own equations; what the clinic reads off them has one name and one meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from organ_models.cardiovascular.closed_loop_readings import valve_events
from organ_models.model import Array, variable, variables

VALVES = ("aortic", "mitral", "pulmonary", "tricuspid")
_OPENS, _CLOSES = "opens, from the start of the cycle", "closes, from the start of the cycle"
_LARGEST, _LEAST, _PEAK, _MEAN = "largest volume", "smallest volume", "maximum of the flow", "time mean"


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure behind the aortic valve")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure behind the pulmonary valve")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    right_ventricular_pressure: Array = variable("mm[Hg]", "right-ventricular pressure")
    left_atrial_pressure: Array = variable("mm[Hg]", "left-atrial pressure")
    right_atrial_pressure: Array = variable("mm[Hg]", "right-atrial pressure")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "pressure of pulmonary veins")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")
    right_ventricular_volume: Array = variable("mL", "right-ventricular volume")
    left_atrial_volume: Array = variable("mL", "left-atrial volume")
    right_atrial_volume: Array = variable("mL", "right-atrial volume")
    aortic_valve_flow: Array = variable("mL/s", "flow through the aortic valve")
    mitral_valve_flow: Array = variable("mL/s", "flow through the mitral valve")
    pulmonary_valve_flow: Array = variable("mL/s", "flow through the pulmonary valve")
    tricuspid_valve_flow: Array = variable("mL/s", "flow through the tricuspid valve")


@variables
class Outputs:
    systolic_blood_pressure: Array = variable(
        "mm[Hg]", "maximum of arterial pressure", quantity="systolic_blood_pressure"
    )
    diastolic_blood_pressure: Array = variable(
        "mm[Hg]", "minimum of arterial pressure", quantity="diastolic_blood_pressure"
    )
    mean_arterial_pressure: Array = variable(
        "mm[Hg]", "time mean of arterial pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable("mL", "left end-diastolic minus end-systolic", quantity="stroke_volume")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    cardiac_output: Array = variable("L/min", "stroke volume times heart rate", quantity="cardiac_output")
    lv_end_diastolic_volume: Array = variable("mL", f"{_LARGEST} of the left ventricle")
    lv_end_systolic_volume: Array = variable("mL", f"{_LEAST} of the left ventricle")
    rv_end_diastolic_volume: Array = variable("mL", f"{_LARGEST} of the right ventricle")
    rv_end_systolic_volume: Array = variable("mL", f"{_LEAST} of the right ventricle")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    systolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    diastolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "minimum of the pressure")
    mean_pulmonary_artery_pressure: Array = variable("mm[Hg]", _MEAN)
    left_atrial_pressure: Array = variable("mm[Hg]", _MEAN)
    right_atrial_pressure: Array = variable("mm[Hg]", _MEAN)
    systemic_venous_pressure: Array = variable("mm[Hg]", _MEAN)
    pulmonary_venous_pressure: Array = variable("mm[Hg]", _MEAN)
    left_atrial_maximal_volume: Array = variable("mL", f"{_LARGEST} of the left atrium")
    left_atrial_minimal_volume: Array = variable("mL", f"{_LEAST} of the left atrium")
    right_atrial_maximal_volume: Array = variable("mL", f"{_LARGEST} of the right atrium")
    right_atrial_minimal_volume: Array = variable("mL", f"{_LEAST} of the right atrium")
    peak_aortic_valve_flow: Array = variable("mL/s", _PEAK)
    peak_mitral_valve_flow: Array = variable("mL/s", _PEAK)
    peak_pulmonary_valve_flow: Array = variable("mL/s", _PEAK)
    peak_tricuspid_valve_flow: Array = variable("mL/s", _PEAK)


def outputs(maximum: Any, minimum: Any, mean: Any, period: Array) -> dict[str, Array]:
    """Fields of :class:`Outputs` from extremes and means of the :class:`Signals` over one period (s)."""
    stroke = maximum.left_ventricular_volume - minimum.left_ventricular_volume
    return {
        "systolic_blood_pressure": maximum.systemic_arterial_pressure,
        "diastolic_blood_pressure": minimum.systemic_arterial_pressure,
        "mean_arterial_pressure": mean.systemic_arterial_pressure,
        "heart_rate": 60.0 / period,
        "stroke_volume": stroke,
        "ejection_fraction": 100.0 * stroke / maximum.left_ventricular_volume,
        "cardiac_output": 0.06 * stroke / period,
        "lv_end_diastolic_volume": maximum.left_ventricular_volume,
        "lv_end_systolic_volume": minimum.left_ventricular_volume,
        "rv_end_diastolic_volume": maximum.right_ventricular_volume,
        "rv_end_systolic_volume": minimum.right_ventricular_volume,
        "peak_left_ventricular_pressure": maximum.left_ventricular_pressure,
        "peak_right_ventricular_pressure": maximum.right_ventricular_pressure,
        "systolic_pulmonary_artery_pressure": maximum.pulmonary_arterial_pressure,
        "diastolic_pulmonary_artery_pressure": minimum.pulmonary_arterial_pressure,
        "mean_pulmonary_artery_pressure": mean.pulmonary_arterial_pressure,
        "left_atrial_pressure": mean.left_atrial_pressure,
        "right_atrial_pressure": mean.right_atrial_pressure,
        "systemic_venous_pressure": mean.systemic_venous_pressure,
        "pulmonary_venous_pressure": mean.pulmonary_venous_pressure,
        "left_atrial_maximal_volume": maximum.left_atrial_volume,
        "left_atrial_minimal_volume": minimum.left_atrial_volume,
        "right_atrial_maximal_volume": maximum.right_atrial_volume,
        "right_atrial_minimal_volume": minimum.right_atrial_volume,
        "peak_aortic_valve_flow": maximum.aortic_valve_flow,
        "peak_mitral_valve_flow": maximum.mitral_valve_flow,
        "peak_pulmonary_valve_flow": maximum.pulmonary_valve_flow,
        "peak_tricuspid_valve_flow": maximum.tricuspid_valve_flow,
    }


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


def events(beat: Mapping[str, np.ndarray], open_flow: float) -> Readings:
    """When the four valves open and close, by their flow.

    Args:
        beat: ``time`` and the signals, shape ``(steps + 1, n)``; the last sample is the first one again.
        open_flow: flow above which a valve counts as open, mL/s.
    """
    found: dict[str, Any] = {}
    for valve in VALVES:
        opening, closing = valve_events(beat["time"], beat[f"{valve}_valve_flow"], open_flow)
        found[f"{valve}_valve_opening_time"] = opening
        found[f"{valve}_valve_closing_time"] = closing
    return Readings(**found)
