"""The circulation of Smith et al. 2004: ventricles that share a septum and a pericardium, inertial valves.

Six compartments. The septum bulges until what it bears equals the difference of the ventricles' pressures;
its volume ``V_s`` solves that equation at every instant. A valve opens when pressure drives it and closes
when its flow stops: while open, ``L Q' = drop - R Q``. Pressures in the chest stand on thoracic pressure.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from organ_models.cardiovascular import four_chambers
from organ_models.cardiovascular.four_chambers import Readings
from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.newton import newton
from organ_models.references import PHYSIOLIBRARY_SMITH, SMITH_2004
from organ_models.validation.smith import CHECKS, SCENARIOS

_R, _L, _E = "mm[Hg].s/mL", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0

OPEN_FLOW = 1.0
"""Flow above which a valve counts as open, mL/s."""

SEPTUM_STEPS = 10
"""Newton steps for the volume of the septum, none longer than :data:`SEPTUM_LONGEST`."""

SEPTUM_LONGEST = 5.0
"""Longest Newton step, mL."""


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": PHYSIOLIBRARY_SMITH, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, **given)


@variables
class Parameters:
    heart_rate: Array = _p(80.0, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    blood_volume: Array = _p(1500.0, "mL", "volume of all compartments")
    activation_width: Array = _p(80.0, "/s2", "activation is exp(-width (time - centre)^2)", bounds=(5, 1000))
    activation_centre: Array = _p(0.375, "s", "time of full activation", bounds=(0.05, 1.5))
    mitral_resistance: Array = _p(0.0158, _R, "of the open mitral valve")
    aortic_resistance: Array = _p(0.0180, _R, "of the open aortic valve")
    tricuspid_resistance: Array = _p(0.0237, _R, "of the open tricuspid valve")
    pulmonary_valve_resistance: Array = _p(0.0055, _R, "of the open pulmonary valve")
    mitral_inertance: Array = _p(7.6968e-5, _L, "of blood in the mitral valve")
    aortic_inertance: Array = _p(1.2189e-4, _L, "of blood in the aortic valve")
    tricuspid_inertance: Array = _p(8.0093e-5, _L, "of blood in the tricuspid valve")
    pulmonary_valve_inertance: Array = _p(1.4868e-4, _L, "of blood in the pulmonary valve")
    systemic_resistance: Array = _p(1.0889, _R, "from aorta to vena cava")
    pulmonary_resistance: Array = _p(0.1552, _R, "from pulmonary artery to pulmonary vein")
    aortic_elastance: Array = _p(0.6913, _E, "of the aorta")
    venous_elastance: Array = _p(0.0059, _E, "of the vena cava")
    pulmonary_arterial_elastance: Array = _p(0.369, _E, "of the pulmonary artery")
    pulmonary_venous_elastance: Array = _p(0.0073, _E, "of the pulmonary vein")
    left_systolic_elastance: Array = _p(2.8798, _E, "of the left free wall, active")
    left_diastolic_pressure: Array = _p(0.1203, "mm[Hg]", "scale of the left free wall's passive pressure")
    left_stiffness: Array = _p(0.033, "/mL", "of the left free wall, passive")
    right_systolic_elastance: Array = _p(0.585, _E, "of the right free wall, active")
    right_diastolic_pressure: Array = _p(0.2157, "mm[Hg]", "scale of the right free wall's passive pressure")
    right_stiffness: Array = _p(0.023, "/mL", "of the right free wall, passive")
    septal_systolic_elastance: Array = _p(48.754, _E, "of the septum, active")
    septal_diastolic_pressure: Array = _p(1.1101, "mm[Hg]", "scale of the septum's passive pressure")
    septal_stiffness: Array = _p(0.435, "/mL", "of the septum, passive")
    septal_passive_volume: Array = _p(2.0, "mL", "of the septum without passive pressure", bounds=(-50, 50))
    septal_active_volume: Array = _p(2.0, "mL", "of the septum without active pressure", bounds=(-50, 50))
    septal_freedom: Array = _p(1.0, "1", "1: the septum moves, 0: its volume is held", bounds=(0, 1))
    held_septal_volume: Array = _p(1.0, "mL", "volume of a septum that is held", bounds=(-50, 50))
    pericardial_pressure: Array = _p(0.5003, "mm[Hg]", "scale of the pericardium's pressure", bounds=(0, 15))
    pericardial_stiffness: Array = _p(0.03, "/mL", "of the pericardium")
    pericardial_volume: Array = _p(200.0, "mL", "of both ventricles without pericardial pressure")
    thoracic_pressure: Array = _p(-4.0, "mm[Hg]", "in the chest", bounds=(-30, 30))


@variables
class State:
    left_ventricular_volume: Array = variable("mL", "volume of the left ventricle")
    right_ventricular_volume: Array = variable("mL", "volume of the right ventricle")
    pulmonary_arterial_volume: Array = variable("mL", "volume of the pulmonary artery")
    pulmonary_venous_volume: Array = variable("mL", "volume of the pulmonary vein")
    aortic_volume: Array = variable("mL", "volume of the aorta")
    venous_volume: Array = variable("mL", "volume of the vena cava")
    mitral_flow: Array = variable("mL/s", "flow through the mitral valve")
    aortic_flow: Array = variable("mL/s", "flow through the aortic valve")
    tricuspid_flow: Array = variable("mL/s", "flow through the tricuspid valve")
    pulmonary_flow: Array = variable("mL/s", "flow through the pulmonary valve")


@variables
class Inputs:
    infused_volume: Array = variable("mL", "blood added since the start; negative: lost", default=0.0)


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of the aorta")
    pulmonary_arterial_pressure: Array = variable("mm[Hg]", "pressure of the pulmonary artery")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    right_ventricular_pressure: Array = variable("mm[Hg]", "right-ventricular pressure")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of the vena cava")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "pressure of the pulmonary vein")
    pericardial_pressure: Array = variable("mm[Hg]", "pressure of the pericardium")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")
    right_ventricular_volume: Array = variable("mL", "right-ventricular volume")
    septal_volume: Array = variable("mL", "volume by which the septum bulges to the right")
    aortic_valve_flow: Array = variable("mL/s", "flow through the aortic valve")
    mitral_valve_flow: Array = variable("mL/s", "flow through the mitral valve")
    pulmonary_valve_flow: Array = variable("mL/s", "flow through the pulmonary valve")
    tricuspid_valve_flow: Array = variable("mL/s", "flow through the tricuspid valve")


@variables
class Outputs:
    systolic_blood_pressure: Array = variable(
        "mm[Hg]", "maximum of aortic pressure", quantity="systolic_blood_pressure"
    )
    diastolic_blood_pressure: Array = variable(
        "mm[Hg]", "minimum of aortic pressure", quantity="diastolic_blood_pressure"
    )
    mean_arterial_pressure: Array = variable(
        "mm[Hg]", "time mean of aortic pressure", quantity="mean_blood_pressure"
    )
    heart_rate: Array = variable("/min", "60 s over the period of the cycle", quantity="heart_rate")
    stroke_volume: Array = variable("mL", "left end-diastolic minus end-systolic", quantity="stroke_volume")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    cardiac_output: Array = variable("L/min", "stroke volume times heart rate", quantity="cardiac_output")
    lv_end_diastolic_volume: Array = variable("mL", "largest volume of the left ventricle")
    lv_end_systolic_volume: Array = variable("mL", "smallest volume of the left ventricle")
    rv_end_diastolic_volume: Array = variable("mL", "largest volume of the right ventricle")
    rv_end_systolic_volume: Array = variable("mL", "smallest volume of the right ventricle")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    peak_right_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    systolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    diastolic_pulmonary_artery_pressure: Array = variable("mm[Hg]", "minimum of the pressure")
    mean_pulmonary_artery_pressure: Array = variable("mm[Hg]", "time mean")
    pulmonary_venous_pressure: Array = variable("mm[Hg]", "time mean")
    systemic_venous_pressure: Array = variable("mm[Hg]", "time mean")
    least_septal_volume: Array = variable("mL", "minimum over the beat")
    greatest_septal_volume: Array = variable("mL", "maximum over the beat")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_mitral_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_pulmonary_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_tricuspid_valve_flow: Array = variable("mL/s", "maximum of the flow")


@variables
class Drive:
    activation: Array = variable("1", "activation of ventricles and septum, 0 to 1")


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / p.heart_rate


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activation at ``time`` s."""
    beat = period(p, u)
    # a remainder is exact where activation jumps, between the end of a beat and the next
    away = jnp.mod(time, beat) - p.activation_centre
    return Drive(activation=jnp.exp(-p.activation_width * away * away))


def _wall(
    activation: Array, active: Array, elastance: Array, passive: Array, scale: Array, stiffness: Array
) -> Array:
    """Pressure (mm[Hg]) of a wall at its ``active`` and ``passive`` volumes (mL)."""
    relaxed = scale * (jnp.exp(stiffness * passive) - 1.0)
    return activation * elastance * active + (1.0 - activation) * relaxed


def _free_walls(septum: Array, d: Drive, x: State, p: Parameters) -> tuple[Array, Array]:
    """Pressures of the left and the right free wall, mm[Hg]."""
    left, right = x.left_ventricular_volume - septum, x.right_ventricular_volume + septum
    return (
        _wall(
            d.activation, left, p.left_systolic_elastance, left, p.left_diastolic_pressure, p.left_stiffness
        ),
        _wall(
            d.activation,
            right,
            p.right_systolic_elastance,
            right,
            p.right_diastolic_pressure,
            p.right_stiffness,
        ),
    )


def septal_imbalance(septum: Array, d: Drive, x: State, p: Parameters) -> Array:
    """What the septum bears less the difference of the free walls, mm[Hg]; rises with its volume (mL)."""
    left, right = _free_walls(septum, d, x, p)
    borne = _wall(
        d.activation,
        septum - p.septal_active_volume,
        p.septal_systolic_elastance,
        septum - p.septal_passive_volume,
        p.septal_diastolic_pressure,
        p.septal_stiffness,
    )
    return borne - left + right


class _Now(NamedTuple):
    septum: Array
    pericardium: Array
    left: Array
    right: Array
    aorta: Array
    vein: Array
    pulmonary_artery: Array
    pulmonary_vein: Array


def _pressures(d: Drive, x: State, p: Parameters) -> _Now:
    start = p.septal_passive_volume
    free = newton(
        lambda septum: septal_imbalance(septum, d, x, p), start, SEPTUM_STEPS, longest_step=SEPTUM_LONGEST
    )
    septum = p.septal_freedom * free + (1.0 - p.septal_freedom) * p.held_septal_volume
    left, right = _free_walls(septum, d, x, p)
    beyond = x.left_ventricular_volume + x.right_ventricular_volume - p.pericardial_volume
    pericardium = p.thoracic_pressure + p.pericardial_pressure * (
        jnp.exp(p.pericardial_stiffness * beyond) - 1.0
    )
    return _Now(
        septum=septum,
        pericardium=pericardium,
        left=left + pericardium,
        right=right + pericardium,
        aorta=p.aortic_elastance * x.aortic_volume,
        vein=p.venous_elastance * x.venous_volume,
        pulmonary_artery=p.pulmonary_arterial_elastance * x.pulmonary_arterial_volume + p.thoracic_pressure,
        pulmonary_vein=p.pulmonary_venous_elastance * x.pulmonary_venous_volume + p.thoracic_pressure,
    )


def _valve(drop: Array, flow: Array, resistance: Array, inertance: Array) -> Array:
    """Acceleration of the blood in a valve, mL/s2; none while it is closed."""
    return jnp.where((flow > 0.0) | (drop > 0.0), (drop - resistance * flow) / inertance, 0.0)


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances, per second."""
    now = _pressures(d, x, p)
    systemic = (now.aorta - now.vein) / p.systemic_resistance
    pulmonary = (now.pulmonary_artery - now.pulmonary_vein) / p.pulmonary_resistance
    return State(
        left_ventricular_volume=x.mitral_flow - x.aortic_flow,
        right_ventricular_volume=x.tricuspid_flow - x.pulmonary_flow,
        pulmonary_arterial_volume=x.pulmonary_flow - pulmonary,
        pulmonary_venous_volume=pulmonary - x.mitral_flow,
        aortic_volume=x.aortic_flow - systemic,
        venous_volume=systemic - x.tricuspid_flow,
        mitral_flow=_valve(
            now.pulmonary_vein - now.left, x.mitral_flow, p.mitral_resistance, p.mitral_inertance
        ),
        aortic_flow=_valve(now.left - now.aorta, x.aortic_flow, p.aortic_resistance, p.aortic_inertance),
        tricuspid_flow=_valve(
            now.vein - now.right, x.tricuspid_flow, p.tricuspid_resistance, p.tricuspid_inertance
        ),
        pulmonary_flow=_valve(
            now.right - now.pulmonary_artery,
            x.pulmonary_flow,
            p.pulmonary_valve_resistance,
            p.pulmonary_valve_inertance,
        ),
    )


_FLOWS = ("mitral_flow", "aortic_flow", "tricuspid_flow", "pulmonary_flow")


def project(x: State, p: Parameters, u: Inputs) -> State:
    """A valve closes where its flow would turn back."""
    return State(**{**vars(x), **{name: jnp.maximum(getattr(x, name), 0.0) for name in _FLOWS}})


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes and flows."""
    now = _pressures(d, x, p)
    return Signals(
        systemic_arterial_pressure=now.aorta,
        pulmonary_arterial_pressure=now.pulmonary_artery,
        left_ventricular_pressure=now.left,
        right_ventricular_pressure=now.right,
        systemic_venous_pressure=now.vein,
        pulmonary_venous_pressure=now.pulmonary_vein,
        pericardial_pressure=now.pericardium,
        left_ventricular_volume=x.left_ventricular_volume,
        right_ventricular_volume=x.right_ventricular_volume,
        septal_volume=now.septum,
        aortic_valve_flow=x.aortic_flow,
        mitral_valve_flow=x.mitral_flow,
        pulmonary_valve_flow=x.pulmonary_flow,
        tricuspid_valve_flow=x.tricuspid_flow,
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Inputs
) -> Outputs:
    """What the clinic reads off one beat."""
    beat = period(p, u)
    stroke = maximum.left_ventricular_volume - minimum.left_ventricular_volume
    return Outputs(
        systolic_blood_pressure=maximum.systemic_arterial_pressure,
        diastolic_blood_pressure=minimum.systemic_arterial_pressure,
        mean_arterial_pressure=mean.systemic_arterial_pressure,
        heart_rate=60.0 / beat,
        stroke_volume=stroke,
        ejection_fraction=100.0 * stroke / maximum.left_ventricular_volume,
        cardiac_output=0.06 * stroke / beat,
        lv_end_diastolic_volume=maximum.left_ventricular_volume,
        lv_end_systolic_volume=minimum.left_ventricular_volume,
        rv_end_diastolic_volume=maximum.right_ventricular_volume,
        rv_end_systolic_volume=minimum.right_ventricular_volume,
        peak_left_ventricular_pressure=maximum.left_ventricular_pressure,
        peak_right_ventricular_pressure=maximum.right_ventricular_pressure,
        systolic_pulmonary_artery_pressure=maximum.pulmonary_arterial_pressure,
        diastolic_pulmonary_artery_pressure=minimum.pulmonary_arterial_pressure,
        mean_pulmonary_artery_pressure=mean.pulmonary_arterial_pressure,
        pulmonary_venous_pressure=mean.pulmonary_venous_pressure,
        systemic_venous_pressure=mean.systemic_venous_pressure,
        least_septal_volume=minimum.septal_volume,
        greatest_septal_volume=maximum.septal_volume,
        peak_aortic_valve_flow=maximum.aortic_valve_flow,
        peak_mitral_valve_flow=maximum.mitral_valve_flow,
        peak_pulmonary_valve_flow=maximum.pulmonary_valve_flow,
        peak_tricuspid_valve_flow=maximum.tricuspid_valve_flow,
    )


def restore(x: State, p: Parameters, u: Inputs) -> State:
    """Put the declared blood volume into the system, by the vena cava."""
    others = (
        x.left_ventricular_volume
        + x.right_ventricular_volume
        + x.pulmonary_arterial_volume
        + x.pulmonary_venous_volume
        + x.aortic_volume
    )
    return State(**{**vars(x), "venous_volume": p.blood_volume + u.infused_volume - others})


def initial(p: Parameters) -> State:
    """The published initial values."""
    like = jnp.zeros_like(p.blood_volume)
    volumes = (94.6812, 90.7302, 43.0123, 808.458, 133.338, 329.78)
    flows = (245.581, 0.0, 190.066, 0.0)
    return State(*(value + like for value in (*volumes, *flows)))


def weights(p: Parameters) -> State:
    """Changes relative to the blood volume; flows count little, they follow pressures in milliseconds."""
    one = 1.0 / p.blood_volume
    return State(*(one,) * 6, *(0.01 * one,) * 4)


def read(beat: Any, p: Parameters) -> Readings:
    """Valve events of one periodic beat."""
    return four_chambers.events(beat, OPEN_FLOW)


SMITH_CIRCULATION = OrganModel(
    name="smith_2004",
    title="Circulation of Smith 2004 with septum, pericardium and inertial valves",
    version="1.0",
    clock="s",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Signals=Signals,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    project=project,
    cycle=Cycle(
        period=period,
        drive=drive,
        restore=restore,
        summarise=summarise,
        weights=weights,
        steps=1000,
        watched_steps=4000,
        Readings=Readings,
        read=read,
    ),
    own_names=True,
    references=(SMITH_2004, PHYSIOLIBRARY_SMITH),
    notes=(
        "No atria: veins fill the ventricles. Two encodings of the published model circulate; only the one "
        "that is the default here reproduces the published table of outputs."
    ),
    scenarios=SCENARIOS,
    checks=CHECKS,
)
