"""Plots of a cohort: nadirs and exposure against response, read back from the figure."""

from __future__ import annotations

import numpy as np
import pytest

import vht
from organ_models.pharmacology.ctcae import neutropenia_grade
from vht.compositions import docetaxel_lung
from vht.ready_made import ready_made

COUNT = "docetaxel_neutropenia_kloft.neutrophils"


@pytest.fixture(scope="module")
def cohort() -> vht.Simulation:
    patient = docetaxel_lung()
    doses = ready_made("docetaxel_lung").regimen("three_weekly").inputs["docetaxel_ozawa.infusion_rate"]
    return vht.simulate(
        patient,
        vht.sample(patient, 40, seed=2),
        doses={"docetaxel_ozawa.infusion_rate": doses},
        days=list(range(22)),
        estimate_error=False,
    )


@pytest.fixture(scope="module")
def dosed() -> vht.Simulation:
    patient = vht.VirtualPatient(
        ["sunitinib_exposure", "hansson_gist"],
        [vht.Coupling("sunitinib_exposure.daily_exposure", "hansson_gist.daily_exposure")],
    )
    dose = np.tile(np.repeat([0.0, 25.0, 50.0], 8), (85, 1))
    people = vht.typical(patient, 24)
    return vht.simulate(
        patient,
        people,
        doses={"sunitinib_exposure.daily_dose": dose},
        days=[0, 84],
        estimate_error=False,
    )


def test_every_nadir_is_marked_where_it_lies(cohort: vht.Simulation) -> None:
    left, right = cohort.plot_nadir().axes
    dots = next(line for line in left.lines if line.get_label() == "nadir of each")
    assert np.array_equal(dots.get_ydata(), cohort.outputs[COUNT].min(axis=0))
    assert np.array_equal(dots.get_xdata(), cohort.days[cohort.outputs[COUNT].argmin(axis=0)])
    grades = np.asarray(neutropenia_grade(cohort.outputs[COUNT].min(axis=0)))
    shown = [patch.get_height() for patch in right.patches]
    assert shown == pytest.approx([100 * (grades == g).mean() for g in (0, 2, 3, 4)])


def test_the_median_is_that_of_all(cohort: vht.Simulation) -> None:
    left = cohort.plot_nadir(COUNT).axes[0]
    middle = next(line for line in left.lines if line.get_label() == "median")
    assert np.array_equal(middle.get_ydata(), np.median(cohort.outputs[COUNT], axis=1))


def test_a_dose_group_is_a_group(dosed: vht.Simulation) -> None:
    """Three doses of identical patients: the change in size at exposures of 0, 25 and 50 mg over 34.5 L/h."""
    figure = dosed.plot_exposure_response(
        "sunitinib_exposure.daily_exposure", "hansson_gist.sum_of_diameters"
    )
    middle = figure.axes[0].containers[0].lines[0]
    size = dosed.outputs["hansson_gist.sum_of_diameters"]
    assert middle.get_xdata() == pytest.approx(np.array([0.0, 25.0, 50.0]) / 34.5)
    assert middle.get_ydata() == pytest.approx((100 * (size[1] / size[0] - 1))[::8])
    assert np.all(np.diff(middle.get_ydata()) < 0)


def test_many_exposures_are_put_in_quarters(cohort: vht.Simulation) -> None:
    figure = cohort.plot_exposure_response("docetaxel_ozawa.cumulative_exposure", COUNT, day=8, change=False)
    assert len(figure.axes[0].containers[0].lines[0].get_xdata()) == 4
    assert len(figure.axes[0].lines[0].get_xdata()) == 40


def test_what_is_not_there_is_named(cohort: vht.Simulation, dosed: vht.Simulation) -> None:
    with pytest.raises(ValueError, match="there is no blood count"):
        dosed.plot_nadir()
    with pytest.raises(ValueError, match="is no blood count"):
        cohort.plot_nadir("docetaxel_ozawa.concentration")
    with pytest.raises(ValueError, match="is no output of this simulation"):
        dosed.plot_exposure_response("sunitinib_exposure.exposure", "hansson_gist.sum_of_diameters")
    with pytest.raises(ValueError, match="day 7 is not a reporting day"):
        dosed.plot_exposure_response(
            "sunitinib_exposure.daily_exposure", "hansson_gist.sum_of_diameters", day=7
        )
