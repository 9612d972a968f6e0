"""What a run rests on: code, locked dependencies, platform, models with every parameter and its source."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from organ_models.engines import choose, default_engine
from organ_models.model import OrganModel
from organ_models.record import record
from organ_models.scenarios import DEFAULT_VARIANT
from trials.compose import compose_arms, variant_of
from trials.conduct import Numerics
from trials.protocol import Protocol
from vht.cohort import Cohort
from vht.files import sha256_bytes, sha256_file
from vht.patient import VirtualPatient
from vht.slow_models import method

DISTRIBUTION = "virtual-human-twin"
PACKAGES = ("vht", "organ_models", "trials", "fhir_io", "privacy")
_SOURCES = {".py", ".j2"}

RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-6
TOLERANCE = (
    "On the same platform (processor features, engine, and versions of Python, JAX, llvmlite, NumPy, SciPy "
    "and the C library) every number is identical. On another one counts are identical and other numbers "
    f"agree within {RELATIVE_TOLERANCE:g} of their size or {ABSOLUTE_TOLERANCE:g}, because compilers round "
    "differently; a difference beyond it fails the verification and is named."
)
RUN_COMMAND = "vht trial run inputs/protocol.yaml --states inputs/states --out ../repeated"
VERIFY_COMMAND = "vht trial verify ."


def provenance(
    protocol: Protocol, cohort: Cohort, patient: VirtualPatient, numerics: Numerics
) -> dict[str, Any]:
    """Everything beside the protocol that the report of a run states about its making; JSON-ready."""
    return {
        "software": software(),
        "platform": this_platform(),
        "models": described(protocol),
        "couplings": couplings(patient),
        "data": {
            "states_digest": cohort.digest,
            "protocol_digest": protocol.digest,
            "patients": len(cohort),
        },
        "seed": protocol.seed,
        "command": RUN_COMMAND,
        "verify_command": VERIFY_COMMAND,
        "tolerance": TOLERANCE,
        "numerics": {
            "cycles_solved": numerics.cycles,
            "largest_residual_of_a_cycle": numerics.largest_residual,
            "largest_distance_from_a_recorded_pressure": f"{numerics.largest_pressure_residual:.4f} mmHg",
            "largest_change_when_steps_are_halved": _step_error(numerics),
            "solver": (
                f"Anderson-accelerated periodic steady state; Runge–Kutta 4, "
                f"{_steps(patient)}; slow models: {method(patient)}"
            ),
            "engine": _engine(patient),
            "precision": "float64",
        },
        "mlflow": {"experiment": protocol.name},
    }


def couplings(patient: VirtualPatient) -> list[dict[str, Any]]:
    """The couplings in the words of the protocol."""
    told = (
        {"from": c.source, "to": c.target, "solve": c.solve, "with": c.follow, "relative": c.relative}
        for c in patient.couplings
    )
    return [{key: value for key, value in each.items() if value} for each in told]


def described(protocol: Protocol) -> list[dict[str, Any]]:
    """The models of a trial in the order of the protocol, with variants that are named and whose they are.

    A model that arms have in several variants stands once for each.
    """
    arms = compose_arms(protocol)
    found = []
    for name in protocol.virtual_patient.models:
        takers: dict[str, list[str]] = {}
        for arm in protocol.arms:
            takers.setdefault(variant_of(protocol, arm, name), []).append(arm.name)
        for variant, those in takers.items():
            told = describe(arms[those[0]].models[name])
            named = {"variant": variant, "arms": those} if set(takers) != {DEFAULT_VARIANT} else {}
            found.append(told | named)
    return found


def software() -> dict[str, str]:
    """Version, commit and digests of the code, and of the locked dependencies."""
    root = Path(__file__).resolve().parents[1]
    lock = root / "requirements" / "runtime.txt"
    return {
        "version": importlib.metadata.version(DISTRIBUTION),
        "git_commit": _git_commit(root),
        "source_digest": source_digest(),
        "lock_digest": sha256_file(lock) if lock.is_file() else _installed_digest(),
        "python": platform.python_version(),
        "jax": importlib.metadata.version("jax"),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def this_platform() -> dict[str, str]:
    """What decides whether floating-point results must be identical, bit for bit."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor_features": _processor_features(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "jax": importlib.metadata.version("jax"),
        "jaxlib": importlib.metadata.version("jaxlib"),
        **default_engine(),
        "c_library": " ".join(platform.libc_ver()).strip() or "not stated",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": importlib.metadata.version("pandas"),
        "pyarrow": importlib.metadata.version("pyarrow"),
        "matplotlib": importlib.metadata.version("matplotlib"),
    }


@functools.cache
def source_digest() -> str:
    """SHA-256 over the toolkit's own source files."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(
        path for package in PACKAGES for path in (root / package).rglob("*") if path.suffix in _SOURCES
    )
    listing = "".join(f"{path.relative_to(root).as_posix()} {sha256_file(path)}\n" for path in files)
    return sha256_bytes(listing.encode())


def describe(model: OrganModel) -> dict[str, Any]:
    """A model as the report shows it: what of its record decides the numbers of a run."""
    made = record(model)
    kept = ("name", "title", "version", "clock", "notes", "parameters", "covariances")
    own = {reference.key for reference in model.references}
    return {key: made[key] for key in kept} | {
        "states": [state["name"] for state in made["states"]],
        "references": [reference for reference in made["references"] if reference["key"] in own],
    }


def _engine(patient: VirtualPatient) -> str:
    """The back end of the cyclic models: native machine code by llvmlite, or JAX's compiler."""
    described = {
        "native": f"native, llvmlite {default_engine()['llvmlite']}",
        "portable": f"portable, JAX {importlib.metadata.version('jax')}",
    }
    found = sorted({described[choose(m)] for m in patient.cyclic})
    return " and ".join(found) or described["portable"]


def _step_error(numerics: Numerics) -> str:
    if not numerics.step_error_patients:
        return "not estimated: no patient could be solved"
    return (
        f"{numerics.step_error:.1e} of the value, in {numerics.step_error_port}, "
        f"on the first {numerics.step_error_patients} patients"
    )


def _steps(patient: VirtualPatient) -> str:
    found = sorted({(m.cycle.steps, m.cycle.watched_steps) for m in patient.cyclic if m.cycle})
    told = " and ".join(f"{seek} steps a beat, {watch} in the beat that is read" for seek, watch in found)
    return told or "no beats"


def _git_commit(root: Path) -> str:
    if not (root / ".git").exists():
        return ""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no") if commit else ""
    except OSError:
        return ""
    return f"{commit} with uncommitted changes" if changed else commit


def _installed_digest() -> str:
    found = sorted(f"{d.metadata['Name']}=={d.version}" for d in importlib.metadata.distributions())
    return sha256_bytes("\n".join(found).encode())


def _processor_features() -> str:
    """A short digest of what the processor can do; compilers choose instructions by it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
        features = " ".join(sorted(set(lines[0].split(":", 1)[1].split()))) if lines else platform.processor()
    except OSError:
        features = platform.processor()
    return hashlib.sha256(features.encode()).hexdigest()[:16]
