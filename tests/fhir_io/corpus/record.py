"""What the import makes of the published records, folder by folder; run it to renew ``counts.json``.

    python -m tests.fhir_io.corpus.record SHARED_DATA

after a change of the code tables, and read the difference: every count that moved must have its reason.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from fhir_io import ImportReport, import_records
from tests.fhir_io.conftest import FakePseudonymiser
from vht.store import Store

COUNTS = Path(__file__).with_name("counts.json")


def folders(shared_data: Path) -> list[Path]:
    """The folders of FHIR records in the shared data."""
    return sorted(p for p in (shared_data / "fhir").iterdir() if p.is_dir() and p.name != "LICENSES")


def counted(report: ImportReport) -> dict[str, Any]:
    """The counts of a report that are kept."""
    not_used: dict[str, dict[str, int]] = {}
    for (kind, reason), count in sorted(report.not_used_by_type.items(), key=lambda item: item[0][1].code):
        not_used.setdefault(kind, {})[reason.code] = count
    return {
        "files": report.files,
        "files_ignored": report.files_ignored,
        "read": report.read,
        "patients": report.patients,
        "versions": report.versions,
        "used": report.used_by_type,
        "not_used": dict(sorted(not_used.items())),
        "values": sum(report.values.values()),
        "intervals": sum(report.intervals.values()),
        "events": report.events,
    }


def main(shared_data: Path) -> None:
    counts = {}
    for folder in folders(shared_data):
        with tempfile.TemporaryDirectory() as scratch:
            store = Store(Path(scratch) / "states")
            counts[folder.name] = counted(
                import_records(folder, pseudonymiser=FakePseudonymiser(), store=store)
            )
    COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
