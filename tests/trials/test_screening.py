"""Who is left out for a medication."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.vht.people import gist_patient
from trials.conduct import screen
from vht.population import baseline_table
from vht.state import Event
from vht.store import Cohort


@pytest.mark.parametrize(("excluded", "left"), [("statin", 1), ("atorvastatin", 2), ("biguanide", 3)])
def test_a_class_of_drugs_excludes_each_of_its_drugs(excluded: str, left: int) -> None:
    """One takes atorvastatin, one an unnamed statin, one nothing."""
    states = [gist_patient(i) for i in range(3)]
    for index, drug in ((0, "atorvastatin"), (1, "statin")):
        states[index] = states[index].model_copy(
            update={"medications": (Event(concept=drug, start_day=-9.0),)}
        )
    cohort = Cohort.from_states(states)
    nothing = SimpleNamespace(minimum=None, maximum=None)
    rules = SimpleNamespace(
        age=nothing, sex=None, conditions=(), excluded_conditions=(), quantities=(), ranges={},
        excluded_medications=(excluded,),
    )  # fmt: skip
    protocol = SimpleNamespace(population=SimpleNamespace(eligibility=rules))
    chosen, _ = screen(protocol, cohort, baseline_table(cohort, ["systolic_blood_pressure"]))  # type: ignore[arg-type]
    assert len(chosen) == left
