"""The tutorial of README and guide, from a fresh Slicer to a scene that goes on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from fresh_slicer import ROOT, run_python


def test_the_tutorial_works_from_a_fresh_slicer(tmp_path: Path) -> None:
    pytest.importorskip("PySide6", reason="PySide6 is not installed: make test installs it")
    done = run_python(
        ["-m", "host.first_day", str(tmp_path)], MEDSEGFM_WEIGHTS=str(tmp_path / "user/weights")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "go_on"
    left = [path for path in (tmp_path / "user").rglob("*") if path.is_file()]
    assert left == [], "a clean end leaves no autosave"


def test_the_way_has_every_step_of_the_tutorial() -> None:
    tree = ast.parse((ROOT / "Testing/support/host/first_day.py").read_text(encoding="utf-8"))
    (day,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    steps = [n.name for n in day.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
    words = (ROOT / "README.md").read_text(encoding="utf-8").partition("## In 3D Slicer")[2]
    tutorial = words.partition("\n## ")[0]
    named = ("Install", "Sample", "Box", "Undo", "Next", "Save and measure")
    places = [tutorial.find(f"*{word}") for word in named]
    assert -1 not in places and places == sorted(places)
    order = ("install", "sample", "box", "click", "undo", "redo", "second_segment", "adopt")
    assert steps == ["open", *order, "save", "close", "load", "go_on"]
