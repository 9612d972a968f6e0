"""Figures of the report as inline SVG: the same data give the same bytes.

Colours are those of Okabe and Ito, told apart with any colour vision; arms also differ in line and marker, so
that a black-and-white print can be read. Text is drawn as paths: the file needs no font.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from organ_models.units import conversion

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LINES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), "-", "-")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, SOFT, RULE = "#1c2733", "#56626f", "#c9d0d8"
WIDTH = 7.0
"""Width of a figure, inches: the measure of the text on A4."""

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
_VALUES = (("true", "Noise-free"), ("observed", "As observed"))


def styled() -> AbstractContextManager[None]:
    """The style of all figures, for what is drawn within."""
    return mpl.rc_context(_STYLE)


def figure(kind: str, data: Mapping[str, Any]) -> Figure:
    """The drawing of a figure block's data.

    Raises:
        ValueError: the kind is not one that can be drawn.
    """
    drawers: dict[str, Callable[[Mapping[str, Any]], Figure]] = {
        "flow": _flow,
        "survival": _survival,
        "waterfall": _waterfall,
        "course": _course,
    }
    if kind not in drawers:
        raise ValueError(f"no drawing for a figure of kind '{kind}'")
    with styled():
        return drawers[kind](data)


def draw(block: Mapping[str, Any]) -> str:
    """One figure block as an SVG element with title and description for screen readers.

    Raises:
        ValueError: the block's kind is not one that can be drawn.
    """
    drawn = figure(str(block["kind"]), block.get("data", {}))
    with mpl.rc_context({**_STYLE, "svg.hashsalt": str(block["id"])}):
        target = io.StringIO()
        FigureCanvasSVG(drawn).print_svg(
            target, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _inline(target.getvalue(), block)


def _inline(svg: str, block: Mapping[str, Any]) -> str:
    """Make a stand-alone SVG fit to stand in a page among others: unique ids, title, description."""
    body = svg[svg.index("<svg") :]
    identifier = str(block["id"])
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{identifier}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{identifier}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{identifier}-\1)", body)
    start, rest = body.split(">", 1)
    start = re.sub(r'\s(width|height)="[^"]*"', "", start)
    named = f' role="img" aria-labelledby="{identifier}-title {identifier}-description">'
    title = html.escape(f"Figure {block['number']}. {block['caption']}")
    description = html.escape(str(block["description"]))
    return (
        f'{start}{named}<title id="{identifier}-title">{title}</title>'
        f'<desc id="{identifier}-description">{description}</desc>{rest}'
    )


def _array(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], float)


def day_axis(axes: Axes, days: Sequence[float]) -> None:
    """Ticks on visits, in weeks where the course is long enough."""
    end = max(days)
    if end >= 42:
        weeks = max(1, round(end / 7 / 6)) * 7
        ticks = np.arange(0, end + 1, weeks)
        axes.set_xticks(ticks, [f"{t / 7:g}" for t in ticks])
        axes.set_xlabel("Time (weeks)")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("Time (days)")


def _course(data: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    axes = figure.add_subplot()
    arms = list(data["labels"].items())
    if data.get("zero"):
        axes.axhline(0, color=RULE, linewidth=0.8, zorder=0)
    end = max(max(data["arms"][name]["days"]) for name, _ in arms)
    for index, (name, label) in enumerate(arms):
        course, colour = data["arms"][name], COLOURS[index % len(COLOURS)]
        days = _array(course["days"])
        axes.fill_between(
            days,
            _array(course["lower_quartile"]),
            _array(course["upper_quartile"]),
            color=colour,
            alpha=0.13,
            linewidth=0,
        )
        for side in ("lower_quartile", "upper_quartile"):
            axes.plot(
                days,
                _array(course[side]),
                color=colour,
                linewidth=0.5,
                alpha=0.6,
                linestyle=LINES[index % len(LINES)],
            )
        axes.plot(
            days,
            _array(course["mean"]),
            color=colour,
            linewidth=1.9,
            linestyle=LINES[index % len(LINES)],
            label=label,
        )
        value = _array(course["observed_mean"])
        error = np.vstack(
            [value - _array(course["observed_lower"]), _array(course["observed_upper"]) - value]
        )
        shift = (index - (len(arms) - 1) / 2) * end * 0.008
        axes.errorbar(
            _array(course["observed_days"]) + shift,
            value,
            yerr=np.nan_to_num(error),
            fmt=MARKERS[index % len(MARKERS)],
            color=colour,
            markersize=4.2,
            markerfacecolor="white",
            markeredgewidth=1.1,
            elinewidth=0.9,
            capsize=2,
        )
    axes.set_ylabel(_wrapped(data["ylabel"]))
    axes.set_xlim(-0.02 * end, 1.02 * end)
    day_axis(axes, [end])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=_legend_columns(arms))
    return figure


def title_lines(text: str, inches: float) -> str:
    """A panel's title in lines that fit above it."""
    return "\n".join(textwrap.wrap(text, max(int(inches * 13.5), 10)))


def _wrapped(text: str, width: int = 40) -> str:
    """A long axis label on two lines, its unit on the second."""
    head, bracket, tail = text.rpartition(" (")
    return f"{head}\n({tail}" if bracket and len(text) > width else text


def _survival(data: Mapping[str, Any]) -> Figure:
    arms, days = list(data["labels"].items()), data["days"]
    end = max(days)
    below = 0.74 + 0.17 * len(arms)  # axis label and numbers at risk, inches
    above = 0.34 + 0.2 * _legend_rows(arms)
    height = 2.55 + below + above
    figure = Figure(figsize=(WIDTH, height))
    panels = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(
        left=0.095, right=0.985, bottom=below / height, top=1 - above / height, wspace=0.13
    )
    handles: list[Any] = []
    for (value, title), axes in zip(_VALUES, panels, strict=True):
        handles = []
        for index, (name, label) in enumerate(arms):
            curve, colour, line = (
                data["arms"][name][value],
                COLOURS[index % len(COLOURS)],
                LINES[index % len(LINES)],
            )
            times = np.concatenate([[0.0], _array(curve["times"]), [1.05 * end]])
            share = 100 * _steps(curve["survival"])
            limits = [100 * _steps(curve[side]) for side in ("lower", "upper")]
            handles += axes.step(
                times, share, where="post", color=colour, linewidth=1.7, linestyle=line, label=label
            )
            axes.fill_between(times, *limits, step="post", color=colour, alpha=0.13, linewidth=0)
        axes.set_title(title)
        axes.set_ylim(0, 102)
        axes.set_xlim(0, 1.05 * end)
        if data.get("time") == "mo":
            unit, long = "months", conversion("mo", "d").factor
        else:
            unit, long = ("weeks", 7.0) if end >= 42 else ("days", 1.0)
        axes.set_xticks(days, [f"{day / long:.3g}" for day in days])
        axes.set_xlabel(f"Time ({unit})")
        _risk_table(axes, data, value)
    panels[0].set_ylabel(data["ylabel"])
    figure.legend(handles, [label for _, label in arms], loc="upper left", ncols=_legend_columns(arms))
    return figure


def _risk_table(axes: Axes, data: Mapping[str, Any], value: str) -> None:
    """Numbers at risk under the time axis, one row per arm, each behind a sample of the arm's line."""
    where: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "fontsize": 7.5,
        "va": "center",
    }
    axes.annotate("Number at risk", (0, 0), xytext=(-9, -43), color=SOFT, ha="left", **where)
    for index, name in enumerate(data["labels"]):
        colour, down = COLOURS[index % len(COLOURS)], -55 - 12 * index
        for day, n in zip(data["days"], data["arms"][name][value]["at_risk"], strict=True):
            axes.annotate(str(n), (day, 0), xytext=(0, down), color=colour, ha="center", **where)
        if value == "true":
            sample = axes.get_xaxis_transform() + ScaledTranslation(0, down / 72, axes.figure.dpi_scale_trans)
            axes.plot(
                [-0.16 * max(data["days"]), -0.065 * max(data["days"])],
                [0, 0],
                transform=sample,
                color=colour,
                linewidth=1.7,
                linestyle=LINES[index % len(LINES)],
                clip_on=False,
            )


def _legend_columns(arms: Sequence[tuple[str, str]]) -> int:
    return 2 if all(len(label) < 50 for _, label in arms) else 1


def _legend_rows(arms: Sequence[tuple[str, str]]) -> int:
    return -(-len(arms) // _legend_columns(arms))


def _steps(values: Sequence[float | None]) -> np.ndarray:
    """Values of a step curve from 1 at the start; a limit that does not exist keeps the one before it."""
    steps = np.concatenate([[1.0], _array(values)])
    for index in range(1, len(steps)):
        if np.isnan(steps[index]):
            steps[index] = steps[index - 1]
    return np.append(steps, steps[-1])


def _waterfall(data: Mapping[str, Any]) -> Figure:
    arms = list(data["labels"].items())
    figure = Figure(figsize=(WIDTH, 0.5 + 1.9 * len(arms)), layout="constrained")
    panels = figure.subplots(len(arms), 2, sharey=True, squeeze=False)
    everything = [v for name, _ in arms for value, _ in _VALUES for v in data["arms"][name][value]]
    low, high = min([*everything, -35.0]), max([*everything, 25.0])
    for row, (name, label) in enumerate(arms):
        for column, (value, title) in enumerate(_VALUES):
            axes, values = panels[row, column], _array(data["arms"][name][value])
            colour = COLOURS[row % len(COLOURS)]
            deep = int(np.sum(values > -30))  # sorted: from here on the decrease is 30 % or more
            for start, stop, alpha in ((0, deep, 0.42), (deep, len(values), 1.0)):
                _bars(axes, values[start:stop], start, colour, alpha, separate=len(values) < 80)
            axes.axhline(0, color=INK, linewidth=0.7)
            for limit in (-30, 20):
                axes.axhline(limit, color=SOFT, linewidth=0.8, linestyle=(0, (4, 2)))
            axes.set_ylim(low * 1.05, min(high * 1.05, 150))
            axes.set_xlim(-1, max(len(values), 1))
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            heading = f"{title_lines(label, WIDTH / 2 - 0.4)}\n{title}, n = {len(values)}"
            axes.set_title(heading, fontsize=8.5)
    figure.supylabel(data["ylabel"], fontsize=8.5, color=INK)
    figure.supxlabel("Patients, sorted; full colour: decrease of 30 % or more", fontsize=8.5, color=INK)
    return figure


def _bars(axes: Axes, values: np.ndarray, start: int, colour: str, alpha: float, *, separate: bool) -> None:
    """Bars side by side from position ``start``; one outline where they are many, to keep the file small."""
    if separate:
        axes.bar(start + np.arange(len(values)), values, width=0.86, color=colour, alpha=alpha, linewidth=0)
    elif len(values):
        edges = start - 0.5 + np.arange(len(values) + 1)
        axes.stairs(values, edges, fill=True, color=colour, alpha=alpha, linewidth=0)


def _flow(data: Mapping[str, Any]) -> Figure:
    arms, screening = data["arms"], data["screening"]
    height = 3.15 + (0.75 if screening else 0.0)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    middle = WIDTH / 2
    top = height - 0.32
    if screening:
        _box(axes, middle, top, f"Records assessed: {screening['assessed']}")
        excluded = sum(screening["excluded"].values())
        _arrow(axes, (middle, top - 0.17), (middle, top - 0.58))
        if excluded:
            _arrow(axes, (middle, top - 0.375), (middle + 1.0, top - 0.375))
            axes.text(middle + 1.06, top - 0.375, f"Excluded: {excluded}", va="center", fontsize=8.5)
        top -= 0.75
    _box(axes, middle, top, f"Enrolled: {data['enrolled']}")
    share = WIDTH / len(arms)
    width = min(share - 0.25, 3.1)
    lowest = top - 2.05
    for index, arm in enumerate(arms):
        x = share * (index + 0.5)
        axes.plot(
            [middle, middle, x, x], [top - 0.17, top - 0.36, top - 0.36, top - 0.5], color=SOFT, linewidth=0.9
        )
        _arrow(axes, (x, top - 0.45), (x, top - 0.56))
        colour = COLOURS[index % len(COLOURS)]
        label = "\n".join(_broken(str(arm["label"]), int(width * 13.5)))
        lines = (
            ("Started", arm["started"]),
            ("Solve failed", arm["failed"]),
            ("Withdrawn", arm["withdrawn"]),
            ("Completed", arm["completed"]),
        )
        _box(axes, x, (top - 0.57 + lowest) / 2, "", width=width, height=top - 0.57 - lowest, edge=colour)
        axes.text(
            x,
            top - 0.66,
            label,
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold",
            color=colour,
            linespacing=1.25,
        )
        start = top - 1.16
        for step, (word, n) in enumerate(lines):
            y = start - 0.215 * step
            axes.text(x - width / 2 + 0.18, y, word, va="center", fontsize=8.5)
            axes.text(x + width / 2 - 0.18, y, str(n), va="center", ha="right", fontsize=8.5)
        _arrow(axes, (x, lowest), (x, lowest - 0.3))
        _box(axes, x, lowest - 0.47, f"Analysed: {arm['analysed']}", width=min(width, 2.0), edge=colour)
    return figure


def _broken(text: str, width: int) -> list[str]:
    """A text on at most two lines of about ``width`` characters."""
    if len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width and len(lines) < 2 and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _box(
    axes: Axes, x: float, y: float, text: str, *, width: float = 2.2, height: float = 0.34, edge: str = SOFT
) -> None:
    axes.add_patch(
        Rectangle(
            (x - width / 2, y - height / 2), width, height, facecolor="white", edgecolor=edge, linewidth=1.1
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": SOFT, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
    )
