"""The rows of the code tables: what a YAML table of codes may say, checked field by field.

One format serves our own tables and those of a site::

    schema: vht-codes/1
    version: "1"
    sources: {short: where the meaning of a code was seen}
    systems: [{name: our_lab, uri: "https://lab.example.org/codes"}]
    quantities: [{system: our_lab, code: CREA, quantity: creatinine, unit: umol/L, source: ...}]
    conditions: [{system: icd-10-gm, prefix: I50, concept: heart_failure, source: ...}]

Everything is read as text first, so that a code such as ``174.20`` or ``0069`` keeps its digits.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from vht.concepts import CONCEPTS, Kind
from vht.quantities import QUANTITIES

FORMAT = "vht-codes/1"
EVERY_CONDITION = "every_condition"
"""What an explicit "no known problems" denies: every condition that the table of conditions knows."""

Text = Annotated[str, Field(min_length=1, max_length=400)]
_RANGE = re.compile(r"[A-Z]?[0-9]{2,3}-[A-Z]?[0-9]{2,3}")


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _a_quantity(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"unknown quantity '{name}'{nearest(name, QUANTITIES)}")
    return name


def _a_concept(name: str) -> str:
    if name not in CONCEPTS:
        raise ValueError(f"unknown concept '{name}'{nearest(name, CONCEPTS)}")
    return name


QuantityName = Annotated[str, AfterValidator(_a_quantity)]
ConceptName = Annotated[str, AfterValidator(_a_concept)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SystemRow(_Closed):
    """A code system: our short name, its URI, other URIs that records use for it.

    ``hierarchical`` systems (ICD, ATC) say by the beginning of a code what it belongs to: rows may then
    give a ``prefix`` or a ``range``.
    """

    name: Text
    uri: Text
    also: tuple[Text, ...] = ()
    hierarchical: bool = False


class _Coded(_Closed):
    system: Text
    display: str = ""
    source: Text


class QuantityRow(_Coded):
    """A code whose value is a quantity.

    Attributes:
        unit: UCUM unit that the code's values are expected in.
        indexed: the code itself says "per 1.73 m2": a plain mL/min under it is indexed.
        only_unit: values in another unit are refused, also where they would convert.
        assume_unit: a number without any unit is in ``unit``; for local codes of which that is known.
        molar_mass: g/mol of what the code measures, where that is not what the quantity counts (a mass
            of urea, where the quantity is the mass of its nitrogen).
        preferred: the code under which the quantity is exported.
        ignore: the code is known and its values are not wanted; takes a row of another table back.
    """

    code: Text
    quantity: QuantityName | None = None
    unit: Text | None = None
    indexed: bool = False
    only_unit: bool = False
    assume_unit: bool = False
    molar_mass: Annotated[float, Field(gt=0)] | None = None
    preferred: bool = False
    ignore: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.ignore:
            return self
        if self.quantity is None or self.unit is None:
            raise ValueError("give 'quantity' and 'unit', or 'ignore: true'")
        return self


class ConceptRow(_Coded):
    """A code, or the beginning of codes, that stands for a condition, a medication or a procedure.

    Attributes:
        concept: what it means. ``also``: further concepts that it means (a combination of two drugs).
        situation: it tells of the past, of relatives or of a suspicion: no event of this patient.
        absent: an explicit negative: the concept, or ``every_condition``.
        no_information: it says that nothing is known.
        ignore: takes a row of another table back.
    """

    code: Text | None = None
    prefix: Text | None = None
    range: Text | None = None
    concept: ConceptName | None = None
    also: tuple[ConceptName, ...] = ()
    situation: Text | None = None
    absent: Text | None = None
    no_information: bool = False
    ignore: bool = False

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(x is not None for x in (self.code, self.prefix, self.range)) != 1:
            raise ValueError("give one of 'code', 'prefix' and 'range'")
        if self.range is not None and not _RANGE.fullmatch(self.range):
            raise ValueError("a range is of categories, such as I20-I25")
        said = (self.concept, self.situation, self.absent, self.no_information or None, self.ignore or None)
        if sum(x is not None for x in said) != 1:
            raise ValueError("give one of 'concept', 'situation', 'absent', 'no_information' and 'ignore'")
        if self.absent not in (None, EVERY_CONDITION):
            _a_concept(self.absent or "")
        return self

    @property
    def concepts(self) -> tuple[str, ...]:
        """All concepts that it means."""
        return (self.concept, *self.also) if self.concept else ()

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says, without where: two rows that agree are equal in it."""
        situation = self.situation is not None
        return frozenset(self.concepts), situation, self.absent, self.no_information, self.ignore


class AskedBy(_Coded):
    """A code under which a question is asked."""

    code: Text


class AnswerRow(_Closed):
    """One answer: a code of ``system``, or a boolean.

    Attributes:
        present, absent: concepts that it affirms and denies.
        value: the number that it stands for, of the question's ``quantity`` in its canonical unit.
        no_information: it says that the answer is not known.
    """

    system: Text | None = None
    code: Text | None = None
    boolean: bool | None = None
    display: str = ""
    source: Text
    present: tuple[ConceptName, ...] = ()
    absent: tuple[ConceptName, ...] = ()
    value: float | None = None
    no_information: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.boolean is None) == (self.code is None) or (self.code is None) != (self.system is None):
            raise ValueError("give 'system' and 'code', or 'boolean'")
        if sum((bool(self.present or self.absent), self.value is not None, self.no_information)) != 1:
            raise ValueError("give 'present' and 'absent', or 'value', or 'no_information'")
        return self

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says: two codings that agree are equal in it."""
        return frozenset(self.present), frozenset(self.absent), self.value, self.no_information


class QuestionRow(_Closed):
    """A question that records answer with a code: under which codes it is asked, and its answers."""

    question: Text
    quantity: QuantityName | None = None
    asked_by: tuple[AskedBy, ...] = Field(min_length=1)
    answers: tuple[AnswerRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _values_have_a_quantity(self) -> Self:
        if self.quantity is None and any(a.value is not None for a in self.answers):
            raise ValueError("an answer has a value, so give the 'quantity' of the question")
        return self


class SpellingRow(_Closed):
    """A spelling of a unit that is not UCUM, in small letters, and the UCUM unit that it means."""

    spelling: Text
    unit: Text
    source: Text


class AbsenceRow(_Closed):
    """A site's rule: a patient of whom the condition is not recorded is taken not to have it.

    No table of ours has one. ``source`` says on what the site bases it (all diagnoses are coded there, say).
    """

    concept: ConceptName
    source: Text


class CodeTable(_Closed):
    """One file of codes; see the head of this module."""

    schema_: Literal["vht-codes/1"] = Field(alias="schema")
    version: Text
    sources: dict[str, Text] = Field(default_factory=dict)
    systems: tuple[SystemRow, ...] = ()
    quantities: tuple[QuantityRow, ...] = ()
    conditions: tuple[ConceptRow, ...] = ()
    medications: tuple[ConceptRow, ...] = ()
    procedures: tuple[ConceptRow, ...] = ()
    answers: tuple[QuestionRow, ...] = ()
    spellings: tuple[SpellingRow, ...] = ()
    absent_unless_recorded: tuple[AbsenceRow, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[ConceptRow, ...]:
        """The rows of the conditions, medications or procedures."""
        return {"condition": self.conditions, "medication": self.medications, "procedure": self.procedures}[
            kind
        ]
