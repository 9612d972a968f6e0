"""Published findings in people beside what compositions of models predict, misses included.

A check of the catalogue (:mod:`organ_models.scenarios`) says that a model computes what its equations should
give, and fails if it does not. A claim is about people: it is shown whether it is met or missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from organ_models.model import Reference
from organ_models.scenarios import Evidence


@dataclass(frozen=True)
class Claim:
    """One published finding and its prediction.

    Attributes:
        about: what is claimed, for people.
        published: the value.
        unit: its UCUM unit.
        predicted: what the typical virtual patient shows.
        reach: least and greatest prediction over virtual patients; the same value twice if there is one.
        tolerance: largest difference that counts as met, in ``unit``: the source's own uncertainty or
            between-person spread where it is given, else what a clinic would call the same.
        source: where the published value comes from.
        evidence: ``validation``, or ``calibration`` where a parameter was fitted to it.
        interval: the published interval, where the source gives one; it decides then, not the tolerance.
    """

    about: str
    published: float
    unit: str
    predicted: float
    reach: tuple[float, float]
    tolerance: float
    source: Reference
    evidence: Evidence = "validation"
    interval: tuple[float, float] | None = None

    @property
    def met(self) -> bool:
        """Whether the prediction lies in the published interval, or within the tolerance."""
        if self.interval is not None:
            return self.interval[0] <= self.predicted <= self.interval[1]
        return abs(self.predicted - self.published) <= self.tolerance


class Claims:
    """A table of claims.

    Args:
        title: what it is about.
        claims: its rows.
    """

    def __init__(self, title: str, claims: Iterable[Claim]):
        self.title = title
        self.claims = tuple(claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    @property
    def missed(self) -> tuple[Claim, ...]:
        """Those that are not met."""
        return tuple(c for c in self.claims if not c.met)

    def markdown(self) -> str:
        """The table as Markdown, misses marked."""
        lines = [
            f"## {self.title}",
            "",
            "| finding | published | predicted | virtual patients | unit | evidence | |",
            "|---|---:|---:|---:|---|---|---|",
        ]
        for c in self.claims:
            low, high = c.reach
            reach = "" if low == high else f"{_number(low)} to {_number(high)}"
            mark = "" if c.met else "**missed**"
            spread = f"± {c.tolerance:.2g}"
            if c.interval is not None:
                spread = f"({_number(c.interval[0])} to {_number(c.interval[1])})"
            lines.append(
                f"| {c.about} ({c.source.key}) | {_number(c.published)} {spread} | "
                f"{_number(c.predicted)} | {reach} | {c.unit} | {c.evidence} | {mark} |"
            )
        return "\n".join(lines) + "\n"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def __repr__(self) -> str:
        return f"Claims({self.title}: {len(self)} findings, {len(self.missed)} missed)"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 2 else f"{value:.1f}"
