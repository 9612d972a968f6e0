"""Courses under dosing policies: what is given follows from what is seen at visits.

Slow models run from one visit to the next; at a visit the policies see what is measured there and decide what
holds until the next. A cyclic output (a pressure) is read on that patient's converged cycle of the day. Every
day is an opportunity for a dose, for everybody, so that nobody's steps depend on what a neighbour gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vht.course import Course, check_doses, course
from vht.cycles import Baseline, cycles_on, untreated
from vht.interleaved import reads_cycle
from vht.patient import CompositionError, VirtualPatient
from vht.policies import Action, Key, Memory, Observation, Policy, together
from vht.population import Individuals


@dataclass(frozen=True)
class Rule:
    """A policy and the dose ports that it governs; all that are dosed where none is named."""

    policy: Policy
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Managed:
    """A course under policies.

    Attributes:
        outputs: of the slow models by port, every day, shape ``(last_day + 1, n)``.
        doses: what was given by port, shape ``(last_day, n)``; :func:`vht.simulate` takes them as they are.
        days: days of decisions, shape ``(k,)``.
        actions: by port, what was decided on them.
        memories: what each rule remembers at the end.
    """

    outputs: dict[str, np.ndarray]
    doses: dict[str, np.ndarray]
    days: np.ndarray
    actions: dict[str, list[Action]]
    memories: list[Memory] = field(default_factory=list)

    def stopped(self) -> np.ndarray:
        """Day on which the last of a patient's treatments was ended, infinite where one was not; ``(n,)``."""
        ends = []
        for decided in self.actions.values():
            stop = np.stack([action.stop for action in decided])
            ends.append(np.where(stop.any(axis=0), self.days[stop.argmax(axis=0)].astype(float), np.inf))
        return np.max(ends, axis=0)

    def held_days(self) -> np.ndarray:
        """Days on which a policy held a treatment that had not ended, of any port, ``(n,)``."""
        last = next(iter(self.doses.values())).shape[0]
        spans = np.diff([*self.days, last])
        held = np.any([[a.hold & ~a.stop for a in decided] for decided in self.actions.values()], axis=0)
        return np.asarray((held * spans[:, None]).sum(axis=0))


def managed_course(
    patient: VirtualPatient,
    people: Individuals,
    schedule: Mapping[str, np.ndarray],
    rules: Sequence[Rule],
    visits: Mapping[str, Sequence[int]],
    last_day: int,
    *,
    seed: int,
    read: Callable[[str, int, np.ndarray], np.ndarray] | None = None,
    also: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    baselines: Mapping[str, Baseline] | None = None,
) -> Managed:
    """Run the slow models while policies decide on the doses.

    Args:
        patient: the composition.
        people: who.
        schedule: by dose port, the amount planned for each day of the schedule, shape ``(last_day,)`` or
            longer.
        rules: the policies; where several govern a port their actions hold together.
        visits: by quantity, the days on which it is measured, whole, from 0 on.
        last_day: last day of the course.
        seed: the study's seed, for the policies' keys.
        read: what a visit reads, ``(quantity, day, true values) -> measured ones``; true values if absent.
        also: more that is observed on a day of decision, by name.
        baselines: untreated cycles, by cyclic model; found where a cyclic output is observed and none given.

    Raises:
        CompositionError: a dose at a port that takes none; a quantity that no model shows; a composition
            whose slow models read the cycle.
        ValueError: a schedule that is shorter than the course, a rule for a port that is not dosed, or a
            quantity that a policy observes and nobody measures.
    """
    check_doses(patient, schedule)
    if reads_cycle(patient):
        raise CompositionError("policies cannot be run where a slow model reads the cycle")
    _check(schedule, rules, visits, last_day)
    ports = {name: _port(patient, name) for name in visits}
    cyclic = {name for name, port in ports.items() if patient.models[port.partition(".")[0]].cycle}
    known = dict(baselines or {})
    for model in patient.cyclic if cyclic else ():
        if model.name not in known:
            known[model.name] = untreated(patient, model, people)

    n = len(people)
    stops = sorted({0, *(int(d) for days in visits.values() for d in days if 0 <= d < last_day)})
    given = {port: np.zeros((last_day, n)) for port in schedule}
    place = {port: np.zeros(n, dtype=int) for port in schedule}
    memories: list[Memory] = [{} for _ in rules]
    decided: dict[str, list[Action]] = {port: [] for port in schedule}

    def advanced(start: int, days: np.ndarray, state: np.ndarray | None) -> Course:
        every = np.arange(last_day)
        return course(patient, people, given, days, start_day=start, start=state, opportunities=every)

    here = advanced(0, np.array([0]), None)
    outputs = {port: np.zeros((last_day + 1, n)) for port in here.outputs}
    for port, trace in here.outputs.items():
        outputs[port][0] = trace[0]
    for day, until in zip(stops, [*stops[1:], last_day], strict=True):
        row = {port: trace[day : day + 1] for port, trace in outputs.items()}
        due = [name for name, days in visits.items() if day in days]
        if cyclic & set(due):
            row = row | cycles_on(patient, known, row, np.zeros((1, n), dtype=int)).outputs
        true = {name: row[ports[name]][0] for name in due}
        values = {name: v if read is None else read(name, day, v) for name, v in true.items()}
        seen = Observation(day, n, {**values, **(also(day) if also else {})})
        actions: list[Action] = []
        for index, rule in enumerate(rules):
            key = Key(seed, people.study_numbers, day)
            action, memories[index] = rule.policy(seen, memories[index], key)
            actions.append(action)
        for port, planned in schedule.items():
            mine = [a for rule, a in zip(rules, actions, strict=True) if not rule.ports or port in rule.ports]
            action = together(mine, n)
            decided[port].append(action)
            _give(given[port], np.asarray(planned, float), place[port], action, day, until)
        here = advanced(day, np.arange(day + 1, until + 1), here.state)
        for port, trace in here.outputs.items():
            outputs[port][day + 1 : until + 1] = trace
    return Managed(outputs, given, np.array(stops), decided, memories)


# ---------------------------------------------------------------------------------------------------


def _give(
    given: np.ndarray, planned: np.ndarray, place: np.ndarray, action: Action, day: int, until: int
) -> None:
    """Fill in the doses of the days up to the next decision, and move the places in the schedule on."""
    waiting = action.hold & action.wait
    step = np.where(waiting, 0, 1)
    for each in range(day, until):
        given[each] = planned[place] * action.share
        place += step


def _check(
    schedule: Mapping[str, np.ndarray],
    rules: Sequence[Rule],
    visits: Mapping[str, Sequence[int]],
    last_day: int,
) -> None:
    if not schedule:
        raise ValueError("policies need at least one dose port with a schedule")
    for port, planned in schedule.items():
        if np.ndim(planned) != 1 or len(planned) < last_day:
            raise ValueError(f"{port}: the schedule must name one amount for each of {last_day} days")
    for rule in rules:
        for port in rule.ports:
            if port not in schedule:
                raise ValueError(f"{port}: a policy governs it, but nothing is scheduled there")
        for name in getattr(rule.policy, "observes", ()):
            if name not in visits:
                raise ValueError(f"a policy decides on {name}, but no visit measures it")


def _port(patient: VirtualPatient, name: str) -> str:
    port = patient.output_of(name)
    if port is None:
        raise CompositionError(f"no model of this virtual patient shows '{name}'")
    return port
