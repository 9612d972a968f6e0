"""The cardiovascular twin: the 12-state circulation with valves that can be diseased, pericardium, septum and
an assist device.

Everything that is added here is neutral by default, so that a healthy heart is the same as in
:mod:`~organ_models.cardiovascular.closed_loop` (which runs about three times faster):

* valves are orifices in series with their viscous resistance, with an effective area and a leak
  (:mod:`~organ_models.cardiovascular.valves`);
* the ventricles lie in a pericardium with the exponential law of Smith et al. 2004;
* the septum gives way to the difference of the ventricles' pressures by a compliance;
* a left-ventricular assist device follows a curve of flow against head
  (:mod:`~organ_models.cardiovascular.assist_device`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from organ_models.cardiovascular import closed_loop, closed_loop_equations, closed_loop_variables
from organ_models.cardiovascular.closed_loop_equations import Chambers, Structure, Valves
from organ_models.cardiovascular.closed_loop_variables import Drive, State
from organ_models.cardiovascular.valves import ORIFICE, orifice
from organ_models.model import Array, parameter, variable, variables
from organ_models.references import BONNEMAIN_2021, GORLIN_1951, SMITH_2004

_NO_LOSS = 1000.0
"""An orifice area, cm2, so large that it loses no pressure."""


def _area(doc: str, default: float) -> Any:
    return parameter(default, "cm2", doc, source=GORLIN_1951, bounds=(0.0, _NO_LOSS), certainty="assumption")


def _pump(unit: str, doc: str) -> Any:
    return parameter(0.0, unit, doc, source=BONNEMAIN_2021, bounds=(-1e7, 1e7))


@variables
class Parameters(closed_loop_variables.Parameters):
    aortic_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    mitral_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    tricuspid_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    pulmonary_valve_area: Array = _area("effective orifice area; the default loses nothing", _NO_LOSS)
    aortic_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    mitral_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    tricuspid_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    pulmonary_regurgitant_area: Array = _area("effective regurgitant orifice area", 0.0)
    pericardial_pressure_scale: Array = parameter(
        0.0,
        "mm[Hg]",
        "scale of the pericardium's exponential law; 0 leaves it open",
        source=SMITH_2004,
        bounds=(0, 50),
    )
    pericardial_stiffness: Array = parameter(
        0.03, "/mL", "exponent of the pericardium's law", source=SMITH_2004, bounds=(0, 0.2)
    )
    pericardial_unstressed_volume: Array = parameter(
        200.0,
        "mL",
        "volume of both ventricles at which the pericardium begins to press",
        source=SMITH_2004,
        bounds=(50, 1000),
    )
    septal_compliance: Array = parameter(
        0.0,
        "mL/mm[Hg]",
        "volume that the septum yields to a pressure difference; 0 is a stiff septum",
        source=SMITH_2004,
        bounds=(0, 5),
        certainty="assumption",
    )
    assist_quadratic: Array = _pump("mL/s/mm[Hg]2", "assist device: flow per head squared")
    assist_linear: Array = _pump("mL/s/mm[Hg]", "assist device: flow per head")
    assist_constant: Array = _pump("mL/s", "assist device: flow at no head")
    assist_lowest_head: Array = _pump("mm[Hg]", "assist device: the curve is flat below this head")
    assist_highest_head: Array = _pump("mm[Hg]", "assist device: the curve is flat above this head")
    assist_lowest_flow: Array = _pump("mL/s", "assist device: smallest flow")
    assist_highest_flow: Array = _pump("mL/s", "assist device: largest flow")


Inputs = closed_loop_variables.Inputs


@variables
class Signals(closed_loop_variables.Signals):
    assist_flow: Array = variable("mL/s", "flow of the assist device into the aorta")
    aortic_valve_open: Array = variable("1", "1 while flow goes forward through the valve")
    mitral_valve_open: Array = variable("1", "1 while flow goes forward through the valve")
    aortic_gradient: Array = variable("mm[Hg]", "ventricular less aortic pressure while the valve is open")
    mitral_gradient: Array = variable("mm[Hg]", "atrial less ventricular pressure while the valve is open")
    aortic_backflow: Array = variable("mL/s", "flow from the aorta into the left ventricle")
    mitral_backflow: Array = variable("mL/s", "flow from the left ventricle into the atrium")


@variables
class Outputs(closed_loop_variables.Outputs):
    pressure_form_factor: Array = variable("1", "(mean less diastolic) over pulse pressure")
    peak_aortic_gradient: Array = variable("mm[Hg]", "largest drop across the aortic valve")
    mean_aortic_gradient: Array = variable("mm[Hg]", "drop across the aortic valve, mean while it is open")
    mean_mitral_gradient: Array = variable("mm[Hg]", "drop across the mitral valve, mean while it is open")
    aortic_valve_area_by_flow: Array = variable(
        "cm2", "area that the clinic computes from mean flow and mean gradient"
    )
    aortic_regurgitant_fraction: Array = variable("%", "backward over forward volume of the aortic valve")
    mitral_regurgitant_volume: Array = variable("mL", "backward volume of the mitral valve a beat")
    mitral_regurgitant_fraction: Array = variable("%", "backward over forward volume of the mitral valve")
    assist_output: Array = variable("L/min", "mean flow of the assist device")
    total_output: Array = variable("L/min", "net flow into the aorta: valve and device")


def pressures(d: Drive, x: State, p: Parameters, u: Any) -> Chambers:
    """Pressures of ventricles that share a septum and a pericardium, mm[Hg].

    The septum bulges by ``compliance * (left - right pressure)``; with linear elastances that has a closed
    form. The pericardium presses on both ventricles with ``scale * (exp(stiffness * (V - V0)) - 1)``, where V is
    the volume of both (Smith et al. 2004), as on the heart of that model, whose atria lie outside.
    """
    free = closed_loop_equations.elastic_pressures(d, x, p, u)
    elastance = closed_loop_equations.elastances(d, p, u)
    yields = p.septal_compliance
    bulge = (
        yields
        * (free.left_ventricular - free.right_ventricular)
        / (1.0 + yields * (elastance.left_ventricular + elastance.right_ventricular))
    )
    beyond = x.left_ventricular_volume + x.right_ventricular_volume - p.pericardial_unstressed_volume
    around = p.pericardial_pressure_scale * (jnp.exp(p.pericardial_stiffness * beyond) - 1.0)
    return free._replace(
        left_ventricular=free.left_ventricular - elastance.left_ventricular * bulge + around,
        right_ventricular=free.right_ventricular + elastance.right_ventricular * bulge + around,
    )


def valves(drops: Valves, p: Parameters) -> Valves:
    """Flow through orifices; the aortic one stands in series with the characteristic impedance."""
    forward, backward = p.valve_forward_resistance, p.valve_backward_resistance
    root = p.aortic_characteristic_impedance
    return Valves(
        orifice(drops.mitral, forward, backward, p.mitral_valve_area, p.mitral_regurgitant_area),
        orifice(
            drops.aortic, forward + root, backward + root, p.aortic_valve_area, p.aortic_regurgitant_area
        ),
        orifice(drops.tricuspid, forward, backward, p.tricuspid_valve_area, p.tricuspid_regurgitant_area),
        orifice(drops.pulmonary, forward, backward, p.pulmonary_valve_area, p.pulmonary_regurgitant_area),
    )


def assist(head: Array, p: Parameters) -> Array:
    """Flow of an assist device at a head, mL/s."""
    held = jnp.clip(head, p.assist_lowest_head, p.assist_highest_head)
    flow = (p.assist_quadratic * held + p.assist_linear) * held + p.assist_constant
    return jnp.clip(flow, p.assist_lowest_flow, p.assist_highest_flow)


STRUCTURE = Structure(pressures, valves, assist)


def observe(d: Drive, x: State, p: Parameters, u: Any) -> Signals:
    """What the circulation shows, and what is seen at its valves and its device."""
    seen = closed_loop_equations.observe(STRUCTURE, d, x, p, u)
    aortic_open = jnp.where(seen.aortic_valve_flow > 0.0, 1.0, 0.0)
    mitral_open = jnp.where(seen.mitral_valve_flow > 0.0, 1.0, 0.0)
    return Signals(
        **vars(seen),
        assist_flow=assist(x.systemic_arterial_pressure - seen.left_ventricular_pressure, p),
        aortic_valve_open=aortic_open,
        mitral_valve_open=mitral_open,
        aortic_gradient=aortic_open * (seen.left_ventricular_pressure - seen.systemic_arterial_pressure),
        mitral_gradient=mitral_open * (seen.left_atrial_pressure - seen.left_ventricular_pressure),
        aortic_backflow=jnp.maximum(-seen.aortic_valve_flow, 0.0),
        mitral_backflow=jnp.maximum(-seen.mitral_valve_flow, 0.0),
    )


def summarise(
    maximum: Signals, minimum: Signals, mean: Signals, start: Signals, p: Parameters, u: Any
) -> Outputs:
    """What the clinic reads off one beat.

    Stroke volume is what the ventricle loses; with a leak or a device that is not what reaches the body, which
    ``total_output`` is. Gradients are means over the time in which flow goes forward; a valve that never opens
    shows none.
    """
    read = closed_loop.summarise(maximum, minimum, mean, start, p, u)
    beat = closed_loop_equations.period(p, u)
    pulse = read.systolic_pressure - read.diastolic_pressure
    aortic_gradient = _while_open(mean.aortic_gradient, mean.aortic_valve_open)
    aortic_forward = mean.aortic_valve_flow + mean.aortic_backflow
    mitral_forward = mean.mitral_valve_flow + mean.mitral_backflow
    velocity = ORIFICE * jnp.sqrt(jnp.maximum(aortic_gradient, _TINY))
    return Outputs(
        **vars(read),
        pressure_form_factor=(read.mean_pressure - read.diastolic_pressure) / pulse,
        peak_aortic_gradient=maximum.aortic_gradient,
        mean_aortic_gradient=aortic_gradient,
        mean_mitral_gradient=_while_open(mean.mitral_gradient, mean.mitral_valve_open),
        aortic_valve_area_by_flow=_while_open(aortic_forward, mean.aortic_valve_open) / velocity,
        aortic_regurgitant_fraction=_share(mean.aortic_backflow, aortic_forward),
        mitral_regurgitant_volume=mean.mitral_backflow * beat,
        mitral_regurgitant_fraction=_share(mean.mitral_backflow, mitral_forward),
        assist_output=0.06 * mean.assist_flow,
        total_output=0.06 * (mean.aortic_valve_flow + mean.assist_flow),
    )


_TINY = 1e-9


def _while_open(mean: Array, share: Array) -> Array:
    """A mean over the whole beat as a mean over the open share of it."""
    return jnp.where(share > 0.0, mean / jnp.maximum(share, _TINY), 0.0)


def _share(backward: Array, forward: Array) -> Array:
    return 100.0 * backward / jnp.maximum(forward, _TINY)
