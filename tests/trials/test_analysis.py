"""Statistics against values that R computed (``survival``, base R) and published worked examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trials import analysis


@pytest.fixture(scope="module")
def survival_reference(shared_data: Path) -> pd.Series:
    table = pd.read_csv(shared_data / "trials" / "survival_refs_R.csv")
    return table.set_index(["dataset", "method", "quantity"])["value"].sort_index()


@pytest.fixture(scope="module")
def lung(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "trials" / "data_lung.csv")


@pytest.fixture(scope="module")
def ovarian(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "trials" / "data_ovarian.csv")


@pytest.mark.parametrize("group", ["all", "sex=1", "sex=2"])
def test_kaplan_meier_has_the_survival_and_loglog_limits_of_r(
    lung: pd.DataFrame, survival_reference: pd.Series, group: str
) -> None:
    method = "KM overall loglog CI" if group == "all" else "KM by sex loglog CI"
    rows = lung if group == "all" else lung[lung["sex"] == int(group[-1])]
    curve = analysis.kaplan_meier(rows["time"], rows["status"] == 2)
    reference = survival_reference["lung", method]
    checked = 0
    for name, expected in reference.items():
        if not str(name).startswith(("S(", "lower95(", "upper95(")) or not str(name).endswith("|" + group):
            continue
        kind, day = str(name).split("(")[0], float(str(name).split("(")[1].split(")")[0])
        column = {"S": curve.survival, "lower95": curve.lower, "upper95": curve.upper}[kind]
        assert column[np.searchsorted(curve.times, day, side="right") - 1] == pytest.approx(
            expected, abs=1e-9
        )
        checked += 1
    assert checked >= 9


@pytest.mark.parametrize("group", ["", "sex=1", "sex=2"])
def test_median_survival_and_its_interval_are_those_of_r(
    lung: pd.DataFrame, survival_reference: pd.Series, group: str
) -> None:
    method = "KM by sex loglog CI" if group else "KM overall loglog CI"
    rows = lung[lung["sex"] == int(group[-1])] if group else lung
    median = analysis.kaplan_meier(rows["time"], rows["status"] == 2).median
    reference = survival_reference["lung", method]
    assert median.value == reference[f"median|{group}"]
    assert median.lower == reference[f"median_lower95|{group}"]
    assert median.upper == reference[f"median_upper95|{group}"]


def test_median_is_the_middle_of_a_stretch_at_one_half() -> None:
    # four events at 1, 2, 3, 4: survival is 0.5 from 2 to 3; R's quantile.survfit gives 2.5
    assert analysis.kaplan_meier([1, 2, 3, 4], [True] * 4).median.value == 2.5


def test_median_is_unknown_where_the_curve_stays_above_one_half() -> None:
    assert np.isnan(analysis.kaplan_meier([1, 2, 3, 4], [True, False, False, False]).median.value)


def test_number_at_risk_counts_those_observed_at_least_so_long() -> None:
    curve = analysis.kaplan_meier([0, 6, 6, 12], [False, True, False, True])
    assert curve.at_risk([0, 6, 7, 12, 13]).tolist() == [4, 3, 1, 1, 0]
    assert curve.at([0, 5, 6, 12]).tolist() == pytest.approx([1, 1, 2 / 3, 0])


@pytest.mark.parametrize(("dataset", "group", "horizon"), [("lung", "sex", 700.0), ("ovarian", "rx", 600.0)])
@pytest.mark.parametrize("level", [1, 2])
def test_restricted_mean_and_its_standard_error_are_those_of_r(
    lung: pd.DataFrame,
    ovarian: pd.DataFrame,
    survival_reference: pd.Series,
    dataset: str,
    group: str,
    horizon: float,
    level: int,
) -> None:
    table = lung if dataset == "lung" else ovarian
    rows = table[table[group] == level]
    time, event = ("time", rows["status"] == 2) if dataset == "lung" else ("futime", rows["fustat"] == 1)
    result = analysis.restricted_mean(rows[time], event, horizon).estimate
    reference = survival_reference[dataset, f"RMST by {group}"]
    assert result.value == pytest.approx(reference[f"rmst(tau={horizon:.0f})|{group}={level}"], rel=1e-9)
    assert result.standard_error == pytest.approx(reference[f"se_rmst|{group}={level}"], rel=1e-9)


def test_restricted_mean_without_censoring_is_the_mean_of_the_cut_times() -> None:
    time = np.array([2.0, 5.0, 5.0, 9.0, 30.0])
    cut = np.minimum(time, 10.0)
    result = analysis.restricted_mean(time, np.ones(5, bool), 10.0)
    assert result.estimate.value == pytest.approx(cut.mean())
    # the influence of a mean is (value - mean) / n, so the paired interval is that of the differences
    np.testing.assert_allclose(result.influence, (cut - cut.mean()) / 5, atol=1e-12)


def test_paired_restricted_mean_of_the_same_times_has_no_error() -> None:
    one = analysis.restricted_mean([1, 4, 6, 6], [True, False, True, False], 6.0)
    same = analysis.paired_restricted_mean_difference(one, one)
    assert (same.value, same.lower, same.upper) == (0, 0, 0)
    assert analysis.restricted_mean_difference(one, one).width > 1


def test_logrank_is_that_of_r(ovarian: pd.DataFrame, survival_reference: pd.Series) -> None:
    first, second = (ovarian[ovarian["rx"] == arm] for arm in (1, 2))
    statistic, p = analysis.logrank(
        first["futime"], first["fustat"] == 1, second["futime"], second["fustat"] == 1
    )
    reference = survival_reference["ovarian", "log-rank rx"]
    assert statistic == pytest.approx(reference["chisq"], rel=1e-8)
    assert p == pytest.approx(reference["p"], rel=1e-8)


@pytest.mark.parametrize("counts", [(15, 148, 4, 151), (7, 34, 1, 34)])
def test_wilson_and_newcombe_intervals_are_those_of_r(
    shared_data: Path, counts: tuple[int, int, int, int]
) -> None:
    table = pd.read_csv(shared_data / "trials" / "misc_stats_R.csv")
    reference = table[table["block"] == "2x2"].set_index(["term", "quantity"])["value"]
    row = reference["{}/{} vs {}/{}".format(*counts)]
    single = analysis.proportion(*counts[:2])
    assert (single.lower, single.upper) == pytest.approx((row["wilson1_lo"], row["wilson1_hi"]), abs=1e-9)
    difference = analysis.risk_difference(*counts)
    assert difference.value == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3])
    assert (difference.lower, difference.upper) == pytest.approx(
        (row["newcombe_diff_lo"], row["newcombe_diff_hi"]), abs=1e-9
    )


def test_paired_newcombe_interval_is_the_published_one() -> None:
    # Cavo 2012: 59 / 6 / 16 / 80 pairs; Fagerland, Lydersen and Laake, Statistical Analysis of Contingency
    # Tables, chapter 8 (and the tests of their R package `contingencytables`): -0.0621 (-0.1186 to -0.0046)
    before = [1] * 59 + [1] * 6 + [0] * 16 + [0] * 80
    after = [1] * 59 + [0] * 6 + [1] * 16 + [0] * 80
    result = analysis.paired_risk_difference(before, after)
    assert result.value == pytest.approx(-0.0621, abs=5e-5)
    assert (result.lower, result.upper) == pytest.approx((-0.1186, -0.0046), abs=5e-5)
    assert result.n == 161


def test_a_pair_with_an_unknown_member_is_left_out() -> None:
    assert analysis.paired_risk_difference([1, 0, np.nan], [1, 0, 1]).n == 2
    assert analysis.paired_difference([1.0, 2.0, np.nan], [0.0, 1.5, 1.0]).n == 2


@pytest.mark.parametrize(("successes", "limit"), [(0, "lower"), (10, "upper")])
def test_wilson_limit_is_exact_at_the_ends(successes: int, limit: str) -> None:
    assert getattr(analysis.proportion(successes, 10), limit) == successes / 10


def test_welch_and_paired_t_are_those_of_r(shared_data: Path) -> None:
    sleep = pd.read_csv(shared_data / "trials" / "data_sleep.csv")
    first, second = (sleep.loc[sleep["group"] == g, "extra"].to_numpy() for g in (1, 2))
    table = pd.read_csv(shared_data / "trials" / "misc_stats_R.csv").set_index("block")["value"]
    welch = analysis.difference_of_means(first, second)
    assert welch.value / welch.standard_error == pytest.approx(table["t-test sleep Welch"], rel=1e-8)
    paired = analysis.paired_difference(first, second)
    assert paired.value / paired.standard_error == pytest.approx(table["t-test sleep paired"], rel=1e-8)


def test_intervals_of_means_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(1, 2, 17), rng.normal(0, 5, 23)
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.9)
    ours = analysis.difference_of_means(first, second, 0.9)
    assert (ours.lower, ours.upper) == pytest.approx((interval.low, interval.high))
    interval = stats.ttest_1samp(first, 0).confidence_interval(0.95)
    single = analysis.mean(first)
    assert (single.lower, single.upper) == pytest.approx((interval.low, interval.high))


def test_pairing_narrows_the_interval_of_correlated_samples() -> None:
    rng = np.random.default_rng(4)
    patient = rng.normal(0, 10, 50)
    first, second = patient + rng.normal(1, 1, 50), patient + rng.normal(0, 1, 50)
    assert (
        analysis.paired_difference(first, second).width
        < analysis.difference_of_means(first, second).width / 3
    )


def test_empty_and_single_samples_give_unknown_limits_and_no_error() -> None:
    assert np.isnan(analysis.mean([]).value)
    assert analysis.mean([3.0]).value == 3.0
    assert np.isnan(analysis.mean([3.0]).lower)
    assert np.isnan(analysis.difference_of_means([], [1.0]).value)
    assert np.isnan(analysis.proportion(0, 0).value)
    assert analysis.kaplan_meier([], []).n == 0
    assert np.isnan(analysis.logrank([1.0], [False], [2.0], [False])[1])
    assert analysis.spread([np.nan]).n == 0


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_outside_zero_and_one_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        analysis.mean([1.0, 2.0], level)


def test_a_missing_time_is_refused_not_dropped() -> None:
    with pytest.raises(ValueError, match="missing or negative"):
        analysis.kaplan_meier([1.0, np.nan], [True, True])
