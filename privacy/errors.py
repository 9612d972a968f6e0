"""Errors of the privacy floor. No message carries a value, an identifier or a date of a patient."""

from __future__ import annotations


class PrivacySafeError(Exception):
    """Base of all errors raised here; its text can be shown, logged and stored."""


class KeysError(PrivacySafeError):
    """The keys cannot be made or opened; the message says what to do."""


class VaultError(PrivacySafeError):
    """The vault cannot be read or written; the message says what to do."""


class UnusableIdentity(PrivacySafeError):
    """An identity that no pseudonym can be made from, such as an empty record number."""


class Suppressed(PrivacySafeError):
    """The patient withdrew consent: no enrolment without a newer permit."""


class UnusablePseudonym(PrivacySafeError):
    """A pseudonym that no patient can have, or of a later key version; the message says what to do."""


class ReasonMissing(PrivacySafeError):
    """Something that is only done for a reason was asked for without one."""


class UnusableDate(PrivacySafeError):
    """A date that cannot be shifted."""
