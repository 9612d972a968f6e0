"""An audit log with its officer's file and anchors elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from privacy.audit import AuditVerification, create_audit, verify_audit

PSEUDONYM = "v1-" + "a2b3c4d5" * 4


@dataclass(frozen=True)
class Folders:
    """Where the parts of a log lie."""

    log: Path
    officer: Path
    anchors: Path

    def verified(self) -> AuditVerification:
        """What verification finds."""
        return verify_audit(self.log, self.officer, anchors=self.anchors if self.anchors.exists() else None)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """An empty log."""
    made = Folders(tmp_path / "audit", tmp_path / "officer.json", tmp_path / "elsewhere.jsonl")
    create_audit(made.log, made.officer, anchors=made.anchors)
    return made
