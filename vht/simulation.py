"""Simulation of virtual patients over days, with the heart's cycle evaluated where someone looks.

The slow models run first (:mod:`vht.course`); the cyclic ones are evaluated on the reporting days
(:mod:`vht.cycles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from organ_models.model import fields, take
from organ_models.solvers import waveforms
from vht.course import slow_course
from vht.cycles import Baseline, Cycles, cycles_on, first_failure, untreated
from vht.patient import VirtualPatient
from vht.population import Individuals, typical

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Simulation:
    """What :func:`simulate` returns.

    Attributes:
        patient: the composition.
        days: reporting days, shape ``(k,)``.
        outputs: by port ``model.output``, shape ``(k, n)``, in the port's unit; NaN for failed patients.
        failure: per patient, None or a :class:`Failure`, shape ``(n,)``.
        residual: largest residual of the cycle per patient, shape ``(n,)``.
    """

    patient: VirtualPatient
    days: np.ndarray
    outputs: dict[str, np.ndarray]
    failure: np.ndarray
    residual: np.ndarray
    cycles: Cycles
    individuals: Individuals

    def __repr__(self) -> str:
        failed = sum(f is not None for f in self.failure)
        return (
            f"Simulation({self.failure.size} virtual patients, days {self.days[0]:g} to {self.days[-1]:g}, "
            f"{failed} failed, {len(self.outputs)} outputs)"
        )

    def waveform(self, day: float, individual: int = 0) -> dict[str, np.ndarray]:
        """Signals of the cyclic model over one beat of one patient: ``time`` (s) and each signal."""
        if not self.patient.cyclic:
            raise ValueError("this virtual patient has no cyclic model")
        row = int(np.flatnonzero(self.days == day)[0]) if day in self.days else None
        if row is None:
            raise ValueError(f"day {day:g} is not a reporting day of this simulation")
        model = self.patient.cyclic[0]
        parameters = take(self.individuals.parameters[model.name], [individual], len(self.individuals))
        ports = {p: self.cycles.inputs[f"{model.name}.{p}"][row, [individual]] for p in fields(model.Inputs)}
        state = self.cycles.states[model.name][row][:, [individual]]
        traces = waveforms(model, parameters, model.Inputs(**ports), state)
        return {name: trace[:, 0] for name, trace in traces.items()}

    def plot(self, individual: int = 0) -> Figure:
        """Pressure–volume loop on the first and last day, and the course of the slow outputs."""
        from vht.plots import plot_simulation

        return plot_simulation(self, individual)


def simulate(
    patient: VirtualPatient,
    individuals: Individuals | None = None,
    *,
    doses: Mapping[str, float | Sequence[float] | np.ndarray] | None = None,
    days: Sequence[float] | int = 168,
    baselines: Mapping[str, Baseline] | None = None,
) -> Simulation:
    """Simulate virtual patients.

    Args:
        patient: the composition.
        individuals: who; one typical patient if absent.
        doses: by open input port, its value on every day (a number is given every day), in the port's
            unit.
        days: reporting days, whole numbers from 0; an integer means every seventh day up to it, and it.
        baselines: from :func:`untreated`, where personalisation was done already.

    Returns:
        :class:`Simulation`.

    Raises:
        CompositionError: a dose at a port that is not an open input.

    Example:
        >>> import vht
        >>> vht.simulate(vht.sunitinib_gist(), doses={"sunitinib_exposure.daily_dose": 37.5}, days=14)
        Simulation(1 virtual patients, days 0 to 14, 0 failed, 28 outputs)
    """
    people = typical(patient) if individuals is None else individuals
    grid = np.asarray(days)
    if grid.ndim == 0:
        grid = np.append(np.arange(0, float(grid), 7), grid)
    report = np.unique(grid).astype(int)
    if report.size == 0 or report[0] < 0 or not np.array_equal(report, np.unique(grid)):
        raise ValueError("days must be whole numbers from 0 on")
    course = slow_course(patient, people, doses or {}, int(report[-1]))
    known = dict(baselines or {})
    for model in patient.cyclic:
        if model.name not in known:
            known[model.name] = untreated(patient, model, people.parameters[model.name], len(people))
    chosen = np.broadcast_to(report[:, None], (report.size, len(people)))
    cycles = cycles_on(patient, known, course, chosen)
    failure = first_failure(people, course, report, cycles)
    outputs = {port: trace[report] for port, trace in course.items()} | cycles.outputs
    for trace in outputs.values():
        trace[:, failure != None] = np.nan  # noqa: E711
    return Simulation(patient, report, outputs, failure, cycles.residual, cycles, people)
