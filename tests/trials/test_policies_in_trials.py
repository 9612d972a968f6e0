"""New lesions and dosing policies in a trial: declared, independent of chunks, reported with and without."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.vht.people import gist_cohort, gist_patient, pseudonym
from trials.conduct import Conduct, conduct
from trials.endpoints import TARGETS_ALONE, VALUES, assessments, endpoint_table
from trials.outcomes import FAILED, Outcomes, OutcomesError
from trials.protocol import Protocol, ProtocolError, load_protocol
from trials.report import build_report
from trials.results import analyse
from vht import Cohort

EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"
TUMOUR, DIASTOLIC = "sum_of_longest_diameters", "diastolic_blood_pressure"
TABLES = ("baseline", "disposition", "measurements", "peaks")

MANAGED = """  - name: managed
    label: 75 mg daily, held at high pressure, ended at progression
    doses:
      sunitinib_exposure.daily_dose: {amount: 75 mg/d}
    policies:
      - kind: hold_on_pressure
        quantity: diastolic_blood_pressure
        hold_at: 100 mm[Hg]
        resume_below: 95 mm[Hg]
        source: "assumption: chosen for a test"
      - kind: stop_on_progression
        quantity: sum_of_longest_diameters
        of: [sunitinib_exposure.daily_dose]
        source: "assumption: chosen for a test"
reference_arm: intermittent
"""
MORE = """endpoints:
  - {name: confirmed, kind: recist_best_response, quantity: sum_of_longest_diameters, confirmed: true}
  - {name: control, kind: recist_disease_control, quantity: sum_of_longest_diameters}
  - {name: duration, kind: recist_duration_of_response, quantity: sum_of_longest_diameters}
"""


def _protocol(folder: Path, *pairs: tuple[str, str]) -> Protocol:
    text = (EXAMPLES / "sunitinib_gist.yaml").read_text()
    start = text.index("new_lesions:")
    declared = 'new_lesions:\n  hazard: 0.02 /wk\n  source: "assumption: chosen for a test"\n\n'
    text = text[:start] + declared + text[text.index("endpoints:") :]
    for old, new in (("reference_arm: intermittent\n", MANAGED), ("endpoints:\n", MORE), *pairs):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "managed.yaml").write_text(text)
    return load_protocol(folder / "managed.yaml")


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    return _protocol(tmp_path_factory.mktemp("managed"))


@pytest.fixture(scope="module")
def done(protocol: Protocol) -> Conduct:
    return conduct(protocol, gist_cohort(16))


def _arm(done: Conduct, name: str) -> pd.DataFrame:
    rows = done.outcomes.disposition
    return rows[rows["arm"] == name].set_index("pseudonym")


def test_treatment_under_policies_does_not_depend_on_chunks(protocol: Protocol, done: Conduct) -> None:
    again = conduct(protocol, gist_cohort(16), chunk=5)
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(again.outcomes, name), getattr(done.outcomes, name), check_exact=True, obj=name
        )
    assert again.numerics == done.numerics


def test_patients_are_treated_by_what_their_visits_showed(protocol: Protocol, done: Conduct) -> None:
    """The rule read once more from the measurements themselves."""
    m = done.outcomes.measurements
    managed = m[(m.arm == "managed") & (m.quantity == DIASTOLIC) & m.is_visit]
    readings = managed.pivot(index="pseudonym", columns="day", values="observed")
    stays = _arm(done, "managed")["status"] == "completed"
    days = [*readings.columns, 168.0]
    held = {}
    for who in readings.index[stays.loc[readings.index]]:
        off, total = False, 0.0
        end = np.nan_to_num(_arm(done, "managed").loc[who, "stopped_day"], nan=168.0)
        tumour = set(protocol.visit_days(TUMOUR))
        for day, until in itertools.pairwise(days):
            value = readings.loc[who, day]
            off = value >= 100.0 or (off and not value < 95.0)
            stop = next((d for d in sorted(tumour) if d >= end), until)
            total += max(min(until, stop) - day, 0.0) if off else 0.0
        held[who] = total
    found = _arm(done, "managed").loc[list(held), "held_days"]
    assert found.to_dict() == held
    assert (found > 0).sum() >= 2


def test_arms_without_policies_are_what_they_would_be_without_the_managed_arm(
    tmp_path: Path, done: Conduct
) -> None:
    alone = conduct(load_protocol(EXAMPLES / "sunitinib_gist.yaml"), gist_cohort(16)).outcomes
    rows = done.outcomes.measurements
    both = rows[rows["arm"] != "managed"].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone.measurements, check_exact=True)


def test_treatment_ends_at_the_visit_that_shows_progression(protocol: Protocol, done: Conduct) -> None:
    words = assessments(protocol, done.outcomes, TUMOUR, "managed", "observed")
    days = np.array(protocol.visit_days(TUMOUR)[1:])
    patients = done.outcomes.arm_patients("managed")
    seen = (words == "PD").any(axis=1)
    first = np.where(seen, days[(words == "PD").argmax(axis=1)], np.nan)
    told = patients["stopped_day"].to_numpy()
    ended = seen & (first < 168.0)  # on the last day there is nothing left to end
    assert ended.sum() >= 3
    assert told[ended].tolist() == first[ended].tolist()
    stays = (patients["status"] == "completed").to_numpy()
    assert np.isnan(told[stays & ~ended]).all()


def test_new_lesions_appear_on_the_same_day_in_every_arm_and_at_the_declared_rate(
    protocol: Protocol, done: Conduct, tmp_path: Path
) -> None:
    days = done.outcomes.disposition.pivot(index="pseudonym", columns="arm", values="new_lesion_day")
    assert days.notna().any(axis=None)
    assert (days["continuous"].dropna() == days["managed"].dropna()).all()
    rare = _protocol(tmp_path, ("  hazard: 0.02 /wk\n", "  hazard: 0.02 /wk\n  arms: {continuous: 0 /wk}\n"))
    found = conduct(rare, gist_cohort(16)).outcomes.disposition
    assert found.loc[found["arm"] == "continuous", "new_lesion_day"].isna().all()
    assert found.loc[found["arm"] == "managed", "new_lesion_day"].notna().any()


def test_progression_comes_earlier_with_new_lesions_than_of_targets_alone(
    protocol: Protocol, done: Conduct
) -> None:
    table = endpoint_table(protocol, done.outcomes)
    rows = table[(table["endpoint"] == "progression_free_time") & (table["missing"] != FAILED)]
    for value, alone in zip(VALUES, TARGETS_ALONE, strict=True):
        assert (rows[value] <= rows[alone]).all()
        assert rows[f"{value}_event"].sum() > rows[f"{alone}_event"].sum()
    results = analyse(protocol, done.outcomes)
    shown = results["endpoints"]["progression_free_time"]["arms"]["continuous"]
    assert shown["true"]["events"] > shown["true_targets_alone"]["events"]
    assert set(results["survival"]["progression_free_time"]["arms"]["continuous"]) == {
        *VALUES,
        *TARGETS_ALONE,
    }


# Five patients written out by hand: sums at days 0, 42, 84, 126, 168 and the day of a new lesion.
BY_HAND = {
    "a": ((100, 60, 60, 60, 60), 100.0),  # response from day 42; new lesion seen on day 126
    "b": ((100, 90, 90, 90, 90), 84.0),  # stable; a lesion on the day of a visit is seen there
    "c": ((100, 60, 100, 60, 60), np.nan),  # response on day 42, progression of targets on day 84
    "d": (
        (100, 80, 65, 70.5, 69),
        np.nan,
    ),  # PR, SD, PR: confirmed only where stable disease may stand between
    "e": ((100, 110, 115, 118, 119), np.nan),  # never progresses: 19 % over baseline
}


@pytest.fixture
def by_hand(protocol: Protocol) -> pd.DataFrame:
    days = protocol.visit_days(TUMOUR)
    names = list(BY_HAND)
    measurements = [
        (arm.name, who, TUMOUR, day, value, value, True)
        for arm in protocol.arms
        for who, (sums, _) in BY_HAND.items()
        for day, value in zip(days, sums, strict=True)
    ]
    disposition = [
        (arm.name, who, "completed", "", 168.0, lesion)
        for arm in protocol.arms
        for who, (_, lesion) in BY_HAND.items()
    ]
    outcomes = Outcomes(
        pd.DataFrame({"pseudonym": names, "study_number": range(5), "sex": "male", "age_years": 60}),
        pd.DataFrame(
            disposition, columns=["arm", "pseudonym", "status", "reason", "last_day", "new_lesion_day"]
        ),
        pd.DataFrame(
            measurements, columns=["arm", "pseudonym", "quantity", "day", "true", "observed", "is_visit"]
        ),
        pd.DataFrame(columns=["arm", "pseudonym", "quantity", "true_peak", "true_peak_day"]),
    )
    kept = [e for e in protocol.endpoints if str(e.kind).startswith("recist")]
    table = endpoint_table(protocol.model_copy(update={"endpoints": tuple(kept)}), outcomes)
    return table[table["arm"] == "continuous"].set_index(["endpoint", "pseudonym"])


def test_endpoints_of_five_patients_by_hand(by_hand: pd.DataFrame) -> None:
    def values(endpoint: str, column: str) -> list[Any]:
        return by_hand.loc[endpoint, column].tolist()

    assert values("best_response", "true_category") == ["PR", "SD", "PR", "PR", "SD"]
    assert values("confirmed", "true_category") == ["PR", "SD", "SD", "SD", "SD"]
    assert values("control", "true") == [1.0] * 5
    assert values("progression_free_time", "true") == [126.0, 84.0, 84.0, 168.0, 168.0]
    assert values("progression_free_time", "true_event") == [True, True, True, False, False]
    assert values("progression_free_time", "true_targets_alone") == [168.0, 168.0, 84.0, 168.0, 168.0]
    assert values("progression_free_time", "true_targets_alone_event") == [False, False, True, False, False]
    duration = values("duration", "observed")
    assert duration == pytest.approx([84.0, np.nan, 42.0, 84.0, np.nan], nan_ok=True)
    assert values("duration", "observed_event") == [True, False, True, False, False]
    assert values("duration", "missing") == ["", "no_response", "", "", "no_response"]


def test_outcomes_that_do_not_say_when_lesions_appeared_are_refused(
    protocol: Protocol, done: Conduct
) -> None:
    told = done.outcomes
    silent = Outcomes(
        told.baseline, told.disposition.drop(columns="new_lesion_day"), told.measurements, told.peaks
    )
    with pytest.raises(OutcomesError, match="no column new_lesion_day"):
        endpoint_table(protocol, silent)


def test_the_report_tells_policies_new_lesions_and_both_curves(
    protocol: Protocol, done: Conduct, provenance: dict[str, object]
) -> None:
    report = build_report(protocol, analyse(protocol, done.outcomes), provenance)
    blocks = [b for s in report["sections"] for b in s["blocks"]]
    captions = [b["caption"] for b in blocks if b["type"] in ("table", "figure")]
    assert any(c.startswith("Policies: how doses follow") for c in captions)
    assert "Treatment under policies" in captions
    curves = [c for c in captions if "Kaplan-Meier" in c and c.startswith("Time to progression")]
    assert len(curves) == 2
    assert "target lesions alone" in curves[1]
    text = str(report)
    assert "constant hazard of 0.02" in text
    assert "Diastolic blood pressure at or above 100" in text
    assert "Best overall response by category (RECIST 1.1, confirmed)" in captions
    assert "Time to progression then" not in text


def test_a_trial_in_which_nobody_can_be_made_has_nobody_to_manage(protocol: Protocol) -> None:
    nobody = [gist_patient(i, systolic_blood_pressure=90.0, diastolic_blood_pressure=100.0) for i in range(2)]
    found = conduct(protocol, Cohort.from_states(nobody)).outcomes
    assert (found.disposition["status"] == FAILED).all()
    results = analyse(protocol, found)
    assert results["treatment"]["managed"]["n"] == 0
    assert pseudonym(0) in set(found.disposition["pseudonym"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'new_lesions:\n  hazard: 0.02 /wk\n  source: "assumption: chosen for a test"\n',
            "",
            "time to progression needs the field 'new_lesions'",
        ),
        (
            "  hazard: 0.02 /wk\n",
            "  hazard: 0.02 /wk\n  arms: {contnuous: 0 /wk}\n",
            "did you mean 'continuous'",
        ),
        ("hold_at: 100 mm[Hg]", "hold_at: 100 mm", "the unit of diastolic_blood_pressure"),
        ("hold_at: 100 mm[Hg]", "hold_at: 90 mm[Hg]", "resume_below must not be above hold_at"),
        ("of: [sunitinib_exposure.daily_dose]", "of: [sunitinib_exposure.dose]", "is not dosed in this arm"),
        (
            "kind: stop_on_progression\n        quantity: sum_of_longest_diameters",
            "kind: stop_on_progression\n        quantity: diastolic_blood_pressure",
            "RECIST needs a sum of diameters in mm",
        ),
        (
            "kind: stop_on_progression\n        quantity: sum_of_longest_diameters",
            "kind: stop_on_progression\n        quantity: heart_rate",
            "'heart_rate' has no visits to decide on",
        ),
        ("kind: hold_on_pressure", "kind: hold_on_presure", "hold_on_pressure"),
        ("        resume_below: 95 mm[Hg]\n", "", "missing"),
        (
            "    doses:\n      sunitinib_exposure.daily_dose: {amount: 75 mg/d}\n",
            "",
            "gives nothing that a policy could change",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        _protocol(tmp_path, (old, new))
    assert message in str(caught.value)
    assert "managed.yaml:" in str(caught.value)


def test_every_kind_of_policy_reads_into_its_rule(tmp_path: Path) -> None:
    both = """    policies:
      - kind: reduce_on_neutropenia
        quantity: neutrophils
        hold_below: 3000 /uL
        resume_from: 3 10*3/uL
        reduce_below: 1 10*3/uL
        levels: [100 %, 80 %]
        source: "assumption: chosen for a test"
      - kind: adaptive_halving
        quantity: prostate_specific_antigen
        share: 50 %
        source: "assumption: chosen for a test"
"""
    visits = "visits:\n  neutrophils: {every: 1 wk}\n  prostate_specific_antigen: {every: 4 wk}\n"
    read = _protocol(tmp_path, ("    policies:\n", both), ("visits:\n", visits))
    neutropenia, adaptive = (policy.rule().policy for policy in read.arm("managed").policies[:2])
    assert (neutropenia.hold_below, neutropenia.resume_from, neutropenia.levels) == (3.0, 3.0, (1.0, 0.8))  # type: ignore[attr-defined]
    assert (adaptive.quantity, adaptive.share) == ("prostate_specific_antigen", 0.5)  # type: ignore[attr-defined]
