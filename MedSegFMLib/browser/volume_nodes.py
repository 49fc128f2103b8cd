"""Volumes as nodes of the scene, in a window that shows tissue."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

from ..drawing.display_window import display_window
from ..mrml.nodes.transforms import to_vtk
from ..volumes.region import Region
from ..volumes.volume import Volume
from ..volumes.windows import Window


def add_volume(scene: Any, volume: Volume, name: str) -> Any:
    """A vtkMRMLScalarVolumeNode that shares the voxels of a volume, which must be kept meanwhile.

    Args:
        scene: The vtkMRMLScene.
        volume: The volume.
        name: The name of the node.
    """
    array = volume.array_kji
    if array.dtype == bool or array.dtype == np.float16:
        array = array.astype(np.uint8 if array.dtype == bool else np.float32)
    image = vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.reshape(-1), deep=False))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(to_vtk(volume.geometry.ijk_to_ras))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    set_window(node, display_window(volume, Region.whole(volume.geometry.shape_kji)))
    return node


def set_window(node: Any, window: Window) -> None:
    """Show a volume in a window."""
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(window.low, window.high)


def window_of(node: Any) -> tuple[float, float]:
    """The width and the level of a volume's window."""
    display = node.GetDisplayNode()
    return float(display.GetWindow()), float(display.GetLevel())
