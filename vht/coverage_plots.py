"""Plots of what records hold: coverage of organ models, and the map of missing data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vht.missing import KINDS
from vht.quantities import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vht.missing import MissingMap
    from vht.record_coverage import Coverage

_COMPLETE, _IMPUTED, _LACKING = "#0072b2", "#8fc1e3", "#dddddd"
_COLOURS = {
    "recorded": "#0072b2",
    "derived": "#56b4e9",
    "imputed": "#cc79a7",
    "bound": "#e69f00",
    "nothing": "#eeeeee",
}
_WORDS = {"bound": "bound or range only"}


def plot_coverage(coverage: Coverage) -> Figure:
    """Bars by model; see :meth:`vht.record_coverage.Coverage.plot`."""
    import matplotlib.pyplot as plt

    table = coverage.table()
    table = table[table["needs"] != ""]
    if table.empty or not len(coverage.has):
        raise ValueError("there is no patient, or no model that takes anything from a record")
    table = table[::-1].sort_values(["complete", "complete_if_imputed"], kind="stable")
    lacking, people = coverage.lacking(), len(coverage.has)
    figure, axis = plt.subplots(figsize=(9.6, 1.2 + 0.34 * len(table)), layout="constrained")
    rows = range(len(table))
    complete, possible = table["complete"].to_numpy(), table["complete_if_imputed"].to_numpy()
    axis.barh(rows, [people] * len(table), color=_LACKING, label="something is lacking")
    if (possible > complete).any():
        axis.barh(rows, possible, color=_IMPUTED, label="all but a heart rate, which can be imputed")
    axis.barh(rows, complete, color=_COMPLETE, label="all that it needs")
    for row, name in zip(rows, table.index, strict=True):
        most = lacking.loc[name]
        most = most[most > 0].sort_values(ascending=False, kind="stable")
        told = [f"{count:,} lack {_words(name)}" for name, count in most.head(2).items()]
        axis.text(
            1.015 * people,
            row,
            "; ".join([f"{complete[row]:,} of {people:,}", *told]),
            va="center",
            fontsize=8,
        )
    axis.set_yticks(list(rows), [name.replace("_", " ") for name in table.index])
    axis.set(xlim=(0, people), ylim=(-0.6, len(table) - 0.4), xlabel="Patients")
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], frameon=False, ncols=3, loc="outside upper left")
    plt.close(figure)
    return figure


def plot_missing(missing: MissingMap) -> Figure:
    """The map; see :meth:`vht.missing.MissingMap.plot`."""
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    known = missing.known
    if known.empty:
        raise ValueError("there is no patient, or nothing is known of any quantity")
    codes = known.apply(lambda column: column.map({kind: n for n, kind in enumerate(KINDS)})).to_numpy()
    unknown = (codes == KINDS.index("nothing")).sum(axis=1)
    order = np.lexsort((*codes.T[::-1], unknown))  # alike patients side by side
    figure, axis = plt.subplots(figsize=(8.4, 1.4 + 0.24 * known.shape[1]), layout="constrained")
    axis.imshow(
        codes[order].T,
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap([_COLOURS[kind] for kind in KINDS]),
        vmin=-0.5,
        vmax=len(KINDS) - 0.5,
    )
    counts = (codes != KINDS.index("nothing")).sum(axis=0)
    axis.set_yticks(range(known.shape[1]), [_label(name) for name in known.columns], fontsize=8)
    axis.set_xticks([])
    right = axis.secondary_yaxis("right")
    right.set_yticks(range(known.shape[1]), [f"{count:,}" for count in counts], fontsize=8)
    right.tick_params(length=0)
    axis.tick_params(axis="y", length=0)
    axis.set_yticks(np.arange(known.shape[1] + 1) - 0.5, minor=True)
    axis.grid(which="minor", axis="y", color="white", linewidth=1.5)
    axis.tick_params(which="minor", length=0)
    for side in (axis, right):
        side.spines[:].set_visible(False)
    axis.set(xlabel=f"{len(known):,} patients, those of whom most is known on the left")
    seen = [kind for n, kind in enumerate(KINDS) if (codes == n).any()]
    patches = [Patch(color=_COLOURS[kind], label=_WORDS.get(kind, kind)) for kind in seen]
    figure.legend(handles=patches, frameon=False, ncols=len(seen), loc="outside upper left")
    plt.close(figure)
    return figure


def _label(name: object) -> str:
    return QUANTITIES[str(name)].label


def _words(name: object) -> str:
    return str(name).replace("_", " ")
