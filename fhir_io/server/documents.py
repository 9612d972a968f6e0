"""JSON that a server answers with, read so that decimals keep their digits.

``6.30`` says more than ``6.3``: resources of a page are written back with the numbers as they came.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from fhir_io.server.errors import ServerError

Json = dict[str, Any]


def parse(body: bytes, place: str) -> Json:
    """A JSON object; its decimals are fragments that are written back digit by digit.

    Raises:
        ServerError: it is none, holds NaN or an object with a doubled key, or is nested too deeply.
    """
    try:
        found = json.loads(
            body.decode("utf-8-sig"),
            parse_float=_fragment,
            parse_int=_integer,
            parse_constant=_refuse,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        raise ServerError(
            f"{place}: the answer is not sound JSON; report it to the server's operator"
        ) from None
    if not isinstance(found, dict):
        raise ServerError(f"{place}: the answer is JSON but no object; check the address")
    return found


def written(resource: Json, place: str) -> bytes:
    """One line of NDJSON.

    Raises:
        ServerError: it cannot be written as UTF-8, or is nested too deeply.
    """
    try:
        return orjson.dumps(resource)
    except (orjson.JSONEncodeError, RecursionError):
        raise ServerError(
            f"{place}: a resource cannot be written as JSON; report it to its operator"
        ) from None


def _fragment(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())


def _integer(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) < 19 else orjson.Fragment(text.encode())


def _refuse(_: str) -> NoReturn:
    raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made
