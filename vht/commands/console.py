"""The terminal that all commands write to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text that is shown as it is, whatever brackets it holds."""
    return escape(text)


def print_json(content: Any) -> None:
    """JSON on standard output, for programs."""
    out.print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False), markup=False)


def print_columns(rows: Sequence[Sequence[str]], *, indent: int = 0, right: Sequence[int] = ()) -> None:
    """Rows of texts, every column as wide as its widest text; columns in ``right`` end flush."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            t.rjust(w) if i in right else t.ljust(w) for i, (t, w) in enumerate(zip(row, widths, strict=True))
        ]
        out.print(" " * indent + "  ".join(cells).rstrip(), markup=False)


def done(what: str, where: Path | str) -> None:
    """Say what was made, and where."""
    out.print(f"[green]made[/green] {what}: ", end="")
    out.print(str(where), markup=False)


@contextmanager
def progress(verb: str, unit: str = "") -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal, nothing elsewhere; it counts if there is something to count."""
    if not err.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *((MofNCompleteColumn(), TextColumn(unit)) if unit else (TaskProgressColumn(),)),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(verb, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
