"""What a line of the audit log may say: listed words, pseudonyms, counts, and a reason without numbers.

A name in a reason cannot be told from another word; everything else that identifies a patient is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from privacy.audit.errors import AuditError
from privacy.audit_record import AuditRecord

ACTIONS = frozenset(
    {
        "create",
        "erase",
        "export",
        "import",
        "key-use",
        "recover",
        "reidentify",
        "release",
        "resolve",
        "rotate",
        "scan",
        "suppress",
        "verify",
        "view",
    }
)
ZONES = frozenset({"RAW", "TRUST", "PSEUDO", "RELEASE"})
OUTCOMES = frozenset({"done", "failed", "partial", "refused", "unknown", "unusable"})

LONGEST_REASON = 200
"""Characters."""

MOST_DIGITS = 4
"""Digits of a reason that may follow each other, also across separators: a year, but no date or number."""

_PSEUDONYM = re.compile(r"v[1-9][0-9]{0,3}-[a-z2-7]{32}")
_COUNT = re.compile(r"[a-z][a-z_]{0,39}")
_DIGITS = re.compile(rf"\d(?:[\W_]?\d){{{MOST_DIGITS},}}")
_MOST_COUNTS = 32
_LARGEST_COUNT = 1 << 53


def checked(record: AuditRecord) -> dict[str, Any]:
    """The content of a line.

    Args:
        record: what was done.

    Returns:
        ``action``, ``zone``, ``subject``, ``reason``, ``outcome`` and ``counts``.

    Raises:
        AuditError: a part that is not allowed; the message names the part, not its value.
    """
    for name, value, allowed in (
        ("action", record.action, ACTIONS),
        ("zone", record.zone, ZONES),
        ("outcome", record.outcome, OUTCOMES),
    ):
        if value not in allowed:
            raise AuditError(f"audit record: the {name} is not one of {', '.join(sorted(allowed))}")
    subject = record.subject
    if subject is not None and not (isinstance(subject, str) and _PSEUDONYM.fullmatch(subject)):
        raise AuditError("audit record: the subject is not a pseudonym; name nobody by anything else")
    return {
        "action": record.action,
        "zone": record.zone,
        "subject": subject,
        "reason": _reason(record.reason),
        "outcome": record.outcome,
        "counts": _counts(record.counts),
    }


def _reason(reason: object) -> str:
    if not isinstance(reason, str):
        raise AuditError("audit record: the reason is not text")
    text = unicodedata.normalize("NFKC", reason).strip()
    if len(text) > LONGEST_REASON:
        raise AuditError(f"audit record: the reason is longer than {LONGEST_REASON} characters; shorten it")
    if not text.isprintable():
        raise AuditError("audit record: the reason holds line breaks or control characters; remove them")
    if "@" in text or "://" in text or _DIGITS.search(text):
        raise AuditError(
            f"audit record: the reason holds an address, a date or a number of more than {MOST_DIGITS} "
            "digits, which could name a patient; say why without it"
        )
    return text


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    if len(counts) > _MOST_COUNTS:
        raise AuditError(f"audit record: more than {_MOST_COUNTS} counts")
    found: dict[str, int] = {}
    for name, count in counts.items():
        if not isinstance(name, str) or not _COUNT.fullmatch(name):
            raise AuditError("audit record: a count has a name that is not lower case with underscores")
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _LARGEST_COUNT:
            raise AuditError(f"audit record: the count '{name}' is not a whole number of 0 or more")
        found[name] = count
    return dict(sorted(found.items()))
