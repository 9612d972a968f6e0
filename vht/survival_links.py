"""Links from a metric of tumour size to survival: log-normal accelerated failure time models, as data.

    ln T = mu + sigma Z,    S(t) = 1 - Phi((ln t - mu) / sigma),    median = exp(mu)

with ``mu`` an intercept and terms of covariates. A link declares its covariates with their units and the
range in which the formula means anything; what leaves the range is counted and told, never silently moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from organ_models.model import Reference
from organ_models.references import BRUNO_2012, CLARET_2014, STRUEMPER_2025
from organ_models.units import conversion
from vht.randomness import normal

Values = NDArray[np.float64]


class LinkError(ValueError):
    """Covariates that a link cannot use; names the covariate and the remedy, never a value."""


@dataclass(frozen=True)
class Covariate:
    """One thing that a link must be told about a patient.

    Attributes:
        unit: UCUM unit in which it is given.
        meaning: what it is.
        indicator: it is 1 where something holds and 0 where it does not.
        above: the formula is undefined at this value and below; such patients have no prediction.
        floor, cap: values beyond are taken as these, as the source does.
    """

    unit: str
    meaning: str
    indicator: bool = False
    above: float = -np.inf
    floor: float = -np.inf
    cap: float = np.inf


@dataclass(frozen=True)
class Term:
    """One summand of ``mu``.

    Attributes:
        covariate: the covariate that it depends on.
        coefficient: its factor.
        formula: what the factor multiplies, as printed.
        of: the same as a function of the covariate.
    """

    covariate: str
    coefficient: float
    formula: str
    of: Callable[[Values], Values] = field(compare=False)


@dataclass(frozen=True)
class SurvivalLink:
    """A published link.

    Attributes:
        name, title: key and words for people.
        event: what the time runs to: ``overall survival`` or ``progression-free survival``.
        unit: UCUM unit of the published time.
        intercept, terms: of ``mu``.
        sigma: standard deviation of ln T.
        covariates: by name.
        reference: the source.
        population: whom it was derived from; it is not known to hold for others.
        certainty: of the coefficients.
        notes: what limits it.
    """

    name: str
    title: str
    event: str
    unit: str
    intercept: float
    terms: tuple[Term, ...]
    sigma: float
    covariates: Mapping[str, Covariate] = field(compare=False)
    reference: Reference
    population: str
    certainty: str = "verified"
    notes: str = ""

    @property
    def days(self) -> float:
        """Days in the unit of the published time."""
        return conversion(self.unit, "d").factor

    @property
    def formula(self) -> str:
        """``mu`` as printed, in the units of the covariates."""
        return " ".join([f"{self.intercept:g}", *(f"{t.coefficient:+g} {t.formula}" for t in self.terms)])


@dataclass(frozen=True)
class Survival:
    """Predicted survival of patients.

    Attributes:
        link: the link it comes from.
        mu: location of ln T in the link's unit, NaN where there is no prediction, shape (patients,).
        counts: how many patients left the range of a covariate, by what was done with them.
    """

    link: SurvivalLink
    mu: Values
    counts: Mapping[str, int]

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Patients who have a prediction, shape (patients,)."""
        return np.isfinite(self.mu)

    @property
    def days(self) -> float:
        """Days in the link's unit of time."""
        return self.link.days

    def median(self) -> Values:
        """Median time of each patient in the link's unit, shape (patients,)."""
        return np.exp(self.mu)

    def share(self, times: ArrayLike) -> Values:
        """Probability of no event up to ``times`` (link's unit), shape (times, patients)."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.atleast_1d(np.asarray(times, float)))[:, None]
        return np.asarray(1.0 - ndtr((logs - self.mu) / self.link.sigma))

    def sample(self, seed: int, study_numbers: np.ndarray) -> Values:
        """Times drawn for each patient, in the link's unit, shape (patients,).

        The luck hangs on the study's seed, the patient and the event alone: arms and links of the same event
        share it, and neither order nor number of patients matters.

        Raises:
            LinkError: there is not one study number for each patient.
        """
        numbers = np.asarray(study_numbers)
        if numbers.shape != self.mu.shape:
            raise LinkError(f"{self.link.name}: give one study number for each of {self.mu.size} patients")
        return np.exp(self.mu + self.link.sigma * normal(seed, numbers, self.link.event))


def predict(link: SurvivalLink, covariates: Mapping[str, ArrayLike]) -> Survival:
    """Survival that a link predicts.

    Args:
        link: one of :data:`LINKS`, or one's own.
        covariates: by name, in the declared units, numbers or arrays of shape (patients,); NaN is not known.

    Returns:
        :class:`Survival`, with a count for every limit of a covariate that patients reached.

    Raises:
        LinkError: a covariate is missing or unknown, or an indicator is neither 0 nor 1.
    """
    missing = [name for name in link.covariates if name not in covariates]
    unknown = [name for name in covariates if name not in link.covariates]
    if missing or unknown:
        wanted = ", ".join(f"{k} [{c.unit}]" for k, c in link.covariates.items())
        wrong = [*(f"lacks {n}" for n in missing), *(f"knows no {n}" for n in unknown)]
        raise LinkError(f"{link.name}: {'; '.join(wrong)}; it takes {wanted}")
    arrays = {name: np.asarray(value, float) for name, value in covariates.items()}
    shape = np.broadcast_shapes((1,), *(a.shape for a in arrays.values()))
    mu = np.full(shape, link.intercept)
    counts: dict[str, int] = {}
    usable: dict[str, Values] = {}
    for name, declared in link.covariates.items():
        value = np.broadcast_to(arrays[name], shape)
        if declared.indicator and not np.isin(value[~np.isnan(value)], [0.0, 1.0]).all():
            raise LinkError(f"{link.name}: {name} is an indicator, 0 or 1: {declared.meaning}")
        unknown_value = np.isnan(value)
        undefined = value <= declared.above
        told = {
            f"{name} not known: no prediction": unknown_value,
            f"{name} at or below {declared.above:g} {declared.unit}: no prediction": undefined,
            f"{name} below {declared.floor:g} {declared.unit}: taken as that": value < declared.floor,
            f"{name} above {declared.cap:g} {declared.unit}: taken as that": value > declared.cap,
        }
        counts |= {words: int(where.sum()) for words, where in told.items() if where.any()}
        usable[name] = np.clip(np.where(undefined, np.nan, value), declared.floor, declared.cap)
    for term in link.terms:
        mu = mu + term.coefficient * term.of(usable[term.covariate])
    return Survival(link, mu, counts)


# ---------------------------------------------------------------------------------------------------


def _as_given(value: Values) -> Values:
    return value


def _linear(covariate: str, coefficient: float, formula: str = "") -> Term:
    return Term(covariate, coefficient, formula or covariate, _as_given)


def _less(centre: float) -> Callable[[Values], Values]:
    return lambda value: value - centre


def _centred(covariate: str, coefficient: float, centre: float) -> Term:
    return Term(covariate, coefficient, f"({covariate} - {centre:g})", _less(centre))


def _one_plus(value: Values) -> Values:
    return 1.0 + value


_BASELINE = Covariate("mm", "sum of longest diameters at baseline", floor=0.0)
_WEEK_6 = Covariate("1", "change of the sum of diameters from baseline to week 6, as a share of baseline")
_ECOG = Covariate("1", "ECOG performance status at baseline")
_NO16853 = Covariate("1", "treated in study NO16853, not SO14999", indicator=True)

_CLARET_2014_CONTROL = Reference(
    "claret_2014_disease_control",
    "Claret L, et al. J Clin Pharmacol 2014;54:253 (disease control at week 8 and survival in non-small-cell "
    "lung cancer).",
)

_BREAST_CANCER = (
    "people with metastatic breast cancer under docetaxel and capecitabine, studies SO14999 and NO16853 "
    "(tumour sizes of 888)"
)
_LUNG_CANCER = "people with non-small-cell lung cancer under chemotherapy, some with bevacizumab (n = 774)"

BRUNO_2012_OS = SurvivalLink(
    name="bruno_2012_os",
    title="Overall survival by week-6 change, metastatic breast cancer (Bruno 2012)",
    event="overall survival",
    unit="mo",
    intercept=3.02,
    terms=(
        _linear("baseline_size", -0.00231),
        _linear("week_6_change", -0.801),
        _linear("ecog", -0.352),
        Term("several_metastases", -0.200, "(1 + several_metastases)", _one_plus),
        Term("study_no16853", 0.131, "(1 + study_no16853)", _one_plus),
    ),
    sigma=0.773,
    covariates={
        "baseline_size": _BASELINE,
        "week_6_change": _WEEK_6,
        "ecog": _ECOG,
        "several_metastases": Covariate("1", "more than one metastatic site", indicator=True),
        "study_no16853": _NO16853,
    },
    reference=BRUNO_2012,
    population=_BREAST_CANCER,
)
BRUNO_2012_PFS = SurvivalLink(
    name="bruno_2012_pfs",
    title="Progression-free survival by week-6 change, metastatic breast cancer (Bruno 2012)",
    event="progression-free survival",
    unit="mo",
    intercept=1.38,
    terms=(
        _linear("baseline_size", -0.00165),
        _linear("week_6_change", -1.18),
        _linear("ecog", -0.195),
        Term("study_no16853", 0.216, "(1 + study_no16853)", _one_plus),
    ),
    sigma=0.799,
    covariates={
        "baseline_size": _BASELINE,
        "week_6_change": _WEEK_6,
        "ecog": _ECOG,
        "study_no16853": _NO16853,
    },
    reference=BRUNO_2012,
    population=_BREAST_CANCER,
)
MONET1_OS = SurvivalLink(
    name="monet1_os",
    title="Overall survival by time to growth, non-small-cell lung cancer (MONET1)",
    event="overall survival",
    unit="d",
    intercept=1.079,
    terms=(
        _linear("baseline_size", -0.00197),
        Term("time_to_growth", 0.97695, "ln(time_to_growth + 100)", lambda value: np.log(value + 100.0)),
        _linear("asian", 0.319),
        _linear("ever_smoker", -0.264),
    ),
    sigma=float(np.exp(-0.24)),
    covariates={
        "baseline_size": _BASELINE,
        "time_to_growth": Covariate("d", "time to tumour growth", above=-100.0),
        "asian": Covariate("1", "Asian", indicator=True),
        "ever_smoker": Covariate("1", "smokes or has smoked", indicator=True),
    },
    reference=CLARET_2014,
    population="people with non-small-cell lung cancer under first-line treatment, study MONET1 (n = 934)",
    notes="ln(time to growth + 100 d) is undefined for tumours whose extrapolated minimum lies 100 d or more "
    "before treatment: they have no prediction and are counted.",
)
STRUEMPER_2025_OS = SurvivalLink(
    name="struemper_2025_os",
    title="Overall survival by growth rate and time to growth, non-small-cell lung cancer (Struemper 2025)",
    event="overall survival",
    unit="d",
    intercept=6.94,
    terms=(
        Term(
            "growth_rate",
            -6.91,
            "growth_rate / (growth_rate + 0.109)",
            lambda value: value / (value + 0.109),
        ),
        _centred("baseline_size", -0.00366, 100.0),
        _centred("time_to_growth", 0.0124, 39.9),
        _centred("albumin", 0.0452, 39.4),
        _centred("total_protein", 0.0194, 71.0),
        _centred("neutrophil_lymphocyte_ratio", -0.0141, 4.1),
    ),
    sigma=float(np.exp(-0.331)),
    covariates={
        "growth_rate": Covariate("/wk", "exponential growth rate of the sum of diameters", floor=0.0),
        "baseline_size": _BASELINE,
        "time_to_growth": Covariate("wk", "time to tumour growth", floor=0.0),
        "albumin": Covariate("g/L", "albumin at baseline"),
        "total_protein": Covariate("g/L", "total protein at baseline"),
        "neutrophil_lymphocyte_ratio": Covariate("1", "neutrophils to lymphocytes at baseline", cap=100.0),
    },
    reference=STRUEMPER_2025,
    population="people with non-small-cell lung cancer in the arms of seven trials (n = 786)",
    notes="Time to growth below 0 counts as 0, a ratio above 100 as 100, as in the source; both are counted.",
)
CLARET_2014_CONTROL_OS = SurvivalLink(
    name="claret_2014_control_os",
    title="Overall survival by disease control at week 8, non-small-cell lung cancer (Claret 2014)",
    event="overall survival",
    unit="mo",
    intercept=1.855,
    terms=(_linear("disease_control", 0.939), _linear("low_albumin", -0.270)),
    sigma=float(np.exp(-0.370)),
    covariates={
        "disease_control": Covariate(
            "1", "CR, PR or SD at the assessment nearest week 8 (weeks 3 to 14)", indicator=True
        ),
        "low_albumin": Covariate("1", "albumin at baseline below 35 g/L", indicator=True),
    },
    reference=_CLARET_2014_CONTROL,
    population=_LUNG_CANCER,
    notes="Independent of the drug in its source.",
)
CLARET_2014_CONTROL_PFS = SurvivalLink(
    name="claret_2014_control_pfs",
    title="Progression-free survival by disease control at week 8, non-small-cell lung cancer (Claret 2014)",
    event="progression-free survival",
    unit="mo",
    intercept=0.466,
    terms=(_linear("disease_control", 1.378), _linear("bevacizumab", 0.232)),
    sigma=float(np.exp(-0.641)),
    covariates={
        "disease_control": CLARET_2014_CONTROL_OS.covariates["disease_control"],
        "bevacizumab": Covariate("1", "treated with bevacizumab", indicator=True),
    },
    reference=_CLARET_2014_CONTROL,
    population=_LUNG_CANCER,
    notes="Depends on the drug: bevacizumab has an effect beside disease control.",
)

LINKS: Mapping[str, SurvivalLink] = {
    each.name: each
    for each in (
        BRUNO_2012_OS,
        BRUNO_2012_PFS,
        MONET1_OS,
        STRUEMPER_2025_OS,
        CLARET_2014_CONTROL_OS,
        CLARET_2014_CONTROL_PFS,
    )
}
"""The published links by name."""
