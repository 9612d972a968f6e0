"""What the arms of a trial plan to give: by port, the same to everybody or to each by body size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from organ_models.schedules import Schedule
from organ_models.units import conversion
from trials.compose import port_unit
from trials.protocol import Arm, Dose, Protocol, RegimenDose
from vht.course import event_ports
from vht.patient import VirtualPatient
from vht.randomness import uniform
from vht.regimens import body_surface

Plan = dict[str, np.ndarray | Schedule]
"""By port: amounts on every day, shape ``(days,)``; or instants with amounts, of each patient where they
differ."""

WEIGHT, HEIGHT = "body_weight", "body_height"


@dataclass(frozen=True)
class Bodies:
    """Body sizes at baseline, as recorded; NaN where the record holds none.

    Attributes:
        weight: kg, shape ``(n,)``.
        surface: by Mosteller, m2, shape ``(n,)``.
    """

    weight: np.ndarray
    surface: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> Bodies:
        """Of the rows of a baseline table; what it has no column for is unknown."""
        weight, height = (
            table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)
            for name in (WEIGHT, HEIGHT)
        )
        return cls(weight, body_surface(weight, height))

    def measure(self, dose: RegimenDose) -> np.ndarray | None:
        """What a regimen goes by, shape ``(n,)``; None for an absolute dose."""
        return {"mg/kg": self.weight, "mg/m2": self.surface}.get(str(dose.size))


def sizes_needed(protocol: Protocol) -> list[str]:
    """Quantities of the record that the doses of a protocol go by."""
    found: list[str] = []
    for arm in protocol.arms:
        for dose in arm.doses.values():
            if isinstance(dose, RegimenDose):
                found += {"mg/kg": [WEIGHT], "mg/m2": [WEIGHT, HEIGHT]}.get(str(dose.size), [])
    return list(dict.fromkeys(found))


def sized(arm: Arm, bodies: Bodies) -> np.ndarray:
    """Whether everything is known of a patient that the doses of an arm go by, shape ``(n,)``."""
    known = np.ones(bodies.weight.size, dtype=bool)
    for dose in arm.doses.values():
        if isinstance(dose, RegimenDose) and (measure := bodies.measure(dose)) is not None:
            known &= np.isfinite(measure)
    return known


def doses_of(
    protocol: Protocol, patient: VirtualPatient, arm: Arm, bodies: Bodies, study_numbers: np.ndarray
) -> Plan:
    """What an arm plans to give, in the unit of each port.

    Who takes an administration is drawn by study number, drug and instant: at all ports of a drug, and in all
    arms, it is the same. A patient whose size is unknown is planned nothing; see :func:`sized`.

    Args:
        protocol, patient, arm: what is given where.
        bodies: of the patients, shape ``(n,)``.
        study_numbers: of the patients, shape ``(n,)``.
    """
    last = round(protocol.duration_days)
    plan: Plan = {}
    for port, dose in arm.doses.items():
        unit = port_unit(patient, port)
        if isinstance(dose, Dose):
            plan[port] = dose.daily(np.arange(last)) * conversion(dose.amount.unit, unit).factor
            continue
        arrives = port in event_ports(patient)
        given = _schedule(protocol, dose, last, bodies, study_numbers, at_once=arrives)
        factor = conversion("mg" if arrives else "mg/h", unit).factor
        plan[port] = Schedule(given.times, given.amounts * factor)
    return plan


# ---------------------------------------------------------------------------------------------------


def _schedule(
    protocol: Protocol,
    dose: RegimenDose,
    last: int,
    bodies: Bodies,
    numbers: np.ndarray,
    *,
    at_once: bool,
) -> Schedule:
    regimen, measure = dose.regimen(), bodies.measure(dose)
    times = regimen.times(last)
    taken: np.ndarray | None = None
    if dose.taken is not None:
        share, purpose = dose.taken.to("1"), f"takes {dose.drug}"
        luck = [uniform(protocol.seed, numbers, purpose, float(time)) for time in times]
        taken = np.reshape(luck, (times.size, numbers.size)) < share
    if measure is None:
        return regimen.schedule(last, taken=taken, at_once=at_once)
    known = np.isfinite(measure)
    taken = np.broadcast_to(known, (times.size, known.size)) & (True if taken is None else taken)
    size = np.where(known, measure, 1.0)  # nothing is multiplied with the one
    return regimen.schedule(last, weight=size, surface=size, taken=taken, at_once=at_once)
