"""Every notebook runs from top to bottom, and what it shows is there."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def test_the_first_notebook_is_there() -> None:
    assert "01_first_twin.ipynb" in {n.name for n in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    pictures = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert pictures
    for picture in pictures:
        assert len(base64.b64decode(picture)) > 10_000


def test_the_first_notebook_needs_five_lines_to_a_plot() -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    first = next(c for c in notebook.cells if c.cell_type == "code")
    lines = [line for line in first.source.splitlines() if line.strip()]
    assert len(lines) == 5
    assert lines[0] == "import vht"
    assert lines[-1].endswith(".plot()")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_committed_notebook_holds_no_output_and_no_path(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not c.outputs and c.execution_count is None for c in notebook.cells if c.cell_type == "code")
    assert "/home/" not in path.read_text()
