"""The slice views of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer


def jump_to(scene: Any, position_ras: Sequence[float]) -> None:
    """Move crosshair and slice views to a place in RAS millimetres."""
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(*position_ras)
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *position_ras)
