"""Ready-made patients: every drug and tumour by name, with the regimens that the models were checked with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import vht
from organ_models import catalogue, model
from organ_models.scenarios import Scenario
from vht.ready_made import READY_MADE, ready_made

REFLEX = "sunitinib_reflex"
CASES = [(p.name, r.name) for p in READY_MADE.values() for r in p.regimens if p.name != REFLEX]


def test_a_name_means_one_thing() -> None:
    assert not set(READY_MADE) & set(catalogue())


def test_every_tumour_under_a_drug_can_be_run_by_name() -> None:
    """All models of tumours but growth laws and the hypothesis are in some composition."""
    composed = {name for p in READY_MADE.values() for name in p.build().models}
    tumours = {
        name
        for name, m in catalogue().items()
        if m.Parameters.__module__.startswith("organ_models.oncology") and not m.hypothesis
    }
    laws = {n for n in tumours if "kill_rate" in vars(model(n).Inputs()) or n.endswith("_growth")}
    assert tumours - laws - composed == {"stein_antigen"}  # fitted over mixed treatments: no drug of its own


@pytest.mark.parametrize(("name", "regimen"), CASES)
def test_a_regimen_does_something(name: str, regimen: str) -> None:
    """Against the same patient untreated, some output differs, and every number is finite."""
    treated = vht.run_patient(name, scenario=regimen)
    untreated = vht.run_patient(name)
    assert treated.converged
    assert all(np.isfinite(values).all() for _, values, _, _ in treated.rows)
    assert any(
        not np.array_equal(trace, untreated.simulation.outputs[port])
        for port, trace in treated.simulation.outputs.items()
    )


def test_sizes_under_capecitabine_and_docetaxel_are_those_of_the_model_alone() -> None:
    """Bruno 2012 at 1.7 m2: 51.211 mm in week 6, 34.148 in week 24 (oncology reference, section 12.2)."""
    run = vht.run_patient("capecitabine_docetaxel_breast", scenario="combination", days=[42, 168])
    sizes = run.simulation.outputs["bruno_breast_cancer.sum_of_diameters"][:, 0]
    assert sizes == pytest.approx([51.211, 34.148], rel=1e-4)


def test_docetaxel_lowers_neutrophils_most_after_a_week() -> None:
    """127.5 mg: the nadir lies in days 7 to 10 (8.64 at 180 mg in the reference), and is over by day 21."""
    days = np.arange(0, 22.0)
    run = vht.run_patient("docetaxel_lung", scenario="three_weekly", days=days)
    count = run.simulation.outputs["docetaxel_neutropenia_kloft.neutrophils"][:, 0]
    assert 7 <= days[count.argmin()] <= 10
    assert count.min() < 1.0
    assert count[-1] > count[0]


def test_pembrolizumab_has_the_exposure_that_the_tumour_is_told() -> None:
    """200 mg every three weeks: 1818.18 mg.d/L over six weeks at steady state (oncology reference, 12.2)."""
    regimen = ready_made("pembrolizumab_lung").regimen("flat_dose")
    told = regimen.inputs["chatterjee_lung_cancer.exposure"].amount  # type: ignore[union-attr]
    assert told == pytest.approx(1818.18182, rel=1e-8)
    run = vht.run_patient("pembrolizumab_lung", scenario="flat_dose", days=[420, 462])
    area = run.simulation.outputs["pembrolizumab.cumulative_exposure"][:, 0]
    assert np.diff(area)[0] == pytest.approx(told, rel=1e-4)


def test_glioma_under_temozolomide_is_the_model_alone() -> None:
    """Mazzocco 2015, mutated p53: 32.2168 mm in month 6 (oncology reference, 12.2)."""
    run = vht.run_patient("temozolomide_glioma", scenario="cycles_p53_mutated", days=[182.625, 183])
    size = run.simulation.outputs["mazzocco_glioma.mean_diameter"][0, 0]
    assert size == pytest.approx(32.2168, rel=1e-4)
    assert run.simulation.outputs["temozolomide.cumulative_exposure"][-1, 0] > 0


def test_a_ready_made_patient_is_the_composition_that_python_makes() -> None:
    by_name = vht.run_patient("sunitinib_gist", settings={"sunitinib_exposure.daily_dose": 37.5}, days=[84])
    by_hand = vht.simulate(
        vht.sunitinib_gist(), doses={"sunitinib_exposure.daily_dose": 37.5}, days=[84], estimate_error=False
    )
    for port, trace in by_hand.outputs.items():
        assert np.array_equal(by_name.simulation.outputs[port], trace), port


def test_a_setting_replaces_what_the_regimen_gives() -> None:
    half = vht.run_patient(
        "sunitinib_heart", scenario="continuous", settings={"sunitinib_exposure.daily_dose": 25.0}, days=[28]
    )
    assert half.simulation.outputs["sunitinib_exposure.daily_exposure"][0, 0] == pytest.approx(25.0 / 34.5)


def test_a_changed_heart_is_what_the_drug_starts_from() -> None:
    """The pressure off drug is that of the circulation that was set, not of the healthy one."""
    run = vht.run_patient(
        "sunitinib_heart", settings={"cardiovascular.systemic_arterial_resistance": 1.5}, days=[0, 28]
    )
    shown = run.simulation.outputs
    asked = shown["sunitinib_blood_pressure.diastolic_pressure"][:, 0]
    seen = shown["cardiovascular.diastolic_blood_pressure"][:, 0]
    assert asked[0] > 95
    assert seen == pytest.approx(asked, rel=2e-4)


def test_an_open_port_of_the_circulation_can_be_held() -> None:
    lying = vht.run_patient("trastuzumab_heart", days=[0])
    upright = vht.run_patient("trastuzumab_heart", settings={"cardiovascular.uprightness": 1.0}, days=[0])
    stroke = "cardiovascular.stroke_volume"
    assert upright.simulation.outputs[stroke][0, 0] < 0.9 * lying.simulation.outputs[stroke][0, 0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"patient": "sunitinib_gst"}, "did you mean 'sunitinib_gist'"),
        ({"patient": "sunitinib_gist", "scenario": "continous"}, "did you mean 'continuous'"),
        (
            {"patient": "sunitinib_gist", "settings": {"sunitinib_exposure.daily_dos": 1.0}},
            "did you mean 'sunitinib_exposure.daily_dose'",
        ),
        (
            {"patient": "sunitinib_gist", "settings": {"hansson_gist.growth_rate": 9.0}},
            "must lie between 0 and 5 /wk",
        ),
        (
            {"patient": "sunitinib_gist", "settings": {"sunitinib_exposure.daily_dose": -1.0}},
            "a dose is not negative",
        ),
        (
            {
                "patient": "sunitinib_heart",
                "settings": {"cardiovascular.local_resistance_ratio": 1.1},
            },
            "nothing to set that is called 'cardiovascular.local_resistance_ratio'",
        ),
        ({"patient": "sunitinib_gist", "days": []}, "days: name at least one"),
        ({"patient": "sunitinib_gist", "days": [3, 1]}, "days: name at least one, increasing"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vht.run_patient(**words)


def test_an_own_patient_runs_like_a_ready_made_one() -> None:
    """Any composition and regimen, not only those of the list."""
    mine = vht.ReadyMade(
        "mine",
        "exponential growth",
        lambda: vht.VirtualPatient(["gompertz"]),
        (Scenario("grown", "larger at the start", parameters={"gompertz.initial_volume": 2.0}),),
        day=0,
    )
    mine = dataclasses.replace(mine, title="Gompertz growth")
    assert vht.run_patient(mine, scenario="grown").rows[0][1] == pytest.approx([2.0])
