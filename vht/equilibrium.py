"""The cycle of a cyclic model in balance with its controllers (a reflex).

In equilibrium the circulation is periodic and the controllers' rates vanish on average over the beat. The
controllers' outputs are held over the beat, and the rates are averaged along the beat's own waveform, so that
a receptor which saturates sees the pulse and not its mean. A delay shifts a periodic signal and drops out of
the average. What is neglected is the ripple of the controllers' outputs within a beat, which is small where
their time constants are seconds.

A controller that never rests under a constant beat (a pure integrator) has no balance here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from organ_models.fixed_points import fixed_points
from organ_models.model import OrganModel, fields, take, values
from organ_models.solvers import Orbits, in_blocks, periodic_orbits, waveforms
from vht.controls import PHASES, by_controller, control_parameters, control_ports, resting
from vht.patient import VirtualPatient

TOLERANCE = 1e-7
"""Largest change of a controller's output, relative to its size, that counts as balance."""

# a strong reflex magnifies what is left of the cycle's own residual, so that is made smaller
_ORBIT_TOLERANCE = 1e-10
_BLOCK = 64  # lanes whose controllers come to rest together: few patients must not pay for many
_SIGNALS_AT_ONCE = 512  # lanes whose waveforms are held in memory together


@dataclass(frozen=True)
class Balanced(Orbits):
    """Periodic states in balance with controllers.

    Attributes:
        control_outputs: outputs of the controllers, mean over the beat, by port, shape ``(n,)``.
        control_states: states of the controllers, by model, shape ``(n_state, n)``.
    """

    control_outputs: dict[str, np.ndarray] = field(default_factory=dict)
    control_states: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, lanes: np.ndarray) -> Balanced:
        """The orbits of some lanes, in the order given."""
        part = super().take(lanes)
        return Balanced(
            **vars(part),
            control_outputs={k: v[lanes] for k, v in self.control_outputs.items()},
            control_states={k: v[:, lanes] for k, v in self.control_states.items()},
        )


@dataclass(frozen=True)
class Heart:
    """How the cycle of a patient's cyclic model is solved: alone, or in balance with its controllers.

    Attributes:
        patient: the composition.
        model: its cyclic model.
        controls: parameters of the controllers, by model, fields of shape ``(n,)``.
        fed: inputs of the controllers that are known, by port, shape ``(n,)``; the others that no coupling
            feeds are at their defaults.
        refine: every step is divided by this.
    """

    patient: VirtualPatient
    model: OrganModel
    controls: Mapping[str, Any] = field(default_factory=dict)
    fed: Mapping[str, np.ndarray] = field(default_factory=dict)
    refine: int = 1

    def __call__(self, parameters: Any, inputs: Any, start: np.ndarray | None, lanes: np.ndarray) -> Orbits:
        """Solve the cycle of some patients.

        Args:
            parameters, inputs: of the cyclic model, fields of shape ``(m,)``; inputs that controllers feed
                are ignored.
            start: states to start from, ``(n_state, m)``.
            lanes: which of the ``n`` patients these are, shape ``(m,)``.
        """
        if not regulated(self.patient, self.model):
            return periodic_orbits(self.model, parameters, inputs, start=start, refine=self.refine)
        n = max((np.size(v) for c in self.controls.values() for v in values(c).values()), default=lanes.size)
        chosen = {name: take(record, lanes, n) for name, record in self.controls.items()}
        fed = {port: np.asarray(column)[lanes] for port, column in self.fed.items()}
        loop = _Loop(self.patient, self.model, _wide(parameters, lanes.size), chosen, fed, self.refine)
        return loop.balance(_wide(inputs, lanes.size), start, lanes.size)


def regulated(patient: VirtualPatient, model: OrganModel) -> dict[str, str]:
    """Inputs of a cyclic model that controllers feed, by input, and the ports that feed them."""
    names = {m.name for m in patient.controllers}
    return {w.target[1]: ".".join(w.source) for w in patient.inputs_of(model.name) if w.source[0] in names}


@dataclass(frozen=True)
class Resting:
    """What controllers would do beside a circulation that does not listen to them.

    Attributes:
        outputs: mean outputs, by port, shape ``(n,)``.
        heard: mean of what each controller reads first of the circulation, by controller, shape ``(n,)``.
    """

    outputs: dict[str, np.ndarray]
    heard: dict[str, np.ndarray]


def resting_controls(
    patient: VirtualPatient,
    model: OrganModel,
    parameters: Mapping[str, Any],
    n: int,
    orbits: Orbits | None = None,
) -> Resting:
    """Controllers at rest beside the untreated, unregulated circulation.

    Args:
        patient: the composition.
        model: its cyclic model.
        parameters: of all models, by name, fields of shape ``(n,)``.
        n: number of patients.
        orbits: periodic states of the cyclic model at neutral inputs, if known.
    """
    own, inputs = _wide(parameters[model.name], n), _wide(model.Inputs(), n)
    found = periodic_orbits(model, model.Parameters(**own), model.Inputs()) if orbits is None else orbits
    loop = _Loop(patient, model, own, parameters, {}, 1)
    outputs, _, heard = loop.rest(inputs, found.state, np.arange(n), None)
    return Resting(dict(zip(control_ports(patient), outputs, strict=True)), heard)


# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Loop:
    """A cyclic model and its controllers, patients along the last axis.

    Attributes:
        patient, model: the composition, and its cyclic model.
        own: parameters of the cyclic model, by name.
        controls: parameters of the controllers, by model.
        fed: inputs of the controllers that are known, by port.
        refine: every step is divided by this.
    """

    patient: VirtualPatient
    model: OrganModel
    own: Mapping[str, np.ndarray]
    controls: Mapping[str, Any]
    fed: Mapping[str, np.ndarray]
    refine: int

    def rest(
        self, inputs: Mapping[str, np.ndarray], state: np.ndarray, lanes: np.ndarray, near: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Controllers at rest along the beats from ``state``: outputs, states, and means of what they hear.

        ``inputs``, ``state`` and ``near`` (states to start from) are those of ``lanes``.
        """
        patient, model = self.patient, self.model
        n = next(iter(self.own.values())).size
        settle = resting(patient, model, tuple(self.fed))
        parameters = control_parameters(patient, self.controls, n)
        given = np.reshape(list(self.fed.values()), (-1, n))
        first = {
            c.name: [w for w in patient.inputs_of(c.name) if w.source[0] == model.name]
            for c in patient.controllers
        }
        rows = sum(len(fields(c.State)) for c in patient.controllers)
        outputs, states = np.empty((len(control_ports(patient)), lanes.size)), np.empty((rows, lanes.size))
        heard = {name: np.full(lanes.size, np.nan) for name, wires in first.items() if wires}
        for at in range(0, lanes.size, _SIGNALS_AT_ONCE):
            part = slice(at, at + _SIGNALS_AT_ONCE)
            who = lanes[part]
            beat = waveforms(
                model,
                model.Parameters(**{k: v[who] for k, v in self.own.items()}),
                model.Inputs(**{k: v[part] for k, v in inputs.items()}),
                state[:, part],
            )
            every = max((beat["time"].shape[0] - 1) // PHASES, 1)
            seen = np.stack([beat[s][:-1:every] for s in fields(model.Signals)])
            known = np.zeros((0, who.size)) if near is None else near[:, part]
            outputs[:, part], states[:, part] = in_blocks(
                settle, (parameters[:, who], given[:, who], seen, known), block=_BLOCK
            )
            for name in heard:
                wire = first[name][0]
                mean = beat[wire.source[1]][:-1].mean(axis=0)
                heard[name][part] = wire.convert.factor * mean + wire.convert.offset
        return outputs, states, heard

    def balance(self, inputs: Mapping[str, np.ndarray], start: np.ndarray | None, n: int) -> Balanced:
        """The balance of all patients; unknown are the controller outputs that the model listens to."""
        model, patient = self.model, self.patient
        ports, every = regulated(patient, model), control_ports(patient)
        feeding = [every.index(source) for source in ports.values()]
        convert = {w.target[1]: w.convert for w in patient.inputs_of(model.name)}
        neutral = {port: fields(model.Inputs)[port].default or 0.0 for port in ports}
        first = np.stack([np.full(n, (neutral[p] - convert[p].offset) / convert[p].factor) for p in ports])
        # an input that adds to something is as large as its unit, at least
        scale = np.stack([np.full(n, abs((neutral[p] or 1.0) / convert[p].factor)) for p in ports])

        state = np.full((len(fields(model.State)), n), np.nan)
        outputs = {name: np.full(n, np.nan) for name in fields(model.Outputs)}
        residual, beats = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
        converged = np.zeros(n, dtype=bool)
        shown = np.full((len(every), n), np.nan)
        states = np.full((sum(len(fields(c.State)) for c in patient.controllers), n), np.nan)
        near = {"cycle": start, "rest": None}

        def respond(points: np.ndarray, lanes: np.ndarray, kept: bool) -> np.ndarray:
            """The controller outputs that follow from held ones."""
            given = {name: column[lanes] for name, column in inputs.items()}
            for row, port in enumerate(ports):
                given[port] = convert[port].factor * points[row] + convert[port].offset
            cycle, rest = near["cycle"], near["rest"]
            orbit = periodic_orbits(
                model,
                model.Parameters(**{k: v[lanes] for k, v in self.own.items()}),
                model.Inputs(**given),
                start=None if cycle is None else cycle[:, lanes],
                tolerance=_ORBIT_TOLERANCE,
                refine=self.refine,
            )
            found, resting_at, _ = self.rest(
                given, orbit.state, lanes, None if rest is None else rest[:, lanes]
            )
            np.add.at(beats, lanes, orbit.beats)
            if not kept:
                return found[feeding]
            state[:, lanes], shown[:, lanes], states[:, lanes] = orbit.state, found, resting_at
            residual[lanes], converged[lanes] = orbit.residual, orbit.converged
            for name, column in orbit.outputs.items():
                outputs[name][lanes] = column
            if cycle is None or rest is None:
                near["cycle"], near["rest"] = orbit.state.copy(), resting_at.copy()
            else:  # what has no numbers is no place to start from
                well = np.all(np.isfinite(orbit.state), axis=0) & np.all(np.isfinite(found), axis=0)
                cycle[:, lanes[well]], rest[:, lanes[well]] = orbit.state[:, well], resting_at[:, well]
            return found[feeding]

        balanced = fixed_points(respond, first, scale, tolerance=TOLERANCE)
        return Balanced(
            state=state,
            outputs=outputs,
            residual=np.maximum(residual, balanced.residual),
            beats=beats,
            converged=converged & balanced.converged,
            control_outputs=dict(zip(every, shown, strict=True)),
            control_states=by_controller(patient, states),
        )


def _wide(record: Any, n: int) -> dict[str, np.ndarray]:
    return {k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in values(record).items()}
