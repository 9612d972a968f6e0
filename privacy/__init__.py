"""Identity stays at the door.

This floor turns identifiers into pseudonyms and remembers, in an encrypted vault beside the keys,
what must never leave with the data: which calendar date a patient's day 0 is, and who withdrew consent.
It names a patient again only for a reason, in the audit log, and only where that was asked for.
It decides by what patients declared (``privacy.consent``). It knows neither FHIR nor models; it imports
nothing else of the toolkit.
"""

from privacy.audit_record import AuditRecord
from privacy.errors import KeysError, PrivacySafeError, Suppressed, UnusableIdentity, VaultError
from privacy.keys import create_keys, open_keys
from privacy.pseudonyms import Identity, Pseudonymiser
from privacy.recipients import recipient_pseudonyms
from privacy.vault import Enrolment

__all__ = [
    "AuditRecord",
    "Enrolment",
    "Identity",
    "KeysError",
    "PrivacySafeError",
    "Pseudonymiser",
    "Suppressed",
    "UnusableIdentity",
    "VaultError",
    "create_keys",
    "open_keys",
    "recipient_pseudonyms",
]
