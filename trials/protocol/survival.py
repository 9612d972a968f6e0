"""What an endpoint of survival by a published link needs from the rest of a protocol."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from organ_models.units import UnitError, conversion
from trials.protocol.amounts import check_unit
from vht.quantities import quantity
from vht.survival_links import LINKS

if TYPE_CHECKING:
    from trials.protocol.schema import Protocol

SURVIVAL = "survival_link"
"""The kind of endpoint."""

BASELINE_SIZE, WEEK_6_CHANGE, DISEASE_CONTROL = "baseline_size", "week_6_change", "disease_control"
SEEN_ON_THE_TUMOUR = (BASELINE_SIZE, WEEK_6_CHANGE, DISEASE_CONTROL)
"""Covariates that are computed from the tumour's course; a protocol declares the others."""

WEEK_6, WEEK_8 = 42.0, 56.0
CONTROL_WINDOW = (21.0, 98.0)
"""Disease control is that of the assessment nearest week 8, from week 3 to week 14 (Claret 2014)."""

Found = tuple[tuple[str | int, ...], str]


def control_day(days: tuple[float, ...]) -> float | None:
    """The visit nearest week 8 in the window of disease control, the earlier of two; None without one."""
    inside = [day for day in days if CONTROL_WINDOW[0] <= day <= CONTROL_WINDOW[1]]
    return min(inside, key=lambda day: (abs(day - WEEK_8), day), default=None)


def covariate_problems(p: Protocol) -> Iterator[Found]:
    """Links and covariates that do not fit together, as (position, message)."""
    arms = [arm.name for arm in p.arms]
    endpoints: tuple[Any, ...] = p.endpoints
    for i, endpoint in enumerate(endpoints):
        if endpoint.kind != SURVIVAL:
            continue
        at = ("endpoints", i)
        if endpoint.link not in LINKS:
            yield (
                (*at, "link"),
                f"no survival link is called '{endpoint.link}'; {_near(endpoint.link, LINKS)}",
            )
            continue
        link = LINKS[endpoint.link]
        asked = [name for name in link.covariates if name not in SEEN_ON_THE_TUMOUR]
        for name in asked:
            if name not in endpoint.covariates:
                declared = link.covariates[name]
                yield (
                    (*at, "covariates"),
                    f"{link.name} needs '{name}' ({declared.meaning}) in '{declared.unit}'; give its value "
                    "with a source, the quantity of the record that holds it, or the model's output",
                )
        for name, source in endpoint.covariates.items():
            here = (*at, "covariates", name)
            if name in SEEN_ON_THE_TUMOUR:
                yield here, f"'{name}' is computed from {endpoint.quantity}; remove it here"
            elif name not in link.covariates:
                yield here, f"{link.name} takes no '{name}'; {_near(name, asked)}"
            else:
                yield from _source_problems(link.covariates[name], source, here, arms)


def visit_problems(p: Protocol) -> Iterator[Found]:
    """Days on which the tumour must be looked at for a link, and are not."""
    endpoints: tuple[Any, ...] = p.endpoints
    for i, endpoint in enumerate(endpoints):
        if endpoint.kind != SURVIVAL or endpoint.link not in LINKS or endpoint.quantity not in p.visits:
            continue
        wanted, days = LINKS[endpoint.link].covariates, p.visit_days(endpoint.quantity)
        at = ("endpoints", i, "quantity")
        if WEEK_6_CHANGE in wanted and WEEK_6 not in days:
            yield at, f"{endpoint.link} needs a visit of {endpoint.quantity} on day 42, week 6"
        if DISEASE_CONTROL in wanted and control_day(days) is None:
            yield at, f"{endpoint.link} needs a visit of {endpoint.quantity} between weeks 3 and 14"


def _source_problems(
    declared: Any, source: Any, at: tuple[str | int, ...], arms: list[str]
) -> Iterator[Found]:
    given = [field for field in ("value", "quantity", "output") if getattr(source, field) is not None]
    if len(given) != 1:
        yield at, "give one of 'value', 'quantity' and 'output'"
        return
    if given == ["quantity"]:
        try:
            conversion(quantity(source.quantity).unit, declared.unit)
        except UnitError as error:
            yield (*at, "quantity"), str(error)
    if given != ["value"]:
        if source.arms:
            yield (*at, "arms"), "only a 'value' can differ between arms"
        return
    if source.source is None:
        yield (*at, "source"), "a value needs the source that it comes from, or 'assumption: ...'"
    amounts: dict[tuple[str, ...], Any] = {("value",): source.value}
    amounts |= {("arms", arm): amount for arm, amount in source.arms.items()}
    for where, amount in amounts.items():
        if where[-1] not in ("value", *arms):
            yield (*at, *where), f"no arm is called '{where[-1]}'; {_near(where[-1], arms)}"
        if wrong := check_unit(amount, declared.unit):
            yield (*at, *where), wrong
        elif declared.indicator and amount.to(declared.unit) not in (0.0, 1.0):
            yield (*at, *where), f"an indicator is '0 1' or '1 1': {declared.meaning}"


def _near(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "there is " + (", ".join(known) or "none")
