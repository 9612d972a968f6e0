"""Who takes part: screening by the protocol's eligibility, and a virtual patient of every baseline row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from organ_models.model import fields
from organ_models.solvers import Failure
from trials.dosing import Bodies, sizes_needed
from trials.outcomes import Screening
from trials.protocol import Protocol
from trials.survival import quantities_read
from trials.treatment import dropout_days
from vht.cohort import Cohort
from vht.concepts import of_class
from vht.cycles import Baseline, baseline_of, controls_of, untreated
from vht.patient import VirtualPatient
from vht.personalisation import personalise
from vht.population import Individuals, individuals
from vht.quantities import quantity


@dataclass(frozen=True)
class Enrolled:
    """The virtual patients of a chunk, as arms with the same variants have them.

    Attributes:
        people: their parameters.
        baselines: untreated cycles, by cyclic model.
        table: rows of the baseline table with what personalisation reports.
        unmade: per patient None or the :class:`Failure` that kept them from being made.
        left: day on which each leaves.
        bodies: their sizes.
    """

    people: Individuals
    baselines: dict[str, Baseline]
    table: pd.DataFrame
    unmade: np.ndarray
    left: np.ndarray
    bodies: Bodies


def enrol(protocol: Protocol, arms: Mapping[str, VirtualPatient], table: pd.DataFrame) -> dict[str, Enrolled]:
    """Make the virtual patients of every arm, by its name; the same ones where arms have the same models."""
    made: dict[int, Enrolled] = {}
    for patient in arms.values():
        if id(patient) not in made:
            people, baselines, told, unmade = twins(patient, table, seed=protocol.seed)
            left = dropout_days(protocol, people)
            made[id(patient)] = Enrolled(people, baselines, told, unmade, left, Bodies.of(table))
    return {name: made[id(patient)] for name, patient in arms.items()}


def needed_quantities(protocol: Protocol, patient: VirtualPatient) -> list[str]:
    """Quantities of the record that the trial reads at baseline."""
    rules = protocol.population.eligibility
    asked = [
        *_asked(patient),
        *rules.quantities,
        *rules.ranges,
        *sizes_needed(protocol),
        *quantities_read(protocol),
    ]
    return list(dict.fromkeys(asked))


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


def _asked(patient: VirtualPatient) -> list[str]:
    """Quantities that the models need of a patient: to match, and to start from."""
    shown = [fields(m.Outputs)[t].quantity for m in patient.cyclic if m.cycle for t in m.cycle.targets]
    starts = [f.quantity for m in patient.models.values() for f in fields(m.Parameters).values()]
    return list(dict.fromkeys(q for q in (*shown, *starts) if q))


def _words(name: str) -> str:
    return name.replace("_", " ")
