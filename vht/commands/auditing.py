"""Acts on personal data are told to the audit log, where one is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

AuditLog = Annotated[
    Path | None,
    typer.Option("--audit", envvar="VHT_AUDIT", help="Folder of the audit log, if one is kept."),
]


@contextmanager
def audited(folder: Path | None, action: str, zone: str, reason: str = "") -> Iterator[dict[str, int]]:
    """Tell the log of an act before it begins and when it has ended, with its counts.

    An act that cannot be recorded is not done. One that failed is recorded as failed.

    Args:
        folder: of the log; None where none is kept.
        action, zone: words of ``privacy.audit.grammar``.
        reason: why, if somebody was asked.

    Yields:
        Counts to fill in; they go into the second record.
    """
    counts: dict[str, int] = {}
    if folder is None:
        yield counts
        return
    from privacy.audit import Audit
    from privacy.audit_record import AuditRecord

    with Audit.open(folder) as log:
        log.record(AuditRecord(action, zone, reason=reason, outcome="partial"))
        try:
            yield counts
        except BaseException:
            log.record(AuditRecord(action, zone, reason=reason, outcome="failed"))
            raise
        log.record(AuditRecord(action, zone, reason=reason, outcome="done", counts=counts))
