"""The release policy: what each column is, and what must hold before a table leaves.

A policy is a YAML file of schema ``vht-release-policy/1`` (``docs/schemas/vht-release-policy-1.json``).
Numbers that are not given are this project's defaults, not law: k = 10, smallest cell 10, protection
interval 3.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from privacy.release.errors import PolicyError

SCHEMA = "vht-release-policy/1"
LARGEST_FILE = 1_000_000
"""Bytes of a policy file; one is a few thousand."""

Label = Literal["real-derived", "simulated"]
Role = Literal["quasi-identifier", "sensitive", "identifier", "plain"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Bands(_Part):
    """Bands of a number, finest first; each level must keep a part of the edges of the level before."""

    bands: Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _nested(self) -> Bands:
        for level, edges in enumerate(self.bands):
            if not edges or any(a >= b for a, b in pairwise(edges)):
                raise ValueError("each level needs edges in ascending order")
            if level and not set(edges) <= set(self.bands[level - 1]):
                raise ValueError("a level may only leave out edges of the level before it")
        return self


class Prefixes(_Part):
    """Leading characters that a code keeps, longest first."""

    prefixes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _shorter(self) -> Prefixes:
        if any(a <= b for a, b in pairwise(self.prefixes)):
            raise ValueError("prefixes must become shorter")
        return self


class Values(_Part):
    """Groups of values, finest first: each level says to which group a value of the level before belongs."""

    values: Annotated[tuple[dict[str, str], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _chained(self) -> Values:
        for before, after in pairwise(self.values):
            if not set(before.values()) <= set(after):
                raise ValueError("each level must say where every group of the level before it belongs")
        return self


Hierarchy = Bands | Prefixes | Values


class Column(_Part):
    """One column of the table.

    Attributes:
        role: ``quasi-identifier`` (others may know it; it is generalised), ``sensitive`` (to be kept from
            those who know the rest), ``identifier`` (never leaves), ``plain`` (leaves unchanged, and counts
            among what others may know).
        hierarchy: how its values become coarser; level 0 is the value, the last level, ``*``, is added.
        lowest_level: the finest level that may leave.
        distinct: fewest distinct values of a sensitive column in a class (distinct l-diversity).
        entropy: fewest effective values, exp of Shannon's entropy (entropy l-diversity).
        closeness: largest distance of the values of a class from those of the table (t-closeness).
        distance: ``ordered`` (by rank), ``numeric`` (by value) or ``equal``.
    """

    role: Role
    hierarchy: Hierarchy | None = None
    lowest_level: Annotated[int, Field(ge=0)] = 0
    distinct: Annotated[int, Field(ge=1)] = 3
    entropy: Annotated[float, Field(ge=1.0)] = 1.0
    closeness: Share = 0.3
    distance: Literal["ordered", "numeric", "equal"] = "equal"

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if self.hierarchy is not None and self.role not in ("quasi-identifier", "sensitive"):
            raise ValueError("only quasi-identifiers and sensitive columns have a hierarchy")
        if self.lowest_level > levels(self.hierarchy):
            raise ValueError("lowest_level is beyond the last level of the hierarchy")
        if self.role != "quasi-identifier" and self.lowest_level and self.hierarchy is None:
            raise ValueError("lowest_level needs a hierarchy")
        if self.role == "sensitive" and self.hierarchy is not None and self.distance != "equal":
            raise ValueError("a sensitive column that is grouped has the distance 'equal'")
        return self


class Presence(_Part):
    """Bounds of delta-presence: how sure one may be that a person of the population is in the table."""

    lower: Share = 0.0
    upper: Share = 0.5

    @model_validator(mode="after")
    def _ordered(self) -> Presence:
        if self.lower > self.upper:
            raise ValueError("lower is above upper")
        return self


class Policy(_Part):
    """What must hold before tables, counts and results leave.

    Attributes:
        label: ``real-derived`` (rests on records of people, virtual twins of them included) or ``simulated``;
            only the former is suppressed.
        k: fewest rows that share quasi-identifiers and plain columns.
        fingerprint_k: fewest rows that share all sensitive values; None for k. A panel of exact
            measurements identifies as a fingerprint does.
        presence: bounds against a population table; None where membership is no secret.
        smallest_cell: counts below it are suppressed.
        zeros: ``shown`` (a count of nobody is told), or ``suppressed`` where that, too, tells of somebody.
        protection: width that the bounds of every suppressed count must have for whoever knows all others.
        suppression_limit: largest share of rows that may be left out.
        significant_digits: of estimates that leave.
    """

    schema_: Annotated[Literal["vht-release-policy/1"], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    label: Label
    k: Annotated[int, Field(ge=2)] = 10
    fingerprint_k: Annotated[int, Field(ge=1)] | None = None
    presence: Presence | None = None
    smallest_cell: Annotated[int, Field(ge=2)] = 10
    zeros: Literal["suppressed", "shown"] = "shown"
    protection: Annotated[int, Field(ge=1)] = 3
    suppression_limit: Share = 0.05
    significant_digits: Annotated[int, Field(ge=1, le=15)] = 3
    columns: dict[str, Column] = Field(default_factory=dict)

    def named(self, role: Role) -> list[str]:
        """Columns of a role, in the order of the policy."""
        return [name for name, column in self.columns.items() if column.role == role]

    def small(self, count: int) -> bool:
        """Whether a count may not be shown."""
        return count < self.smallest_cell and not (count == 0 and self.zeros == "shown")

    @property
    def shared_panel(self) -> int:
        """Fewest rows that share all sensitive values."""
        return self.k if self.fingerprint_k is None else self.fingerprint_k

    @property
    def digest(self) -> str:
        """SHA-256 of the policy with its defaults filled in."""
        return hashlib.sha256(canonical(self.model_dump(mode="json", by_alias=True))).hexdigest()


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no spaces: the form that digests are made of."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def levels(hierarchy: Hierarchy | None) -> int:
    """The last level, ``*``, of a column; level 0 is the value itself."""
    match hierarchy:
        case None:
            return 1
        case Bands():
            return len(hierarchy.bands) + 1
        case Prefixes():
            return len(hierarchy.prefixes) + 1
        case Values():
            return len(hierarchy.values) + 1


def policy_schema() -> dict[str, Any]:
    """JSON Schema of a policy file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:vht-release-policy:1",
        **Policy.model_json_schema(by_alias=True),
    }


def read_policy(path: Path | str) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: it cannot be read or is not of the schema; names every field, and the nearest word.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise PolicyError(f"{path.name} is larger than {LARGEST_FILE} bytes; this is no policy")
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Strict)  # a SafeLoader
    except OSError as error:
        raise PolicyError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path.name} is not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark is not None else ""
        word = "a key stands twice" if isinstance(error, _TwiceError) else "this is not YAML"
        raise PolicyError(f"{path.name}{place}: {word}") from None
    return parse_policy(content, path.name)


def parse_policy(content: Any, name: str = "policy") -> Policy:
    """A policy from the content of its file.

    Raises:
        PolicyError: with every field that is wrong.
    """
    if not isinstance(content, dict):
        raise PolicyError(f"{name} holds no fields; begin with 'schema: {SCHEMA}'")
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        # several kinds of hierarchy are tried; the reader wants one line a field
        lines = dict.fromkeys(_line(each) for each in error.errors(include_input=False, include_url=False))
        raise PolicyError("\n".join(f"{name}: {line}" for line in lines)) from None


class _TwiceError(yaml.MarkedYAMLError):
    pass


class _Strict(yaml.SafeLoader):
    """YAML in which no key stands twice: of two limits, neither may win in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        for index, (key, _) in enumerate(node.value):
            if key.value in keys[:index]:
                raise _TwiceError(problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


_KINDS = {"Bands", "Prefixes", "Values"}


def _line(problem: Any) -> str:
    steps = [str(step) for step in problem["loc"] if str(step) not in _KINDS]
    where = ".".join(steps)
    if problem["type"] == "extra_forbidden":
        return f"{where}: no such field; {nearest(steps[-1], _fields(steps[:-1]))}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    if problem["type"] == "value_error":
        return f"{where}: {problem['ctx']['error']}"
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _fields(steps: Sequence[str]) -> list[str]:
    """Names of the fields of the part that a place leads to."""
    if not steps:
        found: Any = Policy
    elif steps[0] == "presence":
        found = Presence
    elif steps[-1] == "hierarchy":
        return ["bands", "prefixes", "values"]
    else:
        found = Column
    return [field.alias or name for name, field in found.model_fields.items()]


def nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(known)
