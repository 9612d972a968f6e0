"""The Wiggers diagram and the pressure–volume loop, of one virtual patient or of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from organ_models.model import fields, take
from organ_models.solvers import waveforms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vht.simulation import Simulation

BLUE, ORANGE, GREY, GREEN, PURPLE = "#0072b2", "#d55e00", "#666666", "#009e73", "#cc79a7"
_FAN = 200  # patients of a cohort whose beats are drawn into a fan
_PRESSURES = (
    ("left_ventricular_pressure", "left ventricle", BLUE),
    ("systemic_arterial_pressure", "aorta", ORANGE),
    ("left_atrial_pressure", "left atrium", GREEN),
)
_FLOWS = (("aortic_valve_flow", "aortic valve", ORANGE), ("mitral_valve_flow", "mitral valve", GREEN))
_VOLUMES = (("left_ventricular_volume", "left ventricle", BLUE), ("left_atrial_volume", "left atrium", GREEN))


def plot_wiggers(simulation: Simulation, individual: int | None = 0, *, day: float | None = None) -> Figure:
    """Pressures, flows and volumes of the left heart over one beat, with the events of its valves.

    Args:
        simulation: from :func:`vht.simulate`, with a circulation.
        individual: index of the patient; None for the cohort: the median of its beats at each phase, with the
            band that holds the middle 80 %.
        day: reporting day; the last if absent.
    """
    import matplotlib.pyplot as plt

    beat = _beats(simulation, individual, day)
    time, unit = (beat["time"][:, 0], "s") if individual is not None else (_phase(beat), "share of the beat")
    figure, axes = plt.subplots(
        3, 1, figsize=(6.4, 7.2), layout="constrained", sharex=True, height_ratios=(3, 2, 2)
    )
    panels = (
        ("Pressure (mmHg)", _PRESSURES),
        ("Flow (mL/s)", _FLOWS),
        ("Volume (mL)", _VOLUMES),
    )
    for axis, (label, lines) in zip(axes, panels, strict=True):
        for name, title, colour in lines:
            _line(axis, time, beat[name], title, colour)
        axis.set(ylabel=label)
        axis.spines[["top", "right"]].set_visible(False)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.22 * (high - low))  # room for the legend
        axis.legend(frameon=False, ncols=3, loc="upper right")
    if individual is not None:
        _events(simulation, individual, beat, axes)
    axes[-1].set(xlabel=f"Time from the onset of ventricular contraction ({unit})", xlim=(0, time[-1]))
    plt.close(figure)
    return figure


def plot_pressure_volume(
    simulation: Simulation,
    individual: int | Sequence[int] | None = 0,
    *,
    days: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Pressure–volume loops of the left ventricle.

    Args:
        simulation: from :func:`vht.simulate`, with a circulation.
        individual: index of the patient; several, whose loops of one day are drawn beside each other; None
            draws the loops of the cohort faintly, and the median patient's.
        days: reporting days; the first and the last if absent. Several patients are drawn on the last of
            them.
        labels: names of several patients, in their order.
    """
    import matplotlib.pyplot as plt

    shown = list(dict.fromkeys(days if days is not None else (simulation.days[0], simulation.days[-1])))
    several = [] if individual is None or np.ndim(individual) == 0 else list(np.asarray(individual))
    if labels is not None and len(labels) != len(several):
        raise ValueError(f"{len(labels)} labels for {len(several)} patients")
    named = labels or [f"patient {who}" for who in several]
    loops: list[tuple[int | None, float, str]] = (
        [(int(who), shown[-1], name) for who, name in zip(several, named, strict=True)]
        if several
        else [(individual, day, f"day {day:g}") for day in shown]  # type: ignore[misc]
    )
    few = (GREY, BLUE, ORANGE, GREEN, PURPLE)
    colours = few if len(loops) <= len(few) else plt.get_cmap("viridis")(np.linspace(0, 0.95, len(loops)))
    figure, axis = plt.subplots(figsize=(6.2 if several else 4.8, 4.2), layout="constrained")
    for (who, day, name), colour in zip(loops, colours, strict=False):
        beat = _beats(simulation, who, day)
        volume, pressure = beat["left_ventricular_volume"], beat["left_ventricular_pressure"]
        if who is None:
            axis.plot(volume, pressure, color=colour, linewidth=0.4, alpha=0.15)
            stroke = np.ptp(volume, axis=0)
            middle = int(np.argsort(stroke)[stroke.size // 2])
            volume, pressure = volume[:, [middle]], pressure[:, [middle]]
        axis.plot(volume[:, 0], pressure[:, 0], color=colour, label=name, linewidth=1.6)
    axis.set(xlabel="Left-ventricular volume (mL)", ylabel="Left-ventricular pressure (mmHg)")
    axis.spines[["top", "right"]].set_visible(False)
    if several:  # many loops leave no room inside
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    elif len(loops) > 1:
        axis.legend(frameon=False)
    plt.close(figure)
    return figure


# ---------------------------------------------------------------------------------------------------


def _beats(simulation: Simulation, individual: int | None, day: float | None) -> dict[str, np.ndarray]:
    """Signals of one patient, or of the first of a cohort, ``(steps + 1, n)``."""
    if not simulation.patient.cyclic:
        raise ValueError("this virtual patient has no circulation to draw")
    model = simulation.patient.cyclic[0]
    missing = [n for n, _, _ in (*_PRESSURES, *_FLOWS, *_VOLUMES) if n not in fields(model.Signals)]
    if missing:
        raise ValueError(f"{model.name} does not show {', '.join(missing)}")
    when = simulation.days[-1] if day is None else day
    if when not in simulation.days:
        raise ValueError(f"day {when:g} is not a reporting day of this simulation")
    row = int(np.flatnonzero(simulation.days == when)[0])
    whole = np.flatnonzero(simulation.failure == None)  # noqa: E711
    lanes = np.array([individual]) if individual is not None else whole[:_FAN]
    if lanes.size == 0:
        raise ValueError("no patient of this simulation has a solution")
    parameters = take(simulation.individuals.parameters[model.name], lanes, len(simulation.individuals))
    ports = {p: simulation.cycles.inputs[f"{model.name}.{p}"][row, lanes] for p in fields(model.Inputs)}
    state = simulation.cycles.states[model.name][row][:, lanes]
    return waveforms(model, parameters, model.Inputs(**ports), state)


def _phase(beat: dict[str, np.ndarray]) -> np.ndarray:
    return np.linspace(0.0, 1.0, len(beat["time"]))


def _line(axis: Axes, time: np.ndarray, trace: np.ndarray, title: str, colour: str) -> None:
    if trace.shape[1] == 1:
        axis.plot(time, trace[:, 0], color=colour, label=title)
        return
    low, middle, high = np.percentile(trace, (10, 50, 90), axis=1)
    axis.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.plot(time, middle, color=colour, label=title)


def _events(
    simulation: Simulation, individual: int, beat: dict[str, np.ndarray], axes: Sequence[Axes]
) -> None:
    """Dotted lines where the valves of the left heart open and close."""
    model = simulation.patient.cyclic[0]
    assert model.cycle is not None
    if model.cycle.read is None:
        return
    parameters = take(
        simulation.individuals.parameters[model.name], np.array([individual]), len(simulation.individuals)
    )
    readings = vars(model.cycle.read(beat, model.working(parameters)))
    top = axes[0].get_ylim()[1]
    for name, label in (
        ("mitral_valve_closing_time", "MC"),
        ("aortic_valve_opening_time", "AO"),
        ("aortic_valve_closing_time", "AC"),
        ("mitral_valve_opening_time", "MO"),
    ):
        at = readings.get(name)
        if at is None or not np.isfinite(at[0]):
            continue
        for axis in axes:
            axis.axvline(float(at[0]), color=GREY, linewidth=0.7, linestyle=":")
        axes[0].annotate(label, (float(at[0]), top), ha="center", va="bottom", fontsize=8, color=GREY)
