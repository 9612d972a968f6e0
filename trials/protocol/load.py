"""Reading a protocol file, and turning what pydantic finds into sentences with a line number."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from trials.protocol import checks
from trials.protocol.schema import Protocol, ProtocolError
from trials.yaml_source import Position, SourceError, read_yaml


def load_protocol(path: str | Path) -> Protocol:
    """Read and check a protocol.

    Args:
        path: a YAML file.

    Raises:
        ProtocolError: with every problem of the file: its line, the field, what was expected and, for an
            unknown word, the nearest valid one.
    """
    try:
        document, source, problems = read_yaml(Path(path))
    except SourceError as error:
        raise ProtocolError(error.file, error.problems) from None
    refused = [problem.position for problem in problems]
    found = [source.problem(*each) for each in _find_problems(document)]
    # What was refused while reading stands as None: a second complaint about it would only confuse.
    problems += [each for each in found if not any(each.position[: len(r)] == r for r in refused)]
    if problems:
        raise ProtocolError(str(path), problems)
    protocol = Protocol.model_validate(document)
    protocol._source = source
    return protocol


def _find_problems(document: Mapping[str, Any]) -> list[tuple[Position, str]]:
    """Reads each field on its own, then checks between the fields that could be read."""
    found: list[tuple[Position, str]] = []
    values: dict[str, Any] = {}
    fields = {field.alias or name: name for name, field in Protocol.model_fields.items()}
    for key in document:
        if key not in fields:
            found.append(((key,), _unknown_field(key, fields)))
    for key, name in fields.items():
        field = Protocol.model_fields[name]
        if key not in document:
            if field.is_required():
                found.append(((key,), "this field is missing"))
            else:
                values[name] = field.get_default(call_default_factory=True)
            continue
        adapter: TypeAdapter[Any] = TypeAdapter(_annotation(Protocol, name))
        try:
            values[name] = adapter.validate_python(document[key])
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                found.append(_explain(detail, key, document[key], _annotation(Protocol, name)))
    by_key = {key: values[name] for key, name in fields.items() if name in values}
    partial = Protocol.model_construct(**by_key)
    return found + checks.find_problems(partial, values)


def _annotation(model: type[BaseModel], name: str) -> Any:
    return typing.get_type_hints(model, include_extras=True)[name]


def _explain(detail: ErrorDetails, key: str, value: Any, annotation: Any) -> tuple[Position, str]:
    position = (key, *_position(detail["loc"], value))
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields_at(annotation, detail["loc"][:-1])
        return position, _unknown_field(str(detail["loc"][-1]), known)
    if kind == "missing":
        return position, "this field is missing"
    if kind == "union_tag_invalid":
        tags = [tag.strip("'") for tag in str(context["expected_tags"]).split(", ")]
        message = f"unknown kind '{context['tag']}'; {_nearest(str(context['tag']), tags)}"
        return (*position, "kind"), message
    if kind == "union_tag_not_found":
        return position, "needs 'kind', which says what sort of endpoint this is"
    if kind == "literal_error":
        return position, f"expected {context['expected']}, not {_shown(detail['input'])}"
    if kind == "string_pattern_mismatch":
        return position, _pattern_message(str(context["pattern"]), detail["input"])
    if kind == "value_error":
        return position, str(context["error"])
    if detail["input"] is None:
        return position, "has no value; give one or remove the field"
    return position, f"{_lower(detail['msg'])}, not {_shown(detail['input'])}"


def _position(location: tuple[int | str, ...], value: Any) -> Iterator[str | int]:
    """Pydantic's location without the steps that the file does not have (union tags, '[key]')."""
    for index, step in enumerate(location):
        last = index == len(location) - 1
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
            yield step
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
            yield step
        elif last and isinstance(value, dict) and step != "[key]":
            yield step  # a field that is missing


def _fields_at(annotation: Any, location: tuple[int | str, ...]) -> list[str]:
    """The names of the fields of the group at a location."""
    for step in location:
        annotation = _step_into(annotation, step)
    models = [each for each in _alternatives(annotation) if _is_model(each)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _step_into(annotation: Any, step: int | str) -> Any:
    for each in _alternatives(annotation):
        origin, arguments = typing.get_origin(each), typing.get_args(each)
        if origin is tuple or origin is list:
            return arguments[0]
        if origin is dict:
            return arguments[1]
        if _is_model(each):
            tag = each.model_fields.get("kind")
            if tag is not None and step in typing.get_args(tag.annotation):
                return each
            for name, field in each.model_fields.items():
                if step in (name, field.alias):
                    return _annotation(each, name)
    return annotation


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union, without Annotated around them."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for each in typing.get_args(annotation):
            yield from _alternatives(each)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _unknown_field(word: str, known: typing.Iterable[str]) -> str:
    return f"unknown field '{word}'; {_nearest(word, known)}"


def _nearest(word: str, known: typing.Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "expected one of " + ", ".join(known)


def _pattern_message(pattern: str, value: Any) -> str:
    if r"\." in pattern:
        return f"{_shown(value)} is not a port; write it as 'model.port', in lower case"
    return f"{_shown(value)} is not a name; use a to z, 0 to 9 and _, beginning with a letter"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a group of fields"
    if isinstance(value, list):
        return "a list"
    return f"'{str(value)[:60]}'"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
