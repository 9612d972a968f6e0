"""A simulation goes on exactly where it stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from organ_models import model
from vht import Snapshot, VirtualPatient, simulate, sunitinib_gist, typical
from vht.snapshot import SnapshotError

DOSE = "sunitinib_exposure.daily_dose"
DOSES = {DOSE: np.where(np.arange(56) % 42 < 28, 50.0, 0.0)}


@pytest.fixture(scope="module")
def people():  # type: ignore[no-untyped-def]
    patient = sunitinib_gist()
    crowd = typical(patient, 3)
    tumour = crowd.parameters["hansson_gist"]
    scaled = dataclasses.replace(tumour, growth_rate=tumour.growth_rate * np.array([1, 2, 0.5]))
    return dataclasses.replace(crowd, parameters={**crowd.parameters, "hansson_gist": scaled})


def test_a_saved_simulation_goes_on_to_the_bit(people, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    patient = sunitinib_gist()
    whole = simulate(patient, people, doses=DOSES, days=[0, 28, 35, 56])
    first = simulate(patient, people, doses=DOSES, days=[0, 28])
    first.state.save(tmp_path / "day28.npz")
    again = sunitinib_gist()
    start = Snapshot.load(tmp_path / "day28.npz", again)
    rest = simulate(again, start=start, doses=DOSES, days=[35, 56])
    assert rest.days.tolist() == [35, 56]
    for port, trace in rest.outputs.items():
        np.testing.assert_array_equal(trace, whole.outputs[port][2:], err_msg=port)
    np.testing.assert_array_equal(rest.state.slow, whole.state.slow)
    np.testing.assert_array_equal(rest.individuals.study_numbers, people.study_numbers)


def test_another_composition_or_version_is_refused(people, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = simulate(sunitinib_gist(), people, days=[0, 1])
    run.state.save(tmp_path / "a.npz")
    with pytest.raises(SnapshotError, match="this patient is made of hansson_gist"):
        Snapshot.load(tmp_path / "a.npz", VirtualPatient(["hansson_gist"]))
    patient = sunitinib_gist()
    newer = dataclasses.replace(model("hansson_gist"), version="9.9")
    other = VirtualPatient(
        [newer if n == "hansson_gist" else m for n, m in patient.models.items()], patient.couplings
    )
    with pytest.raises(SnapshotError, match=r"made with hansson_gist .*; here is 9\.9"):
        Snapshot.load(tmp_path / "a.npz", other)
    fewer = VirtualPatient(list(patient.models.values()), patient.couplings[:1])
    with pytest.raises(SnapshotError, match="other couplings"):
        simulate(fewer, start=run.state, days=[1, 2])


@pytest.mark.parametrize("kept", [0, 100, -200])
def test_a_damaged_file_is_told_from_a_snapshot(people, tmp_path: Path, kept: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.npz"
    simulate(sunitinib_gist(), people, days=[0]).state.save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SnapshotError, match=r"damaged|incomplete"):
        Snapshot.load(path, sunitinib_gist())


def test_a_file_of_pickles_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(SnapshotError):
        Snapshot.load(tmp_path / "p.npz", sunitinib_gist())


def test_days_before_the_start_are_refused(people) -> None:  # type: ignore[no-untyped-def]
    run = simulate(sunitinib_gist(), people, days=[0, 14])
    with pytest.raises(ValueError, match="whole numbers from 14 on"):
        simulate(sunitinib_gist(), start=run.state, days=[7, 21])
    with pytest.raises(ValueError, match="leave them out"):
        simulate(sunitinib_gist(), people, start=run.state, days=[21])
