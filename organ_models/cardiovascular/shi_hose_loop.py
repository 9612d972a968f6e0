"""Chambers and vessels of the circulation of Korakianitis and Shi 2006 (curated model of Shi and Hose 2009).

Four elastance chambers; in either loop a sinus and an artery with resistance, compliance and inertance,
arteriolar and capillary resistance, and veins with resistance and compliance. The valves are not here: two
models of them share this file.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from organ_models.cardiovascular import four_chambers
from organ_models.cardiovascular.activation import rise_and_fall
from organ_models.model import Array, fields, parameter, variable, variables
from organ_models.references import KORAKIANITIS_SHI_2006
from organ_models.waves import since_onset

_R, _C, _L, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg].s2/mL", "mm[Hg]/mL"
_WIDE = 30.0


def published(value: float, unit: str, doc: str, **extra: Any) -> Any:
    """A parameter of the curated model."""
    given = {"source": KORAKIANITIS_SHI_2006, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, **given)


@variables
class LoopParameters:
    heart_rate: Array = published(60.0, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    blood_volume: Array = published(
        1327.4, "mL", "volume of the chambers plus compliance times pressure of the vessels"
    )
    left_ventricular_maximal_elastance: Array = published(2.5, _E, "at the peak of systole")
    left_ventricular_minimal_elastance: Array = published(0.1, _E, "in diastole")
    left_ventricular_unstressed_volume: Array = published(5.0, "mL", "volume at the reference pressure")
    right_ventricular_maximal_elastance: Array = published(1.15, _E, "at the peak of systole")
    right_ventricular_minimal_elastance: Array = published(0.1, _E, "in diastole")
    right_ventricular_unstressed_volume: Array = published(10.0, "mL", "volume at the reference pressure")
    atrial_maximal_elastance: Array = published(0.25, _E, "of both atria, contracted")
    atrial_minimal_elastance: Array = published(0.15, _E, "of both atria, relaxed")
    atrial_unstressed_volume: Array = published(4.0, "mL", "of both atria, at the reference pressure")
    reference_pressure: Array = published(
        1.0, "mm[Hg]", "of all chambers at the unstressed volume", bounds=(-10, 10)
    )
    peak_of_systole: Array = published(0.3, "1", "share of the period", bounds=(0.05, 0.6))
    end_of_systole: Array = published(0.45, "1", "share of the period", bounds=(0.1, 0.9))
    atrial_onset: Array = published(0.92, "1", "share of the period", bounds=(0.3, 1))
    atrial_duration: Array = published(0.09, "1", "share of the period", bounds=(0.01, 0.5))
    systemic_sinus_compliance: Array = published(0.08, _C, "aortic sinus")
    systemic_sinus_resistance: Array = published(0.003, _R, "aortic sinus")
    systemic_sinus_inertance: Array = published(6.2e-5, _L, "aortic sinus")
    systemic_artery_compliance: Array = published(1.6, _C, "systemic arteries")
    systemic_artery_resistance: Array = published(0.05, _R, "systemic arteries")
    systemic_artery_inertance: Array = published(0.0017, _L, "systemic arteries")
    systemic_arteriole_resistance: Array = published(0.5, _R, "systemic arterioles")
    systemic_capillary_resistance: Array = published(0.52, _R, "systemic capillaries")
    systemic_vein_compliance: Array = published(20.5, _C, "systemic veins")
    systemic_vein_resistance: Array = published(0.075, _R, "systemic veins")
    pulmonary_sinus_compliance: Array = published(0.18, _C, "pulmonary sinus")
    pulmonary_sinus_resistance: Array = published(0.002, _R, "pulmonary sinus")
    pulmonary_sinus_inertance: Array = published(5.2e-5, _L, "pulmonary sinus")
    pulmonary_artery_compliance: Array = published(3.8, _C, "pulmonary arteries")
    pulmonary_artery_resistance: Array = published(0.01, _R, "pulmonary arteries")
    pulmonary_artery_inertance: Array = published(0.0017, _L, "pulmonary arteries")
    pulmonary_arteriole_resistance: Array = published(0.05, _R, "pulmonary arterioles")
    pulmonary_capillary_resistance: Array = published(0.25, _R, "pulmonary capillaries")
    pulmonary_vein_compliance: Array = published(20.5, _C, "pulmonary veins")
    pulmonary_vein_resistance: Array = published(
        # the paper's own value is taken for a misprint; the curated model was edited to match it
        0.006,
        _R,
        "pulmonary veins",
    )
    aortic_valve_coefficient: Array = published(350.0, "mL/s", "flow of the open valve at 1 mm[Hg]")
    mitral_valve_coefficient: Array = published(400.0, "mL/s", "flow of the open valve at 1 mm[Hg]")
    pulmonary_valve_coefficient: Array = published(350.0, "mL/s", "flow of the open valve at 1 mm[Hg]")
    tricuspid_valve_coefficient: Array = published(400.0, "mL/s", "flow of the open valve at 1 mm[Hg]")


@variables
class LoopState:
    left_ventricular_volume: Array = variable("mL", "volume of the left ventricle")
    right_ventricular_volume: Array = variable("mL", "volume of the right ventricle")
    left_atrial_volume: Array = variable("mL", "volume of the left atrium")
    right_atrial_volume: Array = variable("mL", "volume of the right atrium")
    systemic_sinus_pressure: Array = variable("mm[Hg]", "pressure of the aortic sinus")
    systemic_sinus_flow: Array = variable("mL/s", "flow from the aortic sinus to the arteries")
    systemic_artery_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_artery_flow: Array = variable("mL/s", "flow from systemic arteries to veins")
    systemic_vein_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")
    pulmonary_sinus_pressure: Array = variable("mm[Hg]", "pressure of the pulmonary sinus")
    pulmonary_sinus_flow: Array = variable("mL/s", "flow from the pulmonary sinus to the arteries")
    pulmonary_artery_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    pulmonary_artery_flow: Array = variable("mL/s", "flow from pulmonary arteries to veins")
    pulmonary_vein_pressure: Array = variable("mm[Hg]", "pressure of pulmonary veins")


@variables
class Inputs:
    infused_volume: Array = variable("mL", "blood added since the start; negative: lost", default=0.0)


@variables
class Drive:
    ventricular_activation: Array = variable("1", "activation of both ventricles, 0 to 1")
    atrial_activation: Array = variable("1", "activation of both atria, 0 to 1")


@variables
class Signals(four_chambers.Signals):
    systemic_sinus_flow: Array = variable("mL/s", "flow from the aortic sinus to the arteries")
    systemic_artery_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_artery_flow: Array = variable("mL/s", "flow from systemic arteries to veins")
    pulmonary_sinus_flow: Array = variable("mL/s", "flow from the pulmonary sinus to the arteries")
    pulmonary_artery_pressure: Array = variable("mm[Hg]", "pressure of pulmonary arteries")
    pulmonary_artery_flow: Array = variable("mL/s", "flow from pulmonary arteries to veins")


@variables
class Outputs(four_chambers.Outputs):
    lv_end_diastolic_pressure: Array = variable("mm[Hg]", "left-ventricular pressure at ventricular onset")


class Chambers(NamedTuple):
    """Pressure of each chamber, mm[Hg]."""

    left_ventricle: Array
    right_ventricle: Array
    left_atrium: Array
    right_atrium: Array


class Flows(NamedTuple):
    """Flow through each valve, mL/s."""

    aortic: Array
    mitral: Array
    pulmonary: Array
    tricuspid: Array


def period(p: Any, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / p.heart_rate


def drive(time: Array, p: Any, u: Inputs) -> Drive:
    """Activations at ``time`` s after ventricular onset."""
    beat = period(p, u)
    half = 0.5 * p.atrial_duration * beat
    return Drive(
        ventricular_activation=rise_and_fall(
            since_onset(time, beat),
            p.peak_of_systole * beat,
            (p.end_of_systole - p.peak_of_systole) * beat,
        ),
        atrial_activation=rise_and_fall(since_onset(time - p.atrial_onset * beat, beat), half, half),
    )


def chambers(d: Drive, x: Any, p: Any) -> Chambers:
    """Pressure of each chamber, mm[Hg]."""

    def pressure(volume: Array, unstressed: Array, least: Array, most: Array, activation: Array) -> Array:
        return p.reference_pressure + (least + (most - least) * activation) * (volume - unstressed)

    def atrium(volume: Array) -> Array:
        limits = p.atrial_minimal_elastance, p.atrial_maximal_elastance
        return pressure(volume, p.atrial_unstressed_volume, *limits, d.atrial_activation)

    return Chambers(
        left_ventricle=pressure(
            x.left_ventricular_volume,
            p.left_ventricular_unstressed_volume,
            p.left_ventricular_minimal_elastance,
            p.left_ventricular_maximal_elastance,
            d.ventricular_activation,
        ),
        right_ventricle=pressure(
            x.right_ventricular_volume,
            p.right_ventricular_unstressed_volume,
            p.right_ventricular_minimal_elastance,
            p.right_ventricular_maximal_elastance,
            d.ventricular_activation,
        ),
        left_atrium=atrium(x.left_atrial_volume),
        right_atrium=atrium(x.right_atrial_volume),
    )


def drops(pressure: Chambers, x: Any) -> Flows:
    """Pressure drop across each valve in the direction of flow, mm[Hg]."""
    return Flows(
        aortic=pressure.left_ventricle - x.systemic_sinus_pressure,
        mitral=pressure.left_atrium - pressure.left_ventricle,
        pulmonary=pressure.right_ventricle - x.pulmonary_sinus_pressure,
        tricuspid=pressure.right_atrium - pressure.right_ventricle,
    )


STEPS = 20_000
"""Runge–Kutta steps of a beat at which the valves are stable."""

_STABLE = 2.7
"""Rate times step that a classical Runge–Kutta step bears on the negative axis (2.785), some to spare."""


def laminar(p: Any, u: Inputs) -> Flows:
    """Pressure drop below which the flow of each valve is in proportion to it, mm[Hg].

    The root law is endlessly steep where a valve closes. The stiffer what a valve empties and fills, the
    earlier it has to give way: a sinus, with its small compliance, would follow the ventricle faster than any
    step. The limits are the smallest that :data:`STEPS` steps a beat bear; at the published parameters no
    state changes by more than 1e-4 of its maximum.
    """
    step = period(p, u) / (_STABLE * STEPS)

    def limit(coefficient: Array, stiffness: Array) -> Array:
        return (coefficient * stiffness * step) ** 2

    left, right = p.left_ventricular_maximal_elastance, p.right_ventricular_maximal_elastance
    return Flows(
        aortic=limit(p.aortic_valve_coefficient, left + 1.0 / p.systemic_sinus_compliance),
        mitral=limit(p.mitral_valve_coefficient, left + p.atrial_maximal_elastance),
        pulmonary=limit(p.pulmonary_valve_coefficient, right + 1.0 / p.pulmonary_sinus_compliance),
        tricuspid=limit(p.tricuspid_valve_coefficient, right + p.atrial_maximal_elastance),
    )


def root(drop: Array, limit: Array) -> Array:
    """Square root of a pressure drop (mm[Hg]) with the sign of it; in proportion to it below ``limit``."""
    return drop / jnp.sqrt(jnp.maximum(jnp.abs(drop), limit))


def balances(pressure: Chambers, flow: Flows, x: Any, p: Any) -> dict[str, Array]:
    """Mass and momentum balances by state, per second."""
    systemic_return = (x.systemic_vein_pressure - pressure.right_atrium) / p.systemic_vein_resistance
    pulmonary_return = (x.pulmonary_vein_pressure - pressure.left_atrium) / p.pulmonary_vein_resistance
    systemic_resistance = (
        p.systemic_artery_resistance + p.systemic_arteriole_resistance + p.systemic_capillary_resistance
    )
    pulmonary_resistance = (
        p.pulmonary_artery_resistance + p.pulmonary_arteriole_resistance + p.pulmonary_capillary_resistance
    )
    return {
        "left_ventricular_volume": flow.mitral - flow.aortic,
        "right_ventricular_volume": flow.tricuspid - flow.pulmonary,
        "left_atrial_volume": pulmonary_return - flow.mitral,
        "right_atrial_volume": systemic_return - flow.tricuspid,
        "systemic_sinus_pressure": (flow.aortic - x.systemic_sinus_flow) / p.systemic_sinus_compliance,
        "systemic_sinus_flow": (
            x.systemic_sinus_pressure
            - x.systemic_artery_pressure
            - p.systemic_sinus_resistance * x.systemic_sinus_flow
        )
        / p.systemic_sinus_inertance,
        "systemic_artery_pressure": (x.systemic_sinus_flow - x.systemic_artery_flow)
        / p.systemic_artery_compliance,
        "systemic_artery_flow": (
            x.systemic_artery_pressure
            - x.systemic_vein_pressure
            - systemic_resistance * x.systemic_artery_flow
        )
        / p.systemic_artery_inertance,
        "systemic_vein_pressure": (x.systemic_artery_flow - systemic_return) / p.systemic_vein_compliance,
        "pulmonary_sinus_pressure": (flow.pulmonary - x.pulmonary_sinus_flow) / p.pulmonary_sinus_compliance,
        "pulmonary_sinus_flow": (
            x.pulmonary_sinus_pressure
            - x.pulmonary_artery_pressure
            - p.pulmonary_sinus_resistance * x.pulmonary_sinus_flow
        )
        / p.pulmonary_sinus_inertance,
        "pulmonary_artery_pressure": (x.pulmonary_sinus_flow - x.pulmonary_artery_flow)
        / p.pulmonary_artery_compliance,
        "pulmonary_artery_flow": (
            x.pulmonary_artery_pressure
            - x.pulmonary_vein_pressure
            - pulmonary_resistance * x.pulmonary_artery_flow
        )
        / p.pulmonary_artery_inertance,
        "pulmonary_vein_pressure": (x.pulmonary_artery_flow - pulmonary_return) / p.pulmonary_vein_compliance,
    }


def shown(pressure: Chambers, flow: Flows, x: Any) -> dict[str, Array]:
    """Fields of :class:`Signals`."""
    return {
        "systemic_arterial_pressure": x.systemic_sinus_pressure,
        "pulmonary_arterial_pressure": x.pulmonary_sinus_pressure,
        "left_ventricular_pressure": pressure.left_ventricle,
        "right_ventricular_pressure": pressure.right_ventricle,
        "left_atrial_pressure": pressure.left_atrium,
        "right_atrial_pressure": pressure.right_atrium,
        "systemic_venous_pressure": x.systemic_vein_pressure,
        "pulmonary_venous_pressure": x.pulmonary_vein_pressure,
        "left_ventricular_volume": x.left_ventricular_volume,
        "right_ventricular_volume": x.right_ventricular_volume,
        "left_atrial_volume": x.left_atrial_volume,
        "right_atrial_volume": x.right_atrial_volume,
        "aortic_valve_flow": flow.aortic,
        "mitral_valve_flow": flow.mitral,
        "pulmonary_valve_flow": flow.pulmonary,
        "tricuspid_valve_flow": flow.tricuspid,
        "systemic_sinus_flow": x.systemic_sinus_flow,
        "systemic_artery_pressure": x.systemic_artery_pressure,
        "systemic_artery_flow": x.systemic_artery_flow,
        "pulmonary_sinus_flow": x.pulmonary_sinus_flow,
        "pulmonary_artery_pressure": x.pulmonary_artery_pressure,
        "pulmonary_artery_flow": x.pulmonary_artery_flow,
    }


def outputs(maximum: Any, minimum: Any, mean: Any, start: Any, p: Any, u: Inputs) -> dict[str, Array]:
    """Fields of :class:`Outputs`."""
    return {
        **four_chambers.outputs(maximum, minimum, mean, period(p, u)),
        "lv_end_diastolic_pressure": start.left_ventricular_pressure,
    }


def summarise(maximum: Any, minimum: Any, mean: Any, start: Any, p: Any, u: Inputs) -> Outputs:
    """What the clinic reads off one beat."""
    return Outputs(**outputs(maximum, minimum, mean, start, p, u))


_VESSELS = (
    ("systemic_sinus_pressure", "systemic_sinus_compliance"),
    ("systemic_artery_pressure", "systemic_artery_compliance"),
    ("systemic_vein_pressure", "systemic_vein_compliance"),
    ("pulmonary_sinus_pressure", "pulmonary_sinus_compliance"),
    ("pulmonary_artery_pressure", "pulmonary_artery_compliance"),
    ("pulmonary_vein_pressure", "pulmonary_vein_compliance"),
)


def blood_volume(x: Any, p: Any) -> Array:
    """Chambers plus compliance times pressure of the vessels, mL."""
    total = (
        x.left_ventricular_volume + x.right_ventricular_volume + x.left_atrial_volume + x.right_atrial_volume
    )
    for pressure, compliance in _VESSELS:
        total = total + getattr(p, compliance) * getattr(x, pressure)
    return total


def restore(x: Any, p: Any, u: Inputs) -> Any:
    """Put the declared blood volume into the system, by systemic venous pressure."""
    missing = p.blood_volume + u.infused_volume - blood_volume(x, p)
    venous = x.systemic_vein_pressure + missing / p.systemic_vein_compliance
    return type(x)(**{**vars(x), "systemic_vein_pressure": venous})


def initial(p: Any) -> dict[str, Array]:
    """The published initial values, by state."""
    like = jnp.zeros_like(p.blood_volume)
    start = (500.0, 500.0, 20.0, 20.0, 100.0, 0.0, 100.0, 0.0, 0.0, 30.0, 0.0, 30.0, 0.0, 0.0)
    names = list(fields(LoopState))
    return {name: value + like for name, value in zip(names, start, strict=True)}


def weights(p: Any) -> dict[str, Array]:
    """By state, changes relative to the blood volume; flows count little, they follow pressures at once."""
    one = 1.0 / p.blood_volume
    vessels = {pressure: getattr(p, compliance) * one for pressure, compliance in _VESSELS}
    names = list(fields(LoopState))
    slight = {name: 0.01 * one for name in names if name.endswith("_flow")}
    return dict.fromkeys(names, one) | vessels | slight
