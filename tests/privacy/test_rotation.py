"""A rotation gives every patient a new pseudonym and nobody another fate, also if it is killed half-way."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import (
    Identity,
    KeysError,
    Pseudonymiser,
    Suppressed,
    VaultError,
    create_keys,
    open_keys,
    recipient_pseudonyms,
)
from privacy.dates import date_shifts
from privacy.derivation import Keys
from privacy.errors import UnusablePseudonym
from privacy.rotation import rotate_keys
from privacy.versions import PSEUDONYM_BYTES, Versions, spelled

DAY = date(2021, 3, 4)
PEOPLE = [Identity("s", str(number)) for number in range(60)]
ONE, TWO, THREE = (bytes([start]) + bytes(range(1, 32)) for start in (100, 101, 102))


def enrolled(folder: Path) -> list[tuple[str, int, date]]:
    with Pseudonymiser.open(folder) as pseudonymiser:
        found = [pseudonymiser.enrol(person, DAY) for person in PEOPLE]
    return [(e.pseudonym, e.study_number, e.day_zero) for e in found]


@pytest.fixture(params=["keyed", "random"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys", pseudonyms=request.param)
    return tmp_path / "keys"


def test_all_pseudonyms_change_and_no_study_number_and_no_day_zero_does(folder: Path) -> None:
    before = enrolled(folder)
    rotate_keys(folder)
    after = enrolled(folder)
    assert [rest for _, *rest in after] == [rest for _, *rest in before]
    assert {name[:3] for name, *_ in after} == {"v2-"}
    assert not {name[3:] for name, *_ in after} & {name[3:] for name, *_ in before}


def test_the_vault_maps_old_pseudonyms_to_new_ones_over_several_rotations(folder: Path) -> None:
    spellings = [[name for name, *_ in enrolled(folder)]]
    for _ in range(2):
        rotate_keys(folder)
        spellings.append([name for name, *_ in enrolled(folder)])
    with Pseudonymiser.open(folder) as pseudonymiser:
        for older in spellings:
            assert [pseudonymiser.renamed(name) for name in older] == spellings[-1]


def test_the_replaced_key_is_gone_and_no_longer_opens_the_vault(keys_folder: Path) -> None:
    enrolled(keys_folder)
    before = (keys_folder / "master.key").read_bytes()
    rotate_keys(keys_folder)
    assert all(before not in path.read_bytes() for path in keys_folder.iterdir())
    assert sorted(p.name for p in keys_folder.iterdir()) == ["key-source", "master-2.key", "vault.sqlite"]
    (keys_folder / "master-2.key").write_bytes(before)
    with pytest.raises(VaultError, match="made with another key"):
        open_keys(keys_folder)


def test_who_withdrew_stays_away_after_a_rotation_by_identity_and_by_either_pseudonym(folder: Path) -> None:
    with Pseudonymiser.open(folder) as pseudonymiser:
        old = pseudonymiser.enrol(PEOPLE[0], DAY).pseudonym
        pseudonymiser.suppress(old, datetime(2024, 1, 1, tzinfo=UTC))
    rotate_keys(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        for patient in (PEOPLE[0], old, pseudonymiser.renamed(old)):
            with pytest.raises(Suppressed):
                pseudonymiser.enrol(patient, DAY)


def test_hashed_names_of_resources_are_still_known_after_a_rotation(folder: Path) -> None:
    with Pseudonymiser.open(folder) as pseudonymiser:
        name = pseudonymiser.keyed("alias", "s", "Patient/1")
        pseudonymiser.remember([(name, pseudonymiser.enrol(PEOPLE[0], DAY).pseudonym)])
    rotate_keys(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        assert pseudonymiser.keyed("alias", "s", "Patient/1") == name
        assert pseudonymiser.recall(name) == pseudonymiser.pseudonym(PEOPLE[0])


def test_recipients_keep_their_names_and_dates_for_patients(keys_folder: Path) -> None:
    old = enrolled(keys_folder)[0][0]
    keys = open_keys(keys_folder)
    before = recipient_pseudonyms(keys, "registry")(old), date_shifts(keys, "registry")(old)
    keys = rotate_keys(keys_folder)
    new = Versions(keys).renamed(old)
    assert (recipient_pseudonyms(keys, "registry")(new), date_shifts(keys, "registry")(new)) == before


def test_an_import_that_began_before_the_rotation_may_not_write_after_it(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as running:
        running.enrol(PEOPLE[0], DAY)
        running.commit()
        rotate_keys(keys_folder)
        with pytest.raises(VaultError, match="replaced meanwhile"):
            running.enrol(PEOPLE[1], DAY)
    with Pseudonymiser.open(keys_folder) as later:
        assert later.known(PEOPLE[0]) is not None
        assert later.known(PEOPLE[1]) is None


DEADLY = """
import os, signal, sys
from privacy import rotation
folder, where, before = sys.argv[1], sys.argv[2], sys.argv[3] == "before"
owners = {"reseal": rotation.Vault, "store": rotation.KeySource, "remove": rotation.KeySource}
owner = owners.get(where, rotation)
step = getattr(owner, where)
def deadly(*words, **named):
    if not before:
        step(*words, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, where, deadly)
rotation.rotate_keys(folder)
"""


def killed_at(folder: Path, where: str, before: bool) -> None:
    """Rotate in a process that kills itself before or after one of the steps."""
    words = [sys.executable, "-c", DEADLY, str(folder), where, "before" if before else "after"]
    assert subprocess.run(words, check=False, timeout=60).returncode == -signal.SIGKILL


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("where", ["create_private_file", "store", "reseal", "remove", "promote"])
def test_a_rotation_that_is_killed_leaves_one_key_in_force_and_can_be_done_again(
    folder: Path, where: str, before: bool
) -> None:
    first = enrolled(folder)
    killed_at(folder, where, before)
    after = enrolled(folder)
    committed = where in ("remove", "promote") or (where == "reseal" and not before)
    assert {name[:2] for name, *_ in after} == {"v2" if committed else "v1"}
    assert [rest for _, *rest in after] == [rest for _, *rest in first]
    assert rotate_keys(folder).version == (3 if committed else 2)
    assert [rest for _, *rest in enrolled(folder)] == [rest for _, *rest in first]
    assert len(list(folder.glob("*.key"))) == 1
    assert not (folder / "key-source.next").exists()


def test_a_key_in_the_environment_needs_another_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VHT_TEST_OLD", secrets.token_hex(32))
    create_keys(tmp_path / "keys", "env:VHT_TEST_OLD")
    before = enrolled(tmp_path / "keys")
    with pytest.raises(KeysError, match="another variable"):
        rotate_keys(tmp_path / "keys")
    with pytest.raises(KeysError, match="where the old one is"):
        rotate_keys(tmp_path / "keys", "env:VHT_TEST_OLD")
    monkeypatch.setenv("VHT_TEST_NEW", secrets.token_hex(32))
    rotate_keys(tmp_path / "keys", "env:VHT_TEST_NEW")
    assert [rest for _, *rest in enrolled(tmp_path / "keys")] == [rest for _, *rest in before]


CONTENTS = st.binary(min_size=PSEUDONYM_BYTES, max_size=PSEUDONYM_BYTES)


@given(CONTENTS)
def test_a_pseudonym_of_any_version_leads_back_to_the_first(content: bytes) -> None:
    first = spelled(content)
    for keys in (Keys(ONE), Keys(TWO, (ONE,)), Keys(THREE, (ONE, TWO))):
        versions = Versions(keys)
        assert versions.first(versions.shown(first)) == first


@given(CONTENTS, CONTENTS)
def test_two_patients_never_become_one(one: bytes, other: bytes) -> None:
    versions = Versions(Keys(TWO, (ONE,)))
    assert (versions.shown(spelled(one)) == versions.shown(spelled(other))) == (one == other)


def test_a_bit_of_the_old_pseudonym_changes_half_of_the_new_one() -> None:
    """Of 160 bits a permutation that looks random changes 80 on average.

    The mean of 160 trials has a standard deviation of sqrt(160)/2/sqrt(160) = 0.5; six of them are allowed.
    """
    versions = Versions(Keys(TWO, (ONE,)))
    start = secrets.token_bytes(PSEUDONYM_BYTES)

    def bits(content: bytes) -> int:
        letters = versions.shown(spelled(content))[3:]
        return sum("abcdefghijklmnopqrstuvwxyz234567".index(c) << 5 * i for i, c in enumerate(letters))

    flipped = [
        (int.from_bytes(start, "big") ^ 1 << place).to_bytes(PSEUDONYM_BYTES, "big") for place in range(160)
    ]
    changed = [(bits(start) ^ bits(other)).bit_count() for other in flipped]
    assert abs(sum(changed) / 160 - 80) < 6 * 0.5
    assert min(changed) > 40  # six standard deviations of 6.3 below 80


@pytest.mark.parametrize("pseudonym", ["v2-" + "a" * 32, "v2-", "v1x-" + "a" * 32, "vv-1"])
def test_a_pseudonym_of_a_later_key_or_misspelled_is_refused_without_quoting_it(pseudonym: str) -> None:
    with pytest.raises(UnusablePseudonym) as caught:
        Versions(Keys(ONE)).first(pseudonym)
    assert pseudonym not in str(caught.value)
