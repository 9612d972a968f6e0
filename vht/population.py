"""Who is simulated: baseline values from records and priors, and individual model parameters.

What the record holds is used as recorded; a heart rate that it lacks is drawn from an age and sex prior
and marked imputed. Parameters that no record sets are drawn from the published inter-individual
distributions, conditional on those that the record does set.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from organ_models.model import Field, OrganModel, fields, take
from organ_models.solvers import periodic_orbits
from organ_models.variability import deviation_of, individual_value, lower_factor
from vht.cohort import Cohort
from vht.patient import VirtualPatient
from vht.quantities import quantity
from vht.randomness import normal

_AGES = np.arange(32.5, 95.0, 5.0)
_HEART_RATE = 66 + 12 * (np.array([80, 95, 97.5, 96, 94, 93, 90, 84, 76, 66, 57, 51, 51]) - 5) / 94
HEART_RATE_SD = 11.0
HEART_RATE_SEX_DIFFERENCE = 3.0
HEART_RATE_PRIOR_SOURCE = (
    "Age course and SD: Charlton et al. 2019 (Am J Physiol Heart 317:H1062), after Yashin 2006 and Petersen "
    "2017. Women 3/min above men: Ostchega et al. 2011 (Natl Health Stat Report 41: 74 against 71/min)."
)


def heart_rate_prior(age_years: np.ndarray, sex: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of resting heart rate, /min, by age and sex.

    Args:
        age_years: shape ``(n,)``; NaN takes the adult mean (71/min).
        sex: ``"female"`` adds the difference between the sexes; anything else is the men's curve.

    Source: see :data:`HEART_RATE_PRIOR_SOURCE`.
    """
    from scipy.interpolate import PchipInterpolator  # half a second that a single model run does not need

    age = np.clip(np.asarray(age_years, dtype=float), 25.0, 92.5)
    mean = np.where(np.isnan(age), 71.0, PchipInterpolator(_AGES, _HEART_RATE)(np.nan_to_num(age, nan=50.0)))
    mean = mean + HEART_RATE_SEX_DIFFERENCE * np.array([s == "female" for s in sex], dtype=float)
    return mean, np.full(mean.shape, HEART_RATE_SD)


def impute(cohort: Cohort, *, seed: int) -> Cohort:
    """The cohort with a heart rate for every patient: where none is recorded, one drawn from the prior.

    The drawn value is an observation of the state on day 0 with origin ``imputed``, within three SD of the
    prior's mean. It hangs on the seed and the patient's study number alone.
    """
    known = set(cohort.observations.loc[cohort.observations["quantity"] == "heart_rate", "pseudonym"])
    missing = cohort.patients[~cohort.patients["pseudonym"].isin(known)]
    mean, sd = heart_rate_prior(missing["age_years"].to_numpy(dtype=float), missing["sex"])
    luck = normal(seed, missing["study_number"].to_numpy(), "impute heart_rate")
    drawn = pd.DataFrame(
        {
            "pseudonym": missing["pseudonym"],
            "quantity": "heart_rate",
            "value": np.clip(mean + sd * luck, mean - 3 * sd, mean + 3 * sd),
            "day": 0.0,
            "origin": "imputed",
            "age_years": missing["age_years"],
        }
    )
    if drawn.empty:
        return cohort
    rows = pd.concat([cohort.observations, drawn], ignore_index=True)
    return replace(cohort, observations=rows)


def baseline_table(cohort: Cohort, quantities: Iterable[str]) -> pd.DataFrame:
    """The values that a trial starts from, one row a patient in order of study number.

    Columns: ``pseudonym``, ``study_number``, ``sex``, ``age_years``, and for every quantity its last
    value and ``<quantity>_origin`` (recorded, derived or imputed). Blood pressures are taken from the
    last day on which both were read.
    """
    table = cohort.patients.sort_values("study_number").reset_index(drop=True)
    table = table[["pseudonym", "study_number", "sex", "age_years"]].copy()
    table["age_years"] = table["age_years"].astype(float)
    pressures = _paired_pressures(cohort)
    for name in dict.fromkeys(quantities):
        quantity(name)
        rows = cohort.observations[cohort.observations["quantity"] == name]
        last = pressures[name] if name in pressures else cohort.latest(name)
        table[name] = table["pseudonym"].map(last).astype(float)
        origin = rows.sort_values("day").groupby("pseudonym")["origin"].last()
        table[f"{name}_origin"] = table["pseudonym"].map(origin).where(table[name].notna())
    return table


@dataclass(frozen=True)
class Individuals:
    """Parameters of every model for ``n`` virtual patients.

    Attributes:
        study_numbers: shape ``(n,)``.
        parameters: by model name, the model's record with fields of shape ``(n,)``, as published.
    """

    study_numbers: np.ndarray
    parameters: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.study_numbers.size)

    def take(self, lanes: np.ndarray) -> Individuals:
        """Some of the patients, in the order given."""
        chosen = {name: take(record, lanes, len(self)) for name, record in self.parameters.items()}
        return Individuals(self.study_numbers[lanes], chosen)

    def changed(self, model: str, **parameters: Any) -> Individuals:
        """The same people with parameters of one model changed.

        Args:
            model: its name.
            parameters: by name, one number for all or one for each.

        Raises:
            ValueError: no such model or parameter, or numbers that do not fit the people; names it.
        """
        if model not in self.parameters:
            raise ValueError(f"no model '{model}' here; there are {', '.join(self.parameters)}")
        record = self.parameters[model]
        known = fields(record)
        for name, value in parameters.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                raise ValueError(f"{model} has no parameter '{name}'{hint}")
            if np.shape(value) not in ((), (len(self),)):
                raise ValueError(f"{model}.{name}: give one number, or one for each of {len(self)} people")
        wide = {k: np.broadcast_to(np.asarray(v, float), (len(self),)).copy() for k, v in parameters.items()}
        moved = dataclasses.replace(record, **wide)
        return dataclasses.replace(self, parameters={**self.parameters, model: moved})

    def valid(self) -> np.ndarray:
        """Patients whose every parameter is a number within its declared bounds, shape ``(n,)``."""
        good = np.ones(len(self), dtype=bool)
        for record in self.parameters.values():
            for name, declared in fields(record).items():
                value = np.broadcast_to(np.asarray(getattr(record, name), float), good.shape)
                low, high = declared.bounds
                good &= np.isfinite(value) & (value >= low) & (value <= high)
        return good


def typical(patient: VirtualPatient, n: int = 1) -> Individuals:
    """``n`` copies of the typical patient: every parameter at its published value.

    A slow model's parameter that is a clinical quantity which the circulation shows (the diastolic
    pressure off drug) is read from the healthy circulation, so that the organs agree on who this is.
    """
    shown: dict[str, float] = {}
    for model in patient.cyclic:
        healthy = periodic_orbits(model, model.Parameters(), model.Inputs()).outputs
        shown |= {f.quantity: float(healthy[k][0]) for k, f in fields(model.Outputs).items() if f.quantity}

    def value(model: OrganModel, declared: Field) -> float:
        given = float(declared.default or 0.0)
        return given if model.cycle or not declared.quantity else shown.get(declared.quantity, given)

    return Individuals(
        np.arange(n, dtype=np.int64),
        {
            name: model.Parameters(
                **{k: np.full(n, value(model, f)) for k, f in fields(model.Parameters).items()}
            )
            for name, model in patient.models.items()
        },
    )


def individuals(
    patient: VirtualPatient,
    baseline: pd.DataFrame,
    *,
    seed: int,
    known: Mapping[str, np.ndarray] | None = None,
) -> Individuals:
    """Draw every patient's parameters.

    A parameter that names a clinical quantity takes the patient's baseline value. The others of its
    block of correlated random effects are drawn from the distribution conditional on it. Draws hang
    on (seed, study number, model, parameter).

    Args:
        patient: the composition.
        baseline: from :func:`baseline_table`.
        seed: the study's seed.
        known: more parameters that are known, by ``model.parameter`` in its unit, shape ``(n,)``; they count
            like those that a record sets.
    """
    numbers = baseline["study_number"].to_numpy(dtype=np.int64)
    given = known or {}
    drawn = {m.name: _draw(m, baseline, numbers, seed, given) for m in patient.models.values()}
    return Individuals(numbers, drawn)


def sample(patient: VirtualPatient | OrganModel, n: int, *, seed: int) -> Individuals:
    """Draw a population from the published distributions, without any record.

    Args:
        patient: a composition, or one model.
        n: how many.
        seed: another seed is another population.

    Returns:
        :class:`Individuals` with study numbers from 0 on. The first ``m`` of ``n`` are those of a population
        of ``m``. A parameter without a published spread has its published value.

    Raises:
        ValueError: fewer than none.

    Example:
        >>> people = vht.sample(vht.VirtualPatient(["claret_monet1"]), 1000, seed=1)
    """
    if n < 0:
        raise ValueError(f"a population of {n} cannot be drawn; give a number from 0 on")
    whole = VirtualPatient([patient]) if isinstance(patient, OrganModel) else patient
    return individuals(whole, pd.DataFrame({"study_number": np.arange(n, dtype=np.int64)}), seed=seed)


def _draw(
    model: OrganModel,
    baseline: pd.DataFrame,
    numbers: np.ndarray,
    seed: int,
    known_values: Mapping[str, np.ndarray],
) -> Any:
    declared = fields(model.Parameters)
    drawn = {name: np.full(numbers.size, float(f.default or 0.0)) for name, f in declared.items()}
    recorded = {
        name: baseline[f.quantity].to_numpy(dtype=float)
        for name, f in declared.items()
        if f.quantity is not None and f.quantity in baseline
    } | {
        name: np.asarray(known_values[f"{model.name}.{name}"], dtype=float)
        for name in declared
        if f"{model.name}.{name}" in known_values
    }
    for names, covariance in model.random_effects():
        known = [i for i, n in enumerate(names) if n in recorded]
        free = [i for i, n in enumerate(names) if n not in recorded]
        if not free:
            continue
        sigma = np.array(covariance)
        mean = np.zeros((len(free), numbers.size))
        spread = sigma[np.ix_(free, free)]
        if known:
            with np.errstate(all="ignore"):
                effect = [
                    deviation_of(declared[n].effect, float(declared[n].default or 0.0), recorded[n])
                    for n in (names[i] for i in known)
                ]
            weight = np.linalg.solve(sigma[np.ix_(known, known)], sigma[np.ix_(known, free)]).T
            mean = _combine(weight, effect)
            spread = spread - weight @ sigma[np.ix_(known, free)]
        luck = [normal(seed, numbers, f"{model.name}.{names[i]}") for i in free]
        effects = mean + _combine(lower_factor(spread), luck)
        for row, i in enumerate(free):
            drawn[names[i]] = individual_value(declared[names[i]].effect, drawn[names[i]], effects[row])
    return model.Parameters(**{**drawn, **recorded})


def _combine(weights: np.ndarray, rows: list[np.ndarray]) -> np.ndarray:
    """``weights @ rows``, patient by patient: a matrix product may round differently in another chunk."""
    return np.stack(
        [sum((w * r for w, r in zip(line, rows, strict=True)), np.zeros_like(rows[0])) for line in weights]
    )


def _paired_pressures(cohort: Cohort) -> dict[str, pd.Series]:
    """Systolic and diastolic pressure of the last day on which a patient has both."""
    names = ["systolic_blood_pressure", "diastolic_blood_pressure"]
    rows = cohort.observations[cohort.observations["quantity"].isin(names)]
    if rows.empty:
        return {}
    daily = rows.pivot_table(index=["pseudonym", "day"], columns="quantity", values="value", aggfunc="mean")
    if not set(names) <= set(daily.columns):
        return {}
    last = daily.dropna(subset=names).groupby("pseudonym").last()
    return {name: last[name] for name in names}
