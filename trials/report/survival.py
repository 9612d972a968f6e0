"""What the report says of survival that a published link predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.protocol.survival import DISEASE_CONTROL, SEEN_ON_THE_TUMOUR, SURVIVAL, WEEK_6_CHANGE
from trials.report import blocks, words
from trials.report.blocks import Block
from trials.survival import MONTH, OVERALL, follow_up, link_of
from vht.quantities import quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol

_WHEN = {
    WEEK_6_CHANGE: "its change to week 6",
    DISEASE_CONTROL: "disease control at the visit nearest week 8",
}


def of_protocol(protocol: Protocol) -> list[Any]:
    """Endpoints of survival by a link."""
    return [e for e in protocol.endpoints if e.kind == SURVIVAL]


def deaths(endpoint: Any) -> bool:
    """Whether the event is death alone."""
    return link_of(endpoint).event == OVERALL


def event_word(endpoint: Any) -> str:
    """What has happened to those with the event."""
    return "died" if deaths(endpoint) else "progressed or died"


def free_word(endpoint: Any) -> str:
    """What those without the event are."""
    return "alive" if deaths(endpoint) else "free of progression"


def curve_label(endpoint: Any) -> str:
    """Axis of the survival curve."""
    return f"{words.sentence(free_word(endpoint))} (%)"


def notice(protocol: Protocol, results: Mapping[str, Any], endpoint: Any) -> Block:
    """That the survival is predicted, by what, and for whom that is known to hold."""
    found = results["endpoints"][endpoint.name]["link"]
    what = "deaths" if deaths(endpoint) else "progressions and deaths"
    text = (
        f"No {what} were simulated: {words.in_running_text(str(found['event']))} is what a published link "
        f"predicts from the size of the tumour. It was derived from {found['population']}. That it holds for "
        "these patients and treatments is an assumption, and stronger the further they are from those; in "
        f"particular, treatments are taken to act on {found['event']} through the link's covariates alone. "
        f"Source: {found['source']}"
    )
    return blocks.notice("Survival is predicted", text)


def definition(endpoint: Any) -> str:
    """What the endpoint measures, in a sentence."""
    link, name = link_of(endpoint), words.in_running_text(quantity(endpoint.quantity).label)
    until = "death" if deaths(endpoint) else "progression or death"
    seen = [_WHEN[c] for c in link.covariates if c in _WHEN]
    by = f" and {seen[0]}" if seen else ""
    end = "the end of the trial" if endpoint.follow_up is None else words.amount(endpoint.follow_up)
    return (
        f"Days from the start of treatment to {until}, drawn from the distribution that a published link "
        f"predicts from noise-free {name} at baseline{by}; the same luck in every arm. Everybody is censored "
        f"at {end}; as observed, who leaves the trial is censored on that day, and who completes it is "
        "followed on. Nothing else tells the two views apart."
    )


def methods(protocol: Protocol) -> list[Block]:
    """The links with their formulas, populations and sources, and where covariates come from."""
    endpoints = of_protocol(protocol)
    if not endpoints:
        return []
    rows, told = [], []
    for endpoint in endpoints:
        link = link_of(endpoint)
        law = (
            f"ln T = μ + {link.sigma:.4g} Z, T in {_plural(link.unit)}, Z standard normal; "
            f"μ = {link.formula.replace('-', words.MINUS)}"
        )
        rows.append(
            blocks.row(
                str(endpoint.label),
                [
                    blocks.cell(words.plain_name(law)),
                    blocks.cell(words.sentence(link.population)),
                    blocks.cell(f"{link.reference}"),
                    blocks.cell(link.certainty),
                ],
            )
        )
        for name, declared in link.covariates.items():
            told.append(
                f"{endpoint.label}, {words.plain_name(name)} ({declared.meaning}): "
                f"{_origin(protocol, endpoint, name)}."
            )
        if link.notes:
            told.append(f"{endpoint.label}: {link.notes}")
    return [
        blocks.heading("Survival by published links"),
        blocks.table(
            "Links from tumour size to survival",
            ["Endpoint", "Law", "Derived from", "Source", "Certainty"],
            rows,
            note="Coefficients count in the units of their covariates, listed below. How uncertain they are "
            "themselves is not in the intervals of this report.",
            words=True,
        ),
        blocks.bullets(told),
    ]


def limits(protocol: Protocol, results: Mapping[str, Any]) -> list[str]:
    """What limits conclusions from predicted survival."""
    endpoints = of_protocol(protocol)
    if not endpoints:
        return []
    items = [
        "Survival follows from early tumour size by a published link; the course after the link's "
        "covariates, later treatments, and effects of a treatment that the tumour's size does not show have "
        "no part in it. Its deaths end no visit: other endpoints are those of people who stay alive."
    ]
    if len({link_of(e).event for e in endpoints}) > 1:
        items.append(
            "Overall and progression-free survival are drawn independently of each other, each by its link: "
            "in single virtual patients progression may come after death, and times must not be joined."
        )
    for endpoint in endpoints:
        link = results["endpoints"][endpoint.name]["link"]
        early, gone, moved = [], [], []
        for arm in protocol.arms:
            of, label = link["arms"][arm.name], words.in_running_text(str(arm.label))
            if of["events_before_covariates"]:
                early.append(f"{of['events_before_covariates']} with {label}")
            if of["without_prediction"]:
                gone.append(f"{of['without_prediction']} with {label}")
            for why, n in of["limits"].items():
                moved.append(f"{words.plain_name(why)}, {n} with {label}")
        if early:
            day = next(iter(link["arms"].values()))["covariates_due_day"]
            items.append(
                f"{endpoint.label}: events before day {day:g}, on which the tumour's change is due, "
                f"count at their day, as the link's law has them ({words.listed(early)})."
            )
        if gone:
            items.append(f"{endpoint.label}: no prediction for {words.listed(gone)}.")
        if moved:
            items.append(f"{endpoint.label}: covariates out of range or not known: {words.listed(moved)}.")
    if any(
        "assumption" in (source.source or "").lower() for e in endpoints for source in e.covariates.values()
    ):
        items.append("Covariates of the link to survival rest on assumptions that their sources name.")
    return items


def summary_of_follow_up(protocol: Protocol, endpoint: Any) -> str:
    """The end of follow-up in months, for headings of tables."""
    return f"month {follow_up(protocol, endpoint) / MONTH:.3g}"


# ---------------------------------------------------------------------------------------------------


def _origin(protocol: Protocol, endpoint: Any, name: str) -> str:
    if name in SEEN_ON_THE_TUMOUR:
        return f"computed from noise-free {words.in_running_text(quantity(endpoint.quantity).label)}"
    source = endpoint.covariates[name]
    if source.quantity is not None:
        return f"{words.in_running_text(quantity(source.quantity).label)} on record at baseline"
    if source.output is not None:
        model, _, port = source.output.partition(".")
        return f"{words.plain_name(port)} of {words.plain_name(model)} on the first day of each arm"
    shown = words.amount(source.value).strip()
    differing = [
        f"{words.amount(amount).strip()} with {words.in_running_text(str(protocol.arm(arm).label))}"
        for arm, amount in source.arms.items()
    ]
    also = f" ({words.listed(differing)})" if differing else ""
    return f"{shown}{also} for everybody; {' '.join(source.source.split())}"


def _plural(unit: str) -> str:
    return {"mo": "months", "d": "days"}[unit]
