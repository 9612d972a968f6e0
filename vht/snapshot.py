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

from organ_models.model import OrganModel, fields, values
from organ_models.solvers import Orbits
from vht.cycles import Baseline
from vht.equilibrium import Balanced
from vht.files import write_whole
from vht.patient import VirtualPatient
from vht.population import Individuals

_FORMAT = 2
_HEADER = "header"
_ORBITS = ("state", "residual", "beats", "converged")


class SnapshotError(ValueError):
    """A file that is no snapshot, is damaged, or is of another composition; the message says which."""


@dataclass(frozen=True)
class Snapshot:
    """Where virtual patients stand on a day, before that day's dose.

    Attributes:
        composition: what the patient is made of, from :func:`composition`.
        day: the day.
        slow: states of the slow models, shape ``(n_state, n)``.
        cycles: the untreated cycles from which those of treatment are found, by cyclic model.
        individuals: who.
    """

    composition: dict[str, Any]
    day: int
    slow: np.ndarray
    cycles: dict[str, Baseline]
    individuals: Individuals

    def __repr__(self) -> str:
        return f"Snapshot({len(self.individuals)} virtual patients, day {self.day})"

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all."""
        arrays = {"slow": self.slow, "study_numbers": self.individuals.study_numbers}
        n = len(self.individuals)
        for name, record in self.individuals.parameters.items():
            arrays[f"parameters/{name}"] = _stacked(record, n)
        for name, baseline in self.cycles.items():
            arrays |= {f"cycle/{name}/{key}": array for key, array in _flat(baseline, n).items()}
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
                name: _record(model.Parameters, arrays[f"parameters/{name}"])
                for name, model in patient.models.items()
            }
            cycles = {
                m.name: _baseline(patient, m, _under(f"cycle/{m.name}/", arrays)) for m in patient.cyclic
            }
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


# -- baselines as arrays ---------------------------------------------------------------------------


def _flat(baseline: Baseline, n: int) -> dict[str, np.ndarray]:
    orbits = baseline.orbits
    out = {
        "parameters": _stacked(baseline.parameters, n),
        **{name: getattr(orbits, name) for name in _ORBITS},
        **{f"outputs/{name}": column for name, column in orbits.outputs.items()},
        **{f"jacobians/{index}": matrix for index, matrix in baseline.jacobians.items()},
        **{f"controls/{name}": _stacked(record, n) for name, record in baseline.controls.items()},
    }
    if isinstance(orbits, Balanced):
        out |= {f"control_outputs/{port}": column for port, column in orbits.control_outputs.items()}
        out |= {f"control_states/{name}": stack for name, stack in orbits.control_states.items()}
    return out


def _baseline(patient: VirtualPatient, model: OrganModel, arrays: Mapping[str, np.ndarray]) -> Baseline:
    parts: dict[str, Any] = {name: arrays[name] for name in _ORBITS}
    parts["outputs"] = _under("outputs/", arrays)
    control_outputs, control_states = (_under(f"control_{kind}/", arrays) for kind in ("outputs", "states"))
    controls = {
        name: _record(patient.models[name].Parameters, rows)
        for name, rows in _under("controls/", arrays).items()
    }
    return Baseline(
        _record(model.Parameters, arrays["parameters"]),
        Balanced(**parts, control_outputs=control_outputs, control_states=control_states)
        if control_states
        else Orbits(**parts),
        {int(index): matrix for index, matrix in _under("jacobians/", arrays).items()},
        controls,
    )


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def _stacked(record: Any, n: int) -> np.ndarray:
    rows = [np.broadcast_to(np.asarray(v, float), (n,)) for v in values(record).values()]
    return np.reshape(rows, (len(rows), n))


def _record(kind: type, rows: np.ndarray) -> Any:
    return kind(**dict(zip(fields(kind), rows, strict=True)))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        raise SnapshotError("the file is not a snapshot, or it is damaged") from None
