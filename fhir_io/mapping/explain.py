"""What happens to a code, in words: for people who ask why a value did or did not enter a state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_io.mapping.check_digits import loinc_is_sound, snomed_is_sound
from fhir_io.mapping.code_rows import AnswerRow, ConceptRow, QuantityRow, nearest
from fhir_io.mapping.code_tables import KINDS, LOINC, SNOMED, Tables
from vht.concepts import CONCEPTS
from vht.quantities import quantity

_MOST_ANSWERS = 40


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the tables in use say of a code.

    Attributes:
        code: the code that was asked about.
        used: whether anything under it can enter a state.
        lines: sentences, one for each row of a table that names the code; else why none does.
    """

    code: str
    used: bool
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def explain(code: str, system: str | None = None, tables: Tables | None = None) -> Explanation:
    """Say what happens to a code.

    Args:
        code: the code; ``system|code`` also, as FHIR searches write it.
        system: URI or short name of its code system; None: any system.
        tables: the tables in use; ours if None.
    """
    known = tables or Tables.load()
    if system is None and "|" in code:
        system, code = code.split("|", 1)
    name = known.system(system) if system else None
    found = list(_said(code.strip(), name, known))
    if found:
        return Explanation(code, any(used for used, _ in found), tuple(line for _, line in found))
    return Explanation(code, False, tuple(_why_not(code.strip(), name, known)))


def _said(code: str, system: str | None, tables: Tables) -> Iterator[tuple[bool, str]]:
    """(whether it is used, sentence) for each row that names the code."""
    for (name, other), row in tables.quantities.items():
        if other == code and system in (None, name):
            yield not row.ignore, _of_quantity(name, row, tables)
    for (name, other), question in tables.questions.items():
        if other == code and system in (None, name):
            source = _source(tables.asked_by[name, other].source, tables)
            yield True, f"{name} {code} asks for {question.name} [{source}]. Its answers:"
            for (by, answer), given in list(question.coded.items())[:_MOST_ANSWERS]:
                yield True, f"  {by} {answer}: {_of_answer(given, question.quantity)}"
            for boolean, given in question.booleans.items():
                yield True, f"  {str(boolean).lower()}: {_of_answer(given, question.quantity)}"
    seen: set[str] = set()
    for question in tables.questions.values():
        for (by, answer), given in question.coded.items():
            if answer == code and system in (None, by) and question.name not in seen:
                seen.add(question.name)
                said, source = _of_answer(given, question.quantity), _source(given.source, tables)
                yield True, f"{by} {code} answers {question.name}: {said} [{source}]."
    for kind in KINDS:
        systems = dict.fromkeys(name for name, _ in (*tables.codes[kind], *tables.prefixes[kind]))
        for name in systems if system is None else (system,):
            held = tables.concept_row(kind, name, code)
            if held is not None:
                yield bool(held.concepts or held.absent), _of_concept(code, name, kind, held, tables)


def _source(source: str, tables: Tables) -> str:
    return tables.sources.get(source, source)


def _of_quantity(system: str, row: QuantityRow, tables: Tables) -> str:
    source = _source(row.source, tables)
    if row.ignore:
        return f"{system} {row.code} is ignored by a row of the tables [{source}]."
    found = quantity(row.quantity or "")
    low, high = found.plausible
    notes = [f"expected in {row.unit}"]
    if row.indexed:
        notes.append("per 1.73 m2 whatever its unit says")
    if row.only_unit:
        notes.append("in no other unit")
    if row.assume_unit:
        notes.append("also without a unit")
    if row.molar_mass is not None:
        notes.append(f"measured as a substance of {row.molar_mass:g} g/mol")
    return (
        f"{system} {row.code} is the quantity {found.name}, {', '.join(notes)}; kept in {found.unit} if "
        f"from {low:g} to {high:g} [{source}]."
    )


def _of_answer(row: AnswerRow, name: str | None) -> str:
    if row.no_information:
        return "not known"
    if row.value is not None:
        return f"{name} {row.value:g}"
    parts = [f"{concept} present" for concept in row.present]
    return ", ".join(parts + [f"{concept} absent" for concept in row.absent])


def _of_concept(code: str, system: str, kind: str, row: ConceptRow, tables: Tables) -> str:
    held = f" by {row.prefix or row.range}" if row.code is None else ""
    source = _source(row.source, tables)
    if row.concepts:
        named = " and ".join(_named(name) for name in row.concepts)
        return f"{system} {code} is the {kind} {named}{held} [{source}]."
    if row.situation:
        why = f"tells of another time or person ({row.situation}), so it is no event: reason 'situation'"
    elif row.absent:
        why = f"is an explicit negative: {row.absent} absent"
    elif row.no_information:
        why = "says that nothing is known: reason 'value_absent'"
    else:
        why = "is ignored by a row of the tables"
    return f"{system} {code}{held} {why} [{source}]."


def _named(name: str) -> str:
    drug_class = CONCEPTS[name].drug_class
    return f"{name} (class {drug_class})" if drug_class and drug_class != name else name


def _why_not(code: str, system: str | None, tables: Tables) -> Iterator[str]:
    """Why no row names a code, and what may have been meant."""
    where = "in any code system" if system is None else f"in {system}"
    if system is not None and system not in tables.uris and not _appears(system, tables):
        yield f"no table names the code system '{system}'{nearest(system, tables.uris)}"
    yield f"no table knows '{code}' {where}: reason 'unknown_code'"
    if system in (None, LOINC) and "-" in code and code[:1].isdigit() and not loinc_is_sound(code):
        yield f"'{code}' is no LOINC code: its check digit is wrong"
    if system in (None, SNOMED) and code.isdigit() and len(code) > 8 and not snomed_is_sound(code):
        yield f"'{code}' is no SNOMED CT code: its check digit is wrong"
    codes = [c for s, c in _all_codes(tables) if system in (None, s)]
    near = nearest(code, codes)
    if near:
        yield f"the nearest known code{near.removeprefix('; did you mean').removesuffix('?')}"
    yield "a site's own table can name it: see 'Add a code' in CONTRIBUTING.md"


def _all_codes(tables: Tables) -> Iterator[tuple[str, str]]:
    yield from tables.quantities
    yield from tables.questions
    for kind in KINDS:
        yield from tables.codes[kind]


def _appears(system: str, tables: Tables) -> bool:
    return any(system == name for name, _ in _all_codes(tables))
