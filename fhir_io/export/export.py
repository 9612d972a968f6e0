"""The export: results in, FHIR out, through the release gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from fhir_io.export.elements import is_simulated
from fhir_io.export.errors import ExportError
from fhir_io.export.evidence import evidence
from fhir_io.export.gate import Gate, authorised_only, leaving
from fhir_io.export.names import Json, Names
from fhir_io.export.patients import measurement, patient, prediction, risk, waveform
from fhir_io.export.provenance import device, device_id, provenance
from fhir_io.export.r5 import to_r5
from fhir_io.export.read_results import read_results
from fhir_io.export.schema import Document, Enrolment, Measurement, Prediction, Risk, Waveform
from fhir_io.export.study import study
from fhir_io.export.write import BundleType, write_bundle, write_folder

FhirVersion = Literal["R4", "R5"]
Row = TypeVar("Row", Measurement, Prediction, Waveform, Risk, Enrolment)


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        resources: how many.
        by_type: how many of each type.
    """

    resources: int
    by_type: dict[str, int]


def export_results(
    results: Path,
    out: Path,
    *,
    recipient: str,
    named: Callable[[str], str],
    fhir_version: FhirVersion = "R4",
    bundle: BundleType = "collection",
    authorised: str | None = None,
    gate: Gate | None = None,
    recorded: datetime | None = None,
) -> Exported:
    """Export results as FHIR.

    Args:
        results: what :func:`fhir_io.export.read_results.read_results` reads: a file of ``vht-predictions/1``,
            the folder of a run, or of states.
        out: a file whose name ends in ``.json`` gets one Bundle; any other name becomes a folder of NDJSON.
        recipient: who gets it; the gate is told.
        named: the recipient's names for patients, from ``privacy.recipient_pseudonyms``.
        fhir_version: ``R4`` or ``R5``; only R5 has Evidence.
        bundle: ``collection``, or ``transaction`` to post to a server; for a Bundle only.
        authorised: why real-derived results may leave; it becomes the reason of the Provenance.
        gate: runs before anything is built; by default :func:`fhir_io.export.gate.authorised_only`.
        recorded: when the export is made, with a zone; now, if not given.

    Returns:
        What was written.

    Raises:
        ExportError: the results cannot be read, or ``out`` is taken; nothing was written.
        ReleaseRefused: the gate does not let them leave; nothing was written.
    """
    if fhir_version not in ("R4", "R5"):
        raise ExportError("the FHIR version to write must be R4 or R5")
    if bundle not in ("collection", "transaction"):
        raise ExportError("the type of the Bundle must be collection or transaction")
    when = recorded or datetime.now(UTC)
    if when.tzinfo is None:
        raise ExportError("the time of the export needs a zone")
    own_gate = authorised_only(authorised)  # checks the words of the authorisation, whatever gate there is
    document = read_results(results)
    (gate or own_gate)(leaving(document, recipient))
    to_file = out.suffix.lower() == ".json"
    names = Names(named, "urn" if to_file else "relative")
    counts: dict[str, int] = defaultdict(int)

    def counted() -> Iterator[Json]:
        for resource in resources(document, names, when, authorised, fhir_version):
            counts[resource["resourceType"]] += 1
            yield resource

    if to_file:
        total = write_bundle(out, counted(), bundle, names.fixed("Bundle", document.run.name))
    else:
        total = write_folder(out, counted())
    return Exported(total, dict(sorted(counts.items())))


def resources(
    document: Document,
    names: Names,
    recorded: datetime,
    authorised: str | None = None,
    fhir_version: FhirVersion = "R4",
) -> Iterator[Json]:
    """All resources of an export, patients in the order of the recipient's names.

    The order of the source is not kept: two recipients could compare it and so link their patients.
    """
    change: Callable[[Json], Json] = to_r5 if fhir_version == "R5" else _as_it_is
    produced: list[Json] = []
    others: list[Json] = []
    yield change(device(document.run, names))
    for resource in _content(document, names, fhir_version):
        targets = produced if is_simulated(resource) else others
        targets.append(names.reference(resource["resourceType"], resource["id"]))
        yield change(resource)
    if produced or others:  # of states alone nothing is simulated: the Provenance is then that of the export
        yield change(provenance(document.run, names, produced or others, recorded, authorised))


def _content(document: Document, names: Names, fhir_version: FhirVersion) -> Iterator[Json]:
    if document.trial is not None:
        yield from study(document.trial, names)
        if fhir_version == "R5":
            yield from evidence(document.trial, names)
    yield from _of_patients(document, names)


def _of_patients(document: Document, names: Names) -> Iterator[Json]:
    """Each patient with the values of their record, then each virtual twin with what is predicted for it."""
    program = names.reference("Device", device_id(document.run, names))
    records = _by_subject(document.measurements)
    forecasts = _by_subject(document.predictions)
    waves, risks = _by_subject(document.waveforms), _by_subject(document.risks)
    enrolled = _by_subject(document.trial.enrolments if document.trial else ())
    for subject in sorted(document.subjects, key=lambda s: names.patient(s.subject)):
        own = subject.subject
        yield patient(subject, names)
        inputs = [measurement(m, names) for m in records[own]]
        yield from inputs
        basis = [names.reference("Observation", made["id"]) for made in inputs]
        arms = {row.arm for row in enrolled[own]} | {row.arm for row in forecasts[own]}
        arms |= {row.arm for row in waves[own]} | {row.arm for row in risks[own]}
        twins = sorted((names.patient(own, arm), arm) for arm in arms if arm is not None)
        yield from (patient(subject, names, arm) for _, arm in twins)
        yield from (prediction(p, names, program, basis) for p in forecasts[own])
        yield from (waveform(w, names, program, basis) for w in waves[own])
        yield from (risk(r, names, program, basis) for r in risks[own])


def _by_subject(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.subject].append(row)
    return found


def _as_it_is(resource: Json) -> Json:
    return resource
