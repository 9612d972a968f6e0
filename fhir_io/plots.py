"""The picture of an import: what was used of each type, and why the rest was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_io.reasons import Reason

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fhir_io.report import ImportReport

USED, REFUSED, NOT_NEEDED = "#0072b2", "#d55e00", "#cccccc"


def plot_report(report: ImportReport) -> Figure:
    """Two panels; see :meth:`fhir_io.report.ImportReport.plot`."""
    import matplotlib.pyplot as plt

    if not report.read:
        raise ValueError("the import read no resource; there is nothing to plot")
    table = report.table().iloc[1:, :-1]  # without the row `read` and the column `all`
    unneeded = table.index == Reason.TYPE_NOT_NEEDED.code
    needed = table.loc[:, table[~unneeded].sum() > 0]
    reasons = table[~unneeded].iloc[1:].sum(axis=1)
    reasons = reasons[reasons > 0]
    rows = max(needed.shape[1] + 1, len(reasons), 3)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.5, 1.3 + 0.34 * rows), layout="constrained", width_ratios=(1, 1)
    )
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr,call-arg]
    _types(left, needed.sum(), needed.loc["used"], int(table[unneeded].to_numpy().sum()))
    _reasons(right, reasons)
    figure.suptitle(
        f"Read {report.read:,} = used {report.used:,} + not used {report.not_used:,}", x=0.01, ha="left"
    )
    plt.close(figure)
    return figure


def _types(axis: Axes, read: pd.Series, used: pd.Series, unneeded: int) -> None:
    """Shares of each type, most frequent on top; the last bar is everything that nobody asked for."""
    names = list(read.index[::-1])
    labels = [f"{used[n]:,} of {read[n]:,}" for n in names]
    shares = [used[n] / read[n] for n in names]
    rows, rest = range(1, len(names) + 1), [1 - share for share in shares]
    axis.barh(rows, shares, color=USED, label="used")
    axis.barh(rows, rest, left=shares, color=REFUSED, label="not used")
    if unneeded:
        axis.barh(0, 1.0, color=NOT_NEEDED, label="not needed")
    for row, label in enumerate(["" if not unneeded else f"{unneeded:,}", *labels]):
        axis.text(1.02, row, label, va="center", fontsize=8)
    axis.set_yticks(range(len(names) + 1), ["other types" if unneeded else "", *names])
    axis.set(xlim=(0, 1), xticks=[])
    axis.set_title("Used, by type", loc="left", fontsize=10)
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)
    axis.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(-0.02, 0.0), fontsize=8)


def _reasons(axis: Axes, counts: pd.Series) -> None:
    """Resources not used, by reason; the most frequent on top."""
    names = list(counts.index[::-1])
    axis.barh(range(len(names)), [counts[n] for n in names], color=REFUSED)
    for row, name in enumerate(names):
        axis.text(counts[name], row, f" {counts[name]:,}", va="center", fontsize=8)
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axis.set_title("Not used, by reason", loc="left", fontsize=10)
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.margins(x=0.12)
