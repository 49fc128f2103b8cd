"""From a volume node to the `Volume` that models get, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ...drawing.display_window import display_window
from ...errors import VolumeError
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...volumes.windows import Window
from .transforms import local_to_ras, to_numpy, to_vtk


def volume_from_node(node: Any) -> Volume:
    """The voxels of a vtkMRMLScalarVolumeNode, shared and not copied, with their grid in RAS.

    Linear parent transforms are folded into the grid.

    Raises:
        VolumeError: If the node has no image data, or several values a voxel.
        GeometryError: If a parent transform is not linear, a spacing is zero, or the direction
            matrix is singular.
    """
    name = node.GetName()
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        raise VolumeError(
            f"The volume {name} holds no image data; load it again or choose another."
        )
    i, j, k = image.GetDimensions()
    if scalars.GetNumberOfComponents() != 1:
        raise VolumeError(
            f"The volume {name} has {scalars.GetNumberOfComponents()} values per voxel; one is "
            "needed, convert it to a scalar volume first."
        )
    return Volume(vtk_to_numpy(scalars).reshape(k, j, i), geometry_of(node))


def geometry_of(node: Any) -> Geometry:
    """The grid of a node with image data in RAS; linear parent transforms are folded into it.

    Raises:
        GeometryError: As `volume_from_node`.
    """
    i, j, k = node.GetImageData().GetDimensions()
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return Geometry((k, j, i), local_to_ras(node) @ to_numpy(matrix))


def add_volume_node(scene: Any, volume: Volume, name: str, copied: bool = True) -> Any:
    """Add a vtkMRMLScalarVolumeNode with a volume's voxels, in a window of tissue.

    Args:
        scene: the vtkMRMLScene.
        volume: the volume.
        name: the name of the node.
        copied: whether the voxels are copied; if not, the volume must be kept as long as the node.
    """
    array = volume.array_kji
    if array.dtype.kind not in "iuf" or array.dtype == np.float16:
        array = array.astype(np.uint8 if array.dtype == bool else np.float32)
    image = vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    values = np.ascontiguousarray(array).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=copied))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(to_vtk(volume.geometry.ijk_to_ras))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    set_window(node, display_window(volume, Region.whole(volume.geometry.shape_kji)))
    return node


def set_window(node: Any, window: Window) -> None:
    """Show a volume node in a window."""
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(window.low, window.high)


def window_of(node: Any) -> tuple[float, float]:
    """The width and the level of a volume node's window."""
    display = node.GetDisplayNode()
    return float(display.GetWindow()), float(display.GetLevel())


def content_stamp(node: Any) -> int:
    """A number that grows whenever a node's voxels are reported as modified."""
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    return max((int(part.GetMTime()) for part in (image, scalars) if part is not None), default=0)
