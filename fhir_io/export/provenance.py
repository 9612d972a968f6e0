"""Which program made the results from what: Device and Provenance as FHIR R4."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fhir_io import vocabulary as v
from fhir_io.export.elements import coded
from fhir_io.export.names import Json, Names
from fhir_io.export.schema import Run

# http://terminology.hl7.org/CodeSystem/provenance-participant-type: a device that works on data of others
_ASSEMBLER = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "assembler")


def device_id(run: Run, names: Names) -> str:
    """The id of the Device."""
    return names.fixed("Device", run.software.name, run.software.version, run.name)


def device(run: Run, names: Names) -> Json:
    """The software with its version and the versions of the organ models that took part."""
    versions: list[Json] = [{"type": {"text": "software"}, "value": run.software.version}]
    versions += [{"type": {"text": f"model {m.name}"}, "value": m.version} for m in run.models]
    made: Json = {
        "resourceType": "Device",
        "id": device_id(run, names),
        "status": "active",
        "deviceName": [{"name": run.software.name, "type": "user-friendly-name"}],
        "type": {"text": "software"},
        "version": versions,
    }
    if run.software.source_sha256 is not None:
        made["identifier"] = [{"system": v.VERSION_DIGEST, "value": run.software.source_sha256}]
    return made


def provenance(
    run: Run, names: Names, targets: Sequence[Json], recorded: datetime, reason: str | None
) -> Json:
    """Where the results come from: program, digests of inputs, manifest of the run, and seed.

    Args:
        run: what made the results.
        names: of this export.
        targets: references to everything that the run produced; at least one.
        recorded: when this export was made, with a zone. It is a date of the export, not of a patient.
        reason: the authorisation that the results leave by.
    """
    entities: list[Json] = [
        {"role": "source", "what": {"identifier": {"system": v.SHA256, "value": i.sha256}, "display": i.role}}
        for i in run.inputs
    ]
    own = {"system": v.RUN, "value": run.name}
    entities.append({"role": "source", "what": {"identifier": own, "display": "run"}})
    if run.digest is not None:
        manifest = {"system": v.SHA256, "value": run.digest}
        entities.append(
            {"role": "source", "what": {"identifier": manifest, "display": "manifest of the run"}}
        )
    made: Json = {
        "resourceType": "Provenance",
        "id": names.fixed("Provenance", run.name),
        "target": list(targets),
        "recorded": recorded.astimezone(UTC).isoformat(timespec="seconds"),
        "agent": [{"type": coded(*_ASSEMBLER), "who": names.reference("Device", device_id(run, names))}],
        "entity": entities,
    }
    if run.seed is not None:
        made["extension"] = [{"url": v.RANDOM_SEED, "valueString": str(run.seed)}]
    if reason is not None:
        made["reason"] = [{"text": reason}]
    return made
