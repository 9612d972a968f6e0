"""The key may lie in a file, in the environment or in a keyring; a wrong one is refused before a write."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from privacy import Identity, KeysError, Pseudonymiser, VaultError, create_keys, key_sources, open_keys

NAME = "VHT_TEST_KEY"
DAY = date(2020, 1, 1)


class Drawer(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.held.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    made = Drawer()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    key_sources._from_environment.clear()
    os.environ.pop(NAME, None)


def pseudonym(folder: Path) -> str:
    with Pseudonymiser.open(folder) as pseudonymiser:
        return pseudonymiser.pseudonym(Identity("s", "1"))


@pytest.mark.parametrize("spelt", [bytes.hex, lambda k: base64.b64encode(k).decode()])
def test_a_key_in_the_environment_gives_the_pseudonyms_of_the_same_key_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelt: object
) -> None:
    create_keys(tmp_path / "file")
    key = (tmp_path / "file" / "master.key").read_bytes()
    monkeypatch.setenv(NAME, spelt(key))  # type: ignore[operator]
    create_keys(tmp_path / "env", f"env:{NAME}")
    assert pseudonym(tmp_path / "env") == pseudonym(tmp_path / "file")
    assert sorted(p.name for p in (tmp_path / "env").iterdir()) == ["key-source", "vault.sqlite"]


def test_a_program_that_is_started_later_does_not_inherit_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, secrets.token_hex(32))
    create_keys(tmp_path / "keys", f"env:{NAME}")
    child = [sys.executable, "-c", f"import os; print(os.environ.get({NAME!r}))"]
    assert subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip() == "None"
    assert open_keys(tmp_path / "keys").version == 1  # while this process still knows it


@pytest.mark.parametrize(
    ("value", "words"),
    [("SECRET!!", "neither"), ("ab" * 31, "exactly 32"), ("00" * 32, "does not look random")],
)
def test_a_bad_key_in_the_environment_is_refused_and_never_echoed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(KeysError, match=words) as caught:
        create_keys(tmp_path / "keys", f"env:{NAME}")
    assert value not in str(caught.value)
    assert not (tmp_path / "keys" / "vault.sqlite").exists()


def test_a_variable_that_is_not_set_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=f"{NAME} is not set.*openssl rand"):
        create_keys(tmp_path / "keys", f"env:{NAME}")


def test_a_wrong_key_in_the_environment_is_refused_before_the_first_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, secrets.token_hex(32))
    create_keys(tmp_path / "keys", f"env:{NAME}")
    before = (tmp_path / "keys" / "vault.sqlite").read_bytes()
    monkeypatch.setenv(NAME, secrets.token_hex(32))
    with pytest.raises(VaultError, match="made with another key"):
        Pseudonymiser.open(tmp_path / "keys")
    assert (tmp_path / "keys" / "vault.sqlite").read_bytes() == before


def test_a_keyring_holds_the_key_and_the_folder_does_not(tmp_path: Path, drawer: Drawer) -> None:
    create_keys(tmp_path / "keys", "keyring:study-7")
    assert list(drawer.held) == [("study-7", "master")]
    key = bytes.fromhex(drawer.held["study-7", "master"])
    assert pseudonym(tmp_path / "keys") == pseudonym(tmp_path / "keys")
    assert all(key not in path.read_bytes() for path in (tmp_path / "keys").iterdir())


def test_a_key_in_the_keyring_is_never_replaced(tmp_path: Path, drawer: Drawer) -> None:
    create_keys(tmp_path / "keys", "keyring:study-7")
    before = dict(drawer.held)
    with pytest.raises(KeysError, match="never replace"):
        create_keys(tmp_path / "others", "keyring:study-7")
    assert drawer.held == before
    assert not (tmp_path / "others" / "vault.sqlite").exists()


def test_a_machine_without_keyring_is_an_error_and_no_file_is_used_instead(tmp_path: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    try:
        with pytest.raises(KeysError, match="this machine has none, or it is locked"):
            create_keys(tmp_path / "keys", "keyring:study-7")
    finally:
        keyring.set_keyring(before)
    assert list((tmp_path / "keys").iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "file:../master.key", "env:A B", "keyring:", "vault:x", "file:vault.sqlite"]
)
def test_a_source_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeysError, match="a key source is"):
        create_keys(tmp_path / "keys", text)
