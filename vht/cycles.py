"""The cyclic models of virtual patients, evaluated on the days when someone looks.

Cyclic models are an algebraic block on the clock of days: slow outputs in, the converged cycle's clinical
outputs out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from organ_models.model import OrganModel, take, values
from organ_models.solvers import Failure, Orbits
from vht.equilibrium import Balanced, Heart, regulated
from vht.matching import Matching, Target, match_output, sensitivity
from vht.patient import VirtualPatient, Wire
from vht.population import Individuals


@dataclass(frozen=True)
class Baseline:
    """A cyclic model's untreated cycle for every patient, and how its outputs answer to its inputs.

    Attributes:
        parameters: of the cyclic model, fields of shape ``(n,)``.
        orbits: periodic states at neutral inputs, in balance with controllers if there are any.
        jacobians: sensitivities of what solving couplings solve for, by the position of the model's first one
            in the composition.
        controls: parameters of the controllers, by model, fields of shape ``(n,)``.
    """

    parameters: Any
    orbits: Orbits
    jacobians: dict[int, np.ndarray] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)

    def take(self, lanes: np.ndarray) -> Baseline:
        """The baseline of some patients, in the order given; a patient may stand more than once."""
        parameters = take(self.parameters, lanes, self.orbits.residual.size)
        jacobians = {index: matrix[lanes] for index, matrix in self.jacobians.items()}
        n = self.orbits.residual.size
        controls = {name: take(record, lanes, n) for name, record in self.controls.items()}
        return Baseline(parameters, self.orbits.take(lanes), jacobians, controls)


@dataclass(frozen=True)
class Cycles:
    """Clinical outputs of the cyclic models on chosen days.

    Attributes:
        outputs: by port, shape ``(k, n)``.
        inputs: by port, what was fed or solved for, shape ``(k, n)``.
        failure: per day and patient, None or a :class:`Failure`, shape ``(k, n)``.
        states: by model, states at the start of the beat, shape ``(k, n_state, n)``.
        residual: largest residual of the cycle per patient, shape ``(n,)``.
        orbits: by model, every cycle that was solved, shape ``(k * n,)``, row by row.
    """

    outputs: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    failure: np.ndarray
    states: dict[str, np.ndarray]
    residual: np.ndarray
    orbits: dict[str, Orbits] = field(default_factory=dict)


def untreated(
    patient: VirtualPatient,
    model: OrganModel,
    people: Individuals,
    *,
    refine: int = 1,
) -> Baseline:
    """The untreated cycle of a cyclic model for every patient; ``refine`` divides every step."""
    n = len(people)
    everyone = model.Parameters(
        **{
            k: np.broadcast_to(np.asarray(v, float), (n,))
            for k, v in values(people.parameters[model.name]).items()
        }
    )
    heart = Heart(patient, model, controls_of(patient, people), refine=refine)
    orbits = heart(everyone, model.Inputs(), None, np.arange(n))
    return baseline_of(patient, model, everyone, orbits, controls_of(patient, people), refine=refine)


def controls_of(patient: VirtualPatient, people: Individuals) -> dict[str, Any]:
    """Parameters of the controllers, by model."""
    return {m.name: people.parameters[m.name] for m in patient.controllers}


def baseline_of(
    patient: VirtualPatient,
    model: OrganModel,
    parameters: Any,
    orbits: Orbits,
    controls: Mapping[str, Any] | None = None,
    *,
    refine: int = 1,
) -> Baseline:
    """A baseline from orbits that are known already, with the sensitivities that couplings need."""
    heart = Heart(patient, model, dict(controls or {}), refine=refine)
    solving = _solving(patient, model)
    jacobians = {}
    if solving:
        jacobians[solving[0][0]] = sensitivity(_matching(model, solving), parameters, orbits, heart)
    return Baseline(parameters, orbits, jacobians, dict(controls or {}))


def cycles_on(
    patient: VirtualPatient,
    baselines: Mapping[str, Baseline],
    course: Mapping[str, np.ndarray],
    rows: np.ndarray,
    *,
    given: Mapping[str, np.ndarray] | None = None,
    refine: int = 1,
) -> Cycles:
    """Evaluate the cyclic models where somebody looks.

    Args:
        patient: the composition.
        baselines: untreated cycles by model name.
        course: outputs of the slow models, by port, one row for each day that was read.
        rows: which rows of it, per patient, integers of shape ``(k, n)``; of a course read daily, the days.
        given: inputs of cyclic models and controllers that no coupling feeds, where they are not at their
            defaults, by port, shape ``(n,)``.
        refine: every step is divided by this.

    Every (row, patient) is a problem of its own, started from the patient's untreated cycle.
    """
    k, n = rows.shape
    outputs: dict[str, np.ndarray] = {}
    inputs: dict[str, np.ndarray] = {}
    states: dict[str, np.ndarray] = {}
    solved: dict[str, Orbits] = {}
    failure = np.full((k, n), None, dtype=object)
    residual = np.zeros(n)
    person = np.tile(np.arange(n), k)
    flat = rows.ravel()

    for model in patient.cyclic:
        base = baselines[model.name].take(person)
        parameters, start = base.parameters, base.orbits.state

        def slow(wire: Wire) -> np.ndarray:
            return wire.convert.factor * course[_name(wire.source)][flat, person] + wire.convert.offset

        fed = {w.target[1]: slow(w) for w in patient.inputs_of(model.name) if _name(w.source) in course}
        regulating = {
            _name(w.target): slow(w)
            for c in patient.controllers
            for w in patient.inputs_of(c.name)
            if _name(w.source) in course
        }
        for port, column in (given or {}).items():
            name, _, key = port.partition(".")
            if name == model.name:
                fed[key] = column[person]
            elif name in base.controls:
                regulating[port] = column[person]
        heart = Heart(patient, model, base.controls, regulating, refine)
        solving = _solving(patient, model)
        fine = base.orbits.converged
        if solving:
            goals = [
                slow(w) * base.orbits.outputs[w.target[1]] if w.coupling.relative else slow(w)
                for _, w in solving
            ]
            match = match_output(
                _matching(model, solving),
                parameters,
                base.orbits.outputs,
                np.stack(goals),
                beat=heart,
                jacobian=base.jacobians[solving[0][0]],
                start=start,
                fed=fed,
            )
            ports, orbits, reached = values(match.inputs), match.orbits, match.reached
            if base.controls:  # what the controllers do at the match
                orbits = heart(parameters, match.inputs, orbits.state, np.arange(k * n))
                reached = reached & orbits.converged
        else:
            ports = {**values(model.Inputs()), **fed}
            orbits = heart(parameters, model.Inputs(**ports), start, np.arange(k * n))
            reached = orbits.converged
        reason = np.full(k * n, None, dtype=object)
        reason[~reached] = Failure.TARGET_NOT_REACHED if solving else Failure.NOT_PERIODIC
        reason[~fine] = Failure.NOT_PERIODIC
        fresh = (failure.ravel() == None) & (reason != None)  # noqa: E711
        failure.ravel()[fresh] = reason[fresh]
        for name, column in orbits.outputs.items():
            outputs[f"{model.name}.{name}"] = np.where(reached & fine, column, np.nan).reshape(k, n)
        for name, column in ports.items():
            inputs[f"{model.name}.{name}"] = np.broadcast_to(np.asarray(column, float), (k * n,)).reshape(
                k, n
            )
        if isinstance(orbits, Balanced):
            convert = {w.target[1]: w.convert for w in patient.inputs_of(model.name)}
            for port, source in regulated(patient, model).items():
                held = convert[port].factor * orbits.control_outputs[source] + convert[port].offset
                inputs[f"{model.name}.{port}"] = held.reshape(k, n)
            for name, column in orbits.control_outputs.items():
                outputs[name] = np.where(reached & fine, column, np.nan).reshape(k, n)
            for name, stack in orbits.control_states.items():
                states[name] = np.moveaxis(stack.reshape(len(stack), k, n), 0, 1)
        solved[model.name] = orbits
        states[model.name] = np.moveaxis(orbits.state.reshape(len(orbits.state), k, n), 0, 1)
        residual = np.maximum(residual, np.nan_to_num(orbits.residual, nan=np.inf).reshape(k, n).max(axis=0))
    return Cycles(outputs, inputs, failure, states, residual, solved)


def first_failure(people: Individuals, course: Mapping[str, np.ndarray], cycles: Cycles) -> np.ndarray:
    """Why each patient failed, None for those who did not, shape ``(n,)``."""
    failure = np.full(len(people), None, dtype=object)
    for row in cycles.failure[::-1]:
        failure = np.where(row != None, row, failure)  # noqa: E711
    for trace in course.values():
        failure[~np.all(np.isfinite(trace), axis=0)] = Failure.DIVERGED
    failure[~people.valid()] = Failure.INVALID_PARAMETER
    return failure


# ---------------------------------------------------------------------------------------------------


def _solving(patient: VirtualPatient, model: OrganModel) -> list[tuple[int, Wire]]:
    """Solving couplings of a cyclic model, with their positions in the composition."""
    return [(i, w) for i, w in enumerate(patient.solving) if w.target[0] == model.name]


def _matching(model: OrganModel, solving: list[tuple[int, Wire]]) -> Matching:
    targets = []
    for _, wire in solving:
        solve, follow = wire.coupling.solve, wire.coupling.follow
        assert solve is not None
        along = follow.partition(".")[2] if follow else None
        targets.append(Target(wire.target[1], solve.partition(".")[2], along))
    return Matching(model, tuple(targets))


def _name(port: tuple[str, str]) -> str:
    return ".".join(port)
