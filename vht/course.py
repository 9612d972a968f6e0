"""The course of the slow models of virtual patients over days.

Slow models (exposure, tumour, drug effects) run on a grid of days: the instants at which a dose may change or
something arrives, and those at which somebody looks. Most are whole days; those of a :class:`Schedule`
(infusions, two tablets a day) and readings may lie between. From one to the next, a model with a closed form
uses it and the others take fixed Runge–Kutta steps. A reading on day ``k`` is taken before that day's dose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from organ_models.engines import Precision, require_precision
from organ_models.grids import Grid, grid
from organ_models.model import NoFields, fields, values
from organ_models.schedules import Schedule, instants
from organ_models.stepping import run
from vht.patient import CompositionError, VirtualPatient
from vht.population import Individuals
from vht.slow_models import SlowModels, slow_models, stepped

Doses = Mapping[str, float | Sequence[float] | np.ndarray | Schedule]
"""By port, what is given: one number for every day, one for each day, one for each day and patient, or a
schedule of instants."""


@dataclass(frozen=True)
class Course:
    """What the slow models did.

    Attributes:
        days: days that were read, shape ``(k,)``.
        outputs: by port ``model.output``, shape ``(k, n)``.
        state: states on the last day, before its dose, shape ``(n_state, n)``.
    """

    days: np.ndarray
    outputs: dict[str, np.ndarray]
    state: np.ndarray


def slow_course(
    patient: VirtualPatient, people: Individuals, doses: Doses, last_day: int
) -> dict[str, np.ndarray]:
    """Outputs of all slow models at the end of every day.

    Returns:
        By port, shape ``(last_day + 1, n)``; row ``k`` is read before the dose of day ``k``.
    """
    return course(patient, people, doses, np.arange(last_day + 1)).outputs


def course(
    patient: VirtualPatient,
    people: Individuals,
    doses: Doses,
    days: Sequence[float] | np.ndarray,
    *,
    start_day: int = 0,
    start: np.ndarray | None = None,
    held: Mapping[str, np.ndarray] | None = None,
    opportunities: Sequence[float] | np.ndarray | None = None,
    refine: int = 1,
    precision: Precision = "double",
) -> Course:
    """Run the slow models and read them on some days.

    Args:
        patient: the composition.
        people: who.
        doses: by port; a dose port is an input of a slow model that no coupling feeds, whose value holds
            for a day, or one of a model's events, an amount that arrives as the day begins. A
            :class:`Schedule` says at which instants an input changes or something arrives.
        days: days to read, increasing, none before ``start_day``; fractions are read within the day.
        start_day, start: where a run goes on, and the states there, ``(n_state, n)``.
        held: values of inputs that the cycle feeds, shape ``(n,)``, held throughout.
        opportunities: days on which a dose may change or something may arrive; day 0 always is one. If
            absent, the days on which doses that are the same for everybody do so, and every day where
            patients have doses of their own: the steps of one patient do not depend on what others get.
            The instants of a schedule always are.
        refine: every step is divided by this.
        precision: ``"single"`` computes the rates of stepped models in single precision, which is faster.
            Time, doses, states, closed forms and what is read stay double.

    Raises:
        CompositionError: a dose at a port that takes none.
        EngineError: no such precision, or single precision where only the portable engine can run.
        ValueError: a dose that is not a finite number from 0 on, not given for every day, or given on a day
            that is no opportunity.
    """
    require_precision(precision)
    n, read = len(people), _readings(days)
    check_doses(patient, doses)
    if not patient.slow:
        return Course(read, {}, np.zeros((0, n)))
    ready = prepared_course(
        patient, people, doses, read, start_day=start_day, opportunities=opportunities, refine=refine
    )
    models, given = ready.models, held or {}
    kept = np.reshape([np.broadcast_to(given[p], (n,)) for p in models.held], (len(models.held), n))
    seen, state = run(
        stepped(models, precision),
        ready.parameters,
        ready.steps,
        ready.amounts,
        ready.parcels,
        kept,
        start=start,
    )
    outputs = {port: seen[:, row].copy() for row, port in enumerate(models.outputs)}
    return Course(read, outputs, state)


@dataclass(frozen=True)
class Prepared:
    """What a course is computed from.

    Attributes:
        models: the slow models.
        parameters: rows of their parameters, and one of ones, shape ``(rows, n)``.
        steps: the time grid.
        amounts, parcels: doses that hold until the next column, and amounts that arrive, ``(ports, columns,
            n or 1)``.
    """

    models: SlowModels
    parameters: np.ndarray
    steps: Grid
    amounts: np.ndarray
    parcels: np.ndarray


def prepared_course(
    patient: VirtualPatient,
    people: Individuals,
    doses: Doses,
    days: np.ndarray,
    *,
    start_day: int = 0,
    opportunities: Sequence[float] | np.ndarray | None = None,
    refine: int = 1,
) -> Prepared:
    """Arrange parameters, doses and steps for a run; arguments as for :func:`course`."""
    n, last = len(people), math.ceil(days[-1])
    events = event_ports(patient)
    names = tuple(sorted(set(doses) - set(events)))
    arriving = tuple(sorted(set(doses) & set(events)))
    models = slow_models(patient, names, arriving)
    planned = [d.times for d in doses.values() if isinstance(d, Schedule)]
    columns = np.unique(np.concatenate([np.arange(max(last, 1), dtype=float), *planned]))
    columns = columns[columns < max(last, 1)]
    amounts = _table({p: doses[p] for p in names}, columns, last, n, arriving=False)
    parcels = _table({p: doses[p] for p in arriving}, columns, last, n, arriving=True)
    if opportunities is None and any(
        not isinstance(dose, Schedule) and np.ndim(dose) == 2 for dose in doses.values()
    ):
        opportunities = np.arange(last)
    dates = {p: _changes(a, columns) for p, a in zip(names, amounts, strict=True)}
    dates |= {p: _arrivals(a, columns) for p, a in zip(arriving, parcels, strict=True)}
    offered = set().union(*dates.values()) if opportunities is None else {0.0, *instants(opportunities)}
    eventful = offered.union(*(times.tolist() for times in planned))
    for port, used in dates.items():
        if missed := sorted(used - eventful):
            raise ValueError(f"{port}: a dose on day {missed[0]:g}, which is not one of the opportunities")
    steps = grid(models.stride, days.tolist(), eventful, start=start_day, refine=refine, columns=columns)
    parameters = np.concatenate(
        [
            np.reshape(
                [np.broadcast_to(np.asarray(v, float), (n,)) for v in record.values()], (len(record), n)
            )
            for record in (values(people.parameters[m.name]) for m in patient.slow)
        ]
        + [np.ones((1, n))]
    )
    return Prepared(models, parameters, steps, amounts, parcels)


def dose_ports(patient: VirtualPatient) -> list[str]:
    """Where doses can be given: inputs of slow models that no coupling feeds, and events of slow models."""
    slow = {m.name for m in patient.slow}
    inputs = [port for port in patient.open_inputs() if port.partition(".")[0] in slow]
    return [*inputs, *event_ports(patient)]


def event_ports(patient: VirtualPatient) -> list[str]:
    """Events that can happen to slow models."""
    return [f"{m.name}.{e}" for m in patient.slow if m.Events is not NoFields for e in fields(m.Events)]


def check_doses(patient: VirtualPatient, doses: Doses) -> None:
    """Refuse doses where none can be given.

    Raises:
        CompositionError: naming the ports that take doses.
    """
    allowed = dose_ports(patient)
    for port in doses:
        if port not in allowed:
            if not _known(patient, port):
                patient.port(port)  # says what is near
            raise CompositionError(f"{port}: doses cannot be given here; they can at {', '.join(allowed)}")


# ---------------------------------------------------------------------------------------------------


def _known(patient: VirtualPatient, port: str) -> bool:
    name, _, field = port.partition(".")
    model = patient.models.get(name)
    return model is not None and any(
        field in fields(kind) for kind in (model.Inputs, model.Outputs, model.Events, model.Parameters)
    )


def _readings(days: Any) -> np.ndarray:
    """Days to read: whole numbers stay whole."""
    read = np.asarray(days)
    whole = read.astype(np.int64)
    return whole if np.array_equal(whole, read) else instants(read)


def _table(doses: Mapping[str, Any], columns: np.ndarray, last: int, n: int, *, arriving: bool) -> np.ndarray:
    """Amounts by port, column and patient: ``(ports, columns, n)``, or ``(ports, columns, 1)`` if all get the
    same."""
    tables = [_amounts(dose, columns, last, n, port, arriving) for port, dose in doses.items()]
    width = max((t.shape[1] for t in tables), default=1)
    whole = [np.broadcast_to(t, (columns.size, width)) for t in tables]
    return np.reshape(whole, (len(tables), columns.size, width)) if tables else np.zeros((0, columns.size, 1))


def _amounts(dose: Any, columns: np.ndarray, last: int, n: int, port: str, arriving: bool) -> np.ndarray:
    """What one port gets in every column, ``(columns, n or 1)``."""
    if isinstance(dose, Schedule):
        if dose.amounts.ndim == 2 and dose.amounts.shape[1] not in (1, n):
            raise ValueError(f"{port}: a schedule for {dose.amounts.shape[1]} patients; there are {n}")
        return dose.arriving(columns) if arriving else dose.holding(columns)
    day = np.floor(columns).astype(np.int64)
    daily = _schedule(dose, last, n, port)[day]
    return np.where((columns == day)[:, None], daily, 0.0) if arriving else daily


def _schedule(dose: Any, days: int, n: int, port: str) -> np.ndarray:
    amounts = np.asarray(dose, dtype=float)
    if not np.all(np.isfinite(amounts)) or np.any(amounts < 0):
        raise ValueError(f"{port}: a dose must be a finite number, not negative")
    if amounts.ndim == 0:
        return np.full((max(days, 1), 1), float(amounts))
    if amounts.shape[0] < days:
        raise ValueError(f"{port}: doses for {amounts.shape[0]} days, but the simulation lasts {days}")
    if amounts.ndim > 2 or (amounts.ndim == 2 and amounts.shape[1] not in (1, n)):
        raise ValueError(f"{port}: doses have the shape {amounts.shape}; wanted (days,) or (days, {n})")
    if amounts.shape[0] == 0:
        return np.zeros((1, 1))
    return amounts.reshape(amounts.shape[0], -1)[: max(days, 1)]


def _changes(amounts: np.ndarray, columns: np.ndarray) -> set[float]:
    """When a dose that holds, ``(columns, n)``, is another than before."""
    return set(columns[(np.diff(amounts, axis=0, prepend=0.0) != 0.0).any(axis=1)].tolist())


def _arrivals(parcels: np.ndarray, columns: np.ndarray) -> set[float]:
    """When anything arrives, of amounts ``(columns, n)``."""
    return set(columns[(parcels != 0.0).any(axis=1)].tolist())
