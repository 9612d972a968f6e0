"""What is declared beside a model: variants, scenarios, and published values that must come out.

All of it is data, told in the catalogue's names, so that a scenario of the command line, a published
value and a test run the same numbers.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from organ_models.schedules import Schedule

if TYPE_CHECKING:
    from organ_models.model import OrganModel, Reference

DEFAULT_VARIANT = "default"
BASELINE = "baseline"

Evidence = Literal["calibration", "verification", "validation"]
"""Calibration: parameters were fitted so that this value comes out. Verification: the same equations,
computed apart from this code, must give it. Validation: observed in people, not used for the fit."""

Reading = Literal["value", "change", "minimum", "maximum", "day of the minimum"]


@dataclass(frozen=True)
class Variant:
    """A named parameter set of a model; parameters that it leaves out keep their default.

    ``variances`` are variances of random effects that differ from those of the default.
    """

    name: str
    title: str
    parameters: Mapping[str, float]
    source: Reference
    variances: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pattern:
    """An amount a day, given ``on`` days in a row and then left out ``off`` days, over and over."""

    amount: float
    on: int = 1
    off: int = 0

    def daily(self, days: int) -> np.ndarray:
        """The amount on each of the first ``days`` days, shape ``(days,)``."""
        return np.where(np.arange(days) % (self.on + self.off) < self.on, self.amount, 0.0)

    def __str__(self) -> str:
        cycle = f" on {self.on} of every {self.on + self.off} days" if self.off else ""
        return f"{self.amount:g}{cycle}"


@dataclass(frozen=True)
class Scenario:
    """A condition in which a model is run.

    Attributes:
        name: what people type.
        title: what it stands for.
        factors: by parameter, what multiplies its value.
        inputs: by port, what is given every day or by a schedule (inputs and events of slow models) or held
            (cyclic models). ``other_model.port`` is a port of a model that feeds this one.
        parameters: by parameter, the value it takes instead of its own.
        source: where it was taken from; none for the baseline.
        feeds: by input port of a slow model, the output ``other_model.port`` that feeds it: the scenario is
            run with that model of the catalogue at its defaults.
    """

    name: str
    title: str
    factors: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, Pattern | Schedule] = field(default_factory=dict)
    source: Reference | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    feeds: Mapping[str, str] = field(default_factory=dict)

    def changes(self) -> str:
        """What it changes, for people."""
        factors = [f"{name} ×{factor:.6g}" for name, factor in self.factors.items()]
        factors += [f"{name} = {value:.6g}" for name, value in self.parameters.items()]
        factors += [f"{port} from {output}" for port, output in self.feeds.items()]
        return ", ".join(factors + [f"{name} = {given}" for name, given in self.inputs.items()])


@dataclass(frozen=True)
class Check:
    """A value that must come out of a model.

    Attributes:
        output: name of the output as :func:`reported` gives it.
        published: the value.
        unit: its UCUM unit.
        tolerance: largest difference that passes, a fraction (``relative``) or in ``unit`` (``absolute``).
        kind: how the tolerance is meant.
        source: where the value comes from.
        evidence: what agreement shows; see :data:`Evidence`.
        scenario: in which it was computed.
        day: when it is read (slow models).
        variant: parameter set.
        reading: what is read: the value on the day; its change since ``since``; the smallest or largest value
            from ``since`` to the day, looked for every hundredth of a day; or when the smallest was, d.
        since: day from which on a change or an extreme is read.
    """

    output: str
    published: float
    unit: str
    tolerance: float
    kind: Literal["relative", "absolute"]
    source: Reference
    evidence: Evidence = "verification"
    scenario: str = BASELINE
    day: float | None = None
    variant: str = DEFAULT_VARIANT
    reading: Reading = "value"
    since: float = 0.0

    @property
    def name(self) -> str:
        """Variant, scenario, output and day: unique within a model."""
        variant = "" if self.variant == DEFAULT_VARIANT else f"{self.variant}, "
        if self.day is None:
            return f"{variant}{self.scenario}: {self.output}"
        span = f"from day {self.since:g} to {self.day:g}"
        when = f"on day {self.day:g}" if self.reading == "value" else f"{span}, {self.reading}"
        return f"{variant}{self.scenario}: {self.output} {when}"

    @property
    def days(self) -> np.ndarray:
        """Days that have to be read for it."""
        if self.day is None:
            return np.zeros(0)
        if self.reading == "value":
            return np.array([float(self.day)])
        if self.reading == "change":
            return np.array([float(self.since), float(self.day)])
        return np.linspace(self.since, self.day, round((self.day - self.since) * 100) + 1)

    def read(self, trace: np.ndarray) -> float:
        """What is compared, from the values of the output on :attr:`days`."""
        if self.reading == "change":
            return float(trace[-1] - trace[0])
        if self.reading == "minimum":
            return float(trace.min())
        if self.reading == "maximum":
            return float(trace.max())
        if self.reading == "day of the minimum":
            return float(self.days[trace.argmin()])
        return float(trace[-1])

    @property
    def allowed(self) -> float:
        """Largest difference that passes, in ``unit``."""
        return self.tolerance * abs(self.published) if self.kind == "relative" else self.tolerance


def variants(model: OrganModel) -> dict[str, Variant | None]:
    """The parameter sets of a model by name; ``default`` is its catalogue defaults."""
    return {DEFAULT_VARIANT: None} | {v.name: v for v in model.variants}


def in_variant(model: OrganModel, name: str) -> OrganModel:
    """The model with one of its variants for its default: to compose, and to draw a population of it.

    Args:
        model: any organ model.
        name: one of its variants.

    Returns:
        A model of the same name whose parameters' published values and variances are the variant's. It has no
        scenarios, checks and variants of its own. Asked twice, it is the same object.

    Raises:
        ValueError: no such variant; names those there are.
    """
    if name not in variants(model):
        raise ValueError(f"{model.name} has no variant '{name}'; known: {', '.join(variants(model))}")
    return model if name == DEFAULT_VARIANT else _in_variant(model, name)


@functools.cache
def _in_variant(model: OrganModel, name: str) -> OrganModel:
    from organ_models.model import fields, variables

    chosen = variants(model)[name]
    assert chosen is not None
    made: list[tuple[str, Any, Any]] = []
    for port, declared in fields(model.Parameters).items():
        value = chosen.parameters.get(port, declared.default)
        variance = chosen.variances.get(port, declared.omega2)
        changed = dataclasses.replace(declared, default=value, omega2=variance)
        if port in chosen.parameters:
            changed = dataclasses.replace(changed, source=chosen.source)
        made.append((port, Any, field(default=value, metadata={"declared": changed})))
    cls = type(
        "Parameters", (), {"__annotations__": {n: t for n, t, _ in made}, **{n: f for n, _, f in made}}
    )
    return dataclasses.replace(
        model,
        Parameters=variables(cls),
        title=f"{model.title}: {chosen.title}",
        references=tuple(dict.fromkeys((*model.references, chosen.source))),
        variants=(),
        scenarios=(),
        checks=(),
    )


def scenarios(model: OrganModel) -> dict[str, Scenario]:
    """The scenarios of a model by name; ``baseline`` changes nothing and every model has it."""
    unchanged = Scenario(BASELINE, "parameters as declared, inputs as for an unconnected port")
    return {BASELINE: unchanged} | {s.name: s for s in model.scenarios}


def reported(model: OrganModel) -> dict[str, tuple[str, str, str]]:
    """What a run of a model reports: by name, the field that holds it, its unit and its meaning.

    An output that is a clinical quantity goes by the quantity's name, unless the model says that its outputs
    go by their own. A cyclic model's ``Outputs`` are
    followed by the readings of its waveform.
    """
    from organ_models.model import fields

    read = {
        f.quantity if f.quantity and not model.own_names else port: (port, f.unit, f.doc)
        for port, f in fields(model.Outputs).items()
    }
    if model.cycle is not None:
        read |= {name: (name, f.unit, f.doc) for name, f in fields(model.cycle.Readings).items()}
    return read
