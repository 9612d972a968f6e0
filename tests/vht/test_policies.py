"""Dosing policies as pure rules: what they decide from what is seen, and what they remember."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vht.policies import (
    NEW_LESION,
    Action,
    AdaptiveHalving,
    FixedSchedule,
    HoldOnPressure,
    Key,
    Memory,
    Observation,
    Policy,
    ReduceOnNeutropenia,
    StopOnProgression,
    as_scheduled,
    together,
)


def _follow(policy: Policy, name: str, seen: Sequence[Sequence[float]]) -> tuple[list[Action], Memory]:
    """Actions at visits a week apart; ``seen`` has one row a visit."""
    memory: Memory = {}
    actions = []
    for week, values in enumerate(seen):
        observation = Observation(7 * week, len(values), {name: np.array(values, float)})
        key = Key(1, np.arange(len(values)), 7 * week)
        action, memory = policy(observation, memory, key)
        actions.append(action)
    return actions, memory


NEUTROPENIA = ReduceOnNeutropenia("neutrophils", 1.5, 1.5, 0.5, levels=(1.0, 0.8, 0.6))


def test_a_fixed_schedule_is_given_whatever_is_seen() -> None:
    actions, memory = _follow(FixedSchedule(), "neutrophils", [[0.1], [9.0], [np.nan]])
    assert [a.share.tolist() for a in actions] == [[1.0]] * 3
    assert not memory


def test_a_low_count_delays_and_a_deep_fall_reduces_once_a_fall() -> None:
    # 5.0, fall to .4, twice more .4, back at 1.6, again to .3: two falls, two reductions
    seen = [[5.0], [0.4], [0.4], [0.4], [1.6], [0.3], [2.0]]
    actions, memory = _follow(NEUTROPENIA, "neutrophils", seen)
    assert [a.hold.item() for a in actions] == [False, True, True, True, False, True, False]
    assert [a.level.item() for a in actions] == [1.0, 0.8, 0.8, 0.8, 0.8, 0.6, 0.6]
    assert all(a.wait.item() == a.hold.item() for a in actions)  # a delay: the schedule waits
    assert memory["nadir"].item() == 0.3


def test_a_moderate_fall_delays_without_reducing() -> None:
    actions, _ = _follow(NEUTROPENIA, "neutrophils", [[5.0], [1.0], [1.5]])
    assert [(a.hold.item(), a.level.item()) for a in actions] == [(False, 1.0), (True, 1.0), (False, 1.0)]


def test_a_fall_on_the_last_level_ends_treatment() -> None:
    seen = [[0.4], [2.0], [0.4], [2.0], [0.4], [2.0]]
    actions, _ = _follow(NEUTROPENIA, "neutrophils", seen)
    assert [a.stop.item() for a in actions] == [False, False, False, False, True, True]
    assert actions[-1].share.item() == 0.0


def test_pressure_between_the_limits_keeps_what_was_decided_last() -> None:
    policy = HoldOnPressure("diastolic_blood_pressure", hold_at=110.0, resume_below=100.0)
    actions, _ = _follow(policy, "diastolic_blood_pressure", [[105], [110], [105], [100], [99], [105]])
    assert [a.hold.item() for a in actions] == [False, True, True, True, False, False]
    assert not any(a.wait.any() for a in actions)


def test_progression_is_held_against_the_smallest_sum_and_stops_for_good() -> None:
    policy = StopOnProgression("sum_of_longest_diameters")
    actions, memory = _follow(policy, "sum_of_longest_diameters", [[100], [60], [71], [72], [40]])
    # 71 is +18 %, 72 is +20 % and +12 mm over 60
    assert [a.stop.item() for a in actions] == [False, False, False, True, True]
    assert memory["baseline"].item() == 100.0
    assert memory["nadir"].item() == 40.0


def test_a_small_tumour_needs_5_mm_to_progress() -> None:
    actions, _ = _follow(
        StopOnProgression("sum_of_longest_diameters"), "sum_of_longest_diameters", [[10], [14.9], [15]]
    )
    assert [a.stop.item() for a in actions] == [False, False, True]


def test_a_new_lesion_stops_too() -> None:
    policy = StopOnProgression("sum_of_longest_diameters")
    seen = {"sum_of_longest_diameters": np.full(3, 80.0), NEW_LESION: np.array([0.0, 1.0, np.nan])}
    action, _ = policy(Observation(0, 3, seen), {}, Key(1, np.arange(3), 0))
    assert action.stop.tolist() == [False, True, False]


def test_adaptive_therapy_halves_and_waits_for_the_reference() -> None:
    # reference 20: off below 10, on above 20 (Zhang et al. 2022)
    actions, _ = _follow(
        AdaptiveHalving("prostate_specific_antigen"),
        "prostate_specific_antigen",
        [[20], [12], [10], [9.9], [15], [20], [20.1], [12]],
    )
    assert [a.hold.item() for a in actions] == [False, False, False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("policy", "name", "values"),
    [
        (NEUTROPENIA, "neutrophils", [0.4, 5.0]),
        (HoldOnPressure("diastolic_blood_pressure", 110.0, 100.0), "diastolic_blood_pressure", [120.0, 80.0]),
        (StopOnProgression("sum_of_longest_diameters"), "sum_of_longest_diameters", [50.0, 90.0]),
        (AdaptiveHalving("prostate_specific_antigen"), "prostate_specific_antigen", [20.0, 5.0]),
    ],
)
def test_a_missed_measurement_decides_nothing(policy: Policy, name: str, values: list[float]) -> None:
    (_, before), (after, _) = (
        _follow(policy, name, [[v] for v in values]),
        _follow(policy, name, [[v] for v in (*values, np.nan)]),
    )
    again, memory = _follow(policy, name, [[v] for v in values])
    assert after[-1].share.item() == again[-1].share.item()
    assert {k: v.tolist() for k, v in before.items()} == {k: v.tolist() for k, v in memory.items()}


@pytest.mark.parametrize(
    "policy", [NEUTROPENIA, AdaptiveHalving("neutrophils"), StopOnProgression("neutrophils")]
)
def test_neighbours_do_not_matter_and_nothing_given_is_changed(policy: Policy) -> None:
    seen = np.exp(np.random.default_rng(5).normal(0.5, 1.0, (12, 20)))
    kept = seen.copy()
    together_, _ = _follow(policy, "neutrophils", seen.tolist())
    for i in (0, 7, 19):
        alone, _ = _follow(policy, "neutrophils", seen[:, i : i + 1].tolist())
        assert [a.share[0] for a in alone] == [a.share[i] for a in together_]
    assert (seen == kept).all()


def test_actions_combine_by_the_strictest() -> None:
    no = np.zeros(2, bool)
    half = Action(np.full(2, 0.5), no, no, no)
    waits = Action(np.ones(2), np.array([True, False]), np.array([True, True]), no)
    ended = Action(np.ones(2), no, no, np.array([False, True]))
    whole = together([half, waits, ended], 2)
    assert whole.level.tolist() == [0.5, 0.5]
    assert whole.share.tolist() == [0.0, 0.0]
    assert whole.wait.tolist() == [True, False]  # who is not held does not make the schedule wait
    assert together([], 2).share.tolist() == as_scheduled(2).share.tolist() == [1.0, 1.0]


def test_luck_of_a_policy_hangs_on_patient_day_and_purpose() -> None:
    one = Key(3, np.array([8, 2]), 14).uniform("missed dose")
    assert one.tolist() == Key(3, np.array([2, 8]), 14).uniform("missed dose")[::-1].tolist()
    assert (one != Key(3, np.array([8, 2]), 15).uniform("missed dose")).all()
    assert (one != Key(3, np.array([8, 2]), 14).uniform("other")).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReduceOnNeutropenia("neutrophils", 2.0, 1.0, 0.5, (1.0,)), "resume_from must be at least"),
        (lambda: ReduceOnNeutropenia("neutrophils", 1.0, 1.5, 0.5, ()), "levels must be one or more"),
        (lambda: HoldOnPressure("diastolic_blood_pressure", 100.0, 110.0), "must not be above hold_at"),
        (lambda: AdaptiveHalving("prostate_specific_antigen", 1.0), "between 0 and 1"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
