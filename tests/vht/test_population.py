"""Baselines and individual parameters: recorded, imputed, drawn, and correlated as published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.vht.people import gist_cohort, gist_patient, pseudonym
from vht import Cohort, Observation, VirtualPatient, baseline_table, impute, individuals, sunitinib_gist
from vht.population import heart_rate_prior, typical

QUANTITIES = ["systolic_blood_pressure", "diastolic_blood_pressure", "sum_of_longest_diameters", "heart_rate"]


def many(n: int, diastolic: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study_number": np.arange(n) * 7919 + 2**40,
            "sum_of_longest_diameters": 200.0,
            "diastolic_blood_pressure": diastolic,
            "heart_rate": 70.0,
        }
    )


def test_a_missing_heart_rate_is_drawn_and_marked_imputed_in_state_and_table() -> None:
    cohort = impute(gist_cohort(60), seed=1)
    table = baseline_table(cohort, QUANTITIES)
    imputed = table["heart_rate_origin"] == "imputed"
    assert imputed.sum() == 20
    assert (table.loc[~imputed, "heart_rate_origin"] == "recorded").all()
    assert table["heart_rate"].between(35, 125).all()
    assert table["heart_rate"][imputed].std() > 3
    state = cohort.state(table["pseudonym"][imputed].iloc[0])
    found = state.latest("heart_rate")
    assert found is not None
    assert found.origin == "imputed"
    assert found.value == table["heart_rate"][imputed].iloc[0]
    assert gist_patient(3).latest("heart_rate") is None


def test_an_imputed_value_hangs_on_seed_and_patient_alone() -> None:
    one, again, other = (
        baseline_table(impute(gist_cohort(n), seed=s), QUANTITIES).set_index("pseudonym")
        for n, s in ((60, 1), (30, 1), (60, 2))
    )
    assert one.loc[again.index, "heart_rate"].equals(again["heart_rate"])
    imputed = one["heart_rate_origin"] == "imputed"
    assert not one.loc[imputed, "heart_rate"].equals(other.loc[imputed, "heart_rate"])
    assert one.loc[~imputed, "heart_rate"].equals(other.loc[~imputed, "heart_rate"])


def test_what_is_recorded_is_never_imputed() -> None:
    everyone = Cohort.from_states(gist_patient(i, heart_rate=70.0) for i in range(5))
    assert impute(everyone, seed=1) is everyone


def test_the_heart_rate_prior_is_the_published_regression() -> None:
    """Cardiovascular reference, section 13, evaluated table; women 3/min higher (NHANES, 74 against 71)."""
    mean, sd = heart_rate_prior(np.array([35.0, 45.0, 55.0, 65.0, 75.0]), ["male"] * 5)
    np.testing.assert_allclose(mean, [76.8, 77.7, 77.3, 76.5, 74.4], atol=0.06)
    assert (sd == 11).all()
    women, _ = heart_rate_prior(np.array([45.0]), ["female"])
    assert women[0] - mean[1] == pytest.approx(3.0)
    unknown, _ = heart_rate_prior(np.array([np.nan]), ["unknown"])
    assert unknown[0] == 71.0


def test_pressures_of_one_day_are_taken_together() -> None:
    state = gist_patient(1)
    later = Observation(quantity="systolic_blood_pressure", value=199.0, day=5.0)
    state = state.model_copy(update={"observations": (*state.observations, later)})
    table = baseline_table(Cohort.from_states([state]), QUANTITIES)
    recorded = state.latest("systolic_blood_pressure", by_day=0.0)
    assert recorded is not None
    assert table["systolic_blood_pressure"][0] == recorded.value


def test_slope_is_drawn_given_the_patients_own_diastolic_pressure() -> None:
    """Hansson: var(BP0) 0.0151, cov -0.0515, var(SLP) 0.416, so E[eta_SLP | eta_BP0] = -3.411 eta_BP0 and
    the conditional variance is 0.2404."""
    n = 20_000
    pressure = 71.8 * np.exp(np.sqrt(0.0151) * np.random.default_rng(1).standard_normal(n))
    people = individuals(sunitinib_gist(), many(n, pressure), seed=5)
    drawn = people.parameters["sunitinib_blood_pressure"]
    assert np.array_equal(drawn.baseline_diastolic_pressure, pressure)
    effect = np.log(drawn.exposure_slope / 0.119)
    own = np.log(pressure / 71.8)
    assert np.corrcoef(own, effect)[0, 1] == pytest.approx(-0.65, abs=0.02)
    assert np.polyfit(own, effect, 1)[0] == pytest.approx(-0.0515 / 0.0151, abs=0.12)
    assert np.var(effect + 0.0515 / 0.0151 * own) == pytest.approx(0.416 - 0.0515**2 / 0.0151, rel=0.04)
    assert np.var(np.log(drawn.mean_residence_time / 361)) == pytest.approx(0.694, rel=0.04)


def test_published_spread_and_correlation_of_tumour_parameters() -> None:
    """Hansson 2013: IC50 of sVEGFR-3 and sKIT have variances 0.398 and 5.77, covariance 0.936."""
    people = individuals(sunitinib_gist(), many(20_000, np.full(20_000, 75.0)), seed=5)
    drawn = people.parameters["hansson_gist"]
    pair = np.stack([np.log(drawn.vegfr3_half_exposure), np.log(drawn.kit_half_exposure)])
    np.testing.assert_allclose(np.cov(pair), [[0.398, 0.936], [0.936, 5.77]], rtol=0.05)
    assert np.var(np.log(drawn.growth_rate / 0.0118)) == pytest.approx(0.290, rel=0.04)
    assert np.std(drawn.vegfr3_kill) == pytest.approx(0.0, abs=1e-12)
    assert (drawn.baseline_sum_of_diameters == 200.0).all()
    clearance = people.parameters["sunitinib_exposure"].clearance
    assert np.std(clearance) / np.mean(clearance) == pytest.approx(0.339, rel=0.04)


def test_a_patients_draws_do_not_depend_on_the_others() -> None:
    table = many(50, np.linspace(60, 100, 50))
    whole = individuals(sunitinib_gist(), table, seed=5)
    part = individuals(sunitinib_gist(), table.iloc[[31]].reset_index(drop=True), seed=5)
    for model, record in whole.parameters.items():
        for name, value in vars(record).items():
            assert (
                np.broadcast_to(value, (50,))[31]
                == np.broadcast_to(vars(part.parameters[model])[name], (1,))[0]
            )


def test_the_typical_patients_organs_agree_on_the_pressure() -> None:
    people = typical(sunitinib_gist())
    own = people.parameters["sunitinib_blood_pressure"].baseline_diastolic_pressure[0]
    assert own == pytest.approx(75.97, abs=0.01)


def test_invalid_parameters_are_found() -> None:
    people = typical(sunitinib_gist(), 3)
    people.parameters["hansson_gist"].growth_rate[1] = np.nan
    people.parameters["sunitinib_exposure"].clearance[2] = -1.0
    assert people.valid().tolist() == [True, False, False]


def test_pseudonyms_of_the_tests_are_well_formed() -> None:
    assert gist_patient(0).pseudonym == pseudonym(0)


def test_parameters_of_one_model_are_changed_for_all_or_for_each_and_mistakes_are_told() -> None:
    patient = VirtualPatient(["cardiovascular"])
    people = typical(patient, 3)
    moved = people.changed("cardiovascular", heart_rate=80.0, stressed_volume=[1000.0, 1200.0, 1400.0])
    heart = moved.parameters["cardiovascular"]
    np.testing.assert_array_equal(heart.heart_rate, [80.0, 80.0, 80.0])
    np.testing.assert_array_equal(heart.stressed_volume, [1000.0, 1200.0, 1400.0])
    np.testing.assert_array_equal(people.parameters["cardiovascular"].heart_rate, 70.0)
    with pytest.raises(ValueError, match="did you mean 'stressed_volume'"):
        people.changed("cardiovascular", stresed_volume=1.0)
    with pytest.raises(ValueError, match="one for each of 3"):
        people.changed("cardiovascular", heart_rate=[70.0, 80.0])
    with pytest.raises(ValueError, match="no model 'heart'"):
        people.changed("heart", heart_rate=70.0)
