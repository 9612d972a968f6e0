"""What drugs ask of the heart and what the circulation shows, for drawn people that nothing was fitted to.

Drug models' effects are drawn from their published distributions given each person's own pressure and
ejection fraction; hearts, volumes and heart rates differ by the spreads of ``vht.hypertensives``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vht
from organ_models.model import values
from vht.compositions import cardio_oncology, sunitinib_heart, trastuzumab_heart

HEART, PRESSURE, FRACTION = "cardiovascular", "sunitinib_blood_pressure", "trastuzumab_ejection_fraction"
LEVELS = ((112.0, 70.0), (124.0, 78.0), (136.0, 84.0), (150.0, 92.0), (165.0, 102.0))
"""Systolic and diastolic pressures at rest, normal to hypertension of grade 2, mm[Hg]."""
EACH = 4
DOSES = np.array([12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5])
"""mg a day."""


def drawn(patient: vht.VirtualPatient, seed: int = 11) -> vht.Individuals:
    """People at each level, with drug effects drawn given who they are."""
    groups = [vht.hypertensives(patient, s, d, EACH, seed=seed + k) for k, (s, d) in enumerate(LEVELS)]
    parameters: dict[str, Any] = {}
    for name, model in patient.models.items():
        columns = [values(g.parameters[name]) for g in groups]
        parameters[name] = model.Parameters(
            **{k: np.concatenate([np.broadcast_to(c[k], (EACH,)) for c in columns]) for k in columns[0]}
        )
    people = vht.Individuals(np.arange(len(LEVELS) * EACH), parameters)
    return vht.agree(patient, people, seed=seed)


def sunitinib(n: int, days: int) -> dict[str, np.ndarray]:
    return {"sunitinib_exposure.daily_dose": np.tile(np.resize(DOSES, n), (days, 1))}


def adjuvant(n: int, days: int) -> dict[str, np.ndarray]:
    """110 mg doxorubicin four times, then trastuzumab 8 and 6 mg/kg every three weeks at 70 kg."""
    doxorubicin, trastuzumab = np.zeros((days, n)), np.zeros((days, n))
    doxorubicin[[d for d in (0, 21, 42, 63) if d < days]] = 110.0
    trastuzumab[84::21] = 420.0
    trastuzumab[84:85] = 560.0
    return {"anthracycline_troponin_t.dose": doxorubicin, "trastuzumab.dose": trastuzumab}


def pressures(found: vht.Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Changes of diastolic pressure from each person's own baseline: in the circulation, and as asked."""
    seen = found.outputs[f"{HEART}.diastolic_blood_pressure"]
    asked = found.outputs[f"{PRESSURE}.diastolic_pressure"]
    own = found.individuals.parameters[PRESSURE].baseline_diastolic_pressure
    return seen - seen[0], asked - own


@pytest.fixture(scope="module")
def hypertensive_drug() -> vht.Simulation:
    patient = sunitinib_heart()
    people = drawn(patient)
    return vht.simulate(
        patient, people, doses=sunitinib(len(people), 85), days=[0, 14, 42, 84], estimate_error=False
    )


@pytest.fixture(scope="module")
def weakening_drug() -> vht.Simulation:
    patient = trastuzumab_heart()
    people = drawn(patient)
    return vht.simulate(
        patient, people, doses=adjuvant(len(people), 337), days=[0, 84, 168, 336], estimate_error=False
    )


def test_the_circulation_shows_the_pressure_that_sunitinib_asks_for(
    hypertensive_drug: vht.Simulation,
) -> None:
    """1 mm[Hg] from everybody's own baseline is the requirement; what is left is the solve's tolerance."""
    seen, asked = pressures(hypertensive_drug)
    assert all(f is None for f in hypertensive_drug.failure)
    assert asked[-1].max() > 15  # rises worth the name
    assert np.ptp(asked[-1]) > 10
    assert np.abs(seen - asked).max() < 0.05


def test_people_start_from_their_own_pressure(hypertensive_drug: vht.Simulation) -> None:
    before = hypertensive_drug.outputs[f"{HEART}.diastolic_blood_pressure"][0]
    assert before == pytest.approx(np.repeat([d for _, d in LEVELS], EACH), rel=2e-4)
    own = hypertensive_drug.individuals.parameters[PRESSURE].baseline_diastolic_pressure
    assert own == pytest.approx(before, rel=2e-4)


def test_a_fixed_multiplier_on_resistance_would_miss(hypertensive_drug: vht.Simulation) -> None:
    """R (1 + SLP AUC) raises diastolic pressure too little: flow falls, and venous pressure moves."""
    asked = pressures(hypertensive_drug)[1][-1]
    ratio = hypertensive_drug.outputs[f"{PRESSURE}.diastolic_pressure_ratio"][-1]
    people = hypertensive_drug.individuals
    alone = vht.VirtualPatient([HEART])
    fixed = vht.simulate(
        alone,
        vht.Individuals(people.study_numbers, {HEART: people.parameters[HEART]}),
        inputs={f"{HEART}.local_resistance_ratio": ratio},
        days=[0],
        estimate_error=False,
    )
    before = hypertensive_drug.outputs[f"{HEART}.diastolic_blood_pressure"][0]
    missed = fixed.outputs[f"{HEART}.diastolic_blood_pressure"][0] - before - asked
    assert np.all(missed < 0)
    assert missed.min() < -2.0


def test_the_circulation_loses_the_ejection_fraction_that_trastuzumab_asks_for(
    weakening_drug: vht.Simulation,
) -> None:
    """1 point is the requirement; as a share of everybody's own and as the drug model's own readout."""
    seen = weakening_drug.outputs[f"{HEART}.ejection_fraction"]
    ratio = weakening_drug.outputs[f"{FRACTION}.ejection_fraction_ratio"]
    assert all(f is None for f in weakening_drug.failure)
    assert (seen[0] - seen).max() > 5
    assert np.abs(seen - seen[0] * ratio).max() < 0.05
    asked = 100 * weakening_drug.outputs[f"{FRACTION}.ejection_fraction"]
    assert np.abs((seen - seen[0]) - (asked - asked[0])).max() < 0.05


def test_it_is_the_left_ventricle_that_weakens(weakening_drug: vht.Simulation) -> None:
    """A smaller elastance empties it less: it grows, stroke volume falls, and filling pressure rises."""
    weaker = weakening_drug.cycles.inputs[f"{HEART}.left_ventricular_elastance_ratio"]
    assert weaker[0] == pytest.approx(1.0, abs=1e-3)
    assert np.all(weaker[-1] < 1.0)
    assert np.all(weakening_drug.cycles.inputs[f"{HEART}.contractility_ratio"] == 1.0)
    worst = int(weaker[-1].argmin())

    def rise(output: str) -> float:
        column = weakening_drug.outputs[f"{HEART}.{output}"][:, worst]
        return float(column[-1] - column[0])

    assert rise("lv_end_systolic_volume") > 10
    assert rise("stroke_volume") < 0
    assert rise("left_atrial_pressure") > 0


def test_one_circulation_shows_both() -> None:
    patient = cardio_oncology()
    people = drawn(patient)
    doses = sunitinib(len(people), 169) | adjuvant(len(people), 169)
    both = vht.simulate(patient, people, doses=doses, days=[0, 84, 168], estimate_error=False)
    assert all(f is None for f in both.failure)
    seen, asked = pressures(both)
    assert np.abs(seen - asked).max() < 0.05
    fraction = both.outputs[f"{HEART}.ejection_fraction"]
    assert np.abs(fraction - fraction[0] * both.outputs[f"{FRACTION}.ejection_fraction_ratio"]).max() < 0.05


def test_nobody_depends_on_a_neighbour() -> None:
    """Two targets at once: the same bits alone and in a crowd."""
    patient = cardio_oncology()
    people = drawn(patient)
    doses = sunitinib(len(people), 99) | adjuvant(len(people), 99)
    crowd = vht.simulate(patient, people, doses=doses, days=[0, 98], estimate_error=False)
    few = np.array([7, 3])
    alone = vht.simulate(
        patient,
        people.take(few),
        doses={port: given[:, few] for port, given in doses.items()},
        days=[0, 98],
        estimate_error=False,
    )
    for port, trace in alone.outputs.items():
        assert np.array_equal(trace, crowd.outputs[port][:, few]), port


def with_and_without_reflex(drug: str) -> dict[bool, vht.Simulation]:
    found = {}
    for reflex in (False, True):
        patient = (sunitinib_heart if drug == "sunitinib" else trastuzumab_heart)(reflex=reflex)
        people = vht.agree(patient, vht.hypertensives(patient, 136, 84, 2, seed=3))
        doses = sunitinib(2, 8)
        if drug == "trastuzumab":  # a heart so sensitive that a week weakens it
            people = people.changed(FRACTION, half_maximal_effect=1e3)
            doses = {"trastuzumab.dose": np.full((8, 2), 420.0)}
        found[reflex] = vht.simulate(patient, people, doses=doses, days=[0, 7], estimate_error=False)
    return found


def test_a_reflex_resists_and_the_pressure_is_met_all_the_same() -> None:
    """The adapted baroreflex slows the heart against the pressure, so that vessels have to narrow further."""
    found = with_and_without_reflex("sunitinib")
    for run in found.values():
        seen, asked = pressures(run)
        assert np.abs(seen - asked).max() < 0.05
    port = f"{HEART}.local_resistance_ratio"
    alone, resisted = (np.log(found[r].cycles.inputs[port][-1]) for r in (False, True))
    assert np.all(resisted > 1.2 * alone)
    assert np.all(np.diff(found[True].outputs[f"{HEART}.heart_rate"], axis=0) < 0)


def test_a_reflex_drives_a_weak_heart_and_its_ejection_fraction_is_met_all_the_same() -> None:
    """Pressure falls with the stroke; the reflex answers with a faster heart."""
    found = with_and_without_reflex("trastuzumab")
    for run in found.values():
        fraction = run.outputs[f"{HEART}.ejection_fraction"]
        assert np.all(fraction[0] - fraction[-1] > 10)
        ratio = run.outputs[f"{FRACTION}.ejection_fraction_ratio"]
        assert np.abs(fraction - fraction[0] * ratio).max() < 0.05
    assert np.all(np.diff(found[True].outputs[f"{HEART}.heart_rate"], axis=0) > 0.5)


def test_effects_are_drawn_given_the_own_pressure() -> None:
    """The slope falls with the pressure off drug (correlation -0.65, Hansson 2013), over a cohort too."""
    patient = vht.sunitinib_gist()
    n = 400
    crowd = vht.typical(patient, n)
    loop = patient.models["closed_loop_circulation"]
    resistance = loop.Parameters().systemic_arterial_resistance * np.exp(np.linspace(-0.3, 0.3, n))
    crowd = crowd.changed("closed_loop_circulation", systemic_arterial_resistance=resistance)
    people = vht.agree(patient, crowd, seed=4)
    own = people.parameters[PRESSURE]
    assert np.corrcoef(np.log(own.baseline_diastolic_pressure), np.log(own.exposure_slope))[0, 1] < -0.5
    typical = vht.agree(patient, crowd)
    assert np.all(typical.parameters[PRESSURE].exposure_slope == 0.119)
    assert typical.parameters[PRESSURE].baseline_diastolic_pressure == pytest.approx(
        own.baseline_diastolic_pressure
    )


def test_organs_agree_with_one_circulation_only() -> None:
    patient = vht.VirtualPatient(["hansson_gist"])
    with pytest.raises(vht.CompositionError, match="needs exactly one"):
        vht.agree(patient, vht.typical(patient))
