"""The benchmarks fit the library: what moves there moves in them."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
# A package under the GPL, which is not installed with the others.
_NEEDS_MORE = {"solvers": "maxflow"}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_a_benchmark_can_be_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in _NEEDS_MORE and importlib.util.find_spec(_NEEDS_MORE[name]) is None:
        monkeypatch.setitem(sys.modules, _NEEDS_MORE[name], object())
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.__doc__
