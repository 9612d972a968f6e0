"""The patient state: a closed record that has no field an identifier could hide in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vht.concepts import CONCEPTS
from vht.quantities import quantity

Sex = Literal["female", "male", "other", "unknown"]
Origin = Literal["recorded", "derived", "imputed"]
VitalStatus = Literal["alive", "deceased", "unknown"]
Basis = Literal["recorded", "site_rule"]
Status = Literal["present", "absent", "taken_as_absent", "not_recorded"]

SITE_RULE: Basis = "site_rule"
Pseudonym = Annotated[str, Field(pattern=r"^v[0-9]+-[a-z2-7]{32}$")]

OLDEST_AGE = 90
"""Ages from here on are one class."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Age = Annotated[int, Field(ge=0, le=OLDEST_AGE)]
"""Completed years; 90 stands for 90 and older."""


def _quantity_name(name: str) -> str:
    quantity(name)
    return name


def _concept_name(name: str) -> str:
    if name not in CONCEPTS:
        raise ValueError("unknown concept")
    return name


QuantityName = Annotated[str, AfterValidator(_quantity_name)]
ConceptName = Annotated[str, AfterValidator(_concept_name)]


class Observation(_Closed):
    """A value of a registered quantity in its canonical unit, on the patient's own day axis.

    ``origin`` tells a recorded value from one derived from records (a sum of diameters) and from
    one that was imputed from a population prior.
    """

    quantity: QuantityName
    value: float = Field(allow_inf_nan=False)
    day: float = Field(allow_inf_nan=False)
    origin: Origin = "recorded"
    age_years: Age | None = None


class Interval(_Closed):
    """What is known of a quantity that was not recorded as a number: it lies between two bounds.

    ``< 5`` has no ``low``, a Range has both, and a value that was recorded but cannot be read has
    neither. It stands beside the observations and never among them: a bound is not a measurement.
    """

    quantity: QuantityName
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    day: float = Field(allow_inf_nan=False)
    age_years: Age | None = None


class Event(_Closed):
    """A condition, medication or procedure: a registered concept with its days, if known.

    ``start_uncertainty_days`` is the half-width that a partial date leaves: an onset in a year alone
    lies within 183 days of ``start_day``.
    """

    concept: ConceptName
    start_day: float | None = Field(default=None, allow_inf_nan=False)
    end_day: float | None = Field(default=None, allow_inf_nan=False)
    start_uncertainty_days: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    age_years: Age | None = None


class Absence(_Closed):
    """A condition that the patient does not have: recorded so, or taken so by a rule that a site declares.

    Nothing else makes a condition absent: what was not recorded is not known.
    """

    concept: ConceptName
    day: float | None = Field(default=None, allow_inf_nan=False)
    basis: Basis = "recorded"


class PatientState(_Closed):
    """One patient as the toolkit knows them.

    Attributes:
        pseudonym: stands for the patient in this project; says nothing about them.
        study_number: random, survives a change of keys; all randomness hangs on it.
        sex: administrative sex.
        age_years: completed years at day 0; 90 stands for 90 and older; None if not recorded.
        age_uncertainty_years: half-width that a partial date of birth leaves (0 if complete).
        vital_status, death_day: as last recorded; the day is None if it was not recorded.
        observations, intervals, conditions, medications, procedures, absences: in order of day.

    Days are relative to day 0, which was fixed when the patient was first imported and is known to
    the vault alone; no calendar date exists here. Ages are completed years at the day of each record.
    """

    pseudonym: Pseudonym
    study_number: int = Field(ge=0, lt=2**63)
    sex: Sex
    age_years: Age | None = None
    age_uncertainty_years: float = Field(default=0.0, ge=0, le=120)
    vital_status: VitalStatus = "unknown"
    death_day: float | None = Field(default=None, allow_inf_nan=False)
    observations: tuple[Observation, ...] = ()
    intervals: tuple[Interval, ...] = ()
    conditions: tuple[Event, ...] = ()
    medications: tuple[Event, ...] = ()
    procedures: tuple[Event, ...] = ()
    absences: tuple[Absence, ...] = ()

    def latest(self, name: str, *, by_day: float | None = None) -> Observation | None:
        """The last observation of a quantity, optionally not after ``by_day``; None if there is none."""
        quantity(name)
        seen = [o for o in self.observations if o.quantity == name and (by_day is None or o.day <= by_day)]
        return max(seen, key=lambda o: o.day) if seen else None

    def has(self, concept: str) -> bool:
        """Whether the record holds a condition that has no recorded end and was not denied since."""
        return self.status(concept) == "present"

    def status(self, concept: str) -> Status:
        """What is known of a condition at the end of the record.

        ``taken_as_absent`` rests on a rule of the site alone and is shown as "not recorded, taken as absent".
        What is not recorded, or has ended, is ``not_recorded``: nothing says that it is absent.
        """
        denied = [a for a in self.absences if a.concept == concept]
        latest = max((a.day for a in denied if a.day is not None), default=float("-inf"))
        ongoing = [c.start_day for c in self.conditions if c.concept == concept and c.end_day is None]
        if any(start is None or start >= latest for start in ongoing):
            return "present"
        if any(a.basis == "recorded" for a in denied):
            return "absent"
        return "taken_as_absent" if denied else "not_recorded"
