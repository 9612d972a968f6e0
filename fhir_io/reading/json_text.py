"""From bytes to JSON values: at the speed of orjson, and nothing that a reader could take two ways.

orjson refuses NaN, infinities, numbers beyond double precision, lone surrogates and text that is not
UTF-8. It keeps the last of two fields of one name without a word: that is found here.
"""

from __future__ import annotations

import gc
import json
from typing import Any

import orjson

from fhir_io.errors import FhirImportError
from fhir_io.reading.skeletons import Skeleton, skeleton

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MOST_SKELETONS = 5_000
"""So many are remembered, which real exports do not reach; others take the slower way."""
_seen: set[Skeleton] = set()
_LARGE = 1 << 14
"""From this size on (bytes), collecting garbage while young objects appear would cost most of a parse."""


def parse(content: bytes, where: object) -> Any:
    """The JSON value that ``content`` holds.

    Args:
        content: UTF-8, with or without a byte order mark.
        where: place for messages; it is turned into text only there.

    Raises:
        FhirImportError: it is not JSON, is nested more than 254 levels deep, or names a field twice.
            Neither the message nor a chained error holds any of the content.
    """
    content = content.removeprefix(_BOM)
    problem = ""
    value = None
    try:
        value = _loads(content)
    except json.JSONDecodeError as error:
        problem = _not_json(content, error)
    if problem:  # raised here, so that the error above, which holds the content, is not chained
        raise FhirImportError(f"{where}: {problem}. Export or copy it again; nothing was imported")
    _refuse_twice(content, value, where)
    return value


def parse_resource(content: bytes, where: object) -> tuple[Any, Skeleton | None]:
    """As :func:`parse`, with the skeleton of the text; a skeleton once seen has no field twice.

    Raises:
        FhirImportError: as :func:`parse` does.
    """
    form = skeleton(content)
    if form is None or form not in _seen:
        value = parse(content, where)
        if form is not None and len(_seen) < _MOST_SKELETONS:
            _seen.add(form)
        return value, form
    try:
        return orjson.loads(content), form
    except json.JSONDecodeError:
        pass
    return parse(content, where), form  # which says what is wrong


def _loads(content: bytes) -> Any:
    if len(content) < _LARGE or not gc.isenabled():
        return orjson.loads(content)
    gc.disable()
    try:
        return orjson.loads(content)
    finally:
        gc.enable()


def _not_json(content: bytes, error: json.JSONDecodeError) -> str:
    if content.startswith(_UTF16) or content[1:2] == b"\0" or content[:1] == b"\0":
        return "not readable as JSON: it is UTF-16 or binary, and FHIR JSON is UTF-8"
    size = len(content)
    byte = len(error.doc[: error.pos].encode(errors="replace"))
    if "UTF-8" in error.msg:
        return f"not readable as JSON: some of its {size} bytes are not UTF-8"
    cut = "; it seems to be cut off" if byte >= size - 1 else ""
    return f"not readable as JSON at byte {byte} of {size} (line {error.lineno}){cut}"


def _refuse_twice(content: bytes, value: Any, where: object) -> None:
    """Raise if an object has two fields of one name.

    Outside texts a colon stands for one field, and texts come out of orjson as they went in: so
    writing the value again and counting colons tells whether a field was lost. Only a colon that
    was escaped in a text blurs that, and then the slow way decides.
    """
    problem = ""
    try:
        written = orjson.dumps(value).count(b":")
    except TypeError:  # orjson writes 254 levels, and reads more
        problem = "not readable as JSON: it is nested more than 254 levels deep, and FHIR never is"
    else:
        escaped = b"\\u003" in content and (b"\\u003a" in content or b"\\u003A" in content)
        if (escaped or written != content.count(b":")) and _has_twice(content):
            problem = "an object in it has two fields of one name, so that a value would be lost"
    if problem:
        raise FhirImportError(f"{where}: {problem}. Export it again; nothing was imported")


def _has_twice(content: bytes) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(content, object_pairs_hook=look)
    return found
