"""RECIST 1.1 rules, and nine patients with a known confirmed best overall response."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from vht.recist import (
    BestResponse,
    Response,
    best_overall_response,
    best_responses,
    choose_targets,
    control_near,
    controlled,
    duration_of_response,
    measurable,
    overall_response,
    overall_responses,
    progression_free,
    recorded_diameters,
    responded,
    response_start,
    target_responses,
    target_sums,
)

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


def test_nodes_below_10_mm_are_normal_and_leave_a_sum_above_zero() -> None:
    # a liver lesion and a node of 18 mm; then the lesion is gone and the node is 9 mm, then 10 mm
    found = target_sums([[[30.0, 18.0], [0.0, 9.0], [0.0, 10.0], [np.nan, 9.0]]], [False, True])
    assert found.sums.tolist() == [[48.0, 9.0, 10.0, 9.0]]
    assert found.gone.tolist() == [[False, True, False, False]]
    assert found.complete.tolist() == [[True, True, True, False]]
    words = target_responses([48.0], found.sums[:, 1:], found.gone[:, 1:], found.complete[:, 1:])
    assert words.tolist() == [["CR", "PR", "NE"]]


def test_a_part_of_the_targets_can_show_progression_but_neither_response_nor_smallest_sum() -> None:
    sums, whole = [[100.0, 30.0, 125.0, 60.0]], [[True, False, False, True]]
    assert target_responses([100.0], sums, complete=whole).tolist() == [["SD", "NE", "PD", "PR"]]


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


def test_overall_responses_of_many_are_those_of_each() -> None:
    targets = ["CR", "PR", "SD", "PD", "NE", ""]
    others = ["CR", "NON-CR/NON-PD", "PD", "NE", ""]
    grid = [(t, o, n) for t in targets for o in others for n in (False, True)]
    found = overall_responses(*(np.array(column) for column in zip(*grid, strict=True)))
    for (target, other, new), word in zip(grid, found, strict=True):
        parts = [Response(each) if each else None for each in (target, other)]
        assert overall_response(parts[0], parts[1], new) is Response(str(word))


def _confirmed_by_the_text(
    seen: list[tuple[float, str]], gap: float, most: int, stable: bool
) -> tuple[str, float]:
    """The rules of confirmed best response read word by word, one patient at a time."""
    progression = next((i for i, (_, word) in enumerate(seen) if word == "PD"), len(seen))
    seen = seen[: progression + 1]

    def confirmed(i: int, again: set[str], allowed: set[str]) -> bool:
        for j in range(i + 1, len(seen)):
            window = [word for _, word in seen[i : j + 1]]
            inner = window[1:-1]
            relapse = window[0] == "PR" and any(
                word == "PR" and "CR" in window[:k] for k, word in enumerate(window)
            )
            if (
                window[-1] in again
                and seen[j][0] - seen[i][0] >= gap
                and set(inner) <= allowed
                and inner.count("NE") <= most
                and not relapse
            ):
                return True
        return False

    for i, (day, word) in enumerate(seen):
        if word == "CR" and confirmed(i, {"CR"}, {"CR", "NE"}):
            return "CR", day
    allowed = {"CR", "PR", "NE"} | ({"SD"} if stable else set())
    for i, (day, word) in enumerate(seen):
        if word == "PR" and confirmed(i, {"CR", "PR"}, allowed):
            return "PR", day
    for best, among, after in (
        ("SD", {"CR", "PR", "SD"}, 28.0),
        ("NON-CR/NON-PD", {"NON-CR/NON-PD"}, -np.inf),
        ("PD", {"PD"}, -np.inf),
        ("NE", {"CR", "PR", "SD", "NE"}, -np.inf),
    ):
        for day, word in seen:
            if word in among and day >= after:
                return best, day
    return "MISSING", np.nan


@pytest.mark.parametrize(("most", "stable"), [(1, False), (0, True), (2, True)])
def test_many_patients_at_once_are_judged_as_each_alone(most: int, stable: bool) -> None:
    luck = np.random.default_rng(11)
    words = luck.choice(["CR", "PR", "SD", "NE", "NON-CR/NON-PD", "PD", "MISSING"], (400, 7))
    words[:, ::2] = np.where(luck.random((400, 4)) < 0.5, "PR", words[:, ::2])
    days = np.array([14.0, 28.0, 42.0, 63.0, 91.0, 98.0, 126.0])
    found = best_responses(days, words, confirmed=True, max_not_evaluable=most, accept_stable=stable)
    for row, word, day in zip(words, found.words, found.days, strict=True):
        seen = [(d, str(w)) for d, w in zip(days, row, strict=True) if w != "MISSING"]
        best, when = _confirmed_by_the_text(seen, 28.0, most, stable)
        assert (str(word), float(day)) == pytest.approx((best, when), nan_ok=True)


def test_a_missed_visit_is_not_an_assessment_that_failed() -> None:
    days = [28.0, 42.0, 56.0, 70.0]
    missed = best_responses(days, [["PR", "MISSING", "MISSING", "PR"]], confirmed=True)
    blank = best_responses(days, [["PR", "NE", "NE", "PR"]], confirmed=True)
    assert (missed.words.item(), blank.words.item()) == ("PR", "SD")


def test_rates_count_everybody_who_was_treated() -> None:
    words = ["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "MISSING", "PR"]
    assert responded(words).mean() == 3 / 8
    assert controlled(words).mean() == 5 / 8


def test_days_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="must increase"):
        best_responses([42.0, 21.0], [["PR", "PR"]])


DAYS = [42.0, 84.0, 126.0, 168.0]


def test_progression_free_time_counts_both_days_and_censors_at_the_last_evaluable_assessment() -> None:
    words = [
        ["SD", "PD", "SD", "SD"],  # progression on day 84
        ["SD", "PR", "NE", "MISSING"],  # last evaluable on day 84
        ["NE", "NE", "NE", "NE"],  # never assessed: censored on the first day
    ]
    found = progression_free(DAYS, words)
    assert found.time.tolist() == [85.0, 85.0, 1.0]
    assert found.event.tolist() == [True, False, False]
    assert progression_free(DAYS, words, first_day=0.0).time.tolist() == [84.0, 84.0, 0.0]


def test_death_is_an_event_and_the_earlier_of_two_counts() -> None:
    words = [["SD", "SD", "SD", "SD"], ["SD", "PD", "SD", "SD"], ["SD", "SD", "PD", "SD"]]
    found = progression_free(DAYS, words, death=[200.0, 100.0, 100.0], first_day=0.0)
    assert found.time.tolist() == [200.0, 84.0, 100.0]
    assert found.event.all()


def test_a_new_therapy_censors_at_the_assessment_before_it() -> None:
    words = [["SD", "SD", "PD", "PD"]] * 2
    found = progression_free(DAYS, words, new_therapy=[100.0, np.nan], death=[150.0, 150.0], first_day=0.0)
    assert found.time.tolist() == [84.0, 126.0]
    assert found.event.tolist() == [False, True]


def test_an_event_after_two_missed_visits_is_censored_where_the_protocol_says_so() -> None:
    words = [["SD", "NE", "NE", "PD"], ["SD", "SD", "NE", "PD"]]
    assert progression_free(DAYS, words).event.tolist() == [True, True]
    found = progression_free(DAYS, words, missed_visits=2, first_day=0.0)
    assert found.time.tolist() == [42.0, 168.0]
    assert found.event.tolist() == [False, True]


def test_duration_of_response_runs_from_the_first_response_to_progression() -> None:
    words = [["SD", "PR", "SD", "PD"], ["PR", "PR", "SD", "SD"], ["SD", "SD", "PD", "PR"]]
    start = response_start(DAYS, words)
    assert start.tolist() == pytest.approx([84.0, 42.0, np.nan], nan_ok=True)
    found = duration_of_response(DAYS, words, start)
    assert found.time.tolist() == pytest.approx([85.0, 127.0, np.nan], nan_ok=True)
    assert found.event.tolist() == [True, False, False]
    assert np.isnan(response_start(DAYS, words, confirmed=True)[0])
    assert response_start(DAYS, words, confirmed=True)[1] == 42.0


def test_measurement_error_moves_categories_so_that_it_belongs_before_them() -> None:
    # a tumour that never changes, measured with an error of 12.5 %; noise-free it is stable at every visit
    luck = np.random.default_rng(3).standard_normal((500, 7))
    observed = 100.0 * (1.0 + 0.125 * luck)
    words = target_responses(observed[:, 0], observed[:, 1:])
    assert set(target_responses(np.full(500, 100.0), np.full((500, 6), 100.0)).ravel()) == {"SD"}
    assert (words == "PD").any(axis=1).mean() > 0.3


def test_measurable_lesions_have_10_mm_and_nodes_15_mm() -> None:
    assert measurable([9.9, 10.0, 14.9, 15.0], [False, False, True, True]).tolist() == [
        False,
        True,
        False,
        True,
    ]


def test_targets_are_the_largest_two_of_an_organ_and_five_in_all() -> None:
    sizes = [40, 30, 20, 18, 16, 15, 50, 12, 14, 9, 25]
    organs = ["liver", "liver", "liver", "lung", "lung", "node", "node", "bone", "skin", "bone", "brain"]
    nodal = [organ == "node" for organ in organs]
    chosen = choose_targets(sizes, organs, nodal)
    # 50 node, 40 and 30 liver, 25 brain, then 20 would be a third in the liver: 18 lung
    assert sorted(s for s, c in zip(sizes, chosen, strict=True) if c) == [18, 25, 30, 40, 50]
    with pytest.raises(ValueError, match="one entry per lesion"):
        choose_targets([10.0], [], [True])


def test_a_lesion_too_small_to_measure_is_recorded_as_the_trial_says() -> None:
    found = recorded_diameters([0.0, 1.0, 4.9, 5.0, np.nan], too_small=5.0, recorded_as=5.0)
    assert found.tolist() == pytest.approx([0.0, 5.0, 5.0, 5.0, np.nan], nan_ok=True)
    # a vanishing lesion then keeps a sum above zero, and progresses from 5 mm rather than from 1 mm
    assert target_responses([20.0], [[1.0, 6.0]]).tolist() == [["PR", "PD"]]
    assert target_responses([20.0], [recorded_diameters([1.0, 6.0], 5.0, 5.0)]).tolist() == [["PR", "PR"]]


def test_control_is_read_at_the_assessment_nearest_week_8() -> None:
    days = [14.0, 42.0, 70.0, 126.0]
    words = [
        ["SD", "SD", "PD", "PD"],  # 42 and 70 are equally near: the earlier
        ["SD", "NE", "PD", "PR"],
        ["SD", "MISSING", "NE", "SD"],  # nothing between weeks 3 and 14
    ]
    assert control_near(days, words).tolist() == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)
