"""Slow models that read the cycle: days of slow models and beats of the circulation in turn.

Over a macro-step the slow models see the cycle as it was at its beginning (Lie splitting), which is of first
order in the macro-step: the difference to twice the macro-step is an estimate of the error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vht.course import Course, Doses, check_doses, course
from vht.cycles import Baseline, cycles_on
from vht.patient import VirtualPatient
from vht.population import Individuals
from vht.slow_models import held_ports


def interleaved_course(
    patient: VirtualPatient,
    people: Individuals,
    doses: Doses,
    days: np.ndarray,
    baselines: Mapping[str, Baseline],
    *,
    start_day: int = 0,
    start: np.ndarray | None = None,
    opportunities: Sequence[int] | np.ndarray | None = None,
    macro: int = 1,
    refine: int = 1,
) -> Course:
    """The course of slow models of which some read the cycle.

    Args:
        patient: the composition.
        people: who.
        doses: as for :func:`vht.course.course`.
        days: days to read, whole numbers, increasing.
        baselines: untreated cycles, by cyclic model.
        start_day, start: where a run goes on, and the states there.
        opportunities: as for :func:`vht.course.course`.
        macro: days for which the slow models see the same cycle, however often it is read.
        refine: every step is divided by this.
    """
    check_doses(patient, doses)
    if not np.array_equal(days, np.round(days)):
        raise ValueError("days must be whole numbers where a slow model reads the cycle")
    last, n = int(days[-1]), len(people)
    stops = sorted({start_day, last, *(int(d) for d in days), *range(start_day, last, macro)})
    outputs: dict[str, list[np.ndarray]] = {}
    states = start
    held = {port: np.zeros(n) for port in held_ports(patient)}

    def advanced(day: int, until: int, seen: dict[str, np.ndarray]) -> Course:
        return course(
            patient,
            people,
            doses,
            [until],
            start_day=day,
            start=states,
            held=seen,
            opportunities=opportunities,
            refine=refine,
        )

    for day, until in zip(stops, [*stops[1:], None], strict=True):
        here = advanced(day, day, held)
        cycles = cycles_on(patient, baselines, here.outputs, np.zeros((1, n), dtype=int), refine=refine)
        seen = {
            ".".join(w.target): w.convert.factor * cycles.outputs[".".join(w.source)][0] + w.convert.offset
            for w in patient.wires
            if ".".join(w.target) in held
        }
        if day in days:  # outputs that show the cycle at once are read with the cycle of the day
            for port, trace in advanced(day, day, seen).outputs.items():
                outputs.setdefault(port, []).append(trace[0])
        if (day - start_day) % macro == 0:
            held = seen
        if until is not None:
            states = advanced(day, until, held).state
    final = advanced(last, last, held).state
    return Course(np.asarray(days), {k: np.stack(v) for k, v in outputs.items()}, final)


def reads_cycle(patient: VirtualPatient) -> bool:
    """Whether a slow model of the composition reads a cyclic one."""
    return bool(held_ports(patient))


_SMALL = 0.01


def relative_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference relative to the largest magnitude of the same patient, or to 0.01 of the unit where
    that is larger (a volume that happens to be zero has no relative error); patients without numbers are left
    out."""
    good = np.all(np.isfinite(one) & np.isfinite(other), axis=0)
    if not good.any():
        return float("nan")
    size = np.maximum(np.abs(other[:, good]).max(axis=0), _SMALL)
    return float((np.abs(one[:, good] - other[:, good]) / size).max())
