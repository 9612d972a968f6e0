"""Look for very many byte patterns at once.

Every position of the content is reduced to a hash of its next eight (or four) bytes, in numpy; only
positions whose hash belongs to a pattern are compared byte by byte. The time hardly depends on the
number of patterns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.scan.encodings import Pattern

_TABLE_BITS = 22
_CHUNK = 1 << 22
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Knuth's multiplier for hashing by multiplication."""


@dataclass(frozen=True)
class _Wanted:
    token: int
    pattern: Pattern


class _Prefixes:
    """Patterns that share the width of their hashed prefix."""

    def __init__(self, width: int, wanted: Iterable[_Wanted]):
        self._width = width
        self._type = f"<u{width}"
        self._by_key: dict[int, list[_Wanted]] = defaultdict(list)
        for one in wanted:
            self._by_key[int.from_bytes(one.pattern.content[:width], "little")].append(one)
        self._keys = np.sort(np.array(list(self._by_key), dtype=self._type))
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[self._hash(self._keys)] = True

    def candidates(self, content: bytes) -> Iterator[tuple[int, list[_Wanted]]]:
        """Positions where the prefix of some pattern stands, with these patterns."""
        count = len(content) - self._width + 1
        if count <= 0 or not self._by_key:
            return
        windows: npt.NDArray[np.unsignedinteger] = np.ndarray(
            shape=(count,), dtype=self._type, buffer=content, strides=(1,)
        )
        for start in range(0, count, _CHUNK):
            part = np.ascontiguousarray(windows[start : start + _CHUNK])
            likely = np.flatnonzero(self._table[self._hash(part)])
            keys = part[likely]
            nearest = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            exact = likely[self._keys[nearest] == keys]
            for position in exact.tolist():
                yield start + position, self._by_key[int(part[position])]

    @staticmethod
    def _hash(keys: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.uint64]:
        return (keys.astype(np.uint64) * _SPREAD) >> np.uint64(64 - _TABLE_BITS)


class PatternSearch:
    """A search for fixed patterns.

    Args:
        patterns: for each token, its patterns.
    """

    def __init__(self, patterns: Iterable[Iterable[Pattern]]):
        groups: dict[tuple[bool, int], list[_Wanted]] = defaultdict(list)
        for token, mine in enumerate(patterns):
            for pattern in mine:
                width = 8 if len(pattern.content) >= 8 else 4
                groups[pattern.folded, width].append(_Wanted(token, pattern))
        self._groups = [(folded, _Prefixes(width, wanted)) for (folded, width), wanted in groups.items()]

    def find(self, content: bytes) -> set[tuple[int, str]]:
        """Pairs (token, encoding) that occur in the content."""
        found: set[tuple[int, str]] = set()
        folded_content = content.lower()
        for folded, prefixes in self._groups:
            text = folded_content if folded else content
            for position, candidates in prefixes.candidates(text):
                for wanted in candidates:
                    pattern = wanted.pattern
                    hit = (wanted.token, pattern.encoding)
                    if hit in found or not text.startswith(pattern.content, position):
                        continue
                    if not pattern.whole or _stands_alone(text, position, pattern.content):
                        found.add(hit)
        return found


def _stands_alone(text: bytes, start: int, content: bytes) -> bool:
    """Whether what stands around is no continuation of the same word or number.

    Zeros before a number are padding, digits after a decimal point are no number of their own.
    """
    end = start + len(content)
    if end < len(text) and _class(text[end]) == _class(content[-1]) != "":
        return False
    if _class(content[0]) == "digit":
        while start > 0 and text[start - 1] == ord("0"):
            start -= 1
        if (
            content.isdigit()
            and start > 1
            and text[start - 1] == ord(".")
            and _class(text[start - 2]) == "digit"
        ):
            return False
    return start == 0 or _class(content[0]) == "" or _class(text[start - 1]) != _class(content[0])


def _class(byte: int) -> str:
    if ord("0") <= byte <= ord("9"):
        return "digit"
    return "letter" if ord("a") <= byte <= ord("z") else ""
