"""Baselines and individual parameters: recorded, imputed, drawn, and correlated as published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from organ_models import model
from organ_models.scenarios import in_variant
from tests.vht.people import gist_cohort, gist_patient, pseudonym
from vht import (
    Cohort,
    Observation,
    VirtualPatient,
    baseline_table,
    impute,
    individuals,
    sample,
    sunitinib_gist,
)
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
    for name_of_model, record in whole.parameters.items():
        for name, value in vars(record).items():
            assert (
                np.broadcast_to(value, (50,))[31]
                == np.broadcast_to(vars(part.parameters[name_of_model])[name], (1,))[0]
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


def test_one_effect_moves_the_three_residence_times_of_hansson_alike() -> None:
    """Hansson 2013: one random effect of variance 0.0600 on the residence times of VEGF, sVEGFR-2 and -3."""
    drawn = sample(model("hansson_gist"), 5000, seed=3).parameters["hansson_gist"]
    effect = np.log(drawn.vegfr3_residence_time / 401)
    np.testing.assert_allclose(np.log(drawn.vegf_residence_time / 91), effect, atol=1e-12)
    np.testing.assert_allclose(np.log(drawn.vegfr2_residence_time / 554), effect, atol=1e-12)
    assert np.var(effect) == pytest.approx(0.0600, rel=0.06)
    assert np.var(np.log(drawn.kit_residence_time / 2430)) == pytest.approx(0.0753, rel=0.06)
    assert np.corrcoef(effect, np.log(drawn.kit_residence_time))[0, 1] == pytest.approx(0, abs=0.05)


def test_the_whole_published_covariance_is_drawn() -> None:
    """Hansson 2013: covariance of the exposures that halve VEGF, sVEGFR-2, sVEGFR-3 and sKIT."""
    drawn = sample(model("hansson_gist"), 40_000, seed=3).parameters["hansson_gist"]
    names = ("vegf", "vegfr2", "vegfr3", "kit")
    effects = np.stack([np.log(getattr(drawn, f"{n}_half_exposure")) for n in names])
    published = [
        [0.253, 0.198, 0.238, 0.218],
        [0.198, 0.189, 0.252, 0.297],
        [0.238, 0.252, 0.398, 0.936],
        [0.218, 0.297, 0.936, 5.77],
    ]
    np.testing.assert_allclose(np.cov(effects), published, rtol=0.03, atol=0.01)


def test_a_logit_normal_fraction_correlates_as_published() -> None:
    """Chatterjee 2016: ln kg, ln kd and logit f have the covariance 1.21; -.33, 1.26; -.814, .631, 2.79."""
    drawn = sample(model("chatterjee_lung_cancer"), 40_000, seed=3).parameters["chatterjee_lung_cancer"]
    fraction = drawn.sensitive_fraction
    assert ((fraction > 0) & (fraction < 1)).all()
    effects = np.stack(
        [
            np.log(drawn.growth_rate / 0.00114),
            np.log(drawn.kill_rate / 0.00265),
            np.log(fraction / (1 - fraction)) - np.log(0.574 / 0.426),
        ]
    )
    published = [[1.21, -0.33, -0.814], [-0.33, 1.26, 0.631], [-0.814, 0.631, 2.79]]
    np.testing.assert_allclose(np.cov(effects), published, atol=0.04)


def test_a_recorded_size_moves_what_is_correlated_with_it() -> None:
    """Struemper 2025: var(ln TSb) 0.2645, cov(ln TSb, eta kg) 0.01911, cov(ln TSb, ln ks) -0.06367."""
    n = 40_000
    size = 86.07 * np.exp(np.sqrt(0.2645) * np.random.default_rng(1).standard_normal(n))
    table = pd.DataFrame({"study_number": np.arange(n), "sum_of_longest_diameters": size})
    name = "struemper_lung_cancer"
    drawn = individuals(VirtualPatient([name]), table, seed=5).parameters[name]
    assert np.array_equal(drawn.baseline_sum_of_diameters, size)
    own = np.log(size / 86.07)
    assert np.polyfit(own, drawn.growth_effect, 1)[0] == pytest.approx(0.01911 / 0.2645, abs=0.02)
    shrinkage = np.log(drawn.shrinkage_rate / 0.01700)
    assert np.polyfit(own, shrinkage, 1)[0] == pytest.approx(-0.06367 / 0.2645, abs=0.02)
    assert np.cov(drawn.growth_effect, shrinkage)[0, 1] == pytest.approx(0.1504, abs=0.03)


def test_a_sampled_population_does_not_hang_on_its_size() -> None:
    few, many_ = (sample(model("claret_monet1"), n, seed=7) for n in (3, 50))
    record = many_.take(np.arange(3)).parameters["claret_monet1"]
    for name, value in vars(few.parameters["claret_monet1"]).items():
        np.testing.assert_array_equal(value, getattr(record, name), err_msg=name)
    other = sample(model("claret_monet1"), 3, seed=8).parameters["claret_monet1"]
    assert not np.array_equal(other.growth_rate, record.growth_rate)
    assert len(sample(sunitinib_gist(), 0, seed=1)) == 0
    with pytest.raises(ValueError, match="from 0 on"):
        sample(model("claret_monet1"), -1, seed=1)


def test_a_variant_is_drawn_with_its_own_spread() -> None:
    """ALK-positive lung cancer: KG of crizotinib 0.00438 /wk with a CV of 105 %, of alectinib 138 %."""
    crizotinib = in_variant(model("alk_lung_cancer"), "crizotinib")
    drawn = sample(crizotinib, 20_000, seed=7).parameters["alk_lung_cancer"].growth_rate
    assert np.median(drawn) == pytest.approx(0.00438, rel=0.03)
    assert np.var(np.log(drawn)) == pytest.approx(np.log1p(1.05**2), rel=0.04)
