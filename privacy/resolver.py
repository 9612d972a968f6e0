"""From a name that the outside knows, a hospital number or a launch of an app, to a pseudonym.

The only door between the two for whoever is not importing; what stands behind it holds no key. Every
question is audited before it is answered, also one about nobody.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from privacy.audit_record import AuditRecord
from privacy.errors import UnusableIdentity
from privacy.pseudonyms import Audit, Identity, Pseudonymiser, given_reason


class Resolver:
    """Answers which pseudonym an identifier has; use it as a context manager. It never writes.

    Args:
        keys: the keys folder.
        project, study: as for the import.

    Raises:
        KeysError, VaultError: the keys or the vault cannot be opened.
    """

    def __init__(self, keys: Path | str, project: str = "default", study: str = ""):
        self._pseudonymiser = Pseudonymiser.open(keys, project, study)

    def resolve(self, system: str, value: str, reason: str, audit: Audit) -> str | None:
        """The pseudonym of a patient.

        Args:
            system: who issued the identifier, as the records say.
            value: the identifier.
            reason: why it is asked; it goes to the audit log, so no patient in it.
            audit: keeps the record before the answer is given; if it raises, there is no answer.

        Returns:
            The pseudonym; None if nobody who is enrolled has this identifier.

        Raises:
            ReasonMissing: the reason is empty.
            UnusableIdentity: the identifier is empty or not valid Unicode (audited, too).
        """
        reason = given_reason(reason)
        try:
            found = self._pseudonymiser.known(Identity(system, value))
        except UnusableIdentity:
            audit(AuditRecord("resolve", "TRUST", None, reason, "unusable"))
            raise
        audit(AuditRecord("resolve", "TRUST", found, reason, "done" if found else "unknown"))
        return found

    def close(self) -> None:
        """Close the vault."""
        self._pseudonymiser.close()

    def __enter__(self) -> Resolver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
