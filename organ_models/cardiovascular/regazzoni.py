"""The circulation of Regazzoni et al. 2022, with the smooth valve and the defaults of its published code.

Four elastance chambers, four valves and resistance–compliance–inertance beds, 12 states. The resistance of a
valve goes from its lowest to its highest value on a logarithmic scale, steered by an arctangent of the
pressure drop: ``log10 R = log10 Rmin + (log10 Rmax - log10 Rmin) H(p2 - p1)``, ``H(x) = 1/2 + atan(100 pi x)
/ pi`` with ``x`` in mm[Hg].

Units: mm[Hg], mL, s. Time counts from the start of the source's cycle: ventricles contract 0.1 s after it.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.cardiovascular import four_chambers
from organ_models.cardiovascular.activation import rise_and_fall
from organ_models.cardiovascular.four_chambers import Outputs, Readings, Signals
from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.references import CIRCULATION_PACKAGE, REGAZZONI_2022
from organ_models.validation.regazzoni import CHECKS
from organ_models.waves import since_onset

_R, _C, _L, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0

OPEN_FLOW = 1.0
"""Flow above which a valve counts as open, mL/s."""


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": CIRCULATION_PACKAGE, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, **given)


@variables
class Parameters:
    heart_rate: Array = _p(75.0, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    blood_volume: Array = _p(
        1617.876, "mL", "volume of the chambers plus compliance times pressure of the vessels"
    )
    left_atrial_active_elastance: Array = _p(0.07, _E, "active elastance; the greatest is active + passive")
    left_atrial_passive_elastance: Array = _p(0.18, _E, "passive elastance")
    left_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    left_ventricular_active_elastance: Array = _p(4.482, _E, "active elastance")
    left_ventricular_passive_elastance: Array = _p(0.17, _E, "passive elastance")
    left_ventricular_unstressed_volume: Array = _p(42.0, "mL", "volume at zero pressure")
    right_atrial_active_elastance: Array = _p(0.06, _E, "active elastance")
    right_atrial_passive_elastance: Array = _p(0.07, _E, "passive elastance")
    right_atrial_unstressed_volume: Array = _p(4.0, "mL", "volume at zero pressure")
    right_ventricular_active_elastance: Array = _p(0.2, _E, "active elastance")
    right_ventricular_passive_elastance: Array = _p(0.029, _E, "passive elastance")
    right_ventricular_unstressed_volume: Array = _p(16.0, "mL", "volume at zero pressure")
    atrial_onset: Array = _p(0.9, "s", "start of atrial contraction, modulo the period", bounds=(0, 3))
    atrial_contraction: Array = _p(0.17, "s", "duration of atrial contraction", bounds=(0.02, 1))
    atrial_relaxation: Array = _p(0.17, "s", "duration of atrial relaxation", bounds=(0.02, 1))
    ventricular_onset: Array = _p(0.1, "s", "start of ventricular contraction", bounds=(0, 3))
    ventricular_contraction: Array = _p(0.25, "s", "duration of ventricular contraction", bounds=(0.02, 1))
    ventricular_relaxation: Array = _p(0.4, "s", "duration of ventricular relaxation", bounds=(0.02, 1))
    valve_lowest_resistance: Array = _p(0.0075, _R, "resistance of a wide open valve")
    valve_highest_resistance: Array = _p(75006.2, _R, "resistance of a tightly closed valve")
    systemic_arterial_resistance: Array = _p(0.733, _R, "resistance of systemic arteries")
    systemic_arterial_compliance: Array = _p(1.372, _C, "compliance of systemic arteries")
    systemic_arterial_inertance: Array = _p(5e-3, _L, "inertance of systemic arteries")
    systemic_venous_resistance: Array = _p(0.32, _R, "resistance of systemic veins")
    systemic_venous_compliance: Array = _p(11.363, _C, "compliance of systemic veins")
    systemic_venous_inertance: Array = _p(5e-4, _L, "inertance of systemic veins")
    pulmonary_arterial_resistance: Array = _p(0.046, _R, "resistance of pulmonary arteries")
    pulmonary_arterial_compliance: Array = _p(20.0, _C, "compliance of pulmonary arteries")
    pulmonary_arterial_inertance: Array = _p(5e-4, _L, "inertance of pulmonary arteries")
    pulmonary_venous_resistance: Array = _p(0.0015, _R, "resistance of pulmonary veins")
    pulmonary_venous_compliance: Array = _p(16.0, _C, "compliance of pulmonary veins")
    pulmonary_venous_inertance: Array = _p(5e-4, _L, "inertance of pulmonary veins")


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
    infused_volume: Array = variable("mL", "blood added since the start; negative: lost", default=0.0)


@variables
class Drive:
    atrial_activation: Array = variable("1", "activation of both atria, 0 to 1")
    ventricular_activation: Array = variable("1", "activation of both ventricles, 0 to 1")


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / p.heart_rate


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activations at ``time`` s."""
    beat = period(p, u)
    return Drive(
        atrial_activation=rise_and_fall(
            since_onset(time - p.atrial_onset, beat), p.atrial_contraction, p.atrial_relaxation
        ),
        ventricular_activation=rise_and_fall(
            since_onset(time - p.ventricular_onset, beat), p.ventricular_contraction, p.ventricular_relaxation
        ),
    )


def valve(drop: Array, lowest: Array, highest: Array) -> Array:
    """Flow (mL/s) through the smooth valve at a pressure drop (mm[Hg]) in the direction of flow."""
    closed = 0.5 - jnp.arctan(100.0 * jnp.pi * drop) / jnp.pi
    low, high = jnp.log(lowest), jnp.log(highest)
    return drop * jnp.exp(-(low + (high - low) * closed))


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes and flows."""
    atria, ventricles = d.atrial_activation, d.ventricular_activation
    left_atrial = (p.left_atrial_passive_elastance + p.left_atrial_active_elastance * atria) * (
        x.left_atrial_volume - p.left_atrial_unstressed_volume
    )
    left = (p.left_ventricular_passive_elastance + p.left_ventricular_active_elastance * ventricles) * (
        x.left_ventricular_volume - p.left_ventricular_unstressed_volume
    )
    right_atrial = (p.right_atrial_passive_elastance + p.right_atrial_active_elastance * atria) * (
        x.right_atrial_volume - p.right_atrial_unstressed_volume
    )
    right = (p.right_ventricular_passive_elastance + p.right_ventricular_active_elastance * ventricles) * (
        x.right_ventricular_volume - p.right_ventricular_unstressed_volume
    )
    limits = p.valve_lowest_resistance, p.valve_highest_resistance
    return Signals(
        systemic_arterial_pressure=x.systemic_arterial_pressure,
        pulmonary_arterial_pressure=x.pulmonary_arterial_pressure,
        left_ventricular_pressure=left,
        right_ventricular_pressure=right,
        left_atrial_pressure=left_atrial,
        right_atrial_pressure=right_atrial,
        systemic_venous_pressure=x.systemic_venous_pressure,
        pulmonary_venous_pressure=x.pulmonary_venous_pressure,
        left_ventricular_volume=x.left_ventricular_volume,
        right_ventricular_volume=x.right_ventricular_volume,
        left_atrial_volume=x.left_atrial_volume,
        right_atrial_volume=x.right_atrial_volume,
        aortic_valve_flow=valve(left - x.systemic_arterial_pressure, *limits),
        mitral_valve_flow=valve(left_atrial - left, *limits),
        pulmonary_valve_flow=valve(right - x.pulmonary_arterial_pressure, *limits),
        tricuspid_valve_flow=valve(right_atrial - right, *limits),
    )


def _momentum(drop: Array, flow: Array, resistance: Array, inertance: Array) -> Array:
    return (drop - resistance * flow) / inertance


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances, per second."""
    now = observe(d, x, p, u)
    return State(
        left_atrial_volume=x.pulmonary_venous_flow - now.mitral_valve_flow,
        left_ventricular_volume=now.mitral_valve_flow - now.aortic_valve_flow,
        right_atrial_volume=x.systemic_venous_flow - now.tricuspid_valve_flow,
        right_ventricular_volume=now.tricuspid_valve_flow - now.pulmonary_valve_flow,
        systemic_arterial_pressure=(now.aortic_valve_flow - x.systemic_arterial_flow)
        / p.systemic_arterial_compliance,
        systemic_venous_pressure=(x.systemic_arterial_flow - x.systemic_venous_flow)
        / p.systemic_venous_compliance,
        pulmonary_arterial_pressure=(now.pulmonary_valve_flow - x.pulmonary_arterial_flow)
        / p.pulmonary_arterial_compliance,
        pulmonary_venous_pressure=(x.pulmonary_arterial_flow - x.pulmonary_venous_flow)
        / p.pulmonary_venous_compliance,
        systemic_arterial_flow=_momentum(
            x.systemic_arterial_pressure - x.systemic_venous_pressure,
            x.systemic_arterial_flow,
            p.systemic_arterial_resistance,
            p.systemic_arterial_inertance,
        ),
        systemic_venous_flow=_momentum(
            x.systemic_venous_pressure - now.right_atrial_pressure,
            x.systemic_venous_flow,
            p.systemic_venous_resistance,
            p.systemic_venous_inertance,
        ),
        pulmonary_arterial_flow=_momentum(
            x.pulmonary_arterial_pressure - x.pulmonary_venous_pressure,
            x.pulmonary_arterial_flow,
            p.pulmonary_arterial_resistance,
            p.pulmonary_arterial_inertance,
        ),
        pulmonary_venous_flow=_momentum(
            x.pulmonary_venous_pressure - now.left_atrial_pressure,
            x.pulmonary_venous_flow,
            p.pulmonary_venous_resistance,
            p.pulmonary_venous_inertance,
        ),
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Inputs
) -> Outputs:
    """What the clinic reads off one beat."""
    return Outputs(**four_chambers.outputs(maximum, minimum, mean, period(p, u)))


def blood_volume(x: State, p: Parameters) -> Array:
    """Chambers plus compliance times pressure of the vessels, mL."""
    return (
        x.left_atrial_volume
        + x.left_ventricular_volume
        + x.right_atrial_volume
        + x.right_ventricular_volume
        + p.systemic_arterial_compliance * x.systemic_arterial_pressure
        + p.systemic_venous_compliance * x.systemic_venous_pressure
        + p.pulmonary_arterial_compliance * x.pulmonary_arterial_pressure
        + p.pulmonary_venous_compliance * x.pulmonary_venous_pressure
    )


def restore(x: State, p: Parameters, u: Inputs) -> State:
    """Put the declared blood volume into the system, by systemic venous pressure."""
    missing = p.blood_volume + u.infused_volume - blood_volume(x, p)
    venous = x.systemic_venous_pressure + missing / p.systemic_venous_compliance
    return State(**{**vars(x), "systemic_venous_pressure": venous})


def initial(p: Parameters) -> State:
    """The initial values of the published code."""
    like = jnp.zeros_like(p.blood_volume)
    volumes, pressures = (87.183, 118.520, 86.833, 166.177), (87.675, 35.898, 19.545, 15.004)
    flows = (71.104, 94.039, 94.084, 473.279)
    return State(*(value + like for value in (*volumes, *pressures, *flows)))


def weights(p: Parameters) -> State:
    """Changes relative to the blood volume; flows count little, they follow pressures in milliseconds."""
    one = 1.0 / p.blood_volume
    slight = 0.01 * one
    return State(
        left_atrial_volume=one,
        left_ventricular_volume=one,
        right_atrial_volume=one,
        right_ventricular_volume=one,
        systemic_arterial_pressure=p.systemic_arterial_compliance * one,
        systemic_venous_pressure=p.systemic_venous_compliance * one,
        pulmonary_arterial_pressure=p.pulmonary_arterial_compliance * one,
        pulmonary_venous_pressure=p.pulmonary_venous_compliance * one,
        systemic_arterial_flow=slight,
        systemic_venous_flow=slight,
        pulmonary_arterial_flow=slight,
        pulmonary_venous_flow=slight,
    )


def read(beat: Any, p: Parameters) -> Readings:
    """Valve events of one periodic beat."""
    return four_chambers.events(beat, OPEN_FLOW)


REGAZZONI_CIRCULATION = OrganModel(
    name="regazzoni_2022",
    title="Circulation of Regazzoni 2022, as published",
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
    cycle=Cycle(
        period=period,
        drive=drive,
        restore=restore,
        summarise=summarise,
        weights=weights,
        Readings=Readings,
        read=read,
    ),
    own_names=True,
    references=(REGAZZONI_2022, CIRCULATION_PACKAGE),
    notes=(
        "A regression fixture, not a healthy template: left-atrial pressure is 15.8 and systemic venous "
        "pressure 35.9 mm[Hg]. Atria contract as the ventricles do (their onset of 0.9 s belongs to a longer "
        "cycle); pulmonary pulse pressure is 3 mm[Hg]."
    ),
    checks=CHECKS,
)
