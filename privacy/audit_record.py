"""What the audit log is told about one act. It never holds patient data: a pseudonym at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act on personal data.

    Attributes:
        action: what was done, such as ``reidentify``.
        zone: where: ``RAW``, ``TRUST``, ``PSEUDO`` or ``RELEASE``.
        subject: pseudonym of the patient it was about; None if about none or many.
        reason: why, in the words of who did it; no patient in it.
        outcome: how it ended, such as ``done`` or ``unknown``.
        counts: numbers that belong to it, by name.
    """

    action: str
    zone: str
    subject: str | None = None
    reason: str = ""
    outcome: str = "done"
    counts: Mapping[str, int] = field(default_factory=dict)
