"""Keys are private, are never overwritten, and give independent keys for each purpose."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import KeysError, create_keys, open_keys
from privacy.derivation import Keys, length_prefixed

MASTER = bytes(range(32))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_keys_and_vault_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert mode(tmp_path / "keys") == 0o700
    assert {path.name: mode(path) for path in (tmp_path / "keys").iterdir()} == {
        "master.key": 0o600,
        "vault.sqlite": 0o600,
    }


def test_keys_that_exist_are_never_replaced(keys_folder: Path) -> None:
    before = (keys_folder / "master.key").read_bytes()
    with pytest.raises(KeysError, match="would orphan every pseudonym"):
        create_keys(keys_folder)
    assert (keys_folder / "master.key").read_bytes() == before


def test_a_vault_whose_key_was_lost_gets_no_new_key(keys_folder: Path) -> None:
    (keys_folder / "master.key").unlink()
    with pytest.raises(KeysError, match="already holds keys or a vault"):
        create_keys(keys_folder)
    assert not (keys_folder / "master.key").exists()


def test_a_folder_that_others_may_enter_is_refused_for_new_keys(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(KeysError, match="chmod 700"):
        create_keys(folder)
    assert list(folder.iterdir()) == []


def test_missing_keys_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"vht keys init --keys .*nowhere"):
        open_keys(tmp_path / "nowhere")


@pytest.mark.parametrize("bits", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601])
def test_a_key_that_others_can_reach_is_refused_with_the_remedy(keys_folder: Path, bits: int) -> None:
    (keys_folder / "master.key").chmod(bits)
    with pytest.raises(KeysError, match="chmod 600"):
        open_keys(keys_folder)


def test_a_keys_folder_that_others_can_enter_is_refused_with_the_remedy(keys_folder: Path) -> None:
    keys_folder.chmod(0o750)
    with pytest.raises(KeysError, match="chmod 700"):
        open_keys(keys_folder)


def test_a_link_in_place_of_the_key_is_refused(keys_folder: Path, tmp_path: Path) -> None:
    (keys_folder / "master.key").rename(tmp_path / "elsewhere")
    (keys_folder / "master.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeysError, match="is a link"):
        open_keys(keys_folder)


@pytest.mark.parametrize("content", [b"", bytes(range(31)), bytes(range(33)), b"CHANGEME"])
def test_a_key_of_the_wrong_length_is_refused(keys_folder: Path, content: bytes) -> None:
    (keys_folder / "master.key").write_bytes(content)
    with pytest.raises(KeysError, match="exactly 32 bytes"):
        open_keys(keys_folder)


@pytest.mark.parametrize("content", [bytes(32), b"a" * 32, b"0123456789" * 3 + b"01"])
def test_a_key_that_does_not_look_random_is_refused(keys_folder: Path, content: bytes) -> None:
    (keys_folder / "master.key").write_bytes(content)
    with pytest.raises(KeysError, match="does not look random"):
        open_keys(keys_folder)


def test_the_repr_of_keys_shows_nothing_of_them() -> None:
    shown = repr(Keys(MASTER))
    assert shown == "Keys()"


def test_each_purpose_project_and_version_has_a_key_of_its_own() -> None:
    keys = Keys(MASTER)
    derived = {
        keys.derive(purpose, project=project, version=version)
        for purpose in ("pseudonym", "vault row")
        for project in ("", "a", "b")
        for version in (1, 2)
    }
    assert len(derived) == 12
    assert all(len(key) == 32 for key in derived)


def test_derivation_is_hkdf_sha256_as_written_in_rfc_5869() -> None:
    """Extract and expand done by hand with HMAC, from the two formulas of RFC 5869 section 2."""

    info = length_prefixed("virtual-human-twin", "pseudonym", "study", "1")
    extracted = hmac.digest(bytes(32), MASTER, hashlib.sha256)
    expanded = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    assert Keys(MASTER).derive("pseudonym", project="study") == expanded


def test_moving_a_boundary_between_parts_changes_the_encoding() -> None:
    assert length_prefixed("ab", "c") != length_prefixed("a", "bc")


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_tuples_never_share_an_encoding(first: list[str], second: list[str]) -> None:
    assert (length_prefixed(*first) == length_prefixed(*second)) == (first == second)
