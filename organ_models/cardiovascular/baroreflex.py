"""The carotid baroreflex of Ursino 1998, as a controller.

Afferent: the pressure, passed through a lead-lag filter, sets the firing of the baroreceptors by a sigmoid.
Efferent: sympathetic activity falls and vagal activity rises with it. Effectors follow, each after its delay
and with its own time constant: ventricular elastance, two peripheral resistances, two unstressed venous
volumes, and the heart period by both nerves.

Beside the absolute values of the source, the outputs are ratios to a neutral state, with which the reflex can
regulate another circulation: coupled so, it changes nothing as long as that circulation shows the pressure
that the neutral state belongs to. :func:`vht.reflex.adapt` finds the neutral state of a patient.

The derivative of the pressure in the filter is not taken: with ``P~ = w + (tau_z / tau_p) P`` the filter
``tau_p dP~/dt = P + tau_z dP/dt - P~`` is ``tau_p dw/dt = P - P~``.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, Delay, OrganModel, parameter, variable, variables
from organ_models.references import URSINO_1998

_RATE, _R, _E = "/s", "mm[Hg].s/mL", "mm[Hg]/mL"


def _p(value: float, unit: str, doc: str, bounds: tuple[float, float], **extra: Any) -> Any:
    return parameter(value, unit, doc, source=URSINO_1998, bounds=bounds, **extra)


def _neutral(value: float, unit: str, doc: str, bounds: tuple[float, float]) -> Any:
    return _p(
        value,
        unit,
        f"{doc} in the neutral state; the default is the source's rest",
        bounds,
        certainty="derived",
    )


@variables
class Parameters:
    set_point: Array = _p(92.0, "mm[Hg]", "pressure in the middle of the receptors' sigmoid", (20, 250))
    receptor_slope: Array = _p(11.758, "mm[Hg]", "pressure over which the sigmoid rises", (1, 100))
    receptor_lag: Array = _p(2.076, "s", "time constant of the filter's pole", (0.1, 60))
    receptor_lead: Array = _p(6.37, "s", "time constant of the filter's zero", (0, 60))
    lowest_receptor_rate: Array = _p(2.52, _RATE, "firing at the lowest pressure", (0, 100))
    highest_receptor_rate: Array = _p(47.78, _RATE, "firing at the highest pressure", (1, 200))
    sympathetic_floor: Array = _p(2.10, _RATE, "sympathetic activity at endless receptor firing", (0, 50))
    sympathetic_ceiling: Array = _p(16.11, _RATE, "sympathetic activity without receptor firing", (1, 100))
    sympathetic_threshold: Array = _p(2.66, _RATE, "activity below which effectors do not answer", (0, 50))
    sympathetic_decay: Array = _p(0.0675, "s", "by which receptor firing lowers sympathetic activity", (0, 1))
    vagal_floor: Array = _p(3.2, _RATE, "vagal activity at the lowest receptor firing", (0, 50))
    vagal_ceiling: Array = _p(6.3, _RATE, "vagal activity at the highest receptor firing", (0, 50))
    vagal_centre: Array = _p(25.0, _RATE, "receptor firing in the middle of the vagal sigmoid", (0, 100))
    vagal_slope: Array = _p(7.06, _RATE, "receptor firing over which the vagal sigmoid rises", (0.1, 100))
    sympathetic_delay: Array = _p(2.0, "s", "to heart and resistance vessels", (0.01, 20))
    venous_delay: Array = _p(5.0, "s", "sympathetic, to the veins", (0.01, 20))
    vagal_delay: Array = _p(0.2, "s", "to the sinus node", (0.01, 20))
    left_elastance_least: Array = _p(2.392, _E, "end-systolic elastance without drive", (0, 20))
    left_elastance_gain: Array = _p(0.475, _E, "by the logarithm of sympathetic activity", (0, 10))
    right_elastance_least: Array = _p(1.412, _E, "end-systolic elastance without drive", (0, 20))
    right_elastance_gain: Array = _p(0.282, _E, "by the logarithm of sympathetic activity", (0, 10))
    elastance_time: Array = _p(8.0, "s", "time constant of both elastances", (0.1, 100))
    splanchnic_resistance_least: Array = _p(2.49, _R, "resistance without drive", (0, 50))
    splanchnic_resistance_gain: Array = _p(0.695, _R, "by the logarithm of sympathetic activity", (0, 10))
    other_resistance_least: Array = _p(0.78, _R, "extrasplanchnic resistance without drive", (0, 50))
    other_resistance_gain: Array = _p(0.53, _R, "by the logarithm of sympathetic activity", (0, 10))
    resistance_time: Array = _p(6.0, "s", "time constant of both resistances", (0.1, 100))
    splanchnic_volume_most: Array = _p(1435.4, "mL", "unstressed venous volume without drive", (0, 5000))
    splanchnic_volume_gain: Array = _p(-265.4, "mL", "by the logarithm of sympathetic activity", (-2000, 0))
    other_volume_most: Array = _p(1537.0, "mL", "extrasplanchnic, without drive", (0, 5000))
    other_volume_gain: Array = _p(-132.5, "mL", "by the logarithm of sympathetic activity", (-2000, 0))
    volume_time: Array = _p(20.0, "s", "time constant of both volumes", (0.1, 200))
    heart_period_least: Array = _p(0.58, "s", "period without either nerve", (0.1, 3))
    sympathetic_period_gain: Array = _p(-0.13, "s", "by the logarithm of sympathetic activity", (-2, 0))
    sympathetic_period_time: Array = _p(2.0, "s", "time constant of the sympathetic part", (0.1, 60))
    vagal_period_gain: Array = _p(0.09, "s2", "by vagal activity", (0, 2))
    vagal_period_time: Array = _p(1.5, "s", "time constant of the vagal part", (0.1, 60))
    neutral_elastance: Array = _neutral(2.954, _E, "left-ventricular elastance", (0.1, 20))
    neutral_resistance: Array = _neutral(0.9875, _R, "both peripheral resistances in parallel", (0.01, 20))
    neutral_volume: Array = _neutral(2501.8, "mL", "unstressed venous volume", (0, 9000))
    neutral_heart_rate: Array = _neutral(70.9, "/min", "heart rate", (20, 300))


@variables
class State:
    filtered: Array = variable("mm[Hg]", "slow part of the filtered pressure")
    left_elastance: Array = variable("mm[Hg]/mL", "sympathetic part of left elastance")
    right_elastance: Array = variable("mm[Hg]/mL", "sympathetic part of right elastance")
    splanchnic_resistance: Array = variable("mm[Hg].s/mL", "sympathetic part of the resistance")
    other_resistance: Array = variable("mm[Hg].s/mL", "sympathetic part of the resistance")
    splanchnic_volume: Array = variable("mL", "sympathetic part of the unstressed volume")
    other_volume: Array = variable("mL", "sympathetic part of the unstressed volume")
    sympathetic_period: Array = variable("s", "sympathetic part of the heart period")
    vagal_period: Array = variable("s", "vagal part of the heart period")


@variables
class Inputs:
    pressure: Array = variable("mm[Hg]", "pressure in the carotid sinus", default=100.3)
    sympathetic_drive: Array = variable(
        "1", "multiplies sympathetic activity (denervation)", default=1.0, bounds=(0, 10)
    )
    set_point_shift: Array = variable("mm[Hg]", "added to the set point (resetting)", default=0.0)
    cardiac_sympathetic_ratio: Array = variable(
        "1",
        "multiplies what sympathetic activity does to the heart (beta-blockade)",
        default=1.0,
        bounds=(0, 10),
    )
    delayed_sympathetic: Array = variable("1/s", "activity that arrives at heart and arterioles", default=5.9)
    delayed_venous: Array = variable("1/s", "activity that arrives at the veins", default=5.9)
    delayed_vagal: Array = variable("1/s", "vagal activity that arrives", default=4.8)


@variables
class Outputs:
    heart_rate_ratio: Array = variable("1", "heart rate over that of the neutral state")
    contractility_ratio: Array = variable("1", "left elastance over that of the neutral state")
    systemic_resistance_ratio: Array = variable("1", "peripheral resistance over that of the neutral state")
    recruited_volume: Array = variable("mL", "venous volume put under pressure beyond the neutral state")
    sympathetic_activity: Array = variable("1/s", "of the efferent nerve")
    vagal_activity: Array = variable("1/s", "of the efferent nerve")
    receptor_rate: Array = variable("1/s", "firing of the baroreceptors")
    left_ventricular_elastance: Array = variable("mm[Hg]/mL", "end-systolic")
    right_ventricular_elastance: Array = variable("mm[Hg]/mL", "end-systolic")
    splanchnic_resistance: Array = variable("mm[Hg].s/mL", "splanchnic peripheral resistance")
    other_resistance: Array = variable("mm[Hg].s/mL", "extrasplanchnic peripheral resistance")
    splanchnic_volume: Array = variable("mL", "splanchnic unstressed venous volume")
    other_volume: Array = variable("mL", "extrasplanchnic unstressed venous volume")
    heart_period: Array = variable("s", "period of the heart")


def _heard(x: State, p: Parameters, u: Inputs) -> Array:
    return x.filtered + (p.receptor_lead / p.receptor_lag) * u.pressure


def _sigmoid(z: Array) -> Array:
    return 1.0 / (1.0 + jnp.exp(-jnp.clip(z, -60.0, 60.0)))


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Filter and effectors, per second."""

    def answer(activity: Array) -> Array:
        return jnp.log(jnp.maximum(activity - p.sympathetic_threshold, 0.0) + 1.0)

    vessels, veins = answer(u.delayed_sympathetic), answer(u.delayed_venous)
    heart = u.cardiac_sympathetic_ratio * vessels
    return State(
        filtered=(u.pressure - _heard(x, p, u)) / p.receptor_lag,
        left_elastance=(p.left_elastance_gain * heart - x.left_elastance) / p.elastance_time,
        right_elastance=(p.right_elastance_gain * heart - x.right_elastance) / p.elastance_time,
        splanchnic_resistance=(p.splanchnic_resistance_gain * vessels - x.splanchnic_resistance)
        / p.resistance_time,
        other_resistance=(p.other_resistance_gain * vessels - x.other_resistance) / p.resistance_time,
        splanchnic_volume=(p.splanchnic_volume_gain * veins - x.splanchnic_volume) / p.volume_time,
        other_volume=(p.other_volume_gain * veins - x.other_volume) / p.volume_time,
        sympathetic_period=(p.sympathetic_period_gain * heart - x.sympathetic_period)
        / p.sympathetic_period_time,
        vagal_period=(p.vagal_period_gain * u.delayed_vagal - x.vagal_period) / p.vagal_period_time,
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    """Nerves at this instant, and effectors."""
    receptor = p.lowest_receptor_rate + (p.highest_receptor_rate - p.lowest_receptor_rate) * _sigmoid(
        (_heard(x, p, u) - p.set_point - u.set_point_shift) / p.receptor_slope
    )
    span = p.sympathetic_ceiling - p.sympathetic_floor
    sympathetic = p.sympathetic_floor + span * jnp.exp(-p.sympathetic_decay * receptor)
    vagal = p.vagal_floor + (p.vagal_ceiling - p.vagal_floor) * _sigmoid(
        (receptor - p.vagal_centre) / p.vagal_slope
    )
    left = p.left_elastance_least + x.left_elastance
    splanchnic = p.splanchnic_resistance_least + x.splanchnic_resistance
    other = p.other_resistance_least + x.other_resistance
    volumes = p.splanchnic_volume_most + x.splanchnic_volume, p.other_volume_most + x.other_volume
    period = p.heart_period_least + x.sympathetic_period + x.vagal_period
    return Outputs(
        heart_rate_ratio=60.0 / period / p.neutral_heart_rate,
        contractility_ratio=left / p.neutral_elastance,
        systemic_resistance_ratio=splanchnic * other / (splanchnic + other) / p.neutral_resistance,
        recruited_volume=p.neutral_volume - volumes[0] - volumes[1],
        sympathetic_activity=sympathetic * u.sympathetic_drive,
        vagal_activity=vagal,
        receptor_rate=receptor,
        left_ventricular_elastance=left,
        right_ventricular_elastance=p.right_elastance_least + x.right_elastance,
        splanchnic_resistance=splanchnic,
        other_resistance=other,
        splanchnic_volume=volumes[0],
        other_volume=volumes[1],
        heart_period=period,
    )


def initial(p: Parameters) -> State:
    """Rest of the source: the values that its own simulation starts from."""
    like = jnp.zeros_like(p.set_point)
    start = (0.558, 0.338, 0.817, 0.627, -314.4, -162.0, -0.169, 0.432)
    return State(p.set_point * (1.0 - p.receptor_lead / p.receptor_lag), *(v + like for v in start))


BAROREFLEX = OrganModel(
    name="baroreflex",
    title="Carotid baroreflex (Ursino 1998)",
    version="1.1",
    clock="s",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    delays={
        "delayed_sympathetic": Delay(of="sympathetic_activity", by="sympathetic_delay"),
        "delayed_venous": Delay(of="sympathetic_activity", by="venous_delay"),
        "delayed_vagal": Delay(of="vagal_activity", by="vagal_delay"),
    },
    neutral={
        "heart_rate_ratio": "neutral_heart_rate",
        "contractility_ratio": "neutral_elastance",
        "systemic_resistance_ratio": "neutral_resistance",
        "recruited_volume": "neutral_volume",
    },
    references=(URSINO_1998,),
    notes=(
        "No cardiopulmonary receptors, no chemoreflex, no local autoregulation, no resetting on its own: a "
        "sustained change of pressure is resisted for ever unless the set point is moved."
    ),
)
