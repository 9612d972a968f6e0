"""The one-ventricle loop of Bjørdalsbakke et al. 2022: left ventricle, arteries, veins, two diode valves.

Elastance follows a double Hill function of the time since onset, ``h = a / (1 + a) / (1 + b)`` with
``a = (m / tau1)^n1`` and ``b = (m / tau2)^n2``, scaled to a maximum of one.

Units: mm[Hg], mL, s.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.newton import newton
from organ_models.references import BJORDALSBAKKE_2022, CIRCULATORY_SYSTEM_MODELS

_R, _C, _E = "mm[Hg].s/mL", "mL/mm[Hg]", "mm[Hg]/mL"
_WIDE = 30.0

_ITERATIONS = 16
"""Newton steps to the peak of the Hill functions; from the start that is taken, each goes most of an
e-folding, and the fall rises over four of them."""

_EARLIEST = 1e-9
"""Share of the period below which the logarithm of the time is held; the elastance there is passive."""


def _p(value: float, unit: str, doc: str, **extra: Any) -> Any:
    given = {"source": CIRCULATORY_SYSTEM_MODELS, "bounds": (value / _WIDE, value * _WIDE), **extra}
    return parameter(value, unit, doc, **given)


@variables
class Parameters:
    # 60 s over the period of 0.85 s
    heart_rate: Array = _p(60.0 / 0.85, "/min", "heart rate", bounds=(20, 250), quantity="heart_rate")
    blood_volume: Array = _p(
        7.0 / 0.03 + 7.0 * (1.13 + 11.0),
        "mL",
        "volume of the ventricle plus compliance times pressure of the vessels; 7 mm[Hg] everywhere at rest",
    )
    maximal_elastance: Array = _p(1.5, _E, "of the left ventricle")
    minimal_elastance: Array = _p(0.03, _E, "of the left ventricle")
    rise_exponent: Array = _p(1.32, "1", "n1, steepness of the rise of elastance", bounds=(1, 10))
    fall_exponent: Array = _p(21.9, "1", "n2, steepness of the fall of elastance", bounds=(5, 60))
    rise_time: Array = _p(0.303, "1", "tau1, share of the period", bounds=(0.05, 0.9))
    fall_time: Array = _p(0.508, "1", "tau2, share of the period", bounds=(0.1, 0.9))
    aortic_valve_resistance: Array = _p(0.033, _R, "of the open valve, characteristic impedance included")
    mitral_valve_resistance: Array = _p(0.006, _R, "of the open valve")
    systemic_resistance: Array = _p(1.11, _R, "from arteries to veins")
    systemic_arterial_compliance: Array = _p(1.13, _C, "compliance of systemic arteries")
    systemic_venous_compliance: Array = _p(11.0, _C, "compliance of systemic veins")


@variables
class State:
    left_ventricular_volume: Array = variable("mL", "volume of the left ventricle")
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")


@variables
class Inputs:
    infused_volume: Array = variable("mL", "blood added since the start; negative: lost", default=0.0)


@variables
class Signals:
    systemic_arterial_pressure: Array = variable("mm[Hg]", "pressure of systemic arteries")
    systemic_venous_pressure: Array = variable("mm[Hg]", "pressure of systemic veins")
    left_ventricular_pressure: Array = variable("mm[Hg]", "left-ventricular pressure")
    left_ventricular_volume: Array = variable("mL", "left-ventricular volume")
    aortic_valve_flow: Array = variable("mL/s", "flow through the aortic valve")
    mitral_valve_flow: Array = variable("mL/s", "flow through the mitral valve")


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
    stroke_volume: Array = variable("mL", "end-diastolic minus end-systolic", quantity="stroke_volume")
    ejection_fraction: Array = variable("%", "left ventricle", quantity="left_ventricular_ejection_fraction")
    cardiac_output: Array = variable("L/min", "stroke volume times heart rate", quantity="cardiac_output")
    lv_end_diastolic_volume: Array = variable("mL", "largest volume of the left ventricle")
    lv_end_systolic_volume: Array = variable("mL", "smallest volume of the left ventricle")
    lv_end_diastolic_pressure: Array = variable("mm[Hg]", "left-ventricular pressure at ventricular onset")
    peak_left_ventricular_pressure: Array = variable("mm[Hg]", "maximum of the pressure")
    systemic_venous_pressure: Array = variable("mm[Hg]", "time mean")
    peak_aortic_valve_flow: Array = variable("mL/s", "maximum of the flow")
    peak_mitral_valve_flow: Array = variable("mL/s", "maximum of the flow")


@variables
class Drive:
    activation: Array = variable("1", "activation of the ventricle, 0 to 1")


def period(p: Parameters, u: Inputs) -> Array:
    """Period of the cycle, s."""
    return 60.0 / p.heart_rate


def _hill(logarithm: Array, p: Parameters) -> tuple[Array, Array]:
    """``a`` and ``b`` at the logarithm of the time as a share of the period."""
    return (
        jnp.exp(p.rise_exponent * (logarithm - jnp.log(p.rise_time))),
        jnp.exp(p.fall_exponent * (logarithm - jnp.log(p.fall_time))),
    )


def _course(logarithm: Array, p: Parameters) -> Array:
    a, b = _hill(logarithm, p)
    return a / (1.0 + a) / (1.0 + b)


def _peak(p: Parameters) -> Array:
    """Largest value of the Hill functions over the beat, where their logarithmic slopes cancel."""

    def slope(logarithm: Array) -> Array:
        a, b = _hill(logarithm, p)
        return p.rise_exponent / (1.0 + a) - p.fall_exponent * b / (1.0 + b)

    return _course(newton(slope, jnp.log(p.fall_time), _ITERATIONS), p)


def drive(time: Array, p: Parameters, u: Inputs) -> Drive:
    """Activation at ``time`` s after ventricular onset."""
    beat = period(p, u)
    # a remainder is exact where activation jumps, between the end of a beat and the next
    share = jnp.mod(time, beat) / beat
    return Drive(activation=_course(jnp.log(jnp.maximum(share, _EARLIEST)), p) / _peak(p))


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volume and flows."""
    elastance = p.minimal_elastance + (p.maximal_elastance - p.minimal_elastance) * d.activation
    ventricle = elastance * x.left_ventricular_volume
    return Signals(
        systemic_arterial_pressure=x.systemic_arterial_pressure,
        systemic_venous_pressure=x.systemic_venous_pressure,
        left_ventricular_pressure=ventricle,
        left_ventricular_volume=x.left_ventricular_volume,
        aortic_valve_flow=jnp.maximum(ventricle - x.systemic_arterial_pressure, 0.0)
        / p.aortic_valve_resistance,
        mitral_valve_flow=jnp.maximum(x.systemic_venous_pressure - ventricle, 0.0)
        / p.mitral_valve_resistance,
    )


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass balances, per second."""
    now = observe(d, x, p, u)
    runoff = (x.systemic_arterial_pressure - x.systemic_venous_pressure) / p.systemic_resistance
    return State(
        left_ventricular_volume=now.mitral_valve_flow - now.aortic_valve_flow,
        systemic_arterial_pressure=(now.aortic_valve_flow - runoff) / p.systemic_arterial_compliance,
        systemic_venous_pressure=(runoff - now.mitral_valve_flow) / p.systemic_venous_compliance,
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
        lv_end_diastolic_pressure=start.left_ventricular_pressure,
        peak_left_ventricular_pressure=maximum.left_ventricular_pressure,
        systemic_venous_pressure=mean.systemic_venous_pressure,
        peak_aortic_valve_flow=maximum.aortic_valve_flow,
        peak_mitral_valve_flow=maximum.mitral_valve_flow,
    )


def restore(x: State, p: Parameters, u: Inputs) -> State:
    """Put the declared blood volume into the system, by venous pressure."""
    held = (
        x.left_ventricular_volume
        + p.systemic_arterial_compliance * x.systemic_arterial_pressure
        + p.systemic_venous_compliance * x.systemic_venous_pressure
    )
    missing = p.blood_volume + u.infused_volume - held
    venous = x.systemic_venous_pressure + missing / p.systemic_venous_compliance
    return State(x.left_ventricular_volume, x.systemic_arterial_pressure, venous)


def initial(p: Parameters) -> State:
    """The published rest: the same pressure everywhere."""
    passive = 1.0 / p.minimal_elastance
    filling = p.blood_volume / (passive + p.systemic_arterial_compliance + p.systemic_venous_compliance)
    return State(passive * filling, filling, filling)


def weights(p: Parameters) -> State:
    """Changes relative to the blood volume."""
    one = 1.0 / p.blood_volume
    return State(one, p.systemic_arterial_compliance * one, p.systemic_venous_compliance * one)


BJORDALSBAKKE_CIRCULATION = OrganModel(
    name="bjordalsbakke_2022",
    title="One-ventricle loop of Bjørdalsbakke 2022",
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
    cycle=Cycle(period=period, drive=drive, restore=restore, summarise=summarise, weights=weights),
    own_names=True,
    references=(BJORDALSBAKKE_2022, CIRCULATORY_SYSTEM_MODELS),
    notes="No right heart, lungs or atria: veins fill the left ventricle.",
)
