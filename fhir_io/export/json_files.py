"""JSON files read strictly, and checked against a schema, with errors that hold no value of the file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fhir_io.export.errors import ExportError

Model = TypeVar("Model", bound=BaseModel)
_SHOWN = 10


def read_json(path: Path) -> Any:
    """A JSON file with its numbers as they are written; duplicate keys and numbers beyond JSON are refused.

    Raises:
        ExportError: it cannot be read; the name of the file is one that this package looks for itself.
    """
    try:
        return json.loads(
            path.read_bytes(),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except OSError as error:
        raise ExportError(f"a file of the results cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise ExportError(f"a file of the results is not JSON at byte {error.pos}; export it again") from None
    except (ValueError, RecursionError, ArithmeticError) as error:
        what = str(error) if type(error) is _Unreadable else "it is not JSON that can be read"
        raise ExportError(f"a file of the results: {what}; export it again") from None


def checked(model: type[Model], content: Any, where: str) -> Model:
    """Validate content; every problem is named by its field, none by its value.

    Raises:
        ExportError: it does not fit the schema.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{_field(problem['loc'], problem['type'])}{_message(problem)}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    shown = "; ".join(dict.fromkeys(problems[:_SHOWN]))
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise ExportError(f"{where}: {shown}{more}")


class _Unreadable(ValueError):
    """Its text is ours and holds nothing of the file."""


def _refuse_constant(_: str) -> None:
    raise _Unreadable("it holds NaN or an infinity, which JSON does not have")


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    items = list(pairs)
    content = dict(items)
    if len(content) != len(items):
        raise _Unreadable("an object has a key twice")
    return content


def _field(location: tuple[int | str, ...], kind: str) -> str:
    """``trial.arms[2].label: ``; a key that the schema does not have is not repeated."""
    parts = location[:-1] if kind == "extra_forbidden" else location
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return f"{text}: " if text else ""


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "has a field that the schema does not know; remove it"
    message: str = problem["msg"]
    return message.removeprefix("Value error, ")
