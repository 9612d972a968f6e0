"""``vht keys``: what its users type, from the first key to a lost one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyrage import x25519

from privacy import Identity, Pseudonymiser
from privacy.keys import open_keys
from privacy.vault import Vault
from tests.conftest import Command
from vht import Store


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    monkeypatch.chdir(tmp_path)
    assert command("sample", "--patients", 4, "--seed", 3, "--out", "fhir")[0] == 0
    assert command("keys", "init", "--keys", "keys")[0] == 0
    assert command("import", "fhir", "--keys", "keys", "--states", "states")[0] == 0
    return tmp_path


def luck(folder: Path) -> dict[int, str]:
    """Pseudonym by study number, on which the randomness of simulations hangs."""
    return {s.study_number: s.pseudonym for s in Store(folder).cohort().states()}


def test_a_rotation_renames_the_patients_and_changes_no_patients_luck(
    project: Path, command: Command
) -> None:
    before = luck(project / "states")
    code, out, _ = command("keys", "rotate", "--keys", "keys", "--states", "states")
    assert code == 0
    assert "new pseudonyms for 4 patients (key version 2)" in " ".join(out.split())
    after = luck(project / "states")
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_an_import_after_a_rotation_finds_its_patients_again(project: Path, command: Command) -> None:
    before = list(Store(project / "states").cohort().states())
    command("keys", "rotate", "--keys", "keys", "--states", "states")
    renamed = list(Store(project / "states").cohort().states())
    assert command("import", "fhir", "--keys", "keys", "--states", "states")[0] == 0
    again = list(Store(project / "states").cohort().states())
    assert again == renamed
    assert len(again) == len(before)


def test_states_that_a_rotation_left_are_not_imported_into_before_they_are_renamed(
    project: Path, command: Command
) -> None:
    command("import", "fhir", "--keys", "keys", "--states", "more")
    command("keys", "rotate", "--keys", "keys", "--states", "states")
    code, _, err = command("import", "fhir", "--keys", "keys", "--states", "more")
    assert code == 2
    assert "pseudonyms of an earlier key" in err
    assert "vht keys rotate --resume" in err
    assert command("keys", "rotate", "--resume", "--keys", "keys", "--states", "more")[0] == 0
    assert luck(project / "more") == luck(project / "states")
    assert open_keys(project / "keys").version == 2


def test_a_rotation_with_a_folder_that_holds_no_states_changes_nothing(
    project: Path, command: Command
) -> None:
    code, _, err = command("keys", "rotate", "--keys", "keys", "--states", "states", "--states", "nowhere")
    assert code == 2
    assert "holds no patient states" in err
    assert open_keys(project / "keys").version == 1


def test_two_studies_of_one_import_share_no_pseudonym(project: Path, command: Command) -> None:
    """Nor a study number: the same patient has another luck in another study."""
    command("import", "fhir", "--keys", "keys", "--states", "other", "--study", "second")
    one, other = luck(project / "states"), luck(project / "other")
    assert len(other) == 4
    assert not set(one.values()) & set(other.values())
    assert not one.keys() & other.keys()


def test_a_lost_key_is_recovered_from_its_escrow(project: Path, command: Command) -> None:
    keeper, stranger = x25519.Identity.generate(), x25519.Identity.generate()
    Path("keeper.txt").write_text(str(keeper))
    Path("stranger.txt").write_text(str(stranger))
    to = ("--to", keeper.to_public(), "--out", "escrow.age")
    assert command("keys", "escrow", "--keys", "keys", *to)[0] == 0
    Path("keys/master.key").unlink()
    lost = ("keys", "recover", "--keys", "keys", "--escrow", "escrow.age", "--identity")
    code, _, err = command(*lost, "stranger.txt")
    assert code == 2
    assert "cannot open the escrow" in err
    assert command(*lost, "keeper.txt")[0] == 0
    before = luck(project / "states")
    assert command("import", "fhir", "--keys", "keys", "--states", "states")[0] == 0
    assert luck(project / "states") == before


def test_random_pseudonyms_and_a_way_back_are_chosen_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    command("sample", "--patients", 3, "--seed", 3, "--out", "fhir")
    words = ("--keys", "keys", "--pseudonyms", "random", "--reidentifiable")
    assert command("keys", "init", *words)[0] == 0
    for _ in range(2):
        assert command("import", "fhir", "--keys", "keys", "--states", "states")[0] == 0
    names = luck(tmp_path / "states").values()
    assert len(names) == 3
    vault = Vault(tmp_path / "keys", open_keys(tmp_path / "keys"))
    assert vault.random
    assert vault.reidentifiable
    vault.close()
    with Pseudonymiser.open("keys") as pseudonymiser:
        people = [pseudonymiser.reidentify(name, "a test", lambda record: None) for name in names]
        assert all(isinstance(person, Identity) for person in people)
        assert {pseudonymiser.known(person) for person in people if person} == set(names)


def test_a_key_source_that_is_none_is_explained(tmp_path: Path, command: Command) -> None:
    code, _, err = command("keys", "init", "--keys", tmp_path / "keys", "--key", "hsm:1")
    assert code == 2
    assert "keyring:SERVICE" in err
