"""Who withdrew stays out, and nobody can read from the vault who that is."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from privacy import Identity, Pseudonymiser, Suppressed, VaultError, create_keys
from privacy.vault_file import SCHEMA_VERSION

DAY = date(1987, 6, 5)
WHO = Identity("urn:hospital", "MRN-55512")
OTHER = Identity("urn:hospital", "MRN-55513")
WITHDRAWN = datetime(2024, 5, 1, 12, tzinfo=UTC)


def rows(folder: Path, table: str) -> list[tuple[bytes, ...]]:
    with sqlite3.connect(folder / "vault.sqlite") as connection:
        found = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.close()
    return found


def test_a_suppressed_patient_is_forgotten_and_cannot_be_enrolled_again(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        first = pseudonymiser.enrol(WHO, DAY)
        kept = pseudonymiser.enrol(OTHER, DAY)
        assert not pseudonymiser.suppressed(WHO)
        pseudonymiser.suppress(WHO, WITHDRAWN)
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        assert pseudonymiser.suppressed(WHO)
        assert not pseudonymiser.suppressed(OTHER)
        with pytest.raises(Suppressed, match="without a newer permit") as caught:
            pseudonymiser.enrol(WHO, DAY)
        assert "55512" not in str(caught.value)
        assert pseudonymiser.enrol(OTHER, date(2020, 1, 1)) == kept
    assert [row[0] for row in rows(keys_folder, "enrolment")] == [kept.pseudonym]
    assert first.pseudonym not in str(rows(keys_folder, "suppression"))


def test_a_patient_may_be_suppressed_who_was_never_enrolled(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.suppress(WHO)
        assert pseudonymiser.suppressed(Identity("urn:hospital", " MRN-55512 "))


def test_a_suppression_holds_in_every_project(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder, "one") as pseudonymiser:
        pseudonymiser.suppress(WHO, WITHDRAWN)
    with Pseudonymiser.open(keys_folder, "two") as pseudonymiser:
        assert pseudonymiser.suppressed(WHO)


def test_only_a_newer_permit_lifts_it(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        first = pseudonymiser.enrol(WHO, DAY)
        pseudonymiser.suppress(WHO, WITHDRAWN)
        for early in (WITHDRAWN - timedelta(days=400), WITHDRAWN):
            assert not pseudonymiser.unsuppress(WHO, early)
            assert pseudonymiser.suppressed(WHO)
        # one second later, told in another zone
        later = (WITHDRAWN + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-9)))
        assert pseudonymiser.unsuppress(WHO, later)
        again = pseudonymiser.enrol(WHO, date(2025, 1, 1))
    assert again.pseudonym == first.pseudonym
    assert again.day_zero == date(2025, 1, 1)
    assert again.study_number != first.study_number
    assert rows(keys_folder, "suppression") == []


def test_the_later_of_two_withdrawals_is_kept(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.suppress(WHO, WITHDRAWN)
        pseudonymiser.suppress(WHO, WITHDRAWN - timedelta(days=10))
        assert not pseudonymiser.unsuppress(WHO, WITHDRAWN - timedelta(days=1))
        pseudonymiser.suppress(WHO, WITHDRAWN + timedelta(days=10))
        assert not pseudonymiser.unsuppress(WHO, WITHDRAWN + timedelta(days=1))


def test_who_is_not_suppressed_needs_no_newer_permit(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        assert pseudonymiser.unsuppress(WHO, WITHDRAWN)


def test_a_time_without_a_zone_is_refused(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        with pytest.raises(ValueError, match="time zone"):
            pseudonymiser.suppress(WHO, datetime(2024, 5, 1))
        assert not pseudonymiser.suppressed(WHO)


def test_an_error_forgets_the_suppressions_since_the_last_commit(keys_folder: Path) -> None:
    pseudonymiser = Pseudonymiser.open(keys_folder)
    pseudonymiser.suppress(WHO, WITHDRAWN)
    pseudonymiser.__exit__(RuntimeError, RuntimeError(), None)
    assert rows(keys_folder, "suppression") == []


def test_nothing_of_a_suppressed_patient_is_readable_in_the_file(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        first = pseudonymiser.enrol(WHO, DAY)
        pseudonymiser.suppress(WHO, WITHDRAWN)
    content = (keys_folder / "vault.sqlite").read_bytes()
    seconds = int(WITHDRAWN.timestamp())
    for secret in (
        b"55512",
        b"hospital",
        first.pseudonym.encode(),  # deleted rows are overwritten
        str(seconds).encode(),
        seconds.to_bytes(8, "big"),
    ):
        assert secret not in content


def test_a_tag_cannot_be_recomputed_without_the_key(keys_folder: Path, tmp_path: Path) -> None:
    create_keys(tmp_path / "other")
    for folder in (keys_folder, tmp_path / "other"):
        with Pseudonymiser.open(folder) as pseudonymiser:
            pseudonymiser.suppress(WHO, WITHDRAWN)
    one, other = (rows(folder, "suppression")[0] for folder in (keys_folder, tmp_path / "other"))
    assert one[0] != other[0]
    assert one[1] != other[1]


@pytest.mark.parametrize("change", ["UPDATE suppression SET sealed = zeroblob(36)", "swap"])
def test_a_row_that_was_altered_is_noticed(keys_folder: Path, change: str) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.suppress(WHO, WITHDRAWN)
        pseudonymiser.suppress(OTHER, WITHDRAWN - timedelta(days=3000))
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        if change == "swap":
            tags, sealed = zip(*connection.execute("SELECT tag, sealed FROM suppression"), strict=True)
            turned = zip(sealed[1:] + sealed[:1], tags, strict=True)
            connection.executemany("UPDATE suppression SET sealed = ? WHERE tag = ?", turned)
        else:
            connection.execute(change)
    connection.close()
    with Pseudonymiser.open(keys_folder) as pseudonymiser, pytest.raises(VaultError, match="was altered"):
        pseudonymiser.suppressed(WHO)


def test_a_vault_of_version_1_is_raised_with_its_enrolments(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        before = pseudonymiser.enrol(WHO, DAY)
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:  # what version 1 did not have
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        for table in tables - {"about", "enrolment"}:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE about SET value = ? WHERE name = 'schema_version'", (b"1",))
    connection.close()
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        assert pseudonymiser.enrol(WHO, date(2020, 1, 1)) == before
        pseudonymiser.suppress(OTHER, WITHDRAWN)
    about = dict(rows(keys_folder, "about"))
    assert about["schema_version"] == str(SCHEMA_VERSION).encode()  # so that older software refuses it
