"""Derivatives through a whole virtual patient, against central differences of its simulation."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest

import vht.equilibrium
import vht.matching
from tests.vht.reflexes import LOOP, regulated
from vht import (
    CompositionError,
    Coupling,
    Individuals,
    VirtualPatient,
    sensitivity,
    simulate,
    sunitinib_gist,
    typical,
)
from vht.course import dose_ports

DOSES = {"sunitinib_exposure.daily_dose": np.where(np.arange(84) % 42 < 28, 50.0, 0.0)}
OUTPUTS = (
    f"{LOOP}.systolic_pressure",
    f"{LOOP}.diastolic_pressure",
    f"{LOOP}.cardiac_output",
    "hansson_gist.sum_of_diameters",
)
PARAMETERS = (
    "sunitinib_exposure.clearance",
    "hansson_gist.growth_rate",
    "hansson_gist.vegfr3_half_exposure",
    "sunitinib_blood_pressure.baseline_diastolic_pressure",
    "sunitinib_blood_pressure.exposure_slope",
    f"{LOOP}.systemic_arterial_resistance",
    f"{LOOP}.systemic_arterial_compliance",
    f"{LOOP}.stressed_volume",
    f"{LOOP}.compliance_pressure_exponent",
    f"{LOOP}.left_ventricular_active_elastance",
)
DAYS = [28, 84]


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orbits and matches as periodic and as close as floating point allows: differences need it."""
    tight = functools.partial(vht.equilibrium.periodic_orbits, tolerance=1e-13, max_beats=200)
    monkeypatch.setattr(vht.equilibrium, "periodic_orbits", tight)
    monkeypatch.setattr(vht.matching, "_REACHED", 2e-13)
    monkeypatch.setattr(vht.matching, "_ROUNDS", 60)
    monkeypatch.setattr(vht.matching, "_DIFFERENCE", 1e-4)


def scaled(people: Individuals, name: str, factor: float) -> Individuals:
    owner, _, field = name.partition(".")
    record = people.parameters[owner]
    moved = dataclasses.replace(record, **{field: getattr(record, field) * factor})
    return dataclasses.replace(people, parameters={**people.parameters, owner: moved})


def parameters(patient: VirtualPatient) -> list[str]:
    """Those of the list that exist, so that a renamed one is noticed."""
    for name in PARAMETERS:
        patient.port(name, "Parameters")
    return list(PARAMETERS)


@pytest.mark.usefixtures("exact")
def test_derivatives_go_through_drug_tumour_pressure_and_heart() -> None:
    """To 1e-6 per relative change of a parameter, by central differences with a relative step of 1e-5,
    through the solved resistance and the compliance that follows. Where an event crosses a sample, a third of
    the step tells."""
    patient = sunitinib_gist()
    names, people = parameters(patient), typical(patient)
    made = sensitivity(patient, OUTPUTS, names, people, doses=DOSES, days=DAYS, relative=True)

    def difference(name: str, step: float) -> np.ndarray:
        up, down = (
            simulate(patient, scaled(people, name, 1 + s), doses=DOSES, days=DAYS).outputs
            for s in (step, -step)
        )
        return np.stack(
            [(up[o] - down[o])[:, 0] / (2 * step * made.base[:, i, 0]) for i, o in enumerate(OUTPUTS)], 1
        )

    for j, name in enumerate(names):
        error = np.abs(made.values[:, :, j, 0] - difference(name, 1e-5))
        if error.max() > 1e-6:
            error = np.abs(made.values[:, :, j, 0] - difference(name, 3e-6))
        assert error.max() < 1e-6, name
    frame = made.to_frame(28)
    assert frame.loc["hansson_gist.growth_rate", f"{LOOP}.systolic_pressure"] == 0.0
    assert frame.loc["sunitinib_exposure.clearance", f"{LOOP}.diastolic_pressure"] < -0.05


@pytest.mark.usefixtures("exact")
def test_derivatives_go_through_a_plain_coupling() -> None:
    patient = VirtualPatient(
        ["arteriolar_dilator", LOOP],
        [Coupling("arteriolar_dilator.systemic_resistance_ratio", f"{LOOP}.systemic_resistance_ratio")],
    )
    people, name, mean = (
        typical(patient, 3),
        "arteriolar_dilator.resistance_reduction",
        f"{LOOP}.mean_pressure",
    )
    doses = dict.fromkeys(dose_ports(patient), 1.0)
    made = sensitivity(patient, [mean], [name], people, doses=doses, days=[7], relative=True)
    up, down = (
        simulate(patient, scaled(people, name, 1 + s), doses=doses, days=[7]).outputs[mean][0]
        for s in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(made.values[0, 0, 0], (up - down) / 2e-5 / made.base[0, 0], atol=1e-6)
    assert (np.abs(made.values) > 1e-3).all()


def test_a_failed_patient_has_no_derivatives() -> None:
    patient = VirtualPatient([LOOP])
    people = scaled(typical(patient, 2), f"{LOOP}.stressed_volume", np.array([1.0, np.nan]))  # type: ignore[arg-type]
    made = sensitivity(
        patient, [f"{LOOP}.mean_pressure"], [f"{LOOP}.stressed_volume"], people, days=[0], relative=True
    )
    assert made.values[0, 0, 0, 0] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan(made.values[0, 0, 0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": [f"{LOOP}.systolic_presure"]}, "did you mean 'systolic_pressure'"),
        ({"parameters": [f"{LOOP}.stressed_volum"]}, "has no parameter 'stressed_volum'; did you mean"),
        ({"patient": regulated()}, "derivatives do not go through controllers"),
    ],
)
def test_what_cannot_be_derived_is_named(changes: dict[str, Any], message: str) -> None:
    call = {
        "patient": VirtualPatient([LOOP]),
        "outputs": [f"{LOOP}.mean_pressure"],
        "parameters": [f"{LOOP}.stressed_volume"],
        **changes,
    }
    with pytest.raises(CompositionError, match=message):
        sensitivity(**call, days=[0])  # type: ignore[arg-type]


def test_bars_show_the_largest_first() -> None:
    patient = VirtualPatient([LOOP])
    names = [f"{LOOP}.stressed_volume", f"{LOOP}.heart_rate", f"{LOOP}.systemic_arterial_resistance"]
    figure = sensitivity(patient, [f"{LOOP}.mean_pressure"], names, days=[0], relative=True).plot()
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels[-1] == "stressed volume"
    assert set(labels) == {"stressed volume", "heart rate", "systemic arterial resistance"}
