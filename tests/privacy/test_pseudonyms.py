"""A patient has one pseudonym, one study number and one day zero in a project, for good."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import Identity, Pseudonymiser, UnusableIdentity, create_keys, open_keys
from privacy.derivation import Keys
from privacy.vault import Vault

PATTERN = re.compile(r"^v[0-9]+-[a-z2-7]{32}$")
"""The pattern that a patient state requires of a pseudonym."""

SPELLABLE = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(SPELLABLE, min_size=1).filter(lambda text: text.strip() != "")
DAY = date(2021, 3, 4)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keys]:
    folder = tmp_path_factory.mktemp("trust") / "keys"
    create_keys(folder)
    return folder, open_keys(folder)


def named(keys: tuple[Path, Keys], identity: Identity, project: str = "default") -> str:
    folder, master = keys
    vault = Vault(folder, master)
    try:
        return Pseudonymiser(master, vault, project).pseudonym(identity)
    finally:
        vault.close()


@given(system=TEXTS, value=TEXTS)
def test_the_same_identity_always_gets_the_same_pseudonym(
    keys: tuple[Path, Keys], system: str, value: str
) -> None:
    first = named(keys, Identity(system, value))
    assert first == named(keys, Identity(f" {system}\n", f"\t{value} "))
    assert PATTERN.match(first)


@given(one=st.tuples(TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS))
def test_two_identities_never_share_a_pseudonym(
    keys: tuple[Path, Keys], one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, second = Identity(*one), Identity(*other)
    assert (named(keys, first) == named(keys, second)) == (first == second)


def test_moving_a_character_from_system_to_value_gives_another_pseudonym(keys: tuple[Path, Keys]) -> None:
    assert named(keys, Identity("ab", "c")) != named(keys, Identity("a", "bc"))


def test_composed_and_decomposed_spellings_are_one_patient(keys: tuple[Path, Keys]) -> None:
    assert named(keys, Identity("s", "Mu\u0308ller")) == named(keys, Identity("s", "M\u00fcller"))


def test_pseudonyms_of_two_projects_have_nothing_in_common(keys: tuple[Path, Keys]) -> None:
    """In 500 patients no pseudonym recurs, and symbols agree at a place as often as chance has it.

    Chance is 1 in 32 symbols; of 500 x 32 places that is 500 with a standard deviation of 22.
    """
    folder, master = keys
    vault = Vault(folder, master)
    one, other = (Pseudonymiser(master, vault, project) for project in ("one", "other"))
    people = [Identity("s", str(number)) for number in range(500)]
    first, second = [one.pseudonym(p) for p in people], [other.pseudonym(p) for p in people]
    vault.close()
    assert not set(first) & set(second)
    agreeing = sum(
        a == b for x, y in zip(first, second, strict=True) for a, b in zip(x[3:], y[3:], strict=True)
    )
    assert abs(agreeing - 500) < 5 * 22


def test_pseudonyms_of_two_keys_differ(tmp_path: Path) -> None:
    pseudonyms = []
    for name in ("one", "other"):
        create_keys(tmp_path / name)
        with Pseudonymiser.open(tmp_path / name) as pseudonymiser:
            pseudonyms.append(pseudonymiser.pseudonym(Identity("s", "1")))
    assert pseudonyms[0] != pseudonyms[1]


def test_unkeyed_hashes_of_the_identity_do_not_occur_in_the_pseudonym(keys: tuple[Path, Keys]) -> None:

    text = named(keys, Identity("s", "12345678"))[3:]
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, b"12345678").digest()
        assert base64.b32encode(digest).decode().lower()[:8] not in text


def test_study_number_and_day_zero_survive_later_imports(keys_folder: Path) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        first = pseudonymiser.enrol(Identity("s", "1"), DAY)
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        later = pseudonymiser.enrol(Identity("s", "1"), date(1999, 1, 1))
    assert later == first
    assert later.day_zero == DAY
    assert 0 <= later.study_number < 2**63


@pytest.mark.parametrize("day", [date.min, date(1969, 12, 31), date.max])
def test_any_calendar_day_survives_the_vault(keys_folder: Path, day: date) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.enrol(Identity("s", "1"), day)
        assert pseudonymiser.enrol(Identity("s", "1"), DAY).day_zero == day


def test_study_numbers_are_unique_and_do_not_follow_from_the_key(tmp_path: Path) -> None:

    create_keys(tmp_path / "keys")
    shutil.copytree(tmp_path / "keys", tmp_path / "same")
    drawn = []
    for name in ("keys", "same"):
        with Pseudonymiser.open(tmp_path / name) as pseudonymiser:
            drawn.append([pseudonymiser.enrol(Identity("s", str(i)), DAY).study_number for i in range(200)])
    assert len({*drawn[0], *drawn[1]}) == 400


def test_a_failed_import_enrols_nobody(keys_folder: Path) -> None:
    def failing() -> None:
        with Pseudonymiser.open(keys_folder) as pseudonymiser:
            pseudonymiser.enrol(Identity("s", "1"), DAY)
            raise RuntimeError("the import failed")

    with pytest.raises(RuntimeError, match="the import failed"):
        failing()
    vault = Vault(keys_folder, open_keys(keys_folder))
    assert vault.count() == 0
    vault.close()


def test_what_was_committed_survives_a_later_failure(keys_folder: Path) -> None:
    def failing() -> None:
        with Pseudonymiser.open(keys_folder) as pseudonymiser:
            pseudonymiser.enrol(Identity("s", "1"), DAY)
            pseudonymiser.commit()
            pseudonymiser.enrol(Identity("s", "2"), DAY)
            raise RuntimeError("writing states failed")

    with pytest.raises(RuntimeError):
        failing()
    vault = Vault(keys_folder, open_keys(keys_folder))
    assert vault.count() == 1
    vault.close()


ENROL = """
import sys
from datetime import date
from privacy import Identity, Pseudonymiser
sys.stdin.readline()
with Pseudonymiser.open(sys.argv[1]) as pseudonymiser:
    for number in range(300):
        print(pseudonymiser.enrol(Identity("s", str(number)), date(2020, 1, 1)).study_number)
        if number % 10 == 0:
            pseudonymiser.commit()
"""


def test_two_processes_that_enrol_at_once_agree_on_every_study_number(keys_folder: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", ENROL, str(keys_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 300


@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u2003"])
def test_an_empty_identifier_is_refused(value: str) -> None:
    with pytest.raises(UnusableIdentity, match="empty"):
        Identity("system", value)


def test_an_identifier_that_is_not_unicode_is_refused_without_quoting_it() -> None:
    with pytest.raises(UnusableIdentity) as caught:
        Identity("system", "SECRET\ud800")
    assert "SECRET" not in str(caught.value)


def test_reprs_show_neither_identity_nor_day_zero(keys_folder: Path) -> None:
    identity = Identity("https://hospital.example", "MRN-55512")
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        enrolment = pseudonymiser.enrol(identity, DAY)
    for shown in (repr(identity), str(identity), f"{[identity]}"):
        assert "55512" not in shown
        assert "hospital" not in shown
    assert "2021" not in repr(enrolment)


@pytest.mark.parametrize("day", [datetime(2020, 1, 1, 12), "2020-01-01", 0])
def test_day_zero_must_be_a_date(keys_folder: Path, day: object) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser, pytest.raises(TypeError, match="date"):
        pseudonymiser.enrol(Identity("s", "1"), day)  # type: ignore[arg-type]


def test_a_project_needs_a_name(keys_folder: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        Pseudonymiser.open(keys_folder, project=" ")
