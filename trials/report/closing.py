"""The end of the report: what it cannot say, and how to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.endpoints import (
    BELOW,
    BEST_RESPONSE,
    DISEASE_CONTROL,
    EVER,
    PEAK,
    PROGRESSION_FREE,
    RESPONSE_DURATION,
)
from trials.outcomes import FAILED
from trials.report import blocks, survival, words
from trials.report.blocks import Block
from vht.quantities import quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol


def limitations(
    protocol: Protocol, results: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """What limits the conclusions; each is stated only where it applies."""
    return blocks.section(
        "limitations", "Limitations", [blocks.bullets(_limits(protocol, results, provenance))]
    )


def _limits(protocol: Protocol, results: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[str]:
    kinds = {e.kind for e in protocol.endpoints}
    items = [
        "The results hold for the models and parameters listed above. Intervals express the spread between "
        "virtual patients and their number, not uncertainty about the models themselves.",
        "The virtual patients are as representative as the records they were made from.",
        "In the paired design the same patients and chance events stand in every arm; the paired intervals "
        "are not those of any real trial.",
    ]
    imputed = {
        quantity(name).label: found["origins"]["imputed"]
        for name, found in results["baseline"]["quantities"].items()
        if found["origins"] and found["origins"]["imputed"]
    }
    if imputed:
        n = results["baseline"]["n"]
        texts = [f"{words.in_running_text(label)} in {k} of {n} patients" for label, k in imputed.items()]
        items.append(f"Imputed at baseline, not recorded: {words.listed(texts)}.")
    if kinds & {BEST_RESPONSE, DISEASE_CONTROL, PROGRESSION_FREE, RESPONSE_DURATION}:
        items.append(_tumour(protocol))
        if any(e.kind == BEST_RESPONSE and not getattr(e, "confirmed", True) for e in protocol.endpoints):
            items.append("Responses are unconfirmed: one visit suffices.")
    if RESPONSE_DURATION in kinds:
        items.append(
            "Duration of response compares those who responded in each arm, who are not the same patients: "
            "a difference is not the effect of the treatment alone."
        )
    items += survival.limits(protocol, results)
    if any(arm.policies for arm in protocol.arms):
        items.append(
            "Policies decide on what visits measure, with its error; between visits nobody is looked at. "
            "They go on for patients who left, so that the noise-free course is that of a patient who stays."
        )
    if PROGRESSION_FREE in kinds:
        items.append(
            "Progression is dated at the visit that shows it; its true time lies between two visits."
        )
        if _progression(protocol).quantity in protocol.measurement_error:
            items.append(_reclassified(protocol, results))
    if kinds & {PEAK, EVER}:
        items.append(
            "The highest of several measured values is above the highest true value on average: measurement "
            "error raises observed peaks and the observed share of patients above a threshold."
        )
    if BELOW in kinds:
        items.append(
            "The lowest of several measured values is below the lowest true one on average: measurement "
            "error raises the observed share of patients below a threshold. Between visits a value may be "
            "lower than at any of them."
        )
    if protocol.dropout is not None:
        items.append(
            "Dropout is independent of treatment, response and adverse effects. Real dropout is not, and "
            "observed results would then be biased."
        )
    failed = {arm.label: results["disposition"][arm.name][FAILED] for arm in protocol.arms}
    if any(failed.values()):
        texts = [f"{n} with {words.in_running_text(str(label))}" for label, n in failed.items() if n]
        items.append(
            f"Patients whose solve failed ({words.listed(texts)}) have no results; they may differ from "
            "others."
        )
    for model in provenance.get("models", []):
        if model.get("notes"):
            items.append(f"{model.get('title') or words.plain_name(str(model['name']))}: {model['notes']}")
    assumed = sorted(
        f"{words.plain_name(str(p['name']))} ({words.plain_name(str(m['name']))})"
        for m in provenance.get("models", [])
        for p in m.get("parameters", [])
        if p.get("certainty") == "assumption"
    )
    if assumed:
        items.append(f"Parameters that are assumptions: {words.listed(assumed)}.")
    resting = [
        words.in_running_text(quantity(name).label)
        for name, error in protocol.measurement_error.items()
        if "assumption" in error.source.lower()
    ]
    if resting:
        items.append(
            f"The measurement error of {words.listed(resting)} rests on assumptions that its source names."
        )
    if protocol.new_lesions is not None and "assumption" in protocol.new_lesions.source.lower():
        items.append("The hazard of new lesions rests on an assumption that its source names.")
    if any("assumption" in policy.source.lower() for arm in protocol.arms for policy in arm.policies):
        items.append("Thresholds of policies rest on assumptions that their sources name.")
    if protocol.dropout is not None and "assumption" in protocol.dropout.source.lower():
        items.append("The rate of dropout rests on an assumption that its source names.")
    items.append(
        "The results may not be used to choose, change or withhold the treatment of a patient, nor as "
        "confirmatory evidence of efficacy or safety."
    )
    return items


def _tumour(protocol: Protocol) -> str:
    declared = protocol.new_lesions
    if declared is None:
        beside = "There is no process of new lesions, of non-target lesions or of death"
    elif not any(declared.per_day(arm.name) for arm in protocol.arms):
        beside = (
            "The protocol states that no new lesions appear; there are no non-target lesions and no death"
        )
    else:
        beside = (
            "New lesions appear at a constant hazard that depends on neither size nor growth of the tumour; "
            "there are no non-target lesions and no death"
        )
    return (
        f"Tumour response rests on the sum of target lesions. {beside}, so that progression is "
        "under-counted. A complete response is recognised only where the sum is zero, because the sum alone "
        "cannot show that every lesion is gone."
    )


def _reclassified(protocol: Protocol, results: Mapping[str, Any]) -> str:
    """How many more progressions are seen than there are, by arm."""
    name = _progression(protocol).name
    texts = []
    for arm in protocol.arms:
        found = results["endpoints"][name]["arms"][arm.name]
        true, observed = (found[v]["share_with_event"]["value"] for v in ("true", "observed"))
        if true is not None and observed is not None:
            shares = [words.with_unit(words.number(100 * v, 1), "%") for v in (true, observed)]
            texts.append(f"{shares[0]} noise-free, {shares[1]} as observed with {_in_text(arm)}")
    shown = f" ({'; '.join(texts)})" if texts else ""
    return f"Measurement error turns some stable tumours into progressions{shown}."


def _progression(protocol: Protocol) -> Any:
    return next(e for e in protocol.endpoints if e.kind == PROGRESSION_FREE)


def _in_text(arm: Any) -> str:
    return words.in_running_text(str(arm.label))


def reproduce(
    protocol: Protocol, results: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Digests, versions, the exact commands, and how close a repetition must come."""
    software, data = provenance.get("software", {}), provenance.get("data", {})
    numerics, tracking = provenance.get("numerics", {}), provenance.get("mlflow", {})
    body: list[Block] = [
        blocks.paragraph(
            "The run can be executed again from its protocol and its patient states. The first command "
            "makes this run, the second executes it again and compares every number."
        ),
    ]
    for key, label in (("command", "Run"), ("verify_command", "Verify")):
        if provenance.get(key):
            body.append(blocks.code(str(provenance[key]), label))
    tolerance = provenance.get(
        "tolerance",
        "On the same platform every number is identical. On another platform numbers agree within the "
        "tolerance that the verification states; a difference beyond it fails the verification and is "
        "named.",
    )
    body.append(blocks.paragraph(str(tolerance)))
    body.append(
        blocks.facts(
            [
                ("Patient states, SHA-256", str(data.get("states_digest", ""))),
                ("Protocol, SHA-256", str(data.get("protocol_digest", ""))),
                ("Source code, SHA-256", str(software.get("source_digest", ""))),
                ("Locked dependencies, SHA-256", str(software.get("lock_digest", ""))),
                ("Git commit", str(software.get("git_commit") or "")),
            ],
            code=True,
        )
    )
    body.append(
        blocks.facts(
            [
                ("Software version", str(software.get("version", ""))),
                ("Python", str(software.get("python", ""))),
                ("JAX", str(software.get("jax", ""))),
                ("Platform", str(software.get("platform", ""))),
                ("Seed", str(provenance.get("seed", protocol.seed))),
                *((words.sentence(words.plain_name(str(k))), _plain(v)) for k, v in numerics.items()),
                *((f"MLflow {words.plain_name(str(k))}", _plain(v)) for k, v in tracking.items()),
            ]
        )
    )
    body.append(
        blocks.paragraph(
            f"Every number shown here is in report.json beside this page; results.json ({results['schema']}) "
            "holds them in full precision."
        )
    )
    return blocks.section("reproduce", "Reproducibility", body)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return words.significant(value, 3)
    return "" if value is None else str(value)
