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
    from organ_models.schedules import Schedule
    from vht.agreement import agree
    from vht.citation import Citations, cite
    from vht.cohort import Cohort
    from vht.compositions import (
        antihypertensives,
        cardio_oncology,
        cardiovascular,
        sunitinib_gist,
        sunitinib_heart,
        trastuzumab_heart,
    )
    from vht.fitting import Fit, Forecast, fit
    from vht.healthy_adults import adults
    from vht.hypertension import hypertensives, law_2003
    from vht.managed import Managed, Rule, managed_course
    from vht.missing import MissingMap
    from vht.model_run import ModelRun, ModelRunError, run_model
    from vht.model_validation import Validation, validate
    from vht.patient import CompositionError, Coupling, VirtualPatient
    from vht.patient_run import PatientRun, PatientRunError, run_patient
    from vht.personalisation import Personalisation, personalise
    from vht.population import Individuals, baseline_table, impute, individuals, sample, typical
    from vht.quantities import QUANTITIES, Quantity, UnknownQuantity, quantity
    from vht.ready_made import READY_MADE, ReadyMade, UnknownPatient
    from vht.record_coverage import Coverage, coverage
    from vht.reflex import adapt
    from vht.regimens import Regimen
    from vht.sensitivities import Sensitivity, sensitivity
    from vht.simulation import Simulation, simulate
    from vht.snapshot import Snapshot
    from vht.state import Absence, Event, Interval, Observation, PatientState
    from vht.store import Store, StoreError
    from vht.transient import Transient
    from vht.ursino import ursino_1998, ursino_cases
    from vht.validation.cardiovascular import cardiovascular_claims
    from vht.validation.claims import Claim, Claims

_HOME = {
    "Absence": "state",
    "Citations": "citation",
    "Claim": "validation.claims",
    "Claims": "validation.claims",
    "Cohort": "cohort",
    "CompositionError": "patient",
    "Coupling": "patient",
    "Coverage": "record_coverage",
    "Event": "state",
    "Interval": "state",
    "Individuals": "population",
    "Managed": "managed",
    "MissingMap": "missing",
    "ModelRun": "model_run",
    "ModelRunError": "model_run",
    "Observation": "state",
    "PatientState": "state",
    "PatientRun": "patient_run",
    "PatientRunError": "patient_run",
    "Personalisation": "personalisation",
    "QUANTITIES": "quantities",
    "Quantity": "quantities",
    "Regimen": "regimens",
    "READY_MADE": "ready_made",
    "ReadyMade": "ready_made",
    "Rule": "managed",
    "Schedule": "regimens",
    "Sensitivity": "sensitivities",
    "Simulation": "simulation",
    "Snapshot": "snapshot",
    "Transient": "transient",
    "Store": "store",
    "StoreError": "store",
    "UnknownPatient": "ready_made",
    "UnknownQuantity": "quantities",
    "Validation": "model_validation",
    "VirtualPatient": "patient",
    "Fit": "fitting",
    "Forecast": "fitting",
    "adapt": "reflex",
    "adults": "healthy_adults",
    "agree": "agreement",
    "antihypertensives": "compositions",
    "baseline_table": "population",
    "cardio_oncology": "compositions",
    "cardiovascular": "compositions",
    "cardiovascular_claims": "validation.cardiovascular",
    "cite": "citation",
    "coverage": "record_coverage",
    "fit": "fitting",
    "hypertensives": "hypertension",
    "impute": "population",
    "managed_course": "managed",
    "individuals": "population",
    "law_2003": "hypertension",
    "personalise": "personalisation",
    "quantity": "quantities",
    "run_model": "model_run",
    "run_patient": "patient_run",
    "sample": "population",
    "sensitivity": "sensitivities",
    "simulate": "simulation",
    "sunitinib_gist": "compositions",
    "sunitinib_heart": "compositions",
    "trastuzumab_heart": "compositions",
    "typical": "population",
    "ursino_1998": "ursino",
    "ursino_cases": "ursino",
    "validate": "model_validation",
}

__all__ = [
    "QUANTITIES",
    "READY_MADE",
    "Absence",
    "Citations",
    "Claim",
    "Claims",
    "Cohort",
    "CompositionError",
    "Coupling",
    "Coverage",
    "Event",
    "Fit",
    "Forecast",
    "Individuals",
    "Interval",
    "Managed",
    "MissingMap",
    "ModelRun",
    "ModelRunError",
    "Observation",
    "PatientRun",
    "PatientRunError",
    "PatientState",
    "Personalisation",
    "Quantity",
    "ReadyMade",
    "Regimen",
    "Rule",
    "Schedule",
    "Sensitivity",
    "Simulation",
    "Snapshot",
    "Store",
    "StoreError",
    "Transient",
    "UnknownPatient",
    "UnknownQuantity",
    "Validation",
    "VirtualPatient",
    "adapt",
    "adults",
    "agree",
    "antihypertensives",
    "baseline_table",
    "cardio_oncology",
    "cardiovascular",
    "cardiovascular_claims",
    "cite",
    "coverage",
    "fit",
    "hypertensives",
    "impute",
    "individuals",
    "law_2003",
    "managed_course",
    "personalise",
    "quantity",
    "run_model",
    "run_patient",
    "sample",
    "sensitivity",
    "simulate",
    "sunitinib_gist",
    "sunitinib_heart",
    "trastuzumab_heart",
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
