"""Equations of the 12-state closed-loop circulation and of what is built on it.

A :class:`Structure` says how chambers make pressure, how valves let flow through, and whether a device pumps
beside the heart; the rest is the same for all members of the family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp

from organ_models.cardiovascular.activation import rise_and_fall
from organ_models.cardiovascular.closed_loop_variables import (
    Drive,
    Inputs,
    Outputs,
    Parameters,
    Signals,
    State,
)
from organ_models.cardiovascular.valves import diode
from organ_models.model import Array
from organ_models.waves import since_onset


class Chambers(NamedTuple):
    """One number for each chamber."""

    left_atrial: Array
    left_ventricular: Array
    right_atrial: Array
    right_ventricular: Array


class Valves(NamedTuple):
    """One number for each valve."""

    mitral: Array
    aortic: Array
    tricuspid: Array
    pulmonary: Array


@dataclass(frozen=True)
class Structure:
    """What a circulation is built of.

    Attributes:
        pressures: ``pressures(drive, state, parameters, inputs) -> Chambers``, mm[Hg].
        valves: ``valves(drops, parameters) -> Valves``, flow (mL/s) at a pressure drop (mm[Hg]); the aortic
            drop is that between ventricle and arterial compliance.
        assist: ``assist(head, parameters)``, flow (mL/s) of a device from left ventricle to aorta at a head
            (arterial less ventricular pressure, mm[Hg]).
    """

    pressures: Callable[[Drive, State, Any, Any], Chambers]
    valves: Callable[[Valves, Any], Valves]
    assist: Callable[[Array, Any], Array] | None = None


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / (p.heart_rate * u.heart_rate_ratio)


def _power(activation: Array, exponent: Array) -> Array:
    """``activation ** exponent`` with a finite slope where the activation is zero."""
    positive = activation > 1e-12
    return jnp.where(positive, jnp.where(positive, activation, 1.0) ** exponent, 0.0)


def drive(time: Array, p: Parameters, u: Inputs, shorter: Array | float = 1.0) -> Drive:
    """Activations at ``time`` s after ventricular onset; atria contract 0.16 s before the next beat.

    Systole lasts 0.5 s - 0.075 s2 / period (Ursino 1998), times a scale and ``shorter``.
    """
    beat = period(p, u)
    systole = (0.5 - 0.075 / beat) * p.systole_scale * shorter
    rise = systole * p.contraction_share
    ventricles = rise_and_fall(since_onset(time, beat), rise, systole - rise)
    return Drive(
        ventricular_activation=_power(ventricles, p.activation_exponent),
        atrial_activation=rise_and_fall(since_onset(time + 0.16, beat), 0.10, 0.10),
    )


def elastances(d: Drive, p: Parameters, u: Inputs) -> Chambers:
    """Elastance of each chamber at this instant, mm[Hg]/mL."""
    ventricles = u.contractility_ratio * d.ventricular_activation
    return Chambers(
        p.left_atrial_passive_elastance + p.left_atrial_active_elastance * d.atrial_activation,
        p.left_ventricular_passive_elastance + p.left_ventricular_active_elastance * ventricles,
        p.right_atrial_passive_elastance + p.right_atrial_active_elastance * d.atrial_activation,
        p.right_ventricular_passive_elastance + p.right_ventricular_active_elastance * ventricles,
    )


def elastic_pressures(d: Drive, x: State, p: Parameters, u: Inputs) -> Chambers:
    """Pressures of chambers that know nothing of each other, mm[Hg]."""
    elastance = elastances(d, p, u)
    return Chambers(
        elastance.left_atrial * (x.left_atrial_volume - p.left_atrial_unstressed_volume),
        elastance.left_ventricular * (x.left_ventricular_volume - p.left_ventricular_unstressed_volume),
        elastance.right_atrial * (x.right_atrial_volume - p.right_atrial_unstressed_volume),
        elastance.right_ventricular * (x.right_ventricular_volume - p.right_ventricular_unstressed_volume),
    )


def diode_valves(drops: Valves, p: Parameters) -> Valves:
    """Flow through ideal diodes; the aortic one stands in series with the characteristic impedance."""
    forward, backward = p.valve_forward_resistance, p.valve_backward_resistance
    root = p.aortic_characteristic_impedance
    return Valves(
        diode(drops.mitral, forward, backward),
        diode(drops.aortic, forward + root, backward + root),
        diode(drops.tricuspid, forward, backward),
        diode(drops.pulmonary, forward, backward),
    )


DIODES = Structure(elastic_pressures, diode_valves)


def pressures_and_flows(
    structure: Structure, d: Drive, x: State, p: Any, u: Any
) -> tuple[Chambers, Valves, Array | float]:
    """Chamber pressures (mm[Hg]), valve flows and the flow of an assist device (mL/s)."""
    chambers = structure.pressures(d, x, p, u)
    flows = structure.valves(
        Valves(
            chambers.left_atrial - chambers.left_ventricular,
            chambers.left_ventricular - x.systemic_arterial_pressure,
            chambers.right_atrial - chambers.right_ventricular,
            chambers.right_ventricular - x.pulmonary_arterial_pressure,
        ),
        p,
    )
    if structure.assist is None:
        return chambers, flows, 0.0
    return chambers, flows, structure.assist(x.systemic_arterial_pressure - chambers.left_ventricular, p)


def derivative(structure: Structure, d: Drive, x: State, p: Any, u: Any) -> State:
    """Mass and momentum balances, per second."""
    chambers, (mitral, aortic, tricuspid, pulmonary), assist = pressures_and_flows(structure, d, x, p, u)
    ejected = aortic if structure.assist is None else aortic + assist
    resistance = p.systemic_arterial_resistance * u.systemic_resistance_ratio
    compliance = p.systemic_arterial_compliance * u.arterial_compliance_ratio
    return State(
        left_atrial_volume=x.pulmonary_venous_flow - mitral,
        left_ventricular_volume=mitral - ejected,
        right_atrial_volume=x.systemic_venous_flow - tricuspid,
        right_ventricular_volume=tricuspid - pulmonary,
        systemic_arterial_pressure=(ejected - x.systemic_arterial_flow) / compliance,
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
            x.systemic_venous_pressure
            - chambers.right_atrial
            - p.systemic_venous_resistance * x.systemic_venous_flow
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
            - chambers.left_atrial
            - p.pulmonary_venous_resistance * x.pulmonary_venous_flow
        )
        / p.pulmonary_venous_inertance,
    )


def observe(structure: Structure, d: Drive, x: State, p: Any, u: Any) -> Signals:
    """Instantaneous pressures, volumes and flows; arterial pressure is read at the aortic root."""
    chambers, flows, _ = pressures_and_flows(structure, d, x, p, u)
    root = x.systemic_arterial_pressure + p.aortic_characteristic_impedance * flows.aortic
    return Signals(
        systemic_arterial_pressure=root,
        pulmonary_arterial_pressure=x.pulmonary_arterial_pressure,
        left_ventricular_pressure=chambers.left_ventricular,
        right_ventricular_pressure=chambers.right_ventricular,
        left_atrial_pressure=chambers.left_atrial,
        right_atrial_pressure=chambers.right_atrial,
        left_ventricular_volume=x.left_ventricular_volume,
        right_ventricular_volume=x.right_ventricular_volume,
        left_atrial_volume=x.left_atrial_volume,
        right_atrial_volume=x.right_atrial_volume,
        aortic_valve_flow=flows.aortic,
        mitral_valve_flow=flows.mitral,
        pulmonary_valve_flow=flows.pulmonary,
        tricuspid_valve_flow=flows.tricuspid,
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
    held = p.stressed_volume + u.recruited_volume + u.blood_volume_change
    missing = held - stressed_volume(x, p, u)
    venous = x.systemic_venous_pressure + missing / p.systemic_venous_compliance
    return State(**{**vars(x), "systemic_venous_pressure": venous})


def initial(p: Parameters) -> State:
    """Cold start of the published baseline; the caller fills it to the stressed volume."""
    like = jnp.zeros_like(p.stressed_volume)
    start = (60.0, 130.0, 60.0, 140.0, 90.0, 5.0, 14.0, 9.0, 90.0, 90.0, 90.0, 90.0)
    return State(*(value + like for value in start))


def weights(p: Parameters) -> State:
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
