"""The fields of a trial protocol.

Each class is one group of fields of the YAML file; names are the file's names. What lies between fields
(an endpoint's day that is no visit, a reference arm that does not exist) is in ``trials.protocol.checks``.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, PrivateAttr, model_validator

from trials.protocol import checks
from trials.protocol.amounts import Age, Amount, Confidence, Day, Duration, Hazard, Proportion, Time, days
from trials.protocol.doses import AnyDose
from trials.protocol.parts import ConditionName, MedicationName, Name, Port, QuantityName, Section, Text
from trials.protocol.policies import PolicySection
from trials.yaml_source import Position, SourceError, SourceMap
from vht.quantities import quantity


class ProtocolError(SourceError):
    """A protocol that cannot be used: every problem with its line, what was expected and the remedy."""


class AgeRange(Section):
    """Age limits, both included."""

    minimum: Age | None = None
    maximum: Age | None = None


class Range(Section):
    """Limits of a quantity, both included."""

    minimum: Amount | None = None
    maximum: Amount | None = None


class Eligibility(Section):
    """Who may enter: every line must hold.

    Attributes:
        age: limits of age at the start.
        sex: sexes that may enter; all where absent.
        conditions: conditions that the record must have.
        excluded_conditions: conditions that the record must not have.
        excluded_medications: medications that the record must not have.
        quantities: quantities that the record must hold.
        ranges: limits for the latest recorded value of a quantity.
    """

    age: AgeRange = AgeRange()
    sex: tuple[Literal["female", "male"], ...] | None = None
    conditions: tuple[ConditionName, ...] = ()
    excluded_conditions: tuple[ConditionName, ...] = ()
    excluded_medications: tuple[MedicationName, ...] = ()
    quantities: tuple[QuantityName, ...] = ()
    ranges: dict[QuantityName, Range] = Field(default_factory=dict)


class Population(Section):
    """The people of the trial."""

    eligibility: Eligibility = Eligibility()


class Coupling(Section):
    """One connection between two models' ports, each written ``model.port``.

    Attributes:
        source: (``from``) the output that drives.
        target: (``to``) the input that is driven; or, with ``solve``, an output that must reach the value.
        solve: the input that is solved for, on the target's model.
        follow: (``with``) an input of the same model that follows the solved one by the model's own law.
        relative: the source is a ratio: the target is that share of the patient's own untreated cycle.
    """

    source: Port = Field(alias="from")
    target: Port = Field(alias="to")
    solve: Port | None = None
    follow: Port | None = Field(default=None, alias="with")
    relative: Annotated[bool, Field(strict=True)] | None = None


class VirtualPatientSection(Section):
    """The organ models that make up each virtual patient, and how they are coupled.

    Attributes:
        models: names in the catalogue.
        couplings: how they are wired.
        variants: published parameter sets that models take instead of their defaults, by model.
    """

    models: tuple[Name, ...] = Field(min_length=1)
    couplings: tuple[Coupling, ...] = ()
    variants: dict[Name, Name] | None = None


class Arm(Section):
    """One arm.

    Attributes:
        name, label: for the file and for people.
        doses: what is given, by ``model.port``.
        policies: what adapts the doses at visits.
        variants: parameter sets of models that this arm's treatment goes with, by model; they stand above
            those of the virtual patient.
    """

    name: Name
    label: Text
    doses: dict[Port, AnyDose] = Field(default_factory=dict)
    policies: tuple[PolicySection, ...] = ()
    variants: dict[Name, Name] | None = None


class Visits(Section):
    """When a quantity is measured after baseline: ``every`` so often, on listed ``days``, or both."""

    every: Duration | None = None
    days: tuple[Day, ...] = ()


class MeasurementError(Section):
    """Random error of one measurement, normal and independent, with the source of its size.

    Attributes:
        additive: standard deviation in a unit of the quantity.
        proportional: standard deviation as a share of the true value; where both are given the variances add.
        source: where the size comes from, or ``assumption: ...``.
    """

    additive: Amount | None = None
    proportional: Proportion | None = None
    source: Text

    def standard_deviation(self, true: ArrayLike, name: str) -> NDArray[np.float64]:
        """Standard deviation of the error at true values of quantity ``name``, in its canonical unit."""
        additive = 0.0 if self.additive is None else self.additive.to(quantity(name).unit)
        share = 0.0 if self.proportional is None else self.proportional.to("1")
        return np.hypot(additive, share * np.asarray(true, dtype=np.float64))


class Dropout(Section):
    """Withdrawal at a constant hazard, the same in every arm, with its source."""

    hazard: Hazard
    source: Text

    @property
    def per_day(self) -> float:
        """The hazard in 1/d."""
        return self.hazard.to("/d")


class NewLesions(Section):
    """The first new lesion appears at a constant hazard and is seen at the next visit of a tumour's size.

    Attributes:
        hazard: the hazard in every arm; 0 states that no new lesions appear.
        arms: the hazard in single arms, where it differs.
        source: where it comes from, or ``assumption: ...``.
    """

    hazard: Hazard
    arms: dict[Name, Hazard] = Field(default_factory=dict)
    source: Text

    def per_day(self, arm: str) -> float:
        """The hazard in an arm, 1/d."""
        return self.arms.get(arm, self.hazard).to("/d")


class EndpointSection(Section):
    """What every endpoint has: a name, and a label for people (made from the name where absent)."""

    name: Name
    label: str = ""

    @model_validator(mode="after")
    def _label_from_name(self) -> EndpointSection:
        if not self.label.strip():
            object.__setattr__(self, "label", self.name.replace("_", " ").capitalize())
        return self


class ChangeFromBaseline(EndpointSection):
    """Change of a quantity from baseline to one visit day, in percent of baseline or in its unit."""

    kind: Literal["change_from_baseline"]
    quantity: QuantityName
    scale: Literal["percent", "absolute"]
    day: Day


class BestResponse(EndpointSection):
    """Best overall response by RECIST 1.1; ``confirmed``: a response must be seen again after 28 days."""

    kind: Literal["recist_best_response"]
    quantity: QuantityName
    confirmed: bool = False


class DiseaseControl(EndpointSection):
    """Whether the best overall response is a response or stable disease from day 28 on."""

    kind: Literal["recist_disease_control"]
    quantity: QuantityName


class ProgressionFreeTime(EndpointSection):
    """Days to progression by RECIST 1.1, censored at the last assessment.

    Attributes:
        missed_visits: progression after this many missed visits in a row, or more, is censored before them.
    """

    kind: Literal["recist_progression_free_time"]
    quantity: QuantityName
    missed_visits: Annotated[int, Field(ge=1, strict=True)] | None = None


class DurationOfResponse(EndpointSection):
    """Days from the first response to progression, of those who responded; else as progression-free time."""

    kind: Literal["recist_duration_of_response"]
    quantity: QuantityName
    confirmed: bool = False


class PeakChange(EndpointSection):
    """Largest rise of a quantity over its baseline, in its unit."""

    kind: Literal["peak_change"]
    quantity: QuantityName


class EverAtOrAbove(EndpointSection):
    """Whether any of the quantities ever reaches its threshold."""

    kind: Literal["ever_at_or_above"]
    thresholds: dict[QuantityName, Amount] = Field(min_length=1)

    def canonical(self) -> dict[str, float]:
        """Thresholds in the canonical unit of each quantity."""
        return {name: amount.to(quantity(name).unit) for name, amount in self.thresholds.items()}


class EverBelow(EndpointSection):
    """Whether any of the quantities ever falls below its threshold: of a blood count, a CTCAE grade."""

    kind: Literal["ever_below"]
    thresholds: dict[QuantityName, Amount] = Field(min_length=1)


class LinkCovariate(Section):
    """Where a covariate of a survival link comes from: one of ``value``, ``quantity`` and ``output``.

    Attributes:
        value: the same for everybody; an indicator is 0 or 1 (``1 1``: the number and its unit).
        arms: the value in single arms, where it differs.
        quantity: what the patient's record holds at baseline.
        output: a model's output (``model.port``) on the first day of an arm.
        source: where a value comes from, or ``assumption: ...``.
    """

    value: Amount | None = None
    arms: dict[Name, Amount] = Field(default_factory=dict)
    quantity: QuantityName | None = None
    output: Port | None = None
    source: Text | None = None

    def of(self, arm: str) -> Amount:
        """The value in an arm; raises ValueError where it is read from the patient instead."""
        found = self.arms.get(arm, self.value)
        if found is None:
            raise ValueError("this covariate is read from the patient")
        return found


class PredictedSurvival(EndpointSection):
    """Time to death, or to progression or death, that a published link predicts from the size of the tumour.

    Attributes:
        link: name of the link (``vht.survival_links``).
        quantity: the sum of diameters that it is computed from.
        covariates: what else the link must be told, by its names.
        follow_up: day on which everybody is censored, also beyond the course; its end if absent.
    """

    kind: Literal["survival_link"]
    link: Name
    quantity: QuantityName
    covariates: dict[Name, LinkCovariate] = Field(default_factory=dict)
    follow_up: Time | None = None


Endpoint = Annotated[
    ChangeFromBaseline
    | BestResponse
    | DiseaseControl
    | ProgressionFreeTime
    | DurationOfResponse
    | PeakChange
    | EverAtOrAbove
    | EverBelow
    | PredictedSurvival,
    Field(discriminator="kind"),
]


class Protocol(Section):
    """A trial as declared: who, what, when it is measured, and what is asked of the measurements.

    Read it from a file with :func:`trials.protocol.load_protocol`. ``digest`` names its content: comments,
    formatting and the order of fields do not change it.
    """

    schema_: Literal["vht-protocol/1"] = Field(alias="schema")
    name: Name
    title: Text
    question_of_interest: Text
    context_of_use: Text
    population: Population
    virtual_patient: VirtualPatientSection
    arms: tuple[Arm, ...] = Field(min_length=1)
    reference_arm: Name
    design: Literal["paired_counterfactual"]
    duration: Duration
    reporting_interval: Duration
    visits: dict[QuantityName, Visits] = Field(min_length=1)
    measurement_error: dict[QuantityName, MeasurementError] = Field(default_factory=dict)
    dropout: Dropout | None = None
    new_lesions: NewLesions | None = None
    endpoints: tuple[Endpoint, ...] = Field(min_length=1)
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    confidence_level: Confidence = Amount(95.0, "%")

    _source: SourceMap | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Protocol:
        found = checks.find_problems(self, set(type(self).model_fields))
        if found:
            raise ProtocolError("protocol", [SourceMap("protocol", {}).problem(*each) for each in found])
        return self

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON Schema of a protocol file."""
        return cls.model_json_schema(by_alias=True, mode="validation")

    def to_json(self) -> str:
        """The protocol as canonical JSON: sorted fields, no absent ones, one line."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`to_json`, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def locate(self, position: Position) -> str:
        """``file:line`` of a value, such as ``("arms", 0, "doses")``; the name where it came from no file."""
        return self._source.locate(position) if self._source else f"protocol '{self.name}'"

    def error_at(self, position: Position, message: str) -> ProtocolError:
        """An error for what is found out later (a port that a model lacks), with the value's line."""
        source = self._source or SourceMap(f"protocol '{self.name}'", {})
        return ProtocolError(source.file, [source.problem(position, message)])

    def arm(self, name: str) -> Arm:
        """The arm called ``name``; raises KeyError where there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(name)

    @property
    def duration_days(self) -> float:
        """Length of the trial in days."""
        return days(self.duration)

    @property
    def confidence(self) -> float:
        """Confidence level as a share, 0.95 for 95 %."""
        return self.confidence_level.to("1")

    @property
    def measured_quantities(self) -> tuple[str, ...]:
        """The quantities that have visits, in the order of the file."""
        return tuple(self.visits)

    def visit_days(self, name: str) -> tuple[float, ...]:
        """Days on which quantity ``name`` is measured, ascending, with the baseline on day 0.

        Raises:
            KeyError: the quantity has no visits.
        """
        plan = self.visits[name]
        found = {0.0, *(days(day) for day in plan.days)}
        if plan.every is not None:
            found.update(_multiples(days(plan.every), self.duration_days))
        return tuple(sorted(found))

    def report_days(self) -> tuple[float, ...]:
        """Days of the reporting grid: every ``reporting_interval`` from day 0, and the last day."""
        step = _multiples(days(self.reporting_interval), self.duration_days)
        return tuple(sorted({0.0, *step, self.duration_days}))

    def grid_days(self) -> tuple[float, ...]:
        """Days on which someone looks: the reporting grid and the visits of every quantity."""
        visits = (day for name in self.visits for day in self.visit_days(name))
        return tuple(sorted({*self.report_days(), *visits}))


def _multiples(step: float, last: float) -> list[float]:
    return [step * k for k in range(math.floor(last / step) + 1)]
