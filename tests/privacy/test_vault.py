"""The vault shows nothing without its key, refuses another key, and notices a changed row."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from privacy import Identity, KeysError, Pseudonymiser, VaultError, create_keys, open_keys, vault, vault_file
from privacy.vault import Vault

DAY = date(1987, 6, 5)


def enrol(folder: Path, value: str = "1") -> str:
    with Pseudonymiser.open(folder) as pseudonymiser:
        return pseudonymiser.enrol(Identity("s", value), DAY).pseudonym


def test_another_key_is_refused_with_words_before_anything_is_written(
    keys_folder: Path, tmp_path: Path
) -> None:
    enrol(keys_folder)
    create_keys(tmp_path / "other")
    (keys_folder / "master.key").write_bytes((tmp_path / "other" / "master.key").read_bytes())
    before = (keys_folder / "vault.sqlite").read_bytes()
    with pytest.raises(VaultError, match="made with another key"):
        Pseudonymiser.open(keys_folder)
    assert (keys_folder / "vault.sqlite").read_bytes() == before


def test_a_lost_vault_is_not_silently_replaced_by_an_empty_one(keys_folder: Path) -> None:
    enrol(keys_folder)
    (keys_folder / "vault.sqlite").unlink()
    with pytest.raises(VaultError, match="restore it from a backup"):
        Pseudonymiser.open(keys_folder)
    assert not (keys_folder / "vault.sqlite").exists()


def test_a_vault_that_others_can_read_is_refused(keys_folder: Path) -> None:
    (keys_folder / "vault.sqlite").chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        Pseudonymiser.open(keys_folder)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_damaged_vault_is_refused(keys_folder: Path, content: bytes) -> None:
    (keys_folder / "vault.sqlite").write_bytes(content)
    with pytest.raises(VaultError, match="damaged or is not a vault"):
        Pseudonymiser.open(keys_folder)


def test_a_vault_of_another_schema_version_is_refused(keys_folder: Path) -> None:
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        connection.execute("UPDATE about SET value = ? WHERE name = 'schema_version'", (b"9",))
    connection.close()
    with pytest.raises(VaultError, match="schema version"):
        Pseudonymiser.open(keys_folder)


def test_rows_that_were_swapped_are_noticed(keys_folder: Path) -> None:
    first, second = enrol(keys_folder, "1"), enrol(keys_folder, "2")
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        sealed = dict(connection.execute("SELECT pseudonym, sealed FROM enrolment"))
        connection.execute("UPDATE enrolment SET sealed = ? WHERE pseudonym = ?", (sealed[second], first))
    connection.close()
    with pytest.raises(VaultError, match="was altered"):
        enrol(keys_folder, "1")


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_a_flipped_bit_in_a_row_is_noticed(keys_folder: Path, position: int) -> None:
    pseudonym = enrol(keys_folder)
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        sealed = bytearray(connection.execute("SELECT sealed FROM enrolment").fetchone()[0])
        sealed[position] ^= 1
        connection.execute("UPDATE enrolment SET sealed = ?", (bytes(sealed),))
    connection.close()
    opened = Vault(keys_folder, open_keys(keys_folder))
    with pytest.raises(VaultError, match="was altered"):
        opened.find(pseudonym)
    opened.close()


def test_neither_identity_nor_day_nor_study_number_is_readable_in_the_file(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        made = pseudonymiser.enrol(Identity("https://hospital.example", "MRN-55512"), DAY)
    content = (keys_folder / "vault.sqlite").read_bytes()
    number, ordinal = made.study_number, DAY.toordinal()
    for secret in (
        b"55512",
        b"hospital",
        b"1987",
        str(number).encode(),
        number.to_bytes(8, "big"),
        number.to_bytes(8, "little"),
        str(ordinal).encode(),
        ordinal.to_bytes(8, "big"),
    ):
        assert secret not in content


def test_every_row_has_the_same_length(keys_folder: Path) -> None:
    for value in ("1", "a much longer identifier than the other one"):
        enrol(keys_folder, value)
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        lengths = {length for (length,) in connection.execute("SELECT length(sealed) FROM enrolment")}
    connection.close()
    assert len(lengths) == 1


def test_a_study_number_that_is_taken_is_drawn_again(
    keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = iter([7, 7, 8])
    monkeypatch.setattr(vault.secrets, "randbits", lambda bits: next(draws))
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        numbers = [pseudonymiser.enrol(Identity("s", v), DAY).study_number for v in ("1", "2")]
    assert numbers == [7, 8]


def test_a_vault_held_by_another_import_is_reported_as_such(
    keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_file, "WAIT_SECONDS", 0.05)
    holder, second = (Pseudonymiser.open(keys_folder) for _ in range(2))
    holder.enrol(Identity("s", "1"), DAY)
    with pytest.raises(VaultError, match="in use by another import"):
        second.enrol(Identity("s", "2"), DAY)
    holder.commit()
    assert second.enrol(Identity("s", "1"), date(2000, 1, 1)).day_zero == DAY
    second.close()
    holder.close()


def test_the_journal_of_a_running_import_is_private_too(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        for number in range(2000):
            pseudonymiser.enrol(Identity("s", str(number)), DAY)
        modes = {path.name: path.stat().st_mode & 0o777 for path in keys_folder.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) >= 2
