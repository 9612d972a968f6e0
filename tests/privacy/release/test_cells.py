"""Suppressed counts cannot be worked out, not from margins, other tables, earlier releases or differences."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.release import (
    Interval,
    Ledger,
    Policy,
    ReleasedCounts,
    ReleaseError,
    attack,
    bounds,
    count_table,
    parse_policy,
    read_ledger,
    release_counts,
    write_ledger,
)
from privacy.release.bounds import relation
from privacy.release.cells import Cell

Make = Callable[..., Policy]


def people(counts: dict[tuple[str, str], int], start: int = 0) -> pd.DataFrame:
    rows = [pair for pair, n in counts.items() for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["arm", "response"])
    return frame.assign(pseudonym=[f"p{start + i}" for i in range(len(frame))])


# 300 people; 4 in arm a have a complete response, 6 in arm b (the counts of deaths in the reference: 6 and 4)
TRIAL = {("a", "CR"): 4, ("a", "PD"): 76, ("a", "SD"): 70, ("b", "CR"): 6, ("b", "PD"): 84, ("b", "SD"): 60}


def published(cells: dict[Cell, int], hide: set[Cell]) -> ReleasedCounts:
    axes = {"arm": ("a", "b"), "response": ("CR", "PD", "SD")}
    shown = {cell: None if cell in hide else n for cell, n in cells.items()}
    return ReleasedCounts("t", axes, shown, "p", 300)


def cell(**of: str) -> Cell:
    return tuple(sorted(of.items()))


def test_suppressing_small_cells_alone_gives_them_away() -> None:
    """Positive control: both small cells hidden, margins shown. By hand: 150 - 76 - 70 = 4."""
    table = count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")
    small = {c for c, n in table.cells.items() if n < 10}
    assert small == {cell(arm="a", response="CR"), cell(arm="b", response="CR")}
    found = attack([published(dict(table.cells), small)])["p"]
    assert found[cell(arm="a", response="CR")] == Interval(4.0, 4.0)


def test_complementary_suppression_keeps_them(policy: Make) -> None:
    table = count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")
    (released,) = release_counts([table], policy())
    assert all(n is None or n >= 10 for n in released.cells.values())
    found = attack([released])[released.people]
    assert min(interval.width for interval in found.values()) >= 3
    # not all is lost: the total and most margins are shown
    assert released.cells[()] == 300
    assert sum(n is not None for n in released.cells.values()) >= 5


def test_two_tables_that_are_safe_apart_do_not_leave_together(policy: Make) -> None:
    """Differencing across tables (attack A12). Control: one table hides NE (6) and CR, the other NE and SD;
    each is safe, but together they show CR, PD, SD and the total. By hand: 306 - 10 - 160 - 130 = 6."""
    frame = people({**TRIAL, ("a", "NE"): 2, ("b", "NE"): 4})
    one = count_table("all", frame, ["response"], "pseudonym")
    two = count_table("by arm", frame, ["arm", "response"], "pseudonym")
    hidden = [{"NE", "CR"}, {"NE", "SD"}]
    naive = [
        ReleasedCounts(
            t.name,
            t.axes,
            {c: None if dict(c).get("response") in hide else n for c, n in t.cells.items()},
            t.people,
            306,
        )
        for t, hide in zip((one, two), hidden, strict=True)
    ]
    for each in naive:
        alone = attack([each])[one.people]
        assert alone[cell(response="NE")].width >= 3
    assert attack(naive)[one.people][cell(response="NE")] == Interval(6.0, 6.0)
    for released in (
        release_counts([one, two], policy()),
        [naive[0], *release_counts([two], policy(), earlier=[naive[0]])],
    ):
        found = attack(released)[one.people]
        assert min(i.width for i in found.values()) >= 3
        assert released[0].cells[()] == 306


def test_a_total_published_elsewhere_does_not_reopen_a_table(policy: Make) -> None:
    """The reference's case: ACRO leaves the two cells out of the margins (290), and N = 300 stands elsewhere.
    Control: then one knows that ten people are missing, and each margin tells its own."""
    table = count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")
    naive = published(dict(table.cells), {c for c, n in table.cells.items() if n < 10})
    assert min(i.width for i in attack([naive])["p"].values()) == 0
    total = count_table("n", people(TRIAL), [], "pseudonym")
    (before,) = release_counts([total], policy())
    assert before.cells[()] == 300
    (released,) = release_counts([table], policy(), earlier=[before])
    found = attack([before, released])[released.people]
    assert min(i.width for i in found.values()) >= 3


def test_the_difference_of_two_releases_is_a_count_too(policy: Make) -> None:
    """Attack A12, n and n - 1 patients. Control: subtracting naive releases tells the one who left."""
    first = people(TRIAL)
    second = first.drop(index=[80])
    tables = [count_table("t", f, ["arm", "response"], "pseudonym") for f in (first, second)]
    told = {c for c in tables[0].cells if tables[0].cells[c] - tables[1].cells[c] == 1}
    assert cell(arm="a", response="SD") in told
    earlier = release_counts([tables[0]], policy())
    with pytest.raises(ReleaseError, match="nearly the people"):
        release_counts([tables[1]], policy(), earlier=earlier)
    # also where the total itself was kept back
    silent = ReleasedCounts("t", earlier[0].axes, {**earlier[0].cells, (): None}, earlier[0].people, 300)
    with pytest.raises(ReleaseError, match="nearly the people"):
        release_counts([tables[1]], policy(), earlier=[silent])


def test_after_many_joined_no_small_difference_is_told(policy: Make) -> None:
    more = {("a", "PD"): 40, ("b", "PD"): 3}
    first = people(TRIAL)
    second = pd.concat([first, people(more, start=1000)])
    tables = [count_table("t", f, ["arm", "response"], "pseudonym") for f in (first, second)]
    before = release_counts([tables[0]], policy())
    (after,) = release_counts([tables[1]], policy(), earlier=before)
    for key, count in after.cells.items():
        earlier = before[0].cells.get(key)
        if count is not None and earlier is not None:
            assert count == earlier or abs(count - earlier) >= 10
    found = attack([after])[after.people]
    assert min(i.width for i in found.values()) >= 3


def test_what_was_told_before_cannot_be_taken_back(policy: Make) -> None:
    table = count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")
    small = {c for c, n in table.cells.items() if n < 10}
    naive = published(dict(table.cells), small)
    naive = ReleasedCounts("t", naive.axes, naive.cells, table.people, 300)
    with pytest.raises(ReleaseError, match="worked out from what was published before"):
        release_counts([table], policy(), earlier=[naive])


def test_simulated_counts_are_not_suppressed(policy: Make) -> None:
    table = count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")
    (released,) = release_counts([table], policy(label="simulated"))
    assert released.cells == table.cells


def test_zeros_are_kept_back_where_the_policy_says_so(policy: Make) -> None:
    counts = {**TRIAL, ("a", "CR"): 0, ("b", "CR"): 20}
    table = count_table("t", people(counts), ["arm", "response"], "pseudonym")
    (shown,) = release_counts([table], policy())
    (hidden,) = release_counts([table], policy(zeros="suppressed"))
    zero = cell(arm="a", response="CR")
    assert shown.cells[zero] == 0
    assert hidden.cells[zero] is None
    assert min(i.width for i in attack([hidden])[hidden.people].values()) >= 3


def test_a_person_in_two_rows_is_refused() -> None:
    frame = pd.concat([people(TRIAL), people(TRIAL).head(1)])
    with pytest.raises(ReleaseError, match="name each person once"):
        count_table("t", frame, ["arm"], "pseudonym")


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), st.sets(st.integers(0, 8)))
@settings(max_examples=60, deadline=None)
def test_bounds_are_those_of_trying_all_tables(inner: list[int], hide: set[int]) -> None:
    """Two by two: every table of non-negative integers is tried. The relations are totally unimodular, so
    that the linear programme has whole solutions."""
    keys = ["00", "01", "10", "11", "0.", "1.", ".0", ".1", ".."]
    full = {
        "0.": ["00", "01"],
        "1.": ["10", "11"],
        ".0": ["00", "10"],
        ".1": ["01", "11"],
        "..": ["00", "01", "10", "11"],
    }
    values = dict(zip(keys, inner, strict=False))
    values |= {total: sum(values[p] for p in parts) for total, parts in full.items()}
    shown = {key: None if i in hide else values[key] for i, key in enumerate(keys)}
    found = bounds(shown, [relation(total, parts) for total, parts in full.items()])
    trial = dict(zip(keys, np.indices((18,) * 4).reshape(4, -1), strict=False))
    trial |= {total: sum(trial[p] for p in parts) for total, parts in full.items()}
    fits = np.logical_and.reduce([trial[key] == n for key, n in shown.items() if n is not None])
    for key, interval in found.items():
        reached = trial[key] if fits is True or np.ndim(fits) == 0 else trial[key][fits]
        assert interval.lower == reached.min()
        assert interval.upper == reached.max() if np.isfinite(interval.upper) else reached.max() >= 17


@given(st.lists(st.integers(0, 40), min_size=9, max_size=9), st.sampled_from(["shown", "suppressed"]))
@settings(max_examples=40, deadline=None)
def test_no_release_of_a_table_can_be_undone(counts: list[int], zeros: str) -> None:
    rules = parse_policy(
        {"schema": "vht-release-policy/1", "name": "s", "label": "real-derived", "zeros": zeros}
    )
    pairs = list(itertools.product("abc", ("CR", "PR", "SD")))
    table = count_table("t", people(dict(zip(pairs, counts, strict=True))), ["arm", "response"], "pseudonym")
    if table.cells[()] == 0:
        return
    (released,) = release_counts([table], rules)
    for key, count in released.cells.items():
        assert count is None or (count == table.cells[key] and not rules.small(count))
    for key, interval in attack([released])[table.people].items():
        assert interval.width >= rules.protection
        assert interval.lower <= table.cells[key] <= interval.upper


# ---- the ledger -------------------------------------------------------------------------------------------


def test_the_ledger_returns_what_was_released(tmp_path: Path, policy: Make) -> None:
    (released,) = release_counts(
        [count_table("t", people(TRIAL), ["arm", "response"], "pseudonym")], policy()
    )
    path = tmp_path / "ledger.json"
    write_ledger(path, read_ledger(path).with_counts(released))
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_ledger(path).counts() == [released]
    assert read_ledger(path).with_counts(released) == read_ledger(path)


@pytest.mark.parametrize("tamper", ["edit", "remove", "reorder", "cut"])
def test_a_changed_ledger_is_refused(tmp_path: Path, tamper: str) -> None:
    ledger = Ledger()
    for name in ("one", "two", "three"):
        ledger = ledger.with_entry("note", name, {"rows": 300})
    path = tmp_path / "ledger.json"
    write_ledger(path, ledger)
    content = json.loads(path.read_text())
    if tamper == "edit":
        content["entries"][1]["content"]["rows"] = 299
    elif tamper == "remove":
        del content["entries"][1]
    elif tamper == "reorder":
        content["entries"].reverse()
    else:
        path.write_text(path.read_text()[:100])
    if tamper != "cut":
        path.write_text(json.dumps(content))
    with pytest.raises(ReleaseError, match=r"ledger\.json"):
        read_ledger(path)
