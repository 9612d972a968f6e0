"""Composition: ports, units, order, and errors that name both ends."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from organ_models import model
from organ_models.catalogue import catalogue
from organ_models.feedthrough import feedthrough
from organ_models.model import NoFields, OrganModel, Reference, fields, variable, variables
from organ_models.units import UnitError, conversion
from vht import CompositionError, Coupling, VirtualPatient, sunitinib_gist
from vht.course import dose_ports, slow_course
from vht.population import typical

EXPOSURE = Coupling("sunitinib_exposure.daily_exposure", "hansson_gist.daily_exposure")


@variables
class Flow:
    flow: float = variable("mL/s", "a flow", default=0.0)


def echo(name: str) -> OrganModel:
    """A stateless model whose output is its input."""
    return OrganModel(
        name=name,
        title=name,
        version="1",
        clock="d",
        Parameters=NoFields,
        State=NoFields,
        Inputs=Flow,
        Outputs=Flow,
        initial=lambda p: NoFields(),
        derivative=lambda t, x, p, u: NoFields(),
        observe=lambda t, x, p, u: u,
        references=(Reference("test", "test"),),
    )


def test_models_are_ordered_so_that_sources_come_first() -> None:
    patient = VirtualPatient(["hansson_gist", "sunitinib_exposure"], [EXPOSURE])
    assert patient.order == ["sunitinib_exposure", "hansson_gist"]


def test_the_gist_patient_says_what_it_is_made_of() -> None:
    patient = sunitinib_gist()
    assert dose_ports(patient) == ["sunitinib_exposure.daily_dose"]
    assert patient.output_of("diastolic_blood_pressure") == "closed_loop_circulation.diastolic_pressure"
    assert patient.output_of("sum_of_longest_diameters") == "hansson_gist.sum_of_diameters"
    assert patient.output_of("platelets") is None
    assert {r.key for r in patient.references()} >= {"hansson_2013", "regazzoni_2022"}
    assert "19 states" in repr(patient)


def test_units_that_cannot_be_converted_name_both_ends() -> None:
    wrong = Coupling("hansson_gist.sum_of_diameters", "sunitinib_exposure.daily_dose")
    with pytest.raises(CompositionError) as caught:
        VirtualPatient(["hansson_gist", "sunitinib_exposure"], [wrong])
    message = str(caught.value)
    assert "hansson_gist.sum_of_diameters -> sunitinib_exposure.daily_dose" in message
    assert "'mm' cannot be converted to 'mg/d'" in message
    assert caught.value.index == 0


def test_units_are_converted_where_ports_are_coupled() -> None:
    @variables
    class Litres:
        flow: float = variable("L/min", "a flow", default=0.0)

    tap = dataclasses.replace(echo("tap"), Outputs=Litres, observe=lambda t, x, p, u: Litres(flow=u.flow))
    patient = VirtualPatient([tap, echo("sink")], [Coupling("tap.flow", "sink.flow")])
    assert patient.wires[0].convert(6.0) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("coupling", "message"),
    [
        (
            Coupling("sunitinib_exposure.daily_exposur", "hansson_gist.daily_exposure"),
            "did you mean 'daily_exposure'",
        ),
        (Coupling("sunitinib_exposure.daily_exposure", "hansson_gist.exposure"), "has no input 'exposure'"),
        (Coupling("sunitinib.daily_exposure", "hansson_gist.daily_exposure"), "no model 'sunitinib' here"),
        (Coupling("daily_exposure", "hansson_gist.daily_exposure"), "is not a port; write it as model.port"),
    ],
)
def test_a_missing_port_suggests_the_nearest(coupling: Coupling, message: str) -> None:
    with pytest.raises(CompositionError, match=message):
        VirtualPatient(["sunitinib_exposure", "hansson_gist"], [coupling])


def test_an_input_has_one_source() -> None:
    with pytest.raises(CompositionError, match=r"c\.flow has two sources; the second is b\.flow"):
        VirtualPatient(
            [echo("a"), echo("b"), echo("c")], [Coupling("a.flow", "c.flow"), Coupling("b.flow", "c.flow")]
        )


def test_an_algebraic_loop_names_its_ports() -> None:
    with pytest.raises(CompositionError, match=r"algebraic loop: a\.flow -> b\.flow -> a\.flow"):
        VirtualPatient([echo("a"), echo("b")], [Coupling("a.flow", "b.flow"), Coupling("b.flow", "a.flow")])


@variables
class Level:
    level: float = variable("mL", "a level")


@variables
class Two:
    level: float = variable("mL", "a level")
    inflow: float = variable("mL/s", "what flows in")


def tank(name: str) -> OrganModel:
    """A level that rises with the inflow; it shows the level, and the inflow at once."""
    return dataclasses.replace(
        echo(name),
        State=Level,
        Outputs=Two,
        initial=lambda p: Level(level=1.0),
        derivative=lambda t, x, p, u: Level(level=u.flow),
        observe=lambda t, x, p, u: Two(level=x.level, inflow=2.0 * u.flow),
    )


def test_an_output_that_shows_an_input_at_once_is_known() -> None:
    assert feedthrough(tank("a")) == {"level": frozenset(), "inflow": frozenset({"flow"})}


def test_models_may_drive_each_other_through_their_states() -> None:
    """x' = y, y' = x: a circle, but not an algebraic one."""

    @variables
    class Rate:
        flow: float = variable("mL/s", "a flow")

    tap = dataclasses.replace(tank("tap"), Outputs=Rate, observe=lambda t, x, p, u: Rate(flow=0.1 * x.level))
    other = dataclasses.replace(tap, name="other")
    patient = VirtualPatient(
        [tap, other], [Coupling("tap.flow", "other.flow"), Coupling("other.flow", "tap.flow")]
    )
    course = slow_course(patient, typical(patient), {}, 10)
    # x = y by symmetry: x' = 0.1 x
    np.testing.assert_allclose(course["tap.flow"][:, 0], 0.1 * np.exp(0.1 * np.arange(11)), rtol=1e-8)


def test_a_circle_through_what_is_shown_at_once_is_refused() -> None:
    loop = [Coupling("a.inflow", "b.flow"), Coupling("b.inflow", "a.flow")]
    with pytest.raises(CompositionError, match="a state must stand somewhere in between"):
        VirtualPatient([tank("a"), tank("b")], loop)


def test_only_outputs_of_a_beating_model_can_be_solved_for() -> None:
    with pytest.raises(CompositionError, match="only outputs of a cyclic model"):
        VirtualPatient([echo("a"), echo("b")], [Coupling("a.flow", "b.flow", solve="b.flow")])


def test_an_input_without_a_law_cannot_follow() -> None:
    wrong = Coupling(
        "sunitinib_blood_pressure.diastolic_pressure",
        "closed_loop_circulation.diastolic_pressure",
        solve="closed_loop_circulation.arterial_compliance_ratio",
        follow="closed_loop_circulation.systemic_resistance_ratio",
    )
    with pytest.raises(CompositionError, match="declares no law"):
        VirtualPatient(["sunitinib_blood_pressure", "closed_loop_circulation"], [wrong])


def test_a_model_cannot_be_named_twice() -> None:
    with pytest.raises(CompositionError, match="named twice"):
        VirtualPatient([model("hansson_gist"), "hansson_gist"])


LOOP = "closed_loop_circulation"
PRESSURE = Coupling(
    "sunitinib_blood_pressure.diastolic_pressure",
    f"{LOOP}.diastolic_pressure",
    solve=f"{LOOP}.systemic_resistance_ratio",
)
DILATOR = Coupling("arteriolar_dilator.systemic_resistance_ratio", f"{LOOP}.systemic_resistance_ratio")


@pytest.mark.parametrize("couplings", [[PRESSURE, DILATOR], [DILATOR, PRESSURE]])
def test_a_port_is_fed_or_solved_for_but_not_both(couplings: list[Coupling]) -> None:
    with pytest.raises(
        CompositionError, match=r"systemic_resistance_ratio is (solved for|fed by a coupling)"
    ):
        VirtualPatient(["sunitinib_blood_pressure", "arteriolar_dilator", LOOP], couplings)


def test_a_beating_model_drives_no_other() -> None:
    second = dataclasses.replace(model(LOOP), name="second")
    wrong = Coupling(f"{LOOP}.ejection_fraction", "second.heart_rate_ratio")
    with pytest.raises(CompositionError, match="a cyclic model cannot drive another yet"):
        VirtualPatient([LOOP, second], [wrong])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("pembrolizumab.cumulative_exposure", "chatterjee_lung_cancer.exposure"),
        ("sunitinib.cumulative_exposure", "hansson_gist.daily_exposure"),
        ("sunitinib.cumulative_exposure", "sunitinib_blood_pressure.daily_exposure"),
        ("paclitaxel_linear.molar_concentration", "docetaxel_neutropenia_kloft.concentration"),
        ("trastuzumab_ejection_fraction.effect", "chatterjee_lung_cancer.exposure"),
        ("hansson_gist.vegf", "docetaxel_neutropenia_ozawa.concentration"),
    ],
)
def test_an_output_of_the_right_unit_and_another_meaning_is_refused(source: str, target: str) -> None:
    """Areas so far, over one day and over six weeks have one unit; so have concentrations of two drugs."""
    models = [port.partition(".")[0] for port in (source, target)]
    apart = VirtualPatient(models)
    # the units alone would let it pass
    conversion(apart.port(source, "Outputs").unit, apart.port(target, "Inputs").unit)
    with pytest.raises(
        CompositionError, match=r"the input is '.* in (plasma|serum).*', the output .*; couple"
    ):
        VirtualPatient(models, [Coupling(source, target)])


def test_every_area_under_a_curve_of_the_catalogue_declares_its_meaning() -> None:
    for name, declared in catalogue().items():
        for kind in (declared.Inputs, declared.Outputs):
            for port, field in fields(kind).items():
                try:
                    conversion(field.unit, "mg.h/L" if "mol" not in field.unit else "umol.h/L")
                except UnitError:
                    continue
                assert field.meaning, f"{name}.{port}"
