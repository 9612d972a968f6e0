"""The results of a whole made-up trial: complete, consistent, without patients in them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from trials.endpoints import endpoint_table
from trials.outcomes import Outcomes
from trials.results import analyse, plain


@pytest.fixture(scope="module")
def results(sunitinib: Any) -> dict[str, Any]:
    return analyse(sunitinib.protocol, sunitinib.outcomes)


def test_results_are_json_without_nan_and_come_back_the_same(results: dict[str, Any]) -> None:
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_the_order_of_rows_changes_no_byte(sunitinib: Any, results: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)

    def shuffled(table: Any) -> Any:
        return table.iloc[rng.permutation(len(table))]

    names = ("baseline", "disposition", "measurements", "peaks")
    tables = {n: shuffled(getattr(sunitinib.outcomes, n)) for n in names}
    again = analyse(sunitinib.protocol, Outcomes(**tables, screening=sunitinib.outcomes.screening))
    assert json.dumps(again) == json.dumps(results)


def test_no_pseudonym_and_no_study_number_is_in_the_results(sunitinib: Any, results: dict[str, Any]) -> None:
    text = json.dumps(results)
    for row in sunitinib.outcomes.baseline.itertuples():
        assert row.pseudonym not in text
        assert str(row.study_number) not in text


def test_every_patient_is_somewhere_in_the_disposition(results: dict[str, Any]) -> None:
    for arm in results["disposition"].values():
        assert arm["started"] == arm["completed"] + arm["withdrawn"] + arm["failed"] == 60
        assert arm["failed"] == sum(arm["reasons"]["failed"].values()) > 0
        assert arm["analysed"] == 60 - arm["failed"]


def test_values_and_missing_values_add_up_to_all_patients(results: dict[str, Any]) -> None:
    for name in ("change_in_tumour_size", "peak_diastolic_rise"):
        for arm in results["endpoints"][name]["arms"].values():
            assert arm["observed"]["spread"]["n"] + sum(arm["missing"].values()) == 60
            assert arm["true"]["spread"]["n"] + arm["missing"]["failed"] == 60


def test_a_contrast_is_the_arm_less_the_reference_arm(sunitinib: Any, results: dict[str, Any]) -> None:
    found = results["endpoints"]["change_in_tumour_size"]
    assert list(found["contrasts"]) == ["continuous"]
    table = endpoint_table(sunitinib.protocol, sunitinib.outcomes)
    table = table[table["endpoint"] == "change_in_tumour_size"]
    means = table.groupby("arm")["true"].mean()
    contrast = found["contrasts"]["continuous"]["true"]
    assert contrast["population"]["value"] == pytest.approx(means["continuous"] - means["intermittent"])
    wide = table.pivot(index="pseudonym", columns="arm", values="true").dropna()
    expected = (wide["continuous"] - wide["intermittent"]).mean()
    assert contrast["paired"]["value"] == pytest.approx(expected)
    assert contrast["paired"]["n"] == len(wide)


def test_pairing_narrows_every_interval_and_says_by_how_much(results: dict[str, Any]) -> None:
    for endpoint in results["endpoints"].values():
        for contrast in endpoint["contrasts"].values():
            for value in ("true", "observed"):
                population, paired = contrast[value]["population"], contrast[value]["paired"]
                widths = [e["upper"] - e["lower"] for e in (paired, population)]
                assert widths[0] < widths[1]
                assert contrast[value]["variance_reduction"] == pytest.approx(
                    1 - (widths[0] / widths[1]) ** 2
                )


def test_categories_of_response_add_up(results: dict[str, Any]) -> None:
    for arm in results["endpoints"]["best_response"]["arms"].values():
        for value in ("true", "observed"):
            categories = arm[value]["categories"]
            assert sum(categories.values()) == arm[value]["share"]["n"]
            assert categories["CR"] + categories["PR"] == arm[value]["count"]


def test_numbers_at_risk_start_with_everyone_and_never_rise(results: dict[str, Any]) -> None:
    for arm in results["survival"]["progression_free_time"]["arms"].values():
        for value in ("true", "observed"):
            at_risk = arm[value]["at_risk"]
            assert at_risk[0] in (58, 59)
            assert at_risk == sorted(at_risk, reverse=True)


def test_baseline_counts_imputed_values_and_gives_no_extremes(
    sunitinib: Any, results: dict[str, Any]
) -> None:
    baseline = results["baseline"]
    table = sunitinib.outcomes.baseline
    assert baseline["n"] == 60
    assert sum(baseline["sex"].values()) == 60
    imputed = int((table["heart_rate_origin"] == "imputed").sum())
    assert baseline["quantities"]["heart_rate"]["origins"]["imputed"] == imputed > 0
    assert baseline["conditions"]["hypertension"] == int(table["condition_hypertension"].sum())
    high = (table["systolic_blood_pressure"] >= 140) | (table["diastolic_blood_pressure"] >= 90)
    assert baseline["at_or_above"]["hypertension"] == int(high.sum())
    spread = baseline["quantities"]["systolic_blood_pressure"]["spread"]
    assert table["systolic_blood_pressure"].max() not in spread.values()


def test_course_holds_quartiles_on_the_grid_and_means_at_visits(
    sunitinib: Any, results: dict[str, Any]
) -> None:
    found = [(s["quantity"], s["scale"]) for s in results["series"]]
    assert ("sum_of_longest_diameters", "percent") in found
    assert ("diastolic_blood_pressure", "absolute") in found
    rows = sunitinib.outcomes.measurements
    series = next(s for s in results["series"] if s["quantity"] == "diastolic_blood_pressure")
    arm = series["arms"]["intermittent"]
    week = rows[
        (rows["arm"] == "intermittent")
        & (rows["quantity"] == "diastolic_blood_pressure")
        & (rows["day"] == 28)
    ]
    at = arm["days"].index(28.0)
    assert arm["mean"][at] == pytest.approx(week["true"].mean())
    assert arm["upper_quartile"][at] == pytest.approx(np.quantile(week["true"], 0.75))
    visit = arm["observed_days"].index(28.0)
    assert arm["observed_mean"][visit] == pytest.approx(week["observed"].mean())
    assert arm["observed_n"][visit] == week["observed"].notna().sum()


def test_a_trial_without_a_tumour_has_no_tumour_results(dilator: Any) -> None:
    results = analyse(dilator.protocol, dilator.outcomes)
    assert results["waterfall"] == {}
    assert results["survival"] == {}
    assert {e["unit"] for e in results["endpoints"].values()} == {"mm[Hg]"}


def test_a_trial_in_which_every_solve_failed_still_has_results(sunitinib: Any) -> None:
    outcomes = sunitinib.outcomes
    empty = Outcomes(
        outcomes.baseline,
        outcomes.disposition.assign(status="failed", reason="diverged"),
        outcomes.measurements.iloc[:0],
        outcomes.peaks.iloc[:0],
    )
    results = analyse(sunitinib.protocol, empty)
    assert results["disposition"]["continuous"]["failed"] == 60
    assert (
        results["endpoints"]["change_in_tumour_size"]["arms"]["continuous"]["true"]["mean"]["value"] is None
    )
    json.dumps(results, allow_nan=False)


def test_plain_turns_what_json_lacks_into_none() -> None:
    @dataclasses.dataclass
    class Pair:
        first: float
        second: Any

    made = plain({1: Pair(np.float64("nan"), np.array([1, np.inf])), "flag": np.bool_(True)})
    assert made == {"1": {"first": None, "second": [1.0, None]}, "flag": True}
