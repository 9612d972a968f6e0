"""Courses under dosing policies: what is given follows from what is seen at visits.

Slow models run from one visit to the next; at a visit the policies see what is measured there and decide what
holds until the next. A cyclic output (a pressure) is read on that patient's converged cycle of the day. Every
day is an opportunity for a dose, for everybody, so that nobody's steps depend on what a neighbour gets. A
schedule of instants is moved and scaled day by day: what it gives on one of its days keeps its hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from organ_models.schedules import Schedule, instants
from vht.course import Course, Doses, check_doses, course, event_ports
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
        doses: what was given by port, shape ``(last_day, n)``, or a schedule where one was planned;
            :func:`vht.simulate` takes them as they are.
        days: days of decisions, shape ``(k,)``.
        actions: by port, what was decided on them.
        withheld: by port, days on which a policy held what had not ended, shape ``(last_day, n)``; of a
            schedule of instants only those on which it would have given something.
        memories: what each rule remembers at the end.
    """

    outputs: dict[str, np.ndarray]
    doses: dict[str, np.ndarray | Schedule]
    days: np.ndarray
    actions: dict[str, list[Action]]
    withheld: dict[str, np.ndarray]
    memories: list[Memory] = field(default_factory=list)

    def stopped(self) -> np.ndarray:
        """Day on which the last of a patient's treatments was ended, infinite where one was not; ``(n,)``."""
        ends = []
        for decided in self.actions.values():
            stop = np.stack([action.stop for action in decided])
            ends.append(np.where(stop.any(axis=0), self.days[stop.argmax(axis=0)].astype(float), np.inf))
        return np.max(ends, axis=0)

    def held_days(self) -> np.ndarray:
        """Days on which a policy held a treatment that had not ended, of any port, ``(n,)``.

        Of a schedule of instants, days on which something was due.
        """
        return np.asarray(np.any(list(self.withheld.values()), axis=0).sum(axis=0))


def managed_course(
    patient: VirtualPatient,
    people: Individuals,
    schedule: Mapping[str, np.ndarray | Schedule],
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
            longer, or ``(last_day, n)``; or a schedule of instants. Where the schedule waits, one of days
            stands still, and one of instants goes on to the next day on which it gives that patient
            something: a count that is low between two infusions and back in time delays none.
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
    _check(schedule, rules, visits, last_day, len(people))
    ports = {name: _port(patient, name) for name in visits}
    cyclic = {name for name, port in ports.items() if patient.models[port.partition(".")[0]].cycle}
    known = dict(baselines or {})
    for model in patient.cyclic if cyclic else ():
        if model.name not in known:
            known[model.name] = untreated(patient, model, people)

    n = len(people)
    stops = sorted({0, *(int(d) for days in visits.values() for d in days if 0 <= d < last_day)})
    events = event_ports(patient)
    plans = {port: _plan(planned, last_day, n, arrives=port in events) for port, planned in schedule.items()}
    memories: list[Memory] = [{} for _ in rules]
    decided: dict[str, list[Action]] = {port: [] for port in schedule}

    def advanced(start: int, days: np.ndarray, state: np.ndarray | None) -> Course:
        every = np.arange(last_day)
        doses: Doses = {port: plan.given() for port, plan in plans.items()}
        return course(patient, people, doses, days, start_day=start, start=state, opportunities=every)

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
        for port, plan in plans.items():
            mine = [a for rule, a in zip(rules, actions, strict=True) if not rule.ports or port in rule.ports]
            action = together(mine, n)
            decided[port].append(action)
            plan.give(action, day, until)
        here = advanced(day, np.arange(day + 1, until + 1), here.state)
        for port, trace in here.outputs.items():
            outputs[port][day + 1 : until + 1] = trace
    doses = {port: plan.given() for port, plan in plans.items()}
    withheld = {port: plan.withheld for port, plan in plans.items()}
    return Managed(outputs, doses, np.array(stops), decided, withheld, memories)


# ---------------------------------------------------------------------------------------------------


@dataclass
class _Plan:
    """What is planned at a port and what is given, by day and by the instants within a day.

    Attributes:
        planned: by day of the schedule, instant and patient, shape ``(days, k, n or 1)``.
        hours: the instants of a day, d from its beginning, the first 0, shape ``(k,)``; None where the port
            has one amount a day.
        amounts: given, shape ``(last_day, k, n)``.
        withheld: days on which what is due is held, shape ``(last_day, n)``.
        place: the day of the schedule that each patient is on, shape ``(n,)``.
    """

    planned: np.ndarray
    hours: np.ndarray | None
    amounts: np.ndarray
    withheld: np.ndarray
    place: np.ndarray

    def given(self) -> np.ndarray | Schedule:
        """What has been decided on so far; nothing from there on."""
        last, instants, n = self.amounts.shape
        if self.hours is None:
            return self.amounts[:, 0].copy()
        times = (np.arange(last)[:, None] + self.hours).ravel()
        return Schedule(times, self.amounts.reshape(last * instants, n).copy())

    def give(self, action: Action, day: int, until: int) -> None:
        """Fill in the doses of the days up to the next decision, and move the places on."""
        waiting = action.hold & action.wait
        lane = np.arange(self.place.size) if self.planned.shape[2] > 1 else 0
        for each in range(day, until):
            mine = self.planned[self.place, :, lane].T
            self.amounts[each] = mine * action.share
            due = True if self.hours is None else mine.any(axis=0)
            self.withheld[each] = action.hold & ~action.stop & due
            self.place += np.where(waiting & due, 0, 1)


def _plan(planned: Any, last_day: int, n: int, *, arrives: bool) -> _Plan:
    """Lay a schedule out by days, as far as the course goes."""
    hours: np.ndarray | None = None
    if isinstance(planned, Schedule):
        hours = np.unique(np.append(instants(planned.times - np.floor(planned.times)), 0.0))
        at = instants(np.arange(last_day)[:, None] + hours).ravel()
        found = planned.arriving(at) if arrives else planned.holding(at)
        table = found.reshape(last_day, hours.size, -1)
    else:
        table = np.asarray(planned, float)[:last_day].reshape(last_day, 1, -1)
    nothing = np.zeros((last_day, table.shape[1], n))
    return _Plan(table, hours, nothing, np.zeros((last_day, n), dtype=bool), np.zeros(n, dtype=int))


def _check(
    schedule: Mapping[str, np.ndarray | Schedule],
    rules: Sequence[Rule],
    visits: Mapping[str, Sequence[int]],
    last_day: int,
    n: int,
) -> None:
    if not schedule:
        raise ValueError("policies need at least one dose port with a schedule")
    for port, planned in schedule.items():
        widths = (1, n)
        if isinstance(planned, Schedule):
            if planned.amounts.ndim == 2 and planned.amounts.shape[1] not in widths:
                raise ValueError(f"{port}: a schedule for {planned.amounts.shape[1]} patients; there are {n}")
            continue
        shape = np.shape(planned)
        if len(shape) not in (1, 2) or shape[0] < last_day or (len(shape) == 2 and shape[1] not in widths):
            raise ValueError(
                f"{port}: the schedule must name one amount for each of {last_day} days, or one for each day "
                f"and patient ({last_day}, {n})"
            )
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
