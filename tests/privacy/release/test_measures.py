"""Measures give the values of published examples, of hand calculation and of plain definitions."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from privacy.release.classes import class_of_rows, sizes, sizes_with_wildcards
from privacy.release.measures import (
    distinct_diversity,
    entropy_diversity,
    equal_distance,
    ordered_distance,
    presence,
)


def coded(values: Sequence[object]) -> np.ndarray:
    known = sorted({v for v in values if v is not None}, key=str)
    return np.array([-1 if v is None else known.index(v) for v in values], np.int64)


# The admissions of the k-anonymity article of Wikipedia after suppression, as pycanon carries them in
# Data/Processed/hospital_anonymized.csv (IFCA-Advanced-Computing/pycanon): sex, state, disease; all are
# between 17 and 30.
HOSPITAL = [
    *[("Female", "Kerala", d) for d in ("Viral infection", "Heart-related")],
    *[("Female", "Tamil Nadu", d) for d in ("Cancer", "TB")],
    *[("Male", "Karnataka", d) for d in ("No illness", "TB", "Heart-related")],
    *[("Male", "Kerala", d) for d in ("Cancer", "Heart-related", "Viral infection")],
    *[("Male", "Tamil Nadu", d) for d in ("Cancer", "Cancer", "Cancer")],
]


def test_the_published_hospital_table_has_k_two_and_a_class_with_one_disease() -> None:
    """The article calls it 2-anonymous; its class of men of Tamil Nadu has cancer three times."""
    sex, state, disease = (coded(column) for column in zip(*HOSPITAL, strict=True))
    classes, count = class_of_rows([sex, state], len(HOSPITAL))
    assert sizes(classes, count).tolist() == [2, 2, 3, 3, 3]
    assert distinct_diversity(classes, count, disease).tolist() == [2, 2, 3, 3, 1]
    # by hand: uniform over 2, 2, 3, 3 and 1 diseases
    assert entropy_diversity(classes, count, disease) == pytest.approx([2, 2, 3, 3, 1])
    # by hand: cancer is 5/13 of all; in a class of cancer alone all else, 8/13, is missing
    assert equal_distance(classes, count, disease)[4] == pytest.approx(8 / 13)


def test_ordered_distance_gives_the_salaries_of_li_et_al() -> None:
    """Li, Li and Venkatasubramanian, t-Closeness, ICDE 2007, section 4: salaries 3k to 11k; the class
    {3k, 4k, 5k} is 0.375 away from all, {6k, 8k, 11k} 0.167."""
    salaries = np.array([3, 4, 5, 6, 8, 11, 7, 9, 10]) - 3
    classes = np.repeat([0, 1, 2], 3)
    found = ordered_distance(classes, 3, salaries)
    assert found[:2] == pytest.approx([0.375, 1 / 6])
    # evenly spaced salaries: by value is by rank
    assert ordered_distance(classes, 3, salaries, np.arange(3.0, 12.0)) == pytest.approx(found)


def test_presence_gives_the_example_of_desfontaines() -> None:
    """https://desfontain.es/privacy/delta-presence.html: five of the five people of 10-19 are in the table,
    and one of the ten of 40-49; nobody of the five of 20-29."""
    assert presence(np.array([5, 0, 1]), np.array([5, 5, 10])) == pytest.approx([1.0, 0.0, 0.1])


def test_people_who_are_not_in_the_population_are_no_small_share() -> None:
    assert presence(np.array([1]), np.array([0])).tolist() == [math.inf]


def test_a_unique_row_with_a_missing_value_is_found() -> None:
    """The case in which pycanon 1.0.1.post2 says k = 4: four equal rows, and one whose sex is missing."""
    sex, age = coded(["f", "f", "f", "f", None]), coded([30] * 5)
    classes, count = class_of_rows([sex, age], 5)
    assert sizes(classes, count).min() == 1
    # it could be any of the five, and each of the four could be it
    assert sizes_with_wildcards([sex, age], 5).tolist() == [5] * 5


@pytest.mark.parametrize(
    ("values", "distinct", "effective"),
    [
        (["a", "b", None, None], 2, 2.0),  # counted as a value: 2 of 1/4 and 1 of 1/2, exp = 2.83
        (["a", "a", "a", None], 1, 1.0),
        ([None, None], 0, 0.0),
    ],
)
def test_a_missing_value_does_not_make_a_class_diverse(
    values: list[object], distinct: int, effective: float
) -> None:
    classes, codes = np.zeros(len(values), np.int64), coded(values)
    assert distinct_diversity(classes, 1, codes).tolist() == [distinct]
    assert entropy_diversity(classes, 1, codes) == pytest.approx([effective])


def test_a_class_without_values_is_far_from_a_table_with_them() -> None:
    """By hand: nobody is known in the first class, all in the second, half of all: 0.5 apart."""
    classes = np.array([0, 0, 1, 1])
    assert ordered_distance(classes, 2, np.array([-1, -1, 0, 1])) == pytest.approx([0.5, 0.5])


rows = st.integers(1, 40)


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(rows)
    column = st.lists(st.integers(0, 4), min_size=n, max_size=n)
    return np.array(draw(column)), np.array(draw(column))


@given(tables())
@settings(max_examples=100, deadline=None)
def test_distances_are_those_of_their_definitions(table: tuple[np.ndarray, np.ndarray]) -> None:
    """Against SciPy's one-dimensional Wasserstein distance, and the sum of differences of shares."""
    classes, count = class_of_rows([table[0]], len(table[0]))
    ranks = np.unique(table[1], return_inverse=True)[1]
    reach = max(int(ranks.max()), 1)
    ordered, equal = ordered_distance(classes, count, ranks), equal_distance(classes, count, ranks)
    places = np.array([0.0, 1.0, 5.0, 5.5, 20.0])[: ranks.max() + 1]
    numeric = ordered_distance(classes, count, ranks, places)
    for each in range(count):
        mine = ranks[classes == each]
        assert ordered[each] == pytest.approx(wasserstein_distance(mine, ranks) / reach, abs=1e-9)
        spread = (places[-1] - places[0]) or 1.0
        expected = wasserstein_distance(places[mine], places[ranks]) / spread
        assert numeric[each] == pytest.approx(expected, abs=1e-9)
        shares = [np.bincount(v, minlength=5) / len(v) for v in (mine, ranks)]
        assert equal[each] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=1e-9)


@given(st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=1, max_size=25))
@settings(max_examples=100, deadline=None)
def test_missing_values_are_counted_both_ways_as_defined(table: list[tuple[int, ...]]) -> None:
    """Against comparing every row with every row."""
    columns = [np.array(column, np.int64) for column in zip(*table, strict=True)]
    classes, count = class_of_rows(columns, len(table))
    assert sizes(classes, count)[classes].tolist() == [table.count(row) for row in table]
    agree = [
        sum(all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True)) for other in table)
        for one in table
    ]
    assert sizes_with_wildcards(columns, len(table)).tolist() == agree


def test_a_million_rows_are_measured_in_seconds() -> None:
    random = np.random.default_rng(1)
    columns = [random.integers(0, high, 1_000_000) for high in (80, 2, 1000)]
    values = random.integers(0, 500_000, 1_000_000)
    begin = time.process_time()
    classes, count = class_of_rows(columns, 1_000_000)
    assert sizes(classes, count).sum() == 1_000_000
    distinct_diversity(classes, count, values)
    ordered_distance(classes, count, values)
    assert time.process_time() - begin < 10.0
