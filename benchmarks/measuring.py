"""What measurements share: processor time, the machine in words, targets, and the file of results."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vht.files import write_whole

RESULTS = Path(__file__).with_name("RESULTS.md")


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Processor time of a call, s."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def machine(cores: int, command: str = "make benchmark") -> str:
    """Processor, versions and load, in words."""
    packages = ("jax", "llvmlite", "numpy", "scipy", "numba", "diffrax", "libroadrunner")
    versions = []
    for name in packages:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} absent")
    info = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    wide = any("avx512f" in line for line in info if line.startswith("flags"))
    vectors = "with" if wide else "without"
    return (
        f"`{command}` wrote this section. {models[0] if models else platform.processor()}, "
        f"{cores} cores, {vectors} AVX-512; Python {platform.python_version()}, {', '.join(versions)}. "
        f"Load of the machine, which others use too: {os.getloadavg()[1]:.1f} over the last five minutes."
    )


def target(what: str, wanted: float, found: float, *, most: bool = False) -> str:
    """A line of a table of targets."""
    met = found <= wanted if most else found >= wanted
    sign = "≤" if most else "≥"
    return f"| {what} | {sign} {wanted:g} | {found:.3g} | {'met' if met else '**missed**'} |"


def replace_section(heading: str, lines: Sequence[str]) -> None:
    """Write one section of the results and leave the others.

    Args:
        heading: its line, which begins with one or two hashes; a new section goes to the end.
        lines: what stands under it.
    """
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    sections: dict[str, list[str]] = {}
    for line in old.splitlines():
        if line.startswith(("# ", "## ")):
            sections[line] = []
        elif sections:
            next(reversed(sections.values())).append(line)
    sections[heading] = ["", *lines]
    text = "\n".join("\n".join([head, *body]).rstrip() + "\n" for head, body in sections.items())
    write_whole(RESULTS, text.encode())
