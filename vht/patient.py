"""The virtual patient: organ models composed by couplings between named, unit-checked ports.

A port is written ``model.port``. A plain coupling feeds an output of one model into an input of
another, converting the unit. A *solving* coupling is different: the output of a slow model is a target
for an output of a cyclic model, and an input of that cyclic model is solved for, patient by patient,
until the beating circulation shows the target.

Slow models run on a clock of days, cyclic models beat, and controllers (a reflex) run on a clock of seconds
beside the cyclic model whose signals they read. Models may drive each other in a circle where a state stands
in between; a circle of outputs that show their inputs at once is refused.
"""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from organ_models.catalogue import model as catalogue_model
from organ_models.feedthrough import feedthrough
from organ_models.model import Field, OrganModel, Reference, fields
from organ_models.units import Conversion, UnitError, conversion


class CompositionError(ValueError):
    """Models that cannot be composed; the message names both ends of the coupling.

    Attributes:
        index: position of the coupling that is at fault, if it is one.
    """

    index: int | None = None


@dataclass(frozen=True)
class Coupling:
    """``source`` (an output) to ``target`` (an input).

    With ``solve`` the target is an output of a cyclic model, to be reached by solving for that input
    port; ``follow`` names an input port that then moves by the model's declared law. With ``relative`` the
    source is a ratio: the target is that share of what the patient's own untreated cycle shows.
    """

    source: str
    target: str
    solve: str | None = None
    follow: str | None = None
    relative: bool = False

    def __str__(self) -> str:
        by = f" by solving for {self.solve}" if self.solve else ""
        along = f", with {self.follow} following" if self.follow else ""
        of = " of the untreated cycle" if self.relative else ""
        return f"{self.source} -> {self.target}{of}{by}{along}"


@dataclass(frozen=True)
class Wire:
    """A checked coupling: which output feeds which input, and the unit conversion between them."""

    coupling: Coupling
    source: tuple[str, str]
    target: tuple[str, str]
    convert: Conversion


class VirtualPatient:
    """A composition of organ models.

    Args:
        models: names of catalogue models, or models.
        couplings: how they are wired.

    Raises:
        CompositionError: a missing port, units that cannot be converted, an input with two sources, or
            an algebraic loop.
    """

    def __init__(self, models: Iterable[str | OrganModel], couplings: Iterable[Coupling] = ()):
        found = [catalogue_model(m) if isinstance(m, str) else m for m in models]
        self.models: Mapping[str, OrganModel] = {m.name: m for m in found}
        if len(self.models) != len(found):
            raise CompositionError("a model is named twice")
        self.couplings = tuple(couplings)
        self.wires: list[Wire] = []
        self.solving: list[Wire] = []
        for index, coupling in enumerate(self.couplings):
            try:
                self._connect(coupling)
            except CompositionError as error:
                error.index = index
                raise
        self.generations = self._generations()
        self.order = self._order()

    @property
    def slow(self) -> list[OrganModel]:
        """Models on the day clock, sources before what they feed."""
        return [self.models[n] for n in self.order if self.models[n].clock == "d"]

    @property
    def controllers(self) -> list[OrganModel]:
        """Models on the clock of seconds that do not beat: reflexes."""
        return [m for n in self.order if (m := self.models[n]).clock == "s" and m.cycle is None]

    @property
    def cyclic(self) -> list[OrganModel]:
        """Models that beat."""
        return [self.models[n] for n in self.order if self.models[n].cycle is not None]

    def references(self) -> list[Reference]:
        """The papers behind the composition, each once."""
        seen: dict[str, Reference] = {}
        for model in self.models.values():
            for reference in model.references:
                seen.setdefault(reference.key, reference)
        return list(seen.values())

    def inputs_of(self, name: str) -> list[Wire]:
        """Wires that feed a model."""
        return [w for w in self.wires if w.target[0] == name]

    def open_inputs(self) -> list[str]:
        """Input ports that no coupling feeds or solves for."""
        own = {(m.name, port) for m in self.models.values() for port in m.delays}
        taken = {w.target for w in self.wires} | self._solved_ports() | own
        return [
            f"{model.name}.{port}"
            for model in self.models.values()
            for port in fields(model.Inputs)
            if (model.name, port) not in taken
        ]

    def port(self, name: str, kind: str = "Inputs") -> Field:
        """What is declared about a port; ``kind`` is ``Inputs``, ``Outputs`` or ``Parameters``.

        Raises:
            CompositionError: no such model or port, with the nearest name.
        """
        model, port = self._resolve(name, (kind,))
        return fields(getattr(self.models[model], kind))[port]

    def output_of(self, quantity: str) -> str | None:
        """The port that shows a clinical quantity; a cyclic model's before a slow model's."""
        for model in [*self.cyclic, *self.slow]:
            for port, declared in fields(model.Outputs).items():
                if declared.quantity == quantity:
                    return f"{model.name}.{port}"
        return None

    def graph(self) -> str:
        """The coupling diagram, as SVG: the same composition gives the same text."""
        from vht.diagram import coupling_diagram

        return coupling_diagram(self)

    def _repr_html_(self) -> str:
        return self.graph()

    def __repr__(self) -> str:
        parameters = sum(len(fields(m.Parameters)) for m in self.models.values())
        states = sum(len(fields(m.State)) for m in self.models.values())
        return (
            f"VirtualPatient({', '.join(self.order)}; {states} states, {parameters} parameters, "
            f"{len(self.couplings)} couplings)"
        )

    def _solved_ports(self) -> set[tuple[str, str]]:
        couplings = (w.coupling for w in self.solving)
        return {_split(port) for c in couplings for port in (c.solve, c.follow) if port}

    # -- construction ------------------------------------------------------------------------------

    def _connect(self, coupling: Coupling) -> None:
        reader = self._model_of(coupling.target)
        source = self._resolve(coupling.source, self._readable(coupling.source, reader))
        beats = self.models[source[0]].cycle is not None
        if beats and (reader.cycle is not None or coupling.solve):
            raise CompositionError(
                f"{coupling.source} -> {coupling.target}: a cyclic model cannot drive another yet"
            )
        if _is_controller(self.models[source[0]]) and reader.clock == "d":
            raise CompositionError(
                f"{coupling.source} -> {coupling.target}: a model on the clock of seconds cannot drive one "
                "on the clock of days; let that one read the cyclic model"
            )
        if coupling.solve is None:
            if coupling.relative:
                raise CompositionError(
                    f"{coupling.source} -> {coupling.target}: only what is solved for is relative to the "
                    "untreated cycle; name an input with 'solve'"
                )
            target = self._resolve(coupling.target, ("Inputs",))
            if any(w.target == target for w in self.wires):
                raise CompositionError(f"{coupling.target} has two sources; the second is {coupling.source}")
            if target[1] in reader.delays:
                raise CompositionError(f"{coupling.target} is fed by the model's own delay")
            if target in self._solved_ports():
                raise CompositionError(
                    f"{coupling.target} is solved for; {coupling.source} cannot feed it too"
                )
            self.wires.append(self._wire(coupling, source, target, "Inputs"))
            return
        target = self._resolve(coupling.target, ("Outputs",))
        cyclic = self.models[target[0]]
        if cyclic.cycle is None:
            raise CompositionError(f"{coupling.target}: only outputs of a cyclic model can be solved for")
        for port in filter(None, (coupling.solve, coupling.follow)):
            if any(w.target == self._resolve(port, ("Inputs",)) for w in self.wires):
                raise CompositionError(f"{port} is fed by a coupling; it cannot be solved for too")
            if self._resolve(port, ("Inputs",))[0] != cyclic.name:
                raise CompositionError(
                    f"{port} must be an input of {cyclic.name}, the model of {coupling.target}"
                )
        if coupling.follow and _split(coupling.follow)[1] not in cyclic.cycle.laws:
            raise CompositionError(f"{coupling.follow}: {cyclic.name} declares no law for it")
        if any(w.target == target for w in self.solving):
            raise CompositionError(f"{coupling.target} has two targets; the second is {coupling.source}")
        for port in filter(None, (coupling.solve, coupling.follow)):
            if _split(port) in self._solved_ports() or coupling.solve == coupling.follow:
                raise CompositionError(f"{port} is solved for twice; each target needs an input of its own")
        self.solving.append(self._wire(coupling, source, target, "Outputs"))

    def _wire(self, coupling: Coupling, source: tuple[str, str], target: tuple[str, str], kind: str) -> Wire:
        reader = self.models[target[0]]
        known: dict[str, Field] = {}
        for shown in self._readable(coupling.source, reader):
            known |= fields(getattr(self.models[source[0]], shown))
        given, wanted = known[source[1]], fields(getattr(self.models[target[0]], kind))[target[1]]
        try:
            convert = conversion(given.unit, "1" if coupling.relative else wanted.unit)
        except UnitError as error:
            raise CompositionError(f"{coupling.source} -> {coupling.target}: {error}") from None
        if kind == "Inputs" and wanted.meaning is not None and given.meaning != wanted.meaning:
            shown = f"'{given.meaning}'" if given.meaning else "of no declared meaning"
            raise CompositionError(
                f"{coupling.source} -> {coupling.target}: the input is '{wanted.meaning}', the output "
                f"{shown}; couple an output of the input's meaning (a model of your own declares it by "
                "meaning=)"
            )
        return Wire(coupling, source, target, convert)

    def _resolve(self, name: str, kinds: Sequence[str]) -> tuple[str, str]:
        model_name, port = _split(name)
        if model_name not in self.models:
            raise CompositionError(f"{name}: no model '{model_name}' here{_near(model_name, self.models)}")
        model = self.models[model_name]
        known: dict[str, Any] = {}
        for kind in kinds:
            known |= fields(getattr(model, kind))
        if port not in known:
            what = "input" if "Inputs" in kinds else "output" if "Outputs" in kinds else "parameter"
            raise CompositionError(f"{name}: {model_name} has no {what} '{port}'{_near(port, known)}")
        return model_name, port

    def _model_of(self, port: str) -> OrganModel:
        name, _ = _split(port)
        if name not in self.models:
            raise CompositionError(f"{port}: no model '{name}' here{_near(name, self.models)}")
        return self.models[name]

    def _readable(self, port: str, reader: OrganModel) -> tuple[str, ...]:
        """What a coupling may read: a controller sees the signals of a beat, others what the clinic reads."""
        beats = self._model_of(port).cycle is not None
        return ("Signals",) if beats and _is_controller(reader) else ("Outputs",)

    def _order(self) -> list[str]:
        """Models, sources before what they feed where no circle of states forbids it."""
        feeds = {name: {w.source[0] for w in self.wires if w.target[0] == name} for name in self.models}
        for wire in self.solving:
            feeds[wire.target[0]].add(wire.source[0])
        order: list[str] = []
        while len(order) < len(feeds):
            left = [n for n in feeds if n not in order]
            ready = [n for n in left if feeds[n] <= {n, *order}]
            order.append((ready or left)[0])
        return order

    def _generations(self) -> list[dict[str, list[str]]]:
        """Outputs of slow models and controllers in the order in which they can be read.

        Each generation names, by model, outputs that show at once only inputs fed by earlier generations.
        """
        sorter: graphlib.TopologicalSorter[tuple[str, str, str]] = graphlib.TopologicalSorter()
        for name, model in self.models.items():
            wires = self.inputs_of(name)
            if model.cycle is not None:
                # the outputs of a cycle answer to everything from days; its signals to what they show at once
                days = [w for w in (*wires, *self.solving) if w.target[0] == name and self._on_days(w)]
                for port in fields(model.Outputs):
                    sorter.add((name, "Outputs", port), *(self._node(w) for w in days))
            kind = "Signals" if model.cycle else "Outputs"
            for port, shown in feedthrough(model).items():
                through = [w for w in wires if w.target[1] in shown]
                sorter.add((name, kind, port), *(self._node(w) for w in through))
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            nodes = error.args[1]
            path = " -> ".join(f"{model}.{port}" for model, _, port in nodes)
            raise CompositionError(
                f"algebraic loop: {path}; a state must stand somewhere in between"
            ) from None
        out: list[dict[str, list[str]]] = []
        while sorter.is_active():
            ready = sorter.get_ready()
            here: dict[str, list[str]] = {}
            for name, kind, port in sorted(ready):
                if kind == "Outputs" and self.models[name].cycle is None:
                    here.setdefault(name, []).append(port)
            sorter.done(*ready)
            if here:
                out.append(here)
        return out

    def _on_days(self, wire: Wire) -> bool:
        return self.models[wire.source[0]].clock == "d"

    def _node(self, wire: Wire) -> tuple[str, str, str]:
        reader = self.models[wire.target[0]]
        return wire.source[0], self._readable(wire.coupling.source, reader)[0], wire.source[1]


def _is_controller(model: OrganModel) -> bool:
    return model.clock == "s" and model.cycle is None


def _split(name: str) -> tuple[str, str]:
    model, dot, port = name.partition(".")
    if not dot:
        raise CompositionError(f"'{name}' is not a port; write it as model.port")
    return model, port


def _near(word: str, known: Iterable[str]) -> str:
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(options)}"
