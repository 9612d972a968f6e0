"""The conduct of a trial: who is enrolled, what happens to them in every arm, and what is measured.

Patients are worked through in chunks; every number depends on the patient alone, so chunk size changes
no bit of the result. All arms use the same virtual patients with the same luck (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from organ_models.model import fields
from organ_models.solvers import Failure
from trials.compose import compose, doses_of
from trials.outcomes import COMPLETED, FAILED, WITHDRAWN, Outcomes, Screening
from trials.protocol import Arm, Protocol
from trials.treatment import dropout_days, new_lesion_days, reading, treat
from vht.concepts import of_class
from vht.cycles import Baseline, baseline_of, controls_of, cycles_on, first_failure, untreated
from vht.patient import VirtualPatient
from vht.personalisation import personalise
from vht.population import Individuals, baseline_table, impute, individuals
from vht.quantities import quantity
from vht.simulation import SAMPLE, numerical_error
from vht.store import Cohort

CHUNK = 512
"""Patients that are worked on at once; bounds memory and changes no result."""

DROPOUT = "dropout"


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
    patient = compose(protocol)
    wanted = _needed_quantities(protocol, patient)
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
        _run_chunk(protocol, patient, part, collected)
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
        *_step_error(protocol, patient, table.iloc[:SAMPLE].reset_index(drop=True)),
    )
    return Conduct(outcomes, numerics)


def screen(protocol: Protocol, cohort: Cohort, table: pd.DataFrame) -> tuple[pd.DataFrame, Screening]:
    """Apply the eligibility; every patient who is left out counts under the first rule they miss."""
    rules = protocol.population.eligibility
    out = pd.Series("", index=table.index, dtype=object)

    def exclude(where: Any, reason: str) -> None:
        mask = np.asarray(where, dtype=bool) & (out == "").to_numpy()
        out[mask] = reason

    age = table["age_years"]
    if rules.age.minimum is not None:
        exclude(~(age >= rules.age.minimum.to("a")), "age below the minimum, or not recorded")
    if rules.age.maximum is not None:
        exclude(~(age <= rules.age.maximum.to("a")), "age above the maximum, or not recorded")
    if rules.sex is not None:
        exclude(~table["sex"].isin(rules.sex), "sex")
    for name in rules.conditions:
        exclude(~table["pseudonym"].isin(cohort.with_condition(name)), f"no {_words(name)} on record")
    for name in rules.excluded_conditions:
        exclude(table["pseudonym"].isin(cohort.with_condition(name)), f"{_words(name)} on record")
    for name in rules.excluded_medications:
        rows = cohort.medications
        meant = of_class(name) or (name,)  # a class excludes each of its drugs
        taking = rows.loc[rows["concept"].isin(meant) & rows["end_day"].isna(), "pseudonym"]
        exclude(table["pseudonym"].isin(taking), f"takes {_words(name)}")
    for name in rules.quantities:
        label = quantity(name).label.lower()
        imputed = table[f"{name}_origin"] == "imputed"
        exclude(table[name].isna() | imputed, f"no {label} on record")
    for name, limits in rules.ranges.items():
        unit, label = quantity(name).unit, quantity(name).label.lower()
        recorded = table[name].where(table[f"{name}_origin"] != "imputed")  # a drawn value admits nobody
        if limits.minimum is not None:
            exclude(~(recorded >= limits.minimum.to(unit)), f"{label} below the minimum, or not recorded")
        if limits.maximum is not None:
            exclude(~(recorded <= limits.maximum.to(unit)), f"{label} above the maximum, or not recorded")
    counts = out[out != ""].value_counts(sort=False).sort_index()
    chosen = table[out == ""].reset_index(drop=True)
    for name in dict.fromkeys((*rules.conditions, "hypertension")):
        chosen[f"condition_{name}"] = chosen["pseudonym"].isin(cohort.with_condition(name))
    return chosen, Screening(len(table), {k: int(v) for k, v in counts.items()})


def twins(
    patient: VirtualPatient, table: pd.DataFrame, *, seed: int
) -> tuple[Individuals, dict[str, Baseline], pd.DataFrame, np.ndarray]:
    """Make one virtual patient of every baseline row.

    Returns:
        The individuals; the untreated cycle of every cyclic model; the table with what personalisation
        reports; and per patient None or the :class:`Failure` that kept them from being made.
    """
    people = individuals(patient, table, seed=seed)
    failure = np.full(len(table), None, dtype=object)
    baselines: dict[str, Baseline] = {}
    lacking = table[[q for q in _asked(patient) if q in table]].isna().any(axis=1).to_numpy()
    table = table.copy()
    for model in patient.cyclic:
        assert model.cycle is not None
        start = people.parameters[model.name]
        shown = {name: fields(model.Outputs)[name].quantity for name in model.cycle.targets}
        have = {name: q for name, q in shown.items() if q is not None and q in table}
        if len(have) < len(shown) or not shown:
            baselines[model.name] = untreated(patient, model, people)
            continue
        wanted = {k: table[q].to_numpy(float) for k, q in have.items()}
        fitted = personalise(model, start, wanted)
        people.parameters[model.name] = fitted.parameters
        baselines[model.name] = baseline_of(
            patient, model, fitted.parameters, fitted.orbits, controls_of(patient, people)
        )
        failure[~fitted.solved] = Failure.TARGET_NOT_REACHED
        failure[~np.isfinite(fitted.orbits.residual)] = Failure.DIVERGED
        for name, q in have.items():
            table[f"{q}_residual"] = np.where(fitted.solved, fitted.residuals[name], np.nan)
        for name, declared in fields(model.Outputs).items():
            if declared.quantity == "heart_rate" and "heart_rate" in table:
                read = fitted.orbits.outputs[name] - table["heart_rate"].to_numpy(float)
                table["heart_rate_residual"] = np.where(fitted.solved, read, np.nan)
        table["prior_distance"] = np.where(fitted.solved, fitted.prior_distance, np.nan)
        for name, ratio in fitted.log_ratio.items():
            table[f"{name}_ratio"] = np.where(fitted.solved, np.exp(ratio), np.nan)
            table[f"{name}_posterior_log_sd"] = np.where(fitted.solved, fitted.posterior_log_sd[name], np.nan)
    failure[lacking] = Failure.MISSING_INPUT
    return people, baselines, table, failure


# ---------------------------------------------------------------------------------------------------


def _needed_quantities(protocol: Protocol, patient: VirtualPatient) -> list[str]:
    rules = protocol.population.eligibility
    return list(dict.fromkeys([*_asked(patient), *rules.quantities, *rules.ranges]))


def _asked(patient: VirtualPatient) -> list[str]:
    """Quantities that the models need of a patient: to match, and to start from."""
    shown = [fields(m.Outputs)[t].quantity for m in patient.cyclic if m.cycle for t in m.cycle.targets]
    starts = [f.quantity for m in patient.models.values() for f in fields(m.Parameters).values()]
    return list(dict.fromkeys(q for q in (*shown, *starts) if q))


def _run_chunk(
    protocol: Protocol, patient: VirtualPatient, table: pd.DataFrame, collected: _Collected
) -> None:
    people, baselines, table, unmade = twins(patient, table, seed=protocol.seed)
    collected.baseline.append(table)
    for base in baselines.values():
        collected.cycles += len(table)
        collected.residuals += _finite(base.orbits.residual[unmade == None])  # noqa: E711
    for name in table.columns:
        if name.endswith("_blood_pressure_residual"):
            collected.pressure_residuals += _finite(np.abs(table[name].to_numpy(float)))
    left = dropout_days(protocol, people)
    for arm in protocol.arms:
        _run_arm(protocol, patient, arm, people, baselines, unmade, left, table, collected)


def _run_arm(
    protocol: Protocol,
    patient: VirtualPatient,
    arm: Arm,
    people: Individuals,
    baselines: dict[str, Baseline],
    unmade: np.ndarray,
    left: np.ndarray,
    table: pd.DataFrame,
    collected: _Collected,
) -> None:
    n, last = len(people), round(protocol.duration_days)
    grid = np.array(protocol.grid_days()).astype(int)
    able = np.flatnonzero((unmade == None) & people.valid())  # noqa: E711
    lesions = new_lesion_days(protocol, arm, people)
    treated = treat(protocol, patient, arm, people, baselines, able, lesions)
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
    fine = failure == None  # noqa: E711
    collected.cycles += days[:, able].size if patient.cyclic else 0
    collected.residuals += _finite(cycles.residual[fine[able]])

    failed_reason = [f.name.lower() if f is not None else "" for f in failure]
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


def _step_error(protocol: Protocol, patient: VirtualPatient, table: pd.DataFrame) -> tuple[float, str, int]:
    """The largest change of an output when every step is halved, over the arms, and whose; the same patients
    however large chunks are."""
    people, baselines, _, unmade = twins(patient, table, seed=protocol.seed)
    able = np.flatnonzero((unmade == None) & people.valid())  # noqa: E711
    if able.size == 0:
        return float("nan"), "", 0
    grid = np.array(protocol.grid_days()).astype(int)
    errors = []
    for arm in protocol.arms:
        doses = doses_of(protocol, patient, arm)
        if arm.policies:
            lesions = new_lesion_days(protocol, arm, people)
            doses = treat(protocol, patient, arm, people, baselines, able, lesions).doses
        own = {port: dose[:, able] if dose.ndim == 2 else dose for port, dose in doses.items()}
        errors.append(numerical_error(patient, people.take(able), own, grid))
    known = [(v, port, e.patients) for e in errors for port, v in e.steps.items() if np.isfinite(v)]
    return max(known, default=(float("nan"), "", 0))


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


def _words(name: str) -> str:
    return name.replace("_", " ")
