"""Dosing policies: what a patient gets next, decided on what was seen at visits.

A policy is a pure function

    policy(observation, memory, key) -> (action, memory)

of what was measured, of what it remembers, and of the key that its random numbers come from. It is
elementwise over patients: nobody's treatment depends on a neighbour. What was not measured (NaN) decides
nothing. The first memory is empty. :mod:`vht.managed` runs a course under policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vht.randomness import normal, uniform
from vht.recist import progressed

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Memory = Mapping[str, np.ndarray]
"""What a policy remembers, by name, one entry a patient."""

NEW_LESION = "new_lesion"
"""Name under which an observation tells whether a new lesion was seen: 1, 0, or NaN where nobody looked."""


@dataclass(frozen=True)
class Observation:
    """What is known at a visit.

    Attributes:
        day: day of the visit; it comes before that day's dose.
        patients: how many patients it tells of.
        values: measured values by quantity in its canonical unit, NaN where not taken, shape (patients,).
    """

    day: int
    patients: int
    values: Mapping[str, Values]

    def of(self, name: str) -> Values:
        """Values of a quantity, NaN for everybody where it was not looked for at this visit."""
        return self.values[name] if name in self.values else np.full(self.patients, np.nan)


@dataclass(frozen=True)
class Key:
    """Where a policy's random numbers come from: study, patient and day of the decision.

    Attributes:
        seed: the study's seed.
        study_numbers: of the patients, shape (patients,).
        day: day of the decision.
    """

    seed: int
    study_numbers: np.ndarray
    day: int

    def uniform(self, purpose: str) -> Values:
        """Uniform numbers in (0, 1), one a patient; another purpose is an independent stream."""
        return uniform(self.seed, self.study_numbers, f"policy {purpose}", float(self.day))

    def normal(self, purpose: str) -> Values:
        """Standard normal numbers, as :meth:`uniform`."""
        return normal(self.seed, self.study_numbers, f"policy {purpose}", float(self.day))


@dataclass(frozen=True)
class Action:
    """What holds until the next decision, one entry a patient, shape (patients,).

    Attributes:
        level: multiple of the scheduled dose.
        hold: nothing is given.
        wait: while held, the schedule waits and goes on later where it stopped (a delay); where it does not,
            the doses of these days are left out.
        stop: treatment has ended for good; nothing is given either.
    """

    level: Values
    hold: Flags
    wait: Flags
    stop: Flags

    @property
    def share(self) -> Values:
        """Share of the scheduled dose that is given."""
        return np.where(self.hold | self.stop, 0.0, self.level)


Policy = Callable[[Observation, Memory, Key], tuple[Action, Memory]]


def as_scheduled(patients: int) -> Action:
    """The action that leaves the schedule as it is."""
    no = np.zeros(patients, dtype=bool)
    return Action(np.ones(patients), no, no, no)


def together(actions: Sequence[Action], patients: int) -> Action:
    """Several actions at once: levels multiply, any hold holds, any stop stops.

    The schedule waits where one of those that hold asks it to.
    """
    whole = as_scheduled(patients)
    for each in actions:
        whole = Action(
            whole.level * each.level,
            whole.hold | each.hold,
            whole.wait | (each.hold & each.wait),
            whole.stop | each.stop,
        )
    return whole


@dataclass(frozen=True)
class FixedSchedule:
    """Everything as scheduled, whatever is seen."""

    @property
    def observes(self) -> tuple[str, ...]:
        """Quantities that it decides on."""
        return ()

    def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        """The schedule as it is."""
        return as_scheduled(observation.patients), memory


@dataclass(frozen=True)
class ReduceOnNeutropenia:
    """Delay while neutrophils are low, and lower the dose after a deep fall.

    A count below ``hold_below`` holds treatment, and the schedule waits, until a count of ``resume_from`` or
    more is seen. A fall below ``reduce_below`` lowers the dose by one level, once until the count has been
    ``resume_from`` again; a fall after the last level ends treatment. The memory holds the lowest count seen
    (``nadir``), the level (``steps``), and whether the patient is held and in a fall.

    Attributes:
        quantity: the neutrophil count.
        hold_below, resume_from, reduce_below: in the unit of the quantity.
        levels: multiples of the scheduled dose, from the first on.
    """

    quantity: str
    hold_below: float
    resume_from: float
    reduce_below: float
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (self.hold_below <= self.resume_from and self.reduce_below <= self.resume_from):
            raise ValueError("resume_from must be at least hold_below and reduce_below")
        if not self.levels or min(self.levels) < 0:
            raise ValueError("levels must be one or more multiples of the dose, none negative")

    @property
    def observes(self) -> tuple[str, ...]:
        """Quantities that it decides on."""
        return (self.quantity,)

    def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        """The rule; see the class."""
        n = observation.patients
        count = observation.of(self.quantity)
        nadir = np.fmin(memory.get("nadir", np.full(n, np.nan)), count)
        recovered = count >= self.resume_from
        falling = memory.get("falling", np.zeros(n, dtype=bool)) & ~recovered
        fell = (count < self.reduce_below) & ~falling
        steps = memory.get("steps", np.zeros(n, dtype=int)) + fell
        held = (memory.get("held", np.zeros(n, dtype=bool)) & ~recovered) | (count < self.hold_below)
        level = np.asarray(self.levels, float)[np.minimum(steps, len(self.levels) - 1)]
        action = Action(level, held, held, steps >= len(self.levels))
        return action, {"nadir": nadir, "falling": falling | fell, "steps": steps, "held": held}


@dataclass(frozen=True)
class HoldOnPressure:
    """Hold at high diastolic pressure until it has come down.

    Treatment is held at ``hold_at`` and above and resumed below ``resume_below``; in between what was decided
    last stays (hysteresis, in the memory).

    Attributes:
        quantity: the diastolic pressure.
        hold_at, resume_below: in its unit.
        wait: whether the schedule waits meanwhile; else these doses are left out.
    """

    quantity: str
    hold_at: float
    resume_below: float
    wait: bool = False

    def __post_init__(self) -> None:
        if not self.resume_below <= self.hold_at:
            raise ValueError("resume_below must not be above hold_at")

    @property
    def observes(self) -> tuple[str, ...]:
        """Quantities that it decides on."""
        return (self.quantity,)

    def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        """The rule; see the class."""
        n = observation.patients
        pressure = observation.of(self.quantity)
        before = memory.get("held", np.zeros(n, dtype=bool))
        held = (pressure >= self.hold_at) | (before & ~(pressure < self.resume_below))
        never = np.zeros(n, dtype=bool)
        return Action(np.ones(n), held, np.full(n, self.wait), never), {"held": held}


@dataclass(frozen=True)
class StopOnProgression:
    """End treatment at progression by RECIST 1.1: of the sum of target lesions, or by a new lesion.

    The memory holds the baseline (the first sum seen) and the smallest sum so far (``nadir``).

    Attributes:
        quantity: the sum of diameters, mm.
    """

    quantity: str

    @property
    def observes(self) -> tuple[str, ...]:
        """Quantities that it decides on."""
        return (self.quantity,)

    def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        """The rule; see the class."""
        n = observation.patients
        sums = observation.of(self.quantity)
        unknown = np.full(n, np.nan)
        baseline = memory.get("baseline", unknown)
        baseline = np.where(np.isnan(baseline), sums, baseline)
        nadir = memory.get("nadir", unknown)
        seen = progressed(sums, nadir, baseline) | (observation.of(NEW_LESION) == 1.0)
        stopped = memory.get("stopped", np.zeros(n, dtype=bool)) | seen
        no = np.zeros(n, dtype=bool)
        kept = {"baseline": baseline, "nadir": np.fmin(nadir, sums), "stopped": stopped}
        return Action(np.ones(n), no, no, stopped), kept


@dataclass(frozen=True)
class AdaptiveHalving:
    """Adaptive therapy: off when a marker has fallen to a share of where it was, on again when it is back.

    The reference is the marker at the first visit. Treatment goes off where the marker is below ``share`` of
    it and on where it is above the reference; in between what was decided last stays. Off days are left out
    of the schedule.

    Source: the rule of the adaptive abiraterone trial (Zhang et al., eLife 2022), off below 50 %.

    Attributes:
        quantity: the marker (prostate-specific antigen).
        share: of the reference.
    """

    quantity: str
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError("share must lie between 0 and 1")

    @property
    def observes(self) -> tuple[str, ...]:
        """Quantities that it decides on."""
        return (self.quantity,)

    def __call__(self, observation: Observation, memory: Memory, key: Key) -> tuple[Action, Memory]:
        """The rule; see the class."""
        n = observation.patients
        marker = observation.of(self.quantity)
        reference = memory.get("reference", np.full(n, np.nan))
        reference = np.where(np.isnan(reference), marker, reference)
        before = memory.get("off", np.zeros(n, dtype=bool))
        off = (marker < self.share * reference) | (before & ~(marker > reference))
        no = np.zeros(n, dtype=bool)
        return Action(np.ones(n), off, no, no), {"reference": reference, "off": off}
