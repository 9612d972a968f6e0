"""A composed state in a file, so that a simulation goes on exactly where it stopped.

The file is a zip of plain number arrays (numpy's ``.npz``, no pickle) with a header in JSON. It holds study
numbers, parameters and states, and no pseudonym.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from organ_models.model import fields, values
from vht.files import write_whole
from vht.patient import VirtualPatient
from vht.population import Individuals

_FORMAT = 1
_HEADER = "header"


class SnapshotError(ValueError):
    """A file that is no snapshot, is damaged, or is of another composition; the message says which."""


@dataclass(frozen=True)
class Snapshot:
    """Where virtual patients stand on a day, before that day's dose.

    Attributes:
        composition: what the patient is made of, from :func:`composition`.
        day: the day.
        slow: states of the slow models, shape ``(n_state, n)``.
        cycles: states at the start of the untreated beat, by cyclic model, shape ``(n_state, n)``.
        individuals: who.
    """

    composition: dict[str, Any]
    day: int
    slow: np.ndarray
    cycles: dict[str, np.ndarray]
    individuals: Individuals

    def __repr__(self) -> str:
        return f"Snapshot({len(self.individuals)} virtual patients, day {self.day})"

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all."""
        arrays: dict[str, np.ndarray] = {
            "slow": self.slow,
            "study_numbers": self.individuals.study_numbers,
            **{f"cycle/{name}": state for name, state in self.cycles.items()},
        }
        n = len(self.individuals)
        for name, record in self.individuals.parameters.items():
            rows = [np.broadcast_to(np.asarray(v, float), (n,)) for v in values(record).values()]
            arrays[f"parameters/{name}"] = np.reshape(rows, (len(rows), n))
        header = {"format": _FORMAT, "day": self.day, "composition": self.composition}
        arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        write_whole(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: Path | str, patient: VirtualPatient) -> Snapshot:
        """Read a file for a composition.

        Raises:
            SnapshotError: not a snapshot, damaged, or of another composition.
        """
        arrays = _arrays(Path(path))
        try:
            header = json.loads(arrays[_HEADER].tobytes())
            if header["format"] != _FORMAT:
                raise SnapshotError(
                    f"the snapshot has format {header['format']}; this version reads {_FORMAT}"
                )
            saved = header["composition"]
            check(saved, patient)
            parameters = {
                name: model.Parameters(
                    **dict(zip(fields(model.Parameters), arrays[f"parameters/{name}"], strict=True))
                )
                for name, model in patient.models.items()
            }
            cycles = {m.name: arrays[f"cycle/{m.name}"] for m in patient.cyclic}
            people = Individuals(arrays["study_numbers"], parameters)
            return cls(saved, int(header["day"]), arrays["slow"], cycles, people)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, SnapshotError):
                raise
            raise SnapshotError("the snapshot is incomplete; make it again from a simulation") from None


def composition(patient: VirtualPatient) -> dict[str, Any]:
    """Models with their versions, and couplings: what must be the same for a state to have a meaning."""
    return {
        "models": {name: model.version for name, model in patient.models.items()},
        "couplings": [str(c) for c in patient.couplings],
    }


def check(saved: Mapping[str, Any], patient: VirtualPatient) -> None:
    """Refuse a state of another composition.

    Raises:
        SnapshotError: naming what differs.
    """
    here = composition(patient)
    then, now = dict(saved["models"]), here["models"]
    if list(then) != list(now):
        raise SnapshotError(f"the snapshot holds {', '.join(then)}; this patient is made of {', '.join(now)}")
    for name, version in then.items():
        if version != now[name]:
            raise SnapshotError(f"the snapshot was made with {name} {version}; here is {now[name]}")
    if list(saved["couplings"]) != here["couplings"]:
        raise SnapshotError("the snapshot was made with other couplings between the same models")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        raise SnapshotError("the file is not a snapshot, or it is damaged") from None
