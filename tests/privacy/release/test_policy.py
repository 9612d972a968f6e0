"""A policy is read strictly, and says what is wrong without showing values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from privacy.release import PolicyError, policy_schema, read_policy
from privacy.release.__main__ import NAME, schema_bytes

GOOD = """\
schema: vht-release-policy/1
name: gist_public
label: real-derived
columns:
  age_years: {role: quasi-identifier, hierarchy: {bands: [[18, 40, 65, 90], [65]]}, lowest_level: 1}
  sex: {role: quasi-identifier}
  response: {role: sensitive, distinct: 2}
  pseudonym: {role: identifier}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


def test_a_policy_is_read_with_the_defaults_of_the_reference(tmp_path: Path) -> None:
    found = read_policy(written(tmp_path, GOOD))
    assert (found.k, found.smallest_cell, found.protection) == (10, 10, 3)
    assert found.named("quasi-identifier") == ["age_years", "sex"]
    assert found.columns["response"].closeness == 0.3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("role: sensitive", "rol: sensitive", "columns.response.rol: no such field; did you mean 'role'?"),
        ("label: real-derived", "labl: real-derived", "labl: no such field; did you mean 'label'?"),
        ("label: real-derived\n", "", "label: is missing"),
        ("[[18, 40, 65, 90], [65]]", "[[18, 40], [65]]", "may only leave out edges"),
        ("[[18, 40, 65, 90], [65]]", "[[40, 18]]", "ascending"),
        ("lowest_level: 1", "lowest_level: 9", "beyond the last level"),
        ("role: identifier", "role: identifier, hierarchy: {prefixes: [2]}", "have a hierarchy"),
        ("name: gist_public", "name: gist_public\nk: 1", "k: input should be greater than or equal to 2"),
        ("name: gist_public", "name: gist_public\nname: other", "policy.yaml:3: a key stands twice"),
        ("schema: vht-release-policy/1", "schema: vht-release-policy/2", "schema:"),
        ("columns:", "columns: [", "not YAML"),
    ],
)
def test_a_fault_is_named_by_field_with_the_nearest_word(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in GOOD
    with pytest.raises(PolicyError) as caught:
        read_policy(written(tmp_path, GOOD.replace(old, new, 1)))
    assert words in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_wrong_value_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(written(tmp_path, GOOD.replace("role: sensitive", "role: Doe1970")))
    assert "Doe1970" not in str(caught.value)
    assert "columns.response.role" in str(caught.value)


def test_the_published_schema_is_that_of_the_code() -> None:
    published = Path(__file__).parents[3] / "docs" / "schemas" / NAME
    assert published.read_bytes() == schema_bytes()
    found: dict[str, Any] = json.loads(schema_bytes())
    assert found == policy_schema()
    assert set(found["required"]) == {"schema", "name", "label"}


def test_a_changed_limit_changes_the_digest(tmp_path: Path) -> None:
    one = read_policy(written(tmp_path, GOOD))
    other = read_policy(written(tmp_path, GOOD.replace("distinct: 2", "distinct: 3")))
    same = read_policy(written(tmp_path, "# a remark\n" + GOOD))
    assert one.digest != other.digest
    assert one.digest == same.digest
