"""iRECIST at each assessment, and conversions of sizes."""

from __future__ import annotations

import numpy as np
import pytest

from vht.recist import immune_responses, sizes, target_responses

DAYS = [42.0, 84.0, 112.0, 140.0]


def _read(baseline: float, sums: list[float], days: list[float] | None = None, **seen: object) -> list[str]:
    table = np.array([sums])
    words = target_responses([baseline], table)
    more = {name: np.array([values]) for name, values in seen.items()}
    return immune_responses(DAYS[: len(sums)] if days is None else days, words, table, **more)[0].tolist()


def test_progression_is_unconfirmed_until_the_targets_grow_by_another_5_mm() -> None:
    assert _read(100.0, [100.0, 125.0, 130.0]) == ["iSD", "iUPD", "iCPD"]
    assert _read(100.0, [100.0, 125.0, 129.0]) == ["iSD", "iUPD", "iUPD"]


def test_increases_after_an_unconfirmed_progression_add_up() -> None:
    # 4 mm, then 2 mm more: the working group's own example
    assert _read(100.0, [100.0, 125.0, 129.0, 131.0]) == ["iSD", "iUPD", "iUPD", "iCPD"]


def test_a_response_resets_and_progression_starts_anew() -> None:
    # target progression, then shrinkage to a partial response, then progression over the new smallest sum
    assert _read(100.0, [125.0, 65.0, 80.0, 86.0]) == ["iUPD", "iPR", "iUPD", "iCPD"]


def test_a_new_lesion_is_confirmed_by_more_of_them_or_by_growth() -> None:
    still = [100.0, 100.0, 100.0]
    assert _read(100.0, still, new_lesions=[0, 1, 1]) == ["iSD", "iUPD", "iUPD"]
    assert _read(100.0, still, new_lesions=[0, 1, 2]) == ["iSD", "iUPD", "iCPD"]
    grown = {"new_lesions": [0, 1, 1], "new_lesion_sum": [0.0, 12.0, 17.0]}
    assert _read(100.0, still, **grown)[-1] == "iCPD"
    assert _read(100.0, still, **{**grown, "new_lesion_sum": [0.0, 12.0, 16.0]})[-1] == "iUPD"
    assert _read(100.0, still, new_lesions=[0, 1, 1], new_lesion_growth=[False, False, True])[-1] == "iCPD"


def test_shrinkage_after_a_new_lesion_is_a_response_but_an_unchanged_response_is_not() -> None:
    """Scenarios B and F of the working group: a new lesion before, and after, the targets shrank."""
    assert _read(100.0, [90.0, 60.0, 60.0], new_lesions=[1, 1, 1]) == ["iUPD", "iPR", "iPR"]
    assert _read(100.0, [60.0, 60.0, 60.0], new_lesions=[0, 1, 1]) == ["iPR", "iUPD", "iUPD"]


def test_a_lesion_that_a_response_outweighed_counts_anew_only_where_more_appear() -> None:
    found = _read(100.0, [90.0, 60.0, 60.0, 60.0], new_lesions=[1, 1, 2, 3])
    assert found == ["iUPD", "iPR", "iUPD", "iCPD"]


def test_non_target_progression_is_confirmed_by_any_further_growth() -> None:
    of_other = {"non_target": ["NON-CR/NON-PD", "PD", "PD"]}
    still = [100.0, 100.0, 100.0]
    assert _read(100.0, still, **of_other) == ["iSD", "iUPD", "iUPD"]
    assert _read(100.0, still, **of_other, non_target_growth=[False, False, True])[-1] == "iCPD"


def test_progression_of_another_kind_confirms() -> None:
    assert _read(100.0, [100.0, 125.0, 125.0], new_lesions=[0, 0, 1]) == ["iSD", "iUPD", "iCPD"]


def test_confirmation_waits_four_weeks_and_not_longer_than_eight() -> None:
    sums = [125.0, 140.0, 141.0]
    assert _read(100.0, sums, days=[42.0, 56.0, 70.0]) == ["iUPD", "iUPD", "iCPD"]
    assert _read(100.0, sums[:2], days=[42.0, 99.0]) == ["iUPD", "iUPD"]


def test_a_confirmed_progression_stays_and_a_missed_visit_decides_nothing() -> None:
    assert _read(100.0, [125.0, 140.0, 60.0], days=[42.0, 84.0, 126.0]) == ["iUPD", "iCPD", "iCPD"]
    assert _read(100.0, [125.0, np.nan, 60.0]) == ["iUPD", "NE", "iPR"]


def test_neighbours_do_not_matter() -> None:
    luck = np.random.default_rng(2)
    sums = 100.0 * np.exp(0.3 * luck.standard_normal((50, 4)))
    words = target_responses(np.full(50, 100.0), sums)
    new = np.cumsum(luck.random((50, 4)) < 0.2, axis=1)
    together = immune_responses(DAYS, words, sums, new_lesions=new)
    for i in range(50):
        alone = immune_responses(DAYS, words[i : i + 1], sums[i : i + 1], new_lesions=new[i : i + 1])
        assert together[i].tolist() == alone[0].tolist()


def test_thresholds_of_the_sum_are_cubes_in_volume() -> None:
    # RECIST's -30 % and +20 % are -65.7 % and +72.8 % of the volume under isotropic growth
    assert sizes.volume_ratio([0.7, 1.2]) - 1.0 == pytest.approx([-0.657, 0.728], abs=5e-4)
    assert sizes.sum_ratio(sizes.volume_ratio([0.7, 1.2])) == pytest.approx([0.7, 1.2])
    assert sizes.volume_rate(0.02) == pytest.approx(0.06)


def test_conversions_of_shape_are_explicit_and_undo_each_other() -> None:
    assert sizes.sphere_volume(10.0) == pytest.approx(523.5987755982989)  # pi/6 x 1000
    assert sizes.sphere_diameter(sizes.sphere_volume([3.0, 40.0])) == pytest.approx([3.0, 40.0])
    assert sizes.mean_tumour_diameter(sizes.three_diameter_volume(40.0, 40.0, 40.0)) == pytest.approx(40.0)
    assert sizes.caliper_volume_half(12.0, 8.0) == pytest.approx(384.0)  # 12 x 64 / 2
    assert sizes.caliper_volume_ellipsoid(8.0, 8.0) == pytest.approx(float(sizes.sphere_volume(8.0)))
