"""Links from tumour size to survival: published and shared values, and what happens outside their range."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from organ_models import catalogue
from vht.survival_links import LINKS, LinkError, predict

BRUNO = {"baseline_size": 75.0, "ecog": 0.0, "several_metastases": 1.0, "study_no16853": 1.0}
STRUEMPER = {
    "albumin": 39.4,
    "total_protein": 71.0,
    "neutrophil_lymphocyte_ratio": 4.1,
    "baseline_size": 74.0,
}


def _median(link: str, **covariates: float) -> float:
    return float(predict(LINKS[link], covariates).median()[0])


def test_bruno_median_survival_at_plus_and_minus_30_percent_is_as_published() -> None:
    # Bruno 2012: 11.8 (10.1-14.0) and 19.3 (17.3-21.6) months; shared regression value 11.804136
    worse, better = (_median("bruno_2012_os", week_6_change=r, **BRUNO) for r in (0.30, -0.30))
    assert worse == pytest.approx(11.804136, rel=1e-5)
    assert worse == pytest.approx(11.8, abs=0.05)
    # the formula gives 19.09 with the printed coefficients, inside the published interval
    assert 17.3 <= better <= 21.6
    # shared regression value at the typical week-6 change of capecitabine 1250 + docetaxel 75
    assert _median("bruno_2012_os", week_6_change=-0.3172, **BRUNO) == pytest.approx(19.35, abs=0.02)


def test_bruno_progression_free_survival_by_hand() -> None:
    # 1.38 - .00165 x 75 - 1.18 x (-.30) - .195 x 1 + .216 x (1 + 0) = 1.63125
    found = _median("bruno_2012_pfs", baseline_size=75, week_6_change=-0.30, ecog=1, study_no16853=0)
    assert found == pytest.approx(np.exp(1.63125), rel=1e-12)


@pytest.mark.parametrize(
    ("asian", "smoker", "days"), [(0, 1, 375.763249), (1, 1, 516.956788), (1, 0, 673.144009)]
)
def test_monet1_median_survival_is_the_shared_regression_value(asian: int, smoker: int, days: float) -> None:
    found = _median("monet1_os", baseline_size=90, time_to_growth=125, asian=asian, ever_smoker=smoker)
    assert found == pytest.approx(days, rel=1e-6)


@pytest.mark.parametrize(
    ("growth", "to_growth", "days", "relative"),
    [
        (0.00651, 41.36, 783.5, 5e-4),  # pembrolizumab arm
        (0.01822, 12.46, 300.5, 5e-4),  # docetaxel arm
        (0.013, 14.0, 394.527, 1e-5),
    ],
)
def test_struemper_median_survival_is_the_shared_regression_value(
    growth: float, to_growth: float, days: float, relative: float
) -> None:
    found = _median("struemper_2025_os", growth_rate=growth, time_to_growth=to_growth, **STRUEMPER)
    assert found == pytest.approx(days, rel=relative)


def test_disease_control_links_by_hand() -> None:
    # exp(1.855 + .939) = 16.35 months with control and normal albumin, exp(1.855 - .270) = 4.88 without
    assert _median("claret_2014_control_os", disease_control=1, low_albumin=0) == pytest.approx(np.exp(2.794))
    assert _median("claret_2014_control_os", disease_control=0, low_albumin=1) == pytest.approx(np.exp(1.585))
    assert _median("claret_2014_control_pfs", disease_control=1, bevacizumab=1) == pytest.approx(
        np.exp(2.076)
    )


def test_week_8_control_embraces_the_medians_of_both_arms_of_e4599() -> None:
    # observed control .691 (chemotherapy) and .858 (with bevacizumab), published medians 10.3 and 12.3 mo;
    # how many had a low albumin is not published, so that the median lies between none and all
    link = LINKS["claret_2014_control_os"]
    for share, months in ((0.691, 10.3), (0.858, 12.3)):
        none, everybody = (
            share * predict(link, {"disease_control": 1, "low_albumin": low}).share(months).item()
            + (1 - share) * predict(link, {"disease_control": 0, "low_albumin": low}).share(months).item()
            for low in (0, 1)
        )
        assert everybody < 0.5 < none


def test_the_curve_is_one_half_at_the_median_and_agrees_with_scipy() -> None:
    found = predict(LINKS["monet1_os"], {"baseline_size": [90.0, 40.0], "time_to_growth": 125.0} | SMOKER)
    times = np.array([0.0, 100.0, 400.0, 2000.0])
    expected = np.stack(
        [stats.lognorm.sf(times, found.link.sigma, scale=np.exp(m)) for m in found.mu], axis=1
    )
    assert found.share(times) == pytest.approx(expected, rel=1e-12)
    assert np.diag(found.share(found.median())) == pytest.approx([0.5, 0.5])
    assert found.link.sigma == pytest.approx(0.7866, abs=5e-5)  # e^-.24 as printed


SMOKER = {"asian": 0.0, "ever_smoker": 1.0}


def test_a_time_to_growth_of_minus_100_days_has_no_prediction_and_is_counted() -> None:
    given = {"baseline_size": 90.0, "time_to_growth": [125.0, -100.0, -250.0, np.nan, -99.0]} | SMOKER
    found = predict(LINKS["monet1_os"], given)
    assert found.predicted.tolist() == [True, False, False, False, True]
    assert found.counts == {
        "time_to_growth not known: no prediction": 1,
        "time_to_growth at or below -100 d: no prediction": 2,
    }
    assert np.isnan(found.sample(1, np.arange(5))[[1, 2, 3]]).all()


def test_floors_and_caps_of_the_source_are_applied_and_counted() -> None:
    given = {**STRUEMPER, "growth_rate": 0.013, "time_to_growth": [-5.0, 0.0, 3.0]}
    found = predict(LINKS["struemper_2025_os"], given)
    assert found.mu[0] == found.mu[1] < found.mu[2]
    assert found.counts == {"time_to_growth below 0 wk: taken as that": 1}
    high = predict(LINKS["struemper_2025_os"], {**given, "neutrophil_lymphocyte_ratio": [100.0, 250.0, 4.1]})
    assert high.mu[0] - found.mu[0] == pytest.approx(high.mu[1] - found.mu[1])
    assert high.counts["neutrophil_lymphocyte_ratio above 100 1: taken as that"] == 1


def test_samples_have_the_median_and_spread_of_the_link() -> None:
    found = predict(LINKS["bruno_2012_os"], {**BRUNO, "week_6_change": np.full(20_000, 0.3)})
    logs = np.log(found.sample(7, np.arange(20_000)))
    assert logs.mean() == pytest.approx(np.log(11.804136), abs=4 * 0.773 / np.sqrt(20_000))
    assert logs.std() == pytest.approx(0.773, rel=0.02)


def test_luck_hangs_on_the_patient_and_not_on_the_order() -> None:
    numbers = np.array([11, 5, 99])
    change = np.array([0.1, -0.2, 0.3])
    together = predict(LINKS["bruno_2012_os"], {**BRUNO, "week_6_change": change}).sample(3, numbers)
    turned = predict(LINKS["bruno_2012_os"], {**BRUNO, "week_6_change": change[::-1]}).sample(
        3, numbers[::-1]
    )
    assert together.tolist() == turned[::-1].tolist()
    alone = predict(LINKS["bruno_2012_os"], {**BRUNO, "week_6_change": change[1:2]}).sample(3, numbers[1:2])
    assert alone[0] == together[1]


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ({"week_6_change": 0.1}, "lacks baseline_size; lacks ecog"),
        ({**BRUNO, "week_6_change": 0.1, "age": 60.0}, "knows no age; it takes baseline_size \\[mm\\]"),
        ({**BRUNO, "week_6_change": 0.1, "several_metastases": 2.0}, "is an indicator, 0 or 1"),
    ],
)
def test_covariates_that_do_not_fit_are_refused(covariates: dict[str, float], message: str) -> None:
    with pytest.raises(LinkError, match=message):
        predict(LINKS["bruno_2012_os"], covariates)


def test_months_are_converted_once_and_the_formula_can_be_read() -> None:
    found = predict(LINKS["bruno_2012_os"], {**BRUNO, "week_6_change": 0.0})
    assert found.days == pytest.approx(30.4375)  # mean Julian month of UCUM
    assert found.link.formula.startswith("3.02 -0.00231 baseline_size -0.801 week_6_change")


def test_every_link_names_its_source_and_uses_every_covariate() -> None:
    for link in LINKS.values():
        assert link.certainty == "verified"
        assert link.reference.text
        assert {term.covariate for term in link.terms} == set(link.covariates)


def test_links_and_tumour_models_cite_one_paper_as_one_reference() -> None:
    """A key stands for one paper, told in one way."""
    papers = {r.key: r for m in catalogue().values() for r in m.references}
    assert {"bruno_2012", "claret_2014", "struemper_2025"} <= set(papers)
    for link in LINKS.values():
        assert papers.get(link.reference.key, link.reference) is link.reference, link.name
