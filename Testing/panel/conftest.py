"""The panel on the host: a fresh scene and a fresh panel for each test, with the real worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host.panel_driver import Desk

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
_MISSING = "slicer-core, trame-slicer or PySide6 is not installed: make test installs them"


@pytest.fixture(scope="session")
def module() -> Any:
    """The module as Slicer imports it at start."""
    for name in ("trame_slicer", "PySide6"):
        pytest.importorskip(name, reason=_MISSING)
    from host import application

    application.start()
    return application.load_module(ROOT / "MedSegFM" / "MedSegFM.py")


@pytest.fixture
def bare(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty scene with the weights in a folder of this test."""
    import slicer
    from host import application

    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "user" / "weights"))
    application.use_scene()
    slicer.mrmlScene.Clear()
    yield module
    slicer.mrmlScene.Clear()


@pytest.fixture
def desk(bare: Any) -> Iterator[Desk]:
    """The panel, open on an empty scene."""
    found = Desk(bare)
    yield found
    found.close()
