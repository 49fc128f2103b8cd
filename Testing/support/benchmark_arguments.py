"""Whether a benchmark takes arguments, without running it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "Testing" / "benchmarks"
# A package under the GPL, which is not installed with the others.
_NEEDS_MORE = {"solvers": "maxflow"}


class Accepted(Exception):
    """The arguments were read without an error."""


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a benchmark."""
    if name in _NEEDS_MORE and importlib.util.find_spec(_NEEDS_MORE[name]) is None:
        monkeypatch.setitem(sys.modules, _NEEDS_MORE[name], object())
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None, name
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def check_arguments(
    module: ModuleType, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail if a benchmark refuses arguments; nothing but their reading is run."""
    path = Path(str(module.__file__))
    if "ArgumentParser" not in path.read_text(encoding="utf-8"):
        assert not arguments, f"{path.stem} takes no arguments, but is given {arguments}"
        return
    read = argparse.ArgumentParser.parse_args

    def and_stop(parser: argparse.ArgumentParser, *words: Any, **options: Any) -> None:
        read(parser, *words, **options)
        raise Accepted

    try:
        with monkeypatch.context() as patched, pytest.raises(Accepted):
            patched.setattr(argparse.ArgumentParser, "parse_args", and_stop)
            patched.setattr(sys, "argv", [str(path), *arguments])
            module.main()
    except SystemExit:
        pytest.fail(f"{path.stem} refuses {arguments}")
