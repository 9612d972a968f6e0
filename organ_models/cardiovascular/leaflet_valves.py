"""The circulation of Shi and Hose 2009 with valves whose leaflets move (Korakianitis and Shi 2006).

A valve lets ``q = CQ A sign(drop) sqrt(|drop|)`` through, ``A = (1 - cos theta)^2 / (1 - cos 75 deg)^2`` of
its leaflets' opening angle: a largest angle below 75 degrees is a stenosis. Pressure drop, friction, flow and
vortices behind the leaflets turn them::

    theta'' = Kp drop cos theta - Kf theta' + Kb q cos theta - Kv max(q, 0) sin 2 theta

between two stops, where they come to rest. A valve leaks backward until its leaflets have closed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

from organ_models.cardiovascular import four_chambers, shi_hose_loop
from organ_models.cardiovascular.four_chambers import Readings
from organ_models.cardiovascular.shi_hose_loop import (
    STEPS,
    Drive,
    Flows,
    Inputs,
    LoopParameters,
    LoopState,
    Outputs,
    root,
)
from organ_models.model import Array, Cycle, OrganModel, parameter, variable, variables
from organ_models.references import CIRCULATORY_SYSTEM_MODELS, KORAKIANITIS_SHI_2006, SHI_HOSE_2009
from organ_models.scenarios import Scenario

VALVES = ("aortic", "mitral", "pulmonary", "tricuspid")

OPEN_FLOW = 1.0
"""Flow above which a valve counts as open, mL/s; closed leaflets leak 0.1 mL/s."""

_WIDE_OPEN = (1.0 - math.cos(math.radians(75.0))) ** 2


def _p(value: float, unit: str, doc: str, bounds: tuple[float, float], **extra: Any) -> Any:
    return parameter(value, unit, doc, source=CIRCULATORY_SYSTEM_MODELS, bounds=bounds, **extra)


def _largest(valve: str) -> Any:
    return _p(75.0, "deg", f"largest opening angle of the {valve} valve", (10, 90), working_unit="rad")


def _vortex(value: float, valve: str) -> Any:
    return _p(value, "rad/s/mL", f"by which vortices close the {valve} valve", (0, 100))


@variables
class Parameters(LoopParameters):
    leaflet_pressure_gain: Array = _p(
        5500.0, "rad/s2/mm[Hg]", "by which a pressure drop turns leaflets", (50, 1e5)
    )
    leaflet_friction: Array = _p(50.0, "/s", "friction of leaflets", (1, 1000))
    leaflet_flow_gain: Array = _p(2.0, "rad/s/mL", "by which flow turns leaflets", (0, 100))
    leaflet_least_angle: Array = _p(
        5.0, "deg", "opening angle of closed leaflets", (1, 9), working_unit="rad"
    )
    aortic_vortex_gain: Array = _vortex(7.0, "aortic")
    mitral_vortex_gain: Array = _vortex(3.5, "mitral")
    pulmonary_vortex_gain: Array = _vortex(3.5, "pulmonary")
    tricuspid_vortex_gain: Array = _vortex(3.5, "tricuspid")
    aortic_largest_angle: Array = _largest("aortic")
    mitral_largest_angle: Array = _largest("mitral")
    pulmonary_largest_angle: Array = _largest("pulmonary")
    tricuspid_largest_angle: Array = _largest("tricuspid")


def _angle(valve: str) -> Any:
    return variable("rad", f"opening angle of the {valve} valve")


def _speed(valve: str) -> Any:
    return variable("rad/s", f"angular velocity of the {valve} valve")


@variables
class State(LoopState):
    aortic_angle: Array = _angle("aortic")
    mitral_angle: Array = _angle("mitral")
    pulmonary_angle: Array = _angle("pulmonary")
    tricuspid_angle: Array = _angle("tricuspid")
    aortic_velocity: Array = _speed("aortic")
    mitral_velocity: Array = _speed("mitral")
    pulmonary_velocity: Array = _speed("pulmonary")
    tricuspid_velocity: Array = _speed("tricuspid")


@variables
class Signals(shi_hose_loop.Signals):
    aortic_angle: Array = _angle("aortic")
    mitral_angle: Array = _angle("mitral")
    pulmonary_angle: Array = _angle("pulmonary")
    tricuspid_angle: Array = _angle("tricuspid")
    aortic_velocity: Array = _speed("aortic")
    mitral_velocity: Array = _speed("mitral")
    pulmonary_velocity: Array = _speed("pulmonary")
    tricuspid_velocity: Array = _speed("tricuspid")


class Valve(NamedTuple):
    """What acts on one valve.

    Attributes:
        drop: pressure drop in the direction of flow, mm[Hg].
        angle, velocity: of the leaflets, rad and rad/s; the angle lies between the stops.
        flow: mL/s.
    """

    drop: Array
    angle: Array
    velocity: Array
    flow: Array


def _between_stops(name: str, angle: Array, p: Parameters) -> Array:
    return jnp.clip(angle, p.leaflet_least_angle, getattr(p, f"{name}_largest_angle"))


def _valves(d: Drive, x: State, p: Parameters, u: Inputs) -> tuple[shi_hose_loop.Chambers, dict[str, Valve]]:
    pressure = shi_hose_loop.chambers(d, x, p)
    drop, limit = shi_hose_loop.drops(pressure, x), shi_hose_loop.laminar(p, u)
    found = {}
    for name, fall in drop._asdict().items():
        # a stage of a step may look beyond a stop, where no leaflet ever is
        angle = _between_stops(name, getattr(x, f"{name}_angle"), p)
        area = (1.0 - jnp.cos(angle)) ** 2 / _WIDE_OPEN
        flow = getattr(p, f"{name}_valve_coefficient") * area * root(fall, getattr(limit, name))
        found[name] = Valve(fall, angle, getattr(x, f"{name}_velocity"), flow)
    return pressure, found


def _flows(valves: dict[str, Valve]) -> Flows:
    return Flows(**{name: valve.flow for name, valve in valves.items()})


def _acceleration(name: str, valve: Valve, p: Parameters) -> Array:
    """Angular acceleration of the leaflets, rad/s2; none into a stop."""
    turning = (
        (p.leaflet_pressure_gain * valve.drop + p.leaflet_flow_gain * valve.flow) * jnp.cos(valve.angle)
        - p.leaflet_friction * valve.velocity
        - getattr(p, f"{name}_vortex_gain") * jnp.maximum(valve.flow, 0.0) * jnp.sin(2.0 * valve.angle)
    )
    open_stop = (valve.angle >= getattr(p, f"{name}_largest_angle")) & (turning > 0.0)
    closed_stop = (valve.angle <= p.leaflet_least_angle) & (turning < 0.0)
    return jnp.where(open_stop | closed_stop, 0.0, turning)


def derivative(d: Drive, x: State, p: Parameters, u: Inputs) -> State:
    """Mass and momentum balances of blood and leaflets, per second."""
    pressure, valves = _valves(d, x, p, u)
    return State(
        **shi_hose_loop.balances(pressure, _flows(valves), x, p),
        **{f"{name}_angle": valve.velocity for name, valve in valves.items()},
        **{f"{name}_velocity": _acceleration(name, valve, p) for name, valve in valves.items()},
    )


def project(x: State, p: Parameters, u: Inputs) -> State:
    """Leaflets that have reached a stop rest there."""
    stopped: dict[str, Array] = {}
    for name in VALVES:
        angle, velocity = getattr(x, f"{name}_angle"), getattr(x, f"{name}_velocity")
        inside = _between_stops(name, angle, p)
        beyond = ((angle >= getattr(p, f"{name}_largest_angle")) & (velocity > 0.0)) | (
            (angle <= p.leaflet_least_angle) & (velocity < 0.0)
        )
        stopped[f"{name}_angle"] = inside
        stopped[f"{name}_velocity"] = jnp.where(beyond, 0.0, velocity)
    return State(**{**vars(x), **stopped})


def observe(d: Drive, x: State, p: Parameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes, flows and leaflet angles."""
    pressure, valves = _valves(d, x, p, u)
    return Signals(
        **shi_hose_loop.shown(pressure, _flows(valves), x),
        **{f"{name}_angle": getattr(x, f"{name}_angle") for name in VALVES},
        **{f"{name}_velocity": getattr(x, f"{name}_velocity") for name in VALVES},
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Inputs
) -> Outputs:
    """What the clinic reads off one beat; cardiac output is what passes the aortic valve, both ways."""
    seen = shi_hose_loop.outputs(maximum, minimum, mean, start, p, u)
    return Outputs(**{**seen, "cardiac_output": 0.06 * mean.aortic_valve_flow})


def initial(p: Parameters) -> State:
    """The published initial values; leaflets are all but closed."""
    like = jnp.zeros_like(p.blood_volume)
    return State(
        **shi_hose_loop.initial(p),
        **{f"{name}_angle": p.leaflet_least_angle + 0.01 for name in VALVES},
        **{f"{name}_velocity": like for name in VALVES},
    )


def weights(p: Parameters) -> State:
    """Changes relative to the blood volume; leaflets count little, they follow pressures at once."""
    like = jnp.ones_like(p.blood_volume)
    return State(
        **shi_hose_loop.weights(p),
        **{f"{name}_angle": 1e-3 * like for name in VALVES},
        **{f"{name}_velocity": 1e-6 * like for name in VALVES},
    )


def read(beat: Any, p: Parameters) -> Readings:
    """Valve events of one periodic beat."""
    return four_chambers.events(beat, OPEN_FLOW)


_BENCHMARK = {"leaflet_flow_gain": 0.0} | {f"{name}_vortex_gain": 3.5 for name in VALVES}

LEAFLET_VALVES_CIRCULATION = OrganModel(
    name="shi_hose_2009_leaflet_valves",
    title="Circulation of Shi and Hose 2009 with leaflet valves",
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
        period=shi_hose_loop.period,
        drive=shi_hose_loop.drive,
        restore=shi_hose_loop.restore,
        summarise=summarise,
        weights=weights,
        steps=STEPS,
        watched_steps=STEPS,
        Readings=Readings,
        read=read,
    ),
    own_names=True,
    references=(SHI_HOSE_2009, KORAKIANITIS_SHI_2006, CIRCULATORY_SYSTEM_MODELS),
    notes=(
        "A regression fixture, not a healthy template: over-filled like the circulation with orifice valves."
    ),
    scenarios=(
        Scenario(
            "leaflet_benchmark",
            "leaflets that flow does not open, the same vortices at all valves",
            parameters=_BENCHMARK,
            source=CIRCULATORY_SYSTEM_MODELS,
        ),
        Scenario(
            "av_stenosis_40",
            "aortic stenosis: leaflets of the benchmark that open to 40 degrees at the aortic valve",
            parameters={**_BENCHMARK, "aortic_largest_angle": 40.0},
            source=CIRCULATORY_SYSTEM_MODELS,
        ),
    ),
)
