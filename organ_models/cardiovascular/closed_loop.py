"""The 12-state closed-loop circulation ("C12"), the default core of the cardiovascular twin.

Four elastance chambers, four diode valves, and resistance–compliance–inertance beds for systemic and
pulmonary arteries and veins (topology and equations of Regazzoni et al. 2022, section 2.2; ideal-diode
valves; systolic duration of Ursino 1998). The default parameters are the healthy-adult baseline, not a
published set: published sets are over-filled (left atrial pressure 13–16 mmHg).

Units: mm[Hg], mL, s. The stressed volume is a parameter; it is conserved exactly, and with these linear
elastances scaling it by ``k`` scales every pressure and flow by ``k``.

Known limits: no characteristic impedance at the aortic root, so peak aortic flow (1100 mL/s) is about
twice and ejection (0.19 s) two thirds of normal; mean pressure exceeds DBP + PP/3; no reflex.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.cardiovascular.closed_loop_readings import Readings, read
from organ_models.cardiovascular.closed_loop_scenarios import SCENARIOS
from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.references import C12_CALIBRATION, MATTACE_RASO_2010, REGAZZONI_2022, URSINO_1998
from organ_models.validation.closed_loop_circulation import CHECKS
from organ_models.waves import raised_cosine, since_onset

_R, _C, _L, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": C12_CALIBRATION, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, certainty="derived", **given)


@variables
class Parameters:
    heart_rate: Array = _p(70.0, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    stressed_volume: Array = _p(1245.3967, "mL", "blood volume above unstressed, chambers' V0 excluded")
    systemic_arterial_resistance: Array = _p(0.9200, _R, "resistance of systemic arteries and arterioles")
    systemic_arterial_compliance: Array = _p(1.5103, _C, "compliance of systemic arteries")
    systemic_arterial_inertance: Array = _p(5e-3, _L, "inertance of systemic arteries")
    systemic_venous_resistance: Array = _p(0.0600, _R, "resistance of systemic veins")
    systemic_venous_compliance: Array = _p(60.0, _C, "compliance of systemic veins")
    systemic_venous_inertance: Array = _p(5e-4, _L, "inertance of systemic veins")
    pulmonary_arterial_resistance: Array = _p(0.0466, _R, "resistance of pulmonary arteries")
    pulmonary_arterial_compliance: Array = _p(3.6159, _C, "compliance of pulmonary arteries")
    pulmonary_arterial_inertance: Array = _p(5e-4, _L, "inertance of pulmonary arteries")
    pulmonary_venous_resistance: Array = _p(0.0200, _R, "resistance of pulmonary veins")
    pulmonary_venous_compliance: Array = _p(18.0, _C, "compliance of pulmonary veins")
    pulmonary_venous_inertance: Array = _p(5e-4, _L, "inertance of pulmonary veins")
    left_ventricular_active_elastance: Array = _p(2.3614, _E, "active elastance; Emax is active + passive")
    left_ventricular_passive_elastance: Array = _p(0.0737, _E, "passive elastance")
    right_ventricular_active_elastance: Array = _p(0.3976, _E, "active elastance")
    right_ventricular_passive_elastance: Array = _p(0.0331, _E, "passive elastance")
    left_atrial_active_elastance: Array = _p(0.1605, _E, "active elastance")
    left_atrial_passive_elastance: Array = _p(0.1471, _E, "passive elastance")
    right_atrial_active_elastance: Array = _p(0.0567, _E, "active elastance")
    right_atrial_passive_elastance: Array = _p(0.0685, _E, "passive elastance")
    left_ventricular_unstressed_volume: Array = _p(10.0, "mL", "volume at zero pressure")
    right_ventricular_unstressed_volume: Array = _p(25.0, "mL", "volume at zero pressure")
    left_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    right_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    valve_forward_resistance: Array = _p(0.0035, _R, "resistance of an open valve")
    valve_backward_resistance: Array = _p(75006.0, _R, "resistance of a closed valve")
    compliance_pressure_exponent: Array = _p(
        1.66,
        "1",
        # Twice the slope of ln(pulse wave velocity) on ln(mean pressure) over the source's five pressure
        # classes, 1.63 at 55 a and 1.69 at 65 a (Bramwell–Hill, lumen area constant).
        "n of the law C = C0 (P/P0)^-n, P mean arterial pressure; from pulse wave velocity by pressure class",
        source=MATTACE_RASO_2010,
        bounds=(0, 4),
    )


@variables
class State:
    left_atrial_volume: Array = variable("mL", "volume of the left atrium")
    left_ventricular_volume: Array = variable("mL", "volume of the left ventricle")
    right_atrial_volume: Array = variable("mL", "volume of the right atrium")
    right_ventricular_volume: Array = variable("mL", "volume of the right ventricle")
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "pressure of pulmonary veins")
    systemic_arterial_flow: Array = variable("mL/s", "flow from systemic arteries to veins")
    systemic_venous_flow: Array = variable("mL/s", "flow from systemic veins to the right atrium")
    pulmonary_arterial_flow: Array = variable("mL/s", "flow from pulmonary arteries to veins")
    pulmonary_venous_flow: Array = variable("mL/s", "flow from pulmonary veins to the left atrium")


@variables
class Inputs:
    systemic_resistance_ratio: Array = variable("1", "multiplies systemic arterial resistance", default=1.0)
    arterial_compliance_ratio: Array = variable("1", "multiplies systemic arterial compliance", default=1.0)
    heart_rate_ratio: Array = variable("1", "multiplies heart rate", default=1.0)
    contractility_ratio: Array = variable("1", "multiplies active elastance of both ventricles", default=1.0)
    recruited_volume: Array = variable(
        "mL", "stressed volume added by venous tone, infusion or bleeding", default=0.0
    )


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "aortic pressure")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pulmonary artery pressure")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    right_ventricular_pressure: Array = variable("mm[Hg]", "right-ventricular pressure")
    left_atrial_pressure: Array = variable("mm[Hg]", "left-atrial pressure")
    right_atrial_pressure: Array = variable("mm[Hg]", "right-atrial pressure")
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
    systolic_pressure: Array = variable(
        "mm[Hg]", "maximum of arterial pressure", quantity="systolic_blood_pressure"
    )
    diastolic_pressure: Array = variable(
        "mm[Hg]", "minimum of arterial pressure", quantity="diastolic_blood_pressure"
    )
    mean_pressure: Array = variable(
        "mm[Hg]", "time mean of arterial pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable("mL", "left end-diastolic minus end-systolic", quantity="stroke_volume")
    cardiac_output: Array = variable("L/min", "stroke volume times heart rate", quantity="cardiac_output")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    left_ventricular_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    left_ventricular_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    left_ventricular_end_diastolic_pressure: Array = variable("mm[Hg]", "pressure at ventricular onset")
    right_ventricular_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    right_ventricular_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    pulmonary_systolic_pressure: Array = variable("mm[Hg]", "maximum of pulmonary arterial pressure")
    pulmonary_diastolic_pressure: Array = variable("mm[Hg]", "minimum of pulmonary arterial pressure")
    pulmonary_mean_pressure: Array = variable("mm[Hg]", "time mean of pulmonary arterial pressure")
    left_atrial_mean_pressure: Array = variable("mm[Hg]", "time mean")
    right_atrial_mean_pressure: Array = variable("mm[Hg]", "time mean")
    left_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    right_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / (p.heart_rate * u.heart_rate_ratio)


def _activation(since_onset: Array, contraction: Array | float, relaxation: Array | float) -> Array:
    """Raised-cosine activation in [0, 1], zero after contraction and relaxation."""
    stretched = jnp.where(
        since_onset < contraction,
        since_onset / contraction,
        1.0 + jnp.minimum((since_onset - contraction) / relaxation, 1.0),
    )
    return raised_cosine(stretched)


@variables
class Drive:
    ventricular_activation: Array = variable("1", "activation of both ventricles, 0 to 1")
    atrial_activation: Array = variable("1", "activation of both atria, 0 to 1")


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activations at ``time`` s after ventricular onset; atria contract 0.16 s before the next beat.

    Systole lasts 0.5 s - 0.075 s2 / period (Ursino 1998), two thirds of it contraction.
    """
    beat = period(p, u)
    systole = 0.5 - 0.075 / beat
    return Drive(
        ventricular_activation=_activation(
            since_onset(time, beat), systole * (2.0 / 3.0), systole * (1.0 / 3.0)
        ),
        atrial_activation=_activation(since_onset(time + 0.16, beat), 0.10, 0.10),
    )


def _chamber_pressures(d: Drive, x: State, p: Parameters, u: Inputs) -> tuple[Array, Array, Array, Array]:
    """Pressures of LA, LV, RA, RV, mm[Hg]."""
    return (
        (p.left_atrial_passive_elastance + p.left_atrial_active_elastance * d.atrial_activation)
        * (x.left_atrial_volume - p.left_atrial_unstressed_volume),
        (
            p.left_ventricular_passive_elastance
            + p.left_ventricular_active_elastance * u.contractility_ratio * d.ventricular_activation
        )
        * (x.left_ventricular_volume - p.left_ventricular_unstressed_volume),
        (p.right_atrial_passive_elastance + p.right_atrial_active_elastance * d.atrial_activation)
        * (x.right_atrial_volume - p.right_atrial_unstressed_volume),
        (
            p.right_ventricular_passive_elastance
            + p.right_ventricular_active_elastance * u.contractility_ratio * d.ventricular_activation
        )
        * (x.right_ventricular_volume - p.right_ventricular_unstressed_volume),
    )


def _valve(upstream: Array, downstream: Array, p: Parameters) -> Array:
    drop = upstream - downstream
    return drop / jnp.where(drop > 0.0, p.valve_forward_resistance, p.valve_backward_resistance)


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances, per second."""
    left_atrial, left_ventricular, right_atrial, right_ventricular = _chamber_pressures(d, x, p, u)
    mitral = _valve(left_atrial, left_ventricular, p)
    aortic = _valve(left_ventricular, x.systemic_arterial_pressure, p)
    tricuspid = _valve(right_atrial, right_ventricular, p)
    pulmonary = _valve(right_ventricular, x.pulmonary_arterial_pressure, p)
    resistance = p.systemic_arterial_resistance * u.systemic_resistance_ratio
    compliance = p.systemic_arterial_compliance * u.arterial_compliance_ratio
    return State(
        left_atrial_volume=x.pulmonary_venous_flow - mitral,
        left_ventricular_volume=mitral - aortic,
        right_atrial_volume=x.systemic_venous_flow - tricuspid,
        right_ventricular_volume=tricuspid - pulmonary,
        systemic_arterial_pressure=(aortic - x.systemic_arterial_flow) / compliance,
        systemic_venous_pressure=(x.systemic_arterial_flow - x.systemic_venous_flow)
        / p.systemic_venous_compliance,
        pulmonary_arterial_pressure=(pulmonary - x.pulmonary_arterial_flow) / p.pulmonary_arterial_compliance,
        pulmonary_venous_pressure=(x.pulmonary_arterial_flow - x.pulmonary_venous_flow)
        / p.pulmonary_venous_compliance,
        systemic_arterial_flow=(
            x.systemic_arterial_pressure - x.systemic_venous_pressure - resistance * x.systemic_arterial_flow
        )
        / p.systemic_arterial_inertance,
        systemic_venous_flow=(
            x.systemic_venous_pressure - right_atrial - p.systemic_venous_resistance * x.systemic_venous_flow
        )
        / p.systemic_venous_inertance,
        pulmonary_arterial_flow=(
            x.pulmonary_arterial_pressure
            - x.pulmonary_venous_pressure
            - p.pulmonary_arterial_resistance * x.pulmonary_arterial_flow
        )
        / p.pulmonary_arterial_inertance,
        pulmonary_venous_flow=(
            x.pulmonary_venous_pressure
            - left_atrial
            - p.pulmonary_venous_resistance * x.pulmonary_venous_flow
        )
        / p.pulmonary_venous_inertance,
    )


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes and flows."""
    left_atrial, left_ventricular, right_atrial, right_ventricular = _chamber_pressures(d, x, p, u)
    return Signals(
        systemic_arterial_pressure=x.systemic_arterial_pressure,
        pulmonary_arterial_pressure=x.pulmonary_arterial_pressure,
        left_ventricular_pressure=left_ventricular,
        right_ventricular_pressure=right_ventricular,
        left_atrial_pressure=left_atrial,
        right_atrial_pressure=right_atrial,
        left_ventricular_volume=x.left_ventricular_volume,
        right_ventricular_volume=x.right_ventricular_volume,
        left_atrial_volume=x.left_atrial_volume,
        right_atrial_volume=x.right_atrial_volume,
        aortic_valve_flow=_valve(left_ventricular, x.systemic_arterial_pressure, p),
        mitral_valve_flow=_valve(left_atrial, left_ventricular, p),
        pulmonary_valve_flow=_valve(right_ventricular, x.pulmonary_arterial_pressure, p),
        tricuspid_valve_flow=_valve(right_atrial, right_ventricular, p),
    )


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


def stressed_volume(x: State, p: Parameters, u: Inputs) -> Array:
    """Volume that pressurises the system, mL: chambers above V0 plus compliance times pressure."""
    chambers = (
        x.left_atrial_volume
        + x.left_ventricular_volume
        + x.right_atrial_volume
        + x.right_ventricular_volume
        - p.left_atrial_unstressed_volume
        - p.left_ventricular_unstressed_volume
        - p.right_atrial_unstressed_volume
        - p.right_ventricular_unstressed_volume
    )
    return (
        chambers
        + p.systemic_arterial_compliance * u.arterial_compliance_ratio * x.systemic_arterial_pressure
        + p.systemic_venous_compliance * x.systemic_venous_pressure
        + p.pulmonary_arterial_compliance * x.pulmonary_arterial_pressure
        + p.pulmonary_venous_compliance * x.pulmonary_venous_pressure
    )


def fill(x: State, p: Parameters, u: Inputs) -> State:
    """Put the declared stressed volume into the system, by venous pressure."""
    missing = p.stressed_volume + u.recruited_volume - stressed_volume(x, p, u)
    venous = x.systemic_venous_pressure + missing / p.systemic_venous_compliance
    return State(**{**vars(x), "systemic_venous_pressure": venous})


def initial(p: Parameters) -> State:
    """Cold start of the published baseline; the caller fills it to the stressed volume."""
    like = jnp.zeros_like(p.stressed_volume)
    start = (60.0, 130.0, 60.0, 140.0, 90.0, 5.0, 14.0, 9.0, 90.0, 90.0, 90.0, 90.0)
    return State(*(value + like for value in start))


def _weights(p: Parameters) -> State:
    """Changes in blood volume relative to the stressed volume; flows count little, as they follow
    pressures within milliseconds."""
    one = 1.0 / p.stressed_volume
    return State(
        one,
        one,
        one,
        one,
        p.systemic_arterial_compliance * one,
        p.systemic_venous_compliance * one,
        p.pulmonary_arterial_compliance * one,
        p.pulmonary_venous_compliance * one,
        0.01 * one,
        0.01 * one,
        0.01 * one,
        0.01 * one,
    )


def compliance_after(baseline: Outputs, now: Outputs, p: Parameters) -> Array:
    """Compliance ratio that belongs to a mean pressure, relative to the patient's own baseline."""
    return (now.mean_pressure / baseline.mean_pressure) ** (-p.compliance_pressure_exponent)


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
    derivative=derivative,
    observe=observe,
    cycle=Cycle(
        period=period,
        drive=drive,
        restore=fill,
        summarise=summarise,
        weights=_weights,
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
