"""The audit log: who did what to whose data, kept so that nobody can quietly change it.

A process of its own writes it (:mod:`privacy.audit.writer`); each line is sealed with a key that is
replaced by its own hash at once, so who steals today's key cannot rewrite yesterday
(:mod:`privacy.audit.chain`); signed checkpoints show what the log had reached
(:mod:`privacy.audit.checkpoints`). It holds pseudonyms at most (:mod:`privacy.audit.grammar`).
"""

from privacy.audit.chain import create_audit
from privacy.audit.client import Audit
from privacy.audit.errors import AuditError
from privacy.audit.verification import AuditVerification, Finding, verify_audit
from privacy.audit_record import AuditRecord

__all__ = [
    "Audit",
    "AuditError",
    "AuditRecord",
    "AuditVerification",
    "Finding",
    "create_audit",
    "verify_audit",
]
