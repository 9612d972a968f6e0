"""The blocks that a report is made of: plain dictionaries, ready for JSON and for any renderer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Block = dict[str, Any]
Cell = dict[str, Any]


def paragraph(text: str) -> Block:
    """A paragraph of running text."""
    return {"type": "paragraph", "text": text}


def heading(text: str) -> Block:
    """A heading inside a section."""
    return {"type": "heading", "text": text}


def notice(title: str, text: str) -> Block:
    """A passage that must not be overlooked."""
    return {"type": "notice", "title": title, "text": text}


def bullets(items: Iterable[str]) -> Block:
    """A list of sentences."""
    return {"type": "list", "items": list(items)}


def facts(items: Iterable[tuple[str, str]], *, code: bool = False) -> Block:
    """Terms with their descriptions; ``code`` sets the descriptions in a fixed-width type."""
    pairs = [{"term": term, "description": text} for term, text in items if text]
    return {"type": "facts", "items": pairs, "code": code}


def code(text: str, label: str) -> Block:
    """A command as it is typed."""
    return {"type": "code", "text": text, "label": label}


def cell(text: str, value: Any = None) -> Cell:
    """What a table shows, and the rounded number or numbers behind the text."""
    return {"text": text} if value is None else {"text": text, "value": value}


def count(value: int) -> Cell:
    """A count as a cell."""
    return cell(str(value), value)


def row(header: str, cells: Sequence[Cell], *, indent: bool = False) -> dict[str, Any]:
    """A table row with its header; ``indent`` sets it under the row above."""
    return {"header": header, "cells": list(cells), "indent": indent}


def group(header: str) -> dict[str, Any]:
    """A line that heads the rows below it."""
    return {"header": header, "cells": [], "indent": False}


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    note: str = "",
    words: bool = False,
) -> Block:
    """A table. The first column heads its rows; ``words`` aligns the others to the left, for text."""
    width = len(columns) - 1
    for line in rows:
        if line["cells"] and len(line["cells"]) != width:
            raise ValueError(f"table '{caption}': a row has {len(line['cells'])} cells for {width} columns")
    return {
        "type": "table",
        "caption": caption,
        "columns": list(columns),
        "rows": [dict(line) for line in rows],
        "note": note,
        "words": words,
    }


def figure(kind: str, caption: str, description: str, data: Mapping[str, Any]) -> Block:
    """A figure: its kind says how it is drawn, its data hold every number drawn.

    ``description`` says in words what is to be seen, for readers who cannot see it.
    """
    return {
        "type": "figure",
        "kind": kind,
        "caption": caption,
        "description": description,
        "data": dict(data),
    }


def section(identifier: str, title: str, blocks: Iterable[Block]) -> dict[str, Any]:
    """A numbered section of the report."""
    return {"id": identifier, "title": title, "blocks": list(blocks)}


def numbered(sections: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sections with their numbers, and tables and figures with theirs, in order of appearance."""
    counters = {"table": 0, "figure": 0}
    result = []
    for index, part in enumerate(sections, start=1):
        blocks = []
        for block in part["blocks"]:
            if block["type"] in counters:
                counters[block["type"]] += 1
                number = counters[block["type"]]
                block = {**block, "number": number, "id": f"{block['type']}-{number}"}
            blocks.append(block)
        result.append({**part, "number": index, "blocks": blocks})
    return result
