"""The code tables in use: our own, and a site's over them, as lookup tables that nothing changes.

Our tables lie in ``tables/`` beside this module. A site's file has the same form
(:mod:`fhir_io.mapping.code_rows`); where it names a code that ours name as well, its row counts.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from fhir_io.errors import FhirImportError
from fhir_io.mapping.check_digits import loinc_is_sound, snomed_is_sound
from fhir_io.mapping.code_rows import (
    EVERY_CONDITION,
    AnswerRow,
    AskedBy,
    CodeTable,
    ConceptRow,
    QuantityRow,
    QuestionRow,
    SystemRow,
    nearest,
)
from vht.concepts import Kind

BUILT_IN = Path(__file__).parent / "tables"
LOINC, SNOMED, UCUM = "loinc", "snomed", "ucum"
KINDS: tuple[Kind, ...] = get_args(Kind)

_LARGEST_FILE = 16 * 2**20  # bytes
_MOST_SHOWN = 12
_CHECKS = {LOINC: loinc_is_sound, SNOMED: snomed_is_sound}
_MARKS = re.compile(r"[*+!†]+$")  # of the dagger-asterisk system; no part of the code
Row = TypeVar("Row")


class CodeTableError(FhirImportError):
    """A table of codes cannot be used; the message names the file, its rows and fields, and the remedy."""


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """A question of the tables: its quantity, if answers stand for numbers, and its answers."""

    name: str
    quantity: str | None
    coded: Mapping[tuple[str, str], AnswerRow]
    booleans: Mapping[bool, AnswerRow]


@dataclass(frozen=True, eq=False, slots=True)
class Tables:
    """Immutable lookup tables; systems stand by their short names.

    Attributes:
        names: short name of a code system by each of its URIs.
        uris: URI of a code system by its short name.
        hierarchical: systems whose codes belong to what their beginning says.
        quantities: row by (system, code).
        codes, prefixes: by kind, row of a concept by (system, code) and by (system, beginning of a code).
        questions, asked_by: question and the row that names its code, by (system, code).
        spellings: UCUM unit by a spelling in small letters.
        absent_unless_recorded: conditions that a site takes as absent where they are not recorded.
        sources: what the short names of sources stand for.
        versions: ``file name: version`` of each table.
        digest: SHA-256 of all tables in use.
    """

    names: Mapping[str, str]
    uris: Mapping[str, str]
    hierarchical: frozenset[str]
    quantities: Mapping[tuple[str, str], QuantityRow]
    codes: Mapping[Kind, Mapping[tuple[str, str], ConceptRow]]
    prefixes: Mapping[Kind, Mapping[tuple[str, str], ConceptRow]]
    questions: Mapping[tuple[str, str], Question]
    asked_by: Mapping[tuple[str, str], AskedBy]
    spellings: Mapping[str, str]
    absent_unless_recorded: tuple[str, ...]
    sources: Mapping[str, str]
    versions: tuple[str, ...]
    digest: str

    @staticmethod
    def load(extra: Path | Sequence[Path] | None = None) -> Tables:
        """Our tables, and over them those of ``extra``; ours alone are read once.

        Raises:
            CodeTableError: a file cannot be read or is no table; its rows and fields are named.
        """
        extras = (extra,) if isinstance(extra, Path) else tuple(extra or ())
        return _load(extras) if extras else _ours()

    def system(self, uri: str) -> str:
        """Short name of a code system; a system that the tables do not name stands for itself."""
        return self.names.get(uri, uri)

    def concept_row(self, kind: Kind, system: str, code: str) -> ConceptRow | None:
        """The row of a code: its own, else that of the longest beginning. ``system`` by its short name."""
        if system not in self.hierarchical:
            return self.codes[kind].get((system, code))
        plain = _plain(code)
        found = self.codes[kind].get((system, plain))
        for length in range(len(plain), 0, -1) if found is None else ():
            found = self.prefixes[kind].get((system, plain[:length]))
            if found is not None:
                break
        return found

    def preferred_code(self, quantity: str) -> QuantityRow | None:
        """The row of the code under which a quantity is exported; None if it has none."""
        found = [row for row in self.quantities.values() if row.quantity == quantity and not row.ignore]
        return next((row for row in found if row.preferred), found[0] if found else None)

    def codes_of_quantity(self, quantity: str, system: str = LOINC) -> tuple[str, ...]:
        """The codes of one system that mean a quantity, the preferred one first."""
        rows = [r for (s, _), r in self.quantities.items() if s == system and r.quantity == quantity]
        return tuple(row.code for row in sorted(rows, key=lambda row: not row.preferred))

    def codes_of_concept(self, concept: str, system: str) -> tuple[str, ...]:
        """The codes of one system that mean a concept and nothing else, in the order of the tables."""
        found = []
        for kind in KINDS:
            for (name, _), row in self.codes[kind].items():
                if name == system and row.concepts == (concept,) and row.code:
                    found.append(row.code)
        return tuple(found)

    @property
    def deniable(self) -> tuple[str, ...]:
        """The conditions that "no known problems" denies: those that the table of conditions knows."""
        kind: Kind = "condition"
        rows = (*self.codes[kind].values(), *self.prefixes[kind].values())
        return tuple(dict.fromkeys(name for row in rows for name in row.concepts))


@functools.cache
def _ours() -> Tables:
    return _load(())


def _load(extras: Sequence[Path]) -> Tables:
    paths = [*sorted(BUILT_IN.glob("*.yaml")), *extras]
    contents = [_bytes(path) for path in paths]
    files = [(path.name, _parse(path.name, content)) for path, content in zip(paths, contents, strict=True)]
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    systems = _systems(files)
    concepts = {kind: _concepts(files, kind, systems) for kind in KINDS}
    questions, asked_by = _questions(files, systems)
    quantities: dict[tuple[str, str], QuantityRow] = {}
    for name, table in files:
        rows = ((r.system, r.code, row_of("quantities", n)) for n, r in enumerate(table.quantities, 1))
        quantities |= _checked(name, zip(rows, table.quantities, strict=True), systems)
    return Tables(
        names=MappingProxyType({uri: s.name for s in systems.values() for uri in (s.uri, *s.also)}),
        uris=MappingProxyType({s.name: s.uri for s in systems.values()}),
        hierarchical=frozenset(s.name for s in systems.values() if s.hierarchical),
        quantities=MappingProxyType(quantities),
        codes=MappingProxyType({kind: MappingProxyType(found[0]) for kind, found in concepts.items()}),
        prefixes=MappingProxyType({kind: MappingProxyType(found[1]) for kind, found in concepts.items()}),
        questions=MappingProxyType(questions),
        asked_by=MappingProxyType(asked_by),
        spellings=MappingProxyType({r.spelling.lower(): r.unit for _, t in files for r in t.spellings}),
        absent_unless_recorded=tuple(
            dict.fromkeys(r.concept for _, t in files for r in t.absent_unless_recorded)
        ),
        sources=MappingProxyType({key: text for _, t in files for key, text in t.sources.items()}),
        versions=tuple(f"{name}: {table.version}" for name, table in files),
        digest=digest.hexdigest(),
    )


def row_of(section: str, number: int) -> str:
    """How errors name a row: '`quantities`, row 3'."""
    return f"'{section}', row {number}"


# -- reading a file


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise CodeTableError(f"{path.name}: larger than 16 MiB; give a table of codes")
        return path.read_bytes()
    except OSError as error:
        raise CodeTableError(
            f"{path.name}: cannot be read ({error.strerror}); give a table of codes"
        ) from None


class _TextLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Reads every scalar as text, and refuses a key that is given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key.value}' is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


def _parse(name: str, content: bytes) -> CodeTable:
    try:
        document = yaml.load(content, _TextLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML in UTF-8"
        raise CodeTableError(f"{name}{where}: {problem}") from None
    if not isinstance(document, dict):
        raise CodeTableError(f"{name}: a table of codes is a mapping that begins with 'schema: vht-codes/1'")
    try:
        return CodeTable.model_validate(document)
    except ValidationError as error:
        shown = [f"{name}: {_in_words(e)}" for e in error.errors(include_url=False)[:_MOST_SHOWN]]
        more = error.error_count() - len(shown)
        raise CodeTableError("\n".join(shown + ([f"{name}: and {more} more"] if more else []))) from None


def _in_words(error: Any) -> str:
    """One error of a table: row, field, what is wrong and the nearest word."""
    place: list[str] = []
    for part in error["loc"]:
        place.append(f"row {part + 1}" if isinstance(part, int) else f"'{part}'")
    problem = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        problem = f"there is no such field{nearest(str(error['loc'][-1]), _fields(error['loc']))}"
    return ", ".join(place or ["the table"]) + f": {problem}"


def _fields(place: Sequence[Any]) -> list[str]:
    """The fields that stand where an unknown one was given."""
    model: Any = CodeTable
    for part in place[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            inner = list(_models_in(model.model_fields[part].annotation))
            model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


# -- from files to lookup tables

Files = Sequence[tuple[str, CodeTable]]


def _systems(files: Files) -> dict[str, SystemRow]:
    found: dict[str, SystemRow] = {}
    for _, table in files:
        found |= {row.name: row for row in table.systems}
    return found


def _checked(
    name: str, rows: Iterable[tuple[tuple[str, str, str], Row]], systems: Mapping[str, SystemRow]
) -> dict[tuple[str, str], Row]:
    """Rows of one section by (system, code); each is ((system, code, where), row)."""
    found: dict[tuple[str, str], Row] = {}
    for (system, code, where), row in rows:
        if system not in systems and ":" not in system:
            hint = nearest(system, systems)
            raise CodeTableError(f"{name}: {where}, 'system': unknown code system '{system}'{hint}")
        check = _CHECKS.get(system)
        if check is not None and not check(code):
            raise CodeTableError(f"{name}: {where}, 'code': the check digit of '{code}' is wrong; compare it")
        if (system, code) in found:
            raise CodeTableError(f"{name}: {where}: '{code}' stands here twice; keep one of the rows")
        found[system, code] = row
    return found


def _concepts(
    files: Files, kind: Kind, systems: Mapping[str, SystemRow]
) -> tuple[dict[tuple[str, str], ConceptRow], dict[tuple[str, str], ConceptRow]]:
    codes: dict[tuple[str, str], ConceptRow] = {}
    prefixes: dict[tuple[str, str], ConceptRow] = {}
    for name, table in files:
        exact, begun = [], []
        for number, row in enumerate(table.of_kind(kind), 1):
            where = row_of(f"{kind}s", number)
            known = systems.get(row.system)
            if row.code is not None:
                code = _plain(row.code) if known is not None and known.hierarchical else row.code
                exact.append(((row.system, code, where), row))
                continue
            if known is None or not known.hierarchical:
                problem = f"codes of '{row.system}' say nothing by their beginning; give 'code'"
                raise CodeTableError(f"{name}: {where}: {problem}")
            for prefix in _expanded(row):
                begun.append(((row.system, prefix, where), row))
        codes |= _checked(name, exact, systems)
        prefixes |= _checked(name, begun, systems)
    return codes, prefixes


def _expanded(row: ConceptRow) -> list[str]:
    """The beginnings that a prefix or a range of categories stands for."""
    if row.prefix is not None:
        return [_plain(row.prefix)]
    first, last = (row.range or "-").split("-")
    letter = first[0] if first[0].isalpha() else ""
    digits = len(first) - len(letter)
    numbers = range(int(first[len(letter) :]), int(last[len(letter) :]) + 1)
    return [f"{letter}{number:0{digits}}" for number in numbers]


def _plain(code: str) -> str:
    """A code of a hierarchical system without its dot and marks: I50.1 and I501 are one code."""
    return _MARKS.sub("", code.strip().upper()).replace(".", "")


def _questions(
    files: Files, systems: Mapping[str, SystemRow]
) -> tuple[dict[tuple[str, str], Question], dict[tuple[str, str], AskedBy]]:
    merged: dict[str, list[QuestionRow]] = {}
    asked_by: dict[tuple[str, str], AskedBy] = {}
    by_code: dict[tuple[str, str], str] = {}
    answers: dict[str, dict[tuple[str, str], AnswerRow]] = {}
    for name, table in files:
        for number, row in enumerate(table.answers, 1):
            where = row_of("answers", number)
            asked = [((a.system, a.code, where), a) for a in row.asked_by]
            coded = [((a.system or "", a.code or "", where), a) for a in row.answers if a.code]
            found = _checked(name, asked, systems)
            asked_by |= found
            by_code |= dict.fromkeys(found, row.question)
            answers.setdefault(row.question, {}).update(_checked(name, coded, systems))
            merged.setdefault(row.question, []).append(row)
    made = {}
    for question, rows in merged.items():
        booleans = {a.boolean: a for row in rows for a in row.answers if a.boolean is not None}
        quantity = next((row.quantity for row in reversed(rows) if row.quantity), None)
        coded_answers = MappingProxyType(answers[question])
        made[question] = Question(question, quantity, coded_answers, MappingProxyType(booleans))
    return {key: made[question] for key, question in by_code.items()}, asked_by


__all__ = ["EVERY_CONDITION", "KINDS", "LOINC", "SNOMED", "UCUM", "CodeTableError", "Question", "Tables"]
