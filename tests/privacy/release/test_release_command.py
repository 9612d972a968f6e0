"""``vht privacy release`` writes a table and its manifest, or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from privacy.release import ReleaseError, read_ledger
from vht.cli import app

POLICY = """\
schema: vht-release-policy/1
name: gist
label: real-derived
columns:
  pseudonym: {role: identifier}
  age: {role: quasi-identifier, hierarchy: {bands: [[40, 60, 80], [60]]}, lowest_level: 1}
  region: {role: quasi-identifier, hierarchy: {prefixes: [1]}}
  response: {role: sensitive, distinct: 2, closeness: 0.5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(2)
    pd.DataFrame(
        {
            "pseudonym": [f"p{i}" for i in range(200)],
            "age": random.integers(18, 96, 200),
            "region": random.choice(["01", "02", "11"], 200),
            "response": random.choice(["CR", "PD"], 200),
        }
    ).to_csv(tmp_path / "cohort.csv", index=False)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def call(folder: Path, *more: str, table: str = "cohort.csv") -> None:
    line = ["privacy", "release", str(folder / table), "--policy", str(folder / "policy.yaml")]
    found = CliRunner().invoke(app, [*line, "--out", str(folder / "out"), *more])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0


def test_a_table_leaves_with_its_manifest(folder: Path) -> None:
    call(folder, "--ledger", str(folder / "ledger.json"))
    text = (folder / "out" / "table.csv").read_bytes()
    table = pd.read_csv(folder / "out" / "table.csv", dtype=str)
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["manifest.json", "table.csv"]
    assert list(table.columns) == ["age", "region", "response"]
    assert table.groupby(["age", "region"]).size().min() >= 10
    # codes keep their zeros
    assert set(table["region"]) <= {"01", "02", "11", "0*", "1*", "*"}
    assert manifest["table"]["sha256"] == hashlib.sha256(text).hexdigest()
    assert manifest["label"] == "real-derived"
    assert [entry["name"] for entry in read_ledger(folder / "ledger.json").entries] == ["cohort"]


def test_the_same_release_again_is_no_new_one_but_another_version_is_refused(folder: Path) -> None:
    ledger = ["--ledger", str(folder / "ledger.json")]
    call(folder, *ledger)
    first = (folder / "out" / "table.csv").read_bytes()
    call(folder, *ledger)
    assert (folder / "out" / "table.csv").read_bytes() == first
    assert len(read_ledger(folder / "ledger.json").entries) == 1
    table = pd.read_csv(folder / "cohort.csv", dtype=str)
    table.iloc[1:].to_csv(folder / "cohort.csv", index=False)
    with pytest.raises(ReleaseError, match="another version of 'cohort'"):
        call(folder, *ledger)
    assert (folder / "out" / "table.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("response: {", "outcome: {", "'response'"),
        ("name: gist", "name: gist\nk: 150", "no generalisation"),
        ("role: sensitive", "role: sensitiv", "columns.response.role"),
    ],
)
def test_nothing_is_written_where_the_policy_does_not_hold(
    folder: Path, old: str, new: str, words: str
) -> None:
    (folder / "policy.yaml").write_text(POLICY.replace(old, new, 1))
    with pytest.raises(Exception, match=words):
        call(folder, "--ledger", str(folder / "ledger.json"))
    assert not (folder / "out").exists()
    assert not (folder / "ledger.json").exists()


def test_a_wrong_number_is_named_by_row(folder: Path) -> None:
    table = pd.read_csv(folder / "cohort.csv", dtype=str)
    table.loc[4, "age"] = "forty-one"
    table.to_csv(folder / "wrong.csv", index=False)
    with pytest.raises(ReleaseError, match=r"wrong\.csv, row 5, column 'age'") as caught:
        call(folder, table="wrong.csv")
    assert "forty" not in str(caught.value)
