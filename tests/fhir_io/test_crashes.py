"""Imports that are killed, imports at once, and sources of a size or shape that nobody expects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_io import Reason
from tests.conftest import ROOT, Command
from tests.fhir_io.conftest import Imported, Records
from tests.test_cli_import import consent
from vht.store import Store

R = Records()
Json = dict[str, Any]

HANGING = """
import sys, time
from importlib import import_module
owner, _, name = sys.argv.pop(1).rpartition(".")
module, _, kind = owner.rpartition(":")
holder = getattr(import_module(module), kind) if module else import_module(kind)
def hang(*_, **__):
    print("here", flush=True)
    time.sleep(60)
setattr(holder, name, hang)
from vht.cli import main
main()
"""


def person(number: int, *resources: Json) -> Json:
    identifier = [{"system": "urn:test:mrn", "value": f"A-{number}"}]
    own = f"patient-{number}"
    about = [r | {"subject": {"reference": f"Patient/{own}"}} for r in resources]
    return R.bundle(R.patient(id=own, identifier=identifier), *about)


def kill_when_it_hangs(started: list[str], folder: Path) -> None:
    """Run a program until it says that it has come to its place, then kill it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(started, stdout=subprocess.PIPE, env=environment, cwd=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"here"
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def folders(tmp_path: Path, command: Command) -> Callable[[str], tuple[object, ...]]:
    """Words for an import of ``tmp_path / in``, into states of a name."""
    assert command("keys", "init", "--keys", tmp_path / "keys")[0] == 0
    (tmp_path / "in").mkdir()

    def words(states: str = "states") -> tuple[object, ...]:
        return ("import", tmp_path / "in", "--keys", tmp_path / "keys", "--states", tmp_path / states)

    return words


@pytest.mark.parametrize(
    "where",
    [
        "fhir_io.importer.settle_patients",  # all was read
        "vht.store:ShardWriter.finish",  # rows were made
        "privacy:Pseudonymiser.commit",  # rows were written, but the index
        "vht.store:Store._write_index",  # patients were enrolled, states were not stored
    ],
)
def test_a_killed_import_leaves_the_store_and_the_next_one_works(
    tmp_path: Path, command: Command, folders: Any, where: str
):
    (tmp_path / "in" / "1.json").write_text(json.dumps(person(1, R.observation())))
    assert command(*folders())[0] == 0
    before = Store(tmp_path / "states").cohort().digest
    (tmp_path / "in" / "2.json").write_text(json.dumps(person(2, R.observation(value=130))))
    started = [sys.executable, "-c", HANGING, where, *map(str, folders())]
    kill_when_it_hangs(started, tmp_path)
    left = list((tmp_path / "keys").glob(".import-*"))
    assert len(left) == 1
    assert Store(tmp_path / "states").cohort().digest == before

    assert command(*folders())[0] == 0
    assert not list((tmp_path / "keys").glob(".import-*"))
    after = Store(tmp_path / "states").cohort()
    assert sorted(after.observations["value"]) == [120.0, 130.0]
    files = {p.name for p in (tmp_path / "states").rglob("*.parquet")}
    index = json.loads((tmp_path / "states" / "store.json").read_bytes())
    assert files == {Path(shard["file"]).name for shard in index["shards"]}


@pytest.mark.parametrize(
    ("where", "left"),
    [("vht.store:Store.erase", 1), ("vht.store:Store._write_index", 1), ("privacy:Pseudonymiser.commit", 2)],
)
def test_a_withdrawal_that_was_cut_short_is_completed_by_the_next_import(
    tmp_path: Path, command: Command, folders: Any, where: str, left: int
):
    """Once it is durable that the patient is kept out, the next import erases, whatever it imports."""
    (tmp_path / "in" / "1.json").write_text(json.dumps(person(1, R.observation())))
    assert command(*folders())[0] == 0
    no = consent("deny", "patient-1")
    (tmp_path / "in" / "1.json").write_text(json.dumps(R.bundle(person(1)["entry"][0]["resource"], no)))
    started = [sys.executable, "-c", HANGING, where, *map(str, folders()), "--consent", "opt-out"]
    kill_when_it_hangs(started, tmp_path)
    store = Store(tmp_path / "states")
    assert len(store.cohort()) == 1

    (tmp_path / "in" / "1.json").write_text(json.dumps(person(2, R.observation())))
    assert command(*folders())[0] == 0
    assert len(store.cohort()) == left
    assert not (tmp_path / "states" / "erasing.json").exists()


def test_the_scratch_of_an_import_that_still_runs_is_left_alone(
    tmp_path: Path, command: Command, folders: Any
):
    (tmp_path / "in" / "1.json").write_text(json.dumps(person(1, R.observation())))
    running = tmp_path / "keys" / f".import-{os.getpid()}-x"
    running.mkdir()
    assert command(*folders())[0] == 0
    assert running.is_dir()


def test_a_second_import_at_the_same_time_is_refused_in_words(tmp_path: Path, command: Command, folders: Any):
    (tmp_path / "in" / "1.json").write_text(json.dumps(person(1, R.observation())))
    assert command(*folders())[0] == 0
    (tmp_path / "in" / "2.json").write_text(json.dumps(person(2, R.observation())))
    store = Store(tmp_path / "states")
    before = store.cohort().digest
    with store.writer():
        code, out, err = command(*folders())
    assert (code, out) == (2, "")
    assert "is being written by another import; try again later" in err
    assert store.cohort().digest == before
    assert command(*folders())[0] == 0
    assert len(store.cohort()) == 2


# -- patients that are not what they seem


def test_two_patients_with_one_identifier_are_told_apart_by_birth_and_sex(import_from: Any, tmp_path: Path):
    """Two files, each with a Patient of the same id and record number, who were born in other years."""
    for number, born in ((1, "1960-06-15"), (2, "1990-01-01")):
        bundle = R.bundle(R.patient(birthDate=born), R.observation(value=120 + number))
        (tmp_path / f"{number}.json").write_text(json.dumps(bundle))
    done = import_from(tmp_path)
    assert done.reasons("Patient") == {Reason.CONFLICTING_PATIENT: 1}
    assert done.reasons("Observation") == {Reason.UNRESOLVED_SUBJECT: 1}
    assert done.values("systolic_blood_pressure") == [121]
    assert done.state.age_years == 63  # of the first, born in June 1960, in May 2024


def test_two_patients_with_one_id_in_one_bundle_are_not_mixed(import_resources: Any):
    """The reference means both, so it means nobody."""
    other = R.patient(identifier=[{"system": "urn:test:mrn", "value": "87654321"}], gender="male")
    done = import_resources(R.patient(), other, R.observation())
    assert done.report.patients == 0
    assert done.reasons() == {Reason.UNRESOLVED_SUBJECT: 1}


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_patients_whose_links_go_in_circles_are_one_person(
    import_resources: Callable[..., Imported], length: int
):
    """Each says that the next one replaces it, the last names the first; values of all are one person's."""
    circle = []
    for number in range(length):
        reference = f"Patient/{(number + 1) % length}"
        circle += [
            R.patient(
                id=str(number),
                identifier=[{"system": "urn:test:mrn", "value": f"A-{number}"}],
                link=[{"other": {"reference": reference}, "type": "replaced-by"}],
            ),
            R.observation("8867-4", 60 + number, "/min", subject={"reference": f"Patient/{number}"}),
        ]
    done = import_resources(*circle)
    assert done.report.patients == 1
    assert done.reasons("Patient") == ({Reason.MERGED: length - 1} if length > 1 else {})
    assert sorted(done.values("heart_rate")) == [60 + number for number in range(length)]


# -- size


def test_a_bundle_of_200_000_entries_is_read_in_bounded_time(import_from: Any, tmp_path: Path):
    entry = json.dumps({"resource": {"resourceType": "Claim", "status": "active"}})
    values = [R.observation(value=90 + n % 100, id=f"o{n}") for n in range(1000)]
    day = [r | {"effectiveDateTime": f"20{n // 50:02}-01-01"} for n, r in enumerate(values)]
    entries = [json.dumps({"resource": r}) for r in (R.patient(), *day)]
    entries += [entry] * (200_000 - len(entries))
    text = '{"resourceType": "Bundle", "type": "collection", "entry": [' + ",".join(entries) + "]}"
    (tmp_path / "a.json").write_text(text)
    started = time.process_time()
    done = import_from(tmp_path)
    assert time.process_time() - started < 30  # about 2 s on an idle core
    assert done.report.read == 200_000
    assert done.report.by_reason() == {Reason.TYPE_NOT_NEEDED: 198_999}
    assert len(done.values("systolic_blood_pressure")) == 1000
