"""Naming a patient needs a vault made for it, a reason, and an audit record that is kept before."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from privacy import AuditRecord, Identity, Pseudonymiser, UnusableIdentity, VaultError, create_keys
from privacy.errors import ReasonMissing
from privacy.resolver import Resolver
from privacy.rotation import rotate_keys

DAY = date(2021, 3, 4)
WHO = Identity("https://hospital.example", "MRN-55512")
OTHER = Identity("https://hospital.example", "MRN-9")
REASON = "adverse event, case 12"


@pytest.fixture(params=["keyed", "random"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys", pseudonyms=request.param, reidentifiable=True)
    return tmp_path / "keys"


@pytest.fixture
def log() -> list[AuditRecord]:
    return []


def enrol(folder: Path, who: Identity = WHO) -> str:
    """As an import does: by the pseudonym."""
    with Pseudonymiser.open(folder) as pseudonymiser:
        return pseudonymiser.enrol(pseudonymiser.pseudonym(who), DAY).pseudonym


def test_a_patient_is_named_for_a_reason_that_is_in_the_audit_log(
    folder: Path, log: list[AuditRecord]
) -> None:
    name = enrol(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        assert pseudonymiser.reidentify(name, f" {REASON} ", log.append) == WHO
    assert log == [AuditRecord("reidentify", "TRUST", name, REASON, "done")]


@pytest.mark.parametrize("reason", ["", " \n"])
def test_without_a_reason_nobody_is_named(folder: Path, log: list[AuditRecord], reason: str) -> None:
    name = enrol(folder)
    with Pseudonymiser.open(folder) as pseudonymiser, pytest.raises(ReasonMissing):
        pseudonymiser.reidentify(name, reason, log.append)
    assert log == []


def test_nobody_is_named_when_the_audit_log_cannot_be_written(folder: Path) -> None:
    def full(_: AuditRecord) -> None:
        raise OSError("no space left")

    name = enrol(folder)
    with Pseudonymiser.open(folder) as pseudonymiser, pytest.raises(OSError, match="no space left"):
        pseudonymiser.reidentify(name, REASON, full)
    with Resolver(folder) as resolver, pytest.raises(OSError, match="no space left"):
        resolver.resolve(WHO.system, WHO.value, REASON, full)


def test_a_vault_that_was_not_made_for_it_names_nobody_and_holds_no_identity(
    keys_folder: Path, log: list[AuditRecord]
) -> None:
    name = enrol(keys_folder)
    with Pseudonymiser.open(keys_folder) as pseudonymiser, pytest.raises(VaultError, match="reidentifiable"):
        pseudonymiser.reidentify(name, REASON, log.append)
    assert [record.outcome for record in log] == ["refused"]
    with sqlite3.connect(keys_folder / "vault.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM identity").fetchone() == (0,)
    connection.close()


def test_an_identity_cannot_be_read_in_the_file_and_its_length_tells_nothing(folder: Path) -> None:
    enrol(folder)
    enrol(folder, Identity("https://hospital.example", "a much longer record number than the other"))
    content = (folder / "vault.sqlite").read_bytes()
    assert b"55512" not in content
    assert b"hospital" not in content
    with sqlite3.connect(folder / "vault.sqlite") as connection:
        lengths = connection.execute("SELECT DISTINCT length(sealed) FROM identity").fetchall()
    connection.close()
    assert len(lengths) == 1


def test_identities_that_were_swapped_are_noticed(folder: Path, log: list[AuditRecord]) -> None:
    name, _ = enrol(folder), enrol(folder, OTHER)
    with sqlite3.connect(folder / "vault.sqlite") as connection:
        rows = connection.execute("SELECT tag, sealed FROM identity").fetchall()
        connection.execute("UPDATE identity SET sealed = ? WHERE tag = ?", (rows[0][1], rows[1][0]))
        connection.execute("UPDATE identity SET sealed = ? WHERE tag = ?", (rows[1][1], rows[0][0]))
    connection.close()
    with Pseudonymiser.open(folder) as pseudonymiser, pytest.raises(VaultError, match="was altered"):
        pseudonymiser.reidentify(name, REASON, log.append)


def test_of_who_was_read_but_not_enrolled_no_identity_is_kept(folder: Path) -> None:
    enrol(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        pseudonymiser.pseudonym(OTHER)
    with sqlite3.connect(folder / "vault.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM identity").fetchone() == (1,)
    connection.close()


def test_who_withdrew_is_not_named_any_more(folder: Path, log: list[AuditRecord]) -> None:
    name = enrol(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        pseudonymiser.suppress(name, datetime(2024, 1, 1, tzinfo=UTC))
    with Pseudonymiser.open(folder) as pseudonymiser:
        assert pseudonymiser.reidentify(name, REASON, log.append) is None
    assert [record.outcome for record in log] == ["unknown"]


def test_a_patient_is_named_by_old_and_new_pseudonym_after_a_rotation(
    folder: Path, log: list[AuditRecord]
) -> None:
    old = enrol(folder)
    rotate_keys(folder)
    with Pseudonymiser.open(folder) as pseudonymiser:
        for name in (old, pseudonymiser.renamed(old)):
            assert pseudonymiser.reidentify(name, REASON, log.append) == WHO


# -- the resolver


def test_a_number_of_the_hospital_leads_to_the_pseudonym_and_leaves_a_record(
    folder: Path, log: list[AuditRecord]
) -> None:
    name = enrol(folder)
    with Resolver(folder) as resolver:
        assert resolver.resolve(WHO.system, f" {WHO.value} ", REASON, log.append) == name
        assert resolver.resolve(OTHER.system, OTHER.value, REASON, log.append) is None
    assert log == [
        AuditRecord("resolve", "TRUST", name, REASON, "done"),
        AuditRecord("resolve", "TRUST", None, REASON, "unknown"),
    ]
    assert WHO.value not in repr(log)


def test_a_question_writes_nothing_into_the_vault(folder: Path, log: list[AuditRecord]) -> None:
    enrol(folder)
    before = (folder / "vault.sqlite").read_bytes()
    with Resolver(folder) as resolver:
        resolver.resolve(OTHER.system, OTHER.value, REASON, log.append)
    assert (folder / "vault.sqlite").read_bytes() == before


def test_a_patient_of_another_study_is_not_resolved(folder: Path, log: list[AuditRecord]) -> None:
    enrol(folder)
    with Resolver(folder, study="another") as resolver:
        assert resolver.resolve(WHO.system, WHO.value, REASON, log.append) is None


def test_a_resolver_asks_for_a_reason_and_records_unusable_questions(
    folder: Path, log: list[AuditRecord]
) -> None:
    with Resolver(folder) as resolver:
        with pytest.raises(ReasonMissing):
            resolver.resolve(WHO.system, WHO.value, "", log.append)
        with pytest.raises(UnusableIdentity):
            resolver.resolve(WHO.system, "", REASON, log.append)
    assert [record.outcome for record in log] == ["unusable"]
