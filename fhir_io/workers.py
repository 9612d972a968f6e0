"""What reads units: this process or several others, always giving extracts in the order of the source.

Other processes load this module and what reading needs, not the store.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from fhir_io.extract import Extract, Extractor, Options
from fhir_io.read import Record, Unit, read_unit

Wanted = frozenset[tuple[str, int, int]]
"""Places within a file, to which reading is confined."""

Job = tuple[Unit, Wanted | None]

_AHEAD = 1
"""Units for each worker that are read before they are taken in, so that memory does not grow."""


def extracts(jobs: list[Job], options: Options, workers: int) -> Iterator[Extract]:
    """The extracts of all units, in their order.

    Args:
        jobs: units, each with the places that are wanted of it, None for all.
        options: how resources are read.
        workers: number of processes; 1 for this one.
    """
    return _in_this_process(jobs, options) if workers == 1 else _in_workers(jobs, options, workers)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Without the collector of cycles, which would walk through every resource time and again.

    Resources have no cycles; what little does is collected after each unit (:func:`sweep`).
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            sweep()  # or the next object would pay for all of them
            gc.enable()


def sweep() -> None:
    """Collect cycles among young objects."""
    gc.collect(1)


def _in_this_process(jobs: list[Job], options: Options) -> Iterator[Extract]:
    extractor = Extractor(options)
    for job in jobs:
        yield _extract(extractor, job)
        sweep()


def _in_workers(jobs: list[Job], options: Options, workers: int) -> Iterator[Extract]:
    waiting: deque[Future[Extract]] = deque()
    workers = min(workers, len(jobs)) or 1
    context = get_context(
        "forkserver"
    )  # a process that reads and has no threads, from which others are forked
    context.set_forkserver_preload(["fhir_io.warm"])
    with ProcessPoolExecutor(workers, context, _start, (options,)) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(_work, job))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


_worker: list[Extractor] = []


def _start(options: Options) -> None:
    gc.disable()
    _worker.append(Extractor(options))


def _work(job: Job) -> Extract:
    found = _extract(_worker[0], job)
    sweep()
    return found


def _extract(extractor: Extractor, job: Job) -> Extract:
    unit, wanted = job
    records = read_unit(unit, needed=extractor.needed)
    if wanted is not None:
        records = (record for record in records if _is_wanted(record, wanted))
    return extractor.extract(records, unit.place.file)


def _is_wanted(record: Record, wanted: Wanted) -> bool:
    """Patients and medications are read for those who refer to them."""
    kind = record.resource["resourceType"] if record.resource is not None else None
    place = record.place
    return kind in ("Patient", "Medication") or (place.unit, place.number, place.inner) in wanted
