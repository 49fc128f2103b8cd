"""The module's self test, as Slicer's Self Tests module runs it."""

from __future__ import annotations

from typing import Any

import pytest


def checks() -> list[str]:
    """The names of the checks, read without Slicer."""
    import ast
    from pathlib import Path

    path = Path(__file__).resolve().parents[2] / "MedSegFM/MedSegFMPanel/self_test.py"
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
