"""A table leaves with the least change that its policy allows, and what leaves withstands attacks."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.release import Policy, ReleaseError, parse_policy, release_table
from privacy.release.hierarchies import ANYTHING, band, code_column
from privacy.release.policy import Column

Make = Callable[..., Policy]
BANDS = [[20, 30, 40, 50, 60, 70, 80, 90], [40, 60, 80], [60]]
COLUMNS: dict[str, Any] = {
    "pseudonym": {"role": "identifier"},
    "age": {"role": "quasi-identifier", "hierarchy": {"bands": BANDS}, "lowest_level": 1},
    "sex": {"role": "quasi-identifier"},
    "region": {"role": "quasi-identifier", "hierarchy": {"prefixes": [2, 1]}},
    "response": {"role": "sensitive", "closeness": 0.5},
}


def cohort(rows: int = 600, seed: int = 7) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "pseudonym": [f"p{i:05d}" for i in range(rows)],
            "age": random.integers(18, 96, rows),
            "sex": random.choice(["female", "male"], rows),
            "region": random.choice(["DE1", "DE2", "DE9", "FR1", "FR2"], rows),
            "response": random.choice(["CR", "PR", "SD", "PD"], rows),
        }
    )


def test_what_leaves_keeps_k_and_no_identifier(policy: Make) -> None:
    table = cohort()
    found = release_table(table, policy(columns=COLUMNS))
    assert list(found.table.columns) == ["age", "sex", "region", "response"]
    assert found.table.groupby(["age", "sex", "region"], dropna=False).size().min() >= 10
    assert found.table.groupby(["age", "sex", "region"])["response"].nunique().min() >= 3
    assert set(found.table["age"]) <= {band(a, tuple(e)) for a in range(18, 96) for e in BANDS} | {ANYTHING}
    before = {each.measure: each for each in found.before}
    assert before["k"].worst < 10
    assert before["k"].classes
    assert before["k"].rows > 0
    assert all(each.classes == () for each in found.measures)


def test_the_same_rows_in_another_order_give_the_same_release(policy: Make) -> None:
    table = cohort()
    shuffled = table.sample(frac=1.0, random_state=3)
    one, other = (release_table(each, policy(columns=COLUMNS)) for each in (table, shuffled))
    assert one.table.equals(other.table)
    assert one.manifest == other.manifest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.assign(responce="x"), "'responce' (did you mean 'response'?)"),
        (lambda t: t.drop(columns="sex"), "that the table lacks: sex"),
        (lambda t: t.assign(age=["old", *t["age"][1:].astype(str)]), "column 'age', row 1"),
        (lambda t: pd.concat([t, t[["sex"]]], axis=1), "stand twice"),
    ],
)
def test_what_is_not_declared_does_not_leave(
    policy: Make, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(ReleaseError) as caught:
        release_table(change(cohort()), policy(columns=COLUMNS))
    assert words in str(caught.value)
    assert "old" not in str(caught.value)


def test_a_value_without_a_group_is_named_by_row_only(policy: Make) -> None:
    groups = {"values": [{"DE1": "DE", "DE2": "DE", "DE9": "DE", "FR1": "FR"}]}
    columns = {**COLUMNS, "region": {"role": "quasi-identifier", "hierarchy": groups}}
    with pytest.raises(ReleaseError, match="column 'region', row") as caught:
        release_table(cohort(), policy(columns=columns))
    assert "FR2" not in str(caught.value)


def test_a_simulated_table_is_not_suppressed_but_loses_its_identifiers(policy: Make) -> None:
    table = cohort(5)
    found = release_table(table, policy(label="simulated", columns=COLUMNS))
    assert found.table.equals(table.drop(columns="pseudonym"))
    with pytest.raises(ReleaseError, match="does not declare"):
        release_table(table.assign(more=1), policy(label="simulated", columns=COLUMNS))


def test_few_people_do_not_leave_at_all(policy: Make) -> None:
    with pytest.raises(ReleaseError, match="no generalisation keeps the policy"):
        release_table(cohort(9), policy(columns=COLUMNS))


def test_a_unique_missing_value_is_no_hiding_place(policy: Make) -> None:
    table = cohort(200).assign(region="DE1")
    table.loc[0, "sex"] = None
    found = release_table(table, policy(columns=COLUMNS))
    assert found.table.groupby(["age", "sex", "region"], dropna=False).size().min() >= 10
    assert found.manifest["figures"]["missing_as_value"] >= 10


def test_a_plain_column_counts_among_what_others_know(policy: Make) -> None:
    table = cohort().assign(weight=np.arange(600))
    columns = {**COLUMNS, "weight": {"role": "plain"}}
    with pytest.raises(ReleaseError, match="plain column"):
        release_table(table, policy(columns=columns))
    assert release_table(table.assign(weight=70), policy(columns=columns)).table["weight"].eq(70).all()


def test_few_left_out_rows_are_not_counted_in_the_manifest(policy: Make) -> None:
    table = pd.concat([cohort(300).assign(region="DE1"), cohort(3, seed=1).assign(region="XX9")])
    columns = {**COLUMNS, "age": {**COLUMNS["age"], "lowest_level": 3}}
    found = release_table(table, policy(columns=columns))
    assert len(table) - len(found.table) == 3
    assert found.manifest["rows_left_out"] == "below 10"
    assert "left_out" not in found.manifest["figures"]


def test_presence_is_bounded_against_the_population(policy: Make) -> None:
    """All of the region FR9 take part: whoever knows somebody of there knows that they do."""
    table = cohort(400)
    table["region"] = np.where(np.arange(400) < 40, "FR9", "DE1")
    others = cohort(2000, seed=11).assign(region="DE1")
    people = pd.concat([table, others])
    rules = policy(columns=COLUMNS, presence={"lower": 0.0, "upper": 0.5})
    found = release_table(table, rules, people)
    assert "FR9" not in set(found.table["region"])
    assert next(m for m in found.measures if m.measure == "presence").worst <= 0.5
    unbounded = release_table(
        table, policy(columns={**COLUMNS, "age": {**COLUMNS["age"], "lowest_level": 4}})
    )
    assert "FR9" in set(unbounded.table["region"])
    with pytest.raises(ReleaseError, match="name the population table"):
        release_table(table, rules)


# ---- least loss, by trying everything -------------------------------------------------------------------

SMALL: dict[str, Any] = {
    "age": {"role": "quasi-identifier", "hierarchy": {"bands": [[2, 4], [4]]}},
    "sex": {"role": "quasi-identifier"},
    "dx": {"role": "sensitive", "distinct": 2, "entropy": 1.5, "closeness": 0.6},
}


def small_policy() -> Policy:
    return parse_policy(
        {
            "schema": "vht-release-policy/1",
            "name": "small",
            "label": "real-derived",
            "k": 2,
            "suppression_limit": 0.25,
            "columns": SMALL,
        }
    )


def plainly(age: int, sex: str, levels: tuple[int, int]) -> tuple[object, object]:
    ages = [age, band(age, (2.0, 4.0)), band(age, (4.0,)), ANYTHING]
    return ages[levels[0]], [sex, ANYTHING][levels[1]]


def left_by_hand(table: list[tuple[int, str, str]], levels: tuple[int, int]) -> list[int] | None:
    """Rows that stay, by the definitions, with dictionaries."""
    kept = list(range(len(table)))
    while True:
        classes: dict[object, list[int]] = {}
        for i in kept:
            classes.setdefault(plainly(*table[i][:2], levels), []).append(i)
        overall = Counter(table[i][2] for i in kept)
        bad: set[int] = {i for i in kept if overall[table[i][2]] < 2}
        for members in classes.values():
            counts = Counter(table[i][2] for i in members)
            shares = {v: n / len(members) for v, n in counts.items()}
            effective = np.exp(-sum(p * np.log(p) for p in shares.values()))
            apart = sum(abs(shares.get(v, 0.0) - n / len(kept)) for v, n in overall.items()) / 2
            if len(members) < 2 or len(counts) < 2 or effective < 1.5 - 1e-12 or apart > 0.6 + 1e-12:
                bad |= set(members)
        if not bad:
            return kept
        kept = [i for i in kept if i not in bad]
        if len(table) - len(kept) > 0.25 * len(table):
            return None


def loss_by_hand(table: list[tuple[int, str, str]], levels: tuple[int, int], kept: list[int]) -> float:
    total = 0.0
    for i, (age, sex, _) in enumerate(table):
        if i not in kept:
            total += 1.0
            continue
        for column, value in enumerate((age, sex)):
            if levels[column] == (3, 1)[column]:
                total += 0.5
                continue
            distinct = {row[column] for row in table}
            mine = plainly(age, sex, levels)[column]
            same = [
                v
                for v in distinct
                if plainly(*((v, sex) if column == 0 else (age, v)), levels)[column] == mine
            ]
            total += (len(same) - 1) / max(len(distinct) - 1, 1) / 2 + 0 * (value == mine)
    return total / len(table)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("fm"), st.sampled_from("ab")), min_size=4, max_size=16
    )
)
@settings(max_examples=60, deadline=None)
def test_no_other_node_loses_less(table: list[tuple[int, str, str]]) -> None:
    losses = {}
    for levels in itertools.product(range(4), range(2)):
        kept = left_by_hand(table, levels)
        if kept:
            losses[levels] = loss_by_hand(table, levels, kept)
    frame = pd.DataFrame(table, columns=["age", "sex", "dx"])
    if not losses:
        with pytest.raises(ReleaseError):
            release_table(frame, small_policy())
        return
    found = release_table(frame, small_policy())
    levels = (found.levels["age"], found.levels["sex"])
    assert found.utility["loss"] == pytest.approx(min(losses.values()), abs=1e-9)
    assert losses[levels] == pytest.approx(min(losses.values()), abs=1e-9)
    kept = left_by_hand(table, levels)
    assert kept is not None
    expected = sorted((*map(str, plainly(*table[i][:2], levels)), table[i][2]) for i in kept)
    assert sorted(tuple(map(str, row)) for row in found.table.to_numpy()) == expected


@given(st.lists(st.one_of(st.none(), st.floats(-50, 150)), max_size=30))
@settings(max_examples=100, deadline=None)
def test_levels_are_nested_and_lose_more_and_more(values: list[float | None]) -> None:
    column = Column.model_validate({"role": "quasi-identifier", "hierarchy": {"bands": BANDS}})
    coded = code_column(pd.Series(values, dtype=float), column, "age")
    for level in range(len(coded.groups) - 1):
        fine, coarse = coded.at(level), coded.at(level + 1)
        assert len(set(zip(fine, coarse, strict=True))) == len(set(fine))
        assert (coded.loss_at(level) <= coded.loss_at(level + 1) + 1e-12).all()
    for value, word in zip(values, coded.words_at(1), strict=True):
        assert word == (None if value is None else band(value, tuple(map(float, BANDS[0]))))


def test_a_value_on_an_edge_belongs_to_the_band_above() -> None:
    assert [band(v, (18.0, 40.0)) for v in (17.9, 18, 39.9, 40)] == [
        "below 18",
        "18 to below 40",
        "18 to below 40",
        "40 and above",
    ]


# ---- attacks ----------------------------------------------------------------------------------------------


def matched(raw: pd.DataFrame, released: pd.DataFrame, fits: Callable[[pd.Series, pd.Series], bool]) -> float:
    """The best chance, over people, to pick the row of a person whose values are known (attack A11)."""
    best = 0.0
    for _, person in raw.iterrows():
        candidates = sum(fits(person, row) for _, row in released.iterrows())
        best = max(best, 1.0 / candidates if candidates else 0.0)
    return best


def fits_panel(person: pd.Series, row: pd.Series) -> bool:
    for name in ("sodium", "potassium"):
        said = row[name]
        if said == ANYTHING:
            continue
        if isinstance(said, str):
            levels = [band(person[name], tuple(edges)) for edges in PANEL[name]]
            if said not in levels:
                return False
        elif said != person[name]:
            return False
    return True


PANEL: dict[str, list[list[float]]] = {
    "sodium": [[132, 136, 140, 144], [140]],
    "potassium": [[3.5, 4.0, 4.5, 5.0], [4.0]],
}


def test_a_panel_of_measurements_is_matched_with_at_most_one_in_k(policy: Make) -> None:
    """Attack A11. Control: the exact panel, as other tools leave it, is matched with certainty."""
    random = np.random.default_rng(5)
    raw = pd.DataFrame(
        {
            "sodium": random.normal(140, 4, 150).round(1),
            "potassium": random.normal(4.2, 0.5, 150).round(2),
        }
    )
    columns = {
        name: {"role": "quasi-identifier", "hierarchy": {"bands": bands}} for name, bands in PANEL.items()
    }
    released = release_table(raw, policy(columns=columns)).table
    assert matched(raw, raw, fits_panel) == 1.0
    assert 0.0 < matched(raw, released, fits_panel) <= 1 / 10


def test_a_panel_declared_sensitive_is_refused_as_a_fingerprint(policy: Make) -> None:
    random = np.random.default_rng(5)
    raw = cohort(200).assign(sodium=random.normal(140, 4, 200))
    columns = {**COLUMNS, "sodium": {"role": "sensitive", "distance": "ordered"}}
    with pytest.raises(ReleaseError, match="sensitive"):
        release_table(raw, policy(columns=columns))


def singled_out(
    table: pd.DataFrame, raw: pd.DataFrame, fits: Callable[[pd.Series, pd.Series], bool]
) -> float:
    """Share of combinations of the table that fit exactly one person of the raw table."""
    rows = [row for _, row in table.drop_duplicates().iterrows()]
    hits = [sum(fits(person, row) for _, person in raw.iterrows()) for row in rows]
    return float(np.mean([n == 1 for n in hits]))


def fits_person(person: pd.Series, row: pd.Series) -> bool:
    ages = [person["age"], *(band(person["age"], tuple(map(float, e))) for e in BANDS), ANYTHING]
    regions = [person["region"], person["region"][:2] + "*", person["region"][:1] + "*", ANYTHING]
    return row["age"] in ages and row["sex"] in (person["sex"], ANYTHING) and row["region"] in regions


def test_no_combination_that_leaves_singles_a_person_out(policy: Make) -> None:
    """Control: of the raw table most combinations do."""
    raw = cohort(200)
    known = ["age", "sex", "region"]
    released = release_table(raw, policy(columns=COLUMNS)).table[known]
    assert singled_out(raw[known], raw, fits_person) > 0.5
    assert singled_out(released, raw, fits_person) == 0.0
