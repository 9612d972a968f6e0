"""Healthy adults by age, sex and size."""

from __future__ import annotations

import numpy as np
import pytest

import vht
from organ_models.cardiovascular.ageing import resting_men
from organ_models.model import values

PATIENT = vht.VirtualPatient(["cardiovascular"])
AGES = np.array([25.0, 35.0, 45.0, 55.0, 65.0, 75.0])


def seen(people: vht.Individuals) -> dict[str, np.ndarray]:
    found = vht.simulate(PATIENT, people, days=[0])
    assert not found.failed.any() if hasattr(found, "failed") else True
    return {k.partition(".")[2]: v[0] for k, v in found.outputs.items()}


def test_regressions_give_the_values_that_their_collection_prints() -> None:
    """Evaluated in the pulse wave database's own collection, rounded as printed."""
    men = resting_men(AGES)
    np.testing.assert_allclose(men.heart_rate, [72.9, 76.8, 77.7, 77.3, 76.5, 74.4], atol=0.051)
    np.testing.assert_allclose(men.stroke_volume, [66.3, 63.8, 61.3, 58.8, 56.2, 53.7], atol=0.051)
    np.testing.assert_allclose(men.stroke_volume_sd, [16.0, 15.2, 14.4, 13.6, 12.8, 12.0], atol=0.051)
    np.testing.assert_allclose(men.mean_pressure, [88.9, 91.8, 95.0, 95.0, 94.1, 93.0], atol=0.16)
    np.testing.assert_allclose(men.diastolic_pressure, [74.9, 76.9, 79.0, 79.0, 78.1, 76.1], atol=0.11)


def test_men_show_rate_stroke_volume_and_mean_pressure_of_their_age() -> None:
    men, out = resting_men(AGES), seen(vht.adults(PATIENT, AGES))
    np.testing.assert_allclose(out["heart_rate"], men.heart_rate, rtol=1e-9)
    np.testing.assert_allclose(out["stroke_volume"], men.stroke_volume, rtol=1e-4)
    np.testing.assert_allclose(out["mean_arterial_pressure"], men.mean_pressure, rtol=1e-4)


def test_women_have_the_pressures_of_men_and_volumes_in_proportion_to_their_surface() -> None:
    out = seen(vht.adults(PATIENT, [50, 50], ["male", "female"]))
    for name in (
        "systolic_blood_pressure",
        "diastolic_blood_pressure",
        "ejection_fraction",
        "left_atrial_pressure",
    ):
        assert out[name][1] == pytest.approx(out[name][0], rel=1e-5), name
    for name in ("stroke_volume", "lv_end_diastolic_volume", "cardiac_output", "peak_aortic_valve_flow"):
        assert out[name][1] == pytest.approx(out[name][0] * 1.71 / 1.91, rel=1e-5), name


def test_people_differ_as_published_and_nobody_depends_on_company() -> None:
    many = vht.adults(PATIENT, np.full(300, 50.0), seed=3)
    out, men = seen(many), resting_men(50.0)
    assert np.std(out["heart_rate"]) == pytest.approx(11.0, rel=0.12)
    assert np.std(out["stroke_volume"]) == pytest.approx(float(men.stroke_volume_sd), rel=0.12)
    assert np.std(out["mean_arterial_pressure"]) == pytest.approx(7.0, rel=0.12)
    few = vht.adults(PATIENT, np.full(7, 50.0), seed=3)
    for name, column in values(few.parameters["cardiovascular"]).items():
        np.testing.assert_array_equal(
            column, values(many.parameters["cardiovascular"])[name][:7], err_msg=name
        )


def test_maximal_heart_rate_falls_with_age() -> None:
    people = vht.adults(PATIENT, [30, 70])
    np.testing.assert_array_equal(people.parameters["cardiovascular"].maximal_heart_rate, [190.0, 150.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ages": [20]}, "25 to 80"),
        ({"ages": [50], "sexes": "other"}, "female or male"),
        ({"ages": [50], "body_surface_area": 0.1}, "body_surface_area"),
        ({"ages": [float("nan")]}, "25 to 80"),
    ],
)
def test_who_cannot_be_made_is_told(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        vht.adults(PATIENT, **arguments)


def test_a_composition_without_such_a_circulation_is_refused() -> None:
    with pytest.raises(vht.CompositionError, match="closed-loop"):
        vht.adults(vht.VirtualPatient(["smith_2004"]), [50])
