"""The conduct of a trial: who is enrolled, what happens to them in every arm, and what is measured.

Patients are worked through in chunks; every number depends on the patient alone, so chunk size changes
no bit of the result. All arms use the same virtual patients with the same luck (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from organ_models.schedules import Schedule
from organ_models.solvers import Failure
from trials.compose import compose, compose_arms
from trials.dosing import doses_of, sized
from trials.enrolment import Enrolled, enrol, needed_quantities, screen
from trials.outcomes import COMPLETED, FAILED, WITHDRAWN, Outcomes
from trials.protocol import Arm, Protocol
from trials.survival import check_outputs, output_column, ports_read
from trials.treatment import new_lesion_days, reading, treat
from vht.cohort import Cohort
from vht.cycles import cycles_on, first_failure
from vht.patient import VirtualPatient
from vht.population import baseline_table, impute
from vht.simulation import SAMPLE, numerical_error

CHUNK = 512
"""Patients that are worked on at once; bounds memory and changes no result."""

DROPOUT = "dropout"
UNSIZED = "no_body_size_on_record"
"""Why a patient fails whose doses go by a weight or height that the record does not hold."""


@dataclass(frozen=True)
class Numerics:
    """How well the equations were solved.

    Attributes:
        largest_residual: largest change of a periodic state over one beat, weighted, over all solved cycles.
        largest_pressure_residual: largest distance of a personalised pressure from the record, mm[Hg].
        cycles: periodic cycles that were solved.
        step_error: largest relative change of any output when every step is halved, on a sample.
        step_error_port: the output that changes most.
        step_error_patients: size of the sample.
    """

    largest_residual: float
    largest_pressure_residual: float
    cycles: int
    step_error: float = float("nan")
    step_error_port: str = ""
    step_error_patients: int = 0


@dataclass(frozen=True)
class Conduct:
    """What :func:`conduct` returns: the outcomes and how well they were solved."""

    outcomes: Outcomes
    numerics: Numerics


@dataclass
class _Collected:
    """Rows that chunks contribute."""

    baseline: list[pd.DataFrame] = field(default_factory=list)
    disposition: list[pd.DataFrame] = field(default_factory=list)
    measurements: list[pd.DataFrame] = field(default_factory=list)
    peaks: list[pd.DataFrame] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    pressure_residuals: list[float] = field(default_factory=list)
    cycles: int = 0


def conduct(
    protocol: Protocol,
    cohort: Cohort,
    *,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> Conduct:
    """Run a trial over a cohort of patient states.

    Args:
        protocol: the declared trial.
        cohort: imported patient states.
        chunk: patients worked on at once.
        progress: called with (patients done, patients in all).

    Returns:
        :class:`Conduct`. Patients whose solve failed are rows of the disposition with a reason.

    Raises:
        ProtocolError: the protocol's models do not fit together, or nobody is eligible.
    """
    patient, arms = compose(protocol), compose_arms(protocol)
    check_outputs(protocol, patient)
    wanted = needed_quantities(protocol, patient)
    if "heart_rate" in wanted:
        cohort = impute(cohort, seed=protocol.seed)
    table = baseline_table(cohort, wanted)
    table, screening = screen(protocol, cohort, table)
    if table.empty:
        reasons = ", ".join(f"{k}: {v}" for k, v in screening.excluded.items())
        raise protocol.error_at(
            ("population", "eligibility"),
            f"no patient of the {screening.assessed} imported ones is eligible ({reasons})",
        )
    collected = _Collected()
    for begin in range(0, len(table), chunk):
        part = table.iloc[begin : begin + chunk].reset_index(drop=True)
        _run_chunk(protocol, arms, part, collected)
        if progress is not None:
            progress(min(begin + chunk, len(table)), len(table))
    outcomes = Outcomes(
        baseline=pd.concat(collected.baseline, ignore_index=True),
        disposition=_stacked(collected.disposition, protocol),
        measurements=_stacked(collected.measurements, protocol),
        peaks=_stacked(collected.peaks, protocol),
        screening=screening,
    )
    numerics = Numerics(
        max(collected.residuals, default=0.0),
        max(collected.pressure_residuals, default=0.0),
        collected.cycles,
        *_step_error(protocol, arms, table.iloc[:SAMPLE].reset_index(drop=True)),
    )
    return Conduct(outcomes, numerics)


# ---------------------------------------------------------------------------------------------------


def _run_chunk(
    protocol: Protocol, arms: Mapping[str, VirtualPatient], table: pd.DataFrame, collected: _Collected
) -> None:
    made = enrol(protocol, arms, table)
    # arms differ in slow models alone, which these rows do not tell of
    _collect(made[protocol.arms[0].name], collected)
    for arm in protocol.arms:
        _run_arm(protocol, arms[arm.name], arm, made[arm.name], collected)


def _collect(made: Enrolled, collected: _Collected) -> None:
    table = made.table
    collected.baseline.append(table)
    for base in made.baselines.values():
        collected.cycles += len(table)
        collected.residuals += _finite(base.orbits.residual[made.unmade == None])  # noqa: E711
    for name in table.columns:
        if name.endswith("_blood_pressure_residual"):
            collected.pressure_residuals += _finite(np.abs(table[name].to_numpy(float)))


def _run_arm(
    protocol: Protocol, patient: VirtualPatient, arm: Arm, made: Enrolled, collected: _Collected
) -> None:
    people, baselines, table = made.people, made.baselines, made.table
    unmade, left, known = made.unmade, made.left, sized(arm, made.bodies)
    n, last = len(people), round(protocol.duration_days)
    grid = np.array(protocol.grid_days()).astype(int)
    able = np.flatnonzero((unmade == None) & people.valid() & known)  # noqa: E711
    lesions = new_lesion_days(protocol, arm, people)
    planned = doses_of(protocol, patient, arm, made.bodies, people.study_numbers)
    treated = treat(protocol, patient, arm, people, planned, baselines, able, lesions)
    course = treated.course
    days = np.concatenate([np.broadcast_to(grid[:, None], (grid.size, n)), _peak_days(patient, course, n)])
    cycles = cycles_on(
        patient,
        {name: base.take(able) for name, base in baselines.items()},
        {port: trace[:, able] for port, trace in course.items()},
        days[:, able],
    )
    failure = unmade.copy()
    failure[able] = first_failure(people.take(able), {p: t[:, able] for p, t in course.items()}, cycles)
    failure[(failure == None) & ~people.valid()] = Failure.INVALID_PARAMETER  # noqa: E711
    unsized = (failure == None) & ~known  # noqa: E711
    fine = (failure == None) & known  # noqa: E711
    collected.cycles += days[:, able].size if patient.cyclic else 0
    collected.residuals += _finite(cycles.residual[fine[able]])

    failed_reason = np.where(unsized, UNSIZED, [f.name.lower() if f is not None else "" for f in failure])
    withdrawn = left < last
    status = np.where(~fine, FAILED, np.where(withdrawn, WITHDRAWN, COMPLETED))
    reason = np.where(~fine, failed_reason, np.where(withdrawn, DROPOUT, ""))
    collected.disposition.append(
        pd.DataFrame(
            {
                "arm": arm.name,
                "pseudonym": table["pseudonym"],
                "status": status,
                "reason": reason,
                "last_day": np.where(fine, np.minimum(left, last), 0.0),
                "new_lesion_day": np.where(fine & (lesions <= last), lesions, np.nan),
                "held_days": np.where(fine, treated.held_days, np.nan),
                "stopped_day": np.where(fine, treated.stopped_day, np.nan),
                "dose_share": np.where(fine, treated.dose_share, np.nan),
                **{
                    output_column(port): np.where(fine, treated.course[port][0], np.nan)
                    for port in ports_read(protocol)
                },
            }
        )
    )
    column = {lane: i for i, lane in enumerate(able)}
    kept = np.flatnonzero(fine)
    for name in protocol.measured_quantities:
        port = patient.output_of(name)
        assert port is not None
        if port in cycles.outputs:
            beat = cycles.outputs[port][:, [column[i] for i in kept]]
            true, looked = beat[: grid.size], days[:, kept]
        else:
            true, looked = course[port][grid][:, kept], np.arange(last + 1)[:, None].repeat(kept.size, 1)
            beat = course[port][:, kept]
        collected.measurements.append(_measure(protocol, arm, name, grid, true, table.iloc[kept], left[kept]))
        row = np.argmax(beat, axis=0) if kept.size else np.zeros(0, dtype=int)
        collected.peaks.append(
            pd.DataFrame(
                {
                    "arm": arm.name,
                    "pseudonym": table["pseudonym"].to_numpy()[kept],
                    "quantity": name,
                    "true_peak": beat[row, np.arange(kept.size)],
                    "true_peak_day": looked[row, np.arange(kept.size)].astype(float),
                }
            )
        )


def _step_error(
    protocol: Protocol, arms: Mapping[str, VirtualPatient], table: pd.DataFrame
) -> tuple[float, str, int]:
    """The largest change of an output when every step is halved, over the arms, and whose; the same patients
    however large chunks are."""
    grid = np.array(protocol.grid_days()).astype(int)
    errors = []
    enrolled = enrol(protocol, arms, table)
    for arm in protocol.arms:
        patient, made = arms[arm.name], enrolled[arm.name]
        people = made.people
        able = np.flatnonzero((made.unmade == None) & people.valid() & sized(arm, made.bodies))  # noqa: E711
        if able.size == 0:
            continue
        doses = doses_of(protocol, patient, arm, made.bodies, people.study_numbers)
        if arm.policies:
            lesions = new_lesion_days(protocol, arm, people)
            doses = treat(protocol, patient, arm, people, doses, made.baselines, able, lesions).doses
        own = {port: _of_lanes(dose, able) for port, dose in doses.items()}
        errors.append(numerical_error(patient, people.take(able), own, grid))
    known = [(v, port, e.patients) for e in errors for port, v in e.steps.items() if np.isfinite(v)]
    return max(known, default=(float("nan"), "", 0))


def _of_lanes(dose: np.ndarray | Schedule, lanes: np.ndarray) -> np.ndarray | Schedule:
    if isinstance(dose, Schedule):
        return dose.take(lanes)
    return dose[:, lanes] if dose.ndim == 2 else dose


def _measure(
    protocol: Protocol,
    arm: Arm,
    name: str,
    grid: np.ndarray,
    true: np.ndarray,
    table: pd.DataFrame,
    left: np.ndarray,
) -> pd.DataFrame:
    """True values on the grid, and what a visit reads of them; ``true`` has shape (days, patients)."""
    numbers = table["study_number"].to_numpy(np.int64)
    visits = set(protocol.visit_days(name))
    observed = np.full(true.shape, np.nan)
    for row, day in enumerate(grid):
        if float(day) in visits:
            measured = reading(protocol, name, float(day), true[row], numbers)
            observed[row] = np.where(day <= left, measured, np.nan)
    days, people = true.shape
    return pd.DataFrame(
        {
            "arm": arm.name,
            "pseudonym": np.tile(table["pseudonym"].to_numpy(), days),
            "quantity": name,
            "day": np.repeat(grid.astype(float), people),
            "true": true.ravel(),
            "observed": observed.ravel(),
            "is_visit": np.repeat([float(day) in visits for day in grid], people),
        }
    )


def _peak_days(patient: VirtualPatient, course: dict[str, np.ndarray], n: int) -> np.ndarray:
    """Days on which a cyclic output may peak between grid days: where what drives it is largest."""
    drivers = [
        ".".join(w.source) for w in [*patient.solving, *patient.wires] if w.target[0] in _cyclic(patient)
    ]
    if not drivers:
        return np.zeros((0, n), dtype=int)
    with np.errstate(invalid="ignore"):
        return np.stack([np.argmax(np.nan_to_num(course[d], nan=-np.inf), axis=0) for d in drivers])


def _cyclic(patient: VirtualPatient) -> set[str]:
    return {m.name for m in patient.cyclic}


def _stacked(parts: list[pd.DataFrame], protocol: Protocol) -> pd.DataFrame:
    """Rows of all chunks in an order that does not depend on chunks."""
    table = pd.concat(parts, ignore_index=True)
    order = {arm.name: i for i, arm in enumerate(protocol.arms)}
    table["_arm"] = table["arm"].map(order)
    keys = ["_arm", *[c for c in ("quantity", "day", "pseudonym") if c in table]]
    return table.sort_values(keys, kind="stable").drop(columns="_arm").reset_index(drop=True)


def _finite(array: np.ndarray) -> list[float]:
    return [float(v) for v in np.asarray(array, float) if np.isfinite(v)]
