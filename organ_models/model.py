"""How an organ model is declared.

A model is data (:class:`OrganModel`) around a few pure functions. Its parameters, states, inputs,
signals and outputs are fields of classes marked with :func:`variables`: frozen dataclasses that are
JAX pytrees, every field carrying its unit and meaning::

    @variables
    class Parameters:
        growth_rate: Array = parameter(0.743, "/d", "rate", bounds=(0, 9), source=BENZEKRY_2014)

    @variables
    class State:
        log_volume: Array = variable("1", "natural logarithm of the volume")

    def derivative(time, state, parameters, inputs):
        return State(log_volume=parameters.growth_rate * (K - state.log_volume))

Functions must be branch-free and elementwise (``jnp.where``, no indexing, no matrix products), so
that patients can stand along the last axis and no patient touches another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform, get_args

import jax
import numpy as np

from organ_models.units import conversion
from organ_models.variability import Effect, Residual

if TYPE_CHECKING:
    from organ_models.scenarios import Check, Scenario, Variant

Array = jax.Array
"""What a field holds: a scalar or an array with patients along the last axis."""

Certainty = Literal["verified", "derived", "assumption"]
T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """A citable source."""

    key: str
    text: str
    doi: str = ""

    def __str__(self) -> str:
        return f"{self.text} doi:{self.doi}" if self.doi else self.text


_UNBOUNDED = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class Field:
    """What is declared about one field.

    Attributes:
        unit: UCUM unit in which the value is given (for a parameter: as published).
        doc: what it is.
        working_unit: unit in which the equations use it, when the published one differs.
        default: published value (parameters) or value of an unconnected port (inputs).
        bounds: closed interval outside which a parameter, or what is given to an input, is refused.
        omega2: variance of the inter-individual random effect (0: none).
        source: where the value comes from.
        certainty: verified in the source, derived for this project, or an assumption.
        quantity: clinical quantity (``vht.quantities``) that sets this parameter or that this output is.
        effect: the scale on which the random effect is normal.
        meaning: what an input must be fed with, or what an output is, where the unit does not tell: an area
            under a curve so far and over one day have one unit. An input that declares a meaning can be
            coupled to outputs of the same meaning alone.
    """

    unit: str
    doc: str
    working_unit: str | None = None
    default: float | None = None
    bounds: tuple[float, float] = _UNBOUNDED
    omega2: float = 0.0
    source: Reference | None = None
    certainty: Certainty = "verified"
    quantity: str | None = None
    effect: Effect = "log-normal"
    meaning: str | None = None


def parameter(
    default: float,
    unit: str,
    doc: str,
    *,
    source: Reference,
    bounds: tuple[float, float],
    working_unit: str | None = None,
    omega2: float = 0.0,
    certainty: Certainty = "verified",
    quantity: str | None = None,
    effect: Effect = "log-normal",
) -> Any:
    """Declare a parameter; see :class:`Field`.

    Raises:
        ValueError: a certainty of another name. A value that no source confirms is no default.
    """
    if certainty not in get_args(Certainty):
        allowed = ", ".join(get_args(Certainty))
        raise ValueError(f"{doc}: '{certainty}' is no certainty of a default; it is one of {allowed}")
    declared = Field(unit, doc, working_unit, default, bounds, omega2, source, certainty, quantity, effect)
    return dataclasses.field(default=default, metadata={"declared": declared})


def variable(
    unit: str,
    doc: str,
    *,
    default: float | None = None,
    quantity: str | None = None,
    bounds: tuple[float, float] = _UNBOUNDED,
    meaning: str | None = None,
) -> Any:
    """Declare a state, input, signal or output; see :class:`Field`. What is given to an input has bounds."""
    declared = Field(unit, doc, default=default, quantity=quantity, bounds=bounds, meaning=meaning)
    metadata = {"declared": declared}
    if default is None:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(parameter, variable))
def variables(cls: type[T]) -> type[T]:
    """Make a class of declared fields a frozen dataclass and a JAX pytree."""
    made = dataclass(frozen=True)(cls)
    return jax.tree_util.register_dataclass(made)


def fields(kind: type | object) -> dict[str, Field]:
    """Declared fields of a :func:`variables` class, by name, in order."""
    return {f.name: f.metadata["declared"] for f in dataclasses.fields(kind)}  # type: ignore[arg-type]


def values(record: Any) -> dict[str, Any]:
    """Field values of a :func:`variables` record, by name, in order."""
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def take(record: T, lanes: Any, n: int) -> T:
    """A record of ``n`` patients reduced to some of them; scalar fields hold for all."""
    chosen = {k: np.broadcast_to(np.asarray(v, float), (n,))[lanes] for k, v in values(record).items()}
    return type(record)(**chosen)


@variables
class NoFields:
    """For a model without states or inputs."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """What makes a model cyclic: it reaches a periodic steady state on a fast clock.

    Attributes:
        period: ``period(parameters, inputs) -> s``.
        drive: ``drive(time, parameters, inputs) -> Drive``, what depends on time alone (activations). It is
            tabulated once an orbit, not evaluated every stage of every beat (three times faster);
            ``derivative`` and ``observe`` of a cyclic model get it in place of the time.
        restore: ``restore(state, parameters, inputs) -> state`` restores what a beat conserves after
            parameters or inputs were changed (the stressed volume).
        summarise: ``summarise(maximum, minimum, mean, start, parameters, inputs) -> Outputs``; the
            first three are signals over one period, ``start`` the signals at its beginning.
        weights: ``weights(parameters) -> State``; the weighted change over one period is the residual,
            dimensionless and comparable across states.
        laws: input ports that may follow the outputs: ``law(baseline, now, parameters) -> value``.
        calibrated: parameters that personalisation moves, with the SD of their log-normal prior.
        targets: outputs that personalisation matches, each a clinical quantity, with the coefficient of
            variation of its clinical measurement (it widens the posterior, it does not loosen the match).
        steps: Runge–Kutta steps of a period while the orbit is sought.
        watched_steps: steps of the period that is read. Extremes are as fine as these steps: a pressure turns
            within a millisecond when a valve opens, where the states themselves are long exact.
        Readings: :func:`variables` class of what is read off a waveform and not off extremes and means.
        read: ``read(beat, parameters) -> Readings``; ``beat`` holds ``time`` (s) and every signal over
            one period as numpy arrays, patients along the last axis.
    """

    period: Callable[[Any, Any], Array]
    drive: Callable[[Array, Any, Any], Any]
    restore: Callable[[Any, Any, Any], Any]
    summarise: Callable[[Any, Any, Any, Any, Any, Any], Any]
    weights: Callable[[Any], Any]
    laws: Mapping[str, Callable[[Any, Any, Any], Array]] = dataclasses.field(default_factory=dict)
    calibrated: Mapping[str, float] = dataclasses.field(default_factory=dict)
    targets: Mapping[str, float] = dataclasses.field(default_factory=dict)
    steps: int = 500
    watched_steps: int = 2000
    Readings: type = NoFields
    read: Callable[[Mapping[str, np.ndarray], Any], Any] | None = None


@dataclass(frozen=True)
class Delay:
    """An input port that is fed by the model's own earlier output.

    Attributes:
        of: the output.
        by: the parameter that holds the delay, s.
    """

    of: str
    by: str


@dataclass(frozen=True)
class Stride:
    """Runge–Kutta steps of a slow model between events, d.

    Attributes:
        longest: no step is longer.
        first: the step right after an event; the longest if absent.
        growth: how much longer every further step is.
    """

    longest: float = 0.25
    first: float | None = None
    growth: float = 1.5


@dataclass(frozen=True, eq=False, kw_only=True)
class OrganModel:
    """A declared organ model.

    Attributes:
        name: key in the catalogue, snake case.
        title: what people read.
        version: changes whenever a number that it produces may change.
        clock: ``"d"`` for slow models; ``"s"`` for cyclic ones and for controllers (a clock in seconds and no
            cycle: a reflex).
        Parameters, State, Inputs, Signals, Outputs: :func:`variables` classes. ``Signals`` are the
            instantaneous readings of a cyclic model; a slow model reads its ``Outputs`` directly.
        initial: ``initial(parameters) -> State``.
        derivative: ``derivative(time, state, parameters, inputs) -> State``, rates per clock unit; a
            cyclic model gets its drive in place of the time.
        observe: ``observe(time, state, parameters, inputs) -> Outputs`` (slow) or ``Signals`` (cyclic,
            with the drive in place of the time).
        solution: ``solution(elapsed, state, parameters, inputs) -> State``, the closed form while
            inputs are constant; used instead of a numerical solver.
        cycle: present for cyclic models.
        Events: :func:`variables` class of what can happen to a slow model at an instant (a bolus), each with
            a default of zero: nothing.
        jump: ``jump(state, event, parameters) -> State``, the state right after an ``Events`` record.
        project: ``project(state, parameters, inputs) -> State``, applied after every step: stops that an
            equation alone oversteps (a closed valve's flow, a leaflet's angle).
        delays: input ports of a controller that its own earlier outputs feed, by port.
        neutral: outputs of a controller that are relative to a neutral state, and the parameter that holds
        it:
            an output of unit 1 is divided by the parameter, another is the parameter less something.
        stride: steps between events of a slow model without a closed form.
        stiff: whether a slow model needs an implicit solver.
        own_names: whether reports call outputs by their own names, not by those of their quantities.
        covariances: covariance of pairs of random effects, each on its own scale; a full published block is
            all its pairs, and one effect that several parameters share is a covariance as large as their
            variances.
        residuals: published residual errors of outputs; the first of an output is the one to use by default.
        hypothesis: the model states a hypothesis and must not be used to predict; lists and
            records of models say so.
        references: the papers behind the model.
        notes: limits that a reader of a report must know.
        variants: parameter sets beside the default one.
        scenarios: conditions to run the model in, beside the baseline.
        checks: published values that must come out.
    """

    name: str
    title: str
    version: str
    clock: Literal["d", "s"]
    Parameters: type
    State: type
    Outputs: type
    initial: Callable[[Any], Any]
    derivative: Callable[[Any, Any, Any, Any], Any]
    observe: Callable[[Any, Any, Any, Any], Any]
    references: tuple[Reference, ...]
    Inputs: type = NoFields
    Signals: type = NoFields
    solution: Callable[[Any, Any, Any, Any], Any] | None = None
    cycle: Cycle | None = None
    Events: type = NoFields
    jump: Callable[[Any, Any, Any], Any] | None = None
    project: Callable[[Any, Any, Any], Any] | None = None
    delays: Mapping[str, Delay] = dataclasses.field(default_factory=dict)
    neutral: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stride: Stride = Stride()
    stiff: bool = False
    own_names: bool = False
    covariances: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    residuals: tuple[Residual, ...] = ()
    hypothesis: bool = False
    notes: str = ""
    variants: tuple[Variant, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    checks: tuple[Check, ...] = ()

    def __repr__(self) -> str:
        return (
            f"OrganModel({self.name} {self.version}: {len(fields(self.Parameters))} parameters, "
            f"{len(fields(self.State))} states)"
        )

    def working(self, parameters: Any) -> Any:
        """Parameters in the units that the equations use (published units in, once)."""
        converted = {
            name: value
            if (declared := fields(parameters)[name]).working_unit is None
            else value * conversion(declared.unit, declared.working_unit).factor
            for name, value in values(parameters).items()
        }
        return type(parameters)(**converted)

    def random_effects(self) -> Iterator[tuple[tuple[str, ...], list[list[float]]]]:
        """Blocks of correlated random effects: parameter names and their covariance matrix."""
        variance = {name: f.omega2 for name, f in fields(self.Parameters).items() if f.omega2 > 0}
        left = list(variance)
        while left:
            block = [left[0]]
            for name in block:
                block += [
                    other
                    for other in left
                    if other not in block
                    and ((name, other) in self.covariances or (other, name) in self.covariances)
                ]
            block = [name for name in variance if name in block]
            left = [name for name in left if name not in block]
            matrix = [[variance[a] if a == b else self._covariance(a, b) for b in block] for a in block]
            yield tuple(block), matrix

    def _covariance(self, a: str, b: str) -> float:
        return self.covariances.get((a, b), self.covariances.get((b, a), 0.0))
