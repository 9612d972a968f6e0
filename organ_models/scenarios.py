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

if TYPE_CHECKING:
    from organ_models.model import OrganModel, Reference

DEFAULT_VARIANT = "default"
BASELINE = "baseline"

Evidence = Literal["calibration", "verification", "validation"]
"""Calibration: parameters were fitted so that this value comes out. Verification: the same equations,
computed apart from this code, must give it. Validation: observed in people, not used for the fit."""


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
    """An amount a day, given ``on`` days in a row and then left out ``off`` days, over and over.

    It begins on day ``start`` and ends after ``cycles`` times; none: it goes on.
    """

    amount: float
    on: int = 1
    off: int = 0
    start: int = 0
    cycles: int | None = None

    def daily(self, days: int) -> np.ndarray:
        """The amount on each of the first ``days`` days, shape ``(days,)``."""
        since, cycle = np.arange(days) - self.start, self.on + self.off
        given = (since >= 0) & (since % cycle < self.on)
        if self.cycles is not None:
            given &= since < self.cycles * cycle
        return np.where(given, self.amount, 0.0)

    def __str__(self) -> str:
        cycle = f" on {self.on} of every {self.on + self.off} days" if self.off else ""
        start = f" from day {self.start}" if self.start else ""
        end = "" if self.cycles is None else f", {self.cycles} times" if self.cycles > 1 else ", once"
        return f"{self.amount:g}{cycle}{start}{end}"


@dataclass(frozen=True)
class Scenario:
    """A condition in which a model is run.

    Attributes:
        name: what people type.
        title: what it stands for.
        factors: by parameter, what multiplies its value.
        inputs: by input port or event, what is given every day (slow models) or held (cyclic models).
        parameters: by parameter, the value it takes instead of its own.
        source: where it was taken from; none for the baseline.
    """

    name: str
    title: str
    factors: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, Pattern] = field(default_factory=dict)
    source: Reference | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    def changes(self) -> str:
        """What it changes, for people."""
        factors = [f"{name} ×{factor:.6g}" for name, factor in self.factors.items()]
        factors += [f"{name} = {value:.6g}" for name, value in self.parameters.items()]
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
    """

    output: str
    published: float
    unit: str
    tolerance: float
    kind: Literal["relative", "absolute"]
    source: Reference
    evidence: Evidence = "verification"
    scenario: str = BASELINE
    day: int | None = None
    variant: str = DEFAULT_VARIANT

    @property
    def name(self) -> str:
        """Variant, scenario, output and day: unique within a model."""
        when = "" if self.day is None else f" on day {self.day}"
        variant = "" if self.variant == DEFAULT_VARIANT else f"{self.variant}, "
        return f"{variant}{self.scenario}: {self.output}{when}"

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
