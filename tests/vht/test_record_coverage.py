"""What models need of a record, and what of it is missing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

import vht
from trials.compose import compose
from trials.enrolment import needed_quantities
from trials.protocol import load_protocol
from vht.missing import KINDS
from vht.state import Interval, Observation, PatientState

FULL, NO_RATE, APART, EMPTY, BOUND = ("v1-" + letter * 32 for letter in "abcde")


def state(pseudonym: str, number: int, *known: Observation | Interval) -> PatientState:
    return PatientState(
        pseudonym=pseudonym,
        study_number=number,
        sex="female",
        age_years=60,
        observations=tuple(k for k in known if isinstance(k, Observation)),
        intervals=tuple(k for k in known if isinstance(k, Interval)),
    )


def seen(quantity: str, value: float, day: float = 0, origin: Any = "recorded") -> Observation:
    return Observation(quantity=quantity, value=value, day=day, origin=origin)


@pytest.fixture
def cohort() -> vht.Cohort:
    """Five women: all there; no heart rate; pressures on two days; nothing; only bounds."""
    systolic, diastolic = seen("systolic_blood_pressure", 130), seen("diastolic_blood_pressure", 80)
    later = seen("diastolic_blood_pressure", 80, day=3)
    return vht.Cohort.from_states(
        [
            state(
                FULL,
                1,
                systolic,
                diastolic,
                seen("heart_rate", 70),
                seen("sum_of_longest_diameters", 100, 0, "derived"),
            ),
            state(NO_RATE, 2, systolic, diastolic),
            state(APART, 3, systolic, later, seen("heart_rate", 70)),
            state(EMPTY, 4),
            state(BOUND, 5, Interval(quantity="sum_of_longest_diameters", high=10, day=0)),
        ]
    )


def test_a_circulation_needs_the_heart_rate_and_both_pressures_of_one_day(cohort: vht.Cohort) -> None:
    found = vht.coverage(cohort, ["cardiovascular"])
    assert set(found.needs["cardiovascular"]) == {
        "systolic_blood_pressure",
        "diastolic_blood_pressure",
        "heart_rate",
    }
    complete = found.complete("cardiovascular")
    assert complete[complete].index.tolist() == [FULL]
    if_imputed = found.complete("cardiovascular", imputed=True)
    assert sorted(if_imputed[if_imputed].index) == [FULL, NO_RATE]
    row = found.table().loc["cardiovascular"]
    assert (row["patients"], row["complete"], row["complete_if_imputed"], row["share"]) == (5, 1, 2, 0.2)


def test_a_derived_sum_counts_and_a_bound_does_not(cohort: vht.Cohort) -> None:
    found = vht.coverage(cohort, ["hansson_gist"]).complete("hansson_gist")
    assert found[found].index.tolist() == [FULL]


def test_a_heart_rate_that_was_imputed_is_not_the_records_own(cohort: vht.Cohort) -> None:
    imputed = vht.impute(cohort, seed=1)
    assert vht.coverage(imputed, ["cardiovascular"]).table().loc["cardiovascular", "complete"] == 1


def test_a_composition_needs_what_a_trial_with_it_reads(cohort: vht.Cohort) -> None:
    """The trial's own list of what it reads at baseline is the reference."""
    from pathlib import Path

    import trials

    examples = Path(trials.__file__).parent / "examples"
    protocol = load_protocol(examples / "sunitinib_gist.yaml")
    patient = compose(protocol)
    ((name, asked),) = vht.coverage(cohort, {"the trial's twin": patient}).needs.items()
    assert name == "the trial's twin"
    assert vht.coverage(cohort, [patient]).needs == {" + ".join(patient.models): asked}
    assert set(asked) <= set(needed_quantities(protocol, patient))
    assert {"sum_of_longest_diameters", "heart_rate", "systolic_blood_pressure"} <= set(asked)


def test_every_model_that_takes_something_from_a_record_is_told_by_default(cohort: vht.Cohort) -> None:
    found = vht.coverage(cohort)
    assert {"cardiovascular", "hansson_gist", "docetaxel_neutropenia_ozawa", "stein_antigen"} <= set(
        found.needs
    )
    assert all(found.needs.values())
    assert "temozolomide" not in found.needs  # it takes nothing from a record
    assert vht.coverage(cohort, ["temozolomide"]).table().loc["temozolomide", "complete"] == 5


def test_what_is_lacking_is_counted_where_it_is_needed(cohort: vht.Cohort) -> None:
    """By hand: a rate is on record of two of five; a sum of one."""
    lacking = vht.coverage(cohort, ["cardiovascular", "hansson_gist"]).lacking()
    assert lacking.loc["cardiovascular", "heart_rate"] == 3
    assert lacking.loc["hansson_gist", "sum_of_longest_diameters"] == 4
    assert lacking.loc["hansson_gist", "heart_rate"] == 0


def test_unknown_names_are_met_with_the_nearest(cohort: vht.Cohort) -> None:
    with pytest.raises(KeyError, match="did you mean 'hansson_gist'"):
        vht.coverage(cohort, ["hanson_gist"])
    with pytest.raises(vht.UnknownQuantity, match="did you mean 'heart_rate'"):
        cohort.missing_map(["hart_rate"])


def test_the_coverage_plot_says_how_many_and_what_they_lack(cohort: vht.Cohort) -> None:
    figure = vht.coverage(cohort, ["cardiovascular"]).plot()
    (text,) = figure.axes[0].texts
    assert text.get_text().startswith("1 of 5; 3 lack ")
    nobody = vht.coverage(cohort.select([]), ["cardiovascular"])
    with pytest.raises(ValueError, match="no patient"):
        nobody.plot()


def test_the_map_shows_the_best_that_is_known(cohort: vht.Cohort) -> None:
    known = vht.impute(cohort, seed=1).missing_map().known
    assert known.loc[FULL, "sum_of_longest_diameters"] == "derived"
    assert known.loc[BOUND, "sum_of_longest_diameters"] == "bound"
    assert known.loc[EMPTY, "sum_of_longest_diameters"] == "nothing"
    assert known.loc[FULL, "heart_rate"] == "recorded"
    assert known.loc[EMPTY, "heart_rate"] == "imputed"


def test_the_map_counts_every_patient_once_a_quantity(cohort: vht.Cohort) -> None:
    table = cohort.missing_map().table()
    assert list(table.columns) == list(KINDS)
    assert (table.sum(axis=1) == 5).all()
    assert table.loc["sum_of_longest_diameters"].to_dict() == {
        "recorded": 0,
        "derived": 1,
        "imputed": 0,
        "bound": 1,
        "nothing": 3,
    }


def test_the_map_asks_for_any_quantity_and_draws_nobodys_name(cohort: vht.Cohort) -> None:
    mapped = cohort.missing_map(["neutrophils", "heart_rate"])
    assert mapped.table().loc["neutrophils", "nothing"] == 5
    figure = mapped.plot()
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["Neutrophils", "Heart rate"]
    drawn = axis.images[0].get_array()
    assert drawn.shape == (2, 5)
    assert (drawn[1] == KINDS.index("recorded")).sum() == 2
    words = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert not any("v1-" in word for word in words)
    with pytest.raises(ValueError, match="no patient"):
        replace(mapped, known=mapped.known.iloc[:0]).plot()


def test_the_map_needs_no_jax() -> None:
    code = "import sys, vht.missing, vht.record_coverage; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
