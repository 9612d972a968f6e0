"""What an import needs of the room where identities are kept; it never sees a key."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol

from privacy import Identity


class EnrolmentLike(Protocol):
    """What enrolling a patient gives back."""

    @property
    def study_number(self) -> int: ...
    @property
    def day_zero(self) -> date: ...
    @property
    def born(self) -> tuple[int, int] | None: ...


class PseudonymiserLike(Protocol):
    """Stands between identities and pseudonyms; the first enrolment of a patient fixes day 0.

    :class:`privacy.Pseudonymiser` says what each method does.
    """

    def pseudonym(self, identity: Identity) -> str: ...
    def enrol(
        self, patient: Identity | str, day_zero: date, born: tuple[int, int] | None = None
    ) -> EnrolmentLike: ...
    def enrolled(self, pseudonym: str) -> EnrolmentLike | None: ...
    def keyed(self, kind: str, *parts: str) -> bytes: ...
    def remember(self, aliases: Iterable[tuple[bytes, str]]) -> None: ...
    def recall(self, name: bytes) -> str | None: ...
    def suppress(self, patient: Identity | str, withdrawn: datetime | None = None) -> None: ...
    def suppressed_since(self, patient: Identity | str) -> int | None: ...
    def unsuppress(self, patient: Identity | str, permitted: datetime) -> bool: ...
    def commit(self) -> None: ...


class SourceKeys:
    """Keyed hashes of the names that one source gives: two sources may both have a ``Patient/1``.

    Args:
        pseudonymiser: holds the keys.
        source: label of the source, the same each time it is imported.
    """

    def __init__(self, pseudonymiser: PseudonymiserLike, source: str):
        self.pseudonym = pseudonymiser.pseudonym
        self.suppressed_since = pseudonymiser.suppressed_since
        self.name = functools.lru_cache(maxsize=8_192)(
            lambda name: pseudonymiser.keyed("alias", source, name)
        )
        self._keyed, self._source = pseudonymiser.keyed, source

    def record(self, resource: str) -> bytes:
        """Of a resource, ``Type/id``."""
        return self._keyed("record", self._source, resource)

    def file(self, path: str) -> bytes:
        """Of a file's path within the source."""
        return self._keyed("file", self._source, path)
