"""Plots of a trial's result, for notebooks: one call each, in the style of the report.

Survival and waterfall are the report's own figures. The others show single virtual patients; they are drawn
from the outcomes and are in no report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from organ_models.units import conversion
from trials.endpoints import PROGRESSIONS, TARGETS_ALONE, TIMES, VALUES, assessments, percent_change
from trials.outcomes import FAILED, Outcomes
from vht.quantities import quantity
from vht.recist import Response

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trials.protocol import Protocol

_SIGNS = (
    (Response.CR, "Complete response", "*", "#009E73", 46),
    (Response.PR, "Partial response", "^", "#0072B2", 20),
    (Response.PD, "Progression", "X", "#B3261E", 24),
)


def plot_survival(
    protocol: Protocol,
    results: Mapping[str, Any],
    endpoint: str | None = None,
    *,
    targets_alone: bool = False,
) -> Figure:
    """Kaplan-Meier curves with limits and numbers at risk, noise-free and as observed.

    Args:
        protocol: the declared trial.
        results: what :func:`trials.results.analyse` returned.
        endpoint: name of a time to progression, or of survival by a link; the first if absent.
        targets_alone: of target lesions alone, as if no new lesion had appeared.

    Raises:
        ValueError: no such endpoint, or target lesions alone of survival by a link.
    """
    from trials.report.figures import figure
    from trials.report.findings import survival_axes

    endpoints: tuple[Any, ...] = protocol.endpoints
    names = [e.name for kind in TIMES for e in endpoints if e.kind == kind]
    name = _chosen(endpoint, names, "endpoint that is a time to an event")
    (declared,) = (e for e in endpoints if e.name == name)
    if targets_alone and declared.kind not in PROGRESSIONS:
        raise ValueError(f"'{name}' has no curves of target lesions alone; it is no time to progression")
    found = results["survival"][name]
    kinds = TARGETS_ALONE if targets_alone else VALUES
    arms = {
        arm: {value: curves[kind] for value, kind in zip(VALUES, kinds, strict=True)}
        for arm, curves in found["arms"].items()
    }
    data = {"labels": _labels(protocol), "days": found["days"], "arms": arms}
    return figure("survival", {**data, **survival_axes(declared)})


def plot_waterfall(protocol: Protocol, results: Mapping[str, Any], name: str | None = None) -> Figure:
    """Best change from baseline, one bar a patient, sorted, noise-free and as observed.

    Args:
        name: the quantity; the first that a response is assessed on if absent.

    Raises:
        ValueError: no response is assessed on that quantity.
    """
    from trials.report.figures import figure

    chosen = _chosen(name, list(results["waterfall"]), "quantity that a response is assessed on")
    data = {"labels": _labels(protocol), "arms": results["waterfall"][chosen]}
    return figure("waterfall", {**data, "ylabel": "Best change from baseline (%)"})


def plot_swimmer(
    protocol: Protocol,
    outcomes: Outcomes,
    name: str | None = None,
    *,
    value: str = "observed",
    most: int = 40,
) -> Figure:
    """Time on study, one bar a patient, with responses and progression where visits showed them.

    The dark part of a bar is time on treatment where policies ended it before the patient left. An arrow is a
    patient who was still on study at the end.

    Args:
        name: the sum of diameters that responses rest on; the first with a RECIST endpoint if absent.
        value: ``observed`` or ``true``.
        most: patients shown in each arm, the first by study number.

    Raises:
        ValueError: no RECIST endpoint rests on that quantity.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from trials.report.figures import COLOURS, INK, WIDTH, day_axis, styled, title_lines

    endpoints: tuple[Any, ...] = protocol.endpoints
    names = list(dict.fromkeys(e.quantity for e in endpoints if str(e.kind).startswith("recist")))
    chosen = _chosen(name, names, "quantity with a RECIST endpoint")
    days = np.array(protocol.visit_days(chosen)[1:])
    arms = list(_labels(protocol).items())
    with styled():
        rows = min(most, max(len(outcomes.arm_patients(arm)) for arm, _ in arms))
        drawn = Figure(figsize=(WIDTH, 1.15 + 0.125 * rows), layout="constrained")
        panels = np.atleast_1d(drawn.subplots(1, len(arms), sharey=True, sharex=True))
        for index, (arm, label) in enumerate(arms):
            axes: Axes = panels[index]
            words = assessments(protocol, outcomes, chosen, arm, value)
            patients = outcomes.arm_patients(arm)
            kept = np.flatnonzero((patients["status"] != FAILED).to_numpy())[:most]
            stay = patients["last_day"].to_numpy(float)
            ended = _column(patients, "stopped_day")
            treated = np.fmin(stay, ended)
            order = kept[np.argsort(-stay[kept], kind="stable")]
            colour = COLOURS[index % len(COLOURS)]
            place = np.arange(len(order))
            axes.barh(place, stay[order], height=0.74, color=colour, alpha=0.25, linewidth=0)
            axes.barh(place, treated[order], height=0.74, color=colour, alpha=0.55, linewidth=0)
            staying = (patients["status"] == "completed").to_numpy()[order]
            axes.plot(
                stay[order][staying], place[staying], linestyle="", marker=">", color=colour, markersize=4
            )
            for response, _, marker, tint, size in _SIGNS:
                at = _first(words[order], days, response)
                axes.scatter(
                    at, place, marker=marker, s=size, color=tint, linewidths=0.4, edgecolors="white", zorder=3
                )
            axes.set_title(title_lines(label, WIDTH / len(arms) - 0.2), fontsize=8.5)
            axes.set_ylim(len(order) - 0.3, -0.7)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_xlim(0, 1.04 * protocol.duration_days)
            day_axis(axes, [protocol.duration_days])
        handles = [
            Line2D([], [], linestyle="", marker=marker, color=tint, markersize=6, label=text)
            for _, text, marker, tint, _ in _SIGNS
        ]
        handles.append(
            Line2D([], [], linestyle="", marker=">", color=INK, markersize=4, label="On study at the end")
        )
        drawn.legend(handles=handles, loc="outside upper left", ncols=4, handletextpad=0.2)
    return drawn


def plot_spaghetti(
    protocol: Protocol,
    outcomes: Outcomes,
    name: str,
    *,
    percent: bool = False,
    most: int = 60,
) -> Figure:
    """The noise-free course of single patients, with the median and the middle 90 % of all of them.

    Args:
        name: a quantity that is measured.
        percent: change from baseline in percent, in place of the value.
        most: patients shown as lines in each arm, the first by study number; the band is of all.

    Raises:
        ValueError: the quantity is not measured.
    """
    from matplotlib.figure import Figure

    from trials.report import words
    from trials.report.figures import COLOURS, INK, WIDTH, day_axis, styled, title_lines

    chosen = _chosen(name, list(protocol.measured_quantities), "quantity that is measured")
    grid = tuple(protocol.grid_days())
    arms = list(_labels(protocol).items())
    with styled():
        drawn = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        panels = np.atleast_1d(drawn.subplots(1, len(arms), sharey=True))
        for index, (arm, label) in enumerate(arms):
            axes: Axes = panels[index]
            wide = outcomes.wide(arm, chosen, grid, "true").dropna(how="all")
            values = (percent_change(wide) if percent else wide).to_numpy().T
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(grid, values[:, :most], color=colour, linewidth=0.6, alpha=0.45)
            if values.shape[1]:
                low, middle, high = np.nanquantile(values, (0.05, 0.5, 0.95), axis=1)
                axes.fill_between(grid, low, high, color=colour, alpha=0.16, linewidth=0)
                axes.plot(grid, middle, color=INK, linewidth=1.8)
            heading = title_lines(label, WIDTH / len(arms) - 0.2)
            axes.set_title(f"{heading}\n{values.shape[1]} patients", fontsize=8.5)
            axes.set_xlim(0, max(grid))
            day_axis(axes, grid)
        known = quantity(chosen)
        unit = "%" if percent else words.people_unit(known.unit)
        what = f"Change in {words.in_running_text(known.label)}" if percent else known.label
        panels[0].set_ylabel(f"{what} ({unit})")
    return drawn


def plot_nadir(protocol: Protocol, outcomes: Outcomes, name: str | None = None) -> Figure:
    """The noise-free course of a blood count in each arm, with everyone's nadir and the grades of these.

    As :func:`vht.cohort_plots.plot_nadir`, one row an arm. A nadir is the lowest value on the trial's grid of
    days (the reporting interval and the visits): a coarse grid misses the deepest ones.

    Args:
        name: the count; the first of neutrophils and leukocytes that is measured if absent.

    Raises:
        ValueError: that count is not measured, or nobody has a course.
    """
    from matplotlib.figure import Figure

    from trials.report import words
    from trials.report.figures import styled
    from vht.cohort_plots import COUNT_LIMITS, nadir_panels

    counts = [q for q in COUNT_LIMITS if q in protocol.measured_quantities]
    chosen = _chosen(name, counts, "blood count with grades that is measured")
    unit = quantity(chosen).unit
    factor = conversion(unit, "10*9/L").factor
    grid = tuple(protocol.grid_days())
    arms = list(_labels(protocol).items())
    with styled():
        drawn = Figure(figsize=(8.4, 0.3 + 3.3 * len(arms)), layout="constrained")
        panels = drawn.subplots(len(arms), 2, squeeze=False, width_ratios=(2.6, 1))
        for (arm, label), (left, right) in zip(arms, panels, strict=True):
            wide = outcomes.wide(arm, chosen, grid, "true").dropna()
            if wide.empty:
                raise ValueError(f"nobody in the arm '{arm}' has a course; there is nothing to plot")
            shown = f"{quantity(chosen).label} ({words.people_unit('10*9/L')})"
            seen = factor * wide.to_numpy().T
            nadir_panels(left, right, np.array(grid), seen, COUNT_LIMITS[chosen], label=shown)
            left.set_title(f"{label}, {len(wide)} patients", fontsize=8.5)
    return drawn


def plot_exposure_response(
    protocol: Protocol,
    outcomes: Outcomes,
    exposure: str,
    response: str,
    *,
    day: float | None = None,
    change: bool = True,
) -> Figure:
    """A noise-free response against an exposure, one dot a patient, with the median of each quarter, by arm.

    As :func:`vht.cohort_plots.plot_exposure_response`. Exposures are outputs of slow models, which a run does
    not keep: they are computed again from its protocol and baseline, with what policies gave.

    Args:
        exposure: output (``model.port``) of a slow model.
        response: a quantity that is measured.
        day: a day of the trial's grid; the last if absent.
        change: change of the response from baseline in percent, in place of its value.

    Raises:
        ValueError: no such output, quantity or day, or nobody has both.
    """
    from matplotlib.figure import Figure

    from trials.compose import compose
    from trials.exposures import exposures
    from trials.report import words
    from trials.report.figures import WIDTH, styled, title_lines
    from vht.cohort_plots import GREY, exposure_panel, port_label

    known = _chosen(response, list(protocol.measured_quantities), "quantity that is measured")
    grid = tuple(protocol.grid_days())
    when = grid[-1] if day is None else float(day)
    if when not in grid:
        raise ValueError(
            f"day {when:g} is not on the grid of this trial ({', '.join(f'{d:g}' for d in grid)})"
        )
    given = exposures(protocol, outcomes, exposure, when)
    arms = list(_labels(protocol).items())
    with styled():
        drawn = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        panels = np.atleast_1d(drawn.subplots(1, len(arms), sharey=True, sharex=True))
        for axes, (arm, label) in zip(panels, arms, strict=True):
            wide = outcomes.wide(arm, known, (0.0, when), "true")
            seen = (percent_change(wide) if change else wide).iloc[:, -1]
            both = given[arm].reindex(seen.index)
            good = (np.isfinite(both) & np.isfinite(seen)).to_numpy()
            if not good.any():
                raise ValueError(f"nobody in the arm '{arm}' has both on that day; there is nothing to plot")
            exposure_panel(axes, both.to_numpy()[good], seen.to_numpy()[good])
            if change:
                axes.axhline(0, color=GREY, linewidth=0.7)
            heading = title_lines(label, WIDTH / len(arms) - 0.3)
            axes.set_title(f"{heading}\nday {when:g}, {good.sum()} patients", fontsize=8.5)
        told = quantity(known)
        unit = "%" if change else words.people_unit(told.unit)
        what = f"Change in {words.in_running_text(told.label)}" if change else told.label
        panels[0].set_ylabel(f"{what} ({unit})")
        drawn.supxlabel(port_label(compose(protocol), exposure), fontsize=8.5)
        drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return drawn


# ---------------------------------------------------------------------------------------------------


def _labels(protocol: Protocol) -> dict[str, str]:
    return {arm.name: str(arm.label) for arm in protocol.arms}


def _chosen(name: str | None, known: list[str], what: str) -> str:
    """The name asked for, or the first there is."""
    if name is None and known:
        return known[0]
    if name not in known:
        raise ValueError(f"no {what} {f'is called {name!r}' if name else 'in this trial'}; there is {known}")
    assert name is not None
    return name


def _column(table: Any, name: str) -> np.ndarray:
    return table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)


def _first(words: np.ndarray, days: np.ndarray, response: Response) -> np.ndarray:
    """Day of the first visit that showed a response, up to the first progression; NaN where none did."""
    progressed = np.cumsum(words == Response.PD.value, axis=1)
    shown = (words == response.value) & (progressed <= (response is Response.PD))
    return np.where(shown.any(axis=1), days[shown.argmax(axis=1)], np.nan)
