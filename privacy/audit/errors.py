"""The error of the audit log."""

from __future__ import annotations

from privacy.errors import PrivacySafeError


class AuditError(PrivacySafeError):
    """The audit log cannot be made, written or read; the message says what to do.

    An act whose record could not be kept must not be done.
    """
