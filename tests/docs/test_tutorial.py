"""The notebook of the manual: kept without outputs, and run from its first cell to its last."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.docs.test_docs import DOCS

NOTEBOOK = DOCS / "tutorial.ipynb"
SECONDS = 120
"""A cell that takes longer has come to a stop."""


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_notebook_is_kept_without_outputs(notebook: nbformat.NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    nbformat.validate(notebook)


def test_notebook_runs(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Path(sys.executable).parent  # where the command stands
    monkeypatch.setenv("PATH", os.pathsep.join([str(beside), os.environ["PATH"]]))
    run(notebook, tmp_path)
    assert (tmp_path / "my_study" / "results" / "pilot_sharing" / "results.nc").is_file()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert "unknown node 'sontay'; did you mean 'son_tay'?" in printed
    assert "minimum_delivery 'delta_dry_season'" in printed  # what the tutorial changes next
    assert "Tổng" in printed


def test_cell_that_fails_is_a_fault(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("1 / 0")]
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(nbformat.v4.new_notebook(cells=cells), tmp_path)


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in a folder."""
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, resources=where).execute()
