"""Fetch records from a FHIR server into a raw folder, whole or what changed since the last time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fhir_io.server import bulk as jobs
from fhir_io.server.downloads import fetch_file
from fhir_io.server.errors import Expired, ServerError
from fhir_io.server.folder import TYPE, RawFolder
from fhir_io.server.limits import Limits
from fhir_io.server.manifest import Manifest, check_instant
from fhir_io.server.origins import origins
from fhir_io.server.pacing import Clock, instant
from fhir_io.server.searching import Capabilities, capabilities, search_deletions, search_type
from fhir_io.server.transport import Authoriser, Transport

NEEDED = (
    "Patient",
    "Observation",
    "Condition",
    "MedicationRequest",
    "MedicationAdministration",
    "MedicationStatement",
    "Medication",
    "Procedure",
    "Encounter",
    "Consent",
)
"""Types that the import takes something from, or follows references through."""

OVERLAP = 600.0
"""Seconds that a sync goes back before the end of the last one: what was being written then may have been
missed. What comes twice is written once."""

_NONE_OF_THEM = (
    "the server has none of the types that the import needs; check that the address is a FHIR base"
)


@dataclass
class Fetched:
    """What a fetch brought. ``written`` and ``unchanged`` count resources by type."""

    folder: Path
    sync: int
    transaction_time: str
    since: str | None
    written: dict[str, int]
    unchanged: dict[str, int]
    deleted: int
    deletions_known: bool
    """whether the server says what was deleted since the last sync; a first fetch needs none"""
    remarks: dict[str, int] = field(default_factory=dict)
    """the server's own remarks on a bulk export, by severity: errors mean that resources may be missing"""
    lacking: tuple[str, ...] = ()
    """types that the server does not have"""
    short: tuple[str, ...] = ()
    """types of which the server gave less than the total it promised"""
    requests: int = 0
    resumed: bool = False
    removed: bool = True
    """whether the server removed the export's files when it was told that they are no longer needed"""

    @property
    def complete(self) -> bool:
        """Whether the server reported no error of its own and gave what it promised."""
        return not (self.short or self.remarks.get("error", 0) or self.remarks.get("fatal", 0))

    def summary(self) -> str:
        """The same as lines of text; counts only."""
        window = "all records" if self.since is None else "what changed since the last sync"
        lines = [
            f"sync {self.sync}: {window}, in {self.requests} requests" + (", resumed" if self.resumed else "")
        ]
        for kind in sorted(self.written | self.unchanged):
            lines.append(
                f"  {kind:<28}{self.written.get(kind, 0):>9} new{self.unchanged.get(kind, 0):>9} unchanged"
            )
        if self.deleted:
            lines.append(f"  {'deleted on the server':<28}{self.deleted:>9}")
        if not self.deletions_known:
            lines.append("the server does not say what was deleted; records deleted there stay here")
        if self.lacking:
            lines.append("the server does not have: " + ", ".join(self.lacking))
        if self.short:
            lines.append("the server promised more than it gave of: " + ", ".join(self.short))
        for severity, count in sorted(self.remarks.items()):
            lines.append(f"remarks of the server, {severity}: {count}")
        if not self.complete:
            lines.append("records may be missing; the next fetch asks for the same span of time again")
        if not self.removed:
            lines.append("the server keeps the export's files until they expire")
        return "\n".join(lines)


@dataclass
class _Run:
    """One sync under way."""

    transport: Transport
    folder: RawFolder
    types: tuple[str, ...]
    chosen: bool
    windows: dict[str, str | None]
    """from when on, by type; None: all"""
    progress: Callable[[int, int], None] | None
    running: dict[str, Any]

    def keep(self, **facts: Any) -> None:
        self.running |= facts
        self.folder.ledger.remember("running", self.running)
        self.folder.ledger.keep()

    def tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def fetch(
    url: str,
    out: Path,
    *,
    types: Sequence[str] | None = None,
    auth: Authoriser | None = None,
    bulk: str | None = None,
    since: str | None = None,
    rate: float | None = None,
    resume: bool = True,
    progress: Callable[[int, int], None] | None = None,
    allow_http: bool = False,
    trusted_origins: Sequence[str] = (),
    limits: Limits | None = None,
    seed: int | None = None,
    clock: Clock | None = None,
) -> Fetched:
    """Fetch records from a FHIR server into a folder that :func:`fhir_io.import_records` reads.

    The first fetch brings everything, each later one into the same folder what changed: it asks from ten
    minutes before the server's time of the last one, and writes what is new. A fetch that broke off goes
    on where it stopped.

    Args:
        url: FHIR base address.
        out: raw folder, made with mode 0700 if absent. It holds identifiable records.
        types: resource types; None for those that the import needs and the server has.
        auth: gives access tokens, such as :class:`fhir_io.server.BackendServices`; None for an open server.
        bulk: None to search page by page; ``patient``, ``system`` or ``group/ID`` for a bulk export.
        since: FHIR instant with a zone, instead of the end of the last sync.
        rate: requests a second, at most; None for no bound.
        resume: False to begin anew instead of going on with a fetch that broke off.
        progress: called with (types or files done, in all).
        allow_http: let plain http go to other machines than this one.
        trusted_origins: further origins that may see the access token.
        limits: bounds on times and sizes.
        seed: decides the jitter of waits.
        clock: time and pauses.

    Returns:
        Counts of what came.

    Raises:
        ServerError: it cannot be fetched; what came before stays and the same call goes on from there.
        KeysError: the folder can be entered by others.
    """
    rules = origins(url, trusted=trusted_origins, allow_http=allow_http)
    kinds = _checked(types, since, rate)
    scope = bulk or "search"
    if bulk is not None:
        jobs.export_path(bulk)
    limits = limits or Limits()
    transport = Transport(rules, auth=auth, rate=rate, limits=limits, seed=seed, clock=clock)
    try:
        folder = RawFolder(Path(out), rules.base, limits.part)
        try:
            return _sync(transport, folder, kinds, types is not None, scope, since, resume, progress)
        finally:
            folder.close()
    finally:
        transport.close()


def _checked(types: Sequence[str] | None, since: str | None, rate: float | None) -> tuple[str, ...]:
    kinds = NEEDED if types is None else tuple(dict.fromkeys(types))
    if not kinds or not all(TYPE.fullmatch(kind) for kind in kinds):
        raise ServerError("a resource type is a name such as Observation; give at least one")
    if since is not None and check_instant(since) is None:
        raise ServerError(
            "the start of the time span needs date, time and zone, such as 2024-05-01T00:00:00Z"
        )
    if rate is not None and not 0 < rate < float("inf"):
        raise ServerError("the rate is a number of requests a second, above 0")
    return kinds


def _sync(
    transport: Transport,
    folder: RawFolder,
    types: tuple[str, ...],
    chosen: bool,
    scope: str,
    since: str | None,
    resume: bool,
    progress: Callable[[int, int], None] | None,
) -> Fetched:
    request = {"scope": scope, "types": list(types), "since": since}
    running = folder.ledger.fact("running")
    resumed = bool(resume and running and running["request"] == request)
    if not resumed:
        if running and "status" in running:
            jobs.remove(transport, running["status"])
        folder.give_up()
        synced = folder.ledger.synced(scope)
        running = {"request": request, "from": {kind: since or _before(synced.get(kind)) for kind in types}}
    run = _Run(transport, folder, types, chosen, running["from"], progress, running)
    run.keep()
    fetched = _search(run) if scope == "search" else _export(run, scope)
    fetched.requests, fetched.resumed = transport.requests, resumed
    return fetched


def _before(end: str | None) -> str | None:
    """The end of a last sync, less the overlap."""
    return None if end is None else instant(datetime.fromisoformat(end).timestamp() - OVERLAP)


def _earliest(windows: dict[str, str | None], kinds: Sequence[str]) -> str | None:
    """The start of the time span that holds those of all types; None if one has no start."""
    starts = [windows[kind] for kind in kinds]
    given = [start for start in starts if start is not None]
    return min(given, key=datetime.fromisoformat) if given and len(given) == len(starts) else None


def _able(run: _Run) -> tuple[Capabilities, list[str]]:
    """What the server can do, and the types that it lacks, unless they were asked for by name."""
    able = capabilities(run.transport)
    if run.chosen or able.types is None:
        return able, []
    lacking = [kind for kind in run.types if kind not in able.types]
    if len(lacking) == len(run.types):
        raise ServerError(_NONE_OF_THEM)
    return able, lacking


def _search(run: _Run) -> Fetched:
    able, lacking = _able(run)
    remarks: dict[str, int] = run.running.setdefault("remarks", {})
    short: list[str] = run.running.setdefault("short", [])

    def started(seconds: float) -> None:
        run.running.setdefault("time", instant(seconds))

    for number, kind in enumerate(run.types):
        run.tell(number, len(run.types))
        if kind in lacking or run.folder.ledger.done(number):
            continue
        since, may_lack = run.windows[kind], not run.chosen
        missing = search_type(
            run.transport, run.folder, kind, since, may_lack=may_lack, started=started, remarks=remarks
        )
        if missing is None:
            lacking.append(kind)
            continue
        if missing:
            short.append(kind)
        if since is not None and kind in able.histories:
            search_deletions(run.transport, run.folder, kind, since)
        run.folder.ledger.remember("running", run.running)
        run.folder.finish_part(number)
    run.tell(len(run.types), len(run.types))
    kinds = [kind for kind in run.types if kind not in lacking]
    if not kinds:
        raise ServerError(_NONE_OF_THEM)
    known = all(run.windows[kind] is None or kind in able.histories for kind in kinds)
    fetched = _finish(run, "search", run.running["time"], kinds, remarks, short)
    fetched.deletions_known, fetched.lacking = known, tuple(lacking)
    return fetched


def _export(run: _Run, scope: str) -> Fetched:
    """An export, begun once more if the server let it expire on the way."""
    for last in (False, True):
        try:
            return _export_once(run, scope)
        except Expired:
            run.folder.give_up()
            run.running = {key: run.running[key] for key in ("request", "from")}
            run.keep()
            if last:
                break
    raise ServerError(
        "the export expired twice before it was fetched; ask its operator how long files are kept"
    )


def _export_once(run: _Run, scope: str) -> Fetched:
    transport, folder = run.transport, run.folder
    if "status" not in run.running:
        lacking = _able(run)[1]
        kinds = [kind for kind in run.types if kind not in lacking]
        status = jobs.kick_off(transport, scope, kinds, _earliest(run.windows, kinds))
        run.keep(status=status, kinds=kinds)
    status, kinds = run.running["status"], run.running["kinds"]
    manifest = jobs.wait_for_manifest(transport, status)
    if run.running.get("mark") not in (None, manifest.mark()):  # not the files that were begun with
        folder.give_up()
        run.running.pop("remarks", None)
    run.keep(mark=manifest.mark())
    remarks = _files(run, manifest)
    fetched = _finish(run, scope, manifest.transaction_time, kinds, remarks, [])
    fetched.deletions_known = fetched.since is None or manifest.tells_deletions
    fetched.lacking = tuple(kind for kind in run.types if kind not in kinds)
    fetched.removed = jobs.remove(transport, status)
    return fetched


def _files(run: _Run, manifest: Manifest) -> dict[str, int]:
    remarks: dict[str, int] = run.running.setdefault("remarks", {})
    total = len(manifest.files)
    for number, file in enumerate(manifest.files, start=1):
        run.tell(number - 1, total)
        if run.folder.ledger.done(number):
            continue
        found = fetch_file(
            run.transport, run.folder, file, number, total, token=manifest.token, organised=manifest.organised
        )
        for severity, count in found.items():
            remarks[severity] = remarks.get(severity, 0) + count
        run.folder.ledger.remember("running", run.running)
        run.folder.finish_part(number)
    run.tell(total, total)
    return remarks


def _finish(
    run: _Run, scope: str, time: str, kinds: Sequence[str], remarks: dict[str, int], short: Sequence[str]
) -> Fetched:
    tally = run.folder.tally
    fetched = Fetched(
        run.folder.path,
        run.folder.next_sync(),
        time,
        _earliest(run.windows, kinds),
        dict(tally.written),
        dict(tally.unchanged),
        tally.deleted,
        deletions_known=True,
        remarks=remarks,
        short=tuple(short),
    )
    run.folder.finish(scope, dict.fromkeys(kinds, time) if fetched.complete else {}, time)
    return fetched
