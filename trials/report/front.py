"""The front of the report: what this is, what was asked, and what came out, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.endpoints import (
    BELOW,
    BEST_RESPONSE,
    CHANGE,
    DISEASE_CONTROL,
    EVER,
    MEANS,
    PEAK,
    PROGRESSION_FREE,
    PROGRESSIONS,
    RESPONSE_DURATION,
    TIMES,
    VALUES,
)
from trials.protocol.survival import SURVIVAL
from trials.report import blocks, words
from trials.report.blocks import Block
from trials.survival import MONTH

if TYPE_CHECKING:
    from trials.protocol import Protocol

STATUS = (
    "Exploratory in-silico trial, for research use only. The software is not a medical device and nothing "
    "here may guide the care of a patient. All patients are virtual: their baseline comes from "
    "pseudonymised records, their course under treatment from mathematical models."
)
HYPOTHETICAL = "hypothetical"
_REACHED = {
    PROGRESSION_FREE: "progressed",
    RESPONSE_DURATION: "progressed after response",
    BEST_RESPONSE: "responded",
    DISEASE_CONTROL: "controlled",
}


def identity(protocol: Protocol, results: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Title, status, versions."""
    software = provenance.get("software", {})
    data = provenance.get("data", {})
    body: list[Block] = [blocks.notice("Status", STATUS)]
    if is_hypothetical(protocol, provenance):
        body.append(
            blocks.notice(
                "Hypothetical treatment",
                "A treatment in this trial is hypothetical: its effect was assumed for illustration and "
                "belongs to no product.",
            )
        )
    body.append(
        blocks.facts(
            [
                ("Protocol", protocol.name),
                ("Design", words.sentence(words.plain_name(protocol.design))),
                ("Virtual patients", words.number(results["baseline"]["n"], 0)),
                ("Arms", words.number(len(protocol.arms), 0)),
                ("Duration", words.amount(protocol.duration)),
                ("Seed", str(provenance.get("seed", protocol.seed))),
                ("Software", str(software.get("version", ""))),
                ("Protocol digest", short_digest(str(data.get("protocol_digest", "")))),
            ]
        )
    )
    return blocks.section("identity", "Identity and status", body)


def question(protocol: Protocol) -> dict[str, Any]:
    """Question of interest and context of use, as the protocol declares them."""
    return blocks.section(
        "question",
        "Question of interest and context of use",
        [
            blocks.heading("Question of interest"),
            *_paragraphs(protocol.question_of_interest),
            blocks.heading("Context of use"),
            *_paragraphs(protocol.context_of_use),
        ],
    )


def synopsis(protocol: Protocol, results: Mapping[str, Any]) -> dict[str, Any]:
    """The trial and its results in words that need no training in statistics."""
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    enrolled = results["baseline"]["n"]
    analysed = {name: results["disposition"][name]["analysed"] for name in labels}
    opening = (
        f"{words.number(enrolled, 0)} virtual patients were followed for {words.amount(protocol.duration)} "
        f"under each of {len(labels)} treatments: {words.listed(list(labels.values()))}. "
        "Every virtual patient received every treatment, each time from the same starting point and with the "
        "same chance events, which is possible only in simulation."
    )
    failed = sum(enrolled - n for n in analysed.values())
    solved = (
        "The simulation succeeded for every patient in every arm."
        if not failed
        else f"The simulation did not succeed in {failed} of {enrolled * len(labels)} patient courses; these "
        "are counted in the disposition and have no results."
    )
    lines = []
    for endpoint in protocol.endpoints:
        found = results["endpoints"][endpoint.name]
        lines.append(f"{found['label']}: {_in_words(endpoint, found, labels)}")
    closing = (
        "Noise-free figures have no measurement error and take every patient to the end of the trial; those "
        "as observed are what a trial would have seen, with measurement error and dropout. The intervals "
        "show how precise these figures are for patients like those simulated. They say nothing about how "
        "well the models describe real patients."
    )
    return blocks.section(
        "synopsis",
        "Synopsis",
        [
            blocks.paragraph(f"{opening} {solved}"),
            blocks.bullets(lines),
            _glance(protocol, results),
            blocks.paragraph(closing),
        ],
    )


def _in_words(endpoint: Any, found: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    noise_free, observed = (
        [_short(endpoint, found["arms"][name][value], found["unit"]) for name in labels] for value in VALUES
    )
    with_label = [
        f"{text} with {words.in_running_text(label)}"
        for text, label in zip(noise_free, labels.values(), strict=True)
    ]
    opening = {
        CHANGE: "on average ",
        PEAK: "on average ",
        PROGRESSION_FREE: "progression seen in ",
        RESPONSE_DURATION: "of those who responded, progression seen in ",
        BEST_RESPONSE: "complete or partial response in ",
        DISEASE_CONTROL: "response or stable disease in ",
        EVER: "reached by ",
        BELOW: "reached by ",
        SURVIVAL: "predicted median ",
    }.get(endpoint.kind, "")
    return f"{opening}{words.listed(with_label)}; as a trial would observe it, {words.listed(observed)}."


def _short(endpoint: Any, summary: Mapping[str, Any], unit: str) -> str:
    """The one number that stands for an arm's result, with its unit."""
    return words.with_unit(*_headline(endpoint, summary, unit)[:2])


def _headline(endpoint: Any, summary: Mapping[str, Any], unit: str) -> tuple[str, str, float | None]:
    """Text, unit and rounded value of the one number that stands for an arm's result."""
    if endpoint.kind in MEANS:
        value = summary["mean"]["value"]
        return words.number(value, 1, sign=True), unit, None if value is None else round(value, 1)
    if endpoint.kind == SURVIVAL:
        median = summary["median"]["value"]
        if median is None:
            return ("not reached" if summary["n"] else words.NOTHING), "1", None
        return words.number(median / MONTH, 1), "months", round(median / MONTH, 1)
    key = "share_with_event" if endpoint.kind in TIMES else "share"
    share = summary[key]["value"]
    if share is None:
        return words.NOTHING, "%", None
    return words.number(100 * share, 1), "%", round(100 * share, 1)


def _glance(protocol: Protocol, results: Mapping[str, Any]) -> Block:
    """All endpoints in one table: one number per arm, and the difference with its population interval."""
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    others = [name for name in labels if name != protocol.reference_arm]
    level = words.with_unit(words.number(100 * results["confidence_level"], 0), "%")
    rows = []
    for endpoint in protocol.endpoints:
        found = results["endpoints"][endpoint.name]
        shown = "%" if found["unit"] in ("1", "d") else words.people_unit(found["unit"])
        what = _REACHED.get(endpoint.kind, "")
        if endpoint.kind == SURVIVAL:
            shown, what = "months", "predicted median"
        rows.append(blocks.group(f"{found['label']}{f': {what}' if what else ''}, {shown}"))
        for value, title in zip(VALUES, ("Noise-free", "As observed"), strict=True):
            cells = []
            for name in labels:
                text, _, number = _headline(endpoint, found["arms"][name][value], found["unit"])
                cells.append(blocks.cell(text, number))
            for name in others:
                cells.append(
                    _difference(endpoint, found["contrasts"][name][value]["population"], found["unit"])
                )
            rows.append(blocks.row(title, cells, indent=True))
    differences = [
        f"Difference ({level} CI)" if len(others) == 1 else f"Difference, {labels[name]} ({level} CI)"
        for name in others
    ]
    note = "CI, confidence interval, as of separate patients in each arm. "
    if others:
        reference = words.in_running_text(labels[protocol.reference_arm])
        note += f"Differences are less the reference arm, {reference}; those of shares in percentage points"
        kinds = {e.kind for e in protocol.endpoints}
        if kinds & set(PROGRESSIONS):
            note += ", those of times to progression in days without progression"
        if SURVIVAL in kinds:
            note += ", those of predicted survival in mean months up to the end of follow-up"
        note += "."
    return blocks.table("Results at a glance", ["", *labels.values(), *differences], rows, note=note)


def _difference(endpoint: Any, population: Mapping[str, Any], unit: str) -> blocks.Cell:
    factor = 100.0 if unit == "1" else 1.0 / MONTH if endpoint.kind == SURVIVAL else 1.0
    values = [population[k] for k in ("value", "lower", "upper")]
    text = words.estimate(population, 1, factor)
    if endpoint.kind in TIMES:
        text = text.replace(" (", " months (" if endpoint.kind == SURVIVAL else " d (", 1)
    return blocks.cell(text, [None if v is None else round(factor * v, 1) for v in values])


def is_hypothetical(protocol: Protocol, provenance: Mapping[str, Any]) -> bool:
    """Whether an arm, or a model with its references, calls itself hypothetical."""
    texts = [str(arm.label) for arm in protocol.arms]
    for model in provenance.get("models", []):
        texts += [str(model.get("title", "")), *(str(r) for r in model.get("references", []))]
    return any(HYPOTHETICAL in text.lower() for text in texts)


def short_digest(digest: str) -> str:
    """The first 12 characters of a digest; the whole is in the section on reproducibility."""
    return digest[:12]


def _paragraphs(text: str) -> list[Block]:
    return [blocks.paragraph(" ".join(part.split())) for part in str(text).split("\n\n") if part.strip()]
