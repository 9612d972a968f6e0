"""The structure of a resource's text: two texts of one skeleton differ in values alone.

Splitting at quotation marks leaves texts at odd places and what is between them at even ones. What is
between, without digits and spaces, says where the keys are; so the keys of a known pattern are picked at
once. A skeleton costs a few microseconds, much less than walking through the parsed value.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

Skeleton = tuple[bytes, Any]
"""What is between texts, and the keys."""

_DIGITS_AND_SPACE = b"0123456789+ \t\r\n"
_MOST_PATTERNS = 5_000
_LONGEST = 1 << 16
"""Bytes; remembering the structure of longer texts would cost memory and save little."""
_pick: dict[bytes, itemgetter[Any]] = {}


def skeleton(text: bytes) -> Skeleton | None:
    """The skeleton of a resource's text, which is JSON.

    None for a long text, where splitting is not exact (an escaped character, a space before a colon) and
    where the skeleton would not tell the structure (a contained resource, whose type is part of it).
    """
    if len(text) > _LONGEST or b"\\" in text or text.count(b'"resourceType"') != 1:
        return None
    parts = text.split(b'"')
    marks = b'"'.join(parts[2::2]).translate(None, _DIGITS_AND_SPACE)
    pick = _pick.get(marks)
    if pick is None:
        places = [n for n, mark in enumerate(parts[2::2]) if mark[:1] == b":"]
        if len(places) < 2 or len(places) != marks.count(b":"):
            return None
        pick = itemgetter(*(2 * n + 1 for n in places))
        if len(_pick) < _MOST_PATTERNS:
            _pick[marks] = pick
    # one that has a space before a colon shares its marks with one that has not
    return (marks, pick(parts)) if text.count(b'":') == marks.count(b":") else None
