"""The one application of a process, in which MRML is real and no desktop is."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import slicer
from trame_slicer.core import SlicerApp


@cache
def application() -> Any:
    """The application, with what `slicer.util` looks for in the desktop one."""
    app = SlicerApp()
    slicer.mrmlScene = app.scene
    segmentations = SimpleNamespace(logic=lambda: app.segmentations_logic)
    slicer.modules = SimpleNamespace(segmentations=segmentations)
    return app
