"""The 12-state closed-loop circulation ("C12"), the core of the cardiovascular twin.

Four elastance chambers, four diode valves, and resistance–compliance–inertance beds for systemic and
pulmonary arteries and veins (topology and equations of Regazzoni et al. 2022, section 2.2; ideal-diode
valves; systolic duration of Ursino 1998). The default parameters are the healthy-adult baseline, not a
published set: published sets are over-filled (left atrial pressure 13–16 mmHg).

Units: mm[Hg], mL, s. The stressed volume is a parameter; it is conserved exactly, and with these linear
elastances scaling it by ``k`` scales every pressure and flow by ``k``.

Known limits: no characteristic impedance at the aortic root, so peak aortic flow (1100 mL/s) is about
twice and ejection (0.19 s) two thirds of normal; mean pressure exceeds DBP + PP/3; no reflex.
:mod:`~organ_models.cardiovascular.cardiovascular` closes these gaps.
"""

from __future__ import annotations

from functools import partial

from organ_models.cardiovascular.closed_loop_equations import (
    DIODES,
    compliance_after,
    derivative,
    drive,
    fill,
    initial,
    observe,
    period,
    weights,
)
from organ_models.cardiovascular.closed_loop_readings import Readings, read
from organ_models.cardiovascular.closed_loop_scenarios import SCENARIOS
from organ_models.cardiovascular.closed_loop_variables import Inputs, Outputs, Parameters, Signals, State
from organ_models.model import Cycle, OrganModel
from organ_models.references import C12_CALIBRATION, MATTACE_RASO_2010, REGAZZONI_2022, URSINO_1998
from organ_models.validation.closed_loop_circulation import CHECKS


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Inputs
) -> Outputs:
    """What the clinic reads off one beat. Cardiac output is stroke volume times rate: the mean of the
    sampled valve flow overestimates it on coarse grids (by 3.6 % at 250 steps a beat)."""
    stroke = maximum.left_ventricular_volume - minimum.left_ventricular_volume
    return Outputs(
        systolic_pressure=maximum.systemic_arterial_pressure,
        diastolic_pressure=minimum.systemic_arterial_pressure,
        mean_pressure=mean.systemic_arterial_pressure,
        heart_rate=60.0 / period(p, u),
        stroke_volume=stroke,
        cardiac_output=stroke * p.heart_rate * u.heart_rate_ratio * 1e-3,
        ejection_fraction=100.0 * stroke / maximum.left_ventricular_volume,
        left_ventricular_end_diastolic_volume=maximum.left_ventricular_volume,
        left_ventricular_end_systolic_volume=minimum.left_ventricular_volume,
        left_ventricular_end_diastolic_pressure=start.left_ventricular_pressure,
        right_ventricular_end_diastolic_volume=maximum.right_ventricular_volume,
        right_ventricular_end_systolic_volume=minimum.right_ventricular_volume,
        peak_left_ventricular_pressure=maximum.left_ventricular_pressure,
        peak_right_ventricular_pressure=maximum.right_ventricular_pressure,
        pulmonary_systolic_pressure=maximum.pulmonary_arterial_pressure,
        pulmonary_diastolic_pressure=minimum.pulmonary_arterial_pressure,
        pulmonary_mean_pressure=mean.pulmonary_arterial_pressure,
        left_atrial_mean_pressure=mean.left_atrial_pressure,
        right_atrial_mean_pressure=mean.right_atrial_pressure,
        left_atrial_maximal_volume=maximum.left_atrial_volume,
        right_atrial_maximal_volume=maximum.right_atrial_volume,
        peak_aortic_valve_flow=maximum.aortic_valve_flow,
    )


CLOSED_LOOP_CIRCULATION = OrganModel(
    name="closed_loop_circulation",
    title="Closed-loop circulation, 12 states (C12)",
    version="1.1",
    clock="s",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Signals=Signals,
    Outputs=Outputs,
    initial=initial,
    derivative=partial(derivative, DIODES),
    observe=partial(observe, DIODES),
    cycle=Cycle(
        period=period,
        drive=drive,
        restore=fill,
        summarise=summarise,
        weights=weights,
        laws={"arterial_compliance_ratio": compliance_after},
        calibrated={
            "systemic_arterial_resistance": 0.25,
            "systemic_arterial_compliance": 0.30,
            "stressed_volume": 0.15,
        },
        # clinical noise assumed for the identifiability analysis of this circulation
        targets={"systolic_pressure": 0.04, "diastolic_pressure": 0.05},
        Readings=Readings,
        read=read,
    ),
    references=(REGAZZONI_2022, C12_CALIBRATION, URSINO_1998, MATTACE_RASO_2010),
    notes=(
        "No aortic characteristic impedance: peak aortic flow is about twice normal and ejection short. "
        "No baroreflex: heart rate and contractility do not answer to pressure. The law by which compliance "
        "falls with pressure comes from a cross-section of people and includes chronic stiffening: systolic "
        "pressure probably rises too much for a given diastolic rise."
    ),
    scenarios=SCENARIOS,
    checks=CHECKS,
)
