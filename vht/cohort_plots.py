"""Plots of a simulated cohort: how far blood counts fall, and what an exposure goes with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from organ_models.model import Field, fields
from organ_models.pharmacology.ctcae import LEUKOCYTE_LIMITS, NEUTROPHIL_LIMITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vht.patient import VirtualPatient
    from vht.simulation import Simulation

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"
COUNT_LIMITS = {"neutrophils": NEUTROPHIL_LIMITS, "leukocytes": LEUKOCYTE_LIMITS}
"""Below which grades 2, 3 and 4 begin, 10*9/L, by what is counted."""
_LINES = 60
_GROUPS = 4
_UNITS = {"mm[Hg]": "mmHg", "10*9/L": "10⁹/L", "1": "ratio", "mg.h/L": "mg h/L", "mg.d/L": "mg d/L"}


def plot_nadir(simulation: Simulation, output: str | None = None) -> Figure:
    """The course of a blood count with everyone's lowest value, and the grades in which these lie.

    Left: single patients (the first 60), the median and the middle 90 % of all, a dot at each nadir, and the
    limits below which CTCAE grades 2, 3 and 4 begin. Right: how many nadirs lie in each grade. A nadir is the
    lowest value on the days that were read: read often enough.

    Args:
        simulation: from :func:`vht.simulate`.
        output: port of the count; the composition's neutrophils, or else its leukocytes, if absent.

    Raises:
        ValueError: no such count in this composition.
    """
    import matplotlib.pyplot as plt

    port = _count(simulation, output)
    limits = COUNT_LIMITS[port.partition(".")[2]]
    trace = simulation.outputs[port]
    good = np.isfinite(trace).all(axis=0)
    if not good.any():
        raise ValueError("no patient of this simulation has a solution; there is nothing to plot")
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 3.6), layout="constrained", width_ratios=(2.6, 1)
    )
    nadir_panels(left, right, simulation.days, trace[:, good], limits, label=_label(simulation, port))
    plt.close(figure)
    return figure


def nadir_panels(
    left: Axes,
    right: Axes,
    days: np.ndarray,
    seen: np.ndarray,
    limits: tuple[float, float, float],
    *,
    label: str,
) -> None:
    """Draw the course of a count, ``seen`` of shape (days, patients), and how many nadirs lie in each grade.

    Args:
        left, right: the axes of the course and of the grades.
        days: shape (days,).
        limits: below which grades 2, 3 and 4 begin, in the unit of the count.
        label: of the count.
    """
    lowest, when = seen.min(axis=0), days[seen.argmin(axis=0)]
    left.plot(days, seen[:, :_LINES], color=BLUE, linewidth=0.6, alpha=0.35)
    if seen.shape[1] > 1:
        low, high = np.quantile(seen, (0.05, 0.95), axis=1)
        left.fill_between(days, low, high, color=BLUE, alpha=0.15, linewidth=0, label="middle 90 %")
    left.plot(days, np.median(seen, axis=1), color=BLUE, linewidth=1.8, label="median")
    left.plot(when, lowest, ".", color=ORANGE, markersize=4, alpha=0.7, label="nadir of each")
    for grade, limit in zip((2, 3, 4), limits, strict=True):
        left.axhline(limit, color=GREY, linewidth=0.7, linestyle=":")
        left.annotate(
            f"grade {grade}",
            (1.01, limit),
            xycoords=("axes fraction", "data"),
            va="top",
            fontsize="x-small",
            color=GREY,
        )
    left.set(xlabel="Day", ylabel=label, xlim=(days[0], days[-1]))
    left.set_yscale("log")  # grades 2, 3 and 4 lie close together near nothing
    bottom, top = left.get_ylim()
    left.set_ylim(bottom, 1.6 * top)  # room for the legend
    ticks = [t for t in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30) if bottom <= t <= 1.6 * top]
    left.set_yticks(ticks, [f"{t:g}" for t in ticks])
    left.set_yticks([], minor=True)
    left.legend(frameon=False, fontsize="small", loc="upper right", ncols=3)
    grades = np.select([lowest < limits[2], lowest < limits[1], lowest < limits[0]], [4, 3, 2], 0)
    names = ["0–1", "2", "3", "4"]
    shares = [float((grades == g).mean()) for g in (0, 2, 3, 4)]
    right.bar(names, [100 * s for s in shares], color=[GREY, BLUE, BLUE, ORANGE])
    for place, share in enumerate(shares):
        right.annotate(f"{share:.0%}", (place, 100 * share), ha="center", va="bottom", fontsize="small")
    right.set(xlabel="Grade of the nadir", ylabel="Patients (%)", ylim=(0, 108))
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)


def plot_exposure_response(
    simulation: Simulation,
    exposure: str,
    response: str,
    *,
    day: float | None = None,
    change: bool = True,
) -> Figure:
    """A response against an exposure, one dot a patient, with the median of each quarter of the exposures.

    Where all exposures of a quarter are the same (dose groups), the quarters are the distinct exposures. The
    bars hold the middle half of the responses.

    Args:
        simulation: from :func:`vht.simulate`.
        exposure: port whose value on the day is the exposure.
        response: port of the response.
        day: reporting day; the last if absent.
        change: change of the response from the first reporting day, in per cent, in place of its value.

    Raises:
        ValueError: no such output, or no such day.
    """
    import matplotlib.pyplot as plt

    for port in (exposure, response):
        if port not in simulation.outputs:
            known = ", ".join(simulation.outputs)
            raise ValueError(f"{port} is no output of this simulation; there are {known}")
    when = float(simulation.days[-1]) if day is None else float(day)
    if when not in simulation.days:
        raise ValueError(f"day {when:g} is not a reporting day of this simulation")
    row = int(np.flatnonzero(simulation.days == when)[0])
    given, seen = simulation.outputs[exposure][row], simulation.outputs[response][row]
    if change:
        with np.errstate(all="ignore"):
            seen = 100.0 * (seen / simulation.outputs[response][0] - 1.0)
    good = np.isfinite(given) & np.isfinite(seen)
    given, seen = given[good], seen[good]
    if not given.size:
        raise ValueError("no patient of this simulation has both on that day; there is nothing to plot")
    figure, axis = plt.subplots(figsize=(5.4, 3.8), layout="constrained")
    exposure_panel(axis, given, seen)
    if change:
        axis.axhline(0, color=GREY, linewidth=0.7)
    said = _label(simulation, response, "change, %") if change else _label(simulation, response)
    axis.set(xlabel=_label(simulation, exposure), ylabel=said)
    axis.set_title(f"Day {when:g}, {given.size} patients", loc="left", fontsize="medium")
    axis.legend(frameon=False, fontsize="small")
    plt.close(figure)
    return figure


def exposure_panel(axis: Axes, given: np.ndarray, seen: np.ndarray) -> None:
    """Draw responses against exposures, both of shape (patients,), with the median of each quarter."""
    axis.plot(given, seen, ".", color=BLUE, alpha=0.35, markersize=5, label="patients")
    groups = _groups(given)
    low, middle, high = (np.array([np.quantile(seen[g], q) for g in groups]) for q in (0.25, 0.5, 0.75))
    place = np.array([np.median(given[g]) for g in groups])
    axis.errorbar(
        place,
        middle,
        (middle - low, high - middle),
        fmt="o-",
        color=ORANGE,
        markersize=5,
        linewidth=1.4,
        capsize=2,
        label="median and middle half",
    )
    axis.spines[["top", "right"]].set_visible(False)


# ---------------------------------------------------------------------------------------------------


def _count(simulation: Simulation, output: str | None) -> str:
    known = [p for name in COUNT_LIMITS for p in simulation.outputs if p.partition(".")[2] == name]
    if output is None and known:
        return known[0]
    if output not in known:
        there = ", ".join(known) or "none"
        what = f"{output} is no blood count" if output else "there is no blood count"
        raise ValueError(f"{what} of this simulation; counts with grades: {there}")
    assert output is not None
    return output


def _groups(given: np.ndarray) -> list[np.ndarray]:
    """Indices of the patients of each group: distinct exposures where these are few, quarters otherwise."""
    distinct = np.unique(given)
    if distinct.size <= 2 * _GROUPS:
        return [np.flatnonzero(given == value) for value in distinct]
    parts = np.array_split(np.argsort(given, kind="stable"), _GROUPS)
    return [part for part in parts if part.size]


def _label(simulation: Simulation, port: str, unit: str | None = None) -> str:
    return port_label(simulation.patient, port, unit)


def port_label(patient: VirtualPatient, port: str, unit: str | None = None) -> str:
    """An output of a composition as an axis tells it, with its unit or another."""
    name, _, output = port.partition(".")
    declared: Field = fields(patient.models[name].Outputs)[output]
    shown = unit or _UNITS.get(declared.unit, declared.unit)
    return f"{output.replace('_', ' ').capitalize()} ({shown})"
