"""Several targets of one cyclic model, and targets relative to the untreated cycle: what is refused."""

from __future__ import annotations

import pytest

import vht
from vht import CompositionError, Coupling, VirtualPatient
from vht.compositions import cardio_oncology, trastuzumab_heart

HEART = "cardiovascular"
DIASTOLIC, FRACTION = f"{HEART}.diastolic_blood_pressure", f"{HEART}.ejection_fraction"
PRESSURE = "sunitinib_blood_pressure.diastolic_pressure"
RATIO = "sunitinib_blood_pressure.diastolic_pressure_ratio"
VESSELS, MUSCLE = f"{HEART}.local_resistance_ratio", f"{HEART}.left_ventricular_elastance_ratio"


def composed(*couplings: Coupling) -> VirtualPatient:
    return VirtualPatient(["sunitinib_blood_pressure", HEART], couplings)


def test_a_relative_target_is_the_absolute_one_where_organs_agree() -> None:
    """BP0 is the circulation's own pressure: the ratio of it and the pressure are the same target."""
    exposure = {"sunitinib_blood_pressure.daily_exposure": 1.45}
    seen = []
    for coupling in (
        Coupling(PRESSURE, DIASTOLIC, solve=VESSELS),
        Coupling(RATIO, DIASTOLIC, solve=VESSELS, relative=True),
    ):
        patient = composed(coupling)
        people = vht.agree(patient, vht.typical(patient))
        run = vht.simulate(patient, people, doses=exposure, days=[0, 56], estimate_error=False)
        seen.append(run.outputs[DIASTOLIC][:, 0])
    assert seen[0][1] - seen[0][0] > 10
    assert seen[1] == pytest.approx(seen[0], abs=0.03)


def test_a_relative_target_must_be_solved_for() -> None:
    with pytest.raises(CompositionError, match="name an input with 'solve'"):
        composed(Coupling(RATIO, VESSELS, relative=True))


def test_a_relative_target_is_a_ratio() -> None:
    with pytest.raises(CompositionError, match=PRESSURE):
        composed(Coupling(PRESSURE, DIASTOLIC, solve=VESSELS, relative=True))


def test_an_output_has_one_target() -> None:
    first, second = (
        Coupling(PRESSURE, DIASTOLIC, solve=port) for port in (VESSELS, f"{HEART}.contractility_ratio")
    )
    with pytest.raises(CompositionError, match="diastolic_blood_pressure has two targets"):
        composed(first, second)


def test_an_input_is_solved_for_once() -> None:
    first = Coupling(PRESSURE, DIASTOLIC, solve=VESSELS)
    second = Coupling(RATIO, FRACTION, solve=VESSELS, relative=True)
    with pytest.raises(CompositionError, match="local_resistance_ratio is solved for twice"):
        composed(first, second)


def test_inputs_that_do_not_move_the_outputs_apart_fail_and_harm_nobody() -> None:
    """Two ports that both multiply resistance: no solution, a failure, no exception."""
    other = f"{HEART}.systemic_resistance_ratio"
    patient = VirtualPatient(
        ["sunitinib_blood_pressure", HEART],
        [
            Coupling(PRESSURE, DIASTOLIC, solve=VESSELS, follow=f"{HEART}.arterial_compliance_ratio"),
            Coupling(RATIO, FRACTION, solve=other, relative=True),
        ],
    )
    exposure = {"sunitinib_blood_pressure.daily_exposure": 1.45}
    run = vht.simulate(patient, doses=exposure, days=[56], estimate_error=False)
    assert run.failure[0] is not None


@pytest.mark.parametrize(
    ("patient", "message"),
    [
        (cardio_oncology(), "two targets of one cyclic model"),
        (trastuzumab_heart(), "relative to the untreated cycle"),
    ],
)
def test_derivatives_that_are_not_known_are_refused(patient: VirtualPatient, message: str) -> None:
    with pytest.raises(CompositionError, match=message):
        vht.sensitivity(patient, [FRACTION], [f"{HEART}.stressed_volume"])
