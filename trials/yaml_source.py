"""YAML read strictly, with the line of every value kept.

Read as the core schema of YAML 1.2: ``on``, ``off``, ``yes`` and ``no`` are words, not truth values; there
are no octal or base-60 numbers and no dates. Refused: a key that stands twice, NaN and infinity, tags that
build objects, an alias inside the value it names, and more values than a protocol could have.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Position = tuple[str | int, ...]
"""The way to a value: keys and list indices from the root, ``("arms", 0, "doses")``."""

LARGEST_FILE = 1_000_000
"""Bytes; a protocol is a few thousand."""
MOST_VALUES = 20_000
"""Values after aliases are followed, so that nested aliases cannot fill the memory."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_PLAIN + word for word in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")}
_MERGE = _PLAIN + "merge"


def position_text(position: Position) -> str:
    """``arms[0].doses`` for ``("arms", 0, "doses")``."""
    text = ""
    for step in position:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file: the value's position, its line where known, and what to do."""

    position: Position
    line: int | None
    message: str


class SourceError(ValueError):
    """A file that cannot be used; lists everything that is wrong with it, in the order of its lines."""

    kind = "file"

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda p: p.line or 0))
        super().__init__(file, self.problems)

    def __str__(self) -> str:
        lines = []
        for problem in self.problems:
            place = self.file if problem.line is None else f"{self.file}:{problem.line}"
            where = position_text(problem.position)
            lines.append(f"{place}: {where}: {problem.message}" if where else f"{place}: {problem.message}")
        if len(lines) == 1:
            return lines[0]
        return f"{len(lines)} problems in {self.file}:\n" + "\n".join("  " + line for line in lines)


@dataclass(frozen=True)
class SourceMap:
    """Which line each value of a file stands on.

    Attributes:
        file: the file as the user named it.
        lines: line by position; a value in a mapping has the line of its key.
    """

    file: str
    lines: Mapping[Position, int]

    def line(self, position: Position) -> int | None:
        """The line of a value, or of the nearest value around it."""
        for length in range(len(position), -1, -1):
            if (line := self.lines.get(position[:length])) is not None:
                return line
        return None

    def locate(self, position: Position) -> str:
        """``file:line`` of a value."""
        line = self.line(position)
        return self.file if line is None else f"{self.file}:{line}"

    def problem(self, position: Position, message: str) -> Problem:
        """A problem at a position, with its line looked up."""
        return Problem(position, self.line(position), message)


def read_yaml(path: Path) -> tuple[dict[str, Any], SourceMap, list[Problem]]:
    """The mapping that a YAML file holds, the line of each of its values, and what is wrong with it.

    Values that are refused stand as None in the mapping and as a problem in the list, so that the rest of
    the file can still be checked.

    Raises:
        SourceError: the file cannot be read at all, is not YAML, or does not hold a mapping.
    """
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _whole(file, None, f"cannot be read: {error.strerror or 'unknown reason'}") from None
    if len(content) > LARGEST_FILE:
        raise _whole(file, None, f"is larger than {LARGEST_FILE} bytes, which no protocol is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _whole(file, line, "is not UTF-8 text; save it as UTF-8") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _whole(file, mark.line + 1 if mark else None, _yaml_message(error)) from None
    except yaml.reader.ReaderError as error:
        line = bisect.bisect_right([m.start() for m in re.finditer("\n", text)], error.position) + 1
        raise _whole(file, line, "is not YAML: it holds a control character") from None
    except RecursionError:
        raise _whole(file, None, "is nested too deeply") from None
    if not isinstance(root, yaml.MappingNode):
        raise _whole(file, None, "must hold fields ('name: value' lines) at its outermost level")
    builder = _Builder()
    try:
        document = builder.mapping(root, ())
    except _TooMany:
        raise _whole(file, None, f"holds more than {MOST_VALUES} values after following aliases") from None
    except RecursionError:
        raise _whole(file, None, "is nested too deeply") from None
    return document, SourceMap(file, builder.lines), builder.problems


def _whole(file: str, line: int | None, message: str) -> SourceError:
    return SourceError(file, [Problem((), line, message)])


def _yaml_message(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be parsed"
    message = f"is not YAML: {problem}"
    if "but got '['" in problem:
        message += '; inside { } a unit with brackets needs quotes: "200 mm[Hg]"'
    elif "cannot start any token" in problem and "\\t" in problem:
        message += "; indent with spaces, not with tabs"
    elif "mapping values are not allowed" in problem:
        message += "; a text that holds ': ' needs quotes or '>-'"
    return message


class _TooMany(Exception):
    pass


class _Builder:
    """Turns YAML nodes into plain values and notes the line of each."""

    def __init__(self) -> None:
        self.lines: dict[Position, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node, position: Position) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise _TooMany
        self.lines.setdefault(position, node.start_mark.line + 1)
        if node.tag not in _KNOWN_TAGS:
            return self._refuse(position, f"the tag '{node.tag}' is not allowed; write a plain value")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, position)
        if id(node) in self._open:
            return self._refuse(position, "an alias may not stand inside the value that it names")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, position)
            return [self.value(item, (*position, i)) for i, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, position: Position) -> dict[str, Any]:
        self.lines.setdefault(position, node.start_mark.line + 1)
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                merged = {**self._merge(item, position), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(position, line, "a field's name must be a word"))
                continue
            # The text of the key as written: YAML 1.1 would read the name 'on' as a truth value.
            name = key.value
            here = (*position, name)
            if name in own:
                first = self.lines[here]
                self.problems.append(Problem(here, line, f"stands twice; the first is on line {first}"))
                continue
            self.lines[here] = line
            own[name] = self.value(item, here)
        return {**merged, **own}

    def _merge(self, node: yaml.Node, position: Position) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in parts:
            value = self.value(part, position)
            if isinstance(value, dict):
                merged = {**value, **merged}
            else:
                line = node.start_mark.line + 1
                self.problems.append(Problem(position, line, "'<<' needs an alias of a group of fields"))
        return merged

    def _scalar(self, node: yaml.ScalarNode, position: Position) -> Any:
        text: str = node.value
        if node.style is not None:
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        if _NOT_FINITE.fullmatch(text):
            return self._refuse(position, f"'{text}' is not a finite number")
        if _INTEGER.fullmatch(text) and len(text) <= 40:
            return int(text)
        if _NUMBER.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else self._refuse(position, f"'{text}' is too large")
        return text

    def _refuse(self, position: Position, message: str) -> None:
        self.problems.append(Problem(position, self.lines.get(position), message))
