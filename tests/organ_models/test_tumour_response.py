"""Models of tumour response: published values, independent solvers, and known mistakes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import vht
from organ_models import catalogue, model
from organ_models.model import fields
from organ_models.record import record
from organ_models.scenarios import in_variant
from organ_models.schedules import boluses
from organ_models.units import conversion
from organ_models.validation.claret import ARM_TIMES_TO_GROWTH
from vht.course import course

TABLES = {
    "growth_laws": (
        "logistic_growth",
        "gompertz",
        "power_law_growth",
        "von_bertalanffy_growth",
        "gompertz_capacity",
    ),
    "struemper_nsclc": ("struemper_lung_cancer",),
    "chatterjee_pembrolizumab": ("chatterjee_lung_cancer",),
    "bruno_mbc": ("bruno_breast_cancer",),
    "monet1": ("claret_monet1",),
    "simeoni": ("simeoni_xenograft",),
    "ribba_pcv": ("ribba_glioma",),
    "mazzocco_tmz": ("mazzocco_glioma",),
    "psi_radiotherapy": ("radiotherapy",),
    "kuznetsov": ("kuznetsov_immunity",),
}
ELSEWHERE = (
    "median OS",  # survival is a link from a size, not part of these models
    "Monte Carlo",
    "transposed",
    "V0=1 a=0.743 b=0.0792: K",
)
"""Rows that are no output of a run: tested below, in the growth laws, or with the survival links."""
MODELS = sorted({name for names in TABLES.values() for name in names})


def test_every_shared_regression_value_is_a_declared_check(shared_data: Path) -> None:
    """oncology/reference_values.csv: value and tolerance of every row of these models."""
    table = pd.read_csv(shared_data / "oncology" / "reference_values.csv")
    found = 0
    for row in table[table["model"].isin(TABLES)].itertuples():
        if any(words in row.quantity for words in ELSEWHERE):
            continue
        kind, size = row.tolerance.split()
        kinds = {"rel": "relative", "abs": "absolute"}
        checks = [c for name in TABLES[row.model] for c in model(name).checks]
        same = [
            c
            for c in checks
            if c.published == pytest.approx(float(row.value), rel=1e-7)
            and (c.kind, c.tolerance) == (kinds[kind], float(size))
        ]
        assert same, row.quantity
        found += 1
    assert found == 75


@pytest.mark.parametrize("name", MODELS)
def test_published_values_come_out(name: str) -> None:
    done = vht.validate(name)
    assert done.passed, done
    assert done.results


# -- biexponential courses ------------------------------------------------------------------------------


def size(name: str, day: float, variant: str = "default", **settings: float) -> float:
    read = vht.run_model(name, variant=variant, settings=settings, day=int(day)).outputs
    return float(read["sum_of_longest_diameters"].value)


def test_rates_per_week_are_not_taken_for_rates_per_day() -> None:
    """Struemper's docetaxel, 74 mm: 74 [exp(0.01822 * 12) + exp(-0.03566 * 12) - 1] mm after 12 weeks."""
    mine = size("struemper_lung_cancer", 84, "docetaxel", baseline_sum_of_diameters=74.0)
    assert mine == pytest.approx(74 * (np.exp(0.01822 * 12) + np.exp(-0.03566 * 12) - 1), rel=1e-12)
    rate = fields(model("struemper_lung_cancer").Parameters)["growth_rate"]
    assert conversion(rate.unit, str(rate.working_unit)).factor == pytest.approx(1 / 7)


def test_covariates_of_struemper_act_as_published() -> None:
    """kg (LDH/225.5)^0.474, ks exp(0.00902 PD-L1), TSb [1 + 0.288 (N - 3)]; PD-L1 in PD-1 arms only."""
    run = vht.run_model(
        "struemper_lung_cancer",
        settings={"lactate_dehydrogenase": 451.0, "pd_l1": 30.0, "target_lesions": 5.0, "growth_effect": 0.3},
        day=0,
    ).outputs
    assert run["sum_of_longest_diameters"].value == pytest.approx(86.07 * (1 + 0.288 * 2))
    assert run["growth_rate"].value == pytest.approx(0.00651 / 7 * 2**0.474 * np.exp(0.3))
    assert run["shrinkage_rate"].value == pytest.approx(0.01700 / 7 * np.exp(0.00902 * 30))
    arms = model("struemper_lung_cancer").variants
    assert len(arms) == 11
    blind = {v.name for v in arms if v.parameters["pd_l1_effect"] == 0.0}
    assert blind == {"docetaxel", "feladilimab", "feladilimab_docetaxel", "feladilimab_combinations"}


def test_the_random_effect_on_growth_is_transformed_in_all_arms_but_pembrolizumab() -> None:
    """Box-Cox with -0.3744: (exp(-0.3744 eta) - 1) / -0.3744."""
    effect = {"growth_effect": 1.5}
    plain = vht.run_model("struemper_lung_cancer", settings=effect, day=0).outputs["growth_rate"].value
    assert plain == pytest.approx(0.00651 / 7 * np.exp(1.5))
    run = vht.run_model("struemper_lung_cancer", variant="docetaxel", settings=effect, day=0).outputs
    transformed = (np.exp(-0.3744 * 1.5) - 1) / -0.3744
    assert run["growth_rate"].value == pytest.approx(0.01822 / 7 * np.exp(transformed))


def test_nothing_shrinks_before_treatment() -> None:
    """y0 exp(kg t) for t < 0."""
    before = size("struemper_lung_cancer", 70, treatment=0.0)
    assert before == pytest.approx(86.07 * np.exp(0.00651 * 10), rel=1e-12)


def test_the_time_to_growth_is_when_the_size_is_smallest() -> None:
    """Closed forms against the daily course."""
    for name, port in (("alk_lung_cancer", "sum_of_diameters"), ("claret_monet1", "sum_of_diameters")):
        run = vht.simulate(vht.VirtualPatient([name]), days=range(1200))
        lowest = int(np.argmin(run.outputs[f"{name}.{port}"][:, 0]))
        assert lowest == pytest.approx(run.outputs[f"{name}.time_to_growth"][0, 0], abs=1), name
    never = vht.run_model("alk_lung_cancer", settings={"shrinkage_rate": 1e-6}, day=0).outputs
    assert never["time_to_growth"].value == 0.0


def test_antigen_follows_the_medians_of_stein() -> None:
    """Stein 2008: log10 g -2.5 and log10 d -1.7, per day; the lowest value is at ln(d/g) / (d + g)."""
    run = vht.run_model("stein_antigen", settings={"baseline_antigen": 40.0}, day=100).outputs
    g, d = 10**-2.5, 10**-1.7
    assert run["prostate_specific_antigen"].value == pytest.approx(
        40 * (np.exp(100 * g) + np.exp(-100 * d) - 1)
    )
    assert run["time_to_growth"].value == pytest.approx(np.log(d / g) / (d + g))


def test_groups_of_chatterjee_act_as_published() -> None:
    """kd x2.74, x0.623, x1.268; logit f -1.81 and +1.66; kd (AUC/7079)^0.196; a delay."""

    def expected(day: float, kill: float = 0.00265, shift: float = 0.0, delay: float = 0.0) -> float:
        odds = 0.574 / 0.426 * np.exp(shift)
        fraction = odds / (1 + odds)
        left = np.exp(-kill * max(0.0, day - delay))
        return float(91.7 * ((1 - fraction) * np.exp(0.00114 * day) + fraction * left))

    name = "chatterjee_lung_cancer"
    for variant, factor, shift in (
        ("pd_l1_50", 2.74, 0.0),
        ("pd_l1_0", 0.623, 0.0),
        ("pd_l1_unknown", 1.268, 0.0),
        ("egfr_mutated", 1.0, -1.81),
        ("egfr_unknown", 1.0, 1.66),
    ):
        assert size(name, 126, variant) == pytest.approx(expected(126, 0.00265 * factor, shift), rel=1e-12)
    exposed = size(name, 126, exposure=2 * 7079.0)
    assert exposed == pytest.approx(expected(126, 0.00265 * 2**0.196), rel=1e-12)
    assert size(name, 126, delay=10.0) == pytest.approx(expected(126, delay=10.0), rel=1e-12)
    assert size(name, 5, delay=10.0) == pytest.approx(expected(5, kill=0.0), rel=1e-12)


# -- growth inhibition with resistance -------------------------------------------------------------------


def test_monet1_as_printed_contradicts_its_own_arms() -> None:
    """The printed table exchanges KDE and lambda: 281 d to growth, where the arms' medians are 93 and 125."""
    run = vht.run_model("claret_monet1", day=0).outputs["time_to_growth"].value
    assert ARM_TIMES_TO_GROWTH[0] < run < ARM_TIMES_TO_GROWTH[1]
    printed = {"kill_rate": 0.0193, "resistance_rate": 0.0103}
    wrong = vht.run_model("claret_monet1", settings=printed, day=0).outputs["time_to_growth"].value
    assert wrong == pytest.approx(281, abs=1)


def test_the_spread_of_monet1_is_published_as_standard_deviations() -> None:
    """Monte Carlo of 2e5: median time to growth 104.2 d within 2 %, share at or below -100 d 0.0043 within
    0.001 (oncology/reference_values.csv)."""
    drawn = vht.sample(model("claret_monet1"), 200_000, seed=11).parameters["claret_monet1"]
    times = np.log(drawn.kill_rate / drawn.growth_rate) / drawn.resistance_rate
    assert np.median(times) == pytest.approx(104.2, rel=0.02)
    assert np.mean(times <= -100) == pytest.approx(0.0043, abs=0.001)
    assert np.std(np.log(drawn.growth_rate)) == pytest.approx(1.18, rel=0.01)


def test_growth_in_claret_is_exponential_and_not_linear() -> None:
    """Wang 2009 adds a length per time; here what grows back multiplies: late sizes have a constant ratio."""
    late = [size("claret_monet1", day) for day in (2000, 2500, 3000)]
    assert late[2] / late[1] == pytest.approx(late[1] / late[0], rel=1e-6)
    assert late[1] / late[0] == pytest.approx(np.exp(0.00107 * 500), rel=1e-6)


def test_breast_cancer_under_random_doses_agrees_with_an_independent_solver() -> None:
    """Bruno 2012 written again in its own units (weeks; g for capecitabine), LSODA between the doses."""
    patient = vht.VirtualPatient(["bruno_breast_cancer"])
    people = vht.sample(patient, 4, seed=2)
    own = people.parameters["bruno_breast_cancer"]
    given = {0: (127.5, 0.0), 3: (0.0, 4250.0), 4: (0.0, 2125.0), 21: (100.0, 3000.0), 30: (0.0, 4250.0)}
    doses = np.zeros((2, 60))
    for day, pair in given.items():
        doses[:, day] = pair
    ports = ("bruno_breast_cancer.docetaxel_dose", "bruno_breast_cancer.capecitabine_dose")
    mine = course(patient, people, dict(zip(ports, doses, strict=True)), [20, 59])
    for i in range(4):
        p = {k: float(np.broadcast_to(v, 4)[i]) for k, v in vars(own).items()}

        def rates(week: float, x: np.ndarray, p: dict[str, float] = p) -> list[float]:
            docetaxel, capecitabine = p["docetaxel_elimination"] * x[0], p["capecitabine_elimination"] * x[1]
            kill = p["docetaxel_kill"] * docetaxel * np.exp(-p["docetaxel_resistance"] * week)
            kill += (
                p["capecitabine_kill"] * capecitabine / 1000 * np.exp(-p["capecitabine_resistance"] * week)
            )
            return [-docetaxel, -capecitabine, x[2] * (p["growth_rate"] - kill)]

        x, now, seen = np.array([0.0, 0.0, p["baseline_sum_of_diameters"]]), 0, []
        for day in sorted({*given, 20, 59}):
            if day > now:
                x = solve_ivp(rates, (now / 7, day / 7), x, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
            if day in (20, 59):
                seen.append(x[2])
            x[:2] += given.get(day, (0.0, 0.0))
            now = day
        np.testing.assert_allclose(
            mine.outputs["bruno_breast_cancer.sum_of_diameters"][:, i], seen, rtol=1e-7
        )


def test_resistance_counts_from_the_first_dose() -> None:
    """A course that starts 30 days later does the same 30 days later, on a larger tumour."""
    patient = vht.VirtualPatient(["bruno_breast_cancer"])
    port, size_ = "bruno_breast_cancer.docetaxel_dose", "bruno_breast_cancer.sum_of_diameters"
    who = vht.sample(patient, 1, seed=2)
    early = course(patient, who, {port: boluses(120.0, [0.0, 21.0])}, [60]).outputs[size_]
    late = course(patient, who, {port: boluses(120.0, [30.0, 51.0])}, [90]).outputs[size_]
    grown = np.exp(np.asarray(who.parameters["bruno_breast_cancer"].growth_rate) * 30 / 7)
    np.testing.assert_allclose(late[0], early[0] * grown, rtol=1e-9)


def test_studies_of_bruno_have_their_own_residual_error() -> None:
    """Variances 112 and 332 mm2."""
    found = {r.study[:7]: r.additive**2 for r in model("bruno_breast_cancer").residuals}
    assert found == {"NO16853": pytest.approx(112), "SO14999": pytest.approx(332)}


# -- xenografts and glioma --------------------------------------------------------------------------------


def test_a_small_tumour_stands_still_at_the_threshold_concentration() -> None:
    """C_T = l0 / k2 = 0.311 / 6.29e-4 = 494.4 ng/mL (oncology reference, section 5)."""
    read = vht.run_model("simeoni_xenograft", day=0).outputs["threshold_concentration"].value
    assert read == pytest.approx(494.4, abs=0.05)

    def weights(share: float) -> list[float]:
        set_ = {"concentration": share * read}
        runs = [vht.run_model("simeoni_xenograft", settings=set_, day=day) for day in (40, 60)]
        return [run.outputs["weight"].value for run in runs]

    below, at, above = weights(0.8), weights(1.0), weights(1.2)
    assert below[1] > 1.2 * below[0]
    assert at[1] == pytest.approx(at[0], rel=1e-4)
    assert above[1] < above[0] / 1.2


def test_a_large_xenograft_grows_linearly() -> None:
    """l1 = 0.656 g/d."""
    late = [vht.run_model("exponential_linear_growth", day=d).outputs["weight"].value for d in (60, 70)]
    assert (late[1] - late[0]) / 10 == pytest.approx(0.656, rel=1e-6)


def test_glioma_cycles_are_met_exactly_between_days() -> None:
    """Doses every 1.5 months of 30.4375 days: rounded to days they would miss the table's 1e-4."""
    ribba = model("ribba_glioma")
    late = next(s for s in ribba.scenarios if s.name == "late_cycles")
    times = late.inputs["cycle"].times / 30.4375
    np.testing.assert_allclose(times, [50, 51.5, 53, 54.5, 56, 57.5], atol=1e-9)
    rounded = boluses(1.0, np.ceil(late.inputs["cycle"].times))
    wrong = dataclasses.replace(
        ribba, scenarios=(dataclasses.replace(late, inputs={"cycle": rounded}), *ribba.scenarios[1:])
    )
    checks = [r for r in vht.validate(wrong).results if r.check.name.startswith("late_cycles: mean_diameter")]
    assert not all(r.passed for r in checks)


def test_resistance_to_temozolomide_is_on_proliferative_tissue_alone() -> None:
    """With res so large that P is unharmed after the first cycles, damaged tissue still comes from Q."""
    settings = {"resistance_rate": 50.0}
    scenario = vht.run_model("mazzocco_glioma", scenario="cycles", settings=settings, day=500).outputs
    plain = vht.run_model("mazzocco_glioma", scenario="cycles", day=500).outputs
    assert scenario["proliferative"].value > 2 * plain["proliferative"].value
    assert scenario["damaged"].value > 5.0


def test_genotypes_of_mazzocco_act_as_published() -> None:
    """g 0.143 with mutated p53 and kQpP 0.00807 with codeletion, in place of 0.254 and 0.00947."""
    run = {
        s: vht.run_model("mazzocco_glioma", scenario=s, day=900).outputs["mean_diameter"].value
        for s in ("cycles_p53_mutated", "cycles_codeleted")
    }
    by_hand = {
        "cycles_p53_mutated": {"potency": 0.143},
        "cycles_codeleted": {"repair_rate": 0.00807},
    }
    for scenario, settings in by_hand.items():
        mine = vht.run_model("mazzocco_glioma", scenario="cycles", settings=settings, day=900).outputs
        assert run[scenario] == pytest.approx(mine["mean_diameter"].value, rel=1e-9)


# -- radiotherapy and immunity ----------------------------------------------------------------------------


def test_a_fraction_kills_a_quarter_of_an_uncrowded_tumour() -> None:
    """c = 1 - exp(-alpha d - beta d^2) = 0.25 for 2 Gy; times 1 - V/K where crowding protects."""
    therapy = model("radiotherapy")
    for protects, index, left in ((1.0, 0.4, 1 - 0.25 * 0.6), (0.0, 0.4, 0.75)):
        p = therapy.Parameters(saturation_index=index, crowding_protects=protects)
        after = therapy.jump(therapy.initial(p), therapy.Events(fraction=2.0), p)  # type: ignore[misc]
        assert np.exp(after.log_volume) == pytest.approx(left, rel=1e-12)
    p = therapy.Parameters(linear_sensitivity=0.3, quadratic_sensitivity=0.03, crowding_protects=0.0)
    after = therapy.jump(therapy.initial(p), therapy.Events(fraction=3.0), p)  # type: ignore[misc]
    assert np.exp(after.log_volume) == pytest.approx(np.exp(-0.3 * 3 - 0.03 * 9), rel=1e-12)


def test_the_biologically_effective_dose_of_30_fractions_of_2_gy() -> None:
    """n d (1 + d / (alpha/beta)) = 60 * 1.2 = 72 Gy for a ratio of 10 Gy."""
    from organ_models.oncology.radiotherapy import biologically_effective_dose

    assert biologically_effective_dose(30.0, 2.0, 10.0) == pytest.approx(72.0)  # type: ignore[arg-type]


def test_a_hypothesis_is_named_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    told = [m.name for m in catalogue().values() if m.hypothesis]
    assert told == ["kuznetsov_immunity"]
    assert record(model("kuznetsov_immunity"))["hypothesis"] is True
    assert record(model("claret_monet1"))["hypothesis"] is False


def test_a_tumour_is_held_dormant_or_escapes() -> None:
    """Kuznetsov 1994: (5, 50) falls to the lower equilibrium; a tumour near 1/b = 500 stays up."""
    escaped = vht.run_model(
        "kuznetsov_immunity", settings={"initial_tumour": 490.0, "initial_effectors": 0.1}, day=9900
    )
    assert escaped.outputs["tumour"].value > 400


# -- sunitinib's biomarkers --------------------------------------------------------------------------------


def test_biomarkers_settle_where_production_and_loss_balance() -> None:
    """At 50 mg a day: VEGF, whose loss is inhibited, at BL / (1 - E); sVEGFR-2 at BL (1 - E)."""
    exposure = 50 / 34.5
    inhibited = {
        "vegf": exposure**3.31 / (1 + exposure**3.31),
        "vegfr2": exposure**1.54 / (1 + exposure**1.54),
    }
    still = {"vegf_drift": 0.0, "kit_drift": 0.0}
    run = vht.run_model("hansson_gist", scenario="continuous", settings=still, day=2000).outputs
    assert run["vegf"].value == pytest.approx(59.7 / (1 - inhibited["vegf"]), rel=1e-6)
    assert run["vegfr2"].value == pytest.approx(8670 * (1 - inhibited["vegfr2"]), rel=1e-6)
    off = vht.run_model("hansson_gist", settings=still, day=2000).outputs
    assert (off["vegf"].value, off["vegfr2"].value) == pytest.approx((59.7, 8670.0))
    assert run["vegf"].value > off["vegf"].value
    assert run["vegfr2"].value < off["vegfr2"].value


def test_kit_is_compared_with_what_it_would_be_off_drug() -> None:
    """sKIT drifts upward off drug (3.5e-5 /h, 28 % in 48 weeks): against its baseline it would fall less."""
    run = vht.run_model("hansson_gist", scenario="continuous", day=336).outputs
    from_baseline = run["kit"].value / 39200 - 1
    assert run["kit_relative_difference"].value < from_baseline - 0.05


# -- populations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "spread"),
    [
        ("bruno_breast_cancer", {"growth_rate": 1.60, "docetaxel_kill": 1.31, "capecitabine_kill": 1.30}),
        ("claret_monet1", {"growth_rate": 1.18**2, "kill_rate": 0.679**2, "resistance_rate": 0.797**2}),
        ("ribba_glioma", {"growth_rate": np.log1p(0.72**2), "death_rate": np.log1p(1.15**2)}),
        ("mazzocco_glioma", {"repair_rate": np.log1p(1.62**2), "elimination_rate": np.log1p(0.5**2)}),
    ],
)
def test_published_spread_is_drawn(name: str, spread: dict[str, float]) -> None:
    """Bruno: variances; MONET1: SDs; Ribba and Mazzocco: coefficients of variation."""
    declared = fields(model(name).Parameters)
    drawn = vht.sample(model(name), 20_000, seed=4).parameters[name]
    for parameter, variance in spread.items():
        effect = np.log(getattr(drawn, parameter) / float(declared[parameter].default or 0))
        assert np.var(effect) == pytest.approx(variance, rel=0.04), parameter


@pytest.mark.parametrize("name", [*MODELS, "alk_lung_cancer", "hansson_gist"])
def test_a_drawn_population_is_within_bounds_and_runs(name: str) -> None:
    patient = vht.VirtualPatient([name])
    people = vht.sample(patient, 200, seed=9)
    assert people.valid().mean() > 0.99
    seen: Any = course(patient, people.take(np.flatnonzero(people.valid())), {}, [0, 84, 365])
    assert all(np.isfinite(trace).all() for trace in seen.outputs.values())


def test_a_variant_composes_like_the_model_it_comes_from() -> None:
    docetaxel = in_variant(model("struemper_lung_cancer"), "docetaxel")
    run = vht.simulate(vht.VirtualPatient([docetaxel]), days=[84])
    mine = run.outputs["struemper_lung_cancer.sum_of_diameters"][0, 0]
    assert mine == pytest.approx(size("struemper_lung_cancer", 84, "docetaxel"), rel=1e-12)
