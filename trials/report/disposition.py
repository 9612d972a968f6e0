"""Where every patient went: a flow figure and tables, in which failed solves are a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.outcomes import FAILED, WITHDRAWN
from trials.report import blocks, words
from trials.report.blocks import Block

if TYPE_CHECKING:
    from trials.protocol import Protocol


def disposition(protocol: Protocol, results: Mapping[str, Any]) -> dict[str, Any]:
    """Where every patient went, failed solves included."""
    found = results["disposition"]
    names = [arm.name for arm in protocol.arms]

    def line(header: str, key: str, *, indent: bool = False) -> dict[str, Any]:
        return blocks.row(header, [blocks.count(found[n][key]) for n in names], indent=indent)

    def reasons(status: str) -> list[dict[str, Any]]:
        words_found = sorted({reason for n in names for reason in found[n]["reasons"][status]})
        return [
            blocks.row(
                words.sentence(words.plain_name(reason)),
                [blocks.count(found[n]["reasons"][status].get(reason, 0)) for n in names],
                indent=True,
            )
            for reason in words_found
        ]

    rows = [
        line("Started", "started"),
        line("Solve failed: no result", FAILED),
        *reasons(FAILED),
        line("Withdrawn before the end", WITHDRAWN),
        *reasons(WITHDRAWN),
        line("Completed", "completed"),
        line("Analysed (all but failed solves)", "analysed"),
    ]
    body: list[Block] = [_flow(protocol, results)]
    screening = results["screening"]
    if screening is not None:
        body.append(
            blocks.table(
                "Screening",
                ["", "Patients"],
                [
                    blocks.row("Records assessed", [blocks.count(screening["assessed"])]),
                    *(
                        blocks.row(f"Excluded: {words.plain_name(reason)}", [blocks.count(n)], indent=True)
                        for reason, n in screening["excluded"].items()
                    ),
                    blocks.row("Enrolled", [blocks.count(screening["enrolled"])]),
                ],
            )
        )
    body.append(
        blocks.table(
            "Disposition by arm",
            ["Patients", *(str(arm.label) for arm in protocol.arms)],
            rows,
            note="A patient whose solve failed is counted here and never dropped in silence. Withdrawn "
            "patients count in the noise-free results, and in the observed ones up to the day they left.",
        )
    )
    body += _treatment(protocol, results)
    return blocks.section("disposition", "Disposition", body)


def _treatment(protocol: Protocol, results: Mapping[str, Any]) -> list[Block]:
    """What policies did, by arm that has any."""
    found = results["treatment"]
    labels = {arm.name: str(arm.label) for arm in protocol.arms if arm.name in found}
    if not labels:
        return []

    def quartiles(name: str, key: str, factor: float = 1.0) -> blocks.Cell:
        spread = found[name][key]
        numbers = [spread[k] for k in ("median", "lower_quartile", "upper_quartile")]
        if numbers[0] is None:
            return blocks.cell(words.NOTHING)
        middle, low, high = (round(factor * value, 1) for value in numbers)
        return blocks.cell(f"{words.number(middle, 1)} ({words.interval(low, high, 1)})", [middle, low, high])

    rows = [
        blocks.row("Patients", [blocks.count(found[n]["n"]) for n in labels]),
        blocks.row("Treatment held at least once", [blocks.count(found[n]["held"]) for n in labels]),
        blocks.row("Days held, median (quartiles)", [quartiles(n, "held_days") for n in labels]),
        blocks.row("Treatment ended by a policy", [blocks.count(found[n]["stopped"]) for n in labels]),
        blocks.row("Day of that, median (quartiles)", [quartiles(n, "stopped_day") for n in labels]),
        blocks.row(
            "Dose given, % of planned, median (quartiles)",
            [quartiles(n, "dose_share", 100.0) for n in labels],
        ),
    ]
    return [
        blocks.table(
            "Treatment under policies",
            ["", *labels.values()],
            rows,
            note="All patients whose solve succeeded, taken to the end of the trial.",
        )
    ]


def _flow(protocol: Protocol, results: Mapping[str, Any]) -> Block:
    screening = results["screening"]
    enrolled = results["baseline"]["n"]
    arms = [
        {
            "label": str(arm.label),
            **{
                k: results["disposition"][arm.name][k]
                for k in ("started", FAILED, WITHDRAWN, "completed", "analysed")
            },
        }
        for arm in protocol.arms
    ]
    described = [
        f"{a['label']}: {a['started']} started, {a[FAILED]} failed solves, {a[WITHDRAWN]} withdrawn, "
        f"{a['completed']} completed, {a['analysed']} analysed"
        for a in arms
    ]
    opening = f"{screening['assessed']} records assessed, " if screening else ""
    return blocks.figure(
        "flow",
        "Flow of virtual patients. The same patients enter every arm.",
        f"{opening}{enrolled} enrolled. {'. '.join(described)}.",
        {"screening": screening, "enrolled": enrolled, "arms": arms},
    )
