"""RECIST 1.1 rules, and nine patients with a known confirmed best overall response."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from trials.recist import BestResponse, Response, best_overall_response, overall_response, target_responses

_WORDS = {"NON": Response.NON_CR_NON_PD} | {r.value: r for r in Response}

# Test vectors of admiralonco (Apache-2.0) for its confirmed best overall response: stable window 28 d,
# confirmation 28 d, at most one assessment not evaluable. Dates without a year are of 2020.
CONFIRMED = [
    ("2020-01-01", "PR 01-01, CR 02-01, NE 02-16, CR 03-01, SD 04-01", "CR", "02-01"),
    ("2019-12-12", "SD 01-01, PR 02-01, SD 03-01, CR 03-13", "SD", "02-01"),
    ("2019-11-11", "CR 2019-11-12, CR 2019-12-02, SD 01-01", "SD", "01-01"),
    ("2019-12-30", "PR 01-01, SD 03-01, SD 04-01, PR 05-01, NON 05-15", "SD", "03-01"),
    ("2020-01-01", "PR 01-01, SD 01-10, PR 01-20, NON 05-15", "NON", "05-15"),
    ("2020-02-02", "PR 02-06, CR 02-16, PR 03-30", "SD", "03-30"),
    ("2020-02-02", "PR 02-06, CR 02-16, NE 04-01", "NE", "02-06"),
    ("2020-04-01", "", "MISSING", None),
    ("2020-02-01", "PD 02-16, SD 03-06", "PD", "02-16"),
]


def _day(text: str) -> float:
    return float(date.fromisoformat(text if len(text) > 5 else f"2020-{text}").toordinal())


def _assessments(text: str) -> list[tuple[float, Response]]:
    return [(_day(item.split()[1]), _WORDS[item.split()[0]]) for item in text.split(", ") if item]


@pytest.mark.parametrize(("start", "seen", "response", "on"), CONFIRMED)
def test_confirmed_best_response_is_the_published_one(
    start: str, seen: str, response: str, on: str | None
) -> None:
    found = best_overall_response(_assessments(seen), _day(start), confirmed=True)
    assert found == BestResponse(_WORDS[response], None if on is None else _day(on))


def test_without_confirmation_a_response_seen_once_counts() -> None:
    start, seen, *_ = CONFIRMED[1]
    found = best_overall_response(_assessments(seen), _day(start))
    assert found == BestResponse(Response.CR, _day("03-13"))


def test_stable_disease_between_can_be_accepted() -> None:
    seen = [(30.0, Response.PR), (60.0, Response.SD), (90.0, Response.PR)]
    assert best_overall_response(seen, confirmed=True).response is Response.SD
    assert best_overall_response(seen, confirmed=True, accept_stable=True).response is Response.PR


def test_two_gaps_between_response_and_confirmation_are_one_too_many() -> None:
    seen = [(30.0, Response.PR), (40.0, Response.NE), (50.0, Response.NE), (60.0, Response.PR)]
    assert best_overall_response(seen, confirmed=True).response is Response.SD
    assert best_overall_response(seen, confirmed=True, max_not_evaluable=2).response is Response.PR


def test_nothing_after_progression_counts() -> None:
    seen = [(42.0, Response.PD), (84.0, Response.PR)]
    assert best_overall_response(seen) == BestResponse(Response.PD, 42.0)


def test_stable_disease_before_28_days_is_not_evaluable() -> None:
    assert best_overall_response([(27.0, Response.SD)]).response is Response.NE
    assert best_overall_response([(28.0, Response.SD)]).response is Response.SD


def test_progression_is_looked_for_before_partial_response() -> None:
    # 100 -> 40 -> 50: still 50 % below baseline, but 25 % and 10 mm above the smallest sum
    assert target_responses([100.0], [[40.0, 50.0]]).tolist() == [["PR", "PD"]]


def test_progression_needs_both_20_percent_and_5_mm() -> None:
    # 20 -> 24.9 is 24.5 % but 4.9 mm; 100 -> 119 is 19 mm but 19 %
    assert target_responses([20.0, 100.0], [[24.9], [119.0]]).tolist() == [["SD"], ["SD"]]
    assert target_responses([20.0, 100.0], [[25.0], [120.0]]).tolist() == [["PD"], ["PD"]]


def test_progression_counts_from_the_smallest_sum_including_baseline() -> None:
    assert target_responses([100.0], [[130.0, 90.0, 108.0]]).tolist() == [["PD", "SD", "PD"]]


def test_a_sum_exactly_at_70_percent_is_a_partial_response() -> None:
    # 0.7 x 90 is 62.999... in binary; the rule says 63 is a response
    baselines = np.arange(10.0, 400.0, 10.0)
    assert set(target_responses(baselines, (baselines * 7 / 10)[:, None]).ravel()) == {"PR"}
    assert set(target_responses(baselines[3:], (baselines[3:] * 12 / 10)[:, None]).ravel()) == {"PD"}


def test_complete_response_needs_a_sum_of_zero_unless_nodes_are_declared_normal() -> None:
    assert target_responses([50.0], [[0.0]]).item() == "CR"
    assert target_responses([50.0], [[8.0]]).item() == "PR"
    assert target_responses([50.0], [[8.0]], gone=[[True]]).item() == "CR"


def test_a_missed_visit_is_not_evaluable_and_does_not_move_the_smallest_sum() -> None:
    assert target_responses([100.0], [[60.0, np.nan, 73.0]]).tolist() == [["PR", "NE", "PD"]]
    assert target_responses([np.nan], [[60.0]]).item() == "NE"


@pytest.mark.parametrize(
    ("target", "non_target", "new_lesion", "expected"),
    [
        ("CR", "CR", False, "CR"),
        ("CR", "NON-CR/NON-PD", False, "PR"),
        ("CR", "NE", False, "PR"),
        ("CR", None, False, "CR"),
        ("PR", "NE", False, "PR"),
        ("SD", "NON-CR/NON-PD", False, "SD"),
        ("NE", "NON-CR/NON-PD", False, "NE"),
        ("PR", "PD", False, "PD"),
        ("CR", "CR", True, "PD"),
        (None, "NON-CR/NON-PD", False, "NON-CR/NON-PD"),
        (None, None, False, "NE"),
    ],
)
def test_overall_response_follows_the_table(
    target: str | None, non_target: str | None, new_lesion: bool, expected: str
) -> None:
    def word(text: str | None) -> Response | None:
        return None if text is None else Response(text)

    assert overall_response(word(target), word(non_target), new_lesion) is Response(expected)
