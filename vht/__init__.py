"""The virtual human twin: patient states, virtual patients composed of organ models, and their simulation.

    import vht

    patient = vht.sunitinib_gist()
    course = vht.simulate(patient, doses={"sunitinib_exposure.daily_dose": 50.0})
    course.plot()

States come from a :class:`Store` that the FHIR importer fills; trials over cohorts of states are run by
the ``trials`` package. Names are loaded when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vht.cardiovascular_validation import cardiovascular_claims
    from vht.citation import Citations, cite
    from vht.claims import Claim, Claims
    from vht.compositions import antihypertensives, cardiovascular, sunitinib_gist
    from vht.fitting import Fit, Forecast, fit
    from vht.healthy_adults import adults
    from vht.hypertension import hypertensives, law_2003
    from vht.managed import Managed, Rule, managed_course
    from vht.model_run import ModelRun, ModelRunError, run_model
    from vht.model_validation import Validation, validate
    from vht.patient import CompositionError, Coupling, VirtualPatient
    from vht.personalisation import Personalisation, personalise
    from vht.population import Individuals, baseline_table, impute, individuals, sample, typical
    from vht.quantities import QUANTITIES, Quantity, UnknownQuantity, quantity
    from vht.reflex import adapt
    from vht.sensitivities import Sensitivity, sensitivity
    from vht.simulation import Simulation, simulate
    from vht.snapshot import Snapshot
    from vht.state import Event, Observation, PatientState
    from vht.store import Cohort, Store, StoreError
    from vht.transient import Transient
    from vht.ursino import ursino_1998, ursino_cases

_HOME = {
    "Citations": "citation",
    "Claim": "claims",
    "Claims": "claims",
    "Cohort": "store",
    "CompositionError": "patient",
    "Coupling": "patient",
    "Event": "state",
    "Individuals": "population",
    "Managed": "managed",
    "ModelRun": "model_run",
    "ModelRunError": "model_run",
    "Observation": "state",
    "PatientState": "state",
    "Personalisation": "personalisation",
    "QUANTITIES": "quantities",
    "Quantity": "quantities",
    "Rule": "managed",
    "Sensitivity": "sensitivities",
    "Simulation": "simulation",
    "Snapshot": "snapshot",
    "Transient": "transient",
    "Store": "store",
    "StoreError": "store",
    "UnknownQuantity": "quantities",
    "Validation": "model_validation",
    "VirtualPatient": "patient",
    "Fit": "fitting",
    "Forecast": "fitting",
    "adapt": "reflex",
    "adults": "healthy_adults",
    "antihypertensives": "compositions",
    "baseline_table": "population",
    "cardiovascular": "compositions",
    "cardiovascular_claims": "cardiovascular_validation",
    "cite": "citation",
    "fit": "fitting",
    "hypertensives": "hypertension",
    "impute": "population",
    "managed_course": "managed",
    "individuals": "population",
    "law_2003": "hypertension",
    "personalise": "personalisation",
    "quantity": "quantities",
    "run_model": "model_run",
    "sample": "population",
    "sensitivity": "sensitivities",
    "simulate": "simulation",
    "sunitinib_gist": "compositions",
    "typical": "population",
    "ursino_1998": "ursino",
    "ursino_cases": "ursino",
    "validate": "model_validation",
}

__all__ = [
    "QUANTITIES",
    "Citations",
    "Claim",
    "Claims",
    "Cohort",
    "CompositionError",
    "Coupling",
    "Event",
    "Fit",
    "Forecast",
    "Individuals",
    "Managed",
    "ModelRun",
    "ModelRunError",
    "Observation",
    "PatientState",
    "Personalisation",
    "Quantity",
    "Rule",
    "Sensitivity",
    "Simulation",
    "Snapshot",
    "Store",
    "StoreError",
    "Transient",
    "UnknownQuantity",
    "Validation",
    "VirtualPatient",
    "adapt",
    "adults",
    "antihypertensives",
    "baseline_table",
    "cardiovascular",
    "cardiovascular_claims",
    "cite",
    "fit",
    "hypertensives",
    "impute",
    "individuals",
    "law_2003",
    "managed_course",
    "personalise",
    "quantity",
    "run_model",
    "sample",
    "sensitivity",
    "simulate",
    "sunitinib_gist",
    "typical",
    "ursino_1998",
    "ursino_cases",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vht' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"vht.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
