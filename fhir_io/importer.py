"""The import: from a source of FHIR records to pseudonymised states in the store.

One pass reads, validates and maps, in one process or in several; what it finds goes to a spool on the
disk. Then patients are made one, subjects are resolved, consent is asked for, newest versions and first
copies are chosen, and rows are written in the order of pseudonyms. The store is written once, at the end:
an error before leaves it as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from fhir_io.consented import persons_without_consent
from fhir_io.corrections import Versions
from fhir_io.erasure import announce_erasure, finish_erasure
from fhir_io.errors import FhirImportError
from fhir_io.extract import Extract, Options
from fhir_io.identities import PseudonymiserLike, SourceKeys
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.times import check_zone
from fhir_io.people import Finder, join_linked, resolve_subjects, settle_patients
from fhir_io.quarantine import FileKey, Quarantine, Wanted
from fhir_io.read import Source, Unit, open_source, units
from fhir_io.reading.manifest import server_of
from fhir_io.reasons import Note, Reason
from fhir_io.report import ImportReport, Unused, place_of
from fhir_io.scratch import private_folder
from fhir_io.settle import Settlement, Tally
from fhir_io.spool import Spool
from fhir_io.versions import Declared
from fhir_io.workers import collector_at_rest, extracts
from privacy.consent import Policy
from privacy.pseudonyms import KEYED_BYTES
from vht.store import ShardWriter, Store
from vht.tables import MERGES

UNIT_BYTES = 4 << 20
"""About so many bytes of NDJSON are read by one worker at a time."""

BYTES_FOR_A_WORKER = 64 << 20
"""A further process is started for so many bytes; for fewer its start would take longer than it saves."""

LISTED = 10_000
"""So many of the resources not used are listed in the report; the quarantine has them all."""

_SCRATCH = ".import-"


@dataclass(frozen=True)
class _Plan:
    """What is read: the units, and where only some places are wanted, which."""

    files: Source
    units: list[Unit]
    keys: list[FileKey]
    wanted: Wanted | None
    tables: Tables


def import_records(
    source: Path,
    *,
    pseudonymiser: PseudonymiserLike,
    store: Store,
    progress: Callable[[int, int], None] | None = None,
    validation: Literal["full", "shape", "none"] = "shape",
    fhir_version: Declared | None = None,
    workers: int = 1,
    strict: Collection[Reason] = (),
    retry_unused: Collection[Reason] = (),
    consent: Policy | None = None,
    codes: Sequence[Path] = (),
    assume_zone: str | None = None,
    accept_predictions: bool = False,
    source_name: str | None = None,
    scratch: Path | None = None,
) -> ImportReport:
    """Import FHIR records as pseudonymised patient states.

    Args:
        source: a folder of Bundles, single resources or NDJSON (also gzipped), a bulk-export folder,
            or one such file.
        pseudonymiser: turns identities into pseudonyms and keeps day 0.
        store: receives the states, in one append at the end.
        progress: called with (bytes read, bytes in all).
        validation: ``full`` validates every resource that is used by ``fhir.resources``, ``shape``
            the first few of each structural shape, ``none`` none; values that are used are checked
            one by one at every level.
        fhir_version: ``R4``, ``R4B`` or ``R5``; None to tell by the resources.
        workers: processes that read, fewer for a small source; what is stored does not depend on it.
        strict: reasons for which a resource that is not used makes the whole import fail.
        retry_unused: read only what earlier imports of this source did not use for these reasons.
        consent: ``opt-in`` or ``opt-out``: patients are used only if their Consents allow research.
            Who withdrew is erased from the store and kept out.
        codes: tables of codes of one's own, over ours.
        assume_zone: the time zone of times that name none; None: they are not used.
        accept_predictions: take what is marked as simulated, derived or imputed for measurements.
        source_name: label of the source; ids are told apart and corrections are found within it. None
            for the server's address in a raw folder that a fetch wrote, and ``default`` elsewhere.
        scratch: private folder for what is known while the import runs, such as the keys folder.

    Returns:
        The report: read = used + not used, with a reason for each resource that was not used.

    Raises:
        FhirImportError: no FHIR records here, a truncated or foreign file, a contradiction to the
            declared version, a table that is none, an unknown zone, or a reason of ``strict``. Nothing was
            written then.
    """
    if workers < 1:
        raise ValueError("an import needs at least one worker")
    check_zone(assume_zone)
    keys = SourceKeys(pseudonymiser, source_name or server_of(Path(source)) or "default")
    tables = Tables.load(codes)
    plan = _plan(Path(source), keys, Quarantine(store.folder), retry_unused, tables)
    options = Options(
        validation, fhir_version, consent is not None, tuple(codes), assume_zone, accept_predictions
    )
    finish_erasure(store, pseudonymiser)
    with private_folder(scratch, _SCRATCH) as folder:
        spool = Spool(folder, keys)
        try:
            with collector_at_rest():
                for extract in _extracts(plan, options, workers, progress):
                    spool.ingest(extract)
                return _store(spool, plan, pseudonymiser, store, strict, retry_unused, consent)
        finally:
            spool.close()


# -- reading


def _plan(
    source: Path, keys: SourceKeys, quarantine: Quarantine, retry_unused: Collection[Reason], tables: Tables
) -> _Plan:
    files = open_source(source)
    made = units(files, UNIT_BYTES)
    root = source if source.is_dir() else source.parent
    file_keys = [
        (keys.file(str(path.relative_to(root))), stamp.size)
        for path, stamp in zip(files.files, files.stamps, strict=True)
    ]
    if not retry_unused:
        return _Plan(files, made, file_keys, None, tables)
    wanted = quarantine.wanted([reason.code for reason in retry_unused])
    if not any(key in wanted.places for key in file_keys):
        raise FhirImportError(
            "no import of this source left resources unused for these reasons, or its files changed since; "
            "import the source again without --retry-unused"
        )
    return _Plan(files, made, file_keys, wanted, tables)


def _extracts(
    plan: _Plan, options: Options, workers: int, progress: Callable[[int, int], None] | None
) -> Iterator[Extract]:
    """Extracts of all units in their order, whoever read them."""
    done, total = 0, plan.files.total_bytes
    jobs = [(unit, _wanted(plan, unit)) for unit in plan.units]
    found = extracts(jobs, options, min(workers, 1 + total // BYTES_FOR_A_WORKER))
    for (unit, _), extract in zip(jobs, found, strict=True):
        yield extract
        done += unit.size
        if progress:
            progress(done, total)


def _wanted(plan: _Plan, unit: Unit) -> frozenset[tuple[str, int, int]] | None:
    if plan.wanted is None:
        return None
    return plan.wanted.places.get(plan.keys[unit.place.file - 1], frozenset())


# -- settling and writing


def _store(
    spool: Spool,
    plan: _Plan,
    pseudonymiser: PseudonymiserLike,
    store: Store,
    strict: Collection[Reason],
    retry_unused: Collection[Reason],
    policy: Policy | None,
) -> ImportReport:
    settle_patients(spool)
    find = Finder(spool, KEYED_BYTES, pseudonymiser.recall)
    join_linked(spool, find)
    resolve_subjects(spool, find)
    consent = persons_without_consent(spool, find, pseudonymiser, policy)
    versions = Versions(spool, store)
    with store.writer() as writer:
        settlement = Settlement(
            spool,
            versions,
            store,
            writer,
            enrol=pseudonymiser.enrol,
            enrolled=pseudonymiser.enrolled,
            absent_unless_recorded=plan.tables.absent_unless_recorded,
            refused_persons={**_merged(spool), **consent.refused},
            name_length=KEYED_BYTES,
        )
        settlement.run()
        facts = writer.rows
        for table in versions.retractions(store):
            writer.write("retractions", table)
        _write_merges(spool, pseudonymiser, writer)
        tally = settlement.tally
        tally.used.update(consent.used)
        if versions.shared:
            tally.notes[Note.SHARED_ID] += versions.shared
        report = _report(spool, plan, tally, writer, retracted=writer.rows - facts)
        _refuse_strictly(report, strict)
        if consent.withdrawn and store.exists():
            announce_erasure(store, consent.withdrawn)
        for person, since in consent.withdrawn.items():
            pseudonymiser.suppress(person, since)
        pseudonymiser.remember(_names_of_enrolled(spool))
        pseudonymiser.commit()  # before the states: an enrolment without states does no harm
    finish_erasure(store, pseudonymiser)
    _quarantine(spool, plan, store, retry_unused)
    return report


def _merged(spool: Spool) -> dict[str, Reason]:
    """Persons whose resources are another person's."""
    return {person: Reason.MERGED for (person,) in spool.rows("SELECT person FROM merged")}


def _write_merges(spool: Spool, pseudonymiser: PseudonymiserLike, writer: ShardWriter) -> None:
    """Patients of earlier imports who turned out to be another one."""
    rows = []
    for person, into in spool.rows("SELECT person, into_person FROM merged ORDER BY person"):
        before, after = pseudonymiser.enrolled(person), pseudonymiser.enrolled(into)
        if before is not None and after is not None:
            rows.append((person, into, float((before.day_zero - after.day_zero).days)))
    if rows:
        writer.write("merges", pa.table(list(zip(*rows, strict=True)), schema=MERGES))


def _names_of_enrolled(spool: Spool) -> Iterator[tuple[bytes, str]]:
    """(name, person) of every name that one enrolled person of the source alone answers to."""
    return spool.rows(
        "SELECT hash, min(owner) FROM (SELECT hash, coalesce(into_person, person) AS owner FROM name"
        " JOIN patient USING (number) LEFT JOIN merged USING (person)) GROUP BY hash"
        " HAVING min(owner) = max(owner) AND min(owner) IN (SELECT person FROM enrolled)"
    )


def _report(spool: Spool, plan: _Plan, tally: Tally, writer: ShardWriter, retracted: int) -> ImportReport:
    not_used: Counter[tuple[str, Reason]] = Counter()
    for kind, count in spool.not_needed.items():
        not_used[kind, Reason.TYPE_NOT_NEEDED] += count
    for kind, code, count in spool.rows("SELECT kind, reason, count(*) FROM refused GROUP BY 1, 2"):
        not_used[kind, Reason[code.upper()]] += count
    if spool.read != not_used.total() + tally.used.total():
        raise RuntimeError("a resource was neither used nor refused, or both")
    listed = spool.rows(
        "SELECT file, unit, place, inner, kind, reason FROM refused WHERE reason <> ?"
        " ORDER BY file, place, inner LIMIT ?",
        (Reason.TYPE_NOT_NEEDED.code, LISTED),
    )
    files = len(plan.files.files)
    notes = Counter(tally.notes)
    notes.update({Note[code.upper()]: count for code, count in spool.notes.items()})
    if plan.files.export_errors:
        notes[Note.EXPORT_ERRORS] += plan.files.export_errors
    return ImportReport(
        read=spool.read,
        used_by_type=dict(sorted(tally.used.items())),
        not_used_by_type=dict(sorted(not_used.items(), key=lambda item: (item[0][0], item[0][1].name))),
        unused=[Unused(k, place_of(file, files, *at), Reason[r.upper()]) for file, *at, k, r in listed],
        parts_not_used={Reason[code.upper()]: n for code, n in sorted(tally.parts.items())},
        notes=dict(notes),
        values=dict(sorted(tally.values.items())),
        intervals=dict(sorted(tally.intervals.items())),
        derived=dict(sorted(tally.derived.items())),
        events=dict(sorted(tally.events.items())),
        patients=tally.patients,
        rows_added=writer.rows,
        retracted=retracted,
        deletions=spool.deletions,
        files=files,
        files_ignored=plan.files.ignored,
        tables=plan.tables.digest,
        versions=dict(sorted(Counter(" and ".join(sorted(v)) for v in spool.versions.values() if v).items())),
    )


def _refuse_strictly(report: ImportReport, strict: Collection[Reason]) -> None:
    by_reason = report.by_reason()
    broken = [reason for reason in strict if by_reason.get(reason)]
    if not broken:
        return
    told = []
    for reason in broken:
        first = next((str(u.place) for u in report.unused if u.reason is reason), None)
        told.append(f"{reason.code}: {by_reason[reason]:,} resources" + (f", first {first}" if first else ""))
    raise FhirImportError(
        f"--strict forbids what this import found: {'; '.join(told)}. Nothing was imported; correct the "
        "source or the mapping, or allow these reasons"
    )


def _quarantine(spool: Spool, plan: _Plan, store: Store, retried: Collection[Reason]) -> None:
    quarantine = Quarantine(store.folder)
    if plan.wanted is not None:
        quarantine.remove([reason.code for reason in retried], plan.keys)
    if not store.exists():
        return
    rows = spool.rows(
        "SELECT file, unit, place, inner, kind, reason FROM refused WHERE reason NOT IN (?, ?)"
        " ORDER BY file, place, inner",
        (Reason.TYPE_NOT_NEEDED.code, Reason.DUPLICATE.code),
    )
    quarantine.add((*plan.keys[file - 1], *rest) for file, *rest in rows)
