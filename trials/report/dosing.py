"""What the arms give, how doses follow from body size, and which variants of models go with the treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trials.protocol import RegimenDose
from trials.report import blocks, words
from trials.report.blocks import Block

if TYPE_CHECKING:
    from trials.protocol import Arm, Dose, Protocol

_BY_SIZE = {
    "mg/m2": "Doses per m² go by each patient's own body surface: the root of weight in kg times height in "
    "cm over 3600 (Mosteller, N Engl J Med 1987;317:1098), from the last weight and height on record at the "
    "start; it does not change during the trial.",
    "mg/kg": "Doses per kg go by each patient's own last body weight on record at the start; it does not "
    "change during the trial.",
}
_UNKNOWN = (
    "A patient whose record lacks a size that an arm's doses go by has no result in that arm and is counted."
)


def given(arm: Arm) -> str:
    """The doses of an arm in a sentence."""
    texts = [
        f"{words.sentence(words.plain_name(port.partition('.')[2]))}: "
        f"{_regimen(dose) if isinstance(dose, RegimenDose) else _daily(dose)}"
        for port, dose in arm.doses.items()
    ]
    return "; ".join(texts) or "No treatment"


def sources(protocol: Protocol) -> list[Block]:
    """Where regimens come from, and how their doses are derived; nothing without regimens."""
    found = [
        (arm, port, dose)
        for arm in protocol.arms
        for port, dose in arm.doses.items()
        if isinstance(dose, RegimenDose)
    ]
    if not found:
        return []
    rows = [
        blocks.row(
            str(arm.label),
            [
                blocks.cell(words.sentence(words.plain_name(port.partition(".")[2]))),
                blocks.cell(dose.drug),
                blocks.cell(" ".join(dose.source.split())),
            ],
        )
        for arm, port, dose in found
    ]
    sizes = dict.fromkeys(text for _, _, dose in found if (text := _BY_SIZE.get(str(dose.size))))
    note = [*sizes, *([_UNKNOWN] if sizes else [])]
    if any(dose.taken is not None for _, _, dose in found):
        note.append(
            "Who takes an administration is drawn once by patient, drug and day: it is the same in all arms."
        )
    if any(arm.policies for arm, _, _ in found):
        note.append(
            "Under a policy that lets the schedule wait, it is the next administration that waits: days on "
            "which none is due go by."
        )
    table = blocks.table("Regimens", ["Arm", "Dose", "Drug", "Source"], rows, words=True)
    return [table, *([blocks.paragraph(" ".join(note))] if note else [])]


def variants(protocol: Protocol, models: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Which parameter set a model takes in which arm; nothing where none was named."""
    labels = {arm.name: str(arm.label) for arm in protocol.arms}
    rows = [
        blocks.row(
            str(m.get("title") or m["name"]),
            [
                blocks.cell(words.plain_name(str(m["variant"]))),
                blocks.cell("; ".join(labels[name] for name in m["arms"])),
            ],
        )
        for m in models
        if "variant" in m
    ]
    if not rows:
        return []
    return [
        blocks.table(
            "Variants: published parameter sets that the protocol names",
            ["Model", "Variant", "Arms"],
            rows,
            note="Arms differ by the parameter set as well as by what is given; a patient has the same "
            "random effects in all of them.",
            words=True,
        )
    ]


def _daily(dose: Dose) -> str:
    text = words.amount(dose.amount)
    if dose.on is not None and dose.off is not None:
        often = "repeated" if dose.cycles is None else f"{dose.cycles} cycles"
        text += f", {words.amount(dose.on)} on, {words.amount(dose.off)} off, {often}"
    if dose.missed:
        text += f", without cycle {_numbers(dose.missed)}"
    return text


def _regimen(dose: RegimenDose) -> str:
    parts = [f"{dose.drug} {words.amount(dose.amount)}"]
    if dose.loading is not None:
        parts[0] += f" (the first time {words.amount(dose.loading)})"
    over = "" if dose.infused_over is None else f" over {words.amount(dose.infused_over)}"
    parts[0] += f", {dose.route}{over}, every {words.amount(dose.every)}"
    if dose.on is not None and dose.off is not None:
        parts.append(f"{words.amount(dose.on)} on, {words.amount(dose.off)} off")
    if dose.cycles is not None:
        parts.append(f"{dose.cycles} {'cycles' if dose.on is not None else 'administrations'}")
    if dose.start is not None:
        parts.append(f"from {words.amount(dose.start)} on")
    if dose.missed:
        parts.append(f"without administration {_numbers(dose.missed)}")
    if dose.taken is not None:
        parts.append(f"each taken with a chance of {words.amount(dose.taken)}")
    if dose.surface_cap is not None:
        parts.append(f"body surface capped at {words.amount(dose.surface_cap)}")
    return ", ".join(parts)


def _numbers(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, sorted(set(numbers))))
