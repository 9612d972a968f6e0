"""Who the virtual patients are: eligibility, baseline, and how well the twins fit their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.baseline import ORIGINS
from trials.endpoints import BELOW
from trials.report import blocks, words
from trials.report.blocks import Block
from vht.concepts import CONCEPTS
from vht.quantities import QUANTITIES, quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol

_POSTERIOR = "_posterior_log_sd"


def population(protocol: Protocol, results: Mapping[str, Any]) -> dict[str, Any]:
    """Eligibility and the baseline table."""
    baseline = results["baseline"]
    return blocks.section(
        "population",
        "Population",
        [
            blocks.paragraph(
                "Each virtual patient stands for one imported patient record. The record gives the baseline; "
                "what it lacks was drawn from a published distribution for the patient's age and sex and is "
                "counted as imputed."
            ),
            blocks.heading("Eligibility"),
            blocks.bullets(_eligibility(protocol.population.eligibility)),
            blocks.heading("Baseline"),
            _baseline_table(protocol, baseline),
            *_fit_table(baseline["personalisation"]),
        ],
    )


def _eligibility(rules: Any) -> list[str]:
    items = []
    if rules.age.minimum is not None or rules.age.maximum is not None:
        items.append(f"Age {_bounds(rules.age)}.")
    if rules.sex is not None:
        items.append(f"Sex: {words.listed(list(rules.sex))}.")
    items += [f"{CONCEPTS[name].label} on record." for name in rules.conditions]
    excluded = (*rules.excluded_conditions, *rules.excluded_medications)
    items += [f"No {words.in_running_text(CONCEPTS[name].label)} on record." for name in excluded]
    items += [f"{quantity(name).label} on record." for name in rules.quantities]
    items += [f"{quantity(name).label} {_bounds(limits)}." for name, limits in rules.ranges.items()]
    return items or ["No restriction."]


def _bounds(limits: Any) -> str:
    low, high = limits.minimum, limits.maximum
    if low is not None and high is not None:
        return f"{words.amount(low)} to {words.amount(high)}"
    if low is not None:
        return f"{words.amount(low)} or more"
    return f"{words.amount(high)} or less" if high is not None else "of any value"


def _baseline_table(protocol: Protocol, baseline: Mapping[str, Any]) -> Block:
    n = baseline["n"]
    rows = [blocks.group("Patients, n (%)")]
    for sex, number in baseline["sex"].items():
        if number or sex in ("female", "male"):
            rows.append(blocks.row(words.sentence(sex), [_share_cell(number, n), *_blank(3)], indent=True))
    for name, number in baseline["conditions"].items():
        label = CONCEPTS[name].label
        rows.append(blocks.row(f"{label} on record", [_share_cell(number, n), *_blank(3)], indent=True))
    for endpoint in protocol.endpoints:
        number = baseline["at_or_above"].get(endpoint.name)
        if number is not None:
            label = f"{thresholds(endpoint)} at baseline"
            rows.append(blocks.row(label, [_share_cell(number, n), *_blank(3)], indent=True))
    rows.append(blocks.group("Measures"))
    rows.append(
        blocks.row(
            "Age, years", [*_spread_cells(baseline["age_years"], 1), blocks.cell("recorded")], indent=True
        )
    )
    for name, found in baseline["quantities"].items():
        known = QUANTITIES[name]
        unit = words.people_unit(found["unit"])
        label = f"{known.label}, {unit}" if unit else known.label
        cells = [*_spread_cells(found["spread"], known.decimals), _origins(found["origins"])]
        rows.append(blocks.row(label, cells, indent=True))
    return blocks.table(
        f"Baseline of the {words.number(n, 0)} enrolled virtual patients, who are the same in every arm",
        ["", "n (%) or mean (SD)", "Median", "Quartiles", "Origin of values"],
        rows,
        note="SD, standard deviation. Quartiles instead of extremes, which would single out a patient. "
        "Derived: computed from recorded values. Imputed: drawn from a population distribution.",
    )


def _spread_cells(spread: Mapping[str, Any], decimals: int) -> list[blocks.Cell]:
    keys = ("mean", "standard_deviation", "median", "lower_quartile", "upper_quartile")
    mean, deviation, median, low, high = (spread[k] for k in keys)
    if mean is None:
        return _blank(3)
    return [
        blocks.cell(
            f"{words.number(mean, decimals)} ({words.number(deviation, decimals)})",
            _rounded([mean, deviation], decimals),
        ),
        blocks.cell(words.number(median, decimals), round(median, decimals)),
        blocks.cell(words.interval(low, high, decimals), _rounded([low, high], decimals)),
    ]


def _rounded(values: list[float | None], decimals: int) -> list[float | None]:
    return [None if v is None else round(v, decimals) for v in values]


def _share_cell(number: int, n: int) -> blocks.Cell:
    share = 100 * number / n if n else 0.0
    return blocks.cell(f"{number} ({words.number(share, 1)})", [number, round(share, 1)])


def _blank(times: int) -> list[blocks.Cell]:
    return [blocks.cell("") for _ in range(times)]


def _origins(origins: Mapping[str, int] | None) -> blocks.Cell:
    if origins is None:
        return blocks.cell("")
    present = [(origin, origins[origin]) for origin in ORIGINS if origins[origin]]
    if len(present) == 1:
        return blocks.cell(present[0][0], dict(present))
    return blocks.cell(", ".join(f"{n} {origin}" for origin, n in present), dict(present))


def _fit_table(found: Mapping[str, Any]) -> list[Block]:
    if not found:
        return []
    rows = []
    for name, summary in found.items():
        stem = name.removesuffix(_POSTERIOR)
        label = words.sentence(words.plain_name(stem))
        label = label if stem == name else f"{label}, posterior SD of its logarithm"
        if "spread" in summary:
            spread = summary["spread"]
            text = f"{words.significant(spread['median'])} ({words.significant(spread['lower_quartile'])} to "
            text += f"{words.significant(spread['upper_quartile'])})"
            value = [spread["median"], spread["lower_quartile"], spread["upper_quartile"]]
            cells = [blocks.cell("median (quartiles)"), blocks.cell(text, value)]
        else:
            median, largest = summary["median_absolute"], summary["largest_absolute"]
            text = f"{words.significant(median, 2)}; {words.significant(largest, 2)}"
            unit = _residual_unit(name)
            label = f"{label}, {unit}" if unit else label
            cells = [blocks.cell("median and largest size"), blocks.cell(text, [median, largest])]
        rows.append(blocks.row(label, cells))
    return [
        blocks.table(
            "How well the twins fit their records, and how far they are from the prior",
            ["", "Summary", "Value"],
            rows,
            note="Residual: value read from the converged model less the value it was fitted to. Distance "
            "from the prior is in standard deviations of the prior; ratios are to the healthy baseline of "
            "the model.",
        )
    ]


def _residual_unit(name: str) -> str:
    stem = name.removesuffix("_residual")
    for candidate in (stem, f"{stem}_blood_pressure"):
        if candidate in QUANTITIES:
            return words.people_unit(QUANTITIES[candidate].unit)
    return ""


def thresholds(endpoint: Any) -> str:
    """The thresholds of an endpoint in words, joined by "or"."""
    sign = "<" if endpoint.kind == BELOW else "≥"
    texts = [f"{quantity(q).label} {sign} {words.amount(limit)}" for q, limit in endpoint.thresholds.items()]
    return " or ".join([texts[0], *(words.in_running_text(t) for t in texts[1:])])
