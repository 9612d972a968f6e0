"""``vht privacy release``: a table leaves through the release gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vht.commands.auditing import AuditLog, audited
from vht.commands.console import done, out, print_columns


def release(
    table: Annotated[
        Path, typer.Argument(help="Table of one row a person, .csv or .parquet.", show_default=False)
    ],
    policy: Annotated[Path, typer.Option("--policy", help="Release policy, YAML.")],
    target: Annotated[Path, typer.Option("--out", help="Folder for table.csv and manifest.json.")],
    population: Annotated[
        Path | None, typer.Option(help="Table of the people among whom those of the table are.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of earlier releases; the release is added to it.")
    ] = None,
    audit: AuditLog = None,
) -> None:
    """Release a table: generalised and suppressed as little as the policy allows, or refused.

    Nothing is written unless the policy holds.
    """
    from privacy.release import read_ledger, read_policy, release_table, write_ledger
    from privacy.release.gate import manifest_bytes, read_table, table_bytes
    from vht.files import write_whole

    rules = read_policy(policy)
    rows = read_table(table, rules)
    people = read_table(population, rules) if population is not None else None
    before = read_ledger(ledger) if ledger is not None else None
    found = release_table(rows, rules, people)
    with audited(audit, "release", "RELEASE") as counts:
        if ledger is not None and before is not None:
            # noted first: what is on the ledger and was not written can be written again, not the reverse
            write_ledger(ledger, before.with_table(table.stem, found))
        write_whole(target / "table.csv", table_bytes(found.table))
        write_whole(target / "manifest.json", manifest_bytes(found))
        counts.update(rows=len(found.table))
    print_columns(
        [
            ("measure", "limit", "before", "after", "classes that failed"),
            *(
                (a.measure, f"{a.limit:g}", f"{b.worst:.4g}", f"{a.worst:.4g}", str(len(b.classes)))
                for b, a in zip(found.before, found.measures, strict=True)
            ),
        ],
        right=(1, 2, 3, 4),
    )
    for name, level in found.levels.items():
        out.print(f"{name}: level {level}", markup=False)
    out.print(f"utility lost: {found.utility['loss']:.1%}", markup=False)
    digest = found.manifest["table"]["sha256"]
    done(f"release, {rules.label}, {digest[:12]}", target)
