"""A lost key comes back from its escrow, for its recipients and for nobody else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyrage import x25519

from privacy import Identity, KeysError, Pseudonymiser, create_keys
from privacy.escrow import escrow_keys, recover_keys
from privacy.rotation import rotate_keys

WHO = Identity("urn:hospital", "MRN-55512")


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Path]:
    """Files of private keys, by who holds them."""
    found = {}
    for name in ("anna", "ben", "stranger"):
        found[name] = tmp_path / f"{name}.txt"
        made = x25519.Identity.generate()
        found[name].write_text(f"# public key: {made.to_public()}\n{made}\n")
    return found


def public(path: Path) -> str:
    return path.read_text().split()[4 - 1]


@pytest.fixture
def escrow(keys_folder: Path, people: dict[str, Path], tmp_path: Path) -> Path:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.enrol(WHO, date(2020, 1, 1))
    escrow_keys(keys_folder, [public(people["anna"]), public(people["ben"])], tmp_path / "escrow.age")
    return tmp_path / "escrow.age"


@pytest.mark.parametrize("who", ["anna", "ben"])
def test_each_recipient_alone_brings_the_key_back(
    keys_folder: Path, escrow: Path, people: dict[str, Path], who: str
) -> None:
    key = (keys_folder / "master.key").read_bytes()
    assert key not in escrow.read_bytes()
    (keys_folder / "master.key").unlink()
    recover_keys(keys_folder, escrow, people[who])
    assert (keys_folder / "master.key").read_bytes() == key
    assert (keys_folder / "master.key").stat().st_mode & 0o777 == 0o600
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        assert pseudonymiser.known(WHO) is not None


def test_a_stranger_is_refused_and_nothing_is_written(
    keys_folder: Path, escrow: Path, people: dict[str, Path]
) -> None:
    (keys_folder / "master.key").unlink()
    with pytest.raises(KeysError, match="cannot open the escrow"):
        recover_keys(keys_folder, escrow, people["stranger"])
    assert not (keys_folder / "master.key").exists()


def test_an_altered_escrow_is_refused(keys_folder: Path, escrow: Path, people: dict[str, Path]) -> None:
    content = bytearray(escrow.read_bytes())
    content[-1] ^= 1
    escrow.write_bytes(bytes(content))
    (keys_folder / "master.key").unlink()
    with pytest.raises(KeysError, match="was altered"):
        recover_keys(keys_folder, escrow, people["anna"])


def test_a_key_that_is_there_is_not_replaced(
    keys_folder: Path, escrow: Path, people: dict[str, Path]
) -> None:
    with pytest.raises(KeysError, match="already"):
        recover_keys(keys_folder, escrow, people["anna"])


def test_an_escrow_of_before_a_rotation_is_refused_with_words(
    keys_folder: Path, escrow: Path, people: dict[str, Path]
) -> None:
    rotate_keys(keys_folder)
    (keys_folder / "master-2.key").unlink()
    with pytest.raises(KeysError, match="rotated since"):
        recover_keys(keys_folder, escrow, people["anna"])


def test_an_escrow_of_after_a_rotation_brings_the_new_key_back(
    keys_folder: Path, people: dict[str, Path], tmp_path: Path
) -> None:
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        pseudonymiser.enrol(WHO, date(2020, 1, 1))
    rotate_keys(keys_folder)
    escrow_keys(keys_folder, [public(people["anna"])], tmp_path / "escrow.age")
    (keys_folder / "master-2.key").unlink()
    recover_keys(keys_folder, tmp_path / "escrow.age", people["anna"])
    with Pseudonymiser.open(keys_folder) as pseudonymiser:
        assert pseudonymiser.version == 2
        assert pseudonymiser.known(WHO) is not None


def test_an_escrow_of_other_keys_is_refused(escrow: Path, people: dict[str, Path], tmp_path: Path) -> None:
    create_keys(tmp_path / "others")
    (tmp_path / "others" / "master.key").unlink()
    with pytest.raises(KeysError, match="another vault"):
        recover_keys(tmp_path / "others", escrow, people["anna"])


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"], ["AGE-SECRET-KEY-1NONSENSE"]])
def test_an_escrow_needs_public_keys_and_quotes_none(
    keys_folder: Path, tmp_path: Path, recipients: list[str]
) -> None:
    with pytest.raises(KeysError) as caught:
        escrow_keys(keys_folder, recipients, tmp_path / "escrow.age")
    assert not any(text in str(caught.value) for text in recipients)
    assert not (tmp_path / "escrow.age").exists()


def test_an_escrow_beside_the_key_is_refused(keys_folder: Path, people: dict[str, Path]) -> None:
    with pytest.raises(KeysError, match="lost together"):
        escrow_keys(keys_folder, [public(people["anna"])], keys_folder / "escrow.age")
