"""The results that can be exported: the published schema ``vht-predictions/1``.

``docs/schemas/vht-predictions-1.json`` is this as JSON Schema. A run folder is brought into this form first
(:mod:`fhir_io.export.run_folder`), so that one form is exported.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from fhir_io.export.units import converts, is_ucum
from vht.quantities import QUANTITIES
from vht.state import OLDEST_AGE, Pseudonym, Sex

SCHEMA = "vht-predictions/1"
LONGEST_TEXT = 1000
FARTHEST_DAY = 99_999
"""Days from day 0 that an export may speak of (about 270 years); beyond it a value is no day."""


def _number(value: Any) -> Any:
    """Decimals keep the digits that were written; texts and booleans are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not math.isfinite(float(number)):
        raise ValueError("must be a finite number")
    return number


def _line(text: Any) -> Any:
    if isinstance(text, str) and (not text.strip() or not text.isprintable()):
        raise ValueError("must be one line of printable text")
    return text


def _registered(name: Any) -> Any:
    if not isinstance(name, str) or name not in QUANTITIES:
        raise ValueError("must be a name that `vht quantities` lists")
    return name


def _ucum(unit: str) -> str:
    if not is_ucum(unit):
        raise ValueError("must be a UCUM unit, such as mm[Hg]")
    return unit


Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Share = Annotated[Number, Field(ge=0, le=1)]
Day = Annotated[Number, Field(ge=-FARTHEST_DAY, le=FARTHEST_DAY)]
Line = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), BeforeValidator(_line)]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Unit = Annotated[str, Field(pattern=r"^[!-~]{1,60}$"), AfterValidator(_ucum)]
QuantityName = Annotated[str, BeforeValidator(_registered)]
Count = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class Section(BaseModel):
    """A group of fields; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Software(Section):
    """The program that made the results."""

    name: Line = "Virtual human twin"
    version: Token
    source_sha256: Digest | None = None


class Model(Section):
    """An organ model that took part."""

    name: Token
    version: Token


class Input(Section):
    """Something that the run rests on. Only its role is named: file names may hold names of people."""

    role: Literal["states", "protocol", "configuration", "results", "measurements", "other"]
    sha256: Digest


class Run(Section):
    """What made the results.

    Attributes:
        name: of the run, such as that of its protocol.
        seed: of all randomness; None where there was none.
        digest: SHA-256 of the run's manifest, if it has one.
    """

    name: Token
    software: Software
    models: tuple[Model, ...] = ()
    seed: Annotated[int, Field(ge=0, strict=True)] | None = None
    inputs: tuple[Input, ...] = ()
    digest: Digest | None = None


class Subject(Section):
    """A patient by the project's pseudonym, which does not leave."""

    subject: Pseudonym
    sex: Sex = "unknown"
    age_years: Annotated[int, Field(ge=0, le=OLDEST_AGE, strict=True)] | None = None


class _Valued(Section):
    """A value of a registered quantity in a UCUM unit that converts to its canonical one."""

    subject: Pseudonym
    quantity: QuantityName
    value: Number
    unit: Unit

    @model_validator(mode="after")
    def _convertible(self) -> _Valued:
        if not converts(self.unit, QUANTITIES[self.quantity]):
            raise ValueError("the unit does not convert to that of the quantity")
        return self


class Measurement(_Valued):
    """A value that the run started from; ``day`` counts from day 0 of the patient, None if it is imputed."""

    day: Day | None
    origin: Literal["recorded", "derived", "imputed"] = "recorded"

    @model_validator(mode="after")
    def _dated(self) -> Measurement:
        if self.day is None and self.origin != "imputed":
            raise ValueError("only an imputed value has no day")
        return self


class Interval(Section):
    """A central interval of an estimate, in the unit of the value."""

    level: Annotated[Number, Field(gt=0, lt=1)]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low > self.high:
            raise ValueError("low exceeds high")
        return self


class Prediction(_Valued):
    """A predicted value.

    Attributes:
        arm: None for a prediction about the patient; else the arm in which a virtual twin of them is.
        day: from day 0 of the patient; with an arm, from the start of its treatment.
        simulated_measurement: the same as a simulated trial would have measured it.
        interval: of the estimate.
        model: name and version of the model, in words.
    """

    arm: Token | None = None
    day: Day
    simulated_measurement: Number | None = None
    interval: Interval | None = None
    model: Line | None = None


class Waveform(Section):
    """A predicted signal at equal steps, such as one cardiac cycle.

    Attributes:
        signal: name of the organ model's signal; ``unit`` is UCUM.
        step_ms: milliseconds between two values.
        values: in ``unit``, in order of time.
    """

    subject: Pseudonym
    arm: Token | None = None
    signal: Token
    unit: Unit
    day: Day
    step_ms: Annotated[Number, Field(gt=0)]
    values: Annotated[tuple[Number, ...], Field(min_length=2, max_length=100_000)]


class Risk(Section):
    """A predicted probability of an outcome from day 0 to a horizon.

    Attributes:
        outcome: what may happen, in words.
        code: SNOMED CT code of it, if one is known.
        horizon_days: end of the time that the probability is for.
        interval: of the probability.
    """

    subject: Pseudonym
    arm: Token | None = None
    outcome: Line
    code: Annotated[str, Field(pattern=r"^[1-9][0-9]{5,17}$")] | None = None
    probability: Share
    interval: Interval | None = None
    horizon_days: Annotated[Number, Field(gt=0, le=FARTHEST_DAY)]
    model: Line | None = None

    @model_validator(mode="after")
    def _within_one(self) -> Risk:
        if self.interval is not None and not 0 <= self.interval.low <= self.interval.high <= 1:
            raise ValueError("the interval of a probability lies between 0 and 1")
        return self


class Arm(Section):
    """An arm of a trial and how many virtual patients it has."""

    name: Token
    label: Line
    patients: Count


class Enrolment(Section):
    """A patient's virtual twin in an arm."""

    subject: Pseudonym
    arm: Token
    status: Literal["completed", "withdrawn", "failed"]


class Estimate(Section):
    """A number that a trial found: of an arm, or of an arm against another.

    Attributes:
        endpoint: what it is about, in words.
        statistic: ``mean``, ``share``, ``difference of means`` and so on.
        arm, against: whose it is; ``against`` is None for an arm's own.
        view: noise-free, or as a trial would measure it.
        design: for a contrast, whether the patients count as separate or as the same ones.
        level, low, high: of the confidence interval; a bound that was not reached is None.
        n: patients behind it.
    """

    endpoint: Line
    statistic: Line
    arm: Token
    against: Token | None = None
    view: Literal["true", "observed"]
    design: Literal["population", "paired"] | None = None
    value: Number
    unit: Unit
    level: Share | None = None
    low: Number | None = None
    high: Number | None = None
    n: Count


class Trial(Section):
    """An in-silico trial."""

    name: Token
    title: Line
    reference_arm: Token
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    eligibility: tuple[Line, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    estimates: tuple[Estimate, ...] = ()


class Document(Section):
    """Everything that one export holds; see ``docs/fhir_export.md`` for an example."""

    schema_: Annotated[Literal["vht-predictions/1"], Field(alias="schema")]
    label: Literal["real-derived", "simulated"]
    run: Run
    subjects: tuple[Subject, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    waveforms: tuple[Waveform, ...] = ()
    risks: tuple[Risk, ...] = ()
    trial: Trial | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Document:
        known = {s.subject for s in self.subjects}
        if len(known) != len(self.subjects):
            raise ValueError("subjects: a pseudonym is listed twice")
        arms = {a.name for a in self.trial.arms} if self.trial else set()
        distinct = {arm.replace("_", "-") for arm in arms}
        if self.trial and (len(distinct) != len(self.trial.arms) or self.trial.reference_arm not in arms):
            raise ValueError(
                "trial: arms have names of their own, in which _ and - count as one, and reference_arm is one"
            )
        parts: dict[str, tuple[Any, ...]] = {
            "measurements": self.measurements,
            "predictions": self.predictions,
            "waveforms": self.waveforms,
            "risks": self.risks,
            "trial.enrolments": self.trial.enrolments if self.trial else (),
        }
        for name, rows in parts.items():
            for number, row in enumerate(rows):
                if row.subject not in known:
                    raise ValueError(f"{name}[{number}].subject is not among the subjects")
                arm = getattr(row, "arm", None)
                if arm is not None and arm not in arms:
                    raise ValueError(f"{name}[{number}].arm is not an arm of the trial")
        for number, estimate in enumerate(self.trial.estimates if self.trial else ()):
            if not {estimate.arm, estimate.against or estimate.arm} <= arms:
                raise ValueError(f"trial.estimates[{number}] speaks of an arm that the trial does not have")
        return self


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of :class:`Document`."""
    schema = Document.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **schema,
    }
