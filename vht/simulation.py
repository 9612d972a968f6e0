"""Simulation of virtual patients over days, with the heart's cycle evaluated where someone looks.

The slow models run first (:mod:`vht.course`); the cyclic ones are evaluated on the reporting days
(:mod:`vht.cycles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from organ_models.engines import EngineError, Precision, require_precision
from organ_models.model import fields, take
from organ_models.precision import require_float64
from organ_models.schedules import Schedule
from organ_models.solvers import waveforms
from vht.course import Course, Doses, course
from vht.cycles import Baseline, Cycles, cycles_on, first_failure, untreated
from vht.feeds import constant_inputs
from vht.interleaved import interleaved_course, reads_cycle, relative_difference
from vht.patient import VirtualPatient
from vht.population import Individuals, typical
from vht.snapshot import Snapshot, check, composition
from vht.transient import Standing, Transient, TransientState, simulate_transient

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
        error: how far the outputs are from what finer steps give.
        state: where the patients stand on the last day; ``state.save(path)`` keeps it.
        baselines: untreated cycles, by cyclic model.
    """

    patient: VirtualPatient
    days: np.ndarray
    outputs: dict[str, np.ndarray]
    failure: np.ndarray
    residual: np.ndarray
    cycles: Cycles
    individuals: Individuals
    error: NumericalError
    state: Snapshot
    baselines: dict[str, Baseline]

    def __repr__(self) -> str:
        failed = sum(f is not None for f in self.failure)
        return (
            f"Simulation({self.failure.size} virtual patients, days {self.days[0]:g} to {self.days[-1]:g}, "
            f"{failed} failed, {len(self.outputs)} outputs)"
        )

    def standing(self, patient: VirtualPatient, day: float | None = None) -> Standing:
        """Where the slow models stand on a reporting day, the last one if absent."""
        if patient is not self.patient:
            check(self.state.composition, patient)
        row = self._row(float(self.days[-1]) if day is None else day)
        slow = {f"{m.name}.{o}" for m in self.patient.slow for o in fields(m.Outputs)}
        outputs = {port: trace[row] for port, trace in self.outputs.items() if port in slow}
        return Standing(outputs, self.baselines, self.failure)

    def _row(self, day: float) -> int:
        if day not in self.days:
            raise ValueError(f"day {day:g} is not a reporting day of this simulation")
        return int(np.flatnonzero(self.days == day)[0])

    def waveform(self, day: float, individual: int = 0) -> dict[str, np.ndarray]:
        """Signals of the cyclic model over one beat of one patient: ``time`` (s) and each signal."""
        if not self.patient.cyclic:
            raise ValueError("this virtual patient has no cyclic model")
        row = self._row(day)
        model = self.patient.cyclic[0]
        parameters = take(self.individuals.parameters[model.name], [individual], len(self.individuals))
        ports = {p: self.cycles.inputs[f"{model.name}.{p}"][row, [individual]] for p in fields(model.Inputs)}
        state = self.cycles.states[model.name][row][:, [individual]]
        traces = waveforms(model, parameters, model.Inputs(**ports), state)
        return {name: trace[:, 0] for name, trace in traces.items()}

    def plot_wiggers(self, individual: int | None = 0, day: float | None = None) -> Figure:
        """Pressures, flows, volumes and valve events over one beat.

        Of the cohort where ``individual`` is None; see :func:`vht.cardiac_plots.plot_wiggers`.
        """
        from vht.cardiac_plots import plot_wiggers

        return plot_wiggers(self, individual, day=day)

    def plot_pressure_volume(
        self,
        individual: int | Sequence[int] | None = 0,
        days: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Figure:
        """Pressure–volume loops: of a patient on some days, of several patients, or of the cohort (None).

        See :func:`vht.cardiac_plots.plot_pressure_volume`.
        """
        from vht.cardiac_plots import plot_pressure_volume

        return plot_pressure_volume(self, individual, days=days, labels=labels)

    def plot_nadir(self, output: str | None = None) -> Figure:
        """A blood count over time with everyone's nadir and its grade.

        See :func:`vht.cohort_plots.plot_nadir`.
        """
        from vht.cohort_plots import plot_nadir

        return plot_nadir(self, output)

    def plot_exposure_response(
        self, exposure: str, response: str, *, day: float | None = None, change: bool = True
    ) -> Figure:
        """A response against an exposure over patients.

        See :func:`vht.cohort_plots.plot_exposure_response`.
        """
        from vht.cohort_plots import plot_exposure_response

        return plot_exposure_response(self, exposure, response, day=day, change=change)

    def plot(self, individual: int = 0) -> Figure:
        """Pressure–volume loop on the first and last day, and the course of the slow outputs."""
        from vht.plots import plot_simulation

        return plot_simulation(self, individual)


_DAYS = 168


@overload
def simulate(
    patient: VirtualPatient,
    individuals: Individuals | None = ...,
    *,
    doses: Doses | None = ...,
    days: Sequence[float] | int = ...,
    opportunities: Sequence[int] | np.ndarray | None = ...,
    inputs: Mapping[str, Any] | None = ...,
    baselines: Mapping[str, Baseline] | None = ...,
    start: Snapshot | None = ...,
    estimate_error: bool = ...,
    precision: Precision = ...,
    transient: Literal[False] = ...,
) -> Simulation: ...


@overload
def simulate(
    patient: VirtualPatient,
    individuals: Individuals | None = ...,
    *,
    baselines: Mapping[str, Baseline] | None = ...,
    start: TransientState | Simulation | None = ...,
    transient: Literal[True],
    day: float | None = ...,
    duration: float,
    every: float = ...,
    step: float | None = ...,
    inputs: Mapping[str, Any] | None = ...,
    signals_of: Sequence[int] = ...,
) -> Transient: ...


def simulate(
    patient: VirtualPatient,
    individuals: Individuals | None = None,
    *,
    doses: Doses | None = None,
    days: Sequence[float] | int = _DAYS,
    opportunities: Sequence[int] | np.ndarray | None = None,
    inputs: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Baseline] | None = None,
    start: Snapshot | TransientState | Simulation | None = None,
    estimate_error: bool = True,
    precision: Precision = "double",
    transient: bool = False,
    day: float | None = None,
    **seconds: Any,
) -> Simulation | Transient:
    """Simulate virtual patients over days, or beat by beat.

    Args:
        patient: the composition.
        individuals: who; one typical patient if absent.
        doses: by port, in the port's unit, one number for every day, one for each day from day 0 on, or an
            array ``(days, n)``. A port is an input that no coupling feeds, whose value holds for the day, or
            an event of a model, an amount that arrives as the day begins. A
            :class:`organ_models.schedules.Schedule` gives at instants within days (infusions).
        days: reporting days from 0, the last a whole number; an integer means every seventh day up to it, and
            it.
        opportunities: days on which doses may change or arrive, where they are not told by the doses alone:
            patients with doses of their own may get one on any day if this is absent, and steps that grow
            after a dose start anew on each. See :func:`vht.course.course`.
        inputs: by open port of a cyclic model or a controller, what it holds on all days: a number, or one
            for each patient. A snapshot does not keep them: who goes on from one gives them again. In a
            transient also ``(times, values)``, see
            :func:`vht.transient.simulate_transient`.
        baselines: from :func:`untreated`, where personalisation was done already.
        start: where an earlier simulation stopped; it goes on from that day with the same patients and
            baselines, to the bit as if it had only reported on that day and never stopped.
        estimate_error: whether :attr:`Simulation.error` is filled, which runs the first :data:`SAMPLE` people
            again with finer steps: of a few people it takes most of the time.
        precision: ``"single"`` computes the rates of stepped slow models in single precision, which
            is faster; time, doses, states and closed forms stay double. For slow models alone, on the native
            engine. :attr:`Simulation.error` then holds the rounding too.
        transient: beat by beat on a clock of seconds, with the controllers' delays. Then ``doses`` and
            ``days`` are not taken, and ``seconds`` are the arguments of
            :func:`vht.transient.simulate_transient`: ``duration``, ``every``, ``step``, ``signals_of``.
            The slow models are held where they stand on day 0; where ``start`` is a simulation, on one of its
            days and with its patients; where it is the state of a transient, as they were.
        day: the day of that simulation; its last one if absent.

    Returns:
        :class:`Simulation`, or :class:`vht.transient.Transient`.

    Raises:
        CompositionError: a dose at a port that takes none.
        SnapshotError: a start that belongs to another composition.
        EngineError: single precision where a model of the composition cannot be computed in it.

    Example:
        >>> import vht
        >>> vht.simulate(vht.sunitinib_gist(), doses={"sunitinib_exposure.daily_dose": 37.5}, days=14)
        Simulation(1 virtual patients, days 0 to 14, 0 failed, 32 outputs)
    """
    require_float64()
    _check_precision(patient, precision)
    if transient:
        if doses is not None or opportunities is not None or days != _DAYS:
            raise ValueError("a transient takes 'duration' and 'inputs', no doses and days")
        if isinstance(start, Snapshot):
            raise ValueError("a transient starts from a simulation or from the state of a transient")
        if isinstance(start, Simulation):
            if individuals is not None:
                raise ValueError("a start says who the individuals are; leave them out")
            stands = start.standing(patient, day)
            return simulate_transient(
                patient, start.individuals, inputs=inputs, baselines=baselines, start=stands, **seconds
            )
        if day is not None:
            raise ValueError("'day' is a day of a simulation; give that as 'start'")
        who = typical(patient) if individuals is None else individuals
        return simulate_transient(patient, who, inputs=inputs, baselines=baselines, start=start, **seconds)
    if seconds or day is not None:
        wrong = [*seconds, *([] if day is None else ["day"])]
        raise TypeError(f"simulate takes {', '.join(wrong)} only with transient=True")
    if isinstance(start, TransientState | Simulation):
        raise ValueError("a simulation over days starts from the state of one")
    if start is not None:
        if individuals is not None:
            raise ValueError("a start says who the individuals are; leave them out")
        check(start.composition, patient)
        people = start.individuals
    else:
        people = typical(patient) if individuals is None else individuals
    first = 0 if start is None else start.day
    report = _reporting_days(days, first)
    known = {**({} if start is None else start.cycles), **(baselines or {})}
    for model in patient.cyclic:
        if model.name not in known:
            known[model.name] = untreated(patient, model, people)
    begin = None if start is None else start.slow
    held = constant_inputs(patient, inputs or {}, len(people))
    run = _Run(patient, people, doses or {}, report, first, begin, opportunities, held, precision)
    slow, cycles = run.solve(known)
    failure = first_failure(people, slow.outputs, cycles)
    outputs = slow.outputs | cycles.outputs
    for trace in outputs.values():
        trace[:, failure != None] = np.nan  # noqa: E711
    state = Snapshot(composition(patient), int(report[-1]), slow.state, known, people)
    error = run.errors(outputs, failure) if estimate_error else NumericalError(0, {}, {})
    return Simulation(patient, report, outputs, failure, cycles.residual, cycles, people, error, state, known)


SAMPLE = 32
"""Patients of a cohort, the first ones, on whom the numerical error is estimated."""


@dataclass(frozen=True)
class NumericalError:
    """How far outputs are from what finer steps give, on a sample of the cohort.

    Attributes:
        patients: size of the sample.
        steps: largest difference to half the steps, relative to the patient's largest value, by port.
        splitting: the same to twice the macro-step, where a slow model reads the cycle; else empty.
    """

    patients: int
    steps: dict[str, float]
    splitting: dict[str, float]

    @property
    def largest(self) -> float:
        """The largest of all, NaN if there are none."""
        known = [v for v in (*self.steps.values(), *self.splitting.values()) if np.isfinite(v)]
        return max(known, default=float("nan"))

    def __repr__(self) -> str:
        return f"NumericalError({self.largest:.1e} at most, on {self.patients} virtual patients)"


@dataclass(frozen=True)
class _Run:
    """What is simulated, so that it can be repeated with other steps."""

    patient: VirtualPatient
    people: Individuals
    doses: Doses
    report: np.ndarray
    first: int
    start: np.ndarray | None
    opportunities: Sequence[int] | np.ndarray | None = None
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    precision: Precision = "double"

    def solve(
        self, baselines: Mapping[str, Baseline], *, refine: int = 1, macro: int = 1
    ) -> tuple[Course, Cycles]:
        patient, people = self.patient, self.people
        if reads_cycle(patient):
            slow = interleaved_course(
                patient,
                people,
                self.doses,
                self.report,
                baselines,
                start_day=self.first,
                start=self.start,
                opportunities=self.opportunities,
                given=self.inputs,
                macro=macro,
                refine=refine,
            )
        else:
            slow = course(
                patient,
                people,
                self.doses,
                self.report,
                start_day=self.first,
                start=self.start,
                opportunities=self.opportunities,
                refine=refine,
                precision=self.precision,
            )
        rows = np.broadcast_to(np.arange(self.report.size)[:, None], (self.report.size, len(people)))
        return slow, cycles_on(patient, baselines, slow.outputs, rows, given=self.inputs, refine=refine)

    def errors(self, outputs: Mapping[str, np.ndarray], failure: np.ndarray) -> NumericalError:
        fine = np.flatnonzero(failure == None)[:SAMPLE]  # noqa: E711
        if fine.size == 0:
            return NumericalError(0, {}, {})
        sample = replace(
            self,
            people=self.people.take(fine),
            doses={p: _for_patients(d, fine, len(self.people)) for p, d in self.doses.items()},
            start=None if self.start is None else self.start[:, fine],
            inputs={p: column[fine] for p, column in self.inputs.items()},
            precision="double",
        )
        here = {port: trace[:, fine] for port, trace in outputs.items()}

        def differences(refine: int, macro: int) -> dict[str, float]:
            finer = {
                m.name: untreated(sample.patient, m, sample.people, refine=refine)
                for m in sample.patient.cyclic
            }
            slow, cycles = sample.solve(finer, refine=refine, macro=macro)
            there = slow.outputs | cycles.outputs
            return {port: relative_difference(here[port], there[port]) for port in here}

        splitting = differences(1, 2) if reads_cycle(self.patient) else {}
        return NumericalError(int(fine.size), differences(2, 1), splitting)


def numerical_error(
    patient: VirtualPatient, people: Individuals, doses: Doses, days: Sequence[int] | np.ndarray
) -> NumericalError:
    """How far outputs are from what finer steps give, on the first :data:`SAMPLE` patients."""
    sample = people.take(np.arange(min(len(people), SAMPLE)))
    few = {p: _for_patients(d, np.arange(len(sample)), len(people)) for p, d in doses.items()}
    run = _Run(patient, sample, few, np.asarray(days), 0, None)
    slow, cycles = run.solve({m.name: untreated(patient, m, sample) for m in patient.cyclic})
    return run.errors(slow.outputs | cycles.outputs, first_failure(sample, slow.outputs, cycles))


def _check_precision(patient: VirtualPatient, precision: Precision) -> None:
    require_precision(precision)
    in_double = [m.name for m in patient.models.values() if m.clock == "s"]
    if precision == "single" and in_double:
        raise EngineError(
            f"single precision is for slow models; {', '.join(in_double)} can be computed in double only: "
            "leave 'precision' out"
        )


def _for_patients(dose: Any, lanes: np.ndarray, n: int) -> Any:
    if isinstance(dose, Schedule):
        return dose.take(lanes)
    amounts = np.asarray(dose, dtype=float)
    return amounts[:, lanes] if amounts.ndim == 2 and amounts.shape[1] == n else amounts


def _reporting_days(days: Sequence[float] | int, first: int) -> np.ndarray:
    wanted = np.asarray(days)
    if wanted.ndim == 0:
        wanted = np.append(np.arange(first, float(wanted), 7), wanted)
    report = np.unique(wanted)
    if report.size == 0 or not np.all(np.isfinite(report)) or report[0] < first or report[-1] % 1 != 0:
        raise ValueError(f"days must be whole numbers from {first} on; fractions may be read between them")
    whole = report.astype(int)
    return whole if np.array_equal(whole, report) else report
