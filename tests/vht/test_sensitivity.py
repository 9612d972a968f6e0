"""Derivatives through a whole virtual patient, against central differences of its simulation."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pytest

import vht.equilibrium
import vht.matching
from organ_models import PrecisionError
from organ_models.model import Array, OrganModel, Reference, fields, parameter, variable, variables
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
PRESSURES = (f"{LOOP}.systolic_pressure", f"{LOOP}.diastolic_pressure", f"{LOOP}.cardiac_output")
HEART = tuple(
    f"{LOOP}.{k}"
    for k in (
        "systemic_arterial_resistance",
        "systemic_arterial_compliance",
        "stressed_volume",
        "compliance_pressure_exponent",
        "left_ventricular_active_elastance",
    )
)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orbits and matches as periodic and as close as floating point allows: differences need it."""
    tight = functools.partial(vht.equilibrium.periodic_orbits, tolerance=1e-13, max_beats=200)
    monkeypatch.setattr(vht.equilibrium, "periodic_orbits", tight)
    monkeypatch.setattr(vht.matching, "_REACHED", 2e-13)
    monkeypatch.setattr(vht.matching, "_ROUNDS", 60)
    monkeypatch.setattr(vht.matching, "_DIFFERENCE", 1e-4)


def moved(people: Individuals, changes: Sequence[tuple[int, str, float]]) -> Individuals:
    """Parameters of some patients multiplied by a factor: patient, ``model.parameter``, factor."""
    records = {name: dict(vars(record)) for name, record in people.parameters.items()}
    for person, name, factor in changes:
        owner, _, field = name.partition(".")
        column = np.array(np.broadcast_to(np.asarray(records[owner][field], float), (len(people),)))
        column[person] *= factor
        records[owner][field] = column
    rebuilt = {name: type(people.parameters[name])(**columns) for name, columns in records.items()}
    return dataclasses.replace(people, parameters=rebuilt)


def agree(
    patient: VirtualPatient, outputs: Sequence[str], names: Sequence[str], **run: Any
) -> dict[tuple[str, str], np.ndarray]:
    """Elasticities of one patient on all days, by output and parameter, once they are found to agree with
    central differences.

    To 1e-6 per relative change of a parameter, with a relative step of 1e-5; where an event of the cycle
    crosses a sample within that step, with a third of it. Both sides of all differences are patients of one
    simulation.
    """
    one = typical(patient)
    made = sensitivity(patient, outputs, names, one, relative=True, **run)

    def error(step: float) -> np.ndarray:
        sides = [(2 * j + s, name, 1 + (1 - 2 * s) * step) for j, name in enumerate(names) for s in (0, 1)]
        people = moved(one.take(np.zeros(len(sides), dtype=int)), sides)
        simulation = simulate(patient, people, **run)
        assert simulation.cycles.residual.max() < 1e-12
        seen = np.stack([simulation.outputs[o] for o in outputs], axis=1)
        difference = (seen[..., 0::2] - seen[..., 1::2]) / (2 * step * made.base)
        return np.abs(made.values[..., 0] - difference)

    wide = error(1e-5)
    sampled = wide > 1e-6
    assert sampled.mean() < 0.05
    if sampled.any():
        assert error(3e-6)[sampled].max() < 1e-6
    return {
        (o, p): made.values[:, i, j, 0] for i, o in enumerate(outputs) for j, p in enumerate(made.parameters)
    }


@pytest.mark.usefixtures("exact")
def test_derivatives_go_through_drug_tumour_pressure_and_heart() -> None:
    """Every parameter of the three slow models, through the resistance that is solved for and the compliance
    that follows."""
    patient = sunitinib_gist()
    names = [f"{m.name}.{p}" for m in patient.slow for p in fields(m.Parameters)]
    tumour = "hansson_gist.sum_of_diameters"
    found = agree(patient, (*PRESSURES, tumour), [*names, *HEART], doses=DOSES, days=[28, 84])
    assert (found[f"{LOOP}.systolic_pressure", "hansson_gist.growth_rate"] == 0.0).all()
    assert found[f"{LOOP}.diastolic_pressure", "sunitinib_exposure.clearance"][0] < -0.05
    assert found[tumour, "hansson_gist.growth_rate"][1] > 0.1
    # what is solved for takes its target wherever the heart stands
    np.testing.assert_allclose(found[f"{LOOP}.diastolic_pressure", f"{LOOP}.stressed_volume"], 0, atol=1e-9)


@pytest.mark.usefixtures("exact")
def test_derivatives_go_through_a_plain_coupling() -> None:
    patient = VirtualPatient(
        ["arteriolar_dilator", LOOP],
        [Coupling("arteriolar_dilator.systemic_resistance_ratio", f"{LOOP}.systemic_resistance_ratio")],
    )
    name = "arteriolar_dilator.resistance_reduction"
    doses = dict.fromkeys(dose_ports(patient), 1.0)
    found = agree(patient, PRESSURES, [name, *HEART], doses=doses, days=[7])
    assert abs(found[f"{LOOP}.systolic_pressure", name][0]) > 1e-3


TEST = Reference("test", "made for tests")


@variables
class Parameters:
    rate: Array = parameter(0.3, "/d", "of approach", source=TEST, bounds=(0, 9))
    size: Array = parameter(0.5, "1", "of the effect", source=TEST, bounds=(0, 9))
    rest: Array = parameter(80.0, "mm[Hg]", "without the drug", source=TEST, bounds=(1, 900))


@variables
class State:
    level: Array = variable("1", "of the drug")


@variables
class Inputs:
    dose: Array = variable("1", "given", default=0.0)


@variables
class Outputs:
    pressure: Array = variable("mm[Hg]", "wanted")
    ratio: Array = variable("1", "of whatever it drives")


def drug(name: str, **changes: Any) -> OrganModel:
    """A toy drug without a closed form."""
    given: dict[str, Any] = {
        "name": name,
        "title": "toy drug",
        "version": "1",
        "clock": "d",
        "Parameters": Parameters,
        "State": State,
        "Inputs": Inputs,
        "Outputs": Outputs,
        "initial": lambda p: State(0.0 * p.rate),
        "derivative": lambda t, x, p, u: State(p.rate * (u.dose - x.level)),
        "observe": lambda t, x, p, u: Outputs(
            p.rest * (1 + 0.1 * p.size * x.level), 1 + 0.5 * p.size * x.level
        ),
        "references": (TEST,),
    }
    return OrganModel(**{**given, **changes})


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("follow", [None, f"{LOOP}.arterial_compliance_ratio"])
def test_derivatives_go_through_inputs_that_are_fed_beside_one_that_is_solved_for(follow: str | None) -> None:
    patient = VirtualPatient(
        [drug("first"), drug("second"), LOOP],
        [
            Coupling(
                "first.pressure",
                f"{LOOP}.diastolic_pressure",
                solve=f"{LOOP}.systemic_resistance_ratio",
                follow=follow,
            ),
            Coupling("second.ratio", f"{LOOP}.contractility_ratio"),
        ],
    )
    names = ["first.rate", "first.rest", "second.rate", "second.size", *HEART]
    found = agree(patient, PRESSURES, names, doses={"first.dose": 1.0, "second.dose": 0.2}, days=[3, 9])
    np.testing.assert_allclose(found[f"{LOOP}.diastolic_pressure", "first.rest"], 1.0, atol=1e-9)
    assert (np.abs(found[f"{LOOP}.cardiac_output", "second.size"]) > 1e-3).all()


@pytest.mark.usefixtures("exact")
def test_derivatives_go_through_an_implicit_solver() -> None:
    pytest.importorskip("diffrax")
    patient = VirtualPatient(
        [drug("stiff", stiff=True), LOOP],
        [Coupling("stiff.ratio", f"{LOOP}.systemic_resistance_ratio")],
    )
    names = ["stiff.rate", "stiff.size"]
    found = agree(patient, (*PRESSURES, "stiff.pressure"), names, doses={"stiff.dose": 1.0}, days=[3])
    # level 1 - exp(-rate t): d ln ratio / d ln rate in closed form
    level, slope = 1 - np.exp(-0.9), 0.9 * np.exp(-0.9)
    expected = 0.05 * slope / (1 + 0.05 * level)
    np.testing.assert_allclose(found["stiff.pressure", "stiff.rate"], expected, rtol=1e-6)


def test_derivatives_do_not_depend_on_neighbours() -> None:
    """Bit for bit; patients have doses of their own, and more of them than fit a block."""
    patient = VirtualPatient([drug("drug"), LOOP], [Coupling("drug.ratio", f"{LOOP}.contractility_ratio")])
    n, chosen = 40, np.array([37])
    luck = np.random.default_rng(2)
    names = ["drug.rate", f"{LOOP}.stressed_volume"]
    changes = [(i, name, float(np.exp(0.1 * luck.standard_normal()))) for i in range(n) for name in names]
    people, doses = moved(typical(patient, n), changes), luck.uniform(0, 1, (9, n))
    whole = sensitivity(patient, PRESSURES, names, people, doses={"drug.dose": doses}, days=[9])
    alone = sensitivity(
        patient, PRESSURES, names, people.take(chosen), doses={"drug.dose": doses[:, chosen]}, days=[9]
    )
    np.testing.assert_array_equal(whole.values[..., chosen], alone.values)
    assert np.isfinite(whole.values).all()


def test_a_failed_patient_has_no_derivatives() -> None:
    patient = VirtualPatient([LOOP])
    volume = f"{LOOP}.stressed_volume"
    people = moved(typical(patient, 2), [(1, volume, np.nan)])
    made = sensitivity(patient, [f"{LOOP}.mean_pressure"], [volume], people, days=[0], relative=True)
    assert made.values[0, 0, 0, 0] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan(made.values[0, 0, 0, 1])


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"outputs": [f"{LOOP}.systolic_presure"]}, CompositionError, "did you mean 'systolic_pressure'"),
        (
            {"parameters": [f"{LOOP}.stressed_volum"]},
            CompositionError,
            "has no parameter 'stressed_volum'; did you mean",
        ),
        ({"patient": regulated()}, CompositionError, "derivatives do not go through controllers"),
        ({"outputs": []}, ValueError, "outputs: name at least one"),
        ({"parameters": []}, ValueError, "parameters: name at least one"),
    ],
)
def test_what_cannot_be_derived_is_named(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    call = {
        "patient": VirtualPatient([LOOP]),
        "outputs": [f"{LOOP}.mean_pressure"],
        "parameters": [f"{LOOP}.stressed_volume"],
        **changes,
    }
    with pytest.raises(kind, match=message):
        sensitivity(**call, days=[0])  # type: ignore[arg-type]


def test_derivatives_in_32_bit_are_refused() -> None:
    with jax.enable_x64(False), pytest.raises(PrecisionError):
        sensitivity(VirtualPatient([LOOP]), [f"{LOOP}.mean_pressure"], [f"{LOOP}.stressed_volume"], days=[0])


def test_bars_show_the_largest_first() -> None:
    patient = VirtualPatient([LOOP])
    names = [f"{LOOP}.stressed_volume", f"{LOOP}.heart_rate", f"{LOOP}.systemic_arterial_resistance"]
    made = sensitivity(patient, [f"{LOOP}.mean_pressure"], names, days=[0], relative=True)
    labels = [t.get_text() for t in made.plot().axes[0].get_yticklabels()]
    assert labels[-1] == "stressed volume"
    assert set(labels) == {"stressed volume", "heart rate", "systemic arterial resistance"}
    with pytest.raises(ValueError, match=r"no derivatives of 'mean' were taken, only of .*mean_pressure"):
        made.plot("mean")
    with pytest.raises(ValueError, match="day 3 is not a reporting day"):
        made.to_frame(3)
    assert made.to_frame().loc[names[0], f"{LOOP}.mean_pressure"] == pytest.approx(1.0, abs=1e-5)
