"""The conduct of a trial: nothing depends on chunks, keys or neighbours, and nobody is dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.vht.people import gist_cohort, gist_patient, pseudonym, study_number
from trials.conduct import Conduct, conduct
from trials.outcomes import FAILED, WITHDRAWN
from trials.protocol import Protocol, ProtocolError, load_protocol
from trials.results import analyse
from vht import Cohort, Event

EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"
DIASTOLIC, TUMOUR = "diastolic_blood_pressure", "sum_of_longest_diameters"
TABLES = ("baseline", "disposition", "measurements", "peaks")


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(EXAMPLES / "sunitinib_gist.yaml")


@pytest.fixture(scope="module")
def done(protocol: Protocol) -> Conduct:
    return conduct(protocol, gist_cohort(24))


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Protocol:
    """The sunitinib protocol with words replaced."""
    text = (EXAMPLES / "sunitinib_gist.yaml").read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "changed.yaml").write_text(text)
    return load_protocol(tmp_path / "changed.yaml")


def mean(done: Conduct, arm: str, quantity: str, day: float, value: str = "true") -> float:
    m = done.outcomes.measurements
    return float(m.loc[(m.arm == arm) & (m.quantity == quantity) & (m.day == day), value].mean())


@pytest.mark.parametrize("chunk", [24, 9, 5])
def test_results_are_bit_identical_whatever_the_chunk(protocol: Protocol, done: Conduct, chunk: int) -> None:
    again = conduct(protocol, gist_cohort(24), chunk=chunk)
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(again.outcomes, name), getattr(done.outcomes, name), check_exact=True, obj=name
        )


def test_another_key_changes_nobodys_luck(protocol: Protocol, done: Conduct) -> None:
    """The same study numbers under other pseudonyms, as after a rotation of keys."""
    rotated = Cohort.from_states(
        gist_patient(i).model_copy(update={"pseudonym": pseudonym(1000 - i)}) for i in range(24)
    )
    assert analyse(protocol, conduct(protocol, rotated).outcomes) == analyse(protocol, done.outcomes)


def test_an_impossible_patient_is_a_failed_row_and_the_others_stay_bit_identical(
    protocol: Protocol, done: Conduct
) -> None:
    states = [gist_patient(i) for i in range(24)]
    states[4] = gist_patient(4, systolic_blood_pressure=90.0, diastolic_blood_pressure=100.0)
    again = conduct(protocol, Cohort.from_states(states)).outcomes
    bad = again.disposition[again.disposition["pseudonym"] == pseudonym(4)]
    assert bad["status"].tolist() == [FAILED, FAILED]
    assert bad["reason"].tolist() == ["target_not_reached"] * 2
    assert pseudonym(4) not in set(again.measurements["pseudonym"])
    assert len(again.baseline) == 24
    for name in ("measurements", "peaks"):
        kept, expected = (
            t[t["pseudonym"] != pseudonym(4)].reset_index(drop=True)
            for t in (getattr(again, name), getattr(done.outcomes, name))
        )
        pd.testing.assert_frame_equal(kept, expected, check_exact=True, obj=name)
    results = analyse(protocol, again)
    assert results["disposition"]["intermittent"]["failed"] == 1


def test_both_arms_meet_the_same_luck(done: Conduct) -> None:
    m = done.outcomes.measurements
    first = m[(m.quantity == DIASTOLIC) & (m.day == 0)].pivot(
        index="pseudonym", columns="arm", values="observed"
    )
    assert (first["continuous"] == first["intermittent"]).all()
    left = done.outcomes.disposition.pivot(index="pseudonym", columns="arm", values="last_day")
    assert (left["continuous"] == left["intermittent"]).all()


def test_the_personalised_circulation_shows_the_recorded_pressure(done: Conduct) -> None:
    baseline = done.outcomes.baseline.set_index("pseudonym")
    m = done.outcomes.measurements
    for quantity in (DIASTOLIC, "systolic_blood_pressure"):
        shown = m[(m.quantity == quantity) & (m.day == 0) & (m.arm == "continuous")].set_index("pseudonym")[
            "true"
        ]
        assert (shown - baseline.loc[shown.index, quantity]).abs().max() < 0.1
    assert done.numerics.largest_pressure_residual < 0.1
    assert done.numerics.largest_residual <= 1e-7
    assert (baseline["heart_rate_residual"].abs() < 0.1).all()


def test_pressure_is_read_from_the_circulation_that_the_drug_model_drives(done: Conduct) -> None:
    """Long after steady state the continuous arm's rise is the published slope times exposure."""
    rise = mean(done, "continuous", DIASTOLIC, 168) - mean(done, "continuous", DIASTOLIC, 0)
    assert 3 < rise < 20


def test_a_visit_after_the_weeks_off_alone_would_reverse_the_arms(done: Conduct) -> None:
    assert mean(done, "intermittent", DIASTOLIC, 28) > mean(done, "continuous", DIASTOLIC, 28)
    assert mean(done, "intermittent", DIASTOLIC, 42) < mean(done, "continuous", DIASTOLIC, 42)


def test_the_true_peak_is_at_the_end_of_the_weeks_on(done: Conduct) -> None:
    peaks = done.outcomes.peaks
    days = peaks[(peaks.arm == "intermittent") & (peaks.quantity == DIASTOLIC)]["true_peak_day"]
    assert set(days) <= {28.0, 70.0, 112.0, 154.0}
    m = done.outcomes.measurements
    seen = m[m.quantity == DIASTOLIC].groupby(["arm", "pseudonym"])["true"].max()
    peak = peaks[peaks.quantity == DIASTOLIC].set_index(["arm", "pseudonym"])["true_peak"]
    assert len(seen) == len(peak) == 48
    assert (peak - seen).min() >= -1e-9


def test_measurement_error_has_the_declared_size(protocol: Protocol, tmp_path: Path) -> None:
    done = conduct(changed(tmp_path, ("duration: 24 wk", "duration: 24 wk")), gist_cohort(60))
    m = done.outcomes.measurements
    seen = m[(m.quantity == TUMOUR) & m.is_visit & m.observed.notna()]
    relative = seen["observed"] / seen["true"] - 1
    assert relative.std() == pytest.approx(0.125, rel=0.12)
    assert abs(relative.mean()) < 0.02


def test_after_leaving_nobody_is_observed(tmp_path: Path) -> None:
    done = conduct(changed(tmp_path, ("hazard: 0.0039 /wk", "hazard: 0.05 /wk")), gist_cohort(40))
    left = done.outcomes.disposition
    gone = left[left["status"] == WITHDRAWN]
    assert 10 < len(gone) / 2 < 40
    assert set(gone["reason"]) == {"dropout"}
    m = done.outcomes.measurements.merge(gone[["arm", "pseudonym", "last_day"]], on=["arm", "pseudonym"])
    after = m[m.is_visit & (m.day > m.last_day)]
    before = m[m.is_visit & (m.day <= m.last_day)]
    assert after["observed"].isna().all()
    assert before["observed"].notna().all()
    assert after["true"].notna().all()


def test_exposure_is_dose_over_the_clearance_of_the_reference(tmp_path: Path, done: Conduct) -> None:
    """Halving the dose halves the relative rise at steady state (linear in dose / CL)."""
    half = conduct(changed(tmp_path, ("amount: 37.5 mg/d", "amount: 18.75 mg/d")), gist_cohort(24))
    full_rise = mean(done, "continuous", DIASTOLIC, 168) - mean(done, "continuous", DIASTOLIC, 0)
    half_rise = mean(half, "continuous", DIASTOLIC, 168) - mean(half, "continuous", DIASTOLIC, 0)
    assert half_rise == pytest.approx(full_rise / 2, rel=0.01)


def test_a_dose_in_another_unit_is_the_same_dose(tmp_path: Path, done: Conduct) -> None:
    grams = conduct(changed(tmp_path, ("amount: 37.5 mg/d", "amount: 0.0375 g/d")), gist_cohort(24))
    pd.testing.assert_frame_equal(
        grams.outcomes.measurements, done.outcomes.measurements, check_exact=False, rtol=1e-9
    )


def test_screening_counts_everyone_once(protocol: Protocol) -> None:
    states = [gist_patient(i) for i in range(6)]
    states[0] = states[0].model_copy(update={"conditions": ()})
    states[1] = states[1].model_copy(update={"age_years": 15, "conditions": ()})
    states[2] = states[2].model_copy(update={"observations": states[2].observations[:1]})
    states[3] = gist_patient(3, systolic_blood_pressure=204.0)
    states[4] = states[4].model_copy(
        update={
            "conditions": (Event(concept="gastrointestinal_stromal_tumour", start_day=-9.0, end_day=-1.0),)
        }
    )
    screening = conduct(protocol, Cohort.from_states(states)).outcomes.screening
    assert screening is not None
    assert screening.assessed == 6
    assert screening.enrolled == 1
    assert sum(screening.excluded.values()) == 5
    assert screening.excluded["age below the minimum, or not recorded"] == 1
    assert screening.excluded["no gastrointestinal stromal tumour on record"] == 2
    assert study_number(5) < 2**63


def test_nobody_eligible_is_an_error_with_the_line(protocol: Protocol) -> None:
    nobody = Cohort.from_states([gist_patient(1).model_copy(update={"age_years": 12})])
    with pytest.raises(ProtocolError, match=r"sunitinib_gist\.yaml:\d+.*no patient of the 1 imported ones"):
        conduct(protocol, nobody)


EXPOSED = "{from: sunitinib_exposure.daily_exposure, to: hansson_gist.daily_exposure}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hansson_gist", "hanson_gist", "unknown organ model 'hanson_gist'; did you mean 'hansson_gist'?"),
        (
            EXPOSED,
            EXPOSED.replace("from: sunitinib_exposure.daily_exposure", "from: hansson_gist.sum_of_diameters"),
            "'mm' cannot be converted to 'mg.h/L'",
        ),
        (EXPOSED, EXPOSED.replace("gist.daily_exposure", "gist.daily_exposures"), "mean 'daily_exposure'"),
        ("{amount: 37.5 mg/d}", "{amount: 37.5 mm}", "'mm' cannot be converted to 'mg/d'"),
        (
            "sunitinib_exposure.daily_dose: {amount: 37.5",
            "hansson_gist.daily_exposure: {amount: 37.5",
            "cannot be dosed as well",
        ),
        (
            "sunitinib_exposure.daily_dose: {amount: 37.5",
            "sunitinib_exposure.daily_doses: {amount: 37.5",
            "did you mean 'daily_dose'",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        conduct(changed(tmp_path, (old, new)), gist_cohort(2))
    text = str(caught.value)
    line = next(i for i, t in enumerate((tmp_path / "changed.yaml").read_text().splitlines(), 1) if new in t)
    assert message in text
    assert f"changed.yaml:{line}" in text


def test_a_quantity_that_no_model_shows_cannot_be_measured(tmp_path: Path) -> None:
    wrong = changed(
        tmp_path,
        (
            "  sum_of_longest_diameters: {every: 6 wk}",
            "  sum_of_longest_diameters: {every: 6 wk}\n  platelets: {every: 6 wk}",
        ),
    )
    with pytest.raises(ProtocolError, match="no model of this virtual patient shows 'platelets'"):
        conduct(wrong, gist_cohort(2))


def test_progress_counts_patients(protocol: Protocol) -> None:
    seen: list[tuple[int, int]] = []
    conduct(protocol, gist_cohort(5), chunk=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_values_are_finite_wherever_a_patient_was_solved(done: Conduct) -> None:
    m = done.outcomes.measurements
    assert np.isfinite(m["true"]).all()
    assert len(m) == 2 * 3 * 24 * len(m["day"].unique())


def test_a_record_that_lacks_what_a_model_needs_is_a_failed_row(tmp_path: Path) -> None:
    asked = "[systolic_blood_pressure, diastolic_blood_pressure, sum_of_longest_diameters]"
    limits = """    ranges:
      systolic_blood_pressure: {maximum: "200 mm[Hg]"}
      diastolic_blood_pressure: {maximum: "120 mm[Hg]"}
"""
    anyone = changed(tmp_path, (asked, "[]"), (limits, ""))
    states = [gist_patient(i) for i in range(4)]
    states[1] = states[1].model_copy(update={"observations": states[1].observations[:2]})
    states[2] = states[2].model_copy(update={"observations": states[2].observations[2:]})
    found = conduct(anyone, Cohort.from_states(states)).outcomes.disposition
    reasons = found[found["arm"] == "continuous"].set_index("pseudonym")["reason"]
    assert reasons[pseudonym(1)] == reasons[pseudonym(2)] == "missing_input"
    assert reasons[pseudonym(0)] != "missing_input"


def test_a_trial_in_which_nobody_can_be_made_is_all_failed_rows(protocol: Protocol) -> None:
    impossible = [
        gist_patient(i, systolic_blood_pressure=90.0, diastolic_blood_pressure=100.0) for i in range(2)
    ]
    for example in ("sunitinib_gist", "arteriolar_dilator"):
        rules = load_protocol(EXAMPLES / f"{example}.yaml")
        states = [
            s.model_copy(update={"conditions": (*s.conditions, Event(concept="hypertension"))})
            for s in impossible
        ]
        done = conduct(rules, Cohort.from_states(states)).outcomes
        assert (done.disposition["status"] == FAILED).all()
        assert len(done.disposition) == 4
        assert analyse(rules, done)["screening"]["enrolled"] == 2


def test_a_range_admits_only_recorded_values(tmp_path: Path) -> None:
    """Neither a value that is missing nor one that was drawn passes a limit."""
    rules = changed(
        tmp_path,
        (
            "    ranges:\n",
            "    ranges:\n      heart_rate: {minimum: 20 /min}\n      platelets: {maximum: 5000 10*3/uL}\n",
        ),
    )
    states = [gist_patient(3), gist_patient(4), gist_patient(5, platelets=250.0)]  # 3 has no heart rate
    screening = conduct(rules, Cohort.from_states(states)).outcomes.screening
    assert screening is not None
    assert screening.excluded == {
        "heart rate below the minimum, or not recorded": 1,
        "platelets above the maximum, or not recorded": 1,
    }
