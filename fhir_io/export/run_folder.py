"""The folder of a trial run as a document.

It is read by its published schemas, ``vht-run/1`` and ``vht-results/1``, and the tables of ``outcomes/``;
nothing of the package that wrote it is used. Every file that is read must have the digest that the manifest
names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field

from fhir_io.export.errors import ExportError
from fhir_io.export.json_files import checked, read_json
from fhir_io.export.schema import Digest, Document, Number, Token
from fhir_io.export.states_folder import number, subjects
from vht.files import sha256_file
from vht.quantities import QUANTITIES
from vht.store import Store, StoreError

MANIFEST = "manifest.json"
_RESULTS = "results.json"
_PROTOCOL = "inputs/protocol.yaml"
_STATES = "inputs/states"


class _Read(BaseModel):
    """Part of a published file: fields that are not read may be there."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Software(_Read):
    version: Token
    source_digest: Digest | None = None


class _Model(_Read):
    name: Token
    version: Token


class _Data(_Read):
    states_digest: Digest
    protocol_digest: Digest


class _Provenance(_Read):
    software: _Software
    models: tuple[_Model, ...]
    data: _Data
    seed: int | None


class _Named(_Read):
    name: Token


class _Manifest(_Read):
    schema_: Annotated[Literal["vht-run/1"], Field(alias="schema")]
    protocol: _Named
    provenance: _Provenance
    files: dict[str, Digest]
    digest: Digest


class _Value(_Read):
    """An estimate with its interval; None where it does not exist."""

    value: Number | None
    lower: Number | None = None
    upper: Number | None = None
    n: int = Field(ge=0)


class _Endpoint(_Read):
    label: str
    unit: str
    arms: dict[str, dict[str, Any]]
    contrasts: dict[str, dict[str, Any]]


class Results(_Read):
    """What an export reads of ``vht-results/1``."""

    schema_: Annotated[Literal["vht-results/1"], Field(alias="schema")]
    confidence_level: Annotated[Number, Field(gt=0, lt=1)]
    reference_arm: Token
    arms: Annotated[tuple[Token, ...], Field(min_length=1)]
    disposition: dict[str, dict[str, Any]]
    endpoints: dict[str, _Endpoint]


_VIEWS = ("true", "observed")
_STATISTICS = {
    "mean": "mean",
    "share": "share",
    "median": "median time",
    "restricted_mean": "restricted mean time",
    "share_with_event": "share with the event",
}
_SHARES = ("share", "share_with_event", "difference of shares")


def read_run(folder: Path) -> Document:
    """A finished run in the form that is exported: baseline values, virtual twins, predictions, estimates.

    Raises:
        ExportError: a file is missing, altered or not of the schema that is read; names file and field.
    """
    manifest = checked(_Manifest, read_json(folder / MANIFEST), MANIFEST)
    for name in (_RESULTS, _PROTOCOL, *(f"outcomes/{t}.parquet" for t in _TABLES)):
        _check_digest(folder, name, manifest)
    results = checked(Results, read_json(folder / _RESULTS), _RESULTS)
    tables = {name: _table(folder, name, columns) for name, columns in _TABLES.items()}
    declared = _protocol(folder / _PROTOCOL)
    level = results.confidence_level
    facts = manifest.provenance
    content = {
        "schema": "vht-predictions/1",
        "label": "real-derived",
        "run": {
            "name": manifest.protocol.name,
            "software": {"version": facts.software.version, "source_sha256": facts.software.source_digest},
            "models": [m.model_dump() for m in facts.models],
            "seed": facts.seed,
            "inputs": [
                {"role": "states", "sha256": facts.data.states_digest},
                {"role": "protocol", "sha256": facts.data.protocol_digest},
                {"role": "results", "sha256": manifest.files[_RESULTS]},
            ],
            "digest": manifest.digest,
        },
        "subjects": subjects(tables["baseline"]),
        "measurements": list(_measurements(folder, tables["baseline"])),
        "predictions": list(_predictions(tables["measurements"])),
        "trial": {
            "name": manifest.protocol.name,
            "title": declared["title"],
            "reference_arm": results.reference_arm,
            "arms": [
                {
                    "name": arm,
                    "label": declared["labels"].get(arm, arm),
                    "patients": results.disposition.get(arm, {}).get("started", 0),
                }
                for arm in results.arms
            ],
            "eligibility": declared["eligibility"],
            "enrolments": [
                {"subject": row.pseudonym, "arm": row.arm, "status": row.status}
                for row in tables["disposition"].itertuples()
            ],
            "estimates": [
                estimate
                for name, endpoint in results.endpoints.items()
                for estimate in _estimates(name, endpoint, results.reference_arm, level)
            ],
        },
    }
    return checked(Document, content, "the run")


_TABLES = {
    "baseline": ("pseudonym", "sex", "age_years"),
    "disposition": ("arm", "pseudonym", "status"),
    "measurements": ("arm", "pseudonym", "quantity", "day", "true", "observed", "is_visit"),
}


def _check_digest(folder: Path, name: str, manifest: _Manifest) -> None:
    path = folder / name
    if not path.is_file():
        raise ExportError(f"{name} is missing in the run; restore it from your copy")
    if manifest.files.get(name) != sha256_file(path):
        raise ExportError(f"{name} was altered since the run: its digest is not that of {MANIFEST}")


def _table(folder: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    where = f"outcomes/{name}.parquet"
    try:
        table = pd.read_parquet(folder / where)
    except (OSError, ValueError):
        raise ExportError(
            f"{where} cannot be read as Parquet; restore it from your copy of the run"
        ) from None
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ExportError(f"{where} lacks the columns {', '.join(missing)}")
    return table


def _protocol(path: Path) -> dict[str, Any]:
    """Title, labels of arms, and eligibility in words."""
    try:
        content = yaml.safe_load(path.read_bytes())
        title = " ".join(str(content["title"]).split())
        labels = {
            arm["name"]: " ".join(str(arm.get("label", arm["name"])).split()) for arm in content["arms"]
        }
        population = content.get("population") or {}
        eligibility = list(_in_words(population.get("eligibility") or {}))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeError):
        raise ExportError(f"{_PROTOCOL} has no title and arms that can be read") from None
    return {"title": title, "labels": labels, "eligibility": eligibility}


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


def _in_words(content: Any, before: str = "") -> Iterator[str]:
    """``age: minimum: 18 a``, one line a condition."""
    if isinstance(content, dict):
        for key, item in content.items():
            yield from _in_words(item, f"{before}{str(key).replace('_', ' ')}: ")
    elif isinstance(content, list):
        yield before + ", ".join(str(item).replace("_", " ") for item in content)
    else:
        yield f"{before}{content}"


def _measurements(folder: Path, baseline: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The baseline values that the twins were personalised to, with the day of the record behind each."""
    try:
        observations = Store(folder / _STATES).cohort().observations
    except StoreError as error:
        raise ExportError(f"{_STATES} cannot be read: {error}") from None
    last = observations.groupby(["pseudonym", "quantity"])["day"].max().to_dict()
    names = [c.removesuffix("_origin") for c in baseline.columns if c.endswith("_origin")]
    for name in (n for n in names if n in QUANTITIES and n in baseline.columns):
        for patient, value, origin in zip(
            baseline["pseudonym"], baseline[name], baseline[f"{name}_origin"], strict=True
        ):
            if not math.isfinite(value):
                continue
            day = last.get((patient, name))
            yield {
                "subject": patient,
                "quantity": name,
                "value": number(value),
                "unit": QUANTITIES[name].unit,
                "day": None if origin == "imputed" or day is None else number(day),
                "origin": origin,
            }


def _predictions(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in rows.itertuples():
        true = row.true
        if row.quantity not in QUANTITIES or not math.isfinite(true):
            continue
        observed = number(row.observed) if row.is_visit and math.isfinite(row.observed) else None
        yield {
            "subject": row.pseudonym,
            "arm": row.arm,
            "quantity": row.quantity,
            "value": number(true),
            "unit": QUANTITIES[row.quantity].unit,
            "day": number(row.day),
            "simulated_measurement": observed,
        }


def _estimates(name: str, endpoint: _Endpoint, reference: str, level: Any) -> Iterator[dict[str, Any]]:
    """Every estimate of an endpoint that has a value, of the arms and of their contrasts."""
    for arm, views in endpoint.arms.items():
        for view in _VIEWS:
            summary = views.get(view) or {}
            for key, words in _STATISTICS.items():
                yield from _estimate(name, endpoint, words, arm, view, summary.get(key), level)
    for arm, views in endpoint.contrasts.items():
        for view in _VIEWS:
            contrast = views.get(view) or {}
            for design in ("population", "paired"):
                found = _estimate(
                    name, endpoint, contrast.get("measure", ""), arm, view, contrast.get(design), level
                )
                yield from ({**e, "against": reference, "design": design} for e in found)


def _estimate(
    name: str, endpoint: _Endpoint, statistic: str, arm: str, view: str, content: Any, level: Any
) -> Iterator[dict[str, Any]]:
    if not isinstance(content, dict):
        return
    estimate = checked(_Value, content, f"{_RESULTS}: endpoints.{name}")
    if estimate.value is None:
        return
    yield {
        "endpoint": endpoint.label,
        "statistic": statistic,
        "arm": arm,
        "view": view,
        "value": estimate.value,
        "unit": "1" if statistic in _SHARES else endpoint.unit,
        "level": level,
        "low": estimate.lower,
        "high": estimate.upper,
        "n": estimate.n,
    }


def results_schema() -> dict[str, Any]:
    """JSON Schema of what an export reads of ``results.json``; other fields may be there."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:vht-results:1",
        **Results.model_json_schema(by_alias=True),
    }
