"""The cardiovascular twin: the 12-state circulation with valves that can be diseased, pericardium, septum and
an assist device.

Everything that is added here is neutral by default, so that a healthy heart is the same as in
:mod:`~organ_models.cardiovascular.closed_loop` (which runs more than four times faster):

* valves are orifices in series with their viscous resistance, with an effective area and a leak
  (:mod:`~organ_models.cardiovascular.valves`);
* the ventricles lie in a pericardium with the exponential law of Smith et al. 2004;
* the septum gives way to the difference of the ventricles' pressures by a compliance;
* exercise and posture, and what acts beside nerves (:mod:`~organ_models.cardiovascular.demands`);
* a left-ventricular assist device follows a curve of flow against head
  (:mod:`~organ_models.cardiovascular.assist_device`).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.cardiovascular import closed_loop_equations, closed_loop_variables, demands
from organ_models.cardiovascular.cardiovascular_readings import Readings, read
from organ_models.cardiovascular.cardiovascular_scenarios import C12, SCENARIOS
from organ_models.cardiovascular.closed_loop_equations import Chambers, Structure, Valves
from organ_models.cardiovascular.closed_loop_variables import Drive, State
from organ_models.cardiovascular.demands import demanded, weakened
from organ_models.cardiovascular.valves import ORIFICE, orifice
from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.references import (
    BONNEMAIN_2021,
    C12_CALIBRATION,
    EXERCISE_ASSUMPTIONS,
    FOX_1971,
    GORLIN_1951,
    MATTACE_RASO_2010,
    POSTURE_ASSUMPTIONS,
    REGAZZONI_2022,
    ROOT_CALIBRATION,
    SMITH_2004,
    SYSTOLE_1981,
    URSINO_1998,
)
from organ_models.validation.cardiovascular import CHECKS

_NO_LOSS = 1000.0
"""An orifice area, cm2, so large that it loses no pressure."""


_R, _C, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg]/mL"


def _recalibrated(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"bounds": (value / 30.0, value * 30.0), **extra}
    return parameter(value, unit, doc, source=ROOT_CALIBRATION, certainty="derived", **given)


def _area(doc: str, default: float) -> Any:
    return parameter(default, "cm2", doc, source=GORLIN_1951, bounds=(0.0, _NO_LOSS), certainty="assumption")


def _smith(default: float, unit: str, doc: str, bounds: tuple[float, float], **extra: Any) -> Any:
    return parameter(default, unit, doc, source=SMITH_2004, bounds=bounds, **extra)


def _pump(unit: str, doc: str) -> Any:
    return parameter(0.0, unit, doc, source=BONNEMAIN_2021, bounds=(-1e7, 1e7))


@variables
class Parameters(demands.Parameters):
    stressed_volume: Array = _recalibrated(
        1294.88, "mL", "blood volume above unstressed, chambers' V0 excluded"
    )
    systemic_arterial_resistance: Array = _recalibrated(
        0.8263, _R, "resistance of systemic arteries and arterioles"
    )
    systemic_arterial_compliance: Array = _recalibrated(2.3913, _C, "compliance of systemic arteries")
    pulmonary_arterial_resistance: Array = _recalibrated(0.0484, _R, "resistance of pulmonary arteries")
    pulmonary_arterial_compliance: Array = _recalibrated(2.6531, _C, "compliance of pulmonary arteries")
    left_ventricular_active_elastance: Array = _recalibrated(
        2.0269, _E, "active elastance; Emax is active + passive"
    )
    left_ventricular_passive_elastance: Array = _recalibrated(0.0715, _E, "passive elastance")
    right_ventricular_active_elastance: Array = _recalibrated(0.3669, _E, "active elastance")
    right_ventricular_passive_elastance: Array = _recalibrated(0.0307, _E, "passive elastance")
    left_atrial_active_elastance: Array = _recalibrated(0.1502, _E, "active elastance")
    left_atrial_passive_elastance: Array = _recalibrated(0.1516, _E, "passive elastance")
    right_atrial_active_elastance: Array = _recalibrated(0.0472, _E, "active elastance")
    right_atrial_passive_elastance: Array = _recalibrated(0.0713, _E, "passive elastance")
    aortic_characteristic_impedance: Array = _recalibrated(
        0.05, _R, "characteristic impedance of the aortic root", bounds=(0, 0.2)
    )
    contraction_share: Array = _recalibrated(
        0.75, "1", "share of systole in which elastance rises", bounds=(0.3, 0.95)
    )
    activation_exponent: Array = _recalibrated(
        0.5, "1", "power of the raised-cosine activation: 1 as it is, 1/2 a half sine", bounds=(0.3, 3)
    )
    aortic_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    mitral_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    tricuspid_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    pulmonary_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    aortic_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    mitral_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    tricuspid_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    pulmonary_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    pericardial_pressure_scale: Array = _smith(
        0.0, "mm[Hg]", "scale of the pericardium's exponential law; 0 leaves it open", (0, 50)
    )
    pericardial_stiffness: Array = _smith(0.03, "/mL", "exponent of the pericardium's law", (0, 0.2))
    pericardial_unstressed_volume: Array = _smith(
        200.0, "mL", "volume of both ventricles at which the pericardium begins to press", (50, 1000)
    )
    septal_compliance: Array = _smith(
        0.0,
        "mL/mm[Hg]",
        "volume that the septum yields to a pressure difference; 0 is a stiff septum",
        (0, 5),
        certainty="assumption",
    )
    assist_quadratic: Array = _pump("mL/s/mm[Hg]2", "assist device: flow per head squared")
    assist_linear: Array = _pump("mL/s/mm[Hg]", "assist device: flow per head")
    assist_constant: Array = _pump("mL/s", "assist device: flow at no head")
    assist_lowest_head: Array = _pump("mm[Hg]", "assist device: the curve is flat below this head")
    assist_highest_head: Array = _pump("mm[Hg]", "assist device: the curve is flat above this head")
    assist_lowest_flow: Array = _pump("mL/s", "assist device: smallest flow")
    assist_highest_flow: Array = _pump("mL/s", "assist device: largest flow")


Inputs = demands.Inputs


@variables
class Signals(closed_loop_variables.Signals):
    assist_flow: Array = variable("mL/s", "flow of the assist device into the aorta")
    baroreceptor_pressure: Array = variable(
        "mm[Hg]", "arterial pressure at the neck, less what exercise resets the receptors by"
    )
    aortic_valve_open: Array = variable("1", "1 while flow goes forward through the valve")
    mitral_valve_open: Array = variable("1", "1 while flow goes forward through the valve")
    aortic_gradient: Array = variable("mm[Hg]", "ventricular less aortic pressure while the valve is open")
    mitral_gradient: Array = variable("mm[Hg]", "atrial less ventricular pressure while the valve is open")
    aortic_backflow: Array = variable("mL/s", "flow from the aorta into the left ventricle")
    mitral_backflow: Array = variable("mL/s", "flow from the left ventricle into the atrium")


@variables
class Outputs:
    systolic_blood_pressure: Array = variable(
        "mm[Hg]", "maximum of aortic root pressure", quantity="systolic_blood_pressure"
    )
    diastolic_blood_pressure: Array = variable(
        "mm[Hg]", "minimum of aortic root pressure", quantity="diastolic_blood_pressure"
    )
    mean_arterial_pressure: Array = variable(
        "mm[Hg]", "time mean of aortic root pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable(
        "mL", "left end-diastolic minus end-systolic volume", quantity="stroke_volume"
    )
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    cardiac_output: Array = variable(
        "L/min", "net flow into the aorta: valve and assist device", quantity="cardiac_output"
    )
    lv_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    lv_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    lv_end_diastolic_pressure: Array = variable("mm[Hg]", "pressure at ventricular onset")
    rv_end_diastolic_volume: Array = variable("mL", "maximum of the volume")
    rv_end_systolic_volume: Array = variable("mL", "minimum of the volume")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    systolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    diastolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "minimum of the pressure")
    mean_pulmonary_artery_pressure: Array = variable("mm[Hg]", "time mean of the pressure")
    left_atrial_pressure: Array = variable("mm[Hg]", "time mean")
    right_atrial_pressure: Array = variable("mm[Hg]", "time mean")
    left_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    right_atrial_maximal_volume: Array = variable("mL", "maximum of the volume")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_pulmonary_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_tricuspid_valve_flow: Array = variable("mL/s", "maximum of the flow")
    pressure_form_factor: Array = variable("1", "(mean less diastolic) over pulse pressure")
    peak_aortic_gradient: Array = variable("mm[Hg]", "largest drop across the aortic valve")
    mean_aortic_gradient: Array = variable("mm[Hg]", "drop across the aortic valve, mean while it is open")
    mean_mitral_gradient: Array = variable("mm[Hg]", "drop across the mitral valve, mean while it is open")
    aortic_valve_area_by_flow: Array = variable(
        "cm2", "area that the clinic computes from mean flow and mean gradient"
    )
    aortic_regurgitant_fraction: Array = variable("%", "backward over forward volume of the aortic valve")
    mitral_regurgitant_volume: Array = variable("mL", "backward volume of the mitral valve a beat")
    mitral_regurgitant_fraction: Array = variable("%", "backward over forward volume into the left ventricle")
    assist_flow: Array = variable("L/min", "mean flow of the assist device")


def pressures(d: Drive, x: State, p: Parameters, u: Any) -> Chambers:
    """Pressures of ventricles that share a septum and a pericardium, mm[Hg].

    The septum bulges by ``compliance * (left - right pressure)``; with linear elastances that has a closed
    form. The pericardium presses on both ventricles with ``scale * (exp(stiffness * (V - V0)) - 1)``, where V
    is the volume of both (Smith et al. 2004), as on the heart of that model, whose atria lie outside.
    """
    free = closed_loop_equations.elastic_pressures(d, x, p, u)
    elastance = closed_loop_equations.elastances(d, p, u)
    yields = p.septal_compliance
    bulge = (
        yields
        * (free.left_ventricular - free.right_ventricular)
        / (1.0 + yields * (elastance.left_ventricular + elastance.right_ventricular))
    )
    beyond = x.left_ventricular_volume + x.right_ventricular_volume - p.pericardial_unstressed_volume
    around = p.pericardial_pressure_scale * (jnp.exp(p.pericardial_stiffness * beyond) - 1.0)
    return free._replace(
        left_ventricular=free.left_ventricular - elastance.left_ventricular * bulge + around,
        right_ventricular=free.right_ventricular + elastance.right_ventricular * bulge + around,
    )


def valves(drops: Valves, p: Parameters) -> Valves:
    """Flow through orifices; the aortic one stands in series with the characteristic impedance."""
    forward, backward = p.valve_forward_resistance, p.valve_backward_resistance
    root = p.aortic_characteristic_impedance
    return Valves(
        orifice(drops.mitral, forward, backward, p.mitral_valve_area, p.mitral_regurgitant_area),
        orifice(
            drops.aortic, forward + root, backward + root, p.aortic_valve_area, p.aortic_regurgitant_area
        ),
        orifice(drops.tricuspid, forward, backward, p.tricuspid_valve_area, p.tricuspid_regurgitant_area),
        orifice(drops.pulmonary, forward, backward, p.pulmonary_valve_area, p.pulmonary_regurgitant_area),
    )


def assist(head: Array, p: Parameters) -> Array:
    """Flow of an assist device at a head, mL/s."""
    held = jnp.clip(head, p.assist_lowest_head, p.assist_highest_head)
    flow = (p.assist_quadratic * held + p.assist_linear) * held + p.assist_constant
    return jnp.clip(flow, p.assist_lowest_flow, p.assist_highest_flow)


STRUCTURE = Structure(pressures, valves, assist)


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return closed_loop_equations.period(p, demanded(p, u))


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activations at ``time`` s after ventricular onset."""
    shorter = 1.0 - p.exercise_systole_shortening * u.exercise_intensity
    return closed_loop_equations.drive(time, p, demanded(p, u), shorter)


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances, per second."""
    return closed_loop_equations.derivative(STRUCTURE, d, x, weakened(p, u), demanded(p, u))


def fill(x: State, p: Parameters, u: Inputs) -> State:
    """Put the declared stressed volume into the system, by systemic venous pressure."""
    return closed_loop_equations.fill(x, p, demanded(p, u))


def observe(d: Drive, x: State, p: Parameters, u: Any) -> Signals:
    """What the circulation shows, and what is seen at its valves and its device."""
    seen = closed_loop_equations.observe(STRUCTURE, d, x, weakened(p, u), demanded(p, u))
    aortic_open = jnp.where(seen.aortic_valve_flow > 0.0, 1.0, 0.0)
    mitral_open = jnp.where(seen.mitral_valve_flow > 0.0, 1.0, 0.0)
    return Signals(
        **vars(seen),
        assist_flow=assist(x.systemic_arterial_pressure - seen.left_ventricular_pressure, p),
        baroreceptor_pressure=demands.heard(seen.systemic_arterial_pressure, p, u),
        aortic_valve_open=aortic_open,
        mitral_valve_open=mitral_open,
        aortic_gradient=aortic_open * (seen.left_ventricular_pressure - seen.systemic_arterial_pressure),
        mitral_gradient=mitral_open * (seen.left_atrial_pressure - seen.left_ventricular_pressure),
        aortic_backflow=jnp.maximum(-seen.aortic_valve_flow, 0.0),
        mitral_backflow=jnp.maximum(-seen.mitral_valve_flow, 0.0),
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Any
) -> Outputs:
    """What the clinic reads off one beat.

    Stroke volume is what the ventricle loses. With a leak or a device that is not what reaches the body,
    which cardiac output is. Gradients are means over the time in which flow goes forward; a valve that never
    opens shows none.
    """
    beat = period(p, u)
    stroke = maximum.left_ventricular_volume - minimum.left_ventricular_volume
    pulse = maximum.systemic_arterial_pressure - minimum.systemic_arterial_pressure
    aortic_gradient = _while_open(mean.aortic_gradient, mean.aortic_valve_open)
    aortic_forward = mean.aortic_valve_flow + mean.aortic_backflow
    mitral_forward = mean.mitral_valve_flow + mean.mitral_backflow
    velocity = ORIFICE * jnp.sqrt(jnp.maximum(aortic_gradient, _TINY))
    return Outputs(
        systolic_blood_pressure=maximum.systemic_arterial_pressure,
        diastolic_blood_pressure=minimum.systemic_arterial_pressure,
        mean_arterial_pressure=mean.systemic_arterial_pressure,
        heart_rate=60.0 / beat,
        stroke_volume=stroke,
        ejection_fraction=100.0 * stroke / maximum.left_ventricular_volume,
        cardiac_output=0.06 * (mean.aortic_valve_flow + mean.assist_flow),
        lv_end_diastolic_volume=maximum.left_ventricular_volume,
        lv_end_systolic_volume=minimum.left_ventricular_volume,
        lv_end_diastolic_pressure=start.left_ventricular_pressure,
        rv_end_diastolic_volume=maximum.right_ventricular_volume,
        rv_end_systolic_volume=minimum.right_ventricular_volume,
        peak_left_ventricular_pressure=maximum.left_ventricular_pressure,
        peak_right_ventricular_pressure=maximum.right_ventricular_pressure,
        systolic_pulmonary_artery_pressure=maximum.pulmonary_arterial_pressure,
        diastolic_pulmonary_artery_pressure=minimum.pulmonary_arterial_pressure,
        mean_pulmonary_artery_pressure=mean.pulmonary_arterial_pressure,
        left_atrial_pressure=mean.left_atrial_pressure,
        right_atrial_pressure=mean.right_atrial_pressure,
        left_atrial_maximal_volume=maximum.left_atrial_volume,
        right_atrial_maximal_volume=maximum.right_atrial_volume,
        peak_aortic_valve_flow=maximum.aortic_valve_flow,
        peak_pulmonary_valve_flow=maximum.pulmonary_valve_flow,
        peak_tricuspid_valve_flow=maximum.tricuspid_valve_flow,
        pressure_form_factor=(mean.systemic_arterial_pressure - minimum.systemic_arterial_pressure) / pulse,
        peak_aortic_gradient=maximum.aortic_gradient,
        mean_aortic_gradient=aortic_gradient,
        mean_mitral_gradient=_while_open(mean.mitral_gradient, mean.mitral_valve_open),
        aortic_valve_area_by_flow=_while_open(aortic_forward, mean.aortic_valve_open) / velocity,
        aortic_regurgitant_fraction=_share(mean.aortic_backflow, aortic_forward),
        mitral_regurgitant_volume=mean.mitral_backflow * beat,
        mitral_regurgitant_fraction=_share(mean.mitral_backflow, mitral_forward),
        assist_flow=0.06 * mean.assist_flow,
    )


_TINY = 1e-9


def _while_open(mean: Array, share: Array) -> Array:
    """A mean over the whole beat as a mean over the open share of it."""
    return jnp.where(share > 0.0, mean / jnp.maximum(share, _TINY), 0.0)


def _share(backward: Array, forward: Array) -> Array:
    return 100.0 * backward / jnp.maximum(forward, _TINY)


def compliance_after(baseline: Outputs, now: Outputs, p: Parameters) -> Array:
    """Compliance ratio that belongs to a mean pressure, relative to the patient's own baseline."""
    ratio = now.mean_arterial_pressure / baseline.mean_arterial_pressure
    return ratio ** (-p.compliance_pressure_exponent)


CARDIOVASCULAR = OrganModel(
    name="cardiovascular",
    title="Cardiovascular twin: closed loop, valve disease, pericardium, assist device",
    version="1.1",
    clock="s",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Signals=Signals,
    Outputs=Outputs,
    initial=closed_loop_equations.initial,
    derivative=derivative,
    observe=observe,
    cycle=Cycle(
        period=period,
        drive=drive,
        restore=fill,
        summarise=summarise,
        weights=closed_loop_equations.weights,
        laws={"arterial_compliance_ratio": compliance_after},
        calibrated={
            "systemic_arterial_resistance": 0.25,
            "systemic_arterial_compliance": 0.30,
            "stressed_volume": 0.15,
        },
        # clinical noise assumed for the identifiability analysis of this circulation
        targets={"systolic_blood_pressure": 0.04, "diastolic_blood_pressure": 0.05},
        Readings=Readings,
        read=read,
    ),
    own_names=True,
    references=(
        REGAZZONI_2022,
        ROOT_CALIBRATION,
        C12_CALIBRATION,
        URSINO_1998,
        SMITH_2004,
        GORLIN_1951,
        BONNEMAIN_2021,
        MATTACE_RASO_2010,
        FOX_1971,
        EXERCISE_ASSUMPTIONS,
        POSTURE_ASSUMPTIONS,
        SYSTOLE_1981,
    ),
    notes=(
        "Without a reflex coupled to it, heart rate and contractility do not answer to pressure. The law by "
        "which compliance falls with pressure comes from a cross-section of people and includes chronic "
        "stiffening. Blood has no inertia in the atrioventricular valves, so that early filling peaks too "
        "high (1.6 L/s). Orifices lose all of the kinetic energy: pressure recovery behind a stenosis is not "
        "modelled. The arterial compliance of the default (2.4 mL/mmHg) is above what stroke volume over "
        "pulse pressure gives (1.9), since the characteristic impedance carries part of the pulse."
    ),
    variants=(C12,),
    scenarios=SCENARIOS,
    checks=CHECKS,
)
