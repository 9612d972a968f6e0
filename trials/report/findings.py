"""What was found: every endpoint, noise-free and as observed, and the courses behind it."""

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
    NO_PREDICTION,
    NO_RESPONSE,
    NOT_MEASURED,
    PEAK,
    PROGRESSION_FREE,
    PROGRESSIONS,
    RESPONSE_DURATION,
    SHARES,
    TIMES,
    VALUES,
)
from trials.outcomes import FAILED, WITHDRAWN
from trials.protocol.survival import SURVIVAL
from trials.report import blocks, survival, words
from trials.report.blocks import Block
from trials.survival import MONTH
from vht.quantities import quantity

if TYPE_CHECKING:
    from trials.protocol import Protocol

NOT_A_REAL_TRIAL = (
    "The paired interval compares each virtual patient with the same patient under the other treatment. No "
    "real trial could reach it: nobody can be treated twice from the same starting point. It is not "
    "evidence of the precision of a trial; the population interval is."
)
_VALUES = (("true", "Noise-free"), ("observed", "As observed"))
_TARGETS_ALONE = (
    ("true_targets_alone", "Noise-free, target lesions alone"),
    ("observed_targets_alone", "As observed, target lesions alone"),
)


def findings(protocol: Protocol, results: Mapping[str, Any]) -> dict[str, Any]:
    """Every endpoint, noise-free and as observed, with contrasts and figures."""
    body: list[Block] = [blocks.notice("Two intervals", NOT_A_REAL_TRIAL)]
    drawn: set[str] = set()
    endpoints: tuple[Any, ...] = protocol.endpoints
    for endpoint in endpoints:
        found = results["endpoints"][endpoint.name]
        body.append(blocks.heading(str(found["label"])))
        if endpoint.kind == SURVIVAL:
            body.append(survival.notice(protocol, results, endpoint))
        body.append(_arm_table(protocol, results, endpoint, found))
        if endpoint.kind == BEST_RESPONSE:
            body.append(_category_table(protocol, endpoint, found))
        if found["contrasts"]:
            body.append(_contrast_table(protocol, results, endpoint, found))
        if endpoint.kind in TIMES:
            body += _survival_figures(protocol, results, endpoint)
        name = getattr(endpoint, "quantity", "")
        if endpoint.kind in (BEST_RESPONSE, DISEASE_CONTROL) and name in results["waterfall"]:
            if f"{name} waterfall" not in drawn:
                body.append(_waterfall_figure(protocol, results, name))
            drawn.add(f"{name} waterfall")
        if endpoint.kind in (CHANGE, PEAK, EVER, BELOW):
            scale = "percent" if endpoint.kind == CHANGE and endpoint.scale == "percent" else "absolute"
            for measured in [name] if name else list(endpoint.thresholds):
                key = f"{measured} {scale}"
                if key not in drawn:
                    drawn.add(key)
                    body += _course_figures(protocol, results, measured, scale)
    rest = [
        course
        for course in results["series"]
        if f"{course['quantity']} {course['scale']}" not in drawn
        and not (course["scale"] == "absolute" and f"{course['quantity']} percent" in drawn)
    ]
    if rest:
        body.append(blocks.heading("Course of other measured quantities"))
        for course in rest:
            body += _course_figures(protocol, results, course["quantity"], course["scale"])
    return blocks.section("results", "Results", body)


_LEFT = "A patient who left counts up to that day."
_NOT_REACHED = (
    "Not reached: fewer than half had progressed. The mean is the area under the curve up to the last visit. "
    "Target lesions alone: as if no new lesion had appeared."
)


def _views(endpoint: Any) -> tuple[tuple[str, str], ...]:
    """The values of an endpoint with their titles: times to progression also of target lesions alone."""
    return (*_VALUES, *_TARGETS_ALONE) if endpoint.kind in PROGRESSIONS else _VALUES


def _shown(endpoint: Any, unit: str) -> tuple[str, float, int]:
    """Unit in print, factor and decimals of an endpoint's values: shares in percent, survival in months."""
    if endpoint.kind == SURVIVAL:
        return "months", 1.0 / MONTH, 1
    if unit == "1":
        return "%", 100.0, 1
    return words.people_unit(unit) if unit != "d" else "days", 1.0, 1


def _level(results: Mapping[str, Any]) -> str:
    return words.with_unit(words.number(100 * results["confidence_level"], 0), "%")


def _estimate_cell(found: Mapping[str, Any], decimals: int, factor: float) -> blocks.Cell:
    values = [
        None if found[k] is None else round(factor * found[k], decimals) for k in ("value", "lower", "upper")
    ]
    return blocks.cell(words.estimate(found, decimals, factor), values)


def _arm_table(
    protocol: Protocol, results: Mapping[str, Any], endpoint: Any, found: Mapping[str, Any]
) -> Block:
    unit, factor, decimals = _shown(endpoint, found["unit"])
    ci = f"({_level(results)} CI)"
    if endpoint.kind in MEANS:
        columns = ["n", f"Mean {ci}, {unit}", "SD", "Median (quartiles)"]
    elif endpoint.kind in SHARES:
        reached = {BEST_RESPONSE: "Responded", DISEASE_CONTROL: "Controlled"}.get(endpoint.kind, "Reached")
        columns = ["n", reached, f"Share {ci}, {unit}"]
    else:
        until = f"day {found['horizon_days']:g}"
        happened = "Progressed"
        if endpoint.kind == SURVIVAL:
            until = survival.summary_of_follow_up(protocol, endpoint)
            happened = words.sentence(survival.event_word(endpoint))
        columns = ["n", happened, f"Median {ci}, {unit}", f"Mean to {until} {ci}, {unit}"]
    columns.append("Missing")
    rows = []
    for value, title in _views(endpoint):
        rows.append(blocks.group(title))
        for arm in protocol.arms:
            of_arm = found["arms"][arm.name]
            observed = value.startswith("observed")
            whole = observed or endpoint.kind == SURVIVAL  # a prediction that is lacking is lacking in both
            missing = of_arm["missing"] if whole else {FAILED: of_arm["missing"][FAILED]}
            cells = [*_summary_cells(endpoint, of_arm[value], factor, decimals), _missing(missing)]
            rows.append(blocks.row(str(arm.label), cells, indent=True))
    note = {
        BEST_RESPONSE: "Patients who could not be evaluated count as no response; missing lists them.",
        DISEASE_CONTROL: "Patients who could not be evaluated count as no control; missing lists them.",
        EVER: _LEFT,
        BELOW: _LEFT,
        PROGRESSION_FREE: _NOT_REACHED,
        SURVIVAL: "Not reached: fewer than half had the event. The mean is the area under the curve up to "
        "the end of follow-up.",
        RESPONSE_DURATION: f"n: patients who responded, missing counted as of those seen. {_NOT_REACHED}",
    }.get(endpoint.kind, "SD, standard deviation between patients.")
    return blocks.table(
        f"{found['label']}, by arm", ["", *columns], rows, note=f"CI, confidence interval. {note}"
    )


def _summary_cells(
    endpoint: Any, summary: Mapping[str, Any], factor: float, decimals: int
) -> list[blocks.Cell]:
    if endpoint.kind in MEANS:
        spread = summary["spread"]
        quartiles = [spread[k] for k in ("median", "lower_quartile", "upper_quartile")]
        text = words.NOTHING
        if quartiles[0] is not None:
            limits = words.interval(quartiles[1], quartiles[2], decimals)
            text = f"{words.number(quartiles[0], decimals)} ({limits})"
        deviation = spread["standard_deviation"]
        return [
            blocks.count(spread["n"]),
            _estimate_cell(summary["mean"], decimals, factor),
            blocks.cell(
                words.number(deviation, decimals), None if deviation is None else round(deviation, decimals)
            ),
            blocks.cell(text, [None if q is None else round(q, decimals) for q in quartiles]),
        ]
    if endpoint.kind in SHARES:
        share = summary["share"]
        return [
            blocks.count(share["n"]),
            blocks.count(summary["count"]),
            _estimate_cell(share, decimals, factor),
        ]
    median = summary["median"]
    text = words.estimate(median, decimals if endpoint.kind == SURVIVAL else 0, factor)
    if median["value"] is None and summary["n"]:
        text = "not reached"
    return [
        blocks.count(summary["n"]),
        blocks.count(summary["events"]),
        blocks.cell(text, [_times_factor(median[k], factor) for k in ("value", "lower", "upper")]),
        _estimate_cell(summary["restricted_mean"], decimals, factor),
    ]


def _times_factor(value: float | None, factor: float) -> float | None:
    return value if value is None or factor == 1.0 else round(factor * value, 1)


def _missing(causes: Mapping[str, int]) -> blocks.Cell:
    names = {
        WITHDRAWN: "withdrawn",
        FAILED: "failed solve",
        NOT_MEASURED: "not measured",
        NO_RESPONSE: "no response",
        NO_PREDICTION: "no prediction",
    }
    texts = [f"{names[cause]}{words.NO_BREAK}{n}" for cause, n in causes.items() if n]
    return blocks.cell(", ".join(texts) or "none", dict(causes))


def _category_table(protocol: Protocol, endpoint: Any, found: Mapping[str, Any]) -> Block:
    names = {
        "CR": "Complete response",
        "PR": "Partial response",
        "SD": "Stable disease",
        "PD": "Progressive disease",
        "NE": "Not evaluable",
    }
    columns, per_arm = [], []
    for value, title in _VALUES:
        for arm in protocol.arms:
            columns.append(f"{title}: {arm.label}, n (%)")
            per_arm.append(found["arms"][arm.name][value])
    rows = []
    for category, name in names.items():
        cells = []
        for summary in per_arm:
            n, number = summary["share"]["n"], summary["categories"][category]
            share = 100 * number / n if n else 0.0
            cells.append(blocks.cell(f"{number} ({words.number(share, 1)})", [number, round(share, 1)]))
        rows.append(blocks.row(name, cells))
    how = "confirmed" if endpoint.confirmed else "unconfirmed"
    return blocks.table(f"Best overall response by category (RECIST 1.1, {how})", ["", *columns], rows)


def _contrast_table(
    protocol: Protocol, results: Mapping[str, Any], endpoint: Any, found: Mapping[str, Any]
) -> Block:
    unit, factor, decimals = _shown(endpoint, found["unit"])
    unit = "percentage points" if unit == "%" else unit
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    reference = labels[protocol.reference_arm]
    rows = []
    tests, ratios = [], []
    for name, contrast in found["contrasts"].items():
        whose = f" ({words.in_running_text(labels[name])})" if len(found["contrasts"]) > 1 else ""
        rows.append(blocks.group(f"{labels[name]}, less {words.in_running_text(reference)}"))
        for value, title in _views(endpoint):
            of = contrast[value]
            reduction = of["variance_reduction"]
            shown = words.NOTHING if reduction is None else words.number(100 * reduction, 1)
            rows.append(
                blocks.row(
                    title,
                    [
                        _estimate_cell(of["population"], decimals, factor),
                        _estimate_cell(of["paired"], 2, factor),
                        blocks.cell(shown, None if reduction is None else round(100 * reduction, 1)),
                    ],
                    indent=True,
                )
            )
            if "hazard_ratio" in of and of["hazard_ratio"]["value"] is not None:
                ratios.append(f"{title.lower()}{whose} {words.estimate(of['hazard_ratio'], 2)}")
            if "logrank" in of and of["logrank"]["p_value"] is not None:
                tests.append(
                    f"{title.lower()}{whose} χ² {words.number(of['logrank']['chi_squared'], 2)}, p "
                    f"{_p(of['logrank']['p_value'])}"
                )
    note = "Variance reduction: by how much the variance of the paired difference is below that of separate "
    note += "patients."
    if ratios:
        note += f" Hazard ratio (Cox, arms as separate patients): {'; '.join(ratios)}."
    if tests:
        note += f" Log-rank test, arms as separate patients: {'; '.join(tests)}."
    return blocks.table(
        f"{found['label']}: {next(iter(found['contrasts'].values()))['true']['measure']}, {unit}",
        [
            "",
            f"Population interval ({_level(results)} CI)",
            f"Paired interval ({_level(results)} CI), beyond any real trial",
            "Variance reduction, %",
        ],
        rows,
        note=note,
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _survival_figures(protocol: Protocol, results: Mapping[str, Any], endpoint: Any) -> list[Block]:
    """Curves with new lesions, and of target lesions alone where they differ."""
    arms = results["survival"][endpoint.name]["arms"]
    if endpoint.kind == SURVIVAL:
        note = " Predicted by the link; times are drawn."
        return [_survival_figure(protocol, results, endpoint, arms, str(endpoint.label), note)]
    alone = {
        name: {value: of_arm[key] for value, (key, _) in zip(VALUES, _TARGETS_ALONE, strict=True)}
        for name, of_arm in arms.items()
    }
    same = all(alone[name][value] == arms[name][value] for name in arms for value in VALUES)
    note = " Target lesions alone give the same curves." if same else ""
    figures = [_survival_figure(protocol, results, endpoint, arms, str(endpoint.label), note)]
    if not same:
        title = f"{endpoint.label}, target lesions alone"
        note = " As if no new lesion had appeared."
        figures.append(_survival_figure(protocol, results, endpoint, alone, title, note))
    return figures


def _survival_figure(
    protocol: Protocol,
    results: Mapping[str, Any],
    endpoint: Any,
    arms: Mapping[str, Any],
    title: str,
    note: str,
) -> Block:
    days = results["survival"][endpoint.name]["days"]
    linked = endpoint.kind == SURVIVAL
    free = survival.free_word(endpoint) if linked else "free of progression"
    last = f"month {days[-1] / MONTH:g}" if linked else f"day {days[-1]:g}"
    steps = "" if linked else " Progression can be seen at visits alone, hence the steps."
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    described = []
    for value, heading in _VALUES:
        parts = [
            f"{label}: {words.number(100 * arms[name][value]['survival_at_visits'][-1], 1)} % {free} "
            f"at {last}"
            for name, label in labels.items()
            if arms[name][value]["times"]
        ]
        described.append(f"{heading}: {'; '.join(parts)}")
    return blocks.figure(
        "survival",
        f"{title}: Kaplan-Meier curves with {_level(results)} limits and numbers at risk, "
        f"noise-free and as observed.{steps}{note}",
        ". ".join(described) + ".",
        {
            "labels": labels,
            "days": days,
            "arms": {name: {v: arms[name][v] for v in VALUES} for name in labels},
            **survival_axes(endpoint),
        },
    )


def survival_axes(endpoint: Any) -> dict[str, str]:
    """Axes of a survival figure: what is shown, and the unit of time if it is not the report's."""
    if endpoint.kind == SURVIVAL:
        return {"ylabel": survival.curve_label(endpoint), "time": "mo"}
    return {"ylabel": "Free of progression (%)"}


def _waterfall_figure(protocol: Protocol, results: Mapping[str, Any], name: str) -> Block:
    found = results["waterfall"][name]
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    described = []
    for value, title in _VALUES:
        for arm, label in labels.items():
            values = found[arm][value]
            shrunk = sum(v <= -30 for v in values)
            grown = sum(v >= 20 for v in values)
            described.append(
                f"{title}, {label}: of {len(values)} patients {shrunk} reach a decrease of 30 % or more and "
                f"{grown} never fall below an increase of 20 %"
            )
    label = words.in_running_text(quantity(name).label)
    return blocks.figure(
        "waterfall",
        f"Best change in {label} from baseline, one bar per patient, sorted within each panel. Dashed "
        "lines: 30 % decrease and 20 % increase.",
        ". ".join(described) + ".",
        {
            "labels": labels,
            "arms": {
                arm: {value: [round(v, 1) for v in found[arm][value]] for value, _ in _VALUES}
                for arm in labels
            },
            "ylabel": "Best change from baseline (%)",
        },
    )


def _course_figures(protocol: Protocol, results: Mapping[str, Any], name: str, scale: str) -> list[Block]:
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    found = [c for c in results["series"] if c["quantity"] == name and c["scale"] == scale]
    figures = []
    for course in found:
        known = quantity(name)
        unit = words.people_unit(course["unit"])
        change = scale == "percent"
        what = f"Change in {words.in_running_text(known.label)}" if change else known.label
        described = []
        for arm, label in labels.items():
            of = course["arms"][arm]
            if of["mean"][0] is None:
                continue
            last = len(of["days"]) - 1
            described.append(
                f"{label}: mean {words.number(of['mean'][0], 1)} {unit} at baseline and "
                f"{words.number(of['mean'][last], 1)} {unit} at day {of['days'][last]:g}, where the middle "
                f"half of patients lies between {words.number(of['lower_quartile'][last], 1)} and "
                f"{words.number(of['upper_quartile'][last], 1)} {unit}"
            )
        figures.append(
            blocks.figure(
                "course",
                f"{what} over time by arm. Line: noise-free mean; band: middle half of patients "
                f"(quartiles); points: observed mean at visits with {_level(results)} confidence interval.",
                ". ".join(described) + ".",
                {
                    "labels": labels,
                    "arms": course["arms"],
                    "ylabel": f"{what} ({unit})" if unit else what,
                    "zero": change,
                },
            )
        )
    return figures
