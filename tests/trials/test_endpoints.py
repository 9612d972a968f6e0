"""Endpoints of five patients whose values are written out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from trials.endpoints import best_percent_change, endpoint_table, endpoint_unit
from trials.outcomes import Outcomes, OutcomesError, Screening
from trials.protocol import Protocol

TUMOUR, SYSTOLIC, DIASTOLIC = (
    "sum_of_longest_diameters",
    "systolic_blood_pressure",
    "diastolic_blood_pressure",
)
ANN, BEN, CAT, DAN, EVE = "abcde"
LEFT = {DAN: 50.0, EVE: 10.0}

# Sums at days 0, 42, 84, 126, 168: noise-free, and as observed.
TRUE_SUMS = {
    ANN: (100, 80, 70, 60, 50),
    BEN: (100, 90, 85, 90, 95),
    CAT: (100, 101, 102, 103, 104),
    DAN: (100, 60, 55, 50, 45),
    EVE: (100, 95, 90, 85, 80),
}
OBSERVED_SUMS = {
    ANN: (110, 80, 77, 93, 60),  # response at day 84 (77 = 0.7 x 110), progression at day 126 (93 > 1.2 x 77)
    BEN: (90, 95, 85, 90, np.nan),  # last visit missed
    CAT: (100, 130, 104, 99, 103),  # progression at once, by error alone
    DAN: (100, 60, np.nan, np.nan, np.nan),  # leaves on day 50
    EVE: (100, np.nan, np.nan, np.nan, np.nan),  # leaves on day 10
}


@pytest.fixture
def protocol(sunitinib: object) -> Protocol:
    return sunitinib.protocol  # type: ignore[attr-defined, no-any-return]


def _course(
    protocol: Protocol, arm: str, quantity: str, who: str, true: Sequence[float], observed: Sequence[float]
) -> list[tuple[object, ...]]:
    days = protocol.visit_days(quantity)
    return [(arm, who, quantity, day, true[i], observed[i], True) for i, day in enumerate(days[: len(true)])]


@pytest.fixture
def outcomes(protocol: Protocol) -> Outcomes:
    arms = [arm.name for arm in protocol.arms]
    people = [ANN, BEN, CAT, DAN, EVE]
    visits = protocol.visit_days(SYSTOLIC)
    measurements, peaks, disposition = [], [], []
    for arm in arms:
        for who in people:
            failed = who == CAT and arm == arms[1]
            left = LEFT.get(who)
            status = "failed" if failed else "withdrawn" if left else "completed"
            reason = {"failed": "diverged", "withdrawn": "dropout"}.get(status, "")
            disposition.append((arm, who, status, reason, 0.0 if failed else left or 168.0))
            if failed:
                continue
            measurements += _course(protocol, arm, TUMOUR, who, TRUE_SUMS[who], OBSERVED_SUMS[who])
            end = LEFT.get(who, 168.0)
            systolic = [150.0 if day == 0 else 139.0 for day in visits]
            if who == BEN:
                systolic[3] = 140.0
            diastolic = [80.0 if day == 0 else 85.0 for day in visits]
            seen = [value + 1 if day <= end else np.nan for value, day in zip(diastolic, visits, strict=True)]
            high = [value - 1 if day <= end else np.nan for value, day in zip(systolic, visits, strict=True)]
            measurements += _course(protocol, arm, SYSTOLIC, who, systolic, high)
            measurements += _course(protocol, arm, DIASTOLIC, who, diastolic, seen)
            peaks += [
                (arm, who, q, v, 30.0) for q, v in ((TUMOUR, 104.0), (SYSTOLIC, 150.0), (DIASTOLIC, 88.5))
            ]
    return Outcomes(
        baseline=pd.DataFrame(
            {
                "pseudonym": people,
                "study_number": range(5),
                "sex": "female",
                "age_years": [50, 60, 70, 55, 65],
            }
        ),
        disposition=pd.DataFrame(
            disposition, columns=["arm", "pseudonym", "status", "reason", "last_day"]
        ).assign(new_lesion_day=np.nan),
        measurements=pd.DataFrame(
            measurements, columns=["arm", "pseudonym", "quantity", "day", "true", "observed", "is_visit"]
        ),
        peaks=pd.DataFrame(peaks, columns=["arm", "pseudonym", "quantity", "true_peak", "true_peak_day"]),
    )


@pytest.fixture
def of(protocol: Protocol, outcomes: Outcomes) -> Callable[[str, int], pd.DataFrame]:
    table = endpoint_table(protocol, outcomes)

    def rows(endpoint: str, arm: int = 0) -> pd.DataFrame:
        chosen = table[(table["endpoint"] == endpoint) & (table["arm"] == protocol.arms[arm].name)]
        return chosen.set_index("pseudonym")

    return rows


def test_every_patient_has_a_row_for_every_endpoint_and_arm(protocol: Protocol, outcomes: Outcomes) -> None:
    table = endpoint_table(protocol, outcomes)
    assert len(table) == len(protocol.endpoints) * 2 * 5
    assert not table.duplicated(["endpoint", "arm", "pseudonym"]).any()


def test_percent_change_is_relative_to_the_baseline_of_its_own_kind(of: Callable[..., pd.DataFrame]) -> None:
    rows = of("change_in_tumour_size")
    assert rows.loc[ANN, "true"] == pytest.approx(-50.0)
    assert rows.loc[ANN, "observed"] == pytest.approx(100 * (60 / 110 - 1))


def test_a_missing_value_says_why_it_is_missing(of: Callable[..., pd.DataFrame]) -> None:
    missing = of("change_in_tumour_size")["missing"]
    assert missing.to_dict() == {ANN: "", BEN: "not_measured", CAT: "", DAN: "withdrawn", EVE: "withdrawn"}
    assert of("change_in_tumour_size", 1).loc[CAT, "missing"] == "failed"


def test_noise_free_values_go_on_after_a_patient_left(of: Callable[..., pd.DataFrame]) -> None:
    assert of("change_in_tumour_size").loc[DAN, "true"] == pytest.approx(-55.0)


@pytest.mark.parametrize(
    "endpoint",
    [
        "change_in_tumour_size",
        "best_response",
        "progression_free_time",
        "peak_diastolic_rise",
        "hypertension",
    ],
)
def test_a_failed_solve_has_no_value_anywhere(of: Callable[..., pd.DataFrame], endpoint: str) -> None:
    row = of(endpoint, 1).loc[CAT]
    assert np.isnan(row["true"])
    assert np.isnan(row["observed"])
    assert row["missing"] == "failed"
    assert row["true_category"] == row["observed_category"] == ""


def test_best_response_is_the_best_before_progression(of: Callable[..., pd.DataFrame]) -> None:
    rows = of("best_response")
    assert rows["true_category"].to_dict() == {ANN: "PR", BEN: "SD", CAT: "SD", DAN: "PR", EVE: "SD"}
    assert rows["observed_category"].to_dict() == {ANN: "PR", BEN: "SD", CAT: "PD", DAN: "PR", EVE: "NE"}


def test_not_evaluable_counts_as_no_response_and_keeps_its_cause(of: Callable[..., pd.DataFrame]) -> None:
    row = of("best_response").loc[EVE]
    assert row["observed"] == 0.0
    assert row["missing"] == "withdrawn"


def test_progression_is_dated_at_its_first_visit_and_else_censored_at_the_last(
    of: Callable[..., pd.DataFrame],
) -> None:
    rows = of("progression_free_time")
    assert rows["observed"].to_dict() == {ANN: 126.0, BEN: 126.0, CAT: 42.0, DAN: 42.0, EVE: 0.0}
    assert rows["observed_event"].to_dict() == {ANN: True, BEN: False, CAT: True, DAN: False, EVE: False}
    assert rows["true"].to_dict() == dict.fromkeys((ANN, BEN, CAT, DAN, EVE), 168.0)
    assert not rows["true_event"].any()


def test_true_peak_is_of_the_daily_course_and_observed_peak_of_the_visits(
    of: Callable[..., pd.DataFrame],
) -> None:
    row = of("peak_diastolic_rise").loc[ANN]
    assert row["true"] == pytest.approx(88.5 - 80.0)
    assert row["observed"] == pytest.approx(86.0 - 81.0)
    assert of("peak_diastolic_rise").loc[EVE, "missing"] == "withdrawn"


def test_a_threshold_is_reached_at_any_visit_after_baseline(of: Callable[..., pd.DataFrame]) -> None:
    rows = of("hypertension")
    # 150 mmHg at baseline counts for nobody; Ben reaches exactly 140 at one visit, observed 139
    assert rows["true"].to_dict() == {ANN: 0.0, BEN: 1.0, CAT: 0.0, DAN: 0.0, EVE: 0.0}
    assert rows.loc[BEN, "observed"] == 0.0
    assert rows.loc[EVE, "missing"] == "withdrawn"


def test_either_threshold_suffices(protocol: Protocol, outcomes: Outcomes) -> None:
    table = outcomes.measurements.copy()
    one = (table["quantity"] == DIASTOLIC) & (table["pseudonym"] == ANN) & (table["day"] == 84)
    table.loc[one, "true"] = 90.0
    changed = Outcomes(outcomes.baseline, outcomes.disposition, table, outcomes.peaks)
    rows = endpoint_table(protocol, changed)
    rows = rows[(rows["endpoint"] == "hypertension") & (rows["pseudonym"] == ANN)]
    assert rows["true"].tolist() == [1.0, 1.0]


def test_best_change_is_the_smallest_after_baseline(protocol: Protocol, outcomes: Outcomes) -> None:
    best = best_percent_change(protocol, outcomes, protocol.arms[0].name, TUMOUR)
    assert best["true"].to_dict() == pytest.approx({ANN: -50, BEN: -15, CAT: 1, DAN: -55, EVE: -20})
    assert np.isnan(best.loc[EVE, "observed"])


def test_endpoints_carry_their_units(protocol: Protocol) -> None:
    assert [endpoint_unit(e) for e in protocol.endpoints] == ["%", "1", "d", "mm[Hg]", "1"]


def test_measurement_error_alone_makes_progressions(
    make_outcomes: Callable[..., Outcomes], protocol: Protocol
) -> None:
    # tumours that never change, measured with the 12.5 % error of the protocol
    made = make_outcomes(protocol, 200)
    table = made.measurements.copy()
    tumour = table["quantity"] == TUMOUR
    table.loc[tumour, "observed"] *= 100.0 / table.loc[tumour, "true"]
    table.loc[tumour, "true"] = 100.0
    still = Outcomes(made.baseline, made.disposition, table, made.peaks)
    rows = endpoint_table(protocol, still)
    rows = rows[rows["endpoint"] == "progression_free_time"]
    assert not rows["true_event"].any()
    assert rows["observed_event"].mean() > 0.3


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("baseline", lambda t: t.drop(columns="sex"), "no column sex"),
        ("disposition", lambda t: pd.concat([t, t.iloc[:1]]), "two rows with the same arm, pseudonym"),
        ("disposition", lambda t: t.assign(status="gone"), "status must be one of"),
        ("disposition", lambda t: t.assign(pseudonym="z" + t["pseudonym"]), "not in 'baseline'"),
        ("measurements", lambda t: t.assign(pseudonym="z" + t["pseudonym"]), "lacks or calls failed"),
        ("disposition", lambda t: t.assign(status="failed"), "lacks or calls failed"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(
    outcomes: Outcomes, table: str, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    tables = {name: getattr(outcomes, name) for name in ("baseline", "disposition", "measurements", "peaks")}
    tables[table] = change(tables[table])
    with pytest.raises(OutcomesError, match=message):
        Outcomes(**tables)


def test_screening_must_add_up(outcomes: Outcomes) -> None:
    with pytest.raises(OutcomesError, match="assessed less excluded"):
        Outcomes(
            outcomes.baseline,
            outcomes.disposition,
            outcomes.measurements,
            outcomes.peaks,
            Screening(9, {"age": 3}),
        )
