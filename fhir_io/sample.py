"""Writing the synthetic cohort: a folder of FHIR R4 Bundles, one a patient."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import orjson

from fhir_io.errors import SampleError
from fhir_io.sample_patients import draw_patient
from fhir_io.sample_resources import file_name, patient_bundle
from vht.files import sync_folder

_MANIFEST = "manifest.json"
_KIND = "synthetic FHIR sample of the virtual human twin toolkit"


def write_sample(folder: Path, *, patients: int, seed: int, overwrite: bool = False) -> int:
    """Write a synthetic cohort of adults with metastatic gastrointestinal stromal tumour.

    The Bundles are valid under ``fhir.resources.R4B`` and as untidy as real records; what is untidy
    is listed in ``fhir_io.sample_mess``. The same seed gives the same bytes, and a patient does not
    depend on how many are asked for. The folder appears whole or not at all.

    Args:
        folder: where to write; must not exist or be empty, or hold an earlier sample if ``overwrite``.
        patients: how many patients, from 1.
        seed: any whole number from 0.
        overwrite: replace an earlier sample, whole.

    Returns:
        Number of Bundles written.

    Raises:
        SampleError: the folder holds something, or an argument is out of range.
    """
    if patients < 1:
        raise SampleError(f"a sample needs at least one patient, not {patients}")
    if seed < 0:
        raise SampleError(f"the seed must be a whole number from 0, not {seed}")
    folder = Path(folder)
    _refuse_to_lose_data(folder, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        for index in range(patients):
            patient = draw_patient(seed, index)
            content = orjson.dumps(patient_bundle(patient), option=orjson.OPT_INDENT_2)
            (fresh / file_name(patient)).write_bytes(content)
        manifest = {"kind": _KIND, "patients": patients, "seed": seed}
        (fresh / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        fresh.rename(folder)
    sync_folder(folder.parent)
    return patients


def _refuse_to_lose_data(folder: Path, overwrite: bool) -> None:
    if folder.is_file():
        raise SampleError(f"{folder} is a file; give a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not _is_sample(folder):
        raise SampleError(f"{folder} holds files that are no earlier sample; give a new folder")
    if not overwrite:
        raise SampleError(f"{folder} already holds a sample; give a new folder or --overwrite")


def _is_sample(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == _KIND
