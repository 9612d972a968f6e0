"""Simulation: pressure follows from the beating circulation, not from the drug model's number."""

from __future__ import annotations

import numpy as np
import pytest

from organ_models.model import values
from organ_models.solvers import Failure, periodic_orbits
from vht import CompositionError, Coupling, VirtualPatient, simulate, sunitinib_gist, typical

DOSE = "sunitinib_exposure.daily_dose"
LOOP = "closed_loop_circulation"


@pytest.fixture(scope="module")
def treated():  # type: ignore[no-untyped-def]
    return simulate(sunitinib_gist(), doses={DOSE: 50.0}, days=[0, 28, 168])


def test_the_circulation_reaches_what_the_drug_model_asks_for(treated) -> None:  # type: ignore[no-untyped-def]
    asked = treated.outputs["sunitinib_blood_pressure.diastolic_pressure"]
    shown = treated.outputs[f"{LOOP}.diastolic_pressure"]
    assert np.abs(asked - shown).max() < 0.1
    assert asked[-1, 0] == pytest.approx(asked[0, 0] * (1 + 0.119 * 50 / 34.5), rel=1e-4)


def test_a_perturbed_resistance_moves_the_pressure(treated) -> None:  # type: ignore[no-untyped-def]
    """Nothing is copied through: with the solved resistance changed, the same circulation shows another
    pressure (elasticity of diastolic pressure to resistance 0.93, published table)."""
    circulation = treated.patient.models[LOOP]
    parameters = treated.individuals.parameters[LOOP]
    ports = {p: treated.cycles.inputs[f"{LOOP}.{p}"][-1] for p in values(circulation.Inputs())}
    ports["systemic_resistance_ratio"] = ports["systemic_resistance_ratio"] * 1.05
    moved = periodic_orbits(circulation, parameters, circulation.Inputs(**ports))
    before = treated.outputs[f"{LOOP}.diastolic_pressure"][-1, 0]
    change = np.log(moved.outputs["diastolic_pressure"][0] / before) / np.log(1.05)
    assert change == pytest.approx(0.95, abs=0.1)


def test_a_fixed_multiplier_on_resistance_misses_the_target(treated) -> None:  # type: ignore[no-untyped-def]
    """Oncology reference, section 16: R x (1 + 0.119 AUC) is wrong by 1 to 6 mmHg."""
    circulation = treated.patient.models[LOOP]
    rise = treated.outputs["sunitinib_blood_pressure.diastolic_pressure_ratio"][-1, 0]
    fixed = periodic_orbits(
        circulation, treated.individuals.parameters[LOOP], circulation.Inputs(systemic_resistance_ratio=rise)
    )
    asked = treated.outputs["sunitinib_blood_pressure.diastolic_pressure"][-1, 0]
    assert 0.8 < asked - fixed.outputs["diastolic_pressure"][0] < 3.0


def test_compliance_follows_its_declared_law(treated) -> None:  # type: ignore[no-untyped-def]
    mean = treated.outputs[f"{LOOP}.mean_pressure"][:, 0]
    ratio = treated.cycles.inputs[f"{LOOP}.arterial_compliance_ratio"][:, 0]
    np.testing.assert_allclose(ratio, (mean / mean[0]) ** -1.66, rtol=5e-4)
    assert ratio[-1] < 0.9


def test_a_plain_coupling_feeds_the_circulation() -> None:
    """Resistance x 0.92 lowers the healthy baseline; compared with the circulation on its own."""
    patient = VirtualPatient(
        ["arteriolar_dilator", LOOP],
        [Coupling("arteriolar_dilator.systemic_resistance_ratio", f"{LOOP}.systemic_resistance_ratio")],
    )
    course = simulate(patient, doses={"arteriolar_dilator.treatment": 1.0}, days=[0, 7])
    circulation = patient.models[LOOP]
    alone = periodic_orbits(
        circulation, circulation.Parameters(systemic_arterial_resistance=0.92 * 0.92), circulation.Inputs()
    )
    shown = course.outputs[f"{LOOP}.systolic_pressure"][:, 0]
    assert shown[0] == pytest.approx(117.9953, abs=0.01)
    assert shown[1] == pytest.approx(alone.outputs["systolic_pressure"][0], abs=1e-3)


def test_no_dose_leaves_everything_at_rest() -> None:
    course = simulate(sunitinib_gist(), days=[0, 84])
    for name in ("systolic_pressure", "diastolic_pressure", "stroke_volume"):
        first, last = course.outputs[f"{LOOP}.{name}"][:, 0]
        assert last == pytest.approx(first, rel=1e-5), name


def test_a_poisoned_patient_fails_alone_and_all_others_stay_bit_identical() -> None:
    patient = sunitinib_gist()

    def run(poison: dict[str, dict[str, float]]):  # type: ignore[no-untyped-def]
        people = typical(patient, 5)
        for model, changes in poison.items():
            for name, value in changes.items():
                getattr(people.parameters[model], name)[2] = value
        return simulate(patient, people, doses={DOSE: 37.5}, days=[0, 28])

    clean = run({})
    others = [0, 1, 3, 4]
    for poison, reason in (
        ({"hansson_gist": {"growth_rate": np.nan}}, Failure.INVALID_PARAMETER),
        ({LOOP: {"systemic_arterial_compliance": -1.0}}, Failure.INVALID_PARAMETER),
        ({"sunitinib_blood_pressure": {"exposure_slope": 19.0}}, Failure.TARGET_NOT_REACHED),
    ):
        course = run(poison)
        assert course.failure[2] is reason
        assert [course.failure[i] for i in others] == [None] * 4
        for port, trace in course.outputs.items():
            assert np.isnan(trace[:, 2]).all(), port
            assert np.array_equal(trace[:, others], clean.outputs[port][:, others]), port


def test_a_dose_goes_to_an_open_input_only() -> None:
    with pytest.raises(CompositionError, match="doses cannot be given here; they can at sunitinib_exposure"):
        simulate(sunitinib_gist(), doses={"hansson_gist.daily_exposure": 1.0})
    with pytest.raises(CompositionError, match="did you mean 'daily_dose'"):
        simulate(sunitinib_gist(), doses={"sunitinib_exposure.daily_dos": 1.0})


def test_doses_must_cover_the_simulation() -> None:
    with pytest.raises(ValueError, match="doses for 3 days, but the simulation lasts 14"):
        simulate(sunitinib_gist(), doses={DOSE: [50.0] * 3}, days=14)


def test_days_are_whole() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        simulate(sunitinib_gist(), days=[0.5])


def test_a_waveform_is_the_beat_behind_the_outputs(treated) -> None:  # type: ignore[no-untyped-def]
    beat = treated.waveform(168)
    assert beat["systemic_arterial_pressure"].max() == pytest.approx(
        treated.outputs[f"{LOOP}.systolic_pressure"][-1, 0], abs=0.01
    )
    assert beat["time"][-1] == pytest.approx(60 / 70)
    with pytest.raises(ValueError, match="day 3 is not a reporting day"):
        treated.waveform(3)


def test_the_plot_has_a_loop_a_tumour_and_a_pressure_panel(treated) -> None:  # type: ignore[no-untyped-def]
    figure = treated.plot()
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert labels == [
        "Left-ventricular pressure (mmHg)",
        "Sum of longest diameters (mm)",
        "Diastolic blood pressure (mmHg)",
    ]
    assert "1 virtual patients" in repr(treated)


def test_a_plain_coupling_beside_a_solving_one_is_not_lost() -> None:
    """The dilator's ratio fed to compliance: the circulation beats with it while resistance is solved."""
    patient = VirtualPatient(
        ["sunitinib_exposure", "sunitinib_blood_pressure", "arteriolar_dilator", LOOP],
        [
            Coupling("sunitinib_exposure.daily_exposure", "sunitinib_blood_pressure.daily_exposure"),
            Coupling(
                "sunitinib_blood_pressure.diastolic_pressure",
                f"{LOOP}.diastolic_pressure",
                solve=f"{LOOP}.systemic_resistance_ratio",
            ),
            Coupling("arteriolar_dilator.systemic_resistance_ratio", f"{LOOP}.arterial_compliance_ratio"),
        ],
    )
    course = simulate(patient, doses={DOSE: 50.0, "arteriolar_dilator.treatment": 1.0}, days=[0, 28])
    assert course.cycles.inputs[f"{LOOP}.arterial_compliance_ratio"][:, 0].tolist() == [1.0, 0.92]
    asked = course.outputs["sunitinib_blood_pressure.diastolic_pressure"]
    assert np.abs(course.outputs[f"{LOOP}.diastolic_pressure"] - asked).max() < 0.1


def test_nobody_is_simulated_in_no_time() -> None:
    course = simulate(sunitinib_gist(), typical(sunitinib_gist(), 0), doses={DOSE: 50.0}, days=[0, 7])
    assert course.outputs[f"{LOOP}.diastolic_pressure"].shape == (2, 0)


def test_the_last_day_is_always_a_reporting_day() -> None:
    for days in (10, np.int64(10)):
        assert simulate(sunitinib_gist(), doses={DOSE: 1.0}, days=days).days.tolist() == [0, 7, 10]


@pytest.mark.parametrize("dose", [-50.0, np.nan, [50.0] * 13 + [-1.0]])
def test_a_dose_is_finite_and_not_negative(dose: float) -> None:
    with pytest.raises(ValueError, match="a dose must be a finite number"):
        simulate(sunitinib_gist(), doses={DOSE: dose}, days=14)


def test_inputs_hold_on_all_days_for_all_or_for_each() -> None:
    """A port that nothing feeds acts as the parameter that it multiplies does."""
    patient = VirtualPatient(["closed_loop_circulation"])
    crowd = typical(patient, 3)
    port = "closed_loop_circulation.systemic_resistance_ratio"
    found = simulate(patient, crowd, days=[0, 7], inputs={port: np.array([1.0, 0.9, 0.8])})
    resistance = crowd.parameters["closed_loop_circulation"].systemic_arterial_resistance
    changed = crowd.changed(
        "closed_loop_circulation", systemic_arterial_resistance=resistance * np.array([1, 0.9, 0.8])
    )
    same = simulate(patient, changed, days=[0, 7])
    for name, trace in same.outputs.items():
        np.testing.assert_allclose(found.outputs[name], trace, rtol=1e-6, err_msg=name)
    assert found.error.patients == 3
    with pytest.raises(ValueError, match="transient=True"):
        simulate(patient, crowd, days=[0], inputs={port: ([0.0, 1.0], [1.0, 0.9])})
    upright = VirtualPatient(["cardiovascular"])
    with pytest.raises(ValueError, match="uprightness: values must lie between 0 and 1"):
        simulate(upright, days=[0], inputs={"cardiovascular.uprightness": 90.0})
    with pytest.raises(CompositionError, match="no input"):
        simulate(patient, crowd, days=[0], inputs={"closed_loop_circulation.resistance": 1.0})


def test_the_error_is_only_estimated_where_it_is_wanted() -> None:
    patient = VirtualPatient(["closed_loop_circulation"])
    assert simulate(patient, days=[0], estimate_error=False).error.patients == 0
    assert simulate(patient, days=[0]).error.patients == 1


def test_loops_of_several_patients_are_drawn_by_name() -> None:
    patient = VirtualPatient(["closed_loop_circulation"])
    crowd = typical(patient, 2).changed("closed_loop_circulation", heart_rate=[60.0, 90.0])
    found = simulate(patient, crowd, days=[0], estimate_error=False)
    figure = found.plot_pressure_volume([0, 1], labels=["slow", "fast"])
    legend = figure.axes[0].get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["slow", "fast"]
    widths = [np.ptp(line.get_xdata()) for line in figure.axes[0].get_lines()]
    assert widths == pytest.approx(list(found.outputs["closed_loop_circulation.stroke_volume"][0]), rel=1e-3)
    with pytest.raises(ValueError, match="1 labels for 2 patients"):
        found.plot_pressure_volume([0, 1], labels=["slow"])
