"""The circulation of Ursino 1998, which the carotid baroreflex of the same paper regulates.

Systemic arteries, one peripheral bed with a splanchnic and an extrasplanchnic way through it, two venous
beds with unstressed volumes that the reflex moves, atria without contraction, pulmonary arteries, periphery
and veins. A ventricle turns from an exponential to a linear pressure–volume law along ``phi = sin^2(pi t /
T_sys)``, ``T_sys = 0.5 - 0.075 / T``, and its outflow has a resistance in proportion to its pressure.

Elastances, resistances, unstressed volumes and the period of the heart are inputs; left unconnected they
hold the source's basal values. Blood of the venous beds is counted in total, unstressed volume included:
what the source writes as a flow ``-dV_u/dt`` and as closure by total volume is then plain balance of mass.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from organ_models.cardiovascular.ursino_variables import Inputs, Outputs, Parameters, Signals, State
from organ_models.model import Array, Cycle, OrganModel, variable, variables
from organ_models.references import BONNEMAIN_2021, URSINO_1998
from organ_models.validation.ursino import CHECKS, SCENARIOS
from organ_models.waves import raised_cosine, since_onset


@variables
class Drive:
    activation: Array = variable("1", "activation of both ventricles, 0 to 1")


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return u.heart_period


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activation at ``time`` s after ventricular onset."""
    beat = period(p, u)
    systole = 0.5 - 0.075 / beat
    share = jnp.minimum(since_onset(time, beat) / systole, 1.0)
    return Drive(activation=raised_cosine(2.0 * share))


class _Ventricle(NamedTuple):
    """Pressure (mm[Hg]) and outflow (mL/s) of a ventricle."""

    pressure: Array
    outflow: Array


def _ventricle(
    activation: Array,
    volume: Array,
    elastance: Array,
    unstressed: Array,
    passive: Array,
    stiffness: Array,
    outflow_resistance: Array,
    afterload: Array,
) -> _Ventricle:
    isometric = activation * elastance * (volume - unstressed) + (1.0 - activation) * passive * (
        jnp.exp(stiffness * volume) - 1.0
    )
    opened = (isometric > afterload) & (isometric > 0.0)
    resistance = outflow_resistance * jnp.where(opened, isometric, 1.0)
    outflow = jnp.where(opened, (isometric - afterload) / resistance, 0.0)
    return _Ventricle(isometric * (1.0 - outflow_resistance * outflow), outflow)


def assist(head: Array, p: Parameters) -> Array:
    """Flow of the assist device (mL/s) at a head (arterial less ventricular pressure, mm[Hg])."""
    held = jnp.clip(head, p.assist_lowest_head, p.assist_highest_head)
    flow = (p.assist_quadratic * held + p.assist_linear) * held + p.assist_constant
    return jnp.clip(flow, p.assist_lowest_flow, p.assist_highest_flow)


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes and flows."""
    left = _ventricle(
        d.activation,
        x.left_ventricular_volume,
        u.left_ventricular_elastance,
        p.left_ventricular_unstressed_volume,
        p.passive_pressure,
        p.left_ventricular_stiffness,
        p.left_outflow_resistance,
        x.systemic_arterial_pressure,
    )
    right = _ventricle(
        d.activation,
        x.right_ventricular_volume,
        u.right_ventricular_elastance,
        p.right_ventricular_unstressed_volume,
        p.passive_pressure,
        p.right_ventricular_stiffness,
        p.right_outflow_resistance,
        x.pulmonary_arterial_pressure,
    )
    return Signals(
        systemic_arterial_pressure=x.systemic_arterial_pressure,
        pulmonary_arterial_pressure=x.pulmonary_arterial_pressure,
        left_ventricular_pressure=left.pressure,
        right_ventricular_pressure=right.pressure,
        left_atrial_pressure=x.left_atrial_pressure,
        right_atrial_pressure=x.right_atrial_pressure,
        left_ventricular_volume=x.left_ventricular_volume,
        right_ventricular_volume=x.right_ventricular_volume,
        aortic_valve_flow=left.outflow,
        mitral_valve_flow=jnp.maximum(x.left_atrial_pressure - left.pressure, 0.0) / p.mitral_resistance,
        pulmonary_valve_flow=right.outflow,
        tricuspid_valve_flow=jnp.maximum(x.right_atrial_pressure - right.pressure, 0.0)
        / p.tricuspid_resistance,
        assist_flow=assist(x.systemic_arterial_pressure - left.pressure, p),
    )


def _peripheral_compliance(p: Parameters) -> Array:
    return p.splanchnic_peripheral_compliance + p.extrasplanchnic_peripheral_compliance


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances, per second."""
    now = observe(d, x, p, u)
    splanchnic = (x.splanchnic_venous_volume - u.splanchnic_volume) / p.splanchnic_venous_compliance
    other = (x.extrasplanchnic_venous_volume - u.other_volume) / p.extrasplanchnic_venous_compliance
    into_splanchnic = (x.systemic_peripheral_pressure - splanchnic) / u.splanchnic_resistance
    into_other = (x.systemic_peripheral_pressure - other) / u.other_resistance
    from_splanchnic = (splanchnic - x.right_atrial_pressure) / p.splanchnic_venous_resistance
    from_other = (other - x.right_atrial_pressure) / p.extrasplanchnic_venous_resistance
    into_lung_veins = (
        x.pulmonary_peripheral_pressure - x.pulmonary_venous_pressure
    ) / p.pulmonary_peripheral_resistance
    from_lung_veins = (x.pulmonary_venous_pressure - x.left_atrial_pressure) / p.pulmonary_venous_resistance
    return State(
        systemic_arterial_pressure=(now.aortic_valve_flow + now.assist_flow - x.systemic_arterial_flow)
        / p.systemic_arterial_compliance,
        systemic_arterial_flow=(
            x.systemic_arterial_pressure
            - x.systemic_peripheral_pressure
            - p.systemic_arterial_resistance * x.systemic_arterial_flow
        )
        / p.systemic_arterial_inertance,
        systemic_peripheral_pressure=(x.systemic_arterial_flow - into_splanchnic - into_other)
        / _peripheral_compliance(p),
        splanchnic_venous_volume=into_splanchnic - from_splanchnic,
        extrasplanchnic_venous_volume=into_other - from_other,
        right_atrial_pressure=(from_splanchnic + from_other - now.tricuspid_valve_flow)
        / p.right_atrial_compliance,
        right_ventricular_volume=now.tricuspid_valve_flow - now.pulmonary_valve_flow,
        pulmonary_arterial_pressure=(now.pulmonary_valve_flow - x.pulmonary_arterial_flow)
        / p.pulmonary_arterial_compliance,
        pulmonary_arterial_flow=(
            x.pulmonary_arterial_pressure
            - x.pulmonary_peripheral_pressure
            - p.pulmonary_arterial_resistance * x.pulmonary_arterial_flow
        )
        / p.pulmonary_arterial_inertance,
        pulmonary_peripheral_pressure=(x.pulmonary_arterial_flow - into_lung_veins)
        / p.pulmonary_peripheral_compliance,
        pulmonary_venous_pressure=(into_lung_veins - from_lung_veins) / p.pulmonary_venous_compliance,
        left_atrial_pressure=(from_lung_veins - now.mitral_valve_flow) / p.left_atrial_compliance,
        left_ventricular_volume=now.mitral_valve_flow - now.aortic_valve_flow - now.assist_flow,
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Inputs
) -> Outputs:
    """What the clinic reads off one beat."""
    stroke = maximum.left_ventricular_volume - minimum.left_ventricular_volume
    return Outputs(
        systolic_blood_pressure=maximum.systemic_arterial_pressure,
        diastolic_blood_pressure=minimum.systemic_arterial_pressure,
        mean_arterial_pressure=mean.systemic_arterial_pressure,
        heart_rate=60.0 / period(p, u),
        stroke_volume=stroke,
        ejection_fraction=100.0 * stroke / maximum.left_ventricular_volume,
        cardiac_output=0.06 * (mean.aortic_valve_flow + mean.assist_flow),
        lv_end_diastolic_volume=maximum.left_ventricular_volume,
        lv_end_systolic_volume=minimum.left_ventricular_volume,
        rv_end_diastolic_volume=maximum.right_ventricular_volume,
        rv_end_systolic_volume=minimum.right_ventricular_volume,
        lv_end_diastolic_pressure=start.left_ventricular_pressure,
        peak_left_ventricular_pressure=maximum.left_ventricular_pressure,
        peak_right_ventricular_pressure=maximum.right_ventricular_pressure,
        systolic_pulmonary_artery_pressure=maximum.pulmonary_arterial_pressure,
        diastolic_pulmonary_artery_pressure=minimum.pulmonary_arterial_pressure,
        mean_pulmonary_artery_pressure=mean.pulmonary_arterial_pressure,
        left_atrial_pressure=mean.left_atrial_pressure,
        right_atrial_pressure=mean.right_atrial_pressure,
        peak_aortic_valve_flow=maximum.aortic_valve_flow,
        peak_mitral_valve_flow=maximum.mitral_valve_flow,
        assist_flow=0.06 * mean.assist_flow,
    )


def _outside_splanchnic_veins(x: State, p: Parameters) -> Array:
    """All blood but that of the splanchnic veins, mL."""
    unstressed = (
        p.splanchnic_peripheral_unstressed_volume
        + p.extrasplanchnic_peripheral_unstressed_volume
        + p.pulmonary_peripheral_unstressed_volume
        + p.pulmonary_venous_unstressed_volume
        + p.left_atrial_unstressed_volume
        + p.right_atrial_unstressed_volume
    )
    return (
        unstressed
        + p.systemic_arterial_compliance * x.systemic_arterial_pressure
        + _peripheral_compliance(p) * x.systemic_peripheral_pressure
        + x.extrasplanchnic_venous_volume
        + p.right_atrial_compliance * x.right_atrial_pressure
        + x.right_ventricular_volume
        + p.pulmonary_arterial_compliance * x.pulmonary_arterial_pressure
        + p.pulmonary_peripheral_compliance * x.pulmonary_peripheral_pressure
        + p.pulmonary_venous_compliance * x.pulmonary_venous_pressure
        + p.left_atrial_compliance * x.left_atrial_pressure
        + x.left_ventricular_volume
    )


def restore(x: State, p: Parameters, u: Inputs) -> State:
    """The splanchnic veins hold what is left of the total blood volume."""
    held = p.blood_volume + u.infused_volume - _outside_splanchnic_veins(x, p)
    return State(**{**vars(x), "splanchnic_venous_volume": held})


def initial(p: Parameters) -> State:
    """The published initial values."""
    like = jnp.zeros_like(p.blood_volume)
    start = State(
        systemic_arterial_pressure=90.0 + like,
        systemic_arterial_flow=like,
        systemic_peripheral_pressure=90.0 + like,
        splanchnic_venous_volume=like,
        extrasplanchnic_venous_volume=5.0 * p.extrasplanchnic_venous_compliance + 1375.0,
        right_atrial_pressure=4.0 + like,
        right_ventricular_volume=130.0 + like,
        pulmonary_arterial_pressure=15.0 + like,
        pulmonary_arterial_flow=like,
        pulmonary_peripheral_pressure=12.0 + like,
        pulmonary_venous_pressure=7.0 + like,
        left_atrial_pressure=6.0 + like,
        left_ventricular_volume=130.0 + like,
    )
    held = p.blood_volume - _outside_splanchnic_veins(start, p)
    return State(**{**vars(start), "splanchnic_venous_volume": held})


def weights(p: Parameters) -> State:
    """Changes relative to the blood volume; flows count little, they follow pressures in milliseconds."""
    one = 1.0 / p.blood_volume
    return State(
        systemic_arterial_pressure=p.systemic_arterial_compliance * one,
        systemic_arterial_flow=0.01 * one,
        systemic_peripheral_pressure=_peripheral_compliance(p) * one,
        splanchnic_venous_volume=one,
        extrasplanchnic_venous_volume=one,
        right_atrial_pressure=p.right_atrial_compliance * one,
        right_ventricular_volume=one,
        pulmonary_arterial_pressure=p.pulmonary_arterial_compliance * one,
        pulmonary_arterial_flow=0.01 * one,
        pulmonary_peripheral_pressure=p.pulmonary_peripheral_compliance * one,
        pulmonary_venous_pressure=p.pulmonary_venous_compliance * one,
        left_atrial_pressure=p.left_atrial_compliance * one,
        left_ventricular_volume=one,
    )


URSINO_CIRCULATION = OrganModel(
    name="ursino_1998",
    title="Circulation of Ursino 1998",
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
        steps=2000,
    ),
    own_names=True,
    references=(URSINO_1998, BONNEMAIN_2021),
    notes=(
        "Without the reflex the effectors are held. No atrial contraction, no characteristic impedance: "
        "ejection is steered by the viscous outflow of the ventricle."
    ),
    scenarios=SCENARIOS,
    checks=CHECKS,
)
