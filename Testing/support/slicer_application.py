"""The one application of a process, in which MRML is real and no desktop is."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import slicer
from trame_slicer.core import SlicerApp


def application() -> Any:
    """The application, with what `slicer.util` looks for in the desktop one.

    Each call makes its scene and logics Slicer's own again: the panel's host, which may run in the
    same process, has others.
    """
    app = _made()
    slicer.mrmlScene = app.scene
    slicer.modules = vars(slicer).get("modules") or SimpleNamespace()
    slicer.modules.segmentations = SimpleNamespace(logic=lambda: app.segmentations_logic)
    return app


@cache
def _made() -> Any:
    return SlicerApp()
