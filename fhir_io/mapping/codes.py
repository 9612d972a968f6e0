"""From CodeableConcepts to what the code tables say of them: system and code must both match.

Several codings of one CodeableConcept may agree, or only one of them may be known; if two mean different
things, neither is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_io.mapping.code_rows import AnswerRow, ConceptRow, QuantityRow
from fhir_io.mapping.code_tables import Question, Tables
from fhir_io.reasons import Reason
from fhir_io.vocabulary import QUANTITY
from vht.concepts import CONCEPTS, Kind
from vht.quantities import QUANTITIES

LOINC = "http://loinc.org"
CERTAINTY = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
"""Extension of an ICD-10-GM coding: G confirmed, V suspected, Z state after, A ruled out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an Observation's or component's code stands for: a quantity, a question, or both."""

    row: QuantityRow | None
    question: Question | None

    @property
    def quantity(self) -> str | None:
        """Name of the quantity, if any."""
        return self.row.quantity if self.row is not None else None


def codings(concept: Any) -> list[tuple[str, str]]:
    """(system, code) of every complete coding of a CodeableConcept."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(found, list):
        return []
    return [
        (system, code)
        for coding in found
        if isinstance(coding, dict)
        and isinstance(system := coding.get("system"), str)
        and isinstance(code := coding.get("code"), str)
    ]


def _codings(concept: Any) -> Iterator[dict[str, Any]]:
    found = concept.get("coding") if isinstance(concept, dict) else None
    for coding in found if isinstance(found, list) else ():
        if isinstance(coding, dict):
            yield coding


def asked(concept: Any, tables: Tables) -> Asked | Reason:
    """The quantity or question that an Observation's or component's code stands for."""
    return _asked(tuple(codings(concept)), tables)


@functools.lru_cache(maxsize=8192)
def _asked(coded: tuple[tuple[str, str], ...], tables: Tables) -> Asked | Reason:
    rows: dict[str | None, QuantityRow] = {}
    questions: dict[str, Question] = {}
    situation = False
    for uri, code in coded:
        key = tables.system(uri), code.strip()
        row = own_row(code) if uri == QUANTITY else tables.quantities.get(key)
        if row is not None and not row.ignore:
            rows.setdefault(row.quantity, row)
        question = tables.questions.get(key)
        if question is not None:
            questions[question.name] = question
        told = tables.codes["condition"].get(key)
        situation = situation or (told is not None and told.situation is not None)
    if len(rows) > 1 or len(questions) > 1:
        return Reason.AMBIGUOUS_CODE
    if rows or questions:
        return Asked(next(iter(rows.values()), None), next(iter(questions.values()), None))
    return Reason.SITUATION if situation else Reason.UNKNOWN_CODE


def concept_row(concept: Any, kind: Kind, tables: Tables) -> ConceptRow | Reason:
    """The row of the condition, medication or procedure that a CodeableConcept stands for.

    A class of drugs (ATC ``C10AA``) beside an ingredient of that class is no contradiction: the
    ingredient is taken.
    """
    return _concept_row(tuple(codings(concept)), kind, tables)


@functools.lru_cache(maxsize=8192)
def _concept_row(coded: tuple[tuple[str, str], ...], kind: Kind, tables: Tables) -> ConceptRow | Reason:
    found: dict[tuple[object, ...], ConceptRow] = {}
    for uri, code in coded:
        row = tables.concept_row(kind, tables.system(uri), code.strip())
        if row is not None and not row.ignore:
            found.setdefault(row.meaning, row)
    if not found:
        return Reason.UNKNOWN_CODE
    rows = list(found.values())
    if len(rows) > 1:
        classes = {CONCEPTS[name].drug_class for row in rows for name in row.concepts if not _is_class(name)}
        rows = [row for row in rows if not (row.concepts and set(row.concepts) <= classes)]
    return rows[0] if len(rows) == 1 else Reason.AMBIGUOUS_CODE


def own_row(code: str) -> QuantityRow | None:
    """The row of our own code of a quantity, which exports carry: its name."""
    known = QUANTITIES.get(code)
    if known is None:
        return None
    return QuantityRow(system=QUANTITY, code=code, quantity=code, unit=known.unit, source="vht.quantities")


def _is_class(name: str) -> bool:
    return CONCEPTS[name].drug_class == name


def answer(concept: Any, question: Question, tables: Tables) -> AnswerRow | Reason:
    """The answer that a CodeableConcept gives to a question."""
    found: dict[tuple[object, ...], AnswerRow] = {}
    for uri, code in codings(concept):
        row = question.coded.get((tables.system(uri), code.strip()))
        if row is not None:
            found.setdefault(row.meaning, row)
    if not found:
        return Reason.UNKNOWN_ANSWER
    return next(iter(found.values())) if len(found) == 1 else Reason.AMBIGUOUS_CODE


def certainty(concept: Any) -> str | None:
    """The German mark of certainty of a diagnosis (A, G, V, Z), if a coding carries one; the first."""
    for coding in _codings(concept):
        extensions = coding.get("extension")
        for extension in extensions if isinstance(extensions, list) else ():
            if isinstance(extension, dict) and extension.get("url") == CERTAINTY:
                value = extension.get("valueCoding")
                code = value.get("code") if isinstance(value, dict) else extension.get("valueCode")
                if isinstance(code, str):
                    return code
    return None
