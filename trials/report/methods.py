"""How the trial was done: virtual patient and models, design."""

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
    SHARES,
    TIMES,
)
from trials.protocol.survival import SURVIVAL
from trials.report import blocks, dosing, survival, words
from trials.report.blocks import Block
from trials.report.population import thresholds
from vht.quantities import quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol

_CLOCKS = {"d": "days", "s": "heartbeat, in seconds"}


def models(protocol: Protocol, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The virtual patient: models, couplings, parameters with their sources, references."""
    found = list(provenance.get("models", []))
    body: list[Block] = [
        blocks.paragraph(
            "A virtual patient is a set of published models of organs, joined at named ports whose units are "
            "checked. What one model computes enters the next; no clinical value is copied past a model."
        ),
        blocks.table(
            "Models of the virtual patient",
            ["Model", "Name in the software", "Version", "Clock", "States"],
            [
                blocks.row(
                    _title(m),
                    [
                        blocks.cell(str(m["name"])),
                        blocks.cell(str(m.get("version", ""))),
                        blocks.cell(_CLOCKS.get(str(m.get("clock", "")), str(m.get("clock", "")))),
                        blocks.cell(_states(m.get("states"))),
                    ],
                )
                for m in found
            ],
            words=True,
        ),
        *dosing.variants(protocol, found),
    ]
    titles: dict[str, str] = {}
    for m in found:  # one that arms have in several variants goes by the first
        titles.setdefault(str(m["name"]), _title(m))
    couplings = [_coupling(c, titles) for c in provenance.get("couplings", [])]
    if couplings:
        body += [blocks.heading("Couplings"), blocks.bullets(couplings)]
    body.append(blocks.heading("Parameters and their sources"))
    numbers = _numbers(found)
    for model in found:
        if model.get("parameters"):
            body.append(_parameter_table(model, numbers))
    references = [f"[{number}] {text}" for number, text in enumerate(_references(found), 1)]
    if references:
        body += [blocks.heading("References"), blocks.bullets(references)]
    return blocks.section("models", "Virtual patient and models", body)


def _states(states: Any) -> str:
    if states is None:
        return ""
    return str(len(states)) if isinstance(states, (list, tuple)) else str(states)


def _title(model: Mapping[str, Any]) -> str:
    return str(model.get("title") or words.sentence(words.plain_name(str(model["name"]))))


def _coupling(item: Any, titles: Mapping[str, str]) -> str:
    if isinstance(item, str):
        return item
    text = f"{_port(item['from'], titles)} → {_port(item['to'], titles)}"
    if item.get("relative"):
        text += ", as a share of the patient's own untreated cycle"
    if item.get("solve"):
        text += f": a target, reached by solving for the {_bare(item['solve'])}"
        if item.get("with"):
            text += f"; the {_bare(item['with'])} follows by the model's own law"
    return text + "."


def _port(name: Any, titles: Mapping[str, str]) -> str:
    model, _, port = str(name).partition(".")
    title = titles.get(model, words.sentence(words.plain_name(model)))
    return f"{title}: {words.plain_name(port)}" if port else title


def _bare(name: Any) -> str:
    return words.plain_name(str(name).partition(".")[2] or str(name))


def _parameter_table(model: Mapping[str, Any], numbers: Mapping[str, int]) -> Block:
    rows = []
    for parameter in model["parameters"]:
        value, spread = parameter.get("value"), parameter.get("spread")
        shown = (
            words.significant(value, 12) if isinstance(value, (int, float)) else str(value or words.NOTHING)
        )
        meaning = words.sentence(str(parameter.get("description") or ""))
        rows.append(
            blocks.row(
                words.sentence(words.plain_name(str(parameter["name"]))),
                [
                    blocks.cell(meaning),
                    blocks.cell(words.with_unit(shown, str(parameter.get("unit", "1"))), value),
                    blocks.cell(words.significant(spread, 3) if spread else words.NOTHING, spread),
                    blocks.cell(_source(parameter.get("source"), numbers)),
                    blocks.cell(str(parameter.get("certainty") or words.NOTHING)),
                ],
            )
        )
    title = words.in_running_text(_title(model))
    return blocks.table(
        f"Parameters of the model: {title}, version {model.get('version', '')}",
        ["Parameter", "Meaning", "Value", "ω²", "Source", "Certainty"],
        rows,
        note="ω², variance of the logarithm between individuals; a dash where none is declared. Values are "
        "those before personalisation. Sources are numbered as in the references below.",
        words=True,
    )


def _numbers(found: list[Mapping[str, Any]]) -> dict[str, int]:
    """The number of each reference in the list, by its key."""
    keys = [
        "" if isinstance(reference, str) else str(reference.get("key") or reference.get("name") or "")
        for model in found
        for reference in model.get("references", [])
    ]
    listed = dict.fromkeys(k for k in keys if k)
    texts = _references(found)
    return {k: n for k in listed for n, text in enumerate(texts, 1) if text.startswith(f"{k}. ")}


def _source(source: Any, numbers: Mapping[str, int]) -> str:
    """``[3]`` for a listed reference; the source as it is given for another."""
    if not source:
        return words.NOTHING
    return f"[{numbers[source]}]" if source in numbers else str(source)


def _references(found: list[Mapping[str, Any]]) -> list[str]:
    texts: dict[str, None] = {}
    for model in found:
        for reference in model.get("references", []):
            texts.setdefault(reference if isinstance(reference, str) else _reference(reference))
    return list(texts)


def _reference(reference: Mapping[str, Any]) -> str:
    text = str(reference.get("text") or reference.get("citation") or "")
    doi = reference.get("doi")
    key = reference.get("key") or reference.get("name")
    return f"{f'{key}. ' if key else ''}{text}{f' doi:{doi}' if doi else ''}"


def design(protocol: Protocol, results: Mapping[str, Any]) -> dict[str, Any]:
    """Arms, visits, measurement error, dropout, endpoints, chance."""
    labels = {arm.name: arm.label for arm in protocol.arms}
    level = words.with_unit(words.number(100 * results["confidence_level"], 0), "%")
    arms = [
        blocks.row(
            str(arm.label),
            [
                blocks.cell(dosing.given(arm)),
                blocks.cell("reference" if arm.name == protocol.reference_arm else ""),
            ],
        )
        for arm in protocol.arms
    ]
    body: list[Block] = [
        blocks.paragraph(
            f"Paired counterfactual design: each virtual patient is simulated under each of {len(labels)} "
            f"treatments for {words.amount(protocol.duration)}, from the same baseline, with the same "
            "individual parameters, the same measurement errors and the same chance of leaving (common "
            "random numbers). Random numbers hang on each patient's study number, the purpose and the time, "
            "so that results depend neither on the order nor on the amount of work done at once."
        )
        if protocol.design == "paired_counterfactual"
        else blocks.paragraph(words.sentence(words.plain_name(protocol.design)) + "."),
        blocks.table("Arms", ["Arm", "Dosing", "Role"], arms, words=True),
        *dosing.sources(protocol),
        blocks.table(
            "Visits and measurement error",
            ["Quantity", "Visits, day", "Error of one measurement (SD)", "Source of the error"],
            [_visit_row(protocol, name) for name in protocol.visits],
            words=True,
        ),
        *_policies(protocol),
        blocks.paragraph(_dropout(protocol)),
        *([blocks.paragraph(_new_lesions(protocol))] if protocol.new_lesions is not None else []),
        blocks.table(
            "Endpoints",
            ["Endpoint", "Definition"],
            [blocks.row(str(e.label), [blocks.cell(definition(e))]) for e in protocol.endpoints],
            words=True,
        ),
        *survival.methods(protocol),
        blocks.heading("Analysis"),
        blocks.bullets(_analysis(protocol, level)),
    ]
    return blocks.section("design", "Design", body)


def _visit_row(protocol: Protocol, name: str) -> dict[str, Any]:
    days = ", ".join(words.number(day, 0) for day in protocol.visit_days(name))
    error = protocol.measurement_error.get(name)
    parts = []
    if error is not None and error.proportional is not None:
        parts.append(f"{words.amount(error.proportional)} of the value")
    if error is not None and error.additive is not None:
        parts.append(words.amount(error.additive))
    source = " ".join(error.source.split()) if error is not None else ""
    return blocks.row(
        quantity(name).label,
        [blocks.cell(days), blocks.cell(" and ".join(parts) or "none declared"), blocks.cell(source)],
    )


def _dropout(protocol: Protocol) -> str:
    if protocol.dropout is None:
        return "Dropout: none declared; every patient stays to the end."
    source = " ".join(protocol.dropout.source.split())
    return (
        f"Dropout: constant hazard of {words.amount(protocol.dropout.hazard)}, independent of treatment and "
        f"of response. Source: {source}"
    )


def _new_lesions(protocol: Protocol) -> str:
    declared = protocol.new_lesions
    assert declared is not None
    source = " ".join(declared.source.split())
    differing = [
        f"{words.amount(hazard)} with {words.in_running_text(str(protocol.arm(name).label))}"
        for name, hazard in declared.arms.items()
    ]
    return (
        f"New lesions: the first appears at a constant hazard of {words.amount(declared.hazard)}"
        f"{f' ({words.listed(differing)})' if differing else ''} and is seen at the next visit of the "
        f"tumour's size. Source: {source}"
    )


def _policies(protocol: Protocol) -> list[Block]:
    """The rules that adapt doses at visits, by arm."""
    rows = [
        blocks.row(
            str(arm.label),
            [
                blocks.cell(_rule(policy)),
                blocks.cell(
                    ", ".join(words.plain_name(port.partition(".")[2]) for port in policy.of) or "all doses"
                ),
                blocks.cell(" ".join(policy.source.split())),
            ],
        )
        for arm in protocol.arms
        for policy in arm.policies
    ]
    if not rows:
        return []
    return [
        blocks.table(
            "Policies: how doses follow from what visits show",
            ["Arm", "Rule", "Governs", "Source"],
            rows,
            note="Rules see measured values and hold until the next visit of their quantity.",
            words=True,
        )
    ]


def _rule(policy: Any) -> str:
    """A policy in a sentence."""
    name = words.in_running_text(quantity(policy.quantity).label)
    shown = {key: words.amount(amount) for key, amount in policy.thresholds.items()}
    if policy.kind == "reduce_on_neutropenia":
        levels = words.listed([words.amount(level) for level in policy.levels])
        return (
            f"{words.sentence(name)} below {shown['hold_below']}: nothing is given and the schedule waits "
            f"until {shown['resume_from']}. A fall below {shown['reduce_below']} lowers the dose to the next "
            f"of {levels} of what is scheduled; a fall on the last level ends treatment."
        )
    if policy.kind == "hold_on_pressure":
        waits = "the schedule waits" if policy.schedule_waits else "these doses are left out"
        return (
            f"{words.sentence(name)} at or above {shown['hold_at']}: nothing is given until it is below "
            f"{shown['resume_below']}; {waits}."
        )
    if policy.kind == "stop_on_progression":
        return f"Progression by RECIST 1.1 of {name}, or a new lesion: treatment ends."
    return (
        f"{words.sentence(name)} below {words.amount(policy.share)} of its first value: treatment goes off, "
        "until it is above that value."
    )


def definition(endpoint: Any) -> str:
    """What an endpoint measures, in a sentence."""
    if endpoint.kind in (EVER, BELOW):
        return f"{thresholds(endpoint)} at any visit after baseline."
    name = words.in_running_text(quantity(endpoint.quantity).label)
    if endpoint.kind == CHANGE:
        scale = "percent of baseline" if endpoint.scale == "percent" else "difference from baseline"
        return f"Change in {name} from baseline to {words.amount(endpoint.day)}, as {scale}."
    if endpoint.kind == PEAK:
        return (
            f"Highest {name} less baseline. Noise-free: highest day of the whole course; observed: highest "
            "visit after baseline."
        )
    if endpoint.kind in (BEST_RESPONSE, DISEASE_CONTROL):
        confirmed = bool(getattr(endpoint, "confirmed", False))
        again = "with confirmation after 28 days" if confirmed else "without confirmation"
        counts = {
            BEST_RESPONSE: "Response: complete or partial. A patient who could not be evaluated counts as no "
            "response.",
            DISEASE_CONTROL: "Control: response or stable disease. A patient who could not be evaluated "
            "counts as no control.",
        }[endpoint.kind]
        return (
            f"Best overall response by RECIST 1.1 from the sum of target lesions and new lesions, {again}; "
            f"stable disease from day 28. {counts}"
        )
    if endpoint.kind == SURVIVAL:
        return survival.definition(endpoint)
    if endpoint.kind in PROGRESSIONS:
        start = "baseline" if endpoint.kind == PROGRESSION_FREE else "the first response"
        missed = getattr(endpoint, "missed_visits", None)
        gap = f"; after {missed} or more missed visits in a row at the last before them" if missed else ""
        whose = " Only of patients who responded." if endpoint.kind == RESPONSE_DURATION else ""
        return (
            f"Days from {start} to the first visit with progression by RECIST 1.1 (sum of target lesions at "
            "least 20 % and 5 mm above its smallest value, or a new lesion); censored at the last evaluable "
            f"visit{gap}.{whose} Given with new lesions, and of target lesions alone."
        )
    return words.plain_name(endpoint.kind)


def _analysis(protocol: Protocol, level: str) -> list[str]:
    kinds = {e.kind for e in protocol.endpoints}
    items = [
        "Noise-free values are the models' own, taken to the end of the trial for every patient whose "
        "solve succeeded. Observed values carry measurement error and end with dropout. Both are given for "
        "every endpoint.",
        f"Intervals have a confidence level of {level}. The population interval treats the arms as separate "
        "groups of patients, as a real parallel trial of this size would have. The paired interval uses "
        "that the same virtual patients are in every arm; no real trial could reach it.",
    ]
    if kinds & set(MEANS):
        items.append("Means: Student's t; differences: Welch's t (population) and paired t (paired).")
    if kinds & set(SHARES):
        items.append(
            "Shares: Wilson's score interval; differences: Newcombe's intervals for independent and for "
            "paired shares."
        )
    if kinds & set(TIMES):
        items.append(
            "Times: Kaplan-Meier with log-log limits, log-rank test, hazard ratio by Cox's model (ties after "
            "Efron), and the mean time without the event up to the last visit or the end of follow-up (area "
            "under the curve, Greenwood's variance)."
        )
    items.append("No adjustment for the number of endpoints; no hypothesis was fixed to be tested.")
    return items
