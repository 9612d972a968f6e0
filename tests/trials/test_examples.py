"""The example protocols read, and say what the published sources that they name say."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from organ_models.catalogue import catalogue
from organ_models.pharmacology.ctcae import NEUTROPHIL_LIMITS
from trials.protocol import Dose, EverBelow, Protocol, RegimenDose, load_protocol

EXAMPLES = Path(__file__).resolve().parents[2] / "trials" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def example(name: str) -> Protocol:
    return load_protocol(EXAMPLES / f"{name}.yaml")


def test_all_examples_are_there() -> None:
    assert NAMES == ["arteriolar_dilator", "capecitabine_docetaxel", "docetaxel_breast", "sunitinib_gist"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_named_as_its_file(name: str) -> None:
    assert example(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_model_and_port_of_an_example_exists(name: str) -> None:
    protocol = example(name)
    models = catalogue()
    assert set(protocol.virtual_patient.models) <= set(models)

    def ports(kind: str) -> set[str]:
        return {
            f"{name}.{field.name}"
            for name in protocol.virtual_patient.models
            for field in dataclasses.fields(getattr(models[name], kind))
        }

    inputs, outputs, events = ports("Inputs"), ports("Outputs"), ports("Events")
    for link in protocol.virtual_patient.couplings:
        assert link.source in outputs
        assert link.target in (inputs if link.solve is None else outputs)
        assert {link.solve, link.follow} - {None} <= inputs
    for arm in protocol.arms:
        assert set(arm.doses) <= inputs | events


@pytest.mark.parametrize("name", NAMES)
def test_every_quantity_that_is_measured_has_an_error_with_a_source(name: str) -> None:
    protocol = example(name)
    assert set(protocol.measurement_error) == set(protocol.visits)


def test_the_intermittent_schedule_gives_50_mg_on_28_of_42_days() -> None:
    dose = example("sunitinib_gist").arm("intermittent").doses["sunitinib_exposure.daily_dose"]
    assert isinstance(dose, Dose)
    daily = dose.daily(np.arange(168))
    assert daily.sum() == 4 * 28 * 50  # four cycles
    assert daily[27] == 50
    assert daily[28] == 0


def test_the_continuous_schedule_gives_37_5_mg_every_day() -> None:
    dose = example("sunitinib_gist").arm("continuous").doses["sunitinib_exposure.daily_dose"]
    assert isinstance(dose, Dose)
    assert set(dose.daily(np.arange(168))) == {37.5}


def test_blood_pressure_is_measured_on_day_28_of_every_cycle() -> None:
    protocol = example("sunitinib_gist")
    assert {28, 70, 112, 154} <= set(protocol.visit_days("diastolic_blood_pressure"))
    assert protocol.visit_days("sum_of_longest_diameters") == (0, 42, 84, 126, 168)


def test_dropout_is_7_percent_over_a_mean_of_three_six_week_cycles() -> None:
    # Sutent prescribing information, section 6.1, GIST Study A
    dropout = example("sunitinib_gist").dropout
    assert dropout is not None
    assert dropout.hazard.to("/wk") == pytest.approx(0.07 / (3.0 * 6), abs=5e-5)


@pytest.mark.parametrize("name", ["arteriolar_dilator", "sunitinib_gist"])
@pytest.mark.parametrize(("quantity", "difference"), [("systolic", 10.4), ("diastolic", 7.0)])
def test_pressure_error_is_the_published_difference_of_two_visits_over_root_two(
    name: str, quantity: str, difference: float
) -> None:
    # "Variation in cuff blood pressure in untreated outpatients with mild hypertension", abstract
    error = example(name).measurement_error[f"{quantity}_blood_pressure"]
    sd = error.standard_deviation([120.0], f"{quantity}_blood_pressure")
    assert sd == pytest.approx([difference / math.sqrt(2)], abs=0.005)


def test_tumour_size_error_is_the_residual_of_hansson_2013() -> None:
    error = example("sunitinib_gist").measurement_error["sum_of_longest_diameters"]
    assert error.standard_deviation([200.0], "sum_of_longest_diameters") == pytest.approx([25.0])


def test_tumour_size_error_in_breast_cancer_is_the_residual_of_bruno_2012() -> None:
    # additive variance of 112 mm2 in NO16853, the trial assessed by RECIST
    error = example("docetaxel_breast").measurement_error["sum_of_longest_diameters"]
    sd = error.standard_deviation([20.0, 200.0], "sum_of_longest_diameters")
    assert sd == pytest.approx([112**0.5] * 2, abs=0.005)


def test_docetaxel_goes_into_kinetics_and_tumour_alike_and_steps_down_to_60() -> None:
    for name, first, levels in (("docetaxel_75", 75, [75, 60]), ("docetaxel_100", 100, [100, 75, 60])):
        arm = example("docetaxel_breast").arm(name)
        infused, counted = arm.doses.values()
        assert infused == counted
        assert isinstance(infused, RegimenDose)
        assert infused.amount.to("mg/m2") == first
        shares = [level.to("1") for level in arm.policies[0].levels]  # type: ignore[union-attr]
        assert [first * share for share in shares] == pytest.approx(levels)


def test_neutropenia_is_graded_by_the_limits_of_the_toxicity_criteria() -> None:
    """CTCAE 5.0: grade 3 below 1000 and grade 4 below 500 cells per microlitre."""
    graded = [e for e in example("docetaxel_breast").endpoints if isinstance(e, EverBelow)]
    limits = [e.thresholds["neutrophils"].to("10*9/L") for e in graded]
    assert limits == pytest.approx([NEUTROPHIL_LIMITS[2], NEUTROPHIL_LIMITS[1]])


def test_the_regimens_are_those_of_so14999_for_1_7_square_metres() -> None:
    """O'Shaughnessy 2002: docetaxel 75 mg/m2 on day 1 and capecitabine 1250 mg/m2 twice daily, days 1 to 14,
    or docetaxel 100 mg/m2, in cycles of 21 days; 24 weeks begin 8 cycles."""
    protocol = example("capecitabine_docetaxel")
    days = np.arange(168)
    both, alone = (protocol.arm(name).doses for name in ("combination", "docetaxel"))
    assert both["bruno_breast_cancer.docetaxel_dose"].daily(days).sum() == pytest.approx(8 * 75 * 1.7)
    assert both["bruno_breast_cancer.capecitabine_dose"].daily(days).sum() == pytest.approx(
        8 * 14 * 2 * 1250 * 1.7
    )
    assert alone["bruno_breast_cancer.docetaxel_dose"].daily(days).sum() == pytest.approx(8 * 100 * 1.7)


def test_breast_tumour_error_is_the_residual_of_bruno_2012_in_so14999() -> None:
    error = example("capecitabine_docetaxel").measurement_error["sum_of_longest_diameters"]
    assert error.standard_deviation([80.0], "sum_of_longest_diameters") == pytest.approx(
        [332**0.5], abs=0.005
    )


def test_the_dilator_is_called_hypothetical_wherever_people_read_of_it() -> None:
    protocol = example("arteriolar_dilator")
    for text in (protocol.title, protocol.question_of_interest, protocol.context_of_use):
        assert "hypothetical" in text.lower()
    assert "hypothetical" in protocol.arm("dilator").label.lower()
