"""FHIR dates and times, with their precision, as local clock time.

A state has relative days only. They count from midnight of day 0 on the clock that the record shows,
so a morning reading stays a morning reading whatever the zone. That is why a time without a zone can
be used as soon as somebody says which clock it was read from (``assume_zone``), and not before.

A year or a month is a :class:`Span` of days, never its first day.
"""

from __future__ import annotations

import calendar
import functools
import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fhir_io.errors import FhirImportError
from fhir_io.read import Json
from fhir_io.reasons import Reason
from fhir_io.vocabulary import relative_day

_DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})(-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2})"
    r"(T(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})(?P<fraction>\.[0-9]+)?"
    r"(?P<zone>Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?)?)?)?"
)
_SECONDS_PER_DAY = 86_400.0

RELATIVE_ZERO = 10_000_000
"""Ordinal of day 0 where a record gives days from it and no date. It lies far beyond the calendar, so that an
ordinal tells by itself which of the two it is."""
_FARTHEST_DAY = 100_000
_LAST_ORDINAL = date.max.toordinal()


Precision = Literal["time", "day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point on the local clock: proleptic Gregorian ordinal of the date, and fraction of the day.

    ``precision`` tells a date alone (``day``, fraction 0) from one with a time of day (``time``);
    ``zone_assumed`` tells that the record gave no zone. Neither makes two moments differ.
    What was given in days from day 0 has an ordinal beyond the calendar and no ``calendar_date``.
    """

    ordinal: int
    fraction: float
    precision: Precision = field(default="time", compare=False)
    zone_assumed: bool = field(default=False, compare=False)

    @property
    def calendar_date(self) -> date:
        return date.fromordinal(self.ordinal)

    def day_after(self, zero: date) -> float:
        """Days from midnight of ``zero``; of a relative moment, the days that it was given in."""
        start = RELATIVE_ZERO if is_relative(self.ordinal) else zero.toordinal()
        return self.ordinal - start + self.fraction


@dataclass(frozen=True, slots=True)
class Span:
    """The days that a year or a month may mean: ordinals of the first and the last."""

    earliest: int
    latest: int
    precision: Precision

    def days_after(self, zero: date) -> tuple[float, float]:
        """Days from midnight of ``zero`` to the beginning and to the end of the span."""
        return float(self.earliest - zero.toordinal()), float(self.latest + 1 - zero.toordinal())


def check_zone(name: str | None) -> None:
    """See that a zone which is to be assumed exists.

    Raises:
        FhirImportError: it is no name of the IANA time-zone database.
    """
    if name is None:
        return
    try:
        ZoneInfo(name)
    except Exception:  # zoneinfo raises ValueError, KeyError and OSError
        raise FhirImportError(
            f"there is no time zone '{name}'; give a name of the IANA database, such as Europe/Berlin"
        ) from None


def when(text: Any, assume_zone: str | None = None) -> Moment | Span | Reason:
    """Read a FHIR date, dateTime or instant.

    Args:
        text: what the record holds.
        assume_zone: the zone whose clock a time without a zone was read from; None: such a time is
            not used.
    """
    if not isinstance(text, str):
        return Reason.NO_DATE if text is None else Reason.MALFORMED_DATE
    return _when(text, assume_zone)


@functools.lru_cache(maxsize=4096)
def _when(text: str, assume_zone: str | None) -> Moment | Span | Reason:
    """What was recorded in one encounter has one time."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return Reason.MALFORMED_DATE
    try:
        if match["day"] is None:
            return _span(int(match["year"]), int(match["month"]) if match["month"] else None)
        ordinal = date(int(match["year"]), int(match["month"]), int(match["day"])).toordinal()
    except ValueError:
        return Reason.MALFORMED_DATE
    if match["clock"] is None:
        return Moment(ordinal, 0.0, "day")
    if match["zone"] is None and assume_zone is None:
        return Reason.NO_ZONE
    hours, minutes, seconds = (int(part) for part in match["clock"].split(":"))
    if hours > 23 or minutes > 59 or seconds > 60:  # FHIR has no 24:00; a leap second is the 60th
        return Reason.MALFORMED_DATE
    elapsed = 3600 * hours + 60 * minutes + seconds + float(match["fraction"] or 0)
    return Moment(ordinal, elapsed / _SECONDS_PER_DAY, "time", match["zone"] is None)


def _span(year: int, month: int | None) -> Span:
    first, last = (1, 12) if month is None else (month, month)
    start = date(year, first, 1).toordinal()
    end = date(year, last, calendar.monthrange(year, last)[1]).toordinal()
    return Span(start, end, "year" if month is None else "month")


def moment(text: Any, assume_zone: str | None = None) -> Moment | Reason:
    """As :func:`when`, for what a number is measured at: a partial date is no moment."""
    found = when(text, assume_zone)
    return Reason.PARTIAL_DATE if isinstance(found, Span) else found


def first_moment(*texts: Any, assume_zone: str | None = None) -> Moment | Reason:
    """The first text that is a moment; else the most telling reason why none is."""
    worst = Reason.NO_DATE
    for text in texts:
        found = moment(text, assume_zone)
        if isinstance(found, Moment):
            return found
        if found is not Reason.NO_DATE and worst is Reason.NO_DATE:
            worst = found
    return worst


def period(element: Any) -> tuple[Any, Any]:
    """Texts of a Period's start and end; None for what is absent."""
    return (element.get("start"), element.get("end")) if isinstance(element, dict) else (None, None)


def observed_at(resource: Json, assume_zone: str | None = None) -> Moment | Reason:
    """When an Observation was true: effectiveDateTime, Instant, Period (start, else end) or Timing.

    ``issued`` says when a result was published and is not taken for it. What was exported has a day
    relative to day 0 in place of all these.
    """
    day = relative_day(resource)
    if day is not None:
        return _relative(day)
    if "effectiveDateTime" in resource and "effectiveTiming" not in resource:
        at = moment(resource["effectiveDateTime"], assume_zone)  # nearly all; what follows says the same
        if isinstance(at, Moment):
            return at
    start, end = period(resource.get("effectivePeriod"))
    timing = resource.get("effectiveTiming")
    timed: list[Any] = []
    if isinstance(timing, dict):
        events, repeat = timing.get("event"), timing.get("repeat")
        if isinstance(events, list) and len(events) > 1:
            return Reason.SEVERAL_TIMES
        timed += events if isinstance(events, list) else []
        timed += period(repeat.get("boundsPeriod")) if isinstance(repeat, dict) else ()
    return first_moment(
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        start,
        end,
        *timed,
        assume_zone=assume_zone,
    )


def is_relative(ordinal: int) -> bool:
    """Whether the ordinal of a moment counts from day 0 and is no date."""
    return ordinal > _LAST_ORDINAL


def _relative(day: Any) -> Moment | Reason:
    if isinstance(day, bool) or not isinstance(day, int | float) or not abs(day) < _FARTHEST_DAY:
        return Reason.MALFORMED_DATE
    whole = math.floor(day)
    if whole + (day - whole) != day:  # rounding: a small negative day would not come out as it went in
        whole = math.trunc(day)
    return Moment(RELATIVE_ZERO + whole, day - whole)


@dataclass(frozen=True, slots=True)
class BirthDate:
    """The days on which the birth may have been: one day, a month or a year."""

    earliest: date
    latest: date

    @property
    def complete(self) -> bool:
        return self.earliest == self.latest

    def age(self, at: date) -> tuple[int, float]:
        """Completed years at a date, for the middle of the interval, and its half-width in years."""
        middle = date.fromordinal((self.earliest.toordinal() + self.latest.toordinal()) // 2)
        years = at.year - middle.year - ((at.month, at.day) < (middle.month, middle.day))
        width = (
            (self.latest.toordinal() - self.earliest.toordinal() + 1) / 365.25 if not self.complete else 0.0
        )
        return years, width / 2


def birth_date(text: Any) -> BirthDate | None:
    """Read Patient.birthDate, complete or partial; None if absent or malformed."""
    match = _DATE_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None or match["clock"] is not None:
        return None
    try:
        year = int(match["year"])
        first = int(match["month"] or 1)
        last = int(match["month"] or 12)
        if match["day"]:
            exact = date(year, first, int(match["day"]))
            return BirthDate(exact, exact)
        return BirthDate(date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1]))
    except ValueError:
        return None


_LONGEST_VERSION = 64  # characters of a FHIR id


def version_rank(resource: Json) -> tuple[float, int]:
    """Orders versions of one resource: time of last update, then version number; (0, 0) if unknown."""
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return 0.0, 0
    updated, version = meta.get("lastUpdated"), meta.get("versionId")
    try:
        seconds = datetime.fromisoformat(updated).timestamp() if isinstance(updated, str) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if isinstance(version, str) and version.isdecimal() and len(version) <= _LONGEST_VERSION:
        return seconds, int(version)
    return seconds, 0
