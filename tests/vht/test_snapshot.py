"""A simulation goes on exactly where it stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from organ_models import model
from organ_models.model import Stride
from tests.vht.reflexes import LOOP, regulated
from tests.vht.test_course import BOTH_WAYS, compartment, every, remodelling
from tests.vht.test_course import people as people_of
from vht import Snapshot, VirtualPatient, simulate, sunitinib_gist, typical
from vht.cycles import baseline_of
from vht.personalisation import personalise
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


def test_a_personalised_simulation_goes_on_from_its_own_cycles(tmp_path: Path) -> None:
    """Recomputed baselines would differ within the tolerance of the orbit; the file keeps them."""
    patient = sunitinib_gist()
    who, loop = typical(patient, 2), patient.models[LOOP]
    recorded = {"systolic_pressure": np.array([130.0, 150.0]), "diastolic_pressure": np.array([80.0, 90.0])}
    fitted = personalise(loop, who.parameters[LOOP], recorded)
    who.parameters[LOOP] = fitted.parameters
    own = {LOOP: baseline_of(patient, loop, fitted.parameters, fitted.orbits)}
    whole = simulate(patient, who, doses=DOSES, days=[0, 14, 28], baselines=own)
    first = simulate(patient, who, doses=DOSES, days=[0, 14], baselines=own)
    first.state.save(tmp_path / "day14.npz")
    rest = simulate(patient, start=Snapshot.load(tmp_path / "day14.npz", patient), doses=DOSES, days=[28])
    for port, trace in rest.outputs.items():
        np.testing.assert_array_equal(trace[0], whole.outputs[port][2], err_msg=port)
    np.testing.assert_array_equal(rest.cycles.states[LOOP][0], whole.cycles.states[LOOP][2])


@pytest.mark.parametrize("kind", ["reflex", "wall"])
def test_reflexes_and_remodelling_go_on_to_the_bit(kind: str, tmp_path: Path) -> None:
    patient = regulated() if kind == "reflex" else VirtualPatient([remodelling(), LOOP], BOTH_WAYS)
    who = typical(patient, 2)
    whole = simulate(patient, who, days=[0, 3, 5])
    simulate(patient, who, days=[0, 3]).state.save(tmp_path / "day3.npz")
    rest = simulate(patient, start=Snapshot.load(tmp_path / "day3.npz", patient), days=[5])
    assert set(rest.outputs) == set(whole.outputs)
    for port, trace in rest.outputs.items():
        np.testing.assert_array_equal(trace[0], whole.outputs[port][2], err_msg=port)


def test_a_graded_course_goes_on_to_the_bit() -> None:
    patient = VirtualPatient([compartment(stride=Stride(2.0, 0.02, 1.2))])
    who, given = people_of([0.1, 0.7]), {"drug.bolus": every(42, 100.0, 30)}
    whole = simulate(patient, who, doses=given, days=range(31))
    first = simulate(patient, who, doses=given, days=range(3))
    rest = simulate(patient, start=first.state, doses=given, days=range(3, 31))
    np.testing.assert_array_equal(rest.outputs["drug.amount"], whole.outputs["drug.amount"][3:])


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
