"""Plots of simulations, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from organ_models.model import fields

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vht.sensitivities import Sensitivity
    from vht.simulation import Simulation
    from vht.transient import Transient

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"
_UNITS = {"mm[Hg]": "mmHg", "1": "ratio"}


def plot_simulation(simulation: Simulation, individual: int = 0) -> Figure:
    """One virtual patient: the pressure–volume loop on the first and last day, and the slow course.

    Args:
        simulation: from :func:`vht.simulate`.
        individual: index of the patient.

    Returns:
        A matplotlib figure of up to three panels; panels without a model behind them are left out.
    """
    import matplotlib.pyplot as plt

    panels = []
    if any("left_ventricular_pressure" in fields(m.Signals) for m in simulation.patient.cyclic):
        panels.append(_pressure_volume_loop)
    for quantity in ("sum_of_longest_diameters", "diastolic_blood_pressure"):
        if simulation.patient.output_of(quantity) is not None:
            panels.append(_course(quantity))
    if not panels:
        raise ValueError("no model of this virtual patient has something to plot here; use its outputs")
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.6), layout="constrained")
    for axis, panel in zip(np.atleast_1d(axes), panels, strict=True):
        panel(simulation, individual, axis)
        axis.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure


def plot_sensitivity(
    sensitivity: Sensitivity, output: str, day: float | None = None, individual: int = 0, most: int = 12
) -> Figure:
    """The largest derivatives of one output of one patient, as horizontal bars.

    Args:
        sensitivity: from :func:`vht.sensitivity`.
        output: which output.
        day: which day; the last if absent.
        individual: index of the patient.
        most: how many parameters are shown.
    """
    import matplotlib.pyplot as plt

    column = sensitivity.to_frame(day, individual)[output]
    shown = column.reindex(column.abs().sort_values(ascending=False).index)[:most][::-1]
    figure, axis = plt.subplots(figsize=(6.4, 0.8 + 0.32 * len(shown)), layout="constrained")
    names = [name.partition(".")[2].replace("_", " ") for name in shown.index]
    axis.barh(names, shown.to_numpy(), color=[BLUE if v >= 0 else ORANGE for v in shown])
    axis.axvline(0, color=GREY, linewidth=0.8)
    what = output.partition(".")[2].replace("_", " ")
    axis.set(
        xlabel=f"Change of {what}, " + ("% per %" if sensitivity.relative else "per unit of the parameter")
    )
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    plt.close(figure)
    return figure


def plot_transient(transient: Transient, individual: int = 0) -> Figure:
    """One virtual patient on the clock of seconds: arterial pressure, heart rate and cardiac output by beat.

    Args:
        transient: from :func:`vht.simulate` with ``transient=True``.
        individual: index of the patient.
    """
    import matplotlib.pyplot as plt

    patient, when = transient.patient, transient.times
    shown = [
        (
            "Arterial pressure (mmHg)",
            ("systolic_blood_pressure", "mean_blood_pressure", "diastolic_blood_pressure"),
        ),
        ("Heart rate (/min)", ["heart_rate"]),
        ("Cardiac output (L/min)", ["cardiac_output"]),
    ]
    panels = [
        (label, ports)
        for label, names in shown
        if (ports := [p for q in names if (p := patient.output_of(q))])
    ]
    if not panels:
        raise ValueError("no model of this virtual patient has something to plot here; use its outputs")
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(6.4, 2.1 * len(panels)), layout="constrained", sharex=True
    )
    for axis, (label, ports) in zip(np.atleast_1d(axes), panels, strict=True):
        for port, colour in zip(ports, (BLUE, GREY, ORANGE), strict=False):
            name = port.partition(".")[2].replace("_", " ").split()[0]
            axis.plot(when, transient.outputs[port][:, individual], color=colour, label=name)
        axis.set(ylabel=label)
        axis.spines[["top", "right"]].set_visible(False)
        if len(ports) > 1:
            axis.legend(frameon=False, ncols=len(ports), loc="upper right")
    np.atleast_1d(axes)[-1].set(xlabel="Time (s)")
    plt.close(figure)
    return figure


def _pressure_volume_loop(simulation: Simulation, individual: int, axis: Axes) -> None:
    for day, colour in ((simulation.days[0], GREY), (simulation.days[-1], BLUE)):
        beat = simulation.waveform(day, individual)
        axis.plot(
            beat["left_ventricular_volume"],
            beat["left_ventricular_pressure"],
            color=colour,
            label=f"day {day:g}",
        )
    axis.set(xlabel="Left-ventricular volume (mL)", ylabel="Left-ventricular pressure (mmHg)")
    axis.set_title("Pressure–volume loop", loc="left")
    axis.legend(frameon=False)


def _course(quantity: str):  # type: ignore[no-untyped-def]
    def draw(simulation: Simulation, individual: int, axis: Axes) -> None:
        from vht.quantities import quantity as registered

        port = simulation.patient.output_of(quantity)
        assert port is not None
        named = registered(quantity)
        values = simulation.outputs[port][:, individual]
        axis.plot(simulation.days / 7.0, values, color=ORANGE, marker="o", markersize=3)
        axis.set(xlabel="Week", ylabel=f"{named.label} ({_UNITS.get(named.unit, named.unit)})")
        axis.set_title(named.label, loc="left")

    return draw
