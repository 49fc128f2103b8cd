"""The module's self test, as Slicer's Self Tests module runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a fresh Slicer and a build machine have of our dependencies.
SLICERS_OWN = {"numpy", "scipy", "SimpleITK", "pydicom"}
MODULES = {"PyYAML": "yaml", "scikit-image": "skimage"}
RUN = """
from pathlib import Path
from host import application
application.start()
module = application.load_module(Path("MedSegFM/MedSegFM.py").resolve())
module.MedSegFMTest.delayDisplay = lambda self, text, *_: print(text, flush=True)
import slicer
slicer.selfTests["MedSegFM"]()
"""


def checks() -> list[str]:
    """The names of the checks, read without Slicer."""
    import ast

    path = ROOT / "MedSegFM/MedSegFMPanel/self_test.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    return [name for name in names if name.startswith("check_")]


@pytest.mark.parametrize("name", checks())
def test_the_self_test_passes(bare: Any, name: str) -> None:
    from MedSegFMPanel import self_test

    check = getattr(self_test, name)
    assert check in self_test.CHECKS
    check(bare.MedSegFMTest())


def test_the_self_test_runs_its_checks(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from MedSegFMPanel import self_test

    def check(test: Any) -> None:
        """A check that notes it ran."""
        ran.append(test)

    ran: list[Any] = []
    monkeypatch.setattr(self_test, "CHECKS", (check,))
    monkeypatch.setattr(bare.MedSegFMTest, "delayDisplay", lambda *_: None)
    bare.MedSegFMTest().runTest()
    assert len(ran) == 1


def not_in_slicer() -> list[str]:
    """The modules of all our packages that a fresh Slicer lacks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["models"]
    names = {re.split(r"[^\w-]", line)[0] for line in lines} - SLICERS_OWN
    return sorted(MODULES.get(name, name.replace("-", "_")) for name in names)


def test_the_self_test_passes_in_a_fresh_slicer_and_says_what_it_used() -> None:
    missing = not_in_slicer()
    assert {"openvino", "torch", "safetensors", "matplotlib"} <= set(missing)
    folders = (ROOT / "Testing/support/bare_slicer", ROOT, ROOT / "Testing/support")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "MEDSEGFM_TEST_MISSING": ",".join(missing),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert sum(line.startswith("Random walker: ") for line in said) == len(checks())
    assert any(line.startswith("ENSAM was left out: it needs") for line in said)


def test_the_default_model_is_tested_too_where_it_can_run(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMPanel import self_test

    said: list[str] = []
    monkeypatch.setattr(
        bare.MedSegFMTest, "delayDisplay", lambda _test, text, *_: said.append(text)
    )
    monkeypatch.setattr(self_test, "CHECKS", ())
    bare.MedSegFMTest().runTest()
    assert len(said) == 3 and all(line.startswith("ENSAM: ") for line in said)
