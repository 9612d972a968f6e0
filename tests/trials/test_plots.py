"""Plots of a trial's result: what they draw is what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vht.people import gist_cohort
from trials.conduct import conduct
from trials.outcomes import FAILED, Outcomes
from trials.plots import (
    plot_exposure_response,
    plot_nadir,
    plot_spaghetti,
    plot_survival,
    plot_swimmer,
    plot_waterfall,
)
from trials.protocol import Protocol, load_protocol
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


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Protocol, Outcomes]:
    """Sunitinib with neutrophils, without the heart; the second arm is held where pressure is high."""
    file = tmp_path_factory.mktemp("counted") / "counted.yaml"
    file.write_text(COUNTED)
    protocol = load_protocol(file)
    return protocol, conduct(protocol, gist_cohort(12)).outcomes


COUNTED = """
schema: vht-protocol/1
name: counted
title: Sunitinib with neutrophils
question_of_interest: How far do neutrophils fall?
context_of_use: A test.
population: {}
virtual_patient:
  models: [sunitinib_exposure, hansson_gist, sunitinib_neutropenia, sunitinib_blood_pressure]
  couplings:
    - {from: sunitinib_exposure.daily_exposure, to: hansson_gist.daily_exposure}
    - {from: sunitinib_exposure.daily_exposure, to: sunitinib_blood_pressure.daily_exposure}
    - {from: hansson_gist.vegfr3_relative_change, to: sunitinib_neutropenia.vegfr3_relative_change}
arms:
  - {name: full, label: 50 mg, doses: {sunitinib_exposure.daily_dose: {amount: 50 mg/d}}}
  - name: stopped
    label: 50 mg until progression
    doses: {sunitinib_exposure.daily_dose: {amount: 50 mg/d}}
    policies:
      - {kind: stop_on_progression, quantity: sum_of_longest_diameters, source: "assumption: for a test"}
reference_arm: full
design: paired_counterfactual
duration: 12 wk
reporting_interval: 1 wk
visits:
  neutrophils: {every: 2 wk}
  sum_of_longest_diameters: {every: 6 wk}
new_lesions: {hazard: 0.08 /wk, source: "assumption: for a test"}
endpoints:
  - {name: response, kind: recist_best_response, quantity: sum_of_longest_diameters}
seed: 3
"""


def test_every_arm_has_its_nadirs(counted: tuple[Protocol, Outcomes]) -> None:
    protocol, outcomes = counted
    axes = plot_nadir(protocol, outcomes).axes
    assert len(axes) == 4
    for left, arm in zip(axes[::2], ("full", "stopped"), strict=True):
        wide = outcomes.wide(arm, "neutrophils", tuple(protocol.grid_days()), "true").dropna()
        dots = next(line for line in left.lines if line.get_label() == "nadir of each")
        assert dots.get_ydata() == pytest.approx(wide.min(axis=1).to_numpy())


def test_exposures_are_those_of_the_conduct_also_under_policies(counted: tuple[Protocol, Outcomes]) -> None:
    """Dose over clearance on treatment; none for whom a policy had stopped before the day."""
    protocol, outcomes = counted
    port = "sunitinib_exposure.daily_exposure"
    figure = plot_exposure_response(protocol, outcomes, port, TUMOUR, day=63)
    given = {
        name: axes.lines[0].get_xdata() for name, axes in zip(("full", "stopped"), figure.axes, strict=False)
    }
    ended = outcomes.arm_patients("stopped")["stopped_day"].to_numpy() < 63
    assert 0 < ended.sum() < 12
    assert (given["full"] > 0.5).all()
    assert given["stopped"] == pytest.approx(np.where(ended, 0.0, given["full"]))
    wide = outcomes.wide("full", TUMOUR, (0.0, 63.0), "true")
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx(
        (100.0 * (wide[63.0] / wide[0.0] - 1.0)).to_numpy()
    )


def test_exposures_of_a_trial_with_a_heart_need_no_cycle(sunitinib: Any) -> None:
    """The example's circulation has no part in exposure: clearance alone tells patients apart."""
    figure = plot_exposure_response(
        sunitinib.protocol, sunitinib.outcomes, "sunitinib_exposure.daily_exposure", TUMOUR, change=False
    )
    first, second = (axes.lines[0].get_xdata() for axes in figure.axes)
    assert np.all(first == 0.0)  # day 168 is the first of a cycle's days with, but nobody gets its dose yet
    assert np.all(second > 0.0)


def test_what_cannot_be_drawn_is_refused(sunitinib: Any, dilator: Any, results: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is called 'best_response'; there is \['progression_free_time'\]"):
        plot_survival(sunitinib.protocol, results, "best_response")
    with pytest.raises(ValueError, match="no quantity with a RECIST endpoint in this trial"):
        plot_swimmer(dilator.protocol, dilator.outcomes)
    with pytest.raises(ValueError, match="no quantity that is measured is called 'platelets'"):
        plot_spaghetti(sunitinib.protocol, sunitinib.outcomes, "platelets")
    with pytest.raises(ValueError, match="no blood count with grades that is measured in this trial"):
        plot_nadir(sunitinib.protocol, sunitinib.outcomes)
    port = "sunitinib_exposure.daily_exposure"
    with pytest.raises(ValueError, match="is no output of a slow model of this trial; there are sunitinib"):
        plot_exposure_response(sunitinib.protocol, sunitinib.outcomes, port[:-1], TUMOUR)
    with pytest.raises(ValueError, match="day 8 is not on the grid"):
        plot_exposure_response(sunitinib.protocol, sunitinib.outcomes, port, TUMOUR, day=8)
