"""The coupling diagram of a virtual patient, as SVG: the same composition gives the same text.

Every model is a card; its inputs stand on the left edge, the outputs that others use on the right one.
Sources stand left of what they feed. A link over a column in between gets a lane of its own there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from organ_models.model import OrganModel, fields

if TYPE_CHECKING:
    from vht.patient import VirtualPatient

_FONT = "-apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
_INK, _GREY, _RULE, _PAPER = "#1b1f24", "#59636e", "#c9d1d9", "#ffffff"
_SLOW, _CYCLIC = "#0072b2", "#b3400a"
_UNITS = {"mm[Hg]": "mmHg", "1": ""}

_ROW, _HEAD, _PAD, _GAP, _CHANNEL, _MARGIN = 20.0, 50.0, 14.0, 26.0, 92.0, 20.0
_LANE = 12.0  # height of a link's lane through a column
_LEGEND = 30.0
_NARROWEST = 460.0  # what the legend needs


@dataclass
class _Item:
    """A model's card, or a link's lane, in a column."""

    key: str
    height: float
    width: float = 0.0
    left: list[tuple[str, str, str]] = field(default_factory=list)  # port, label, kind
    right: list[tuple[str, str, str]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class _Link:
    source: tuple[str, str]
    target: tuple[str, str]
    solving: bool
    text: str
    lanes: tuple[str, ...] = ()


def coupling_diagram(patient: VirtualPatient) -> str:
    """An SVG picture of a composition.

    Args:
        patient: the composition.

    Returns:
        One self-contained ``<svg>`` element with a title and a description for screen readers.
    """
    columns, links = _columns(patient)
    height = max(sum(i.height for i in c) + _GAP * (len(c) - 1) for c in columns)
    needed = sum(max(i.width for i in c) for c in columns) + _CHANNEL * (len(columns) - 1) + 2 * _MARGIN
    total_width = max(needed, _NARROWEST)
    x = _MARGIN + (total_width - needed) / 2
    cards: dict[str, _Item] = {}
    for column in columns:
        width = max(i.width for i in column)
        y = _MARGIN + (height - sum(i.height for i in column) - _GAP * (len(column) - 1)) / 2
        for item in column:
            item.x, item.y, item.width = x, y, width
            y += item.height + _GAP
            cards[item.key] = item
        x += width + _CHANNEL
    total_height = height + 2 * _MARGIN + _LEGEND
    described = "; ".join(map(str, patient.couplings)) or "no couplings"
    size = f'width="{total_width:.0f}" height="{total_height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {total_width:.0f} {total_height:.0f}" '
        f'role="img" style="max-width:100%;height:auto" font-family="{_FONT}" font-size="12">',
        f"<title>Virtual patient: {escape(', '.join(m.title for m in patient.models.values()))}</title>",
        f"<desc>{escape(described)}</desc>",
        f'<rect width="100%" height="100%" rx="10" fill="{_PAPER}"/>',
        *(_curve(link, cards) for link in links),
        *(_card(cards[name], model) for name, model in patient.models.items()),
        _legend(total_height - _LEGEND, any(link.solving for link in links)),
        "</svg>",
    ]
    return "\n".join(parts)


# ---------------------------------------------------------------------------------------------------
# placing


def _columns(patient: VirtualPatient) -> tuple[list[list[_Item]], list[_Link]]:
    wires = [(w, False) for w in patient.wires] + [(w, True) for w in patient.solving]
    depth = dict.fromkeys(patient.order, 0)
    for name in patient.order:
        before = [w.source[0] for w, _ in wires if w.target[0] == name]
        depth[name] = 1 + max((depth[b] for b in before), default=-1)
    columns: list[list[_Item]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in patient.order:
        columns[depth[name]].append(_item(patient, patient.models[name]))
    links = []
    for number, (wire, solving) in enumerate(wires):
        lanes = []
        for column in range(depth[wire.source[0]] + 1, depth[wire.target[0]]):
            columns[column].append(_Item(f"lane {number} {column}", _LANE))
            lanes.append(columns[column][-1].key)
        links.append(_Link(wire.source, wire.target, solving, str(wire.coupling), tuple(lanes)))
    _untangle(columns, links)
    return columns, links


def _untangle(columns: list[list[_Item]], links: Iterable[_Link]) -> None:
    """Order every column by where its sources stand, which keeps links from crossing."""
    feeds: dict[str, list[str]] = {}
    for link in links:
        chain = (link.source[0], *link.lanes, link.target[0])
        for before, after in pairwise(chain):
            feeds.setdefault(after, []).append(before)
    place: dict[str, float] = {}
    for column in columns:
        ranked = []
        for rank, item in enumerate(column):
            sources = [place[s] for s in feeds.get(item.key, [])]
            ranked.append((sum(sources) / len(sources) if sources else float(rank), rank))
        column[:] = [column[rank] for _, rank in sorted(ranked)]
        place |= {item.key: (rank + 0.5) / len(column) for rank, item in enumerate(column)}


def _item(patient: VirtualPatient, model: OrganModel) -> _Item:
    fed = {w.target[1] for w in patient.wires if w.target[0] == model.name}
    used = {w.source[1] for w in [*patient.wires, *patient.solving] if w.source[0] == model.name}
    solving = [w for w in patient.solving if w.target[0] == model.name]
    solved = {str(w.coupling.solve).partition(".")[2] for w in solving}
    following = {w.coupling.follow.partition(".")[2] for w in solving if w.coupling.follow}
    left = [(w.target[1], f"target: {_words(w.target[1])}", "fed") for w in solving]
    for port, declared in fields(model.Inputs).items():
        kind, note = "open", _unit(declared.unit)
        if port in fed:
            kind = "fed"
        elif port in solved:
            kind, note = "solved", "solved for"
        elif port in following:
            kind, note = "solved", "follows"
        left.append((port, _words(port) + (f" ({note})" if note else ""), kind))
    outputs = fields(model.Outputs)
    right = [(p, _words(p) + _bracketed(_unit(f.unit)), "fed") for p, f in outputs.items() if p in used]
    rows = max(len(left), len(right))
    wide_left = max((_text_width(t) for _, t, _ in left), default=0.0)
    wide_right = max((_text_width(t) for _, t, _ in right), default=0.0)
    between = 24.0 if left and right else 0.0
    width = max(
        _text_width(model.title, 13.0, bold=True),
        _text_width(_facts(model), 11.0),
        wide_left + between + wide_right,
    )
    height = _HEAD + (rows * _ROW + _PAD if rows else 0.0)
    return _Item(model.name, height, width + 2 * _PAD + 8, left, right)


# ---------------------------------------------------------------------------------------------------
# drawing


def _card(item: _Item, model: OrganModel) -> str:
    colour = _SLOW if model.cycle is None else _CYCLIC
    x, y, w, h = item.x, item.y, item.width, item.height
    parts = [
        "<g>",
        f"<title>{escape(f'{model.title} ({model.name}), version {model.version}')}</title>",
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="8" fill="{_PAPER}" '
        f'stroke="{_RULE}" stroke-width="1.2"/>',
        f'<rect x="{x + 10:.1f}" y="{y - 1.5:.1f}" width="{w - 20:.1f}" height="3" rx="1.5" '
        f'fill="{colour}"/>',
        f'<text x="{x + _PAD:.1f}" y="{y + 22:.1f}" font-size="13" font-weight="600" fill="{_INK}">'
        f"{escape(model.title)}</text>",
        f'<text x="{x + _PAD:.1f}" y="{y + 38:.1f}" font-size="11" fill="{_GREY}">'
        f"{escape(_facts(model))}</text>",
    ]
    if item.left or item.right:
        parts.append(
            f'<line x1="{x:.1f}" y1="{y + _HEAD:.1f}" x2="{x + w:.1f}" y2="{y + _HEAD:.1f}" '
            f'stroke="{_RULE}" stroke-width="0.8"/>'
        )
    for row, (_, label, kind) in enumerate(item.left):
        parts += _port(x, _row(item, row), label, kind, colour, "start", x + _PAD)
    for row, (_, label, kind) in enumerate(item.right):
        parts += _port(x + w, _row(item, row), label, kind, colour, "end", x + w - _PAD)
    return "\n".join([*parts, "</g>"])


def _port(x: float, y: float, label: str, kind: str, colour: str, anchor: str, at: float) -> list[str]:
    fill = colour if kind == "fed" else _PAPER
    dash = ' stroke-dasharray="2 2"' if kind == "open" else ""
    ink = _INK if kind == "fed" else _GREY
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" '
        f'stroke-width="1.4"{dash}/>',
        f'<text x="{at:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(label)}</text>',
    ]


def _curve(link: _Link, cards: dict[str, _Item]) -> str:
    """From port to port, level through the lanes in between."""
    start, end = cards[link.source[0]], cards[link.target[0]]
    out = [p for p, _, _ in start.right].index(link.source[1])
    into = [p for p, _, _ in end.left].index(link.target[1])
    points = [(start.x + start.width, _row(start, out))]
    for key in link.lanes:
        lane = cards[key]
        points += [(lane.x, lane.y + _LANE / 2), (lane.x + lane.width, lane.y + _LANE / 2)]
    points.append((end.x - 5.0, _row(end, into)))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for index, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if index % 2:  # through a lane
            path += f" L{x1:.1f} {y1:.1f}"
        else:
            middle = (x0 + x1) / 2
            path += f" C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    dash = ' stroke-dasharray="6 4"' if link.solving else ""
    colour = _CYCLIC if link.solving else _GREY
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}>'
        f"<title>{escape(link.text)}</title></path>"
    )


def _legend(y: float, solving: bool) -> str:
    entries = [
        (f'<rect x="0" y="-4" width="16" height="3" rx="1.5" fill="{_SLOW}"/>', "runs in days"),
        (f'<rect x="0" y="-4" width="16" height="3" rx="1.5" fill="{_CYCLIC}"/>', "beats"),
        (
            f'<circle cx="8" cy="-3" r="4" fill="{_PAPER}" stroke="{_SLOW}" stroke-dasharray="2 2"/>',
            "input that nothing feeds",
        ),
    ]
    if solving:
        line = f'<path d="M0 -3 h20" stroke="{_CYCLIC}" stroke-width="1.6" stroke-dasharray="6 4"/>'
        entries.append((line, "target, reached by solving"))
    x, parts = _MARGIN, []
    for mark, text in entries:
        parts.append(
            f'<g transform="translate({x:.1f} {y + 14:.1f})">{mark}'
            f'<text x="26" y="1" font-size="11" fill="{_GREY}">{text}</text></g>'
        )
        x += 26 + _text_width(text, 11.0) + 18
    return "\n".join(parts)


def _row(item: _Item, row: int) -> float:
    return item.y + _HEAD + _PAD / 2 + _ROW * (row + 0.5)


def _facts(model: OrganModel) -> str:
    states, parameters = len(fields(model.State)), len(fields(model.Parameters))
    return f"{model.name} {model.version} · {_count(states, 'state')} · {_count(parameters, 'parameter')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _unit(unit: str) -> str:
    return _UNITS.get(unit, unit)


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _text_width(text: str, size: float = 12.0, *, bold: bool = False) -> float:
    """Generous width of a text in px: no font is at hand to measure with."""
    narrow = sum(c in "iljtfr.,:;()|' I" for c in text)
    each, few = (0.72, 0.42) if bold else (0.62, 0.36)
    return size * (few * narrow + each * (len(text) - narrow))
