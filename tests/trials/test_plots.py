"""Plots of a trial's result: what they draw is what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trials.outcomes import FAILED
from trials.plots import plot_spaghetti, plot_survival, plot_swimmer, plot_waterfall
from trials.results import analyse

TUMOUR = "sum_of_longest_diameters"


@pytest.fixture(scope="module")
def results(sunitinib: Any) -> dict[str, Any]:
    return analyse(sunitinib.protocol, sunitinib.outcomes)


def test_survival_has_numbers_at_risk_under_both_panels(sunitinib: Any, results: dict[str, Any]) -> None:
    figure = plot_survival(sunitinib.protocol, results)
    shown = results["survival"]["progression_free_time"]["arms"]["intermittent"]
    for axes, value in zip(figure.axes, ("true", "observed"), strict=True):
        texts = [t.get_text() for t in axes.texts]
        for n in shown[value]["at_risk"]:
            assert str(n) in texts
    alone = plot_survival(sunitinib.protocol, results, "progression_free_time", targets_alone=True)
    assert len(alone.axes) == 2


def test_the_waterfall_has_a_bar_for_every_patient(sunitinib: Any, results: dict[str, Any]) -> None:
    figure = plot_waterfall(sunitinib.protocol, results)
    found = results["waterfall"][TUMOUR]["intermittent"]["true"]
    heights = sorted((p.get_height() for p in figure.axes[0].patches), reverse=True)
    assert heights == pytest.approx(found)


def test_the_swimmer_shows_time_on_study_and_first_responses(sunitinib: Any) -> None:
    figure = plot_swimmer(sunitinib.protocol, sunitinib.outcomes, most=25)
    patients = sunitinib.outcomes.arm_patients("intermittent")
    kept = patients[patients["status"] != FAILED].head(25)
    axes = figure.axes[0]
    lengths = [p.get_width() for p in axes.patches[: len(kept)]]
    assert lengths == sorted(kept["last_day"], reverse=True)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the longest on top
    marked = np.concatenate([np.ma.filled(c.get_offsets()[:, 0], np.nan) for c in axes.collections])
    marked = marked[np.isfinite(marked)]
    assert marked.size > 5
    assert set(marked) <= set(sunitinib.protocol.visit_days(TUMOUR))


def test_the_band_is_of_all_patients_and_lines_of_some(sunitinib: Any) -> None:
    figure = plot_spaghetti(sunitinib.protocol, sunitinib.outcomes, TUMOUR, percent=True, most=10)
    axes = figure.axes[0]
    grid = sunitinib.protocol.grid_days()
    wide = sunitinib.outcomes.wide("intermittent", TUMOUR, grid, "true").dropna(how="all")
    change = 100.0 * (wide.div(wide[0.0], axis=0) - 1.0)
    assert len(axes.lines) == 11
    assert axes.lines[-1].get_ydata() == pytest.approx(change.median().to_numpy())
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.min() == pytest.approx(change.quantile(0.05).min())


def test_what_cannot_be_drawn_is_refused(sunitinib: Any, dilator: Any, results: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is called 'best_response'; there is \['progression_free_time'\]"):
        plot_survival(sunitinib.protocol, results, "best_response")
    with pytest.raises(ValueError, match="no quantity with a RECIST endpoint in this trial"):
        plot_swimmer(dilator.protocol, dilator.outcomes)
    with pytest.raises(ValueError, match="no quantity that is measured is called 'platelets'"):
        plot_spaghetti(sunitinib.protocol, sunitinib.outcomes, "platelets")
