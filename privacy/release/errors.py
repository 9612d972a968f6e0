"""Errors of the release gate. No message carries a value of the table."""

from __future__ import annotations

from privacy.errors import PrivacySafeError


class PolicyError(PrivacySafeError):
    """The policy cannot be used; the message names file and field, and the remedy."""


class ReleaseError(PrivacySafeError):
    """The table may not leave, or cannot be read; the message says why and what to do."""


class BudgetSpent(PrivacySafeError):
    """The privacy budget of a study does not suffice for a further question."""
