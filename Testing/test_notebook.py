"""The notebook of the documentation runs from its first cell to its table."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "Docs/volume-to-table.ipynb"


def test_the_notebook_compares_models_in_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    table = outputs[-1]["data"]["text/markdown"]
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \|", table, re.MULTILINE)
    scores = {name: float(dice) for name, _, dice in rows}
    assert scores.keys() == {"ensam", "randomwalk", "ellipsoid"}
    assert scores["ensam"] > 0.9 > scores["ellipsoid"] > 0.5


def test_the_notebook_is_stored_without_outputs() -> None:
    stored = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in stored.cells)
