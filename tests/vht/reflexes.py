"""Toy controllers for tests of the clock of seconds; their numbers are made up."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.model import Array, Delay, OrganModel, Reference, parameter, variable, variables
from vht import Coupling, VirtualPatient

TEST = Reference("test", "made for tests")
LOOP = "closed_loop_circulation"


@variables
class Parameters:
    gain: Array = parameter(2.0, "1", "steepness", source=TEST, bounds=(0, 100))
    set_point: Array = parameter(95.0, "mm[Hg]", "pressure it defends", source=TEST, bounds=(20, 200))
    time_constant: Array = parameter(6.0, "s", "of the effector", source=TEST, bounds=(0.1, 100))
    delay: Array = parameter(2.0, "s", "of the nerve", source=TEST, bounds=(0, 20))


@variables
class State:
    heard: Array = variable("mm[Hg]", "filtered pressure")
    tone: Array = variable("1", "of the vessels")


@variables
class Inputs:
    pressure: Array = variable("mm[Hg]", "that is heard", default=95.0)
    delayed_drive: Array = variable("1", "drive that arrives", default=0.0)


@variables
class Outputs:
    resistance_ratio: Array = variable("1", "resistance over neutral")
    heart_rate_ratio: Array = variable("1", "rate over neutral")
    drive: Array = variable("1", "that is sent")


def reflex(**changes: Any) -> OrganModel:
    """A saturating reflex: less pressure, more drive, later more resistance and heart rate."""
    given = {
        "name": "reflex",
        "title": "toy reflex",
        "version": "1",
        "clock": "s",
        "Parameters": Parameters,
        "State": State,
        "Inputs": Inputs,
        "Outputs": Outputs,
        "initial": lambda p: State(heard=p.set_point, tone=0.0 * p.gain),
        "derivative": lambda t, x, p, u: State(
            heard=(u.pressure - x.heard) / 1.0, tone=(u.delayed_drive - x.tone) / p.time_constant
        ),
        "observe": lambda t, x, p, u: Outputs(
            resistance_ratio=jnp.exp(0.8 * x.tone),
            heart_rate_ratio=jnp.exp(0.4 * x.tone),
            drive=jnp.tanh(p.gain * (p.set_point - x.heard) / p.set_point),
        ),
        "delays": {"delayed_drive": Delay(of="drive", by="delay")},
        "references": (TEST,),
    }
    return OrganModel(**{**given, **changes})


def regulated(**changes: Any) -> VirtualPatient:
    """The circulation with the toy reflex."""
    return VirtualPatient(
        [LOOP, reflex(**changes)],
        [
            Coupling(f"{LOOP}.systemic_arterial_pressure", "reflex.pressure"),
            Coupling("reflex.resistance_ratio", f"{LOOP}.systemic_resistance_ratio"),
            Coupling("reflex.heart_rate_ratio", f"{LOOP}.heart_rate_ratio"),
        ],
    )


@variables
class Level:
    level: Array = variable("1", "level")


@variables
class Past:
    delayed: Array = variable("1", "level a delay ago", default=0.0)


def lag() -> OrganModel:
    """x' = -gain x(t - delay), x = 1 before."""
    return reflex(
        name="lag",
        State=Level,
        Inputs=Past,
        Outputs=Level,
        initial=lambda p: Level(level=1.0 + 0.0 * p.gain),
        derivative=lambda t, x, p, u: Level(level=-p.gain * u.delayed),
        observe=lambda t, x, p, u: Level(level=x.level),
        delays={"delayed": Delay(of="level", by="delay")},
    )


def with_lag() -> VirtualPatient:
    """A delayed loop beside the circulation, wired to nothing."""
    return VirtualPatient([LOOP, lag()])
