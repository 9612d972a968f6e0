"""What reading gives: a resource or a deletion, and where it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fhir_io.reading.skeletons import Skeleton

Json = dict[str, Any]


class Place(NamedTuple):
    """Where something was read, all counted from 1; a message may show it.

    Attributes:
        file, files: ordinal of the file in the order of names, and how many there are. File names
            are never shown: exported records are often named after their patients.
        unit: ``entry`` of a Bundle, ``parameter`` of a Parameters, ``line`` of NDJSON; empty for
            a file as a whole.
        number: of that unit.
        inner: entry of a Bundle that stands on a line or in an entry; 0 if there is none.
    """

    file: int
    files: int
    unit: str
    number: int
    inner: int = 0

    def __str__(self) -> str:
        where = f"file {self.file} of {self.files}"
        if self.unit:
            where += f", {self.unit} {self.number}"
        return f"{where}, entry {self.inner}" if self.inner else where

    def within(self, unit: str, number: int) -> Place:
        """The place of a member; a member of a member keeps the number of the outer one."""
        if not self.unit:
            return Place(self.file, self.files, unit, number)
        if not self.inner:
            return Place(self.file, self.files, self.unit, self.number, number)
        return self


@dataclass(slots=True)
class Record:
    """One thing that was read; nobody changes it (freezing would cost as much as reading a line).

    Attributes:
        resource: the resource; None where the JSON is no FHIR resource, for a deletion, and for a resource
            of a type that is not needed.
        place: where it was read.
        full_url: the Bundle entry's fullUrl.
        deleted: type and id of a resource that the source says was deleted. The id of a conditional
            deletion is its query, with the question mark.
        skeleton: of the text of the resource, where it stands in one of its own and has one.
        skipped: type and text of a resource that is not needed.
    """

    resource: Json | None
    place: Place
    full_url: str | None = field(default=None, repr=False)
    deleted: tuple[str, str] | None = field(default=None, repr=False)
    skeleton: Skeleton | None = field(default=None, repr=False, compare=False)
    skipped: tuple[str, bytes] | None = field(default=None, repr=False)
