"""The closed loop of Ursino 1998: its circulation under its carotid baroreflex, and its cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from organ_models.cardiovascular.assist_device import heartmate_2
from organ_models.model import values
from vht.patient import Coupling, VirtualPatient
from vht.population import Individuals, typical

CIRCULATION, REFLEX = "ursino_1998", "baroreflex"

_EFFECTORS = {
    "left_ventricular_elastance": "left_ventricular_elastance",
    "right_ventricular_elastance": "right_ventricular_elastance",
    "splanchnic_resistance": "splanchnic_resistance",
    "other_resistance": "other_resistance",
    "splanchnic_volume": "splanchnic_volume",
    "other_volume": "other_volume",
    "heart_period": "heart_period",
}
"""What the reflex sets, by its output, and the input of the circulation that it goes to."""


@dataclass(frozen=True)
class Case:
    """A case of the closed loop.

    Attributes:
        title: what it stands for.
        circulation, reflex: parameters that differ from the published rest.
        inputs: time courses of open ports, ``(times in s, values)``, for a transient.
    """

    title: str
    circulation: Mapping[str, float] = field(default_factory=dict)
    reflex: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, tuple[list[float], list[float]]] = field(default_factory=dict)


_SEVERE = {"left_elastance_least": 0.2, "left_elastance_gain": 0.2}

CASES: Mapping[str, Case] = MappingProxyType(
    {
        "rest": Case("healthy adult at rest"),
        "bleed_530": Case(
            "530 mL of blood are lost within 5 s",
            inputs={f"{CIRCULATION}.infused_volume": ([120.0, 125.0], [0.0, -530.0])},
        ),
        "moderate_hf": Case(
            "moderate heart failure",
            circulation={"left_ventricular_stiffness": 0.013},
            reflex={"left_elastance_least": 0.8, "left_elastance_gain": 0.2},
        ),
        "severe_hf": Case(
            "severe heart failure", circulation={"left_ventricular_stiffness": 0.011}, reflex=_SEVERE
        ),
        "severe_hf_heartmate_2_9000": Case(
            "severe heart failure with a HeartMate II at 9000/min",
            circulation={"left_ventricular_stiffness": 0.011, **heartmate_2(9000)},
            reflex=_SEVERE,
        ),
    }
)
"""Cases by name, as published; the loss of blood begins 120 s after the start of a transient."""


def ursino_1998() -> VirtualPatient:
    """The circulation and the baroreflex of Ursino 1998, coupled as in the paper.

    The reflex hears arterial pressure and sets elastances, resistances, unstressed volumes and the period of
    the heart in absolute terms; nothing is adapted to the patient.
    """
    return VirtualPatient(
        [CIRCULATION, REFLEX],
        [
            Coupling(f"{CIRCULATION}.systemic_arterial_pressure", f"{REFLEX}.pressure"),
            *(Coupling(f"{REFLEX}.{o}", f"{CIRCULATION}.{i}") for o, i in _EFFECTORS.items()),
        ],
    )


def ursino_cases(patient: VirtualPatient, *names: str) -> Individuals:
    """One virtual patient for each case.

    Args:
        patient: from :func:`ursino_1998`.
        names: of :data:`CASES`.

    Raises:
        ValueError: no such case; names those that exist.
    """
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise ValueError(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    people = typical(patient, len(names))
    changes = {CIRCULATION: "circulation", REFLEX: "reflex"}
    parameters = {
        model: _changed(record, [getattr(CASES[name], changes[model]) for name in names])
        for model, record in people.parameters.items()
    }
    return Individuals(people.study_numbers, parameters)


def _changed(record: Any, changes: list[Mapping[str, float]]) -> Any:
    columns = values(record)
    return type(record)(
        **{
            name: np.array([change.get(name, column[lane]) for lane, change in enumerate(changes)])
            for name, column in columns.items()
        }
    )
