"""Patients of a store get other pseudonyms whole or not at all, and nothing else about them changes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vht.files import sha256_file
from vht.state import PatientState
from vht.store import Store, StoreError
from vht.tables import MERGES

LETTERS = "abcdefghijklmnopqrstuvwxyz"
OLD = [f"v1-{letter * 32}" for letter in LETTERS[:6]]
NEW = {old: f"v2-{old[3:][::-1].translate(str.maketrans(LETTERS, LETTERS[::-1]))}" for old in OLD}
"""The order of the new ones is the opposite of the old ones'."""


def renamed(pseudonym: str) -> str:
    return NEW.get(pseudonym, pseudonym)


def state(number: int, *days: float) -> PatientState:
    return PatientState.model_validate(
        {
            "pseudonym": OLD[number],
            "study_number": 1000 + number,
            "sex": "female",
            "observations": [
                {"quantity": "systolic_blood_pressure", "value": 120.0 + number, "day": day} for day in days
            ],
            "conditions": [{"concept": "hypertension", "start_day": -float(number)}],
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two shards a table, and a merge."""
    made = Store(tmp_path / "states")
    made.append(state(n, 0.0, 1.0) for n in range(4))
    made.append(state(n, 0.0, 2.0) for n in range(2, 6))
    with made.writer() as writer:
        writer.write("merges", pa.table([[OLD[0]], [OLD[5]], [3.0]], schema=MERGES))
    return made


def content(store: Store) -> list[dict[str, object]]:
    """All that the store says, by study number."""
    states = store.cohort().states()
    found = [s.model_dump(exclude={"pseudonym"}) for s in states]
    return sorted(found, key=lambda s: int(s["study_number"]))


def files(store: Store) -> set[str]:
    return {str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file()}


def named(store: Store) -> set[str]:
    return {shard["file"] for shard in json.loads((store.folder / "store.json").read_bytes())["shards"]}


def test_every_pseudonym_changes_and_nothing_else(store: Store) -> None:
    before, numbers = content(store), {s.pseudonym: s.study_number for s in store.cohort().states()}
    assert store.rename(renamed) == 6
    assert content(store) == before
    assert {s.pseudonym: s.study_number for s in store.cohort().states()} == {
        NEW[old]: number for old, number in numbers.items()
    }


def test_no_file_of_the_store_holds_an_old_pseudonym(store: Store) -> None:
    store.rename(renamed)
    for path in store.folder.rglob("*.parquet"):
        table = pq.read_table(path)
        for column in {"pseudonym", "into"} & set(table.column_names):
            assert not set(table.column(column).to_pylist()) & set(OLD)
    assert files(store) == named(store) | {"store.json", ".lock"}


def test_rows_stay_in_the_order_of_pseudonyms_and_digests_fit(store: Store) -> None:
    store.rename(renamed)
    for shard in json.loads((store.folder / "store.json").read_bytes())["shards"]:
        path = store.folder / shard["file"]
        assert sha256_file(path) == shard["sha256"]
        names = pq.read_table(path).column("pseudonym").to_pylist()
        assert names == sorted(names)


def test_renaming_again_changes_nothing(store: Store) -> None:
    store.rename(renamed)
    before = {path: (store.folder / path).read_bytes() for path in files(store)}
    assert store.rename(renamed) == 0
    assert {path: (store.folder / path).read_bytes() for path in files(store)} == before


def test_two_patients_who_would_share_a_pseudonym_are_refused(store: Store) -> None:
    before = (store.folder / "store.json").read_bytes()
    with pytest.raises(StoreError, match="share a pseudonym; nothing was renamed"):
        store.rename(lambda _: "v2-" + "a" * 32)
    assert (store.folder / "store.json").read_bytes() == before


def test_a_shard_that_was_altered_is_not_renamed(store: Store) -> None:
    path = store.folder / "patients" / "000001.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(StoreError, match="was altered"):
        store.rename(renamed)


DEADLY = """
import os, signal, sys
from pathlib import Path
import vht.store
from tests.vht.test_store_rename import renamed
count = int(sys.argv[2])
def counted(step):
    def deadly(*words, **named):
        global count
        count -= 1
        if count < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*words, **named)
    return deadly
vht.store.write_whole = counted(vht.store.write_whole)
os.replace = counted(os.replace)
Path.unlink = counted(Path.unlink)
vht.store.Store(sys.argv[1]).rename(renamed)
"""


def test_a_renaming_that_is_killed_leaves_all_old_or_all_new_names_and_can_go_on(store: Store) -> None:
    """It is killed at each of its steps in turn: before every file written, put in place and deleted."""
    before, killed, kept_old = content(store), 0, 0
    old = {s.pseudonym for s in store.cohort().states()}  # one of six is merged into another
    new = {NEW[name] for name in old}
    root = Path(__file__).resolve().parents[2]
    backup = {path: (store.folder / path).read_bytes() for path in files(store)}
    # writing and placing of 7 shards and the index, deleting of 7: every fourth step keeps this short
    for step in range(0, 32, 4):
        for path in files(store):
            (store.folder / path).unlink()
        for path, kept in backup.items():
            (store.folder / path).write_bytes(kept)
        words = [sys.executable, "-c", DEADLY, str(store.folder), str(step)]
        ended = subprocess.run(words, cwd=root, check=False, timeout=60).returncode
        assert ended in (0, -signal.SIGKILL)
        killed += ended != 0
        names = {s.pseudonym for s in store.cohort().states()}
        assert names in (old, new)
        assert content(store) == before
        kept_old += names == old
        assert store.rename(renamed) == (6 if names == old else 0)
        assert content(store) == before
        # a part of an index may be left; it names no patient
        left = {path for path in files(store) if not path.startswith(".partial-")}
        assert left == named(store) | {"store.json", ".lock"}
    assert 0 < kept_old < killed < 8
