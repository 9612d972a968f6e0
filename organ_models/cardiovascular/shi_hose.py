"""The circulation of Shi and Hose 2009 with orifice valves: ``q = CQ sqrt(drop)`` forward, no flow backward.

The root makes the model stiff: while a valve closes, the small compliance of the sinus follows the ventricle
at up to 5e4 /s, which takes 20000 steps a beat
(:func:`~organ_models.cardiovascular.shi_hose_loop.laminar`).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from organ_models.cardiovascular import four_chambers, shi_hose_loop
from organ_models.cardiovascular.four_chambers import Readings
from organ_models.cardiovascular.shi_hose_loop import (
    STEPS,
    Chambers,
    Drive,
    Flows,
    Inputs,
    LoopParameters,
    LoopState,
    Outputs,
    Signals,
    root,
)
from organ_models.model import Array, Cycle, OrganModel
from organ_models.references import KORAKIANITIS_SHI_2006, SHI_HOSE_2009
from organ_models.validation.shi_hose import CHECKS

OPEN_FLOW = 1e-3
"""Flow above which a valve counts as open, mL/s."""


def orifice(coefficient: Array, drop: Array, limit: Array) -> Array:
    """Flow (mL/s) through an orifice valve at a pressure drop (mm[Hg]) in the direction of flow."""
    return coefficient * root(jnp.maximum(drop, 0.0), limit)


def _now(d: Drive, x: LoopState, p: LoopParameters, u: Inputs) -> tuple[Chambers, Flows]:
    pressure = shi_hose_loop.chambers(d, x, p)
    drop, limit = shi_hose_loop.drops(pressure, x), shi_hose_loop.laminar(p, u)
    return pressure, Flows(
        aortic=orifice(p.aortic_valve_coefficient, drop.aortic, limit.aortic),
        mitral=orifice(p.mitral_valve_coefficient, drop.mitral, limit.mitral),
        pulmonary=orifice(p.pulmonary_valve_coefficient, drop.pulmonary, limit.pulmonary),
        tricuspid=orifice(p.tricuspid_valve_coefficient, drop.tricuspid, limit.tricuspid),
    )


def derivative(d: Drive, x: LoopState, p: LoopParameters, u: Inputs) -> LoopState:
    """Mass and momentum balances, per second."""
    return LoopState(**shi_hose_loop.balances(*_now(d, x, p, u), x, p))


def observe(d: Drive, x: LoopState, p: LoopParameters, u: Inputs) -> Signals:
    """Instantaneous pressures, volumes and flows."""
    return Signals(**shi_hose_loop.shown(*_now(d, x, p, u), x))


def initial(p: LoopParameters) -> LoopState:
    """The published initial values."""
    return LoopState(**shi_hose_loop.initial(p))


def weights(p: LoopParameters) -> LoopState:
    """Changes relative to the blood volume."""
    return LoopState(**shi_hose_loop.weights(p))


def read(beat: Any, p: LoopParameters) -> Readings:
    """Valve events of one periodic beat."""
    return four_chambers.events(beat, OPEN_FLOW)


SHI_HOSE_CIRCULATION = OrganModel(
    name="shi_hose_2009",
    title="Circulation of Shi and Hose 2009 with orifice valves",
    version="1.0",
    clock="s",
    Parameters=LoopParameters,
    State=LoopState,
    Inputs=Inputs,
    Signals=Signals,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    cycle=Cycle(
        period=shi_hose_loop.period,
        drive=shi_hose_loop.drive,
        restore=shi_hose_loop.restore,
        summarise=shi_hose_loop.summarise,
        weights=weights,
        steps=STEPS,
        watched_steps=STEPS,
        Readings=Readings,
        read=read,
    ),
    own_names=True,
    references=(SHI_HOSE_2009, KORAKIANITIS_SHI_2006),
    notes=(
        "A regression fixture, not a healthy template: over-filled (left-atrial pressure 12.8, right-atrial "
        "11.2, pulmonary artery 48/32 mm[Hg])."
    ),
    checks=CHECKS,
)
