"""When the next request may go: the rate, the server's Retry-After, and backoff with jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Clock:
    """The time and the pauses, so that tests need not wait. ``now`` is seconds since 1970."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """Lets requests start at most ``rate`` times a second; None means without a bound."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._gap = 0.0 if rate is None else 1.0 / rate
        self._clock = clock
        self._next = clock.monotonic()

    def wait(self) -> None:
        """Pause until a request may start."""
        now = self._clock.monotonic()
        if now < self._next:
            self._clock.sleep(self._next - now)
        self._next = max(now, self._next) + self._gap


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, in either of its forms (RFC 9110, 10.2.3).

    Args:
        header: seconds, or an HTTP date.
        now: seconds since 1970.

    Returns:
        Seconds, never negative; None if there is no header or it cannot be understood.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    date = http_date(text)
    return None if date is None else max(0.0, date - now)


def http_date(text: str | None) -> float | None:
    """An HTTP date as seconds since 1970, or None."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def instant(seconds: float) -> str:
    """Seconds since 1970 as a FHIR instant in UTC, whole seconds, rounded down."""
    return datetime.fromtimestamp(int(seconds // 1), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def backoff(attempt: int, first: float, longest: float, generator: random.Random) -> float:
    """Seconds before attempt ``attempt + 2`` (counted from 0): doubling, capped, half of it jitter."""
    full: float = min(longest, first * 2.0**attempt)
    return full * (0.5 + 0.5 * generator.random())
