"""Calendar dates for a partner: each patient's are moved by a number of days of the patient's own.

Models never see a date: only relative days leave the door. Where a partner needs dates, all dates of a
patient move back by one number of days, drawn by HMAC from the patient, the recipient and a key, so that
intervals stay exactly as they were. Who knows a patient's true dates learns that patient's number, which
cannot be helped, and nothing about anybody else's, nor about the same patient's with another recipient.

The range is a decision of this project; no law sets one. A week at least, so that no date stays
near; less than a year, so that no age changes by more than one; backwards, so that none lies in the future.
Seasons and weekdays move. A linear hash of 101 values, as another tool draws its shifts, falls to two
known dates; here the attack of the tests fails with a hundred.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import date, datetime, timedelta

from privacy.derivation import Keys, length_prefixed
from privacy.errors import UnusableDate
from privacy.pseudonyms import Identity
from privacy.versions import Versions

SHORTEST_SHIFT = 7
LONGEST_SHIFT = 364
_SHIFTS = LONGEST_SHIFT - SHORTEST_SHIFT + 1
_DRAWS = 2**64
_FAIR = _DRAWS - _DRAWS % _SHIFTS
"""Draws from here on are drawn again; else the first numbers of days would come up more often."""


def date_shifts(
    keys: Keys, recipient: str, project: str = "default", study: str = ""
) -> Callable[[str], int]:
    """By how many days a recipient's dates of each patient are moved back.

    Args:
        keys: the project's keys.
        recipient: who gets the dates; white space around it does not count.
        project, study: as for the pseudonyms.

    Returns:
        A function from a pseudonym, of any key version, to days: ``SHORTEST_SHIFT`` to
        ``LONGEST_SHIFT``, each as likely; never 0. A rotation of the keys does not change it.

    Raises:
        UnusableIdentity: the recipient is empty or is not valid Unicode.
    """
    parties = Identity(project, recipient)  # normalises both
    key = keys.derive("date shift", project=parties.system, study=study.strip())
    versions = Versions(keys)

    def shift(pseudonym: str) -> int:
        first, number = versions.first(pseudonym), 0
        while True:
            message = length_prefixed(parties.value, first, str(number))
            drawn = int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big")
            if drawn < _FAIR:
                return SHORTEST_SHIFT + drawn % _SHIFTS
            number += 1

    return shift


def shifted_date(days: int, on: date) -> date:
    """A date as a recipient sees it.

    Args:
        days: from :func:`date_shifts`, of the patient whose date it is.
        on: the true date, whole: a year or a month alone cannot be moved.

    Raises:
        TypeError: a time of day; it would leave with the date.
        UnusableDate: there is no such date.
    """
    if isinstance(on, datetime) or not isinstance(on, date):
        raise TypeError("only a whole date without a time of day is shifted")
    try:
        return on - timedelta(days=days)
    except OverflowError:
        raise UnusableDate("a date lies too early to be shifted; leave it out") from None
