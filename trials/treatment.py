"""What patients of an arm get, and what happens to them meanwhile: doses, policies, visits, new lesions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from organ_models.schedules import Schedule
from trials.dosing import Plan
from trials.protocol import Arm, Protocol
from vht.course import event_ports, slow_course
from vht.cycles import Baseline
from vht.managed import Managed, managed_course
from vht.patient import VirtualPatient
from vht.policies import NEW_LESION, StopOnProgression
from vht.population import Individuals
from vht.randomness import normal, uniform


@dataclass(frozen=True)
class Treated:
    """The course of an arm.

    Attributes:
        course: outputs of the slow models by port, every day, shape ``(last_day + 1, n)``; NaN for patients
            whose doses could not be decided on.
        doses: what was given by port: every day, shape ``(last_day,)`` where all get the same, else
            ``(last_day, n)``; or at instants.
        held_days: days on which a policy held treatment, shape ``(n,)``.
        stopped_day: day on which policies ended it, NaN where they did not, shape ``(n,)``.
        dose_share: given over planned, summed over the trial, the smallest of the ports; shape ``(n,)``.
    """

    course: dict[str, np.ndarray]
    doses: Plan
    held_days: np.ndarray
    stopped_day: np.ndarray
    dose_share: np.ndarray


def treat(
    protocol: Protocol,
    patient: VirtualPatient,
    arm: Arm,
    people: Individuals,
    planned: Plan,
    baselines: Mapping[str, Baseline],
    able: np.ndarray,
    lesions: np.ndarray,
) -> Treated:
    """Run the slow models of an arm, under its policies if it has any.

    Policies see what a visit measures, with its error, also after a patient has left: the noise-free course
    shows what would have been had nobody left.

    Args:
        protocol, patient, arm, people: who is in which arm.
        planned: what they are to get, from :func:`trials.dosing.doses_of`.
        baselines: untreated cycles of everybody, by cyclic model.
        able: patients who could be made; only theirs are decided on.
        lesions: day on which the first new lesion appears, shape ``(n,)``.
    """
    n, last = len(people), round(protocol.duration_days)
    if not arm.policies:
        course = slow_course(patient, people, planned, last)
        return Treated(course, planned, np.zeros(n), np.full(n, np.nan), np.ones(n))
    some = people.take(able)
    own = {port: _of_some(plan, able) for port, plan in planned.items()}
    managed = _managed(protocol, patient, arm, some, own, baselines, able, lesions[able])
    stopped = managed.stopped()
    arriving = event_ports(patient)
    shares = [
        _share(*(_total(dose, last, port in arriving, able.size) for dose in (managed.doses[port], plan)))
        for port, plan in own.items()
    ]
    return Treated(
        {port: _spread(trace, able, n) for port, trace in managed.outputs.items()},
        {port: _to_all(dose, able, n) for port, dose in managed.doses.items()},
        _spread(managed.held_days().astype(float), able, n),
        _spread(np.where(np.isfinite(stopped), stopped, np.nan), able, n),
        _spread(np.min(shares, axis=0), able, n),
    )


def reading(protocol: Protocol, name: str, day: float, true: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """What a visit measures of true values of a quantity, shape ``(n,)``: with the error of the protocol."""
    rule = protocol.measurement_error.get(name)
    measured = true
    if rule is not None:
        luck = normal(protocol.seed, numbers, f"measurement {name}", float(day))
        measured = true + rule.standard_deviation(true, name) * luck
    return np.asarray(np.maximum(measured, 0.0))


def new_lesion_days(protocol: Protocol, arm: Arm, people: Individuals) -> np.ndarray:
    """Day on which each patient's first new lesion appears in an arm, infinite without one, shape ``(n,)``.

    The same luck in every arm: where the hazard is the same, so is the day.
    """
    hazard = 0.0 if protocol.new_lesions is None else protocol.new_lesions.per_day(arm.name)
    if hazard == 0.0:
        return np.full(len(people), np.inf)
    return -np.log(uniform(protocol.seed, people.study_numbers, "new lesion")) / hazard


def dropout_days(protocol: Protocol, people: Individuals) -> np.ndarray:
    """Day on which each patient leaves, the same in every arm; infinite without a dropout rule."""
    if protocol.dropout is None or protocol.dropout.per_day == 0:
        return np.full(len(people), np.inf)
    return -np.log(uniform(protocol.seed, people.study_numbers, "dropout")) / protocol.dropout.per_day


# ---------------------------------------------------------------------------------------------------


def _managed(
    protocol: Protocol,
    patient: VirtualPatient,
    arm: Arm,
    people: Individuals,
    schedule: Plan,
    baselines: Mapping[str, Baseline],
    able: np.ndarray,
    lesions: np.ndarray,
) -> Managed:
    rules = [policy.rule() for policy in arm.policies]
    observed = dict.fromkeys(policy.quantity for policy in arm.policies)
    visits = {name: [int(day) for day in protocol.visit_days(name)] for name in observed}
    tumour = {p.quantity for p, r in zip(arm.policies, rules, strict=True) if _progression(r.policy)}
    looked = {day for name in tumour for day in visits[name]}

    def also(day: int) -> dict[str, np.ndarray]:
        return {NEW_LESION: (lesions <= day).astype(float)} if day in looked else {}

    return managed_course(
        patient,
        people,
        schedule,
        rules,
        visits,
        round(protocol.duration_days),
        seed=protocol.seed,
        read=lambda name, day, true: reading(protocol, name, day, true, people.study_numbers),
        also=also,
        baselines={name: base.take(able) for name, base in baselines.items()},
    )


def _progression(policy: object) -> bool:
    return isinstance(policy, StopOnProgression)


def _of_some(plan: np.ndarray | Schedule, lanes: np.ndarray) -> np.ndarray | Schedule:
    return plan.take(lanes) if isinstance(plan, Schedule) else plan


def _to_all(dose: np.ndarray | Schedule, able: np.ndarray, n: int) -> np.ndarray | Schedule:
    """What some patients got among all; the others got nothing."""
    if isinstance(dose, Schedule):
        return Schedule(dose.times, _spread(dose.amounts, able, n, fill=0.0))
    return _spread(dose, able, n, fill=0.0)


def _total(dose: np.ndarray | Schedule, last: int, arrives: bool, n: int) -> np.ndarray:
    """All that is given in a trial, shape ``(n,)``: amounts, or rates times how long they hold."""
    amounts = dose.amounts if isinstance(dose, Schedule) else dose
    if isinstance(dose, Schedule):
        within = dose.times < last if arrives else np.diff(np.minimum(np.append(dose.times, last), last))
        amounts = amounts * within.reshape(-1, *([1] * (amounts.ndim - 1)))
    return np.broadcast_to(amounts.sum(axis=0), (n,))


def _share(given: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """Given over planned; all of it where nothing was planned."""
    return np.divide(given, planned, out=np.ones(given.shape), where=planned > 0)


def _spread(values: np.ndarray, able: np.ndarray, n: int, fill: float = np.nan) -> np.ndarray:
    """Values of some patients at their places among all, along the last axis."""
    out = np.full((*values.shape[:-1], n), fill)
    out[..., able] = values
    return out
