"""Search files, their names and what is inside them for identifiers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from privacy.scan.containers import ScanIncomplete, inner
from privacy.scan.encodings import needs_context, patterns, patterns_in_context
from privacy.scan.search import PatternSearch

DEEPEST = 6
"""Containers within containers that are opened before the scan gives up."""


@dataclass(frozen=True, order=True)
class Leak:
    """One identifier in one place.

    Attributes:
        path: the file (or folder, if its name is the leak).
        token_index: position of the identifier in the tokens that were given; the identifier
            itself is not repeated here.
        encoding: the disguise, such as ``"raw"``, ``"base64"`` or ``"sha256"``.
        place: ``"name"``, ``"content"``, or the containers around it, such as ``"zip > gzip"``.
    """

    path: Path
    token_index: int
    encoding: str
    place: str = "content"


@dataclass(frozen=True)
class Known:
    """An identifier with the field that it was in, such as ``given``; the repr hides the identifier."""

    value: str = field(repr=False)
    field: str


class LeakScanner:
    """A scanner for a set of identifiers; making it costs more than one small scan.

    Args:
        tokens: identifiers of at least four characters; of those whose field is known (:class:`Known`), one
            under six characters counts only beside the name of such a field. Words under six characters
            and numbers under ten digits count only where they stand alone, and words under six are not
            looked for backwards: chance would find them. ISO dates are looked for in other styles too; as
            a number of days since 1970 only from five digits on (before August 1942, after May
            1997), because shorter ones are years, counts and relative days as well.

    Raises:
        ValueError: a token is too short; its position is named, not its text.
    """

    def __init__(self, tokens: Iterable[str | Known]):
        compiled = []
        for index, token in enumerate(tokens):
            try:
                if isinstance(token, str):
                    compiled.append(patterns(token))
                elif needs_context(token.value):
                    compiled.append(patterns_in_context(token.value, token.field))
                else:
                    compiled.append(patterns(token.value))
            except ValueError as error:
                raise ValueError(f"token {index}: {error}") from None
        self._search = PatternSearch(compiled)

    def scan(self, paths: Path | Iterable[Path]) -> list[Leak]:
        """Every leak in files and, recursively, in folders; in order of path and token.

        Links are not followed; where they point to is searched as text.

        Raises:
            ScanIncomplete: something could not be read to the end.
            FileNotFoundError: a path does not exist.
        """
        leaks: set[Leak] = set()
        for root in [paths] if isinstance(paths, Path) else paths:
            for path in _walk(root):
                # a folder to search is the caller's; what it holds and how that is named is ours
                if path != root or not path.is_dir():
                    leaks |= self._named(path)
                leaks |= self._contained(path)
        return sorted(leaks)

    def scan_bytes(self, content: bytes, path: Path = Path("-")) -> list[Leak]:
        """Every leak in bytes that are no file, such as captured output; ``path`` labels them."""
        return sorted(self._opened(content, path))

    def _named(self, path: Path) -> set[Leak]:
        hits = self._search.find(os.fsencode(path.name))
        return {Leak(path, token, encoding, "name") for token, encoding in hits}

    def _contained(self, path: Path) -> set[Leak]:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return self._opened(os.fsencode(os.readlink(path)), path)
        if not stat.S_ISREG(mode):
            return set()
        log = path.with_name(path.name + "-wal")
        try:
            return self._opened(path.read_bytes(), path, log.read_bytes() if log.is_file() else None)
        except ScanIncomplete as error:
            error.path = path
            raise

    def _opened(self, content: bytes, path: Path, companion: bytes | None = None) -> set[Leak]:
        found: dict[tuple[int, str], str] = {}
        for place, part in _unpacked(content, companion):
            for hit in self._search.find(part):
                found.setdefault(hit, place)
        return {Leak(path, token, encoding, place) for (token, encoding), place in found.items()}


def find_leaks(paths: Path | Iterable[Path], tokens: Iterable[str]) -> list[Leak]:
    """Every place in files and folders where an identifier occurs, in any of its disguises.

    Args:
        paths: a file or folder, or several.
        tokens: identifiers, each of at least four characters.

    Returns:
        Leaks in order of path and token; empty if there are none.

    Raises:
        ValueError: a token is too short.
        ScanIncomplete: a container could not be read to the end.

    Example::

        assert find_leaks(Path("demo/run"), ["MRN-0012345", "1961-04-12"]) == []
    """
    return LeakScanner(tokens).scan(paths)


def _walk(root: Path) -> Iterator[Path]:
    yield root
    if root.is_dir() and not root.is_symlink():
        for path in sorted(root.iterdir()):
            yield from _walk(path)


def _unpacked(
    content: bytes, companion: bytes | None, place: str = "", depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    if depth > DEEPEST:
        raise ScanIncomplete(f"containers are nested more than {DEEPEST} deep")
    yield place or "content", content
    for kind, part in inner(content, companion):
        yield from _unpacked(part, None, f"{place} > {kind}" if place else kind, depth + 1)
