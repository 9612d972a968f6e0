"""Survival by a published link in a trial: drawn, censored, analysed, reported, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.vht.people import breast_cohort, breast_patient, pseudonym
from trials.conduct import Conduct, conduct
from trials.endpoints import endpoint_table
from trials.outcomes import FAILED, Outcomes, OutcomesError
from trials.plots import plot_survival
from trials.protocol import Protocol, ProtocolError, load_protocol
from trials.report import build_report
from trials.results import analyse
from trials.survival import mark_days
from vht import Cohort
from vht.randomness import normal
from vht.survival_links import LINKS

EXAMPLE = Path(__file__).resolve().parents[2] / "trials" / "examples" / "capecitabine_docetaxel.yaml"
TUMOUR = "sum_of_longest_diameters"
MONTH = 30.4375
"""Days: a year of 365.25 days over 12, as UCUM has it."""


def _protocol(folder: Path, *pairs: tuple[str, str]) -> Protocol:
    text = EXAMPLE.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "changed.yaml").write_text(text)
    return load_protocol(folder / "changed.yaml")


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(EXAMPLE)


@pytest.fixture(scope="module")
def done(protocol: Protocol) -> Conduct:
    return conduct(protocol, breast_cohort(3000))


@pytest.fixture(scope="module")
def table(protocol: Protocol, done: Conduct) -> pd.DataFrame:
    return endpoint_table(protocol, done.outcomes)


@pytest.fixture(scope="module")
def results(protocol: Protocol, done: Conduct) -> dict[str, Any]:
    return analyse(protocol, done.outcomes)


def _of(table: pd.DataFrame, endpoint: str, arm: str) -> pd.DataFrame:
    return table[(table["endpoint"] == endpoint) & (table["arm"] == arm)].set_index("pseudonym")


def _change(done: Conduct, arm: str) -> pd.Series:
    wide = done.outcomes.wide(arm, TUMOUR, (0.0, 42.0), "true")
    return wide[42.0] / wide[0.0] - 1.0


def test_a_death_is_drawn_from_the_printed_formula(
    protocol: Protocol, done: Conduct, table: pd.DataFrame
) -> None:
    """mu of Bruno 2012 by hand: 3.02 - .00231 SLD0 - .801 r6 - .352 x 0 - .200 x 2 + .131 x 1, sigma .773."""
    found = _of(table, "overall_survival", "docetaxel")
    change = _change(done, "docetaxel").reindex(found.index)
    numbers = done.outcomes.baseline.set_index("pseudonym")["study_number"].reindex(found.index)
    luck = normal(protocol.seed, numbers.to_numpy(np.int64), "overall survival")
    mu = 3.02 - 0.00231 * 75.0 - 0.801 * change - 0.400 + 0.131
    death = np.exp(mu + 0.773 * luck) * MONTH
    np.testing.assert_allclose(found["true"], np.minimum(death, 60 * MONTH), rtol=1e-12)
    assert (found["true_event"] == (death <= 60 * MONTH)).all()
    assert not found["true_event"].all()


def _sizes_by_hand(protocol: Protocol, at_week_6: dict[str, float], n: int = 4000) -> Outcomes:
    """Tumours of 75 mm that all have the same size in week 6, by arm."""
    names = [pseudonym(i) for i in range(n)]
    everybody = {"pseudonym": names, "study_number": range(n), "sex": "female", "age_years": 60}
    measurements = pd.concat(
        pd.DataFrame({"arm": arm, "pseudonym": names, "quantity": TUMOUR, "day": day, "true": size})
        for arm, later in at_week_6.items()
        for day, size in ((0.0, 75.0), (42.0, later))
    ).assign(observed=lambda rows: rows["true"], is_visit=True)
    disposition = pd.concat(pd.DataFrame({"arm": arm, "pseudonym": names}) for arm in at_week_6)
    return Outcomes(
        pd.DataFrame(everybody).assign(ecog_performance_status=0.0),
        disposition.assign(status="completed", reason="", last_day=protocol.duration_days),
        measurements,
        pd.DataFrame(columns=["arm", "pseudonym", "quantity", "true_peak", "true_peak_day"]),
    )


def test_median_survival_by_week_6_change_is_inside_the_published_intervals(
    tmp_path: Path, done: Conduct
) -> None:
    """Bruno 2012, study NO16853, 75 mm, ECOG 0, more than one site: 10.1-14.0 months at +30 % in week 6,
    17.3-21.6 at -30 %; once where everybody's change is that, once among simulated patients near it."""
    changed = _protocol(tmp_path, ("study_no16853: {value: 0 1", "study_no16853: {value: 1 1"))
    outcomes = _sizes_by_hand(changed, {"combination": 0.7 * 75.0, "docetaxel": 1.3 * 75.0})
    arms = analyse(changed, outcomes)["endpoints"]["overall_survival"]["arms"]
    median = {arm: found["true"]["median"]["value"] / MONTH for arm, found in arms.items()}
    assert 17.3 < median["combination"] < 21.6
    assert 10.1 < median["docetaxel"] < 14.0
    assert median["docetaxel"] == pytest.approx(11.804, rel=0.05)  # shared regression value; 2 % sampling SD

    simulated = _of(endpoint_table(changed, done.outcomes), "overall_survival", "combination")
    near = np.abs(_change(done, "combination").reindex(simulated.index) + 0.30) < 0.03
    assert near.sum() > 200
    assert 17.3 < simulated.loc[near, "true"].median() / MONTH < 21.6


def test_the_arms_of_so14999_differ_as_they_did(results: dict[str, Any]) -> None:
    """O'Shaughnessy 2002 (doi 10.1200/JCO.2002.09.002): hazard ratio of death .775 (.634-.947), medians 14.5
    and 11.5 months. Coefficients were estimated with these patients among others: no test of foresight."""
    found = results["endpoints"]["overall_survival"]
    ratio = found["contrasts"]["combination"]["true"]["hazard_ratio"]["value"]
    assert 0.634 < ratio < 0.947
    medians = {arm: each["true"]["median"]["value"] / MONTH for arm, each in found["arms"].items()}
    # everybody here has ECOG 0 and 75 mm, so that both live longer than in the study
    assert medians["combination"] - medians["docetaxel"] == pytest.approx(14.5 - 11.5, abs=1.5)


def test_both_arms_have_the_same_luck(table: pd.DataFrame, done: Conduct) -> None:
    """ln T less mu is the same number in both arms: only the change in size tells them apart."""
    logs = {arm: np.log(_of(table, "overall_survival", arm)["true"]) for arm in ("combination", "docetaxel")}
    seen = pd.concat([_of(table, "overall_survival", arm)["true_event"] for arm in logs], axis=1).all(axis=1)
    difference = logs["combination"] - logs["docetaxel"]
    expected = -0.801 * (_change(done, "combination") - _change(done, "docetaxel"))
    np.testing.assert_allclose(difference[seen], expected.reindex(difference.index)[seen], atol=1e-10)


def test_deaths_do_not_depend_on_chunks_or_on_who_else_is_there(
    protocol: Protocol, table: pd.DataFrame
) -> None:
    few = conduct(protocol, breast_cohort(7), chunk=3).outcomes
    alone = _of(endpoint_table(protocol, few), "overall_survival", "combination")
    everybody = _of(table, "overall_survival", "combination").reindex(alone.index)
    pd.testing.assert_frame_equal(alone, everybody, check_exact=True)


def test_overall_and_progression_free_survival_have_luck_of_their_own(table: pd.DataFrame) -> None:
    both = [
        _of(table, name, "docetaxel")["true"].rank()
        for name in ("overall_survival", "progression_free_survival")
    ]
    # ranks share the tumour's part of the variance only; with one luck for both they would be nearly the same
    assert np.corrcoef(both[0], both[1])[0, 1] < 0.5


def test_who_leaves_is_censored_on_that_day_and_who_completes_is_followed_on(tmp_path: Path) -> None:
    changed = _protocol(
        tmp_path,
        ("endpoints:\n", 'dropout: {hazard: 0.03 /wk, source: "assumption: for a test"}\nendpoints:\n'),
    )
    outcomes = conduct(changed, breast_cohort(200)).outcomes
    found = _of(endpoint_table(changed, outcomes), "overall_survival", "docetaxel")
    patients = outcomes.arm_patients("docetaxel").reindex(found.index)
    left = (patients["status"] == "withdrawn").to_numpy()
    assert 20 < left.sum() < 180
    expected = np.where(left, np.minimum(patients["last_day"], found["true"]), found["true"])
    np.testing.assert_array_equal(found["observed"], expected)
    np.testing.assert_array_equal(
        found["observed_event"], found["true_event"] & ~(left & (found["true"] > patients["last_day"]))
    )
    assert (found.loc[~left, "observed"] > changed.duration_days).any()
    assert (found["missing"] == "").all()


def test_follow_up_is_the_course_where_nothing_else_is_declared(tmp_path: Path, done: Conduct) -> None:
    changed = _protocol(tmp_path, ("    follow_up: 60 mo\n", ""))
    found = _of(endpoint_table(changed, done.outcomes), "overall_survival", "combination")
    assert found["true"].max() == 168.0
    assert not found.loc[found["true"] == 168.0, "true_event"].any()
    assert analyse(changed, done.outcomes)["endpoints"]["overall_survival"]["horizon_days"] == 168.0


def test_a_patient_without_a_covariate_has_no_prediction_and_is_counted(protocol: Protocol) -> None:
    people = [breast_patient(i) for i in range(5)] + [breast_patient(5, ecog_performance_status=np.nan)]
    outcomes = conduct(protocol, Cohort.from_states(people)).outcomes
    found = _of(endpoint_table(protocol, outcomes), "overall_survival", "combination")
    assert found["missing"].to_dict() == {pseudonym(i): "no_prediction" if i == 5 else "" for i in range(6)}
    assert np.isnan(found.loc[pseudonym(5), "true"])
    link = analyse(protocol, outcomes)["endpoints"]["overall_survival"]["link"]["arms"]["combination"]
    assert link["without_prediction"] == 1
    assert link["limits"] == {"ecog not known: no prediction": 1}


def test_a_failed_solve_has_no_survival(protocol: Protocol, done: Conduct) -> None:
    told = done.outcomes
    who = told.baseline["pseudonym"].iloc[0]
    rows = (told.disposition["pseudonym"] == who) & (told.disposition["arm"] == "combination")
    disposition = told.disposition.assign(status=told.disposition["status"].mask(rows, FAILED))
    kept = ~((told.measurements["pseudonym"] == who) & (told.measurements["arm"] == "combination"))
    peaks = ~((told.peaks["pseudonym"] == who) & (told.peaks["arm"] == "combination"))
    outcomes = Outcomes(told.baseline, disposition, told.measurements[kept], told.peaks[peaks])
    found = _of(endpoint_table(protocol, outcomes), "overall_survival", "combination").loc[who]
    assert np.isnan(found["true"])
    assert found["missing"] == FAILED


def test_events_before_week_6_stay_and_are_counted(results: dict[str, Any], table: pd.DataFrame) -> None:
    found = _of(table, "progression_free_survival", "docetaxel")
    link = results["endpoints"]["progression_free_survival"]["link"]["arms"]["docetaxel"]
    assert link["covariates_due_day"] == 42.0
    assert link["events_before_covariates"] == (found["true"] < 42.0).sum() > 0


def test_a_link_by_time_to_growth_reads_it_from_the_model(tmp_path: Path) -> None:
    """Struemper 2025 with its own arm of docetaxel; albumin in the record counts g/dL, the link g/L."""
    text = EXAMPLE.read_text()
    start, end = text.index("endpoints:"), text.index("seed:")
    endpoint = """endpoints:
  - name: overall_survival
    kind: survival_link
    link: struemper_2025_os
    quantity: sum_of_longest_diameters
    covariates:
      growth_rate: {output: struemper_lung_cancer.growth_rate}
      time_to_growth: {output: struemper_lung_cancer.time_to_growth}
      albumin: {quantity: albumin}
      total_protein: {value: 71 g/L, source: "assumption: centre of the link"}
      neutrophil_lymphocyte_ratio:
        value: 4.1 1
        arms: {combination: 150 1}
        source: "assumption: centre of the link, and beyond its cap"
"""
    text = text[:start] + endpoint + text[end:]
    first, last = text.index("    doses:\n"), text.index("reference_arm:")
    doses = "    doses: {struemper_lung_cancer.treatment: {amount: 1 1}}\n"
    second = f"  - name: docetaxel\n    label: Docetaxel\n{doses}"
    text = text[:first] + doses + second + text[last:]
    text = text.replace("models: [bruno_breast_cancer]", "models: [struemper_lung_cancer]")
    (tmp_path / "lung.yaml").write_text(text)
    changed = load_protocol(tmp_path / "lung.yaml")
    people = Cohort.from_states(breast_patient(i, albumin=3.94) for i in range(40))
    outcomes = conduct(changed, people).outcomes
    rows = outcomes.arm_patients("docetaxel")
    growth = rows["output struemper_lung_cancer.growth_rate"].to_numpy() * 7.0
    until = np.maximum(rows["output struemper_lung_cancer.time_to_growth"].to_numpy() / 7.0, 0.0)
    size = outcomes.wide("docetaxel", TUMOUR, (0.0,), "true")[0.0].to_numpy()
    mu = 6.94 - 6.91 * growth / (growth + 0.109) - 0.00366 * (size - 100.0) + 0.0124 * (until - 39.9)
    numbers = outcomes.baseline.set_index("pseudonym")["study_number"].reindex(rows.index).to_numpy(np.int64)
    time = np.exp(mu + np.exp(-0.331) * normal(changed.seed, numbers, "overall survival"))
    found = _of(endpoint_table(changed, outcomes), "overall_survival", "docetaxel").reindex(rows.index)
    np.testing.assert_allclose(found["true"], np.minimum(time, 168.0), rtol=1e-9)
    results = analyse(changed, outcomes)
    limits = results["endpoints"]["overall_survival"]["link"]["arms"]["combination"]["limits"]
    assert limits["neutrophil_lymphocyte_ratio above 100 1: taken as that"] == 40
    dropped = Outcomes(
        outcomes.baseline,
        outcomes.disposition.drop(columns="output struemper_lung_cancer.growth_rate"),
        outcomes.measurements,
        outcomes.peaks,
    )
    with pytest.raises(OutcomesError, match=r"no column 'output struemper_lung_cancer\.growth_rate'"):
        endpoint_table(changed, dropped)
    wrong = text.replace("struemper_lung_cancer.growth_rate}", "struemper_lung_cancer.sum_of_diameters}")
    (tmp_path / "wrong.yaml").write_text(wrong)
    with pytest.raises(ProtocolError, match=r"wrong.yaml:\d+: .*'mm' cannot be converted to '/wk'"):
        conduct(load_protocol(tmp_path / "wrong.yaml"), people)


def test_disease_control_is_that_of_the_visit_nearest_week_8(tmp_path: Path, done: Conduct) -> None:
    """Visits every six weeks: week 6. Two covariates of Claret 2014 by hand; median e^(1.855 + .939 DCR)."""
    text = EXAMPLE.read_text()
    start, end = text.index("endpoints:"), text.index("seed:")
    endpoint = """endpoints:
  - name: overall_survival
    kind: survival_link
    link: claret_2014_control_os
    quantity: sum_of_longest_diameters
    follow_up: 200 a
    covariates:
      low_albumin: {value: 0 1, source: "assumption: for a test"}
"""
    (tmp_path / "control.yaml").write_text(text[:start] + endpoint + text[end:])
    changed = load_protocol(tmp_path / "control.yaml")
    found = _of(endpoint_table(changed, done.outcomes), "overall_survival", "docetaxel")
    # at the first visit after baseline progression is an increase of 20 %, and 5 mm of 75 mm at that
    controlled = (_change(done, "docetaxel") < 0.2).reindex(found.index)
    assert 0.5 < controlled.mean() < 0.99
    numbers = done.outcomes.baseline.set_index("pseudonym")["study_number"].reindex(found.index)
    luck = normal(changed.seed, numbers.to_numpy(np.int64), "overall survival")
    time = np.exp(1.855 + 0.939 * controlled + np.exp(-0.370) * luck) * MONTH
    np.testing.assert_allclose(found["true"], time, rtol=1e-9)


def test_the_report_says_that_survival_is_predicted_and_for_whom(
    protocol: Protocol, results: dict[str, Any], provenance: dict[str, object]
) -> None:
    report = build_report(protocol, results, provenance)
    sections = {s["id"]: str(s["blocks"]) for s in report["sections"]}
    assert "No deaths were simulated" in sections["results"]
    assert LINKS["bruno_2012_os"].population in sections["results"]
    assert "10.1038/psp.2012.20" in sections["results"]
    assert "Median (95\\xa0% CI), months" in sections["results"]
    assert "Hazard ratio (Cox" in sections["results"]
    assert "Log-rank" in sections["results"]
    assert "follow" in sections["design"]
    assert "week 6 change" in sections["design"]
    assert "ECOG performance status on record at baseline" in sections["design"]
    assert "no part in it" in sections["limitations"]
    assert "predicted median" in sections["synopsis"]


def test_survival_is_plotted_in_months_with_numbers_at_risk(
    protocol: Protocol, results: dict[str, Any]
) -> None:
    axes = plot_survival(protocol, results, "overall_survival").axes[0]
    assert axes.get_xlabel() == "Time (months)"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "12", "24", "36", "48", "60"]
    shown = results["survival"]["overall_survival"]["arms"]["docetaxel"]["true"]["at_risk"]
    assert {str(n) for n in shown} <= {t.get_text() for t in axes.texts}
    with pytest.raises(ValueError, match="is no time to progression"):
        plot_survival(protocol, results, "overall_survival", targets_alone=True)


@pytest.mark.parametrize(("months", "marks"), [(60, 6), (6, 7), (8, 9), (9, 5), (400, 7)])
def test_numbers_at_risk_are_told_at_most_nine_times(months: int, marks: int) -> None:
    found = mark_days(months * MONTH)
    assert len(found) == marks
    assert found[0] == 0.0
    assert found[-1] <= months * MONTH * (1 + 1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("link: bruno_2012_os", "link: bruno_2012_so", "did you mean 'bruno_2012_os'"),
        ("      ecog: {quantity: ecog_performance_status}\n", "", "needs 'ecog'"),
        ("      ecog: {", "      week_6_change: {value: 0 1, source: x}\n      ecog: {", "remove it here"),
        ("      ecog: {", "      ecg: {value: 0 1, source: x}\n      ecog: {", "did you mean 'ecog'"),
        ("{quantity: ecog_performance_status}", "{quantity: body_weight}", "cannot be converted"),
        ("{quantity: ecog_performance_status}", "{value: 0 1}", "a value needs the source"),
        ("{quantity: ecog_performance_status}", "{}", "give one of 'value', 'quantity' and 'output'"),
        ("several_metastases: {value: 1 1", "several_metastases: {value: 2 1", "an indicator is '0 1'"),
        ("several_metastases: {value: 1 1", "several_metastases: {value: 1 mm", "cannot be converted"),
        (
            "several_metastases: {value: 1 1",
            "several_metastases: {value: 1 1, arms: {docetaxl: 0 1}",
            "did you mean 'docetaxel'",
        ),
        (
            "ecog: {quantity: ecog_performance_status}",
            "ecog: {quantity: ecog_performance_status, arms: {docetaxel: 1 1}}",
            "only a 'value' can differ",
        ),
        ("{every: 6 wk}", "{every: 4 wk}", "needs a visit of sum_of_longest_diameters on day 42"),
        (
            "link: bruno_2012_os\n    quantity: sum_of_longest_diameters",
            "link: bruno_2012_os\n    quantity: tumour_volume",
            "a survival link needs a sum of diameters in mm",
        ),
        ("follow_up: 60 mo", "follow_up: 0 mo", "must be more than 0 d"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        _protocol(tmp_path, (old, new))
    assert message in str(caught.value)
    assert "changed.yaml:" in str(caught.value)
