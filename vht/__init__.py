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
    from vht.compositions import sunitinib_gist
    from vht.patient import CompositionError, Coupling, VirtualPatient
    from vht.personalisation import Personalisation, personalise
    from vht.population import Individuals, baseline_table, impute, individuals, typical
    from vht.quantities import QUANTITIES, Quantity, UnknownQuantity, quantity
    from vht.simulation import Simulation, simulate
    from vht.state import Event, Observation, PatientState
    from vht.store import Cohort, Store, StoreError

_HOME = {
    "QUANTITIES": "quantities",
    "Cohort": "store",
    "CompositionError": "patient",
    "Coupling": "patient",
    "Event": "state",
    "Individuals": "population",
    "Observation": "state",
    "PatientState": "state",
    "Personalisation": "personalisation",
    "Quantity": "quantities",
    "Simulation": "simulation",
    "Store": "store",
    "StoreError": "store",
    "UnknownQuantity": "quantities",
    "VirtualPatient": "patient",
    "baseline_table": "population",
    "impute": "population",
    "individuals": "population",
    "personalise": "personalisation",
    "quantity": "quantities",
    "simulate": "simulation",
    "sunitinib_gist": "compositions",
    "typical": "population",
}

__all__ = [
    "QUANTITIES",
    "Cohort",
    "CompositionError",
    "Coupling",
    "Event",
    "Individuals",
    "Observation",
    "PatientState",
    "Personalisation",
    "Quantity",
    "Simulation",
    "Store",
    "StoreError",
    "UnknownQuantity",
    "VirtualPatient",
    "baseline_table",
    "impute",
    "individuals",
    "personalise",
    "quantity",
    "simulate",
    "sunitinib_gist",
    "typical",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vht' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"vht.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
