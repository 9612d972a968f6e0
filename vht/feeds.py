"""Inputs that change in time: what is given to open ports on the clock of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vht.patient import CompositionError, VirtualPatient


@dataclass(frozen=True)
class Feed:
    """Time courses of open ports.

    Attributes:
        times: knots by port, s, shape ``(k,)``.
        columns: values at the knots, in the order of ``times``, each of shape ``(k, n)``.
    """

    times: dict[str, np.ndarray]
    columns: list[np.ndarray]

    def at(self, time: float) -> dict[str, np.ndarray]:
        """Values at an instant (s), by port, shape ``(n,)``."""
        found = {}
        for (port, knots), column in zip(self.times.items(), self.columns, strict=True):
            after = int(np.clip(np.searchsorted(knots, time, side="right"), 1, len(knots) - 1))
            share = np.clip((time - knots[after - 1]) / (knots[after] - knots[after - 1]), 0.0, 1.0)
            found[port] = column[after - 1] * (1 - share) + column[after] * share
        return found


def constant_inputs(patient: VirtualPatient, inputs: Mapping[str, Any], n: int) -> dict[str, np.ndarray]:
    """What open ports of the cyclic models and the controllers hold on all days, by port, shape ``(n,)``.

    Raises:
        CompositionError: a port that is not open.
        ValueError: a time course, which only a transient takes, or a shape that does not fit.
    """
    for port, given in inputs.items():
        if isinstance(given, tuple):
            raise ValueError(
                f"{port}: over days an input is a number, or one for each patient; "
                "time courses need transient=True"
            )
    return feeds(patient, inputs, n).at(0.0)


def feeds(patient: VirtualPatient, inputs: Mapping[str, Any], n: int) -> Feed:
    """Check what is given.

    Args:
        patient: the composition.
        inputs: by port, a number, or ``(times, values)``.
        n: number of patients.

    Raises:
        CompositionError: a port that is not an open input of the cyclic model or a controller.
        ValueError: times that do not increase, or shapes that do not fit; names the port.
    """
    fast = {m.name for m in (*patient.cyclic, *patient.controllers)}
    allowed = [port for port in patient.open_inputs() if port.partition(".")[0] in fast]
    times, columns = {}, []
    for port, given in sorted(inputs.items()):
        if port not in allowed:
            patient.port(port)
            raise CompositionError(f"{port} is not open here; open are {', '.join(allowed)}")
        knots, column = given if isinstance(given, tuple) else ((0.0, 1.0), (given, given))
        t = np.asarray(knots, dtype=float)
        v = np.asarray(column, dtype=float)
        if t.ndim != 1 or t.size < 2 or not np.all(np.diff(t) > 0) or not np.all(np.isfinite(t)):
            raise ValueError(f"{port}: times must be two or more increasing numbers")
        if v.shape not in ((t.size,), (t.size, n)) or not np.all(np.isfinite(v)):
            raise ValueError(f"{port}: values must be finite, of the shape ({t.size},) or ({t.size}, {n})")
        low, high = patient.port(port).bounds
        if v.min() < low or v.max() > high:
            raise ValueError(
                f"{port}: values must lie between {low:g} and {high:g} {patient.port(port).unit}"
            )
        times[port] = t
        columns.append(np.broadcast_to(v[:, None] if v.ndim == 1 else v, (t.size, n)))
    return Feed(times, columns)
