"""A patient is linked across sources within a study, and never across studies or recipients."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from privacy import Identity, Pseudonymiser, Suppressed, create_keys, open_keys, recipient_pseudonyms
from privacy.derivation import Keys
from privacy.vault import Vault

DAY = date(2021, 3, 4)
PEOPLE = [Identity("s", f"{number:06d}") for number in range(2_000)]
AGREEING = len(PEOPLE)
"""Symbols of base32 in all pseudonyms, 32 each, that agree with another study's by chance: 1 in 32.

The standard deviation is sqrt(2000 * 32 * 1/32 * 31/32) = 44; five of them are allowed."""


@pytest.fixture(params=["keyed", "random"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys", pseudonyms=request.param)
    return tmp_path / "keys"


def names(
    folder: Path, project: str = "default", study: str = "", people: Sequence[Identity] = ()
) -> list[str]:
    with Pseudonymiser.open(folder, project, study) as pseudonymiser:
        return [pseudonymiser.enrol(person, DAY).pseudonym for person in people or PEOPLE]


def linked(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether an attacker who has both lists, in any order and in the same order, finds them related."""
    if set(one) & set(other):
        return True
    agreeing = sum(a == b for x, y in zip(one, other, strict=True) for a, b in zip(x[3:], y[3:], strict=True))
    prefixes = len({n[3:9] for n in one} & {n[3:9] for n in other})  # 30 bits: 0.004 by chance
    return abs(agreeing - AGREEING) > 5 * 44 or prefixes > 3


def test_two_sources_that_use_one_number_for_a_patient_are_linked_in_a_study(folder: Path) -> None:
    assert names(folder, study="a") == names(folder, study="a")


@pytest.mark.parametrize("other", [("default", "b"), ("default", ""), ("second", "a")])
def test_two_studies_or_projects_cannot_be_linked(folder: Path, other: tuple[str, str]) -> None:
    assert not linked(names(folder, "default", "a"), names(folder, *other))


def test_a_study_is_not_a_project_of_a_joined_name(folder: Path) -> None:
    assert not set(names(folder, "ab", "c", PEOPLE[:5])) & set(names(folder, "a", "bc", PEOPLE[:5]))


def test_two_recipients_cannot_link_patients_with_each_other_or_with_us(folder: Path) -> None:
    ours, keys = names(folder), open_keys(folder)
    one, other = ([recipient_pseudonyms(keys, who)(p) for p in ours] for who in ("a", "b"))
    assert not linked(one, other)
    assert not linked(one, ours)


def test_the_linkage_attack_finds_a_salt_that_is_only_a_suffix_of_the_name() -> None:
    """The positive control: a keyed hash for all studies, of which each shows other symbols first."""

    def weak(person: Identity, study: str) -> str:
        digest = hmac.digest(b"one key", person.value.encode(), hashlib.sha256).hex()[:32]
        return f"v1-{digest[:31]}{study}"

    assert linked([weak(p, "a") for p in PEOPLE], [weak(p, "b") for p in PEOPLE])


def test_no_unkeyed_hash_of_a_million_record_numbers_is_a_pseudonym(keys_folder: Path) -> None:
    """The dictionary attack, over all numbers of six digits; the positive control is a plain SHA-256."""
    weak = hashlib.sha256(PEOPLE[7].value.encode()).digest()[:20]
    shown = {base64.b32decode(name[3:].upper()) for name in names(keys_folder)} | {weak}
    found = [
        (number, make.__name__)
        for number in range(1_000_000)
        for make in (hashlib.md5, hashlib.sha1, hashlib.sha256)
        if make(b"%06d" % number).digest()[:20] in shown
    ]
    assert found == [(7, "openssl_sha256")]


# -- random pseudonyms


def test_random_pseudonyms_do_not_follow_from_identity_and_key(tmp_path: Path) -> None:
    """The same key and the same patients in two copies of an empty vault."""
    create_keys(tmp_path / "one", pseudonyms="random")
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    assert not linked(names(tmp_path / "one"), names(tmp_path / "other"))


def test_a_random_pseudonym_of_who_is_not_enrolled_is_not_kept(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys", pseudonyms="random")
    with Pseudonymiser.open(tmp_path / "keys") as pseudonymiser:
        first = pseudonymiser.pseudonym(PEOPLE[0])
        assert pseudonymiser.pseudonym(PEOPLE[0]) == first
    with Pseudonymiser.open(tmp_path / "keys") as pseudonymiser:
        assert pseudonymiser.pseudonym(PEOPLE[0]) != first


def test_who_withdrew_is_kept_out_though_pseudonyms_are_random(tmp_path: Path) -> None:
    """By the pseudonym alone, as an import does; else the next import would draw another one."""
    create_keys(tmp_path / "keys", pseudonyms="random")
    with Pseudonymiser.open(tmp_path / "keys") as pseudonymiser:
        name = pseudonymiser.enrol(PEOPLE[0], DAY).pseudonym
    with Pseudonymiser.open(tmp_path / "keys") as pseudonymiser:
        pseudonymiser.suppress(name, datetime(2024, 1, 1, tzinfo=UTC))
    with Pseudonymiser.open(tmp_path / "keys") as pseudonymiser:
        assert pseudonymiser.suppressed(PEOPLE[0])
        with pytest.raises(Suppressed):
            pseudonymiser.enrol(PEOPLE[0], DAY)


def test_a_vault_from_before_policies_and_studies_works_on_and_gives_the_same_pseudonyms(
    keys_folder: Path,
) -> None:
    """The vault is put back to what version 2 held."""
    before = names(keys_folder, people=PEOPLE[:3])
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        connection.execute("DROP TABLE identity")
        connection.execute("DELETE FROM about WHERE name NOT IN ('schema_version', 'key_check')")
        connection.execute("UPDATE about SET value = ? WHERE name = 'schema_version'", (b"2",))
    connection.close()
    assert names(keys_folder, people=PEOPLE[:3]) == before
    vault = Vault(keys_folder, open_keys(keys_folder))
    assert not vault.random
    assert not vault.reidentifiable
    vault.close()


def test_a_pseudonym_is_pinned_so_that_a_change_of_derivation_is_noticed(keys_folder: Path) -> None:
    """Computed with the code before studies, policies and rotation: old states would lose their patients."""
    vault = Vault(keys_folder, open_keys(keys_folder))
    pseudonymiser = Pseudonymiser(Keys(bytes(range(32))), vault)
    assert pseudonymiser.pseudonym(Identity("s", "1")) == "v1-m6krlimbproqth22pet5gqdxiftje7do"
    vault.close()
